//! aitk's own four folders: they are the user's alone. What somebody else could have put there is never read as if it
//! were aitk's, and root leaves nothing in the home of another user.

use std::path::{Path, PathBuf};

use aitk_detect::{Folders, folders};
use aitk_env::CACHE;
use aitk_exec::is_own_cache;
use aitk_plan::warnings::UNFIT_FOLDER;
use aitk_plan::{Warning, names};
use aitk_system::{
    Fault, FileKind, Real, Stat, System, ToMessage, keep_private, make_private, message,
};

use crate::args::Verb;
use crate::error::CliError;
use crate::output::Console;

/// The current folder; `None` where it is gone.
pub fn here() -> Option<PathBuf> {
    std::path::absolute(".").ok()
}

/// The rights by which others than the user could change something.
const OTHERS: u32 = 0o022;

/// What marks a folder as a cache, as bford.info/cachedir has it.
const CACHE_TAG: &[u8] = b"Signature: 8a477f597d28d172789f06886806bc55\n\
# Written by aitk: everything here is downloaded again where it is needed.\n";

/// What a command does with the folders.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Touch {
    /// It needs nothing of what lies there.
    Nothing,
    /// It believes what lies there.
    Reads,
    /// It leaves something there or in the home folder.
    Writes,
}

fn touch(verb: &Verb) -> Touch {
    match verb {
        Verb::Detect(_) | Verb::Doctor(_) | Verb::Advise(_) => Touch::Nothing,
        Verb::Profiles(_) | Verb::Completions { .. } | Verb::Man(_) => Touch::Nothing,
        Verb::Status(_) => Touch::Reads,
        _ => Touch::Writes,
    }
}

/// Begins every command: from now on the folders are private, and what is wrong with them is refused or mended.
pub fn look_after(verb: &Verb, output: &Console) -> Result<(), CliError> {
    refuse_unfit(&Real)?;
    let folders = folders(&Real);
    keep_private(own(&folders).map(Path::to_owned).into());
    let touch = touch(verb);
    if touch == Touch::Writes {
        refuse_home_of_another(&Real, &folders.home)?;
        refuse_no_home(&Real, &folders)?;
    }
    if touch != Touch::Nothing {
        for place in own(&folders) {
            // Settings are only read, and an administrator may have made them.
            let touch = if place == folders.config { Touch::Reads } else { touch };
            match stranger(&Real, place, touch)? {
                Stranger::Nobody => {}
                Stranger::MayHaveBeen(folder) => mend(&folder, output)?,
            }
            if touch == Touch::Writes {
                refuse_links(&Real, place)?;
            }
        }
    }
    Ok(())
}

/// The name of the mark of a cache.
pub const TAG: &str = "CACHEDIR.TAG";

/// Marks the cache for whoever makes backups, since it can be had again: where it is this user's, and holds nothing but what
/// aitk puts there.
pub fn tag_cache(system: &dyn System) {
    let cache = folders(system).cache;
    let is_plain = system
        .stat(&cache)
        .is_ok_and(|stat| stat.kind == FileKind::Dir && stat.uid == system.host().uid);
    let names = system.list(&cache).unwrap_or_default();
    let is_ours = !names.is_empty() && names.iter().all(|name| CACHE.contains(&name.as_str()));
    if is_plain && is_ours && is_own_cache(&cache) {
        let tag = cache.join(TAG);
        // A backup that takes it along is larger, and that is all.
        let _ = system.write(&tag, CACHE_TAG, 0o644);
    }
}

/// What a plan has to say of folders that it will need and that cannot be written to, as `sudo` and mounts leave them.
pub fn closed(system: &dyn System, folders: &Folders) -> Vec<Warning> {
    let mut warnings: Vec<Warning> = Vec::new();
    for place in [&folders.data, &folders.state, &folders.jupyter] {
        let there = place.ancestors().find(|above| system.exists(above));
        let open = |folder: &Path| system.access(folder).and_then(|()| system.list(folder));
        let Some(Err(source)) = there.map(open) else { continue };
        let Some(fault) = Fault::of(&source) else { continue };
        let hint = fault.hint(place);
        if warnings.iter().all(|known| known.hint.as_ref() != Some(&hint)) {
            let message = message!(
                "{} cannot be made or written to: {}",
                place.display(),
                source.to_message()
            );
            warnings.push(Warning::new(UNFIT_FOLDER, message, hint));
        }
    }
    warnings
}

