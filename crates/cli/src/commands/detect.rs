//! `aitk detect`

use std::process::ExitCode;

use aitk_detect::{Detection, Disk, Gpu, Machine, Python, Sudo, detect, folders};
use aitk_plan::{Bytes, Catalog, VramFit};
use aitk_system::{Message, Replay, ToMessage, message};

use super::capture::capture;
use super::model::memory_for_models;
use crate::args::{Common, Detect};
use crate::config::catalog;
use crate::error::CliError;
use crate::output::{CARE, Console, Diagnostic, GOOD, HEAD, Page, styled, whole, wrapping};
use crate::session::{Local, Session};
use crate::typed::command_as_typed;
use crate::words::said;

/// Below this a label has a line of its own.
const NARROW: usize = 60;
/// The column in which the facts begin.
const INDENT: usize = 13;

pub fn run(
    local: &Local,
    common: &Common,
    args: &Detect,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let catalog = catalog(&**local, &folders(&**local))?;
    let detection = match (&args.root, &args.capture, &common.machine) {
        (Some(root), ..) => {
            // A tree that is not there would be a machine of which nothing is known.
            local.list(root).map_err(CliError::io(root))?;
            detect(&Replay::tree(root), &catalog.tables)
        }
        (None, Some(folder), _) => capture(folder, &catalog, output)?,
        (None, None, None) => detect(&**local, &catalog.tables),
        (None, None, Some(_)) => {
            let session = Session::open(local, common)?;
            Detection { machine: session.machine, notes: session.notes }
        }
    };
    let Detection { machine, notes } = detection;
    let diagnostics = notes.iter().map(Diagnostic::from).collect();
    output.result(&machine, diagnostics, || page(&machine, &catalog, output.verbose > 0));
    if !output.json && output.verbose > 0 {
        notes.iter().for_each(|note| output.note(note));
    }
    Ok(ExitCode::SUCCESS)
}

impl Page {
    /// A fact: a label, and what it is about.
    fn fact(&mut self, label: impl ToMessage, text: impl ToMessage) {
        let (label, text) = (&said(label), &said(text));
        if self.width < NARROW {
            if !label.is_empty() {
                self.text += &format!("{}\n", styled(HEAD, label));
            }
            self.wrapped(text.as_str(), "  ", "  ");
            return;
        }
        let label = format!("{label:INDENT$}");
        let indent = " ".repeat(INDENT);
        let wrapped = textwrap::fill(text, wrapping(self.width, &indent, &indent));
        // What is wrapped has no colours in it, which would count as letters.
        self.text += &format!("{}{}\n", styled(HEAD, label), &wrapped[INDENT.min(wrapped.len())..]);
    }

    /// What a fact means, below it.
    fn means(&mut self, text: impl ToMessage) {
        let indent = " ".repeat(if self.width < NARROW { 2 } else { INDENT });
        self.dim(text, &indent);
    }

    /// Commands, and what each does: beside it where all of that fits, else below it.
    fn next(&mut self, commands: &[(String, String)]) {
        let widest = |of: fn(&(String, String)) -> &String| {
            commands.iter().map(|both| of(both).chars().count()).max().unwrap_or(0)
        };
        let beside = widest(|(command, _)| command) + 2;
        let fits = beside + widest(|(_, what)| what) <= self.width;
        for (command, what) in commands {
            match fits {
                true => self.text += &format!("{command:beside$}{what}\n"),
                false => {
                    self.text += &(whole(command) + "\n");
                    self.wrapped(what.as_str(), "  ", "  ");
                }
            }
        }
    }
}

/// The machine on a page.
fn page(machine: &Machine, catalog: &Catalog, with_sources: bool) -> String {
    let mut page = Page::new();
    system(&mut page, machine, catalog);
    processor(&mut page, machine);
    memory(&mut page, machine, catalog);
    if machine.gpus.is_empty() {
        page.fact("GPU", message!("none found"));
        page.means(message!("everything computes on the processor"));
    }
    for gpu in &machine.gpus {
        graphics(&mut page, (machine, gpu), catalog);
    }
    for disk in &machine.disks {
        storage(&mut page, disk);
    }
    software(&mut page, machine);
    if !machine.reboot.is_empty() {
        page.fact(message!("Restart"), message!("the machine should be restarted"));
        for reason in &machine.reboot {
            page.means(reason);
        }
    }
    if with_sources {
        page.text += "\n";
        page.fact(message!("Sources"), message!("where these facts come from"));
        for (fact, source) in &machine.sources {
            page.means(Message::about(fact.as_str(), source.clone()));
        }
    }
    page.text += "\n";
    let budget = machine.budget();
    let next = [
        ("aitk doctor".to_owned(), message!("what stands in the way, and how to mend it")),
        (format!("aitk plan --budget {budget}"), message!("what aitk would do here")),
    ];
    page.next(&next.map(|(command, what)| (command_as_typed(&command), said(what))));
    page.text
}

