//! What is in an environment of Python's, whoever made it: read from its files, none of which is run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aitk_system::{Message, System, message, paths};
use serde::Deserialize;

/// An environment.
#[derive(Debug, Default)]
pub(super) struct Prefix {
    /// Where the user says that it is.
    pub(super) named: PathBuf,
    /// Where that is in truth.
    pub(super) path: PathBuf,
    /// Version of its Python.
    pub(super) python: Option<(u32, u32)>,
    /// The folder of Python's packages.
    pub(super) site: Option<PathBuf>,
    /// Packages of Python's by their normalized names.
    pub(super) packages: BTreeMap<String, PythonPackage>,
    /// Packages of conda's by their names; `None` where it is no environment of conda's.
    pub(super) conda: Option<BTreeMap<String, String>>,
    /// The PyTorch in it.
    pub(super) torch: Option<Torch>,
}

/// A package of Python's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PythonPackage {
    pub(super) version: String,
    /// The folder of its metadata.
    pub(super) metadata: PathBuf,
}

/// An installed PyTorch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Torch {
    /// `2.15.0+cpu`
    pub(super) version: String,
    /// What it computes on.
    pub(super) build: TorchBuild,
}

/// What a build of PyTorch computes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TorchBuild {
    /// The processor only.
    Cpu,
    /// NVIDIA's devices, with this version of CUDA.
    Cuda(String),
    /// AMD's devices, with this version of ROCm.
    Rocm(String),
    /// Something else, such as Intel's devices.
    Other,
}

impl Torch {
    /// The version of CUDA that it is built for.
    pub(super) fn cuda(&self) -> Option<&str> {
        match &self.build {
            TorchBuild::Cuda(version) => Some(version),
            _ => None,
        }
    }

    /// For people: `torch 2.15.0 (for CUDA 13.2)`.
    pub(super) fn to_message(&self) -> Message {
        let version = self.version.split('+').next().unwrap_or_default();
        match &self.build {
            TorchBuild::Cpu => message!("torch {version}, built for the processor only"),
            TorchBuild::Cuda(cuda) => message!("torch {version}, built for CUDA {cuda}"),
            TorchBuild::Rocm(_) => message!("torch {version}, built for ROCm"),
            TorchBuild::Other => Message::plain(format!("torch {version}")),
        }
    }
}

impl Prefix {
    /// Reads an environment; `None` where there is none.
    pub(super) fn read(system: &dyn System, named: &Path) -> Option<Self> {
        let path = paths::resolve(system, named)?;
        let conda = conda(system, &path);
        if conda.is_none() && !system.exists(path.join("pyvenv.cfg")) {
            return None;
        }
        let mut prefix = Self { named: named.to_owned(), conda, ..Self::default() };
        for name in system.list(&path.join("lib")).unwrap_or_default() {
            let Some(version) = name.strip_prefix("python").and_then(minor) else { continue };
            let site = path.join("lib").join(&name).join("site-packages");
            let packages = packages(system, &site);
            if packages.is_empty() && prefix.python.is_some() {
                continue;
            }
            prefix.torch = torch(system, &site, &packages);
            if system.list(&site).is_ok() {
                prefix.site = Some(site);
            }
            (prefix.python, prefix.packages) = (Some(version), packages);
        }
        Some(Self { path, ..prefix })
    }

    /// The version of a package of Python's.
    pub(super) fn version(&self, package: &str) -> Option<&str> {
        self.packages.get(package).map(|package| package.version.as_str())
    }

    /// Whether one of Python's packages begins with one of these.
    pub(super) fn has_like(&self, starts: &[&str]) -> Option<&str> {
        let mut names = self.packages.keys();
        names.find(|name| starts.iter().any(|start| name.starts_with(start))).map(String::as_str)
    }

    /// The program that installed a package of Python's.
    pub(super) fn installer(&self, system: &dyn System, package: &str) -> Option<String> {
        crate::line(system, self.packages.get(package)?.metadata.join("INSTALLER"))
    }
}

