//! How services stand: what `status` says of them.

use aitk_plan::{Project, ServiceSpec};
use aitk_system::{Command, Message, System, ToMessage as _};

use super::note::key;
use super::unit::{ask, is_active};
use crate::receipt::Receipt;

/// How a service stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceState {
    /// The service as the project of the plan describes it.
    pub service: ServiceSpec,
    /// Its version; `None` where nobody can tell.
    pub version: Option<String>,
    /// Whether systemd runs it.
    pub runs: bool,
    /// What it answers where that is not what it should; nothing where it is.
    pub astray: Option<Message>,
}

/// How the services of a project stand that aitk has set up here.
pub fn service_states(
    project: &Project,
    receipt: &Receipt,
    system: &dyn System,
) -> Vec<ServiceState> {
    let made = project.services.iter().filter(|service| receipt.has_made(&key(&service.name)));
    let state = |service: &ServiceSpec| ServiceState {
        version: version_of(service, receipt, system),
        runs: is_active(&service.unit(), system).unwrap_or_default(),
        astray: match system.run(&ask(service, 0)) {
            Ok(said) => (!said.success()).then(|| Message::plain(said.tail(1))),
            Err(error) => Some(error.to_message()),
        },
        service: service.clone(),
    };
    made.map(state).collect()
}

fn version_of(service: &ServiceSpec, receipt: &Receipt, system: &dyn System) -> Option<String> {
    if !service.python.is_empty() {
        return receipt.objects.get(&key(&service.name))?.detail.clone();
    }
    let package = service.apt.first()?;
    let said = Command::reads(["dpkg-query", "--show", "--showformat", "${Version}", package]);
    let said = system.run(&said).ok().filter(|said| said.success())?;
    Some(said.stdout.trim().to_owned())
}
