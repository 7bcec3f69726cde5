//! What a budget recommends: steps with their needs and conditions, as data.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::OnceLock;

use aitk_system::{Explain, Message, Told, message};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Spanned;

use crate::manager::Manager;
use crate::model::Phase;
use crate::names;
use crate::size::Bytes;

/// The profiles that come with the program.
const BUILTIN: [(&str, &str); 3] = [
    ("free", include_str!("../../../profiles/free.toml")),
    ("low", include_str!("../../../profiles/low.toml")),
    ("workstation", include_str!("../../../profiles/workstation.toml")),
];

/// The budgets that have no steps of aitk's own yet, and what tells more of them.
pub const ADVISED: [(&str, &str); 2] =
    [("sme", "aitk advise --goal ship"), ("enterprise", "aitk advise --goal scale")];

/// The proofs that come with the program, and their scripts with what they speak by in front: all of `profiles/checks`.
pub const CHECKS: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/checks.rs"));

/// The longest text of a profile, in bytes. The longest of aitk's own has some 16,000.
pub const LONGEST: usize = 1 << 20;
/// The most steps of a profile, and the most needs, packages and requirements of a step.
const MOST: usize = 400;

/// A budget's recommendation.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// `low`, …
    pub name: String,
    /// One line for people.
    pub title: Message,
    /// What it brings.
    pub summary: Message,
    /// Whether what it brings is for hosted notebooks, and nothing is done on this machine.
    pub hosted: bool,
    /// Thresholds of memory.
    pub memory: MemoryThresholds,
    /// What a machine for it should have.
    pub hardware: Option<Hardware>,
    /// The steps, each after those that it needs.
    pub steps: Vec<ProfileStep>,
}

/// Thresholds of memory.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryThresholds {
    /// Below it a warning is given.
    pub minimum: Bytes,
    /// From it on everything is comfortable.
    pub comfortable: Bytes,
    /// Below it, without swap, a swap file is proposed.
    pub swap_below: Bytes,
    /// How large that file should be.
    pub swap_size: Bytes,
}

/// What a machine should have, for words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardware {
    /// Memory of a graphics processor.
    pub vram: Bytes,
    /// What has so much, for people.
    #[serde(deserialize_with = "names::sentence")]
    pub example: Message,
    /// The kind of disk, as [`aitk_detect::Disk::kind`] has it.
    #[serde(deserialize_with = "names::line::one")]
    pub disk: String,
}

/// A step as a profile describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileStep {
    /// Stable name.
    pub id: String,
    /// Where in the order it belongs.
    pub phase: Phase,
    /// What it is, for people.
    pub title: Message,
    /// Why it is there.
    pub why: Message,
    /// The manager that it belongs to; `None` where it belongs to both.
    pub manager: Option<Manager>,
    /// What the user must have asked for (`--with`) for it to be there.
    pub with: Option<String>,
    /// The maker of a GPU that must be here for it to be there.
    pub gpu: Option<String>,
    /// What to do instead in WSL, where the step is left out then.
    pub wsl: Option<Message>,
    /// Steps that come before it.
    pub needs: Vec<String>,
    /// What it ensures.
    pub kind: StepKind,
    /// What the machine must have, else the step is blocked.
    pub requires: Requirements,
    /// What it takes as long as no source can be asked.
    pub estimate: Estimate,
}

/// The kinds of step that a profile can name, with what each needs to know.
#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    /// No package is half-installed.
    AptRepair,
    /// The package lists are recent.
    AptLists {
        /// How old they may be.
        max_age_hours: u64,
    },
    /// No installed package has an upgrade waiting.
    AptUpgrade,
    /// These packages are installed.
    AptPackages(Vec<String>),
    /// apt knows a vendor's repository.
    AptSource(String),
    /// Memory is little, so there is a swap file.
    SwapFile,
    /// apt knows the repository that NVIDIA's driver comes from.
    DriverSource,
    /// NVIDIA's driver is installed, where the user wishes so.
    Driver,
    /// Unattended upgrades leave NVIDIA's driver alone: a file of apt's settings says so.
    DriverHold {
        /// The file.
        path: String,
        /// What it says.
        content: String,
    },
    /// The user may use the GPU.
    Groups,
    /// So may this session.
    Login,
    /// The machine was started again since the driver was installed.
    Restart,
    /// Containers can use NVIDIA's GPUs.
    ContainerGpu,
    /// A uv that is good enough is there.
    Uv,
    /// The environment's generation exists.
    Environment,
    /// A conda and a mamba are there.
    Base(Vec<String>),
    /// New shells know `conda activate`, where the user wishes so.
    ShellInit,
    /// A layer of libraries.
    Layer(Layer),
    /// The layer of the chosen framework.
    Framework,
    /// The generation is the one in use.
    Activate,
    /// Jupyter knows the environment.
    Kernelspec,
    /// A proof.
    Check(String),
    /// The proof of the chosen framework.
    FrameworkCheck,
}

