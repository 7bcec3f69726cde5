//! No package is half-installed.

use aitk_plan::step::AptRepair;
use aitk_plan::{Plan, Step};
use aitk_system::{Command, Failure, Message, RunError, message};

use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, apt_change};
use crate::apt;
use crate::context::Context;
use crate::error::ExecError;
use crate::receipt::Receipt;

fn configure() -> Command {
    Command::as_root(["dpkg", "--force-confdef", "--force-confold", "--configure", "-a"])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("LC_ALL", "C")
}

/// Installs what is missing, or removes what can never work.
fn fix() -> [String; 2] {
    ["--fix-broken".to_owned(), "install".to_owned()]
}

impl Ensure for AptRepair {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("no installation of a package of the system is half done")
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let unfinished = cx.apt.unfinished(cx.system)?;
        if !unfinished.is_empty() {
            return Ok(CheckOutcome::of(unfinished));
        }
        // dpkg has done all that it was asked to; whether it fits together only apt tells.
        let now = apt::fingerprint(cx.system);
        if now.is_none() || now == cx.memo().receipt.whole {
            return Ok(CheckOutcome::Holds);
        }
        match apt::changes(cx.system, &["check".to_owned()]) {
            Err(ExecError::AptBroken { reason }) => Ok(CheckOutcome::missing(reason)),
            Err(ExecError::System(Failure::Run(RunError::NotRecorded { .. }))) => {
                Ok(CheckOutcome::Holds)
            }
            looked => looked.map(|_| CheckOutcome::Holds),
        }
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let simulation = match cx.apt.simulate(cx.system, &fix()) {
            // As long as dpkg was interrupted apt does not say what it would do.
            Err(
                ExecError::AptBroken { .. }
                | ExecError::System(Failure::Run(RunError::NotRecorded { .. })),
            ) => apt::Simulation::default(),
            simulation => simulation?,
        };
        let mut exact = apt_change::exact(cx, &fix(), simulation, step);
        exact.commands.insert(0, cx.typed(&configure()));
        Ok(Exact::one(exact))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let Work { step, reporter, log, .. } = work;
        // What lacks another package cannot be configured before that one is there.
        match apt::run(cx.system, &configure(), cx.lock_wait, &step.id, *reporter, log) {
            Ok(()) | Err(ExecError::Failed { .. } | ExecError::AptBroken { .. }) => {}
            Err(error) => return Err(error),
        }
        apt_change::carry_out(cx, work, &fix())
    }

    /// As long as packages do not fit together apt says nothing else.
    fn brings(&self, error: &ExecError) -> bool {
        matches!(error, ExecError::AptBroken { .. })
    }

    fn settle(&self, receipt: &mut Receipt, apt: Option<String>) {
        receipt.whole = apt;
    }
}