fn system(page: &mut Page, machine: &Machine, catalog: &Catalog) {
    let kind = serde_json::to_value(machine.virtualization.kind).ok();
    let kind = match kind.as_ref().and_then(|kind| kind.as_str()).unwrap_or_default() {
        "bare-metal" => message!("on the hardware itself"),
        "vm" => message!("in a virtual machine"),
        "container" => message!("in a container"),
        "wsl1" => message!("in WSL 1, which has no GPU and no real kernel"),
        "wsl2" => message!("in WSL 2"),
        other => Message::plain(other),
    };
    let name = machine.virtualization.name.as_deref().filter(|name| *name != "wsl");
    let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
    let rented = machine.virtualization.provider.as_ref().map(|id| {
        let row = catalog.tables.providers().iter().find(|row| row.id == *id);
        said(message!(", rented from {}", row.map_or(id.as_str(), |row| row.name.as_str())))
    });
    let (os, kind) = (&machine.os.name, said(kind));
    page.fact(message!("System"), format!("{os} {kind}{name}{}", rented.unwrap_or_default()));
    let mut means = Vec::new();
    means.extend(machine.jetson.as_ref().map(|board| {
        let jetpack = board.jetpack.as_ref();
        jetpack.map_or_else(
            || Message::plain(&board.model),
            |version| message!("{} with JetPack {version}", board.model),
        )
    }));
    means.extend(machine.os.end_of_support.as_ref().map(|end| {
        if *end < machine.date {
            message!("support ended on {end}")
        } else {
            message!("supported until {end}")
        }
    }));
    means.extend(machine.kernel.as_ref().map(|kernel| message!("kernel {kernel}")));
    means.extend((!machine.arch.is_empty()).then(|| Message::plain(&machine.arch)));
    page.means(Message::commas(means));
}

fn processor(page: &mut Page, machine: &Machine) {
    let cpu = &machine.cpu;
    let mut parts = vec![cpu.model.as_ref().map_or_else(|| message!("unknown"), Message::plain)];
    parts.extend(
        cpu.cores
            .map(|cores| if cores == 1 { message!("1 core") } else { message!("{cores} cores") }),
    );
    parts.extend(cpu.threads.map(|threads| match threads {
        1 => message!("1 thread"),
        threads => message!("{threads} threads"),
    }));
    parts.extend(cpu.level.as_ref().map(Message::plain));
    page.fact(message!("Processor"), Message::commas(parts));
    if let Some(quota) = cpu.quota {
        page.means(message!("limited to the time of {quota} processors"));
    }
    if cpu.level.as_deref() == Some("x86-64-v1") {
        page.means(message!(
            "too old, or disguised by the virtual machine, for current NumPy (x86-64-v2)"
        ));
    }
}

fn memory(page: &mut Page, machine: &Machine, catalog: &Catalog) {
    let memory = &machine.memory;
    let size = |bytes: u64| Bytes(bytes).binary();
    let mut parts = vec![memory.total.map_or_else(|| message!("unknown"), size)];
    parts.extend(memory.limit.map(|limit| message!("limited to {}", size(limit))));
    parts.extend(memory.available.map(|bytes| message!("{} free", size(bytes))));
    parts.extend(memory.swap.filter(|swap| *swap > 0).map(|swap| {
        let zram = memory.zram.filter(|zram| *zram > 0);
        let zram = zram.map(|zram| said(message!("{} of it compressed memory", size(zram))));
        let zram = zram.map(|zram| Message::plain(format!(" ({zram})")));
        message!("swap {}{}", size(swap), zram.unwrap_or_default())
    }));
    page.fact(message!("Memory"), Message::commas(parts));
    if let Some(row) = memory.usable().and_then(|bytes| catalog.fit.memory(bytes)) {
        page.means(&row.means);
    }
    if machine.wsl.is_some() {
        page.means(message!(
            "this is what Windows gives to WSL: `memory=` in .wslconfig changes it"
        ));
    }
}

