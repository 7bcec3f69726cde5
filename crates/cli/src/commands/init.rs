//! `aitk init` and `aitk trust`: a folder's own file.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use aitk_plan::{CHOICES, Choice, Request, Takes};
use aitk_system::{Deny, message};
use schemars::JsonSchema;
use serde::Serialize;
use textwrap::Options;

use crate::args::{ChoiceArgs, Common, Init, Trust};
use crate::error::CliError;
use crate::folder::{FILE, FolderFile};
use crate::follow::need_confirmed;
use crate::given::Given;
use crate::output::{Console, GOOD, HEAD, styled};
use crate::progress::Progress;
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
pub struct InitTold {
    /// Where it is.
    file: PathBuf,
    /// The lock beside it; null where none was made.
    lock: Option<PathBuf>,
    /// How many packages that has.
    packages: Option<usize>,
    /// The environment of the folder.
    env: String,
}

/// A folder's own file, confirmed or not any more.
#[derive(Serialize, JsonSchema)]
pub struct TrustTold {
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
            file.write(&**local, None)?;
            file.confirm(&**local)?;
            file
        }
    };
    let locked = match args.no_resolve {
        true => None,
        false => Some(lock(local, common, &file, output)?),
    };
    let data = InitTold {
        file: path,
        lock: locked.map(|_| file.lock_path()),
        packages: locked,
        env: file.env(),
    };
    output.result(&data, Vec::new(), || done(&file, locked));
    Ok(ExitCode::SUCCESS)
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
    match args.revoke {
        true => file.doubt(&**local)?,
        false => file.confirm(&**local)?,
    }
    let data = TrustTold { file: file.path(), confirmed: !args.revoke, env: file.env() };
    output.result(&data, Vec::new(), || match args.revoke {
        true => message!("{} does not count any more until it is confirmed.", file.path()),
        false => message!(
            "{} {} counts from now on, until it changes. It asks for: {}",
            styled(GOOD, "✓"),
            file.path(),
            file.asks()
        ),
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

/// Resolves what the file asks for, writes its lock, and says how many packages it has.
fn lock(
    local: &Local,
    common: &Common,
    file: &FolderFile,
    output: &Console,
) -> Result<usize, CliError> {
    let session = Session::open(local, common)?.anew();
    let asked = session.asked(&choices_of(file))?;
    let (prepared, plan) = session.prepare(asked, None, Ask::Sources)?;
    let system = Deny(Arc::clone(&session.system));
    let context = prepared.context(&system, None);
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner(message!("asking the package sources …"));
    let locks = aitk_exec::lock(&context, &plan)?;
    drop(spinner);
    output.warn(&plan.warnings);
    file.with_lock(&locks)?.write_lock(&**local)?;
    Ok(locks.environment.packages().count())
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
        format!("  {:28} {}\n", styled(HEAD, format!("{aitk} {command}")), said(what))
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
