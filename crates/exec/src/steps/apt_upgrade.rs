//! No installed package has an upgrade waiting.

use aitk_plan::step::AptUpgrade;
use aitk_plan::{Plan, Step};
use aitk_system::{Message, message};

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, apt_change};
use crate::apt;
use crate::apt_failure::held;
use crate::context::Context;
use crate::error::ExecError;
use crate::receipt::Receipt;

fn words() -> [String; 2] {
    ["upgrade".to_owned(), "--with-new-pkgs".to_owned()]
}

impl Ensure for AptUpgrade {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("apt has nothing to upgrade")
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let now = apt::fingerprint(cx.system);
        if now.is_some() && now == cx.memo().receipt.upgraded {
            return Ok(CheckOutcome::Holds);
        }
        let waiting = apt::changes(cx.system, &words())?;
        Ok(match waiting.installs.as_slice() {
            [] => CheckOutcome::Holds,
            [one] => CheckOutcome::missing(message!("an upgrade is waiting: {}", one.name)),
            [one, rest @ ..] => CheckOutcome::missing(message!(
                "upgrades are waiting: {} and {} more packages",
                one.name,
                rest.len()
            )),
        })
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let simulation = cx.apt.simulate(cx.system, &words())?;
        let mut exact = apt_change::exact(cx, &words(), simulation, step);
        let held = held(cx.system);
        if !held.is_empty() {
            exact.why.push(message!("what is held stays as it is: {}", held.join(", ")));
        }
        Ok(Exact::one(exact))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        apt_change::carry_out(cx, work, &words())
    }

    /// An upgrade that came out since is no damage.
    fn ages(&self) -> bool {
        true
    }

    fn guesses(&self, plan: &Plan) -> bool {
        apt_change::lists_are_old(plan)
    }

    fn settle(&self, receipt: &mut Receipt, apt: Option<String>) {
        receipt.upgraded = apt;
    }
}
