//! What is wrong with a computer, or with an environment on it, as far as that can be seen without root, without
//! the network and without changing anything.
//!
//! Each finding is one probe, a small function that says what it saw here, and one row of `profiles/doctor.toml`,
//! which says what that means and what to do. What is not known is no finding.

mod apt;
mod conda;
mod environment;
mod frameworks;
mod gpu;
mod jupyter;
mod mending;
mod network;
mod prefix;
mod system;

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aitk_system::{Message, System, builtin, sentence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::mending::{Ailing, Broken, ailing};
use self::prefix::Prefix;
use crate::installers::{Setting, astray, pip_settings};
use crate::machine::{Gpu, Machine, Obstacle, Sudo};
use crate::tables::Tables;

/// The words, and the few tables that only the probes here need.
static BOOK: LazyLock<Book> =
    LazyLock::new(|| toml::from_str(builtin("doctor.toml")).unwrap_or_default());

/// Something that is wrong, or that will get in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// A stable code, `AITK-H…`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in a few words.
    pub title: Message,
    /// What was seen here that says so.
    pub evidence: Vec<Message>,
    /// What follows from it for work with a GPU or an environment, from `profiles/doctor.toml`.
    pub explains: Message,
    /// What to do, line by line: commands to paste, and comments (`# …`) between them.
    pub remedy: Vec<Message>,
    /// The command of aitk that mends it, where one does.
    pub aitk: Option<String>,
}

/// How bad a finding is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something does not work.
    Error,
    /// Something will fail sooner or later, or works badly.
    Warning,
    /// Good to know; may be as it should be.
    Info,
}

/// What aitk itself judges of an environment that it keeps: the probes here know only what anybody can see.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnEnvironment {
    /// What is wrong with it, each with what takes that away.
    pub faults: Vec<OwnFault>,
    /// Whether another environment is wished for here than the one that is there, so that `apply` builds it.
    pub outdated: bool,
    /// What names the environment in a command of aitk's: ` --env NAME`, or nothing.
    pub flag: String,
}

/// Something that is wrong with an environment of aitk's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnFault {
    /// Which finding it becomes.
    pub kind: OwnKind,
    /// What is wrong, with the path that shows it.
    pub seen: Message,
    /// What takes it away.
    pub remedy: Message,
    /// Whether that is a command of aitk's.
    pub by_aitk: bool,
}

/// What can be wrong with an environment of aitk's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnKind {
    /// Its Python is gone, or another one.
    Python,
    /// Its folder was moved or copied: the paths inside lead to the old place.
    Moved,
    /// Anything else that `verify` would say as well.
    Other,
}

impl OwnKind {
    /// The finding that it belongs to.
    fn code(self) -> &'static str {
        match self {
            Self::Python => "AITK-H36",
            Self::Moved => "AITK-H37",
            Self::Other => "AITK-H57",
        }
    }
}

/// `profiles/doctor.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Book {
    uv_first: Vec<RemedyLine>,
    administrator: String,
    finding: Vec<FindingText>,
    numpy2: Vec<Numpy2>,
    python: Vec<PythonRange>,
    manages: Vec<Manages>,
}

/// A tool that looks after environments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Manages {
    /// The file that shows it, from the environment's folder.
    pub mark: String,
    /// What it is called.
    pub tool: String,
    /// The command that mends an environment there.
    pub command: String,
}

/// What a finding means, and what to do.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FindingText {
    code: String,
    severity: Severity,
    #[serde(deserialize_with = "sentence")]
    title: Message,
    #[serde(deserialize_with = "sentence")]
    explains: Message,
    remedy: Vec<RemedyLine>,
    aitk: Option<String>,
    /// Whether it is about which build of a framework is there. Of an environment that aitk keeps, and would make again as it
    /// is, it is not told: what was taken there the plan has said, and why.
    #[serde(default)]
    of_build: bool,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "as_of")]
    _as_of: String,
}

/// A line of a remedy, for every machine or only for some.
#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum RemedyLine {
    Always(String),
    Where { line: String, on: String },
}

impl RemedyLine {
    fn text(&self) -> &str {
        match self {
            Self::Always(line) | Self::Where { line, .. } => line,
        }
    }

