//! What the user chooses: one list, each row with its flag, its help, its variable, how it is merged with what was applied
//! before, what hosted notebooks make of it, and how it is typed again. The command line, the comparison with a saved plan
//! and the command lines that are told or exported read it.

use aitk_system::{Message, ToMessage, message};
use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::cutoff::Cutoff;
use crate::manager::Manager;
use crate::names::{self, Unfit};

/// What is asked of an environment, as the receipt, a saved plan and a bundle keep it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The budget's name; a profile of the user's own stands among the choices.
    #[serde(deserialize_with = "names::line::one")]
    pub budget: String,
    /// All else that was chosen.
    pub choices: Choices,
    /// The manager that was taken, once one was.
    pub manager: Option<Manager>,
    /// The lock that is installed: for one run, so it is not kept.
    #[serde(skip)]
    pub locked: Option<String>,
}

/// A row of the list.
#[derive(Debug)]
pub struct Choice {
    /// Its flag, without the dashes.
    pub flag: &'static str,
    /// What its value is called in help; nothing for a switch.
    pub value: &'static str,
    /// The sentence that `--help` shows beside it.
    pub help: &'static str,
    /// What its value may be; clap refuses others.
    pub takes: Takes,
    /// What counts as long as nothing is chosen, where help says so.
    pub default: Option<&'static str>,
    /// Whether it takes several values.
    pub many: bool,
    /// Whether several are added to those that were applied before, and do not stand for them.
    pub adds: bool,
    /// The flag that it does not go with.
    pub without: Option<&'static str>,
    /// What hosted notebooks make of it.
    pub hosted: Hosted,
    /// Its place, to look at.
    get: fn(&Request) -> &dyn ChoiceValue,
    /// Its place, to write to.
    get_mut: fn(&mut Request) -> &mut dyn ChoiceValue,
}

/// What a choice takes.
#[derive(Debug, Clone, Copy)]
pub enum Takes {
    /// Nothing: it is chosen or not.
    Switch,
    /// A word in a form.
    Word(fn(&str) -> Result<(), Message>),
    /// The name of a framework of the catalog, or of none.
    Framework,
    /// One of these, each with what it means.
    OneOf(&'static [(&'static str, &'static str)]),
    /// A file or a folder.
    Path,
    /// An address, a name or a folder; what opens it is no part of the form.
    Source(fn(&str) -> Result<(), Unfit>),
}

/// What hosted notebooks make of a choice.
#[derive(Debug, Clone, Copy)]
pub enum Hosted {
    /// It means there what it means here.
    Heeded,
    /// It would be a wish that comes to nothing.
    Refused,
    /// These alone mean something.
    Only(&'static [&'static str]),
}

impl Choice {
    const fn new(
        flag: &'static str,
        value: &'static str,
        takes: Takes,
        get: fn(&Request) -> &dyn ChoiceValue,
        get_mut: fn(&mut Request) -> &mut dyn ChoiceValue,
    ) -> Self {
        Self {
            flag,
            value,
            help: "",
            takes,
            default: None,
            many: false,
            adds: false,
            without: None,
            hosted: Hosted::Heeded,
            get,
            get_mut,
        }
    }

    const fn help(mut self, help: &'static str) -> Self {
        self.help = help.trim_ascii();
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    const fn many(mut self) -> Self {
        self.many = true;
        self
    }

    const fn adds(mut self) -> Self {
        self.adds = true;
        self.many()
    }

    const fn without(mut self, flag: &'static str) -> Self {
        self.without = Some(flag);
        self
    }

    const fn hosted(mut self, hosted: Hosted) -> Self {
        self.hosted = hosted;
        self
    }

    /// The row of a flag.
    ///
    /// # Panics
    /// Where there is none.
    pub fn named(flag: &str) -> &'static Self {
        let row = CHOICES.iter().find(|row| row.flag == flag);
        row.unwrap_or_else(|| unreachable!("no row {flag}"))
    }

    /// The variable that says the same.
    pub fn variable(&self) -> String {
        format!("AITK_{}", self.flag.replace('-', "_").to_uppercase())
    }

    /// The values as they would be given to its flag: none where nothing is chosen, `true` for a switch.
    pub fn values(&self, request: &Request) -> Vec<String> {
        (self.get)(request).values()
    }

    /// Puts what is given over what was chosen before.
    pub fn merge(&self, request: &mut Request, given: &[String]) {
        let mut all = given.to_vec();
        if self.adds {
            all.extend(self.values(request));
            all.sort();
            all.dedup();
        }
        (self.get_mut)(request).take(&all);
    }