/// A folder that was set and cannot be one is not passed over in silence.
fn refuse_unfit(system: &dyn System) -> Result<(), CliError> {
    const OWN: [&str; 4] = ["AITK_CONFIG_DIR", "AITK_DATA_DIR", "AITK_CACHE_DIR", "AITK_STATE_DIR"];
    for flag in OWN {
        let Some(value) = system.env(flag) else { continue };
        let path = value.trim_end_matches('/');
        names::system_path::check(path)
            .map_err(|unfit| CliError::Unfit { flag: flag.to_owned(), unfit })?;
    }
    Ok(())
}

fn own(folders: &Folders) -> [&Path; 4] {
    [&folders.config, &folders.data, &folders.cache, &folders.state]
}

/// What root makes in the home folder of a user that user cannot change later.
fn refuse_home_of_another(system: &dyn System, home: &Path) -> Result<(), CliError> {
    match reached(system, home)? {
        Some((_, stat)) if system.host().uid == 0 && stat.uid != 0 => {
            Err(CliError::HomeOfAnother { home: home.to_owned() })
        }
        _ => Ok(()),
    }
}

/// Where nobody says what the home folder is, everything would go to `/`, which is root's.
fn refuse_no_home(system: &dyn System, folders: &Folders) -> Result<(), CliError> {
    let root = Path::new("/");
    let usual = [".local/share/aitk", ".cache/aitk", ".local/state/aitk", ".local/share/jupyter"];
    let own = [&folders.data, &folders.cache, &folders.state, &folders.jupyter];
    let lost = own.into_iter().zip(usual).any(|(folder, usual)| *folder == root.join(usual));
    match folders.home == root && lost && system.access(root).is_err() {
        true => Err(CliError::NoHome),
        false => Ok(()),
    }
}

/// Whether somebody else could have changed a folder.
#[derive(Debug, PartialEq, Eq)]
enum Stranger {
    Nobody,
    /// Its rights let others write there; where it is, links followed.
    MayHaveBeen(PathBuf),
}

fn stranger(system: &dyn System, place: &Path, touch: Touch) -> Result<Stranger, CliError> {
    let Some((folder, stat)) = reached(system, place)? else { return Ok(Stranger::Nobody) };
    if stat.kind != FileKind::Dir {
        return Ok(Stranger::Nobody);
    }
    let of_root = stat.uid == 0 && touch == Touch::Reads;
    if stat.uid != system.host().uid && !of_root {
        return Err(CliError::FolderOfAnother { path: folder });
    }
    if stat.mode & OTHERS == 0 || of_root {
        return Ok(Stranger::Nobody);
    }
    match foreign(system, &folder, stat.uid) {
        Some(path) => Err(CliError::FolderOfAnother { path }),
        None => Ok(Stranger::MayHaveBeen(folder)),
    }
}

/// The first thing below a folder that belongs to another user.
fn foreign(system: &dyn System, folder: &Path, uid: u32) -> Option<PathBuf> {
    system.list(folder).unwrap_or_default().into_iter().find_map(|name| {
        let path = folder.join(name);
        match system.stat(&path).ok()? {
            stat if stat.uid != uid && stat.uid != 0 => Some(path),
            stat if stat.kind == FileKind::Dir => foreign(system, &path, uid),
            _ => None,
        }
    })
}

/// The whole folder may be a link of the user's, to a larger disk. Below it none is followed: what is written and taken
/// away there would be at a place that is no folder of aitk's.
fn refuse_links(system: &dyn System, place: &Path) -> Result<(), CliError> {
    for name in system.list(place).unwrap_or_default() {
        let path = place.join(name);
        if system.stat(&path).is_ok_and(|stat| stat.kind == FileKind::Link)
            // A file that is a link is replaced, or opened without following.
            && reached(system, &path)?.is_none_or(|(_, stat)| stat.kind == FileKind::Dir)
        {
            return Err(CliError::LinkInside { path, folder: place.to_owned() });
        }
    }
    Ok(())
}

