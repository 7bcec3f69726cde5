//! UEFI Secure Boot.

use std::path::Path;

use aitk_system::{System, message};

use crate::notes::{self, Notes};

/// The variable that every user may read: four bytes of attributes, then 1 or 0 (UEFI 2.10, section
/// 3.3).
const VARIABLE: &str = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Whether Secure Boot is on; `None` without UEFI.
pub(crate) fn probe(system: &dyn System, notes: &mut Notes) -> Option<bool> {
    match system.read(Path::new(VARIABLE)).as_deref() {
        Ok(&[_, _, _, _, on]) => {
            notes.source("secure_boot", VARIABLE);
            Some(on == 1)
        }
        _ => {
            if system.exists("/sys/firmware/efi") {
                let message =
                    message!("the machine has UEFI but does not say whether Secure Boot is on");
                notes.add(
                    notes::SECURE_BOOT,
                    message,
                    Some(message!("`mokutil --sb-state` may know")),
                );
            }
            None
        }
    }
}
