//! Settings from `config.toml`, and from what pip and uv are set to already.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aitk_detect::installers::{Setting, astray, pip_settings, pip_variable};
use aitk_detect::{Folders, Tables};
use aitk_env::UvSources;
use aitk_plan::warnings::ASTRAY_SETTINGS;
use aitk_plan::{Catalog, LONGEST_PROFILE, ProfileError, SET, Warning, names, parse_toml};
use aitk_system::{Message, System, ToMessage, message};
use serde::Deserialize;

use crate::error::CliError;

/// The user's `config.toml`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Index of Python packages.
    #[serde(deserialize_with = "names::source::maybe")]
    pub index_url: Option<String>,
    /// Index of PyTorch's builds.
    #[serde(deserialize_with = "names::torch_index::maybe")]
    pub torch_index: Option<String>,
    /// Conda channels by name or address, the preferred one first.
    #[serde(deserialize_with = "names::channel::all")]
    pub channels: Vec<String>,
    /// Where channels that are named and not addressed are: a mirror of conda's own place.
    #[serde(deserialize_with = "names::source::maybe")]
    pub channel_alias: Option<String>,
    /// Up to when what is published counts, where nothing else is chosen.
    #[serde(deserialize_with = "names::cutoff::maybe")]
    pub exclude_newer: Option<String>,
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
        let mut config: Self = match settings_text(system, &path)? {
            Some(text) => parse_toml(&path.to_string_lossy(), &text)?,
            None => Self::default(),
        };
        config.of_uv = UvSources::read(system, folders);
        if config.index_url.is_none() {
            let of_uv = config.of_uv.index.clone().map(|index| ("uv".to_owned(), index));
            let variable = || Some(("PIP_INDEX_URL".to_owned(), system.env("PIP_INDEX_URL")?));
            let set = of_uv.or_else(variable).or_else(|| pip_conf(system, folders));
            if let Some((file, index)) = set {
                names::source::check(&index).map_err(|unfit| ProfileError::Invalid {
                    file,
                    line: 1,
                    column: 1,
                    message: unfit.to_message(),
                })?;
                config.index_url = Some(index);
            }
        }
        Ok(config)
    }
}

/// `index-url` of pip's configuration.
fn pip_conf(system: &dyn System, folders: &Folders) -> Option<(String, String)> {
    let set = pip_settings(system, folders, None, "download").into_iter();
    let mut set = set.filter(|setting| setting.key == "index-url");
    set.next().map(|setting| (setting.file.to_string_lossy().into_owned(), setting.value))
}

/// What a person should know whose files of settings lead `pip install` and `uv pip install` elsewhere than into the
/// environment. Some of it is set otherwise for everything that runs in there.
pub fn warning(system: &dyn System, folders: &Folders) -> Option<Warning> {
    let mended = |setting: &Setting| {
        let variable = pip_variable(&setting.key);
        SET.iter().any(|(name, _)| *name == variable) && setting.file.ends_with("pip.conf")
    };
    let astray = astray(system, folders, None).into_iter().filter(|setting| !mended(setting));
    let told =
        astray.map(|Setting { file, key, value }| format!("{key} = {value} ({})", file.display()));
    let told: Vec<_> = told.collect();
    (!told.is_empty()).then(|| {
        Warning::new(
            ASTRAY_SETTINGS,
            message!(
                "what you install in the environment yourself with pip or uv will not be as you ask for it: {told}"
            ),
            message!("take that out of the file; aitk itself installs without these settings"),
        )
    })
}

/// The catalog with the rows of the user's own `catalog.toml`, which stands beside `config.toml`.
///
/// # Errors
/// Where that file is none, or a row of it does not fit its table.
pub fn catalog(system: &dyn System, folders: &Folders) -> Result<Catalog, CliError> {
    let path = folders.config.join("catalog.toml");
    let Some(text) = settings_text(system, &path)? else { return Ok(Catalog::builtin()?) };
    let file = path.to_string_lossy();
    let told = |reason: Message| CliError::Catalog { path: path.clone(), reason };
    let values: serde_json::Value = parse_toml(&file, &text)?;
    names::lines_only(&values).map_err(|unfit| told(unfit.to_message()))?;
    let overlay = parse_toml(&file, &text)?;
    let tables = Tables::with(overlay).map_err(told)?;
    Ok(Catalog::with(tables)?)
}

/// What stands in a file of the user's settings; `None` where there is no such file. A link that leads nowhere is one that is
/// lost, and not none.
///
/// # Errors
/// [`ProfileError::Unreadable`] where there is one and it cannot be read.
pub fn settings_text(system: &dyn System, path: &Path) -> Result<Option<String>, ProfileError> {
    match system.foreign_text(path, LONGEST_PROFILE) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            match lost_link(system, path) {
                Some(lost) => Err(lost),
                None => Ok(None),
            }
        }
        Err(source) => Err(ProfileError::Unreadable { path: path.to_owned(), source }),
    }
}

/// The link on the way to a path that leads nowhere: the path itself, or a folder above it.
fn lost_link(system: &dyn System, path: &Path) -> Option<ProfileError> {
    let link = path.ancestors().find(|path| system.exists(path))?;
    let target = system.read_link(link).ok()?;
    let leads = system.list(link).map_err(|error| error.kind());
    (leads == Err(ErrorKind::NotFound)).then(|| {
        let target = link.parent().unwrap_or(link).join(target);
        let reason = message!("it is a link to {target}, where there is nothing");
        let source = std::io::Error::new(ErrorKind::InvalidInput, reason);
        ProfileError::Unreadable { path: link.to_owned(), source }
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
