//! Drivers, and what stands between them and programs.

use std::path::Path;

use aitk_system::{FileKind, Message, message};
use serde::Deserialize;

use super::Case;
use crate::machine::{Obstacle, VirtualizationKind};

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
pub(super) fn mismatch(case: &Case<'_>) -> Vec<Message> {
    let Some(nvidia) = &case.machine.nvidia else { return Vec::new() };
    match (&nvidia.version, &nvidia.library) {
        (Some(module), Some(library)) if module != library => {
            vec![message!("the kernel module is {module}, and the libraries are {library}")]
        }
        _ => Vec::new(),
    }
}

/// A Linux driver lies in front of the one that Windows lends.
pub(super) fn shadowed(case: &Case<'_>) -> Vec<Message> {
    let shadow = case.machine.wsl.as_ref().and_then(|wsl| wsl.shadowed_by.as_ref());
    shadow
        .map(|path| message!("{} is found before {WSL_CUDA}", path.display()))
        .into_iter()
        .collect()
}

/// Windows copies its library three times instead of linking it.
pub(super) fn no_symbolic_link(case: &Case<'_>) -> Vec<Message> {
    let is_file =
        || case.system.stat(Path::new(WSL_CUDA)).is_ok_and(|stat| stat.kind == FileKind::File);
    match case.machine.wsl {
        Some(_) if is_file() => vec![message!("{WSL_CUDA} is a file")],
        _ => Vec::new(),
    }
}

/// Secure Boot refuses a module that nobody signed.
pub(super) fn unsigned(case: &Case<'_>) -> Vec<Message> {
    let signer = case.machine.nvidia.as_ref().and_then(|nvidia| nvidia.signer.as_deref());
    match (case.machine.secure_boot, signer) {
        (Some(true), Some("")) => {
            vec![message!("Secure Boot is on, and the installed module `nvidia` has no signature")]
        }
        _ => Vec::new(),
    }
}

/// The free driver serves NVIDIA's device, which shows pictures and computes nothing.
pub(super) fn nouveau(case: &Case<'_>) -> Vec<Message> {
    // A card that no framework computes on has the driver that it can have.
    let bound = case.machine.gpus.iter().filter(|gpu| {
        let served = gpu.obstacle == Some(Obstacle::OtherDriver);
        gpu.vendor == "nvidia"
            && served
            && gpu.driver.as_ref().is_some_and(|driver| driver.name == "nouveau")
    });
    bound
        .map(|gpu| {
            let name = gpu.name.as_ref().map(Message::plain);
            let name = name.unwrap_or_else(|| message!("a device of NVIDIA's"));
            let place = gpu.address.as_deref().map(|address| message!(" at {address}"));
            message!("{name}{} is served by nouveau", place.unwrap_or_default())
        })
        .collect()
}

/// A driver is built for each kernel anew, and cannot be without the kernel's headers.
pub(super) fn no_headers(case: &Case<'_>) -> Vec<Message> {
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
pub(super) fn lost_in_containers(case: &Case<'_>) -> Vec<Message> {
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
pub(super) fn override_left_over(case: &Case<'_>) -> Vec<Message> {
    const VARIABLE: &str = "HSA_OVERRIDE_GFX_VERSION";
    let Some(value) = case.system.env(VARIABLE) else { return Vec::new() };
    let served = case.machine.gpus.iter().find(|gpu| gpu.vendor == "amd" && gpu.usable);
    let gfx = served.and_then(|gpu| gpu.gfx.as_deref());
    gfx.map(|gfx| message!("{VARIABLE} is {value}, and the device is served as {gfx}"))
        .into_iter()
        .collect()
}
