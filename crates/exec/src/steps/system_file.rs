//! A file of the system says what it should.

use aitk_system::message;
use std::path::Path;

use aitk_plan::{Action, Plan, Step};

use super::root::{self, Deed};
use super::{Check, Exact, Kind, Made, Work};
use crate::context::Context;
use crate::error::ExecError;

pub(super) struct SystemFile;

struct Wanted<'a> {
    path: &'a Path,
    content: &'a str,
}

fn wanted(step: &Step) -> Wanted<'_> {
    let (path, content) = match &step.action {
        Action::SystemFile { path, content } => (path.as_str(), content.as_str()),
        _ => ("/", ""),
    };
    Wanted { path: Path::new(path), content }
}

/// Somebody else's file is never overwritten.
fn refuse_foreign(cx: &Context<'_>, wanted: &Wanted<'_>) -> Result<(), ExecError> {
    let made = cx.memo().receipt.made(&key(wanted.path));
    match root::content_of(cx, wanted.path)? {
        Some(content) if content != wanted.content.as_bytes() && !made => {
            Err(ExecError::Foreign { path: wanted.path.to_owned() })
        }
        _ => Ok(()),
    }
}

fn key(path: &Path) -> String {
    format!("file:{}", path.display())
}

impl Kind for SystemFile {
    fn check(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Check, ExecError> {
        let Wanted { path, content } = wanted(step);
        Ok(match root::content_of(cx, path)? {
            Some(there) if there == content.as_bytes() => Check::Holds,
            Some(_) => Check::missing(message!("{} says something else", path.display())),
            None => Check::missing(message!("there is no {}", path.display())),
        })
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let wanted = wanted(step);
        refuse_foreign(cx, &wanted)?;
        let put = Deed::put(wanted.path, wanted.content);
        Ok(Exact::one(root::shown(cx, step, &[put])))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        let wanted = wanted(work.step);
        refuse_foreign(cx, &wanted)?;
        let made = vec![Made::created(key(wanted.path), None)];
        let there =
            || self.check(cx, work.plan, work.step).is_ok_and(|check| check == Check::Holds);
        let put = [Deed::put(wanted.path, wanted.content)];
        cx.about_to(&work.step.id, &made, there, || root::carry_out(cx, work, &put))?;
        Ok(made)
    }

    /// What aitk has made is noted before it is there, so the rest was there before.
    fn own(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Vec<Made> {
        let Wanted { path, content } = wanted(step);
        let there = root::content_of(cx, path).ok().flatten();
        let there = there.is_some_and(|there| there == content.as_bytes());
        there.then(|| Made::found(key(path), None)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use aitk_plan::Write;

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
    fn root_is_handed_the_content_and_the_receipt_knows_the_file() {
        let machine = Machine::new("{}");
        let ran = machine.apply(&SystemFile, action(), Receipt::default()).unwrap();
        let install = format!("sudo install -D -m 644 -o root -g root -T /dev/stdin {PATH}");
        assert_eq!(ran.shown.commands, [install.as_str()]);
        let content = "blacklist nouveau\n".to_owned();
        assert_eq!(ran.shown.writes, [Write { path: PATH.to_owned(), content }]);
        let look = format!("look whether {PATH} says what it should");
        assert_eq!(ran.did, [NOTED, &format!("run {install}"), &look]);
        assert!(ran.receipt.made(&format!("file:{PATH}")));
    }

    #[test]
    fn somebody_elses_file_is_refused_and_aitks_own_is_replaced() {
        let machine = Machine::new("{}");
        machine.file(PATH, "blacklist nothing\n");
        let refused = machine.apply(&SystemFile, action(), Receipt::default()).unwrap_err();
        assert!(matches!(refused, ExecError::Foreign { .. }), "{refused}");
        let ran = machine.apply(&SystemFile, action(), machine.made(&[&format!("file:{PATH}")]));
        assert!(ran.unwrap().did.iter().any(|did| did.starts_with("run sudo install")));
    }

    #[test]
    fn what_was_there_before_stays() {
        let machine = Machine::new("{}");
        machine.file(PATH, "blacklist nouveau\n");
        let receipt = machine.own(&SystemFile, &step(action()), Receipt::default());
        assert!(!receipt.made(&format!("file:{PATH}")));
    }
}
