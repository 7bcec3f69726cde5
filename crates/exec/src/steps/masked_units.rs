//! Units that packages bring along do not start: they are masked before the packages come.

use std::path::{Path, PathBuf};

use aitk_plan::step::MaskedUnits;
use aitk_plan::{Plan, Step};
use aitk_system::{Command, Message, System, message};

use super::root::{self, RootAction};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, TakenBack, Work};
use crate::context::Context;
use crate::error::ExecError;
use crate::places::{Thing, UNITS};

/// Where packages have their units.
const OF_PACKAGES: [&str; 2] = ["/usr/lib/systemd/system", "/lib/systemd/system"];

fn key(unit: &str) -> String {
    format!("mask:{unit}")
}

fn mask(unit: &str) -> PathBuf {
    Path::new(UNITS).join(unit)
}

pub(crate) fn is_masked(unit: &str, system: &dyn System) -> bool {
    system.read_link(&mask(unit)).is_ok_and(|target| target == Path::new("/dev/null"))
}

fn is_of_a_package(unit: &str, system: &dyn System) -> bool {
    OF_PACKAGES.iter().any(|folder| system.exists(Path::new(folder).join(unit)))
}

/// Those that would start as soon as they come. One that is here already is somebody's own, and stays as it is.
fn open<'a>(masked: &'a MaskedUnits, system: &dyn System) -> Vec<&'a String> {
    let is_here = |unit: &str| is_of_a_package(unit, system) || system.exists(mask(unit));
    let open = |unit: &&String| !is_masked(unit, system) && !is_here(unit);
    masked.units.iter().filter(open).collect()
}

fn deeds(masked: &MaskedUnits, system: &dyn System) -> Vec<RootAction> {
    let command = Command::as_root(["systemctl", "mask"]);
    vec![RootAction::Run(command.args(open(masked, system).into_iter().cloned()))]
}

impl Ensure for MaskedUnits {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("of what packages bring these do not start: {}", self.units.join(", "))
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let open = open(self, cx.system).into_iter();
        Ok(CheckOutcome::of(open.map(|unit| message!("{unit} would start as soon as it comes"))))
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::one(root::shown(cx, step, &deeds(self, cx.system))))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let open = open(self, cx.system).into_iter();
        let made: Vec<_> = open.map(|unit| ReceiptEntry::created(key(unit), None)).collect();
        let there = || self.units.iter().any(|unit| is_masked(unit, cx.system));
        let all = deeds(self, cx.system);
        cx.about_to(&work.step.id, &made, there, || root::carry_out(cx, work, &all))?;
        Ok(made)
    }

    /// What came meanwhile stays off: its package has enabled it in spite of the mask.
    fn undo(thing: &Thing, _: Option<&str>, system: &dyn System) -> Option<TakenBack> {
        let Thing::Mask(unit) = thing else { return None };
        if !is_masked(unit, system) {
            return Some((Vec::new(), None));
        }
        let unmask = Command::as_root(["systemctl", "unmask", unit]);
        if !is_of_a_package(unit, system) {
            return Some((vec![unmask], None));
        }
        let note = message!("{unit} stays off; `sudo systemctl enable --now {unit}` starts it");
        Some((vec![unmask, Command::as_root(["systemctl", "disable", unit])], Some(note)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, step};

    fn action() -> MaskedUnits {
        MaskedUnits { units: ["a.service", "b.service"].map(str::to_owned).to_vec() }
    }

    #[test]
    fn what_is_not_here_yet_is_masked_and_what_is_here_stays() {
        let machine = Machine::new("{}");
        let ran = machine.apply(action(), Receipt::default()).unwrap();
        assert_eq!(ran.shown.commands, ["sudo systemctl mask a.service b.service"]);
        machine.file("/usr/lib/systemd/system/a.service", "somebody's");
        let ran = machine.apply(action(), Receipt::default()).unwrap();
        assert_eq!(ran.shown.commands, ["sudo systemctl mask b.service"]);
        assert!(ran.receipt.has_made("mask:b.service") && !ran.receipt.has_made("mask:a.service"));
        machine.link("/etc/systemd/system/b.service", "/dev/null");
        assert_eq!(machine.check(&step(action())).unwrap(), CheckOutcome::Holds);
    }

    #[test]
    fn only_a_mask_goes() {
        let machine = Machine::new("{}");
        let unit = Thing::Mask("b.service".to_owned());
        let undone = || MaskedUnits::undo(&unit, None, machine.system()).unwrap().0;
        assert!(undone().is_empty());
        machine.file("/etc/systemd/system/a.service", "somebody's");
        assert!(undone().is_empty());
        machine.link("/etc/systemd/system/b.service", "/dev/null");
        let unmask = "sudo systemctl unmask b.service";
        assert_eq!(undone().iter().map(Command::to_string).collect::<Vec<_>>(), [unmask]);
        machine.file("/usr/lib/systemd/system/b.service", "of a package");
        let all: Vec<_> = undone().iter().map(Command::to_string).collect();
        assert_eq!(all, [unmask, "sudo systemctl disable b.service"]);
    }
}
