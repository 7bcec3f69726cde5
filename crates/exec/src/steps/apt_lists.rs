//! The package lists are recent.

use aitk_plan::step::AptLists;
use aitk_plan::{Plan, Step};
use aitk_system::{Command, Message, message};

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work};
use crate::apt;
use crate::context::Context;
use crate::error::ExecError;
use crate::report::Event;

fn command(cx: &Context<'_>) -> Command {
    // A source that does not answer is an error, not a warning that leaves old lists in place.
    apt::command(cx.system, &["-o".into(), "APT::Update::Error-Mode=any".into(), "update".into()])
}

impl Ensure for AptLists {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("apt's lists are there")
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let Some(found) = apt::lists_refreshed(cx.system) else {
            return Ok(CheckOutcome::missing(message!("there are no package lists")));
        };
        let refreshed = cx.memo().receipt.lists_refreshed.map_or(found, |ours| ours.max(found));
        let hours = (cx.system.now().as_second() - refreshed).max(0) / 3600;
        Ok(if hours.unsigned_abs() < self.max_age_hours.into() {
            CheckOutcome::Holds
        } else {
            CheckOutcome::missing(message!("the package lists are {hours} hours old"))
        })
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        // How much has changed is known to the archive alone.
        let commands = vec![cx.typed(&command(cx))];
        Ok(Exact::one(Step { commands, estimated: true, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let command = command(cx);
        let ran =
            apt::run(cx.system, &command, cx.lock_wait, &work.step.id, work.reporter, &work.log);
        match ran {
            // What comes from there stays as it was known; the plan is made of what the system itself comes from.
            Err(
                ExecError::AptUnreachable { sources, reason }
                | ExecError::AptUntrusted { sources, reason },
            ) if sources.of_others => {
                let text = match sources.way {
                    Some(way) => message!("the other lists are refreshed; {way}: {reason}"),
                    None => message!("the other lists are refreshed: {reason}"),
                };
                work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
            }
            ran => ran?,
        }
        cx.memo().receipt.lists_refreshed = Some(cx.system.now().as_second());
        Ok(Vec::new())
    }

    /// Lists grow old by themselves: that is no damage.
    fn ages(&self) -> bool {
        true
    }
}