    /// Whether it is for a machine of which all of this is so; `!` in front says that it is not.
    fn is_for(&self, so: impl Fn(&str) -> bool) -> bool {
        let Self::Where { on, .. } = self else { return true };
        on.split_whitespace().all(|word| match word.strip_prefix('!') {
            Some(word) => !so(word),
            None => so(word),
        })
    }
}

/// The first version of a package with compiled parts that works with NumPy 2.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Numpy2 {
    package: String,
    version: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "as_of")]
    _as_of: String,
}

/// The versions of Python that the current release of a framework has builds for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PythonRange {
    framework: String,
    min: String,
    max: String,
    #[serde(rename = "source")]
    _source: String,
    #[serde(rename = "as_of")]
    _as_of: String,
}

/// What the probes look at.
struct ProbeContext<'a> {
    system: &'a dyn System,
    machine: &'a Machine,
    tables: &'a Tables,
    prefix: Option<Prefix>,
    own: Option<&'a OwnEnvironment>,
}

/// Says what it saw; nothing where all is well or nothing is known.
type Probe = fn(&ProbeContext<'_>) -> Vec<Message>;

/// Every probe by the code of its finding.
const PROBES: [(&str, Probe); 63] = [
    ("AITK-H01", frameworks::no_gpu_build),
    ("AITK-H02", frameworks::driver_too_old),
    ("AITK-H03", frameworks::no_kernels),
    ("AITK-H04", gpu::mismatch),
    ("AITK-H05", gpu::shadowed),
    ("AITK-H06", gpu::no_symbolic_link),
    ("AITK-H07", frameworks::foreign_cudnn),
    ("AITK-H08", frameworks::tensorflow_without_cuda),
    ("AITK-H09", gpu::unsigned),
    ("AITK-H10", gpu::without_driver),
    ("AITK-H11", gpu::no_headers),
    ("AITK-H12", system::locked),
    ("AITK-H13", system::interrupted),
    ("AITK-H14", system::small_tmp),
    ("AITK-H15", system::full_disk),
    ("AITK-H16", system::little_memory),
    ("AITK-H17", frameworks::cuda_without_gpu),
    ("AITK-H18", frameworks::numpy_baseline),
    ("AITK-H19", frameworks::illegal_instruction),
    ("AITK-H20", frameworks::python_out_of_range),
    ("AITK-H21", system::old_libc),
    ("AITK-H22", frameworks::mixed_packages),
    ("AITK-H23", frameworks::foreign_kernel),
    ("AITK-H24", system::externally_managed),
    ("AITK-H25", conda::default_channels),
    ("AITK-H26", conda::slow_solver),
    ("AITK-H27", network::certificates),
    ("AITK-H28", network::proxies),
    ("AITK-H29", system::clock_behind),
    ("AITK-H30", network::broken_ipv6),
    ("AITK-H31", system::unfit_folders),
    ("AITK-H32", system::no_utf8),
    ("AITK-H33", conda::shell_fights),
    ("AITK-H34", gpu::lost_in_containers),
    ("AITK-H35", frameworks::wrong_wheel_on_jetson),
    ("AITK-H36", environment::no_python),
    ("AITK-H37", environment::moved),
    ("AITK-H38", environment::partly_there),
    ("AITK-H39", environment::variables),
    ("AITK-H40", system::foreign_owner),
    ("AITK-H41", system::no_temporary),
    ("AITK-H42", network::no_localhost),
    ("AITK-H43", system::limits),
    ("AITK-H44", gpu::without_module),
    ("AITK-H45", |case| case.behind(&[Obstacle::KeptOut])),
    ("AITK-H46", |case| case.behind(&[Obstacle::NotEnrolled])),
    ("AITK-H47", |case| case.behind(&[Obstacle::WrongModule])),
    ("AITK-H48", |case| case.behind(&[Obstacle::Dropped])),
    ("AITK-H49", |case| case.behind(&[Obstacle::NoCompute, Obstacle::NoLibraries])),
    ("AITK-H50", |case| case.behind(&[Obstacle::ShutOut, Obstacle::NoDeviceFile])),
    ("AITK-H51", |case| case.behind(&[Obstacle::NoParts])),
    ("AITK-H52", |case| case.behind(&[Obstacle::NoFabricManager])),
    ("AITK-H53", |case| case.behind(&[Obstacle::Blocked])),
    ("AITK-H54", |case| case.behind(&[Obstacle::NotLoaded])),
    ("AITK-H55", gpu::override_left_over),
    ("AITK-H56", system::narrow_userland),
    // What aitk says of its own is all of it.
    ("AITK-H57", |_| Vec::new()),
    ("AITK-H58", |case| case.behind(&[Obstacle::Silent, Obstacle::Faulty, Obstacle::Crashes])),
    ("AITK-H59", apt::sources),
    // Of the project of a folder whoever knows its platform says what was seen.
    (ProjectKind::Client.code(), |_| Vec::new()),
    (ProjectKind::Credentials.code(), |_| Vec::new()),
    (ProjectKind::Aged.code(), |_| Vec::new()),
    ("AITK-H63", jupyter::configurations),
];

/// What can be wrong with the project of a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectKind {
    /// Its platform's client is not there, or too old.
    Client,
    /// The platform does not take the user's credentials.
    Credentials,
    /// What it was written from has aged.
    Aged,
}

