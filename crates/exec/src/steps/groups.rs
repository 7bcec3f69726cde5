//! The user belongs to groups, once logged in again.

use aitk_plan::step::Groups;
use aitk_plan::{Plan, Status, Step};
use aitk_system::{Command, Message, System, message};

use super::root::{self, RootAction};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, TakenBack, Work};
use crate::context::Context;
use crate::error::ExecError;
use crate::places::Thing;

const GROUPS: &str = "/etc/group";

/// One line of `group(5)`.
pub(super) struct Group<'a> {
    pub name: &'a str,
    pub gid: u32,
    members: Vec<&'a str>,
}

pub(super) fn groups(text: &str) -> impl Iterator<Item = Group<'_>> {
    text.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, members] = fields[..] else { return None };
        Some(Group { name, gid: gid.parse().ok()?, members: members.split(',').collect() })
    })
}

/// The user's name. A user who comes from the network stands in no file.
fn user(cx: &Context<'_>) -> Result<String, ExecError> {
    let uid = cx.system.host().uid.to_string();
    let users = root::text(cx, "/etc/passwd")?;
    let named = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    });
    let named = named.or_else(|| cx.system.env("USER")).or_else(|| cx.system.env("LOGNAME"));
    named.ok_or_else(|| ExecError::io("/etc/passwd")(std::io::ErrorKind::NotFound.into()))
}

/// How the user stands to the groups that a step wants.
#[derive(Default)]
struct GroupState {
    user: String,
    belongs: Vec<String>,
    lacks: Vec<String>,
    absent: Vec<String>,
}

fn state(cx: &Context<'_>, wanted: &Groups) -> Result<GroupState, ExecError> {
    let host = cx.system.host();
    // Root may do everything without them.
    if host.uid == 0 {
        return Ok(GroupState::default());
    }
    let text = root::text(cx, GROUPS)?;
    let mut state = GroupState { user: user(cx)?, ..GroupState::default() };
    for name in &wanted.groups {
        let place = match groups(&text).find(|group| group.name == name) {
            None => &mut state.absent,
            Some(group) if group.gid == host.gid || group.members.contains(&&*state.user) => {
                &mut state.belongs
            }
            Some(_) => &mut state.lacks,
        };
        place.push(name.clone());
    }
    Ok(state)
}

fn command(groups: &[String], user: &str) -> Command {
    Command::as_root(["usermod", "-aG", &groups.join(","), user])
}

fn key(group: &str) -> String {
    format!("group:{group}")
}

/// What takes the user, whose name was noted, out of a group again.
fn undo(group: &str, user: &str, system: &dyn System) -> Vec<Command> {
    let text = system.text(GROUPS).unwrap_or_default();
    let belongs = groups(&text).any(|g| g.name == group && g.members.contains(&user));
    // What is noted is a claim: nobody else is taken out of a group.
    let uid = system.host().uid.to_string();
    let users = system.text("/etc/passwd").unwrap_or_default();
    let themselves = users.lines().any(|line| {
        let mut fields = line.split(':');
        fields.next() == Some(user) && fields.nth(1) == Some(&*uid)
    });
    let known = |name: &str| system.env(name).as_deref() == Some(user);
    (belongs && (themselves || known("USER") || known("LOGNAME")))
        .then(|| Command::as_root(["gpasswd", "-d", user, group]))
        .into_iter()
        .collect()
}

impl Ensure for Groups {
    fn verified(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Message {
        let groups = self.groups.join(", ");
        match cx.system.host().uid {
            0 => message!("root may do what members of {groups} may"),
            _ => message!("the user is a member of {groups}"),
        }
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let GroupState { user, lacks, .. } = state(cx, self)?;
        let missing: Vec<_> =
            lacks.iter().map(|group| message!("{user} does not belong to {group}")).collect();
        Ok(CheckOutcome::of(missing))
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let estimated = self.reopens(cx, plan, step)?;
        let GroupState { user, mut lacks, absent, .. } = state(cx, self)?;
        if estimated {
            lacks.extend(absent);
        }
        let add = (!lacks.is_empty()).then(|| RootAction::Run(command(&lacks, &user)));
        let shown = root::shown(cx, step, add.as_slice());
        Ok(Exact::one(Step { estimated, ..shown }))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let GroupState { user, lacks, .. } = state(cx, self)?;
        if lacks.is_empty() {
            return Ok(Vec::new());
        }
        let made: Vec<_> = lacks
            .iter()
            .map(|group| ReceiptEntry::created(key(group), Some(user.clone())))
            .collect();
        let there =
            || self.check(cx, work.plan, work.step).is_ok_and(|check| check == CheckOutcome::Holds);
        let add = command(&lacks, &user);
        cx.about_to(&work.step.id, &made, there, || root::run(cx, work, &add))?;
        Ok(made)
    }

    /// What aitk has made is noted before it is there, so the rest was there before.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let GroupState { user, belongs, .. } = state(cx, self).unwrap_or_default();
        belongs.iter().map(|group| ReceiptEntry::found(key(group), Some(user.clone()))).collect()
    }

