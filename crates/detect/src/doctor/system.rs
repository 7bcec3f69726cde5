//! The system itself: packages, room, memory, folders, clock, language.

use aitk_system::{FileKind, Message, System, message};
use std::io::ErrorKind;
use std::path::Path;

use super::ProbeContext;
use crate::installers::Setting;
use crate::machine::{Disk, VirtualizationKind};
use crate::tables::is_newer;

/// The locks of apt and dpkg.
const LOCKS: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
];
/// What pip keeps in the temporary folder while it installs PyTorch with CUDA (measured: 2.86 GB).
const PIP_KEEPS: u64 = 3 << 30;
/// What an environment with PyTorch for CUDA takes (measured: 5.4 GB in 35,277 files), with a little to spare.
const ENVIRONMENT: u64 = 6 << 30;
const FILES: u64 = 40_000;
/// The same where it stands already: what notebooks, caches and packages of the user's own take next.
const UPKEEP: u64 = 1 << 30;
const MORE_FILES: u64 = 5_000;
/// Below this, an import of a framework beside an ordinary load is ended by the kernel.
const MEMORY: u64 = 2 << 30;
/// How far a clock may be behind before it matters, in seconds.
const CLOCK: i128 = 300;
/// The first glibc that current frameworks are built for.
const GLIBC: &str = "2.28";
/// Fewer open files than this are too few for Python and its libraries.
const OPEN_FILES: u64 = 256;
/// Fewer processes and threads than this are too few.
const PROCESSES: u64 = 100;

/// A process holds a lock of apt or dpkg.
pub(super) fn locked(case: &ProbeContext<'_>) -> Vec<Message> {
    let system = case.system;
    let Ok(table) = system.text("/proc/locks") else { return Vec::new() };
    let held = LOCKS.iter().find_map(|lock| {
        let inode = system.stat(Path::new(lock)).ok()?.ino;
        let process = table.lines().find_map(|line| holder(line, inode))?;
        let name = crate::line(system, format!("/proc/{process}/comm"));
        let name = name.map_or_else(|| message!("a process"), Message::plain);
        Some(message!("{name} (process {process}) holds {lock}"))
    });
    held.into_iter().collect()
}

/// The process in a line such as `1: POSIX  ADVISORY  WRITE 4242 fe:00:131215 0 EOF`, where that holds this inode.
fn holder(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<_> = line.split_whitespace().collect();
    // A process that waits has an arrow in front, and holds nothing.
    let [_, _, _, "WRITE", process, file, ..] = words[..] else { return None };
    let found: u64 = file.rsplit(':').next()?.parse().ok()?;
    (found == inode).then(|| process.parse().ok()).flatten()
}

/// An installation of packages came to no end. While one is under way that is as it should be.
pub(super) fn interrupted(case: &ProbeContext<'_>) -> Vec<Message> {
    if !locked(case).is_empty() {
        return Vec::new();
    }
    let updates = Path::new("/var/lib/dpkg/updates");
    let journal = case.system.list(updates).unwrap_or_default();
    let pending =
        journal.iter().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).count();
    let mut seen = Vec::new();
    if pending > 0 {
        seen.push(message!("{} holds what dpkg did not finish", updates.display()));
    }
    let status = case.system.text("/var/lib/dpkg/status").unwrap_or_default();
    let unfinished = unfinished(&status);
    if let Some((first, state)) = unfinished.first() {
        let more = match unfinished.len() - 1 {
            0 => Message::default(),
            more => message!(", and {more} more"),
        };
        seen.push(message!("the package {first} is {state}{more}"));
    }
    seen
}

/// Packages that dpkg has begun with and not finished, and how far each is.
fn unfinished(status: &str) -> Vec<(&str, &str)> {
    let mut package = "";
    let mut found = Vec::new();
    for line in status.lines() {
        if let Some(name) = line.strip_prefix("Package: ") {
            package = name.trim();
        } else if let Some(words) = line.strip_prefix("Status: ") {
            let words: Vec<_> = words.split_whitespace().collect();
            let [_, flag, state] = words[..] else { continue };
            if ["half-installed", "half-configured", "unpacked"].contains(&state) {
                found.push((package, state));
            } else if flag == "reinstreq" {
                found.push((package, "damaged"));
            }
        }
    }
    found
}

