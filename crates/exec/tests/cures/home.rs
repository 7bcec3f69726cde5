//! A home folder with an environment of either manager, and those who judge it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aitk_detect::{Machine, detect, examine};
use aitk_env::{Environments, Generation, Settings};
use aitk_exec::{Context, Event, Journal, Receipt, Reporter, VerifyFinding, judge, survey, verify};
use aitk_plan::{Catalog, Choices, Manager, Plan, Profile, Status, Step, Wheel};
use aitk_system::{Deny, Explain, Real, System};

use crate::sources::{Host, channel, index, sha256, wheel};

/// The smallest profile that does something, with one package more.
const PROFILE: &str = include_str!("../../../../tests/support/tiny.toml");
const UV: &[u8] = include_bytes!("uv.py");

struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// A home folder, and all that aitk is told of it.
pub struct Home {
    pub folder: PathBuf,
    manager: Manager,
    pub machine: Machine,
    catalog: Catalog,
    pub settings: Settings,
    pub profile: Profile,
    pub choices: Choices,
    /// What is to be ensured besides.
    pub steps: Vec<Step>,
    pub system: Arc<dyn System>,
}

/// The source of each package's module.
const MODULE: &[u8] = b"def one():\n    return 1\n\n\ndef two():\n    return 'two' + str(one())\n";
const PACKAGES: [&str; 2] = ["six", "toolz"];

/// The settings with an index that has the packages, and the stand-in for uv, which the catalog knows then.
fn with_index(settings: Settings, catalog: &mut Catalog) -> Settings {
    let package = |name: &'static str| {
        let info = |file: &str| format!("{name}-1.0.dist-info/{file}");
        let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n");
        let kind = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n";
        let files: [(&str, &[u8]); 3] = [
            (&format!("{name}.py"), MODULE),
            (&info("METADATA"), metadata.as_bytes()),
            (&info("WHEEL"), kind),
        ];
        wheel(&format!("{name}-1.0"), &files)
    };
    let uv = wheel("uv-9.9.9", &[("uv-9.9.9.data/scripts/uv", UV)]);
    catalog.uv.version = "9.9.9".to_owned();
    catalog.uv.wheels = vec![Wheel {
        arch: Real.host().arch,
        filename: uv.0.clone(),
        size: uv.1.len() as u64,
        sha256: sha256(&uv.1),
    }];
    let [six, toolz] = PACKAGES.map(package);
    Settings { index_url: Some(index(vec![uv, six, toolz])), ..settings }
}

/// The settings with a channel that has the packages and a Python, and that Python's version as the one that is wished for.
fn with_channel(settings: Settings, machine: &Machine) -> (Settings, Choices) {
    let python = &machine.python[0];
    let (major, minor) = python.minor().unwrap();
    let host = Host {
        python: python.path.to_string_lossy().into_owned(),
        minor: format!("{major}.{minor}"),
        arch: machine.arch.clone(),
    };
    let channels = vec![channel(&host, &PACKAGES.map(|name| (name, MODULE)))];
    let choices = Choices { python: Some(host.minor), ..Choices::default() };
    (Settings { channels, ..settings }, choices)
}

