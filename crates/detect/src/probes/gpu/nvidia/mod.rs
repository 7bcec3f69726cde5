//! NVIDIA's devices: the PCI bus, the loaded module, the driver's own library, and `nvidia-smi` where that does not answer.

mod installed;
mod nvml;
mod verdict;

use std::path::PathBuf;

use aitk_system::{Command, Nvml, NvmlDevice, System, message, paths};

use self::installed::InstalledDriver;
use self::verdict::Known;
use super::device::Surroundings;
use super::jetson;
use super::pci::{self, Device};
use crate::machine::{Gpu, Nvidia, VirtualizationKind};
use crate::notes::{self, Notes};
use crate::probes::wsl;
use crate::tables::is_newer;
use crate::{PATIENCE, line};

/// Where distributions put the driver's libraries: Debian and Ubuntu, Fedora, Arch; notebooks of Google's, NixOS, the
/// container toolkit, Jetsons.
const LIBRARIES: [&str; 9] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/lib64-nvidia",
    "/run/opengl-driver/lib",
    "/usr/local/nvidia/lib64",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/lib/aarch64-linux-gnu/tegra",
];
/// The settings of a guest's driver, which is licensed and has to go with the host's.
const GUEST: &str = "/etc/nvidia/gridd.conf";
/// Windows' own driver for WSL.
const WSL_LIBRARIES: &str = "/usr/lib/wsl/lib";
/// The fields that are asked of `nvidia-smi`. Its banner is for people: its words change from driver to driver.
const QUERY: &str = "--query-gpu=index,name,driver_version,compute_cap,memory.total,pci.bus_id";

/// The devices, and their driver where any part of it is there.
pub(crate) fn probe(
    around: &Surroundings<'_>,
    devices: &[&Device],
    notes: &mut Notes,
) -> (Vec<Gpu>, Option<Nvidia>) {
    let system = around.system;
    let lent = around.wsl.is_some_and(|wsl| wsl.gpu) && wsl::lends_cuda(system);
    let bound = devices.iter().any(|device| device.driver.as_deref() == Some("nvidia"));
    if devices.is_empty() && !lent && around.jetson.is_none() {
        return (Vec::new(), None);
    }
    let module = module(system, notes);
    // A driver that is not at work has nothing to say.
    let answer = (lent || bound || module.is_some()).then(|| {
        nvml::ask(around, devices, module.as_deref()).or_else(|error| smi(system).ok_or(error))
    });
    let table = around.tables.nvidia();
    let answered = match &answer {
        Some(Ok((said, source))) => {
            notes.source("nvidia", source);
            Some(said)
        }
        _ => None,
    };
    let mut driver = driver(around, module, answered, lent);
    let failure = answer.as_ref().and_then(|answer| answer.as_ref().err());
    if let Some(failure) = failure.filter(|_| bound || lent) {
        notes.add(notes::NVIDIA, message!("the NVIDIA driver cannot be asked: {failure}"), None);
    }
    let known = Known { around, driver: &driver, failure, table };
    let mut gpus: Vec<Gpu> = devices.iter().map(|device| known.own(device, answered)).collect();
    if lent && gpus.is_empty() {
        gpus.extend(
            answered.into_iter().flat_map(|said| &said.devices).map(|said| known.lent(said)),
        );
        if gpus.is_empty() {
            gpus.push(known.silent());
        }
    }
    // The newest boards have their own on the bus.
    if let Some(board) = around.jetson
        && !gpus.iter().any(|gpu| gpu.integrated == Some(true))
    {
        gpus.extend(jetson::gpu(around, board, answered));
    }
    let usable = gpus.iter().filter(|gpu| gpu.usable);
    driver.compute_capability = usable
        .filter_map(|gpu| gpu.compute_capability.clone())
        .reduce(|least, next| if is_newer(&least, &next) { next } else { least });
    let is_there = driver.version.is_some()
        || driver.library.is_some()
        || driver.signer.is_some()
        || driver.switches > 0
        || !driver.packages.is_empty()
        || !driver.kernels.is_empty();
    (gpus, is_there.then_some(driver))
}

