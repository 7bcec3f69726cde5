//! What a platform says of the project that is written for it.

use std::collections::BTreeMap;

use aitk_system::Message;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::language::Wording;

/// A project for a platform, as its target and the choices make it. Reading targets is the crate `export`'s; what is
/// planned by it stands here.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Project {
    /// The platform's name, which is that of its target.
    pub platform: String,
    /// The folder that it is in.
    pub folder: String,
    /// The parts that were chosen, and those that they need.
    pub parts: Vec<String>,
    /// Everything that can be set, as it is.
    pub parameters: BTreeMap<String, String>,
    /// What the environment on this machine gets for it, as in PEP 508.
    #[serde(skip)]
    pub requirements: Vec<String>,
    /// The platform's own client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<Client>,
    /// The program that sends it to the platform, where that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<String>,
    /// What a person should know of the platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Message>,
    /// What costs money in somebody's cloud once it is started: what always runs comes first. aitk starts none of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<Cost>,
    /// What guards that money: an alarm before it, an end, and what becomes of machines that nobody uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Guard>,
    /// What a person does with the project, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Deed>,
    /// What takes away what these have started.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub down: Vec<Deed>,
    /// What runs on this machine as long as it is on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceSpec>,
}

/// A service of systemd's on this machine. Its unit is called `aitk-NAME.service`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// What its unit and its folders are called after: `mlflow`.
    pub name: String,
    /// What it is, for people.
    pub what: Wording,
    /// Where it is found.
    pub address: String,
    /// The packages of the system that it takes.
    pub apt: Vec<String>,
    /// Units that come with these packages and would start at once; they are kept from it.
    pub masks: Vec<String>,
    /// What its own environment has, as in PEP 508; the first is what its version is that of.
    pub python: Vec<String>,
    /// What is made on this machine, once.
    pub secrets: Vec<Secret>,
    /// What curl is told to ask it whether it is well; or a program with its whole path, and what that is told.
    pub health: Vec<String>,
    /// What is in the answer, headers first, where it is well: an extended regular expression for all of its lines as one.
    pub says: String,
    /// What has it do its work once, as whoever runs aitk; what its last line says was proven.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<String>,
    /// The ports of this machine on which it listens.
    pub ports: Vec<u16>,
    /// How long it may take to be so, in seconds.
    pub seconds: u64,
}

impl ServiceSpec {
    /// The name of its unit.
    pub fn unit(&self) -> String {
        format!("aitk-{}.service", self.name)
    }
}

/// A file that a command of root's makes on this machine, and that stays as it is from then on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secret {
    /// The file's whole path.
    pub path: String,
    /// The command of root's that prints what it holds.
    pub command: Vec<String>,
    /// Whether everybody may read it.
    #[serde(default)]
    pub public: bool,
}

impl Project {
    /// What all of it of which the price is known costs a month in US dollars; `None` where none is known.
    pub fn monthly(&self) -> Option<f64> {
        self.costs.iter().filter_map(|cost| cost.monthly).reduce(|all, one| all + one)
    }
}

/// A platform's own client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// The program: `aws`.
    pub command: String,
    /// The oldest version that does.
    pub minimum: String,
    /// The command that says which version it is; without one `COMMAND --version` does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version: Vec<String>,
    /// The variables by which it is told who the user is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// The command that succeeds where there are credentials that the platform takes; only run where that is asked for.
    #[serde(default)]
    pub credentials: Vec<String>,
}

/// Something that costs money as long as it runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// What it is, in a word: `endpoint`.
    pub id: String,
    /// US dollars a month; `None` where nobody has looked it up.
    pub monthly: Option<f64>,
    /// Whether it costs as well where nobody uses it.
    #[serde(default)]
    pub always_on: bool,
    /// Where the price comes from.
    pub source: Wording,
    /// When it was true, `YYYY-MM-DD`.
    pub as_of: String,
}

/// What guards the money of a project that costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What it is against.
    pub kind: GuardKind,
    /// What it is, for people.
    pub what: Wording,
}

/// What money has to be guarded against.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum GuardKind {
    /// Somebody hears before it is too much.
    Alarm,
    /// It does not run for ever.
    End,
    /// What nobody uses stops, as far as it does.
    Idle,
}

/// Something that a person does with a project.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// The command, in the project's folder; none where it is done elsewhere, by hand.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// What it is for.
    pub what: Wording,
    /// What it starts that costs, by the names of the costs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub costs: Vec<String>,
    /// What stays nevertheless, where it takes away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leaves: Vec<String>,
}