impl StepKind {
    /// Whether root does something else for it than what the system's own archive says: a file, a source, a group, swap
    /// space or a driver comes, or what these need.
    fn changes_system(&self) -> bool {
        match self {
            Self::AptSource(_)
            | Self::SwapFile
            | Self::DriverSource
            | Self::Driver
            | Self::DriverHold { .. }
            | Self::Groups
            | Self::Login
            | Self::Restart
            | Self::ContainerGpu => true,
            Self::AptRepair
            | Self::AptLists { .. }
            | Self::AptUpgrade
            | Self::AptPackages(_)
            | Self::Uv
            | Self::Environment
            | Self::Base(_)
            | Self::ShellInit
            | Self::Layer(_)
            | Self::Framework
            | Self::Activate
            | Self::Kernelspec
            | Self::Check(_)
            | Self::FrameworkCheck => false,
        }
    }
}

impl ProfileStep {
    /// Whether another one is the same but for what comes before it and what it takes.
    fn says_the_same(&self, other: &Self) -> bool {
        let said = |step: &Self| {
            let other = Self { needs: Vec::new(), estimate: Estimate::default(), ..step.clone() };
            Self { requires: Requirements::default(), ..other }
        };
        said(self) == said(other)
    }
}

/// The libraries of a layer, as each manager names them.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// As in PEP 508.
    pub requirements: Vec<String>,
    /// As conda's match specifications, where they differ.
    pub conda: Option<Vec<String>>,
}

impl Layer {
    /// As a manager names them.
    pub fn of(&self, manager: Manager) -> &[String] {
        match (manager, &self.conda) {
            (Manager::Conda, Some(conda)) => conda,
            _ => &self.requirements,
        }
    }
}

/// What a machine must have for a step.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requirements {
    /// Memory, with a tenth of tolerance for what firmware and kernel keep to themselves.
    pub memory: Option<Bytes>,
    /// `x86-64-v2`, … (other architectures are not concerned).
    #[serde(deserialize_with = "names::line::maybe")]
    pub cpu_level: Option<String>,
    /// Processor flags.
    #[serde(deserialize_with = "names::line::all")]
    pub cpu_features: Vec<String>,
    /// The oldest glibc, `2.28`.
    #[serde(deserialize_with = "names::version::maybe")]
    pub glibc: Option<String>,
}

/// What a step takes as long as no source can be asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Estimate {
    /// To download.
    pub download: Bytes,
    /// On disk.
    pub disk: Bytes,
    /// Files.
    pub files: u64,
}

/// Why a profile cannot be used.
#[derive(Debug, Explain)]
pub enum ProfileError {
    /// There is no budget of this name; the nearest one is said.
    #[explain(
        code = "AITK-P01",
        exit = Usage,
        say("there is no budget `{name}`"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `{nearest}`? `aitk profiles` lists them all"),
            None => message!("choose one of: {known}", known = BUILTIN.map(|(name, _)| name).as_slice()),
        }))
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
    },
    /// There is advice for this budget, and nothing that aitk carries out.
    #[explain(
        code = "AITK-P05",
        exit = Usage,
        say("aitk has no steps for the budget `{name}` yet, only advice"),
        hint("`{command}` says what it brings, what it costs and what there is")
    )]
    OnlyAdvice {
        /// The budget.
        name: &'static str,
        /// The command that gives it.
        command: &'static str,
    },
    /// The budget has nothing of this name to add (`--with`); the nearest one is said.
    #[explain(
        code = "AITK-P04",
        exit = Usage,
        say("the budget has no `{name}` to add"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--with {nearest}`?"),
            None if known.is_empty() => message!("leave out --with"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoOption {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// There is no framework of this name in the catalog; the nearest one is said.
    #[explain(
        code = "AITK-P08",
        exit = Usage,
        say("there is no framework `{name}`"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--framework {nearest}`?"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoFramework {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// There is no such platform for hosted notebooks; the nearest one is said. `aitk apply --budget free` lists them.
    #[explain(
        code = "AITK-P06",
        exit = Usage,
        say("there is no platform `{name}` for hosted notebooks"),
        hint_if(Some(match nearest {
            Some(nearest) => message!("did you mean `--platform {nearest}`?"),
            None => message!("choose among: {known}"),
        }))
    )]
    NoPlatform {
        /// What was asked for.
        name: String,
        /// The name that is nearest to it.
        nearest: Option<String>,
        /// All that there are.
        known: Vec<String>,
    },
    /// A profile, `config.toml` or `catalog.toml` cannot be read: it is not there or may not be read, is a folder, too
    /// large, or no text.
    #[explain(
        code = "AITK-P03",
        exit = Config,
        say("{path}: {source}"),
        hint_if(Some(match source.kind() {
            std::io::ErrorKind::NotFound => message!("name a profile that is there"),
            _ => message!("it must be a file of text (UTF-8) that you may read; mend it, or take it away"),
        }))
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A profile or configuration is wrong at the file, line and column named.
    #[explain(
        code = "AITK-P02",
        exit = Config,
        say("{file}:{line}:{column}: {message}"),
        hint("correct the file at that place, then try again")
    )]
    Invalid {
        /// The file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// What is wrong.
        message: Message,
    },
    /// A profile of your own has steps that change more of the system than packages (files, groups, sources, swap,
    /// drivers), and that no profile of aitk's has word for word.
    #[explain(
        code = "AITK-P07",
        exit = Config,
        say("{file}: {steps} would change more of the system than packages of its archive"),
        hint("leave these out, for files, groups, sources, swap and drivers are those of aitk's own profiles; or read them, \
              then add --allow-system-changes")
    )]
    SystemChanges {
        /// The file.
        file: String,
        /// The steps.
        steps: Vec<String>,
    },
}