/// The driver as a whole.
fn driver(
    around: &Surroundings<'_>,
    module: Option<String>,
    answered: Option<&Nvml>,
    lent: bool,
) -> Nvidia {
    let system = around.system;
    let table = around.tables.nvidia();
    let version = module.clone().or_else(|| answered?.driver.clone());
    let cuda = answered.and_then(|said| said.cuda).filter(|cuda| (1000..99990).contains(cuda));
    let cuda = cuda.map(|cuda| format!("{}.{}", cuda / 1000, cuda % 1000 / 10));
    let listed = || Some(table.cuda(version.as_deref()?)?.version.clone());
    // What is installed and does not run is the host's matter in a container, and Windows' in WSL.
    let of_its_own = around.virtualization.kind != VirtualizationKind::Container && !lent;
    let look = of_its_own && module.is_none() && around.jetson.is_none();
    let installed = if look { InstalledDriver::look(around) } else { InstalledDriver::default() };
    let switches = if of_its_own { pci::switches(system) } else { 0 };
    let fabric_manager = (switches > 0).then(|| installed::fabric_manager(system)).flatten();
    Nvidia {
        library: if lent { None } else { library(system) },
        open: module.as_ref().and_then(|_| is_open(system)),
        // A Jetson has device files of other names.
        missing: match (&module, around.jetson) {
            (Some(_), None) => missing(system),
            _ => Vec::new(),
        },
        signer: installed.signer,
        unenrolled: installed.unenrolled,
        kept_out: installed.kept_out,
        kernels: installed.kernels,
        packages: installed.packages,
        switches,
        fabric_manager,
        guest: answered.is_some_and(shares)
            || around.virtualization.kind == VirtualizationKind::Vm && system.exists(GUEST),
        cuda: cuda.or_else(listed),
        version,
        compute_capability: None,
    }
}

/// The version of the loaded module, as uv looks for it: what the module says, else the driver's own file.
fn module(system: &dyn System, notes: &mut Notes) -> Option<String> {
    let (path, other) = ("/sys/module/nvidia/version", "/proc/driver/nvidia/version");
    if let Some(version) = line(system, path) {
        notes.source("nvidia.version", path);
        return Some(version);
    }
    let version = version_in(&crate::text(system, other).ok()?)?;
    notes.source("nvidia.version", other);
    Some(version)
}

/// The version in `/proc/driver/nvidia/version`: the second of the fields that two spaces separate.
fn version_in(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let field = line.split("  ").filter(|field| !field.trim().is_empty()).nth(1)?;
    Some(field.trim().to_owned())
}

/// Whether the loaded module is the open one, which says so in its version's line.
fn is_open(system: &dyn System) -> Option<bool> {
    let text = crate::text(system, "/proc/driver/nvidia/version").ok()?;
    Some(text.lines().next()?.contains("Open Kernel Module"))
}

/// The version of the driver's libraries, from the name of the file that programs load.
fn library(system: &dyn System) -> Option<String> {
    LIBRARIES.iter().find_map(|folder| {
        // Debian leads there by its alternatives, over several links.
        let link = PathBuf::from(folder).join("libnvidia-ml.so.1");
        let target = paths::target(system, &link)?;
        let version = target.file_name()?.to_str()?.strip_prefix("libnvidia-ml.so.")?.to_owned();
        version.starts_with(|first: char| first.is_ascii_digit()).then_some(version)
    })
}

/// Device files that programs need. `nvidia-modprobe` makes them when they are first asked for, where it is installed.
fn missing(system: &dyn System) -> Vec<PathBuf> {
    let needed = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm"];
    needed.into_iter().map(PathBuf::from).filter(|path| !system.exists(path)).collect()
}

