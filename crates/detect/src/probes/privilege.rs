//! What the user may do.

use aitk_system::{Command, Host, RunError, System, message};

use crate::PATIENCE;
use crate::machine::{Privilege, Sudo};
use crate::notes::{self, Notes};

/// Groups that distributions let use `sudo`: Debian and Ubuntu, Ubuntu before 12.04, Fedora and
/// Arch.
const GROUPS: [&str; 3] = ["sudo", "admin", "wheel"];

/// What both forms of sudo say to somebody whom its rules do not name.
const REFUSALS: [&str; 4] = [
    "may not run sudo",
    "not in the sudoers file",
    "not allowed to run sudo",
    "I'm afraid I can't do that",
];

/// What both forms of sudo say where a password opens it.
const PASSWORD: [&str; 3] =
    ["a password is required", "interactive authentication is required", "Authentication required"];

/// What the user may do.
pub(crate) fn probe(system: &dyn System, notes: &mut Notes) -> Privilege {
    let host = system.host();
    let root = host.uid == 0;
    notes.source("privilege.root", "geteuid(2)");
    let of_sudo = match system.which("sudo") {
        None => Privilege { why: instead(system), ..Privilege::default() },
        // Nobody asks root for a password, so sudo need not be asked.
        Some(_) if root => Privilege { sudo: Sudo::Passwordless, ..Privilege::default() },
        Some(_) => sudo(system, &host, notes),
    };
    Privilege { root, ..of_sudo }
}

/// What is said where there is no sudo.
fn instead(system: &dyn System) -> Option<aitk_system::Message> {
    system.which("doas").map(|_| message!("there is no sudo, and doas is not asked"))
}

/// How `sudo` works for an ordinary user. Its rules are root's to read, so it is asked: whether it runs something, what
/// it lets the user run, whether it knows him. Where it answers none of that, the groups tell.
fn sudo(system: &dyn System, host: &Host, notes: &mut Notes) -> Privilege {
    notes.source_in_words(
        "privilege.sudo",
        message!("sudo -n true, sudo -n -l, sudo -n -v, else /etc/group"),
    );
    let mut slow = false;
    let mut ask = |words: &[&str], speaks: bool| {
        let words = ["sudo", "-n"].iter().chain(words).copied();
        let command = Command::reads(words).timeout(PATIENCE);
        // Its words are read; whether it runs something, its status tells.
        let command = if speaks { command.env("LC_ALL", "C") } else { command };
        let answer = system.run(&command);
        slow |= matches!(answer, Err(RunError::TimedOut { .. }));
        answer.ok()
    };
    let tried = ask(&["true"], false);
    let works = |sudo| Privilege { sudo, ..Privilege::default() };
    if tried.as_ref().is_some_and(|output| output.success()) {
        return works(Sudo::Passwordless);
    }
    // Who asks for long once asks for long again.
    let (listed, known) = match tried {
        Some(_) => (ask(&["-l"], true), ask(&["-v"], true)),
        None => (None, None),
    };
    if slow {
        let message =
            message!("sudo did not answer in time; whether it works is told by the user's groups");
        notes.add(notes::SUDO, message, Some(message!("`sudo -v` shows what it waits for")));
    }
    if let Some(only) = listed.filter(|output| output.success()).and_then(|all| only(&all.stdout)) {
        let list = only.join(", ");
        let why = Some(message!("sudo lets this user run only {list}"));
        return Privilege { why, only, ..Privilege::default() };
    }
    let said = known.map(|output| output.stderr).unwrap_or_default();
    let says = |signs: &[&str]| signs.iter().any(|sign| said.contains(sign));
    if says(&["you must have a tty"]) {
        let why = Some(message!("sudo works here only for somebody at a terminal (requiretty)"));
        return Privilege { why, wants_terminal: true, ..Privilege::default() };
    }
    let group = || is_member(&crate::text(system, "/etc/group").unwrap_or_default(), host);
    match says(&PASSWORD) || !says(&REFUSALS) && group() {
        true => works(Sudo::Password),
        false => works(Sudo::No),
    }
}

/// The programs that `sudo -l` lists for root; `None` where it lists all.
fn only(listed: &str) -> Option<Vec<String>> {
    let rules = listed.lines().skip_while(|line| !line.contains("may run the following commands"));
    let mut programs = Vec::new();
    for rule in rules.skip(1) {
        let Some((whom, what)) =
            rule.trim().strip_prefix('(').and_then(|rule| rule.split_once(')'))
        else {
            continue;
        };
        let users = whom.split(':').next().unwrap_or_default();
        if !users.split(',').any(|user| ["root", "ALL"].contains(&user.trim())) {
            continue;
        }
        for command in what.split(',') {
            // Tags such as `NOPASSWD:` stand before the command.
            let words = command.split_whitespace().skip_while(|word| word.ends_with(':'));
            match words.collect::<Vec<_>>()[..] {
                ["ALL"] => return None,
                [program, ..] if program.starts_with('/') => programs.push(program.to_owned()),
                _ => {}
            }
        }
    }
    programs.dedup();
    Some(programs)
}

