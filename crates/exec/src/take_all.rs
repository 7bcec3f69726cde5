//! Taking away all that aitk has made here: one thing after the other, each noted once it is gone.

use std::path::Path;

use aitk_system::System;

use crate::error::ExecError;
use crate::places::Places;
use crate::receipt::Receipt;
use crate::removal::{Removal, prune, prune_empty, take_away};
use crate::steps::Undo;

/// Takes away what goes, and notes each thing that is gone. What cannot be taken away is collected: the rest goes.
///
/// # Errors
/// Where the receipt cannot be written.
pub fn take_all_away(
    system: &dyn System,
    removal: &Removal,
    places: &Places,
    mut receipt: Receipt,
    state: &Path,
) -> Result<Vec<ExecError>, ExecError> {
    let mut failed = Vec::new();
    for undo in removal.root.iter().filter(|undo| !undo.commands.is_empty()) {
        match take_back(system, undo) {
            Ok(()) => _ = receipt.objects.remove(&undo.key),
            Err(error) => failed.push(error),
        }
        receipt.save(state, system)?;
    }
    for goes in &removal.goes {
        let gone = take_away(goes, places, system).and_then(|()| prune(&goes.path, places, system));
        match gone {
            Ok(()) => _ = receipt.objects.remove(&goes.key),
            Err(error) => failed.push(error),
        }
        // After each, so that an interruption leaves nothing unsaid.
        receipt.save(state, system)?;
    }
    removal.forget_gone(&mut receipt);
    receipt.forget_requests();
    receipt.save(state, system)?;
    failed.extend(prune_empty(places, system).err());
    Ok(failed)
}

/// What root has to do.
fn take_back(system: &dyn System, undo: &Undo) -> Result<(), ExecError> {
    for command in &undo.commands {
        let output = system.run(command)?;
        if !output.success() {
            let (command, output) = (command.to_string(), output.tail(8));
            return Err(ExecError::Failed { command, output, log: None });
        }
    }
    Ok(())
}
