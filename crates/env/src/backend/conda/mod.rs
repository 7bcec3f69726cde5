//! Conda environments: solved, fetched and linked in-process by the rattler crates.

mod channel;
mod contents;
mod meta;
mod packages;
mod solve;
mod virtual_packages;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aitk_detect::Machine;
use aitk_plan::lock::conda::{
    self as form, locked, name_of, needs, needs_of, python, record, target,
};
use aitk_plan::lock::{into_layers, reached};
use aitk_plan::{
    Accelerator, BuildRequest, Catalog, Cuda, EnvironmentRequest, Lock, LockTarget, Locked,
    LockedLayer, Manager as Kind, Unpacks, shares_files,
};
use aitk_system::{Message, Permit, System, message, quote};

pub use channel::channel_answers;
use packages::Linking;
use rattler_conda_types::{MatchSpec, ParseMatchSpecOptions, Version};

use super::common::{Backend, ChosenBuild, Footprint, InstalledPackage, Own, Site, lacks, suits};
use crate::error::EnvError;
use crate::fetch::FetchProgress;
use crate::inside::Inside;
use crate::{Settings, text};

#[derive(Debug)]
pub(super) struct CondaBackend;

impl Backend for CondaBackend {
    fn kind(&self) -> Kind {
        Kind::Conda
    }

    fn origins(&self, settings: &Settings) -> Vec<String> {
        let all = channel::channels(settings).unwrap_or_default();
        all.iter().map(|one| one.base_url.as_str().trim_end_matches('/').to_owned()).collect()
    }

    fn packages(&self, settings: &Settings) -> PathBuf {
        packages::archives(settings)
    }

    fn add_command(&self, of: Option<&str>) -> String {
        of.map_or_else(|| "conda install".to_owned(), |of| format!("conda install -n {of}"))
    }

    /// As `conda activate` does.
    fn inside(&self, name: &str, prefix: &Path, base: &Path) -> Inside {
        let quoted = |path: &Path| quote(&text(path));
        Inside {
            folders: vec![prefix.join("bin"), base.join("condabin")],
            variables: vec![
                ("CONDA_PREFIX", text(prefix)),
                ("CONDA_DEFAULT_ENV", name.to_owned()),
                ("CONDA_SHLVL", "1".to_owned()),
            ],
            scripts: Some(prefix.join("etc/conda/activate.d")),
            // Without conda's own function the variables are what there is, and they are set already.
            activation: format!(
                "if [ -r {0} ]; then\n    unset CONDA_SHLVL CONDA_PREFIX CONDA_DEFAULT_ENV\n    . {0} && conda activate {1}\n\
                 else\n    PATH={1}/bin:$PATH\nfi\n",
                quoted(&base.join("etc/profile.d/conda.sh")),
                quoted(prefix)
            ),
            fish: None,
        }
    }

    fn base_files(&self, settings: &Settings) -> Vec<(String, String)> {
        vec![(".condarc".to_owned(), condarc(settings))]
    }

    fn download(
        &self,
        settings: &Settings,
        packages: &[&Locked],
        progress: &dyn FetchProgress,
    ) -> Result<(), EnvError> {
        packages::fetch(settings, packages, progress)
    }

    /// aitk installs these by itself.
    fn fetch_installer(
        &self,
        _: &dyn System,
        _: &Catalog,
        _: &Settings,
        _: &dyn FetchProgress,
    ) -> Result<Option<PathBuf>, EnvError> {
        Ok(None)
    }

    fn target(&self, machine: &Machine, python: &str) -> LockTarget {
        target(python, &machine.arch)
    }

    /// The framework's builds are tried in their order. Where the channel has none of them, any build for the processor
    /// serves, and at the very last any at all.
    fn solve(&self, site: &Site<'_>, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        let cuda = request.cuda.as_ref();
        let Some(first) = request.builds.first() else {
            return attempt(site, request, &SolverPins { build: None, cuda, specs: Vec::new() });
        };
        let whole = |build| SolverPins { build: Some(build), cuda, specs: build.holds.clone() };
        let held = request.builds.iter().map(whole);
        let any = [None, cuda].map(|cuda| SolverPins {
            cuda,
            specs: first.holds[1.min(first.holds.len())..].to_vec(),
            ..whole(first)
        });
        let mut last = None;
        for held in held.chain(any) {
            match attempt(site, request, &held) {
                Err(error @ EnvError::Unsolvable { .. }) => last = Some(error),
                Ok(lock) => return Ok(no_newer_cuda(site, request, &held, lock)),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| EnvError::Unsolvable { reason: Message::default() }))
    }

