//! What root does: commands, one after another, and files whose content it is handed on standard input. Nothing that it
//! reads lies where the user could put something else in its place meanwhile.

use std::path::{Path, PathBuf};

use aitk_plan::{Step, Write};
use aitk_system::{Command, FileKind, Message, Permit, Stat, System, message, paths};

use super::{Work, may_change};
use crate::apt_failure::asks_for_password;
use crate::context::Context;
use crate::error::ExecError;
use crate::report::Event;

/// The mode of what root writes: everybody may read it.
pub(super) const MODE: u32 = 0o644;
/// The mode of what others than root and a group may not read.
const PRIVATE: u32 = 0o640;

/// Who may do what with a file of root's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    mode: u32,
    group: u32,
}

/// One thing that root does.
#[derive(Debug)]
pub(super) enum RootAction {
    /// It runs a command.
    Run(Command),
    /// It writes a whole file with these rights.
    Put(Write, Rights),
    /// It adds to a file of the system's.
    Add(Write),
}

impl RootAction {
    /// Writes a whole file.
    pub fn put(path: &Path, content: impl Into<String>) -> Self {
        Self::put_as(path, content, MODE)
    }

    /// Writes a whole file anew that is there with these rights.
    pub fn put_as(path: &Path, content: impl Into<String>, mode: u32) -> Self {
        Self::Put(write(path, content), Rights { mode, group: 0 })
    }

    /// Writes a whole file that only root and a group may read.
    pub fn put_for(path: &Path, content: impl Into<String>, group: u32) -> Self {
        Self::Put(write(path, content), Rights { mode: PRIVATE, group })
    }

    /// The same, of which is only said what it will be: it is not at hand yet.
    pub fn later(self, what: Message) -> Self {
        match self {
            Self::Put(write, rights) => {
                Self::Put(Write { content: String::new(), later: Some(what), ..write }, rights)
            }
            other => other,
        }
    }

    /// Adds to a file of the system's.
    pub fn add(path: &str, content: impl Into<String>) -> Self {
        Self::Add(write(Path::new(path), content))
    }

    fn write(&self) -> Option<&Write> {
        match self {
            Self::Run(_) => None,
            Self::Put(write, _) | Self::Add(write) => Some(write),
        }
    }

    pub fn command(&self) -> Command {
        match self {
            Self::Run(command) => command.clone(),
            // `install` never writes through a link: it takes away what stands there and makes a new file.
            Self::Put(Write { path, content, .. }, Rights { mode, group }) => {
                let group = if *group == 0 { "root".to_owned() } else { group.to_string() };
                Command::as_root(["install", "-D", "-m", &format!("{mode:o}")])
                    .args(["-o", "root", "-g", &group, "-T", "/dev/stdin", path])
                    .input(content.as_bytes())
            }
            Self::Add(Write { path, content, .. }) => {
                Command::as_root(["tee", "-a", path]).input(content.as_bytes())
            }
        }
    }
}

fn write(path: &Path, content: impl Into<String>) -> Write {
    let path = path.to_string_lossy().into_owned();
    Write { path, content: content.into(), later: None }
}

/// A step with what root will do, whole.
pub(super) fn shown(cx: &Context<'_>, step: &Step, deeds: &[RootAction]) -> Step {
    Step {
        commands: deeds.iter().map(|deed| cx.typed(&deed.command())).collect(),
        writes: deeds.iter().filter_map(RootAction::write).cloned().collect(),
        estimated: false,
        ..step.clone()
    }
}

/// Does one thing after another, up to the first that fails.
pub(super) fn carry_out(
    cx: &Context<'_>,
    work: &Work<'_>,
    deeds: &[RootAction],
) -> Result<(), ExecError> {
    for deed in deeds {
        let Some(Write { path, content, .. }) = deed.write() else {
            run(cx, work, &deed.command())?;
            continue;
        };
        let path = Path::new(path);
        only_roots(cx.system, path)?;
        let before = content_of(cx, path)?;
        let wanted = match deed {
            RootAction::Add(_) => {
                [before.as_deref().unwrap_or_default(), content.as_bytes()].concat()
            }
            _ => content.as_bytes().to_vec(),
        };
        let done = run(cx, work, &deed.command()).and_then(|()| stands(cx, deed, &wanted));
        if let (Err(_), RootAction::Put(_, rights)) = (&done, deed) {
            match before.map(String::from_utf8) {
                Some(Ok(before)) => put_back(cx, work, path, before, *rights),
                _ => take_back(cx, work, path, &wanted),
            }
        }
        done?;
    }
    Ok(())
}