impl Profile {
    /// The names of the profiles that come with the program.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// A profile that comes with the program.
    ///
    /// # Errors
    /// [`ProfileError::Unknown`], with the nearest name; [`ProfileError::OnlyAdvice`].
    pub fn builtin(name: &str) -> Result<Self, ProfileError> {
        if let Some((name, command)) = ADVISED.into_iter().find(|(known, _)| *known == name) {
            return Err(ProfileError::OnlyAdvice { name, command });
        }
        let Some(at) = BUILTIN.iter().position(|(known, _)| *known == name) else {
            return Err(ProfileError::Unknown {
                name: name.to_owned(),
                nearest: nearest(name, Self::names().chain(ADVISED.map(|(name, _)| name))),
            });
        };
        // A command asks for it several times.
        static READ: [OnceLock<Profile>; BUILTIN.len()] =
            [const { OnceLock::new() }; BUILTIN.len()];
        if let Some(read) = READ[at].get() {
            return Ok(read.clone());
        }
        let profile = Self::from_toml(&format!("{name}.toml"), BUILTIN[at].1)?;
        Ok(READ[at].get_or_init(|| profile).clone())
    }

    /// What can be added to it (`--with`), in the order of its steps.
    pub fn options(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for name in self.steps.iter().filter_map(|step| step.with.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Looks whether there is everything that is to be added.
    ///
    /// # Errors
    /// [`ProfileError::NoOption`] with the first that there is not.
    pub fn has_options(&self, wanted: &[String]) -> Result<(), ProfileError> {
        let known = self.options();
        match wanted.iter().find(|name| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(ProfileError::NoOption {
                name: name.clone(),
                nearest: nearest(name, known.iter().copied()),
                known: known.into_iter().map(str::to_owned).collect(),
            }),
        }
    }

    /// The steps that change the system by more than packages of its archive, and that no profile of aitk's own has word
    /// for word: what root writes, and where, comes from aitk.
    ///
    /// # Errors
    /// Where a profile of aitk's own is damaged, which a test rules out.
    pub fn system_changes(&self) -> Result<Vec<&str>, ProfileError> {
        let mut changes: Vec<&ProfileStep> =
            self.steps.iter().filter(|step| step.kind.changes_system()).collect();
        if !changes.is_empty() {
            for (name, text) in BUILTIN {
                let own = Self::from_toml(name, text)?;
                changes.retain(|step| !own.steps.iter().any(|known| known.says_the_same(step)));
            }
        }
        Ok(changes.into_iter().map(|step| step.id.as_str()).collect())
    }

    /// Reads a profile; `file` names it in errors.
    ///
    /// # Errors
    /// [`ProfileError::Invalid`] with file, line and column.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, ProfileError> {
        let at = |span: Range<usize>, message: Message| invalid(file, text, span.start, message);
        if text.len() > LONGEST {
            let message =
                message!("a profile has at most {LONGEST} bytes, and this one {}", text.len());
            return Err(at(0..0, message));
        }
        // Another form may have other keys, so the form comes first.
        let Form { schema } = parse(file, text)?;
        if *schema.get_ref() != 1 {
            let message = message!(
                "this profile has form {}, and this version of aitk reads form 1",
                schema.get_ref()
            );
            return Err(at(schema.span(), message));
        }
        let mut raw: RawProfile = parse(file, text)?;
        if let Some(step) = raw.step.get(MOST) {
            let message =
                message!("a profile has at most {MOST} steps, and this one {}", raw.step.len());
            return Err(at(step.id.span(), message));
        }
        let borrowed = match raw.steps_of.take() {
            None => None,
            Some(other) => {
                let (span, name) = (other.span(), other.into_inner());
                if !raw.step.is_empty() {
                    return Err(at(
                        span,
                        message!("a profile has the steps of another or its own"),
                    ));
                }
                Some(Self::builtin(&name).map_err(|error| at(span, error.message()))?.steps)
            }
        };
        let places: BTreeMap<&str, usize> =
            raw.step.iter().enumerate().map(|(i, step)| (step.id.get_ref().as_str(), i)).collect();
        for (index, step) in raw.step.iter().enumerate() {
            if places[step.id.get_ref().as_str()] != index {
                let message = message!("there are two steps `{}`", step.id.get_ref());
                return Err(at(step.id.span(), message));
            }
            for need in &step.needs {
                if !places.contains_key(need.get_ref().as_str()) {
                    let message = message!("there is no step `{}`", need.get_ref());
                    return Err(at(need.span(), message));
                }
            }
        }
        if let Some((span, path)) = cycle(&raw.step, &places) {
            return Err(at(span, message!("steps need each other in a circle: {path}")));
        }
        if let Some((span, message)) = homeless(&raw.step) {
            return Err(at(span, message));
        }
        let steps = raw
            .step
            .into_iter()
            .map(|step| step.checked().map_err(|(span, message)| at(span, message)))
            .collect::<Result<Vec<_>, _>>()?;
        if let Some(step) = steps.windows(2).find(|pair| pair[0].phase > pair[1].phase) {
            let message = message!("`{}` stands after a step of a later phase", step[1].id);
            let place = text.find(&format!("\"{}\"", step[1].id)).unwrap_or(0);
            return Err(invalid(file, text, place, message));
        }
        Ok(Self {
            name: raw.name,
            title: raw.title,
            summary: raw.summary,
            hosted: raw.hosted,
            memory: raw.memory,
            hardware: raw.hardware,
            steps: borrowed.unwrap_or(steps),
        })
    }
}

/// The name that is most like another, if any is.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        // Half of it may be wrong.
        .filter(|(distance, known)| *distance <= known.len().div_ceil(2))
        .min()
        .map(|(_, known)| known.to_owned())
}

