//! Reads a profile: every fault is named with file, line and column.

use std::collections::BTreeMap;
use std::ops::Range;

use aitk_macros::Kind;
use aitk_system::{Explain, Message, message};
use serde::de::{Deserialize, DeserializeOwned, IntoDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{
    Estimate, Hardware, MemoryThresholds, Profile, ProfileError, ProfileStep, Requirements,
};
use crate::manager::Manager;
use crate::model::Phase;
use crate::names;
use crate::step::{Kind, Part, StepKind};

/// The longest text of a profile, in bytes. The longest of aitk's own has some 16,000.
pub const LONGEST: usize = 1 << 20;
/// The most steps of a profile, and the most needs, packages and requirements of a step.
const MOST: usize = 400;

#[derive(serde::Deserialize)]
struct Form {
    schema: Spanned<u32>,
}

/// What a profile says, but for its steps.
#[derive(serde::Deserialize, Kind)]
#[serde(deny_unknown_fields)]
struct Head {
    /// The form of the file: 1.
    #[serde(rename = "schema")]
    _schema: u32,
    /// Its name.
    #[serde(deserialize_with = "names::step_id::one")]
    name: String,
    /// One line for people.
    #[serde(deserialize_with = "names::sentence")]
    title: Message,
    /// What it brings.
    #[serde(deserialize_with = "names::sentence")]
    summary: Message,
    /// Whether its environment is that of a session of hosted notebooks: it is resolved for it, and nothing of it is
    /// installed on this machine.
    #[serde(default)]
    hosted: bool,
    /// Whether it writes a project for a platform, which has to be named.
    #[serde(default)]
    projects: bool,
    /// The framework that is meant where none is chosen [pytorch].
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    framework: Option<String>,
    /// Thresholds of memory: `minimum`, `comfortable`, and `swap_below` and `swap_size` of a swap file.
    memory: MemoryThresholds,
    /// What a machine should have: `vram`, an `example` that has it, and the kind of `disk`.
    hardware: Option<Hardware>,
    /// The aitk profile whose steps it takes, instead of steps of its own.
    steps_of: Option<Spanned<String>>,
}

/// What a profile says of every step.
#[derive(serde::Deserialize, Kind)]
struct StepHead {
    /// Its name, which other steps need it by.
    id: Spanned<String>,
    /// Where in the order of a plan it belongs.
    phase: Phase,
    /// What it ensures: one of the kinds below.
    kind: Spanned<String>,
    /// What it is, for people.
    #[serde(deserialize_with = "names::sentence")]
    title: Message,
    /// Why it is there, for people.
    #[serde(deserialize_with = "names::sentence")]
    why: Message,
    /// The one manager that it belongs to, `conda` or `venv`.
    manager: Option<Manager>,
    /// What the user must ask for (`--with`) for it to be there.
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    with: Option<String>,
    /// Whether it is there only where a project is written.
    #[serde(default)]
    project: bool,
    /// The maker of a GPU that must be here for it to be there.
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    gpu: Option<String>,
    /// What to do instead in WSL, where the step is left out then.
    #[serde(default, deserialize_with = "names::maybe_sentence")]
    wsl: Option<Message>,
    /// Steps that come before it.
    #[serde(default)]
    needs: Vec<Spanned<String>>,
    /// What the machine must have, else the step is blocked: `memory`, `cpu_level`, `cpu_features`, `glibc`; `framework` is the one that has to be chosen.
    #[serde(default)]
    requires: Requirements,
    /// What it takes as long as no source can be asked: `download`, `disk`, `files`.
    #[serde(default)]
    estimate: Estimate,
}

/// What can be said of a profile itself.
pub const PROFILE: &crate::step::Facts = &Head::FACTS;
/// What can be said of every step.
pub const STEP: &crate::step::Facts = &StepHead::FACTS;

/// A step as it was read, with the places of what may still be wrong.
struct ReadStep {
    common: StepHead,
    kind: StepKind,
}

/// A fault at its place in the file.
type Misplaced = (Range<usize>, Message);

impl Profile {
    /// Reads a profile; `file` names it in errors.
    ///
    /// # Errors
    /// [`ProfileError::Invalid`] with file, line and column.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ProfileError> {
        // Another form may have other keys, so the form comes first.
        if text.len() <= LONGEST {
            let Form { schema } = parse(file, text)?;
            if *schema.get_ref() != 1 {
                let form = schema.get_ref();
                let message =
                    message!("this profile has form {form}, and this version of aitk reads form 1");
                return Err(invalid(file, text, schema.span().start, message));
            }
        }
        read(text).map_err(|(span, message)| invalid(file, text, span.start, message))
    }
}