pub(crate) fn delete<P: AsRef<Path>>(paths: impl IntoIterator<Item = P>) -> Command {
    let paths = paths.into_iter().map(|path| path.as_ref().to_string_lossy().into_owned());
    Command::as_root(["rm", "-f", "--"]).args(paths)
}

/// Runs a command of root's.
pub(super) fn run(cx: &Context<'_>, work: &Work<'_>, command: &Command) -> Result<(), ExecError> {
    let output = cx.system.run(&command.clone().log(&work.log))?;
    if asks_for_password(&output.stderr) {
        return Err(ExecError::NeedsPassword);
    }
    if !output.success() {
        let (command, output) = (cx.typed(command).to_string(), output.tail(8));
        return Err(ExecError::Failed { command, output, log: Some(work.log.clone()) });
    }
    Ok(())
}

/// Whether nobody but root can put something else at a path, or in the way to it. Whom `/` belongs to is root.
pub(super) fn only_roots(system: &dyn System, path: &Path) -> Result<(), ExecError> {
    let refuse = |place: &Path, reason: Message| {
        Err(ExecError::UnsafePlace { path: place.to_owned(), reason })
    };
    let root = system.stat(Path::new("/")).map_err(ExecError::io("/"))?.uid;
    let mut ahead: Vec<PathBuf> = folders_above(path);
    let mut links = 0;
    while let Some(folder) = ahead.pop() {
        // What is not there yet is made by root, in a folder of root's.
        let stat = match system.stat(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
            stat => stat.map_err(ExecError::io(&folder))?,
        };
        if stat.uid != root {
            return refuse(&folder, message!("it does not belong to root"));
        }
        match stat.kind {
            FileKind::Dir if others_may_write(&stat) => {
                return refuse(&folder, message!("others than root may write there"));
            }
            FileKind::Dir => {}
            FileKind::Link if links < paths::MAX_LINKS => {
                links += 1;
                let target = system.read_link(&folder).map_err(ExecError::io(&folder))?;
                let above = folder.parent().unwrap_or(Path::new("/"));
                // The folder that it leads to, and then those above it.
                let target = above.join(target);
                ahead.push(target.clone());
                ahead.extend(folders_above(&target));
            }
            _ => return refuse(&folder, message!("it is no folder")),
        }
    }
    match system.stat(path) {
        Ok(stat) if stat.kind != FileKind::File => refuse(path, message!("it is no plain file")),
        Ok(stat) if stat.uid != root => refuse(path, message!("it does not belong to root")),
        _ => Ok(()),
    }
}

