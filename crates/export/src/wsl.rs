//! `wsl`: a distribution in Windows, with the settings of WSL that AI work wants.

use aitk_detect::{Machine, VirtualizationKind};
use aitk_plan::{Guest, MemoryThresholds};

use crate::quote::powershell;
use crate::{Export, ExportError, File, Source, script};

const INSTALL: &str = include_str!("../../../profiles/export/wsl/install.ps1");
const GIB: u64 = 1 << 30;

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    let name_of = |guest: &Guest| guest.wsl.clone();
    let name = source.guest().and_then(name_of);
    let name = name.ok_or_else(|| source.no_guest("wsl", name_of))?;
    let (memory, swap) = memory_and_swap(source.machine, source.memory);
    let (memory, swap) = (memory.to_string(), swap.to_string());
    let words = [
        ("DISTRIBUTION", name.as_str()),
        ("MEMORY", &memory),
        ("SWAP", &swap),
        ("ENVIRONMENT", source.name()),
    ];
    let config = "# What Windows lends to WSL, for all its distributions together: README.md says how these came about.\n\
        [wsl2]\nmemory=@MEMORY@GB\nswap=@SWAP@GB\n";
    let files = vec![
        File::new("README.md", source.readme("wsl", &words)),
        File::new(".wslconfig", source.fill(config, &words)),
        File::new("wsl.conf", "[boot]\nsystemd=true\n"),
        File::new("install.ps1", source.fill(INSTALL, &[("DISTRIBUTION", &powershell(&name))])),
        File::program("aitk.sh", script::text(source)),
    ];
    Ok(Export { files, without: script::without(source) })
}

/// What Windows should lend, in GB. Left to itself it lends half of its memory, and a quarter of that as swap; here it is
/// no less than the profile's minimum where a quarter is still left to Windows, and the profile's swap at least.
fn memory_and_swap(machine: &Machine, thresholds: MemoryThresholds) -> (u64, u64) {
    let is_wsl = machine.virtualization.kind == VirtualizationKind::Wsl2;
    let here = machine.memory.total.unwrap_or(thresholds.comfortable.0);
    // What is seen in WSL is what Windows lends it.
    let windows = if is_wsl { 2 * here } else { here };
    let wanted = (windows / 2).max(thresholds.minimum.0).min(windows / 4 * 3);
    // Firmware keeps a little to itself: 15.6 GiB are 16.
    let memory = ((wanted + GIB / 2) / GIB).max(1);
    let swap = memory.div_ceil(4).max(thresholds.swap_size.0 / GIB);
    (memory, swap)
}

#[cfg(test)]
mod tests {
    use aitk_plan::Bytes;

    use super::*;

    #[test]
    fn windows_lends_what_the_profile_asks_for_and_keeps_a_quarter() {
        let thresholds = MemoryThresholds {
            minimum: Bytes(8 * GIB),
            comfortable: Bytes(16 * GIB),
            swap_below: Bytes(2 * GIB),
            swap_size: Bytes(2 * GIB),
        };
        let of = |gigabytes: f64, kind| {
            let mut machine = Machine::default();
            machine.memory.total = Some((gigabytes * GIB as f64) as u64);
            machine.virtualization.kind = kind;
            memory_and_swap(&machine, thresholds)
        };
        let seen_in_wsl = |gigabytes| of(gigabytes, VirtualizationKind::Wsl2);
        assert_eq!(seen_in_wsl(3.8), (6, 2), "a PC with 8 GB");
        assert_eq!(seen_in_wsl(7.7), (8, 2), "a PC with 16 GB");
        assert_eq!(seen_in_wsl(31.2), (31, 8), "a PC with 64 GB");
        let seen_in_windows = |gigabytes| of(gigabytes, VirtualizationKind::BareMetal);
        assert_eq!(seen_in_windows(15.6), (8, 2));
        assert_eq!(seen_in_windows(31.2), (16, 4));
    }
}
