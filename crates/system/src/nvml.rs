//! What NVIDIA's management library says, which comes with the driver and is looked for at run time. It is asked in a
//! process of its own ([`child`]): it may crash or hang, and takes nothing along then.

pub(crate) mod child;
mod library;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::message;
use crate::message::{Message, ToMessage};

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
    /// It ended the process that asked it, by this signal where it was one.
    Crashed(Option<i32>),
    /// It says something else.
    Other(String),
}

impl ToMessage for NvmlFailure {
    fn to_message(&self) -> Message {
        match self {
            Self::Missing => message!("NVIDIA's management library is not there"),
            Self::Mismatch => {
                message!(
                    "NVIDIA's libraries and the loaded kernel module are of different versions"
                )
            }
            Self::TimedOut => message!("NVIDIA's driver does not answer"),
            Self::Crashed(Some(signal)) => {
                message!("NVIDIA's management library crashes when it is asked (signal {signal})")
            }
            Self::Crashed(None) => {
                message!("NVIDIA's management library ends the program that asks it")
            }
            Self::Other(said) => message!("NVIDIA's driver says: {}", said),
        }
    }
}

impl fmt::Display for NvmlFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}

impl std::error::Error for NvmlFailure {}
