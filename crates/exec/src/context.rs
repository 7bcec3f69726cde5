//! What every step has at hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aitk_detect::{Machine, detect};
use aitk_env::{
    Backend, Depth, Environments, Generation, GenerationRecord, Occasion, Settings, Site, backend,
};
use aitk_export::TargetList;
use aitk_plan::{Catalog, EnvironmentPlan, Locks, Plan};
use aitk_system::{Command, Failure, Message, System};
use serde_json::Value;

use crate::apt::{Apt, AptOutput};
use crate::back::Back;
use crate::downloads::Downloads;
use crate::error::ExecError;
use crate::receipt::{Object, Receipt, ReceiptEntry};

/// The surroundings of a survey, a run or a verification.
pub struct Context<'a> {
    /// The machine that is looked at and changed.
    pub system: &'a dyn System,
    /// The machine that the program runs on: it asks the sources and fills the caches.
    pub local: &'a dyn System,
    /// Whether both are the same machine.
    pub is_local: bool,
    /// Whether changes are only reported.
    pub dry: bool,
    /// Whether checks compare the content of every file.
    pub deep: bool,
    /// What is known of the machine.
    pub machine: &'a Machine,
    /// The tables.
    pub catalog: &'a Catalog,
    /// Sources and folders of environments on the machine that is changed.
    pub settings: &'a Settings,
    /// The same on the machine that the program runs on.
    pub local_settings: &'a Settings,
    /// Receipt, runs and locks.
    pub state: &'a Path,
    /// What projects are written from; `None` where none is.
    pub targets: Option<&'a TargetList>,
    /// A lock given by the user, which is then the one that counts.
    pub locked: Option<&'a Locks>,
    /// Whether environments that are there are resolved anew, for what is newer.
    pub fresh: bool,
    /// Whether a project is also written where there is something else already.
    pub force: bool,
    /// What is gone back to; `None` where nothing is.
    pub back: Option<&'a Back>,
    /// How long to wait for the locks of apt and dpkg.
    pub lock_wait: Duration,
    /// What is known so far, by both lanes.
    pub(crate) memo: Mutex<Memo>,
    /// What apt and dpkg have said.
    pub(crate) apt: Apt,
    /// The environment, while nothing is changed; `None` while something may be.
    sight: Mutex<Option<Sight>>,
    /// What is being downloaded.
    pub(crate) downloads: Downloads,
}

/// What a run learns on its way.
#[derive(Debug, Default)]
pub(crate) struct Memo {
    /// What exists because of aitk.
    pub receipt: Receipt,
    /// What proofs said that succeeded, by step.
    pub said: BTreeMap<String, Message>,
    /// Steps whose layer was installed by this run into a generation that is not yet whole.
    pub built: BTreeSet<String>,
    /// Steps by which this run has sent something.
    pub sent: BTreeSet<String>,
    /// Layers (none: the rest) of generations whose folders were found as they had been noted: it takes a look at each of
    /// some thousand folders, so it is done once.
    pub unchanged: BTreeSet<(PathBuf, Option<String>)>,
}

/// What a survey has looked at, and [`crate::settle`] after it need not look at again.
#[derive(Debug, Default, Clone)]
pub struct SurveyCache {
    unchanged: BTreeSet<(PathBuf, Option<String>)>,
    apt: AptOutput,
}

/// What is built is told by the environment's name, the digest of what is asked for, and the lock that is named.
type BuildKey = (String, String, Option<String>);

/// The environment of a plan as a survey finds it. Nearly every step asks for it, and while all of them only look each
/// of these is read once.
#[derive(Debug, Default)]
struct Sight {
    built: BTreeMap<BuildKey, Option<(Generation, GenerationRecord)>>,
    /// What stands there, by folder.
    standing: BTreeMap<PathBuf, Option<String>>,
}

