//! What a shell asks while somebody types. The script of `aitk completions` starts this program with the words so far and
//! one variable. Names are looked up, nothing is started and no machine is looked at, and nothing is said but the words
//! that fit: whatever cannot be answered is not answered.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;

use aitk_detect::folders;
use aitk_env::Environments;
use aitk_exec::Receipt;
use aitk_export::{Target, TargetList};
use aitk_plan::{Catalog, Profile, Request, names, project};
use aitk_system::{Real, System, message};
use clap::{Arg, Command, ValueHint};
use clap_complete::engine::complete;
use clap_complete::env::{Bash, EnvCompleter, Fish, Shells, Zsh};
use clap_complete::{ArgValueCompleter, CompletionCandidate, PathCompleter};

use crate::config::catalog;
use crate::help::command;
use crate::output::data;
use crate::targets::targets;
use crate::words::{chosen_by, language, said, speak};

/// The variable that says which shell asks.
pub const VARIABLE: &str = "AITK_COMPLETE";
/// The shells.
pub const SHELLS: Shells<'static> = Shells(&[&InBash, &Zsh, &Fish]);
/// The usual environment.
const USUAL: &str = "ai";

/// Answers a shell, where one asks.
pub fn answered() -> bool {
    let mut words = std::env::args_os().skip(1);
    // Whoever has set the variable by himself types a command, and no `--` in front.
    let is_asked = words.next().is_some_and(|word| word == "--");
    let Some(shell) = Real.env(VARIABLE).filter(|_| is_asked) else { return false };
    speak(chosen_by(&[], &Real));
    let mut answer = Vec::new();
    if let Some(shell) = SHELLS.completer(&shell) {
        let mut command = with_values(command());
        // Without an answer the shell shows none.
        let _ = shell.write_complete(&mut command, words.collect(), None, &mut answer);
    }
    data(&String::from_utf8_lossy(&answer));
    true
}

/// Bash, which cuts words at `=` and puts an answer into the line as it stands.
struct InBash;

impl EnvCompleter for InBash {
    fn name(&self) -> &'static str {
        Bash.name()
    }

    fn is(&self, name: &str) -> bool {
        Bash.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn io::Write,
    ) -> Result<(), io::Error> {
        Bash.write_registration(var, name, bin, completer, buf)
    }

    fn write_complete(
        &self,
        command: &mut Command,
        words: Vec<OsString>,
        folder: Option<&Path>,
        buf: &mut dyn io::Write,
    ) -> Result<(), io::Error> {
        let index = Real.env("_CLAP_COMPLETE_INDEX").and_then(|index| index.parse().ok());
        let (words, index) = joined(words, index.unwrap_or_default());
        let found = complete(command, words, index, folder)?;
        let found = found.iter().map(|one| one.get_value().to_string_lossy().replace(' ', "\\ "));
        let between = Real.env("_CLAP_IFS").unwrap_or_else(|| "\n".to_owned());
        write!(buf, "{}", found.collect::<Vec<_>>().join(&between))
    }
}

/// The words as they were typed, where bash has cut `--flag=value` in three, and the place of the one that is typed now.
fn joined(words: Vec<OsString>, index: usize) -> (Vec<OsString>, usize) {
    let (mut kept, mut place) = (Vec::<OsString>::new(), index);
    for (at, word) in words.into_iter().enumerate() {
        let is_flag = |word: &OsString| word.to_string_lossy().starts_with("--");
        match word == "=" && at != index && kept.last().is_some_and(is_flag) {
            true if at < index => place -= 1,
            true => {}
            false if at == index => kept.push(word.to_string_lossy().replace("\\ ", " ").into()),
            false => kept.push(word),
        }
    }
    (kept, place)
}

/// The command line with what can be a value of each argument.
fn with_values(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let command = command.mut_args(|arg| {
        let hint = arg.get_value_hint();
        match values(&name, &arg) {
            Some(values) => arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
                let begins =
                    |one: &Suggestion| typed.to_str().is_some_and(|by| one.word.starts_with(by));
                let fitting = values().into_iter().filter(|one| begins(one) && is_plain(&one.word));
                fitting.map(Suggestion::candidate).collect::<Vec<_>>()
            })),
            None if hint == ValueHint::AnyPath => arg.add(ArgValueCompleter::new(paths)),
            None => arg,
        }
    });
    command.mut_subcommands(with_values)
}

/// A value that a shell offers, and what is said beside it.
struct Suggestion {
    word: String,
    what: String,
}

impl Suggestion {
    fn new(word: impl Into<String>, what: impl Into<String>) -> Self {
        Self { word: word.into(), what: what.into() }
    }

