//! The kinds of step: what is said of each, in the one list of them.
//!
//! A payload is what a plan holds of a step. Where a profile says all of it, it is the profile's form as well; else the
//! profile has a form of its own (see [`form`]), and what it means is decided on the machine. What a payload does is
//! in the crate `exec`.

pub mod form;
mod tagged;

use std::borrow::Cow;

use aitk_macros::Kind;
use aitk_system::message;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};
use toml::Spanned;
use toml::de::DeTable;

use crate::names;

/// What is said once of a kind of step. `#[derive(Kind)]` reads it from the struct, its comments and `#[kind(…)]`.
pub trait Kind {
    /// Its facts, from which plans, profiles and the reference in `docs` take them.
    const FACTS: Facts;
}

/// What is said of a kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Its name in profiles and plans: `apt-lists`.
    pub name: &'static str,
    /// What it ensures, in a sentence of the reference.
    pub about: &'static str,
    /// What is said of each step of this kind.
    pub keys: &'static [Key],
    /// Whether root does it.
    pub root: bool,
    /// Whether apt does it.
    pub apt: bool,
    /// Whether root does something else for it than what the system's own archive says: a file, a source, a group, swap
    /// space or a driver comes, or what these need.
    pub changes_system: bool,
    /// Whether a person may have to do something before it holds, and the run goes on afterwards.
    pub pauses: bool,
    /// What it has to do with the environment.
    pub part: Part,
}

impl Facts {
    /// Of a kind that is nothing in particular.
    pub const PLAIN: Self = Self {
        name: "",
        about: "",
        keys: &[],
        root: false,
        apt: false,
        changes_system: false,
        pauses: false,
        part: Part::Outside,
    };
}

/// One thing that is said of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// As profiles write it.
    pub name: &'static str,
    /// What it means, in a sentence of the reference.
    pub about: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
}

/// What a kind of step has to do with the environment of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// Nothing.
    #[default]
    Outside,
    /// It is the environment that its manager comes in.
    Manager,
    /// It is the environment.
    Whole,
    /// It is a layer of it.
    Layer,
    /// It proves it.
    Proof,
    /// It makes it the one in use.
    Switch,
    /// It leads to the one in use.
    Link,
}

impl Part {
    /// Whether packages of the environment itself come with it.
    pub fn is_content(self) -> bool {
        matches!(self, Self::Whole | Self::Layer)
    }

    /// Whether packages of a manager's come with it.
    pub fn installs(self) -> bool {
        self.is_content() || self == Self::Manager
    }

    /// Whether it works in the environment that an earlier step makes.
    pub fn is_inside(self) -> bool {
        matches!(self, Self::Layer | Self::Proof | Self::Switch | Self::Link)
    }
}

/// A payload, as a step holds it.
pub trait Payload: Kind + Sized {
    /// What a step holds, if it is of this kind.
    fn of(action: &Action) -> Option<&Self>;
}

/// Hands every kind of step to a macro: those of which a profile says all that a plan holds, those that only a plan
/// holds, and those that only a profile says.
#[macro_export]
macro_rules! for_each_kind {
    ($then:ident) => {
        $then! {
            both: AptRepair, AptLists, AptPackages, ContainerGpu, Activate;
            plan: AptUpgrade, AptSource, SystemFile, SwapFile, Groups, Login, Restart, Uv, Base, ShellInit,
                Environment, Layer, Kernelspec, Check, ProjectFiles, Push, MaskedUnits, Service, Judges,
                Unavailable;
            profile: PendingUpgrades, VendorSource, DriverSource, GpuDriver, DriverHold, Swap, GpuGroups,
                GpuLogin, AfterDriver, PinnedUv, CondaItself, NewShells, NewEnvironment, Libraries,
                FrameworkLayer, NotebookKernel, Proof, FrameworkProof, ProjectLibraries, ProjectFolder,
                ProjectPush, ServiceMasks, ServicePackages, EachService, ProjectJudges;
        }
    };
}

