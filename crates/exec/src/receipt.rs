//! The receipt: what exists on this machine because of aitk, and what was there before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aitk_env::GenerationRecord;
use aitk_plan::names;
use aitk_system::{Message, System, ToMessage, message};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ExecError;

/// What aitk has made or found here.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipt {
    /// Version of this form.
    pub schema: u32,
    /// Everything that a step made or found, by `kind:name`.
    pub objects: BTreeMap<String, Object>,
    /// Proofs that succeeded: what was proven, by step.
    pub proofs: BTreeMap<String, String>,
    /// When aitk last refreshed apt's lists, in seconds since 1970.
    pub lists_refreshed: Option<i64>,
    /// The state of apt and dpkg in which no upgrade was waiting.
    pub upgraded: Option<String>,
    /// The state of apt and dpkg in which everything that is installed had what it needs.
    pub whole: Option<String>,
    /// In which start of the machine, by its boot id, steps that count only after a restart were last carried out.
    pub boots: BTreeMap<String, String>,
    /// What an environment was last asked to be, by its name: the budget and the choices. What it is asked to be now,
    /// [`Receipt::wish`] says.
    pub environments: BTreeMap<String, Value>,
    /// The same where no run has come to its end with it yet.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub begun: BTreeMap<String, Value>,
}

/// One thing on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// The step that ensures it.
    pub step: String,
    /// Whether aitk made it.
    pub provenance: Provenance,
    /// Version or hash of what was made, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was noted.
    pub at: String,
}

/// Whether aitk made a thing or found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Provenance {
    /// aitk has made it, and may take it away.
    Created,
    /// It was there before aitk, and stays.
    Found,
}

/// No receipt comes near it, in bytes.
const SIZE_LIMIT: usize = 16 << 20;
/// What to do with one that is damaged.
fn move_it() -> Message {
    message!(
        "move it away: `aitk remove` and `aitk apply` find what is aitk's by its own marks, but not which \
         packages of the system it has brought"
    )
}

/// A thing that a step made or found, for the receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReceiptEntry {
    /// `apt:curl`, `path:/…` for what is the user's; `file:/…`, `group:video`, `runtime:nvidia`, `source:nvidia` and
    /// `swap:/…` for what root takes away.
    pub key: String,
    pub provenance: Provenance,
    pub detail: Option<String>,
}

impl ReceiptEntry {
    pub fn created(key: String, detail: Option<String>) -> Self {
        Self { key, provenance: Provenance::Created, detail }
    }

    pub fn found(key: String, detail: Option<String>) -> Self {
        Self { key, provenance: Provenance::Found, detail }
    }

    pub fn path(path: &Path, detail: Option<String>) -> Self {
        Self::created(format!("path:{}", path.display()), detail)
    }
}

impl Receipt {
    fn path(state: &Path) -> PathBuf {
        state.join("receipt.json")
    }

    /// Reads the receipt; an empty one where there is none.
    ///
    /// # Errors
    /// Where it is damaged: aitk never overwrites one that it cannot read.
    pub fn load(state: &Path, system: &dyn System) -> Result<Self, ExecError> {
        let path = Self::path(state);
        let json = match system.read(&path) {
            Ok(json) => json,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            Err(error) => return Err(ExecError::io(path)(error)),
        };
        Self::read(&json).map_err(|(reason, remedy)| ExecError::BadState { path, reason, remedy })
    }

    /// Reads what stands in the file: names of things may be anything, as long as nothing is done with them before
    /// they were found to be of a place where aitk can have made something; everything else is plain text.
    fn read(json: &[u8]) -> Result<Self, (Message, Message)> {
        let damaged = |reason: Message| (reason, move_it());
        if json.len() > SIZE_LIMIT {
            return Err(damaged(message!("it is too large to be a receipt")));
        }
        let value: Value = serde_json::from_slice(json).map_err(|e| damaged(Message::plain(e)))?;
        let schema = value.get("schema").map_or(Some(1), Value::as_u64);
        if schema.is_some_and(|schema| schema > 1) {
            let newer = message!("it was written by a newer version of aitk");
            return Err((
                newer,
                message!("use that version of aitk; this one changes nothing here"),
            ));
        }
        // A list would be read as a receipt of which everything is left out.
        let fields = value.as_object().ok_or_else(|| damaged(message!("it is no JSON object")))?;
        for (field, value) in fields {
            let plain = match (field.as_str(), value) {
                ("objects", Value::Object(all)) => all.values().try_for_each(names::lines_only),
                (_, value) => names::lines_only(value),
            };
            plain.map_err(|unfit| damaged(unfit.to_message()))?;
        }
        serde_json::from_value(value).map_err(|error| damaged(Message::plain(error)))
    }

