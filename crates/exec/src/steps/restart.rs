//! The machine was started again after steps that count only then.

use aitk_plan::step::Restart;
use aitk_plan::{Plan, Status, Step};
use aitk_system::{Message, Permit, System, message};

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Remedy, Work, may_change};
use crate::context::Context;
use crate::error::ExecError;

/// What tells one start of the machine from another.
pub(crate) fn boot_id(system: &dyn System) -> Option<String> {
    let id = system.text("/proc/sys/kernel/random/boot_id").ok()?;
    Some(id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// The titles of the steps that were last carried out since the machine was started. What aitk never carried out counts
/// already.
fn fresh(cx: &Context<'_>, plan: &Plan, after: &[String]) -> Vec<Message> {
    let Some(now) = boot_id(cx.system) else { return Vec::new() };
    let memo = cx.memo();
    let fresh = after.iter().filter(|id| memo.receipt.boots.get(*id) == Some(&now));
    fresh
        .map(|id| plan.step(id).map_or_else(|| Message::plain(id), |step| step.title.clone()))
        .collect()
}

fn help() -> Remedy {
    Remedy::Do(message!("restart the machine"))
}

impl Ensure for Restart {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("no restart is waited for")
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let missing: Vec<_> = fresh(cx, plan, &self.after)
            .iter()
            .map(|title| message!("the machine was not restarted since: {title}"))
            .collect();
        Ok(CheckOutcome::of(missing).helped_by(help()))
    }

    fn resolve(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::one(Step { commands: Vec::new(), estimated: false, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        match may_change(cx, &message!("restart the machine"))? {
            Permit::Reported => Ok(Vec::new()),
            Permit::Granted => Err(ExecError::Restart { after: fresh(cx, work.plan, &self.after) }),
        }
    }

    fn reopens(&self, _: &Context<'_>, plan: &Plan, _: &Step) -> Result<bool, ExecError> {
        let needed = |id: &String| plan.step(id).is_some_and(|s| s.status == Status::Needed);
        Ok(self.after.iter().any(needed))
    }

    fn counts_from(&self, step: &Step) -> bool {
        self.after.contains(&step.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, step};

    #[test]
    fn it_holds_in_a_later_start_of_the_machine_than_the_step_was_made_in() {
        let machine = Machine::new("{}");
        let restart = step(Restart { after: vec!["driver".to_owned()] });
        let check = |boots: &[(&str, &str)]| {
            let note = |(step, boot): &(&str, &str)| ((*step).to_owned(), (*boot).to_owned());
            let boots = boots.iter().map(note).collect();
            machine.check_with(&restart, Receipt { boots, ..Receipt::default() }).unwrap()
        };
        machine.file("/proc/sys/kernel/random/boot_id", "one\n");
        let missing =
            CheckOutcome::missing("the machine was not restarted since: driver").helped_by(help());
        assert_eq!(check(&[("driver", "one")]), missing);
        assert_eq!(check(&[]), CheckOutcome::Holds);
        assert_eq!(check(&[("other", "one")]), CheckOutcome::Holds);
        machine.file("/proc/sys/kernel/random/boot_id", "two\n");
        assert_eq!(check(&[("driver", "one")]), CheckOutcome::Holds);
    }
}
