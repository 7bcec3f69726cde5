//! Python environments: resolved to a [`Lock`], built aside as a [`Generation`].
//!
//! Downloads happen here and nowhere else; each is checked against the hash that the lock names.

mod error;
mod fetch;
mod generation;
mod index;
mod lock;
mod resolve;
mod uv;
mod wheel;

use std::path::{Path, PathBuf};

pub use error::EnvError;
pub use fetch::{Client, FetchProgress, fetch_all};
pub use generation::{Damage, Environments, Generation, Record, Tools};
pub use lock::{Layer, Lock, Locked, Target};
pub use resolve::{Request, resolve};
pub use uv::{Uv, fetch_uv, find_uv, install_uv, own_uv};

/// Sources and folders: everything about the surroundings that resolving and building need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Environments and uv.
    pub data: PathBuf,
    /// Downloads.
    pub cache: PathBuf,
    /// Index of Python packages; the default of pip and uv where `None`.
    pub index_url: Option<String>,
    /// Index that has the framework's builds; PyTorch's own where `None`.
    pub torch_index: Option<String>,
    /// Ask no source.
    pub offline: bool,
}

impl Settings {
    /// Where wheels are kept.
    pub fn wheels(&self) -> PathBuf {
        self.cache.join("wheels")
    }

    /// uv's own cache, which environments share files with.
    pub fn uv_cache(&self) -> PathBuf {
        self.cache.join("uv")
    }
}

/// A path as text. Paths of ours come from text, so nothing is lost.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
