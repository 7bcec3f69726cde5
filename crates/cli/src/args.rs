//! What a person types.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use crate::folder::FolderFile;
use crate::given::{Given, Which};
use aitk_plan::Language;
use aitk_system::{Message, is_empty_variable, message};
use anstream::ColorChoice;
use clap::builder::{PossibleValuesParser, Resettable, TypedValueParser};
use clap::parser::ValueSource;
use clap::{
    ArgAction, ArgMatches, Args as ClapArgs, Command, CommandFactory, FromArgMatches, Parser,
    Subcommand, ValueEnum,
};

/// Turns a budget into a working AI environment: looks at the machine, says what fits, shows an exact plan, carries
/// it out, and proves that it works.
#[derive(Debug, Parser)]
#[command(
    name = "aitk",
    version,
    arg_required_else_help = true,
    subcommand_help_heading = "Commands"
)]
pub struct Args {
    #[command(flatten, next_help_heading = "For every command")]
    pub common: Common,
    #[command(subcommand)]
    pub verb: Verb,
}

impl Args {
    /// What was typed, and what the variables say.
    ///
    /// # Errors
    /// Help, and whatever cannot be meant.
    pub fn read() -> Result<Self, clap::Error> {
        let matches = command().try_get_matches()?;
        let mut args = Self::from_arg_matches(&matches)?;
        args.common.env_named = env_named(&matches);
        if let Verb::Apply(apply) = &mut args.verb
            && let Some(folder) = apply.output.take()
        {
            apply.choices.given.add("folder", &folder.to_string_lossy());
        }
        Ok(args)
    }
}

/// The environment that somebody has named, if it were the usual one.
fn env_named(matches: &ArgMatches) -> Option<String> {
    let (_, own) = matches.subcommand()?;
    let is_there = own.try_contains_id("env").is_ok_and(|there| there);
    let named = is_there && own.value_source("env") != Some(ValueSource::DefaultValue);
    named.then(|| own.try_get_one::<String>("env").ok().flatten().cloned()).flatten()
}

/// The command line as it is described here, with variables that are read as people mean them.
pub fn command() -> Command {
    with_variables(Args::command())
}

/// Whether the short help is asked for: variables stand in the long one.
fn wants_short_help() -> bool {
    std::env::args_os().take_while(|word| word != "--").any(|word| word == "-h")
}

/// Lets the variable of every switch say yes and no in all the ways in which people do. Empty is not set.
fn with_variables(command: Command) -> Command {
    let short = wants_short_help();
    let command = command.mut_args(|arg| {
        let arg = if short { arg.hide_env(true) } else { arg };
        let is_empty = arg.get_env().is_some_and(is_empty_variable);
        let arg = if is_empty { arg.env(Resettable::Reset) } else { arg };
        match arg.get_action() {
            ArgAction::SetTrue => arg.value_parser(switch),
            _ => arg,
        }
    });
    command.mut_subcommands(with_variables)
}

/// What the variable of a switch says.
fn switch(text: &str) -> Result<bool, Message> {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "y" | "on" | "t" => Ok(true),
        "0" | "false" | "no" | "n" | "off" | "f" => Ok(false),
        _ => Err(message!("yes or no is expected")),
    }
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the facts about this machine, and what they mean for AI work
    Detect(Detect),
    /// Say what is wrong with this machine or an environment on it, and what to do; changes nothing
    Doctor(Doctor),
    /// Find the budget that fits: a few questions, or flags, and why, what it costs and what comes next
    Advise(Advise),
    /// Show what would be done here, in order, with reasons, sizes and privileges; changes nothing
    Plan(PlanArgs),
    /// Do it: a saved plan, or plan and do; asks once
    Apply(Apply),
    /// Give this folder a file with choices and an environment of its own, for every command in it or below
    Init(Init),
    /// Confirm a folder's file that came from elsewhere, as it stands: until then nothing follows it
    Trust(Trust),
    /// Check everything that aitk keeps here, and run the proofs again
    Verify(Verify),
    /// Show what is here because of aitk
    Status(StatusArgs),
    /// Run a program in the environment
    Run(RunArgs),
    /// Open a shell in the environment
    Shell(Which),
    /// Start JupyterLab on this computer only, with a token
    Lab(Lab),
    /// Put packages into the environment: resolved with the rest, proven, then used; `apply` and `upgrade` keep them
    Add(Add),
    /// Take packages out again that `add` has put in
    Drop(Add),
    /// Resolve the environment and write its lock: pixi's form for conda, pylock.toml (PEP 751) for venv
    Lock(LockArgs),
    /// Look for newer packages, show what would change, and build the environment anew
    Upgrade(Upgrade),
    /// Go back to an earlier generation of the environment: shown first, proven, then switched; needs no network
    Rollback(Rollback),
    /// Take away what aitk has made here; packages of the system stay
    Remove(Remove),
    /// Take away what is not needed any more: old and half-built generations, and what none that stays needs of the cache
    Clean(Clean),
    /// Put everything that a plan needs into one file, for a machine without a network
    Bundle(BundleArgs),
    /// Write the plan in a form for somewhere else: a script, a Dockerfile, cloud-init, …
    Export(ExportArgs),
    /// List the budgets, or show one
    Profiles(Profiles),
    /// Print what a shell reads to complete commands, flags and their values while they are typed
    Completions {
        /// The shell
        #[arg(value_parser = ["bash", "zsh", "fish"])]
        shell: String,
    },
    /// Print a page of the manual, or write all of them
    Man(ManArgs),
}

