//! Whether frameworks can use a device of NVIDIA's as it stands, and why.

use std::path::Path;

use aitk_system::{Message, Nvml, NvmlDevice, NvmlFailure, System, message};

use super::super::device::{self, Surroundings};
use super::super::pci::Device;
use super::LIBRARIES;
use crate::machine::{Driver, Gpu, Nvidia, Obstacle, VirtualizationKind};
use crate::probes::wsl;
use crate::tables::{Architecture, NvidiaTable, is_newer};

/// Usable and why, or what stands in the way.
type Verdict = Result<Message, (Obstacle, Message)>;

/// What is known of all devices, to describe one.
pub(super) struct Known<'a> {
    pub(super) around: &'a Surroundings<'a>,
    pub(super) driver: &'a Nvidia,
    pub(super) failure: Option<&'a NvmlFailure>,
    pub(super) table: &'a NvidiaTable,
}

impl Known<'_> {
    /// A device on the bus.
    pub(super) fn own(&self, device: &Device, answered: Option<&Nvml>) -> Gpu {
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
    pub(super) fn lent(&self, said: &NvmlDevice) -> Gpu {
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
    pub(super) fn silent(&self) -> Gpu {
        let driver = Some(Driver { name: "dxgkrnl".to_owned(), ..Driver::default() });
        let mut gpu = Gpu { vendor: "nvidia".to_owned(), driver, ..Gpu::default() };
        gpu.judged(self.judge(&gpu, None));
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
        gpu.judged(self.judge(gpu, said));
    }

    /// Whether frameworks can use a device as it stands, and why.
    fn judge(&self, gpu: &Gpu, said: Option<&NvmlDevice>) -> Verdict {
        device::elsewhere(gpu.driver.as_ref())?;
        if let Some(path) = self.around.wsl.and_then(|wsl| wsl.shadowed_by.as_ref()) {
            let path = path.display();
            return Err((
                Obstacle::Shadowed,
                message!("a Linux driver hides the one of Windows ({path}): remove it"),
            ));
        }
        let on_windows = self.around.wsl.is_some_and(|wsl| wsl.gpu);
        if on_windows && wsl::hides_libraries(self.around.system) {
            return Err((
                Obstacle::NoLibraries,
                message!(
                    "/etc/wsl.conf keeps WSL from making Windows' libraries known (`ldconfig=false`), so no program finds libcuda"
                ),
            ));
        }
        let row = self.row(gpu);
        self.kernels(gpu, row)?;
        match gpu.driver.as_ref().map(|driver| driver.name.as_str()) {
            Some("nvidia" | "dxgkrnl") => self.answers(gpu, row, said),
            Some("nouveau") => Err((
                Obstacle::OtherDriver,
                message!(
                    "its driver is nouveau, which shows pictures and computes nothing for frameworks: NVIDIA's own driver is needed"
                ),
            )),
            Some(other) => Err((
                Obstacle::OtherDriver,
                message!("its driver is {other}, which frameworks cannot use"),
            )),
            None => Err(self.without_driver(row)),
        }
    }

    /// What the tables know of a device.
    fn row(&self, gpu: &Gpu) -> Option<&Architecture> {
        let by_device = || self.table.architecture(gpu.pci_id.as_deref()?);
        let by_capability = || self.table.by_capability(gpu.compute_capability.as_deref()?);
        by_device().or_else(by_capability)
    }

    /// Whether any current framework has code for it.
    fn kernels(&self, gpu: &Gpu, row: Option<&Architecture>) -> Result<(), (Obstacle, Message)> {
        let too_old = || message!("it is too old: no current framework computes on it");
        match row {
            Some(row) if !row.served => Err((Obstacle::NoKernels, too_old())),
            Some(_) => Ok(()),
            // What Windows lends and does not name is judged by what its driver says.
            None if gpu.compute_capability.is_some() || gpu.pci_id.is_none() => Ok(()),
            None => Err((
                Obstacle::Unknown,
                message!(
                    "aitk's tables do not know this device, so nothing is said of what computes on it"
                ),
            )),
        }
    }

    /// What NVIDIA's driver says, which serves the device.
    fn answers(&self, gpu: &Gpu, row: Option<&Architecture>, said: Option<&NvmlDevice>) -> Verdict {
        let version = self.driver.version.as_ref().map(Message::plain);
        let version = version.unwrap_or_else(|| message!("of an unknown version"));
        let contained = self.around.virtualization.kind == VirtualizationKind::Container;
        if contained && self.lacks("/dev/nvidiactl") {
            return Err((
                Obstacle::ShutOut,
                message!(
                    "the container was started without the GPU: its device files are not here (`--gpus all`)"
                ),
            ));
        }
        match (self.failure, said) {
            (Some(NvmlFailure::Missing), _) if has_cuda(self.around.system) => Ok(message!(
                "driver {version} is loaded; what it says about the device cannot be asked"
            )),
            (Some(failure), _) => Err(self.failed(failure, contained)),
            (None, None) => Err(self.does_not_know(row)),
            (None, Some(said)) => {
                self.computes(said, contained)?;
                Ok(self.serves(gpu, said, &version))
            }
        }
    }

    /// Why the driver has no answer.
    fn failed(&self, failure: &NvmlFailure, contained: bool) -> (Obstacle, Message) {
        let on_windows = self.around.wsl.is_some_and(|wsl| wsl.gpu);
        match failure {
            NvmlFailure::Mismatch if contained => (
                Obstacle::Mismatch,
                message!(
                    "the container's libraries are of another version than the host's driver: both have to be the same"
                ),
            ),
            NvmlFailure::Mismatch => (
                Obstacle::Mismatch,
                message!(
                    "the driver was upgraded while its older part kept running: restart the machine"
                ),
            ),
            NvmlFailure::TimedOut => (
                Obstacle::Silent,
                message!(
                    "the driver does not answer: the device may hang; a restart usually helps"
                ),
            ),
            NvmlFailure::Crashed(_) => (
                Obstacle::Crashes,
                message!("the driver's library crashes when it is asked about the device"),
            ),
            NvmlFailure::Missing if on_windows => (
                Obstacle::NoLibraries,
                message!(
                    "Windows lends it, and its driver's library for asking about it cannot be loaded"
                ),
            ),
            NvmlFailure::Missing => (
                Obstacle::NoLibraries,
                message!("the driver's module is loaded, but its libraries are not installed"),
            ),
            NvmlFailure::Other(said) if on_windows && said.contains("blocked") => {
                (Obstacle::Blocked, message!("Windows does not let WSL use it: {said}"))
            }
            NvmlFailure::Other(said) => (Obstacle::Faulty, message!("the driver says: {said}")),
        }
    }

    /// Why a driver that answers does not know a device that is bound to it.
    fn does_not_know(&self, row: Option<&Architecture>) -> (Obstacle, Message) {
        match (row, self.driver.open) {
            (Some(row), Some(true)) if !row.open => (
                Obstacle::WrongModule,
                message!(
                    "the open kernel module is loaded, which runs no card of its age: it needs the closed (proprietary) one"
                ),
            ),
            (Some(row), Some(false)) if !row.closed => (
                Obstacle::WrongModule,
                message!(
                    "the closed kernel module is loaded, which runs no card of its generation: it needs the open kernel module (packages with `-open` in their name)"
                ),
            ),
            (row, _) => row.and_then(|row| self.dropped(row)).unwrap_or_else(|| {
                (Obstacle::Faulty, message!("the driver does not know this device"))
            }),
        }
    }

    /// Whether programs can compute, where the driver answers questions.
    fn computes(&self, said: &NvmlDevice, contained: bool) -> Result<(), (Obstacle, Message)> {
        let Nvidia { library, switches, fabric_manager, version, .. } = self.driver;
        // Libraries at a place of their own say nothing about what lies elsewhere.
        if library.is_some() && !has_cuda(self.around.system) {
            return Err((
                Obstacle::NoCompute,
                match contained {
                    true => message!(
                        "its driver answers, and libcuda.so.1 is not here, by which programs compute: the container needs the capability `compute`"
                    ),
                    false => message!(
                        "its driver answers, and libcuda.so.1 is not installed, by which programs compute"
                    ),
                },
            ));
        }
        // On a machine of one's own `nvidia-modprobe` makes it when it is first asked for.
        if contained && self.lacks("/dev/nvidia-uvm") {
            return Err((
                Obstacle::NoDeviceFile,
                message!(
                    "/dev/nvidia-uvm was not handed to the container, by which programs compute"
                ),
            ));
        }
        if said.mig == Some(true) && said.parts.is_empty() {
            return Err((
                Obstacle::NoParts,
                message!(
                    "it is set to be used in parts (MIG), and none is made: programs find nothing"
                ),
            ));
        }
        match (*switches, fabric_manager) {
            (0, _) => Ok(()),
            (_, None) => Err((
                Obstacle::NoFabricManager,
                message!(
                    "NVSwitches join it to the others, and nvidia-fabricmanager is not installed, which starts them"
                ),
            )),
            (_, Some(manager)) if version.as_ref().is_some_and(|version| version != manager) => {
                Err((
                    Obstacle::NoFabricManager,
                    message!(
                        "NVSwitches join it to the others, and nvidia-fabricmanager is {manager}: it has to be of the driver's version"
                    ),
                ))
            }
            _ => Ok(()),
        }
    }

    /// What a driver does for a device that it serves.
    fn serves(&self, gpu: &Gpu, said: &NvmlDevice, version: &Message) -> Message {
        let cuda = self.driver.cuda.as_ref();
        let serves = cuda.map(|cuda| message!(", for CUDA up to {cuda}")).unwrap_or_default();
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
        Message::parts([whose, serves, parts, shares])
    }

    /// Why no driver is bound to a device, as far as that shows.
    fn without_driver(&self, row: Option<&Architecture>) -> (Obstacle, Message) {
        let driver = self.driver;
        let kernel = crate::line(self.around.system, "/proc/sys/kernel/osrelease");
        let kernel = kernel.unwrap_or_default();
        if self.around.virtualization.kind == VirtualizationKind::Container {
            return (
                Obstacle::NoDriver,
                message!("no driver serves it; in a container that is the business of the host"),
            );
        }
        if let Some(dropped) = row.and_then(|row| self.dropped(row)) {
            return dropped;
        }
        if let Some(path) = driver.kept_out.as_ref().filter(|_| self.is_installed()) {
            let path = path.display();
            return (
                Obstacle::KeptOut,
                message!("its driver is installed, and {path} keeps it from being loaded"),
            );
        }
        if driver.signer.as_deref() == Some("") {
            return (
                Obstacle::Unsigned,
                message!(
                    "Secure Boot refuses the installed driver, because nobody signed its module"
                ),
            );
        }
        if driver.unenrolled.is_some() {
            return (
                Obstacle::NotEnrolled,
                message!(
                    "Secure Boot refuses the installed driver, because nobody enrolled the key that signed its module"
                ),
            );
        }
        self.without_module(&kernel)
    }

    /// The same by the kernels that its driver has a module for.
    fn without_module(&self, kernel: &str) -> (Obstacle, Message) {
        let driver = self.driver;
        match (&driver.kernels[..], driver.packages.is_empty()) {
            ([], true) if driver.library.is_none() && !self.is_built_here() => (
                Obstacle::NoDriver,
                message!("no driver is installed for it: with one, frameworks can compute on it"),
            ),
            ([], _) => (
                Obstacle::NotBuilt,
                message!(
                    "its driver is installed without the module for a kernel: it was not built, or its package is missing"
                ),
            ),
            (kernels, _) if kernels.iter().any(|one| one == kernel) => (
                Obstacle::NotLoaded,
                message!(
                    "its driver is installed for this kernel, and not loaded; a restart usually helps"
                ),
            ),
            (kernels, _) => {
                let kernels = kernels.join(", ");
                (
                    Obstacle::OtherKernel,
                    message!("its driver is installed for kernel {kernels}, and {kernel} runs"),
                )
            }
        }
    }

    /// Whether the driver that runs, or is installed, is of a branch after the last one that runs a device.
    fn dropped(&self, row: &Architecture) -> Option<(Obstacle, Message)> {
        let version = self.driver.version.as_ref().or(self.driver.library.as_ref())?;
        let branch = version.split('.').next()?;
        let last = row.last_driver.as_deref()?;
        is_newer(branch, last).then(|| {
            (
                Obstacle::Dropped,
                message!("driver {branch} no longer runs it: {last} is the last branch that does"),
            )
        })
    }

    fn is_installed(&self) -> bool {
        let Nvidia { packages, kernels, library, .. } = self.driver;
        !packages.is_empty() || !kernels.is_empty() || library.is_some()
    }

    /// Whether dkms has the driver's sources, from which it builds the module.
    fn is_built_here(&self) -> bool {
        let sources = self.around.system.list("/var/lib/dkms".as_ref()).unwrap_or_default();
        sources.iter().any(|name| name.starts_with("nvidia"))
    }

    fn lacks(&self, device: &str) -> bool {
        self.driver.missing.iter().any(|path| path == Path::new(device))
    }
}

/// Whether the library is there that programs compute by.
fn has_cuda(system: &dyn System) -> bool {
    let is_there = |folder: &str| system.exists(format!("{folder}/libcuda.so.1"));
    LIBRARIES.into_iter().any(is_there)
        || system.env("LD_LIBRARY_PATH").is_some_and(|path| path.split(':').any(is_there))
}
