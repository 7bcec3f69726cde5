//! The character set and language.

use aitk_system::{System, message};

use crate::notes::Notes;

/// The variable that decides, in the order of POSIX (XBD 8.2); `None` means the plain `C` locale.
pub(crate) fn probe(system: &dyn System, notes: &mut Notes) -> Option<String> {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let (name, value) = names.iter().find_map(|name| Some((name, system.env(name)?)))?;
    notes.source_in_words("locale", message!("the variable {name}"));
    Some(value)
}