/// Whether the user is in a group that may use `sudo`, by `/etc/group` (`group(5)`).
fn is_member(text: &str, host: &Host) -> bool {
    text.lines().any(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, gid, ..] = fields[..] else { return false };
        let Ok(gid) = gid.parse() else { return false };
        GROUPS.contains(&name) && (host.gid == gid || host.groups.contains(&gid))
    })
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};
    use serde_json::json;

    use super::*;

    #[test]
    fn groups_are_matched_by_number() {
        let text = "root:x:0:\nbroken\nsudo:x:27:user\nwheel:x:none:\nuser:x:1000:\n";
        let host = |groups: &[u32]| Host {
            uid: 1000,
            gid: 1000,
            groups: groups.into(),
            ..Host::default()
        };
        assert!(is_member(text, &host(&[4, 27, 1000])));
        assert!(!is_member(text, &host(&[4, 1000])));
        assert!(!is_member("", &host(&[27])));
    }

    /// What is found where sudo, asked for `true`, `-l` and `-v`, says this; by its groups the user may use it, or not.
    fn found(answers: [(&str, i32); 3], member: bool) -> Privilege {
        let folder = tempfile::tempdir().unwrap();
        let ran = |(said, code): (&str, i32)| {
            let (out, err) = if code == 0 { (said, "") } else { ("", said) };
            json!({ "status": code, "stdout": out, "stderr": err })
        };
        let [tried, listed, known] = answers.map(ran);
        let groups: &[u32] = if member { &[27] } else { &[] };
        let answers = json!({
            "schema": 1, "which": { "sudo": "/usr/bin/sudo" },
            "host": { "uid": 1000, "gid": 1000, "groups": groups, "arch": "" },
            "commands": { "sudo -n true": tried, "LC_ALL=C sudo -n -l": listed, "LC_ALL=C sudo -n -v": known },
        });
        let write = |path: &str, text: &str| {
            Real.write(&folder.path().join(path), text.as_bytes(), 0o644).unwrap();
        };
        write("answers.json", &answers.to_string());
        write("root/etc/group", "sudo:x:27:user\n");
        probe(&Replay::open(folder.path()).unwrap(), &mut Notes::default())
    }

    #[test]
    fn sudo_is_asked_and_groups_only_where_it_does_not_say() {
        let asks = ("sudo: a password is required\n", 1);
        let stranger = ("Sorry, user bob may not run sudo on host.\n", 1);
        let silent = ("", 1);
        assert_eq!(found([("", 0), silent, silent], false).sudo, Sudo::Passwordless);
        assert_eq!(found([asks, asks, asks], false).sudo, Sudo::Password, "in no group of ours");
        assert_eq!(found([asks, asks, stranger], true).sudo, Sudo::No, "the group is no rule");
        assert_eq!(found([silent, silent, silent], true).sudo, Sudo::Password);
        assert_eq!(found([silent, silent, silent], false).sudo, Sudo::No);
        let rs = ("sudo: interactive authentication is required\n", 1);
        assert_eq!(found([rs, rs, rs], false).sudo, Sudo::Password);
    }

    #[test]
    fn rules_for_a_few_programs_are_told_as_they_are() {
        let asks = ("sudo: a password is required\n", 1);
        let list = |rules: &str| {
            format!(
                "Matching Defaults entries for ann on vm:\n    env_reset\n\nUser ann may run the following commands on vm:\n{rules}"
            )
        };
        let few = list(
            "    (root) NOPASSWD: /usr/bin/apt-get, /usr/bin/dpkg -i *\n    (web) /usr/bin/env\n",
        );
        let limited = found([asks, (&few, 0), ("", 0)], true);
        assert_eq!(limited.sudo, Sudo::No);
        assert_eq!(limited.only, ["/usr/bin/apt-get", "/usr/bin/dpkg"]);
        let both = list("    (root) NOPASSWD: /usr/bin/apt-get\n    (ALL : ALL) ALL\n");
        assert_eq!(found([asks, (&both, 0), asks], false).sudo, Sudo::Password);
    }

    #[test]
    fn a_terminal_that_sudo_wants_is_named() {
        let tty = ("sudo: sorry, you must have a tty to run sudo\n", 1);
        let found = found([tty; 3], true);
        assert_eq!(found.sudo, Sudo::No);
        assert!(found.wants_terminal && found.why.unwrap().to_string().contains("terminal"));
    }
}
