//! The environment managers, each of which resolves, builds, mends and tells what stands there.

mod common;
mod conda;
mod dist_info;
mod venv;

use aitk_plan::Manager;

pub(crate) use common::InstalledPackage;
pub use common::{Backend, ChosenBuild, Footprint, Site};
pub use conda::{channel_answers, channels_of};
pub(crate) use dist_info::same_version;
pub use venv::{
    Advisory, Audit, UvProgram, UvSources, audit, cached_uv, fetch_uv, find_uv, install_uv,
    note_of, own_uv, uv_wheel,
};

/// The one of a kind.
pub fn backend(kind: Manager) -> &'static dyn Backend {
    match kind {
        Manager::Conda => &conda::CondaBackend,
        Manager::Venv => &venv::Venv,
    }
}