#[derive(Deserialize)]
struct Form {
    schema: Spanned<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(deserialize_with = "names::step_id::one")]
    name: String,
    #[serde(deserialize_with = "names::sentence")]
    title: Message,
    #[serde(deserialize_with = "names::sentence")]
    summary: Message,
    #[serde(default)]
    hosted: bool,
    memory: MemoryThresholds,
    hardware: Option<Hardware>,
    steps_of: Option<Spanned<String>>,
    #[serde(default)]
    step: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    id: Spanned<String>,
    phase: Phase,
    kind: Spanned<RawKind>,
    #[serde(deserialize_with = "names::sentence")]
    title: Message,
    #[serde(deserialize_with = "names::sentence")]
    why: Message,
    manager: Option<Manager>,
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    with: Option<String>,
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    gpu: Option<String>,
    #[serde(default, deserialize_with = "names::maybe_sentence")]
    wsl: Option<Message>,
    #[serde(default)]
    needs: Vec<Spanned<String>>,
    #[serde(default)]
    requires: Requirements,
    #[serde(default)]
    estimate: Estimate,
    packages: Option<Spanned<Vec<String>>>,
    requirements: Option<Spanned<Vec<String>>>,
    conda: Option<Spanned<Vec<String>>>,
    script: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    source: Option<String>,
    #[serde(default, deserialize_with = "names::system_path::maybe")]
    path: Option<String>,
    #[serde(default, deserialize_with = "names::text::maybe")]
    content: Option<String>,
    max_age_hours: Option<u32>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawKind {
    AptRepair,
    AptLists,
    AptUpgrade,
    AptPackages,
    AptSource,
    SwapFile,
    DriverSource,
    Driver,
    DriverHold,
    Groups,
    Login,
    Restart,
    ContainerGpu,
    Uv,
    Base,
    Environment,
    Layer,
    Framework,
    Activate,
    ShellInit,
    Kernelspec,
    Check,
    FrameworkCheck,
}

