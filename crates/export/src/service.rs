//! What a target says of the services that run on the machine itself.

use serde::Deserialize;

/// A service; `service.NAME` among the texts says what it is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceRow {
    pub name: String,
    pub when: Option<String>,
    /// May have holes, as have the words below.
    pub address: String,
    #[serde(default, deserialize_with = "aitk_plan::names::apt_package::all")]
    pub apt: Vec<String>,
    #[serde(default)]
    pub masks: Vec<String>,
    #[serde(default, deserialize_with = "aitk_plan::names::requirement::all")]
    pub python: Vec<String>,
    /// What curl is told to ask, or a program with its whole path.
    pub health: Vec<String>,
    /// What is in the answer of one that is well: `grep -E` for the whole of it, headers first. `version` is a hole for the
    /// version of the first package of Python's.
    pub says: String,
    /// What has it do its work once, as whoever runs aitk, and says so in its last line.
    #[serde(default)]
    pub proof: Vec<String>,
    /// What names, word by word, the work that would be lost without it: it is not taken away before that has ended.
    #[serde(default)]
    pub busy: Vec<String>,
    /// Where it listens; one that is nothing where it is filled in is none.
    #[serde(default)]
    pub ports: Vec<String>,
    pub seconds: u64,
    #[serde(default)]
    pub secret: Vec<SecretRow>,
    pub file: Vec<ServiceFile>,
}

/// A file that a command makes on the machine.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SecretRow {
    pub path: String,
    pub when: Option<String>,
    pub command: Vec<String>,
    #[serde(default)]
    pub public: bool,
}

/// A file of the system that a service reads, or its unit, which comes last.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServiceFile {
    pub path: String,
    pub from: String,
    /// For what may hold a secret that was given: root and whoever has it installed may read it.
    #[serde(default)]
    pub private: bool,
}

/// Where a service of aitk's own targets has its things, whatever is set of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePlace {
    /// Its name.
    pub name: String,
    /// The files that root writes.
    pub files: Vec<String>,
    /// What is made on the machine.
    pub secrets: Vec<String>,
    /// Units of others that it keeps from starting.
    pub masks: Vec<String>,
    /// What names the work that would be lost without it; nothing where there is none.
    pub busy: Vec<String>,
}

impl ServiceRow {
    pub fn place(&self) -> ServicePlace {
        ServicePlace {
            name: self.name.clone(),
            files: self.file.iter().map(|file| file.path.clone()).collect(),
            secrets: self.secret.iter().map(|secret| secret.path.clone()).collect(),
            masks: self.masks.clone(),
            busy: self.busy.clone(),
        }
    }
}
