//! The command line's own words: help, and what is wrong with arguments, in the language that is spoken.

use std::process::ExitCode;

use aitk_plan::Language;
use aitk_system::{Exit, Real, System, message};
use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::error::ErrorKind;
use clap::{Arg, Command};

use crate::args;
use crate::output::{BAD, Console, HEAD, ask, lines_are_json, show, styled};
use crate::words::{chosen_by, described, language, said, speak};

mod examples;
mod usage;

/// The command line, with its help in the language that is spoken.
pub fn command() -> Command {
    let command = match language() {
        Language::ENGLISH => args::command(),
        _ => translated(args::command()),
    };
    let heading = said(message!("Examples:"));
    command.mut_subcommands(|own| match examples::of(own.get_name()) {
        [] => own,
        examples => {
            let lines = examples.iter().map(|line| format!("  {line}"));
            let lines = lines.collect::<Vec<_>>().join("\n");
            let after = own.get_after_help().map(|after| format!("{after}\n\n"));
            own.after_help(format!("{}{heading}\n{lines}", after.unwrap_or_default()))
        }
    })
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
pub const IN_HELP: [&str; 17] = [
    "Usage:",
    "Commands:",
    "Arguments:",
    "Options:",
    "Choices:",
    "For every command:",
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
    // The same once more, with the help in the language that is spoken.
    let error = command().try_get_matches_from(&words).err().unwrap_or(error);
    let wanted = UsageFormat::read(&words, &Real);
    if error.use_stderr() && (wanted.json || wanted.lines) {
        if wanted.lines {
            lines_are_json();
        }
        let output = Console { json: wanted.json, verbose: 0, quiet: false };
        return output.fail(&usage::fault(&error, &words));
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        ask(&with_heads(&in_help(&error.render().to_string())));
    } else if error.use_stderr() {
        ask(&format!(
            "{} {}\n",
            styled(BAD, said(message!("error:"))),
            said(usage::explained(&error, &words))
        ));
    } else {
        show(&with_heads(&in_help(&error.render().to_string())));
    }
    ExitCode::from(if error.use_stderr() { Exit::Usage as u8 } else { 0 })
}

/// How somebody whose arguments cannot be read wants to hear of it.
struct UsageFormat {
    /// As one object on standard output.
    json: bool,
    /// As lines of JSON on standard error.
    lines: bool,
}

impl UsageFormat {
    fn read(words: &[String], system: &dyn System) -> Self {
        let words: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
        let set = |name: &str| system.env(name).unwrap_or_default().to_lowercase();
        let on = ["1", "true", "yes", "y", "on", "t"].contains(&set("AITK_JSON").as_str());
        let joined = words.iter().any(|word| *word == "--progress=json");
        let apart = words.windows(2).any(|pair| pair[0] == "--progress" && pair[1] == "json");
        Self {
            json: on || words.iter().any(|word| *word == "--json"),
            lines: joined || apart || set("AITK_PROGRESS") == "json",
        }
    }
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
