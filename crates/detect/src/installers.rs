//! What is set for pip and uv in their files: where sources are, and what leads an installation elsewhere.

use std::path::{Path, PathBuf};

use aitk_system::System;
use toml::{Table, Value};

use crate::machine::Folders;
use crate::probes::folders::config_home;

/// Options of pip by which it installs elsewhere than into the environment that it is started in, or something else
/// than it is asked for. Each is a variable `PIP_…` as well.
pub const ASTRAY: [&str; 14] = [
    "user",
    "target",
    "prefix",
    "root",
    "python",
    "require-virtualenv",
    "no-deps",
    "dry-run",
    "requirement",
    "editable",
    "platform",
    "python-version",
    "implementation",
    "abi",
];
/// The same of `uv pip`, beside those that have the same name.
const ASTRAY_OF_UV: [&str; 2] = ["system", "python-platform"];

/// A setting in a file of pip's or uv's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The file.
    pub file: PathBuf,
    /// The option's name, as on the command line.
    pub key: String,
    /// What it is set to; several values stand beside each other.
    pub value: String,
}

/// The variable by which pip is told an option.
pub fn pip_variable(option: &str) -> String {
    format!("PIP_{}", option.to_uppercase().replace('-', "_"))
}

/// What `pip COMMAND` takes from its files, what counts first: those of the user's before the machine's, and where it
/// is known which Python asks, that one's own before both.
pub fn pip_settings(
    system: &dyn System,
    folders: &Folders,
    prefix: Option<&Path>,
    command: &str,
) -> Vec<Setting> {
    let all = pip_files(system, folders, prefix).into_iter().flat_map(|file| {
        let text = crate::text(system, &file).unwrap_or_default();
        let lines = sections(&text).into_iter();
        lines
            .map(move |(section, key, value)| (section, Setting { file: file.clone(), key, value }))
    });
    let all: Vec<_> = all.collect();
    // The command's own section comes before the general one, whatever the files.
    let of = |name: &str| {
        let own = all.iter().filter(|(section, _)| section == name);
        own.map(|(_, setting)| setting.clone()).collect::<Vec<_>>()
    };
    [of(command), of("global")].concat()
}

/// Where pip looks for its configuration, what counts first.
fn pip_files(system: &dyn System, folders: &Folders, prefix: Option<&Path>) -> Vec<PathBuf> {
    let named = system.env("PIP_CONFIG_FILE").map(PathBuf::from);
    // This is how pip is told to read none.
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let prefix = prefix.map(|prefix| prefix.join("pip.conf"));
    let users =
        [config_home(system, folders).join("pip/pip.conf"), folders.home.join(".pip/pip.conf")];
    let machines = config_folders(system).into_iter().map(|folder| folder.join("pip/pip.conf"));
    let machines = std::iter::once("/etc/pip.conf".into()).chain(machines);
    named.into_iter().chain(prefix).chain(users).chain(machines).collect()
}

/// Where uv looks for its configuration, what counts first.
pub fn uv_files(system: &dyn System, folders: &Folders) -> Vec<PathBuf> {
    if system.env("UV_NO_CONFIG").is_some_and(|value| matches!(&*value, "1" | "true" | "yes")) {
        return Vec::new();
    }
    if let Some(file) = system.env("UV_CONFIG_FILE") {
        return vec![file.into()];
    }
    let mut machines = config_folders(system);
    if machines.is_empty() {
        machines.push("/etc/xdg".into());
    }
    machines.push("/etc".into());
    let machines = machines.into_iter().map(|folder| folder.join("uv/uv.toml"));
    let machines = machines.filter(|file| system.exists(file)).take(1);
    std::iter::once(config_home(system, folders).join("uv/uv.toml")).chain(machines).collect()
}

fn config_folders(system: &dyn System) -> Vec<PathBuf> {
    let folders = system.env("XDG_CONFIG_DIRS").unwrap_or_default();
    folders.split(':').map(PathBuf::from).filter(|folder| folder.is_absolute()).collect()
}

/// The settings in files of pip's and uv's that lead an installation astray which is started in an environment.
pub fn astray(system: &dyn System, folders: &Folders, prefix: Option<&Path>) -> Vec<Setting> {
    let of_pip = pip_settings(system, folders, prefix, "install").into_iter();
    let of_pip = of_pip.filter(|setting| ASTRAY.contains(&setting.key.as_str()));
    let files = uv_files(system, folders).into_iter();
    let of_uv = files.flat_map(|file| {
        let text = crate::text(system, &file).unwrap_or_default();
        let pip = text.parse::<Table>().ok().and_then(|mut table| table.remove("pip"));
        let keys = pip.as_ref().and_then(Value::as_table).cloned().unwrap_or_default().into_iter();
        let told = keys.map(move |(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Setting { file: file.clone(), key, value }
        });
        told.filter(|setting| {
            let key = setting.key.as_str();
            ASTRAY.contains(&key) || ASTRAY_OF_UV.contains(&key)
        })
    });
    let off = |value: &str| ["0", "false", "no", "off", "n", "f"].contains(&value);
    let mut found: Vec<_> =
        of_pip.chain(of_uv).filter(|setting| !off(&setting.value.to_ascii_lowercase())).collect();
    found.dedup();
    found
}

