//! A home folder with real environments of either manager, built from packages of an index or a channel on loopback, and
//! those who judge it; only uv is a stand-in, and conda's Python starts the one of this machine.
#![allow(dead_code, reason = "not every test uses all of it")]

pub mod sources;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aitk_detect::{Machine, detect, examine};
use aitk_env::{Environments, Generation, Settings};
use aitk_exec::{
    Context, Event, ExecError, Journal, Receipt, Reporter, Summary, VerifyFinding, back, judge,
    survey, verify,
};
use aitk_plan::{Catalog, Choices, Manager, Plan, Profile, Status, Step, Wheel};
use aitk_system::{Deny, Explain, Real, System};

use sources::{Host, channel, sha256, wheel};

/// The smallest profile that does something, with one package more.
const PROFILE: &str = include_str!("../../../../tests/support/tiny.toml");
const UV: &[u8] = include_bytes!("uv.py");

/// Nobody listens.
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// What an index has; the first wheel of a name counts.
pub type Wheels = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// What is wrong with an index when wheels are asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sick {
    /// It hangs up.
    Silent,
    /// It ends in the middle.
    Short,
    /// One letter is another one.
    Changed,
    /// It says 429, 500 or 503.
    Refuses(u16),
    /// It answers with a page that asks to log in.
    Portal,
    /// It sends ten kilobytes a second.
    Slow,
}

/// What is wrong with an index now.
pub type Health = Arc<Mutex<Option<Sick>>>;

/// What is sent instead of a wheel: status, how long it is said to be, and the bytes.
fn spoilt(sick: Sick, mut body: Vec<u8>) -> (u16, usize, Vec<u8>) {
    let length = body.len();
    match sick {
        Sick::Silent => (200, length, Vec::new()),
        Sick::Slow => (200, length, body),
        Sick::Short => (200, length, body[..length / 2].to_owned()),
        Sick::Changed => {
            body[length / 2] ^= 1;
            (200, length, body)
        }
        Sick::Refuses(status) => (status, 4, b"busy".to_vec()),
        Sick::Portal => (200, 20, b"<html>Log in</html>\n".to_vec()),
    }
}

/// An index with these wheels, which may change, as it is now; its address.
pub fn index(wheels: Wheels, health: Health) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let base = address.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever asks may be killed meanwhile.
            let Ok(mut stream) = stream else { continue };
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let Some(Ok(request)) = lines.next() else { continue };
            while lines.next().is_some_and(|line| line.is_ok_and(|line| !line.is_empty())) {}
            let Some(path) = request.split(' ').nth(1).map(str::to_owned) else { continue };
            let wheels = wheels.lock().unwrap();
            let of = |start: &str| {
                let name = path.strip_prefix(start)?.trim_end_matches('/');
                wheels.iter().find(|(file, _)| file == name || file.split('-').next() == Some(name))
            };
            let (kind, body) = match (of("/simple/"), of("/f/")) {
                (Some((file, bytes)), _) => {
                    let (size, hash) = (bytes.len(), sha256(bytes));
                    let page = serde_json::json!({ "files": [{
                        "filename": file, "url": format!("{base}/f/{file}"), "size": size,
                        "hashes": { "sha256": hash },
                    }] });
                    ("application/vnd.pypi.simple.v1+json", page.to_string().into_bytes())
                }
                (None, Some((_, bytes))) => ("application/zip", bytes.clone()),
                (None, None) => ("text/plain", Vec::new()),
            };
            let sick =
                health.lock().unwrap().filter(|_| path.starts_with("/f/") && !body.is_empty());
            let (status, length, body) = match sick {
                Some(sick) => spoilt(sick, body),
                None => (if body.is_empty() { 404 } else { 200 }, body.len(), body),
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            if sick != Some(Sick::Silent) {
                let _ = stream.write_all(head.as_bytes());
            }
            let piece = if sick == Some(Sick::Slow) { 1000 } else { usize::MAX };
            for piece in body.chunks(piece) {
                let _ = stream.write_all(piece);
                if sick == Some(Sick::Slow) {
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
    });
    format!("{address}/simple")
}

/// The stand-in of uv.
fn uv() -> (String, Vec<u8>) {
    wheel("uv-9.9.9", &[("uv-9.9.9.data/scripts/uv", UV)])
}

