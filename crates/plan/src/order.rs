//! The order of a plan's steps, and what rests on what.

use aitk_system::message;

use crate::manager::Manager;
use crate::model::{Plan, Status, Step};
use crate::profile::Profile;
use crate::step::Part;

/// A step that the plan leaves out hands its needs down to those that need it; one of another manager does not, for
/// nothing here rests on what it rests on.
pub(crate) fn close_gaps(plan: &mut Plan, profile: &Profile, manager: Manager) {
    let there: Vec<String> = plan.steps.iter().map(|step| step.id.clone()).collect();
    for step in &mut plan.steps {
        while let Some(gap) = step.needs.iter().position(|need| !there.contains(need)) {
            let gone = step.needs.remove(gap);
            let inherited = profile
                .steps
                .iter()
                .find(|from| from.id == gone && from.manager.is_none_or(|of| of == manager));
            for need in inherited.into_iter().flat_map(|from| &from.needs) {
                if !step.needs.contains(need) {
                    step.needs.push(need.clone());
                }
            }
        }
    }
}

/// What is built aside is proven there before it is used: the switch to it needs every proof and stands after them,
/// wherever a profile has it.
pub(crate) fn prove_first(steps: &mut Vec<Step>) {
    let is_proof = |step: &Step| step.part() == Part::Proof;
    let is_switch = |step: &Step| matches!(step.part(), Part::Switch | Part::Link);
    let Some(last) = steps.iter().rposition(is_proof) else { return };
    let phase = steps[last].phase;
    let mut rest = steps.split_off(last + 1);
    let (mut switches, mut before): (Vec<_>, Vec<_>) = steps.drain(..).partition(is_switch);
    // What needed the environment in use needs it built.
    for step in &mut before {
        while let Some((at, switch)) =
            step.needs.iter().enumerate().find_map(|(at, need)| {
                Some((at, switches.iter().find(|switch| switch.id == *need)?))
            })
        {
            step.needs.remove(at);
            let more: Vec<_> =
                switch.needs.iter().filter(|need| !step.needs.contains(need)).cloned().collect();
            step.needs.extend(more);
        }
    }
    switches.iter_mut().for_each(|step| step.phase = step.phase.max(phase));
    switches.append(&mut rest);
    let proofs: Vec<_> =
        before.iter().filter(|step| is_proof(step)).map(|step| step.id.clone()).collect();
    for step in switches.iter_mut().filter(|step| step.part() == Part::Switch) {
        step.needs.extend(proofs.iter().cloned());
    }
    steps.extend(before.into_iter().chain(switches));
}

/// What needs a blocked step is blocked as well.
pub(crate) fn block_the_rest(steps: &mut [Step]) {
    for index in 0..steps.len() {
        let (before, rest) = steps.split_at_mut(index);
        let step = &mut rest[0];
        if step.status != Status::Needed {
            continue;
        }
        let blocker = before
            .iter()
            .find(|earlier| earlier.status == Status::Blocked && step.needs.contains(&earlier.id));
        if let Some(blocker) = blocker {
            step.block(
                message!("it needs `{}`, which is blocked", blocker.id),
                message!("see `{}`", blocker.id),
            );
        }
    }
}
