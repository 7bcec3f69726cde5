//! There is swap space in a file, now and after a restart.

use std::path::{Path, PathBuf};

use aitk_detect::VirtualizationKind;
use aitk_plan::step::SwapFile;
use aitk_plan::{Bytes, Plan, SWAP_FILE, Step};
use aitk_system::{Command, Message, System, ToMessage, message};

use super::root::{self, RootAction};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, TakenBack, Work, help_where_refused};
use crate::context::Context;
use crate::error::ExecError;
use crate::places::Thing;

const FSTAB: &str = "/etc/fstab";
/// What marks aitk's line; what reads the file looks at six words of a line and no further.
const MARK: &str = "# aitk";
const MIB: u64 = 1 << 20;

fn key(path: &str) -> String {
    format!("swap:{path}")
}

/// How things stand with a swap file.
struct SwapState {
    there: bool,
    active: bool,
    /// Whether it is used after a restart.
    lasting: bool,
    ours: bool,
}

fn state(cx: &Context<'_>, path: &str) -> Result<SwapState, ExecError> {
    Ok(SwapState {
        there: cx.system.exists(path),
        active: is_active(&root::text(cx, "/proc/swaps")?, path),
        lasting: is_lasting(&root::text(cx, FSTAB)?, path),
        ours: cx.memo().receipt.has_made(&key(path)),
    })
}

/// By `/proc/swaps`, whose first word is the file.
fn is_active(swaps: &str, path: &str) -> bool {
    swaps.lines().any(|line| line.split_whitespace().next() == Some(path))
}

/// By `fstab(5)`.
fn is_lasting(fstab: &str, path: &str) -> bool {
    fstab.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        matches!(words[..], [file, _, "swap", ..] if file == path)
    })
}

/// The file system that a path is on: the last of the longest mount points above it.
fn file_system(cx: &Context<'_>, path: &Path) -> Result<String, ExecError> {
    // What detection reads as well: a recorded machine has it.
    let mounts = root::text(cx, "/proc/self/mountinfo")?;
    let above = mounts.lines().filter_map(|line| {
        let (mounted, kind) = line.split_once(" - ")?;
        let (point, kind) = (mounted.split(' ').nth(4)?, kind.split(' ').next()?);
        path.starts_with(point).then_some((point.len(), kind))
    });
    Ok(above.max_by_key(|(length, _)| *length).map_or("unknown", |(_, kind)| kind).to_owned())
}

/// What makes the file, on its file system: a swap file may have no holes, and no blocks that move.
fn make(cx: &Context<'_>, path: &str, size: u64) -> Result<Vec<Command>, ExecError> {
    let refuse =
        |reason: Message, remedy| Err(ExecError::NoSwapFile { path: path.into(), reason, remedy });
    let allocate = match file_system(cx, Path::new(path))?.as_str() {
        "ext4" | "xfs" => Command::as_root(["fallocate", "-l", &size.to_string(), path]),
        "ext2" | "ext3" | "jfs" => {
            let (to, count) = (format!("of={path}"), format!("count={}", size.div_ceil(MIB)));
            Command::as_root(["dd", "if=/dev/zero", &to, "bs=1M", &count, "status=none"])
        }
        "btrfs" => {
            let help = Command::reads(["btrfs", "filesystem", "mkswapfile", "--help"]);
            let knows = cx.system.which("btrfs").is_some() && cx.system.run(&help)?.success();
            if !knows {
                return refuse(
                    message!("btrfs needs `btrfs filesystem mkswapfile` for it"),
                    message!(
                        "install btrfs-progs 6.1 or newer, or name a file on another file system"
                    ),
                );
            }
            let size = size.to_string();
            let words = ["btrfs", "filesystem", "mkswapfile", "--size", &size, path];
            return Ok(vec![Command::as_root(words)]);
        }
        other => {
            return refuse(
                message!("its file system, {other}, has none"),
                message!("make a swap partition, or name a file on another file system"),
            );
        }
    };
    // Nobody else may read what memory holds, not even before it holds any.
    let close = Command::as_root(["chmod", "600", path]);
    Ok(vec![allocate, close, Command::as_root(["mkswap", path])])
}