/// Whether the devices are shares of some: their names end with the memory of the share and its kind, `NVIDIA A40-16C`.
fn shares(said: &Nvml) -> bool {
    let is_share = |name: &str| {
        let share = name.rsplit_once('-').map(|(_, share)| share);
        let kind = share.and_then(|share| share.strip_suffix(['A', 'B', 'C', 'Q']));
        kind.is_some_and(|size| !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()))
    };
    said.devices.iter().any(|device| device.name.as_deref().is_some_and(is_share))
}

/// What `nvidia-smi` says, in the form of the library's answer.
fn smi(system: &dyn System) -> Option<(Nvml, String)> {
    let on_wsl = PathBuf::from(WSL_LIBRARIES).join("nvidia-smi");
    let path = system.which("nvidia-smi").or_else(|| system.exists(&on_wsl).then_some(on_wsl))?;
    let command = Command::reads([path.to_str()?, QUERY, "--format=csv,noheader,nounits"]);
    let output =
        system.run(&command.timeout(PATIENCE)).ok().filter(aitk_system::Output::success)?;
    let rows: Vec<_> = output.stdout.lines().filter_map(smi_row).collect();
    let driver = rows.first()?.0.clone();
    let devices = rows.into_iter().map(|(_, device)| device).collect();
    Some((Nvml { driver: Some(driver), cuda: None, devices }, path.display().to_string()))
}

/// A line such as `0, NVIDIA GeForce RTX 4070, 580.95.05, 8.9, 12282, 00000000:01:00.0`. What a driver does not know is
/// `[N/A]` there.
fn smi_row(line: &str) -> Option<(String, NvmlDevice)> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [_, name, driver, capability, memory, bus] = fields[..] else { return None };
    let capability = capability.split_once('.');
    let capability =
        capability.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    let device = NvmlDevice {
        bus: bus.to_owned(),
        name: Some(name.to_owned()),
        memory: memory.parse::<u64>().ok().and_then(|mebibytes| mebibytes.checked_mul(1 << 20)),
        compute_capability: capability,
        ..NvmlDevice::default()
    };
    driver.starts_with(|first: char| first.is_ascii_digit()).then(|| (driver.to_owned(), device))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_the_version_are_read() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\n";
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release\n";
        assert_eq!(version_in(closed).as_deref(), Some("535.183.01"));
        assert_eq!(version_in(open).as_deref(), Some("580.95.05"));
        assert_eq!(version_in("GCC version: 13"), None);
    }

    #[test]
    fn a_share_of_a_device_is_told_by_its_name() {
        let named = |name: &str| Nvml {
            devices: vec![NvmlDevice { name: Some(name.into()), ..NvmlDevice::default() }],
            ..Nvml::default()
        };
        assert!(shares(&named("NVIDIA A40-16C")) && shares(&named("GRID T4-2Q")));
        for whole in ["NVIDIA A100-SXM4-80GB", "Tesla V100-PCIE-32GB", "NVIDIA L40S", "Tesla T4"] {
            assert!(!shares(&named(whole)), "{whole}");
        }
    }

    #[test]
    fn a_line_of_nvidia_smi_may_lack_what_a_driver_does_not_know() {
        let (driver, device) =
            smi_row("0, NVIDIA GeForce RTX 4070, 580.95.05, 8.9, 12282, 00000000:01:00.0").unwrap();
        assert_eq!(driver, "580.95.05");
        assert_eq!(device.memory, Some(12282 << 20));
        assert_eq!(device.compute_capability, Some((8, 9)));
        let (_, device) =
            smi_row("0, Tesla K80, 470.256.02, [N/A], [N/A], 00000000:01:00.0").unwrap();
        assert_eq!((device.memory, device.compute_capability), (None, None));
        assert!(smi_row("NVIDIA-SMI has failed, because, it, could, not, talk").is_none());
        assert!(smi_row("No devices were found").is_none());
    }
}
