//! Nothing that a person reads is without its French, and the French has nothing that nobody reads.
#![allow(clippy::disallowed_methods, reason = "the sources of this very program are read")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aitk_plan::{holes, names};
use aitk_system::Scrub;
use clap::Command;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde::Deserialize;

use super::*;
use crate::args;
use crate::commands::man::IN_PAGES;
use crate::help::IN_HELP;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What people read, as it is named in the files of translations, and where it stands.
#[derive(Default)]
struct Texts {
    /// Messages: what `message!` is given, what an error says, rows of data, help, and what a check says.
    messages: BTreeMap<String, PathBuf>,
    /// All other strings of the sources.
    others: BTreeMap<String, PathBuf>,
}

impl Texts {
    fn all() -> Self {
        let mut all = Self::default();
        for krate in ["system", "detect", "plan", "env", "exec", "export", "cli"] {
            for path in files(&repository().join("crates").join(krate).join("src"), "rs") {
                // What an export holds is for other programs and for whoever gets it, in English.
                if krate == "export" && !path.ends_with("error.rs") {
                    continue;
                }
                let source = std::fs::read_to_string(&path).unwrap();
                let mut found = Found::default();
                strings(source.parse().unwrap(), &mut found);
                note(&mut all.messages, &path, found.messages.iter().map(|text| named(text)));
                note(&mut all.others, &path, found.others.iter().map(|text| named(text)));
            }
        }
        let targets = repository().join("profiles/targets");
        let tables = files(&repository().join("profiles"), "toml");
        // A target has its words in each language beside it.
        for path in tables.into_iter().filter(|path| !path.starts_with(&targets)) {
            let source = std::fs::read_to_string(&path).unwrap();
            let mut found = Vec::new();
            told("", &source.parse::<toml::Table>().unwrap().into(), &mut found);
            note(&mut all.messages, &path, found);
        }
        for path in files(&repository().join("profiles/checks"), "py") {
            let source = std::fs::read_to_string(&path).unwrap();
            note(&mut all.messages, &path, source.lines().filter_map(said_by_check));
        }
        let mut found = Vec::new();
        help(&args::command(), &mut found);
        found.extend(IN_HELP.map(str::to_owned));
        found.extend(IN_PAGES.map(str::to_owned));
        note(&mut all.messages, Path::new("crates/cli/src/args.rs"), found);
        let scrub = Scrub::new(Some("ada"), Some("desk"));
        let scrub = scrub.without_folders([Path::new("/home/ada")], "/home/ada/thesis/bin");
        let kinds = scrub.kinds().chain(["other accounts"]).map(str::to_owned);
        note(&mut all.messages, Path::new("crates/system/src/scrub.rs"), kinds);
        let forms = names::FORMS.iter().chain(aitk_system::forms::FORMS);
        let forms = forms.map(|form| (*form).to_owned());
        note(&mut all.messages, Path::new("crates/plan/src/names.rs"), forms);
        let texts = aitk_plan::Texts::english().unwrap();
        let book = Path::new("profiles/texts/en.toml");
        note(&mut all.messages, book, texts.all().values().cloned());
        // What belongs to a leaf is told part by part as well.
        let parts = texts.all().iter().filter(|(key, _)| key.ends_with(".what"));
        let parts = parts.flat_map(|(_, text)| text.split(" · ").map(str::to_owned));
        note(&mut all.messages, book, parts);
        all
    }
}

/// Notes the lines of texts, without the spaces around them.
fn note(
    all: &mut BTreeMap<String, PathBuf>,
    place: &Path,
    texts: impl IntoIterator<Item = String>,
) {
    for text in texts {
        for line in text.lines() {
            all.entry(line.trim().to_owned()).or_insert_with(|| place.to_owned());
        }
    }
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
#[derive(Default)]
struct Found {
    messages: Vec<String>,
    others: Vec<String>,
}

fn strings(tokens: TokenStream, found: &mut Found) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '#' => {
                let _ = tokens.next_if(|token| is(token, '!'));
                let Some(TokenTree::Group(attribute)) = tokens.next() else { continue };
                let text = attribute.stream().to_string();
                if text.starts_with("explain") {
                    explained(attribute.stream(), found);
                }
                if text.replace(' ', "") == "cfg(test)" {
                    let body = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
                    let _ = tokens.by_ref().find(|token| body(token) || is(token, ';'));
                }
            }
            TokenTree::Ident(name) if name == "message" => {
                if tokens.next_if(|token| is(token, '!')).is_some()
                    && let Some(TokenTree::Group(group)) = tokens.next()
                {
                    sentence(group.stream(), found);
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
                    found.others.push(text.value());
                }
            }
            _ => {}
        }
    }
}

/// A message: its first string is the sentence; what is behind it stands in its holes.
fn sentence(tokens: TokenStream, found: &mut Found) {
    let mut tokens = tokens.into_iter();
    if let Some(TokenTree::Literal(literal)) = tokens.next()
        && let syn::Lit::Str(text) = syn::Lit::new(literal)
    {
        found.messages.push(text.value());
    }
    strings(tokens.collect(), found);
}