/// Refuses what cannot be done here, and a file of somebody else's.
fn refuse(cx: &Context<'_>, swap: &SwapFile) -> Result<(), ExecError> {
    let path = swap.path.as_str();
    if cx.machine.virtualization.kind == VirtualizationKind::Container {
        return Err(ExecError::NoSwapFile {
            path: path.into(),
            reason: message!("a container has the memory and the swap space of its host"),
            remedy: message!("make one on the host"),
        });
    }
    if !is_plain(path) {
        return Err(ExecError::NoSwapFile {
            path: path.into(),
            reason: message!(
                "its name has other signs than letters, digits, `/`, `.`, `-` and `_`"
            ),
            remedy: message!("name it otherwise"),
        });
    }
    root::only_file(cx.system, Path::new(path))?;
    let SwapState { there, ours, .. } = state(cx, path)?;
    if there && !ours { Err(ExecError::Foreign { path: path.into() }) } else { Ok(()) }
}

/// What is still to be done.
fn deeds(cx: &Context<'_>, swap: &SwapFile) -> Result<Vec<RootAction>, ExecError> {
    refuse(cx, swap)?;
    let (path, size) = (swap.path.as_str(), swap.size);
    let SwapState { there, active, lasting, .. } = state(cx, path)?;
    let mut commands = Vec::new();
    if !active {
        // It comes last into fstab: before that it may be half made.
        if !(there && lasting) {
            commands.extend(there.then(|| root::delete([path])));
            commands.extend(make(cx, path, size)?);
        }
        commands.push(Command::as_root(["swapon", path]));
    }
    let mut deeds: Vec<_> = commands.into_iter().map(RootAction::Run).collect();
    if !lasting {
        let fstab = root::text(cx, FSTAB)?;
        // A last line without an end would be continued.
        let end = if fstab.is_empty() || fstab.ends_with('\n') { "" } else { "\n" };
        deeds.push(RootAction::add(FSTAB, format!("{end}{path} none swap sw 0 0 {MARK}\n")));
    }
    Ok(deeds)
}

/// A path that is the same word in fstab and in a regular expression.
fn is_plain(path: &str) -> bool {
    path.starts_with('/') && path.chars().all(|c| c.is_ascii_alphanumeric() || "/-_.".contains(c))
}

/// Whether aitk's own line in fstab names a swap file: by it the file is known to be aitk's, whatever a receipt says.
pub(crate) fn is_marked(path: &str, system: &dyn System) -> bool {
    let fstab = system.text(FSTAB).unwrap_or_default();
    fstab.lines().any(|line| line.ends_with(MARK) && is_lasting(line, path))
}

/// Whether somebody else's line in fstab names it.
fn is_anothers(path: &str, system: &dyn System) -> bool {
    is_lasting(&system.text(FSTAB).unwrap_or_default(), path) && !is_marked(path, system)
}

/// What to say of a swap file that stays.
fn stays(path: &str, system: &dyn System) -> Option<Message> {
    is_anothers(path, system).then(|| {
        message!(
            "{path} stays: the line in {FSTAB} that names it is not aitk's; if it is yours to take: sudo swapoff {path} && sudo rm {path}"
        )
    })
}

/// What takes a swap file away again.
fn undo(path: &str, system: &dyn System) -> Vec<Command> {
    if is_anothers(path, system) {
        return Vec::new();
    }
    let text = |file: &str| system.text(file).unwrap_or_default();
    let mut commands = Vec::new();
    if is_active(&text("/proc/swaps"), path) {
        commands.push(Command::as_root(["swapoff", path]));
    }
    if is_lasting(&text(FSTAB), path) {
        let line = format!(r"\|^{} .*{MARK}$|d", path.replace('.', r"\."));
        commands.push(Command::as_root(["sed", "-i", &line, FSTAB]));
    }
    commands.extend(system.exists(path).then(|| root::delete([path])));
    commands
}

/// Looks whether there is room before anything is done.
fn enough_room(cx: &Context<'_>, path: &str, size: u64) -> Result<(), ExecError> {
    let folder = Path::new(path).parent().unwrap_or(Path::new("/"));
    match cx.system.space(folder) {
        Ok(space) if space.free < size && !cx.system.exists(path) => Err(ExecError::NoSpace {
            path: PathBuf::from(folder),
            free: Bytes(space.free).to_message(),
            needed: Bytes(size).to_message(),
        }),
        _ => Ok(()),
    }
}

