//! What a computer is: one small probe per fact, none of which needs root, writes, or uses the
//! network.
//!
//! Everything is read through [`System`], so a recorded machine is detected just like this one.
//! Reading takes microseconds; the few programs that have to be asked run at the same time as
//! everything else.

pub mod doctor;
pub mod installers;
mod machine;
pub mod notes;
mod probes;
mod tables;

use std::borrow::Cow;
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use aitk_system::{Beside, Failure, Lacks, Message, System, beside, message, plain};
pub use doctor::{
    Ailing, Broken, Finding, Manages, OwnEnvironment, OwnFault, OwnKind, ProjectKind, Severity,
    ailing, examine, is_environment, looked_at, own_environment, project_finding,
};

pub use machine::*;
pub use probes::folders::folders;
use serde_json::Value;
pub use tables::*;

use crate::notes::Notes;
use crate::probes::cpu::CpuInfo;
use crate::probes::gpu::{Surroundings, jetson};
use crate::probes::mounts::Mounts;
use crate::probes::{
    arch, conda, cpu, disks, folders, gpu, libc, locale, memory, os, privilege, python, reboot,
    secure_boot, tools, virtualization, wsl,
};

/// How long a program has to answer what is asked of it. They all answer within milliseconds unless
/// something is wrong with the machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// What [`detect`] finds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection {
    /// What was found, each fact with its source.
    pub machine: Machine,
    /// Why a fact is missing, or what about it a person should know; the codes are in [`notes`].
    pub notes: Vec<Note>,
}

impl Detection {
    /// The same where everything could be asked.
    ///
    /// # Errors
    /// Where the system gave no more files or processes: what is not known for that reason would be taken for missing.
    pub fn answered(self) -> Result<Self, Failure> {
        match self.notes.iter().find(|note| note.code == notes::STARTS) {
            None => Ok(self),
            Some(note) => Err(Failure::NothingAnswers {
                reason: note.message.clone(),
                hint: note.hint.clone().unwrap_or_default(),
            }),
        }
    }
}

/// Looks at the machine behind `system`. What cannot be found out is `None` and has a note.
pub fn detect(system: &dyn System, tables: &Tables) -> Detection {
    let lacks = Lacks::new(system);
    let mut detection = looked(&lacks, tables);
    if let Some((reason, hint)) = lacks.first() {
        // Whatever else is noted may come of it.
        detection.notes = vec![Note { code: notes::STARTS.to_owned(), message: reason, hint }];
    }
    detection
}

fn looked(system: &dyn System, tables: &Tables) -> Detection {
    let mut notes = Notes::default();
    let mounts = Mounts::read(system, &mut notes);
    let kernel = kernel(system, &mut notes);
    let cpuinfo = CpuInfo::read(system, &mut notes);
    let virtualization =
        virtualization::probe(system, tables, kernel.as_deref(), &cpuinfo, &mounts, &mut notes);
    let folders = folders::probe(system, &mut notes);

    // These start programs or ask drivers, so they run beside the rest.
    let mut machine = thread::scope(|scope| {
        let privilege = beside(scope, || noted(|notes| privilege::probe(system, notes)));
        let python = beside(scope, || noted(|notes| python::probe(system, &mounts, notes)));
        let tools = beside(scope, || noted(|notes| tools::probe(system, &mounts, notes)));
        let devices = beside(scope, || {
            noted(|notes| devices(system, tables, &virtualization, &folders, notes))
        });

        let arch = arch::probe(system, &mut notes);
        let os = os::probe(system, tables, &mut notes);
        let machine = Machine {
            libc: libc::probe(system, tables, &arch, &os, &mut notes),
            cpu: cpu::probe(system, &arch, &cpuinfo, &mounts, &mut notes),
            memory: memory::probe(system, &mounts, &mut notes),
            disks: disks::probe(system, &folders, &mounts, virtualization.kind, &mut notes),
            locale: locale::probe(system, &mut notes),
            conda: conda::probe(system, &folders, &mut notes),
            systemd: system.exists("/run/systemd/system"),
            desktop: has_desktop(system),
            date: system.now().strftime("%F").to_string(),
            python: joined(python, &mut notes),
            tools: joined(tools, &mut notes),
            privilege: joined(privilege, &mut notes),
            userland: arch::userland(system, &arch),
            os,
            arch,
            ..Machine::default()
        };
        let Devices { gpus, nvidia, rocm, jetson, wsl, secure_boot } = joined(devices, &mut notes);
        Machine { gpus, nvidia, rocm, jetson, wsl, secure_boot, ..machine }
    });
    let nvidia = machine.nvidia.as_ref();
    machine.reboot = reboot::probe(system, &virtualization, kernel.as_deref(), nvidia, &mut notes);
    machine.kernel = kernel;
    machine.virtualization = virtualization;
    machine.folders = folders;
    machine.sources = notes.take_sources();
    plainly(machine, notes.into())
}

