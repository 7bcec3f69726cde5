//! Intel's devices: part of a processor, or a card of their own.

use super::device::{self, Surroundings};
use super::pci::Device;
use crate::machine::Gpu;
use aitk_system::{Message, message};

/// The devices.
pub(crate) fn probe(around: &Surroundings<'_>, devices: &[&Device]) -> Vec<Gpu> {
    devices.iter().map(|device| own(around, device)).collect()
}

fn own(around: &Surroundings<'_>, device: &Device) -> Gpu {
    let mut gpu = device::on_the_bus(device);
    let row = around.tables.intel().discrete(&device.id);
    gpu.integrated = Some(row.is_none());
    gpu.architecture = row.map(|row| row.architecture.clone());
    (gpu.usable, gpu.why) = judge(&gpu);
    gpu
}

/// Whether frameworks can use a device as it stands, and why.
fn judge(gpu: &Gpu) -> (bool, Message) {
    let no = |why: Message| (false, why);
    if let Some(why) = device::elsewhere(gpu.driver.as_ref()) {
        return no(why);
    }
    if gpu.integrated == Some(true) {
        return no(message!(
            "it is part of the processor: frameworks compute on the processor itself"
        ));
    }
    match gpu.driver.as_ref().map(|driver| driver.name.as_str()) {
        Some(name @ ("xe" | "i915")) => (
            true,
            message!(
                "the kernel's driver {name} serves it; PyTorch has builds for it (XPU), on request"
            ),
        ),
        Some(other) => (false, message!("its driver is {other}, which frameworks cannot use")),
        None => no(message!("no driver is bound to it: a newer kernel brings one")),
    }
}
