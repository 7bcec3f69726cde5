//! `docs/diagnostics.md` is made from the errors' own attributes, and from the tables of other codes.
#![allow(clippy::disallowed_methods, reason = "a document of the sources is read and written")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use aitk_plan::{holes, warnings};
use aitk_system::{Diagnosed, Exit};

use aitk_exec::{MendError, PushError};

use super::*;

const HEAD: &str = "# Diagnostics

This page is made from the sources: a test compares it, and `UPDATE_DOCS=1 cargo test -p aitk error` writes it anew.

Every error, warning and note has a code that never changes its meaning. `--json` gives it in `diagnostics`; people see
it in front of the message. The exit code says what kind of failure it is: 1 failed, 2 changes are left that nobody has
agreed to, 64 wrong usage, 69 a source does not answer, 75 try again later, 77 not permitted, 78 bad configuration or
profile. 100 is no failure but a pause: there is something for the person to do, and the same command then continues.

## Errors

What an error says is shown as a quotation; in `{braces}` stands what differs from one time to another.
";

const FINDINGS: &str = "
## Findings of `doctor`

Each has a probe in `crates/detect/src/doctor` and its words in [profiles/doctor.toml](../profiles/doctor.toml): what it
means, what to do, where it comes from. `aitk doctor` ends with 2 where an error or a warning was found; what is only
good to know (info) is no fault.

| code | severity | means |
|---|---|---|
";

#[test]
fn the_list_of_diagnostics_is_up_to_date() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = repository.join("docs/diagnostics.md");
    let doctor = std::fs::read_to_string(repository.join("profiles/doctor.toml")).unwrap();
    let page = page(&doctor);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page).unwrap();
        return;
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == page, "{} is old: UPDATE_DOCS=1 writes it anew", path.display());
}

fn page(doctor: &str) -> String {
    let all = [
        ProfileError::DIAGNOSTICS,
        AdviceError::DIAGNOSTICS,
        LockError::DIAGNOSTICS,
        EnvError::DIAGNOSTICS,
        ExecError::DIAGNOSTICS,
        MendError::DIAGNOSTICS,
        ExportError::DIAGNOSTICS,
        PushError::DIAGNOSTICS,
        HostedError::DIAGNOSTICS,
        CliError::DIAGNOSTICS,
        Failure::DIAGNOSTICS,
    ];
    let mut by_code: BTreeMap<&str, Vec<&Diagnosed>> = BTreeMap::new();
    for row in all.into_iter().flatten() {
        by_code.entry(row.code).or_default().push(row);
    }
    let mut page = HEAD.to_owned();
    by_code.iter().for_each(|(code, rows)| page += &section(code, rows));
    page += &table("Warnings of a plan", warnings::ALL);
    page += &table("Notes of `detect`", aitk_detect::notes::ALL);
    page += FINDINGS;
    let doctor: toml::Table = doctor.parse().unwrap();
    for finding in doctor["finding"].as_array().unwrap() {
        let [code, severity, title] =
            ["code", "severity", "title"].map(|key| finding[key].as_str().unwrap());
        _ = writeln!(page, "| {code} | {severity} | {title} |");
    }
    page
}

/// What there is to say of a code.
fn section(code: &str, rows: &[&Diagnosed]) -> String {
    let exits: BTreeSet<u8> = rows.iter().flat_map(|row| exits(row)).collect();
    let exits = exits.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut text = format!("\n### {code}\n\nExit code {exits}.\n");
    let mut said: Vec<String> = Vec::new();
    for row in rows {
        let own = told(row);
        if !said.contains(&own) {
            text += &own;
            said.push(own);
        }
    }
    text
}

fn told(row: &Diagnosed) -> String {
    let mut text = format!("\n{}\n", row.about);
    if has_words(row.says) {
        text.push('\n');
        row.says.lines().for_each(|line| _ = writeln!(text, "> {}", named(line)));
    }
    match row.hints {
        [] => {}
        [hint] if has_words(hint) => _ = writeln!(text, "\nWhat to do: {}", in_line(hint)),
        [_] => text += "\nWhat to do is said with it.\n",
        hints => {
            text += "\nWhat to do, as the case may be:\n\n";
            hints.iter().for_each(|hint| _ = writeln!(text, "- {}", in_line(hint)));
        }
    }
    text
}

/// The exit code; where the system's own reason decides, all those that may be.
fn exits(row: &Diagnosed) -> BTreeSet<u8> {
    let reasons = (1..=200).map(io::Error::from_raw_os_error);
    let of_reasons = reasons.map(|error| Fault::of(&error).map_or(Exit::Failed, Fault::exit));
    row.exit.map_or_else(|| of_reasons.map(|exit| exit as u8).collect(), |exit| [exit as u8].into())
}

/// Whether there is more to read than what stands in holes.
fn has_words(text: &str) -> bool {
    let own = holes(text)
        .iter()
        .fold(text.to_owned(), |own, hole| own.replace(&format!("{{{hole}}}"), ""));
    own.contains(char::is_alphabetic)
}

/// A hole without a name shows nothing by its number.
fn named(text: &str) -> String {
    text.replace("{}", "{…}").replace("{0}", "{…}")
}

fn in_line(text: &str) -> String {
    named(text).replace('\n', " ")
}

fn table(title: &str, rows: &[(&str, &str)]) -> String {
    let rows: String = rows.iter().map(|(code, means)| format!("| {code} | {means} |\n")).collect();
    format!("\n## {title}\n\n| code | means |\n|---|---|\n{rows}")
}

#[test]
fn a_page_says_what_its_errors_say() {
    let page = page("finding = []");
    for words in [
        "### AITK-C14\n\nExit code 64.\n\nSomething stands where files are to be written",
        "> {path} is there already\n",
        "What to do: name another place, or add --force to write over it\n",
        "### AITK-C10\n\nExit code 1, 75, 77.\n",
        "- did you mean `--with {nearest}`?\n- leave out --with\n",
        "| AITK-W07 | It is WSL 1. |\n",
    ] {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
    let once = "The run was interrupted, and continues where it stopped.";
    assert_eq!(page.matches(once).count(), 1);
}
