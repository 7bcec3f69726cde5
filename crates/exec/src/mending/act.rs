//! Mends: downloads first, lays aside what stands there, installs, proves, and brings back what stood there where anything
//! fails.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_detect::{Ailing, ailing};
use aitk_env::backend;
use aitk_plan::{Manager, names};
use aitk_system::{Command, Message, ToMessage, inside, message};

use super::error::MendError;
use super::find::{LAYER, Mending};
use crate::context::Context;
use crate::error::ExecError;
use crate::report::{Incoming, Reporter};

/// How long laying aside may take.
const PATIENCE: Duration = Duration::from_secs(1800);
/// How long a proof may take.
const PROOF: Duration = Duration::from_secs(600);
/// Imports what it is told to.
const IMPORT: &str =
    "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)";
/// Looks for a GPU.
const SEES: &str = "import sys, torch\nsys.exit(not torch.cuda.is_available())";

/// Does it. What stood there before lies beside it afterwards.
///
/// # Errors
/// What downloading says, and then nothing was changed; [`MendError::Failed`] where it is again as it was, and
/// [`MendError::NotBack`] with the command where it is not.
pub fn mend(
    cx: &Context<'_>,
    mending: &Mending,
    log: &Path,
    reporter: &dyn Reporter,
) -> Result<(), ExecError> {
    let packages: Vec<_> = mending.layer.packages.iter().collect();
    let incoming = Incoming::new(LAYER, mending.download, reporter);
    backend(Manager::Venv).fetch(cx.settings, &packages, &incoming)?;
    lay_aside(cx, mending)?;
    let Err(error) = work(cx, mending, log) else { return Ok(()) };
    let reason = error.to_message();
    match bring_back(cx, mending) {
        Ok(()) => Err(MendError::Failed { reason }.into()),
        Err(failure) => {
            let (path, aside) = (mending.path.clone(), mending.aside.clone());
            Err(MendError::NotBack { path, aside, reason, failure: failure.to_message() }.into())
        }
    }
}

/// Copies all of it beside itself; a disk that can lets both have the same blocks. Links to the same files would change
/// with what is written in place. Only what is whole has its name.
fn lay_aside(cx: &Context<'_>, mending: &Mending) -> Result<(), ExecError> {
    let mut name = mending.aside.clone().into_os_string();
    name.push("-partly");
    let partly = PathBuf::from(name);
    let clear = || cx.system.remove(&partly).map_err(ExecError::io(&partly));
    clear()?;
    if let Err(error) = run(cx, &["cp", "-a", "--reflink=auto", "-T"], &[&mending.path, &partly]) {
        clear()?;
        return Err(error);
    }
    run(cx, &["mv", "-T"], &[&partly, &mending.aside])
}

/// What was worked on goes out of the way first and is deleted last: nothing is lost where that cannot be done.
fn bring_back(cx: &Context<'_>, mending: &Mending) -> Result<(), ExecError> {
    let Mending { path, aside, .. } = mending;
    let mut name = path.clone().into_os_string();
    name.push(".aitk-failed");
    let failed = PathBuf::from(name);
    run(cx, &["mv", "--backup=numbered", "-T"], &[path, &failed])?;
    run(cx, &["mv", "-T"], &[aside, path])?;
    let _ = cx.system.remove(&failed);
    Ok(())
}

fn run(cx: &Context<'_>, words: &[&str], paths: &[&Path]) -> Result<(), ExecError> {
    let paths = paths.iter().map(|path| path.to_string_lossy().into_owned());
    let words = words.iter().map(|word| (*word).to_owned());
    let command = Command::changes(words.chain(["--".to_owned()]).chain(paths)).timeout(PATIENCE);
    done(cx, &command)
}

fn done(cx: &Context<'_>, command: &Command) -> Result<(), ExecError> {
    let output = cx.system.run(command)?;
    match output.success() {
        true => Ok(()),
        false => Err(ExecError::StillMissing { reason: Message::plain(output.tail(3)) }),
    }
}

