//! `aitk detect --capture DIR`: what a machine looks like, for a test or a report of a fault.

use std::path::{Path, PathBuf};

use aitk_detect::{Detection, Machine, detect};
use aitk_plan::Catalog;
use aitk_system::{Deny, Message, Real, Record, Replay, Scrub, System, message};

use crate::error::CliError;
use crate::output::{CARE, Console, styled};

/// Records what detection and planning look at, without what identifies a person or a machine.
pub fn capture(folder: &Path, catalog: &Catalog, output: &Console) -> Result<Detection, CliError> {
    let record = Record::new(Deny(Real));
    let detection = detect(&record, &catalog.tables);
    // What a plan looks at besides.
    for path in ["/var/lib/dpkg/status", "/proc/locks"] {
        let _ = record.read(path.as_ref());
    }
    for path in ["/var/lib/apt/lists", "/var/lib/dpkg/updates"] {
        let _ = (record.list(path.as_ref()), record.stat(path.as_ref()));
    }
    let mut scrub = scrub();
    record.save(folder, &mut scrub).map_err(CliError::io(folder))?;
    let removed: Vec<_> = scrub.removed().into_iter().map(counted).collect();
    output.say(message!(
        "recorded in {}; taken out: {}. Look through it before you share it.",
        folder.display(),
        if removed.is_empty() { message!("nothing") } else { Message::commas(removed) }
    ));
    replayed(folder, &detection.machine, catalog, &mut scrub, output)?;
    Ok(detection)
}

/// What was taken out, and how often.
fn counted((what, count): (&'static str, usize)) -> Message {
    message!("{} ({count})", Message::said(what, Vec::new()))
}

/// What takes out of texts what identifies this machine and its user.
pub fn scrub() -> Scrub {
    let home = aitk_detect::folders(&Real).home;
    // The user may know it by another name, and its own may be of somebody else's making.
    let named = Real.env("HOME").map(PathBuf::from).unwrap_or_default();
    let name = |home: &Path| home.file_name()?.to_str().map(str::to_owned);
    let mut users: Vec<_> = [name(&named), name(&home)].into_iter().flatten().collect();
    users.dedup();
    let host = (&Real as &dyn System).text("/proc/sys/kernel/hostname").ok();
    let path = Real.env("PATH").unwrap_or_default();
    Scrub::new(users.iter().map(String::as_str), host.as_deref().map(str::trim))
        .without_folders([&*home, &named], &path)
}

/// Says which facts a replay of the recording does not give again: a recording that tells another machine is worth little.
fn replayed(
    folder: &Path,
    machine: &Machine,
    catalog: &Catalog,
    scrub: &mut Scrub,
    output: &Console,
) -> Result<(), CliError> {
    let replay = Replay::open(folder).map_err(CliError::io(folder))?;
    let again = detect(&replay, &catalog.tables).machine;
    let json = serde_json::to_string(machine).unwrap_or_default();
    let expected: serde_json::Value =
        serde_json::from_str(&scrub.text("machine", &json)).unwrap_or_default();
    let found = serde_json::to_value(again).unwrap_or_default();
    for (fact, value) in expected.as_object().into_iter().flatten() {
        if fact != "sources" && found.get(fact) != Some(value) {
            let care = styled(CARE, "!");
            output
                .say(message!("{care} the recording does not tell `{fact}` as this machine does"));
        }
    }
    Ok(())
}
