//! `aitk detect`

use std::process::ExitCode;

use aitk_detect::{Detection, Machine, detect};
use aitk_plan::Bytes;
use aitk_system::{Deny, Real, Record, Replay, System};

use crate::args::{Common, Detect};
use crate::error::CliError;
use crate::output::{CARE, DIM, Diagnostic, HEAD, Output, styled};
use crate::session::Session;

pub fn run(common: &Common, args: &Detect, output: &Output) -> Result<ExitCode, CliError> {
    let detection = match (&args.root, &args.capture, &common.machine) {
        (Some(root), ..) => detect(&Replay::tree(root)),
        (None, Some(folder), _) => capture(folder, output)?,
        (None, None, None) => detect(&Real),
        (None, None, Some(_)) => {
            let session = Session::open(common)?;
            Detection { machine: session.machine, notes: session.notes }
        }
    };
    let Detection { machine, notes } = detection;
    let diagnostics = notes.iter().map(Diagnostic::from).collect();
    output.result("machine", &machine, diagnostics, || page(&machine));
    if !output.json && output.verbose > 0 {
        for note in &notes {
            output.say(format!(
                "{} {} {}",
                styled(CARE, "note:"),
                note.message,
                styled(DIM, &note.code)
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Records what detection and planning look at, without what names the person.
fn capture(folder: &std::path::Path, output: &Output) -> Result<Detection, CliError> {
    let record = Record::new(Deny(Real));
    let detection = detect(&record);
    // What a plan looks at besides.
    for path in ["/var/lib/dpkg/status", "/proc/locks"] {
        let _ = record.read(path.as_ref());
    }
    for path in ["/var/lib/apt/lists", "/var/lib/dpkg/updates"] {
        let _ = (record.list(path.as_ref()), record.stat(path.as_ref()));
    }
    let home = detection.machine.folders.home.to_string_lossy().into_owned();
    let replace = if home.len() > 1 && home != "/root" {
        let user = home.rsplit('/').next().unwrap_or_default().to_owned();
        vec![(home.clone(), "/home/user".to_owned()), (format!("/{user}/"), "/user/".to_owned())]
    } else {
        Vec::new()
    };
    record.save(folder, &replace).map_err(CliError::io(folder))?;
    output.say(format!(
        "recorded in {}; the name of the home folder was replaced, look through the rest before you share it",
        folder.display()
    ));
    Ok(detection)
}

/// The machine on a page.
fn page(machine: &Machine) -> String {
    let unknown = || styled(DIM, "unknown");
    let or_unknown = |value: Option<String>| value.unwrap_or_else(unknown);
    let bytes = |amount: Option<u64>| amount.map(|bytes| Bytes(bytes).binary());
    let mut rows: Vec<(&str, String)> = Vec::new();
    let support = machine.os.end_of_support.as_ref().map(|end| format!(", supported until {end}"));
    rows.push(("System", format!("{}{}", machine.os.name, support.unwrap_or_default())));
    let kernel = machine.kernel.clone().unwrap_or_else(unknown);
    rows.push(("Kernel", format!("{kernel}, {}", machine.arch)));
    let kind = serde_json::to_value(machine.virtualization.kind).ok();
    let kind = kind.and_then(|kind| kind.as_str().map(str::to_owned)).unwrap_or_default();
    let name = machine.virtualization.name.as_ref().map(|name| format!(" ({name})"));
    rows.push(("Runs on", format!("{kind}{}", name.unwrap_or_default())));
    let cpu = &machine.cpu;
    let threads = cpu.threads.map(|threads| format!(", {threads} threads"));
    let level = cpu.level.as_ref().map(|level| format!(", {level}"));
    rows.push((
        "Processor",
        format!(
            "{}{}{}",
            or_unknown(cpu.model.clone()),
            threads.unwrap_or_default(),
            level.unwrap_or_default()
        ),
    ));
    let memory = &machine.memory;
    let limit = bytes(memory.limit).map(|limit| format!(", limited to {limit}"));
    let swap =
        memory.swap.filter(|swap| *swap > 0).map(|swap| format!(", swap {}", Bytes(swap).binary()));
    rows.push((
        "Memory",
        format!(
            "{}{}{}",
            or_unknown(bytes(memory.total)),
            limit.unwrap_or_default(),
            swap.unwrap_or_default()
        ),
    ));
    rows.push(("", styled(DIM, memory_means(memory.usable()))));
    for disk in &machine.disks {
        rows.push((
            "Disk",
            format!(
                "{} free of {} on {} ({}; {})",
                Bytes(disk.free),
                Bytes(disk.total),
                disk.mount.display(),
                disk.filesystem,
                disk.uses.join(", ")
            ),
        ));
    }
    if machine.gpus.is_empty() {
        rows.push(("GPU", "none found: everything computes on the processor".to_owned()));
    }
    for gpu in &machine.gpus {
        let name = gpu.name.clone().unwrap_or_else(|| format!("{} {}", gpu.vendor, gpu.pci_id));
        rows.push(("GPU", name));
        rows.push(("", styled(DIM, &gpu.why)));
    }
    let python: Vec<_> = machine
        .python
        .iter()
        .map(|python| format!("{} at {}", python.version, python.path.display()))
        .collect();
    rows.push(("Python", if python.is_empty() { "none".to_owned() } else { python.join(", ") }));
    for conda in &machine.conda {
        rows.push(("Conda", format!("{} in {}", conda.version, conda.path.display())));
        rows.push((
            "",
            styled(DIM, "it is left alone; --conda-base uses it instead of one of aitk's own"),
        ));
    }
    let privilege = if machine.privilege.root {
        "root"
    } else {
        match machine.privilege.sudo {
            aitk_detect::Sudo::No => "ordinary user, no sudo",
            aitk_detect::Sudo::Password => "ordinary user, sudo with a password",
            aitk_detect::Sudo::Passwordless => "ordinary user, sudo without a password",
        }
    };
    rows.push(("Privileges", privilege.to_owned()));
    rows.iter()
        .map(|(label, text)| format!("{} {text}\n", styled(HEAD, format!("{label:11}"))))
        .collect()
}

/// What an amount of memory means, after the source document's thresholds.
fn memory_means(memory: Option<u64>) -> &'static str {
    const GIB: u64 = 1 << 30;
    match memory.map(|bytes| bytes * 10 / 9 / GIB) {
        None => "",
        Some(0..2) => "enough for the libraries and JupyterLab, with a swap file; not for PyTorch",
        Some(2..8) => "enough for small models; 8 GiB are the minimum for working at ease",
        Some(8..16) => "enough to learn and prototype; 16 GiB are comfortable",
        Some(_) => "comfortable",
    }
}
