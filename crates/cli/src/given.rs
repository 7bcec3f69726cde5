//! The choices on the command line: each row of their list is a flag and a variable.

use std::path::Path;

use aitk_env::{Credential, without_secrets};
use aitk_plan::{CHOICES, Catalog, Choice, Request, Takes, project, settled};
use aitk_system::{Message, ToMessage, message};
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, ValueHint};

use crate::error::CliError;

/// A row for which something was given.
#[derive(Debug, Clone)]
pub struct One {
    pub row: &'static Choice,
    pub values: Vec<String>,
    by_variable: bool,
}

impl One {
    /// The flag or the variable by which it was given.
    pub fn name(&self) -> String {
        match self.by_variable {
            true => self.row.variable(),
            false => format!("--{}", self.row.flag),
        }
    }
}

/// What was given, in the order of the list. What is the default anyway is none.
#[derive(Debug, Clone, Default)]
pub struct Given(pub Vec<One>);

impl Given {
    /// What was given for a flag.
    pub fn values(&self, flag: &str) -> Option<&[String]> {
        self.0.iter().find(|one| one.row.flag == flag).map(|one| one.values.as_slice())
    }

    /// The same where it is one value.
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.values(flag)?.last().map(String::as_str)
    }

    /// Adds what was given in another way than by a flag's own name.
    pub fn add(&mut self, flag: &str, value: &str) {
        self.add_all(flag, &[value.to_owned()]);
    }

    /// The same of several values; none are nothing.
    pub fn add_all(&mut self, flag: &str, values: &[String]) {
        if !values.is_empty() {
            let (row, values) = (Choice::named(flag), values.to_vec());
            self.0.push(One { row, values, by_variable: false });
        }
    }

    /// Puts it over what was given elsewhere: there stays what nobody says otherwise here, and what adds up.
    pub fn over(&mut self, elsewhere: &Self) {
        for other in &elsewhere.0 {
            let row = other.row;
            let is_instead =
                |one: &One| one.row.without == Some(row.flag) || row.without == Some(one.row.flag);
            let is_told = self.0.iter().any(is_instead);
            match self.0.iter_mut().find(|one| one.row.flag == row.flag) {
                Some(one) if row.flag == "package" => {
                    one.values = settled(other.values.clone(), &one.values);
                }
                Some(one) if row.adds || row.flag == "set" => {
                    one.values.splice(0..0, other.values.iter().cloned());
                }
                Some(_) => {}
                None if is_told => {}
                None => self.0.push(other.clone()),
            }
        }
    }

    /// Puts what was given over what was chosen before, package by package.
    fn settle_packages(&self, request: &mut Request) {
        if let Some(given) = self.values("package") {
            let packages = std::mem::take(&mut request.choices.packages);
            request.choices.packages = settled(packages, given);
        }
    }

    /// Takes out what was given for a flag.
    pub fn take(&mut self, flag: &str) -> Vec<String> {
        let at = self.0.iter().position(|one| one.row.flag == flag);
        at.map_or_else(Vec::new, |at| self.0.remove(at).values)
    }

    /// The same without what opens a source: choices are kept and shown, and that is neither.
    ///
    /// # Errors
    /// [`CliError::Unfit`] where what is left is no source.
    pub fn opened(mut self) -> Result<(Self, Vec<Credential>), CliError> {
        let mut secrets = Vec::new();
        for one in &mut self.0 {
            let Takes::Source(check) = one.row.takes else { continue };
            for value in &mut one.values {
                let (address, secret) = without_secrets(value);
                secrets.extend(secret);
                *value = address;
            }
            let checked = one.values.iter().try_for_each(|value| check(value));
            checked.map_err(|unfit| CliError::Unfit { flag: one.name(), unfit })?;
        }
        Ok((self, secrets))
    }

    /// Puts it over what was chosen before.
    pub fn merge(&self, request: &mut Request) {
        self.0.iter().for_each(|one| one.row.merge(request, &one.values));
        self.settle_packages(request);
    }

    /// The flags and variables that ask for something else than was decided.
    pub fn changes(&self, decided: &Request) -> Vec<String> {
        let mut named = decided.clone();
        named.choices.manager = decided.manager.map_or(decided.choices.manager, Into::into);
        let differs = |one: &&One| {
            [decided, &named].into_iter().all(|decided| one.row.changes(decided, &one.values))
        };
        self.0.iter().filter(differs).map(One::name).collect()
    }
}

/// The environment that a command is about.
#[derive(Debug, Clone)]
pub struct Which {
    pub env: String,
}