impl ProjectKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Client, Self::Credentials, Self::Aged];

    const fn code(self) -> &'static str {
        match self {
            Self::Client => "AITK-H60",
            Self::Credentials => "AITK-H61",
            Self::Aged => "AITK-H62",
        }
    }
}

/// A finding on the project of a folder, from what was seen of it; none where nothing was.
pub fn project_finding(
    system: &dyn System,
    machine: &Machine,
    tables: &Tables,
    kind: ProjectKind,
    evidence: Vec<Message>,
) -> Option<Finding> {
    let case = ProbeContext { system, machine, tables, prefix: None, own: None };
    let finding = case.finding(kind.code(), evidence);
    finding.filter(|finding| !finding.evidence.is_empty()).map(said_plainly)
}

/// How many things are looked at.
pub fn looked_at() -> usize {
    PROBES.len()
}

/// Whether a folder is an environment of Python's that can be looked at: one of venv or conda.
pub fn is_environment(system: &dyn System, path: &Path) -> bool {
    Prefix::read(system, path).is_some()
}

/// Where aitk's own environment is, made or not.
pub fn own_environment(machine: &Machine) -> PathBuf {
    machine.folders.data.join("envs/ai/current")
}

/// Looks for everything that is known to go wrong, in a machine and in an environment: the given one, else aitk's
/// current one. Without an environment, what is about environments is left out. Of one that aitk keeps it says what is
/// wrong with it.
pub fn examine(
    system: &dyn System,
    machine: &Machine,
    tables: &Tables,
    env: Option<&Path>,
    own: Option<&OwnEnvironment>,
) -> Vec<Finding> {
    let prefix = match env {
        Some(env) => Prefix::read(system, env),
        None => Prefix::read(system, &own_environment(machine)),
    };
    let case = ProbeContext { system, machine, tables, prefix, own };
    let found = PROBES.iter().map(|(code, probe)| (*code, probe(&case)));
    found
        .map(|(code, mut evidence)| {
            evidence.extend(case.own_faults(code).map(|fault| fault.seen.clone()));
            (code, evidence)
        })
        .filter(|(_, evidence)| !evidence.is_empty())
        .filter_map(|(code, evidence)| case.finding(code, evidence))
        .map(said_plainly)
        .collect()
}

/// What was seen and what is to be typed, on lines of their own.
fn said_plainly(mut finding: Finding) -> Finding {
    finding.evidence.iter_mut().chain(&mut finding.remedy).for_each(Message::make_plain);
    finding
}

