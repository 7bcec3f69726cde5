//! What is decided of the services of a platform.

use std::collections::BTreeSet;

use aitk_system::message;

use super::recipe::Recipe;
use crate::model::Step;
use crate::project::ServiceSpec;
use crate::situation::Situation;
use crate::step::form::{EachService, ServiceMasks, ServicePackages};
use crate::step::{self, Action, AptPackages, MaskedUnits};

/// Something of all services, each once; `None` where there is nothing.
fn of_all(on: &Situation<'_>, of: impl Fn(&ServiceSpec) -> &Vec<String>) -> Option<Vec<String>> {
    let services = on.profile.project.iter().flat_map(|project| &project.services);
    let all: BTreeSet<_> = services.flat_map(of).cloned().collect();
    (!all.is_empty()).then(|| all.into_iter().collect())
}

/// Nothing starts them but systemd.
fn judge_systemd(on: &Situation<'_>, step: &mut Step) {
    if !on.machine.systemd {
        step.block(
            message!("services are started by systemd, which does not run here"),
            message!("take a machine that was started with systemd; in WSL `systemd=true` in /etc/wsl.conf does it"),
        );
    }
}

impl Recipe for ServiceMasks {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(MaskedUnits { units: of_all(on, |service| &service.masks)? }.into())
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        judge_systemd(on, step);
    }
}

impl Recipe for ServicePackages {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(AptPackages { packages: of_all(on, |service| &service.apt)? }.into())
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        judge_systemd(on, step);
    }
}

impl Recipe for EachService {
    fn action(&self, _: &Situation<'_>) -> Option<Action> {
        let name = self.name.clone()?;
        Some(step::Service { name }.into())
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        judge_systemd(on, step);
    }
}