impl RawStep {
    /// The step, if it has just the keys that its kind takes.
    fn checked(self) -> Result<ProfileStep, Fault> {
        let span = self.kind.span();
        one(&self.id, names::step_id::check)?;
        if let Some(need) = self.needs.get(MOST) {
            return Err((need.span(), message!("a step has at most {MOST} needs")));
        }
        let lacks = |key: &str| (span.clone(), message!("a step of this kind needs `{key}`"));
        let mut packages = self.packages;
        let mut requirements = self.requirements;
        let mut conda = self.conda;
        let mut script = self.script;
        let mut source = self.source;
        let mut path = self.path;
        let mut content = self.content;
        let mut max_age_hours = self.max_age_hours;
        let kind = match *self.kind.get_ref() {
            RawKind::AptRepair => StepKind::AptRepair,
            RawKind::AptLists => StepKind::AptLists {
                max_age_hours: max_age_hours
                    .take()
                    .map(u64::from)
                    .ok_or_else(|| lacks("max_age_hours"))?,
            },
            RawKind::AptUpgrade => StepKind::AptUpgrade,
            RawKind::AptPackages => {
                let packages = packages.take().ok_or_else(|| lacks("packages"))?;
                StepKind::AptPackages(all(packages, names::apt_package::check)?)
            }
            RawKind::AptSource => {
                StepKind::AptSource(source.take().ok_or_else(|| lacks("source"))?)
            }
            RawKind::SwapFile => StepKind::SwapFile,
            RawKind::DriverSource => StepKind::DriverSource,
            RawKind::Driver => StepKind::Driver,
            RawKind::DriverHold => StepKind::DriverHold {
                path: path.take().ok_or_else(|| lacks("path"))?,
                content: content.take().ok_or_else(|| lacks("content"))?,
            },
            RawKind::Groups => StepKind::Groups,
            RawKind::Login => StepKind::Login,
            RawKind::Restart => StepKind::Restart,
            RawKind::ContainerGpu => StepKind::ContainerGpu,
            RawKind::Uv => StepKind::Uv,
            RawKind::Environment => StepKind::Environment,
            RawKind::Base => {
                let requirements = requirements.take().ok_or_else(|| lacks("requirements"))?;
                StepKind::Base(all(requirements, names::match_spec::check)?)
            }
            RawKind::ShellInit => StepKind::ShellInit,
            RawKind::Layer => {
                let requirements = requirements.take().ok_or_else(|| lacks("requirements"))?;
                let conda = conda.take().map(|conda| all(conda, names::match_spec::check));
                StepKind::Layer(Layer {
                    requirements: all(requirements, names::requirement::check)?,
                    conda: conda.transpose()?,
                })
            }
            RawKind::Framework => StepKind::Framework,
            RawKind::Activate => StepKind::Activate,
            RawKind::Kernelspec => StepKind::Kernelspec,
            RawKind::Check => {
                StepKind::Check(known_check(script.take().ok_or_else(|| lacks("script"))?)?)
            }
            RawKind::FrameworkCheck => StepKind::FrameworkCheck,
        };
        let left = [
            ("packages", packages.is_some()),
            ("requirements", requirements.is_some()),
            ("conda", conda.is_some()),
            ("script", script.is_some()),
            ("source", source.is_some()),
            ("path", path.is_some()),
            ("content", content.is_some()),
            ("max_age_hours", max_age_hours.is_some()),
        ];
        if let Some((key, _)) = left.iter().find(|(_, there)| *there) {
            return Err((span, message!("a step of this kind takes no `{key}`")));
        }
        Ok(ProfileStep {
            id: self.id.into_inner(),
            phase: self.phase,
            title: self.title,
            why: self.why,
            manager: self.manager,
            with: self.with,
            gpu: self.gpu,
            wsl: self.wsl,
            needs: self.needs.into_iter().map(Spanned::into_inner).collect(),
            kind,
            requires: self.requires,
            estimate: self.estimate,
        })
    }
}

impl RawKind {
    /// Whether a step of this kind works in the environment that an earlier one makes.
    fn needs_environment(self) -> bool {
        use RawKind::{Activate, Check, Framework, FrameworkCheck, Kernelspec, Layer};
        matches!(self, Activate | Check | Framework | FrameworkCheck | Kernelspec | Layer)
    }
}

