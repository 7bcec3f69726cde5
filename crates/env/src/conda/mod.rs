//! Conda environments: solved, fetched and linked in-process by the rattler crates.

mod channel;
mod contents;
mod meta;
mod packages;
mod solve;
mod virtual_packages;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aitk_plan::lock::conda::{
    self as form, locked, name_of, needs, needs_of, python, record, target,
};
use aitk_plan::lock::{into_layers, reached};
use aitk_plan::{
    Accelerator, BuildRequest, Layer, LayerRequest, Lock, Locked, Manager as Kind, Target,
};
use aitk_system::{Message, Permit, message, quote};

pub use channel::channel_answers;
pub(crate) use meta::CondaMeta;
use packages::Linking;
pub(crate) use packages::fetch;

use crate::error::EnvError;
use crate::fetch::FetchProgress;
use crate::generation::Generation;
use crate::inside::Inside;
use crate::manager::{Cuda, Footprint, Manager, Request, Site, Taken, lacks};
use crate::{Settings, text};

/// The manager `conda`.
pub(crate) struct Conda<'a> {
    pub site: Site<'a>,
}

impl Manager for Conda<'_> {
    fn target(&self, python: &str) -> Target {
        target(python, &self.site.machine.arch)
    }

    /// The framework's builds are tried in their order; of one that has several the solver takes what fits the machine.
    fn resolve(&self, request: &Request<'_>) -> Result<Lock, EnvError> {
        let mut last = None;
        for build in request.builds {
            let with_build = |layer: &LayerRequest| {
                let is_framework =
                    request.builds.iter().any(|b| b.requirements == layer.requirements);
                let requirements =
                    if is_framework { &build.requirements } else { &layer.requirements };
                LayerRequest { step: layer.step.clone(), requirements: requirements.clone() }
            };
            let layers: Vec<_> = request.layers.iter().map(with_build).collect();
            match self.attempt(request, &layers, build.requirements.first()) {
                Err(error @ EnvError::Unsolvable { .. }) => last = Some(error),
                attempt => return attempt,
            }
        }
        match last {
            Some(error) => Err(error),
            None => self.attempt(request, request.layers, None),
        }
    }

    fn accept(&self, lock: &Lock, request: &Request<'_>) -> Result<(), EnvError> {
        lock.suits(&self.site.machine.arch, request.python).map_err(|reason| {
            EnvError::unfit(
                reason,
                message!("choose that version with --python {}", lock.target.python),
            )
        })?;
        let here = self.virtual_packages(request.cuda);
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
        for layer in request.layers {
            let names = request.names(layer, name_of, has);
            if let Some(missing) = names.iter().find(|name| !has(name)) {
                return Err(lacks(missing, &layer.step));
            }
            asked_for.extend(names);
        }
        let reached = reached(lock.packages(), asked_for, needs_of);
        let builds = self.site.catalog.builds.iter().filter(|row| row.manager == Kind::Conda);
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

    fn taken<'r>(&self, builds: &'r [BuildRequest], lock: &Lock) -> Option<Taken<'r>> {
        let request = builds.first()?;
        let name = name_of(request.requirements.first()?);
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
        Some(Taken { request, name, why: Some(why) })
    }

    /// Builds are called after what they are for.
    fn accelerator(&self, planned: &Accelerator, build: &str) -> Option<Accelerator> {
        let mut accelerator = planned.clone();
        if build.starts_with("cuda") {
            accelerator.why.push(message!("the solver took the build {build}"));
        } else {
            "none".clone_into(&mut accelerator.kind);
            accelerator.gpus.clear();
            accelerator.why = vec![message!(
                "the channel has no build for CUDA that fits; the solver took `{build}`, which computes on the CPU"
            )];
        }
        Some(accelerator)
    }

    fn create(&self, request: &Request<'_>, generation: &Generation) -> Result<(), EnvError> {
        self.mend_itself(request, generation)
    }

    /// An environment is one because it has a history, in which conda later looks for what was asked for.
    fn mend_itself(&self, request: &Request<'_>, generation: &Generation) -> Result<(), EnvError> {
        let specs: BTreeSet<_> = request.layers.iter().flat_map(|l| &l.requirements).collect();
        let path = generation.path().join(meta::HISTORY);
        let text = format!(
            "==> {} <==\n# cmd: aitk apply\n# update specs: {}\n",
            self.site.system.now().strftime("%Y-%m-%d %H:%M:%S"),
            serde_json::to_string(&specs).unwrap_or_default()
        );
        self.site.system.write(&path, text.as_bytes(), 0o644).map_err(EnvError::io(&path))
    }

    fn install(&self, generation: &Generation, lock: &Lock, step: &str) -> Result<(), EnvError> {
        let until = lock.layers.iter().position(|layer| layer.step == step);
        let layers = &lock.layers[..until.map_or(0, |index| index + 1)];
        let what = message!("link the packages of `{step}` into {}", generation.path().display());
        if self.site.system.permit(&what).map_err(EnvError::io(generation.path()))?
            == Permit::Reported
        {
            return Ok(());
        }
        packages::link(&self.linking(generation, &self.scripts()), layers)
    }

    fn mend(&self, generation: &Generation, layer: &Layer) -> Result<(), EnvError> {
        let what = message!("link {} packages again", layer.packages.len());
        if self.site.system.permit(&what).map_err(EnvError::io(generation.path()))?
            == Permit::Reported
        {
            return Ok(());
        }
        let names = layer.packages.iter().map(Locked::key).collect();
        let files = generation.files_of(self.site.system, &names)?;
        packages::link_again(&self.linking(generation, &self.scripts()), layer, &files)
    }

    fn create_commands(&self, _: &Request<'_>, generation: &Generation) -> Vec<Message> {
        vec![Message::plain(format!("mkdir {}", generation.path().display()))]
    }

    fn install_commands(&self, generation: &Generation, layer: &Layer) -> Vec<Message> {
        let link = message!(
            "link {} packages from {} into {}",
            layer.packages.len(),
            self.site.settings.unpacked().display(),
            generation.path().display()
        );
        let allowed = self.scripts();
        let scripts = layer.packages.iter().map(Locked::key).filter(|name| allowed.contains(name));
        let scripts = scripts.map(|name| message!("bash bin/.{name}-post-link.sh (if it has one)"));
        std::iter::once(link).chain(scripts).collect()
    }

    /// Channels do not tell what a package takes unpacked. The libraries of the profile `low` took 3.9 times the size of
    /// their archives on the channel of the tests (767 MB in blocks of the disk, 196 MB of archives); 4.1 leaves a little
    /// to spare. Files are shared with the cache and counted once.
    fn footprint(&self, locked: &Locked) -> Footprint {
        if self.site.system.exists(packages::unpacked(self.site.settings, locked)) {
            return Footprint { bytes: 0, rough: false, files: locked.files };
        }
        Footprint::of(locked, 41)
    }
}

