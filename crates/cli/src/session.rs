//! What every command begins with: the machine, the settings, and what the user wants.

use std::path::Path;
use std::sync::Arc;

use aitk_detect::{Machine, Note, detect};
use aitk_env::{Lock, Settings};
use aitk_exec::{Context, Receipt};
use aitk_plan::{Catalog, Choices, Plan, Profile};
use aitk_system::{Real, Replay, System};
use serde::{Deserialize, Serialize};

use crate::args::{ChoiceArgs, Common};
use crate::config::Config;
use crate::error::CliError;

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
}

/// What was asked of an environment, as the receipt keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wish {
    /// The budget's name; a profile of the user's own stands among the choices.
    pub budget: String,
    pub choices: Choices,
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
        let detection = detect(&*system);
        let machine = described.unwrap_or(detection.machine);
        let local_folders = aitk_detect::folders(&*local);
        let config = Config::load(&*local, &local_folders)?;
        let settings = |folders: &aitk_detect::Folders| Settings {
            data: folders.data.clone(),
            cache: folders.cache.clone(),
            index_url: config.index_url.clone(),
            torch_index: config.torch_index.clone(),
            offline: common.offline,
        };
        Ok(Self {
            settings: settings(&machine.folders),
            local_settings: settings(&local_folders),
            receipt: Receipt::load(&machine.folders.state, &*system)?,
            catalog: Catalog::builtin()?,
            system,
            is_local,
            machine,
            notes: detection.notes,
        })
    }

    /// What was asked of an environment when it was last applied.
    pub fn applied(&self, env: &str) -> Result<Wish, CliError> {
        let wish = self.receipt.environments.get(env);
        wish.and_then(|wish| serde_json::from_value(wish.clone()).ok())
            .ok_or_else(|| CliError::NoEnvironment { name: env.to_owned() })
    }

    /// What the user asks for. Without a budget it is what was applied before, with the flags on top.
    pub fn wish(&self, args: &ChoiceArgs) -> Result<Wish, CliError> {
        let mut wish = match (&args.budget, &args.profile) {
            (Some(budget), _) => Wish { budget: budget.clone(), choices: Choices::default() },
            (None, Some(path)) => {
                let path = std::path::absolute(path).map_err(CliError::io(path))?;
                let profile = Some(path.to_string_lossy().into_owned());
                Wish { budget: String::new(), choices: Choices { profile, ..Choices::default() } }
            }
            (None, None) => self.applied(&args.env).map_err(|_| CliError::NoBudget)?,
        };
        let choices = &mut wish.choices;
        choices.env.clone_from(&args.env);
        if let Some(framework) = args.framework {
            choices.framework = framework.into();
        }
        if let Some(manager) = args.manager {
            choices.manager = manager.into();
        }
        if args.python.is_some() {
            choices.python.clone_from(&args.python);
        }
        choices.user_only |= args.user_only;
        choices.no_upgrade |= args.no_upgrade;
        if args.index_url.is_some() {
            choices.index_url.clone_from(&args.index_url);
        }
        if args.torch_index.is_some() {
            choices.torch_index.clone_from(&args.torch_index);
        }
        Ok(wish)
    }

    /// The plan for a wish: pure, nothing is asked and nothing looked at.
    pub fn plan(&mut self, wish: &Wish) -> Result<Plan, CliError> {
        let profile = match &wish.choices.profile {
            Some(path) => {
                let text = Real.read(Path::new(path)).map_err(CliError::io(path))?;
                Profile::from_toml(path, &String::from_utf8_lossy(&text))?
            }
            None => Profile::builtin(&wish.budget)?,
        };
        for settings in [&mut self.settings, &mut self.local_settings] {
            if wish.choices.index_url.is_some() {
                settings.index_url.clone_from(&wish.choices.index_url);
            }
            if wish.choices.torch_index.is_some() {
                settings.torch_index.clone_from(&wish.choices.torch_index);
            }
        }
        Ok(aitk_plan::plan(&self.machine, &profile, &wish.choices, &self.catalog))
    }

    /// The surroundings for surveying, applying and verifying on a system.
    pub fn context<'a>(&'a self, system: &'a dyn System, locked: Option<&'a Lock>) -> Context<'a> {
        let receipt = self.receipt.clone();
        let mut context =
            Context::new(system, &Real, &self.machine, &self.catalog, &self.settings, receipt);
        context.local_settings = &self.local_settings;
        context.is_local = self.is_local;
        context.locked = locked;
        context
    }
}

/// The lock that the user names.
pub fn locked(args: &ChoiceArgs) -> Result<Option<Lock>, CliError> {
    Ok(args.locked.as_deref().map(|path| Lock::from_pylock(path, &Real)).transpose()?)
}

/// A recording, or the JSON of a machine; the latter answers nothing but the facts.
fn recorded(path: &Path) -> Result<(Arc<dyn System>, Option<Machine>), CliError> {
    let bad = |reason: String| CliError::BadMachine { path: path.to_owned(), reason };
    let stat = Real.stat(path).map_err(CliError::io(path))?;
    if stat.kind == aitk_system::FileKind::Dir {
        let replay = Replay::open(path).map_err(|error| bad(error.to_string()))?;
        return Ok((Arc::new(replay), None));
    }
    let json = Real.read(path).map_err(CliError::io(path))?;
    let mut value: serde_json::Value =
        serde_json::from_slice(&json).map_err(|error| bad(error.to_string()))?;
    if let Some(data) = value.get_mut("data") {
        value = data.take();
    }
    let machine = serde_json::from_value(value).map_err(|error| bad(error.to_string()))?;
    Ok((Arc::new(Replay::tree(Path::new("/nonexistent"))), Some(machine)))
}
