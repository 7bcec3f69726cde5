//! What the forms of conda's world have in common.

use crate::Source;

/// As conda names the machine's platform: `linux-64`, `linux-aarch64`.
pub(crate) fn subdir(source: &Source<'_>) -> String {
    match source.machine.arch.as_str() {
        "x86_64" => "linux-64".to_owned(),
        other => format!("linux-{other}"),
    }
}
