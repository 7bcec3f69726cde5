//! The facts about one computer, as plain values that serialize to JSON.

use aitk_system::Message;
use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What `aitk` knows about a machine. Sizes are in bytes. A fact that could not be had is `None`, and a
/// [`Note`] says why.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Machine {
    /// The distribution and its release, from `os-release`.
    pub os: Os,
    /// As `uname -m` says it: `x86_64`, `aarch64`, ….
    pub arch: String,
    /// The architecture that the system's packages are for (`armhf`), where the kernel is for a wider one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userland: Option<String>,
    /// Release of the kernel that runs, as `uname -r` says it.
    pub kernel: Option<String>,
    /// The C library that programs are linked against; it decides which wheels run.
    pub libc: Option<Libc>,
    /// Bare metal, virtual machine, container or WSL.
    pub virtualization: Virtualization,
    /// Model, cores, and how much of it a control group leaves.
    pub cpu: Cpu,
    /// Main memory and swap, in bytes, and what a control group leaves of it.
    pub memory: Memory,
    /// The file systems that hold the folders that matter to `aitk`, each once.
    pub disks: Vec<Disk>,
    /// Graphics processors, in the order of their PCI addresses.
    pub gpus: Vec<Gpu>,
    /// NVIDIA's driver, where one of its devices or a part of it is there.
    pub nvidia: Option<Nvidia>,
    /// AMD's compute stack, where one of its devices or a part of it is there.
    pub rocm: Option<Rocm>,
    /// Filled where the machine is a Jetson.
    pub jetson: Option<Jetson>,
    /// Filled in WSL, and in a container that runs in WSL.
    pub wsl: Option<Wsl>,
    /// Whether UEFI Secure Boot is on; `None` without UEFI.
    pub secure_boot: Option<bool>,
    /// Python interpreters, the one that `python3` stands for first.
    pub python: Vec<Python>,
    /// Installations of conda that are not of aitk's making, the one in use first.
    pub conda: Vec<Conda>,
    /// Programs that matter to `aitk`, by name.
    pub tools: BTreeMap<String, Tool>,
    /// What the user may do.
    pub privilege: Privilege,
    /// The character set and language, as the environment sets it (`LC_ALL`, `LC_CTYPE`, `LANG`).
    pub locale: Option<String>,
    /// Whether systemd runs the machine.
    pub systemd: bool,
    /// Whether a desktop is installed: a session that somebody can log in to at a screen.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub desktop: bool,
    /// Why the machine should be restarted; empty where it need not.
    pub reboot: Vec<Message>,
    /// The current date, `YYYY-MM-DD`: what support dates are compared with.
    pub date: String,
    /// The folders that the user's environment names.
    pub folders: Folders,
    /// Where each fact comes from: a file, a command or a library, by the fact's place in this value (`memory.total`).
    pub sources: BTreeMap<String, Message>,
}

/// The operating system, from `os-release`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Os {
    /// `ubuntu`, `debian`, `fedora`, …; `linux` where it is not said.
    pub id: String,
    /// `24.04`, `13`, …
    pub version: Option<String>,
    /// `noble`, `trixie`, …
    pub codename: Option<String>,
    /// The name for people.
    pub name: String,
    /// The day on which standard support ends, `YYYY-MM-DD`.
    pub end_of_support: Option<String>,
    /// Systems that it derives from (`ID_LIKE`).
    pub like: Vec<String>,
}

/// The C library: what dpkg notes of `libc6`, else the table of distributions, else `ldd`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Libc {
    /// `glibc` or `musl`.
    pub family: String,
    /// `2.36`, …
    pub version: Option<String>,
}

/// What the machine runs in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Virtualization {
    /// What it is, without what that runs in.
    pub kind: VirtualizationKind,
    /// `kvm`, `vmware`, `docker`, `lxc`, … where known.
    pub name: Option<String>,
    /// What a container runs in, where that shows through: `wsl2`, `vm`; `None` for everything else.
    pub host: Option<VirtualizationKind>,
    /// Who it is rented from (`digitalocean`, `aws`, …), where the firmware says so.
    pub provider: Option<String>,
}

/// Kinds of surroundings; they decide what a driver, a reboot and swap can mean here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VirtualizationKind {
    /// The hardware itself.
    #[default]
    BareMetal,
    /// A virtual machine: a GPU is there only where it is passed through.
    Vm,
    /// A container: its kernel and drivers belong to the host.
    Container,
    /// Windows Subsystem for Linux 1: system calls translated, no GPU.
    Wsl1,
    /// Windows Subsystem for Linux 2: a virtual machine of Windows.
    Wsl2,
}