impl ProbeContext<'_> {
    /// The words for a code, with what was seen; none where that is as it was meant to be.
    fn finding(&self, code: &str, evidence: Vec<Message>) -> Option<Finding> {
        let words = BOOK.finding.iter().find(|words| words.code == code)?;
        if words.of_build && self.own.is_some_and(|own| !own.outdated) {
            return None;
        }
        Some(Finding {
            code: code.to_owned(),
            severity: words.severity,
            title: words.title.clone(),
            evidence,
            explains: words.explains.clone(),
            remedy: self.remedy(code, words),
            aitk: self.mended_by(code, words),
        })
    }

    /// What aitk says of its own environment that belongs to a finding.
    fn own_faults(&self, code: &str) -> impl Iterator<Item = &OwnFault> {
        let faults = self.own.iter().flat_map(|own| &own.faults);
        faults.filter(move |fault| fault.kind.code() == code)
    }

    /// The command of aitk that takes the finding away here. It changes no environment of somebody else's.
    fn mended_by(&self, code: &str, words: &FindingText) -> Option<String> {
        let by_aitk = self.own_faults(code).filter(|fault| fault.by_aitk);
        // The longer one does what the shorter one does, and more.
        let commands = by_aitk.map(|fault| fault.remedy.to_string());
        if let Some(command) = commands.max_by_key(String::len) {
            return Some(command);
        }
        match (&self.prefix, self.own) {
            // What the user told pip stays.
            _ if code == "AITK-H24" && system::breaks_the_system(self) => None,
            (None, _) => {
                let budget = format!(" --budget {}", self.machine.budget());
                words.aitk.as_ref().map(|command| command.replace(" --budget low", &budget))
            }
            (Some(_), None) => None,
            // Where what is wished for is what is there, `apply` has nothing to do, unless it wishes for something else.
            (Some(_), Some(own)) => {
                let command = words.aitk.as_ref()?.replace(" --budget low", &own.flag);
                (own.outdated || code == "AITK-H20").then_some(command)
            }
        }
    }

    /// What to do, with what is known of this machine put in; of its own environment aitk knows that itself.
    fn remedy(&self, code: &str, words: &FindingText) -> Vec<Message> {
        if self.own_faults(code).next().is_some() {
            let by_hand = self.own_faults(code).filter(|fault| !fault.by_aitk);
            let mut lines: Vec<_> = by_hand.map(|fault| fault.remedy.clone()).collect();
            lines.dedup();
            return lines;
        }
        let fitting = words.remedy.iter().filter(|line| line.is_for(|word| self.is(word)));
        let fitting: Vec<&str> = fitting.map(RemedyLine::text).collect();
        let uses_uv = fitting.iter().any(|line| line.starts_with("uv "));
        let uv = (uses_uv && !self.machine.tools.contains_key("uv")).then_some(&BOOK.uv_first);
        let uv = uv.into_iter().flatten().filter(|line| line.is_for(|word| self.is(word)));
        let mut lines: Vec<&str> = uv.map(RemedyLine::text).chain(fitting).collect();
        let elevates = lines.iter().any(|line| line.contains("sudo "));
        // Who may not use it can show the lines to somebody who may; for root it is one word too many.
        if elevates && !self.is("root") && !self.is("sudo") {
            lines.insert(0, &BOOK.administrator);
        }
        let own = |line: &str| match self.is("root") {
            true => line.replace("sudo ", ""),
            false => line.to_owned(),
        };
        let kernel = self.machine.kernel.as_deref().unwrap_or("$(uname -r)");
        let env = self.prefix.as_ref().map(|prefix| word(&prefix.named.to_string_lossy()));
        let env = env.as_deref().unwrap_or("ENVIRONMENT");
        let driver = gpu::installed(self);
        let variables = environment::variables_set(self).join(" ");
        let held = || {
            let words = [
                ("kernel", kernel),
                ("env", env),
                ("driver", driver.as_str()),
                ("variables", variables.as_str()),
            ];
            words.map(|(name, word)| (name.into(), Message::plain(word))).to_vec()
        };
        lines.into_iter().map(|line| typed(&own(line), held())).collect()
    }

    /// Whether a word that lines of remedies are chosen by is true of this machine.
    fn is(&self, word: &str) -> bool {
        use crate::machine::VirtualizationKind::{Container, Vm, Wsl1, Wsl2};
        let Machine { os, virtualization, privilege, tools, systemd, gpus, .. } = self.machine;
        let kind = virtualization.kind;
        match word {
            "container" => kind == Container,
            "vm" => kind == Vm,
            "wsl" => matches!(kind, Wsl1 | Wsl2),
            "apt" => tools.contains_key("apt-get"),
            "systemd" => *systemd,
            "root" => privilege.root,
            "sudo" => privilege.sudo != Sudo::No,
            "variables" => !environment::variables_set(self).is_empty(),
            "settings" => {
                !astray(self.system, &self.machine.folders, self.prefix_path()).is_empty()
            }
            "shared" => environment::lets_others_in(self),
            "conda" => self.prefix.as_ref().is_some_and(|prefix| prefix.conda.is_some()),
            "nvidia" | "amd" | "intel" => gpus.iter().any(|gpu| gpu.vendor == word),
            "jetson" => self.machine.jetson.is_some(),
            "dkms" | "modules" | "installer" | "outgrown" => gpu::came_by(self, word),
            "blackwell" => gpus.iter().any(|gpu| gpu.architecture.as_deref() == Some("blackwell")),
            family => os.id == family || os.like.iter().any(|like| like == family),
        }
    }

    /// What is seen of the devices behind one of these obstacles.
    fn behind(&self, obstacles: &[Obstacle]) -> Vec<Message> {
        // What a container was not given is told of every maker's.
        let concerns =
            |gpu: &&Gpu| gpu.vendor == "nvidia" || gpu.obstacle == Some(Obstacle::ShutOut);
        let gpus = self.machine.gpus.iter().filter(concerns);
        let met = gpus.filter(|gpu| gpu.obstacle.is_some_and(|one| obstacles.contains(&one)));
        Message::counted(met.map(|gpu| Message::about(frameworks::name(gpu), gpu.why.clone())))
    }

    /// What a command of pip's takes from its files.
    fn pip(&self, command: &str) -> Vec<Setting> {
        pip_settings(self.system, &self.machine.folders, self.prefix_path(), command)
    }

    /// Where the environment is in truth.
    fn prefix_path(&self) -> Option<&Path> {
        self.prefix.as_ref().map(|prefix| prefix.path.as_path())
    }

    /// A path below the home folder.
    fn home(&self, path: &str) -> PathBuf {
        self.machine.folders.home.join(path)
    }
}

