//! What a computer is: one small probe per fact, none of which needs root, writes, or uses the
//! network.
//!
//! Everything is read through [`System`], so a recorded machine is detected just like this one.
//! Reading takes microseconds; the few programs that have to be asked run at the same time as
//! everything else.

mod arch;
mod conda;
mod cpu;
mod disks;
mod distros;
mod folders;
mod gpu;
mod jetson;
mod libc;
mod locale;
mod machine;
mod memory;
mod mounts;
pub mod notes;
mod os;
mod paths;
mod privilege;
mod python;
mod secure_boot;
mod tools;
mod virtualization;

use std::path::Path;
use std::thread::{self, ScopedJoinHandle};
use std::time::Duration;

use aitk_system::System;
pub use distros::{Distro, distros};
pub use folders::folders;
pub use machine::*;

use crate::cpu::CpuInfo;
use crate::mounts::Mounts;
use crate::notes::Notes;

/// How long a program has to answer what is asked of it. They all answer within milliseconds unless
/// something is wrong with the machine.
const PATIENCE: Duration = Duration::from_secs(5);

/// What [`detect`] finds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Detection {
    /// The facts.
    pub machine: Machine,
    /// Why a fact is missing, or what about it a person should know; the codes are in [`notes`].
    pub notes: Vec<Note>,
}

/// Looks at the machine behind `system`. What cannot be found out is `None` and has a note.
pub fn detect(system: &dyn System) -> Detection {
    let mut notes = Notes::default();
    let mounts = Mounts::read(system, &mut notes);
    let kernel = kernel(system, &mut notes);
    let cpuinfo = CpuInfo::read(system, &mut notes);
    let virtualization =
        virtualization::probe(system, kernel.as_deref(), &cpuinfo, &mounts, &mut notes);

    // These three start programs, so they run beside the rest.
    let machine = thread::scope(|scope| {
        let privilege = scope.spawn(|| noted(|notes| privilege::probe(system, notes)));
        let python = scope.spawn(|| noted(|notes| python::probe(system, &mounts, notes)));
        let tools = scope.spawn(|| noted(|notes| tools::probe(system, &mounts, notes)));

        let arch = arch::probe(system, &mut notes);
        let os = os::probe(system, &mut notes);
        let folders = folders::probe(system, &mut notes);
        Machine {
            libc: libc::probe(system, &arch, &os, &mut notes),
            cpu: cpu::probe(system, &arch, &cpuinfo, &mut notes),
            memory: memory::probe(system, &mounts, &mut notes),
            disks: disks::probe(system, &folders, &mounts, virtualization.kind, &mut notes),
            gpus: gpu::probe(system),
            jetson: jetson::probe(system, &arch),
            secure_boot: secure_boot::probe(system, &mut notes),
            locale: locale::probe(system),
            conda: conda::probe(system, &folders),
            systemd: system.exists("/run/systemd/system"),
            date: system.now().strftime("%F").to_string(),
            python: joined(python, &mut notes),
            tools: joined(tools, &mut notes),
            privilege: joined(privilege, &mut notes),
            os,
            arch,
            kernel,
            virtualization,
            folders,
        }
    });
    Detection { machine, notes: notes.into() }
}

/// Kernel release, as `uname -r` says it. WSL and containers show here too.
fn kernel(system: &dyn System, notes: &mut Notes) -> Option<String> {
    let release = line(system, "/proc/sys/kernel/osrelease");
    if release.is_none() {
        notes.add(notes::KERNEL, "the kernel's release cannot be read", None);
    }
    release
}

/// Runs a probe with notes of its own, as a thread needs.
fn noted<T>(probe: impl FnOnce(&mut Notes) -> T) -> (T, Notes) {
    let mut notes = Notes::default();
    (probe(&mut notes), notes)
}

/// The result of a probe that ran beside the others; its notes go to the rest.
fn joined<T: Default>(probe: ScopedJoinHandle<'_, (T, Notes)>, notes: &mut Notes) -> T {
    // A probe that panicked is a fact that could not be had; the panic has been printed by its
    // hook.
    let (value, own) = probe.join().unwrap_or_default();
    notes.extend(own);
    value
}

/// The content of a small file without the white space and NUL bytes around it; `None` if nothing
/// is left.
fn line(system: &dyn System, path: impl AsRef<Path>) -> Option<String> {
    let text = system.text(path).ok()?;
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}
