//! The Python that an environment is built on.

use aitk_detect::Machine;
use aitk_system::{Message, message};

use crate::basics::basics;
use crate::catalog::Catalog;
use crate::choices::Choices;
use crate::manager::Manager;
use crate::names::version_pair;

/// The Python that the environment is built on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PythonChoice {
    /// It is there.
    Found { interpreter: String, minor: (u32, u32) },
    /// The system step brings it.
    Expected { minor: Option<(u32, u32)> },
    /// There is none that fits.
    Missing { why: Message, remedy: Message },
    /// The environment brings its own.
    Own { minor: (u32, u32) },
}

/// A version of Python as conda asks for it.
pub(crate) fn conda_python(minor: String) -> String {
    format!("python {minor}.*")
}

impl PythonChoice {
    pub fn version(&self) -> Option<(u32, u32)> {
        match self {
            Self::Found { minor, .. } | Self::Own { minor } => Some(*minor),
            Self::Expected { minor } => *minor,
            Self::Missing { .. } => None,
        }
    }

    pub fn minor(&self) -> Option<String> {
        self.version().map(|(major, minor)| format!("{major}.{minor}"))
    }

    pub fn interpreter(&self) -> Option<String> {
        match self {
            Self::Found { interpreter, .. } => Some(interpreter.clone()),
            Self::Expected { .. } | Self::Missing { .. } => Some("/usr/bin/python3".to_owned()),
            Self::Own { .. } => None,
        }
    }
}

/// The version that was asked for, else the default, or the nearest that the framework has packages for.
fn own_python(choices: &Choices, manager: Manager, catalog: &Catalog) -> (u32, u32) {
    let wanted = choices.python.as_deref().and_then(version_pair);
    let row = catalog.framework(&choices.framework);
    let newest = row.and_then(|row| version_pair(&row.python_max));
    let builds = catalog.builds(&choices.framework, manager);
    let of_builds = builds.filter_map(|build| version_pair(build.python_max.as_deref()?)).max();
    let newest = newest.map(|newest| of_builds.map_or(newest, |own| own.min(newest)));
    let own = basics().python.own();
    wanted.unwrap_or_else(|| newest.map_or(own, |newest| newest.min(own)))
}

pub(crate) fn choose_python(
    machine: &Machine,
    choices: &Choices,
    manager: Manager,
    catalog: &Catalog,
) -> PythonChoice {
    if manager.brings_python() {
        return PythonChoice::Own { minor: own_python(choices, manager, catalog) };
    }
    let wanted = choices.python.as_deref().and_then(version_pair);
    let bounds = catalog
        .framework(&choices.framework)
        .and_then(|row| Some((version_pair(&row.python_min)?, version_pair(&row.python_max)?)));
    let fits = |minor: (u32, u32)| match (wanted, bounds) {
        (Some(wanted), _) => minor == wanted,
        (None, Some((oldest, newest))) => (oldest..=newest).contains(&minor),
        (None, None) => minor >= basics().python.oldest(),
    };
    let usable: Vec<_> = machine
        .python
        .iter()
        .filter_map(|python| Some((python, python.minor()?)))
        .filter(|(_, minor)| *minor >= basics().python.oldest())
        .collect();
    // The one that `python3` names comes first, then the newest that the framework has wheels for.
    let best = usable
        .first()
        .filter(|(_, minor)| fits(*minor))
        .or_else(|| usable.iter().filter(|(_, minor)| fits(*minor)).max_by_key(|(_, minor)| *minor))
        .or_else(|| usable.first().filter(|_| wanted.is_none()));
    if let Some((python, minor)) = best {
        return PythonChoice::Found {
            interpreter: python.path.display().to_string(),
            minor: *minor,
        };
    }
    let version = machine.os.version.as_deref().unwrap_or_default();
    let distro = catalog.distro(&machine.os.id, version);
    let minor = distro.and_then(|row| version_pair(row.python.as_deref()?));
    let comes = machine.tools.contains_key("apt-get") && !choices.user_only;
    match (wanted, minor) {
        (Some(wanted), minor) if minor != Some(wanted) || !comes => PythonChoice::Missing {
            why: message!("there is no Python {}.{} here", wanted.0, wanted.1),
            remedy: message!("install it, or leave out --python"),
        },
        _ if comes => PythonChoice::Expected { minor },
        _ => PythonChoice::Missing {
            why: message!("there is no Python of version 3.10 or newer here"),
            remedy: message!(
                "install python3 (on Debian and Ubuntu: sudo apt-get install python3 python3-pip python3-venv), then try again"
            ),
        },
    }
}
