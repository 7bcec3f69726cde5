//! Intel's devices: part of a processor, or a card of their own.

use super::device::{self, Surroundings};
use super::pci::Device;
use crate::machine::{Gpu, Obstacle};
use aitk_system::{Message, message};

pub(crate) fn probe(around: &Surroundings<'_>, devices: &[&Device]) -> Vec<Gpu> {
    devices.iter().map(|device| own(around, device)).collect()
}

fn own(around: &Surroundings<'_>, device: &Device) -> Gpu {
    let mut gpu = device::on_the_bus(device);
    let row = around.tables.intel().discrete(&device.id);
    gpu.integrated = Some(row.is_none());
    let row = row.or_else(|| around.tables.intel().integrated(&device.id));
    gpu.architecture = row.map(|row| row.architecture.clone());
    gpu.judged(judge(&gpu, row.is_some()));
    gpu
}

/// Whether frameworks can use a device as it stands, and why.
fn judge(gpu: &Gpu, computes: bool) -> Result<Message, (Obstacle, Message)> {
    device::elsewhere(gpu.driver.as_ref())?;
    if !computes {
        return Err((
            Obstacle::PicturesOnly,
            message!("it is part of the processor: frameworks compute on the processor itself"),
        ));
    }
    match gpu.driver.as_ref().map(|driver| driver.name.as_str()) {
        Some(name @ ("xe" | "i915")) => Ok(message!(
            "the kernel's driver {name} serves it; PyTorch has builds for it (XPU), on request"
        )),
        Some(other) => Err((
            Obstacle::OtherDriver,
            message!("its driver is {other}, which frameworks cannot use"),
        )),
        None => Err((
            Obstacle::NoDriver,
            message!("no driver is bound to it: a newer kernel brings one"),
        )),
    }
}