impl Conda<'_> {
    /// The packages whose own scripts are run when they have been linked.
    fn scripts(&self) -> Vec<String> {
        self.site.catalog.link_scripts.iter().map(|row| row.package.clone()).collect()
    }

    fn linking<'b>(&'b self, generation: &'b Generation, scripts: &'b [String]) -> Linking<'b> {
        let Site { settings, log, .. } = self.site;
        Linking { settings, prefix: generation.path(), scripts, log }
    }

    fn virtual_packages(&self, cuda: Option<Cuda<'_>>) -> Vec<(&'static str, String, String)> {
        let site = &self.site;
        virtual_packages::of(site.machine, cuda, |name| {
            site.is_local.then(|| site.local.env(name)).flatten()
        })
    }

    fn attempt(
        &self,
        request: &Request<'_>,
        layers: &[LayerRequest],
        framework: Option<&String>,
    ) -> Result<Lock, EnvError> {
        let site = &self.site;
        if !site.local_settings.offline {
            channel_answers(site.local_settings)?;
        }
        let specs: Vec<&str> = layers
            .iter()
            .flat_map(|l| &l.requirements)
            .chain(request.added)
            .map(String::as_str)
            .collect();
        let virtual_packages = self.virtual_packages(request.cuda);
        let records =
            solve::solve(site.local_settings, &site.machine.arch, &virtual_packages, &specs)?;
        let packages = records.iter().map(locked).collect::<Result<Vec<_>, _>>()?;
        let wishes: Vec<_> = layers.iter().map(|l| (&l.step, &l.requirements)).collect();
        let build = framework.and_then(|spec| {
            let taken = packages.iter().find(|locked| locked.key() == name_of(spec))?;
            // `cpu_generic_py312_h…`, `cuda129_…`: what stands in front says what it computes on.
            let build = taken.package.build.as_deref()?;
            Some(build.split('_').next().unwrap_or(build).to_owned())
        });
        let layers = into_layers(&wishes, packages, name_of, needs_of);
        Ok(Lock { manager: Kind::Conda, target: self.target(&python(&records)), build, layers })
    }
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
    fetch(settings, &[&locked], progress)?;
    let program = packages::unpack_one(settings, &locked)?.join("bin").join(name);
    Ok(Some(program))
}

/// As `conda activate` does.
pub(crate) fn inside(name: &str, prefix: &Path, base: &Path) -> Inside {
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

/// The addresses of the channels that are set, as those of their packages begin.
pub(crate) fn addresses(settings: &Settings) -> Result<Vec<String>, EnvError> {
    let all = channel::channels(settings)?;
    Ok(all.iter().map(|one| one.base_url.as_str().trim_end_matches('/').to_owned()).collect())
}

/// What makes conda's own environment know its channels, and the environments by their names.
///
/// Written as conda writes it itself, so that `conda config` can go on with it.
pub fn base_files(settings: &Settings) -> Vec<(String, String)> {
    let kept = settings.kept_channels.as_ref().unwrap_or(&settings.channels).clone();
    let settings = &Settings { channels: kept, ..settings.clone() };
    let list = |items: &mut dyn Iterator<Item = String>| -> String {
        items.map(|item| format!("  - {}\n", yaml(item))).collect()
    };
    let condarc = format!(
        "channels:\n{}channel_priority: strict\n{}envs_dirs:\n{}pkgs_dirs:\n{}auto_activate_base: false\n",
        list(&mut channel::names(settings).into_iter()),
        settings
            .channel_alias
            .as_ref()
            .map_or_else(String::new, |alias| format!("channel_alias: {}\n", yaml(alias.clone()))),
        list(&mut std::iter::once(text(&settings.named_environments()))),
        list(&mut std::iter::once(text(&settings.cache.join("conda-pkgs")))),
    );
    vec![(".condarc".to_owned(), condarc)]
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
    fn what_conda_reads_has_each_channel_in_its_line() {
        let channels =
            ["conda-forge", "http://127.0.0.1:80/c", "x\nssl_verify: false", "a: b", "#x"];
        let settings =
            Settings { channels: channels.map(str::to_owned).to_vec(), ..Settings::default() };
        let condarc = &base_files(&settings)[0].1;
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
