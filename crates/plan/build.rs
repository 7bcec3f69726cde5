//! Turns the tables of messages into ones that are there when the program starts, in the order of the English, and
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
const TEXTS: &str = "../../profiles/texts";

fn main() -> io::Result<()> {
    let folder = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&folder).join("languages.rs"), languages()?)?;
    fs::write(Path::new(&folder).join("checks.rs"), checks()?)
}

/// A row of `languages.toml`.
#[derive(serde::Deserialize)]
struct Language {
    unbroken: Vec<String>,
}

/// Every language but English: its code, and its messages in the order of their English.
fn languages() -> io::Result<String> {
    println!("cargo::rerun-if-changed={TEXTS}");
    let texts = Path::new(TEXTS);
    let all: BTreeMap<String, Language> = read(&texts.join("languages.toml"))?;
    let mut rows = String::new();
    for (code, Language { unbroken }) in &all {
        let messages: BTreeMap<String, String> =
            read(&texts.join(format!("messages.{code}.toml")))?;
        let row = |(english, told): (&String, &String)| {
            format!("        ({english:?}, {:?}),\n", together(told, unbroken))
        };
        let messages: String = messages.iter().map(row).collect();
        rows += &format!("    ({code:?}, &[\n{messages}    ]),\n");
    }
    Ok(format!("&[\n{rows}]\n"))
}

fn read<T: serde::de::DeserializeOwned>(file: &Path) -> io::Result<T> {
    toml::from_str(&fs::read_to_string(file)?).map_err(io::Error::other)
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

/// A text whose signs stay on the line of the word that they belong to.
fn together(text: &str, signs: &[String]) -> String {
    signs
        .iter()
        .fold(text.to_owned(), |text, sign| text.replace(sign, &sign.replace(' ', "\u{a0}")))
}
