//! Files beside the link to this program: pages of the manual, and what shells complete by.

use std::path::{Path, PathBuf};

use aitk_env::file_hash;
use aitk_system::System;

use crate::error::ExecError;
use crate::places::Places;
use crate::receipt::{Object, Provenance, Receipt, ReceiptEntry};
use crate::steps::hash_of;

/// Lays files beside the link to this program, where that is aitk's: each where nothing stands, or what aitk has laid there
/// and nobody has changed since. The receipt knows of each before it is there. How many were written.
///
/// # Errors
/// Where the receipt or a file cannot be read or written.
pub fn lay(
    files: &[(PathBuf, String)],
    places: &Places,
    state: &Path,
    system: &dyn System,
) -> Result<usize, ExecError> {
    let mut receipt = Receipt::load(state, system)?;
    let key = |path: &Path| ReceiptEntry::path(path, None).key;
    if !receipt.has_made(&key(&places.program())) {
        return Ok(0);
    }
    let is_new = |(path, text): &&(PathBuf, String)| {
        let noted = receipt.objects.get(&key(path)).and_then(|object| object.detail.as_deref());
        match file_hash(path, system) {
            None => system.stat(path).is_err(),
            Some(there) => noted == Some(&there) && there != hash_of(text.as_bytes()),
        }
    };
    let new: Vec<_> = files.iter().filter(is_new).collect();
    for (path, text) in &new {
        let object = Object {
            step: "program".to_owned(),
            provenance: Provenance::Created,
            detail: Some(hash_of(text.as_bytes())),
            at: system.now().to_string(),
        };
        receipt.objects.insert(key(path), object);
    }
    if !new.is_empty() {
        receipt.save(state, system)?;
    }
    for (path, text) in &new {
        system.write(path, text.as_bytes(), 0o644).map_err(ExecError::io(path))?;
    }
    Ok(new.len())
}
