//! The character set and language.

use aitk_system::System;

/// The variable that decides, in the order of POSIX (XBD 8.2); `None` means the plain `C` locale.
pub(crate) fn probe(system: &dyn System) -> Option<String> {
    ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| system.env(name))
}
