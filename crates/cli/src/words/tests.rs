//! Nothing that a person reads is without its French, and the French has nothing that nobody reads.
#![allow(clippy::disallowed_methods, reason = "the sources of this very program are read")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aitk_plan::holes;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde::Deserialize;

use super::*;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every text of the sources, as it is named in the files of translations, and where it stands.
fn texts() -> BTreeMap<String, PathBuf> {
    let mut texts = BTreeMap::new();
    let mut note = |text: &str, place: &Path| {
        for line in messages(text) {
            texts.entry(line).or_insert_with(|| place.to_owned());
        }
    };
    for krate in ["system", "detect", "plan", "env", "exec", "export", "cli"] {
        for path in files(&repository().join("crates").join(krate).join("src"), "rs") {
            // What an export holds is for other programs and for whoever gets it, in English.
            if krate == "export" && !path.ends_with("error.rs") {
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let mut found = Vec::new();
            strings(source.parse().unwrap(), &mut found);
            found.iter().for_each(|text| note(text, &path));
        }
    }
    for path in files(&repository().join("profiles"), "toml") {
        let source = std::fs::read_to_string(&path).unwrap();
        let mut found = Vec::new();
        told("", &source.parse::<toml::Table>().unwrap().into(), &mut found);
        found.iter().for_each(|text| note(text, &path));
    }
    for path in files(&repository().join("profiles/checks"), "py") {
        let source = std::fs::read_to_string(&path).unwrap();
        source.lines().filter_map(printed).for_each(|text| note(&text, &path));
    }
    let mut found = Vec::new();
    help(&Args::command(), &mut found);
    found.iter().for_each(|text| note(text, Path::new("crates/cli/src/args.rs")));
    texts
}

/// The files of a kind below a folder, but tests, and texts by key, which have a test of their own.
fn files(folder: &Path, kind: &str) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path, kind));
        }
        let tests = path.file_stem().is_some_and(|stem| stem == "testing" || stem == "tests");
        let by_key = path.parent().is_some_and(|folder| folder.ends_with("profiles/texts"));
        if path.extension().is_some_and(|own| own == kind) && !tests && !by_key {
            all.push(path);
        }
    }
    all.sort();
    all
}

/// Macros whose texts no user reads.
const FOR_DEVELOPERS: [&str; 9] = [
    "assert",
    "assert_eq",
    "concat",
    "debug",
    "env",
    "include_str",
    "trace",
    "unreachable",
    "warn",
];

/// The strings of a source, but those of its tests and those for developers.
fn strings(tokens: TokenStream, found: &mut Vec<String>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '#' => {
                let _ = tokens.next_if(|token| is(token, '!'));
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                let text = attribute.stream().to_string();
                if text.starts_with("error") {
                    strings(attribute.stream(), found);
                }
                if text.replace(' ', "") == "cfg(test)" {
                    let body = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                    let _ = tokens.by_ref().find(|token| body(token) || is(token, ';'));
                }
            }
            TokenTree::Ident(name)
                if FOR_DEVELOPERS.contains(&name.to_string().as_str())
                    && tokens.next_if(|token| is(token, '!')).is_some() =>
            {
                tokens.next();
            }
            TokenTree::Group(group) => strings(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let syn::Lit::Str(text) = syn::Lit::new(literal) {
                    found.push(text.value());
                }
            }
            _ => {}
        }
    }
}

fn is(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}

/// Keys of data whose values people read.
const TOLD: [&str; 10] = [
    "example", "explains", "means", "note", "remedy", "summary", "title", "tune", "uv_first", "why",
];

/// The texts of a file of data; of a remedy only the comments.
fn told(key: &str, value: &toml::Value, found: &mut Vec<String>) {
    match value {
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| told(key, value, found)),
        toml::Value::Array(all) => all.iter().for_each(|value| told(key, value, found)),
        toml::Value::String(text) if ["remedy", "uv_first"].contains(&key) => {
            found.extend(text.split_once("# ").map(|(_, comment)| format!("# {comment}")));
        }
        toml::Value::String(text) if TOLD.contains(&key) || key == "wsl" => {
            found.push(text.clone())
        }
        _ => {}
    }
}

