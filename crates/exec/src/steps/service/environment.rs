//! The environment of a service: root's, below [`ENVIRONMENTS`], in one of two slots that is in use, so that the last one
//! can come back.

use std::path::{Path, PathBuf};

use aitk_env::{backend, is_fetched};
use aitk_plan::{
    EnvironmentRequest, LayerRequest, LayerRole, Lock, Locked, Manager, Package, Plan, ServiceSpec,
    Step, digest_of,
};
use aitk_system::{Command, System, message};

use super::super::root::{self, RootAction};
use super::super::{Work, may_download};
use crate::context::Context;
use crate::error::ExecError;
use crate::report::Incoming;

/// The interpreter that environments of services are built on: it is root's.
const PYTHON: &str = "/usr/bin/python3";
/// Where services have their environments, one of two that is in use.
pub const ENVIRONMENTS: &str = "/opt/aitk";
const SLOTS: [&str; 2] = ["a", "b"];
const CURRENT: &str = "current";
/// Stands in such an environment once it is whole: what was asked for.
pub(super) const WISH: &str = "wish";
/// Likewise: what stands there.
pub(super) const LOCK: &str = "lock";

/// The environment of this service, as it is to be.
pub(super) struct ServiceEnvironment<'a>(pub &'a ServiceSpec);