impl Ensure for SwapFile {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("{} is in use as swap", self.path)
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let path = self.path.as_str();
        let SwapState { active, lasting, ours, .. } = state(cx, path)?;
        let mut missing = Vec::new();
        if !active {
            missing.push(message!("{path} is not in use"));
        }
        // Whoever made another one knows how it is found after a restart.
        if !lasting && (ours || !active) {
            missing.push(message!("{FSTAB} does not name {path}"));
        }
        if missing.is_empty() {
            return Ok(CheckOutcome::Holds);
        }
        Ok(CheckOutcome::of(missing).helped_by(help_where_refused(refuse(cx, self))?))
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let disk = Some(self.size);
        Ok(Exact::one(Step { disk, ..root::shown(cx, step, &deeds(cx, self)?) }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let (path, size) = (self.path.as_str(), self.size);
        let deeds = deeds(cx, self)?;
        enough_room(cx, path, size)?;
        let made = vec![ReceiptEntry::created(key(path), None)];
        let there = || cx.system.exists(path);
        cx.about_to(&work.step.id, &made, there, || root::carry_out(cx, work, &deeds))?;
        Ok(made)
    }

    /// What aitk has made is noted before it is there, so the rest was there before.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let path = self.path.as_str();
        cx.system.exists(path).then(|| ReceiptEntry::found(key(path), None)).into_iter().collect()
    }