/// What a line of a check prints, with holes for its expressions.
fn printed(line: &str) -> Option<String> {
    let (_, behind) = line.split_once("print(").or_else(|| line.split_once("SystemExit("))?;
    let text = behind.split('"').nth(1)?.replace("\\n", "\n");
    let (mut named, mut depth) = (String::new(), 0);
    for sign in text.chars() {
        depth -= i32::from(sign == '}');
        if depth == 0 {
            named.push(sign);
        }
        depth += i32::from(sign == '{');
    }
    Some(named)
}

/// What the command line says of itself.
fn help(command: &Command, found: &mut Vec<String>) {
    found.extend(command.get_about().map(ToString::to_string));
    found.extend(command.get_after_help().map(ToString::to_string));
    for arg in command.get_arguments() {
        found.extend(arg.get_help().map(ToString::to_string));
        let values = arg.get_possible_values();
        found.extend(values.iter().filter_map(|value| value.get_help()).map(ToString::to_string));
    }
    command.get_subcommands().for_each(|command| help(command, found));
}

/// A text as its lines are named: without the spaces around them, and with holes that have a name and nothing else.
fn messages(text: &str) -> Vec<String> {
    let mut number = 0;
    let mut named = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        named += before;
        named.push('{');
        rest = behind;
        let Some((hole, after)) = behind.split_once('}') else { continue };
        let name = hole.split(':').next().unwrap_or_default();
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue;
        }
        if name.is_empty() {
            named += &number.to_string();
            number += 1;
        }
        named += name;
        named.push('}');
        rest = after;
    }
    named += rest;
    named.lines().map(|line| line.trim().to_owned()).collect()
}

/// Whether a text is one for people: words with a space between them, or one with a capital in front.
fn is_prose(text: &str) -> bool {
    let own: String = holes(text)
        .iter()
        .fold(text.to_owned(), |own, hole| own.replace(&format!("{{{hole}}}"), "–"));
    let words = own.split(|c: char| !c.is_alphabetic()).filter(|word| word.len() > 1).count();
    let capital = own.starts_with(|c: char| c.is_ascii_uppercase())
        && own.trim_end_matches(':').chars().skip(1).all(|c| c.is_ascii_lowercase());
    words > 0 && (own.contains(' ') || capital && own.len() > 3)
}

/// What looks like prose and is none, and what others say.
#[derive(Deserialize)]
struct Exceptions {
    no_prose: Vec<Exception>,
    of_others: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "reason")]
    _reason: String,
    texts: BTreeSet<String>,
}

fn exceptions() -> Exceptions {
    toml::from_str(include_str!("exceptions.toml")).unwrap()
}

#[test]
fn every_text_for_people_is_there_in_french() {
    let french = Messages::of(Language::French).unwrap();
    let exceptions = exceptions();
    let no_prose: BTreeSet<_> = exceptions.no_prose.iter().flat_map(|some| &some.texts).collect();
    let missing: Vec<_> = texts()
        .into_iter()
        .filter(|(text, _)| is_prose(text) && !no_prose.contains(text))
        .filter(|(text, _)| !french.all().contains_key(text))
        .map(|(text, place)| format!("# {}\n{} = \"\"\n", place.display(), toml::Value::from(text)))
        .collect();
    assert!(
        missing.is_empty(),
        "add these to profiles/texts/messages.fr.toml:\n{}",
        missing.concat()
    );
}

#[test]
fn the_french_has_nothing_that_nobody_reads() {
    let texts = texts();
    assert!(texts.len() > 2000, "the sources were not read");
    let french = Messages::of(Language::French).unwrap();
    let exceptions = exceptions();
    let of_others: BTreeSet<_> = exceptions.of_others.iter().flat_map(|some| &some.texts).collect();
    let gone: Vec<_> = french
        .all()
        .keys()
        .chain(exceptions.no_prose.iter().flat_map(|some| &some.texts))
        .filter(|text| !texts.contains_key(*text) && !of_others.contains(text))
        .collect();
    assert!(gone.is_empty(), "no source has these any more: {gone:#?}");
    let unknown: Vec<_> =
        of_others.iter().filter(|text| !french.all().contains_key(**text)).collect();
    assert!(unknown.is_empty(), "these are not translated: {unknown:#?}");
}

#[test]
fn what_is_filled_in_is_the_same_in_both_languages() {
    for (english, french) in Messages::of(Language::French).unwrap().all() {
        assert!(!french.is_empty(), "{english} has no French");
        assert_eq!(holes(english), holes(french), "{english} / {french}");
        let commands = |text: &str| text.matches('`').count();
        assert_eq!(commands(english), commands(french), "{english} / {french}");
    }
}