/// `3.12` as numbers; what follows does not count.
pub(super) fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Conda's own records: `conda-meta/numpy-2.3.4-py312h1_0.json`.
fn conda(system: &dyn System, path: &Path) -> Option<BTreeMap<String, String>> {
    let names = system.list(&path.join("conda-meta")).ok()?;
    let records = names.iter().filter_map(|name| {
        let mut parts = name.strip_suffix(".json")?.rsplitn(3, '-').skip(1);
        let (version, name) = (parts.next()?, parts.next()?);
        Some((name.to_owned(), version.to_owned()))
    });
    Some(records.collect())
}

/// Packages by their metadata: `numpy-2.3.4.dist-info`.
fn packages(system: &dyn System, site: &Path) -> BTreeMap<String, PythonPackage> {
    let names = system.list(site).unwrap_or_default();
    let found = names.iter().filter_map(|folder| {
        let (name, version) = folder.strip_suffix(".dist-info")?.rsplit_once('-')?;
        let package = PythonPackage { version: version.to_owned(), metadata: site.join(folder) };
        Some((normal(name), package))
    });
    found.collect()
}

/// A name of a package as PEP 503 compares it.
pub(super) fn normal(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace(['_', '.'], "-");
    name.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

fn torch(
    system: &dyn System,
    site: &Path,
    packages: &BTreeMap<String, PythonPackage>,
) -> Option<Torch> {
    let listed = || packages.get("torch").and_then(|package| torch_named(&package.version));
    match system.text(site.join("torch/version.py")) {
        Ok(text) => torch_in(&text).or_else(listed),
        Err(_) => listed(),
    }
}

/// What `torch/version.py` says: `cuda: Optional[str] = '13.2'`, or `cuda = None` in older ones.
fn torch_in(text: &str) -> Option<Torch> {
    let fields: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once('=')?;
            let name = name.split(':').next()?.trim();
            Some((name, value.trim().trim_matches(['\'', '"'])))
        })
        .collect();
    let is = |name: &str| fields.get(name).copied().filter(|value| !["", "None"].contains(value));
    let version = is("__version__")?.to_owned();
    let build = match (is("cuda"), is("hip"), is("xpu")) {
        (Some(cuda), ..) => TorchBuild::Cuda(cuda.to_owned()),
        (None, Some(hip), _) => TorchBuild::Rocm(hip.to_owned()),
        (None, None, Some(_)) => TorchBuild::Other,
        // Without this line it is not known what it computes on.
        (None, None, None) if fields.contains_key("cuda") => TorchBuild::Cpu,
        _ => return None,
    };
    Some(Torch { version, build })
}

/// What the version alone says: `2.14.1+cu126`.
fn torch_named(version: &str) -> Option<Torch> {
    let local = version.split_once('+')?.1;
    let build = match local {
        "cpu" => TorchBuild::Cpu,
        _ if local.starts_with("rocm") => TorchBuild::Rocm(local["rocm".len()..].to_owned()),
        _ => {
            let digits = local.strip_prefix("cu")?;
            let (major, minor) = digits.split_at_checked(digits.len().checked_sub(1)?)?;
            major.parse::<u32>().ok()?;
            TorchBuild::Cuda(format!("{major}.{minor}"))
        }
    };
    Some(Torch { version: version.to_owned(), build })
}

/// A kernel of Jupyter's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct KernelSpec {
    argv: Vec<String>,
}