macro_rules! enumerate {
    (both: $($both:ident),+; plan: $($plan:ident),+; profile: $($profile:ident),+;) => {
        /// What a step of a plan ensures.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each is what its payload says")]
        pub enum Action {
            $($both($both),)+
            $($plan($plan),)+
        }

        /// What a profile says of a step.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(missing_docs, reason = "each is what its form says")]
        pub enum StepKind {
            $($both($both),)+
            $($profile(form::$profile),)+
        }

        enumerate!(payloads $($both)+ $($plan)+);

        impl Action {
            /// What is said of its kind.
            pub fn facts(&self) -> &'static Facts {
                match self {
                    $(Self::$both(_) => &<$both as Kind>::FACTS,)+
                    $(Self::$plan(_) => &<$plan as Kind>::FACTS,)+
                }
            }
        }

        impl Serialize for Action {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let name = self.facts().name;
                match self {
                    $(Self::$both(payload) => tagged::write(name, payload, to),)+
                    $(Self::$plan(payload) => tagged::write(name, payload, to),)+
                }
            }
        }

        impl JsonSchema for Action {
            fn schema_name() -> Cow<'static, str> {
                stringify!(Action).into()
            }

            fn json_schema(generator: &mut SchemaGenerator) -> Schema {
                let kinds = [
                    $(tagged::schema::<$both>($both::FACTS.name, generator),)+
                    $(tagged::schema::<$plan>($plan::FACTS.name, generator),)+
                ];
                json_schema!({ "oneOf": kinds })
            }
        }

        impl<'de> Deserialize<'de> for Action {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let (name, spec) = tagged::read(from)?;
                match name.as_str() {
                    $(name if name == $both::FACTS.name => tagged::payload(spec).map(Self::$both),)+
                    $(name if name == $plan::FACTS.name => tagged::payload(spec).map(Self::$plan),)+
                    name => Err(names::refuse(message!("there is no kind of step `{name}`"))),
                }
            }
        }

        impl StepKind {
            /// What is said of every kind that a profile can name.
            pub const ALL: &'static [Facts] = &[$($both::FACTS,)+ $(form::$profile::FACTS,)+];

            /// What is said of its kind.
            pub fn facts(&self) -> &'static Facts {
                match self {
                    $(Self::$both(_) => &<$both as Kind>::FACTS,)+
                    $(Self::$profile(_) => &<form::$profile as Kind>::FACTS,)+
                }
            }

            /// Reads what a profile says of a step of this kind; `None` where there is no such kind.
            pub(crate) fn read(
                name: &str,
                said: Spanned<DeTable<'_>>,
            ) -> Option<Result<Self, toml::de::Error>> {
                let said = serde::de::IntoDeserializer::into_deserializer(said);
                Some(match name {
                    $(name if name == $both::FACTS.name => $both::deserialize(said).map(Self::$both),)+
                    $(name if name == form::$profile::FACTS.name => {
                        form::$profile::deserialize(said).map(Self::$profile)
                    })+
                    _ => return None,
                })
            }
        }
    };
    (payloads $($payload:ident)+) => {$(
        impl From<$payload> for Action {
            fn from(payload: $payload) -> Self {
                Self::$payload(payload)
            }
        }

        impl Payload for $payload {
            fn of(action: &Action) -> Option<&Self> {
                match action {
                    Action::$payload(payload) => Some(payload),
                    _ => None,
                }
            }
        }
    )+};
}

for_each_kind!(enumerate);

/// A struct of a kind of step with what all of them derive.
macro_rules! payloads {
    ($($(#[$attribute:meta])+ struct $name:ident { $($fields:tt)* })+) => {$(
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema, Kind)]
        #[serde(deny_unknown_fields)]
        $(#[$attribute])+
        pub struct $name { $($fields)* }
    )+};
}
use payloads;

