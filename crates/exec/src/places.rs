//! The places where aitk can have made something. What a receipt says is a claim: anybody who can write the file can
//! make it, so nothing is ever taken away that is not in one of these.

use std::path::{Component, Path, PathBuf};
use std::sync::LazyLock;

use aitk_detect::Folders;
use aitk_env::Generation;
use aitk_export::{ServicePlace, TargetList};
use aitk_plan::{Profile, SWAP_FILE, StepKind, gpu_groups, names};

/// Where NVIDIA's tool describes the devices for containers.
pub(crate) const CDI: &str = "/etc/cdi/nvidia.yaml";

/// Where an administrator has units of systemd's.
pub(crate) const UNITS: &str = "/etc/systemd/system";

/// The folders of a user that the places are in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Environments, conda and uv.
    pub data: PathBuf,
    /// The folder of Jupyter's kernels, `~/.local/share/jupyter/kernels`.
    pub kernels: PathBuf,
    /// The user's home: nothing outside of it is taken away without root.
    pub home: PathBuf,
    /// Folders where conda looks for environments by their names, beside aitk's own.
    pub named: Vec<PathBuf>,
}

/// Something that aitk can have made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A package of the system.
    Package(String),
    /// An environment in a folder of its own.
    Generation(PathBuf),
    /// The link to the one in use.
    Current(PathBuf),
    /// The history of an environment.
    History(PathBuf),
    /// A link by which conda knows an environment.
    Named(PathBuf),
    /// uv.
    Uv(PathBuf),
    /// A kernel of Jupyter's.
    Kernel(PathBuf),
    /// The link to this program on the user's PATH.
    Program(PathBuf),
    /// A page of the manual, or what a shell completes by.
    Laid(PathBuf),
    /// Lines in a shell's file.
    Lines(PathBuf),
    /// A file of the system.
    SystemFile(PathBuf),
    /// That the user belongs to a group.
    Group(String),
    /// What Docker knows of NVIDIA.
    Runtime,
    /// A package source of apt's.
    Source(String),
    /// The swap file.
    Swap,
    /// The folder of a project.
    Project(PathBuf),
    /// A service of systemd's.
    Service(String),
    /// That a unit of somebody else's does not start.
    Mask(String),
}

impl Places {
    /// Those of a user, whose environments were made known to these condas of the user's own.
    pub fn new<'a>(
        folders: &Folders,
        data: &Path,
        condas: impl IntoIterator<Item = &'a Path>,
    ) -> Self {
        let named = condas.into_iter().map(|conda| conda.join("envs"));
        Self {
            data: data.to_owned(),
            kernels: folders.jupyter.join("kernels"),
            home: folders.home.clone(),
            named: std::iter::once(folders.home.join(".conda/envs")).chain(named).collect(),
        }
    }

    /// The link to this program.
    pub fn program(&self) -> PathBuf {
        self.home.join(".local/bin/aitk")
    }

    /// The folder of the user's own pages of the manual: `man` looks there where `~/.local/bin` is on PATH.
    pub fn manual(&self) -> PathBuf {
        self.home.join(".local/share/man/man1")
    }

    /// Where shells look for what completes the arguments of this program, each with the name of its shell.
    pub fn completions(&self) -> [(&'static str, PathBuf); 3] {
        [
            ("bash", "bash-completion/completions/aitk"),
            ("zsh", "zsh/site-functions/_aitk"),
            ("fish", "fish/vendor_completions.d/aitk.fish"),
        ]
        .map(|(shell, place)| (shell, self.home.join(".local/share").join(place)))
    }

    /// Whether a file of that name can be laid beside the link to this program.
    fn can_be_laid(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let page = name.strip_prefix("aitk").and_then(|name| name.strip_suffix(".1"));
        let is_command = |name: &str| name.bytes().all(|c| c.is_ascii_lowercase() || c == b'-');
        path.parent() == Some(&self.manual()) && page.is_some_and(is_command)
            || self.completions().iter().any(|(_, place)| place == path)
    }

    /// Where a path that aitk made is; `None` for any other one.
    fn thing_at(&self, path: &Path) -> Option<Thing> {
        let owned = path.to_owned();
        if let Ok(inside) = path.strip_prefix(&self.data) {
            let parts: Vec<_> = inside.components().map(|part| part.as_os_str().to_str()).collect();
            return match parts[..] {
                [Some("envs"), Some(_), Some("current")] => Some(Thing::Current(owned)),
                [Some("envs"), Some(_), Some("history.jsonl")] => Some(Thing::History(owned)),
                [Some("envs"), Some(_), Some(name)] if Generation::is_name(name) => {
                    Some(Thing::Generation(owned))
                }
                [Some("conda"), Some("envs"), Some(_)] => Some(Thing::Named(owned)),
                [Some("tools"), Some(name), Some("uv" | "uv.sha256" | "uv.part")]
                    if name.starts_with("uv-") =>
                {
                    Some(Thing::Uv(owned))
                }
                _ => None,
            };
        }
        if path == self.program() {
            return Some(Thing::Program(owned));
        }
        if self.can_be_laid(path) {
            return Some(Thing::Laid(owned));
        }
        let folder = path.parent()?;
        if path.file_name()? == "kernel.json" && folder.parent()? == self.kernels {
            return Some(Thing::Kernel(owned));
        }
        // A conda that was used once may be named nowhere any more. What goes there is only a link to aitk's environment.
        folder.ends_with("envs").then_some(Thing::Named(owned))
    }
}