    /// Whether what is given asks for something else than was decided.
    pub fn changes(&self, decided: &Request, given: &[String]) -> bool {
        let mut asked = decided.clone();
        self.merge(&mut asked, given);
        asked != *decided
    }

    /// Whether it means nothing for hosted notebooks.
    pub fn is_meaningless(&self, given: &[String]) -> bool {
        match self.hosted {
            Hosted::Heeded => false,
            Hosted::Refused => true,
            Hosted::Only(some) => given.iter().any(|value| !some.contains(&value.as_str())),
        }
    }

    /// How it is typed again; `None` where nothing is chosen.
    pub fn typed(&self, request: &Request) -> Option<String> {
        match (self.takes, self.values(request)) {
            (_, values) if values.is_empty() => None,
            (Takes::Switch, _) => Some(format!("--{}", self.flag)),
            (_, values) => Some(format!("--{}={}", self.flag, values.join(","))),
        }
    }
}

/// A place for what is chosen.
pub trait ChoiceValue {
    /// What is chosen, as it is typed; nothing where nothing is.
    fn values(&self) -> Vec<String>;
    /// Takes what was given, as it is typed.
    fn take(&mut self, given: &[String]);
}

impl ChoiceValue for bool {
    fn values(&self) -> Vec<String> {
        self.then(|| "true".to_owned()).into_iter().collect()
    }

    /// What was chosen once stays.
    fn take(&mut self, given: &[String]) {
        *self |= given.iter().any(|value| value == "true");
    }
}

impl ChoiceValue for String {
    fn values(&self) -> Vec<String> {
        (!self.is_empty()).then(|| self.clone()).into_iter().collect()
    }

    fn take(&mut self, given: &[String]) {
        given.iter().for_each(|value| self.clone_from(value));
    }
}

impl ChoiceValue for Option<String> {
    fn values(&self) -> Vec<String> {
        self.iter().cloned().collect()
    }

    fn take(&mut self, given: &[String]) {
        *self = given.last().cloned();
    }
}

impl ChoiceValue for Vec<String> {
    fn values(&self) -> Vec<String> {
        self.clone()
    }

    fn take(&mut self, given: &[String]) {
        *self = given.to_vec();
    }
}

impl ChoiceValue for BTreeMap<String, String> {
    fn values(&self) -> Vec<String> {
        self.iter().map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// What was set once stays until it is set again.
    fn take(&mut self, given: &[String]) {
        let pairs = given.iter().filter_map(|pair| pair.split_once('='));
        self.extend(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}

/// Makes an enumeration of words that are chosen from, the first of which counts where nothing is.
macro_rules! words {
    ($(#[doc = $about:literal])+ $type:ident { $(#[doc = $means:literal] $(#[$default:ident])? $variant:ident = $word:literal,)+ }) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum $type { $(#[doc = $means] $(#[$default])? $variant,)+ }

        impl $type {
            /// Each word, with what it means.
            pub const WORDS: &'static [(&'static str, &'static str)] = &[$(($word, $means.trim_ascii())),+];
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)+ })
            }
        }

        impl ChoiceValue for $type {
            fn values(&self) -> Vec<String> {
                vec![self.to_string()]
            }

            fn take(&mut self, given: &[String]) {
                // What is no word of these has been refused where it was given.
                given.iter().for_each(|value| match value.as_str() {
                    $($word => *self = Self::$variant,)+
                    _ => {}
                });
            }
        }
    };
}

words! {
    /// What computes.
    AcceleratorChoice {
        /// What fits the machine
        #[default] Auto = "auto",
        /// The processor
        Cpu = "cpu",
        /// A GPU of NVIDIA's, also where its driver is still missing
        Cuda = "cuda",
        /// A GPU of AMD's
        Rocm = "rocm",
        /// A GPU of Intel's
        Xpu = "xpu",
    }
}

