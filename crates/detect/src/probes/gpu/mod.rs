//! The graphics processors, whoever made them.

mod amd;
mod device;
mod intel;
pub(crate) mod jetson;
mod nvidia;
mod pci;

use aitk_system::message;

pub(crate) use self::device::Surroundings;
use crate::machine::{Gpu, Nvidia, Rocm};
use crate::notes::Notes;

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
