//! What every command begins with: the machine, the settings, and what the user wants.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use aitk_detect::{Machine, Note, detect};
use aitk_env::{EnvError, Environments, Settings, channel_answers, read_locks};
use aitk_exec::{Context, ExecError, Kaggle, ProjectRecord, Receipt, kaggle_owner};
use aitk_export::TargetList;
use aitk_plan::{
    Catalog, Choices, LONGEST_PROFILE, Locks, Manager, ManagerChoice, Plan, Profile, ProfileError,
    Project, Request, Warning, manager_for_device, match_spec,
};
use aitk_system::{Explain, Message, System, message};
use serde_json::Value;

use crate::args::{ChoiceArgs, Common};
use crate::config::catalog;
use crate::error::{CliError, HostedError};
use crate::folder::FolderFile;
use crate::given::take_out;
use crate::projects;
use crate::targets::targets;
use crate::words::{said, worded};
use recorded::recorded;
pub use settings::SourceOverrides;
use settings::{sources, with_sources};

mod recorded;
mod settings;
#[cfg(test)]
mod tests;

/// The machine that a command is about, and the surroundings. Nothing of it changes.
pub struct Session {
    /// The system on which aitk itself runs.
    pub local: Local,
    /// The one that it is asked about.
    pub system: Arc<dyn System>,
    pub is_local: bool,
    pub machine: Machine,
    pub notes: Vec<Note>,
    pub catalog: Catalog,
    pub settings: Settings,
    pub local_settings: Settings,
    pub receipt: Receipt,
    /// Whether what an environment was built with counts as long as it fits.
    keeps: bool,
    /// Set where it is about a hosted notebook.
    hosted: Option<HostedNotebook>,
    /// What projects are written from, once it was asked for.
    targets: OnceLock<TargetList>,
    /// The file of the folder, where it counts.
    folder: Option<FolderFile>,
}

/// What is asked of a hosted notebook beside its choices.
struct HostedNotebook {
    /// Whether it is sent.
    push: bool,
}

/// The name of its environment, which is nowhere on this machine.
const HOSTED: &str = "hosted";

/// The system on which aitk itself runs.
pub type Local = Arc<dyn System>;

/// What the user asks for: the request, and sources that are for this run alone.
#[derive(Default)]
pub struct Asked {
    pub request: Request,
    pub sources: SourceOverrides,
}

/// A request with all that is known before anything is asked or done: what its plan is carried out with.
pub struct Prepared<'a> {
    pub session: &'a Session,
    /// As it will be remembered.
    pub request: Request,
    pub settings: Settings,
    pub local_settings: Settings,
}

impl From<Request> for Asked {
    fn from(request: Request) -> Self {
        Self { request, sources: SourceOverrides::default() }
    }
}

impl Prepared<'_> {
    /// The surroundings for surveying, applying and verifying on a system.
    pub fn context<'a>(&'a self, system: &'a dyn System, locked: Option<&'a Locks>) -> Context<'a> {
        self.context_since(system, locked, self.session.receipt.clone())
    }

    /// The same where the receipt says more by now.
    pub fn context_since<'a>(
        &'a self,
        system: &'a dyn System,
        locked: Option<&'a Locks>,
        receipt: Receipt,
    ) -> Context<'a> {
        let Session { local, machine, catalog, is_local, .. } = self.session;
        let mut context = Context::new(system, &**local, machine, catalog, &self.settings, receipt);
        context.local_settings = &self.local_settings;
        context.is_local = *is_local;
        context.locked = locked;
        context.targets = self.session.targets.get();
        context
    }
}

/// Whether a manager may be chosen by asking a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// It may.
    Sources,
    /// What is known must do.
    Nobody,
}

