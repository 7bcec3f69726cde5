//! The folders that the user's environment names.

use std::path::PathBuf;

use aitk_system::{System, message};

use crate::machine::Folders;
use crate::notes::{self, Notes};

/// The user's own folders and `aitk`'s, by the XDG Base Directory Specification: a path that is not
/// absolute is ignored.
pub fn folders(system: &dyn System) -> Folders {
    let home = folder(system, "HOME").or_else(|| home_of(system)).unwrap_or_else(|| "/".into());
    let base = |variable, default| folder(system, variable).unwrap_or_else(|| home.join(default));
    let own =
        |variable, base: &PathBuf| folder(system, variable).unwrap_or_else(|| base.join("aitk"));
    let data = base("XDG_DATA_HOME", ".local/share");
    Folders {
        config: own("AITK_CONFIG_DIR", &base("XDG_CONFIG_HOME", ".config")),
        data: own("AITK_DATA_DIR", &data),
        cache: own("AITK_CACHE_DIR", &base("XDG_CACHE_HOME", ".cache")),
        state: own("AITK_STATE_DIR", &base("XDG_STATE_HOME", ".local/state")),
        jupyter: folder(system, "JUPYTER_DATA_DIR").unwrap_or_else(|| data.join("jupyter")),
        tmp: folder(system, "TMPDIR").unwrap_or_else(|| "/tmp".into()),
        home,
    }
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
    fn without_home_the_password_file_says_it_and_without_that_nobody() {
        let passwd =
            "root:x:0:0:root:/root:/bin/bash\nbroken\nwww-data:x:33:33::/var/www:/bin/sh\n";
        assert_eq!(with("{}", passwd).home, PathBuf::from("/var/www"));
        assert_eq!(with("{}", "").home, PathBuf::from("/"));
    }
}
