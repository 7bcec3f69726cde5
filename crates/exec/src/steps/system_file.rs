//! A file of the system says what it should.

use std::path::Path;

use aitk_env::file_hash;
use aitk_plan::step::SystemFile;
use aitk_plan::{Plan, Step};
use aitk_system::{Message, System, message};

use super::root::{self, RootAction};
use super::{
    CheckOutcome, Ensure, Exact, ReceiptEntry, TakenBack, Work, hash_of, help_where_refused,
    with_what_was,
};
use crate::context::Context;
use crate::error::ExecError;
use crate::places::{Thing, system_files};

/// Somebody else's file is never overwritten, and nothing but a file.
fn refuse_foreign(cx: &Context<'_>, wanted: &SystemFile) -> Result<(), ExecError> {
    let path = Path::new(&wanted.path);
    root::only_file(cx.system, path)?;
    let made = cx.memo().receipt.has_made(&key(path));
    match root::content_of(cx, path)? {
        Some(content) if content != wanted.content.as_bytes() && !made => {
            Err(ExecError::Foreign { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

fn key(path: &Path) -> String {
    format!("file:{}", path.display())
}

impl Ensure for SystemFile {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("{} says what it should", self.path)
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let path = Path::new(&self.path);
        let there = root::only_file(cx.system, path).and_then(|()| root::content_of(cx, path));
        let check = match there {
            Ok(Some(there)) if there == self.content.as_bytes() => return Ok(CheckOutcome::Holds),
            Ok(None) => CheckOutcome::missing(message!("there is no {}", path.display())),
            Ok(Some(_)) | Err(ExecError::Foreign { .. }) => {
                CheckOutcome::missing(message!("{} says something else", path.display()))
            }
            Err(error) => return Err(error),
        };
        Ok(check.helped_by(help_where_refused(refuse_foreign(cx, self))?))
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        refuse_foreign(cx, self)?;
        let put = RootAction::put(Path::new(&self.path), &self.content);
        Ok(Exact::one(root::shown(cx, step, &[put])))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        refuse_foreign(cx, self)?;
        let path = Path::new(&self.path);
        let made = vec![ReceiptEntry::created(key(path), Some(hash_of(self.content.as_bytes())))];
        let there =
            || self.check(cx, work.plan, work.step).is_ok_and(|check| check == CheckOutcome::Holds);
        let put = [RootAction::put(path, &self.content)];
        // Until it is done it may say what it said before.
        let about = with_what_was(cx, made.clone());
        cx.about_to(&work.step.id, &about, there, || root::carry_out(cx, work, &put))?;
        Ok(made)
    }

    /// What aitk has made is noted before it is there, so the rest was there before.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let path = Path::new(&self.path);
        let there = root::content_of(cx, path).ok().flatten();
        let there = there.is_some_and(|there| there == self.content.as_bytes());
        there.then(|| ReceiptEntry::found(key(path), None)).into_iter().collect()
    }

    /// It goes where it says what aitk has written.
    fn undo(thing: &Thing, detail: Option<&str>, system: &dyn System) -> Option<TakenBack> {
        let Thing::SystemFile(path) = thing else { return None };
        if !system.exists(path) {
            return Some((Vec::new(), None));
        }
        let there = system.read(path).unwrap_or_default();
        let ours = |(known, content): (String, String)| {
            Path::new(&known) == path && content.as_bytes() == there
        };
        let is_there = |hash_of_it: &str| file_hash(path, system).as_deref() == Some(hash_of_it);
        let noted = detail.is_some_and(|detail| detail.split(' ').any(is_there));
        if noted || system_files().any(ours) {
            return Some((vec![root::delete([path])], None));
        }
        let note = message!("{} stays: it was changed since aitk made it", path.display());
        Some((Vec::new(), Some(note)))
    }
}

#[cfg(test)]
mod tests {
    use aitk_plan::Write;

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::in_the_way;
    use crate::steps::testing::{Machine, NOTED, step};

    const PATH: &str = "/etc/modprobe.d/aitk-nouveau.conf";

    fn action() -> SystemFile {
        SystemFile { path: PATH.to_owned(), content: "blacklist nouveau\n".to_owned() }
    }

    #[test]
    fn it_holds_where_the_file_says_just_that() {
        let machine = Machine::new("{}");
        let holds = |machine: &Machine| machine.check(&step(action())).unwrap();
        assert_eq!(holds(&machine), CheckOutcome::missing(format!("there is no {PATH}")));
        machine.file(PATH, "blacklist nouveau\n");
        assert_eq!(holds(&machine), CheckOutcome::Holds);
        machine.file(PATH, "blacklist nouveau\nblacklist other\n");
        let other = || CheckOutcome::missing(format!("{PATH} says something else"));
        assert_eq!(
            holds(&machine),
            other().helped_by(in_the_way(Path::new(PATH))),
            "it is somebody else's"
        );
        let ours = machine.receipt_of(&[&format!("file:{PATH}")]);
        assert_eq!(machine.check_with(&step(action()), ours).unwrap(), other());
    }

    #[test]
    fn root_is_handed_the_content_and_the_receipt_knows_the_file() {
        let machine = Machine::new("{}");
        let ran = machine.apply(action(), Receipt::default()).unwrap();
        let install = format!("sudo install -D -m 644 -o root -g root -T /dev/stdin {PATH}");
        assert_eq!(ran.shown.commands, [install.as_str()]);
        let content = "blacklist nouveau\n".to_owned();
        assert_eq!(ran.shown.writes, [Write { path: PATH.to_owned(), content, later: None }]);
        let look = format!("look whether {PATH} says what it should");
        assert_eq!(ran.did, [NOTED, &format!("run {install}"), &look]);
        assert!(ran.receipt.has_made(&format!("file:{PATH}")));
    }

    #[test]
    fn somebody_elses_file_is_refused_and_aitks_own_is_replaced() {
        let machine = Machine::new("{}");
        machine.file(PATH, "blacklist nothing\n");
        let refused = machine.apply(action(), Receipt::default()).unwrap_err();
        assert!(matches!(refused, ExecError::Foreign { .. }), "{refused}");
        let ran = machine.apply(action(), machine.receipt_of(&[&format!("file:{PATH}")]));
        assert!(ran.unwrap().did.iter().any(|did| did.starts_with("run sudo install")));
    }

    #[test]
    fn what_was_there_before_stays() {
        let machine = Machine::new("{}");
        machine.file(PATH, "blacklist nouveau\n");
        let receipt = machine.own(&step(action()), Receipt::default());
        assert!(!receipt.has_made(&format!("file:{PATH}")));
    }
}
