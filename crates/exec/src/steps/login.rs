//! This session belongs to groups: membership counts only for those who log in after it was given.

use aitk_plan::{Action, Plan, Step};
use aitk_system::{Permit, message};

use super::groups::groups;
use super::{Check, Exact, Kind, Made, Work, may_change, root};
use crate::context::Context;
use crate::error::ExecError;

pub(super) struct Login;

fn lacking(cx: &Context<'_>, step: &Step) -> Result<Vec<String>, ExecError> {
    let Action::Login { groups: wanted } = &step.action else { return Ok(Vec::new()) };
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

impl Kind for Login {
    fn check(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Check, ExecError> {
        let missing: Vec<_> = lacking(cx, step)?
            .iter()
            .map(|group| message!("this session does not belong to {group}"))
            .collect();
        Ok(if missing.is_empty() { Check::Holds } else { Check::Missing(missing) })
    }

    /// Nothing is run.
    fn resolve(&self, _: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        Ok(Exact::one(Step { commands: Vec::new(), estimated: false, ..step.clone() }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<Made>, ExecError> {
        match may_change(cx, &message!("log out and in again"))? {
            Permit::Reported => Ok(Vec::new()),
            Permit::Granted => Err(ExecError::LogIn { groups: lacking(cx, work.step)? }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::{Machine, step};

    fn check(groups: &str, uid: u32) -> Check {
        let host = format!(r#"{{"host": {{"uid": {uid}, "gid": 7, "groups": [44], "arch": ""}}}}"#);
        let machine = Machine::new(&host);
        machine.file("/etc/group", groups);
        let groups = ["render", "video"].map(str::to_owned).into();
        machine.check(&Login, &step(Action::Login { groups })).unwrap()
    }

    #[test]
    fn the_session_counts_and_not_the_list_of_members() {
        let lacks = Check::missing("this session does not belong to render");
        assert_eq!(check("render:x:105:kim\nvideo:x:44:\n", 1000), lacks);
        assert_eq!(check("render:x:7:\nvideo:x:44:\n", 1000), Check::Holds);
        assert_eq!(check("video:x:44:\n", 1000), Check::Holds);
        assert_eq!(check("render:x:105:kim\n", 0), Check::Holds);
    }
}
