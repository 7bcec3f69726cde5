//! A file of the system says what it should.

use std::path::Path;

use aitk_plan::{Action, Plan, Step};
use aitk_system::{Command, System};

use super::{Check, Exact, Kind, Made, Work, root};
use crate::context::Context;
use crate::error::ExecError;

pub(super) struct SystemFile;

struct Wanted<'a> {
    path: &'a Path,
    content: &'a [u8],
}

fn wanted(step: &Step) -> Wanted<'_> {
    let (path, content) = match &step.action {
        Action::SystemFile { path, content } => (path.as_str(), content.as_str()),
        _ => ("/", ""),
    };
    Wanted { path: Path::new(path), content: content.as_bytes() }
}

/// Somebody else's file is never overwritten.
fn refuse_foreign(cx: &Context<'_>, wanted: &Wanted<'_>) -> Result<(), ExecError> {
    let made = cx.memo().receipt.made(&key(wanted.path));
    match root::content(cx, wanted.path)? {
        Some(content) if content != wanted.content && !made => {
            Err(ExecError::Foreign { path: wanted.path.to_owned() })
        }
        _ => Ok(()),
    }
}

fn key(path: &Path) -> String {
    format!("file:{}", path.display())
}

/// What takes a file away again.
pub(super) fn undo(path: &str, system: &dyn System) -> Vec<Command> {
    if system.exists(path) { vec![root::delete([path])] } else { Vec::new() }
}

impl Kind for SystemFile {
    fn check(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Check, ExecError> {
        let Wanted { path, content } = wanted(step);
        Ok(match root::content(cx, path)? {
            Some(there) if there == content => Check::Holds,
            Some(_) => Check::missing(format!("{} says something else", path.display())),
            None => Check::missing(format!("there is no {}", path.display())),
        })
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let wanted = wanted(step);
        refuse_foreign(cx, &wanted)?;
        if cx.is_local {
            root::stage(cx, cx.local, wanted.path, wanted.content)?;
        }
        let commands = root::typed(cx, &[root::install(cx, wanted.path)]);
        Ok(Exact::one(Step { commands, estimated: false, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let wanted = wanted(work.step);
        refuse_foreign(cx, &wanted)?;
        root::stage(cx, cx.system, wanted.path, wanted.content)?;
        let made = Made::created(key(wanted.path), None);
        let made = vec![made];
        let there =
            || self.check(cx, work.plan, work.step).is_ok_and(|check| check == Check::Holds);
        let install = [root::install(cx, wanted.path)];
        cx.about_to(&work.step.id, &made, there, || root::run(cx, work, &install))?;
        Ok(made)
    }

    /// What aitk has made is noted before it is there, so the rest was there before.
    fn own(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Vec<Made> {
        let Wanted { path, content } = wanted(step);
        let there = root::content(cx, path).is_ok_and(|there| there.as_deref() == Some(content));
        there.then(|| Made::found(key(path), None)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, NOTED, step};

    const PATH: &str = "/etc/modprobe.d/aitk-nouveau.conf";

    fn action() -> Action {
        Action::SystemFile { path: PATH.to_owned(), content: "blacklist nouveau\n".to_owned() }
    }

    #[test]
    fn it_holds_where_the_file_says_just_that() {
        let machine = Machine::new("{}");
        let holds = |machine: &Machine| machine.check(&SystemFile, &step(action())).unwrap();
        assert_eq!(holds(&machine), Check::missing(format!("there is no {PATH}")));
        machine.file(PATH, "blacklist nouveau\n");
        assert_eq!(holds(&machine), Check::Holds);
        machine.file(PATH, "blacklist nouveau\nblacklist other\n");
        assert_eq!(holds(&machine), Check::missing(format!("{PATH} says something else")));
    }

    #[test]
    fn root_installs_what_was_put_together_and_the_receipt_knows_it() {
        let machine = Machine::new("{}");
        let ran = machine.apply(&SystemFile, action(), Receipt::default()).unwrap();
        let staged = "/home/user/.cache/aitk/system/etc/modprobe.d/aitk-nouveau.conf";
        let install = format!("sudo install -D -m 644 {staged} {PATH}");
        assert_eq!(ran.commands, [install.as_str()]);
        let (write, run) = (format!("write {staged}"), format!("run {install}"));
        assert_eq!(ran.did, [write.as_str(), NOTED, &run]);
        assert!(ran.receipt.made(&format!("file:{PATH}")));
    }

    #[test]
    fn somebody_elses_file_is_refused_and_aitks_own_is_replaced() {
        let machine = Machine::new("{}");
        machine.file(PATH, "blacklist nothing\n");
        let refused = machine.apply(&SystemFile, action(), Receipt::default()).unwrap_err();
        assert!(matches!(refused, ExecError::Foreign { .. }), "{refused}");
        let ran = machine.apply(&SystemFile, action(), machine.made(&[&format!("file:{PATH}")]));
        assert!(ran.unwrap().did.last().unwrap().starts_with("run sudo install"));
    }

    #[test]
    fn what_was_there_before_stays() {
        let machine = Machine::new("{}");
        machine.file(PATH, "blacklist nouveau\n");
        let receipt = machine.own(&SystemFile, &step(action()), Receipt::default());
        assert!(!receipt.made(&format!("file:{PATH}")));
        assert_eq!(undo(PATH, machine.system())[0].to_string(), format!("sudo rm -f {PATH}"));
        assert!(undo("/etc/none", machine.system()).is_empty());
    }
}