impl ServiceEnvironment<'_> {
    pub(super) fn home(&self) -> PathBuf {
        Path::new(ENVIRONMENTS).join(&self.0.name)
    }

    pub(super) fn current(&self) -> PathBuf {
        self.home().join(CURRENT)
    }

    /// What is asked of its environment, which holds for one Python.
    pub(super) fn request_digest(&self, system: &dyn System) -> String {
        let python = system.read_link(Path::new(PYTHON)).unwrap_or_default();
        digest_of(&(&self.0.python, python))
    }

    pub(super) fn is_missing(&self, system: &dyn System) -> bool {
        let there = || system.text(self.current().join(WISH)).unwrap_or_default();
        !self.0.python.is_empty() && there().trim() != self.request_digest(system)
    }

    /// The one of both environments that is not in use.
    pub(super) fn slot(&self, system: &dyn System) -> &'static str {
        let current = system.read_link(&self.current()).unwrap_or_default();
        SLOTS.into_iter().find(|slot| current != Path::new(slot)).unwrap_or(SLOTS[0])
    }

    pub(super) fn lock(&self, cx: &Context<'_>, plan: &Plan) -> Result<Lock, ExecError> {
        let layer = LayerRequest {
            step: self.0.name.clone(),
            role: LayerRole::Libraries,
            requirements: self.0.python.clone(),
        };
        let request = EnvironmentRequest {
            manager: Manager::Venv,
            interpreter: Some(PYTHON.to_owned()),
            layers: vec![layer],
            exclude_newer: plan.choices.exclude_newer.clone(),
            ..EnvironmentRequest::default()
        };
        Ok(backend(Manager::Venv).resolve(&cx.looking(), &request)?)
    }

    /// What makes its environment in the place that is not in use: of these packages, with a line for each.
    pub(super) fn build(
        &self,
        system: &dyn System,
        wheels: Vec<u8>,
        lines: String,
    ) -> Vec<RootAction> {
        let slot = self.home().join(self.slot(system)).to_string_lossy().into_owned();
        let wheels_in = format!("{slot}/wheels");
        let python = format!("{slot}/bin/python");
        let pip =
            ["-I", "-m", "pip", "--isolated", "install", "--quiet", "--no-index", "--no-deps"];
        let install = Command::as_root([python.as_str()])
            .args(pip)
            .args(["--require-hashes", "--no-cache-dir", "--disable-pip-version-check"])
            .args(["--find-links", &wheels_in, "--requirement", "/dev/stdin"])
            .env("PIP_CONFIG_FILE", "/dev/null")
            .input(lines.as_bytes());
        let unpack = ["tar", "--extract", "--no-same-owner", "--directory", &wheels_in, "--file=-"];
        let slot_file = |name: &str| Path::new(&slot).join(name);
        let commands = [
            Command::as_root(["rm", "-rf", "--", &slot]),
            Command::as_root(["mkdir", "-p", &wheels_in]),
            Command::as_root(unpack).input(wheels),
            Command::as_root([PYTHON, "-I", "-m", "venv", &slot]),
            install,
            Command::as_root(["rm", "-rf", "--", &wheels_in]),
        ];
        let lock = digest_of(&lines);
        let marks = [(LOCK, lock), (WISH, self.request_digest(system))];
        let marks =
            marks.map(|(name, text)| RootAction::put(&slot_file(name), format!("{text}\n")));
        commands.into_iter().map(RootAction::Run).chain(marks).collect()
    }

    /// Makes it, so that no power cut can take any of it away once the link leads there.
    pub(super) fn make(
        &self,
        cx: &Context<'_>,
        work: &Work<'_>,
        wheels: Vec<u8>,
        lines: String,
    ) -> Result<(), ExecError> {
        root::carry_out(cx, work, &self.build(cx.system, wheels, lines))?;
        let home = self.home();
        cx.system.flush(&home).map_err(ExecError::io(home))
    }

    pub(super) fn link(&self, slot: &str) -> RootAction {
        let current = self.current().to_string_lossy().into_owned();
        RootAction::Run(Command::as_root(["ln", "-sfn", slot, &current]))
    }

    /// Fetches its packages, which pip is told of line by line.
    pub(super) fn fetched(
        &self,
        cx: &Context<'_>,
        work: &Work<'_>,
    ) -> Result<(Vec<u8>, String), ExecError> {
        let locked: Vec<_> = work.step.packages.iter().map(locked).collect();
        let locked: Vec<_> = locked.iter().collect();
        let total = locked.iter().filter_map(|locked| locked.package.size).sum();
        let incoming = Incoming::new(&work.step.id, total, work.reporter);
        if !may_download(cx, &message!("download {} packages", locked.len()))? {
            return Ok((Vec::new(), lines(&work.step.packages)));
        }
        let venv = backend(Manager::Venv);
        venv.fetch(cx.settings, &locked, &incoming)?;
        let folder = venv.packages(cx.settings);
        let mut archive = tar::Builder::new(Vec::new());
        for locked in &locked {
            let path = folder.join(locked.filename());
            let bytes = cx.local.read(&path).map_err(ExecError::io(&path))?;
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            let added = archive.append_data(&mut header, locked.filename(), bytes.as_slice());
            added.map_err(ExecError::io(&path))?;
        }
        let archive = archive.into_inner().map_err(ExecError::io(&folder))?;
        Ok((archive, lines(&work.step.packages)))
    }
}

fn locked(package: &Package) -> Locked {
    Locked { package: package.clone(), ..Locked::default() }
}

/// What pip installs, each with the hash that it has to have.
pub(super) fn lines(packages: &[Package]) -> String {
    let line = |package: &Package| {
        let hash = package.sha256.as_deref().unwrap_or_default();
        format!("{}=={} --hash=sha256:{hash}\n", package.name, package.version)
    };
    packages.iter().map(line).collect()
}

/// What its packages take, as far as it is known.
pub(super) fn take_in(cx: &Context<'_>, step: &mut Step, lock: &Lock) {
    let (venv, site) = (backend(Manager::Venv), cx.looking());
    let folder = venv.packages(cx.settings);
    let (mut download, mut disk) = (0_u64, 0_u64);
    for locked in lock.packages() {
        if !is_fetched(locked, &folder, cx.system) {
            download = download.saturating_add(locked.package.size.unwrap_or(0));
        }
        disk = disk.saturating_add(venv.footprint(&site, locked).bytes);
    }
    step.packages = lock.packages().map(|locked| locked.package.clone()).collect();
    (step.download, step.disk) = (Some(download), Some(download.saturating_add(disk)));
    step.rough = true;
}