/// The processor, and how much of it this process may use.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Cpu {
    /// Model, as the processor names itself.
    pub model: Option<String>,
    /// Physical cores of all sockets.
    pub cores: Option<u32>,
    /// Hardware threads that this process may use (its affinity).
    pub threads: Option<u32>,
    /// How many processors' worth of time a control group leaves; `None` without a limit.
    pub quota: Option<f64>,
    /// `x86-64-v1`…`x86-64-v4`, or `armv8-a` and up.
    pub level: Option<String>,
    /// Feature flags as the kernel names them, sorted.
    pub features: Vec<String>,
}

/// Main memory, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Memory {
    /// What the kernel has.
    pub total: Option<u64>,
    /// What can be used now without swapping.
    pub available: Option<u64>,
    /// The least of every control group's limit up the tree; `None` without one.
    pub limit: Option<u64>,
    /// Swap space, with that in compressed memory.
    pub swap: Option<u64>,
    /// How much of the swap space is compressed memory (zram), which adds less than it says.
    pub zram: Option<u64>,
}

impl Machine {
    /// The budget that a machine is for: `workstation` where something in it computes, or is made to.
    pub fn budget(&self) -> &'static str {
        let computes = self.jetson.is_some() || self.gpus.iter().any(|gpu| gpu.usable);
        if computes { "workstation" } else { "low" }
    }
}

impl Memory {
    /// What this machine can use at most: its memory, or less where a limit says so.
    pub fn usable(&self) -> Option<u64> {
        match (self.total, self.limit) {
            (Some(total), Some(limit)) => Some(total.min(limit)),
            (total, limit) => total.or(limit),
        }
    }
}

/// A file system that holds a folder that matters to `aitk`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Disk {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// `ext4`, `btrfs`, `9p`, `nfs4`, `tmpfs`, …
    pub filesystem: String,
    /// A disk of Windows, seen from WSL: slow, and without real permissions.
    pub windows: bool,
    /// Size in bytes, free or not.
    pub total: u64,
    /// Bytes that an ordinary user can still write.
    pub free: u64,
    /// Files that can still be created; `None` where there is no such limit.
    pub free_inodes: Option<u64>,
    /// `nvme`, `ssd`, `hdd` where that can be trusted.
    pub kind: Option<String>,
    /// Programs cannot be started from it (`noexec`).
    pub noexec: bool,
    /// What `aitk` would use it for: `home`, `data`, `cache`, `state`, `tmp`, `var`, `boot`.
    pub uses: Vec<String>,
}

impl Disk {
    /// Whether its files are on another computer: slow, without links or locks that hold.
    pub fn is_on_the_network(&self) -> bool {
        let network = ["nfs", "cifs", "smb", "fuse.sshfs", "afs", "glusterfs", "ceph", "lustre"];
        network.iter().any(|kind| self.filesystem.starts_with(kind))
    }

    /// Whether its file system knows neither owners nor links.
    pub fn is_foreign(&self) -> bool {
        let foreign = ["9p", "drvfs", "vfat", "exfat", "msdos", "ntfs", "fuseblk", "vboxsf"];
        self.windows || foreign.iter().any(|kind| self.filesystem.starts_with(kind))
    }
}

/// A GPU or another device that can compute, by its PCI address or its board.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Gpu {
    /// `nvidia`, `amd`, `intel` or the PCI vendor's number.
    pub vendor: String,
    /// Its name, where something says it.
    pub name: Option<String>,
    /// Where it is on the PCI bus, `0000:01:00.0`; `None` for one that is in a chip or lent by Windows.
    pub address: Option<String>,
    /// `vendor:device`, as in `10de:2504`.
    pub pci_id: Option<String>,
    /// Whether it is part of a processor and shares its memory; `None` where that is not known.
    pub integrated: Option<bool>,
    /// The vendor's architecture in lower case: `ampere`, `rdna3`, …
    pub architecture: Option<String>,
    /// Its own memory, in bytes.
    pub vram: Option<u64>,
    /// Memory in bytes of each part that it is divided into (MIG); empty where it is whole.
    pub parts: Vec<u64>,
    /// NVIDIA's compute capability, `8.6`.
    pub compute_capability: Option<String>,
    /// The instruction set that ROCm compiles for, `gfx1100`; AMD alone.
    pub gfx: Option<String>,
    /// The kernel driver bound to it.
    pub driver: Option<Driver>,
    /// Whether AI frameworks can use it as it stands.
    pub usable: bool,
    /// What stands between it and them; `None` where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// Why, or why not.
    pub why: Message,
}