/// What an error says, in `say(…)` and `hint(…)` of its attribute.
fn explained(tokens: TokenStream, found: &mut Found) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(name) if name == "say" || name == "hint" => {
                if let Some(TokenTree::Group(group)) = tokens.next() {
                    sentence(group.stream(), found);
                }
            }
            TokenTree::Ident(name) if name == "message" => {
                if tokens.next_if(|token| is(token, '!')).is_some()
                    && let Some(TokenTree::Group(group)) = tokens.next()
                {
                    sentence(group.stream(), found);
                }
            }
            TokenTree::Group(group) => explained(group.stream(), found),
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
        toml::Value::String(text)
            if ["remedy", "uv_first", "line", "administrator"].contains(&key) =>
        {
            found.extend(text.split_once("# ").map(|(_, comment)| format!("# {comment}")));
        }
        toml::Value::String(text) if TOLD.contains(&key) || key == "wsl" => {
            found.push(text.clone())
        }
        _ => {}
    }
}

/// What a line of a check says.
fn said_by_check(line: &str) -> Option<String> {
    let (_, behind) = line.split_once("say(\"").or_else(|| line.split_once("fail(\""))?;
    Some(behind.split('"').next()?.replace("\\n", "\n"))
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

/// A sentence with a name in each hole, as `message!` gives them.
fn named(text: &str) -> String {
    let (mut number, mut named) = (0, String::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        named += &rest[..at];
        let behind = &rest[at..];
        if behind.starts_with("{{") || behind.starts_with("}}") {
            named += &behind[..1];
            rest = &behind[2..];
            continue;
        }
        let (hole, after) = behind[1..].split_once('}').unwrap_or((&behind[1..], ""));
        let name = hole.split(':').next().unwrap_or_default();
        named.push('{');
        match name {
            "" => {
                named += &number.to_string();
                number += 1;
            }
            name => named += name,
        }
        named.push('}');
        rest = after;
    }
    named + rest
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

/// What looks like prose and is none, what is the same in French, and what others say.
#[derive(Deserialize)]
struct Exceptions {
    no_prose: Vec<Exception>,
    same: Vec<Exception>,
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

/// Whether there is anything to translate in a message.
fn has_words(text: &str) -> bool {
    let own: String = holes(text)
        .iter()
        .fold(text.to_owned(), |own, hole| own.replace(&format!("{{{hole}}}"), ""));
    own.chars().any(char::is_alphabetic)
}

#[test]
fn every_message_is_there_in_every_language() {
    for language in others() {
        every_message_is_there(language);
    }
}

/// Every language that has to be translated into.
fn others() -> impl Iterator<Item = Language> {
    Language::all().filter(|language| *language != Language::ENGLISH)
}

fn every_message_is_there(language: Language) {
    let there = Messages::of(language);
    let exceptions = exceptions();
    let same: BTreeSet<_> = exceptions.same.iter().flat_map(|some| &some.texts).collect();
    let missing: Vec<_> = Texts::all()
        .messages
        .into_iter()
        .filter(|(text, _)| has_words(text) && !same.contains(text))
        .filter(|(text, _)| there.get(text).is_none())
        .map(|(text, place)| format!("# {}\n{} = \"\"\n", place.display(), toml::Value::from(text)))
        .collect();
    assert!(
        missing.is_empty(),
        "add these to profiles/texts/messages.{}.toml:\n{}",
        language.code(),
        missing.concat()
    );
}

#[test]
fn what_people_read_is_a_message() {
    let exceptions = exceptions();
    let no_prose: BTreeSet<_> = exceptions.no_prose.iter().flat_map(|some| &some.texts).collect();
    let texts = Texts::all();
    let bare: Vec<_> = texts
        .others
        .into_iter()
        .filter(|(text, _)| is_prose(text) && !no_prose.contains(text))
        .filter(|(text, _)| !texts.messages.contains_key(text))
        .map(|(text, place)| format!("# {}\n{}\n", place.display(), toml::Value::from(text)))
        .collect();
    assert!(
        bare.is_empty(),
        "make messages of these, or list them as no prose:\n{}",
        bare.concat()
    );
}

#[test]
fn no_language_has_what_nobody_reads() {
    for language in others() {
        has_nothing_that_nobody_reads(language);
    }
}

fn has_nothing_that_nobody_reads(language: Language) {
    let texts = Texts::all();
    assert!(texts.messages.len() > 1000, "the sources were not read");
    let there = Messages::of(language);
    let exceptions = exceptions();
    let of_others: BTreeSet<_> =
        exceptions.of_others.iter().flat_map(|some| &some.texts).map(String::as_str).collect();
    let gone: Vec<_> = there
        .all()
        .map(|(english, _)| english)
        .filter(|text| !texts.messages.contains_key(*text) && !of_others.contains(text))
        .collect();
    assert!(gone.is_empty(), "no source has these any more: {gone:#?}");
    let listed = exceptions.no_prose.iter().flat_map(|some| &some.texts);
    let gone: Vec<_> = listed.filter(|text| !texts.others.contains_key(*text)).collect();
    assert!(gone.is_empty(), "no source has these any more: {gone:#?}");
    let same = exceptions.same.iter().flat_map(|some| &some.texts);
    let gone: Vec<_> = same.filter(|text| !texts.messages.contains_key(*text)).collect();
    assert!(gone.is_empty(), "no source has these any more: {gone:#?}");
    let unknown: Vec<_> = of_others.iter().filter(|text| there.get(text).is_none()).collect();
    assert!(unknown.is_empty(), "these are not translated: {unknown:#?}");
}

#[test]
fn what_is_filled_in_is_the_same_in_every_language() {
    for (english, told) in others().flat_map(|language| Messages::of(language).all()) {
        assert!(!told.is_empty(), "{english} is not translated");
        assert_eq!(holes(english), holes(told), "{english} / {told}");
        let commands = |text: &str| text.matches('`').count();
        assert_eq!(commands(english), commands(told), "{english} / {told}");
    }
}
