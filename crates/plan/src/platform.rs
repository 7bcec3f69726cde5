//! Platforms of hosted notebooks: what a session there is, and what it wants to be given.

use aitk_detect::{Libc, Machine, Python};
use serde::Deserialize;
use serde_json::{Map, Value};

/// `platforms.toml`, which says what its keys mean.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platforms {
    /// What runs a notebook anywhere.
    pub kernel: Kernel,
    /// The platforms; the first whose sign is there is the one.
    #[serde(rename = "platform")]
    pub all: Vec<Platform>,
}

/// What runs a notebook.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its packages, which are changed nowhere.
    pub keeps: Vec<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    pub as_of: String,
}

/// A platform of hosted notebooks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// What a person types: `colab`.
    pub name: String,
    /// What its maker calls it.
    pub title: String,
    /// A variable or a folder that is there and nowhere else.
    pub sign: String,
    /// Where files survive the session.
    pub folder: String,
    /// Where that has to be mounted first.
    pub mount: Option<String>,
    /// Its Python, `3.12`.
    pub python: String,
    /// As `uname -m` says it.
    pub arch: String,
    /// Its C library, `2.35`.
    pub glibc: String,
    /// Packages that it brings and that are left as they are.
    pub keeps: Vec<String>,
    /// Where its notebooks are.
    pub link: String,
    /// The client that can send a folder to it.
    pub push: Option<String>,
    /// The metadata of its notebooks.
    pub notebook: Map<String, Value>,
    /// What is laid over that where a GPU is wanted.
    pub notebook_gpu: Map<String, Value>,
    /// What goes beside the notebook.
    #[serde(default, rename = "file")]
    pub files: Vec<PlatformFile>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    pub as_of: String,
}

/// A file that goes beside a notebook: a text, or JSON.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformFile {
    /// Its name.
    pub path: String,
    /// The text.
    pub text: Option<String>,
    /// The JSON.
    #[serde(default)]
    pub json: Map<String, Value>,
    /// What is laid over that where a GPU is wanted.
    #[serde(default)]
    pub json_gpu: Map<String, Value>,
}

impl Platform {
    /// The machine that a session gets, as far as packages depend on it.
    pub fn machine(&self) -> Machine {
        let python = Python { version: self.python.clone(), ..Python::default() };
        Machine {
            arch: self.arch.clone(),
            libc: Some(Libc { family: "glibc".to_owned(), version: Some(self.glibc.clone()) }),
            python: vec![python],
            ..Machine::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Exit, Explain};

    use crate::{Catalog, Texts, Tree};

    #[test]
    fn every_platform_has_an_offer_and_words_and_can_be_advised() {
        let catalog = Catalog::builtin().unwrap();
        let texts = Texts::told().unwrap();
        for platform in &catalog.platforms.all {
            let name = &platform.name;
            assert!(catalog.offers.iter().any(|offer| offer.id == *name), "{name}");
            assert_ne!(texts.text(&format!("platform.{name}.next")), "", "{name}");
            assert_ne!(texts.text(&format!("offer.{name}.limits")), "", "{name}");
        }
        let known: Vec<_> = texts.all().keys().filter(|key| key.starts_with("platform.")).collect();
        assert_eq!(known.len(), catalog.platforms.all.len(), "{known:?}");
        let leaves = Tree::builtin().unwrap().leaves;
        for platform in leaves.iter().filter_map(|leaf| leaf.platform.as_ref()) {
            assert!(catalog.platform(platform).is_ok(), "{platform}");
        }
    }

    #[test]
    fn a_misspelt_platform_gets_the_nearest_name_or_all_of_them() {
        let catalog = Catalog::builtin().unwrap();
        let error = catalog.platform("kagle").unwrap_err();
        assert_eq!((error.code(), error.exit()), ("AITK-P06", Exit::Usage));
        assert_eq!(error.hint().unwrap(), "did you mean `--platform kaggle`?");
        let error = catalog.platform("zeppelin").unwrap_err();
        assert_eq!(error.hint().unwrap(), "choose among: kaggle, colab, studio-lab");
    }
}