/// The folder for temporary files is on a small file system of its own.
pub(super) fn small_tmp(case: &ProbeContext<'_>) -> Vec<Message> {
    let has = |disk: &Disk, purpose: &str| disk.uses.iter().any(|own| own == purpose);
    let tmp = case.machine.disks.iter().find(|disk| has(disk, "tmp") && !has(disk, "data"));
    match tmp {
        Some(tmp) if tmp.free < PIP_KEEPS => {
            let kind = match tmp.filesystem.as_str() {
                "tmpfs" => message!(", which is in memory"),
                _ => Message::default(),
            };
            vec![message!("{} has {} free{kind}", tmp.mount.display(), size(tmp.free))]
        }
        _ => Vec::new(),
    }
}

/// No room for an environment: neither bytes nor files may run out.
pub(super) fn full_disk(case: &ProbeContext<'_>) -> Vec<Message> {
    let disks = case.machine.disks.iter();
    let data = disks.filter(|disk| disk.uses.iter().any(|own| own == "data"));
    let (room, files) = match case.prefix {
        Some(_) => (UPKEEP, MORE_FILES),
        None => (ENVIRONMENT, FILES),
    };
    data.flat_map(|disk| {
        let mount = disk.mount.display();
        let bytes = (disk.free < room).then(|| message!("{mount} has {} free", size(disk.free)));
        let inodes = disk.free_inodes.filter(|inodes| *inodes < files);
        bytes
            .into_iter()
            .chain(inodes.map(|inodes| message!("{mount} has room for {inodes} more files")))
    })
    .collect()
}

/// Too little memory without a swap space to fall back on.
pub(super) fn little_memory(case: &ProbeContext<'_>) -> Vec<Message> {
    let memory = &case.machine.memory;
    let (Some(available), Some(usable)) = (memory.available, memory.usable()) else {
        return Vec::new();
    };
    let available = available.min(usable);
    // Compressed memory is memory, and the swap space of a limited group is that of its host.
    let swap = match memory.limit {
        Some(_) => 0,
        None => memory.swap.unwrap_or(0).saturating_sub(memory.zram.unwrap_or(0)),
    };
    if available.saturating_add(swap) >= MEMORY {
        return Vec::new();
    }
    let swap = if swap == 0 {
        message!("no swap space")
    } else {
        message!("{} of swap space", size(swap))
    };
    vec![message!("{} of memory can be used, and there is {swap}", size(available))]
}

/// The C library is not one that builds of frameworks are made for.
pub(super) fn old_libc(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(libc) = &case.machine.libc else { return Vec::new() };
    match (libc.family.as_str(), libc.version.as_deref()) {
        ("musl", _) => vec![message!("the C library is musl")],
        ("glibc", Some(version)) if is_newer(GLIBC, version) => {
            vec![message!("the C library is glibc {version}")]
        }
        _ => Vec::new(),
    }
}

/// Python belongs to the distribution, and pip may not install into it.
pub(super) fn externally_managed(case: &ProbeContext<'_>) -> Vec<Message> {
    let mut seen = told_to_break(case);
    // Who has an environment has no need of the system's Python.
    if case.prefix.is_none()
        && let Some(python) = case.machine.python.first().filter(|python| python.externally_managed)
    {
        let path = python.path.display();
        seen.push(message!("{path} ({}) belongs to the distribution", python.version));
    }
    seen
}

/// Whether pip is told to write into the distribution's Python.
pub(super) fn breaks_the_system(case: &ProbeContext<'_>) -> bool {
    !told_to_break(case).is_empty()
}

fn told_to_break(case: &ProbeContext<'_>) -> Vec<Message> {
    let mut seen = Vec::new();
    let told = case.pip("install").into_iter().filter(breaks);
    seen.extend(told.map(|told| message!("{} says break-system-packages", told.file.display())));
    seen.dedup();
    if case.system.env("PIP_BREAK_SYSTEM_PACKAGES").is_some() {
        seen.push(message!("PIP_BREAK_SYSTEM_PACKAGES is set"));
    }
    seen
}

/// Whether a setting lets pip write into the distribution's Python.
fn breaks(setting: &Setting) -> bool {
    let yes = ["true", "1", "yes", "on"].contains(&setting.value.to_ascii_lowercase().as_str());
    setting.key == "break-system-packages" && yes
}