impl Session {
    /// Looks at the machine.
    pub fn open(local: &Local, common: &Common) -> Result<Self, CliError> {
        let (system, described) = match &common.machine {
            None => (Arc::clone(local), None),
            Some(path) => recorded(&**local, path)?,
        };
        let local_folders = aitk_detect::folders(&**local);
        let catalog = catalog(&**local, &local_folders)?;
        let detection = detect(&*system, &catalog.tables);
        let detection = if described.is_none() { detection.answered()? } else { detection };
        let machine = described.unwrap_or(detection.machine);
        let sources = sources(&**local, common, &local_folders)?;
        let settings = |folders: &aitk_detect::Folders| Settings {
            data: folders.data.clone(),
            cache: folders.cache.clone(),
            ..sources.clone()
        };
        Ok(Self {
            settings: settings(&machine.folders),
            local_settings: settings(&local_folders),
            receipt: Receipt::load(&machine.folders.state, &*system)?,
            catalog,
            system,
            local: Arc::clone(local),
            is_local: common.machine.is_none(),
            keeps: true,
            hosted: None,
            targets: OnceLock::new(),
            folder: common.folder.clone(),
            machine,
            notes: detection.notes,
        })
    }

    /// The same where nothing counts that an environment was built with.
    pub fn anew(self) -> Self {
        Self { keeps: false, ..self }
    }

    /// The same for another machine of its kind: who asks here need not be who does it there, and what somebody has here
    /// besides the system is not there.
    pub fn elsewhere(mut self) -> Self {
        self.machine.privilege.root = true;
        self.machine.python.retain(|python| python.path.starts_with("/usr/bin"));
        self.machine.tools.remove("uv");
        self.anew()
    }

    /// The same for what is chosen: where that is a hosted notebook, packages are for the machine of its sessions, of which
    /// nothing else is known, and the folder is here. `push` says that it is sent there as well.
    pub fn meant(self, args: &ChoiceArgs, push: bool) -> Result<Self, CliError> {
        let given = |flag| args.given.value(flag);
        let profile = match (given("budget"), given("profile")) {
            (None, None) => None,
            (budget, path) => {
                Some(profile(&*self.local, budget.unwrap_or_default(), path.map(Path::new))?)
            }
        };
        if push && !profile.as_ref().is_some_and(|profile| profile.hosted) {
            let with = profile.map_or_else(
                || message!("what was applied before"),
                |profile| Message::plain(format_args!("--budget {}", profile.name)),
            );
            return Err(HostedError::DoesNotGo { flag: "--push".to_owned(), with }.into());
        }
        let Some(profile) = profile.filter(|profile| profile.hosted) else { return Ok(self) };
        let Some(name) = given("platform") else {
            let list = projects::listed(&profile, self.targets()?)?;
            return Err(HostedError::WhichPlatform { list }.into());
        };
        let machine = self.targets()?.platform(name)?.1.machine();
        let machine = Machine { folders: self.machine.folders.clone(), ..machine };
        let hosted = Some(HostedNotebook { push });
        Ok(Self { machine, hosted, is_local: false, ..self.anew() })
    }

    /// What projects are written from.
    pub fn targets(&self) -> Result<&TargetList, CliError> {
        if let Some(targets) = self.targets.get() {
            return Ok(targets);
        }
        let read = targets(&*self.local)?;
        Ok(self.targets.get_or_init(|| read))
    }

    /// The profile that a request takes its steps from, with the project that it asks for.
    pub fn profile(&self, request: &Request) -> Result<Profile, CliError> {
        let path = request.choices.profile.as_deref().map(Path::new);
        let profile = profile(&*self.local, &request.budget, path)?;
        let profile = profile.with_packages(&request.choices.packages);
        if !profile.projects || request.choices.platform.is_none() {
            return Ok(profile);
        }
        let project = self.targets()?.project(profile.platforms_of(), &request.choices)?;
        Ok(profile.with_project(match &self.hosted {
            Some(HostedNotebook { push }) => {
                projects::noted(project, self.targets()?, &self.catalog, *push)?
            }
            None => Project { push: None, ..project },
        }))
    }