/// A line of a remedy: a command, which is the same in every language, and a comment on it, which is for reading.
fn typed(line: &str, held: Vec<(Cow<'static, str>, Message)>) -> Message {
    let (command, comment) = line.find("# ").map_or((line, ""), |at| line.split_at(at));
    let with = |text: &str| Message::said(text.to_owned(), held.clone());
    match comment {
        "" => Message::plain(with(command)),
        comment => Message::parts([Message::plain(with(command)), with(comment)]),
    }
}

/// A path as a shell has to be given it.
fn word(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_+./:,@%".contains(c);
    match path.chars().all(plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_path_is_one_word_of_the_shell() {
        assert_eq!(word("/home/me/env"), "/home/me/env");
        assert_eq!(word("/home/me/It's mine"), r"'/home/me/It'\''s mine'");
    }

    #[test]
    fn the_python_that_is_named_is_one_that_all_frameworks_have_builds_for() {
        let words = BOOK.finding.iter().find(|words| words.code == "AITK-H20").unwrap();
        let command = words.aitk.as_ref().unwrap();
        let python = prefix::minor(command.split_once("--python ").unwrap().1).unwrap();
        for PythonRange { framework, min, max, .. } in &BOOK.python {
            let [min, max] = [min, max].map(|version| prefix::minor(version).unwrap());
            assert!((min..=max).contains(&python), "{framework}: {command}");
        }
    }

    #[test]
    fn every_probe_has_words_and_all_words_have_a_probe() {
        let book: Book = toml::from_str(builtin("doctor.toml")).unwrap();
        let words: BTreeSet<_> = book.finding.iter().map(|words| words.code.as_str()).collect();
        let probes: BTreeSet<_> = PROBES.iter().map(|(code, _)| *code).collect();
        assert_eq!(words, probes);
        assert_eq!(book.finding.len(), PROBES.len(), "a code is there twice");
        for words in &book.finding {
            let code = &words.code;
            let [title, explains] = [&words.title, &words.explains].map(ToString::to_string);
            assert!(!title.is_empty() && title.len() <= 72, "{code}: {title}");
            assert!(explains.len() > 60, "{code}: {explains}");
            assert!(!words.remedy.is_empty(), "{code}");
            let open = |line: &str| {
                let filled = ["{kernel}", "{env}", "{driver}", "{variables}", "${"];
                filled.iter().fold(line.to_owned(), |line, word| line.replace(word, ""))
            };
            for line in words.remedy.iter().map(RemedyLine::text) {
                let mut after =
                    open(line).split('{').skip(1).map(str::to_owned).collect::<Vec<_>>();
                after.retain(|rest| rest.starts_with(|first: char| first.is_ascii_lowercase()));
                assert!(after.is_empty(), "{code} has a placeholder that nothing fills: {line}");
            }
        }
    }
}
