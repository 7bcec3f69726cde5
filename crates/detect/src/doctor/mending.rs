//! What of an environment that somebody else has made can be mended, read from its files, none of which is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aitk_system::{Message, System, message};

use super::frameworks::{no_gpu_build, no_kernels};
use super::prefix::{Prefix, PythonPackage, normal};
use super::{BOOK, Manages, ProbeContext};
use crate::machine::Machine;
use crate::tables::Tables;

/// An environment of venv's, and what is wrong with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ailing {
    /// Where it is in truth.
    pub path: PathBuf,
    /// `3.12`, where it can be told.
    pub python: Option<String>,
    /// Whether conda looks after it.
    pub of_conda: bool,
    /// The tool that looks after it.
    pub managed: Option<Manages>,
    /// What pip has left of packages.
    pub left_overs: Vec<PathBuf>,
    /// Packages that are there in part, or more than once.
    pub broken: Vec<Broken>,
    /// The version of a PyTorch whose build does not go with the machine, and how that shows.
    pub torch: Option<(String, Message)>,
    /// Everything else that is there, with its version.
    pub sound: BTreeMap<String, String>,
    /// What no index can bring back.
    pub hopeless: Vec<Message>,
}

/// A package that is there in part, or more than once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Its name.
    pub name: String,
    /// The versions that are noted.
    pub versions: Vec<String>,
    /// The descriptions of the other versions, which are none of a package that stands there.
    pub others: Vec<PathBuf>,
    /// The one that it is to be: the one that is whole, else the newest.
    pub version: String,
    /// What is wrong with it.
    pub why: Message,
}

impl Ailing {
    /// Whether there is anything to mend.
    pub fn is_sound(&self) -> bool {
        self.left_overs.is_empty() && self.broken.is_empty() && self.torch.is_none()
    }
}

/// What is wrong with an environment; `None` where there is none.
pub fn ailing(
    system: &dyn System,
    machine: &Machine,
    tables: &Tables,
    named: &Path,
) -> Option<Ailing> {
    let prefix = Prefix::read(system, named)?;
    let mut found = Ailing {
        path: prefix.path.clone(),
        python: prefix.python.map(|(major, minor)| format!("{major}.{minor}")),
        of_conda: prefix.conda.is_some(),
        ..Ailing::default()
    };
    let manager = BOOK.manages.iter().find(|one| system.exists(found.path.join(&one.mark)));
    found.managed = manager.cloned();
    if let Some(site) = prefix.site.clone() {
        let names = system.list(&site).unwrap_or_default();
        let left = names.iter().filter(|name| name.starts_with('~'));
        found.left_overs = left.map(|name| site.join(name)).collect();
        for (name, noted) in noted(&site, &names) {
            found.judge(system, &site, name, &noted);
        }
    }
    let case = ProbeContext { system, machine, tables, prefix: Some(prefix), own: None };
    let why = no_gpu_build(&case).into_iter().chain(no_kernels(&case)).next();
    let torch = case.prefix.as_ref().and_then(|prefix| prefix.torch.clone());
    found.torch = torch.zip(why).map(|(torch, why)| (torch.version, why));
    Some(found)
}

/// The descriptions of each package.
fn noted(site: &Path, names: &[String]) -> BTreeMap<String, Vec<PythonPackage>> {
    let mut noted: BTreeMap<String, Vec<PythonPackage>> = BTreeMap::new();
    let folders = names.iter().filter(|name| !name.starts_with('~'));
    for folder in folders.filter_map(|name| name.strip_suffix(".dist-info")) {
        let Some((name, version)) = folder.rsplit_once('-') else { continue };
        let metadata = site.join(format!("{folder}.dist-info"));
        let package = PythonPackage { version: version.to_owned(), metadata };
        noted.entry(normal(name)).or_default().push(package);
    }
    noted
}

impl Ailing {
    fn judge(&mut self, system: &dyn System, site: &Path, name: String, noted: &[PythonPackage]) {
        let lacks = |package: &PythonPackage| lacking(system, site, package);
        let mut whole = noted.iter().filter(|package| lacks(package).is_none());
        let (first, second) = (whole.next(), whole.next());
        let versions: Vec<_> = noted.iter().map(|package| package.version.clone()).collect();
        let why = match noted {
            [one] => match lacks(one) {
                None => {
                    self.sound.insert(name, one.version.clone());
                    return;
                }
                Some(file) => {
                    message!("{name} {} lacks {}", one.version, file.display(), name = &name)
                }
            },
            _ => message!("{name} is there more than once: {}", versions.join(", "), name = &name),
        };
        let elsewhere =
            noted.iter().find(|one| system.exists(one.metadata.join("direct_url.json")));
        let unlisted = noted.iter().find(|one| system.text(one.metadata.join("RECORD")).is_err());
        if elsewhere.is_some() {
            let remedy = message!("install it again from where it came");
            self.hopeless.push(message!("{why}; it came from no index: {remedy}"));
        } else if let Some(package) = unlisted {
            let folder = package.metadata.display();
            let remedy = message!("take that folder away, and install the package again");
            self.hopeless.push(message!("{why}; {folder} has no list of its files: {remedy}"));
        } else {
            // The files are those of whichever came last, which need not be the newest.
            let kept = first.filter(|_| second.is_none());
            let newest = noted.iter().max_by(|one, other| ordered(&one.version, &other.version));
            let kept = kept.or(newest);
            let version = kept.map(|kept| kept.version.clone()).unwrap_or_default();
            let others = noted.iter().filter(|one| one.version != version);
            let others = others.map(|one| one.metadata.clone()).collect();
            self.broken.push(Broken { name, versions, others, version, why });
        }
    }
}