/// Where a path leads and what is there; a link of somebody else's on the last step is refused.
fn reached(system: &dyn System, path: &Path) -> Result<Option<(PathBuf, Stat)>, CliError> {
    let uid = system.host().uid;
    let mut path = path.to_owned();
    for _ in 0..aitk_system::paths::MAX_LINKS {
        // What cannot be looked at is told by whoever needs it.
        let Ok(stat) = system.stat(&path) else { return Ok(None) };
        match stat.kind {
            FileKind::Link if stat.uid != uid && stat.uid != 0 => {
                return Err(CliError::FolderOfAnother { path });
            }
            FileKind::Link => {
                let target = system.read_link(&path).map_err(CliError::io(&path))?;
                path = path.parent().unwrap_or(Path::new("/")).join(target);
            }
            _ => return Ok(Some((path, stat))),
        }
    }
    Ok(None)
}

fn mend(folder: &Path, output: &Console) -> Result<(), CliError> {
    make_private(folder).map_err(CliError::io(folder))?;
    // A file system without rights of its own lets everybody do what its mount allows.
    let mended = Real.stat(folder).is_ok_and(|stat| stat.mode & OTHERS == 0);
    let folder = folder.display();
    output.say(match mended {
        true => message!("Others could write in {folder}; now it is yours alone."),
        false => message!("Others can write in {folder}: its file system knows no owners."),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of a user with an id, of which these paths are known: owner, mode, and where a link leads.
    fn machine(
        uid: u32,
        paths: &[(&str, u32, u32, Option<&str>)],
    ) -> (tempfile::TempDir, aitk_system::Replay) {
        let folder = tempfile::tempdir().unwrap();
        let mut stats = serde_json::Map::new();
        let mut links = serde_json::Map::new();
        for (path, owner, mode, link) in paths {
            let kind = if link.is_some() { "link" } else { "dir" };
            let stat = serde_json::json!({ "kind": kind, "size": 0, "mode": mode, "uid": owner, "gid": owner,
                "mtime": 0, "dev": 1, "ino": 1 });
            stats.insert((*path).to_owned(), stat);
            if let Some(target) = link {
                links.insert((*path).to_owned(), (*target).into());
            }
        }
        let host = serde_json::json!({ "uid": uid, "gid": uid, "groups": [], "arch": "" });
        let answers = serde_json::json!({ "schema": 1, "host": host, "stats": stats, "links": links,
            "lists": { "/own": ["runs"] } });
        let file = folder.path().join("answers.json");
        Real.write(&file, answers.to_string().as_bytes(), 0o644).unwrap();
        let replay = aitk_system::Replay::open(folder.path()).unwrap();
        (folder, replay)
    }

    /// The code of the refusal, or whether it has to be mended.
    fn found(uid: u32, touch: Touch, paths: &[(&str, u32, u32, Option<&str>)]) -> String {
        use aitk_system::Explain;
        match stranger(&machine(uid, paths).1, Path::new("/own"), touch) {
            Ok(found) => format!("{found:?}"),
            Err(error) => error.code().to_owned(),
        }
    }

    #[test]
    fn a_folder_of_somebody_elses_is_refused_and_one_that_others_can_write_to_is_mended() {
        let writes = |paths: &[_]| found(1000, Touch::Writes, paths);
        assert_eq!(writes(&[]), "Nobody");
        assert_eq!(writes(&[("/own", 1000, 0o755, None)]), "Nobody");
        assert_eq!(writes(&[("/own", 1001, 0o700, None)]), "AITK-C22");
        assert_eq!(writes(&[("/own", 0, 0o755, None)]), "AITK-C22");
        let open = ("/own", 1000, 0o777, None);
        assert_eq!(writes(&[open, ("/own/runs", 1000, 0o700, None)]), r#"MayHaveBeen("/own")"#);
        assert_eq!(writes(&[open, ("/own/runs", 1001, 0o700, None)]), "AITK-C22");
        // Who only looks may look at what root has made.
        assert_eq!(found(1000, Touch::Reads, &[("/own", 0, 0o755, None)]), "Nobody");
    }

    #[test]
    fn without_a_home_folder_nothing_is_looked_for_in_the_roots_of_the_disk() {
        let folders = |env: &str| {
            let root = tempfile::tempdir().unwrap();
            let answers = format!(
                r#"{{"schema": 1, "host": {{"uid": 12345, "gid": 0, "groups": [], "arch": ""}}, "env": {env},
                "access": {{"/": false}}}}"#
            );
            Real.write(&root.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
            let system = aitk_system::Replay::open(root.path()).unwrap();
            let found = folders(&system);
            refuse_no_home(&system, &found).map_err(|error| error.to_string())
        };
        for nowhere in
            ["{}", r#"{"HOME": "/"}"#, r#"{"HOME": "relative", "AITK_DATA_DIR": "/srv/d"}"#]
        {
            assert!(folders(nowhere).is_err(), "{nowhere}");
        }
        let all = r#"{"AITK_DATA_DIR": "/srv/d", "AITK_CACHE_DIR": "/srv/c", "AITK_STATE_DIR": "/srv/s", "JUPYTER_DATA_DIR": "/srv/j"}"#;
        for somewhere in [r#"{"HOME": "/srv/h"}"#, all] {
            assert_eq!(folders(somewhere), Ok(()), "{somewhere}");
        }
    }

    #[test]
    fn a_link_counts_where_the_user_or_root_has_laid_it() {
        let to = |owner| [("/own", owner, 0o777, Some("data/x")), ("/data/x", 1000, 0o700, None)];
        assert_eq!(found(1000, Touch::Writes, &to(1000)), "Nobody");
        assert_eq!(found(1000, Touch::Writes, &to(0)), "Nobody");
        assert_eq!(found(1000, Touch::Writes, &to(1001)), "AITK-C22");
    }

    #[test]
    fn the_whole_folder_may_be_a_link_and_nothing_in_it() {
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        let link = |to: &str, path: &str| Real.symlink(&at(to), &at(path)).unwrap();
        Real.create_dir(&at("disk/runs")).unwrap();
        Real.create_dir(&at("thesis")).unwrap();
        Real.write(&at("note"), b"", 0o600).unwrap();
        link("disk", "state");
        assert!(refuse_links(&Real, &at("state")).is_ok());
        // What is opened without following says so itself.
        link("note", "disk/lock");
        assert!(refuse_links(&Real, &at("state")).is_ok());
        for to in ["thesis", "gone"] {
            Real.remove(&at("disk/runs")).unwrap();
            link(to, "disk/runs");
            let refused = refuse_links(&Real, &at("state")).unwrap_err().to_string();
            assert!(refused.contains("state/runs is a link"), "{refused}");
        }
        assert!(refuse_links(&Real, &at("none")).is_ok());
    }

    #[test]
    fn a_plan_names_once_what_gives_a_taken_folder_back() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        Real.create_dir(&home.join(".local/share")).unwrap();
        let folders = Folders {
            data: home.join(".local/share/aitk"),
            state: home.join(".local/state/aitk"),
            jupyter: home.join(".local/share/jupyter"),
            ..Folders::default()
        };
        assert_eq!(closed(&Real, &folders), []);
        // Root may write anywhere; a file in the way stops everybody.
        Real.write(&home.join(".local/state"), b"", 0o600).unwrap();
        let told = closed(&Real, &folders);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].message.to_string().contains(".local/state/aitk"));
    }

    #[test]
    fn root_leaves_nothing_in_the_home_of_another() {
        let refused = |uid, owner| {
            let (_folder, system) = machine(uid, &[("/home/ann", owner, 0o755, None)]);
            refuse_home_of_another(&system, Path::new("/home/ann")).is_err()
        };
        assert!(refused(0, 1000));
        assert!(!refused(0, 0) && !refused(1000, 1000));
        assert!(refuse_home_of_another(&machine(0, &[]).1, Path::new("/")).is_ok());
    }
}
