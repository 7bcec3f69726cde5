//! What every command begins with: the machine, the settings, and what the user wants.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use aitk_detect::{Machine, Note, detect};
use aitk_env::{EnvError, Environments, Locks, Secret, Settings, channel_answers, without_secrets};
use aitk_exec::{Context, Receipt};
use aitk_plan::{
    Catalog, Choices, LONGEST_PROFILE, Manager, ManagerChoice, Plan, Profile, ProfileError,
    Request, Warning, names,
};
use aitk_system::{Explain, Message, Real, Replay, System, Told, message};

use crate::args::{ChoiceArgs, Common};
use crate::config::{Config, catalog};
use crate::error::{CliError, HostedError};
use crate::given::Given;

/// The longest description of a machine that is read, in bytes. `aitk detect --json` writes some ten thousand.
const LONGEST_MACHINE: usize = 4 << 20;
/// The largest amount that a description of a machine can have: what two of them add up to is still a number.
const LARGEST: f64 = 4e18;

/// The machine that a command is about, and the surroundings.
pub struct Session {
    pub system: Arc<dyn System>,
    pub is_local: bool,
    pub machine: Machine,
    pub notes: Vec<Note>,
    pub catalog: Catalog,
    pub settings: Settings,
    pub local_settings: Settings,
    pub receipt: Receipt,
    /// Whether what an environment was built with counts as long as it fits.
    pub keeps: bool,
}

/// Whether a manager may be chosen by asking a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// It may.
    Sources,
    /// What is known must do.
    Nobody,
}

/// The profile that a request takes its steps from.
pub fn profile_of(request: &Request) -> Result<Profile, ProfileError> {
    profile(&request.budget, request.choices.profile.as_deref().map(Path::new))
}

impl Session {
    /// Looks at the machine.
    pub fn open(common: &Common) -> Result<Self, CliError> {
        let local: Arc<dyn System> = Arc::new(Real);
        let (system, described) = match &common.machine {
            None => (Arc::clone(&local), None),
            Some(path) => recorded(path)?,
        };
        let is_local = common.machine.is_none();
        let local_folders = aitk_detect::folders(&*local);
        let config = Config::load(&*local, &local_folders)?;
        let catalog = catalog(&*local, &local_folders)?;
        let detection = detect(&*system, &catalog.tables);
        let machine = described.unwrap_or(detection.machine);
        let mut secrets = Vec::new();
        let mut open = |address: &String| opened(address, &mut secrets);
        let uv = common.uv.clone().or(config.uv);
        let sources = Settings {
            index_url: config.index_url.as_ref().map(&mut open),
            more_indexes: config.of_uv.more.iter().map(&mut open).collect(),
            index_strategy: config.of_uv.strategy.clone(),
            uv: uv
                .map(|path| std::path::absolute(&path).map_err(CliError::io(path)))
                .transpose()?,
            torch_index: config.torch_index.as_ref().map(&mut open),
            channels: config.channels.iter().map(&mut open).collect(),
            channel_alias: config.channel_alias.as_ref().map(&mut open),
            offline: common.offline,
            ..Settings::default()
        };
        let settings = |folders: &aitk_detect::Folders| Settings {
            data: folders.data.clone(),
            cache: folders.cache.clone(),
            secrets: secrets.clone(),
            ..sources.clone()
        };
        Ok(Self {
            settings: settings(&machine.folders),
            local_settings: settings(&local_folders),
            receipt: Receipt::load(&machine.folders.state, &*system)?,
            catalog,
            system,
            is_local,
            keeps: true,
            machine,
            notes: detection.notes,
        })
    }

    /// What was asked of an environment when it was last applied.
    pub fn applied(&self, env: &str) -> Result<Request, CliError> {
        let wish = self.receipt.environments.get(env);
        wish.and_then(|wish| serde_json::from_value(wish.clone()).ok())
            .ok_or_else(|| CliError::NoEnvironment { name: env.to_owned() })
    }

    /// What was asked of every environment here.
    pub fn all_applied(&self) -> impl Iterator<Item = Request> {
        let wishes = self.receipt.environments.values();
        wishes.filter_map(|wish| serde_json::from_value(wish.clone()).ok())
    }