/// The first step for which there is no environment, or an environment too many, with one manager or the other.
fn homeless(steps: &[RawStep]) -> Option<Fault> {
    Manager::ALL.into_iter().find_map(|manager| {
        let mut there = false;
        let mut of_it = steps.iter().filter(|step| step.manager.is_none_or(|of| of == manager));
        of_it.find_map(|step| {
            let fault = |message: Message| Some((step.kind.span(), message));
            match *step.kind.get_ref() {
                RawKind::Environment if there => {
                    fault(message!("there is an environment for {manager} already"))
                }
                RawKind::Environment => {
                    there = true;
                    None
                }
                kind if kind.needs_environment() && !there => fault(message!(
                    "a step of this kind needs one of the kind `environment` before it, and with {manager} there is none"
                )),
                _ => None,
            }
        })
    })
}

/// A fault at its place in the file.
type Fault = (Range<usize>, Message);

/// Looks whether a text is in its form.
fn one(text: &Spanned<String>, check: fn(&str) -> Result<(), names::Unfit>) -> Result<(), Fault> {
    check(text.get_ref()).map_err(|unfit| (text.span(), unfit.told()))
}

/// The texts of a list, if each is in its form.
fn all(
    texts: Spanned<Vec<String>>,
    check: fn(&str) -> Result<(), names::Unfit>,
) -> Result<Vec<String>, Fault> {
    let (span, texts) = (texts.span(), texts.into_inner());
    if texts.len() > MOST {
        return Err((span, message!("this list has at most {MOST} entries")));
    }
    match texts.iter().try_for_each(|text| check(text)) {
        Ok(()) => Ok(texts),
        Err(unfit) => Err((span, unfit.told())),
    }
}

/// The name of a proof that there is.
fn known_check(script: Spanned<String>) -> Result<String, Fault> {
    let (span, name) = (script.span(), script.into_inner());
    let known: Vec<_> = CHECKS.iter().map(|(name, _)| *name).collect();
    if known.contains(&name.as_str()) {
        return Ok(name);
    }
    Err((span, message!("there is no check `{name}`; there are {}", known.join(", "))))
}

/// The first circle of needs: where it closes, and its steps.
fn cycle(steps: &[RawStep], places: &BTreeMap<&str, usize>) -> Option<Fault> {
    let mut clear = vec![false; steps.len()];
    // The way down to the step that is looked at: each step with how many of its needs were followed.
    let mut path: Vec<(usize, usize)> = Vec::new();
    for start in 0..steps.len() {
        path.push((start, 0));
        while let Some((at, followed)) = path.last_mut() {
            let (step, need) = (*at, steps[*at].needs.get(*followed));
            *followed += 1;
            let Some(need) = need.filter(|_| !clear[step]) else {
                clear[step] = true;
                path.pop();
                continue;
            };
            let next = places[need.get_ref().as_str()];
            if let Some(start) = path.iter().position(|(step, _)| *step == next) {
                let names = path[start..].iter().map(|(step, _)| *step).chain([next]);
                let names: Vec<_> = names.map(|step| steps[step].id.get_ref().as_str()).collect();
                return Some((need.span(), Message::plain(names.join(" → "))));
            }
            path.push((next, 0));
        }
    }
    None
}

/// Reads a TOML text; `file` names it in errors.
///
/// # Errors
/// [`ProfileError::Invalid`] with file, line and column.
pub fn parse<T: DeserializeOwned>(file: &str, text: &str) -> Result<T, ProfileError> {
    toml::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        invalid(file, text, start, Message::plain(error.message().trim()))
    })
}

