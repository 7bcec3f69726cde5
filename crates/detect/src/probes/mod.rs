//! The probes: one file for each fact of a machine.

pub(crate) mod arch;
pub(crate) mod cgroups;
pub(crate) mod conda;
pub(crate) mod cpu;
pub(crate) mod disks;
pub(crate) mod folders;
pub(crate) mod gpu;
pub(crate) mod libc;
pub(crate) mod locale;
pub(crate) mod memory;
pub(crate) mod mounts;
pub(crate) mod os;
pub(crate) mod privilege;
pub(crate) mod python;
pub(crate) mod reboot;
pub(crate) mod secure_boot;
pub(crate) mod tools;
pub(crate) mod virtualization;
pub(crate) mod wsl;
