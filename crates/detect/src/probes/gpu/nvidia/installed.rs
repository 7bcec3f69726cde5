//! What is installed of NVIDIA's driver where no module of it is loaded, and what keeps it from being loaded.

use std::path::{Path, PathBuf};

use aitk_system::{Command, System};

use super::super::device::Surroundings;
use crate::{PATIENCE, line};

/// Where kernel modules lie below `/lib/modules/KERNEL`: built by dkms, signed by Ubuntu (`kernel/nvidia-580-open`, looked
/// for by its name), brought by RPM Fusion and Arch, or by NVIDIA's own installer.
const FOLDERS: [&str; 5] =
    ["updates/dkms", "updates", "extra/nvidia", "extramodules", "kernel/drivers/video"];
/// Where modprobe's settings lie.
const SETTINGS: [&str; 4] =
    ["/etc/modprobe.d", "/run/modprobe.d", "/usr/lib/modprobe.d", "/lib/modprobe.d"];
/// How packages of Debian, Ubuntu and NVIDIA begin that bring a driver.
const PACKAGES: [&str; 8] = [
    "nvidia-driver",
    "nvidia-open",
    "nvidia-dkms-",
    "nvidia-kernel-",
    "nvidia-headless-",
    "nvidia-tesla-",
    "linux-modules-nvidia-",
    "cuda-drivers",
];
/// The keys of this machine's own, by which Ubuntu's and Debian's dkms sign.
const KEYS: [&str; 2] = ["/var/lib/shim-signed/mok/MOK.der", "/var/lib/dkms/mok.pub"];

/// See the module.
#[derive(Debug, Default)]
pub(super) struct InstalledDriver {
    pub(super) packages: Vec<String>,
    pub(super) kernels: Vec<String>,
    pub(super) kept_out: Option<PathBuf>,
    pub(super) signer: Option<String>,
    pub(super) unenrolled: Option<PathBuf>,
}

impl InstalledDriver {
    pub(super) fn look(around: &Surroundings<'_>) -> Self {
        let system = around.system;
        let kernel = line(system, "/proc/sys/kernel/osrelease").unwrap_or_default();
        let modules = modules(system);
        let own = modules.iter().find(|(of, _)| *of == kernel);
        let name = own.map_or("nvidia", |(_, name)| name);
        let secure = around.secure_boot == Some(true);
        let signer = secure.then(|| signer(system, name)).flatten();
        let signed = signer.as_deref().is_some_and(|signer| !signer.is_empty());
        Self {
            packages: packages(system, |name| PACKAGES.iter().any(|own| name.starts_with(own)))
                .into_iter()
                .map(|(name, _)| name)
                .collect(),
            unenrolled: signed.then(|| unenrolled(system)).flatten(),
            kept_out: kept_out(system),
            kernels: modules.into_iter().map(|(kernel, _)| kernel).collect(),
            signer,
        }
    }
}

/// The version of the fabric manager, of whatever branch its package is.
pub(super) fn fabric_manager(system: &dyn System) -> Option<String> {
    let found = packages(system, |name| name.starts_with("nvidia-fabricmanager"));
    let (_, version) = found.into_iter().next()?;
    // `580.95.05-1`: what is behind the dash is the distribution's.
    Some(version.split('-').next().unwrap_or_default().to_owned())
}