    fn candidate(self) -> CompletionCandidate {
        CompletionCandidate::new(self.word).help((!self.what.is_empty()).then(|| self.what.into()))
    }
}

/// Whether a shell takes a text for a word and for nothing else, blanks aside: names of files are anybody's.
fn is_plain(text: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || "._-+=,/@%~ ".contains(c))
}

/// What the value of an argument can be, where that is looked up.
fn values(command: &str, arg: &Arg) -> Option<fn() -> Vec<Suggestion>> {
    Some(match (command, arg.get_id().as_str()) {
        (_, "budget") | ("profiles", "name") => budgets,
        (_, "framework") => frameworks,
        (_, "with") => options,
        (_, "platform") => || of_platforms(|_, target| vec![platform(target)]),
        (_, "part") => || of_platforms(|_, target| parts(target)),
        (_, "set") => settings,
        ("export", "target") => forms,
        ("doctor", "env") => return None,
        (_, "env") => environments,
        ("rollback", "generation") => generations,
        ("drop", "packages") => packages,
        ("man", "command") => commands,
        _ => return None,
    })
}

/// Files and folders.
fn paths(typed: &OsStr) -> Vec<CompletionCandidate> {
    use clap_complete::engine::ValueCompleter;
    let found = PathCompleter::any().complete(typed).into_iter();
    found.filter(|one| one.get_value().to_str().is_some_and(is_plain)).collect()
}

/// What is typed, behind the `--`.
fn words_so_far() -> impl Iterator<Item = String> {
    std::env::args_os().skip(2).map(|word| word.to_string_lossy().into_owned())
}

/// What was typed for a flag so far, or is set by its variable.
fn typed(flag: &str) -> Option<String> {
    let words: Vec<_> = words_so_far().filter(|word| word != "=").collect();
    let (apart, together) = (format!("--{flag}"), format!("--{flag}="));
    let apart = words.windows(2).rfind(|pair| pair[0] == apart).map(|pair| pair[1].clone());
    let together =
        words.iter().rev().find_map(|word| word.strip_prefix(&together)).map(str::to_owned);
    let variable = || Real.env(&format!("AITK_{}", flag.to_uppercase()));
    apart.or(together).or_else(variable).filter(|value| !value.is_empty())
}

/// The budget that was typed, else all.
fn profiles() -> Vec<Profile> {
    let budget = typed("budget");
    let meant = |name: &&str| budget.as_ref().is_none_or(|budget| budget == name);
    Profile::names().filter(meant).filter_map(|name| Profile::builtin(name).ok()).collect()
}

fn budgets() -> Vec<Suggestion> {
    let all = Profile::names().filter_map(|name| Profile::builtin(name).ok());
    all.map(|profile| Suggestion::new(&profile.name, said(&profile.title))).collect()
}

fn commands() -> Vec<Suggestion> {
    let command = command();
    let all = command.get_subcommands();
    let about = |one: &Command| one.get_about().map(ToString::to_string).unwrap_or_default();
    all.map(|one| Suggestion::new(one.get_name(), about(one))).collect()
}

fn frameworks() -> Vec<Suggestion> {
    let own = catalog(&Real, &folders(&Real)).ok();
    let Some(catalog) = own.or_else(|| Catalog::builtin().ok()) else { return Vec::new() };
    catalog.framework_names().into_iter().map(|name| Suggestion::new(name, "")).collect()
}

/// Everything of a list once, in its order.
fn once(all: impl IntoIterator<Item = Suggestion>) -> Vec<Suggestion> {
    let mut once: Vec<Suggestion> = Vec::new();
    for one in all {
        if !once.iter().any(|known| known.word == one.word) {
            once.push(one);
        }
    }
    once
}

fn options() -> Vec<Suggestion> {
    let of = |profile: &Profile| {
        let words = profile.options().into_iter();
        let step =
            |word: &str| profile.steps.iter().find(|step| step.with.as_deref() == Some(word));
        let title = |word: &str| step(word).map(|step| said(&step.title)).unwrap_or_default();
        words.map(|word| Suggestion::new(word, title(word))).collect::<Vec<_>>()
    };
    once(profiles().iter().flat_map(of))
}

fn platform(target: &Target) -> Suggestion {
    Suggestion::new(&target.name, target.text(language(), &["when"]))
}

fn parts(target: &Target) -> Vec<Suggestion> {
    let part = |name: &String| Suggestion::new(name, target.text(language(), &["optional", name]));
    target.optional.keys().map(part).collect()
}

