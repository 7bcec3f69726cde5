//! NVIDIA Jetson boards.

use aitk_system::System;

use crate::line;
use crate::machine::Jetson;

/// A Jetson by its device tree's model. Other ARM machines with NVIDIA graphics are not called so.
pub(crate) fn probe(system: &dyn System, arch: &str) -> Option<Jetson> {
    if arch != "aarch64" {
        return None;
    }
    let model = line(system, "/proc/device-tree/model")?;
    let l4t = system.text("/etc/nv_tegra_release").ok();
    (model.starts_with("NVIDIA") && model.contains("Jetson")).then(|| Jetson {
        model,
        l4t: l4t.as_deref().and_then(l4t_release),
        jetpack: None,
    })
}

/// `36.4.3` from `# R36 (release), REVISION: 4.3, GCID: …`.
fn l4t_release(text: &str) -> Option<String> {
    let major = text.strip_prefix("# R")?.split_whitespace().next()?;
    let minor = text.split_once("REVISION: ")?.1.split(',').next()?;
    Some(format!("{major}.{}", minor.trim()))
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
