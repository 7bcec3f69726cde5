//! Display devices and accelerators on the PCI bus, which tells of them without any driver.

use aitk_system::System;

use crate::line;

/// Makers whose graphics processors AI frameworks know. The adapters of servers and virtual machines, which only draw a
/// console, are left out.
const VENDORS: [(&str, &str); 3] = [("10de", "nvidia"), ("1002", "amd"), ("8086", "intel")];

/// PCI's base class of display controllers.
const DISPLAY: &str = "03";
/// PCI's class of processing accelerators: AMD's Instinct cards are such. With others it is something else, such as the
/// neural units in Intel's processors.
const ACCELERATOR: &str = "1200";

/// A display device or an accelerator.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Device {
    /// `0000:01:00.0`.
    pub(crate) address: String,
    /// `nvidia`, `amd` or `intel`.
    pub(crate) vendor: &'static str,
    /// `10de:2504`.
    pub(crate) id: String,
    /// The kernel driver that is bound to it.
    pub(crate) driver: Option<String>,
}

/// The display devices, in the order of their addresses.
pub(crate) fn devices(system: &dyn System) -> Vec<Device> {
    let addresses = system.list("/sys/bus/pci/devices".as_ref()).unwrap_or_default();
    addresses.into_iter().filter_map(|address| device(system, address)).collect()
}

/// How many of NVIDIA's switches (NVSwitch), which join graphics processors, are on the bus: bridges of its own.
pub(crate) fn switches(system: &dyn System) -> usize {
    let addresses = system.list("/sys/bus/pci/devices".as_ref()).unwrap_or_default();
    let is = |address: &str, file: &str, value: &str| {
        let text = line(system, format!("/sys/bus/pci/devices/{address}/{file}"));
        text.is_some_and(|text| text.starts_with(value))
    };
    addresses.iter().filter(|at| is(at, "class", "0x0680") && is(at, "vendor", "0x10de")).count()
}

fn device(system: &dyn System, address: String) -> Option<Device> {
    let number = |file: &str| {
        let text = line(system, format!("/sys/bus/pci/devices/{address}/{file}"))?;
        text.strip_prefix("0x").map(str::to_owned)
    };
    let class = number("class")?;
    let vendor_id = number("vendor")?;
    let (_, vendor) = VENDORS.iter().find(|(id, _)| *id == vendor_id)?;
    let computes = class.starts_with(ACCELERATOR) && *vendor == "amd";
    if !(class.starts_with(DISPLAY) || computes) {
        return None;
    }
    let id = format!("{vendor_id}:{}", number("device")?);
    let link = format!("/sys/bus/pci/devices/{address}/driver");
    let driver = system.read_link(link.as_ref()).ok();
    let driver = driver.and_then(|path| Some(path.file_name()?.to_str()?.to_owned()));
    Some(Device { address, vendor, id, driver })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aitk_system::{Real, Replay};

    use super::*;

    fn put(root: &Path, address: &str, class: &str, id: (&str, &str), driver: Option<&str>) {
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
    fn display_controllers_of_known_makers_are_found_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        put(root, "0000:00:02.0", "0x030000", ("0x8086", "0x9a49"), Some("i915"));
        put(root, "0000:01:00.0", "0x030200", ("0x10de", "0x2504"), Some("nvidia"));
        put(root, "0000:01:00.1", "0x040300", ("0x10de", "0x228e"), Some("snd_hda_intel"));
        put(root, "0000:02:00.0", "0x030000", ("0x1a03", "0x2000"), Some("ast"));
        put(root, "0000:03:00.0", "0x030000", ("0x1002", "0x744c"), None);
        put(root, "0000:04:00.0", "nonsense", ("", ""), None);
        put(root, "0000:05:00.0", "0x120000", ("0x1002", "0x74a1"), Some("amdgpu"));
        put(root, "0000:00:0b.0", "0x120000", ("0x8086", "0x7d1d"), Some("intel_vpu"));
        let found = devices(&Replay::tree(root));
        let short: Vec<_> = found
            .iter()
            .map(|device| (device.vendor, device.id.as_str(), device.driver.as_deref()))
            .collect();
        let expected = [
            ("intel", "8086:9a49", Some("i915")),
            ("nvidia", "10de:2504", Some("nvidia")),
            ("amd", "1002:744c", None),
            ("amd", "1002:74a1", Some("amdgpu")),
        ];
        assert_eq!(short, expected);
    }
}
