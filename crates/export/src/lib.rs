//! Renders a plan for another executor: data in, files out, no input or output between.
//!
//! A plan that is exported was made for a machine as it will be (nothing of it is done yet) and carries every package of
//! its environment with version, hash and address. The same plan gives the same bytes.

mod ansible;
mod cloud_init;
mod conda;
mod devcontainer;
mod dockerfile;
mod environment;
mod error;
mod key;
mod notebook;
mod pixi;
mod pylock;
mod quote;
mod requirements;
mod sbom;
mod script;
mod source;
mod vagrant;
mod wsl;

pub use error::ExportError;
pub use key::PublicKey;
pub use notebook::{NAME as NOTEBOOK, hosted};
pub use source::Source;

use aitk_plan::{Manager, nearest};

/// A form that a plan can be exported to.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// What a person types: `dockerfile`.
    pub name: &'static str,
    /// What it makes.
    pub makes: Makes,
    /// The environment manager whose packages it can carry; `None` where it carries those of any.
    pub manager: Option<Manager>,
    render: fn(&Source<'_>) -> Result<Export, ExportError>,
}

/// What a target makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// One file, which can go to standard output; its usual name.
    File(&'static str),
    /// Files that belong together, in a folder.
    Folder,
}

/// A plan in another form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// Its files; of a target that makes one file, that one.
    pub files: Vec<File>,
    /// What it leaves out of the plan: keys of texts below `export.without`.
    pub without: Vec<&'static str>,
}

/// A file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it lies in the folder.
    pub path: String,
    /// What it says.
    pub content: String,
    /// Whether it is a program.
    pub executable: bool,
}

impl File {
    /// A file to be read.
    pub fn new(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { path: path.into(), content: content.into(), executable: false }
    }

    /// A file to be run.
    pub fn program(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self { executable: true, ..Self::new(path, content) }
    }
}

/// All targets, in the order in which a person looks for them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "script",
        makes: Makes::File("aitk.sh"),
        manager: Some(Manager::Venv),
        render: script::render,
    },
    Target {
        name: "dockerfile",
        makes: Makes::Folder,
        manager: Some(Manager::Venv),
        render: dockerfile::render,
    },
    Target {
        name: "devcontainer",
        makes: Makes::Folder,
        manager: Some(Manager::Venv),
        render: devcontainer::render,
    },
    Target {
        name: "cloud-init",
        makes: Makes::Folder,
        manager: Some(Manager::Venv),
        render: cloud_init::render,
    },
    Target {
        name: "vagrant",
        makes: Makes::Folder,
        manager: Some(Manager::Venv),
        render: vagrant::render,
    },
    Target { name: "wsl", makes: Makes::Folder, manager: Some(Manager::Venv), render: wsl::render },
    Target { name: "ansible", makes: Makes::Folder, manager: None, render: ansible::render },
    Target {
        name: "environment.yml",
        makes: Makes::File("environment.yml"),
        manager: Some(Manager::Conda),
        render: environment::render,
    },
    Target {
        name: "requirements.txt",
        makes: Makes::File("requirements.txt"),
        manager: Some(Manager::Venv),
        render: requirements::render,
    },
    Target {
        name: "pylock.toml",
        makes: Makes::File("pylock.toml"),
        manager: Some(Manager::Venv),
        render: pylock::render,
    },
    Target {
        name: "pixi.toml",
        makes: Makes::Folder,
        manager: Some(Manager::Conda),
        render: pixi::render,
    },
    Target {
        name: "notebook",
        makes: Makes::File("notebook.ipynb"),
        manager: Some(Manager::Venv),
        render: notebook::render,
    },
    Target {
        name: "sbom",
        makes: Makes::File("sbom.cdx.json"),
        manager: None,
        render: sbom::render,
    },
];

impl Target {
    /// A target by its name.
    ///
    /// # Errors
    /// [`ExportError::Unknown`], with the nearest name.
    pub fn named(name: &str) -> Result<&'static Self, ExportError> {
        TARGETS.iter().find(|target| target.name == name).ok_or_else(|| ExportError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, TARGETS.iter().map(|target| target.name)),
        })
    }

    /// The plan in this form.
    ///
    /// # Errors
    /// Where the plan has what this form cannot carry.
    pub fn render(&self, source: &Source<'_>) -> Result<Export, ExportError> {
        source.fits()?;
        (self.render)(source)
    }
}
