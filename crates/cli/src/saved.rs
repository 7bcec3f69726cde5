//! A saved plan: what was chosen, the locks, and a picture of what both meant when it was saved. It asks for something
//! and commands nothing: what is done is derived here, and refused where the picture shows something else.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aitk_exec::ExecError;
use aitk_plan::{Choices, Difference, Locks, Manager, Plan, Request, differences, names};
use aitk_system::{Message, ToMessage, message};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::CliError;
use crate::session::Session;

/// The form in which plans are saved. In the first one, which is read as well, what an environment asks for stood with its
/// steps.
const SCHEMA: u64 = 2;
/// The longest file that is read, in bytes: some hundred times what a large environment takes.
const LONGEST: usize = 64 << 20;
/// What the file holds.
const KEYS: [&str; 5] = ["schema", "kind", "resolved", "lock", "data"];
/// How many differences are named.
const NAMED: usize = 3;

/// A saved plan as it was read.
pub struct Saved {
    path: PathBuf,
    /// What it asks for.
    pub request: Request,
    /// The locks of its environments, where they were known.
    pub locks: Option<Locks>,
    /// Whether the sources had been asked.
    pub resolved: bool,
    picture: Value,
    /// What the file says beside it.
    more: Vec<String>,
}

/// What is taken from the picture, as everything is derived from it.
#[derive(Deserialize)]
struct SavedRequest {
    #[serde(deserialize_with = "names::line::one")]
    budget: String,
    #[serde(deserialize_with = "names::line::one")]
    machine: String,
    choices: Choices,
    manager: Manager,
}

/// The text of a saved plan.
///
/// # Errors
/// Where a package of the locks lacks what their form needs.
pub fn text(plan: &Plan, locks: Option<&Locks>, resolved: bool) -> Result<String, CliError> {
    let lock = locks.map(Locks::to_text).transpose()?;
    let file = json!({
        "schema": SCHEMA, "kind": "plan", "resolved": resolved, "lock": lock, "data": plan,
    });
    Ok(serde_json::to_string_pretty(&file).unwrap_or_default() + "\n")
}

/// The packages that go for a step, as a picture shows them.
fn removes<'a>(picture: &'a Value, id: &str) -> Vec<&'a str> {
    let steps = picture["steps"].as_array().into_iter().flatten();
    let removes =
        steps.filter(|step| step["id"] == id).filter_map(|step| step["removes"].as_array());
    removes.flatten().filter_map(Value::as_str).collect()
}

impl Saved {
    /// Reads a saved plan, which is for this machine; its picture is compared later.
    ///
    /// # Errors
    /// [`CliError::BadPlan`] where it is none, [`CliError::OtherMachine`], and what is wrong with its locks.
    pub fn read(path: &Path, session: &Session) -> Result<Self, CliError> {
        let Session { local, machine, catalog, .. } = session;
        let bad = |reason: Message| CliError::BadPlan { path: path.to_owned(), reason };
        let text = local.foreign_text(path, LONGEST).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::FileTooLarge => bad(error.to_message()),
            _ => CliError::io(path)(error),
        })?;
        let mut file: Value = serde_json::from_str(&text)
            .map_err(|error| bad(message!("it is no saved plan: {error}")))?;
        match file["schema"].as_u64() {
            Some(1..=SCHEMA) if file["kind"] == "plan" => {}
            Some(schema) if !(1..=SCHEMA).contains(&schema) => {
                return Err(bad(message!(
                    "it has form {schema}, and this version of aitk reads form {SCHEMA}"
                )));
            }
            _ => return Err(bad(message!("it is no saved plan"))),
        }
        let resolved = file["resolved"]
            .as_bool()
            .ok_or_else(|| bad(message!("it was not saved with `aitk plan -o` of this version")))?;
        let keys = file.as_object().into_iter().flat_map(serde_json::Map::keys);
        let more = keys.filter(|key| !KEYS.contains(&key.as_str())).cloned().collect();
        let picture = file["data"].take();
        let asked = SavedRequest::deserialize(&picture)
            .map_err(|error| bad(message!("it has been changed by hand: {error}")))?;
        catalog
            .has_framework(&asked.choices.framework)
            .map_err(|error| bad(message!("it has been changed by hand: {error}")))?;
        if asked.machine != aitk_plan::machine_digest(machine) {
            return Err(CliError::OtherMachine { path: path.to_owned() });
        }
        let locks = match &file["lock"] {
            Value::Null => None,
            Value::String(text) => {
                Some(Locks::parse(text, path, asked.manager, Some(&machine.arch))?.here(machine))
            }
            _ => return Err(bad(message!("its lock is none"))),
        };
        let request = Request {
            budget: asked.budget,
            choices: asked.choices,
            manager: Some(asked.manager),
            locked: None,
        };
        Ok(Self { path: path.to_owned(), request, locks, resolved, picture, more })
    }

    /// Compares what it shows with what its choices and locks give here.
    ///
    /// # Errors
    /// What apt would remove now, of which the picture says nothing; [`CliError::OtherPlan`] with the first differences.
    pub fn shows(&self, plan: &Plan) -> Result<(), CliError> {
        for step in &plan.steps {
            let shown = removes(&self.picture, &step.id);
            if let Some(name) = step.removes.iter().find(|name| !shown.contains(&name.as_str())) {
                let reason =
                    message!("it would now also remove {name}, which the plan does not show");
                return Err(ExecError::AptMissing { reason }.into());
            }
        }
        let more = self.more.iter().cloned().map(Difference::Unknown);
        let all: Vec<_> = more.chain(differences(&self.picture, plan)).collect();
        if all.is_empty() {
            return Ok(());
        }
        let mut named: Vec<_> = all.iter().take(NAMED).map(ToMessage::to_message).collect();
        if all.len() > NAMED {
            named.push(message!("{} more", all.len() - NAMED));
        }
        Err(CliError::OtherPlan { path: self.path.clone(), differences: named })
    }
}
