//! What a saved plan shows, beside the plan that its choices and locks give here. The picture is a stranger's and nothing
//! of it is carried out; where it differs from what would be done, somebody was shown something else.

use aitk_system::{Message, ToMessage, message};
use std::fmt;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::environment::{EnvironmentPlan, LockInShort};
use crate::manager::BASE;
use crate::model::{Plan, Status, Step, Totals};
use crate::request::{EnvironmentRequest, LayerRequest};
use crate::step::{Action, Base, Environment, Layer, Part};
use crate::warnings::PASSING;

/// Where a picture and a plan differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// A step is to be done and was not shown.
    More(String),
    /// A step was shown and is none of the plan.
    Less(String),
    /// Something of a step is another one.
    Step(String, &'static str),
    /// Something of the plan is another one.
    Plan(&'static str),
    /// It says something that no plan says, there.
    Unknown(String),
    /// It has not the form of a plan, for this reason.
    Form(String),
}

impl ToMessage for Difference {
    fn to_message(&self) -> Message {
        match self {
            Self::More(id) => message!("`{id}` is not in it"),
            Self::Less(id) => message!("`{id}` is not to be done"),
            Self::Step(id, field) => message!("`{field}` of `{id}`"),
            Self::Plan(field) => Message::plain(format!("`{field}`")),
            Self::Unknown(path) => message!("`{path}`, which no plan has"),
            Self::Form(error) => message!("its form ({error})"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}

/// All differences between a picture, as `aitk plan --json` prints a plan, and the plan that follows here from the same
/// choices and locks. What was done meanwhile is no difference, nor is what takes less, or what a cache has lost; what was an estimate may be exact
/// by now, but takes nothing more away.
pub fn differences(picture: &Value, plan: &Plan) -> Vec<Difference> {
    let none = Vec::new();
    let shown = picture["steps"].as_array().unwrap_or(&none);
    let mut all = Vec::new();
    let environments = Both::of(picture, plan);
    for (at, step) in plan.steps.iter().enumerate() {
        match shown.get(at) {
            Some(seen) if seen["id"] == step.id.as_str() => {
                of_step(seen, step, &environments, &mut all);
            }
            _ => all.push(Difference::More(step.id.clone())),
        }
    }
    let known = |seen: &&Value| plan.steps.iter().any(|step| seen["id"] == step.id.as_str());
    let less = shown.iter().filter(|seen| !known(seen));
    all.extend(less.map(|seen| Difference::Less(text(&seen["id"]).to_owned())));
    if shown.len() > plan.steps.len() && all.is_empty() {
        all.push(Difference::Plan("steps"));
    }
    of_plan(picture, plan, shown, &mut all);
    if let Some(seen) = environments.seen {
        let names = |of: &Value| list(of).iter().map(|one| one["name"].clone()).collect::<Vec<_>>();
        if names(seen) != names(&environments.here) {
            all.push(Difference::Plan("environments"));
        }
    }
    if all.is_empty() {
        all.extend(unread(picture, &environments));
    }
    all
}

/// What a picture says and no plan does, at any depth, which therefore nothing above has compared: read as a plan and
/// written again it is gone.
fn unread(picture: &Value, environments: &Both<'_>) -> Option<Difference> {
    let mut seen = picture.clone();
    if environments.seen.is_none() {
        // What the first form has otherwise was compared to the last word.
        let steps = seen["steps"].as_array_mut().into_iter().flatten();
        for (seen, step) in steps.zip(&environments.plan.steps) {
            seen["spec"] = value(&step.action)["spec"].take();
        }
        seen["environments"] = environments.here.clone();
    }
    let read = || -> Result<Value, serde_json::Error> {
        let mut read = value(&Plan::deserialize(&seen)?);
        let all = read["environments"].as_array_mut().into_iter().flatten();
        for (read, seen) in all.zip(list(&seen["environments"])) {
            read["lock"] = value(&Option::<LockInShort>::deserialize(&seen["lock"])?);
        }
        Ok(read)
    };
    match read() {
        Ok(read) => lost(&seen, &read, "").map(Difference::Unknown),
        Err(error) => Some(Difference::Form(error.to_string())),
    }
}

/// Where the first thing stands that was not read.
fn lost(seen: &Value, read: &Value, at: &str) -> Option<String> {
    let inside = |key: &dyn fmt::Display| match at {
        "" => key.to_string(),
        at => format!("{at}/{key}"),
    };
    match (seen, read) {
        (Value::Object(seen), Value::Object(read)) => {
            seen.iter().filter(|(_, seen)| !seen.is_null()).find_map(|(key, seen)| {
                lost(seen, read.get(key).unwrap_or(&Value::Null), &inside(key))
            })
        }
        (Value::Array(seen), Value::Array(read)) if seen.len() == read.len() => {
            let mut both = seen.iter().zip(read).enumerate();
            both.find_map(|(nth, (seen, read))| lost(seen, read, &inside(&nth)))
        }
        _ => (seen != read).then(|| at.to_owned()),
    }
}

fn of_plan(picture: &Value, plan: &Plan, shown: &[Value], all: &mut Vec<Difference>) {
    let json = as_saved(plan);
    let steps_agree = all.is_empty();
    let mut differ = |field, differs: bool| {
        if differs {
            all.push(Difference::Plan(field));
        }
    };
    for field in ["budget", "machine", "manager", "project", "grounds"] {
        differ(field, picture[field] != json[field]);
    }
    // What the environment's sources say of framework and GPU is known once it is resolved, and told no more once it is
    // built.
    let environment = plan.steps.iter().position(|step| step.part() == Part::Whole);
    let same_knowledge = environment.is_none_or(|at| {
        let (seen, here) = (shown.get(at).unwrap_or(&Value::Null), &plan.steps[at]);
        seen["status"] == value(&here.status) && seen["estimated"] == here.estimated
    });
    for field in ["accelerator", "framework"] {
        differ(field, same_knowledge && picture[field] != json[field]);
    }
    // What all takes together follows from what each step takes: the picture has to add up by itself.
    let needed = || shown.iter().filter(|step| step["status"] == "needed");
    let sum =
        |field: &str| needed().filter_map(|step| step[field].as_u64()).fold(0, u64::saturating_add);
    let totals = Totals {
        download: sum("download"),
        disk: sum("disk"),
        steps: needed().count(),
        estimated: needed().any(estimated),
        rough: needed().any(|step| step["rough"] == true),
    };
    differ("totals", steps_agree && picture["totals"] != value(&totals));
    let (told, here) = (list(&picture["warnings"]), list(&json["warnings"]));
    let passing = |one: &Value| PASSING.contains(&text(&one["code"]));
    let more = here.iter().any(|one| !told.contains(one));
    differ("warnings", more || told.iter().any(|one| !here.contains(one) && !passing(one)));
}

/// What both say of the environments that steps refer to.
struct Both<'a> {
    plan: &'a Plan,
    /// `None` where the picture is of the first form, in which all of it stands with the steps.
    seen: Option<&'a Value>,
    here: Value,
}

impl<'a> Both<'a> {
    fn of(picture: &'a Value, plan: &'a Plan) -> Self {
        Self { plan, seen: picture.get("environments"), here: value(&plan.environments) }
    }

    /// What a step is told, in the form of the picture.
    fn spec(&self, seen: &Value, step: &Step) -> Value {
        let first = self.seen.is_none().then(|| self.first_spec(seen, &step.action, &step.id));
        first.flatten().unwrap_or_else(|| value(&step.action)["spec"].take())
    }

    /// The same in the first form, where it was another one.
    fn first_spec(&self, seen: &Value, action: &Action, id: &str) -> Option<Value> {
        let named = |name: &str| self.plan.environment_named(name);
        match action {
            Action::Environment(Environment { env }) => {
                let environment = named(env)?;
                let EnvironmentRequest { python, interpreter, layers, builds, added, .. } =
                    &environment.request;
                let layer = |layer: &LayerRequest| json!({ "step": layer.step, "requirements": layer.requirements });
                Some(json!({
                    "env": env, "python": python, "interpreter": interpreter,
                    "layers": layers.iter().map(layer).collect::<Vec<_>>(),
                    "builds": builds, "added": added, "generation": environment.generation(),
                }))
            }
            Action::Layer(Layer { env }) => {
                let layer = named(env).and_then(|environment| environment.request.layer(id));
                Some(json!({ "requirements": layer.map_or(&[][..], |layer| &layer.requirements) }))
            }
            Action::Base(Base { env, adopt }) => {
                let own = named(BASE);
                let layer = own.and_then(|own| own.request.layer(id));
                // Nothing comes of what was asked for beside a conda that is there already.
                let asked = layer.map_or_else(
                    || seen["spec"]["requirements"].clone(),
                    |layer| value(&layer.requirements),
                );
                let generation = own.and_then(EnvironmentPlan::generation);
                Some(
                    json!({ "env": env, "requirements": asked, "adopt": adopt, "generation": generation }),
                )
            }
            _ => None,
        }
    }

    /// Whether both say the same of what a step makes: of a whole environment, or of its layer. What was still open may
    /// be `filled` in.
    fn agree(&self, step: &Step, filled: bool) -> bool {
        let Some(seen) = self.seen else { return true };
        let of = |all: &'_ Value, name: &str| {
            list(all).iter().find(|one| one["name"] == name).cloned().unwrap_or_default()
        };
        let both = |name: &str| (of(seen, name), of(&self.here, name));
        match &step.action {
            Action::Environment(Environment { env: name }) => agree(&both(name), filled),
            Action::Base(_) => agree(&both(BASE), filled),
            Action::Layer(Layer { env }) => {
                let (seen, here) = both(env);
                let layer = |of: &Value| {
                    let layers = list(&of["request"]["layers"]).iter();
                    layers.filter(|layer| layer["step"] == step.id).cloned().collect::<Vec<_>>()
                };
                layer(&seen) == layer(&here)
            }
            _ => true,
        }
    }
}

fn agree((seen, here): &(Value, Value), filled: bool) -> bool {
    let lock = || seen["lock"].is_null() || seen["lock"] == here["lock"];
    seen == here || filled && fills(&seen["request"], &here["request"]) && lock()
}

fn of_step(seen: &Value, step: &Step, environments: &Both<'_>, all: &mut Vec<Difference>) {
    let mut here = value(step);
    here["spec"] = environments.spec(seen, step);
    let mut differ = |field, differs: bool| {
        if differs {
            all.push(Difference::Step(step.id.clone(), field));
        }
    };
    let needed = seen["status"] == "needed";
    let done_meanwhile = needed && step.status == Status::Done;
    differ("status", seen["status"] != here["status"] && !done_meanwhile);
    for field in ["phase", "title", "kind", "needs", "root"] {
        differ(field, seen[field] != here[field]);
    }
    if done_meanwhile {
        return;
    }
    let made_exact = estimated(seen) && !step.estimated;
    differ("estimated", step.estimated && !estimated(seen));
    differ("remedy", seen["remedy"] != here["remedy"]);
    differ(
        "removes",
        list(&here["removes"]).iter().any(|one| !list(&seen["removes"]).contains(one)),
    );
    differ("environments", !environments.agree(step, made_exact));
    if made_exact {
        differ("spec", !fills(&seen["spec"], &here["spec"]));
        differ("why", !list(&here["why"]).starts_with(list(&seen["why"])));
        return;
    }
    differ("removes", list(&here["removes"]).len() != list(&seen["removes"]).len());
    for field in ["spec", "why", "commands", "packages", "files"] {
        differ(field, seen[field] != here[field]);
    }
    differ("writes", !writes_the_same(&seen["writes"], &here["writes"]));
    // What the same packages take follows from what the caches here have of them, which may have been emptied meanwhile.
    if !step.packages.is_empty() {
        return;
    }
    differ("rough", step.rough && seen["rough"] != true);
    for (field, here) in [("download", step.download), ("disk", step.disk)] {
        let known = seen[field].as_u64().is_some_and(|seen| here.is_some_and(|here| here <= seen));
        differ(field, !known && seen[field] != value(&here));
    }
}

/// Whether the same is written into the same files. What is not at hand at one of both times is checked by what is shown
/// of it before it is written.
fn writes_the_same(seen: &Value, here: &Value) -> bool {
    let (seen, here) = (list(seen), list(here));
    let same = |(seen, here): (&Value, &Value)| {
        let later = !seen["later"].is_null() || !here["later"].is_null();
        seen["path"] == here["path"] && (later || seen["content"] == here["content"])
    };
    seen.len() == here.len() && seen.iter().zip(here).all(same)
}

/// Whether what is known now is what was shown, with nothing but what was still open then filled in.
fn fills(seen: &Value, here: &Value) -> bool {
    let (Value::Object(seen), Value::Object(here)) = (seen, here) else { return seen == here };
    let open = |value: &Value| value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    seen.len() == here.len()
        && here
            .iter()
            .all(|(key, value)| seen.get(key).is_some_and(|seen| seen == value || open(seen)))
}

fn estimated(of: &Value) -> bool {
    of["estimated"] == true
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A value of ours as JSON; they all serialize.
fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

/// The same as it is read from a file. A number with a fraction may be read as its neighbour, there as well as here.
fn as_saved(of: &impl serde::Serialize) -> Value {
    let text = serde_json::to_string(of).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}