    /// Whether what it is about is noted as the wish for an environment of this machine.
    pub fn is_remembered(&self) -> bool {
        self.hosted.is_none()
    }

    /// What is asked of an environment, as [`Receipt::wish`] has it.
    pub fn applied(&self, env: &str) -> Result<Request, CliError> {
        let wish = self.noted_request(env).and_then(|wish| serde_json::from_value(wish).ok());
        wish.ok_or_else(|| CliError::no_environment(env, false))
    }

    /// What the environment in use was made for, whatever a run has begun since.
    pub fn in_use(&self, env: &str) -> Result<Request, CliError> {
        let current = Environments::new(&self.settings.data, env).current(&*self.system);
        let wish = self.receipt.request_in_use(env, current.as_ref().map(|(_, record)| record));
        let wish = wish.and_then(|wish| serde_json::from_value(wish.clone()).ok());
        wish.ok_or_else(|| CliError::no_environment(env, false))
    }

    /// Sets what the user's settings say of what is published where nothing else is chosen. A lock that is given is as it is.
    pub fn set_cutoff(&self, request: &mut Request) {
        let chosen = &mut request.choices.exclude_newer;
        match &request.locked {
            Some(_) => *chosen = None,
            None => *chosen = chosen.take().or_else(|| self.settings.exclude_newer.clone()),
        }
    }

    /// The same as it was noted.
    pub fn noted_request(&self, env: &str) -> Option<Value> {
        let current = Environments::new(&self.settings.data, env).current(&*self.system);
        self.receipt.request(env, current.as_ref().map(|(_, record)| record)).cloned()
    }

    /// What was asked of every environment here.
    pub fn all_applied(&self) -> impl Iterator<Item = Request> {
        let wishes = self.receipt.environments.values();
        wishes.filter_map(|wish| serde_json::from_value(wish.clone()).ok())
    }

    /// What the user asks for. Without a budget it is what was applied before, with the flags on top.
    pub fn asked(&self, args: &ChoiceArgs) -> Result<Asked, CliError> {
        let mut asked = self.requested(args)?;
        self.may_be_done(&asked.request, args)?;
        self.take_lock(&mut asked.request, args)?;
        Ok(asked)
    }

    /// Takes the folder's lock where it is for what is asked here, and says why not where it is not.
    fn take_lock(&self, request: &mut Request, args: &ChoiceArgs) -> Result<(), CliError> {
        let Some(folder) = self.folder.as_ref().filter(|_| request.locked.is_none()) else {
            return Ok(());
        };
        let profile = self.profile(request)?;
        // What computes there is what would be chosen here.
        let fits = |locks: &Locks| {
            let manager = locks.environment.manager;
            let choices = &request.choices;
            let plan = aitk_plan::plan(&self.machine, &profile, choices, manager, &self.catalog);
            let builds = plan.environment().map(|wanted| wanted.request.builds.clone());
            let (builds, build) = (builds.unwrap_or_default(), locks.environment.build.as_ref());
            let first = builds.first().map(|build| build.name == "cpu");
            first == build.map(|build| build == "cpu")
                || builds.iter().any(|known| Some(&known.name) == build)
        };
        match folder.usable(&args.given, &self.machine.arch, fits) {
            Some(Ok(path)) => {
                request.locked = Some(path.to_string_lossy().into_owned());
                // It was resolved for what the folder's file says, and for nothing else.
                let told = args.given.value("exclude-newer").map(str::to_owned);
                request.choices.exclude_newer = told;
            }
            Some(Err(why)) => crate::output::say(&said(why)),
            None => {}
        }
        Ok(())
    }

