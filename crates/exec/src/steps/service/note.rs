//! What root has noted on the machine of each service: its files, and whose run has installed it.

use std::path::PathBuf;

use aitk_export::{File, ServicePlace};
use aitk_system::System;

use super::super::{ReceiptEntry, hash_of, root};
use crate::places::{note_path, services};

/// Before the id of the user whose run has installed a service.
const INSTALLER: &str = "# installed by the user ";

/// The key of a service in a receipt.
pub(super) fn key(name: &str) -> String {
    format!("service:{name}")
}

/// The note, as `sha256sum --check` reads it: what begins with `#` it passes over.
pub(super) fn note(name: &str, installer: u32, files: &[File]) -> File {
    let line = |file: &File| format!("{}  {}\n", hash_of(file.content.as_bytes()), file.path);
    let first = format!("{INSTALLER}{installer}\n");
    let content = std::iter::once(first).chain(files.iter().map(line)).collect();
    File { path: note_path(name), content, executable: false, yours: false, private: false }
}

/// Whose run has installed what is noted there.
pub(super) fn installer(note: &str) -> Option<u32> {
    note.lines().find_map(|line| line.strip_prefix(INSTALLER)?.parse().ok())
}

/// What root has noted of a service that is aitk's.
pub(super) fn noted(name: &str, system: &dyn System) -> Option<(PathBuf, String)> {
    let path = PathBuf::from(note_path(name));
    let text = system.text(&path).ok().filter(|_| root::only_roots(system, &path).is_ok())?;
    Some((path, text))
}

/// Whether whoever runs aitk may take what is noted there for their own: they have installed it, or are root.
pub(super) fn is_own(note: &str, system: &dyn System) -> bool {
    let user = system.host().uid;
    user == 0 || installer(note) == Some(user)
}

/// The services that others have installed: their names, and the notes.
pub(crate) fn of_others(system: &dyn System) -> Vec<(String, PathBuf)> {
    let of = |place: &ServicePlace| {
        let (path, text) = noted(&place.name, system)?;
        (!is_own(&text, system)).then(|| (place.name.clone(), path))
    };
    services().iter().filter_map(of).collect()
}

/// The services that are by these notes what this user's aitk has installed, with their files: a receipt may be lost.
pub(crate) fn by_notes(system: &dyn System) -> Vec<ReceiptEntry> {
    let of = |place: &ServicePlace| {
        let (path, text) = noted(&place.name, system).filter(|(_, text)| is_own(text, system))?;
        let lines = text.lines().filter_map(|line| line.split_once("  "));
        let known = lines.filter(|(_, path)| place.files.iter().any(|file| file == path));
        let file = |path: &str, hash: &str| {
            ReceiptEntry::created(format!("file:{path}"), Some(hash.to_owned()))
        };
        let mut made: Vec<_> = known.map(|(hash, path)| file(path, hash)).collect();
        made.push(file(&path.to_string_lossy(), &hash_of(text.as_bytes())));
        made.push(ReceiptEntry::created(key(&place.name), None));
        Some(made)
    };
    services().iter().filter_map(of).flatten().collect()
}
