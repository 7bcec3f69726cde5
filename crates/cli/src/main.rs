//! The program, all of which is in its library.

use std::process::ExitCode;

fn main() -> ExitCode {
    aitk::main()
}