    /// Refuses what is for hosted notebooks, and a profile of the user's own that would change the system by more than
    /// packages, unless he says so.
    pub fn may_be_done(&self, request: &Request, args: &ChoiceArgs) -> Result<(), CliError> {
        let profile = self.profile(request)?;
        if profile.hosted {
            self.may_be_hosted(&profile, request, args)?;
        }
        self.without_project(&profile, &request.choices)?;
        let Some(file) = request.choices.profile.clone().filter(|_| !args.allow_system_changes)
        else {
            return Ok(());
        };
        let steps: Vec<_> = profile.system_changes()?.into_iter().map(str::to_owned).collect();
        match steps.is_empty() {
            true => Ok(()),
            false => Err(ProfileError::SystemChanges { file, steps }.into()),
        }
    }

    /// Refuses hosted notebooks where something is asked for this machine, what means nothing for them, and to send what cannot
    /// be sent: whoever asks in vain is told before any work is done.
    fn may_be_hosted(
        &self,
        profile: &Profile,
        request: &Request,
        args: &ChoiceArgs,
    ) -> Result<(), CliError> {
        let Some(hosted) = &self.hosted else {
            return Err(HostedError::NotHere { budget: profile.name.clone() }.into());
        };
        projects::refuse_meaningless(&args.given)?;
        if !hosted.push {
            return Ok(());
        }
        let name = request.choices.platform.as_deref().unwrap_or_default();
        let (_, platform) = self.targets()?.platform(name)?;
        if platform.push.as_deref() == Some("kaggle") {
            return Ok(Kaggle::find(&*self.local).map(|_| ()).map_err(ExecError::from)?);
        }
        let next = profile.project.iter().flat_map(|project| &project.next);
        let instead = Message::lines(next.map(|deed| Message::plain(worded(&deed.what))));
        Err(HostedError::NoPush { title: platform.title.clone(), instead }.into())
    }

    /// Says where a project goes, and what counts of what was set in it before: what is set now goes over it.
    fn place_project(&self, request: &mut Request) -> Result<(), CliError> {
        let Some(platform) = request.choices.platform.clone() else { return Ok(()) };
        let Some(project) = self.profile(request)?.project else { return Ok(()) };
        let usual = projects::usual_folder(&project, self.hosted.is_some(), &*self.local)?;
        let owner = self.hosted.is_some().then(|| kaggle_owner(&*self.local)).flatten();
        let known = projects::known(&request.choices, owner);
        let choices = &mut request.choices;
        let folder = choices.folder.as_ref().unwrap_or(&usual);
        let folder = std::path::absolute(folder).map_err(CliError::io(folder))?;
        choices.folder = Some(folder.to_string_lossy().into_owned());
        let before = ProjectRecord::read(&folder, &*self.local)?;
        let before = before.filter(|before| before.platform == platform);
        let mut kept = Vec::new();
        if let Some(before) = before {
            if choices.parts.is_empty() {
                choices.parts = before.parts;
            }
            kept.extend(before.parameters);
        }
        for (key, value) in kept.into_iter().chain(known) {
            if project.parameters.get(&key).is_some_and(|usual| *usual != value) {
                choices.set.entry(key).or_insert(value);
            }
        }
        Ok(())
    }

    /// Refuses what is for projects and hosted notebooks beside another budget.
    fn without_project(&self, profile: &Profile, choices: &Choices) -> Result<(), CliError> {
        if profile.projects && choices.platform.is_none() {
            let list = projects::listed(profile, self.targets()?)?;
            return Err(HostedError::WhichPlatform { list }.into());
        }
        if profile.projects {
            return Ok(());
        }
        let chosen = [
            ("--platform", choices.platform.is_some()),
            ("--part", !choices.parts.is_empty()),
            ("--set", !choices.set.is_empty()),
            ("--folder", choices.folder.is_some()),
        ];
        match chosen.into_iter().find(|(_, chosen)| *chosen) {
            None => Ok(()),
            Some((flag, _)) => {
                let with = Message::plain(format_args!("--budget {}", profile.name));
                Err(HostedError::DoesNotGo { flag: flag.to_owned(), with }.into())
            }
        }
    }