    fn accept(
        &self,
        site: &Site<'_>,
        lock: &Lock,
        request: &EnvironmentRequest,
    ) -> Result<(), EnvError> {
        suits(site, lock, request)?;
        let here = virtual_packages(site, request.cuda.as_ref());
        for locked in lock.packages() {
            if let Some(need) = needs(locked).find(|need| !virtual_packages::meet(&here, need)) {
                let reason = message!(
                    "{} needs {need}, and this machine does not meet that",
                    locked.package.name
                );
                return Err(EnvError::unfit(
                    reason,
                    message!("choose a machine like the one that it was made for"),
                ));
            }
        }
        let has = |name: &String| lock.packages().any(|locked| locked.key() == *name);
        let mut asked_for = Vec::new();
        for layer in &request.layers {
            let names = request.names(layer, has);
            if let Some(missing) = names.iter().find(|name| !has(name)) {
                return Err(lacks(missing, &layer.step));
            }
            asked_for.extend(names);
        }
        let reached = reached(lock.packages(), asked_for, needs_of);
        let builds = site.catalog.builds.iter().filter(|row| row.manager == Kind::Conda);
        let frameworks = builds.filter_map(|row| row.requirements.first());
        match frameworks.map(|spec| name_of(spec)).find(|name| has(name) && !reached.contains(name))
        {
            Some(name) => Err(EnvError::unfit(
                message!("it has {name}, which is not wished for here"),
                message!("choose the --framework that it was made with"),
            )),
            None => Ok(()),
        }
    }