/// What apt fetched last is from the future.
pub(super) fn clock_behind(case: &ProbeContext<'_>) -> Vec<Message> {
    let folder = Path::new("/var/lib/apt/lists");
    let names = case.system.list(folder).unwrap_or_default();
    let lists = names.iter().filter(|name| name.ends_with("Release"));
    let newest = lists
        .filter_map(|name| case.system.stat(&folder.join(name)).ok())
        .map(|stat| stat.mtime)
        .max();
    let now = case.system.now().as_nanosecond();
    let behind = newest.map(|newest| (i128::from(newest) - now) / 1_000_000_000);
    match behind {
        Some(seconds) if seconds > CLOCK => {
            vec![match seconds / 86_400 {
                0 => message!("the clock is at least {} min behind apt's lists", seconds / 60),
                days => message!("the clock is at least {days} days behind apt's lists"),
            }]
        }
        _ => Vec::new(),
    }
}

/// Folders on file systems that are slow, lock badly or start no programs.
pub(super) fn unfit_folders(case: &ProbeContext<'_>) -> Vec<Message> {
    let mut seen = Vec::new();
    for disk in &case.machine.disks {
        let uses = |purposes: &[&str]| {
            let own = disk.uses.iter().filter(|own| purposes.contains(&own.as_str()));
            own.map(String::as_str).collect::<Vec<_>>().join(", ")
        };
        let (mount, kept) = (disk.mount.display(), uses(&["home", "data", "cache", "state"]));
        if !kept.is_empty() {
            if disk.windows {
                seen.push(message!("{mount} is a disk of Windows; on it: {kept}"));
            } else if disk.is_on_the_network() {
                seen.push(message!(
                    "{mount} is on the network ({}); on it: {kept}",
                    disk.filesystem
                ));
            }
        }
        let run = uses(&["home", "data", "cache", "tmp"]);
        if disk.noexec && !run.is_empty() {
            seen.push(message!("{mount} starts no programs (noexec); on it: {run}"));
        }
    }
    seen
}

/// Folders of the user's that belong to somebody else, as `sudo` leaves them.
pub(super) fn foreign_owner(case: &ProbeContext<'_>) -> Vec<Message> {
    let uid = case.system.host().uid;
    let folders = &case.machine.folders;
    let ours = [&folders.data, &folders.cache, &folders.state, &folders.config, &folders.jupyter];
    // Root looks into any home, and some homes belong to nobody in particular. Another file system is another matter.
    let home = case.system.stat(&folders.home).ok();
    let Some(home) = home.filter(|stat| uid != 0 && stat.uid == uid) else { return Vec::new() };
    let mut seen = Vec::new();
    for folder in ours {
        let below_home = |path: &&Path| path.starts_with(&folders.home) && *path != folders.home;
        let mut foreign = folder.ancestors().take_while(below_home).filter_map(|path| {
            let stat = case.system.stat(path).ok().filter(|stat| stat.dev == home.dev)?;
            let owner = stat.uid;
            (owner != uid).then(|| match owner {
                0 => message!("{} belongs to root", path.display()),
                other => message!("{} belongs to the user {other}", path.display()),
            })
        });
        // The outermost one explains those inside.
        let outermost = foreign.by_ref().last();
        seen.extend(outermost.filter(|told| !seen.contains(told)));
    }
    seen
}

/// Whether something else stands at a path, links followed.
fn is_no_folder(system: &dyn System, path: &Path) -> bool {
    let place = aitk_system::paths::resolve(system, path);
    place.and_then(|place| system.stat(&place).ok()).is_some_and(|stat| stat.kind != FileKind::Dir)
}

/// Temporary files have no place.
pub(super) fn no_temporary(case: &ProbeContext<'_>) -> Vec<Message> {
    let system = case.system;
    match system.env("TMPDIR") {
        Some(named)
            if !named.starts_with('/')
                || aitk_system::paths::resolve(system, Path::new(&named)).is_none() =>
        {
            vec![message!("TMPDIR names {named}, which is not there")]
        }
        Some(named) if is_no_folder(system, Path::new(&named)) => {
            vec![message!("TMPDIR names {named}, which is no folder")]
        }
        named => {
            let folder = named.unwrap_or_else(|| "/tmp".to_owned());
            let folder = Path::new(&folder);
            let refused = [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem];
            let closed = system.access(folder).is_err_and(|error| refused.contains(&error.kind()));
            closed
                .then(|| message!("{} cannot be written to", folder.display()))
                .into_iter()
                .collect()
        }
    }
}

