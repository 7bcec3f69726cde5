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
    let gpu_disabled = is_off(&crate::text(system, "/etc/wsl.conf").unwrap_or_default());
    if gpu && !is_known && !gpu_disabled {
        let message =
            message!("Windows lends a GPU to WSL (/dev/dxg), and nothing here tells which one");
        let hint = message!(
            "for NVIDIA, install or update the driver on Windows, then run `wsl --shutdown` there"
        );
        notes.add(notes::DXG, message, Some(hint));
    }
    notes.source("wsl.gpu", "/dev/dxg");
    Some(Wsl { gpu, gpu_disabled, shadowed_by: shadow.map(Into::into) })
}

/// Whether NVIDIA's library of Windows' driver is here. A container is handed the files of the driver's own folder, one by
/// one, and not those that WSL collects.
pub(crate) fn lends_cuda(system: &dyn System) -> bool {
    let drivers = system.list("/usr/lib/wsl/drivers".as_ref()).unwrap_or_default();
    system.exists(WINDOWS_CUDA) || drivers.iter().any(|name| name.starts_with("nv"))
}

/// Whether `wsl.conf` says `enabled=false` in its section `[gpu]`.
fn is_off(text: &str) -> bool {
    let mut section = "";
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.trim();
        } else if let Some((key, value)) = line.split_once('=')
            && section.eq_ignore_ascii_case("gpu")
            && key.trim().eq_ignore_ascii_case("enabled")
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
        assert!(is_off("[boot]\nsystemd=true\n\n[GPU]\nenabled = False\n"));
        assert!(!is_off("[interop]\nenabled=false\n[gpu]\nenabled=true\n"));
        assert!(!is_off("enabled=false"));
        assert!(!is_off(""));
    }
}