    fn chosen_build<'r>(&self, builds: &'r [BuildRequest], lock: &Lock) -> Option<ChosenBuild<'r>> {
        let build = lock.build.as_deref();
        let answered = builds.iter().find(|one| build.is_some_and(|build| answers(one, build)));
        let request = answered.or_else(|| builds.first())?;
        let name = carrier(request)?;
        let locked = lock.packages().find(|locked| locked.key() == name)?;
        let counts = |need: &&str| need.starts_with("__") || need.starts_with("cuda-version");
        let needs: Vec<_> = needs(locked).filter(counts).collect();
        let why = message!(
            "{name} {} has the build {}{}",
            locked.package.version,
            locked.package.build.as_deref().unwrap_or_default(),
            match needs.is_empty() {
                true => message!(", which asks nothing of a GPU"),
                false => message!(", for this machine meets its needs: {}", needs.join(", ")),
            }
        );
        let name = lock.build.clone().unwrap_or_else(|| request.name.clone());
        Some(ChosenBuild { request, name, why: Some(why) })
    }

    /// Builds are called after what they are for: one that none of the requests is held to has no code for the devices, as
    /// far as anybody knows.
    fn accelerator(
        &self,
        planned: &Accelerator,
        builds: &[BuildRequest],
        build: &str,
    ) -> Option<Accelerator> {
        let mut accelerator = planned.clone();
        if build.starts_with("cuda") && builds.iter().any(|one| answers(one, build)) {
            accelerator.why.push(message!("the solver took the build {build}"));
            return Some(accelerator);
        }
        "none".clone_into(&mut accelerator.kind);
        accelerator.gpus.clear();
        accelerator.why = vec![match build.starts_with("cuda") {
            true => message!(
                "the channel has no build for CUDA that fits; the solver took `{build}`, which has no code for what is here"
            ),
            false => message!(
                "the channel has no build for CUDA that fits; the solver took `{build}`, which computes on the CPU"
            ),
        }];
        Some(accelerator)
    }

    /// An environment is one because it has a history, in which conda later looks for what was asked for.
    fn create(
        &self,
        site: &Site<'_>,
        _: &str,
        request: &EnvironmentRequest,
        root: &Path,
        _: bool,
    ) -> Result<(), EnvError> {
        let specs: BTreeSet<_> = request.layers.iter().flat_map(|l| &l.requirements).collect();
        let path = root.join(meta::HISTORY);
        let text = format!(
            "==> {} <==\n# cmd: aitk apply\n# update specs: {}\n",
            site.system.now().strftime("%Y-%m-%d %H:%M:%S"),
            serde_json::to_string(&specs).unwrap_or_default()
        );
        site.system.write(&path, text.as_bytes(), 0o644).map_err(EnvError::io(&path))
    }

    fn install(
        &self,
        site: &Site<'_>,
        root: &Path,
        lock: &Lock,
        step: &str,
    ) -> Result<(), EnvError> {
        let until = lock.layers.iter().position(|layer| layer.step == step);
        let layers = &lock.layers[..until.map_or(0, |index| index + 1)];
        let what = message!("link the packages of `{step}` into {}", root.display());
        if site.system.permit(&what).map_err(EnvError::io(root))? == Permit::Reported {
            return Ok(());
        }
        packages::link(&linking(site, root, &scripts(site)), layers)
    }

    fn mend(
        &self,
        site: &Site<'_>,
        root: &Path,
        layer: &LockedLayer,
        files: &[PathBuf],
    ) -> Result<(), EnvError> {
        let what = message!("link {} packages again", layer.packages.len());
        if site.system.permit(&what).map_err(EnvError::io(root))? == Permit::Reported {
            return Ok(());
        }
        packages::link_again(&linking(site, root, &scripts(site)), layer, files)
    }

    fn create_commands(
        &self,
        _: &Site<'_>,
        _: &str,
        _: &EnvironmentRequest,
        root: &Path,
    ) -> Vec<Message> {
        vec![Message::plain(format!("mkdir {}", root.display()))]
    }

    fn install_commands(&self, site: &Site<'_>, root: &Path, layer: &LockedLayer) -> Vec<Message> {
        let link = message!(
            "link {} packages from {} into {}",
            layer.packages.len(),
            site.settings.unpacked().display(),
            root.display()
        );
        let allowed = scripts(site);
        let scripts = layer.packages.iter().map(Locked::key).filter(|name| allowed.contains(name));
        let scripts = scripts.map(|name| message!("bash bin/.{name}-post-link.sh (if it has one)"));
        std::iter::once(link).chain(scripts).collect()
    }

    /// Channels do not tell what a package takes unpacked. The libraries of the profile `low` took 3.9 times the size of
    /// their archives on the channel of the tests (767 MB in blocks of the disk, 196 MB of archives); 4.1 leaves a little
    /// to spare.
    fn footprint(&self, site: &Site<'_>, locked: &Locked) -> Footprint {
        let name = &locked.package.name;
        let is_of =
            |row: &&Unpacks| row.beginnings.iter().any(|one| name.starts_with(one.as_str()));
        let row = site.catalog.unpacks.iter().find(is_of);
        Footprint::of(locked, row.map_or(41, |row| row.tenths))
    }

    fn footprints(&self, site: &Site<'_>, all: &[&Locked]) -> Vec<Footprint> {
        let shares = shares_files(site.machine);
        let is_shared = |locked: &Locked| {
            shares && site.system.exists(packages::unpacked(site.settings, locked))
        };
        let of = |locked: &&Locked| match is_shared(locked) {
            true => Footprint { bytes: 0, rough: false, files: locked.files },
            false => self.footprint(site, locked),
        };
        all.iter().map(of).collect()
    }

    fn own_files(&self, system: &dyn System, root: &Path) -> Vec<Own> {
        meta::own_files(system, root)
    }

    fn notes(&self, system: &dyn System, root: &Path) -> Vec<PathBuf> {
        meta::notes(system, root)
    }

    fn installed(&self, system: &dyn System, root: &Path) -> Vec<InstalledPackage> {
        meta::installed(system, root)
    }

    fn requested(
        &self,
        system: &dyn System,
        root: &Path,
        installed: &InstalledPackage,
    ) -> Vec<String> {
        meta::requested(system, root, installed)
    }

    fn paths(&self, system: &dyn System, root: &Path, installed: &InstalledPackage) -> Vec<String> {
        meta::paths(system, root, installed)
    }

    fn files(
        &self,
        system: &dyn System,
        root: &Path,
        locked: &Locked,
    ) -> Result<Vec<(String, Option<String>)>, EnvError> {
        meta::files(system, root, locked)
    }

    fn bytecode(
        &self,
        system: &dyn System,
        root: &Path,
        installed: &InstalledPackage,
    ) -> Vec<(String, String)> {
        meta::bytecode(system, root, installed)
    }
}

