//! NVIDIA's library, asked no oftener than needed: on a machine where it wakes every device up first, that takes seconds.

use std::path::Path;
use std::time::Duration;

use aitk_system::{Nvml, NvmlFailure, System};
use serde::{Deserialize, Serialize};

use super::super::device::Surroundings;
use super::super::pci::Device;
use crate::line;

/// An answer that took no longer is not worth keeping.
const SLOW: Duration = Duration::from_millis(100);
/// How long a kept answer counts, in seconds: what is not in its key may change meanwhile.
const LASTS: i64 = 24 * 3600;

/// An answer with everything that it depends on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct CachedAnswer {
    boot: String,
    driver: Option<String>,
    devices: Vec<String>,
    /// Seconds since 1970.
    asked: i64,
    answer: Nvml,
}

/// What the library says, and where that comes from.
pub(crate) fn ask(
    around: &Surroundings<'_>,
    devices: &[&Device],
    driver: Option<&str>,
) -> Result<(Nvml, String), NvmlFailure> {
    let system = around.system;
    let path = around.cache.join("nvml.json");
    let boot = line(system, "/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let key = CachedAnswer {
        boot,
        driver: driver.map(str::to_owned),
        devices: devices.iter().map(|device| format!("{} {}", device.address, device.id)).collect(),
        asked: system.now().as_second(),
        answer: Nvml::default(),
    };
    if let Some(kept) = kept(system, &path, &key) {
        return Ok((kept, path.display().to_string()));
    }
    let since = system.now();
    let answer = system.nvml()?;
    if system.now().duration_since(since).unsigned_abs() > SLOW && !key.boot.is_empty() {
        keep(system, &path, CachedAnswer { answer: answer.clone(), ..key });
    }
    Ok((answer, "libnvidia-ml.so.1 (NVML)".to_owned()))
}

fn kept(system: &dyn System, path: &Path, key: &CachedAnswer) -> Option<Nvml> {
    let kept: CachedAnswer = serde_json::from_slice(&system.read(path).ok()?).ok()?;
    let fresh = (0..LASTS).contains(&key.asked.saturating_sub(kept.asked));
    let same = kept.boot == key.boot && kept.driver == key.driver && kept.devices == key.devices;
    (fresh && same && !key.boot.is_empty()).then_some(kept.answer)
}

/// Keeps an answer where that is allowed; it is no loss where it is not.
fn keep(system: &dyn System, path: &Path, kept: CachedAnswer) {
    if let Ok(json) = serde_json::to_vec(&kept) {
        let _ = system.write(path, &json, 0o644);
    }
}