    /// Nothing but the user's own packages in an environment of this machine, which stay until they are taken out. Where a
    /// folder's file says what there is, they stand in it.
    fn anew_with_own(&self, env: &str) -> Request {
        let mut request = Request::default();
        if self.keeps && self.is_local && self.folder.is_none() {
            let before = self.applied(env);
            request.choices.packages = before.map_or_else(|_| Vec::new(), |it| it.choices.packages);
        }
        request
    }

    fn requested(&self, args: &ChoiceArgs) -> Result<Asked, CliError> {
        let (given, secrets) = args.given.clone().opened()?;
        given.value("framework").map_or(Ok(()), |name| self.catalog.has_framework(name))?;
        let env = given.value("env").map_or_else(|| Choices::default().env, str::to_owned);
        let mut request = match given.value("budget").or(given.value("profile")) {
            Some(_) => self.anew_with_own(&env),
            None => self.applied(&env).map_err(|_| CliError::NoBudget)?,
        };
        given.merge(&mut request);
        self.set_cutoff(&mut request);
        take_out(&args.drop, &mut request.choices.packages)?;
        if given.value("framework").is_none()
            && given.value("budget").or(given.value("profile")).is_some()
        {
            self.profile(&request)?
                .framework
                .into_iter()
                .for_each(|one| request.choices.framework = one);
        }
        if self.hosted.is_some() {
            let name = request.choices.platform.as_deref().unwrap_or_default();
            request.choices.python = Some(self.targets()?.platform(name)?.1.python.clone());
            HOSTED.clone_into(&mut request.choices.env);
            request.manager = Some(Manager::Venv);
        }
        self.place_project(&mut request)?;
        Ok(Asked { request, sources: SourceOverrides { secrets, ..SourceOverrides::default() } })
    }

    /// What is asked for, with its plan: pure, but for the one question to a channel where the manager is not known yet. A
    /// lock decides it by what it is for.
    pub fn prepare(
        &self,
        asked: Asked,
        locks: Option<&Locks>,
        ask: Ask,
    ) -> Result<(Prepared<'_>, Plan), CliError> {
        let Asked { request, sources } = asked;
        let choices = with_python_of(locks, &request.choices, &self.machine);
        let profile = self.profile(&request)?;
        profile.has_options(&choices.with)?;
        self.catalog.has_framework(&choices.framework)?;
        let [mut settings, mut local_settings] = [&self.settings, &self.local_settings]
            .map(|settings| with_sources(settings, &sources, &choices));
        let (manager, instead) = match (locks, choices.manager) {
            (Some(locks), ManagerChoice::Auto) => (locks.environment.manager, None),
            _ => self.manager(&request, &local_settings, ask),
        };
        let packages = choices.packages.iter().filter(|_| manager == Manager::Conda);
        if let Some(package) = packages.into_iter().find(|one| match_spec(one).is_none()) {
            return Err(CliError::Extras { package: package.clone() });
        }
        let waited = matches!(instead, Some(Instead::Unreachable(_)));
        settings.waited = waited;
        local_settings.waited = waited;
        let choices = Choices { build: self.built(&choices.env), ..choices };
        let mut plan = aitk_plan::plan(&self.machine, &profile, &choices, manager, &self.catalog);
        if let Some(instead) = instead {
            plan.warn(instead.warning());
        }
        let request =
            Request { manager: Some(plan.manager), choices: plan.choices.clone(), ..request };
        Ok((Prepared { session: self, request, settings, local_settings }, plan))
    }

    /// The framework's build in the environment that is in use.
    fn built(&self, env: &str) -> Option<String> {
        let there = Environments::new(&self.settings.data, env).current(&*self.system);
        there.and_then(|(_, record)| record.build).filter(|_| self.keeps)
    }

