//! What can go wrong at the edge.

use std::io;
use std::path::{Path, PathBuf};

use aitk_env::EnvError;
use aitk_exec::{ExecError, env_flag};
use aitk_export::ExportError;
use aitk_plan::{AdviceError, LockError, ProfileError};
use aitk_system::{Explain, Failure, Fault, Message, message, quote};

mod hosted;
#[cfg(test)]
mod tests;

pub use hosted::HostedError;

/// Why a command could not be carried out.
#[derive(Debug, Explain)]
pub enum CliError {
    #[explain(transparent)]
    Profile(#[from] ProfileError),
    #[explain(transparent)]
    Advice(#[from] AdviceError),
    #[explain(transparent)]
    Env(#[from] EnvError),
    /// A lock cannot be used.
    #[explain(transparent)]
    Lock(#[from] LockError),
    #[explain(transparent)]
    Exec(#[from] ExecError),
    #[explain(transparent)]
    Export(#[from] ExportError),
    #[explain(transparent)]
    Hosted(#[from] HostedError),
    #[explain(transparent)]
    System(#[from] Failure),
    /// No budget is chosen, and nothing was applied before.
    #[explain(
        code = "AITK-C01",
        exit = Usage,
        say("no budget is chosen"),
        hint("add --budget low; `aitk profiles` lists what can be chosen")
    )]
    NoBudget,
    /// A saved plan is none, was not saved by `aitk plan -o`, or is of another form.
    #[explain(code = "AITK-C02", exit = Config, say("{path}: {reason}"), hint("make a new one here with `aitk plan -o FILE`"))]
    BadPlan { path: PathBuf, reason: Message },
    /// A saved plan was made for another machine.
    #[explain(
        code = "AITK-C03",
        exit = Config,
        say("{path} was made for another machine"),
        hint("make a new one here with `aitk plan -o FILE`")
    )]
    OtherMachine { path: PathBuf },
    /// A recording or description of a machine cannot be read.
    #[explain(code = "AITK-C04", exit = Config, say("{path}: {reason}"), hint("record one with `aitk detect --capture DIR`"))]
    BadMachine { path: PathBuf, reason: Message },
    /// Steps of the plan cannot be done here; each is said with its remedy.
    #[explain(code = "AITK-C05", say("{steps} of the plan cannot be done here:\n{list}", steps = steps(*count)))]
    Blocked { count: usize, list: Message },
    /// The same where root is what is missing.
    #[explain(
        code = "AITK-C05",
        exit = NotPermitted,
        say("{steps} of the plan cannot be done here:\n{list}", steps = steps(*count))
    )]
    BlockedForRoot { count: usize, list: Message },
    /// Root is needed, and sudo can ask for no password.
    #[explain(
        code = "AITK-C06",
        exit = NotPermitted,
        say("root is needed, and sudo can ask for no password here"),
        hint_if(Some({
            let commands = commands.join("\n");
            match avoidable {
                true => message!("run these by hand, then try again; or add --user-only:\n{commands}"),
                false => message!("run these by hand, then try again:\n{commands}"),
            }
        }))
    )]
    NeedsRoot { commands: Vec<String>, avoidable: bool },
    /// What was typed cannot be read; said so to programs, which asked for JSON.
    #[explain(
        code = "AITK-C48",
        exit = Usage,
        say("{what}"),
        hint_if((!hints.is_empty()).then(|| Message::list(hints.clone())))
    )]
    Usage { what: Message, hints: Vec<Message> },
    /// A folder's file has a line that is no choice.
    #[explain(
        code = "AITK-C49",
        exit = Config,
        say("{path}: {reason}"),
        hint("{help}", help = match path.ends_with("aitk.lock") {
            true => message!("take it away; `aitk init` makes it anew"),
            false => message!("a line is a choice as `aitk plan --help` lists them: budget = \"low\""),
        })
    )]
    BadFolderFile { path: PathBuf, reason: Message },
    /// A folder's file was not confirmed as it stands, and nobody can be asked.
    #[explain(
        code = "AITK-C50",
        exit = NotPermitted,
        say("{what}: {asks}", what = match changed {
            true => message!("{path} has changed since it was confirmed, and asks for"),
            false => message!("{path} was not confirmed, and asks for"),
        }),
        hint(
            "look at it, then `aitk trust {folder}`; with --env it does not count",
            folder = quote(&path.parent().unwrap_or(path).to_string_lossy())
        )
    )]
    FolderNotConfirmed { path: PathBuf, asks: Message, changed: bool },
    /// A file of choices in the home folder, or above it, would count for everything that somebody has.
    #[explain(
        code = "AITK-C56",
        exit = Usage,
        say("aitk.toml in {folder} would count for every folder below it, your whole home among them"),
        hint("make a folder for the work, and run `aitk init` there; an environment for everything is `aitk apply`")
    )]
    TooHigh { folder: PathBuf },
    /// There is no file of a folder here.
    #[explain(
        code = "AITK-C51",
        exit = Usage,
        say("there is no aitk.toml in {folder}, nor above it"),
        hint("`aitk init` writes one")
    )]
    NoFolderFile { folder: PathBuf },
    /// A package is to be taken out that nobody has added.
    #[explain(
        code = "AITK-C46",
        exit = Usage,
        say("{name} is not among the packages that you have added"),
        hint_if(Some(match added.as_str() {
            "" => message!("none is: what a budget brings stays, and `aitk run -- pip uninstall {name}` takes out what pip brought"),
            added => message!("these are: {added}"),
        }))
    )]
    NotAdded { name: String, added: String },
    /// A package with extras is asked of conda.
    #[explain(
        code = "AITK-C47",
        exit = Usage,
        say("conda knows no extras, as in {package}"),
        hint("name the packages that the extra stands for, or use an environment of `--manager venv`")
    )]
    Extras { package: String },
    /// sudo was asked and said no.
    #[explain(
        code = "AITK-C45",
        exit = NotPermitted,
        say("sudo refused"),
        hint_if(Some(match avoidable {
            true => message!("look what it said above; if this user may not use it, ask an administrator, or add --user-only"),
            false => message!("look what it said above; if this user may not use it, ask an administrator"),
        }))
    )]
    SudoRefused { avoidable: bool },
    /// Nobody can be asked whether to go ahead.
    #[explain(
        code = "AITK-C07",
        exit = Usage,
        say("nobody can be asked whether to go ahead: this is no terminal"),
        hint("the same command with --dry-run shows what it would do; then add --yes")
    )]
    NotConfirmed,
    /// The person said no.
    #[explain(code = "AITK-C08", say("nothing was changed"))]
    Declined,
    /// There is no environment of this name.
    #[explain(
        code = "AITK-C09",
        say("there is no environment `{name}` here"),
        hint("make it with `{make}`")
    )]
    NoEnvironment { name: String, make: String },
    /// Some of what was to go could not be taken away; the rest is gone.
    #[explain(
        code = "AITK-C25",
        say("{count} could not be taken away:\n{list}", count = if *count == 1 { message!("1 thing") } else { message!("{count} things") }),
        hint("see to each of them, then run the same command again: it goes on")
    )]
    Remains { count: usize, list: Message },
    /// Something else, which is said.
    #[explain(code = "AITK-C11", say("{0}"))]
    Other(Message),
    /// Flags beside a saved plan or a bundle ask for something else than it has.
    #[explain(
        code = "AITK-C12",
        exit = Usage,
        say("{path} is decided already, and this asks for something else: {flags}"),
        hint("leave these out, or make a new plan with them (`aitk plan … -o FILE`)")
    )]
    Fixed { path: PathBuf, flags: Vec<String> },
    /// A folder is no environment of venv or conda.
    #[explain(
        code = "AITK-C13",
        exit = Usage,
        say("{path} is no environment of venv or conda"),
        hint("name the folder that holds `pyvenv.cfg` (venv) or `conda-meta` (conda)")
    )]
    NotAnEnvironment { path: PathBuf },
    /// Something stands where files are to be written; nothing was written.
    #[explain(
        code = "AITK-C14",
        exit = Usage,
        say("{path} is there already"),
        hint("name another place, or add --force to write over it")
    )]
    There { path: PathBuf },
    /// Standard output cannot be written (a full disk, say); a reader that goes away is no error.
    #[explain(
        code = "AITK-C15",
        say("standard output cannot be written: {reason}"),
        hint("make room there, or send it to another file")
    )]
    Lost { reason: String },
    /// Something that cannot be has happened.
    #[explain(
        code = "AITK-C16",
        say("a fault in aitk itself: {what}"),
        hint(
            "please report it with what you typed; the same command takes up again what was half done"
        )
    )]
    Fault { what: String },
    /// The system gives no more processes or threads: end other programs, or raise `ulimit -u`.
    #[explain(
        code = "AITK-C17",
        exit = TryAgain,
        say("no more processes or threads can be started"),
        hint_if(Some(Fault::Processes.hint(Path::new(""))))
    )]
    NoThread,
    /// Nothing can be started in an environment: it was moved, or its Python is gone or another one.
    #[explain(
        code = "AITK-C19",
        say("nothing can be started in `{name}`: {fault}"),
        hint(
            "`aitk apply{flag}` builds what is missing again, or says what that takes",
            flag = env_flag(name)
        )
    )]
    Broken { name: String, fault: aitk_env::EnvironmentFault },
    /// A folder of your own cannot be written: it often belongs to root since somebody used `sudo`.
    #[explain(
        code = "AITK-C20",
        say("{path} cannot be written: {source}"),
        hint(
            "give it back to yourself, then try again: sudo chown -R \"$USER\" {path}",
            path = quote(&path.to_string_lossy())
        )
    )]
    NotYours { path: PathBuf, source: io::Error },
    /// JupyterLab has ended before it answered, or while it ran; its last words are said.
    #[explain(
        code = "AITK-C21",
        say("JupyterLab has ended, or does not answer:\n{last}"),
        hint("everything it printed is in {log}")
    )]
    NoLab { last: String, log: PathBuf },
    /// One of aitk's own folders, or something in one that others can write to, belongs to another user.
    #[explain(
        code = "AITK-C22",
        exit = NotPermitted,
        say("{path} belongs to another user"),
        hint(
            "`ls -ld {path}` shows whose it is; `sudo chown -R \"$USER\": {path}` gives it back, or move it away",
            path = quote(&path.to_string_lossy())
        )
    )]
    FolderOfAnother { path: PathBuf },
    /// A folder inside of one of aitk's own is a link: what is written and taken away there would be somewhere else.
    #[explain(
        code = "AITK-C24",
        exit = NotPermitted,
        say("{path} is a link, and aitk follows none inside of its own folders"),
        hint("put what it leads to back in its place; to have it on another disk, move all of {folder} there and make \
              that the link")
    )]
    LinkInside { path: PathBuf, folder: PathBuf },
    /// Root would write into the home folder of another user, as `sudo -E` makes it.
    #[explain(
        code = "AITK-C23",
        exit = NotPermitted,
        say("root would write into {home}, the home folder of another user"),
        hint("run it without sudo; for an environment of root's own, `sudo -H aitk …`")
    )]
    HomeOfAnother { home: PathBuf },
    /// Nobody says where the home folder is, as for a user of a container whose number is in no `/etc/passwd`.
    #[explain(
        code = "AITK-C55",
        exit = NotPermitted,
        say("nobody says where your home folder is: HOME names none that you may write to, and neither does /etc/passwd"),
        hint("export HOME=… with a folder of yours; or AITK_DATA_DIR, AITK_CACHE_DIR, AITK_STATE_DIR and JUPYTER_DATA_DIR with one each")
    )]
    NoHome,
    /// A saved plan shows something else than what its choices and its lock mean here: the first differences are named,
    /// and nothing was done.
    #[explain(
        code = "AITK-C30",
        exit = Config,
        say("{path} does not show what its choices and its lock mean here: {differences}"),
        hint("it was changed by hand, or this machine was changed since: look at `aitk plan`, and save a new one")
    )]
    OtherPlan { path: PathBuf, differences: Vec<Message> },
    /// A saved plan or a bundle names a source (index, channel) that you do not name yourself; nothing was done.
    #[explain(
        code = "AITK-C31",
        exit = Usage,
        say("{path} names sources that you do not name: {sources}"),
        hint(
            "add them yourself ({sources}), which keeps them, or add --accept-sources, which uses them for this run",
            sources = sources.join(" ")
        )
    )]
    ForeignSources { path: PathBuf, sources: Vec<String> },
    /// A lock has packages fetched from a host or channel to which none of your sources leads; nothing was done.
    #[explain(
        code = "AITK-C31",
        exit = Usage,
        say("the lock has packages fetched from where none of your sources leads: {origins}"),
        hint(
            "look whose that is; --accept-sources takes the packages from there, each with the hash that the lock names"
        )
    )]
    ForeignOrigins { origins: Vec<String> },
    /// A saved plan or a bundle names a conda that you do not name yourself; nothing was done.
    #[explain(
        code = "AITK-C31",
        exit = Usage,
        say("{path} names a conda that you do not name: {base}"),
        hint("if it is yours, add --conda-base {base}")
    )]
    ForeignBase { path: PathBuf, base: String },
    /// The value of a flag is no address, channel or folder.
    #[explain(code = "AITK-C32", exit = Usage, say("{flag}: {unfit}"))]
    Unfit { flag: String, unfit: aitk_plan::names::Unfit },
    /// Rows of your own in `catalog.toml` do not fit the catalog.
    #[explain(
        code = "AITK-P02",
        exit = Config,
        say("{path}: {reason}"),
        hint("the tables in profiles/catalog show what a row has")
    )]
    Catalog { path: PathBuf, reason: Message },
}

/// `1 step`, `2 steps`.
pub fn steps(count: usize) -> Message {
    if count == 1 { message!("1 step") } else { message!("{count} steps") }
}

/// The command that makes an environment, where something was wished for it before, or nothing was.
pub fn making(env: &str, known: bool) -> String {
    let budget = if known { "" } else { " --budget low" };
    format!("aitk apply{budget}{}", env_flag(env))
}

impl CliError {
    pub fn no_environment(env: &str, known: bool) -> Self {
        Self::NoEnvironment { name: env.to_owned(), make: making(env, known) }
    }

    /// What could not be taken away; nothing where that is nothing.
    pub fn remains(failed: &[Self]) -> Result<(), Self> {
        let told =
            failed.iter().map(|error| Message::parts([Message::plain("  "), error.message()]));
        match failed.len() {
            0 => Ok(()),
            count => Err(Self::Remains { count, list: Message::lines(told) }),
        }
    }

    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let failure = Failure::io(path);
        move |source| failure(source).into()
    }

    /// The same about what has no path of its own.
    pub fn io_of(what: Message) -> impl FnOnce(io::Error) -> Self {
        let failure = Failure::io_of(what);
        move |source| failure(source).into()
    }
}
