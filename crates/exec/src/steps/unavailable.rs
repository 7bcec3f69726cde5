//! What cannot be had here: nothing is done about it, and the step says why.

use aitk_plan::step::Unavailable;
use aitk_plan::{Plan, Step};
use aitk_system::Message;

use super::{CheckOutcome, Ensure, Exact, Lack, ReceiptEntry, Work};
use crate::context::Context;
use crate::error::ExecError;

impl Ensure for Unavailable {
    fn verified(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Message {
        Message::list(step.why.clone())
    }

    fn check(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        Ok(CheckOutcome::Missing(step.why.iter().cloned().map(Lack::from).collect()))
    }

    fn resolve(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::one(step.clone()))
    }

    fn apply(&self, _: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        Err(ExecError::StillMissing { reason: Message::list(work.step.why.clone()) })
    }
}