    /// The manager that a request means here, and why it is not conda where it is not.
    fn manager(
        &self,
        request: &Request,
        settings: &Settings,
        ask: Ask,
    ) -> (Manager, Option<Instead>) {
        if let Some(manager) = request.choices.manager.named().or(request.manager) {
            return (manager, None);
        }
        // What was decided once stays: another manager would be another environment.
        let there = Environments::new(&self.settings.data, &request.choices.env);
        let there = there.current(&*self.system).map(|(_, record)| record.manager);
        let begun = self.applied(&request.choices.env).ok().and_then(|before| before.manager);
        if let Some(manager) = there.or(begun) {
            return (manager, None);
        }
        let device = manager_for_device(&self.machine, &request.choices, &self.catalog);
        if let Some((manager, why)) = device {
            return (manager, Some(Instead::Device(why)));
        }
        if settings.offline {
            let known = self.local.list(&settings.cache.join("repodata"));
            let known = known.is_ok_and(|all| !all.is_empty());
            return (if known { Manager::Conda } else { Manager::Venv }, None);
        }
        if ask == Ask::Nobody {
            return (Manager::Conda, None);
        }
        match channel_answers(settings) {
            Ok(()) => (Manager::Conda, None),
            Err(error) => (Manager::Venv, Some(Instead::Unreachable(error))),
        }
    }
}

/// The profile of a budget, or one of the user's own.
pub fn profile(
    local: &dyn System,
    budget: &str,
    path: Option<&Path>,
) -> Result<Profile, ProfileError> {
    let Some(path) = path else { return Profile::builtin(budget) };
    Profile::from_toml(&path.to_string_lossy(), &profile_text(local, path)?)
}

/// Why a plan is not conda's.
enum Instead {
    /// No channel answers.
    Unreachable(EnvError),
    /// conda has no build for the device.
    Device(Message),
}

impl Instead {
    fn warning(self) -> Warning {
        let (why, hint) = match self {
            Self::Unreachable(error) => (
                message!("a virtual environment instead of conda: {error}"),
                error.hint().unwrap_or_default(),
            ),
            Self::Device(why) => (
                why,
                message!("add --manager conda for its packages, which compute on the CPU here"),
            ),
        };
        Warning::new(aitk_plan::warnings::VENV_INSTEAD, why, hint)
    }
}

/// The choices with the Python that a lock is for, where none was chosen and the machine can have it.
fn with_python_of(locks: Option<&Locks>, choices: &Choices, machine: &Machine) -> Choices {
    let mut choices = choices.clone();
    let Some(lock) = locks.map(|locks| &locks.environment) else { return choices };
    let python = &lock.target.python;
    let there = |python: &aitk_detect::Python| {
        python
            .minor()
            .is_some_and(|(major, minor)| format!("{major}.{minor}") == lock.target.python)
    };
    if choices.python.is_none()
        && (lock.manager.brings_python() || machine.python.iter().any(there))
    {
        choices.python = Some(python.clone());
    }
    choices
}

/// What a profile of the user's own says.
pub fn profile_text(local: &dyn System, path: &Path) -> Result<String, ProfileError> {
    let unreadable = |source| ProfileError::Unreadable { path: path.to_owned(), source };
    local.foreign_text(path, LONGEST_PROFILE).map_err(unreadable)
}

/// The locks in the file that the user names, for a machine.
pub fn locked(session: &Session, request: &Request) -> Result<Option<Locks>, CliError> {
    let Some(path) = request.locked.as_ref().map(Path::new) else { return Ok(None) };
    // The lock of the folder's file is the one that was confirmed, whatever stands there by now.
    let confirmed = session.folder.as_ref().filter(|file| file.lock_path() == path);
    if let Some(locks) = confirmed.and_then(|file| file.locks(Some(&session.machine.arch))) {
        return Ok(Some(locks.here(&session.machine)));
    }
    Ok(Some(read_locks(path, &*session.local, &session.machine)?))
}
