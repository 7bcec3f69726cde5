//! What root takes back of what the receipt says aitk has made.

use aitk_system::{Command, System};

use super::{apt_source, container_gpu, groups, swap_file, system_file};
use crate::receipt::{Provenance, Receipt};

/// One thing that is taken away by root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undo {
    /// Its key in the receipt.
    pub key: String,
    /// What takes it away; none where it has to stay.
    pub commands: Vec<Command>,
    /// What a person should know of what stays.
    pub note: Option<String>,
}

/// What root has to do, of what is still there. What the user's own rights are enough for is not among it.
pub fn undo(receipt: &Receipt, system: &dyn System) -> Vec<Undo> {
    let created = receipt.objects.iter().filter(|(_, o)| o.provenance == Provenance::Created);
    let undone = created.filter_map(|(key, object)| {
        let (kind, name) = key.split_once(':')?;
        let detail = object.detail.as_deref();
        let commands = match kind {
            "file" => system_file::undo(name, system),
            "group" => groups::undo(name, detail?, system),
            "runtime" => container_gpu::undo(detail, system),
            "source" => apt_source::undo(name, system),
            "swap" => swap_file::undo(name, system),
            _ => return None,
        };
        let stays = kind == "runtime" && commands.is_empty();
        let note = if stays { container_gpu::stays(system) } else { None };
        Some(Undo { key: key.clone(), commands, note })
    });
    undone.filter(|undo| !undo.commands.is_empty() || undo.note.is_some()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steps::testing::Machine;

    #[test]
    fn only_what_aitk_made_and_is_still_there_goes() {
        let machine = Machine::new("{}");
        let keys = ["file:/etc/modprobe.d/aitk.conf", "source:vendor", "swap:/swapfile"];
        assert_eq!(undo(&machine.made(&keys), machine.system()), []);
        machine.file("/etc/modprobe.d/aitk.conf", "");
        machine.file("/etc/apt/preferences.d/aitk-vendor", "");
        machine.file("/home/user/own", "");
        let mut receipt = machine.made(&[&keys[..], &["path:/home/user/own"]].concat());
        let typed = |receipt: &Receipt| -> Vec<String> {
            let undone = undo(receipt, machine.system());
            undone.iter().flat_map(|undo| &undo.commands).map(Command::to_string).collect()
        };
        let file = "sudo rm -f -- /etc/modprobe.d/aitk.conf";
        assert_eq!(typed(&receipt), [file, "sudo rm -f -- /etc/apt/preferences.d/aitk-vendor"]);
        let found = receipt.objects.get_mut(keys[0]).unwrap();
        found.provenance = Provenance::Found;
        assert_eq!(typed(&receipt), ["sudo rm -f -- /etc/apt/preferences.d/aitk-vendor"]);
    }
}
