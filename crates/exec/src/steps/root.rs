//! What the steps that change the system itself have in common: commands of root's, one after another, and files that
//! are put together in the user's cache and then installed by one of them.

use std::path::{Path, PathBuf};

use aitk_system::{Command, System};

use super::Work;
use crate::context::Context;
use crate::error::ExecError;

/// Where a file of the system is put together.
fn staged(cx: &Context<'_>, path: &Path) -> PathBuf {
    cx.settings.cache.join("system").join(path.strip_prefix("/").unwrap_or(path))
}

/// Puts a file together; while a plan is made as well, so that its commands can be typed by hand.
pub(super) fn stage(
    cx: &Context<'_>,
    system: &dyn System,
    path: &Path,
    content: &[u8],
) -> Result<(), ExecError> {
    let staged = staged(cx, path);
    if system.read(&staged).is_ok_and(|there| there == content) {
        return Ok(());
    }
    system.write(&staged, content, 0o644).map_err(ExecError::io(staged))
}

/// What was put together for a file.
pub(super) fn staged_content(cx: &Context<'_>, path: &Path) -> Option<Vec<u8>> {
    cx.system.read(&staged(cx, path)).ok()
}

/// Installs what was put together for a file.
pub(super) fn install(cx: &Context<'_>, path: &Path) -> Command {
    let staged = staged(cx, path);
    Command::as_root(["install", "-D", "-m", "644"])
        .args([staged.to_string_lossy(), path.to_string_lossy()])
}

/// Takes files away.
pub(crate) fn delete<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Command {
    let paths = paths.into_iter().map(|path| path.as_ref().to_string_lossy().into_owned());
    Command::as_root(["rm", "-f"]).args(paths)
}

/// The commands as a person would type them.
pub(super) fn typed(cx: &Context<'_>, commands: &[Command]) -> Vec<String> {
    commands.iter().map(|command| cx.typed(command)).collect()
}

/// Runs commands one after another, up to the first that fails.
pub(super) fn run(
    cx: &Context<'_>,
    work: &Work<'_>,
    commands: &[Command],
) -> Result<(), ExecError> {
    for command in commands {
        let output = cx.system.run(&command.clone().log(&work.log))?;
        if output.stderr.contains("sudo: a password is required")
            || output.stderr.contains("sudo: a terminal is required")
        {
            return Err(ExecError::NeedsPassword);
        }
        if !output.success() {
            let (command, output) = (cx.typed(command), output.tail(8));
            return Err(ExecError::Failed { command, output, log: Some(work.log.clone()) });
        }
    }
    Ok(())
}

/// A file's content; `None` where there is none.
pub(super) fn content(cx: &Context<'_>, path: &Path) -> Result<Option<Vec<u8>>, ExecError> {
    match cx.system.read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ExecError::io(path)(error)),
    }
}

/// The same as text.
pub(super) fn text(cx: &Context<'_>, path: &str) -> Result<String, ExecError> {
    let content = content(cx, Path::new(path))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&content).into_owned())
}
