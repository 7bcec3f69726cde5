//! A machine that is not here.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use aitk_detect::Machine;
use aitk_plan::names;
use aitk_system::{FileKind, Message, Replay, System, ToMessage};
use serde_json::Value;

use crate::error::CliError;

/// The longest description of a machine that is read, in bytes. `aitk detect --json` writes some ten thousand.
const LONGEST_MACHINE: usize = 4 << 20;
/// The largest amount that a description of a machine can have: what two of them add up to is still a number.
const LARGEST: f64 = 4e18;

/// A recording, or the JSON of a machine; the latter answers nothing but the facts.
pub(super) fn recorded(
    local: &dyn System,
    path: &Path,
) -> Result<(Arc<dyn System>, Option<Machine>), CliError> {
    let bad = |reason: Message| CliError::BadMachine { path: path.to_owned(), reason };
    let stat = local.stat(path).map_err(CliError::io(path))?;
    if stat.kind == FileKind::Dir {
        let replay = Replay::open(path).map_err(|error| bad(Message::plain(error)))?;
        return Ok((Arc::new(replay), None));
    }
    let json = local.foreign_text(path, LONGEST_MACHINE);
    let mut value: Value = serde_json::from_str(&json.map_err(|error| match error.kind() {
        ErrorKind::InvalidData | ErrorKind::FileTooLarge => bad(Message::plain(error)),
        _ => CliError::io(path)(error),
    })?)
    .map_err(|error| bad(Message::plain(error)))?;
    if let Some(data) = value.get_mut("data") {
        value = data.take();
    }
    names::lines_only(&value).map_err(|unfit| bad(unfit.to_message()))?;
    names::numbers_within(&value, LARGEST).map_err(|unfit| bad(unfit.to_message()))?;
    let machine: Machine =
        serde_json::from_value(value).map_err(|error| bad(Message::plain(error)))?;
    in_form(&machine).map_err(|unfit| bad(unfit.to_message()))?;
    Ok((Arc::new(Replay::tree(Path::new("/nonexistent"))), Some(machine)))
}

/// Looks whether the facts that become a part of commands, addresses and requirements are in their form.
fn in_form(machine: &Machine) -> Result<(), names::Unfit> {
    let version = |text: &String| names::version::check(text);
    let mut words = [&machine.arch, &machine.os.id].into_iter().filter(|text| !text.is_empty());
    words.try_for_each(version)?;
    machine.os.version.iter().chain(&machine.kernel).try_for_each(version)?;
    machine.libc.iter().filter_map(|libc| libc.version.as_ref()).try_for_each(version)?;
    for gpu in &machine.gpus {
        gpu.gfx.iter().chain(&gpu.compute_capability).try_for_each(version)?;
        gpu.driver.iter().flat_map(|driver| &driver.cuda).try_for_each(version)?;
    }
    let pythons = machine.python.iter().map(|python| &python.version);
    pythons.filter(|text| !text.is_empty()).try_for_each(version)
}
