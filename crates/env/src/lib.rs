//! Python environments: resolved to a [`aitk_plan::Lock`], built aside as a [`Generation`].
//!
//! Two managers do it behind one trait, [`Backend`]: `conda` with the rattler crates, `venv` with uv. Downloads happen
//! here and nowhere else; each is checked against the hash that the lock names.

mod archive;
mod backend;
mod bundle;
mod bytecode;
mod certificates;
mod error;
mod fetch;
mod files;
mod generation;
mod http;
mod inside;
mod lock;
mod netrc;
mod place;
mod reasons;
mod received;
mod runtime;
mod secrets;
mod sha256;
mod strangers;
mod sweep;
mod usage;
mod uv_cache;

use std::path::{Path, PathBuf};

use aitk_detect::installers::ClientCertificate;

pub use backend::{
    Advisory, Audit, Backend, ChosenBuild, Footprint, Site, UvProgram, UvSources, audit, backend,
    cached_uv, channel_answers, channels_of, fetch_uv, find_uv, install_uv, note_of, own_uv,
    uv_wheel,
};
pub use bundle::{Bundle, Wrapped, open_bundle, write_bundle};
pub use error::{EnvError, get_python};
pub use fetch::{FetchProgress, fetch_all, fetch_small, is_fetched};
pub use files::Depth;
pub use generation::{
    Added, Addition, Builder, Cure, Damage, EnvironmentFault, Environments, Generation,
    GenerationRecord, Mender, Occasion, RECORD, Reason, Running, State, Switch, add_again,
    foreign_place, give_back, running,
};
pub use http::HttpClient;
pub use inside::Inside;
pub use lock::read_locks;
pub use received::{note_received, received};
pub use secrets::{Credential, Proxy, without_secrets};
pub use sha256::file_hash;
pub use strangers::strangers;
pub use sweep::{CACHE, unneeded};
pub use usage::{Usage, on_disk};

/// Sources and folders: everything about the surroundings that resolving and building need to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Environments, conda and uv.
    pub data: PathBuf,
    /// Downloads and answers of sources: all of it can be fetched again.
    pub cache: PathBuf,
    /// Index of Python packages; the default of pip and uv where `None`.
    pub index_url: Option<String>,
    /// Indexes that uv is set to besides, which come before that one.
    pub more_indexes: Vec<String>,
    /// How uv is set to choose between them.
    pub index_strategy: Option<String>,
    /// Up to when what is published counts, where nothing else is chosen.
    pub exclude_newer: Option<String>,
    /// The uv that the user names; the pinned one where `None`.
    pub uv: Option<PathBuf>,
    /// Index that has the framework's builds; PyTorch's own where `None`.
    pub torch_index: Option<String>,
    /// Conda channels by name or address, the preferred one first; conda-forge where it is empty.
    pub channels: Vec<String>,
    /// The channels that conda itself is set to, where those of this run are borrowed and not kept.
    pub kept_channels: Option<Vec<String>>,
    /// Where channels that are named and not addressed are; conda's own default where `None`.
    pub channel_alias: Option<String>,
    /// Addresses of channels and indexes with the credentials that they were given with.
    pub secrets: Vec<Credential>,
    /// Files of certificates that the user has named for pip, curl or conda.
    pub certificates: Vec<PathBuf>,
    /// What the user shows to sources that ask who he is.
    pub client: Option<ClientCertificate>,
    /// The file of names and passwords by host that curl, pip and uv read.
    pub netrc: Option<PathBuf>,
    /// The proxy that pip alone is told of.
    pub proxy: Option<Proxy>,
    /// No source is asked; what the cache lacks is an error.
    pub offline: bool,
    /// A source has been waited for in vain already: the next one is asked only once.
    pub waited: bool,
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

    /// Conda packages unpacked, which environments share files with.
    pub fn unpacked(&self) -> PathBuf {
        self.cache.join("pkgs")
    }

    /// The folder in which conda finds environments by their names.
    pub fn named_environments(&self) -> PathBuf {
        self.data.join("conda").join("envs")
    }
}

/// A path as text. Paths of ours come from text, so nothing is lost.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