/// The packages whose own scripts are run when they have been linked.
fn scripts(site: &Site<'_>) -> Vec<String> {
    site.catalog.link_scripts.iter().map(|row| row.package.clone()).collect()
}

fn linking<'a>(site: &Site<'a>, prefix: &'a Path, scripts: &'a [String]) -> Linking<'a> {
    Linking { settings: site.settings, prefix, scripts, log: site.log }
}

fn virtual_packages(site: &Site<'_>, cuda: Option<&Cuda>) -> Vec<(&'static str, String, String)> {
    virtual_packages::of(site.machine, cuda, |name| {
        site.is_local.then(|| site.local.env(name)).flatten()
    })
}

/// What one attempt holds the solver to.
struct SolverPins<'a> {
    build: Option<&'a BuildRequest>,
    /// What a GPU offers; `None` where none shall compute.
    cuda: Option<&'a Cuda>,
    /// What comes is like this, where it comes.
    specs: Vec<String>,
}

/// The package that carries the build.
fn carrier(request: &BuildRequest) -> Option<String> {
    request.holds.first().or(request.requirements.first()).map(|spec| name_of(spec))
}

/// Whether a build, as [`build_in`] tells it, is one that a request is held to.
fn answers(request: &BuildRequest, build: &str) -> bool {
    let held = request.holds.first();
    let spec =
        held.and_then(|held| MatchSpec::from_str(held, ParseMatchSpecOptions::lenient()).ok());
    let text = spec.and_then(|spec| spec.build);
    text.is_none_or(|text| text.matches(build))
}

/// What a package's build says that it computes on: `cpu` of `cpu_generic_py312_h…`, `cuda129` of `cuda129_…` and
/// `cuda129py312h…`.
fn build_in(text: &str) -> &str {
    let letters = text.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(text.len());
    let digits = text[letters..].find(|c: char| !c.is_ascii_digit());
    &text[..digits.map_or(text.len(), |digits| letters + digits)]
}

fn attempt(
    site: &Site<'_>,
    request: &EnvironmentRequest,
    held: &SolverPins<'_>,
) -> Result<Lock, EnvError> {
    if !site.local_settings.offline {
        channel_answers(site.local_settings)?;
    }
    let layers = request.layers_with(held.build);
    let specs: Vec<&str> = layers
        .iter()
        .flat_map(|l| &l.requirements)
        .chain(&request.added)
        .map(String::as_str)
        .collect();
    let virtual_packages = virtual_packages(site, held.cuda);
    let (settings, arch) = (site.local_settings, &site.machine.arch);
    let newest = request.cutoff().map(|cutoff| cutoff.at(site.local.now()).to_string());
    let newest = newest.as_deref();
    let records = solve::solve(settings, arch, &virtual_packages, &specs, &held.specs, newest)?;
    let packages = records.iter().map(locked).collect::<Result<Vec<_>, _>>()?;
    let wishes: Vec<_> = layers.iter().map(|l| (&l.step, &l.requirements)).collect();
    let build = held.build.and_then(carrier).and_then(|name| {
        let taken = packages.iter().find(|locked| locked.key() == name)?;
        Some(build_in(taken.package.build.as_deref()?).to_owned())
    });
    let layers = into_layers(&wishes, packages, name_of, needs_of);
    Ok(Lock {
        manager: Kind::Conda,
        target: target(&python(&records), &site.machine.arch),
        build,
        layers,
    })
}

/// The same with a CUDA that the driver serves by itself, where the solver took a newer one of its generation and the
/// framework does without: what a driver is too old for may be missed only when it is used.
fn no_newer_cuda(
    site: &Site<'_>,
    request: &EnvironmentRequest,
    held: &SolverPins<'_>,
    lock: Lock,
) -> Lock {
    let version = |name: &str| {
        let locked = lock.packages().find(|locked| locked.key() == name)?;
        locked.package.version.parse::<Version>().ok()
    };
    let served = held.cuda.and_then(|cuda| cuda.version.parse::<Version>().ok());
    let is_newer =
        version("cuda-version").zip(served).is_some_and(|(taken, served)| taken > served);
    let name = held.build.and_then(carrier).unwrap_or_default();
    let framework = lock.packages().find(|locked| locked.key() == name);
    let (Some(cuda), Some(framework), true) = (held.cuda, framework, is_newer) else { return lock };
    let package = &framework.package;
    let build = package.build.as_deref().unwrap_or_default();
    let same = format!("{name} =={} {build}", package.version);
    let specs = [&held.specs[..], &[same, format!("cuda-version <={}", cuda.version)]].concat();
    attempt(site, request, &SolverPins { specs, ..*held }).unwrap_or(lock)
}

