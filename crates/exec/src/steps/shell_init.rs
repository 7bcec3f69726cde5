//! New shells know `conda activate`.

use std::path::PathBuf;

use aitk_plan::step::ShellInit;
use aitk_plan::{Plan, Step};
use aitk_system::{FileKind, Message, System, ToMessage, message, quote};

use super::shell_file::{self, BEGIN, Changed, END, Unclear, behind_links, closed};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, base, help_where_refused};
use crate::context::Context;
use crate::error::ExecError;
use crate::places::shell_files;
use crate::report::Event;

/// Noted of a file that was not there before …
const NEW: &str = "new";
/// … and of one whose last line had no end.
const CUT: &str = "cut";

/// The file that new shells read, and the lines that it shall have.
struct WantedLines {
    file: PathBuf,
    lines: String,
}

fn wanted(cx: &Context<'_>, plan: &Plan) -> WantedLines {
    let [bash, zsh, fish] = shell_files(&cx.machine.folders.home);
    let shell = cx.system.env("SHELL").unwrap_or_default();
    let quoted = |path: PathBuf| quote(&path.to_string_lossy());
    let conda = base::folder(cx, plan);
    match shell.rsplit('/').next() {
        Some("fish") => {
            let script = quoted(conda.join("etc/fish/conf.d/conda.fish"));
            WantedLines { file: fish, lines: format!("test -r {script}; and source {script}\n") }
        }
        name => {
            let script = |tool: &str| {
                let script = quoted(conda.join("etc/profile.d").join(format!("{tool}.sh")));
                format!("[ -r {script} ] && . {script}\n")
            };
            let file = if name == Some("zsh") { zsh } else { bash };
            WantedLines { file, lines: script("conda") + &script("mamba") }
        }
    }
}

impl WantedLines {
    /// The file behind the links, what it says now, and what it shall say; [`ExecError::Yours`] where it stays as it is.
    fn changed(&self, cx: &Context<'_>) -> Result<(PathBuf, Option<Vec<u8>>, Changed), ExecError> {
        let place = behind_links(&self.file, cx.system).map_err(ExecError::io(&self.file))?;
        if let Some(reason) = closed(&place, cx.system) {
            let lines = self.lines.trim_end();
            if cx.system.stat(&place).is_ok_and(|stat| stat.kind != FileKind::File) {
                let remedy = message!(
                    "look at {}; move it away if it is not needed, then run the same command again",
                    place.display()
                );
                return Err(self.yours(reason, remedy));
            }
            let remedy = message!(
                "add these lines to it yourself, then run the same command again:\n{lines}"
            );
            return Err(self.yours(reason, remedy));
        }
        let there = read(&place, cx.system)?;
        let changed = shell_file::with(there.as_deref().unwrap_or_default(), &self.lines);
        changed.map_err(|_| self.unclear()).map(|changed| (place, there, changed))
    }

    /// Says that a file stays as it is, and what helps.
    fn yours(&self, reason: Message, remedy: Message) -> ExecError {
        ExecError::Yours { path: self.file.clone(), reason, remedy }
    }

    /// As long as the marks are there, lines that are added to them make it no better.
    fn unclear(&self) -> ExecError {
        let lines = self.lines.trim_end();
        let remedy = message!(
            "take the lines `{BEGIN}` and `{END}` out of it, let it have these lines, then run the same command \
             again:\n{lines}"
        );
        self.yours(unclear(), remedy)
    }
}

fn unclear() -> Message {
    message!("aitk's marks in it do not fit each other")
}

/// A file's bytes; `None` where there is none.
fn read(file: &PathBuf, system: &dyn System) -> Result<Option<Vec<u8>>, ExecError> {
    match system.read(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        bytes => Ok(Some(bytes.map_err(ExecError::io(file))?)),
    }
}

