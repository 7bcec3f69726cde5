//! Whether the machine should be restarted.

use aitk_system::{Message, System, message};

use crate::machine::{Nvidia, Virtualization, VirtualizationKind};
use crate::notes::Notes;
use crate::tables::is_newer;

/// What Debian and Ubuntu leave when a package asks for a restart.
const REQUIRED: &str = "/run/reboot-required";

/// The reasons; a container's kernel is not its own, and so it has none.
pub(crate) fn probe(
    system: &dyn System,
    virtualization: &Virtualization,
    kernel: Option<&str>,
    nvidia: Option<&Nvidia>,
    notes: &mut Notes,
) -> Vec<Message> {
    if !matches!(virtualization.kind, VirtualizationKind::BareMetal | VirtualizationKind::Vm) {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    if system.exists(REQUIRED) {
        notes.source("reboot", REQUIRED);
        let packages = crate::text(system, format!("{REQUIRED}.pkgs")).unwrap_or_default();
        let mut packages: Vec<_> = packages.lines().filter(|line| !line.is_empty()).collect();
        packages.sort_unstable();
        packages.dedup();
        reasons.push(match packages[..] {
            [] => message!("a package asks for it"),
            _ => message!("these packages ask for it: {}", packages.join(", ")),
        });
    }
    if let Some((running, newest)) = kernel.and_then(|kernel| newer_kernel(system, kernel)) {
        notes.source("reboot", "/lib/modules");
        reasons.push(message!("kernel {newest} is installed, and {running} runs"));
    }
    if let Some(Nvidia { version: Some(version), library: Some(library), .. }) = nvidia
        && version != library
    {
        reasons.push(message!(
            "NVIDIA's libraries are {library}, and the module that runs is {version}"
        ));
    }
    reasons
}

/// A newer kernel of the same kind (`-generic`, `-amd64`) than the running one.
fn newer_kernel(system: &dyn System, running: &str) -> Option<(String, String)> {
    let flavour = |release: &str| release.rsplit_once('-').map(|(_, flavour)| flavour.to_owned());
    let numbers = |release: &str| {
        let numbers = release.rsplit_once('-').map_or(release, |(numbers, _)| numbers);
        numbers.replace(['-', '+'], ".")
    };
    let names = system.list("/lib/modules".as_ref()).ok()?;
    let own = flavour(running)?;
    let same = names.into_iter().filter(|name| flavour(name).is_some_and(|other| other == own));
    let newest =
        same.reduce(
            |best, next| {
                if is_newer(&numbers(&next), &numbers(&best)) { next } else { best }
            },
        )?;
    is_newer(&numbers(&newest), &numbers(running)).then(|| (running.to_owned(), newest))
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn a_newer_kernel_of_the_same_kind_wants_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["6.8.0-85-generic", "6.8.0-101-generic", "6.14.0-27-lowlatency", "odd"] {
            Real.create_dir(&folder.path().join("lib/modules").join(name)).unwrap();
        }
        let system = Replay::tree(folder.path());
        let newer = |kernel: &str| newer_kernel(&system, kernel).map(|(_, newest)| newest);
        assert_eq!(newer("6.8.0-85-generic").as_deref(), Some("6.8.0-101-generic"));
        assert_eq!(newer("6.8.0-101-generic"), None);
        assert_eq!(newer("6.14.0-27-lowlatency"), None);
        assert_eq!(newer("7.0.0"), None);
    }
}
