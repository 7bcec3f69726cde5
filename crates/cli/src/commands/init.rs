//! `aitk init` and `aitk trust`: a folder's own file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use aitk_detect::folders;
use aitk_plan::warnings::BLOCKED;
use aitk_plan::{CHOICES, Choice, Request, Takes, Warning};
use aitk_system::{Deny, Message, is_terminal, message};
use schemars::JsonSchema;
use serde::Serialize;
use textwrap::Options;

use crate::args::{ChoiceArgs, Common, Init, Trust};
use crate::error::{CliError, steps};
use crate::folder::{FILE, FolderFile};
use crate::follow::need_confirmed;
use crate::given::Given;
use crate::output::{Console, Diagnostic, GOOD, HEAD, one_line, quoted, styled};
use crate::progress::Progress;
use crate::run::{agrees, blocked};
use crate::session::{Ask, Local, Session};
use crate::typed::typed;
use crate::words::{described, said};

/// How wide the file's comments are.
const WIDTH: usize = 94;
/// The choices that the file shows where nobody has made them, each with what stands there then.
const SHOWN: &[(&str, &str)] = &[
    ("framework", "\"pytorch\""),
    ("accelerator", "\"auto\""),
    ("python", "\"3.12\""),
    ("manager", "\"auto\""),
    ("with", "[\"mlflow\"]"),
    ("package", "[\"polars\", \"duckdb>=1.1\"]"),
    ("env", "\"thesis\""),
];

/// A folder's own file, as it was made.
#[derive(Serialize, JsonSchema)]
pub struct InitReport {
    /// Where it is.
    file: PathBuf,
    /// The lock beside it; null where none was made.
    lock: Option<PathBuf>,
    /// How many packages that has.
    packages: Option<usize>,
    /// The environment of the folder.
    env: String,
    /// Whether nothing was written.
    dry_run: bool,
}

/// A folder's own file, confirmed or not any more.
#[derive(Serialize, JsonSchema)]
pub struct TrustReport {
    /// Where it is.
    file: PathBuf,
    /// Whether it counts from now on.
    confirmed: bool,
    /// The environment of the folder.
    env: String,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &Init,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let here = here()?;
    refuse_too_high(&here, &folders(&**local).home)?;
    let path = here.join(FILE);
    let chosen = !args.choices.given.0.is_empty();
    let file = match local.exists(&path) && !args.force {
        true if chosen => return Err(CliError::There { path }),
        true => {
            let file = FolderFile::open(&**local, &here)?;
            need_confirmed(&**local, &file, output)?;
            file
        }
        false => {
            let given = with_budget(local, common, &args.choices.given)?;
            let file = FolderFile::of(&here, text(&given)?, None)?;
            // What nothing can be made of is not written down.
            Session::open(local, common)?.anew().asked(&choices_of(&file))?;
            if !args.dry_run {
                file.write(&**local, None)?;
                file.confirm(&**local)?;
            }
            file
        }
    };
    let (locked, left) = lock(local, common, &file, args, output)?;
    let data = InitReport {
        file: path,
        lock: locked.map(|_| file.lock_path()),
        packages: locked,
        env: file.env(),
        dry_run: args.dry_run,
    };
    let diagnostics = left.iter().map(Diagnostic::from).collect();
    output.result(&data, diagnostics, || match args.dry_run {
        true => would_write(&file, locked),
        false => done(&file, locked),
    });
    output.warn(left.as_slice());
    Ok(ExitCode::SUCCESS)
}

/// A file in the home folder or above it would count wherever somebody works.
fn refuse_too_high(here: &Path, home: &Path) -> Result<(), CliError> {
    match home.starts_with(here) || here.parent().is_none() {
        true => Err(CliError::TooHigh { folder: here.to_owned() }),
        false => Ok(()),
    }
}

