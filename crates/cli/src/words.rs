//! The language that a person is spoken to in. As with the colours there is one for the whole program. Scripts are
//! spoken to in English: JSON, saved files and logs never pass through here.

use std::fmt::Display;
use std::process::ExitCode;
use std::sync::OnceLock;

use aitk_plan::{Language, Messages};
use aitk_system::{Exit, Message, Real, System, Told, message};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, Command};

use crate::args::{self, Lang};
use crate::output::{BAD, HEAD, ask, show, styled};

mod usage;

#[cfg(test)]
mod tests;

static SPOKEN: OnceLock<(Language, Messages)> = OnceLock::new();

/// Speaks this language from now on.
pub fn speak(language: Language) {
    // Whoever came first stays: there is one choice in a run.
    let _ = SPOKEN.set((language, Messages::of(language)));
}

/// The language that is spoken.
pub fn language() -> Language {
    SPOKEN.get().map_or(Language::English, |(language, _)| *language)
}

/// The messages of the language that is spoken.
pub fn spoken() -> Messages {
    SPOKEN.get().map_or_else(Messages::default, |(_, messages)| *messages)
}

/// A message for a person, in their language.
pub fn said(message: impl Told) -> String {
    spoken().tell(&message.told())
}

/// A text of the command line's own description, which clap holds as text.
fn described(text: impl Display) -> String {
    said(Message::said(text.to_string(), Vec::new()))
}

/// The language that is asked for, else that of the locale, in the order of POSIX.
pub fn chosen(asked: Option<Lang>, system: &dyn System) -> Language {
    let variables = ["LC_ALL", "LC_MESSAGES", "LANG"];
    let set = |name: &&str| system.env(name).filter(|value| !value.is_empty());
    let locale = || variables.iter().find_map(set).unwrap_or_default();
    asked.map_or_else(|| Language::of_locale(&locale()), Language::from)
}

/// The language of somebody whose arguments cannot be read, or who wants help.
pub fn chosen_by(words: &[String], system: &dyn System) -> Language {
    let words: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
    let apart = words.windows(2).find(|pair| pair[0] == "--lang").map(|pair| pair[1].as_str());
    let joined = || words.iter().find_map(|word| word.strip_prefix("--lang="));
    let variable = system.env("AITK_LANG");
    let asked = match apart.or_else(joined).or(variable.as_deref()) {
        Some("fr") => Some(Lang::Fr),
        Some("en") => Some(Lang::En),
        _ => None,
    };
    chosen(asked, system)
}

/// The command line, with its help in the language that is spoken.
pub fn command() -> Command {
    match language() {
        Language::English => args::command(),
        Language::French => translated(args::command()),
    }
}

fn translated(command: Command) -> Command {
    let about = command.get_about().map(described);
    let after = command.get_after_help().map(described);
    let mut command = command.mut_args(explained).mut_subcommands(translated);
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(after) = after {
        command = command.after_help(after);
    }
    command
}

fn explained(arg: Arg) -> Arg {
    let values = arg.get_possible_values();
    let arg = match values.iter().any(|value| value.get_help().is_some()) {
        true => arg.value_parser(PossibleValuesParser::new(values.into_iter().map(in_words))),
        false => arg,
    };
    match arg.get_help().map(described) {
        Some(help) => arg.help(help),
        None => arg,
    }
}

fn in_words(value: PossibleValue) -> PossibleValue {
    match value.get_help().map(described) {
        Some(help) => value.help(help),
        None => value,
    }
}

/// Words that clap puts into help; it has no languages.
const IN_HELP: [&str; 16] = [
    "Usage:",
    "Commands:",
    "Arguments:",
    "Options:",
    "Choices:",
    "[OPTIONS]",
    "Possible values:",
    "[possible values:",
    // A line may end between the two.
    "[possible",
    "values:",
    "[default:",
    "Print help (see more with '--help')",
    "Print help (see a summary with '-h')",
    "Print help",
    "Print version",
    "Print this message or the help of the given subcommand(s)",
];

/// Shows help, or what is wrong with the arguments, and gives the exit code.
pub fn refuse(error: clap::Error) -> ExitCode {
    let words: Vec<_> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    speak(chosen_by(&words, &Real));
    let error = match language() {
        Language::English => error,
        // The same once more, with the help in the language that is spoken.
        Language::French => command().try_get_matches_from(&words).err().unwrap_or(error),
    };
    if error.use_stderr() {
        ask(&format!(
            "{} {}\n",
            styled(BAD, said(message!("error:"))),
            said(usage::told(&error, &words))
        ));
    } else {
        show(&with_heads(&in_help(&error.render().to_string())));
    }
    ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { 0 })
}

/// Help whose headings are seen.
fn with_heads(text: &str) -> String {
    let line = |line: &str| match line.trim_end_matches('\n') {
        head if head.ends_with(':') && !head.starts_with(' ') => {
            format!("{}{}", styled(HEAD, head), &line[head.len()..])
        }
        _ => line.to_owned(),
    };
    text.split_inclusive('\n').map(line).collect()
}

/// Rendered help, whose own texts are translated already.
fn in_help(text: &str) -> String {
    IN_HELP.iter().fold(text.to_owned(), |text, words| text.replace(words, &described(words)))
}
