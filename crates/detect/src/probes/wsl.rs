//! Windows Subsystem for Linux: what Windows lends, and what stands in its way.

use aitk_system::{System, message};

use crate::machine::{Virtualization, VirtualizationKind, Wsl};
use crate::notes::{self, Notes};

/// Where a Linux driver's library would be found before Windows' own, which the loader finds by a rule of WSL's.
const LINUX_CUDA: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
    "/usr/lib/aarch64-linux-gnu/libcuda.so.1",
    "/usr/lib64/libcuda.so.1",
];
/// What Windows lends comes with one of these: NVIDIA's library, or AMD's bridge.
const WINDOWS_CUDA: &str = "/usr/lib/wsl/lib/libcuda.so.1";
/// The settings of a distribution in WSL.
const WSL_CONF: &str = "/etc/wsl.conf";
/// By which WSL makes the libraries known.
const LOADER_SETTING: &str = "/etc/ld.so.conf.d/ld.wsl.conf";

/// What WSL adds, where this is WSL or a container in it.
pub(crate) fn probe(
    system: &dyn System,
    virtualization: &Virtualization,
    notes: &mut Notes,
) -> Option<Wsl> {
    use VirtualizationKind::{Wsl1, Wsl2};
    let kinds = [Some(virtualization.kind), virtualization.host];
    if !kinds.iter().flatten().any(|kind| matches!(kind, Wsl1 | Wsl2)) {
        return None;
    }
    let gpu = system.exists("/dev/dxg");
    let shadow = LINUX_CUDA.iter().find(|path| system.exists(path) && system.exists(WINDOWS_CUDA));
    let rocm = system.list("/opt".as_ref()).unwrap_or_default();
    let is_known = lends_cuda(system)
        || LINUX_CUDA.iter().any(|path| system.exists(path))
        || rocm.iter().any(|name| name.starts_with("rocm"));
    let gpu_disabled = is_off(&crate::text(system, WSL_CONF).unwrap_or_default(), "gpu", "enabled");
    if gpu && !is_known && !gpu_disabled {
        let message =
            message!("Windows lends a GPU to WSL (/dev/dxg), and nothing here tells which one");
        let hint = match lends(system, "iigd") {
            true => message!(
                "its driver is Intel's: PyTorch computes on it where that is asked for (--accelerator xpu) and Intel's compute runtime is installed here"
            ),
            false => message!(
                "for NVIDIA, install or update the driver on Windows, then run `wsl --shutdown` there"
            ),
        };
        notes.add(notes::DXG, message, Some(hint));
    }
    notes.source("wsl.gpu", "/dev/dxg");
    Some(Wsl { gpu, gpu_disabled, shadowed_by: shadow.map(Into::into) })
}

/// Whether NVIDIA's library of Windows' driver is here. A container is handed the files of the driver's own folder, one by
/// one, and not those that WSL collects.
pub(crate) fn lends_cuda(system: &dyn System) -> bool {
    system.exists(WINDOWS_CUDA) || lends(system, "nv")
}

/// Whether a driver of Windows' whose folder begins like this is lent.
fn lends(system: &dyn System, beginning: &str) -> bool {
    let drivers = system.list("/usr/lib/wsl/drivers".as_ref()).unwrap_or_default();
    drivers.iter().any(|name| name.starts_with(beginning))
}

/// Whether WSL is told not to make Windows' libraries known to what loads programs, and nobody else has.
pub(crate) fn hides_libraries(system: &dyn System) -> bool {
    let told = crate::text(system, WSL_CONF).unwrap_or_default();
    is_off(&told, "automount", "ldconfig")
        && !system.exists(LOADER_SETTING)
        && !system.env("LD_LIBRARY_PATH").is_some_and(|path| path.contains("/usr/lib/wsl/lib"))
}

/// Whether `wsl.conf` says `key=false` in a section.
fn is_off(text: &str, wanted: &str, setting: &str) -> bool {
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.trim();
        } else if let Some((key, value)) = line.split_once('=')
            && section.eq_ignore_ascii_case(wanted)
            && key.trim().eq_ignore_ascii_case(setting)
        {
            return value.trim().eq_ignore_ascii_case("false");
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_switched_off_in_its_own_section_only() {
        let is_off = |text| is_off(text, "gpu", "enabled");
        assert!(is_off("[boot]\nsystemd=true\n\n[GPU]\nenabled = False\n"));
        assert!(!is_off("[interop]\nenabled=false\n[gpu]\nenabled=true\n"));
        assert!(!is_off("enabled=false"));
        assert!(!is_off(""));
    }
}