/// Refuses what is no plain file where one is to be: root neither writes through a link nor takes a folder away.
pub(super) fn only_file(system: &dyn System, path: &Path) -> Result<(), ExecError> {
    match system.stat(path) {
        Ok(stat) if stat.kind != FileKind::File => {
            Err(ExecError::Foreign { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The folders above a path, the nearest one first.
fn folders_above(path: &Path) -> Vec<PathBuf> {
    path.ancestors().skip(1).map(Path::to_owned).collect()
}

fn others_may_write(stat: &Stat) -> bool {
    stat.mode & 0o002 != 0 || stat.mode & 0o020 != 0 && stat.gid != 0
}

/// Looks whether a file stands there as it was to be written.
fn stands(cx: &Context<'_>, deed: &RootAction, content: &[u8]) -> Result<(), ExecError> {
    let Some(path) = deed.write().map(|write| Path::new(&write.path)) else { return Ok(()) };
    let look = message!("look whether {} says what it should", path.display());
    if may_change(cx, &look)? == Permit::Reported {
        return Ok(());
    }
    only_roots(cx.system, path)?;
    let missing = |reason: Message| Err(ExecError::StillMissing { reason });
    let stat = cx.system.stat(path).map_err(ExecError::io(path))?;
    if matches!(deed, RootAction::Put(_, rights) if (stat.mode, stat.gid) != (rights.mode, rights.group))
    {
        return missing(message!("{} has other rights than it should", path.display()));
    }
    match content_of(cx, path)? {
        Some(there) if there == content => Ok(()),
        _ => missing(message!("{} does not say what it should", path.display())),
    }
}

/// Puts what stood in a file back.
fn put_back(cx: &Context<'_>, work: &Work<'_>, path: &Path, before: String, rights: Rights) {
    let as_before = content_of(cx, path)
        .is_ok_and(|there| there.is_some_and(|there| there == before.as_bytes()));
    let back = RootAction::Put(write(path, before), rights);
    if !as_before && run(cx, work, &back.command()).is_ok() {
        let text = message!("{} says again what it said before", path.display());
        work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
    }
}

/// Takes a file away of which not more stands there than was to be written; anything else is somebody's.
fn take_back(cx: &Context<'_>, work: &Work<'_>, path: &Path, content: &[u8]) {
    let ours = content_of(cx, path)
        .is_ok_and(|there| there.is_some_and(|there| content.starts_with(&there)));
    if ours && run(cx, work, &delete([path])).is_ok() {
        let text = message!("{} was taken away again", path.display());
        work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
    }
}

/// A file's content; `None` where there is none.
pub(super) fn content_of(cx: &Context<'_>, path: &Path) -> Result<Option<Vec<u8>>, ExecError> {
    match cx.system.read(path) {
        Ok(content) => Ok(Some(content)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ExecError::io(path)(error)),
    }
}

/// The same as text.
pub(super) fn text(cx: &Context<'_>, path: &str) -> Result<String, ExecError> {
    let content = content_of(cx, Path::new(path))?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&content).into_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use aitk_system::Replay;

    use super::*;

    /// A file tree, and what is said of a path in it.
    struct FileTree(tempfile::TempDir);

    impl FileTree {
        fn refusal(&self, path: &str) -> Option<String> {
            let system = Replay::tree(self.0.path());
            only_roots(&system, Path::new(path)).err().map(|error| error.to_string())
        }

        #[expect(clippy::disallowed_methods, reason = "tests look from outside")]
        fn folder(&self, path: &str, mode: u32) {
            let path = self.0.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    #[test]
    fn only_where_nobody_else_can_write_is_written() {
        let tree = FileTree(tempfile::tempdir().unwrap());
        tree.folder("etc/apt", 0o755);
        assert_eq!(tree.refusal("/etc/apt/apt.conf.d/52aitk"), None);
        tree.folder("etc/open", 0o777);
        let said = tree.refusal("/etc/open/deeper/file").unwrap();
        assert!(said.contains("/etc/open: others than root may write there"), "{said}");
        tree.folder("etc/sticky", 0o1777);
        assert!(tree.refusal("/etc/sticky/file").is_some());
        tree.folder("etc/apt/folder", 0o755);
        assert!(tree.refusal("/etc/apt/folder").unwrap().contains("no plain file"));
    }

    #[test]
    fn a_link_in_the_way_is_followed_and_one_in_its_place_refused() {
        let tree = FileTree(tempfile::tempdir().unwrap());
        tree.folder("usr/etc", 0o755);
        tree.folder("home", 0o777);
        symlink("usr/etc", tree.0.path().join("etc")).unwrap();
        assert_eq!(tree.refusal("/etc/file"), None);
        symlink("/home", tree.0.path().join("usr/etc/apt")).unwrap();
        assert!(tree.refusal("/etc/apt/file").unwrap().contains("/home"));
        symlink("/none", tree.0.path().join("usr/etc/file")).unwrap();
        assert!(tree.refusal("/etc/file").unwrap().contains("no plain file"));
        symlink("round", tree.0.path().join("usr/etc/round")).unwrap();
        assert!(tree.refusal("/etc/round/file").is_some());
    }

    #[test]
    fn both_forms_of_sudo_are_understood() {
        assert!(asks_for_password("sudo: a password is required\n"));
        assert!(asks_for_password("sudo: interactive authentication is required"));
        assert!(!asks_for_password("apt-get: no"));
    }
}
