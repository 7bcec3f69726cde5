//! What somebody has put into a generation beside its packages, and what it changes there: code that runs at every
//! start of Python, and names that are found before those of the packages. What the user installs is a package, too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aitk_plan::normalized;
use aitk_system::{Message, System, message};

use super::place::Generation;
use super::record::GenerationRecord;
use crate::backend::backend;
use crate::error::EnvError;
use crate::text;

/// Where programs are found without an environment.
const SYSTEM: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];
/// Modules that Python imports at every start, if they are there.
const AT_START: [&str; 2] = ["sitecustomize", "usercustomize"];
/// What conda's shells read when they enter or leave an environment.
const READ_BY_SHELLS: [&str; 2] = ["etc/conda/activate.d", "etc/conda/deactivate.d"];

/// A file or folder that belongs to no package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    /// The file or folder that does it.
    pub path: PathBuf,
    /// What it does to every start of Python.
    pub message: Message,
}

impl Generation {
    /// What belongs to no package, and changes what runs.
    ///
    /// # Errors
    /// Where the list of files cannot be read.
    pub fn additions(&self, system: &dyn System) -> Result<Vec<Addition>, EnvError> {
        let Some(record) = self.record(system) else { return Ok(Vec::new()) };
        let look = AdditionScan { system, root: self.path(), owned: self.owned(system, &record)? };
        let mut found = Vec::new();
        for folder in look.searched_by_python(record.manager.brings_python()) {
            look.beside_modules(&folder, &mut found);
        }
        look.beside_programs(&mut found);
        for folder in READ_BY_SHELLS {
            for name in look.unowned(folder).filter(|name| name.ends_with(".sh")) {
                look.tell(
                    folder,
                    &name,
                    message!("is read by every shell that enters the environment"),
                    &mut found,
                );
            }
        }
        Ok(found)
    }

    /// Every file that belongs to a package, to one of the user's own, or to the environment itself.
    fn owned(
        &self,
        system: &dyn System,
        record: &GenerationRecord,
    ) -> Result<BTreeSet<String>, EnvError> {
        let groups = self.groups(system)?;
        let ours = groups.into_iter().flat_map(|group| group.files).map(|note| note.path);
        let backend = backend(record.manager);
        let by_hand = self.of_the_user(system, record);
        let by_hand = by_hand.iter().flat_map(|one| backend.paths(system, self.path(), one));
        Ok(ours.chain(by_hand).collect())
    }
}

struct AdditionScan<'a> {
    system: &'a dyn System,
    root: &'a Path,
    owned: BTreeSet<String>,
}

impl AdditionScan<'_> {
    /// The folders that Python imports from, relative to the environment.
    fn searched_by_python(&self, own_library: bool) -> Vec<String> {
        let names = self.system.list(&self.root.join("lib")).unwrap_or_default().into_iter();
        let pythons = names.filter(|name| name.starts_with("python3"));
        pythons
            .flat_map(|python| {
                let site = format!("lib/{python}/site-packages");
                // The library of a virtual environment's Python is the system's.
                let own = [format!("lib/{python}"), format!("lib/{python}/lib-dynload")];
                let own = own.into_iter().filter(move |_| own_library);
                std::iter::once(site).chain(own)
            })
            .collect()
    }

    /// What stands in a folder because of a package.
    fn owned_in(&self, folder: &str) -> BTreeSet<&str> {
        let prefix = format!("{folder}/");
        let from = self.owned.range(prefix.clone()..);
        let inside = from.map_while(|path| path.strip_prefix(&prefix));
        inside.map(|rest| rest.split('/').next().unwrap_or(rest)).collect()
    }

    /// The names in a folder that belong to nobody.
    fn unowned(&self, folder: &str) -> impl Iterator<Item = String> {
        let owned = self.owned_in(folder);
        let names = self.system.list(&self.root.join(folder)).unwrap_or_default();
        let names: Vec<_> =
            names.into_iter().filter(|name| !owned.contains(name.as_str())).collect();
        names.into_iter()
    }

    fn beside_modules(&self, folder: &str, found: &mut Vec<Addition>) {
        let there: BTreeSet<_> =
            self.system.list(&self.root.join(folder)).unwrap_or_default().into_iter().collect();
        let owned = self.owned_in(folder);
        let owned = || owned.iter().filter(|name| there.contains(**name));
        let modules: BTreeSet<_> = owned().filter_map(|name| self.module(folder, name)).collect();
        let packages: BTreeSet<_> = owned().filter_map(|name| package(name)).collect();
        for name in self.unowned(folder) {
            let module = self.module(folder, &name);
            let starts = module.as_deref().is_some_and(|module| AT_START.contains(&module));
            if name.starts_with('~') {
                self.tell(folder, &name, message!("is what pip left of one"), found);
            } else if name.ends_with(".pth") || starts {
                self.tell(folder, &name, message!("is run by Python at every start"), found);
            } else if let Some(module) = module.filter(|module| modules.contains(module)) {
                self.tell(folder, &name, message!("can hide the module `{module}`"), found);
            } else if let Some(package) = package(&name).filter(|name| packages.contains(name)) {
                let tells =
                    message!("tells of another version of {package} than the one that is there");
                self.tell(folder, &name, tells, found);
            }
        }
    }

    fn beside_programs(&self, found: &mut Vec<Addition>) {
        for name in self.unowned("bin") {
            let hidden = SYSTEM.iter().map(|folder| Path::new(folder).join(&name));
            if let Some(hidden) = hidden.into_iter().find(|path| self.system.exists(path)) {
                let tells = message!("is found before {}", hidden.display());
                self.tell("bin", &name, tells, found);
            }
        }
    }

    /// The module that an entry of a folder is imported as.
    fn module(&self, folder: &str, name: &str) -> Option<String> {
        let module = match name.split_once('.') {
            Some((module, suffix)) => {
                let suffix = suffix.rsplit('.').next().unwrap_or(suffix);
                ["py", "pyc", "so"].contains(&suffix).then_some(module)?
            }
            None => {
                let inside = self.system.list(&self.root.join(folder).join(name)).ok()?;
                inside.iter().any(|file| file.starts_with("__init__.")).then_some(name)?
            }
        };
        Some(module.to_owned())
    }

    fn tell(&self, folder: &str, name: &str, does: Message, found: &mut Vec<Addition>) {
        let path = self.root.join(folder).join(name);
        let message = message!(
            "{} belongs to no package, and {does}",
            text(Path::new(folder).join(name).as_path())
        );
        found.push(Addition { path, message });
    }
}

/// The package that a folder of metadata tells of.
fn package(name: &str) -> Option<String> {
    Some(normalized(name.strip_suffix(".dist-info")?.split_once('-')?.0))
}
