//! Short names for values: what makes two machines, plans or locks the same.

use aitk_detect::Machine;
use serde::Serialize;
use sha2::{Digest, Sha256};

/// The first 16 hexadecimal digits of the SHA-256 of a value's JSON.
pub fn digest_of(value: &impl Serialize) -> String {
    // Values of ours serialize: they have text keys and no fallible parts.
    let json = serde_json::to_vec(value).unwrap_or_default();
    let hash = Sha256::digest(&json);
    hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// What a plan depends on of a machine and what does not change from hour to hour: system, processor, memory,
/// GPUs, user and folders; not free space, kernel or date, and not the GPUs' drivers, which a plan may itself install.
pub fn machine_digest(machine: &Machine) -> String {
    let gpus: Vec<_> = machine.gpus.iter().map(|gpu| &gpu.pci_id).collect();
    digest_of(&(
        (&machine.os.id, &machine.os.version, &machine.arch, &machine.libc),
        (machine.virtualization.kind, &machine.cpu.model, &machine.cpu.level, &machine.jetson),
        (machine.memory.total, machine.memory.limit, gpus),
        (machine.privilege.root, &machine.folders),
    ))
}