impl<'a> Context<'a> {
    /// Puts the surroundings together.
    pub fn new(
        system: &'a dyn System,
        local: &'a dyn System,
        machine: &'a Machine,
        catalog: &'a Catalog,
        settings: &'a Settings,
        receipt: Receipt,
    ) -> Self {
        Self {
            system,
            local,
            is_local: true,
            dry: false,
            deep: false,
            machine,
            catalog,
            settings,
            local_settings: settings,
            state: &machine.folders.state,
            targets: None,
            locked: None,
            fresh: false,
            force: false,
            back: None,
            lock_wait: Duration::from_secs(600),
            memo: Mutex::new(Memo { receipt, ..Memo::default() }),
            apt: Apt::default(),
            sight: Mutex::default(),
            downloads: Downloads::default(),
        }
    }

    pub(crate) fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the proofs said that succeeded so far, by step.
    pub fn said(&self) -> BTreeMap<String, Message> {
        self.memo().said.clone()
    }

    /// What was looked at so far, for [`crate::settle`].
    pub fn survey_cache(&self) -> SurveyCache {
        SurveyCache { unchanged: self.memo().unchanged.clone(), apt: self.apt.said().clone() }
    }

    /// Goes on from what a survey has looked at.
    pub(crate) fn go_on_from(&self, looked: SurveyCache) {
        self.memo().unchanged = looked.unchanged;
        *self.apt.said() = looked.apt;
    }

    /// Does what only looks: what several steps ask of the environment is found out once meanwhile.
    pub(crate) fn while_looking<T>(&self, look: impl FnOnce() -> T) -> T {
        *self.sight() = Some(Sight::default());
        let found = look();
        *self.sight() = None;
        found
    }

    fn sight(&self) -> MutexGuard<'_, Option<Sight>> {
        self.sight.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How closely files are looked at to find out what there is to do.
    pub(crate) fn depth(&self) -> Depth {
        if self.deep { Depth::Content } else { Depth::Folders }
    }

    /// The receipt as it stands.
    pub fn receipt(&self) -> Receipt {
        self.memo().receipt.clone()
    }

    /// Notes what a step has made or is about to make.
    pub(crate) fn note(&self, step: &str, made: impl IntoIterator<Item = ReceiptEntry>) {
        let at = self.system.now().to_string();
        for made in made {
            let ReceiptEntry { key, provenance, detail } = made;
            let object = Object { step: step.to_owned(), provenance, detail, at: at.clone() };
            self.memo().receipt.note(key, object);
        }
    }

    /// Does what makes things. They are noted before it is done, so that a run that is killed still knows afterwards
    /// whose they are, and forgotten again where it fails and nothing of them is `there`.
    pub(crate) fn about_to(
        &self,
        step: &str,
        made: &[ReceiptEntry],
        there: impl Fn() -> bool,
        act: impl FnOnce() -> Result<(), ExecError>,
    ) -> Result<(), ExecError> {
        let known = self.receipt().objects;
        self.note(step, made.iter().cloned());
        self.save_receipt()?;
        let result = act();
        if result.is_err() && !there() {
            for new in made.iter().filter(|made| !known.contains_key(&made.key)) {
                self.memo().receipt.objects.remove(&new.key);
            }
        }
        result
    }

    /// What the user wishes an environment to be.
    pub(crate) fn request_of(&self, env: &str) -> Option<Value> {
        self.memo().receipt.environments.get(env).cloned()
    }

    /// Writes the receipt, if it says anything new.
    pub(crate) fn save_receipt(&self) -> Result<(), ExecError> {
        // Both lanes write it, and the later one must not write what is older.
        let memo = self.memo();
        if self.dry || memo.receipt == Receipt::load(self.state, self.system)? {
            return Ok(());
        }
        memo.receipt.save(self.state, self.system)
    }

    /// A command as its user would type it.
    pub(crate) fn typed(&self, command: &Command) -> Message {
        Message::plain(command.typed(self.machine.privilege.root))
    }

    /// The machine as it is now: a step of this run may have brought a Python or a tool.
    ///
    /// # Errors
    /// Where the system lets nothing be asked.
    pub(crate) fn machine_now(&self) -> Result<Machine, Failure> {
        Ok(detect(self.system, &self.catalog.tables).answered()?.machine)
    }
}

/// What installs an environment of a plan.
pub(crate) fn backend_of(environment: &EnvironmentPlan) -> &'static dyn Backend {
    backend(environment.request.manager)
}

