//! Whose hosts the packages of a lock come from: a lock may name any, and the user has named his sources.

use std::collections::BTreeSet;

use aitk_env::{Site, backend, is_fetched};
use aitk_plan::{EnvironmentRequest, Locked, Locks, Part, Plan};

use crate::context::{Context, backend_of};

/// Where packages would be fetched from that the given lock names, and to which no source leads that is set here: the
/// address of a channel, the host of a wheel. Nothing is fetched without a network, nor what is in the cache already.
pub fn foreign_origins(cx: &Context<'_>, plan: &Plan) -> BTreeSet<String> {
    let fetches = plan.needs(Part::installs);
    let settings = cx.local_settings;
    let Some(locks) = cx.locked.filter(|_| fetches && !settings.offline) else {
        return BTreeSet::new();
    };
    let folder = backend(plan.manager).packages(settings);
    let wanted = packages(locks).filter(|locked| !is_fetched(locked, &folder, cx.local));
    foreign(cx, plan, locks, wanted)
}

/// The same of a lock that is carried elsewhere with a plan: there everything of it is fetched.
pub fn foreign_origins_elsewhere(cx: &Context<'_>, plan: &Plan) -> BTreeSet<String> {
    cx.locked.map_or_else(BTreeSet::new, |locks| foreign(cx, plan, locks, packages(locks)))
}

/// Where some packages of a lock come from, as far as no source leads there that is set here.
fn foreign<'l>(
    cx: &Context<'_>,
    plan: &Plan,
    locks: &Locks,
    wanted: impl Iterator<Item = &'l Locked>,
) -> BTreeSet<String> {
    let own = backend(plan.manager).origins(cx.local_settings);
    let foreign: BTreeSet<_> =
        wanted.map(Locked::origin).filter(|origin| !own.contains(origin)).collect();
    // Many an index keeps its files on another host.
    let led_to = if foreign.is_empty() { foreign.clone() } else { led_to(cx, plan, locks) };
    foreign.difference(&led_to).cloned().collect()
}

fn packages(locks: &Locks) -> impl Iterator<Item = &Locked> {
    locks.environment.packages().chain(locks.base.iter().flat_map(|base| base.packages()))
}

/// Where the sources that are set here lead for what the plan asks for; nowhere where they do not answer.
fn led_to(cx: &Context<'_>, plan: &Plan, locks: &Locks) -> BTreeSet<String> {
    let Some(wanted) = plan.environment() else { return BTreeSet::new() };
    let lock = &locks.environment;
    let is_taken = |build: &&aitk_plan::BuildRequest| Some(&build.name) == lock.build.as_ref();
    // The lock says for which Python, which need not be here yet.
    let asked = EnvironmentRequest {
        python: Some(lock.target.python.clone()),
        interpreter: None,
        builds: wanted.request.builds.iter().filter(is_taken).cloned().collect(),
        ..wanted.request.clone()
    };
    // Of what is installed here nothing is taken.
    let site = Site { is_local: false, ..cx.looking() };
    let answer = backend_of(wanted).resolve(&site, &asked);
    answer.map_or_else(|_| BTreeSet::new(), |lock| lock.packages().map(Locked::origin).collect())
}
