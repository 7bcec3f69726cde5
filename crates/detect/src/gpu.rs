//! The graphics processors, whoever made them.

use aitk_system::{Message, System, message};

use crate::machine::{Driver, Gpu, Jetson, Nvidia, Rocm, Virtualization, Wsl};
use crate::notes::Notes;
use crate::pci::{self, Device};
use crate::tables::{Tables, pci_name};
use crate::{amd, intel, nvidia};

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

/// The graphics processors in the order of their PCI addresses, those without one last, and the drivers that serve them.
pub(crate) fn probe(
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> (Vec<Gpu>, Option<Nvidia>, Option<Rocm>) {
    let devices = pci::devices(around.system);
    let of = |vendor| devices.iter().filter(|device| device.vendor == vendor).collect::<Vec<_>>();
    let (mut gpus, nvidia) = nvidia::probe(around, &of("nvidia"), notes);
    let (amd, rocm) = amd::probe(around, &of("amd"), notes);
    gpus.extend(amd);
    gpus.extend(intel::probe(around, &of("intel")));
    gpus.sort_by_key(|gpu| (gpu.address.is_none(), gpu.address.clone()));
    notes.source_in_words(
        "gpus",
        match devices[..] {
            [] => message!("the drivers: no device is on the PCI bus"),
            _ => message!("/sys/bus/pci/devices, then the drivers"),
        },
    );
    (gpus, nvidia, rocm)
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

/// Why nothing can use a device with this driver, whoever made it.
pub(crate) fn elsewhere(driver: Option<&Driver>) -> Option<Message> {
    (driver?.name == "vfio-pci").then_some(message!(
        "it is handed on to a virtual machine (vfio), so nothing here can use it"
    ))
}
