//! What root takes back of what the receipt says aitk has made.

use aitk_system::{Command, Message, System};

use super::take_back;
use crate::places::Thing;

/// One thing that is taken away by root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// Its key in the receipt.
    pub key: String,
    /// What takes it away; none where it has to stay.
    pub commands: Vec<Command>,
    /// What a person should know of what stays.
    pub note: Option<Message>,
}

/// What root has to do about a thing, if it is still there. What the user's own rights are enough for is not among it.
pub(crate) fn undo(
    key: &str,
    thing: &Thing,
    detail: Option<&str>,
    system: &dyn System,
) -> Option<Undo> {
    let (commands, note) = take_back(thing, detail, system)?;
    let undo = Undo { key: key.to_owned(), commands, note };
    (!undo.commands.is_empty() || undo.note.is_some()).then_some(undo)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::places::system_files;
    use crate::steps::apt_source;
    use crate::steps::testing::Machine;

    const HOLD: &str = "/etc/apt/apt.conf.d/60aitk-nvidia";

    fn typed(thing: &Thing, machine: &Machine) -> (Vec<String>, Option<Message>) {
        let undo = undo("key", thing, None, machine.system());
        undo.map_or_else(Default::default, |undo| {
            (undo.commands.iter().map(Command::to_string).collect(), undo.note)
        })
    }

    #[test]
    fn only_what_is_still_there_and_as_aitk_made_it_goes() {
        let machine = Machine::new("{}");
        let hold = Thing::SystemFile(HOLD.into());
        let source = Thing::Source("vendor".to_owned());
        for thing in [&hold, &source, &Thing::Swap, &Thing::Runtime] {
            assert_eq!(typed(thing, &machine), (Vec::new(), None));
        }
        let (_, content) = system_files().find(|(path, _)| path == HOLD).unwrap();
        machine.file(HOLD, &content);
        assert_eq!(typed(&hold, &machine).0, [format!("sudo rm -f -- {HOLD}")]);
        machine.file(HOLD, &format!("{content}// mine\n"));
        let (commands, note) = typed(&hold, &machine);
        assert!(commands.is_empty() && note.unwrap().to_string().contains("changed since"));
        let preferences = "/etc/apt/preferences.d/aitk-vendor";
        machine.file(preferences, "Package: mine\n");
        assert_eq!(typed(&source, &machine).0, [""; 0], "it is somebody else's");
        machine.file(preferences, &format!("{}\nPackage: *\n", apt_source::NOTE));
        assert_eq!(typed(&source, &machine).0, [format!("sudo rm -f -- {preferences}")]);
    }
}
