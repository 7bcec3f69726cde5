//! AMD's devices: the PCI bus, and what the kernel's compute driver (KFD) says of them.

use std::path::{Path, PathBuf};

use aitk_system::{Message, System, message, paths};

use super::device::{self, Surroundings};
use super::pci::Device;
use crate::line;
use crate::machine::{Driver, Gpu, Obstacle, Rocm, VirtualizationKind};
use crate::notes::Notes;
use crate::tables::is_newer;

/// AMD's number as KFD writes it. NVIDIA's open module registers nodes there as well.
const VENDOR: u64 = 0x1002;
/// Where the kernel lists what can compute.
const NODES: &str = "/sys/class/kfd/kfd/topology/nodes";

/// The devices, and the compute stack where there is a device or a stack.
pub(crate) fn probe(
    around: &Surroundings<'_>,
    devices: &[&Device],
    notes: &mut Notes,
) -> (Vec<Gpu>, Option<Rocm>) {
    let system = around.system;
    let rocm = rocm(system, around.wsl.is_some(), notes);
    let nodes = nodes(system);
    if nodes.iter().any(|node| node.vendor == VENDOR) {
        notes.source("gpus.gfx", NODES);
    }
    let mut gpus: Vec<_> =
        devices.iter().map(|device| own(around, device, &nodes, &rocm)).collect();
    if devices.is_empty() && rocm.dxg && around.wsl.is_some_and(|wsl| wsl.gpu) {
        gpus.push(lent());
    }
    let is_there = !gpus.is_empty() || rocm.version.is_some() || rocm.dxg;
    (gpus, is_there.then_some(rocm))
}

/// A node of KFD.
#[derive(Debug, Default, PartialEq)]
struct Node {
    vendor: u64,
    gfx: Option<String>,
    /// `0000:03:00.0`.
    address: String,
}

fn nodes(system: &dyn System) -> Vec<Node> {
    let names = system.list(NODES.as_ref()).unwrap_or_default();
    let texts = names
        .iter()
        .filter_map(|name| crate::text(system, format!("{NODES}/{name}/properties")).ok());
    texts.map(|text| node(&text)).collect()
}

fn node(text: &str) -> Node {
    let value = |name: &str| {
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse::<u64>().ok())
    };
    let location = value("location_id").unwrap_or(0);
    Node {
        vendor: value("vendor_id").unwrap_or(0),
        gfx: value("gfx_target_version").filter(|version| *version > 0).map(gfx),
        address: format!(
            "{:04x}:{:02x}:{:02x}.{}",
            value("domain").unwrap_or(0),
            location >> 8 & 0xff,
            location >> 3 & 0x1f,
            location & 7
        ),
    }
}

/// `gfx90a` from 90010: major, minor, stepping; the last two as hexadecimal digits.
fn gfx(version: u64) -> String {
    format!("gfx{}{:x}{:x}", version / 10000, version / 100 % 100, version % 100)
}

/// The ROCm that is installed for the whole machine, and whether the user may compute.
fn rocm(system: &dyn System, on_wsl: bool, notes: &mut Notes) -> Rocm {
    let names = system.list("/opt".as_ref()).unwrap_or_default();
    let installed = names.iter().filter(|name| name.starts_with("rocm")).filter_map(|name| {
        let path = PathBuf::from("/opt").join(name);
        let text = line(system, path.join(".info/version"))?;
        // `7.2.0-43`: what is behind the dash is the build. `/opt/rocm` leads to the folder of one version.
        let path = paths::resolve(system, &path)?;
        Some((text.split('-').next()?.to_owned(), path))
    });
    let newest =
        installed.reduce(|best, next| if is_newer(&next.0, &best.0) { next } else { best });
    if let Some((_, path)) = &newest {
        notes.source("rocm.version", path.join(".info/version").display());
    }
    let bridge = |path: &Path| {
        ["lib", "lib64"].iter().any(|lib| {
            let names = system.list(&path.join(lib)).unwrap_or_default();
            names.iter().any(|name| name.starts_with("librocdxg.so"))
        })
    };
    let kfd = "/dev/kfd";
    Rocm {
        dxg: on_wsl
            && names
                .iter()
                .any(|name| name.starts_with("rocm") && bridge(&Path::new("/opt").join(name))),
        access: system.exists(kfd).then(|| system.access(kfd.as_ref()).is_ok()),
        version: newest.as_ref().map(|(version, _)| version.clone()),
        path: newest.map(|(_, path)| path),
    }
}