impl AcceleratorChoice {
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

words! {
    /// Which environment manager to use.
    ManagerChoice {
        /// Conda where a channel answers, else venv
        #[default] Auto = "auto",
        /// Conda packages, with conda and mamba themselves
        Conda = "conda",
        /// A virtual environment, filled by uv
        Venv = "venv",
    }
}

impl ManagerChoice {
    /// The manager that was chosen by its name.
    pub fn named(self) -> Option<Manager> {
        match self {
            Self::Auto => None,
            Self::Conda => Some(Manager::Conda),
            Self::Venv => Some(Manager::Venv),
        }
    }
}

impl From<Manager> for ManagerChoice {
    fn from(manager: Manager) -> Self {
        match manager {
            Manager::Conda => Self::Conda,
            Manager::Venv => Self::Venv,
        }
    }
}

/// A row with the two ways to its place.
macro_rules! row {
    (($flag:literal, $value:literal, $takes:expr $(, $more:ident $(($($with:expr),*))?)*), |$request:ident| $place:expr) => {
        Choice::new($flag, $value, $takes, |$request| &$place, |$request| &mut $place)$(.$more($($($with),*)?))*
    };
}

/// Makes the choices, and the list of them. The help of a row is what its field says of itself.
macro_rules! choices {
    (
        { $(#[doc = $what:literal])+ $budget:ident $budget_row:tt; }
        $($(#[doc = $help:literal])+ $(#[serde($($serde:tt)+)])* choices.$field:ident: $type:ty = $usual:expr, $row:tt;)+
        { $(#[doc = $which:literal])+ $locked:ident $locked_row:tt; }
    ) => {
        /// The user's choices beyond the budget; everything has a default.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(default, deny_unknown_fields)]
        pub struct Choices {
            $($(#[doc = $help])+ $(#[serde($($serde)+)])* pub $field: $type,)+
            /// The build that the environment has already: it stays where a newer one brings nothing but a newer CUDA. No
            /// choice of the user's, so it is not kept.
            #[serde(skip)]
            pub build: Option<String>,
        }

        impl Default for Choices {
            fn default() -> Self {
                Self { $($field: $usual,)+ build: None }
            }
        }

        /// Everything that can be chosen, in the order of the help.
        pub static CHOICES: &[Choice] = &[
            row!($budget_row, |request| request.$budget).help(concat!($($what),+)),
            $(row!($row, |request| request.choices.$field).help(concat!($($help),+)),)+
            row!($locked_row, |request| request.$locked).help(concat!($($which),+)),
        ];
    };
}

choices! {
    {
    /// What you can spend: free (hosted notebooks), low (a local machine, VM, WSL2 or cheap VPS), workstation (a PC with a GPU, or a Jetson), sme (small and medium companies) or enterprise
    budget ("budget", "NAME", Takes::Word(any));
    }
    /// A profile of your own instead of a budget
    #[serde(deserialize_with = "names::line::maybe")]
    choices.profile: Option<String> = None, ("profile", "FILE", Takes::Path, without("budget"));
    /// Deep learning framework [default: pytorch]
    #[serde(deserialize_with = "names::step_id::one")]
    choices.framework: String = "pytorch".to_owned(),
        ("framework", "NAME", Takes::Framework, hosted(Hosted::Refused));
    /// What computes: the GPU where a build fits it, else the processor; xpu on request alone [default: auto]
    #[serde(skip_serializing_if = "AcceleratorChoice::is_auto")]
    choices.accelerator: AcceleratorChoice = AcceleratorChoice::Auto,
        ("accelerator", "NAME", Takes::OneOf(AcceleratorChoice::WORDS), hosted(Hosted::Only(&["auto", "cpu", "cuda"])));
    /// Install NVIDIA's driver where the GPU needs one (a restart follows)
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    choices.drivers: bool = false, ("drivers", "", Takes::Switch, hosted(Hosted::Refused));
    /// What is wanted besides (`aitk profiles NAME` lists it); can be given several times
    #[serde(deserialize_with = "names::step_id::all", skip_serializing_if = "Vec::is_empty")]
    choices.with: Vec<String> = Vec::new(), ("with", "NAME", Takes::Word(any), adds, hosted(Hosted::Refused));
    /// A package of your own in the environment, resolved together with the rest (`aitk add` adds one); can be given several times
    #[serde(deserialize_with = "names::requirement::all", skip_serializing_if = "Vec::is_empty")]
    choices.packages: Vec<String> = Vec::new(),
        ("package", "NAME", Takes::Word(crate::requirement::check_own), adds, hosted(Hosted::Refused));
    /// Environment manager [default: auto]
    choices.manager: ManagerChoice = ManagerChoice::Auto,
        ("manager", "NAME", Takes::OneOf(ManagerChoice::WORDS), hosted(Hosted::Refused));
    /// Version of Python [default: 3.12 with conda, the system's with venv]
    #[serde(deserialize_with = "names::python_version::maybe")]
    choices.python: Option<String> = None, ("python", "X.Y", Takes::Word(python), hosted(Hosted::Refused));
    /// Where it shall run, for hosted notebooks and projects (`aitk profiles NAME` lists the platforms)
    #[serde(deserialize_with = "names::step_id::maybe", skip_serializing_if = "Option::is_none")]
    choices.platform: Option<String> = None, ("platform", "NAME", Takes::Word(any));
    /// A part of the project that is not written anyway; can be given several times
    #[serde(deserialize_with = "names::step_id::all", skip_serializing_if = "Vec::is_empty")]
    choices.parts: Vec<String> = Vec::new(), ("part", "NAME", Takes::Word(any), adds, hosted(Hosted::Refused));
    /// Set something that the platform or the form declares; can be given several times
    #[serde(deserialize_with = "settings", skip_serializing_if = "BTreeMap::is_empty")]
    choices.set: BTreeMap<String, String> = BTreeMap::new(), ("set", "KEY=VALUE", Takes::Word(setting), many);
    /// The folder of the project or of the notebook [default: one in the current folder, called after it]
    #[serde(deserialize_with = "names::line::maybe", skip_serializing_if = "Option::is_none")]
    choices.folder: Option<String> = None, ("folder", "DIR", Takes::Path);
    /// Let the vendors' own tools judge the project's files
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    choices.check: bool = false, ("check", "", Takes::Switch, hosted(Hosted::Refused));
    /// Use the project on this machine as well: train, serve, ask, watch
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    choices.prove: bool = false, ("prove", "", Takes::Switch, hosted(Hosted::Refused));
    /// Leave out what needs root
    choices.user_only: bool = false, ("user-only", "", Takes::Switch);
    /// Leave out the upgrade of installed packages
    choices.no_upgrade: bool = false, ("no-upgrade", "", Takes::Switch);
    /// Conda channel by name, address or folder, instead of conda-forge; several in the order of their priority
    #[serde(deserialize_with = "names::channel::all")]
    choices.channels: Vec<String> = Vec::new(),
        ("channel", "URL|NAME", Takes::Source(names::channel::check), many);
    /// Use a conda that is there already (its folder), instead of one of aitk's own
    #[serde(deserialize_with = "names::line::maybe")]
    choices.base: Option<String> = None, ("conda-base", "DIR", Takes::Path, hosted(Hosted::Refused));
    /// Let new shells know `conda activate`; edits the shell's own file, and `aitk remove` takes it back
    choices.init_shell: bool = false, ("init-shell", "", Takes::Switch, hosted(Hosted::Refused));
    /// Index of Python packages, instead of the one that pip and uv use
    #[serde(deserialize_with = "names::source::maybe")]
    choices.index_url: Option<String> = None, ("index-url", "URL", Takes::Source(names::source::check));
    /// Index of PyTorch's builds, instead of PyTorch's own
    #[serde(deserialize_with = "names::torch_index::maybe")]
    choices.torch_index: Option<String> = None, ("torch-index", "URL", Takes::Source(names::torch_index::check));
    /// Leave out what came out in the last days (`14d`), or after a date (`2026-11-01`), when packages are resolved; what has no date as well. `none` takes it back
    #[serde(deserialize_with = "names::cutoff::maybe", skip_serializing_if = "Option::is_none")]
    choices.exclude_newer: Option<String> = None,
        ("exclude-newer", "DAYS|DATE", Takes::Word(cutoff), without("locked"));
    /// Name of the environment
    #[serde(deserialize_with = "names::environment_name::one")]
    choices.env: String = "ai".to_owned(),
        ("env", "NAME", Takes::Word(environment), default("ai"), hosted(Hosted::Refused));
    {
    /// Install exactly this lock and resolve nothing
    locked ("locked", "FILE", Takes::Path);
    }
}

fn any(_: &str) -> Result<(), Message> {
    Ok(())
}

fn settings<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let all = BTreeMap::<String, String>::deserialize(from)?;
    let check = |(key, value): (&String, &String)| {
        names::step_id::check(key).and_then(|()| names::line::check(value))
    };
    all.iter().try_for_each(check).map_err(names::refuse).map(|()| all)
}

fn setting(text: &str) -> Result<(), Message> {
    match text.split_once('=') {
        Some((key, _)) if names::step_id::fits(key) => Ok(()),
        _ => Err(message!("KEY=VALUE is expected")),
    }
}

impl Choices {
    /// Up to when what is published counts; `None` where no time is set.
    pub fn cutoff(&self) -> Option<Cutoff> {
        self.exclude_newer.as_deref().and_then(Cutoff::read)
    }
}

fn cutoff(text: &str) -> Result<(), Message> {
    names::cutoff::check(text).map_err(|unfit| unfit.to_message())
}

fn python(text: &str) -> Result<(), Message> {
    match names::python_version::fits(text) {
        true => Ok(()),
        false => Err(message!("a version such as 3.12 is expected")),
    }
}

fn environment(text: &str) -> Result<(), Message> {
    match text {
        "base" => Err(message!("`base` is the name of conda's own environment")),
        text if names::environment_name::fits(text) => Ok(()),
        _ => Err(message!("letters, digits, - and _ are allowed, 40 at most")),
    }
}