    /// What an environment shall be. What was begun is to be continued; else it is the wish of the generation in use, so that
    /// whoever goes back to an older one goes back to what was wished for then. One of an older aitk says nothing of it.
    pub fn request<'a>(
        &'a self,
        env: &str,
        current: Option<&'a GenerationRecord>,
    ) -> Option<&'a Value> {
        self.begun.get(env).or_else(|| self.request_in_use(env, current))
    }

    /// What the environment in use was made for, whatever was begun since: a run that was cut off leaves it as it is. Where
    /// none is in use, what was wished for last.
    pub fn request_in_use<'a>(
        &'a self,
        env: &str,
        current: Option<&'a GenerationRecord>,
    ) -> Option<&'a Value> {
        let of_current = || current.and_then(|record| record.wish.as_ref());
        let begun = || self.begun.get(env).filter(|_| current.is_none());
        of_current().or_else(begun).or_else(|| self.environments.get(env))
    }

    /// What was wished for earlier is what is wished for again: somebody goes back to it, and what a run had begun since is
    /// not continued.
    pub fn request_again(&mut self, env: &str, wish: Value) {
        self.begun.remove(env);
        self.environments.insert(env.to_owned(), wish);
    }

    /// Everything that aitk has made is gone, and nothing is wished for any more.
    pub fn forget_requests(&mut self) {
        self.environments.clear();
        self.begun.clear();
        self.proofs.clear();
        self.boots.clear();
    }

    /// Writes the receipt, whole or not at all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn save(&self, state: &Path, system: &dyn System) -> Result<(), ExecError> {
        let path = Self::path(state);
        let json = serde_json::to_vec_pretty(&Self { schema: 1, ..self.clone() })
            .map_err(|error| ExecError::io(&path)(error.into()))?;
        system.write(&path, &json, 0o600).map_err(ExecError::io(&path))
    }

    /// Whether aitk made a thing.
    pub(crate) fn has_made(&self, key: &str) -> bool {
        self.objects.get(key).is_some_and(|object| object.provenance == Provenance::Created)
    }

    /// Notes a thing. What was once found stays found, and what was once made stays made: the first note is the
    /// one that tells who brought it.
    pub(crate) fn note(&mut self, key: String, object: Object) {
        match self.objects.get_mut(&key) {
            Some(known) => known.detail = object.detail.or_else(|| known.detail.take()),
            None => _ = self.objects.insert(key, object),
        }
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    fn object(provenance: Provenance, detail: &str) -> Object {
        let detail = Some(detail.to_owned());
        Object { step: "system.tools".to_owned(), provenance, detail, at: "now".to_owned() }
    }

    #[test]
    fn what_was_found_stays_found() {
        let mut receipt = Receipt::default();
        receipt.note("apt:git".to_owned(), object(Provenance::Found, "1"));
        receipt.note("apt:git".to_owned(), object(Provenance::Created, "2"));
        let git = &receipt.objects["apt:git"];
        assert_eq!((git.provenance, git.detail.as_deref()), (Provenance::Found, Some("2")));
    }

    #[test]
    fn a_receipt_comes_back_as_it_was_saved() {
        let state = tempfile::tempdir().unwrap();
        let mut receipt = Receipt { schema: 1, lists_refreshed: Some(7), ..Receipt::default() };
        receipt.note("apt:git".to_owned(), object(Provenance::Created, "1"));
        receipt.save(state.path(), &Real).unwrap();
        assert_eq!(Receipt::load(state.path(), &Real).unwrap(), receipt);
    }

    #[test]
    fn a_damaged_or_newer_receipt_is_an_error_and_not_an_empty_one() {
        let state = tempfile::tempdir().unwrap();
        assert_eq!(Receipt::load(state.path(), &Real).unwrap(), Receipt::default());
        for text in [
            "{\"schema\": 1,",
            "{\"schema\": 2}",
            "{\"schema\": 18446744073709551615, \"objects\": 3}",
            "{\"schema\": -1}",
            "[]",
            "{\"objects\": {\"apt:x\": {\"step\": \"s\", \"provenance\": \"created\", \"at\": \"\\u001b[31m\"}}}",
            "{\"environments\": {\"ai\": {\"budget\": \"a\\nb\"}}}",
            &"[".repeat(10_000),
        ] {
            Real.write(&Receipt::path(state.path()), text.as_bytes(), 0o600).unwrap();
            let error = Receipt::load(state.path(), &Real).unwrap_err();
            assert!(matches!(error, ExecError::BadState { .. }), "{text}: {error}");
        }
    }

    #[test]
    fn what_was_begun_comes_before_what_is_in_use_and_that_before_what_was_noted_last() {
        let wish = |budget: &str| serde_json::json!({ "budget": budget });
        let said = |wish: Option<Value>| -> GenerationRecord {
            let json = include_str!("../../env/fixtures/record-1.json");
            GenerationRecord { wish, ..serde_json::from_str(json).unwrap() }
        };
        let named = |budget: &str| [("ai".to_owned(), wish(budget))].into();
        let (silent, older) = (said(None), said(Some(wish("older"))));
        let mut receipt = Receipt { environments: named("last"), ..Receipt::default() };
        assert_eq!(receipt.request("ai", None), Some(&wish("last")));
        assert_eq!(receipt.request("ai", Some(&silent)), Some(&wish("last")));
        assert_eq!(receipt.request("ai", Some(&older)), Some(&wish("older")));
        receipt.begun = named("begun");
        assert_eq!(receipt.request("ai", Some(&older)), Some(&wish("begun")));
        assert_eq!(receipt.request_in_use("ai", Some(&older)), Some(&wish("older")));
        assert_eq!(receipt.request_in_use("ai", Some(&silent)), Some(&wish("last")));
        assert_eq!(receipt.request_in_use("ai", None), Some(&wish("begun")));
        assert_eq!(receipt.request("other", None), None);
    }

    /// What version 0.1 has written.
    #[test]
    fn a_receipt_of_the_first_form_is_read_whole() {
        let json = include_str!("../fixtures/receipt-1.json");
        let receipt = Receipt::read(json.as_bytes()).unwrap();
        let again = serde_json::to_value(&receipt).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(json).unwrap());
        assert_eq!(receipt.objects["package:python3-venv"].provenance, Provenance::Created);
    }
}
