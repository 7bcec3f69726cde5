//! NVIDIA's management library, which comes with the driver and is looked for at run time.

use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nvml_wrapper::Nvml as Library;
use nvml_wrapper::error::NvmlError;
use serde::{Deserialize, Serialize};

use crate::message;
use crate::message::{Message, Told};

/// Where the library is: where the loader finds it, and where Windows puts it for WSL, which `sudo` and services do
/// not always have on the loader's path.
const PLACES: [&str; 2] = ["libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1"];

/// `NVML_DEVICE_MIG_ENABLE`.
const MIG_ON: u32 = 1;

/// What the driver of NVIDIA says of itself and its devices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nvml {
    /// Version of the driver; on WSL that of Windows.
    pub driver: Option<String>,
    /// The newest CUDA that it serves, as 1000 × major + 10 × minor.
    pub cuda: Option<i32>,
    /// The devices that it manages.
    pub devices: Vec<NvmlDevice>,
}

/// A device, as NVIDIA's driver knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NvmlDevice {
    /// Address on the PCI bus, `00000000:01:00.0`.
    pub bus: String,
    /// Device and vendor in one number, `0x250410de`.
    pub pci_id: Option<u32>,
    /// Name for people.
    pub name: Option<String>,
    /// Memory in bytes.
    pub memory: Option<u64>,
    /// Compute capability, major and minor.
    pub compute_capability: Option<(i32, i32)>,
    /// Memory in bytes of each part that it is divided into (MIG); empty where it is whole.
    pub parts: Vec<u64>,
    /// Whether it is to be used in parts (MIG); `None` where it cannot be, or older recordings do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mig: Option<bool>,
}

/// Why the library has no answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NvmlFailure {
    /// It is not on this machine.
    Missing,
    /// It is of another version than the kernel's module: one was upgraded while the other ran on.
    Mismatch,
    /// It did not answer in time.
    TimedOut,
    /// It says something else.
    Other(String),
}

impl Told for NvmlFailure {
    fn told(&self) -> Message {
        match self {
            Self::Missing => message!("NVIDIA's management library is not there"),
            Self::Mismatch => {
                message!(
                    "NVIDIA's libraries and the loaded kernel module are of different versions"
                )
            }
            Self::TimedOut => message!("NVIDIA's driver does not answer"),
            Self::Other(said) => message!("NVIDIA's driver says: {}", said),
        }
    }
}

impl fmt::Display for NvmlFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

impl std::error::Error for NvmlFailure {}

/// Asks the library, for as long as `patience`.
pub(crate) fn ask(patience: Duration) -> Result<Nvml, NvmlFailure> {
    ask_at(PLACES.map(PathBuf::from).to_vec(), patience)
}

fn ask_at(places: Vec<PathBuf>, patience: Duration) -> Result<Nvml, NvmlFailure> {
    let (answer, wait) = mpsc::channel();
    // A driver that hangs holds its caller inside of the kernel, where nothing ends it: the thread is left behind.
    let asked = thread::Builder::new().spawn(move || _ = answer.send(look(&places)));
    if asked.is_err() {
        return Err(NvmlFailure::TimedOut);
    }
    wait.recv_timeout(patience).unwrap_or(Err(NvmlFailure::TimedOut))
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
    use std::time::Instant;

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
        let found = ask_at(library(folder.path(), &[]), Duration::from_secs(5)).unwrap();
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
        let ask =
            |settings: &[&str]| ask_at(library(folder.path(), settings), Duration::from_secs(5));
        // NVML_ERROR_LIB_RM_VERSION_MISMATCH and NVML_ERROR_DRIVER_NOT_LOADED.
        assert_eq!(ask(&["-DINIT=18"]), Err(NvmlFailure::Mismatch));
        assert!(matches!(ask(&["-DINIT=9"]), Err(NvmlFailure::Other(_))));
        let missing = ask_at(vec!["/nowhere/libnvidia-ml.so.1".into()], Duration::from_secs(5));
        assert_eq!(missing, Err(NvmlFailure::Missing));
    }

    #[test]
    fn a_driver_that_hangs_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let places = library(folder.path(), &["-DSLEEP=30"]);
        let since = Instant::now();
        assert_eq!(ask_at(places, Duration::from_millis(300)), Err(NvmlFailure::TimedOut));
        assert!(since.elapsed() < Duration::from_secs(10));
    }
}