impl Context<'_> {
    /// All generations of an environment of a plan.
    pub(crate) fn environments(&self, wanted: &EnvironmentPlan) -> Environments {
        Environments::new(&self.settings.data, &wanted.name)
    }

    /// The whole generation that a plan means: the one that it or the user's lock names, else one that was built for
    /// the same wishes.
    pub(crate) fn built(&self, wanted: &EnvironmentPlan) -> Option<(Generation, GenerationRecord)> {
        let named = self.locked.map(|locks| locks.environment.digest());
        let named = named.or_else(|| wanted.generation());
        match &mut *self.sight() {
            None => self.find(wanted, named.as_deref()),
            Some(sight) => {
                let key = (wanted.name.clone(), wanted.request.digest.clone(), named.clone());
                let found = || self.find(wanted, named.as_deref());
                sight.built.entry(key).or_insert_with(found).clone()
            }
        }
    }

    /// What a generation becomes the one in use for, in this run, in place of one of which this was wished.
    pub(crate) fn occasion(&self, plan: &Plan, before: Option<&Value>) -> Occasion {
        let own = |wish: &Value| -> Option<BTreeSet<String>> {
            let packages = wish.get("choices")?.get("packages").cloned();
            serde_json::from_value(packages.unwrap_or_else(|| Value::Array(Vec::new()))).ok()
        };
        let now: BTreeSet<_> = plan.choices.packages.iter().cloned().collect();
        match before.and_then(own) {
            _ if self.back.is_some() => Occasion::Rollback,
            _ if self.fresh => Occasion::Upgrade,
            Some(before) if !now.is_subset(&before) => Occasion::Add,
            Some(before) if now != before => Occasion::Drop,
            _ => Occasion::Apply,
        }
    }

    /// What stands in a generation, as [`Generation::standing`] says it.
    pub(crate) fn standing(&self, generation: &Generation) -> Option<String> {
        let found = || generation.standing(self.system);
        match &mut *self.sight() {
            None => found(),
            Some(sight) => {
                let folder = generation.path().to_owned();
                sight.standing.entry(folder).or_insert_with(found).clone()
            }
        }
    }

    fn find(
        &self,
        wanted: &EnvironmentPlan,
        named: Option<&str>,
    ) -> Option<(Generation, GenerationRecord)> {
        if let Some(Back { generation, record, .. }) = self.back {
            return Some((generation.clone(), record.clone()));
        }
        let environments = self.environments(wanted);
        match named {
            None => environments.find(self.system, &wanted.request.digest),
            Some(name) => {
                let generation = environments.instance(self.system, name);
                let record = generation.record(self.system)?;
                (record.request == wanted.request.digest).then_some((generation, record))
            }
        }
    }

    /// Where it is noted that a generation was whole; kept apart from it, so that looking changes nothing there.
    pub(crate) fn seen(&self, generation: &Generation) -> PathBuf {
        self.state.join("seen").join(generation.folder())
    }

    /// Whether the folders of a layer are as they were noted; looks once.
    pub(crate) fn unchanged(&self, generation: &Generation, step: Option<&str>) -> bool {
        let layer = (generation.path().to_owned(), step.map(str::to_owned));
        if self.memo().unchanged.contains(&layer) {
            return true;
        }
        let unchanged = generation.unchanged(self.system, &self.seen(generation), step);
        if unchanged {
            self.memo().unchanged.insert(layer);
        }
        unchanged
    }

    /// What managers work on while they only look.
    pub(crate) fn looking(&self) -> Site<'_> {
        self.site(Path::new(NO_LOG))
    }

    /// What managers work on; what their commands print goes to the log.
    pub(crate) fn site<'b>(&'b self, log: &'b Path) -> Site<'b> {
        Site {
            system: self.system,
            local: self.local,
            is_local: self.is_local,
            machine: self.machine,
            catalog: self.catalog,
            settings: self.settings,
            local_settings: self.local_settings,
            log,
            dry: self.dry,
        }
    }
}

/// Where a step's log goes when nothing is journaled.
const NO_LOG: &str = "/dev/null";

pub(crate) fn no_log() -> PathBuf {
    PathBuf::from(NO_LOG)
}
