//! What clap has to say of arguments that cannot be read, as messages: it has no languages.

use std::error::Error as _;

use aitk_system::{Message, Real, System, message};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error};

use crate::args;
use crate::error::CliError;

/// What is wrong, what may have been meant, and how the command is typed.
pub(super) fn explained(error: &Error, typed: &[String]) -> Message {
    let mut parts = vec![wrong(error, typed)];
    parts.extend(possible(error).map(|values| Message::parts([Message::plain("  "), values])));
    let tips = tips(error);
    if !tips.is_empty() {
        parts.push(Message::plain(""));
        parts.extend(tips.into_iter().map(|tip| message!("  tip: {tip}")));
    }
    if let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) {
        let usage = usage.to_string();
        let (_, typed) = usage.split_once(": ").unwrap_or(("", &usage));
        parts.push(message!("\nUsage: {}", typed.trim_end()));
    }
    parts.push(message!("\nFor more information, try '{}'.", "--help"));
    Message::lines(parts)
}

fn wrong(error: &Error, typed: &[String]) -> Message {
    let of = |kind| error.get(kind).map(|value| variable(typed, text(value))).unwrap_or_default();
    let (arg, value) = (of(ContextKind::InvalidArg), of(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::UnknownArgument => message!("unexpected argument '{}' found", arg),
        ErrorKind::InvalidSubcommand => {
            message!("unrecognized subcommand '{}'", of(ContextKind::InvalidSubcommand))
        }
        ErrorKind::InvalidValue if value.is_empty() => {
            message!("a value is required for '{}' but none was supplied", arg)
        }
        ErrorKind::InvalidValue => message!("invalid value '{}' for '{}'", value, arg),
        ErrorKind::ValueValidation => {
            let reason = error.source().map(reason).unwrap_or_default();
            message!("invalid value '{}' for '{}': {}", value, arg, reason)
        }
        ErrorKind::TooManyValues => {
            message!("unexpected value '{}' for '{}' found; no more were expected", value, arg)
        }
        ErrorKind::ArgumentConflict => match error.get(ContextKind::PriorArg) {
            Some(ContextValue::String(other)) if *other == arg => {
                message!("the argument '{}' cannot be used multiple times", arg)
            }
            Some(ContextValue::String(other)) => {
                let other = variable(typed, other.clone());
                message!("the argument '{}' cannot be used with '{}'", arg, other)
            }
            Some(ContextValue::Strings(others)) => {
                let others: Vec<_> =
                    others.iter().map(|other| variable(typed, other.clone())).collect();
                Message::lines([
                    message!("the argument '{}' cannot be used with:", arg),
                    Message::plain(format!("  {}", others.join("\n  "))),
                ])
            }
            _ => message!(
                "the argument '{}' cannot be used with one or more of the other specified arguments",
                arg
            ),
        },
        ErrorKind::MissingRequiredArgument => Message::lines([
            message!("the following required arguments were not provided:"),
            Message::plain(format!("  {}", arg.replace(", ", "\n  "))),
        ]),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            message!("a command is missing")
        }
        // What stands on its first line; ours never come to it.
        _ => Message::plain(error.to_string().lines().next().unwrap_or_default()),
    }
}

/// An argument by the name of its variable, where that is set and no flag was typed.
fn variable(typed: &[String], arg: String) -> String {
    let flag = arg.split([' ', '=', '[']).next().unwrap_or_default().trim_end_matches('.');
    let command = args::command();
    let mut all = command.get_subcommands().chain([&command]).flat_map(Command::get_arguments);
    let named = all.find(|one| {
        one.get_env().is_some() && one.get_long().is_some_and(|long| flag == format!("--{long}"))
    });
    let short = named.and_then(Arg::get_short);
    let is_flag = |word: &String| {
        let long = word.split('=').next() == Some(flag);
        let shorts = word.strip_prefix('-').filter(|word| !word.starts_with('-'));
        long || shorts.zip(short).is_some_and(|(shorts, short)| shorts.contains(short))
    };
    let set = named.and_then(Arg::get_env).and_then(|name| name.to_str());
    let set = set.filter(|name| Real.env(name).is_some() && !typed.iter().any(is_flag));
    set.map_or_else(|| arg.clone(), str::to_owned)
}

/// What a value cannot be read for: a message of ours, or what a library says.
fn reason(source: &(dyn std::error::Error + 'static)) -> Message {
    let own = source.downcast_ref::<Message>();
    // A number that is none; what else there is has no words that are always the same.
    own.cloned().unwrap_or_else(|| Message::said(source.to_string(), Vec::new()))
}

/// The values that there are.
fn possible(error: &Error) -> Option<Message> {
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) if !values.is_empty() => {
            Some(message!("[possible values: {}]", values.join(", ")))
        }
        _ => None,
    }
}

