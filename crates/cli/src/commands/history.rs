//! The generations of an environment, as `aitk status --history` shows them.

use std::collections::BTreeMap;
use std::path::Path;

use aitk_env::{
    Environments, Generation, GenerationRecord, Running, State, Switch, Usage, running,
};
use aitk_exec::ExecError;
use aitk_plan::{Bytes, Manager};
use aitk_system::{Message, System, ToMessage, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::changes::PackageChange;
use crate::error::CliError;
use crate::output::{BAD, CARE, DIM, GOOD, HEAD, styled};
use crate::words::said;

/// How many changes of one switch are named.
const NAMED: usize = 12;

/// What stands of an environment, and how it came to be.
pub struct History {
    switches: Vec<(Switch, Vec<PackageChange>)>,
    generations: Vec<Stands>,
    /// Where the link was last to lead, where it leads elsewhere.
    moved: Option<String>,
}

/// A generation with what differs from the one before, what it takes and what runs from it.
struct Stands {
    generation: Generation,
    record: Option<GenerationRecord>,
    state: State,
    usage: Usage,
    running: Vec<Running>,
    /// Whether it is the one in use.
    in_use: bool,
    /// Whether it was in use before.
    before: bool,
}

/// What stands of an environment, and how it came to be.
#[derive(Serialize, JsonSchema)]
pub struct HistoryInfo<'a> {
    /// Each time that another generation became the one in use.
    switches: Vec<SwitchInfo<'a>>,
    /// What there is.
    generations: Vec<GenerationInfo<'a>>,
    /// Where the link was last to lead, where it leads elsewhere: it was moved by hand.
    moved_from: Option<&'a str>,
}

/// Another generation became the one in use.
#[derive(Serialize, JsonSchema)]
struct SwitchInfo<'a> {
    #[serde(flatten)]
    switch: &'a Switch,
    /// What differed.
    changes: &'a [PackageChange],
}

/// One generation.
#[derive(Serialize, JsonSchema)]
struct GenerationInfo<'a> {
    /// Its name.
    generation: String,
    /// Its folder.
    path: &'a Path,
    /// Whether it is the one in use.
    in_use: bool,
    /// Whether it was in use before.
    before: bool,
    /// `whole`, `half-built` or `damaged`.
    state: &'a str,
    /// What is wrong with it.
    faults: Vec<Message>,
    /// Bytes that come free with it.
    own: u64,
    /// Bytes that it shares with others and with the cache.
    shared: u64,
    /// When it was built.
    built: Option<&'a str>,
    /// In which run.
    run: Option<&'a str>,
    /// The version of Python.
    python: Option<&'a str>,
    /// Who has installed it.
    manager: Option<Manager>,
    /// How many packages it has.
    packages: Option<usize>,
    /// What runs from it.
    running: &'a [Running],
}

impl History {
    pub fn read(system: &dyn System, data: &Path, env: &str) -> Result<Self, CliError> {
        let environments = Environments::new(data, env);
        let mut running = running(system, data);
        let before = environments.before(system);
        let all = environments.all(system).into_iter().map(|generation| {
            Ok(Stands {
                record: generation.record(system),
                state: generation.state(system).map_err(ExecError::from)?,
                usage: Usage::of(system, generation.path()),
                running: running.remove(generation.path()).unwrap_or_default(),
                in_use: environments.in_use(system, &generation),
                before: before.as_ref() == Some(&generation),
                generation,
            })
        });
        let mut generations = all.collect::<Result<Vec<_>, CliError>>()?;
        let when = |stands: &Stands| stands.record.as_ref().and_then(|one| one.when.clone());
        generations.sort_by_key(when);
        let records: BTreeMap<_, _> = generations
            .iter()
            .filter_map(|one| Some((one.generation.folder(), one.record.clone()?)))
            .collect();
        let differs = |switch: &Switch| match records.get(&switch.to) {
            Some(to) => {
                let from = switch.from.as_ref().map(|from| records.get(from));
                // Of what is gone nobody can say how it differed.
                if from == Some(None) {
                    Vec::new()
                } else {
                    PackageChange::of_records(env, from.flatten(), to)
                }
            }
            None => Vec::new(),
        };
        let switches = environments.history(system).into_iter();
        let switches = switches.map(|switch| (switch.clone(), differs(&switch))).collect();
        let moved = environments.moved_by_hand(system).map(|(last, _)| last.to);
        Ok(Self { switches, generations, moved })
    }