fn graphics(page: &mut Page, (machine, gpu): (&Machine, &Gpu), catalog: &Catalog) {
    let vendor = gpu.vendor.as_str();
    let name = gpu.name.clone().unwrap_or_else(|| {
        let id = gpu.pci_id.as_deref().map(|id| format!(" {id}"));
        format!("{vendor} GPU{}", id.unwrap_or_default())
    });
    let mut parts = vec![Message::plain(name)];
    parts.extend(gpu.vram.map(|bytes| Bytes(bytes).binary()));
    parts.extend(gpu.architecture.as_ref().map(Message::plain));
    parts.extend(
        gpu.compute_capability.as_ref().map(|version| message!("compute capability {version}")),
    );
    parts.extend(gpu.gfx.as_ref().map(Message::plain));
    page.fact("GPU", Message::commas(parts));
    let (style, sign) = if gpu.usable { (GOOD, "✓") } else { (CARE, "✗") };
    // The sign is put in afterwards: a colour would count as letters.
    let before = page.text.len();
    page.means(format!("? {}", said(&gpu.why)));
    let told = page.text.split_off(before).replacen('?', &styled(style, sign), 1);
    page.text += &told;
    let memory = memory_for_models(machine, gpu).filter(|_| gpu.usable);
    if let Some(fit) = memory.and_then(|(_, free)| catalog.fit.vram(free)) {
        page.means(models(fit));
    }
}

/// What sizes of language models fit, in parameters.
fn models(fit: &VramFit) -> Message {
    let tune = fit.tune.as_ref().map(|size| message!("; tuning (QLoRA): {size}"));
    message!(
        "language models that fit: {} in 4 bits, {} in 8 bits, {} in 16 bits{}",
        fit.four_bit,
        fit.eight_bit,
        fit.sixteen_bit,
        tune.unwrap_or_default()
    )
}

fn storage(page: &mut Page, disk: &Disk) {
    let kind = disk.kind.as_deref().map(|kind| match kind {
        "nvme" => ", NVMe".to_owned(),
        other => format!(", {}", other.to_uppercase()),
    });
    page.fact(
        message!("Disk"),
        message!(
            "{} free of {} on {} ({}{}): {}",
            Bytes(disk.free),
            Bytes(disk.total),
            disk.mount.display(),
            disk.filesystem,
            kind.unwrap_or_default(),
            Message::commas(disk.uses.iter().map(|word| Message::said(word.clone(), Vec::new())))
        ),
    );
    if disk.windows {
        page.means(message!(
            "a disk of Windows: slow, and without real permissions; no place for an environment"
        ));
    }
    if disk.noexec {
        page.means(message!("programs cannot be started from it (noexec)"));
    }
    if disk.free_inodes.is_some_and(|inodes| inodes < 100_000) {
        page.means(message!("only {} more files fit on it", disk.free_inodes.unwrap_or(0)));
    }
}

fn software(page: &mut Page, machine: &Machine) {
    let mut python = machine.python.iter();
    match python.next() {
        Some(first) => page.fact("Python", interpreter(first)),
        None => page.fact("Python", message!("none found")),
    }
    for more in python {
        page.fact("", interpreter(more));
    }
    for conda in &machine.conda {
        page.fact(message!("Conda"), message!("{} in {}", conda.version, conda.path.display()));
        page.means(message!("it is left alone; --conda-base uses it instead of one of aitk's own"));
    }
    let rights = match (machine.privilege.root, machine.privilege.sudo) {
        (true, _) => Message::plain("root"),
        (false, Sudo::No) if !machine.privilege.only.is_empty() => {
            message!("ordinary user, sudo for a few programs")
        }
        (false, Sudo::No) => message!("ordinary user, no sudo"),
        (false, Sudo::Password) => message!("ordinary user, sudo with a password"),
        (false, Sudo::Passwordless) => message!("ordinary user, sudo without a password"),
    };
    page.fact(message!("Rights"), rights);
    if let Some(why) = machine.privilege.why.clone() {
        page.means(why);
    }
}

fn interpreter(python: &Python) -> Message {
    let managed = if python.externally_managed {
        message!(", the system's own: packages go elsewhere")
    } else {
        Message::default()
    };
    message!("{} at {}{managed}", python.version, python.path.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::harmless;

    #[test]
    fn what_a_command_does_stands_beside_it_or_below_each() {
        let told = |program: &str| {
            let mut page = Page { width: 60, text: String::new() };
            let line = |rest: &str, what: &str| (format!("{program} {rest}"), what.to_owned());
            page.next(&[
                line("doctor", "what stands in the way, and how to mend it"),
                line("plan", "what aitk would do here"),
            ]);
            harmless(&page.text)
        };
        assert_eq!(
            told("aitk"),
            "aitk doctor  what stands in the way, and how to mend it\n\
             aitk plan    what aitk would do here\n"
        );
        let long = "/a/long/way/to/where/the/program/stands/target/release/aitk";
        assert_eq!(
            told(long),
            format!(
                "{long} doctor\n  what stands in the way, and how to mend it\n\
                 {long} plan\n  what aitk would do here\n"
            )
        );
    }
}
