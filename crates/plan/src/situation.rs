//! What a plan is decided by.

use std::path::Path;

use aitk_detect::{Machine, VirtualizationKind};

use crate::basics::{Ground, basics};
use crate::catalog::Catalog;
use crate::choices::Choices;
use crate::driver::DriverAction;
use crate::framework::Decision;
use crate::manager::Manager;
use crate::profile::{Profile, ProfileStep};
use crate::python::PythonChoice;
use crate::requires::at_least;

/// What a plan is decided by.
pub(crate) struct Situation<'a> {
    pub machine: &'a Machine,
    pub profile: &'a Profile,
    pub choices: &'a Choices,
    pub manager: Manager,
    pub catalog: &'a Catalog,
    pub python: &'a PythonChoice,
    pub framework: &'a Decision,
    pub driver: &'a DriverAction<'a>,
}

/// Where a swap file goes.
pub const SWAP_FILE: &str = "/swapfile";
/// File systems that take one without care of their own.
const HOLD_SWAP: [&str; 4] = ["ext4", "ext3", "ext2", "xfs"];

impl Situation<'_> {
    /// Whether a step is there for everybody, or the user asked for it.
    pub fn is_wished(&self, from: &ProfileStep) -> bool {
        from.with.as_ref().is_none_or(|name| self.choices.with.contains(name))
            && (!from.project || self.profile.project.is_some())
    }

    pub fn is_wsl(&self) -> bool {
        let kind = self.machine.virtualization.kind;
        matches!(kind, VirtualizationKind::Wsl1 | VirtualizationKind::Wsl2)
    }

    pub fn has_gpu(&self, maker: &str) -> bool {
        self.machine.gpus.iter().any(|gpu| gpu.vendor == maker)
    }

    pub fn lacks_swap(&self) -> bool {
        let (memory, thresholds) = (&self.machine.memory, &self.profile.memory);
        memory.usable().is_some_and(|usable| !at_least(usable, thresholds.swap_below))
            && memory.swap.unwrap_or(0) < thresholds.swap_below.0 / 2
    }

    /// Whether a swap file is this machine's own business, and its file system can hold one.
    pub fn may_have_swap(&self) -> bool {
        let own = matches!(
            self.machine.virtualization.kind,
            VirtualizationKind::BareMetal | VirtualizationKind::Vm
        );
        let root =
            self.machine.disks.iter().filter(|disk| Path::new(SWAP_FILE).starts_with(&disk.mount));
        let root = root.max_by_key(|disk| disk.mount.as_os_str().len());
        own && root.is_none_or(|disk| HOLD_SWAP.contains(&disk.filesystem.as_str()))
    }

    /// The rows of the tables that have decided here.
    pub fn grounds(&self) -> Vec<Ground> {
        let (machine, catalog) = (self.machine, self.catalog);
        let mut all = vec![basics().python.ground(), basics().age.ground()];
        let version = machine.os.version.as_deref().unwrap_or_default();
        let row = catalog.distro(&machine.os.id, version);
        all.extend(row.map(|row| Ground::new("distro", &machine.os.name, &row.source, &row.as_of)));
        for gpu in &machine.gpus {
            let nvidia = gpu.pci_id.as_deref().filter(|_| gpu.vendor == "nvidia");
            let row = nvidia.and_then(|id| catalog.tables.nvidia().architecture(id));
            all.extend(
                row.map(|row| Ground::new("architecture", &row.name, &row.source, &row.as_of)),
            );
            let row = gpu.gfx.as_deref().and_then(|gfx| catalog.tables.amd().target(gfx));
            all.extend(row.map(|row| Ground::new("target", &row.gfx, &row.source, &row.as_of)));
        }
        if let DriverAction::Install { row, .. } = self.driver {
            all.push(Ground::new("driver", &row.version, &row.source, &row.as_of));
            all.push(basics().kernels.ground());
        }
        if let Decision::Take { framework, builds, .. } = self.framework {
            all.push(Ground::new(
                "framework",
                &framework.name,
                &framework.source,
                &framework.as_of,
            ));
            for build in builds {
                all.push(Ground::new("build", &build.name, &build.source, &build.as_of));
                let (Some(origin), Some(cuda)) = (&build.kernels, &build.cuda) else { continue };
                let row = catalog.tables.nvidia().kernels(origin, "999", cuda, &machine.arch);
                all.extend(row.map(|row| Ground::new("kernels", origin, &row.source, &row.as_of)));
            }
        }
        if self.manager == Manager::Venv {
            all.push(Ground::new("uv", &catalog.uv.version, &catalog.uv.source, &catalog.uv.as_of));
        }
        all.dedup();
        all
    }

    /// Whether the plan installs a driver: where one is needed, and asked for by name.
    pub fn installs_driver(&self) -> bool {
        matches!(self.driver, DriverAction::Install { .. }) && may_install(self.choices)
    }
}

/// Whether a driver may be installed: only where it is asked for by name.
pub(crate) fn may_install(choices: &Choices) -> bool {
    choices.drivers && !choices.user_only
}