/// A program out of a package of the channels, at exactly this version; `None` where they have none. The archive is
/// checked against the hash that the channel names, and unpacked into the cache.
pub(crate) fn fetch_program(
    settings: &Settings,
    arch: &str,
    name: &str,
    version: &str,
    progress: &dyn FetchProgress,
) -> Result<Option<PathBuf>, EnvError> {
    channel_answers(settings)?;
    let Some(record) = solve::find(settings, arch, name, version)? else { return Ok(None) };
    let locked = locked(&record)?;
    packages::fetch(settings, &[&locked], progress)?;
    let program = packages::unpack_one(settings, &locked)?.join("bin").join(name);
    Ok(Some(program))
}

/// The addresses of the channels that the packages of a lock come from, the preferred one first; none for wheels.
///
/// # Errors
/// [`EnvError::BadChannel`] where one that is set is none; [`aitk_plan::LockError::BadPackage`] for a record that is
/// none.
pub fn channels_of(lock: &Lock, settings: &Settings) -> Result<Vec<String>, EnvError> {
    if lock.manager != Kind::Conda {
        return Ok(Vec::new());
    }
    let records = lock.packages().map(record).collect::<Result<Vec<_>, _>>()?;
    let order: Vec<_> =
        channel::channels(settings)?.iter().map(|c| c.base_url.to_string()).collect();
    Ok(form::channels(&records, &order))
}

/// What makes conda's own environment know its channels, and the environments by their names.
///
/// Written as conda writes it itself, so that `conda config` can go on with it.
fn condarc(settings: &Settings) -> String {
    let kept = settings.kept_channels.as_ref().unwrap_or(&settings.channels).clone();
    let settings = &Settings { channels: kept, ..settings.clone() };
    let list = |items: &mut dyn Iterator<Item = String>| -> String {
        items.map(|item| format!("  - {}\n", yaml(item))).collect()
    };
    format!(
        "channels:\n{}channel_priority: strict\n{}envs_dirs:\n{}pkgs_dirs:\n{}auto_activate_base: false\n",
        list(&mut channel::names(settings).into_iter()),
        settings
            .channel_alias
            .as_ref()
            .map_or_else(String::new, |alias| format!("channel_alias: {}\n", yaml(alias.clone()))),
        list(&mut std::iter::once(text(&settings.named_environments()))),
        list(&mut std::iter::once(text(&settings.cache.join("conda-pkgs")))),
    )
}

/// A text as YAML has it: as it is where that is plain, else in quotes.
fn yaml(text: String) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let starts = |c: char| c.is_ascii_alphanumeric() || c == '/';
    let rest = address.unwrap_or(&text);
    let is_plain = text.starts_with(starts) && rest.split(':').flat_map(str::chars).all(plain);
    // A `:` is plain before the number of a port.
    let ports = rest.split(':').skip(1).all(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    if is_plain && ports { text } else { serde_json::Value::String(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_called_after_what_it_computes_on() {
        for (text, build) in [
            ("cpu_generic_py312_h5011e6c_0", "cpu"),
            ("cuda129_mkl_py312_h0509a7e_302", "cuda129"),
            ("cuda129py312h59614e2_252", "cuda129"),
            ("cuda130", "cuda130"),
            ("0", "0"),
            ("", ""),
        ] {
            assert_eq!(build_in(text), build);
        }
    }

    #[test]
    fn what_conda_reads_has_each_channel_in_its_line() {
        let channels =
            ["conda-forge", "http://127.0.0.1:80/c", "x\nssl_verify: false", "a: b", "#x"];
        let settings =
            Settings { channels: channels.map(str::to_owned).to_vec(), ..Settings::default() };
        let condarc = condarc(&settings);
        let lines: Vec<_> = condarc.lines().take(6).collect();
        assert_eq!(
            lines,
            [
                "channels:",
                "  - conda-forge",
                "  - http://127.0.0.1:80/c",
                r#"  - "x\nssl_verify: false""#,
                r#"  - "a: b""#,
                r##"  - "#x""##,
            ]
        );
    }
}
