//! What the user may do.

use aitk_system::{Command, Host, RunError, System, message};

use crate::PATIENCE;
use crate::machine::{Privilege, Sudo};
use crate::notes::{self, Notes};

/// Groups that distributions let use `sudo`: Debian and Ubuntu, Ubuntu before 12.04, Fedora and
/// Arch.
const GROUPS: [&str; 3] = ["sudo", "admin", "wheel"];

/// What the user may do.
pub(crate) fn probe(system: &dyn System, notes: &mut Notes) -> Privilege {
    let host = system.host();
    let root = host.uid == 0;
    notes.source("privilege.root", "geteuid(2)");
    let sudo = match system.which("sudo") {
        None => Sudo::No,
        // Nobody asks root for a password, so sudo need not be asked.
        Some(_) if root => Sudo::Passwordless,
        Some(_) => sudo(system, &host, notes),
    };
    Privilege { root, sudo }
}

/// How `sudo` works for an ordinary user. Its rules are root's to read, so it is asked; if it says
/// no, that may be for want of a password, and the group tells.
fn sudo(system: &dyn System, host: &Host, notes: &mut Notes) -> Sudo {
    notes.source_in_words("privilege.sudo", message!("sudo -n true, else /etc/group"));
    let answer = system.run(&Command::reads(["sudo", "-n", "true"]).timeout(PATIENCE));
    if let Err(RunError::TimedOut { .. }) = answer {
        let message =
            message!("sudo did not answer in time; whether it works is told by the user's groups");
        notes.add(notes::SUDO, message, Some(message!("`sudo -v` shows what it waits for")));
    }
    if answer.is_ok_and(|output| output.success()) {
        Sudo::Passwordless
    } else if is_member(&crate::text(system, "/etc/group").unwrap_or_default(), host) {
        Sudo::Password
    } else {
        Sudo::No
    }
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
}