fn work(cx: &Context<'_>, mending: &Mending, log: &Path) -> Result<(), ExecError> {
    for path in &mending.left_overs {
        inside(cx.system, &mending.path, path).map_err(ExecError::io(path))?;
        cx.system.remove(path).map_err(ExecError::io(path))?;
    }
    for metadata in &mending.others {
        take_out(cx, &mending.path, metadata)?;
    }
    if !mending.layer.packages.is_empty() {
        backend(Manager::Venv).mend(&cx.site(log), &mending.path, &mending.layer, &[])?;
    }
    prove(cx, mending)
}

/// Takes away a description of a package, and those of its files that no other description names: uv takes away one of
/// several only.
fn take_out(cx: &Context<'_>, env: &Path, metadata: &Path) -> Result<(), ExecError> {
    let Some(site) = metadata.parent() else { return Ok(()) };
    let files = |folder: &Path| -> BTreeSet<String> {
        let record = cx.system.text(folder.join("RECORD")).unwrap_or_default();
        let names = record.lines().filter_map(|line| line.split(',').next());
        names.filter(|name| names::relative_path::fits(name)).map(str::to_owned).collect()
    };
    let folders = cx.system.list(site).unwrap_or_default().into_iter();
    let folders = folders.filter(|name| name.ends_with(".dist-info")).map(|name| site.join(name));
    let named: BTreeSet<_> =
        folders.filter(|folder| folder != metadata).flat_map(|folder| files(&folder)).collect();
    let own = files(metadata).into_iter().filter(|file| !named.contains(file));
    for path in own.map(|file| site.join(file)).chain([metadata.to_owned()]) {
        inside(cx.system, env, &path).map_err(ExecError::io(&path))?;
        cx.system.remove(&path).map_err(ExecError::io(&path))?;
    }
    Ok(())
}

/// Nothing of what was mended is found any more, and what came can be imported.
fn prove(cx: &Context<'_>, mending: &Mending) -> Result<(), ExecError> {
    let after = ailing(cx.system, cx.machine, &cx.catalog.tables, &mending.path);
    let after = after.unwrap_or_default();
    let concerns = |name: &str| mending.changes.iter().any(|change| change.name == name);
    let broken = after.broken.iter().filter(|broken| concerns(&broken.name));
    let still: Vec<_> = broken.map(|broken| broken.why.clone()).collect();
    if !still.is_empty() {
        return Err(ExecError::StillMissing { reason: Message::list(still) });
    }
    let python = mending.path.join("bin/python").to_string_lossy().into_owned();
    let code = |text: &str| Command::changes([&*python, "-I", "-B", "-c", text]).timeout(PROOF);
    let modules = modules(cx, &after, mending);
    if !modules.is_empty() {
        done(cx, &code(IMPORT).args(modules.iter().map(String::as_str)))?;
    }
    if mending.wants_gpu {
        done(cx, &code(SEES))
            .map_err(|_| ExecError::StillMissing { reason: message!("PyTorch sees no GPU") })?;
    }
    Ok(())
}

/// The first module that each package brings.
fn modules(cx: &Context<'_>, after: &Ailing, mending: &Mending) -> Vec<String> {
    let site = mending.path.join("lib");
    let python = after.python.as_deref().unwrap_or_default();
    let site = site.join(format!("python{python}")).join("site-packages");
    let names = cx.system.list(&site).unwrap_or_default();
    let of = |name: &str| {
        let own = |folder: &&String| {
            let stem = folder.strip_suffix(".dist-info").and_then(|stem| stem.rsplit_once('-'));
            stem.is_some_and(|(stem, _)| aitk_plan::normalized(stem) == name)
        };
        let record = site.join(names.iter().find(own)?).join("RECORD");
        let record = cx.system.text(record).ok()?;
        let mut files = record.lines().filter_map(|line| line.split(',').next());
        files.find_map(|file| {
            let name = file.strip_suffix("/__init__.py").or_else(|| file.strip_suffix(".py"))?;
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            (!name.starts_with('_') && name.chars().all(is_plain)).then(|| name.to_owned())
        })
    };
    mending.changes.iter().filter_map(|change| of(&change.name)).collect()
}
