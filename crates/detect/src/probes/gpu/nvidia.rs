//! NVIDIA's devices: the PCI bus, the loaded module, the driver's own library, and `nvidia-smi` where that does not answer.

use std::path::{Path, PathBuf};

use aitk_system::{Command, Message, Nvml, NvmlDevice, NvmlFailure, System, message};

use super::device::{self, Surroundings};
use super::pci::Device;
use super::{jetson, nvml};
use crate::machine::{Driver, Gpu, Nvidia, VirtualizationKind};
use crate::notes::{self, Notes};
use crate::probes::wsl;
use crate::tables::{NvidiaTable, is_newer};
use crate::{PATIENCE, line, paths};

/// Where distributions put the driver's libraries: Debian and Ubuntu, Fedora, Arch.
const LIBRARIES: [&str; 4] =
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
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
    let is_there = driver.version.is_some() || driver.library.is_some() || driver.signer.is_some();
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
    Nvidia {
        library: if lent { None } else { library(system) },
        open: module.as_ref().and_then(|_| is_open(system)),
        // A Jetson has device files of other names.
        missing: match (&module, around.jetson) {
            (Some(_), None) => missing(system),
            _ => Vec::new(),
        },
        signer: (module.is_none() && around.secure_boot == Some(true))
            .then(|| signer(system))
            .flatten(),
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

/// Who signed the installed module; empty where nobody did.
fn signer(system: &dyn System) -> Option<String> {
    let program = system.which("modinfo")?.to_str()?.to_owned();
    let command = Command::reads([program.as_str(), "-F", "signer", "nvidia"]).timeout(PATIENCE);
    let output = system.run(&command).ok().filter(aitk_system::Output::success)?;
    Some(output.stdout.trim().to_owned())
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

/// What is known of all devices, to describe one.
struct Known<'a> {
    around: &'a Surroundings<'a>,
    driver: &'a Nvidia,
    failure: Option<&'a NvmlFailure>,
    table: &'a NvidiaTable,
}

impl Known<'_> {
    /// A device on the bus.
    fn own(&self, device: &Device, answered: Option<&Nvml>) -> Gpu {
        let mut gpu = device::on_the_bus(device);
        let row = self.table.architecture(&device.id);
        gpu.architecture = row.map(|row| row.name.clone());
        gpu.compute_capability = row.map(|row| row.compute_capability.clone());
        gpu.vram = self.table.card(&device.id).map(|card| card.memory_gib << 30);
        gpu.integrated = Some(row.is_some_and(|row| row.integrated));
        let said = answered.and_then(|said| {
            // The library writes longer domains: 00000000:01:00.0.
            said.devices
                .iter()
                .find(|said| said.bus.to_ascii_lowercase().ends_with(&device.address))
        });
        self.describe(&mut gpu, said);
        gpu
    }

    /// A device that Windows lends.
    fn lent(&self, said: &NvmlDevice) -> Gpu {
        let pci_id = said.pci_id.map(|id| format!("{:04x}:{:04x}", id & 0xffff, id >> 16));
        let mut gpu = Gpu {
            vendor: "nvidia".to_owned(),
            pci_id,
            driver: Some(Driver { name: "dxgkrnl".to_owned(), ..Driver::default() }),
            ..Gpu::default()
        };
        gpu.integrated = Some(false);
        self.describe(&mut gpu, Some(said));
        gpu
    }

    /// A device that Windows lends and of which the driver says nothing.
    fn silent(&self) -> Gpu {
        let driver = Some(Driver { name: "dxgkrnl".to_owned(), ..Driver::default() });
        let mut gpu = Gpu { vendor: "nvidia".to_owned(), driver, ..Gpu::default() };
        (gpu.usable, gpu.why) = self.judge(&gpu, None);
        gpu
    }

    fn describe(&self, gpu: &mut Gpu, said: Option<&NvmlDevice>) {
        if let Some(said) = said {
            gpu.name = said.name.clone().or_else(|| gpu.name.take());
            gpu.vram = said.memory.or(gpu.vram);
            gpu.parts.clone_from(&said.parts);
            if let Some((major, minor)) = said.compute_capability {
                let capability = format!("{major}.{minor}");
                let row = self.table.by_capability(&capability);
                gpu.architecture =
                    row.map(|row| row.name.clone()).or_else(|| gpu.architecture.take());
                gpu.compute_capability = Some(capability);
            }
        }
        if let Some(driver) = &mut gpu.driver
            && ["nvidia", "dxgkrnl"].contains(&driver.name.as_str())
        {
            driver.version.clone_from(&self.driver.version);
            driver.cuda.clone_from(&self.driver.cuda);
        }
        (gpu.usable, gpu.why) = self.judge(gpu, said);
    }

    /// Whether frameworks can use a device as it stands, and why.
    fn judge(&self, gpu: &Gpu, said: Option<&NvmlDevice>) -> (bool, Message) {
        let no = |why: Message| (false, why);
        let version = self.driver.version.as_ref().map(Message::plain);
        let version = version.unwrap_or_else(|| message!("of an unknown version"));
        if let Some(why) = device::elsewhere(gpu.driver.as_ref()) {
            return no(why);
        }
        if let Some(path) = self.around.wsl.and_then(|wsl| wsl.shadowed_by.as_ref()) {
            let path = path.display();
            return (
                false,
                message!("a Linux driver hides the one of Windows ({path}): remove it"),
            );
        }
        let capability = gpu.compute_capability.as_deref();
        if capability
            .and_then(|capability| self.table.by_capability(capability))
            .is_some_and(|row| !row.served)
        {
            return no(message!("it is too old: no current framework computes on it"));
        }
        match gpu.driver.as_ref().map(|driver| driver.name.as_str()) {
            Some("nvidia" | "dxgkrnl") => {}
            Some("nouveau") => {
                return no(message!(
                    "its driver is nouveau, which shows pictures and computes nothing for frameworks: NVIDIA's own driver is needed"
                ));
            }
            Some(other) => {
                return (false, message!("its driver is {other}, which frameworks cannot use"));
            }
            None => return no(self.without_driver()),
        }
        match (self.failure, said) {
            (Some(NvmlFailure::Mismatch), _) => no(message!(
                "the driver was upgraded while its older part kept running: restart the machine"
            )),
            (Some(NvmlFailure::TimedOut), _) => no(message!(
                "the driver does not answer: the device may hang; a restart usually helps"
            )),
            (Some(NvmlFailure::Missing), _) if has_cuda(self.around.system) => (
                true,
                message!(
                    "driver {version} is loaded; what it says about the device cannot be asked"
                ),
            ),
            (Some(NvmlFailure::Missing), _) => {
                no(message!("the driver's module is loaded, but its libraries are not installed"))
            }
            (Some(NvmlFailure::Other(message)), _) => {
                (false, message!("the driver says: {message}"))
            }
            (None, None) => no(message!("the driver does not know this device")),
            (None, Some(_)) if self.is_shut_out() => no(message!(
                "the container was started without the GPU: its device files are not here (`--gpus all`)"
            )),
            (None, Some(said)) => {
                let cuda = self.driver.cuda.as_ref();
                let serves =
                    cuda.map(|cuda| message!(", for CUDA up to {cuda}")).unwrap_or_default();
                let parts = match said.parts.len() {
                    0 => Message::default(),
                    1 => message!("; one part of it is set apart (MIG)"),
                    many => message!("; it is divided into {many} parts (MIG)"),
                };
                let whose = match gpu.address {
                    None => message!("lent by Windows, whose driver {version} serves it"),
                    _ => message!("driver {version} serves it"),
                };
                let shares = match gpu.integrated {
                    Some(true) => message!("; it shares the machine's memory"),
                    _ => Message::default(),
                };
                (true, Message::parts([whose, serves, parts, shares]))
            }
        }
    }

    /// Why no driver is bound to a device, as far as that shows.
    fn without_driver(&self) -> Message {
        match (self.driver.signer.as_deref(), self.around.virtualization.kind) {
            (Some(""), _) => {
                message!(
                    "Secure Boot refuses the installed driver, because nobody signed its module"
                )
            }
            (_, VirtualizationKind::Container) => {
                message!("no driver serves it; in a container that is the business of the host")
            }
            _ => message!("no driver is installed for it: with one, frameworks can compute on it"),
        }
    }

    fn is_shut_out(&self) -> bool {
        self.around.virtualization.kind == VirtualizationKind::Container
            && self.driver.missing.iter().any(|path| path == Path::new("/dev/nvidiactl"))
    }
}

/// Whether the library is there that programs compute by.
fn has_cuda(system: &dyn System) -> bool {
    LIBRARIES.iter().any(|folder| system.exists(format!("{folder}/libcuda.so.1")))
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