#[derive(Debug, Clone, ClapArgs)]
pub struct Common {
    /// Print one JSON object to standard output
    #[arg(long, global = true, env = "AITK_JSON")]
    pub json: bool,
    /// Say more: once for every package and command, twice for what happens inside
    #[arg(short, long, global = true, action = ArgAction::Count, env = "AITK_VERBOSE")]
    pub verbose: u8,
    /// Say only what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose", env = "AITK_QUIET")]
    pub quiet: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", env = "AITK_COLOR")]
    pub color: Color,
    /// How to show progress, on standard error
    #[arg(long, global = true, value_name = "HOW", default_value = "auto", env = "AITK_PROGRESS")]
    pub progress: ProgressChoice,
    /// Ask no source; use what is in the cache
    #[arg(long, global = true, env = "AITK_OFFLINE")]
    pub offline: bool,
    /// Look at another machine: a recording (`aitk detect --capture`) or the JSON of `aitk detect`
    #[arg(long, global = true, value_name = "FILE|DIR", env = "AITK_MACHINE")]
    pub machine: Option<PathBuf>,
    /// Use this uv for virtual environments, instead of the pinned one that aitk fetches
    #[arg(long, global = true, value_name = "PATH", env = "AITK_UV")]
    pub uv: Option<PathBuf>,
    /// Language of what people read [default: the locale's]; JSON and logs are in English
    #[arg(long, global = true, value_name = "LANGUAGE", env = "AITK_LANG", value_parser = languages())]
    pub lang: Option<Language>,
    /// The environment that somebody has named.
    #[arg(skip)]
    pub env_named: Option<String>,
    /// The file of the current folder, or of one above, where it counts.
    #[arg(skip)]
    pub folder: Option<FolderFile>,
}

/// The languages that there are texts in, by their codes.
fn languages() -> impl TypedValueParser<Value = Language> {
    PossibleValuesParser::new(Language::all().map(Language::code))
        .map(|code| Language::named(&code).unwrap_or(Language::ENGLISH))
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    pub fn write_global(self) {
        match self {
            Self::Auto => ColorChoice::Auto,
            Self::Always => ColorChoice::Always,
            Self::Never => ColorChoice::Never,
        }
        .write_global();
    }
}

/// How to show progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressChoice {
    /// Bars on a terminal, else plain lines
    Auto,
    /// One line for each event
    Plain,
    /// One JSON object for each event
    Json,
    /// Nothing
    None,
}