/// The graphics processors and what belongs to them.
#[derive(Default)]
struct Devices {
    gpus: Vec<Gpu>,
    nvidia: Option<Nvidia>,
    rocm: Option<Rocm>,
    jetson: Option<Jetson>,
    wsl: Option<Wsl>,
    secure_boot: Option<bool>,
}

fn devices(
    system: &dyn System,
    tables: &Tables,
    virtualization: &Virtualization,
    folders: &Folders,
    notes: &mut Notes,
) -> Devices {
    let secure_boot = secure_boot::probe(system, notes);
    let jetson = jetson::probe(system, tables, &system.host().arch, notes);
    let wsl = wsl::probe(system, virtualization, notes);
    let around = Surroundings {
        system,
        tables,
        virtualization,
        secure_boot,
        jetson: jetson.as_ref(),
        wsl: wsl.as_ref(),
        cache: &folders.cache,
    };
    let (gpus, nvidia, rocm) = gpu::probe(&around, notes);
    Devices { gpus, nvidia, rocm, jetson, wsl, secure_boot }
}

/// Kernel release, as `uname -r` says it. WSL and containers show here too.
fn kernel(system: &dyn System, notes: &mut Notes) -> Option<String> {
    let release = line(system, "/proc/sys/kernel/osrelease");
    if release.is_some() {
        notes.source("kernel", "/proc/sys/kernel/osrelease");
    } else {
        notes.add(notes::KERNEL, message!("the kernel's release cannot be read"), None);
    }
    release
}

/// Whether there is a session of a desktop to log in to.
fn has_desktop(system: &dyn System) -> bool {
    ["/usr/share/xsessions", "/usr/share/wayland-sessions"].into_iter().any(|folder| {
        let names = system.list(folder.as_ref()).unwrap_or_default();
        names.iter().any(|name| name.ends_with(".desktop"))
    })
}

/// Runs a probe with notes of its own, as a thread needs.
fn noted<T>(probe: impl FnOnce(&mut Notes) -> T) -> (T, Notes) {
    let mut notes = Notes::default();
    (probe(&mut notes), notes)
}

/// The result of a probe that ran beside the others; its notes go to the rest.
fn joined<T: Default>(probe: Beside<'_, (T, Notes)>, notes: &mut Notes) -> T {
    // A probe that panicked is a fact that could not be had; the panic has been printed by its
    // hook.
    let (value, own) = probe.join().unwrap_or_default();
    notes.extend(own);
    value
}

/// The most that is read for a fact, in bytes. Processors and mounts of the largest machines take a tenth of it.
const LONGEST: usize = 16 << 20;
/// The longest text that is a fact, in characters.
const LONGEST_TEXT: usize = 1000;

/// A file as text; bytes that are no UTF-8 are replaced.
fn text(system: &dyn System, path: impl AsRef<Path>) -> io::Result<String> {
    let bytes = system.read(path.as_ref())?;
    match bytes.len() > LONGEST {
        true => Err(io::ErrorKind::FileTooLarge.into()),
        false => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// A text that says something and does nothing: on one line, not too long, and without characters that act on what shows it.
fn made_plain(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(LONGEST_TEXT) {
        text.truncate(end);
    }
    if let Cow::Owned(plain) = plain(text) {
        *text = plain;
    }
}

/// The same for every text among facts, but for paths: these name what is opened.
fn all_made_plain(value: &mut Value) {
    match value {
        Value::String(text) => made_plain(text),
        Value::Array(all) => all.iter_mut().for_each(all_made_plain),
        Value::Object(all) => {
            let facts = all
                .iter_mut()
                .filter(|(name, _)| !["path", "mount", "folders"].contains(&name.as_str()));
            facts.for_each(|(_, value)| all_made_plain(value));
        }
        _ => {}
    }
}

/// What was found, whatever the machine has answered.
fn plainly(machine: Machine, mut notes: Vec<Note>) -> Detection {
    let told = serde_json::to_value(&machine).unwrap_or_default();
    let mut plain = told.clone();
    all_made_plain(&mut plain);
    let machine = match plain == told {
        true => machine,
        false => with_words_of(machine, serde_json::from_value(plain).unwrap_or_default()),
    };
    notes.iter_mut().for_each(|note| note.message.make_plain());
    Detection { machine, notes }
}

/// Facts that were written down and read again, with the sentences as they were before: in either language.
fn with_words_of(told: Machine, mut plain: Machine) -> Machine {
    let words = told.gpus.into_iter().map(|gpu| gpu.why);
    plain.gpus.iter_mut().zip(words).for_each(|(gpu, why)| gpu.why = why);
    (plain.reboot, plain.sources) = (told.reboot, told.sources);
    plain.gpus.iter_mut().for_each(|gpu| gpu.why.make_plain());
    plain.reboot.iter_mut().for_each(Message::make_plain);
    plain.sources.values_mut().for_each(Message::make_plain);
    plain
}

/// The content of a small file without the white space and NUL bytes around it; `None` if nothing
/// is left.
fn line(system: &dyn System, path: impl AsRef<Path>) -> Option<String> {
    let text = crate::text(system, path).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}
