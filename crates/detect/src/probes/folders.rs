//! The folders that the user's environment names.

use std::path::{Path, PathBuf};

use aitk_system::{System, message, paths};

use crate::machine::Folders;
use crate::notes::{self, Notes};

/// The user's own folders and `aitk`'s, by the XDG Base Directory Specification: a path that is not
/// absolute is ignored. The home folder and what lies in it have one name, whichever link they are reached by: what is
/// written into files and notes is the same for all of them.
pub fn folders(system: &dyn System) -> Folders {
    let home = folder(system, "HOME").or_else(|| home_of(system)).unwrap_or_else(|| "/".into());
    let home = paths::resolve(system, &home).unwrap_or(home);
    let folder = |variable| folder(system, variable).map(|path| named_from(system, &home, path));
    let base = |variable, default| folder(variable).unwrap_or_else(|| home.join(default));
    let own = |variable, base: &PathBuf| folder(variable).unwrap_or_else(|| base.join("aitk"));
    let data = base("XDG_DATA_HOME", ".local/share");
    Folders {
        config: own("AITK_CONFIG_DIR", &base("XDG_CONFIG_HOME", ".config")),
        data: own("AITK_DATA_DIR", &data),
        cache: own("AITK_CACHE_DIR", &base("XDG_CACHE_HOME", ".cache")),
        state: own("AITK_STATE_DIR", &base("XDG_STATE_HOME", ".local/state")),
        jupyter: folder("JUPYTER_DATA_DIR").unwrap_or_else(|| data.join("jupyter")),
        tmp: folder("TMPDIR").unwrap_or_else(|| "/tmp".into()),
        home,
    }
}

/// A path by the name of the home folder that it lies in. Links further down stay: whose they are is looked at where they
/// are followed.
fn named_from(system: &dyn System, home: &Path, path: PathBuf) -> PathBuf {
    let is_home = |above: &&Path| paths::resolve(system, above).as_deref() == Some(home);
    let inside = path.ancestors().find(is_home).and_then(|above| path.strip_prefix(above).ok());
    inside.map_or_else(|| path.clone(), |inside| home.join(inside).components().collect())
}

/// Where the programs of a user keep their configuration.
pub(crate) fn config_home(system: &dyn System, folders: &Folders) -> PathBuf {
    folder(system, "XDG_CONFIG_HOME").unwrap_or_else(|| folders.home.join(".config"))
}

/// The folders, with a note where they hang in the air.
pub(crate) fn probe(system: &dyn System, notes: &mut Notes) -> Folders {
    let folders = folders(system);
    notes.source_in_words("folders", message!("HOME, TMPDIR, XDG_* and AITK_* variables"));
    if folders.home.parent().is_none() {
        let message = message!("neither HOME nor /etc/passwd says where the home folder is");
        notes.add(notes::HOME, message, Some(message!("set HOME")));
    }
    folders
}

fn folder(system: &dyn System, variable: &str) -> Option<PathBuf> {
    let path = system.env(variable).map(PathBuf::from).filter(|path| path.is_absolute())?;
    // One place has one name: without a slash at its end or twice in a row.
    Some(path.components().collect())
}

/// The home folder in `/etc/passwd`, for services and containers that run without `HOME`.
fn home_of(system: &dyn System) -> Option<PathBuf> {
    let uid = system.host().uid.to_string();
    let text = crate::text(system, "/etc/passwd").ok()?;
    let fields = text.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = fields.into_iter().find(|fields| fields.get(2) == Some(&uid.as_str()))?;
    user.get(5).map(PathBuf::from).filter(|path| path.is_absolute())
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    fn with(env: &str, passwd: &str) -> Folders {
        let folder = tempfile::tempdir().unwrap();
        let answers = format!(
            r#"{{"schema": 1, "host": {{"uid": 33, "gid": 33, "groups": [], "arch": ""}},
            "env": {env}}}"#
        );
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        Real.write(&folder.path().join("root/etc/passwd"), passwd.as_bytes(), 0o644).unwrap();
        folders(&Replay::open(folder.path()).unwrap())
    }

    #[test]
    fn own_variables_win_over_xdg_and_relative_paths_are_ignored() {
        let found = with(
            r#"{"HOME": "/home/user", "XDG_DATA_HOME": "/data", "AITK_CACHE_DIR": "/fast/cache",
                "XDG_CACHE_HOME": "/slow", "XDG_STATE_HOME": "state", "TMPDIR": "/scratch//x/"}"#,
            "",
        );
        assert_eq!(found.data, PathBuf::from("/data/aitk"));
        assert_eq!(found.jupyter, PathBuf::from("/data/jupyter"));
        assert_eq!(found.cache, PathBuf::from("/fast/cache"));
        assert_eq!(found.state, PathBuf::from("/home/user/.local/state/aitk"));
        assert_eq!(found.config, PathBuf::from("/home/user/.config/aitk"));
        assert_eq!(found.tmp, PathBuf::from("/scratch/x"));
        assert_eq!(found.tmp.to_str(), Some("/scratch/x"));
    }

    #[test]
    fn a_home_that_is_reached_by_a_link_has_one_name() {
        let root = tempfile::tempdir().unwrap();
        let there = |path: &str| root.path().join("root").join(path);
        Real.create_dir(&there("disk/ann/.local/share")).unwrap();
        Real.symlink(Path::new("/disk"), &there("home")).unwrap();
        Real.symlink(Path::new("/big"), &there("disk/ann/.cache")).unwrap();
        let of = |env: &str| {
            let answers = format!(r#"{{"schema": 1, "env": {env}}}"#);
            Real.write(&root.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
            folders(&Replay::open(root.path()).unwrap())
        };
        let one = of(r#"{"HOME": "/disk/ann"}"#);
        assert_eq!(one.data, Path::new("/disk/ann/.local/share/aitk"));
        assert_eq!(
            one.cache,
            Path::new("/disk/ann/.cache/aitk"),
            "that link is looked at elsewhere"
        );
        for same in [
            r#"{"HOME": "/home/ann"}"#,
            r#"{"HOME": "/disk/ann", "XDG_DATA_HOME": "/home/ann/.local/share"}"#,
            r#"{"HOME": "/home/ann/", "AITK_CACHE_DIR": "/home/ann/.cache/aitk"}"#,
        ] {
            assert_eq!(of(same), one, "{same}");
        }
        assert_eq!(
            of(r#"{"HOME": "/home/ann", "XDG_DATA_HOME": "/data"}"#).data,
            Path::new("/data/aitk")
        );
    }

    #[test]
    fn without_home_the_password_file_says_it_and_without_that_nobody() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nbroken\nwww-data:x:33:33::/var/www:/bin/sh\n";
        assert_eq!(with("{}", passwd).home, PathBuf::from("/var/www"));
        assert_eq!(with("{}", "").home, PathBuf::from("/"));
    }
}