#[derive(Debug, ClapArgs)]
pub struct Detect {
    /// Record everything that was read and run into a new folder, for `--machine` or a bug report
    #[arg(long, value_name = "DIR", conflicts_with = "machine")]
    pub capture: Option<PathBuf>,
    /// Read another file tree, such as a mounted image; no command is run
    #[arg(long, value_name = "DIR", conflicts_with_all = ["machine", "capture"], env = "AITK_ROOT")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "Ends with 2 where an error or a warning was found, with 0 where nothing was. With --fix, with 0 once all is mended."
)]
pub struct Doctor {
    /// An environment to look at, of venv or conda, whoever made it [default: aitk's own]
    #[arg(long, value_name = "PATH")]
    pub env: Option<PathBuf>,
    /// Mend the environment: what is there twice or in part, and a PyTorch that cannot use the GPU; shown, and asked, first
    #[arg(long, requires = "env")]
    pub fix: bool,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
    /// Show what would be mended, and change nothing
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
    /// In a project's folder: ask its platform whether it takes your credentials, by the platform's own client
    #[arg(long, env = "AITK_CHECK_CREDENTIALS")]
    pub check_credentials: bool,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "In a terminal it asks what no flag answers. `?` explains a question, `b` goes back."
)]
pub struct Advise {
    /// What it is for: to learn and prototype, to bring something into production soon, or scale and governance
    #[arg(long, value_name = "GOAL", value_parser = ["learn", "ship", "scale"], env = "AITK_GOAL")]
    pub goal: Option<String>,
    /// For `learn`: whether there is a machine of your own to work on
    #[arg(long, value_name = "ANSWER", value_parser = ["yes", "no"], env = "AITK_LOCAL")]
    pub local: Option<String>,
    /// For `ship`: whether there is a team for operations, or for data, as a medium-sized company has one
    #[arg(long, value_name = "TEAM", value_parser = ["none", "dedicated", "data"], env = "AITK_TEAM")]
    pub team: Option<String>,
    /// For `scale`: how large the data are, or that they and the computing stay in the house
    #[arg(long, value_name = "SIZE", value_parser = ["large", "small", "house"], env = "AITK_DATA")]
    pub data: Option<String>,
    /// What you can spend in a month, in US dollars
    #[arg(long, value_name = "AMOUNT", value_parser = amount, allow_negative_numbers = true, env = "AITK_SPEND")]
    pub spend: Option<f64>,
    /// Memory of a GPU that you need, in GB
    #[arg(long, value_name = "GB", value_parser = whole::<u32>(1..=1024), env = "AITK_VRAM")]
    pub vram: Option<u32>,
    /// Hours a month that you need it [default: 40, and 730 where something must always answer]
    #[arg(long, value_name = "HOURS", value_parser = whole::<u32>(1..=744), env = "AITK_HOURS")]
    pub hours: Option<u32>,
    /// Say on what here a language model of this size runs, instead of advice: `8b`, `0.6b`
    #[arg(long, value_name = "SIZE", value_parser = billions, env = "AITK_MODEL",
        conflicts_with_all = ["goal", "local", "team", "data", "spend", "vram", "hours", "compare"])]
    pub model: Option<f64>,
    /// Compare what there is for a need, instead of advice: everything, or what belongs to the answers
    #[arg(long, env = "AITK_COMPARE")]
    pub compare: bool,
}

/// What the user chooses; the same for every command that plans.
#[derive(Debug, Clone, ClapArgs)]
pub struct ChoiceArgs {
    #[command(flatten)]
    pub given: Given,
    /// Packages of the user's own that are taken out: `aitk drop` names them.
    #[arg(skip)]
    pub drop: Vec<String>,
    /// Let a profile of your own change more of the system than packages: files, groups, sources, swap, drivers
    #[arg(long, env = "AITK_ALLOW_SYSTEM_CHANGES", help_heading = "Choices")]
    pub allow_system_changes: bool,
}