    /// What the user asks for. Without a budget it is what was applied before, with the flags on top.
    pub fn request(&mut self, args: &ChoiceArgs) -> Result<Request, CliError> {
        let request = self.requested(args)?;
        self.may_be_done(&request, args)?;
        Ok(request)
    }

    /// Refuses what is for hosted notebooks, and a profile of the user's own that would change the system by more than
    /// packages, unless he says so.
    pub fn may_be_done(&self, request: &Request, args: &ChoiceArgs) -> Result<(), CliError> {
        let profile = profile_of(request)?;
        if profile.hosted {
            return Err(HostedError::NotHere { budget: profile.name }.into());
        }
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

    /// The same, also where it is for hosted notebooks.
    pub fn requested(&mut self, args: &ChoiceArgs) -> Result<Request, CliError> {
        let given = self.open_sources(args)?;
        given.value("framework").map_or(Ok(()), |name| self.catalog.has_framework(name))?;
        let env = given.value("env").map_or_else(|| Choices::default().env, str::to_owned);
        let mut request = match given.value("budget").or(given.value("profile")) {
            Some(_) => Request::default(),
            None => self.applied(&env).map_err(|_| CliError::NoBudget)?,
        };
        given.merge(&mut request);
        Ok(request)
    }

    /// What was given without what opens a source, which becomes one of the settings.
    pub fn open_sources(&mut self, args: &ChoiceArgs) -> Result<Given, CliError> {
        let (given, secrets) = args.given.clone().opened()?;
        for settings in [&mut self.settings, &mut self.local_settings] {
            settings.secrets.splice(0..0, secrets.iter().cloned());
        }
        Ok(given)
    }

    /// The plan for a request: pure, but for the one question to a channel where the manager is not known yet. A lock
    /// decides it by what it is for.
    pub fn plan(
        &mut self,
        request: &Request,
        locks: Option<&Locks>,
        ask: Ask,
    ) -> Result<Plan, CliError> {
        let choices = &with_python_of(locks, &request.choices, &self.machine);
        let profile = profile_of(request)?;
        profile.has_options(&choices.with)?;
        self.catalog.has_framework(&choices.framework)?;
        for settings in [&mut self.settings, &mut self.local_settings] {
            if choices.index_url.is_some() {
                settings.index_url.clone_from(&choices.index_url);
            }
            if choices.torch_index.is_some() {
                settings.torch_index.clone_from(&choices.torch_index);
            }
            if !choices.channels.is_empty() {
                settings.channels.clone_from(&choices.channels);
            }
        }
        let (manager, warning) = match (locks, choices.manager) {
            (Some(locks), ManagerChoice::Auto) => (locks.environment.manager, None),
            _ => self.manager(request, ask),
        };
        let choices = &Choices { build: self.built(&choices.env), ..choices.clone() };
        let mut plan = aitk_plan::plan(&self.machine, &profile, choices, manager, &self.catalog);
        if let Some(warning) = warning {
            plan.warn(warning);
        }
        Ok(plan)
    }

    /// The framework's build in the environment that is in use.
    fn built(&self, env: &str) -> Option<String> {
        let there = Environments::new(&self.settings.data, env).current(&*self.system);
        there.and_then(|(_, record)| record.build).filter(|_| self.keeps)
    }

    /// The manager that a request means here, and what a person should know of it.
    fn manager(&mut self, request: &Request, ask: Ask) -> (Manager, Option<Warning>) {
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
        let settings = &self.local_settings;
        if settings.offline {
            let known =
                Real.list(&settings.cache.join("repodata")).is_ok_and(|all| !all.is_empty());
            return (if known { Manager::Conda } else { Manager::Venv }, None);
        }
        if ask == Ask::Nobody {
            return (Manager::Conda, None);
        }
        match channel_answers(settings) {
            Ok(()) => (Manager::Conda, None),
            Err(error) => {
                self.settings.waited = true;
                self.local_settings.waited = true;
                (Manager::Venv, Some(instead(&error)))
            }
        }
    }

    /// The surroundings for surveying, applying and verifying on a system.
    pub fn context<'a>(&'a self, system: &'a dyn System, locked: Option<&'a Locks>) -> Context<'a> {
        let receipt = self.receipt.clone();
        let mut context =
            Context::new(system, &Real, &self.machine, &self.catalog, &self.settings, receipt);
        context.local_settings = &self.local_settings;
        context.is_local = self.is_local;
        context.locked = locked;
        context
    }
}

