//! Settings from `config.toml`, and from what pip and uv are set to already.

use std::path::{Path, PathBuf};

use aitk_detect::Folders;
use aitk_env::UvSources;
use aitk_plan::{ProfileError, parse_toml};
use aitk_system::System;
use serde::Deserialize;

/// The user's `config.toml`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Index of Python packages.
    pub index_url: Option<String>,
    /// Index of PyTorch's builds.
    pub torch_index: Option<String>,
    /// Conda channels by name or address, the preferred one first.
    pub channels: Vec<String>,
    /// Where channels that are named and not addressed are: a mirror of conda's own place.
    pub channel_alias: Option<String>,
    /// A uv to use instead of the pinned one.
    pub uv: Option<PathBuf>,
    /// The indexes that are set for uv.
    #[serde(skip)]
    pub of_uv: UvSources,
}

impl Config {
    /// Reads the file, and fills in the index that the user has set for uv or pip.
    ///
    /// # Errors
    /// Where the file is there and is no configuration: file, line and column are named.
    pub fn load(system: &dyn System, folders: &Folders) -> Result<Self, ProfileError> {
        let path = folders.config.join("config.toml");
        let mut config: Self = match system.text(&path) {
            Ok(text) => parse_toml(&path.to_string_lossy(), &text)?,
            Err(_) => Self::default(),
        };
        config.of_uv = UvSources::read(system, folders.config.parent().unwrap_or(Path::new("/")));
        let of_uv = config.of_uv.index.clone();
        let of_pip = || system.env("PIP_INDEX_URL").or_else(|| pip_conf(system, folders));
        config.index_url = config.index_url.or(of_uv).or_else(of_pip);
        Ok(config)
    }
}

/// `index-url` of pip's configuration: the user's file before the machine's, as pip has it.
fn pip_conf(system: &dyn System, folders: &Folders) -> Option<String> {
    let config_home = folders.config.parent().unwrap_or(Path::new("/"));
    let files = [
        system.env("PIP_CONFIG_FILE").map(Into::into),
        Some(config_home.join("pip/pip.conf")),
        Some(folders.home.join(".pip/pip.conf")),
        Some("/etc/pip.conf".into()),
    ];
    files.into_iter().flatten().find_map(|path| {
        let text = system.text(path).ok()?;
        let mut lines = text.lines().map(str::trim);
        lines.find(|line| *line == "[global]")?;
        lines
            .take_while(|line| !line.starts_with('['))
            .find_map(|line| line.strip_prefix("index-url")?.trim_start().strip_prefix('='))
            .map(|url| url.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use aitk_system::Replay;

    use super::*;

    fn load(files: &[(&str, &str)]) -> Result<Config, ProfileError> {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            aitk_system::Real.write(&root.path().join(path), text.as_bytes(), 0o644).unwrap();
        }
        let folders = Folders {
            home: "/home/user".into(),
            config: "/home/user/.config/aitk".into(),
            ..Folders::default()
        };
        Config::load(&Replay::tree(root.path()), &folders)
    }

    #[test]
    fn aitks_own_setting_comes_before_pips() {
        let pip = (
            "etc/pip.conf",
            "[install]\nindex-url = x\n[global]\nindex-url = https://pip.example/simple\n",
        );
        let own =
            ("home/user/.config/aitk/config.toml", "index-url = \"https://own.example/simple\"\n");
        assert_eq!(load(&[]).unwrap(), Config::default());
        assert_eq!(load(&[pip]).unwrap().index_url.unwrap(), "https://pip.example/simple");
        assert_eq!(load(&[pip, own]).unwrap().index_url.unwrap(), "https://own.example/simple");
    }

    #[test]
    fn an_unknown_key_is_named_with_its_place() {
        let own = ("home/user/.config/aitk/config.toml", "\nindex = 1\n");
        let error = load(&[own]).unwrap_err().to_string();
        assert!(error.contains("config.toml:2:1: unknown field `index`"), "{error}");
    }
}