impl Home {
    pub fn new(folder: &Path, manager: Manager) -> Self {
        let mut catalog = Catalog::builtin().unwrap();
        let mut machine = detect(&Real, &catalog.tables).machine;
        machine.folders.home = folder.to_owned();
        machine.folders.state = folder.join("state");
        machine.folders.jupyter = folder.join("jupyter");
        machine.folders.data = folder.join("data");
        machine.folders.cache = folder.join("cache");
        let settings = Settings {
            data: folder.join("data"),
            cache: folder.join("cache"),
            ..Settings::default()
        };
        let (settings, choices) = match manager {
            Manager::Venv => (with_index(settings, &mut catalog), Choices::default()),
            Manager::Conda => with_channel(settings, &machine),
        };
        let profile = PROFILE.replace(r#"["six"]"#, r#"["six", "toolz"]"#);
        let profile = Profile::from_toml("tiny.toml", &profile).unwrap();
        let folder = folder.to_owned();
        let (steps, system) = (Vec::new(), Arc::new(Real));
        Self { folder, manager, machine, catalog, settings, profile, choices, steps, system }
    }

    fn with<T>(
        &self,
        system: &dyn System,
        deep: bool,
        look: impl FnOnce(&Context<'_>, Plan) -> T,
    ) -> T {
        let Self { machine, catalog, settings, profile, choices, .. } = self;
        let receipt = Receipt::load(&machine.folders.state, &Real).unwrap();
        let mut cx = Context::new(system, &Real, machine, catalog, settings, receipt);
        cx.deep = deep;
        let mut plan = aitk_plan::plan(machine, profile, choices, self.manager, catalog);
        plan.steps.extend(self.steps.clone());
        look(&cx, plan)
    }

    /// What is found, by those who change nothing.
    pub fn verify(&self, deep: bool) -> Vec<VerifyFinding> {
        let system = Deny(Arc::clone(&self.system));
        self.with(&system, false, |cx, plan| verify(cx, &plan, deep, &Silent).unwrap())
    }

    /// What the doctor says of it: what was seen, and what helps.
    pub fn doctor(&self) -> BTreeSet<(String, String)> {
        self.said(&["AITK-H36", "AITK-H37", "AITK-H57"])
    }

    /// The same of these findings.
    pub fn said(&self, codes: &[&str]) -> BTreeSet<(String, String)> {
        let own = self.with(&Deny(Arc::clone(&self.system)), false, |cx, plan| judge(cx, &plan));
        let (env, tables) = (self.environments().current_path(), &self.catalog.tables);
        let found = examine(&Real, &self.machine, tables, Some(&env), Some(&own));
        let found = found.into_iter().filter(|one| codes.contains(&one.code.as_str()));
        let mut said = BTreeSet::new();
        for finding in found {
            let helps: Vec<_> = finding.remedy.iter().map(ToString::to_string).collect();
            let helps: Vec<_> = helps.into_iter().chain(finding.aitk).collect();
            for seen in &finding.evidence {
                said.extend(helps.iter().map(|helps| (seen.to_string(), helps.clone())));
            }
        }
        said
    }

    /// Whether `apply` finds something to do.
    pub fn has_to_do(&self, deep: bool) -> bool {
        self.with(&*self.system, deep, |cx, mut plan| {
            survey(cx, &mut plan, false).unwrap();
            plan.steps.iter().any(|step| step.status == Status::Needed)
        })
    }

    pub fn apply(&self, deep: bool) {
        self.with(&*self.system, deep, |cx, mut plan| {
            survey(cx, &mut plan, true).unwrap();
            let journal = Journal::begin(&self.machine.folders.state, &Real);
            let summary = aitk_exec::apply(cx, plan, &journal, &Silent).unwrap();
            if let Some((step, error)) = summary.failure {
                panic!("{step}: {error}: {:?}", error.hint());
            }
        });
    }

    fn environments(&self) -> Environments {
        Environments::new(&self.settings.data, "ai")
    }

    pub fn generation(&self) -> Generation {
        self.environments().current(&Real).unwrap().0
    }

    /// A file of the environment.
    pub fn at(&self, file: &str) -> PathBuf {
        self.generation().path().join(file)
    }

    /// A file of its packages.
    pub fn site(&self, file: &str) -> PathBuf {
        self.library("site-packages").join(file)
    }

    /// A file of its Python's library.
    pub fn library(&self, file: &str) -> PathBuf {
        let python = fs::read_dir(self.at("lib")).unwrap().next().unwrap().unwrap().path();
        python.join(file)
    }

    pub fn link(&self) -> PathBuf {
        self.environments().current_path()
    }

    pub fn kernel(&self) -> PathBuf {
        self.folder.join("jupyter/kernels/aitk-ai/kernel.json")
    }

    pub fn uv(&self) -> PathBuf {
        self.settings.data.join("tools/uv-9.9.9/uv")
    }
}