    pub fn to_info(&self) -> HistoryInfo<'_> {
        let switches = self.switches.iter();
        HistoryInfo {
            switches: switches.map(|(switch, changes)| SwitchInfo { switch, changes }).collect(),
            generations: self.generations.iter().map(Stands::to_info).collect(),
            moved_from: self.moved.as_deref(),
        }
    }

    pub fn page(&self) -> String {
        let mut text = format!("\n{}\n", styled(HEAD, said(message!("History"))));
        if self.switches.is_empty() {
            text += &format!(
                "  {}\n",
                said(message!("nothing is noted: what is here was made by an older aitk"))
            );
        }
        for (switch, changes) in &self.switches {
            text += &page_of(switch, changes);
        }
        if let Some(moved) = &self.moved {
            let text_of = message!(
                "the link was last to lead to {moved}: it was moved by hand, or a run was killed"
            );
            text += &format!("{} {}\n", styled(CARE, "!"), said(text_of));
        }
        text += &format!("\n{}\n", styled(HEAD, said(message!("Generations"))));
        self.generations.iter().for_each(|stands| text += &stands.page());
        if self.generations.iter().any(|one| !one.in_use) {
            let what = message!(
                "`aitk rollback GENERATION` goes back to one; `aitk clean` takes away what is not needed"
            );
            text += &format!("{}\n", styled(DIM, said(what)));
        }
        text
    }
}

/// A switch, with what differs.
fn page_of(switch: &Switch, changes: &[PackageChange]) -> String {
    let Switch { when, from, to, reason, .. } = switch;
    let when = when.split('.').next().unwrap_or(when);
    let reason = reason.name();
    let head = match from {
        Some(from) => format!("  {when}  {reason:8}  {from} → {to}"),
        None => format!("  {when}  {reason:8}  {to}"),
    };
    let mut text = format!("{head}\n");
    // All packages of the first one are no difference.
    if from.is_some() {
        for change in changes.iter().take(NAMED) {
            text += &format!("    {}", change.show());
        }
        if changes.len() > NAMED {
            let more = message!("{} more", changes.len() - NAMED);
            text += &format!("      {}\n", said(more));
        }
    }
    text
}

impl Stands {
    fn to_info(&self) -> GenerationInfo<'_> {
        let record = self.record.as_ref();
        let faults: Vec<_> = match &self.state {
            State::Damaged(faults) => faults.iter().map(ToMessage::to_message).collect(),
            _ => Vec::new(),
        };
        GenerationInfo {
            generation: self.generation.folder(),
            path: self.generation.path(),
            in_use: self.in_use,
            before: self.before,
            state: self.state.name(),
            faults,
            own: self.usage.own(),
            shared: self.usage.shared(),
            built: record.and_then(|record| record.when.as_deref()),
            run: record.and_then(|record| record.run.as_deref()),
            python: record.map(|record| record.python.as_str()),
            manager: record.map(|record| record.manager),
            packages: record.map(|record| record.layers.values().map(BTreeMap::len).sum::<usize>()),
            running: &self.running,
        }
    }

    fn page(&self) -> String {
        let role = match (self.in_use, self.before) {
            (true, _) => styled(GOOD, said(message!("in use"))),
            (_, true) => said(message!("before it")),
            _ => String::new(),
        };
        let state = match &self.state {
            State::Whole => said(message!("whole")),
            State::Half => styled(CARE, said(message!("half-built"))),
            State::Damaged(_) => styled(BAD, said(message!("damaged"))),
        };
        let (own, shared) = (Bytes(self.usage.own()), Bytes(self.usage.shared()));
        let takes = said(message!("{own} of its own, {shared} shared"));
        let what = self.record.as_ref().map(|record| {
            let packages = record.layers.values().map(BTreeMap::len).sum::<usize>();
            said(message!("{}, Python {}, {packages} packages", record.manager, record.python))
        });
        let parts = [Some(role), Some(state), Some(takes), what];
        let parts: Vec<_> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let mut text = format!("  {}  {}\n", self.generation.folder(), parts.join(" · "));
        if let State::Damaged(faults) = &self.state
            && let Some(fault) = faults.first()
        {
            text += &format!("    {} {}\n", styled(BAD, "!"), said(fault.to_message()));
        }
        if !self.running.is_empty() {
            text +=
                &format!("    {}\n", said(message!("runs from it: {}", programs(&self.running))));
        }
        text
    }
}

/// Programs with their numbers.
pub fn programs(running: &[Running]) -> Message {
    let one = |running: &Running| Message::plain(format!("{} ({})", running.name, running.pid));
    Message::list(running.iter().map(one))
}