/// Numbers of versions in their order; what is none of a number comes first.
fn ordered(one: &str, other: &str) -> std::cmp::Ordering {
    let numbers = |text: &str| {
        text.split(['.', '+', '-']).map(|part| part.parse().unwrap_or(-1)).collect::<Vec<i64>>()
    };
    numbers(one).cmp(&numbers(other))
}

/// The first file of a package that is not there, or has another size than its list says.
fn lacking(system: &dyn System, site: &Path, package: &PythonPackage) -> Option<PathBuf> {
    let record = system.text(package.metadata.join("RECORD")).ok()?;
    let mut files = record.lines().filter_map(|line| {
        let mut fields = line.split(',');
        let file = fields.next().filter(|file| !file.is_empty())?;
        let size = fields.nth(1).and_then(|size| size.parse::<u64>().ok());
        // Compiled files come and go, and a name in quotes is another matter.
        (!file.ends_with(".pyc") && !file.starts_with('"')).then(|| (site.join(file), size))
    });
    let lost = files.find(|(file, size)| {
        let stat = system.stat(file).ok();
        // Programs are written anew for their place, and an empty file is one that was cut.
        stat.is_none_or(|stat| stat.size == 0 && size.is_some_and(|size| size > 0))
    });
    lost.map(|(file, _)| file)
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;
    use crate::machine::Gpu;

    fn read(files: &[(&str, &str)], machine: &Machine) -> Ailing {
        let root = tempfile::tempdir().unwrap();
        let site = root.path().join("env/lib/python3.12/site-packages");
        Real.write(&root.path().join("env/pyvenv.cfg"), b"", 0o644).unwrap();
        for (file, text) in files {
            Real.write(&site.join(file), text.as_bytes(), 0o644).unwrap();
        }
        let tables = Tables::default();
        ailing(&Replay::tree(root.path()), machine, &tables, Path::new("/env")).unwrap()
    }

    #[test]
    fn of_two_versions_the_one_that_is_whole_is_kept() {
        let both = [
            ("six-1.9.0.dist-info/RECORD", "six.py,sha256=x,3\nold.py,sha256=x,3\n"),
            ("six-1.10.0.dist-info/RECORD", "six.py,sha256=x,3\n"),
            ("six.py", "one"),
        ];
        let ailing = read(&both, &Machine::default());
        assert_eq!(ailing.broken[0].version, "1.10.0");
        assert_eq!(ailing.broken[0].versions.len(), 2);
        assert!(ailing.broken[0].others[0].ends_with("six-1.9.0.dist-info"));
        // Where both are whole nobody can tell: the newest.
        let whole = read(&[&both[..], &[("old.py", "one")]].concat(), &Machine::default());
        assert_eq!(whole.broken[0].version, "1.10.0");
        let older = [
            ("six-1.9.0.dist-info/RECORD", "six.py,sha256=x,3\n"),
            ("six-1.10.0.dist-info/RECORD", "six.py,sha256=x,3\nnew.py,sha256=x,3\n"),
            ("six.py", "one"),
        ];
        assert_eq!(read(&older, &Machine::default()).broken[0].version, "1.9.0");
    }

    #[test]
    fn what_is_lost_or_cut_is_found_and_what_no_index_has_is_named() {
        let ailing = read(
            &[
                ("lost-1.0.dist-info/RECORD", "lost/__init__.py,sha256=x,3\nlost/a.pyc,,\n"),
                ("lost/other.py", "x"),
                ("cut-1.0.dist-info/RECORD", "cut.py,sha256=x,3\n"),
                ("cut.py", ""),
                ("own-1.0.dist-info/RECORD", "own.py,sha256=x,3\n"),
                ("own-1.0.dist-info/direct_url.json", "{}"),
                ("fine-1.0.dist-info/RECORD", "fine.py,sha256=x,0\nfine-1.0.dist-info/RECORD,,\n"),
                ("fine.py", ""),
                ("~ost/__init__.py", "x"),
            ],
            &Machine::default(),
        );
        let names: Vec<_> = ailing.broken.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["cut", "lost"]);
        assert_eq!(ailing.hopeless.len(), 1);
        assert_eq!(ailing.left_overs.len(), 1);
        assert_eq!(ailing.sound.keys().collect::<Vec<_>>(), ["fine"]);
        assert!(!ailing.is_sound());
    }

    #[test]
    fn a_torch_for_the_processor_ails_where_a_gpu_could_compute() {
        let files = [
            ("torch-2.9.0+cpu.dist-info/RECORD", "torch/version.py,sha256=x,9\n"),
            ("torch/version.py", "__version__ = '2.9.0+cpu'\ncuda = None\nhip = None\n"),
        ];
        let none = read(&files, &Machine::default());
        assert!(none.is_sound() && none.torch.is_none());
        let gpu = Gpu { vendor: "nvidia".to_owned(), usable: true, ..Gpu::default() };
        let machine = Machine { gpus: vec![gpu], ..Machine::default() };
        let found = read(&files, &machine);
        assert_eq!(found.torch.unwrap().0, "2.9.0+cpu");
    }
}