fn invalid(file: &str, text: &str, offset: usize, message: Message) -> ProfileError {
    // A place inside of a character is that character's.
    let before = &text[..text.floor_char_boundary(offset)];
    ProfileError::Invalid {
        file: file.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before.chars().rev().take_while(|c| *c != '\n').count() + 1,
        message,
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::Exit;

    use super::*;

    const HEAD: &str = "schema = 1\nname = \"t\"\ntitle = \"t\"\nsummary = \"t\"\n\
        memory = { minimum = \"8 GiB\", comfortable = \"16 GiB\", swap_below = \"2 GiB\", swap_size = \"2 GiB\" }\n";

    fn error(steps: &str) -> String {
        Profile::from_toml("t.toml", &format!("{HEAD}{steps}")).unwrap_err().to_string()
    }

    fn step(id: &str, rest: &str) -> String {
        format!("[[step]]\nid = \"{id}\"\nphase = \"system\"\ntitle = \"t\"\nwhy = \"w\"\n{rest}\n")
    }

    #[test]
    fn the_builtin_profiles_are_valid() {
        for name in Profile::names() {
            assert_eq!(Profile::builtin(name).unwrap().name, name);
        }
    }

    #[test]
    fn a_misspelt_budget_gets_the_nearest_name() {
        let error = Profile::builtin("lwo").unwrap_err();
        assert!(error.hint().unwrap().to_string().contains("did you mean `low`?"));
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn what_can_be_added_is_known_and_the_nearest_is_named() {
        let low = Profile::builtin("low").unwrap();
        assert_eq!(
            low.options(),
            ["mlflow", "pytest", "poetry", "docker", "cuda-toolkit", "vscode"]
        );
        assert!(low.has_options(&["docker".to_owned()]).is_ok());
        let error = low.has_options(&["dokcer".to_owned()]).unwrap_err();
        assert_eq!(error.hint().unwrap(), "did you mean `--with docker`?");
        assert_eq!(error.exit(), Exit::Usage);
    }

    #[test]
    fn a_profile_takes_the_steps_of_another_or_has_its_own() {
        let (low, workstation) =
            (Profile::builtin("low").unwrap(), Profile::builtin("workstation").unwrap());
        assert_eq!(low.steps, workstation.steps);
        let head = HEAD.replace("memory", "steps_of = \"low\"\nmemory");
        let both = format!("{head}{}", step("a", "kind = \"uv\""));
        let said = Profile::from_toml("t.toml", &both).unwrap_err().to_string();
        assert!(said.starts_with("t.toml:5:12: "), "{said}");
        let other = head.replace("\"low\"", "\"lwo\"");
        assert!(Profile::from_toml("t.toml", &other).is_err());
    }

    #[test]
    fn names_requirements_and_texts_of_a_profile_are_nothing_else() {
        let environment = step("e", "kind = \"environment\"");
        for requirement in [
            "-e git+http://127.0.0.1/",
            "-r /etc/shadow",
            "--index-url http://x",
            "x @ file:///x",
            "x @ git+file:///x",
            "six\\n-r /etc/passwd",
            "/x.whl",
            "--no-binary :all:",
        ] {
            let layer = step(
                "l",
                &format!("kind = \"layer\"\nrequirements = [\"six\", \"{requirement}\"]"),
            );
            let said = error(&(environment.clone() + &layer));
            assert!(said.starts_with("t.toml:18:16: ") && said.contains("PEP 508"), "{said}");
        }
        for spec in ["https://x/y.conda", "other::x", "x[url=http://x]"] {
            let rest = format!("kind = \"layer\"\nrequirements = [\"six\"]\nconda = [\"{spec}\"]");
            assert!(
                error(&(environment.clone() + &step("l", &rest))).contains("match spec"),
                "{spec}"
            );
            let base = format!("kind = \"base\"\nrequirements = [\"{spec}\"]");
            assert!(error(&step("b", &base)).contains("match spec"), "{spec}");
        }
        for package in ["/home/x.deb", "./x.deb", "-y", "curl-", "a b", "x/sid", "a=1"] {
            let rest = format!("kind = \"apt-packages\"\npackages = [\"curl\", \"{package}\"]");
            assert!(error(&step("a", &rest)).starts_with("t.toml:12:12: "), "{package}");
        }
        let uv = step("a", "kind = \"uv\"");
        for (from, to) in [
            ("why = \"w\"", "why = \"w\\u001b[8m\""),
            ("title = \"t\"\nwhy", "title = \"t\\u202e\"\nwhy"),
            ("id = \"a\"", "id = \"../a\""),
            ("id = \"a\"", "id = \"\""),
            ("kind = \"uv\"", "kind = \"uv\"\nwith = \"a b\""),
        ] {
            assert_ne!(uv.replace(from, to), uv);
            let said = error(&uv.replace(from, to));
            assert!(said.starts_with("t.toml:") && said.contains("is no "), "{said}");
        }
    }

    #[test]
    fn sizes_and_counts_of_a_profile_have_limits() {
        let many: String = (0..30_000).map(|i| step(&format!("s{i}"), "kind = \"uv\"")).collect();
        assert!(error(&many).contains("at most 1048576 bytes"));
        let reversed = |count: usize| -> String {
            let need = |i: usize| format!("kind = \"uv\"\nneeds = [\"s{}\"]", (i + 1).min(count));
            let last = step(&format!("s{count}"), "kind = \"uv\"");
            (0..count).map(|i| step(&format!("s{i}"), &need(i))).collect::<String>() + &last
        };
        assert!(error(&reversed(500)).contains("at most 400 steps"));
        assert!(Profile::from_toml("t.toml", &(HEAD.to_owned() + &reversed(399))).is_ok());
        for amount in ["18446744073709551615 B", "16777216 TB", "-1 B", "é"] {
            let head = HEAD.replace("\"8 GiB\"", &format!("\"{amount}\""));
            let said = Profile::from_toml("t.toml", &head).unwrap_err().to_string();
            assert!(said.starts_with("t.toml:5:"), "{said}");
        }
        let hours = step("a", "kind = \"apt-lists\"\nmax_age_hours = 9223372036854775807");
        assert!(error(&hours).starts_with("t.toml:12:"));
    }

    #[test]
    fn what_changes_the_system_comes_word_for_word_from_a_profile_of_aitks() {
        let of = |text: &str| {
            let profile = Profile::from_toml("t.toml", text).unwrap();
            let changes = profile.system_changes().unwrap();
            changes.into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let evil = [
            step("hold", "kind = \"driver-hold\"\npath = \"/etc/sudoers.d/x\"\ncontent = \"x\""),
            step("groups", "kind = \"groups\""),
            step("swap", "kind = \"swap-file\""),
            step("source", "kind = \"apt-source\"\nsource = \"nvidia\""),
            step("packages", "kind = \"apt-packages\"\npackages = [\"curl\"]"),
        ];
        assert_eq!(of(&(HEAD.to_owned() + &evil.concat())), ["hold", "groups", "swap", "source"]);
        for (_, own) in BUILTIN {
            assert_eq!(of(own), [""; 0]);
        }
        // The place, the content and what it takes to be there count.
        let low = BUILTIN[1].1;
        assert_eq!(
            of(&low.replace("/etc/apt/apt.conf.d/60aitk", "/etc/sudoers.d/x")),
            ["accelerator.hold"]
        );
        let always = low.replacen("with = \"docker\"\n", "", 2);
        assert_ne!(always, low);
        assert_eq!(of(&always), ["tools.docker.source"]);
    }

    #[test]
    fn a_newer_form_is_named_before_its_keys() {
        let error =
            Profile::from_toml("t.toml", "# new\nschema = 2\nbudget = \"t\"\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "t.toml:2:10: this profile has form 2, and this version of aitk reads form 1"
        );
    }

    #[test]
    fn what_works_in_an_environment_needs_one_before_it_with_either_manager() {
        let layer = step("l", "kind = \"layer\"\nrequirements = [\"numpy\"]");
        let said = error(&layer);
        assert!(said.starts_with("t.toml:11:8: ") && said.contains("`environment`"), "{said}");
        let only_conda = step("e", "kind = \"environment\"\nmanager = \"conda\"");
        let said = error(&(only_conda.clone() + &layer));
        assert!(said.starts_with("t.toml:18:8: ") && said.contains("with venv"), "{said}");
        let said = error(&(layer.clone() + &step("e", "kind = \"environment\"")));
        assert!(said.starts_with("t.toml:11:8: "), "it comes too late: {said}");
        let both = step("e", "kind = \"environment\"");
        assert!(Profile::from_toml("t.toml", &format!("{HEAD}{both}{layer}")).is_ok());
        assert!(error(&(both + &only_conda.replace("\"e\"", "\"f\""))).contains("already"));
    }

    #[test]
    fn a_check_that_there_is_not_is_named_at_its_place() {
        let environment = step("e", "kind = \"environment\"");
        let said = error(&(environment + &step("c", "kind = \"check\"\nscript = \"nosuch.py\"")));
        assert!(said.starts_with("t.toml:18:10: there is no check `nosuch.py`"), "{said}");
        assert!(said.contains("libraries.py"), "{said}");
    }

    #[test]
    fn faults_are_named_with_file_line_and_column() {
        assert_eq!(
            error(&step("a", "kind = \"uv\"\ncolour = 1")),
            "t.toml:12:1: unknown field `colour`, expected one of `id`, `phase`, `kind`, `title`, \
             `why`, `manager`, `with`, `gpu`, `wsl`, `needs`, `requires`, `estimate`, `packages`, \
             `requirements`, `conda`, `script`, `source`, `path`, `content`, `max_age_hours`"
        );
        assert!(error(&step("a", "kind = 3")).starts_with("t.toml:11:8: "));
        assert_eq!(
            error(&step("a", "kind = \"uv\"\nneeds = [\"b\"]")),
            "t.toml:12:10: there is no step `b`"
        );
        assert_eq!(
            error(&(step("e", "kind = \"environment\"") + &step("a", "kind = \"layer\""))),
            "t.toml:17:8: a step of this kind needs `requirements`"
        );
        assert_eq!(
            error(&step("a", "kind = \"uv\"\nscript = \"x\"")),
            "t.toml:11:8: a step of this kind takes no `script`"
        );
        let circle = step("a", "kind = \"uv\"\nneeds = [\"b\"]")
            + &step("b", "kind = \"uv\"\nneeds = [\"a\"]");
        assert_eq!(error(&circle), "t.toml:19:10: steps need each other in a circle: a → b → a");
    }
}