/// A device on the bus.
fn own(around: &Surroundings<'_>, device: &Device, nodes: &[Node], rocm: &Rocm) -> Gpu {
    let system = around.system;
    let mut gpu = device::on_the_bus(device);
    let node = nodes.iter().find(|node| node.vendor == VENDOR && node.address == device.address);
    gpu.gfx = node.and_then(|node| node.gfx.clone());
    let table = around.tables.amd();
    let row = match &gpu.gfx {
        Some(gfx) => table.target(gfx),
        None => table.device(&device.id),
    };
    gpu.architecture = row.map(|row| row.architecture.clone());
    gpu.integrated = row.map(|row| row.integrated);
    gpu.vram = memory(system, &device.address, gpu.integrated == Some(true));
    let served = row.is_some_and(|row| row.pytorch || row.amd || row.jax);
    gpu.judged(judge(around, &gpu, served, rocm));
    if gpu.usable && row.is_some_and(|row| row.small) {
        gpu.judged(Err((
            Obstacle::PicturesOnly,
            message!("it is part of the processor and small: the processor itself computes faster"),
        )));
    }
    gpu
}

/// The memory that programs can have on a device, in bytes. One that is part of a processor computes in the machine's
/// memory as far as the kernel lends it (GTT); what the firmware has set apart says little.
fn memory(system: &dyn System, address: &str, integrated: bool) -> Option<u64> {
    let of = |kind: &str| -> Option<u64> {
        line(system, format!("/sys/bus/pci/devices/{address}/mem_info_{kind}_total"))?.parse().ok()
    };
    match (integrated, of("vram"), of("gtt")) {
        (true, own, lent) => Some(lent?.max(own.unwrap_or(0))),
        (false, own, _) => own,
    }
}

/// A device that Windows lends; which one is not known here.
fn lent() -> Gpu {
    Gpu {
        vendor: "amd".to_owned(),
        driver: Some(Driver { name: "dxgkrnl".to_owned(), ..Driver::default() }),
        usable: true,
        why: message!("Windows lends it, and librocdxg reaches it"),
        ..Gpu::default()
    }
}

/// Whether the kernel's own driver is bound to it, the only one that frameworks can use.
fn has_amdgpu(gpu: &Gpu) -> Result<(), (Obstacle, Message)> {
    match gpu.driver.as_ref().map(|driver| driver.name.as_str()) {
        Some("amdgpu") => Ok(()),
        Some(other) => Err((
            Obstacle::OtherDriver,
            message!("its driver is {other}, which frameworks cannot use"),
        )),
        None => Err((
            Obstacle::NoDriver,
            message!("no driver is bound to it: the kernel's own amdgpu is needed"),
        )),
    }
}

/// Whether frameworks can use a device as it stands, and why.
fn judge(
    around: &Surroundings<'_>,
    gpu: &Gpu,
    served: bool,
    rocm: &Rocm,
) -> Result<Message, (Obstacle, Message)> {
    device::elsewhere(gpu.driver.as_ref())?;
    let contained = around.virtualization.kind == VirtualizationKind::Container;
    has_amdgpu(gpu)?;
    if contained && served && rocm.access.is_none() {
        return Err((
            Obstacle::ShutOut,
            message!(
                "the container was started without the GPU: /dev/kfd is not here (`--device /dev/kfd --device /dev/dri`)"
            ),
        ));
    }
    let Some(gfx) = &gpu.gfx else {
        return Err((
            Obstacle::PicturesOnly,
            message!(
                "the kernel's driver offers it for pictures only, not for computing (no KFD node)"
            ),
        ));
    };
    let shares = match gpu.integrated {
        Some(true) => message!("; it is part of the processor and shares its memory"),
        _ => Message::default(),
    };
    match (served, rocm.access) {
        (false, _) => Err((
            Obstacle::NoKernels,
            message!("no framework has kernels for {gfx}: the processor computes instead"),
        )),
        (true, Some(true)) => Ok(message!("the kernel's driver serves it as {gfx}{shares}")),
        (true, Some(false)) if contained => Err((
            Obstacle::ShutOut,
            message!(
                "the container's user may not use /dev/kfd: the container has to be started with the host's group for it (`--group-add`)"
            ),
        )),
        (true, Some(false)) => Err((
            Obstacle::NotPermitted,
            message!(
                "your user may not use /dev/kfd yet: it takes the groups render and video, and a new login"
            ),
        )),
        (true, None) => Err((
            Obstacle::NoDeviceFile,
            message!("/dev/kfd is not there, through which programs compute"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_have_hexadecimal_steppings() {
        let expected = [
            (110_000, "gfx1100"),
            (110_501, "gfx1151"),
            (90_010, "gfx90a"),
            (90_402, "gfx942"),
            (120_001, "gfx1201"),
            (100_301, "gfx1031"),
        ];
        for (version, name) in expected {
            assert_eq!(gfx(version), name);
        }
    }

    #[test]
    fn a_node_is_matched_by_its_place_on_the_bus() {
        let text = "cpu_cores_count 0\nvendor_id 4098\ngfx_target_version 110000\nlocation_id 768\ndomain 0\n";
        let expected =
            Node { vendor: VENDOR, gfx: Some("gfx1100".into()), address: "0000:03:00.0".into() };
        assert_eq!(node(text), expected);
        assert_eq!(node("nonsense\nvendor_id x\ngfx_target_version 0\n").gfx, None);
        assert_eq!(node("location_id 18446744073709551615\ndomain 18446744073709551615").vendor, 0);
    }
}
