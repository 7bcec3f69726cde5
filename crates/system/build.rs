//! Puts everything below `profiles/` into the program: the one place where that is done.
#![allow(
    clippy::disallowed_macros,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build reads and writes files, and speaks to cargo"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    // Asked at run time: a checkout that was moved keeps what was built in it.
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let root = Path::new(&here).join("../../profiles").canonicalize()?;
    // Cargo looks into a folder as well: a file that is new or gone counts.
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    // By their names as texts: that is how they are looked for.
    let named = |path: PathBuf| {
        let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        (name, path)
    };
    let files: BTreeMap<String, PathBuf> = files.into_iter().map(named).collect();
    let row =
        |(name, path): (&String, &PathBuf)| format!("    ({name:?}, include_str!({path:?})),\n");
    let rows: String = files.iter().map(row).collect();
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("builtin.rs"), format!("&[\n{rows}]\n"))
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