impl Args for Given {
    fn augment_args(command: Command) -> Command {
        command.args(CHOICES.iter().map(|row| arg(row).help_heading("Choices")))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Given {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(CHOICES.iter().filter_map(|row| given(row, matches)).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|given| *self = given)
    }
}

impl Args for Which {
    fn augment_args(command: Command) -> Command {
        command.arg(arg(Choice::named("env")))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Which {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self { env: matches.get_one("env").cloned().unwrap_or_default() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        Self::from_arg_matches(matches).map(|which| *self = which)
    }
}

/// What was given for a row.
fn given(row: &'static Choice, matches: &ArgMatches) -> Option<One> {
    let by_variable = match matches.value_source(row.flag)? {
        ValueSource::CommandLine => false,
        ValueSource::EnvVariable => true,
        _ => return None,
    };
    let values: Vec<String> = match row.takes {
        Takes::Switch => {
            matches.get_flag(row.flag).then(|| "true".to_owned()).into_iter().collect()
        }
        _ => matches.get_many(row.flag)?.cloned().collect(),
    };
    let usual = row.default.is_some_and(|usual| values == [usual]);
    (!values.is_empty() && !usual).then_some(One { row, values, by_variable })
}

/// The argument of a row.
fn arg(row: &'static Choice) -> Arg {
    let arg = Arg::new(row.flag).long(row.flag).env(row.variable()).help(row.help);
    let arg = row.without.iter().fold(arg, |arg, other| arg.conflicts_with(other));
    let arg = row.default.iter().fold(arg, |arg, default| arg.default_value(default));
    let arg = match row.many {
        true => arg.action(ArgAction::Append).value_delimiter(','),
        false => arg,
    };
    let arg = if row.value.is_empty() { arg } else { arg.value_name(row.value) };
    match row.takes {
        Takes::Switch => arg.action(ArgAction::SetTrue),
        Takes::Word(check) => {
            arg.value_parser(move |text: &str| check(text).map(|()| text.to_owned()))
        }
        Takes::Framework => arg.value_parser(FrameworkParser),
        Takes::OneOf(words) => {
            let words = words.iter().map(|(word, means)| PossibleValue::new(word).help(*means));
            arg.value_parser(PossibleValuesParser::new(words))
        }
        Takes::Path => arg.value_parser(path).value_hint(ValueHint::AnyPath),
        Takes::Source(_) => arg.value_parser(source).hide_env_values(true),
    }
}

/// A value for a row as its flag takes it, where paths count from a folder.
///
/// # Errors
/// What is expected instead.
pub fn read(row: &Choice, text: &str, folder: &Path) -> Result<String, Message> {
    match row.takes {
        Takes::Switch | Takes::Framework => Ok(text.to_owned()),
        Takes::Word(check) => check(text).map(|()| text.to_owned()),
        Takes::OneOf(words) if words.iter().any(|(word, _)| *word == text) => Ok(text.to_owned()),
        Takes::OneOf(words) => {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            Err(message!("one of these is expected: {words}"))
        }
        Takes::Path => path(&folder.join(text).to_string_lossy()),
        Takes::Source(_) if text.starts_with("./") || text.starts_with("../") => {
            source(&folder.join(text).to_string_lossy())
        }
        Takes::Source(_) => source(text),
    }
}

/// A path, which is made absolute: it counts from everywhere.
fn path(text: &str) -> Result<String, Message> {
    let path = std::path::absolute(text).map_err(|error| error.to_message())?;
    Ok(path.to_string_lossy().into_owned())
}

/// A name, an address, or a folder.
fn source(text: &str) -> Result<String, Message> {
    match text {
        "" => Err(message!("a name, an address or a folder is expected")),
        text if text.starts_with(['.', '/', '~']) => Ok(format!("file://{}", path(text)?)),
        text => Ok(text.to_owned()),
    }
}

/// The name of a framework, which may be a row of the user's own: that is looked up where his rows are known.
#[derive(Clone)]
struct FrameworkParser;

impl TypedValueParser for FrameworkParser {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        clap::builder::StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let names = Catalog::builtin().map(|catalog| catalog.framework_names()).unwrap_or_default();
        Some(Box::new(names.into_iter().map(PossibleValue::new)))
    }
}

/// Takes packages of the user's own out again.
///
/// # Errors
/// [`CliError::NotAdded`] where one is not among them.
pub fn take_out(names: &[String], packages: &mut Vec<String>) -> Result<(), CliError> {
    for name in names {
        let there = packages.iter().position(|one| project(one) == project(name));
        let Some(at) = there else {
            let added = packages.join(", ");
            return Err(CliError::NotAdded { name: name.clone(), added });
        };
        packages.remove(at);
    }
    Ok(())
}
