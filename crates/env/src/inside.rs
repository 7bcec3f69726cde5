//! What it takes to work in an environment. This is the one place that says what a program gets which runs there: the
//! commands `aitk run`, `shell` and `lab`, the kernel that Jupyter starts, and the proofs.

use std::path::PathBuf;

use aitk_plan::{SET, STRAY};
use aitk_system::{Command, DEFAULT_PATH, System, absolute_path, quote};

/// What it takes to work in an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inside {
    /// Folders whose programs come before all others.
    pub folders: Vec<PathBuf>,
    /// Variables that this manager's environments have beside `PATH`, with their values.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// The folder of the scripts that packages want to be read before a program starts.
    pub(crate) scripts: Option<PathBuf>,
    /// What bash reads to be in it, once the variables are as they should be.
    pub(crate) activation: String,
    /// What fish reads to be in it; `None` where the variables must do.
    pub(crate) fish: Option<String>,
}

impl Inside {
    /// Variables that are set, beside `PATH`.
    fn set(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let own = self.variables.iter().map(|(name, value)| (*name, value.as_str()));
        SET.into_iter().chain(own)
    }

    /// Variables that must not be there.
    fn cleared(&self) -> impl Iterator<Item = &'static str> {
        STRAY.into_iter().filter(|name| self.set().all(|(set, _)| set != *name))
    }

    /// The variables of a kernel's file. It can only set variables: to Python, pip and uv an empty one is none.
    pub fn kernel(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.set().chain(self.cleared().map(|name| (name, "")))
    }

    /// A command with the environment in front of everything else, as activating it would have it. The scripts that
    /// packages bring for that run first.
    pub fn enter(&self, system: &dyn System, mut command: Command) -> Command {
        command.argv = self.activated(system, command.argv);
        let before = system.env("PATH").unwrap_or_else(|| DEFAULT_PATH.to_owned());
        let mut path: String =
            self.folders.iter().map(|folder| format!("{}:", folder.display())).collect();
        path += &before;
        // A relative element of the user's own would be searched in whatever folder a program runs.
        let path = absolute_path(&path);
        let cleared = self.cleared().map(|name| (name, ""));
        self.set()
            .chain(cleared)
            .fold(command.env("PATH", path), |command, (name, value)| command.env(name, value))
    }

    /// The words of a command that runs after the scripts of packages.
    fn activated(&self, system: &dyn System, words: Vec<String>) -> Vec<String> {
        let is_script = |name: &String| name.ends_with(".sh");
        let some =
            |folder: &&PathBuf| system.list(folder).is_ok_and(|names| names.iter().any(is_script));
        let Some(scripts) = self.scripts.as_ref().filter(some) else { return words };
        let load = format!(
            r#"for script in {}/*.sh; do . "$script"; done; exec "$@""#,
            quote(&scripts.to_string_lossy())
        );
        let bash = system.exists("/bin/bash");
        let shell = if bash { "/bin/bash" } else { "/bin/sh" };
        let begin = [shell, "-c", &load, "aitk"].map(str::to_owned);
        begin.into_iter().chain(words).collect()
    }

    /// What bash reads, after the user's own files, to be in the environment: those may set what leads elsewhere.
    pub fn bash(&self) -> String {
        let cleared: Vec<_> = self.cleared().collect();
        let set: String =
            self.set().map(|(name, value)| format!("export {name}={}\n", quote(value))).collect();
        format!("unset {}\n{set}{}", cleared.join(" "), self.activation)
    }

    /// The same for fish; `None` where the variables that it starts with must do.
    pub fn fish(&self) -> Option<String> {
        let own = self.fish.as_ref()?;
        let cleared: Vec<_> = self.cleared().collect();
        let set: String =
            self.set().map(|(name, value)| format!("set -gx {name} {}; ", quote(value))).collect();
        Some(format!("set -e {}; {set}{own}", cleared.join(" ")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use aitk_plan::Manager as Kind;
    use aitk_system::Real;

    use super::*;
    use crate::backend::backend;

    fn inside(kind: Kind) -> Inside {
        backend(kind).inside("ai", Path::new("/e/ai"), Path::new("/e/base"))
    }

    fn both() -> [Inside; 2] {
        Kind::ALL.map(inside)
    }

    #[test]
    fn everything_that_runs_in_an_environment_gets_the_same_variables() {
        for inside in both() {
            let kernel: BTreeMap<_, _> = inside.kernel().collect();
            let command = inside.enter(&Real, Command::reads(["true"]));
            let entered: BTreeMap<_, _> = command
                .env
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str()))
                .filter(|(name, _)| *name != "PATH")
                .collect();
            assert_eq!(entered, kernel);
            let (bash, fish) = (inside.bash(), inside.fish());
            let unset = bash.lines().next().unwrap();
            let erased = fish.as_deref().and_then(|fish| fish.split(';').next());
            for (name, value) in kernel {
                let is_among = |words: &str| words.split(' ').any(|word| word == name);
                let (there, in_fish) = match value {
                    "" => (is_among(unset), erased.is_none_or(is_among)),
                    value => {
                        let value = quote(value);
                        let set =
                            |fish: &String| fish.contains(&format!("set -gx {name} {value};"));
                        let exported = bash.contains(&format!("export {name}={value}\n"));
                        (exported, fish.as_ref().is_none_or(set))
                    }
                };
                assert!(there, "{name} in\n{bash}");
                assert!(in_fish, "{name} in\n{fish:?}");
            }
        }
    }

    #[test]
    fn each_manager_sets_its_own_variables_and_clears_the_others() {
        let of = |kind| {
            let inside = inside(kind);
            let all: BTreeMap<_, _> =
                inside.kernel().map(|(name, value)| (name, value.to_owned())).collect();
            all
        };
        let (conda, venv) = (of(Kind::Conda), of(Kind::Venv));
        assert_eq!((&*conda["CONDA_PREFIX"], &*conda["VIRTUAL_ENV"]), ("/e/ai", ""));
        assert_eq!((&*venv["CONDA_PREFIX"], &*venv["VIRTUAL_ENV"]), ("", "/e/ai"));
        for all in [conda, venv] {
            assert_eq!((&*all["PYTHONPATH"], &*all["PYTHONHOME"]), ("", ""));
            assert_eq!((&*all["PYTHONNOUSERSITE"], &*all["PIP_USER"]), ("1", "0"));
            for gone in ["PYTHONUSERBASE", "PIP_TARGET", "PIP_PREFIX", "CONDA_EXE", "MAMBA_EXE"] {
                assert_eq!(all[gone], "", "{gone}");
            }
            assert!(!all.contains_key("PIP_INDEX_URL") && !all.contains_key("PIP_CONFIG_FILE"));
        }
    }

    #[test]
    fn the_folders_of_the_environment_come_first() {
        let [first, _] = both();
        let command = first.enter(&Real, Command::reads(["true"]));
        let (_, path) = command.env.iter().find(|(name, _)| name == "PATH").unwrap();
        assert!(path.starts_with("/e/ai/bin:"), "{path}");
    }
}