/// Sections, names and values of a file in pip's form. A name may be written with `_` or dashes before it; a value goes
/// on in the lines that stand further in.
fn sections(text: &str) -> Vec<(String, String, String)> {
    let mut found: Vec<(String, String, String)> = Vec::new();
    let mut section = String::new();
    let mut goes_on = false;
    for line in text.lines() {
        let own = line.trim();
        if own.is_empty() || own.starts_with(['#', ';']) {
            continue;
        }
        if let Some((.., value)) = found.last_mut().filter(|_| goes_on)
            && line.starts_with(char::is_whitespace)
        {
            *value = format!("{value} {own}").trim().to_owned();
            continue;
        }
        goes_on = false;
        if let Some(name) = own.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = own.split_once(['=', ':']) {
            let key = key.trim().to_ascii_lowercase().replace('_', "-");
            let key = key.trim_start_matches('-').to_owned();
            found.push((section.clone(), key, value.trim().to_owned()));
            goes_on = true;
        }
    }
    // To pip an empty value is none.
    found.retain(|(.., value)| !value.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    fn tree(env: &[(&str, &str)], files: &[(&str, &str)]) -> (tempfile::TempDir, Replay) {
        let folder = tempfile::tempdir().unwrap();
        let env: std::collections::BTreeMap<_, _> = env.iter().copied().collect();
        let answers = serde_json::json!({ "schema": 1, "env": env }).to_string();
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        for (path, text) in files {
            Real.write(&folder.path().join("root").join(path), text.as_bytes(), 0o644).unwrap();
        }
        let system = Replay::open(folder.path()).unwrap();
        (folder, system)
    }

    fn folders() -> Folders {
        Folders { home: "/home/me".into(), ..Folders::default() }
    }

    #[test]
    fn pips_files_are_read_as_pip_reads_them() {
        let user = "# of mine\n[global]\nindex_url: https://me.example/simple\nextra-index-url =\n    \
                    https://a.example/simple\n    https://b.example/simple\ncert =\n[install]\n--Target = /t\n\
                    [list]\nformat = json\n";
        let machine = "[install]\ncert = /m.pem\n[global]\nindex-url = https://m.example/simple\n";
        let files =
            [("home/me/.config/pip/pip.conf", user), ("etc/pip.conf", machine), ("v/pip.conf", "")];
        let (_folder, system) = tree(&[], &files);
        let read = |command| {
            let all = pip_settings(&system, &folders(), Some(Path::new("/v")), command).into_iter();
            all.map(|setting| (setting.key, setting.value)).collect::<Vec<_>>()
        };
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect::<Vec<_>>()
        };
        let general = own(&[
            ("index-url", "https://me.example/simple"),
            ("extra-index-url", "https://a.example/simple https://b.example/simple"),
            ("index-url", "https://m.example/simple"),
        ]);
        assert_eq!(read("download"), general);
        assert_eq!(
            read("install"),
            [own(&[("target", "/t"), ("cert", "/m.pem")]), general].concat()
        );
        let (_folder, system) = tree(&[("PIP_CONFIG_FILE", "/dev/null")], &files);
        assert_eq!(pip_settings(&system, &folders(), None, "install"), []);
    }

    #[test]
    fn what_leads_an_installation_astray_is_found_and_nothing_else() {
        let pip = "[install]\nuser = no\nprefix = /p\nindex-url = https://m.example/simple\n";
        let uv = "index-url = \"https://u.example/simple\"\n[pip]\ntarget = \"/u\"\nsystem = true\nno-deps = false\n";
        let files = [("home/me/.pip/pip.conf", pip), ("home/me/.config/uv/uv.toml", uv)];
        let found = |files: &[_]| {
            let (_folder, system) = tree(&[], files);
            let all = astray(&system, &folders(), None).into_iter();
            all.map(|setting| format!("{} {}", setting.key, setting.value)).collect::<Vec<_>>()
        };
        assert_eq!(found(&files), ["prefix /p", "system true", "target /u"]);
        assert_eq!(found(&[("home/me/.config/uv/uv.toml", "= =\n")]), [""; 0]);
        assert_eq!(found(&[]), [""; 0]);
    }
}