impl Thing {
    /// What a key of a receipt means; `None` where aitk cannot have made it.
    pub fn read(key: &str, places: &Places) -> Option<Self> {
        let (kind, name) = key.split_once(':')?;
        let word = |fits: bool, thing: fn(String) -> Self| fits.then(|| thing(name.to_owned()));
        match kind {
            "apt" => word(names::apt_package::fits(name), Self::Package),
            "path" => places.thing_at(&plain(name)?),
            "init" => {
                let file = plain(name)?;
                shell_files(&places.home).contains(&file).then_some(Self::Lines(file))
            }
            "file" => {
                let file = plain(name)?;
                let of_service = services().iter().any(|one| {
                    one.files.iter().any(|file| file == name) || note_path(&one.name) == name
                });
                let known =
                    name == CDI || of_service || system_files().any(|(path, _)| path == name);
                known.then_some(Self::SystemFile(file))
            }
            "group" => word(gpu_groups().iter().any(|group| group == name), Self::Group),
            "runtime" => (name == "nvidia").then_some(Self::Runtime),
            "source" => word(names::package_name::fits(name), Self::Source),
            "project" => plain(name).map(Self::Project),
            "service" => word(services().iter().any(|one| one.name == name), Self::Service),
            "mask" => {
                let known = services().iter().any(|one| one.masks.iter().any(|unit| unit == name));
                word(known, Self::Mask)
            }
            "swap" => (name == SWAP_FILE).then_some(Self::Swap),
            _ => None,
        }
    }
}

/// The services that aitk can have set up, with their files.
pub(crate) fn services() -> &'static [ServicePlace] {
    static SERVICES: LazyLock<Vec<ServicePlace>> = LazyLock::new(|| {
        TargetList::builtin().map_or_else(|_| Vec::new(), |list| list.service_places().collect())
    });
    &SERVICES
}

/// Where root notes what aitk has written of a service, with the hash of each file.
pub(crate) fn note_path(name: &str) -> String {
    format!("/etc/aitk/{name}/made")
}

/// The files that aitk can have put lines into.
pub(crate) fn shell_files(home: &Path) -> [PathBuf; 3] {
    [".bashrc", ".zshrc", ".config/fish/config.fish"].map(|file| home.join(file))
}

/// An absolute path without detours and control characters.
fn plain(text: &str) -> Option<PathBuf> {
    let path = PathBuf::from(text);
    let parts =
        path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    (path.is_absolute() && parts && names::line::fits(text)).then_some(path)
}