/// Something of the platform that was typed, else of all of the budget's.
fn of_platforms(of: impl Fn(&TargetList, &Target) -> Vec<Suggestion>) -> Vec<Suggestion> {
    let Ok(targets) = targets(&Real) else { return Vec::new() };
    let platform = typed("platform");
    let meant = |target: &&Target| platform.as_ref().is_none_or(|name| *name == target.name);
    let profiles = profiles();
    let all = profiles.iter().flat_map(|profile| targets.projects(profile.platforms_of()));
    once(all.filter(meant).flat_map(|target| of(&targets, target)))
}

fn forms() -> Vec<Suggestion> {
    let Ok(targets) = targets(&Real) else { return Vec::new() };
    targets.listed().map(platform).collect()
}

/// What can be set of the form or the platform that was typed.
fn settings() -> Vec<Suggestion> {
    let Ok(list) = targets(&Real) else { return Vec::new() };
    let form = words_so_far().find_map(|word| list.named(&word).ok().cloned());
    match form {
        Some(form) => settings_of(&list, &form),
        None => of_platforms(settings_of),
    }
}

fn settings_of(targets: &TargetList, target: &Target) -> Vec<Suggestion> {
    let declared = targets.declared(target).unwrap_or_default().into_iter();
    let words = declared.flat_map(|(name, parameter)| match parameter.one_of.is_empty() {
        true => vec![format!("{name}=")],
        false => parameter.one_of.iter().map(|value| format!("{name}={value}")).collect(),
    });
    words.map(|word| Suggestion::new(word, "")).collect()
}

fn environments() -> Vec<Suggestion> {
    let all = Real.list(&folders(&Real).data.join("envs")).unwrap_or_default().into_iter();
    all.filter(|name| names::environment_name::fits(name))
        .map(|name| Suggestion::new(name, ""))
        .collect()
}

/// The environment that was typed, else the usual one.
fn environment() -> (String, Environments) {
    let name = typed("env").filter(|name| names::environment_name::fits(name));
    let name = name.unwrap_or_else(|| USUAL.to_owned());
    let environments = Environments::new(&folders(&Real).data, &name);
    (name, environments)
}

/// The generations that can be gone back to, each with when it was in use last.
fn generations() -> Vec<Suggestion> {
    let (_, environments) = environment();
    let history = environments.history(&Real);
    let all = environments.all(&Real).into_iter();
    let others = all.filter(|generation| !environments.in_use(&Real, generation));
    let told = others.map(|generation| {
        let last = history.iter().rfind(|switch| switch.to == generation.folder());
        let when = last.map(|switch| said(message!("in use from {}", switch.when)));
        Suggestion::new(generation.folder(), when.unwrap_or_default())
    });
    told.collect()
}

/// The packages of the user's own in the environment.
fn packages() -> Vec<Suggestion> {
    let (name, environments) = environment();
    let receipt = Receipt::load(&folders(&Real).state, &Real).unwrap_or_default();
    let record = environments.current(&Real).map(|(_, record)| record);
    let wish = receipt.request(&name, record.as_ref()).cloned();
    let wish = wish.and_then(|wish| serde_json::from_value::<Request>(wish).ok());
    let added = wish.map(|wish| wish.choices.packages).unwrap_or_default();
    added.iter().map(|one| Suggestion::new(project(one), one)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<OsString> {
        words.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_flag_that_bash_has_cut_is_whole_again() {
        let cut = words(&["aitk", "plan", "--budget", "=", "lo"]);
        assert_eq!(joined(cut, 4), (words(&["aitk", "plan", "--budget", "lo"]), 3));
        let behind = words(&["aitk", "plan", "--bud", "--env", "=", "x"]);
        assert_eq!(joined(behind, 2), (words(&["aitk", "plan", "--bud", "--env", "x"]), 2));
        let spaced = words(&["aitk", "apply", "my\\ p"]);
        assert_eq!(joined(spaced, 2), (words(&["aitk", "apply", "my p"]), 2));
        let alone = words(&["aitk", "run", "="]);
        assert_eq!(joined(alone.clone(), 9), (alone, 9));
    }

    #[test]
    fn what_a_shell_would_act_on_is_no_word() {
        for word in ["low", "src/churn data/x.toml", "~/é", "key=value", "c++", "a@1"] {
            assert!(is_plain(word), "{word}");
        }
        for word in ["$(x)", "`x`", "a;b", "a*", "a\nb", "\u{1b}[2J", "a'b", "a\"b", "a\\b", "#"] {
            assert!(!is_plain(word), "{word}");
        }
    }
}
