//! Where a generation is, and what it says of itself.

use std::path::{Path, PathBuf};

use aitk_plan::{Lock, LockError, Manager};
use aitk_system::{FileKind, System, ToMessage, message};
use serde_json::Value;

use super::record::{GenerationRecord, RECORD, SCHEMA};
use crate::error::EnvError;
use crate::lock::read_for;

/// One environment, built or being built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generation {
    pub(super) path: PathBuf,
}

impl Generation {
    /// Its folder, below the environment's in aitk's data.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its name: the lock's digest.
    pub fn name(&self) -> String {
        let folder = self.folder();
        folder.split('.').next().map_or_else(String::new, str::to_owned)
    }

    /// The name of its folder: its own, with a number where an environment of the same lock stands beside it.
    pub fn folder(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Whether a name is that of a generation's folder: its lock's digest, and a number where it was built again.
    pub fn is_name(name: &str) -> bool {
        let (digest, number) = name.split_once('.').unwrap_or((name, "1"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
        digest.len() == 16 && digest.bytes().all(|c| c.is_ascii_hexdigit()) && digits(number)
    }

    /// Whether a folder says of itself that aitk has built it, or is building it.
    pub fn is_ours(&self, system: &dyn System) -> bool {
        let is_folder = system.stat(&self.path).is_ok_and(|stat| stat.kind == FileKind::Dir);
        let locked = |lock: Lock| self.name() == lock.digest();
        is_folder && (self.record(system).is_some() || self.kept_lock(system).is_some_and(locked))
    }

    /// Its interpreter, `bin/python`.
    pub fn python(&self) -> PathBuf {
        self.path.join("bin/python")
    }

    /// Where it says something of itself.
    pub fn record_path(&self) -> PathBuf {
        self.path.join(RECORD)
    }

    /// What it says of itself; `None` unless it is whole.
    pub fn record(&self, system: &dyn System) -> Option<GenerationRecord> {
        GenerationRecord::read(&system.read(&self.path.join(RECORD)).ok()?)
    }

    /// Writes what it says of itself.
    ///
    /// # Errors
    /// [`EnvError::Newer`] where a newer aitk has said something; what the operating system says.
    pub(super) fn write(
        &self,
        system: &dyn System,
        record: &GenerationRecord,
    ) -> Result<(), EnvError> {
        self.may_change(system)?;
        let path = self.path.join(RECORD);
        system.write(&path, record.to_text().as_bytes(), 0o644).map_err(EnvError::io(&path))
    }

    /// Notes what the user wishes for now, for which this generation is as good as the one that would be built.
    ///
    /// # Errors
    /// [`EnvError::Newer`] where a newer aitk has built it; what the operating system says.
    pub fn note_request(&self, system: &dyn System, wish: &Value) -> Result<(), EnvError> {
        match self.record(system) {
            Some(record) if record.wish.as_ref() != Some(wish) => {
                let wish = Some(wish.clone());
                self.write(system, &GenerationRecord { schema: SCHEMA, wish, ..record })
            }
            _ => Ok(()),
        }
    }

    /// Looks whether it may be changed by this version of aitk, which does not know all that a newer one notes.
    ///
    /// # Errors
    /// [`EnvError::Newer`] where it may not.
    pub fn may_change(&self, system: &dyn System) -> Result<(), EnvError> {
        match self.record(system) {
            Some(record) if record.schema > SCHEMA => {
                Err(EnvError::Newer { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Where the lock is that it is built from.
    pub(super) fn lock_path(&self, record: &GenerationRecord) -> PathBuf {
        self.path.join(record.manager.lock_file())
    }

    /// The lock that is kept in it, whether it is whole or not.
    pub fn kept_lock(&self, system: &dyn System) -> Option<Lock> {
        Manager::ALL.into_iter().find_map(|manager| {
            let path = self.path.join(manager.lock_file());
            Some(read_for(&path, system, None).ok()?.environment)
        })
    }

    /// The lock that it is built from.
    ///
    /// # Errors
    /// Where it is gone or damaged.
    pub fn lock(&self, system: &dyn System) -> Result<Lock, EnvError> {
        let path = self.path.join(RECORD);
        let whole = message!("the generation is not whole");
        let none = || LockError::BadLock { path: path.to_message(), reason: whole };
        let record = self.record(system).ok_or_else(none)?;
        let lock = read_for(&self.lock_path(&record), system, None)?.environment;
        Ok(lock.in_layers(&record.layers))
    }
}
