//! Which programs run from generations: what they have started, mapped or stand in.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aitk_system::{System, paths};
use schemars::JsonSchema;
use serde::Serialize;

use super::place::Generation;

/// A program that runs from a generation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Running {
    /// Its number; another process may have it later.
    pub pid: u32,
    /// Its name, as the kernel keeps it (15 characters).
    pub name: String,
}

/// The programs that run from each generation below `data`, by the path of its folder. Those of other users are seen by
/// root alone.
pub fn running(system: &dyn System, data: &Path) -> BTreeMap<PathBuf, Vec<Running>> {
    let mut found: BTreeMap<PathBuf, Vec<Running>> = BTreeMap::new();
    let homes = homes(system, data);
    for pid in system.list(Path::new("/proc")).unwrap_or_default() {
        let Ok(number) = pid.parse() else { continue };
        let process = Path::new("/proc").join(&pid);
        let name = || system.text(process.join("comm")).unwrap_or_default().trim().to_owned();
        for generation in used_by(system, &process, &homes) {
            found.entry(generation).or_default().push(Running { pid: number, name: name() });
        }
    }
    found
}

/// The folders of environments: where they really are, as the kernel names them, and as aitk does.
fn homes(system: &dyn System, data: &Path) -> Vec<(String, PathBuf)> {
    let envs = data.join("envs");
    let names = system.list(&envs).unwrap_or_default();
    let home = |name: &String| {
        let named = envs.join(name);
        (format!("{}/", paths::resolve(system, &named).unwrap_or(named.clone()).display()), named)
    };
    names.iter().map(home).collect()
}

fn used_by(system: &dyn System, process: &Path, homes: &[(String, PathBuf)]) -> BTreeSet<PathBuf> {
    let links = ["exe", "cwd"].map(|link| system.read_link(&process.join(link)));
    let links = links.into_iter().flatten().map(|path| path.to_string_lossy().into_owned());
    let texts = ["maps", "cmdline"].map(|file| system.text(process.join(file)));
    let texts: Vec<_> = links.chain(texts.into_iter().flatten()).collect();
    let mut used = BTreeSet::new();
    for (real, named) in homes {
        for text in &texts {
            let places = text.match_indices(real).filter_map(|(at, _)| text.get(at + real.len()..));
            let ends = |c: char| c == '/' || c.is_whitespace() || c == '\0';
            let names = places.map(|rest| rest.split(ends).next().unwrap_or_default());
            used.extend(
                names.filter(|name| Generation::is_name(name)).map(|name| named.join(name)),
            );
        }
    }
    used
}

#[cfg(test)]
#[expect(clippy::disallowed_types, reason = "a program is to run")]
mod tests {
    use std::process::{Command, Stdio};

    use aitk_system::Real;

    use super::*;

    #[test]
    fn a_program_that_runs_from_a_generation_is_found_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, data) = (folder.path().join("disk"), folder.path().join("data"));
        Real.symlink(Path::new("disk"), &data).unwrap();
        let (one, other) = ("envs/ai/0123456789abcdef", "envs/ai/0123456789abcdef.2");
        for generation in [one, other] {
            Real.create_dir(&disk.join(generation).join("bin")).unwrap();
        }
        let program = disk.join(other).join("bin/slow");
        Real.write(&program, &Real.read(Path::new("/bin/sleep")).unwrap(), 0o755).unwrap();
        let mut child = Command::new(&program).arg("60").stdin(Stdio::null()).spawn().unwrap();
        let found = running(&Real, &data);
        child.kill().unwrap();
        child.wait().unwrap();
        let own = Running { pid: child.id(), name: "slow".to_owned() };
        assert_eq!(found, [(data.join(other), vec![own])].into());
        assert_eq!(running(&Real, &data), BTreeMap::new());
    }
}