impl Gpu {
    /// Notes whether frameworks can use it, and why.
    pub(crate) fn judged(&mut self, verdict: Result<Message, (Obstacle, Message)>) {
        (self.usable, self.obstacle, self.why) = match verdict {
            Ok(why) => (true, None, why),
            Err((obstacle, why)) => (false, Some(obstacle), why),
        };
    }
}

/// What stands between a graphics processor and the programs that would compute on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Obstacle {
    /// No table knows what it is.
    Unknown,
    /// No current framework has code for it.
    NoKernels,
    /// It draws pictures only, or is part of a processor that computes by itself.
    PicturesOnly,
    /// It is handed on to a virtual machine.
    HandedOn,
    /// A driver serves it that frameworks cannot use.
    OtherDriver,
    /// Nothing of a driver is installed.
    NoDriver,
    /// The installed driver is too new for it: a branch after its last one.
    Dropped,
    /// The kernel module is of the flavour, open or closed, that does not run it.
    WrongModule,
    /// A setting keeps the installed module from being loaded.
    KeptOut,
    /// Secure Boot refuses the installed module, which nobody signed.
    Unsigned,
    /// Secure Boot refuses the installed module, whose key nobody enrolled.
    NotEnrolled,
    /// The module is installed for other kernels than the one that runs.
    OtherKernel,
    /// A driver is installed, and no module of it for any kernel.
    NotBuilt,
    /// The module is installed for this kernel, and not loaded.
    NotLoaded,
    /// Module and libraries are of different versions.
    Mismatch,
    /// The driver does not answer.
    Silent,
    /// The driver answers with a fault.
    Faulty,
    /// The driver's library crashes when it is asked.
    Crashes,
    /// The driver's libraries are missing.
    NoLibraries,
    /// The library that programs compute by (`libcuda`) is missing.
    NoCompute,
    /// A device file that programs compute by (`/dev/nvidia-uvm`, `/dev/kfd`) is missing.
    NoDeviceFile,
    /// The user may not use the device file.
    NotPermitted,
    /// The container was started without it.
    ShutOut,
    /// It is set to be used in parts (MIG), and has none.
    NoParts,
    /// It is joined to others by switches (NVSwitch) that nothing manages.
    NoFabricManager,
    /// Windows does not let WSL use it.
    Blocked,
    /// A Linux driver hides the one of Windows.
    Shadowed,
}

/// The kernel's driver of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Driver {
    /// `nvidia`, `nouveau`, `amdgpu`, `vfio-pci`, …
    pub name: String,
    /// Its version, where the module or the vendor's library tells one.
    pub version: Option<String>,
    /// The newest CUDA that it can serve.
    pub cuda: Option<String>,
}

/// NVIDIA's driver, which serves all of its devices.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Nvidia {
    /// Version of the loaded kernel module; on WSL that of Windows' driver.
    pub version: Option<String>,
    /// Version of the libraries that programs load; another one than the module's means a restart is due.
    pub library: Option<String>,
    /// Whether the kernel module is the open one; `None` where none is loaded.
    pub open: Option<bool>,
    /// The newest CUDA that it serves.
    pub cuda: Option<String>,
    /// The least compute capability of the devices that can be used.
    pub compute_capability: Option<String>,
    /// Device files that programs need and that are not there.
    pub missing: Vec<PathBuf>,
    /// Who signed the module that is installed and not loaded: asked where Secure Boot may refuse it. Empty where nobody
    /// did, `None` where there is no module or no need to ask.
    pub signer: Option<String>,
    /// The key that signed that module, where Secure Boot does not know it: nobody enrolled it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unenrolled: Option<PathBuf>,
    /// The file that keeps the installed module from being loaded: a blacklist of modprobe's, or the kernel's command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_out: Option<PathBuf>,
    /// Kernels that an installed module is for; looked for where none is loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernels: Vec<String>,
    /// Packages of the system that bring a driver; looked for where no module is loaded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// Switches that join devices (NVSwitch) on the PCI bus.
    #[serde(skip_serializing_if = "is_zero")]
    pub switches: usize,
    /// Version of the fabric manager that is installed, which runs these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fabric_manager: Option<String>,
    /// Whether it is the driver of a guest that shares a device with others (vGPU), which has to go with the host's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub guest: bool,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// AMD's compute stack: the kernel's interface and the libraries that are installed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Rocm {
    /// Version of the ROCm that is installed for the whole machine; wheels bring their own.
    pub version: Option<String>,
    /// The folder that this one is installed in.
    pub path: Option<PathBuf>,
    /// Whether the user may use `/dev/kfd`; `None` where there is none.
    pub access: Option<bool>,
    /// Whether the bridge to Windows' driver (librocdxg) is there.
    pub dxg: bool,
}

