//! The framework that a plan has, and the build of it.

use aitk_detect::Machine;
use aitk_system::{Message, message};

use crate::accelerate::{self, Selection, SelectionInput};
use crate::catalog::{Build, Catalog, DriverRow, Framework};
use crate::choices::Choices;
use crate::manager::Manager;
use crate::model::{Accelerator, FrameworkPlan};
use crate::names::version_pair;
use crate::python::{PythonChoice, choose_python};
use crate::request::BuildRequest;
use crate::requires::{at_least, unmet};
use crate::size::Bytes;

/// What became of the chosen framework.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    None,
    Take {
        framework: Box<Framework>,
        builds: Vec<Build>,
        accelerator: Box<Accelerator>,
        idle: Vec<(usize, Message)>,
    },
    Skip(Message),
    Block(Message, Message),
}

impl Decision {
    pub fn builds(&self) -> Vec<BuildRequest> {
        let Self::Take { builds, .. } = self else { return Vec::new() };
        let request = |build: &Build| BuildRequest {
            name: build.name.clone(),
            requirements: build.requirements.clone(),
            holds: build.holds.clone(),
            torch_backend: build.torch_backend.clone(),
            index: build.index.clone(),
            note: build.note.clone(),
        };
        builds.iter().map(request).collect()
    }

    pub fn requirements(&self) -> Vec<String> {
        match self {
            Self::Take { builds, .. } => builds[0].requirements.clone(),
            _ => Vec::new(),
        }
    }

    pub fn check(&self) -> String {
        match self {
            Self::Take { framework, .. } => framework.check.clone(),
            _ => String::new(),
        }
    }

    pub fn planned(&self, manager: Manager) -> Option<FrameworkPlan> {
        let Self::Take { framework, builds, accelerator, .. } = self else { return None };
        let computes = match accelerator.kind.as_str() {
            "none" => message!(", and computes on the CPU here"),
            // The solver says what for.
            _ if manager.solves_for_build() => Message::default(),
            _ => message!(", as the build {}", builds[0].name),
        };
        Some(FrameworkPlan {
            name: framework.name.clone(),
            build: builds[0].name.clone(),
            requirement: builds[0].requirements.join(" "),
            source: self.builds()[0].source(manager),
            why: vec![message!("{} was chosen{computes}", framework.title)],
        })
    }

    /// What computes by this decision; the processor, with the reason, where no framework is installed.
    pub fn accelerator(&self, machine: &Machine) -> Accelerator {
        if let Self::Take { accelerator, .. } = self {
            return (**accelerator).clone();
        }
        let why = match machine.gpus.is_empty() {
            true => message!("no GPU was found"),
            false => message!("no framework is installed that would compute on a GPU"),
        };
        Accelerator {
            kind: "none".to_owned(),
            gpus: Vec::new(),
            cuda: None,
            compute_capability: None,
            why: vec![why.to_owned()],
        }
    }
}

pub(crate) fn choose_framework(
    machine: &Machine,
    choices: &Choices,
    manager: Manager,
    catalog: &Catalog,
    python: &PythonChoice,
    driver: Option<&DriverRow>,
) -> Decision {
    let Some(framework) = catalog.framework(&choices.framework) else {
        return Decision::None;
    };
    let requires = framework.requirements(catalog.builds(&framework.name, manager));
    let enough = machine.memory.usable().is_none_or(|memory| at_least(memory, framework.memory));
    if !enough {
        let memory = Bytes(machine.memory.usable().unwrap_or(0)).binary();
        return Decision::Skip(message!(
            "no {}: it needs {} of memory and there are {memory}",
            framework.title,
            framework.memory.binary()
        ));
    }
    if let Some((why, remedy)) = unmet(machine, &requires) {
        return Decision::Block(Message::about(framework.title.as_str(), why), remedy);
    }
    if let Some((why, remedy)) = python.version().and_then(|version| misfit(framework, version)) {
        return Decision::Block(why, remedy);
    }
    let any = |row: &Build| row.arch.contains(&machine.arch);
    if !catalog.builds(&framework.name, manager).any(any) {
        return Decision::Block(
            message!("{} has no packages for {}", framework.title, machine.arch),
            message!("choose another --framework, or none"),
        );
    }
    let question = SelectionInput {
        machine,
        catalog,
        choices,
        manager,
        framework: &framework.name,
        python: python.version(),
        driver,
    };
    match accelerate::choose(question) {
        Ok(Selection { builds, accelerator, idle }) => Decision::Take {
            framework: Box::new(framework.clone()),
            builds,
            accelerator: Box::new(accelerator),
            idle,
        },
        Err(reasons) => Decision::Block(
            no_build(&framework.title, reasons),
            message!("leave out --accelerator, or choose another --framework"),
        ),
    }
}

fn no_build(title: &str, reasons: Vec<Message>) -> Message {
    match reasons.is_empty() {
        true => message!("{} has no such build", title),
        false => message!("no build of {} fits: {}", title, Message::list(reasons)),
    }
}

/// The manager whose build of the framework uses a device that conda's does not, and why: where nobody has chosen one, the
/// device decides.
pub fn manager_for_device(
    machine: &Machine,
    choices: &Choices,
    catalog: &Catalog,
) -> Option<(Manager, Message)> {
    let of = |manager| {
        let python = choose_python(machine, choices, manager, catalog);
        let missing = matches!(python, PythonChoice::Missing { .. });
        let decision = choose_framework(machine, choices, manager, catalog, &python, None);
        match decision {
            Decision::Take { builds, accelerator, .. } if !missing => Some((builds, accelerator)),
            _ => None,
        }
    };
    let uses = |accelerator: &Accelerator| accelerator.kind != "none";
    if of(Manager::Conda).is_some_and(|(_, accelerator)| uses(&accelerator)) {
        return None;
    }
    let (builds, accelerator) = of(Manager::Venv).filter(|(_, accelerator)| uses(accelerator))?;
    let gpu = accelerator.gpus.first().and_then(|index| machine.gpus.get(*index))?;
    let why = message!(
        "a virtual environment instead of conda: its build {} computes on {}, and conda has none that does",
        builds[0].name,
        accelerate::called(gpu)
    );
    Some((Manager::Venv, why))
}

/// Why a framework has no packages for a version of Python, and what to do.
fn misfit(framework: &Framework, version: (u32, u32)) -> Option<(Message, Message)> {
    let Framework { title, python_min, python_max, .. } = framework;
    let have = format!("{}.{}", version.0, version.1);
    if Some(version) > version_pair(python_max) {
        return Some((
            message!("Python {have} is too new: {title} has packages up to Python {python_max}"),
            message!(
                "install Python {python_max} beside it and add --python {python_max}, or choose --framework pytorch or none"
            ),
        ));
    }
    (Some(version) < version_pair(python_min)).then(|| {
        (
            message!("Python {have} is too old: {title} has packages from Python {python_min} on"),
            message!("use a newer release of the system, or add --framework none"),
        )
    })
}