/// The files of the system that the profiles which come with aitk write, with what they say.
pub(crate) fn system_files() -> impl Iterator<Item = (String, String)> {
    let profiles = Profile::names().filter_map(|name| Profile::builtin(name).ok());
    let kinds = profiles.flat_map(|profile| profile.steps).map(|step| step.kind);
    kinds.filter_map(|kind| match kind {
        StepKind::DriverHold(hold) => Some((hold.path, hold.content)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_aitk_can_have_made_is_something() {
        let places = Places {
            data: "/home/ann/.local/share/aitk".into(),
            kernels: "/home/ann/.local/share/jupyter/kernels".into(),
            home: "/home/ann".into(),
            named: vec!["/home/ann/.conda/envs".into()],
        };
        let data = "path:/home/ann/.local/share/aitk";
        for (inside, fits) in [
            ("/envs/ai/0123456789abcdef", true),
            ("/envs/ai/0123456789abcdef.2", true),
            ("/envs/ai/0123456789abcdef.x", false),
            ("/envs/ai/current", true),
            ("/envs/ai/history.jsonl", true),
            ("/envs/ai/notes", false),
            ("/envs/ai", false),
            ("/envs/../../../x/0123456789abcdef", false),
            ("/envs/ai/0123456789abcdef/x", false),
            ("/conda/envs/ai", true),
            ("/tools/uv-1/uv", true),
            ("/tools/uv-1/uv.sha256", true),
            ("/tools/mine/uv", false),
            ("/mine", false),
            ("", false),
        ] {
            assert_eq!(
                Thing::read(&format!("{data}{inside}"), &places).is_some(),
                fits,
                "{inside}"
            );
        }
        for key in [
            "path:/home/ann/.local/bin/aitk",
            "path:/home/ann/.local/share/man/man1/aitk.1",
            "path:/home/ann/.local/share/man/man1/aitk-plan.1",
            "path:/home/ann/.local/share/zsh/site-functions/_aitk",
            "path:/home/ann/.local/share/jupyter/kernels/aitk-ai/kernel.json",
            "path:/home/ann/.conda/envs/ai",
            "init:/home/ann/.bashrc",
            "file:/etc/apt/apt.conf.d/60aitk-nvidia",
            "file:/etc/cdi/nvidia.yaml",
            "group:render",
            "source:vscode",
            "swap:/swapfile",
            "runtime:nvidia",
            "service:mlflow",
            "mask:prometheus.service",
            "file:/etc/systemd/system/aitk-mlflow.service",
            "apt:libc6:amd64",
        ] {
            assert!(Thing::read(key, &places).is_some(), "{key}");
        }
        for key in [
            "path:/home/ann/precious",
            "path:/home/ann/.local/bin/other",
            "path:/home/ann/.local/share/man/man1/other.1",
            "path:/home/ann/.local/share/man/man1/aitk.1.gz",
            "path:/home/ann/.local/share/man/man3/aitk.1",
            "path:/home/ann/.local/share/zsh/site-functions/_other",
            "path:/home/ann/.local/share/jupyter/kernels/aitk-ai",
            "path:/home/ann/.local/share/jupyter/kernels/../kernels/aitk-ai/kernel.json",
            "path:relative",
            "path:",
            "path:/",
            "file:/etc/hosts",
            "file:/etc/cdi/../hosts",
            "source:../../../../home/ann/x\n",
            "source:../x",
            "swap:/etc/hostname",
            "init:/etc/passwd",
            "init:/home/ann/precious",
            "group:sudo",
            "apt:curl; rm -rf x",
            "apt:-y",
            "runtime:other",
            "service:ssh",
            "mask:ssh.service",
            "file:/etc/systemd/system/ssh.service",
            "other:/home/ann/.bashrc",
            "nothing",
            "",
        ] {
            assert_eq!(Thing::read(key, &places), None, "{key:?}");
        }
    }
}
