//! A machine for the tests of steps: its files are put into a folder, and what would change it is reported.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aitk_detect::detect;
use aitk_env::Settings;
use aitk_plan::{Accelerator, Action, Catalog, Phase, Plan, Step, Totals};
use aitk_system::{
    Command, Deny, Effect, Hold, Host, Line, MemoryInfo, Message, Nvml, NvmlFailure, Output,
    Permit, Real, Replay, Report, RunError, Space, Stat, System, Timestamp,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{CheckOutcome, Work, behaviour};
use crate::context::{Context, no_log};
use crate::error::ExecError;
use crate::receipt::Receipt;
use crate::report::{Event, Reporter};

/// What is said when the receipt is written.
pub(crate) const NOTED: &str = "write /home/user/.local/state/aitk/receipt.json";

/// Nobody listens.
pub(crate) struct Silent;

impl Reporter for Silent {
    fn event(&self, _: &Event<'_>) {}
}

/// A machine of a user with the id 1000, whose home is `/home/user`.
pub(crate) struct Machine {
    folder: TempDir,
    replay: Arc<Replay>,
}

/// What became of a step.
#[derive(Debug)]
pub(crate) struct Ran {
    /// What the plan shows.
    pub shown: Step,
    /// What would have been done.
    pub did: Vec<String>,
    pub receipt: Receipt,
}

impl Machine {
    /// A machine that gives these answers, of those in a recording's file.
    pub fn new(answers: &str) -> Self {
        let mut all = json!({
            "schema": 1,
            "env": {"HOME": "/home/user"},
            "host": {"uid": 1000, "gid": 1000, "groups": [1000], "arch": "x86_64"},
        });
        let Value::Object(answers) = serde_json::from_str(answers).unwrap() else { panic!() };
        all.as_object_mut().unwrap().extend(answers);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answers.json");
        Real.write(&path, all.to_string().as_bytes(), 0o644).unwrap();
        Real.create_dir(&folder.path().join("root")).unwrap();
        let replay = Arc::new(Replay::open(folder.path()).unwrap());
        Self { folder, replay }
    }

    pub fn system(&self) -> &dyn System {
        &self.replay
    }

    /// Where a file of the machine lies.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path.trim_start_matches('/'))
    }

    pub fn file(&self, path: &str, content: &str) {
        Real.write(&self.path(path), content.as_bytes(), 0o644).unwrap();
    }

    /// A link of the machine, whatever it leads to.
    pub fn link(&self, path: &str, target: &str) {
        Real.create_dir(self.path(path).parent().unwrap()).unwrap();
        Real.symlink(std::path::Path::new(target), &self.path(path)).unwrap();
    }

    /// A receipt that says that aitk made these.
    pub fn receipt_of(&self, keys: &[&str]) -> Receipt {
        self.with(Receipt::default(), |cx| {
            let made = |key: &&str| super::ReceiptEntry::created((*key).to_owned(), None);
            cx.note("a step", keys.iter().map(made));
            cx.receipt()
        })
    }

    pub fn plan(&self, steps: Vec<Step>) -> Plan {
        plan(steps)
    }

    /// Looks at the machine, of which nothing can be changed.
    pub fn with<T>(&self, receipt: Receipt, look: impl FnOnce(&Context<'_>) -> T) -> T {
        self.on(&self.replay, &Deny(Real), receipt, true, look)
    }

    /// The same where sources are asked.
    pub fn online<T>(&self, look: impl FnOnce(&Context<'_>) -> T) -> T {
        self.on(&self.replay, &Deny(Real), Receipt::default(), false, look)
    }

    fn on<T>(
        &self,
        system: &dyn System,
        local: &dyn System,
        receipt: Receipt,
        offline: bool,
        look: impl FnOnce(&Context<'_>) -> T,
    ) -> T {
        let catalog = Catalog::builtin().unwrap();
        let machine = detect(&self.replay, &catalog.tables).machine;
        let folders = &machine.folders;
        let settings = Settings {
            data: folders.data.clone(),
            cache: folders.cache.clone(),
            offline,
            ..Settings::default()
        };
        let mut cx = Context::new(system, local, &machine, &catalog, &settings, receipt);
        cx.lock_wait = Duration::ZERO;
        look(&cx)
    }

    pub fn check(&self, step: &Step) -> Result<CheckOutcome, ExecError> {
        self.check_with(step, Receipt::default())
    }

    pub fn check_with(&self, step: &Step, receipt: Receipt) -> Result<CheckOutcome, ExecError> {
        self.with(receipt, |cx| behaviour(&step.action).check(cx, &plan(vec![step.clone()]), step))
    }

    /// The receipt with what a step says of its own.
    pub fn own(&self, step: &Step, receipt: Receipt) -> Receipt {
        self.with(receipt, |cx| {
            cx.note(&step.id, behaviour(&step.action).own(cx, &plan(vec![step.clone()]), step));
            cx.receipt()
        })
    }

    /// What a plan shows of a step.
    pub fn resolve(&self, plan: &Plan, step: &Step) -> Result<Step, ExecError> {
        let local = Report::new(Deny(Real), |_: &Message| {});
        self.on(&self.replay, &local, Receipt::default(), true, |cx| {
            Ok(behaviour(&step.action).resolve(cx, plan, step)?.steps.remove(0))
        })
    }

    /// Resolves a step and carries it out, as far as that is possible without changing anything.
    pub fn apply(&self, action: impl Into<Action>, receipt: Receipt) -> Result<Ran, ExecError> {
        let did = Mutex::new(Vec::new());
        let say = |change: &Message| did.lock().unwrap().push(change.to_string());
        let system = Report::new(Deny(Arc::clone(&self.replay)), say);
        let local = Report::new(Deny(Real), |_: &Message| {});
        let step = step(action);
        let plan = plan(vec![step.clone()]);
        let (shown, receipt) = self.on(&system, &local, receipt, true, |cx| {
            let shown = behaviour(&step.action).resolve(cx, &plan, &step)?.steps.remove(0);
            let work = Work { plan: &plan, step: &shown, reporter: &Silent, log: no_log() };
            let made = behaviour(&step.action).apply(cx, &work)?;
            cx.note(&step.id, made);
            Ok::<_, ExecError>((shown, cx.receipt()))
        })?;
        let did = did.lock().unwrap().clone();
        Ok(Ran { shown, did, receipt })
    }
}

pub(crate) fn plan(steps: Vec<Step>) -> Plan {
    Plan {
        budget: String::new(),
        machine: String::new(),
        choices: Default::default(),
        manager: Default::default(),
        accelerator: Accelerator {
            kind: "none".to_owned(),
            gpus: Vec::new(),
            cuda: None,
            compute_capability: None,
            why: Vec::new(),
        },
        framework: None,
        project: None,
        environments: Vec::new(),
        steps,
        totals: Totals::default(),
        warnings: Vec::new(),
        grounds: Vec::new(),
    }
}

/// A step that does this and is to be done.
pub(crate) fn step(action: impl Into<Action>) -> Step {
    Step { root: true, ..Step::new("step", Phase::System, "", action.into()) }
}

/// This machine, for a program that is killed after so many writes: from then on nothing of it reaches the disk.
pub(crate) struct Dying {
    left: AtomicUsize,
    is_dead: AtomicBool,
}

impl Dying {
    pub fn after(writes: usize) -> Self {
        Self { left: AtomicUsize::new(writes), is_dead: AtomicBool::new(false) }
    }

    pub fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    fn writes(&self) -> io::Result<()> {
        let left =
            self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| {
            self.is_dead.store(true, Ordering::SeqCst);
            io::Error::other("killed")
        })
    }
}

impl System for Dying {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Real.read(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read>> {
        Real.open(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        Real.list(path)
    }
    fn stat(&self, path: &Path) -> io::Result<Stat> {
        Real.stat(path)
    }
    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        Real.read_link(path)
    }
    fn access(&self, path: &Path) -> io::Result<()> {
        Real.access(path)
    }
    fn env(&self, name: &str) -> Option<String> {
        Real.env(name)
    }
    fn which(&self, program: &str) -> Option<PathBuf> {
        Real.which(program)
    }
    fn memory(&self) -> io::Result<MemoryInfo> {
        Real.memory()
    }
    fn space(&self, path: &Path) -> io::Result<Space> {
        Real.space(path)
    }
    fn nvml(&self) -> Result<Nvml, NvmlFailure> {
        Real.nvml()
    }
    fn host(&self) -> Host {
        Real.host()
    }
    fn now(&self) -> Timestamp {
        Real.now()
    }
    /// Git is asked, and nothing else.
    fn run_watched(
        &self,
        command: &Command,
        watch: &mut dyn FnMut(Line<'_>),
    ) -> Result<Output, RunError> {
        assert_eq!((command.argv[0].as_str(), command.effect), ("git", Effect::Reads));
        Real.run_watched(command, watch)
    }
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.writes().and_then(|()| Real.write(path, bytes, mode))
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.writes().and_then(|()| Real.append(path, bytes))
    }
    fn flush(&self, path: &Path) -> io::Result<()> {
        Real.flush(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.writes().and_then(|()| Real.create_dir(path))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.writes().and_then(|()| Real.remove(path))
    }
    fn symlink(&self, target: &Path, link: &Path) -> io::Result<()> {
        self.writes().and_then(|()| Real.symlink(target, link))
    }
    fn hold(&self, path: &Path, note: &str) -> io::Result<Option<Hold>> {
        Real.hold(path, note)
    }
    fn hold_folder(&self, folder: &Path) -> io::Result<Option<Hold>> {
        Real.hold_folder(folder)
    }
    fn permit(&self, change: &Message) -> io::Result<Permit> {
        Real.permit(change)
    }
}
