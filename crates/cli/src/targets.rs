//! The targets that there are here: those of the program, with the user's own laid over them.

use std::collections::BTreeMap;
use std::path::Path;

use aitk_detect::folders;
use aitk_export::TargetList;
use aitk_system::{FileKind, System};

use crate::config::settings_text;
use crate::error::CliError;

/// The most files of the user's own that are read.
const MOST: usize = 1000;

/// Every target, with the folders `targets/NAME` that stand beside `config.toml`.
///
/// # Errors
/// Where a file there cannot be read, or a target is damaged.
pub fn targets(local: &dyn System) -> Result<TargetList, CliError> {
    let mut own = BTreeMap::new();
    read(local, &folders(local).config.join("targets"), "", &mut own)?;
    Ok(TargetList::with(own)?)
}

/// Reads a folder; what leads out of it by a link is none of its.
fn read(
    system: &dyn System,
    folder: &Path,
    below: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), CliError> {
    for name in system.list(folder).unwrap_or_default() {
        let path = folder.join(&name);
        let below = format!("{below}{name}");
        match system.stat(&path).map(|stat| stat.kind) {
            Ok(FileKind::Dir) => read(system, &path, &format!("{below}/"), files)?,
            Ok(FileKind::File) if files.len() < MOST => {
                files.extend(settings_text(system, &path)?.map(|text| (below, text)));
            }
            _ => {}
        }
    }
    Ok(())
}
