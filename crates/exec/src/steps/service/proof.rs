//! What shows that a service does its work, and what it is not taken away from.

use std::path::PathBuf;
use std::time::Duration;

use aitk_plan::ServiceSpec;
use aitk_system::{Command, Message, System, message};

use super::note::key;
use super::unit::is_active;
use crate::context::Context;
use crate::error::ExecError;
use crate::places::services;
use crate::receipt::Receipt;

/// No proof of a service takes longer.
const LIMIT: Duration = Duration::from_secs(600);

/// Has a service do its work, and keeps for the step what that has said; nothing where it has no proof.
pub(super) fn prove(
    cx: &Context<'_>,
    service: &ServiceSpec,
    step: &str,
    log: PathBuf,
) -> Result<Option<Message>, ExecError> {
    if service.proof.is_empty() {
        return Ok(None);
    }
    let proof = Command::reads(service.proof.iter().cloned()).timeout(LIMIT).log(&log);
    let output = cx.system.run(&proof)?;
    let said = output.tail(1);
    if !output.success() {
        let (name, unit) = (service.name.clone(), service.unit());
        return Err(ExecError::Unwell { name, unit, output: said });
    }
    let said = message!("its proof: {said}");
    cx.memo().said.insert(step.to_owned(), said.clone());
    Ok(Some(said))
}

/// Refuses to take away what runs somebody's work.
///
/// # Errors
/// Where a service that aitk has made here says that something is under way; one that does not answer says nothing.
pub fn refuse_in_use(receipt: &Receipt, system: &dyn System) -> Result<(), ExecError> {
    let made = services().iter().filter(|place| receipt.has_made(&key(&place.name)));
    for place in made.filter(|place| !place.busy.is_empty()) {
        let name = &place.name;
        if !is_active(&format!("aitk-{name}.service"), system).unwrap_or_default() {
            continue;
        }
        let said = system.run(&Command::reads(place.busy.iter().cloned()))?;
        let work: Vec<_> = said.stdout.split_whitespace().map(str::to_owned).collect();
        if said.success() && !work.is_empty() {
            let command = place.busy.join(" ");
            return Err(ExecError::InUse { name: name.clone(), command, work });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aitk_system::Explain as _;

    use super::*;
    use crate::context::no_log;
    use crate::receipt::ReceiptEntry;
    use crate::steps::testing::Machine;

    #[test]
    fn a_proof_is_told_only_where_it_ran_and_succeeded() {
        let machine = Machine::new(
            r#"{"commands": {
                "prove well": {"status": 0, "stdout": "started\na task on each of 2 nodes\n", "stderr": ""},
                "prove ill": {"status": 1, "stdout": "an array did not end well\n", "stderr": ""}}}"#,
        );
        machine.with(Receipt::default(), |cx| {
            let proven = |words: &[&str]| {
                let proof = words.iter().map(|word| (*word).to_owned()).collect();
                let service =
                    ServiceSpec { name: "slurmd".to_owned(), proof, ..ServiceSpec::default() };
                prove(cx, &service, "slurmd", no_log())
            };
            assert_eq!(proven(&[]).unwrap(), None);
            let ill = proven(&["prove", "ill"]).unwrap_err();
            assert!(ill.message().to_string().contains("an array did not end well"), "{ill:?}");
            assert!(cx.said().is_empty(), "what failed proves nothing");
            let said = proven(&["prove", "well"]).unwrap().unwrap().to_string();
            assert!(said.ends_with("a task on each of 2 nodes"), "{said}");
            assert!(cx.said().contains_key("slurmd"));
        });
    }

    #[test]
    fn a_service_that_runs_jobs_is_not_taken_away() {
        let refused = |runs: i32, queue: &str, made: bool| {
            let machine = Machine::new(&format!(
                r#"{{"commands": {{
                    "systemctl is-active --quiet aitk-slurmd.service": {{"status": {runs}, "stdout": "", "stderr": ""}},
                    "squeue --noheader --format=%i": {{"status": 0, "stdout": "{queue}", "stderr": ""}}}}}}"#
            ));
            let mut receipt = Receipt::default();
            if made {
                let ReceiptEntry { key, provenance, detail } =
                    ReceiptEntry::created(key("slurmd"), None);
                let object = crate::receipt::Object {
                    step: String::new(),
                    provenance,
                    detail,
                    at: String::new(),
                };
                receipt.objects.insert(key, object);
            }
            refuse_in_use(&receipt, machine.system())
        };
        let Err(ExecError::InUse { work, .. }) = refused(0, r"7_1\n8\n", true) else {
            panic!("jobs are lost")
        };
        assert_eq!(work, ["7_1", "8"]);
        for (runs, queue, made) in [(0, "", true), (3, r"7\n", true), (0, r"7\n", false)] {
            assert!(refused(runs, queue, made).is_ok(), "{runs} {queue} {made}");
        }
    }
}
