//! Graphics processors, as far as the PCI bus tells: it does so without any driver.

use aitk_system::System;

use crate::line;
use crate::machine::{Driver, Gpu};

/// Vendors whose graphics processors AI frameworks know. The adapters of servers and virtual
/// machines, which only draw a console, are left out.
const VENDORS: [(&str, &str); 3] = [("10de", "nvidia"), ("1002", "amd"), ("8086", "intel")];

/// What a bound driver that is not the vendor's own means.
const OTHER_DRIVERS: [(&str, &str); 2] = [
    ("nouveau", "its driver is nouveau, which frameworks cannot use"),
    ("vfio-pci", "it is handed on to a virtual machine"),
];

/// The graphics processors, in the order of their PCI addresses.
pub(crate) fn probe(system: &dyn System) -> Vec<Gpu> {
    let addresses = system.list("/sys/bus/pci/devices".as_ref()).unwrap_or_default();
    addresses.iter().filter_map(|address| gpu(system, address)).collect()
}

fn gpu(system: &dyn System, address: &str) -> Option<Gpu> {
    let number = |file: &str| {
        let text = line(system, format!("/sys/bus/pci/devices/{address}/{file}"))?;
        text.strip_prefix("0x").map(str::to_owned)
    };
    // PCI's base class 03 is for display controllers.
    if !number("class")?.starts_with("03") {
        return None;
    }
    let vendor_id = number("vendor")?;
    let (_, vendor) = VENDORS.iter().find(|(id, _)| *id == vendor_id)?;
    let driver = driver(system, address);
    Some(Gpu {
        vendor: (*vendor).to_owned(),
        pci_id: format!("{vendor_id}:{}", number("device")?),
        why: why(driver.as_ref()),
        driver,
        ..Gpu::default()
    })
}

/// The kernel driver that is bound to a device.
fn driver(system: &dyn System, address: &str) -> Option<Driver> {
    let link = format!("/sys/bus/pci/devices/{address}/driver");
    let name = system.read_link(link.as_ref()).ok()?.file_name()?.to_str()?.to_owned();
    let version = line(system, format!("/sys/module/{name}/version"))
        .or_else(|| nvidia_version(&system.text("/proc/driver/nvidia/version").ok()?))
        .filter(|_| name != "vfio-pci");
    Some(Driver { name, version, cuda: None })
}

/// The version in `/proc/driver/nvidia/version`: the second of the fields that two spaces separate.
fn nvidia_version(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with("NVRM version:"))?;
    let field = line.split("  ").filter(|field| !field.trim().is_empty()).nth(1)?;
    Some(field.trim().to_owned())
}

/// Why frameworks can or cannot use a device of which only this much is known.
fn why(driver: Option<&Driver>) -> String {
    let finding = match driver {
        None => "no driver is bound to it".to_owned(),
        Some(Driver { name, .. }) => {
            OTHER_DRIVERS.iter().find(|(other, _)| other == name).map_or_else(
                || format!("its driver is {name}; whether frameworks can use it is not known yet"),
                |(_, meaning)| (*meaning).to_owned(),
            )
        }
    };
    format!("found on the PCI bus; {finding}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aitk_system::{Real, Replay};

    use super::*;

    fn device(root: &Path, address: &str, class: &str, id: (&str, &str), driver: Option<&str>) {
        let folder = root.join("sys/bus/pci/devices").join(address);
        for (file, text) in [("class", class), ("vendor", id.0), ("device", id.1)] {
            Real.write(&folder.join(file), format!("{text}\n").as_bytes(), 0o444).unwrap();
        }
        if let Some(name) = driver {
            let target = format!("../../../../bus/pci/drivers/{name}");
            Real.symlink(Path::new(&target), &folder.join("driver")).unwrap();
        }
    }

    #[test]
    fn display_controllers_of_known_vendors_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        device(root, "0000:00:02.0", "0x030000", ("0x8086", "0x9a49"), Some("i915"));
        device(root, "0000:01:00.0", "0x030200", ("0x10de", "0x2504"), Some("nvidia"));
        device(root, "0000:01:00.1", "0x040300", ("0x10de", "0x228e"), Some("snd_hda_intel"));
        device(root, "0000:02:00.0", "0x030000", ("0x1a03", "0x2000"), Some("ast"));
        device(root, "0000:03:00.0", "0x030000", ("0x1002", "0x744c"), None);
        device(root, "0000:04:00.0", "nonsense", ("", ""), None);
        Real.write(&root.join("sys/module/nvidia/version"), b"580.95.05\n", 0o444).unwrap();
        let found = probe(&Replay::tree(root));
        let short: Vec<_> = found
            .iter()
            .map(|gpu| {
                let driver = gpu.driver.as_ref().map(|driver| driver.name.as_str());
                (gpu.vendor.as_str(), gpu.pci_id.as_str(), driver)
            })
            .collect();
        let expected = [
            ("intel", "8086:9a49", Some("i915")),
            ("nvidia", "10de:2504", Some("nvidia")),
            ("amd", "1002:744c", None),
        ];
        assert_eq!(short, expected);
        let version = found[1].driver.as_ref().and_then(|driver| driver.version.as_deref());
        assert_eq!(version, Some("580.95.05"));
        assert!(found.iter().all(|gpu| !gpu.usable));
        assert_eq!(found[2].why, "found on the PCI bus; no driver is bound to it");
    }

    #[test]
    fn both_forms_of_nvidias_version_are_read() {
        let closed = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12\n";
        let open = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release\n";
        assert_eq!(nvidia_version(closed).as_deref(), Some("535.183.01"));
        assert_eq!(nvidia_version(open).as_deref(), Some("580.95.05"));
        assert_eq!(nvidia_version("GCC version: 13"), None);
    }
}
