//! NVIDIA Jetson boards.

use aitk_system::{Nvml, System, message};

use super::device::Surroundings;
use crate::line;
use crate::machine::{Driver, Gpu, Jetson, Obstacle, VirtualizationKind};
use crate::notes::Notes;
use crate::tables::Tables;

/// A Jetson by its device tree's model. Other ARM machines with NVIDIA graphics are not called so.
pub(crate) fn probe(
    system: &dyn System,
    tables: &Tables,
    arch: &str,
    notes: &mut Notes,
) -> Option<Jetson> {
    if arch != "aarch64" {
        return None;
    }
    let model = line(system, "/proc/device-tree/model")?;
    let compatible = crate::text(system, "/proc/device-tree/compatible").unwrap_or_default();
    let is_chip = |name: &str| compatible.split('\0').any(|one| one == name);
    let chip = tables.jetson().chip.iter().find(|chip| is_chip(&chip.compatible));
    // Older boards call themselves `Jetson-AGX`, without their maker.
    if chip.is_none() && !model.contains("Jetson") {
        return None;
    }
    notes.source("jetson.model", "/proc/device-tree/model");
    let release = "/etc/nv_tegra_release";
    let l4t = crate::text(system, release).ok().as_deref().and_then(l4t_release);
    if l4t.is_some() {
        notes.source("jetson.l4t", release);
    }
    let jetpack = l4t.as_deref().and_then(|l4t| tables.jetson().jetpack(l4t));
    Some(Jetson {
        model,
        chip: chip.map(|chip| chip.name.clone()),
        jetpack: jetpack.map(|row| row.version.clone()),
        l4t,
    })
}

/// `36.4.3` from `# R36 (release), REVISION: 4.3, GCID: …`.
fn l4t_release(text: &str) -> Option<String> {
    let major = text.strip_prefix("# R")?.split_whitespace().next()?;
    let minor = text.split_once("REVISION: ")?.1.split(',').next()?;
    Some(format!("{major}.{}", minor.trim()))
}

/// The graphics processor in a board's chip, which is on no bus.
pub(crate) fn gpu(around: &Surroundings<'_>, board: &Jetson, said: Option<&Nvml>) -> Option<Gpu> {
    let table = around.tables.jetson();
    let chip = table.chip.iter().find(|chip| Some(&chip.name) == board.chip.as_ref())?;
    let jetpack = board.l4t.as_deref().and_then(|l4t| table.jetpack(l4t));
    let contained = around.virtualization.kind == VirtualizationKind::Container;
    let why = match jetpack {
        None if contained => message!(
            "the container was started without the board's own libraries, so its JetPack is not known here (`--runtime nvidia`)"
        ),
        Some(row) => message!(
            "JetPack {} serves it, with CUDA {}; it shares the board's memory",
            row.version,
            row.cuda
        ),
        None => {
            message!("the board's software (L4T) does not say its release: it may not be NVIDIA's")
        }
    };
    let name = said.and_then(|said| said.devices.first()?.name.clone());
    Some(Gpu {
        vendor: "nvidia".to_owned(),
        name: name.or_else(|| Some(format!("NVIDIA {}", chip.name))),
        architecture: Some(chip.architecture.clone()),
        compute_capability: Some(chip.compute_capability.clone()),
        integrated: Some(true),
        driver: jetpack.map(|row| Driver {
            name: "nvgpu".to_owned(),
            version: None,
            cuda: Some(row.cuda.clone()),
        }),
        usable: jetpack.is_some(),
        obstacle: (jetpack.is_none() && contained).then_some(Obstacle::ShutOut),
        why,
        ..Gpu::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_in_the_first_line() {
        let text = "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64";
        assert_eq!(l4t_release(text).as_deref(), Some("36.4.3"));
        assert_eq!(l4t_release("R36"), None);
    }
}