    /// An earlier step of the plan may bring a group that is not there yet.
    fn reopens(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<bool, ExecError> {
        let needed = |id: &String| plan.step(id).is_some_and(|s| s.status == Status::Needed);
        Ok(step.needs.iter().any(needed) && !state(cx, self)?.absent.is_empty())
    }

    fn undo(thing: &Thing, detail: Option<&str>, system: &dyn System) -> Option<TakenBack> {
        let Thing::Group(name) = thing else { return None };
        Some((undo(name, detail?, system), None))
    }
}

#[cfg(test)]
mod tests {
    use aitk_plan::step::AptUpgrade;

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, NOTED, step};

    const HOST: &str = r#"{"host": {"uid": 1000, "gid": 1000, "groups": [1000], "arch": ""}}"#;

    const ROOT: &str = r#"{"host": {"uid": 0, "gid": 0, "groups": [], "arch": ""}}"#;

    fn action() -> Groups {
        let groups = ["render", "video", "docker"];
        Groups { groups: groups.map(str::to_owned).into() }
    }

    fn machine(host: &str, groups: &str) -> Machine {
        let machine = Machine::new(host);
        machine.file("/etc/passwd", "root:x:0:0::/root:/bin/sh\nkim:x:1000:1000::/home/user:\n");
        machine.file(GROUPS, groups);
        machine
    }

    #[test]
    fn groups_that_are_not_there_are_left_out() {
        let machine = machine(HOST, "broken\nrender:x:105:\nvideo:x:44:joe,kim\n");
        let lacks = CheckOutcome::missing("kim does not belong to render");
        assert_eq!(machine.check(&step(action())).unwrap(), lacks);
        let ran = machine.apply(action(), Receipt::default()).unwrap();
        assert_eq!(ran.shown.commands, ["sudo usermod -aG render kim"]);
        assert_eq!(ran.did, [NOTED, "run sudo usermod -aG render kim"]);
        assert!(ran.receipt.has_made("group:render") && !ran.receipt.has_made("group:video"));
    }

    #[test]
    fn members_and_root_need_nothing() {
        let member = machine(HOST, "render:x:1000:\nvideo:x:44:joe,kim\n");
        assert_eq!(member.check(&step(action())).unwrap(), CheckOutcome::Holds);
        let near = machine(HOST, "video:x:44:kimberly\n");
        assert_ne!(near.check(&step(action())).unwrap(), CheckOutcome::Holds);
        let root = machine(ROOT, "render:x:105:\nvideo:x:44:\n");
        assert_eq!(root.check(&step(action())).unwrap(), CheckOutcome::Holds);
    }

    #[test]
    fn a_group_that_an_earlier_step_brings_is_waited_for() {
        let machine = machine(HOST, "render:x:105:kim\nvideo:x:44:kim\n");
        let mut groups = step(action());
        groups.needs = vec!["earlier".to_owned()];
        let mut earlier = step(AptUpgrade {});
        earlier.id = "earlier".to_owned();
        let commands = |status| {
            let plan = machine.plan(vec![Step { status, ..earlier.clone() }, groups.clone()]);
            machine.resolve(&plan, &groups).unwrap()
        };
        let waits = commands(Status::Needed);
        assert_eq!(
            (waits.commands, waits.estimated),
            (vec!["sudo usermod -aG docker kim".into()], true)
        );
        assert_eq!(commands(Status::Done).commands, [""; 0]);
    }

    #[test]
    fn only_a_member_is_taken_out() {
        let machine = machine(HOST, "render:x:105:kim\nvideo:x:44:\n");
        let typed = |group| undo(group, "kim", machine.system()).first().map(Command::to_string);
        assert_eq!(typed("render").as_deref(), Some("sudo gpasswd -d kim render"));
        assert_eq!(typed("video"), None);
    }
}