/// The kernels in a folder of Jupyter's: their names, and the program that each starts.
pub(super) fn kernels(system: &dyn System, folder: &Path) -> Vec<(String, PathBuf)> {
    let names = system.list(folder).unwrap_or_default();
    let found = names.into_iter().filter_map(|name| {
        let json = system.read(&folder.join(&name).join("kernel.json")).ok()?;
        let spec: KernelSpec = serde_json::from_slice(&json).ok()?;
        let program = PathBuf::from(spec.argv.first()?);
        program.is_absolute().then_some((name, program))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn the_build_of_torch_is_read_in_its_old_and_new_form() {
        let of = |text: &str| torch_in(text).map(|torch| torch.build);
        let new = "from typing import Optional\n__version__ = '2.15.0+cu132'\ndebug = False\n\
                   cuda: Optional[str] = '13.2'\ngit_version = 'x'\nhip: Optional[str] = None\n";
        assert_eq!(of(new), Some(TorchBuild::Cuda("13.2".to_owned())));
        assert_eq!(
            of("__version__ = '2.2.0+cpu'\ncuda = None\nhip = None\n"),
            Some(TorchBuild::Cpu)
        );
        assert_eq!(
            of("__version__ = '2.9.0'\ncuda = None\nhip = '6.4'\n"),
            Some(TorchBuild::Rocm("6.4".into()))
        );
        assert_eq!(
            of("__version__ = '2.9.0'\ncuda = None\nxpu = '20250300'\n"),
            Some(TorchBuild::Other)
        );
        assert_eq!(of("__version__ = '2.9.0'\n"), None);
        assert_eq!(of("\0\u{fffd}= =\n==\n"), None);
    }

    #[test]
    fn the_version_alone_says_it_too() {
        let of = |version: &str| torch_named(version).map(|torch| torch.build);
        assert_eq!(of("2.14.1+cu126"), Some(TorchBuild::Cuda("12.6".to_owned())));
        assert_eq!(of("2.15.0+cpu"), Some(TorchBuild::Cpu));
        assert_eq!(of("2.9.1+rocm6.4"), Some(TorchBuild::Rocm("6.4".into())));
        for other in ["2.15.0", "2.15.0+", "2.15.0+cu", "2.15.0+cué", "2.0+xpu"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_folder_without_marks_of_an_environment_is_none() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            Real.write(&root.path().join(path), text.as_bytes(), 0o644).unwrap();
        };
        write("plain/lib/python3.12/site-packages/numpy-2.3.4.dist-info/METADATA", "");
        write("venv/pyvenv.cfg", "");
        write("venv/lib/python3.12/site-packages/Foo_Bar.baz-1.0.dist-info/INSTALLER", "uv\n");
        write("venv/lib/python3.12/site-packages/odd.dist-info/METADATA", "");
        write("conda/conda-meta/python-3.12.12-hd63d673_1_cpython.json", "{");
        let system = Replay::tree(root.path());
        assert!(Prefix::read(&system, Path::new("/plain")).is_none());
        assert!(Prefix::read(&system, Path::new("/none")).is_none());
        let venv = Prefix::read(&system, Path::new("/venv")).unwrap();
        assert_eq!(venv.version("foo-bar-baz"), Some("1.0"));
        assert_eq!(venv.installer(&system, "foo-bar-baz").as_deref(), Some("uv"));
        assert_eq!((venv.packages.len(), venv.python), (1, Some((3, 12))));
        let conda = Prefix::read(&system, Path::new("/conda")).unwrap();
        assert_eq!(conda.conda.unwrap()["python"], "3.12.12");
    }

    #[test]
    fn damaged_kernels_of_jupyter_are_passed_over() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            Real.write(&root.path().join(path), text.as_bytes(), 0o644).unwrap();
        };
        write("k/a/kernel.json", r#"{"argv": ["/opt/x/bin/python", "-m", "ipykernel"]}"#);
        write("k/b/kernel.json", r#"{"argv": "#);
        write("k/c/kernel.json", r#"{"argv": []}"#);
        write("k/d/kernel.json", r#"{"argv": ["python"]}"#);
        write("k/e", "");
        let found = kernels(&Replay::tree(root.path()), Path::new("/k"));
        assert_eq!(found, [("a".to_owned(), PathBuf::from("/opt/x/bin/python"))]);
    }
}