payloads! {
    /// No package is half-installed.
    #[kind(root, apt)]
    struct AptRepair {}

    /// The package lists are recent.
    #[kind(root, apt)]
    struct AptLists {
        /// How old they may be.
        pub max_age_hours: u32,
    }

    /// No installed package has an upgrade waiting.
    #[kind(root, apt)]
    struct AptUpgrade {}

    /// These packages of the system's archive are installed.
    #[kind(root, apt)]
    struct AptPackages {
        /// Their names, as apt takes them.
        #[serde(deserialize_with = "names::apt_package::all")]
        pub packages: Vec<String>,
    }

    /// apt knows a vendor's repository, with the key that signs it, and takes from it only what is meant to come from it.
    #[kind(root, apt, changes_system)]
    struct AptSource {
        /// What its files are called after: `nvidia`.
        pub name: String,
        /// Address of the repository.
        pub uri: String,
        /// Distribution in it, `trixie`; it ends with a slash where the repository is flat.
        pub suite: String,
        /// Parts of the distribution; empty where the repository is flat.
        pub components: Vec<String>,
        /// Address of the key that signs it.
        pub key: String,
        /// That key's fingerprint: 40 hexadecimal digits.
        pub fingerprint: String,
        /// The packages that may come from it, as apt's preferences write patterns: nothing else does.
        pub packages: Vec<String>,
        /// The versions of them that are preferred to all others, as apt writes patterns: `595.*`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        pub pin: Option<String>,
    }

    /// A file of the system says this.
    #[kind(root, changes_system)]
    struct SystemFile {
        /// The file; it is wholly aitk's.
        pub path: String,
        /// What stands in it.
        pub content: String,
    }

    /// The user belongs to these groups, once logged in again.
    #[kind(root, changes_system)]
    struct Groups {
        /// The groups' names, as in `/etc/group`.
        pub groups: Vec<String>,
    }

    /// This session belongs to these groups.
    #[kind(changes_system, pauses)]
    struct Login {
        /// The groups' names, as in `/etc/group`.
        pub groups: Vec<String>,
    }

    /// The machine was started again after these steps.
    #[kind(changes_system, pauses)]
    struct Restart {
        /// Steps of the plan.
        pub after: Vec<String>,
    }

    /// There is swap space in a file, now and after a restart.
    #[kind(root, changes_system)]
    struct SwapFile {
        /// The file's whole path.
        pub path: String,
        /// How large it is, in bytes.
        pub size: u64,
    }

    /// Containers can use NVIDIA's GPUs.
    #[kind(root, changes_system)]
    struct ContainerGpu {}

    /// A uv that is good enough is there.
    struct Uv {}

    /// A conda and a mamba are there and know the environment by its name.
    #[kind(part = Manager)]
    struct Base {
        /// The environment that it is to know. Its own is [`crate::BASE`], unless there is a conda already.
        pub env: String,
        /// A conda of the user's own, which is used as it is.
        pub adopt: Option<String>,
    }

    /// New shells know `conda activate`.
    struct ShellInit {}

    /// A generation exists for the environment's lock.
    #[kind(part = Whole)]
    struct Environment {
        /// Its name among those of the plan, where all that is asked for stands.
        pub env: String,
    }

    /// The packages of one layer are in the generation.
    #[kind(part = Layer)]
    struct Layer {
        /// The environment, which says what the layer of this step asks for.
        pub env: String,
    }

    /// The generation is the one in use.
    #[kind(part = Switch)]
    struct Activate {}

    /// Jupyter knows the environment.
    #[kind(part = Link)]
    struct Kernelspec {
        /// Name of the kernel.
        pub name: String,
        /// Its name for people.
        pub display: String,
    }

    /// A proof succeeds.
    #[kind(part = Proof)]
    struct Check {
        /// The script, in `profiles/checks`.
        pub script: String,
    }

    /// The files of a project are in its folder, with what the user has changed in them.
    #[kind(name = "project")]
    struct ProjectFiles {
        /// The project's folder, a whole path.
        pub folder: String,
        /// The files; none as long as they are not rendered.
        pub files: Vec<ProjectFile>,
    }

    /// A project is sent to its platform by the user's own client and credentials, which starts it there.
    struct Push {
        /// The project's folder, a whole path.
        pub folder: String,
        /// The name of the platform's client.
        pub client: String,
    }

    /// Units that packages bring along do not start, unless they were here before.
    #[kind(root, changes_system)]
    struct MaskedUnits {
        /// The units' names with their endings: `postgresql.service`.
        pub units: Vec<String>,
    }

    /// A service runs, and starts with the machine.
    #[kind(root, changes_system)]
    struct Service {
        /// Its name among those of the plan's project.
        pub name: String,
    }

    /// The tools of those who read a project's files find nothing wrong in them.
    struct Judges {
        /// The project's folder, a whole path.
        pub folder: String,
        /// Whether it is used on this machine as well.
        pub prove: bool,
    }

    /// What the profile means cannot be had here: the step is blocked or left out, and says why.
    struct Unavailable {}
}

/// A file of a project.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectFile {
    /// Where it lies in the folder.
    pub path: String,
    /// Its SHA-256 as it is written.
    pub sha256: String,
    /// How large it is, in bytes.
    pub size: u64,
    /// What becomes of it.
    pub change: FileChange,
}

/// What becomes of a file of a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileChange {
    /// The file is not there yet.
    Write,
    /// It stays as it is.
    Keep,
    /// It was not touched, and is replaced.
    Replace,
    /// What the user changed and what is new go into it.
    Merge,
    /// Both changed the same: it stays, and the merge is laid aside.
    Conflict,
    /// It is the user's, and the new one is only told.
    Yours,
    /// The user took it away, and it stays away.
    Away,
    /// Nobody needs it any more, and it was not touched: it goes.
    Delete,
    /// Nobody needs it any more, and the user changed it: it stays.
    Leave,
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn a_plan_says_the_kind_and_what_is_said_of_it_and_reads_both_again() {
        for saved in [
            json!({"kind": "apt-upgrade"}),
            json!({"kind": "apt-lists", "spec": {"max_age_hours": 24}}),
            json!({"kind": "layer", "spec": {"env": "ai"}}),
            json!({"kind": "swap-file", "spec": {"path": "/swapfile", "size": 4096}}),
            json!({"kind": "base", "spec": {"env": "ai", "adopt": null}}),
        ] {
            let action: Action = from_value(saved.clone()).unwrap();
            assert_eq!(action.facts().name, saved["kind"]);
            assert_eq!(to_value(&action).unwrap(), saved);
        }
    }

    #[test]
    fn another_kind_and_another_key_are_refused() {
        let error = |saved| from_value::<Action>(saved).unwrap_err().to_string();
        assert!(error(json!({"kind": "nothing"})).contains("`nothing`"));
        let more = json!({"kind": "check", "spec": {"script": "x.py", "colour": 1}});
        assert!(error(more).contains("`colour`"));
    }
}
