//! What a device on the PCI bus is, before its maker's own probe adds to it.

use aitk_system::{Message, System, message};

use super::pci::Device;
use crate::machine::{Driver, Gpu, Jetson, Obstacle, Virtualization, Wsl};
use crate::tables::{Tables, pci_name};

/// What the probes of the makers need to know.
pub(crate) struct Surroundings<'a> {
    pub(crate) system: &'a dyn System,
    pub(crate) tables: &'a Tables,
    pub(crate) virtualization: &'a Virtualization,
    pub(crate) secure_boot: Option<bool>,
    pub(crate) jetson: Option<&'a Jetson>,
    pub(crate) wsl: Option<&'a Wsl>,
    pub(crate) cache: &'a std::path::Path,
}

/// What the PCI bus tells of a device, for the makers to add to.
pub(crate) fn on_the_bus(device: &Device) -> Gpu {
    Gpu {
        vendor: device.vendor.to_owned(),
        name: pci_name(&device.id).map(|name| titled(device.vendor, name)),
        address: Some(device.address.clone()),
        pci_id: Some(device.id.clone()),
        driver: device
            .driver
            .as_ref()
            .map(|name| Driver { name: name.clone(), ..Driver::default() }),
        ..Gpu::default()
    }
}

/// The name with its maker in front, once.
fn titled(vendor: &str, name: &str) -> String {
    let maker = match vendor {
        "nvidia" => "NVIDIA",
        "amd" => "AMD",
        "intel" => "Intel",
        other => other,
    };
    if name.starts_with(maker) { name.to_owned() } else { format!("{maker} {name}") }
}

/// Refuses a device that nothing here can use, whoever made it.
pub(crate) fn elsewhere(driver: Option<&Driver>) -> Result<(), (Obstacle, Message)> {
    match driver {
        Some(driver) if driver.name == "vfio-pci" => Err((
            Obstacle::HandedOn,
            message!("it is handed on to a virtual machine (vfio), so nothing here can use it"),
        )),
        _ => Ok(()),
    }
}
