//! What is decided of the steps of the system: archives, drivers, groups and swap.

use aitk_detect::VirtualizationKind;
use aitk_system::{Message, message};

use super::recipe::Recipe;
use crate::basics::gpu_groups;
use crate::driver::DriverAction;
use crate::framework::Decision;
use crate::model::Step;
use crate::profile::{Estimate, ProfileStep};
use crate::situation::{SWAP_FILE, Situation};
use crate::size::Bytes;
use crate::step::form::{
    AfterDriver, DriverHold, DriverSource, GpuDriver, GpuGroups, GpuLogin, PendingUpgrades,
    PinnedUv, Swap, VendorSource,
};
use crate::step::{
    Action, AptPackages, AptSource, AptUpgrade, Groups, Login, Restart, StepKind, SwapFile,
    SystemFile, Unavailable, Uv,
};

impl Recipe for PendingUpgrades {
    fn action(&self, _: &Situation<'_>) -> Option<Action> {
        Some(AptUpgrade {}.into())
    }

    fn left_out(&self, on: &Situation<'_>) -> Option<Message> {
        on.choices.no_upgrade.then(|| message!("left out by --no-upgrade"))
    }
}

impl VendorSource {
    fn row(&self, on: &Situation<'_>) -> Option<AptSource> {
        on.catalog.apt_source(&self.source, on.machine)
    }
}

impl Recipe for VendorSource {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(self.row(on).map_or_else(|| Unavailable {}.into(), Action::from))
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        if self.row(on).is_none() {
            let (name, os) = (&self.source, &on.machine.os.name);
            step.block(
                message!("there is no repository `{name}` for {os} on {}", on.machine.arch),
                message!("leave out the --with that asks for it"),
            );
        }
    }
}

impl Recipe for DriverSource {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        match on.driver {
            DriverAction::Install { source, .. } if on.installs_driver() => {
                source.as_deref().cloned().map(Action::from)
            }
            _ => None,
        }
    }
}

impl Recipe for GpuDriver {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        match on.driver {
            DriverAction::Fine => None,
            DriverAction::Person { .. } => Some(Unavailable {}.into()),
            DriverAction::Install { packages, .. } => {
                Some(AptPackages { packages: packages.clone() }.into())
            }
        }
    }

    fn estimate(&self, on: &Situation<'_>, _: Estimate) -> Estimate {
        match on.driver {
            DriverAction::Install { row, .. } => row.estimate,
            _ => Estimate::default(),
        }
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        match on.driver {
            DriverAction::Fine => {}
            DriverAction::Person { why, remedy } => {
                step.skip(why.clone());
                step.remedy = Some(remedy.clone());
            }
            DriverAction::Install { why, .. } => {
                step.why.push(why.clone());
                if !on.choices.drivers {
                    step.skip(message!(
                        "a driver is installed only where it is asked for by name: add --drivers"
                    ));
                }
            }
        }
    }
}

impl Recipe for DriverHold {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let Self { path, content } = self.clone();
        on.installs_driver().then(|| SystemFile { path, content }.into())
    }
}

impl Recipe for AfterDriver {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let is_driver = |step: &&ProfileStep| matches!(step.kind, StepKind::GpuDriver(_));
        let drivers = on.profile.steps.iter().filter(is_driver);
        let after = drivers.map(|step| step.id.clone()).collect();
        on.installs_driver().then(|| Restart { after }.into())
    }
}

impl Recipe for Swap {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let size = on.profile.memory.swap_size.0;
        let swap = SwapFile { path: SWAP_FILE.to_owned(), size };
        (on.lacks_swap() && on.may_have_swap()).then(|| swap.into())
    }

    fn estimate(&self, on: &Situation<'_>, _: Estimate) -> Estimate {
        Estimate { disk: on.profile.memory.swap_size, ..Estimate::default() }
    }
}

/// The groups that may use the devices that compute; none where these are open to everybody.
fn groups(on: &Situation<'_>) -> Option<Vec<String>> {
    let Decision::Take { accelerator, .. } = on.framework else { return None };
    let closed = ["rocm", "xpu"].contains(&accelerator.kind.as_str());
    // What a container's user may use was settled when it was started: there is no other login.
    let contained = on.machine.virtualization.kind == VirtualizationKind::Container;
    let root = on.machine.privilege.root;
    let concerns = closed && !accelerator.gpus.is_empty() && !root && !contained;
    concerns.then(|| gpu_groups().to_vec())
}

impl Recipe for GpuGroups {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(Groups { groups: groups(on)? }.into())
    }
}

impl Recipe for GpuLogin {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(Login { groups: groups(on)? }.into())
    }
}

impl Recipe for PinnedUv {
    fn action(&self, _: &Situation<'_>) -> Option<Action> {
        Some(Uv {}.into())
    }

    fn estimate(&self, on: &Situation<'_>, _: Estimate) -> Estimate {
        let mut wheels = on.catalog.uv.wheels.iter();
        let size = wheels.find(|wheel| wheel.arch == on.machine.arch).map_or(0, |wheel| wheel.size);
        // The program is stored deflated in its wheel and takes about 2.7 times that on disk, as measured.
        Estimate { download: Bytes(size), disk: Bytes(size.saturating_mul(37) / 10), files: 2 }
    }
}
