//! This session belongs to groups: membership counts only for those who log in after it was given.

use aitk_plan::step::Login;
use aitk_plan::{Plan, Status, Step};
use aitk_system::{Message, Permit, message};

use super::groups::groups;
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Remedy, Work, may_change, root};
use crate::context::Context;
use crate::error::ExecError;

/// Those of these groups that this session does not belong to.
fn lacking(cx: &Context<'_>, wanted: &[String]) -> Result<Vec<String>, ExecError> {
    let host = cx.system.host();
    // Root may do everything without them.
    if host.uid == 0 {
        return Ok(Vec::new());
    }
    let text = root::text(cx, "/etc/group")?;
    let lacks = groups(&text)
        .filter(|group| wanted.iter().any(|name| name == group.name))
        .filter(|group| group.gid != host.gid && !host.groups.contains(&group.gid))
        .map(|group| group.name.to_owned());
    Ok(lacks.collect())
}

fn help() -> Remedy {
    Remedy::Do(message!("log out and in again"))
}

impl Ensure for Login {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("this session belongs to {}", self.groups.join(", "))
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let missing: Vec<_> = lacking(cx, &self.groups)?
            .iter()
            .map(|group| message!("this session does not belong to {group}"))
            .collect();
        Ok(CheckOutcome::of(missing).helped_by(help()))
    }

    fn resolve(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::one(Step { commands: Vec::new(), estimated: false, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, _: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        match may_change(cx, &message!("log out and in again"))? {
            Permit::Reported => Ok(Vec::new()),
            Permit::Granted => Err(ExecError::LogIn { groups: lacking(cx, &self.groups)? }),
        }
    }

    /// What the groups' step gives counts in another session.
    fn reopens(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<bool, ExecError> {
        let needed = |id: &String| plan.step(id).is_some_and(|s| s.status == Status::Needed);
        Ok(step.needs.iter().any(needed) && !cx.machine.privilege.root)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::{Machine, step};

    fn check(groups: &str, uid: u32) -> CheckOutcome {
        let host = format!(r#"{{"host": {{"uid": {uid}, "gid": 7, "groups": [44], "arch": ""}}}}"#);
        let machine = Machine::new(&host);
        machine.file("/etc/group", groups);
        let groups = ["render", "video"].map(str::to_owned).into();
        machine.check(&step(Login { groups })).unwrap()
    }

    #[test]
    fn the_session_counts_and_not_the_list_of_members() {
        let lacks =
            CheckOutcome::missing("this session does not belong to render").helped_by(help());
        assert_eq!(check("render:x:105:kim\nvideo:x:44:\n", 1000), lacks);
        assert_eq!(check("render:x:7:\nvideo:x:44:\n", 1000), CheckOutcome::Holds);
        assert_eq!(check("video:x:44:\n", 1000), CheckOutcome::Holds);
        assert_eq!(check("render:x:105:kim\n", 0), CheckOutcome::Holds);
    }
}