/// Confirms a folder's file, or takes that back.
pub fn trust(local: &Local, args: &Trust, output: &Console) -> Result<ExitCode, CliError> {
    let here = here()?;
    let folder = args.folder.as_ref().map(|folder| here.join(folder));
    let file = match &folder {
        Some(folder) if local.exists(folder.join(FILE)) => {
            Some(FolderFile::open(&**local, folder)?)
        }
        Some(_) => None,
        None => FolderFile::find(&**local)?,
    };
    let Some(file) = file else {
        return Err(CliError::NoFolderFile { folder: folder.unwrap_or(here) });
    };
    if args.revoke {
        file.doubt(&**local)?;
    } else {
        // What is shown is what is confirmed, whatever becomes of the file meanwhile.
        let seen = file.as_seen(&**local);
        output.say(format!("{}:", one_line(file.path().display())));
        output.say(quoted(&seen.shown(), "  | ").trim_end().to_owned());
        output.say(message!("It asks for: {}", file.asks()));
        let is_asked = is_terminal() && !args.yes;
        if is_asked && !agrees(message!("Use it from now on? [y/N] "), false)? {
            return Err(CliError::Declined);
        }
        seen.note(&**local)?;
    }
    let data = TrustReport { file: file.path(), confirmed: !args.revoke, env: file.env() };
    output.result(&data, Vec::new(), || match args.revoke {
        true => message!("{} does not count any more until it is confirmed.", file.path()),
        false => {
            message!("{} {} counts from now on, until it changes.", styled(GOOD, "✓"), file.path())
        }
    });
    Ok(ExitCode::SUCCESS)
}

fn here() -> Result<PathBuf, CliError> {
    std::path::absolute(".").map_err(CliError::io_of(message!("the current folder")))
}

/// What was given, with the budget that fits the machine where none was.
fn with_budget(local: &Local, common: &Common, given: &Given) -> Result<Given, CliError> {
    // What opens a source is for nobody else's eyes: a file is handed on.
    let (mut given, _) = given.clone().opened()?;
    if given.value("budget").or(given.value("profile")).is_none() {
        let machine = Session::open(local, common)?.machine;
        let usable = machine.gpus.iter().any(|gpu| gpu.usable) || machine.jetson.is_some();
        given.add("budget", if usable { "workstation" } else { "low" });
    }
    Ok(given)
}

/// What a file asks for, as if it were given.
fn choices_of(file: &FolderFile) -> ChoiceArgs {
    let mut given = Given::default();
    file.under(&mut given);
    ChoiceArgs { given, drop: Vec::new(), allow_system_changes: false }
}

/// Resolves what the file asks for, writes its lock, and says how many packages it has; what of it cannot be done here.
fn lock(
    local: &Local,
    common: &Common,
    file: &FolderFile,
    args: &Init,
    output: &Console,
) -> Result<(Option<usize>, Option<Warning>), CliError> {
    let session = Session::open(local, common)?.anew();
    let asked = session.asked(&choices_of(file))?;
    let ask = if args.no_resolve { Ask::Nobody } else { Ask::Sources };
    let (prepared, plan) = session.prepare(asked, None, ask)?;
    let system = Deny(Arc::clone(&session.system));
    let context = prepared.context(&system, None);
    let mut looked = plan.clone();
    aitk_exec::survey(&context, &mut looked, false)?;
    let left = blocked(&looked).map(|(count, list)| {
        Warning::new(
            BLOCKED,
            message!(
                "{} of what it asks for cannot be done here as it stands:\n{}",
                steps(count),
                Message::lines(list)
            ),
            message!(
                "`aitk apply` here refuses until that is different; on another machine it may be"
            ),
        )
    });
    if args.no_resolve {
        return Ok((None, left));
    }
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner(message!("asking the package sources …"));
    let locks = aitk_exec::lock(&context, &plan)?;
    drop(spinner);
    output.warn(&plan.warnings);
    if !args.dry_run {
        file.with_lock(&locks)?.write_lock(&**local)?;
    }
    Ok((Some(locks.environment.packages().count()), left))
}

/// What would be written.
fn would_write(file: &FolderFile, locked: Option<usize>) -> String {
    let mut text = said(message!("{} would be:\n", file.path()));
    text += &quoted(file.text(), "  | ");
    if let Some(count) = locked {
        text += &said(message!("{} would hold {count} packages.\n", file.lock_path()));
    }
    text + &said(message!("Nothing was written: this was a dry run."))
}

