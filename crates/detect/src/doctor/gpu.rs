//! Drivers, and what stands between them and programs.

use std::path::Path;

use aitk_system::{FileKind, Message, message};
use serde::Deserialize;

use super::ProbeContext;
use crate::machine::{Gpu, Obstacle, VirtualizationKind};
use crate::tables::Outgrown;

/// What Windows lends WSL.
const WSL_CUDA: &str = "/usr/lib/wsl/lib/libcuda.so.1";
/// Descriptions of devices for containers (CDI), which need no control groups of Docker's.
const CDI: [&str; 4] = [
    "/etc/cdi/nvidia.yaml",
    "/var/run/cdi/nvidia.yaml",
    "/run/cdi/nvidia.yaml",
    "/etc/cdi/nvidia.json",
];

/// The module that runs and the libraries are of different versions.
pub(super) fn mismatch(case: &ProbeContext<'_>) -> Vec<Message> {
    let Some(nvidia) = &case.machine.nvidia else { return Vec::new() };
    match (&nvidia.version, &nvidia.library) {
        (Some(module), Some(library)) if module != library => {
            vec![message!("the kernel module is {module}, and the libraries are {library}")]
        }
        _ => Vec::new(),
    }
}

/// A Linux driver lies in front of the one that Windows lends.
pub(super) fn shadowed(case: &ProbeContext<'_>) -> Vec<Message> {
    let shadow = case.machine.wsl.as_ref().and_then(|wsl| wsl.shadowed_by.as_ref());
    shadow
        .map(|path| message!("{} is found before {WSL_CUDA}", path.display()))
        .into_iter()
        .collect()
}

/// Windows copies its library three times instead of linking it.
pub(super) fn no_symbolic_link(case: &ProbeContext<'_>) -> Vec<Message> {
    let is_file =
        || case.system.stat(Path::new(WSL_CUDA)).is_ok_and(|stat| stat.kind == FileKind::File);
    match case.machine.wsl {
        Some(_) if is_file() => vec![message!("{WSL_CUDA} is a file")],
        _ => Vec::new(),
    }
}

/// Secure Boot refuses a module that nobody signed.
pub(super) fn unsigned(case: &ProbeContext<'_>) -> Vec<Message> {
    let signer = case.machine.nvidia.as_ref().and_then(|nvidia| nvidia.signer.as_deref());
    match (case.machine.secure_boot, signer) {
        (Some(true), Some("")) => {
            vec![message!("Secure Boot is on, and the installed module `nvidia` has no signature")]
        }
        _ => Vec::new(),
    }
}

/// No driver serves a device that programs could compute with: nothing is bound to it, or one that only shows pictures.
pub(super) fn without_driver(case: &ProbeContext<'_>) -> Vec<Message> {
    // A container has no drivers of its own; a card that no framework computes on has the driver that it can have.
    let own_kernel = case.machine.virtualization.kind != VirtualizationKind::Container;
    let amd = case.tables.amd();
    let computes = |gpu: &Gpu| match gpu.vendor.as_str() {
        "amd" => {
            let target = gpu.pci_id.as_deref().and_then(|id| amd.device(id));
            target.is_some_and(|row| (row.pytorch || row.amd || row.jax) && !row.small)
        }
        _ => true,
    };
    let bare = case.machine.gpus.iter().filter(|gpu| match gpu.obstacle {
        Some(Obstacle::NoDriver) => own_kernel && computes(gpu),
        Some(Obstacle::OtherDriver) => gpu.vendor == "nvidia",
        _ => false,
    });
    bare.map(|gpu| {
        let name = gpu.name.as_ref().map(Message::plain);
        let name = name.unwrap_or_else(|| message!("a device of {}'s", gpu.vendor));
        let place = gpu.address.as_deref().map(|address| message!(" at {address}"));
        let place = place.unwrap_or_default();
        match &gpu.driver {
            Some(driver) => message!("{name}{place} is served by {}", driver.name),
            None => message!("{name}{place} is served by nothing"),
        }
    })
    .collect()
}

/// The driver has no module for the kernel that runs.
pub(super) fn without_module(case: &ProbeContext<'_>) -> Vec<Message> {
    let mut seen = case.behind(&[Obstacle::OtherKernel, Obstacle::NotBuilt]);
    if let Some((row, version)) = outgrown(case).filter(|_| !seen.is_empty()) {
        let Outgrown { kernel, first, .. } = row;
        seen.push(message!(
            "driver {version} cannot be built for kernel {kernel} and newer ones: {first} is the first of its branch that can"
        ));
    }
    seen
}

/// What says that the installed driver is older than what can be built for the kernel that runs, with its version.
fn outgrown<'a>(case: &ProbeContext<'a>) -> Option<(&'a Outgrown, &'a str)> {
    let version = case.machine.nvidia.as_ref()?.library.as_deref()?;
    let row = case.tables.nvidia().outgrown(version, case.machine.kernel.as_deref()?)?;
    Some((row, version))
}