fn read(text: &str) -> Result<Profile, Misplaced> {
    if text.len() > LONGEST {
        return Err((
            0..0,
            message!("a profile has at most {LONGEST} bytes, and this one {}", text.len()),
        ));
    }
    let mut table = DeTable::parse(text).map_err(|error| fault(&error))?;
    let said = table.get_mut().remove("step");
    let head = Head::deserialize(table.into_deserializer()).map_err(|error| fault(&error))?;
    let steps = steps(said)?;
    let borrowed = match head.steps_of {
        None => None,
        Some(other) if !steps.is_empty() => {
            return Err((other.span(), message!("a profile has the steps of another or its own")));
        }
        Some(other) => {
            let found = Profile::builtin(other.get_ref());
            Some(found.map_err(|error| (other.span(), error.message()))?.steps)
        }
    };
    in_order(&steps)?;
    let mut steps = borrowed.unwrap_or_else(|| steps.into_iter().map(ReadStep::step).collect());
    // One of the user's own may come from before notebooks were projects.
    if head.hosted && !steps.iter().any(|step| step.project) {
        let free = Profile::builtin("free").map_err(|error| (0..0, error.message()))?;
        steps.extend(free.steps.into_iter().filter(|step| step.project));
    }
    Ok(Profile {
        name: head.name,
        title: head.title,
        summary: head.summary,
        hosted: head.hosted,
        projects: head.projects || head.hosted,
        framework: head.framework,
        memory: head.memory,
        hardware: head.hardware,
        steps,
        project: None,
    })
}

/// The steps of a profile, each by itself.
fn steps(said: Option<Spanned<DeValue<'_>>>) -> Result<Vec<ReadStep>, Misplaced> {
    let Some(said) = said else { return Ok(Vec::new()) };
    let span = said.span();
    let DeValue::Array(steps) = said.into_inner() else {
        return Err((span, message!("steps are tables: [[step]]")));
    };
    if let Some(step) = steps.get(MOST) {
        let count = steps.len();
        let message = message!("a profile has at most {MOST} steps, and this one {count}");
        return Err((step.span(), message));
    }
    steps.into_iter().map(ReadStep::one).collect()
}

impl ReadStep {
    fn one(said: Spanned<DeValue<'_>>) -> Result<Self, Misplaced> {
        let span = said.span();
        let DeValue::Table(all) = said.into_inner() else {
            return Err((span, message!("steps are tables: [[step]]")));
        };
        let is_common = |name: &str| StepHead::FACTS.keys.iter().any(|key| key.name == name);
        let (common, own): (DeTable<'_>, DeTable<'_>) =
            all.into_iter().partition(|(name, _)| is_common(name.get_ref()));
        let common = Spanned::new(span.clone(), common);
        let common =
            StepHead::deserialize(common.into_deserializer()).map_err(|error| fault(&error))?;
        names::step_id::check(common.id.get_ref())
            .map_err(|unfit| (common.id.span(), aitk_system::ToMessage::to_message(&unfit)))?;
        if let Some(need) = common.needs.get(MOST) {
            return Err((need.span(), message!("a step has at most {MOST} needs")));
        }
        let kind = kind(&common.kind, Spanned::new(span, own))?;
        Ok(Self { common, kind })
    }

    fn id(&self) -> &str {
        self.common.id.get_ref()
    }

    fn step(self) -> ProfileStep {
        let StepHead {
            id,
            phase,
            title,
            why,
            manager,
            with,
            project,
            gpu,
            wsl,
            needs,
            requires,
            estimate,
            ..
        } = self.common;
        let needs = needs.into_iter().map(Spanned::into_inner).collect();
        let (id, kind) = (id.into_inner(), self.kind);
        ProfileStep {
            id,
            phase,
            title,
            why,
            manager,
            with,
            project,
            gpu,
            wsl,
            needs,
            kind,
            requires,
            estimate,
        }
    }
}

