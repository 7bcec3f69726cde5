//! No package is half-installed.

use aitk_plan::{Plan, Step};
use aitk_system::Command;

use super::{Check, Exact, Kind, Made, Work};
use crate::apt;
use crate::context::Context;
use crate::error::ExecError;

pub(super) struct AptRepair;

fn commands(cx: &Context<'_>) -> [Command; 2] {
    let configure =
        Command::as_root(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"])
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("LC_ALL", "C");
    [configure, apt::command(cx.system, &["--fix-broken".into(), "install".into()])]
}

impl Kind for AptRepair {
    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<Check, ExecError> {
        Ok(match apt::unfinished(cx.system)? {
            unfinished if unfinished.is_empty() => Check::Holds,
            unfinished => Check::Missing(unfinished),
        })
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let commands = commands(cx).iter().map(|command| cx.typed(command)).collect();
        Ok(Exact::one(Step { commands, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        for command in &commands(cx) {
            apt::run(cx.system, command, cx.lock_wait, &work.step.id, work.reporter, &work.log)?;
        }
        Ok(Vec::new())
    }
}