/// How the NVIDIA driver that is installed came here: built by `dkms`, as Ubuntu's signed `modules`, by NVIDIA's own
/// `installer`; or whether the kernel has `outgrown` it.
pub(super) fn came_by(case: &ProbeContext<'_>, way: &str) -> bool {
    let packages = case.machine.nvidia.as_ref().map(|nvidia| nvidia.packages.as_slice());
    let packages = packages.unwrap_or_default();
    match way {
        "dkms" => {
            packages.iter().any(|name| name.contains("-dkms"))
                || names_in(case, "/var/lib/dkms").iter().any(|name| name.starts_with("nvidia"))
        }
        "modules" => packages.iter().any(|name| name.starts_with("linux-modules-nvidia-")),
        "installer" => packages.is_empty() && case.system.exists("/usr/bin/nvidia-uninstall"),
        _ => outgrown(case).is_some(),
    }
}

fn names_in(case: &ProbeContext<'_>, folder: &str) -> Vec<String> {
    case.system.list(Path::new(folder)).unwrap_or_default()
}

/// What the packages of the installed driver are called after: `580-open`, `580-server`; `NNN` where nothing tells.
pub(super) fn installed(case: &ProbeContext<'_>) -> String {
    let nvidia = case.machine.nvidia.as_ref();
    let of_package = |name: &String| {
        let mut words = name.split('-').skip_while(|word| word.parse::<u32>().is_err());
        let branch = words.next()?;
        let flavours = words.take_while(|word| ["server", "open"].contains(word));
        Some(std::iter::once(branch).chain(flavours).collect::<Vec<_>>().join("-"))
    };
    let named = nvidia.and_then(|nvidia| nvidia.packages.iter().find_map(of_package));
    let branch = || {
        let version = nvidia.and_then(|nvidia| nvidia.version.as_ref().or(nvidia.library.as_ref()));
        Some(version?.split('.').next()?.to_owned())
    };
    named.or_else(branch).unwrap_or_else(|| "NNN".to_owned())
}

/// A driver is built for each kernel anew, and cannot be without the kernel's headers.
pub(super) fn no_headers(case: &ProbeContext<'_>) -> Vec<Message> {
    let system = case.system;
    let Some(kernel) = case.machine.kernel.as_deref() else { return Vec::new() };
    let own_kernel = matches!(
        case.machine.virtualization.kind,
        VirtualizationKind::BareMetal | VirtualizationKind::Vm
    );
    let modules = Path::new("/lib/modules").join(kernel);
    let kernels = system.list(Path::new("/lib/modules")).unwrap_or_default();
    let is_there = kernels.iter().any(|name| name == kernel);
    if !own_kernel || !is_there || system.exists(modules.join("build")) {
        return Vec::new();
    }
    let built = system.list(&modules.join("updates/dkms")).unwrap_or_default();
    let sources = system.list(Path::new("/var/lib/dkms")).unwrap_or_default();
    let drivers =
        sources.iter().filter(|name| ["nvidia", "amdgpu"].iter().any(|own| name.starts_with(own)));
    let missing = drivers.filter(|name| {
        let own = name.split(['-', '_']).next().unwrap_or(name);
        let loaded = system.exists(Path::new("/sys/module").join(own).join("version"));
        !loaded && !built.iter().any(|module| module.starts_with(own))
    });
    missing
        .map(|name| {
            message!(
                "dkms has {name}, and there is no {}/build to build it with",
                modules.display()
            )
        })
        .collect()
}

/// `/etc/docker/daemon.json`, as far as it matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Daemon {
    runtimes: serde_json::Map<String, serde_json::Value>,
    #[serde(rename = "exec-opts")]
    options: Vec<String>,
}

/// Docker hands devices over in a way that `systemctl daemon-reload` takes back.
pub(super) fn lost_in_containers(case: &ProbeContext<'_>) -> Vec<Message> {
    let machine = case.machine;
    let serves = machine.gpus.iter().any(|gpu| gpu.vendor == "nvidia" && gpu.usable)
        && machine.systemd
        && machine.virtualization.kind != VirtualizationKind::Container;
    let json = case.system.read(Path::new("/etc/docker/daemon.json")).ok();
    let daemon = json.and_then(|json| serde_json::from_slice::<Daemon>(&json).ok());
    let Some(daemon) = daemon.filter(|daemon| serves && daemon.runtimes.contains_key("nvidia"))
    else {
        return Vec::new();
    };
    let by_docker = daemon.options.iter().any(|option| option.ends_with("cgroupdriver=cgroupfs"));
    if by_docker || CDI.iter().any(|path| case.system.exists(path)) {
        return Vec::new();
    }
    vec![message!(
        "/etc/docker/daemon.json has the runtime `nvidia`, and there is no /etc/cdi/nvidia.yaml"
    )]
}

/// A variable that makes ROCm take a device for another one, on a machine whose devices are served as they are.
pub(super) fn override_left_over(case: &ProbeContext<'_>) -> Vec<Message> {
    const VARIABLE: &str = "HSA_OVERRIDE_GFX_VERSION";
    let Some(value) = case.system.env(VARIABLE) else { return Vec::new() };
    let served = case.machine.gpus.iter().find(|gpu| gpu.vendor == "amd" && gpu.usable);
    let gfx = served.and_then(|gpu| gpu.gfx.as_deref());
    gfx.map(|gfx| message!("{VARIABLE} is {value}, and the device is served as {gfx}"))
        .into_iter()
        .collect()
}