/// Windows Subsystem for Linux.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Wsl {
    /// Whether Windows lends a GPU (`/dev/dxg`).
    pub gpu: bool,
    /// Whether `wsl.conf` switches it off.
    pub gpu_disabled: bool,
    /// A Linux driver's `libcuda.so.1` that is found before Windows' own.
    pub shadowed_by: Option<PathBuf>,
}

/// A board of NVIDIA's whose GPU shares memory with the processor; JetPack brings its driver.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Jetson {
    /// Model name from the device tree.
    pub model: String,
    /// Name of the chip: `Orin`, `Thor`, `Xavier`, ….
    pub chip: Option<String>,
    /// L4T release, `36.4.3`.
    pub l4t: Option<String>,
    /// JetPack release, `6.2`.
    pub jetpack: Option<String>,
}

/// An installation of conda: Miniforge, Miniconda, Anaconda.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Conda {
    /// The folder of the installation, `~/miniforge3`.
    pub path: PathBuf,
    /// The version of conda in it.
    pub version: String,
}

/// A Python interpreter that an environment could be built on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Python {
    /// Where its program lies.
    pub path: PathBuf,
    /// `3.11.2`.
    pub version: String,
    /// Whether the distribution manages it (PEP 668): packages must go elsewhere.
    pub externally_managed: bool,
}

impl Python {
    /// Major and minor version.
    pub fn minor(&self) -> Option<(u32, u32)> {
        let mut parts = self.version.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??))
    }
}

/// A program on `PATH` that decides something in a plan or a finding.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tool {
    /// Where it was found on `PATH`.
    pub path: PathBuf,
    /// Its version, where asking is cheap.
    pub version: Option<String>,
}

/// What the user may do.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Privilege {
    /// Whether the user is root.
    pub root: bool,
    /// Whether `sudo` gives root, and whether it asks for a password.
    pub sudo: Sudo,
    /// Why it does not work for what `aitk` does, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Message>,
    /// The programs that `sudo` lets the user run as root, where these are not all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Whether `sudo` works at a terminal, and there is none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub wants_terminal: bool,
}

/// Ways in which `sudo` works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sudo {
    /// It is not installed, or refuses this user.
    #[default]
    No,
    /// It asks for a password.
    Password,
    /// It asks for nothing.
    Passwordless,
}

/// The user's own folders and `aitk`'s, following the XDG base directories.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Folders {
    /// The home folder by its own name, links followed: `HOME`, else the user's entry in the system's list.
    pub home: PathBuf,
    /// `aitk`'s configuration: `AITK_CONFIG_DIR`, else `$XDG_CONFIG_HOME/aitk`, else `~/.config/aitk`.
    pub config: PathBuf,
    /// Environments: `AITK_DATA_DIR`, else `$XDG_DATA_HOME/aitk`, else `~/.local/share/aitk`.
    pub data: PathBuf,
    /// Downloads: `AITK_CACHE_DIR`, else `$XDG_CACHE_HOME/aitk`, else `~/.cache/aitk`.
    pub cache: PathBuf,
    /// Receipt, runs, logs, locks: `AITK_STATE_DIR`, else `$XDG_STATE_HOME/aitk`, else `~/.local/state/aitk`.
    pub state: PathBuf,
    /// Where Jupyter looks for kernels of the user: `$JUPYTER_DATA_DIR`, else `$XDG_DATA_HOME/jupyter`, else
    /// `~/.local/share/jupyter`.
    pub jupyter: PathBuf,
    /// Temporary files: `$TMPDIR`, else `/tmp`.
    pub tmp: PathBuf,
}

/// Why a fact is missing, or what about it a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// A stable code, `AITK-D…`.
    pub code: String,
    /// What is the matter.
    pub message: Message,
    /// What can be done.
    pub hint: Option<Message>,
}