/// The source of a package's module.
fn module(version: &str) -> String {
    format!(
        "VERSION = '{version}'\n\n\ndef one():\n    return 1\n\n\ndef two():\n    return 'two' + str(one())\n"
    )
}

/// A package in a version.
pub fn package(name: &str, version: &str) -> (String, Vec<u8>) {
    package_of(name, version, &module(version))
}

fn package_of(name: &str, version: &str, module: &str) -> (String, Vec<u8>) {
    let info = |file: &str| format!("{name}-{version}.dist-info/{file}");
    let metadata = format!("Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n");
    wheel(
        &format!("{name}-{version}"),
        &[
            (&format!("{name}.py"), module.as_bytes()),
            (&info("METADATA"), metadata.as_bytes()),
            (&info("WHEEL"), b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ],
    )
}

/// A home folder, and all that aitk is told of it.
pub struct Home {
    pub folder: PathBuf,
    manager: Manager,
    pub machine: Machine,
    pub catalog: Catalog,
    pub settings: Settings,
    pub profile: Profile,
    pub choices: Choices,
    /// What is to be ensured besides.
    pub steps: Vec<Step>,
    /// What is looked at and changed.
    pub system: Arc<dyn System>,
    pub wheels: Wheels,
    pub health: Health,
}

impl Home {
    pub fn new(folder: &Path) -> Self {
        let wheels = vec![uv(), package("six", "1.0"), package("toolz", "1.0")];
        let wheels = Arc::new(Mutex::new(wheels));
        let health = Health::default();
        let address = index(Arc::clone(&wheels), Arc::clone(&health));
        Self { wheels, health, ..Self::joined(folder, &address) }
    }

    /// One whose packages are conda's, with a channel that has them and a Python: in the version of this machine's, which
    /// it starts.
    pub fn with_conda(folder: &Path) -> Self {
        let mut home = Self::joined(folder, "");
        let python = &home.machine.python[0];
        let (major, minor) = python.minor().unwrap();
        let host = Host {
            python: python.path.to_string_lossy().into_owned(),
            minor: format!("{major}.{minor}"),
            arch: home.machine.arch.clone(),
        };
        let module = module("1.0");
        let modules = ["six", "toolz"].map(|name| (name, module.as_bytes()));
        home.settings.channels = vec![channel(&host, &modules)];
        home.settings.index_url = None;
        home.choices.python = Some(host.minor);
        home.manager = Manager::Conda;
        home
    }

    /// Asks for these libraries, and for an environment of conda's own with these packages.
    pub fn ask_for(&mut self, libraries: &str, base: &str) {
        let step = format!(
            "[[step]]\nid = \"manager.base\"\nphase = \"manager\"\nkind = \"base\"\nmanager = \"conda\"\n\
             title = \"Install conda\"\nwhy = \"w\"\nrequirements = {base}\n[[step]]\n"
        );
        let text = PROFILE.replace(r#"["six"]"#, libraries).replacen("[[step]]\n", &step, 1);
        self.profile = Profile::from_toml("tiny.toml", &text).unwrap();
    }

    /// One of this manager's.
    pub fn of(folder: &Path, manager: Manager) -> Self {
        match manager {
            Manager::Venv => Self::new(folder),
            Manager::Conda => Self::with_conda(folder),
        }
    }

    /// The same home as another process has it, with that one's index.
    pub fn joined(folder: &Path, address: &str) -> Self {
        let uv = uv();
        let mut catalog = Catalog::builtin().unwrap();
        catalog.uv.version = "9.9.9".to_owned();
        catalog.uv.wheels = vec![Wheel {
            arch: Real.host().arch,
            filename: uv.0.clone(),
            size: uv.1.len() as u64,
            sha256: sha256(&uv.1),
        }];
        let mut machine = detect(&Real, &catalog.tables).machine;
        machine.folders.home = folder.to_owned();
        machine.folders.state = folder.join("state");
        machine.folders.jupyter = folder.join("jupyter");
        machine.folders.data = folder.join("data");
        machine.folders.cache = folder.join("cache");
        let settings = Settings {
            data: folder.join("data"),
            cache: folder.join("cache/aitk"),
            index_url: Some(address.to_owned()),
            ..Settings::default()
        };
        let profile = PROFILE.replace(r#"["six"]"#, r#"["six", "toolz"]"#);
        let profile = Profile::from_toml("tiny.toml", &profile).unwrap();
        let choices = Choices::default();
        let (wheels, health) = (Wheels::default(), Health::default());
        let (folder, manager) = (folder.to_owned(), Manager::Venv);
        let (steps, system) = (Vec::new(), Arc::new(Real));
        Self {
            folder,
            manager,
            machine,
            catalog,
            settings,
            profile,
            choices,
            steps,
            system,
            wheels,
            health,
        }
    }

    pub fn with<T>(
        &self,
        system: &dyn System,
        deep: bool,
        look: impl FnOnce(&Context<'_>, Plan) -> T,
    ) -> T {
        let Self { machine, catalog, settings, .. } = self;
        let receipt = Receipt::load(&machine.folders.state, &Real).unwrap();
        let mut cx = Context::new(system, &Real, machine, catalog, settings, receipt);
        cx.deep = deep;
        let plan = self.plan();
        look(&cx, plan)
    }

    /// What is asked for, with the packages of the user's own, as the command line makes it.
    fn plan(&self) -> Plan {
        let Self { machine, catalog, profile, choices, manager, .. } = self;
        let profile = profile.clone().with_packages(&choices.packages);
        let mut plan = aitk_plan::plan(machine, &profile, choices, *manager, catalog);
        plan.steps.extend(self.steps.clone());
        plan
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
        self.do_with(|cx| cx.deep = deep);
    }

    /// Resolves it anew, for what is newer.
    pub fn upgrade(&self) {
        self.do_with(|cx| cx.fresh = true);
    }

    /// Plans and carries the plan out, which is to go well.
    pub fn do_with(&self, set: impl FnOnce(&mut Context<'_>)) {
        if let Some((step, error)) = self.try_with(set).failure {
            panic!("{step}: {error}: {:?}", error.hint());
        }
    }

    pub fn try_with(&self, set: impl FnOnce(&mut Context<'_>)) -> Summary {
        self.attempt(set).unwrap()
    }

    pub fn attempt(&self, set: impl FnOnce(&mut Context<'_>)) -> Result<Summary, ExecError> {
        let Self { machine, catalog, settings, .. } = self;
        let receipt = self.receipt();
        let mut cx = Context::new(&*self.system, &Real, machine, catalog, settings, receipt);
        set(&mut cx);
        let mut plan = self.plan();
        survey(&cx, &mut plan, true)?;
        let journal = Journal::begin(&machine.folders.state, &Real);
        aitk_exec::apply(&cx, plan, &journal, &Silent)
    }

    pub fn receipt(&self) -> Receipt {
        Receipt::load(&self.machine.folders.state, &Real).unwrap()
    }

    /// Notes what is wished for, as the command line does before a run.
    pub fn wish(&self, wish: impl Into<serde_json::Value>) {
        let mut receipt = self.receipt();
        receipt.environments.insert("ai".to_owned(), wish.into());
        receipt.save(&self.machine.folders.state, &Real).unwrap();
    }

    /// Goes back to a generation, as `aitk rollback` does.
    pub fn go_back(&self, name: Option<&str>) -> Result<Summary, ExecError> {
        let Self { machine, catalog, settings, .. } = self;
        let Some(back) = back(&Real, &settings.data, "ai", name)? else { panic!("it is in use") };
        let mut receipt = self.receipt();
        receipt.request_again("ai", back.record.wish.clone().unwrap_or_default());
        receipt.save(&machine.folders.state, &Real).unwrap();
        let mut cx = Context::new(&Real, &Real, machine, catalog, settings, receipt);
        cx.back = Some(&back);
        let mut plan = self.plan();
        back.narrow(&mut plan);
        survey(&cx, &mut plan, true)?;
        let journal = Journal::begin(&machine.folders.state, &Real);
        aitk_exec::apply(&cx, plan, &journal, &Silent)
    }

    /// The index has a package in another version from now on.
    pub fn publish(&self, name: &str, version: &str) {
        self.wheels.lock().unwrap().insert(0, package(name, version));
    }

    /// Likewise one of so many bytes and more, which cannot be packed.
    pub fn publish_large(&self, name: &str, version: &str, bytes: usize) {
        let mut state = 1_u32;
        let mut letter = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'a' + (state >> 24) as u8 % 26)
        };
        let large: String = (0..bytes).map(|_| letter()).collect();
        let module = format!("{}# {large}\n", module(version));
        self.wheels.lock().unwrap().insert(0, package_of(name, version, &module));
    }

    pub fn environments(&self) -> Environments {
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