/// What was written, and what comes next.
fn done(file: &FolderFile, locked: Option<usize>) -> String {
    let sign = styled(GOOD, "✓");
    let mut text = match locked {
        Some(count) => said(message!(
            "{sign} {} says what this folder needs, and {} holds its {count} packages.\n",
            file.path(),
            file.lock_path()
        )),
        None => said(message!(
            "{sign} {} says what this folder needs; `aitk init` makes its lock.\n",
            file.path()
        )),
    };
    text += &said(message!(
        "  In this folder and below, aitk's commands follow it and use its own environment, {}.\n\n",
        file.env()
    ));
    let aitk = typed();
    let line = |command: &str, what| {
        let command = format!("{:28}", format!("{aitk} {command}"));
        format!("  {} {}\n", styled(HEAD, command), said(what))
    };
    text += &line("apply", message!("builds it"));
    text += &line(
        "add PACKAGE",
        message!("puts a package into the file, the lock and the environment"),
    );
    text + &line("lab", message!("starts JupyterLab here"))
}

/// The text of a new file: what was chosen, and what else could be, with its help.
fn text(given: &Given) -> Result<String, CliError> {
    let mut text = comment(&said(message!(
        "What aitk makes ready for this folder: `aitk apply` builds it, `aitk add` puts packages in, and every command in this folder or below follows it. Each line is a choice as `aitk plan --help` lists them. Keep it and aitk.lock with your work."
    )));
    let mut request = Request::default();
    given.merge(&mut request);
    let is_table = |row: &Choice| row.flag == "set";
    for row in CHOICES.iter().filter(|row| !is_table(row)) {
        if let Some(values) = given.values(row.flag) {
            text += &format!("\n{}{} = {}\n", comment(&help(row)), row.flag, value(row, values));
        } else if let Some((flag, example)) = SHOWN.iter().find(|(flag, _)| *flag == row.flag) {
            text += &format!("\n{}# {flag} = {example}\n", comment(&help(row)));
        }
    }
    if !request.choices.set.is_empty() {
        let pairs = toml::Table::from_iter(
            request.choices.set.iter().map(|(key, value)| (key.clone(), value.as_str().into())),
        );
        text += &format!("\n[set]\n{pairs}");
    }
    Ok(text)
}

/// A value as the file has it.
fn value(row: &Choice, values: &[String]) -> String {
    let text = |value: &String| toml::Value::from(value.as_str());
    match row.takes {
        Takes::Switch => "true".to_owned(),
        _ if row.many => toml::Value::Array(values.iter().map(text).collect()).to_string(),
        _ => values.last().map(text).map(|value| value.to_string()).unwrap_or_default(),
    }
}

/// What a choice is for, without what only its flag is about.
fn help(row: &Choice) -> String {
    described(row.help)
}

fn comment(text: &str) -> String {
    let options = Options::new(WIDTH).initial_indent("# ").subsequent_indent("# ");
    textwrap::fill(text, options.break_words(false)) + "\n"
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_new_file_is_read_as_it_was_meant() {
        let mut given = Given::default();
        given.add("budget", "low");
        given.add_all("package", &["polars>=1,<2".to_owned(), "a\"b".to_owned()]);
        given.add("user-only", "true");
        given.add("set", "name=my \"thing\"");
        let text = text(&given).unwrap();
        let values: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(values["package"][1].as_str(), Some("a\"b"), "{text}");
        assert_eq!(values["set"]["name"].as_str(), Some("my \"thing\""), "{text}");
        given.0.retain(|one| one.row.flag != "package");
        let text = super::text(&given).unwrap();
        let file = FolderFile::of(Path::new("/x"), text.clone(), None).unwrap();
        assert_eq!(file.asks().to_string(), "--budget low --set 'name=my \"thing\"' --user-only");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH + 1), "{text}");
        // Every line that is shown can be taken as it stands.
        let all: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        let shown = |flag: &str| all.iter().find(|line| line.starts_with(&format!("{flag} = ")));
        for (flag, _) in SHOWN {
            let line = shown(flag).unwrap_or_else(|| panic!("{flag}: {text}"));
            FolderFile::of(Path::new("/x"), format!("{line}\n"), None).unwrap();
        }
    }
}