/// The profile of a budget, or one of the user's own.
pub fn profile(budget: &str, path: Option<&Path>) -> Result<Profile, ProfileError> {
    let Some(path) = path else { return Profile::builtin(budget) };
    Profile::from_toml(&path.to_string_lossy(), &profile_text(path)?)
}

/// Looks whether the facts that become a part of commands, addresses and requirements are in their form.
fn in_form(machine: &Machine) -> Result<(), names::Unfit> {
    let version = |text: &String| names::version::check(text);
    let mut words = [&machine.arch, &machine.os.id].into_iter().filter(|text| !text.is_empty());
    words.try_for_each(version)?;
    machine.os.version.iter().chain(&machine.kernel).try_for_each(version)?;
    machine.libc.iter().filter_map(|libc| libc.version.as_ref()).try_for_each(version)?;
    for gpu in &machine.gpus {
        gpu.gfx.iter().chain(&gpu.compute_capability).try_for_each(version)?;
        gpu.driver.iter().flat_map(|driver| &driver.cuda).try_for_each(version)?;
    }
    let pythons = machine.python.iter().map(|python| &python.version);
    pythons.filter(|text| !text.is_empty()).try_for_each(version)
}

/// A source's address without what opens it, which is kept apart.
fn opened(address: &str, secrets: &mut Vec<Secret>) -> String {
    let (address, secret) = without_secrets(address);
    secrets.extend(secret);
    address
}

/// What is said where a channel does not answer and nobody insisted on conda.
fn instead(error: &EnvError) -> Warning {
    Warning::new(
        aitk_plan::warnings::VENV_INSTEAD,
        message!("a virtual environment instead of conda: {error}"),
        error.hint().unwrap_or_default(),
    )
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
pub fn profile_text(path: &Path) -> Result<String, ProfileError> {
    let unreadable = |source| ProfileError::Unreadable { path: path.to_owned(), source };
    (&Real as &dyn System).foreign_text(path, LONGEST_PROFILE).map_err(unreadable)
}

/// The locks in the file that the user names, for a machine.
pub fn locked(request: &Request, machine: &Machine) -> Result<Option<Locks>, CliError> {
    let read = |path: &String| Locks::read(Path::new(path), &Real, machine);
    Ok(request.locked.as_ref().map(read).transpose()?)
}

/// A recording, or the JSON of a machine; the latter answers nothing but the facts.
fn recorded(path: &Path) -> Result<(Arc<dyn System>, Option<Machine>), CliError> {
    let bad = |reason: Message| CliError::BadMachine { path: path.to_owned(), reason };
    let stat = Real.stat(path).map_err(CliError::io(path))?;
    if stat.kind == aitk_system::FileKind::Dir {
        let replay = Replay::open(path).map_err(|error| bad(Message::plain(error)))?;
        return Ok((Arc::new(replay), None));
    }
    let json = (&Real as &dyn System).foreign_text(path, LONGEST_MACHINE);
    let mut value: serde_json::Value =
        serde_json::from_str(&json.map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::FileTooLarge => bad(Message::plain(error)),
            _ => CliError::io(path)(error),
        })?)
        .map_err(|error| bad(Message::plain(error)))?;
    if let Some(data) = value.get_mut("data") {
        value = data.take();
    }
    names::lines_only(&value).map_err(|unfit| bad(unfit.told()))?;
    names::numbers_within(&value, LARGEST).map_err(|unfit| bad(unfit.told()))?;
    let machine: Machine =
        serde_json::from_value(value).map_err(|error| bad(Message::plain(error)))?;
    in_form(&machine).map_err(|unfit| bad(unfit.told()))?;
    Ok((Arc::new(Replay::tree(Path::new("/nonexistent"))), Some(machine)))
}