/// What is said of a step of this kind, if these are just the keys that it takes.
fn kind(name: &Spanned<String>, said: Spanned<DeTable<'_>>) -> Result<StepKind, Misplaced> {
    let unknown = || {
        let known: Vec<_> = StepKind::ALL.iter().map(|facts| facts.name).collect();
        let (name, known) = (name.get_ref(), known.join(", "));
        message!("there is no kind of step `{name}`; there are {known}")
    };
    let facts = StepKind::ALL.iter().find(|facts| facts.name == name.get_ref());
    let keys = facts.ok_or_else(|| (name.span(), unknown()))?.keys;
    for (said, value) in said.get_ref() {
        let key = said.get_ref();
        if !keys.iter().any(|known| known.name == key) {
            return Err((said.span(), message!("a step of this kind takes no `{key}`")));
        }
        if value.get_ref().as_array().is_some_and(|all| all.len() > MOST) {
            return Err((value.span(), message!("this list has at most {MOST} entries")));
        }
    }
    let lacks = |key: &&crate::step::Key| !key.optional && !said.get_ref().contains_key(key.name);
    if let Some(crate::step::Key { name: key, .. }) = keys.iter().find(lacks) {
        return Err((name.span(), message!("a step of this kind needs `{key}`")));
    }
    let kind = StepKind::read(name.get_ref(), said).ok_or_else(|| (name.span(), unknown()))?;
    kind.map_err(|error| fault(&error))
}

/// Looks whether steps need what there is, stand behind what they need, and have an environment to work in.
fn in_order(steps: &[ReadStep]) -> Result<(), Misplaced> {
    let places: BTreeMap<&str, usize> =
        steps.iter().enumerate().map(|(place, step)| (step.id(), place)).collect();
    for (index, step) in steps.iter().enumerate() {
        if places[step.id()] != index {
            return Err((step.common.id.span(), message!("there are two steps `{}`", step.id())));
        }
        for need in &step.common.needs {
            if !places.contains_key(need.get_ref().as_str()) {
                return Err((need.span(), message!("there is no step `{}`", need.get_ref())));
            }
        }
    }
    if let Some((span, path)) = cycle(steps, &places) {
        return Err((span, message!("steps need each other in a circle: {path}")));
    }
    if let Some(fault) = homeless(steps) {
        return Err(fault);
    }
    match steps.windows(2).find(|pair| pair[0].common.phase > pair[1].common.phase) {
        None => Ok(()),
        Some(pair) => {
            let message = message!("`{}` stands after a step of a later phase", pair[1].id());
            Err((pair[1].common.id.span(), message))
        }
    }
}

/// The first step for which there is no environment, or an environment too many, with one manager or the other.
fn homeless(steps: &[ReadStep]) -> Option<Misplaced> {
    Manager::ALL.into_iter().find_map(|manager| {
        let mut there = false;
        let mut of_it = steps.iter().filter(|step| step.common.manager.is_none_or(|of| of == manager));
        of_it.find_map(|step| {
            let fault = |message: Message| Some((step.common.kind.span(), message));
            match step.kind.facts().part {
                Part::Whole if there => {
                    fault(message!("there is an environment for {manager} already"))
                }
                Part::Whole => {
                    there = true;
                    None
                }
                part if part.is_inside() && !there => fault(message!(
                    "a step of this kind needs one of the kind `environment` before it, and with {manager} there is none"
                )),
                _ => None,
            }
        })
    })
}

/// The first circle of needs: where it closes, and its steps.
fn cycle(steps: &[ReadStep], places: &BTreeMap<&str, usize>) -> Option<Misplaced> {
    let mut clear = vec![false; steps.len()];
    // The way down to the step that is looked at: each step with how many of its needs were followed.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..steps.len() {
        path.push((start, 0));
        while let Some((at, followed)) = path.last_mut() {
            let (step, need) = (*at, steps[*at].common.needs.get(*followed));
            *followed += 1;
            let Some(need) = need.filter(|_| !clear[step]) else {
                clear[step] = true;
                path.pop();
                continue;
            };
            let next = places[need.get_ref().as_str()];
            if let Some(start) = path.iter().position(|(step, _)| *step == next) {
                let names = path[start..].iter().map(|(step, _)| *step).chain([next]);
                let names: Vec<_> = names.map(|step| steps[step].id()).collect();
                return Some((need.span(), Message::plain(names.join(" → "))));
            }
            path.push((next, 0));
        }
    }
    None
}

/// Reads a TOML text; `file` names it in errors.
///
/// # Errors
/// [`ProfileError::Invalid`] with file, line and column.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ProfileError> {
    toml::from_str(text).map_err(|error| {
        let (span, message) = fault(&error);
        invalid(file, text, span.start, message)
    })
}

/// What is wrong with a text of TOML, and where.
fn fault(error: &toml::de::Error) -> Misplaced {
    let said = error.message().trim();
    let message = names::refused(said).unwrap_or_else(|| Message::plain(said));
    (error.span().unwrap_or_default(), message)
}

fn invalid(file: &str, text: &str, offset: usize, message: Message) -> ProfileError {
    // A place inside of a character is that character's.
    let before = &text[..text.floor_char_boundary(offset)];
    ProfileError::Invalid {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
        message,
    }
}