impl Ensure for ShellInit {
    fn verified(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Message {
        message!("{} loads conda", wanted(cx, plan).file.display())
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let WantedLines { file, lines } = wanted(cx, plan);
        let place = behind_links(&file, cx.system).map_err(ExecError::io(&file))?;
        let is_file = cx.system.stat(&place).is_ok_and(|stat| stat.kind == FileKind::File);
        let bytes = if is_file { read(&place, cx.system)? } else { None };
        let bytes = bytes.unwrap_or_default();
        let check = match shell_file::has(&bytes, &lines) {
            Ok(true) => return Ok(CheckOutcome::Holds),
            Ok(false) => CheckOutcome::missing(message!("{} does not load conda", file.display())),
            Err(Unclear) => CheckOutcome::missing(Message::about(file.to_message(), unclear())),
        };
        let changed = wanted(cx, plan).changed(cx).map(|_| ());
        Ok(check.helped_by(help_where_refused(changed)?))
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let WantedLines { file, lines } = wanted(cx, plan);
        let commands = lines
            .lines()
            .map(|line| Message::plain(format!("echo \"{line}\" >> {}", file.display())));
        let commands = commands.collect();
        Ok(Exact::one(Step { commands, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let wanted = wanted(cx, work.plan);
        let file = &wanted.file;
        let (place, there, Changed { bytes, kept }) = wanted.changed(cx)?;
        let detail = match &there {
            None => Some(NEW),
            Some(before) if !before.is_empty() && !before.ends_with(b"\n") => Some(CUT),
            Some(_) => None,
        };
        let made = vec![entry(file, detail)];
        let mode = cx.system.stat(&place).map_or(0o644, |stat| stat.mode);
        let write = || cx.system.write(&place, &bytes, mode).map_err(ExecError::io(&place));
        cx.about_to(&work.step.id, &made, || false, write)?;
        if !kept.is_empty() {
            let text = message!(
                "these lines of yours stood between aitk's marks in {}, and stay behind them: {}",
                file.display(),
                kept.join("; ")
            );
            work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
        }
        Ok(made)
    }

    fn own(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let file = wanted(cx, plan).file;
        is_marked(&file, cx.system).then(|| entry(&file, None)).into_iter().collect()
    }
}

fn entry(file: &std::path::Path, detail: Option<&str>) -> ReceiptEntry {
    ReceiptEntry::created(format!("init:{}", file.display()), detail.map(str::to_owned))
}

/// Whether a shell's file has lines of aitk's.
pub(crate) fn is_marked(file: &PathBuf, system: &dyn System) -> bool {
    let bytes = read(file, system).ok().flatten();
    bytes.is_some_and(|bytes| shell_file::is_marked(&bytes) != Ok(false))
}

/// How a shell's file gets rid of aitk's lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cleared {
    /// The file behind the links.
    pub place: PathBuf,
    /// What it will say; `None` where it goes, as there was none before.
    pub bytes: Option<Vec<u8>>,
    /// Lines of the user's that stand between the marks, and stay.
    pub kept: Vec<String>,
}

/// Takes aitk's lines out of a shell's file, of which this was noted; else says why they stay.
pub(crate) fn cleared(
    file: &PathBuf,
    detail: Option<&str>,
    system: &dyn System,
) -> Result<Cleared, Message> {
    let place = behind_links(file, system).map_err(|error| error.to_message())?;
    if let Some(reason) = closed(&place, system) {
        return Err(reason);
    }
    let bytes = system.read(&place).map_err(|error| error.to_message())?;
    let Ok(Changed { bytes, kept }) = shell_file::without(&bytes, detail == Some(CUT)) else {
        return Err(unclear());
    };
    let goes = bytes.is_empty() && detail == Some(NEW) && place == *file;
    Ok(Cleared { place, bytes: (!goes).then_some(bytes), kept })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, step};
    use crate::steps::{Lack, Remedy};

    fn apply(answers: &str, text: &str) -> Result<crate::steps::testing::Ran, ExecError> {
        let machine = Machine::new(answers);
        machine.file("/home/user/.bashrc", text);
        machine.apply(ShellInit {}, Receipt::default())
    }

    /// What says that a file is the user's, of this mode.
    fn stat(mode: u32) -> String {
        let stat = json!({"kind": "file", "size": 1, "mode": mode, "uid": 1000, "gid": 1000, "mtime": 0, "dev": 1, "ino": 1});
        let access = json!({"/home/user/.bashrc": mode & 0o200 != 0});
        json!({"stats": {"/home/user/.bashrc": stat}, "access": access}).to_string()
    }

    #[test]
    fn a_file_that_can_be_written_gets_the_lines() {
        let ran = apply(&stat(0o644), "a\n").unwrap();
        assert!(ran.did.contains(&"write /home/user/.bashrc".to_owned()), "{:?}", ran.did);
        assert!(ran.receipt.has_made("init:/home/user/.bashrc"));
    }

    #[test]
    fn a_file_that_is_the_users_to_change_stays_and_the_lines_are_told() {
        let unclear = "# >>> aitk >>>\nmine\n";
        for (mode, text) in [(0o444, "a\n"), (0o644, unclear)] {
            let machine = Machine::new(&stat(mode));
            machine.file("/home/user/.bashrc", text);
            let lacks = machine.check(&step(ShellInit {})).unwrap().lacks();
            assert!(
                matches!(&lacks[..], [Lack { remedy: Some(Remedy::Do(_)), .. }]),
                "verify says that apply mends it: {lacks:?}"
            );
            let error = apply(&stat(mode), text).unwrap_err();
            let ExecError::Yours { remedy, .. } = &error else { panic!("{error}") };
            assert!(remedy.to_string().contains(
                "[ -r /home/user/.local/share/aitk/envs/base/current/etc/profile.d/conda.sh ]"
            ));
        }
    }
}
