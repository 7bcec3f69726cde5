//! Turns the table of French messages into one that is there when the program starts, in the order of the English, and
//! gathers the proofs.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build reads and writes files, and speaks to cargo"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::{env, fs, io};

const CHECKS: &str = "../../profiles/checks";
const TABLE: &str = "../../profiles/texts/messages.fr.toml";

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={TABLE}");
    let table: BTreeMap<String, String> =
        toml::from_str(&fs::read_to_string(TABLE)?).map_err(io::Error::other)?;
    let row = |(english, french): (&String, &String)| {
        format!("    ({english:?}, {:?}),\n", unbroken(french))
    };
    let rows: String = table.iter().map(row).collect();
    let folder = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&folder).join("french.rs"), format!("&[\n{rows}]\n"))?;
    fs::write(Path::new(&folder).join("checks.rs"), checks()?)
}

/// Every proof, with what it speaks by in front of it.
fn checks() -> io::Result<String> {
    println!("cargo::rerun-if-changed={CHECKS}");
    let speaks = fs::read_to_string(Path::new(CHECKS).join("say.py"))?;
    let mut rows = BTreeMap::new();
    for file in fs::read_dir(CHECKS)? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.ends_with(".py") && name != "say.py" {
            rows.insert(name, format!("{speaks}{}", fs::read_to_string(&path)?));
        }
    }
    let rows: String = rows.iter().map(|row| format!("    {row:?},\n")).collect();
    Ok(format!("&[\n{rows}]\n"))
}

/// A French text whose signs stay on the line of the word that they belong to.
fn unbroken(text: &str) -> String {
    let signs = [" :", " ;", " ?", " !", " »", "« "];
    signs
        .iter()
        .fold(text.to_owned(), |text, sign| text.replace(sign, &sign.replace(' ', "\u{a0}")))
}
