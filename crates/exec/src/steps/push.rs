//! A project is sent to its platform.

use std::path::Path;

use aitk_plan::step::Push;
use aitk_plan::{Plan, Step};
use aitk_system::{Message, Permit, message, quote};

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, may_change};
use crate::context::Context;
use crate::error::ExecError;
use crate::kaggle::Kaggle;
use crate::report::Event;

impl Ensure for Push {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("this run has sent {} to {}", self.folder, self.client)
    }

    /// What stands on the platform nobody asks: it is sent each time that somebody says so.
    fn check(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        Ok(match cx.memo().sent.contains(&step.id) {
            true => CheckOutcome::Holds,
            false => CheckOutcome::missing(message!("this run has not sent it")),
        })
    }

    fn resolve(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let words = ["kaggle kernels push -p", &quote(&self.folder)];
        Ok(Exact::one(Step { commands: vec![Message::plain(words.join(" "))], ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let client = Kaggle::find(cx.system)?;
        if may_change(cx, &message!("send {} to {}", self.folder, self.client))? == Permit::Granted
        {
            let said = Message::plain(client.push(Path::new(&self.folder), cx.system)?.trim());
            work.reporter.event(&Event::Message { step: &work.step.id, text: &said });
            cx.memo().sent.insert(work.step.id.clone());
        }
        Ok(Vec::new())
    }
}