/// What other tools and languages call what is here called otherwise.
const OTHER_WORDS: &[(&str, &[&str])] = &[
    ("advise", &["conseil", "conseiller", "recommend", "choose", "wizard"]),
    ("apply", &["install", "installer", "setup", "create", "sync", "up", "appliquer", "deploy"]),
    ("add", &["ajouter", "get", "require"]),
    ("bundle", &["pack", "package", "offline"]),
    ("clean", &["gc", "prune", "nettoyer"]),
    ("detect", &["info", "facts", "detecter", "détecter", "hardware", "show"]),
    ("doctor", &["diagnose", "diagnostic", "diagnostics", "check", "docteur"]),
    ("drop", &["retirer"]),
    ("export", &["exporter", "dockerfile", "freeze"]),
    ("init", &["new", "initialiser", "initialize", "project"]),
    ("trust", &["allow", "confirm", "approve", "permit", "confirmer", "autoriser"]),
    ("lab", &["jupyter", "notebook", "jupyterlab"]),
    ("plan", &["planifier", "preview", "diff"]),
    ("profiles", &["profile", "budgets", "budget", "profils"]),
    ("remove", &["uninstall", "delete", "purge", "supprimer", "désinstaller", "desinstaller"]),
    ("rollback", &["undo", "revert", "annuler", "revenir"]),
    ("run", &["exec", "lancer", "start"]),
    ("shell", &["activate", "activer", "enter"]),
    ("status", &["list", "ls", "history", "generations", "statut", "état", "etat", "historique"]),
    ("upgrade", &["update", "outdated", "mettre-à-jour"]),
    ("verify", &["test", "validate", "vérifier", "verifier"]),
];

/// What an unknown command is called here, where other tools or another language have the word.
fn called_here(error: &Error) -> Option<&'static str> {
    let typed = text(error.get(ContextKind::InvalidSubcommand)?).to_lowercase();
    let row = OTHER_WORDS.iter().find(|(_, words)| words.contains(&typed.as_str()));
    row.map(|(command, _)| *command)
}

/// The same as an error for programs.
pub(super) fn fault(error: &Error, typed: &[String]) -> CliError {
    let tips = tips(error).into_iter();
    let possible = possible(error).into_iter();
    CliError::Usage { what: wrong(error, typed), hints: possible.chain(tips).collect() }
}

/// What may have been meant.
fn tips(error: &Error) -> Vec<Message> {
    let mut tips = Vec::new();
    if let Some(command) = called_here(error) {
        return vec![message!("here that is '{}'", format!("aitk {command}"))];
    }
    if let Some(value) = error.get(ContextKind::SuggestedArg) {
        tips.push(message!("a similar argument exists: '{}'", text(value)));
    }
    if let Some(value) = error.get(ContextKind::SuggestedValue) {
        tips.push(message!("a similar value exists: '{}'", text(value)));
    }
    match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) if names.len() > 1 => {
            let names: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
            tips.push(message!("some similar subcommands exist: {}", names.join(", ")));
        }
        Some(value) => {
            tips.push(message!("a similar subcommand exists: '{}'", text(value)));
        }
        None => {}
    }
    if error.get(ContextKind::TrailingArg).is_some() {
        let arg = error.get(ContextKind::InvalidArg).map(text).unwrap_or_default();
        let behind = format!("-- {arg}");
        tips.push(message!("to pass '{}' as a value, use '{}'", arg, behind));
    }
    tips
}

fn text(value: &ContextValue) -> String {
    match value {
        ContextValue::Strings(all) => all.join(", "),
        ContextValue::StyledStr(text) => text.to_string(),
        ContextValue::StyledStrs(all) => {
            all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        ContextValue::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_other_tools_lead_to_commands_that_there_are() {
        let command = args::command();
        let names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        for (name, words) in OTHER_WORDS {
            assert!(names.contains(name), "{name}");
            assert!(words.iter().all(|word| !names.contains(word)), "{name}: {words:?}");
        }
        let said = |word: &str| {
            let error = args::command().try_get_matches_from(["aitk", word]).unwrap_err();
            explained(&error, &["aitk".to_owned(), word.to_owned()]).to_string()
        };
        for (word, command) in [
            ("conseil", "advise"),
            ("install", "apply"),
            ("uninstall", "remove"),
            ("update", "upgrade"),
        ] {
            assert!(said(word).contains(&format!("'aitk {command}'")), "{}", said(word));
        }
        assert!(said("aply").contains("'apply'"), "{}", said("aply"));
    }
}
