//! `docs/profiles.md` is made from what is said of a profile and of each kind of step.
#![allow(clippy::disallowed_methods, reason = "a document of the sources is read and written")]

use std::path::Path;

use aitk_plan::step::Facts;
use aitk_plan::{CHECKS, PROFILE, STEP, StepKind};

const HEAD: &str = "# Profiles

This page is made from the sources: a test compares it, and `UPDATE_DOCS=1 cargo test -p aitk-plan --test reference`
writes it anew.

A profile is a file of TOML that says what a budget recommends: some keys of its own, and `[[step]]` for each thing to
ensure. [low.toml](../profiles/low.toml) is the one that most people use. `aitk plan --profile FILE` plans one of your
own. A key that is not named here is refused, with its file, line and column.
";

const KINDS: &str = "
## The kinds of step

Root does what is marked so. What is marked with *system* changes more of the system than packages of its archive: in a
profile of your own it must stand word for word as in one of aitk's, or `--allow-system-changes` is needed.
";

fn keys(facts: &Facts, page: &mut String) {
    for key in facts.keys {
        let optional = if key.optional { " (may be left out)" } else { "" };
        *page += &format!("- `{}`{optional}: {}\n", key.name, key.about);
    }
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    page += "\n## The profile\n\n";
    keys(PROFILE, &mut page);
    page += "\n## Every step\n\n";
    keys(STEP, &mut page);
    page += KINDS;
    for facts in StepKind::ALL {
        let marks = [(facts.root, "root"), (facts.changes_system, "system")];
        let marks: Vec<_> = marks.into_iter().filter(|mark| mark.0).map(|mark| mark.1).collect();
        let marks =
            if marks.is_empty() { String::new() } else { format!(" (*{}*)", marks.join(", ")) };
        page += &format!("\n### `{}`\n\n{}{marks}\n\n", facts.name, facts.about);
        keys(facts, &mut page);
        page.truncate(page.trim_end().len());
        page.push('\n');
    }
    let proofs: Vec<_> = CHECKS.iter().map(|(name, _)| format!("`{name}`")).collect();
    page + &format!("\nThe scripts that `check` can name: {}.\n", proofs.join(", "))
}

#[test]
fn the_reference_of_profiles_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/profiles.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "{} is old: UPDATE_DOCS=1 writes it anew", path.display());
}

#[test]
fn every_kind_has_a_name_of_its_own_and_says_what_it_is() {
    for (at, facts) in StepKind::ALL.iter().enumerate() {
        assert!(!facts.about.is_empty() && facts.keys.iter().all(|key| !key.about.is_empty()));
        assert!(StepKind::ALL[..at].iter().all(|other| other.name != facts.name), "{}", facts.name);
    }
}
