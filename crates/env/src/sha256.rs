//! The SHA-256 of what is read piece by piece: a library of a framework may be larger than the memory that is free.

use std::io::{self, Read};
use std::path::Path;

use aitk_system::{Real, System};
use sha2::{Digest, Sha256};

/// The hash of all that there is to read.
///
/// # Errors
/// What reading ends with.
pub(crate) fn sha256(mut content: impl Read) -> io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match content.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The hash of a file of aitk's own, in hexadecimal digits.
///
/// # Errors
/// What the operating system says.
pub(crate) fn hash_of(path: &Path) -> io::Result<String> {
    Ok(hex(&sha256(Real.open(path)?)?))
}

/// The hash of a file that is looked at through a [`System`], in hexadecimal digits; `None` where it cannot be read.
pub fn file_hash(path: &Path, system: &dyn System) -> Option<String> {
    Some(hex(&sha256(system.open(path).ok()?).ok()?))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