#[derive(Debug, ClapArgs)]
pub struct PlanArgs {
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Decide without asking any source: no versions, and sizes are estimates
    #[arg(long, env = "AITK_NO_RESOLVE")]
    pub no_resolve: bool,
    /// Save the plan, for `aitk apply FILE`
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// End with 2 where something is to be done, with 0 where nothing is
    #[arg(long, env = "AITK_DETAILED_EXITCODE")]
    pub detailed_exitcode: bool,
    /// For hosted notebooks: send the folder with the platform's own client and your own credentials, which starts it
    #[arg(long)]
    pub push: bool,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "It writes aitk.toml and aitk.lock. Where aitk.toml is there already and nothing is chosen, it makes the lock anew."
)]
pub struct Init {
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Write no lock, and ask no source
    #[arg(long, env = "AITK_NO_RESOLVE")]
    pub no_resolve: bool,
    /// Write over an aitk.toml that is there
    #[arg(long)]
    pub force: bool,
    /// Show what would be written, and write nothing
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Trust {
    /// The folder [default: the current one, or the nearest one above that has a file]
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Take it back
    #[arg(long)]
    pub revoke: bool,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
}

#[derive(Debug, ClapArgs)]
pub struct LockArgs {
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct Accept {
    /// Use the sources that a saved plan, a bundle or a lock names, for this run
    #[arg(long, env = "AITK_ACCEPT_SOURCES")]
    pub accept_sources: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Apply {
    /// A plan saved by `aitk plan -o`, or a bundle made by `aitk bundle`
    pub plan: Option<PathBuf>,
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
    /// Go on where something turns out much larger than the plan said, more than half as much again and 200 MB more
    #[arg(long, env = "AITK_ALLOW_LARGER")]
    pub allow_larger: bool,
    #[command(flatten)]
    pub accept: Accept,
    /// Say what would be changed, and change nothing
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
    /// Compare the content of every installed file, and mend what differs
    #[arg(long, env = "AITK_DEEP")]
    pub deep: bool,
    /// How long to wait for the locks of apt and dpkg, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = LOCK_WAIT, env = "AITK_LOCK_WAIT")]
    pub lock_wait: u64,
    /// The same as --folder
    #[arg(short, long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// For projects and notebooks: write also where there is something else already
    #[arg(long)]
    pub force: bool,
    /// For hosted notebooks: send the folder with the platform's own client and your own credentials, which starts it
    #[arg(long)]
    pub push: bool,
}

/// How long the locks of apt and dpkg are waited for, in seconds.
const LOCK_WAIT: u64 = 600;

impl Apply {
    /// What another command applies: these choices, and everything else as it is usual.
    pub fn of(choices: ChoiceArgs, yes: bool, dry_run: bool) -> Self {
        Self {
            plan: None,
            choices,
            yes,
            allow_larger: false,
            accept: Accept { accept_sources: false },
            dry_run,
            deep: false,
            lock_wait: LOCK_WAIT,
            output: None,
            force: false,
            push: false,
        }
    }
}

#[derive(Debug, ClapArgs)]
pub struct Add {
    /// A package, or one with its versions: `polars`, `"polars>=1.9,<2"`
    #[arg(required = true, value_name = "PACKAGE", value_parser = package)]
    pub packages: Vec<String>,
    #[command(flatten)]
    pub which: Which,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Upgrade {
    #[command(flatten)]
    pub which: Which,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct StatusArgs {
    #[command(flatten)]
    pub which: Which,
    /// Show every generation: since when and why, what differs, what it takes, whether it is whole, what runs from it
    #[arg(long, env = "AITK_HISTORY")]
    pub history: bool,
}

#[derive(Debug, ClapArgs)]
#[command(after_help = "`aitk status --history` lists the generations.")]
pub struct Rollback {
    /// The generation, by the beginning of its name [default: the one that was in use before]
    pub generation: Option<String>,
    #[command(flatten)]
    pub which: Which,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
    /// Show what would change, and change nothing
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
#[command(
    after_help = "The generation in use, the one before it and those that programs run from always stay."
)]
pub struct Clean {
    /// So many generations of an environment stay, those that were used last
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = whole::<u16>(1..=u16::MAX.into()), env = "AITK_KEEP")]
    pub keep: u16,
    /// Take the whole cache away: what is needed again is downloaded again
    #[arg(long, env = "AITK_CLEAN_CACHE")]
    pub cache: bool,
    /// Take only what is older than so many days [default: 30 for runs and for what sources have answered, else 0]
    #[arg(long, value_name = "DAYS", value_parser = whole::<u32>(0..=36_500), env = "AITK_OLDER")]
    pub older: Option<u32>,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
    /// Show what would be taken away, and take nothing away
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Remove {
    /// Take the cache and what aitk has noted away as well
    #[arg(long, env = "AITK_ALL")]
    pub all: bool,
    /// Do not ask
    #[arg(short, long, env = "AITK_YES")]
    pub yes: bool,
    /// Show what would be removed, and remove nothing
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct BundleArgs {
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Where to write it
    #[arg(short, long, value_name = "FILE", default_value = "aitk-bundle.tar")]
    pub output: PathBuf,
    #[command(flatten)]
    pub accept: Accept,
    /// Show what the file would hold, and neither download nor write anything
    #[arg(long, env = "AITK_DRY_RUN")]
    pub dry_run: bool,
}

#[derive(Debug, ClapArgs)]
pub struct ExportArgs {
    /// The form
    #[arg(required_unless_present = "list")]
    pub target: Option<String>,
    #[command(flatten)]
    pub choices: ChoiceArgs,
    /// Where to write it [default: standard output for one file, `aitk-TARGET` for a folder]
    #[arg(short, long, value_name = "FILE|DIR", env = "AITK_OUTPUT")]
    pub output: Option<PathBuf>,
    /// Write also where there is something already
    #[arg(long, env = "AITK_FORCE")]
    pub force: bool,
    #[command(flatten)]
    pub accept: Accept,
    /// The public half of your SSH key, which a server is reached with (`cloud-init`)
    #[arg(long, value_name = "FILE", env = "AITK_SSH_KEY")]
    pub ssh_key: Option<PathBuf>,
    /// List the forms, and when to use which
    #[arg(long)]
    pub list: bool,
}

#[derive(Debug, ClapArgs)]
pub struct Verify {
    #[command(flatten)]
    pub which: Which,
    /// Compare the content of every installed file with its record
    #[arg(long)]
    pub deep: bool,
    /// Ask what is known of vulnerabilities in the packages of Python's that are installed (OSV, by `uv audit`)
    #[arg(long)]
    pub audit: bool,
    /// A service of advisories in OSV's form to ask instead
    #[arg(long, value_name = "URL", env = "AITK_ADVISORIES")]
    pub advisories: Option<String>,
    /// Write what this machine is, what was proven on it and how fast it computes into a new file that can be sent in
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub struct RunArgs {
    #[command(flatten)]
    pub which: Which,
    /// The program and its arguments
    #[arg(
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "COMMAND"
    )]
    pub command: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct Lab {
    #[command(flatten)]
    pub which: Which,
    /// The first port to try
    #[arg(long, default_value_t = 8888, env = "AITK_LAB_PORT")]
    pub port: u16,
    /// The folder that it begins in [default: your home folder]
    #[arg(long, value_name = "DIR", env = "AITK_LAB_DIR")]
    pub dir: Option<PathBuf>,
    /// Open no browser
    #[arg(long, env = "AITK_NO_BROWSER")]
    pub no_browser: bool,
    /// More arguments for JupyterLab
    #[arg(last = true, value_name = "ARGUMENT")]
    pub more: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub struct Profiles {
    /// The budget to show
    pub name: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub struct ManArgs {
    /// The command that the page is about [default: aitk itself]
    #[arg(value_name = "COMMAND", value_parser = command_name)]
    pub command: Option<String>,
    /// Write all pages into this folder, each as COMMAND.1
    #[arg(short, long, value_name = "DIR", conflicts_with = "command")]
    pub output: Option<PathBuf>,
}

fn command_name(text: &str) -> Result<String, Message> {
    let command = Args::command();
    let names = || command.get_subcommands().map(Command::get_name);
    let near = || aitk_plan::nearest(text, names());
    match names().any(|name| name == text) {
        true => Ok(text.to_owned()),
        false => Err(near().map_or_else(
            || message!("there is no such command"),
            |near| message!("there is no such command; did you mean `{near}`?"),
        )),
    }
}

fn package(text: &str) -> Result<String, Message> {
    aitk_plan::check_own(text).map(|()| text.to_owned())
}

/// A whole number within a range.
fn whole<T: TryFrom<u32>>(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<T, Message> + Clone {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (least, most) = (range.start(), range.end());
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| message!("a whole number from {least} to {most} is expected"))
    }
}

/// The parameters of a language model in billions, as people name them.
fn billions(text: &str) -> Result<f64, Message> {
    let lower = text.trim().to_lowercase();
    let (number, unit) = match lower.strip_suffix('m') {
        Some(number) => (number, 1e-3),
        None => (lower.strip_suffix('b').unwrap_or(&lower), 1.0),
    };
    let number = number.parse::<f64>().ok().map(|number| number * unit);
    let number = number.filter(|number| (0.001..=10_000.0).contains(number));
    number.ok_or_else(|| message!("a size such as 8b or 0.6b is expected"))
}

fn amount(text: &str) -> Result<f64, Message> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| message!("an amount such as 20 is expected"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn the_flags_of_advise_are_the_questions_of_the_tree() {
        let command = Args::command();
        let advise = command.find_subcommand("advise").unwrap();
        for question in aitk_plan::Tree::builtin().unwrap().questions {
            let flag = advise.get_arguments().find(|flag| flag.get_id() == question.id.as_str());
            let values = flag.unwrap().get_possible_values();
            let values: Vec<_> = values.iter().map(|value| value.get_name()).collect();
            assert_eq!(values, question.choices(), "{}", question.id);
        }
    }
}