    fn undo(thing: &Thing, _: Option<&str>, system: &dyn System) -> Option<TakenBack> {
        (*thing == Thing::Swap).then(|| (undo(SWAP_FILE, system), stays(SWAP_FILE, system)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::in_the_way;
    use crate::steps::testing::{Machine, NOTED, step};

    const PATH: &str = "/swapfile";
    const LINE: &str = "/swapfile none swap sw 0 0 # aitk";
    const SWAPS: &str = "Filename Type Size Used Priority\n/swapfile file 4194300 0 -2\n";

    fn action() -> SwapFile {
        SwapFile { path: PATH.to_owned(), size: 4 << 30 }
    }

    fn machine(file_system: &str) -> Machine {
        let machine = Machine::new("{}");
        let root = format!(
            "29 1 254:1 / / rw shared:1 - {file_system} /dev/vda1 rw\n30 29 0:26 / /run rw - tmpfs tmpfs rw\n"
        );
        machine.file("/proc/self/mountinfo", &root);
        machine.file(FSTAB, "/dev/vda1 / ext4 defaults 0 1\n");
        machine
    }

    fn commands(machine: &Machine, receipt: Receipt) -> Result<Vec<String>, ExecError> {
        let shown = machine.apply(action(), receipt)?.shown;
        Ok(shown.commands.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn it_is_made_closed_used_and_remembered_in_this_order() {
        let machine = machine("ext4");
        let ran = machine.apply(action(), Receipt::default()).unwrap();
        let expected = [
            "sudo fallocate -l 4294967296 /swapfile",
            "sudo chmod 600 /swapfile",
            "sudo mkswap /swapfile",
            "sudo swapon /swapfile",
            "sudo tee -a /etc/fstab",
        ];
        assert_eq!(ran.shown.commands, expected);
        assert_eq!(ran.shown.writes[0].content, format!("{LINE}\n"));
        assert_eq!(ran.did[0], NOTED);
        assert_eq!(ran.did[1..6], expected.map(|command| format!("run {command}")));
        assert!(ran.receipt.has_made("swap:/swapfile"));
    }

    #[test]
    fn the_file_system_decides_how_and_whether() {
        let dd = "sudo dd if=/dev/zero of=/swapfile bs=1M count=4096 status=none";
        assert_eq!(commands(&machine("ext3"), Receipt::default()).unwrap()[0], dd);
        for other in ["zfs", "btrfs", "overlay", "nfs4"] {
            let refused = commands(&machine(other), Receipt::default()).unwrap_err();
            assert!(matches!(refused, ExecError::NoSwapFile { .. }), "{other}: {refused}");
        }
    }

    #[test]
    fn a_btrfs_that_can_make_one_does() {
        let machine = Machine::new(
            r#"{"which": {"btrfs": "/usr/bin/btrfs"},
                "commands": {"btrfs filesystem mkswapfile --help": {"status": 0, "stdout": "", "stderr": ""}}}"#,
        );
        machine.file("/proc/self/mountinfo", "29 1 254:1 / / rw - btrfs /dev/vda1 rw\n");
        let commands = commands(&machine, Receipt::default()).unwrap();
        let made = "sudo btrfs filesystem mkswapfile --size 4294967296 /swapfile";
        assert_eq!(commands[..2], [made, "sudo swapon /swapfile"]);
    }

    #[test]
    fn somebody_elses_file_is_left_alone() {
        let machine = machine("ext4");
        machine.file(PATH, "");
        let lacks = machine.check(&step(action())).unwrap().lacks();
        assert!(
            lacks.iter().all(|lack| lack.remedy == Some(in_the_way(Path::new(PATH)))),
            "{lacks:?}"
        );
        let refused = commands(&machine, Receipt::default()).unwrap_err();
        assert!(matches!(refused, ExecError::Foreign { .. }), "{refused}");
        machine.file("/proc/swaps", SWAPS);
        assert_eq!(machine.check(&step(action())).unwrap(), CheckOutcome::Holds);
    }

    #[test]
    fn what_a_run_that_was_killed_left_is_made_again_or_completed() {
        let machine = machine("ext4");
        let ours = || machine.receipt_of(&["swap:/swapfile"]);
        machine.file(PATH, "half");
        let again = commands(&machine, ours()).unwrap();
        assert_eq!((again[0].as_str(), again.len()), ("sudo rm -f -- /swapfile", 6));
        machine.file("/proc/swaps", SWAPS);
        let missing = CheckOutcome::missing("/etc/fstab does not name /swapfile");
        assert_eq!(machine.check_with(&step(action()), ours()).unwrap(), missing);
        assert_eq!(commands(&machine, ours()).unwrap().len(), 1);
        machine.file(FSTAB, &format!("/dev/vda1 / ext4 defaults 0 1\n{LINE}\n"));
        let holds = machine.check_with(&step(action()), ours()).unwrap();
        assert_eq!(holds, CheckOutcome::Holds);
        machine.file("/proc/swaps", "Filename\n");
        assert_eq!(commands(&machine, ours()).unwrap(), ["sudo swapon /swapfile"]);
    }

    /// The commands themselves, on a file that stands for fstab.
    #[test]
    fn fstab_gets_one_line_and_loses_just_that_one() {
        let machine = machine("ext4");
        let before = "/dev/vda1 / ext4 defaults 0 1\n/swapfile2 none swap sw 0 0";
        machine.file(FSTAB, before);
        let fstab = machine.path(FSTAB).to_string_lossy().into_owned();
        let run = |command: &Command| {
            let words = command.argv.iter().map(|word| word.replace(FSTAB, &fstab));
            let command = Command { input: command.input.clone(), ..Command::changes(words) };
            assert!((&aitk_system::Real as &dyn System).run(&command).unwrap().success());
        };
        let append =
            machine.with(Receipt::default(), |cx| deeds(cx, &action()).unwrap().pop().unwrap());
        run(&append.command());
        let text = || machine.system().text(FSTAB).unwrap();
        assert_eq!(text(), format!("{before}\n{LINE}\n"));
        let undo = undo(PATH, machine.system());
        assert_eq!(undo.len(), 1);
        run(&undo[0]);
        assert_eq!(text(), format!("{before}\n"));
    }

    #[test]
    fn all_of_it_is_taken_away_in_the_order_in_which_it_can() {
        let machine = machine("ext4");
        machine.file(PATH, "");
        machine.file("/proc/swaps", SWAPS);
        machine.file(FSTAB, &format!("{LINE}\n"));
        let typed: Vec<_> = undo(PATH, machine.system()).iter().map(Command::to_string).collect();
        let line = r"sudo sed -i '\|^/swapfile .*# aitk$|d' /etc/fstab";
        assert_eq!(typed, ["sudo swapoff /swapfile", line, "sudo rm -f -- /swapfile"]);
        assert!(undo("/none", machine.system()).is_empty());
        assert_eq!(stays(PATH, machine.system()), None);
        // That of the distribution's own installation has the same name.
        machine.file(FSTAB, "/swapfile none swap sw 0 0\n");
        assert!(undo(PATH, machine.system()).is_empty(), "a receipt may say what it likes");
        assert!(stays(PATH, machine.system()).is_some() && !is_marked(PATH, machine.system()));
    }
}