/// So few open files and processes that ordinary work fails.
pub(super) fn limits(case: &ProbeContext<'_>) -> Vec<Message> {
    let Ok(limits) = case.system.text("/proc/self/limits") else { return Vec::new() };
    let soft = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    let files = soft("Max open files").filter(|most| *most < OPEN_FILES);
    let processes =
        soft("Max processes").filter(|most| *most < PROCESSES && case.system.host().uid != 0);
    let files = files.map(|most| message!("{most} files may be open at a time"));
    let processes =
        processes.map(|most| message!("{most} processes and threads may run at a time"));
    files.into_iter().chain(processes).collect()
}

/// The language of the environment is not written in UTF-8.
pub(super) fn no_utf8(case: &ProbeContext<'_>) -> Vec<Message> {
    let locale = case.machine.locale.as_deref();
    let is_utf8 = |locale: &str| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    };
    match locale {
        Some(locale) if is_utf8(locale) => Vec::new(),
        Some(locale) => vec![message!("the locale is {locale}")],
        // Services and containers have none, and a machine of which nothing else is known either.
        None if case.machine.virtualization.kind == VirtualizationKind::BareMetal
            && case.system.env("PATH").is_none() =>
        {
            Vec::new()
        }
        None => vec![message!("neither LC_ALL nor LC_CTYPE nor LANG is set")],
    }
}

fn size(bytes: u64) -> Message {
    let gibibytes = bytes as f64 / f64::from(1_u32 << 30);
    if gibibytes < 1.0 {
        Message::amount(format!("{:.0}", gibibytes * 1024.0), "MiB")
    } else {
        Message::amount(format!("{gibibytes:.1}"), "GiB")
    }
}

/// Programs for 32 bits under a kernel for 64: packages for what the kernel says do not run.
pub(super) fn narrow_userland(case: &ProbeContext<'_>) -> Vec<Message> {
    let narrow = case.machine.userland.as_deref();
    narrow
        .map(|name| {
            message!(
                "the kernel is for {}, and the system's packages for {name}",
                case.machine.arch
            )
        })
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use aitk_system::Replay;

    use super::*;
    use crate::machine::{Libc, Machine};
    use crate::tables::Tables;

    fn of(machine: &Machine, probe: fn(&ProbeContext<'_>) -> Vec<Message>) -> Vec<Message> {
        let system = Replay::tree(Path::new("/nonexistent"));
        probe(&ProbeContext {
            system: &system,
            machine,
            tables: &Tables::default(),
            prefix: None,
            own: None,
        })
    }

    #[test]
    fn a_process_that_waits_for_a_lock_holds_none() {
        assert_eq!(
            holder("1: POSIX  ADVISORY  WRITE 4242 fe:00:131215 0 EOF", 131_215),
            Some(4242)
        );
        assert_eq!(holder("1: -> POSIX  ADVISORY  WRITE 4243 fe:00:131215 0 EOF", 131_215), None);
        assert_eq!(holder("1: POSIX  ADVISORY  READ 4242 fe:00:131215 0 EOF", 131_215), None);
        assert_eq!(holder("1: POSIX", 0), None);
    }

    #[test]
    fn packages_that_dpkg_did_not_finish_are_told() {
        let status = "Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: install ok \
                      half-configured\n\nPackage: c\nStatus: install reinstreq installed\n\nStatus: x\n\
                      Package: d\nStatus: deinstall ok config-files\n";
        assert_eq!(unfinished(status), [("b", "half-configured"), ("c", "damaged")]);
    }

    #[test]
    fn glibc_counts_from_2_28() {
        let with = |family: &str, version: Option<&str>| {
            let libc = Libc { family: family.to_owned(), version: version.map(str::to_owned) };
            !of(&Machine { libc: Some(libc), ..Machine::default() }, old_libc).is_empty()
        };
        assert!(with("glibc", Some("2.27")) && with("musl", None));
        assert!(!with("glibc", Some("2.28")) && !with("glibc", None));
    }

    #[test]
    fn pip_may_be_told_to_break_the_system() {
        let says = |key: &str, value: &str| {
            let (key, value) = (key.to_owned(), value.to_owned());
            breaks(&Setting { file: "/etc/pip.conf".into(), key, value })
        };
        assert!(says("break-system-packages", "True"));
        assert!(!says("break-system-packages", "false") && !says("index-url", "1"));
    }

    #[test]
    fn what_is_not_known_is_no_finding() {
        for probe in
            [locked, interrupted, small_tmp, full_disk, little_memory, clock_behind, no_utf8]
        {
            assert_eq!(of(&Machine::default(), probe), Vec::<Message>::new());
        }
    }
}
