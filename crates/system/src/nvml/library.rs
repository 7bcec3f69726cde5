//! The library itself, in the process that is there for it.

use std::path::PathBuf;

use nvml_wrapper::Nvml as Library;
use nvml_wrapper::error::NvmlError;

use super::{Nvml, NvmlDevice, NvmlFailure};

/// Where the library is: where the loader finds it, and where Windows puts it for WSL, which `sudo` and services do
/// not always have on the loader's path.
const PLACES: [&str; 2] = ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];

/// `NVML_DEVICE_MIG_ENABLE`.
const MIG_ON: u32 = 1;

/// Asks it, for as long as that takes.
pub(super) fn ask() -> Result<Nvml, NvmlFailure> {
    look(&PLACES.map(PathBuf::from))
}

fn look(places: &[PathBuf]) -> Result<Nvml, NvmlFailure> {
    let library = open(places)?;
    let count = library.device_count().map_err(failure)?;
    Ok(Nvml {
        driver: library.sys_driver_version().ok(),
        cuda: library.sys_cuda_driver_version().ok(),
        devices: (0..count).filter_map(|index| device(&library, index)).collect(),
    })
}

fn open(places: &[PathBuf]) -> Result<Library, NvmlFailure> {
    let mut last = NvmlFailure::Missing;
    for place in places {
        match Library::builder().lib_path(place.as_os_str()).init() {
            Ok(library) => return Ok(library),
            Err(NvmlError::LibloadingError(_) | NvmlError::LibraryNotFound) => {}
            Err(error) => last = failure(error),
        }
    }
    Err(last)
}

fn device(library: &Library, index: u32) -> Option<NvmlDevice> {
    let device = library.device_by_index(index).ok()?;
    let pci = device.pci_info().ok();
    let parts = device.mig_device_count().unwrap_or(0);
    let parts = (0..parts).filter_map(|part| device.mig_device_by_index(part).ok());
    Some(NvmlDevice {
        bus: pci.as_ref().map(|pci| pci.bus_id.clone()).unwrap_or_default(),
        pci_id: pci.map(|pci| pci.pci_device_id),
        name: device.name().ok(),
        memory: device.memory_info().ok().map(|memory| memory.total),
        compute_capability: device
            .cuda_compute_capability()
            .ok()
            .map(|capability| (capability.major, capability.minor)),
        parts: parts.filter_map(|part| Some(part.memory_info().ok()?.total)).collect(),
        mig: device.mig_mode().ok().map(|mode| mode.current == MIG_ON),
    })
}

fn failure(error: NvmlError) -> NvmlFailure {
    match error {
        NvmlError::LibRmVersionMismatch => NvmlFailure::Mismatch,
        other => NvmlFailure::Other(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;

    const STUB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/support/nvml/stub.c");

    /// A library made of the stub with these settings.
    fn library(folder: &Path, settings: &[&str]) -> Vec<PathBuf> {
        let path = folder.join("libnvidia-ml.so.1");
        let mut compiler = Command::new("cc");
        let compiler =
            compiler.args(["-shared", "-fPIC", "-o"]).arg(&path).args(settings).arg(STUB);
        assert!(compiler.status().expect("cc is there, as for linking this test").success());
        vec![PathBuf::from("/nowhere/libnvidia-ml.so.1"), path]
    }

    #[test]
    fn a_library_is_found_and_asked() {
        let folder = tempfile::tempdir().unwrap();
        let found = look(&library(folder.path(), &[])).unwrap();
        let device = NvmlDevice {
            bus: "00000000:01:00.0".into(),
            pci_id: Some(0x2504_10de),
            name: Some("NVIDIA Stand-in".into()),
            memory: Some(12 << 30),
            compute_capability: Some((8, 6)),
            parts: vec![3 << 30],
            mig: Some(true),
        };
        let expected =
            Nvml { driver: Some("580.95.05".into()), cuda: Some(13000), devices: vec![device] };
        assert_eq!(found, expected);
    }

    #[test]
    fn what_the_library_refuses_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let ask = |settings: &[&str]| look(&library(folder.path(), settings));
        // NVML_ERROR_LIB_RM_VERSION_MISMATCH and NVML_ERROR_DRIVER_NOT_LOADED.
        assert_eq!(ask(&["-DINIT=18"]), Err(NvmlFailure::Mismatch));
        assert!(matches!(ask(&["-DINIT=9"]), Err(NvmlFailure::Other(_))));
        let missing = look(&["/nowhere/libnvidia-ml.so.1".into()]);
        assert_eq!(missing, Err(NvmlFailure::Missing));
    }
}