/// The packages that dpkg has installed whole, with their versions.
fn packages(system: &dyn System, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let status = crate::text(system, "/var/lib/dpkg/status").unwrap_or_default();
    let field = |entry: &str, name: &str| {
        let mut lines = entry.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    let entries = status.split("\n\n").filter_map(|entry| {
        let name = entry.trim_start().strip_prefix("Package: ")?.lines().next()?;
        let whole = wanted(name) && field(entry, "Status")?.ends_with(" ok installed");
        whole.then(|| (name.to_owned(), field(entry, "Version").unwrap_or_default()))
    });
    entries.collect()
}

/// The kernels that a module of NVIDIA's is installed for, with the name that it has there.
fn modules(system: &dyn System) -> Vec<(String, String)> {
    let root = Path::new("/lib/modules");
    let kernels = system.list(root).unwrap_or_default();
    let of = |kernel: String| {
        let folder = root.join(&kernel);
        let signed = system.list(&folder.join("kernel")).unwrap_or_default();
        let signed = signed.into_iter().filter(|name| name.starts_with("nvidia-"));
        let folders = FOLDERS.map(str::to_owned).into_iter();
        let name = folders.chain(signed.map(|name| format!("kernel/{name}"))).find_map(|sub| {
            system.list(&folder.join(sub)).ok()?.iter().find_map(|file| module(file))
        })?;
        Some((kernel, name))
    };
    kernels.into_iter().filter_map(of).collect()
}

/// The module in a file such as `nvidia.ko.zst`; Debian calls it `nvidia-current` or after its branch.
fn module(file: &str) -> Option<String> {
    let (name, _) = file.split_once(".ko")?;
    let helper = ["-drm", "-modeset", "-uvm", "-peermem", "-fs"];
    let own = name == "nvidia" || name.starts_with("nvidia-");
    (own && !helper.iter().any(|end| name.ends_with(end))).then(|| name.to_owned())
}

/// What keeps the module from being loaded by itself.
fn kept_out(system: &dyn System) -> Option<PathBuf> {
    let cmdline = "/proc/cmdline";
    if line(system, cmdline).is_some_and(|line| {
        let mut words = line.split_whitespace();
        words.any(|word| {
            let list = word.strip_prefix("modprobe.blacklist=");
            list.is_some_and(|list| list.split(',').any(|name| name == "nvidia"))
        })
    }) {
        return Some(cmdline.into());
    }
    SETTINGS.iter().find_map(|folder| {
        let names = system.list(folder.as_ref()).unwrap_or_default();
        let mut files = names.into_iter().filter(|name| name.ends_with(".conf"));
        let path = files.find(|name| {
            let text = crate::text(system, format!("{folder}/{name}")).unwrap_or_default();
            text.lines().any(keeps_out)
        })?;
        Some(Path::new(folder).join(path))
    })
}

fn keeps_out(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["blacklist", "nvidia" | "nvidia-current"] | ["alias", "nvidia", "off"] => true,
        ["install", "nvidia" | "nvidia-current", program] => {
            program.ends_with("/false") || program.ends_with("/true")
        }
        _ => false,
    }
}

/// Who signed the installed module; empty where nobody did.
fn signer(system: &dyn System, module: &str) -> Option<String> {
    let program = system.which("modinfo")?.to_str()?.to_owned();
    let command = Command::reads([program.as_str(), "-F", "signer", module]).timeout(PATIENCE);
    let output = system.run(&command).ok().filter(aitk_system::Output::success)?;
    Some(output.stdout.trim().to_owned())
}

/// The key of this machine's own that Secure Boot does not know.
fn unenrolled(system: &dyn System) -> Option<PathBuf> {
    system.which("mokutil")?;
    KEYS.iter()
        .find(|key| {
            // Its exit status says the opposite in some releases; its words have stayed.
            let command = Command::reads(["mokutil", "--test-key", key]).timeout(PATIENCE);
            let said = system.exists(key).then(|| system.run(&command).ok()).flatten();
            said.is_some_and(|said| {
                format!("{}{}", said.stdout, said.stderr).contains("not enrolled")
            })
        })
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_told_from_its_helpers() {
        assert_eq!(module("nvidia.ko.zst").as_deref(), Some("nvidia"));
        assert_eq!(module("nvidia-current.ko.xz").as_deref(), Some("nvidia-current"));
        for other in ["nvidia-drm.ko", "nvidia-current-uvm.ko", "nouveau.ko", "i2c-nvidia-gpu.ko"] {
            assert_eq!(module(other), None, "{other}");
        }
    }

    #[test]
    fn a_setting_keeps_the_module_out_by_its_own_name_only() {
        for line in ["blacklist nvidia", "  alias nvidia off", "install nvidia /bin/false"] {
            assert!(keeps_out(line), "{line}");
        }
        for line in
            ["# blacklist nvidia", "blacklist nvidiafb", "blacklist nouveau", "options nvidia x=1"]
        {
            assert!(!keeps_out(line), "{line}");
        }
    }
}
