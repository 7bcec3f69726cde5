//! What can go wrong while a plan is carried out.

use std::io;
use std::path::PathBuf;

use aitk_env::EnvError;
use aitk_export::ExportError;
use aitk_system::{Explain, Failure, Fault, Message, RunError, message};

use crate::apt_sources::Sources;
use crate::kaggle::PushError;
use crate::mending::MendError;

/// Why a step could not be done.
#[derive(Debug, Explain)]
#[allow(missing_docs, reason = "a field is what stands in the hole of its name in `say`")]
pub enum ExecError {
    /// Something about the environment.
    #[explain(transparent)]
    Env(#[from] EnvError),
    /// What a target says of a project.
    #[explain(transparent)]
    Export(#[from] ExportError),
    /// Why a project is not sent to its platform.
    #[explain(transparent)]
    Push(#[from] PushError),
    /// Why somebody else's environment is not mended.
    #[explain(transparent)]
    Mend(#[from] MendError),
    /// Another process holds a lock of apt or dpkg, longer than `--lock-wait`.
    #[explain(
        code = "AITK-A01",
        exit = TryAgain,
        say("{holder} holds the lock {lock}"),
        hint("wait until it is done (on a fresh machine the first upgrades take minutes), then run the same command again")
    )]
    AptLocked {
        /// Which process, with its number.
        holder: Message,
        lock: String,
    },
    /// A package source of apt does not answer.
    #[explain(
        code = "AITK-A02",
        exit = Unavailable,
        say("a package source of apt does not answer: {reason}"),
        hint_if(Some(match &sources.way {
            Some(way) => message!("check the network and the proxy in /etc/apt/apt.conf.d; where the source is gone, {way}"),
            None => message!("check the network, the proxy in /etc/apt/apt.conf.d and the sources in /etc/apt"),
        }))
    )]
    AptUnreachable { reason: Message, sources: Sources },
    /// The proxy that apt is told of does not answer.
    #[explain(
        code = "AITK-A10",
        exit = Unavailable,
        say("apt does not get through the proxy {proxy}, which {named} names"),
        hint("set {named} to a proxy that answers, or take it out where none is needed, then try again")
    )]
    AptProxy {
        proxy: String,
        /// What names it: a variable or a file.
        named: String,
    },
    /// A disk that apt or dpkg writes to is full: that of `/var`, `/usr` or `/boot`.
    #[explain(
        code = "AITK-A12",
        say("apt has no space left: {reason}"),
        hint(
            "`df -h` shows which disk is full, and `sudo apt-get clean` frees what apt has fetched; then the same command \
             again: it continues"
        )
    )]
    AptNoSpace {
        /// What apt or dpkg says.
        reason: Message,
    },
    /// Packages are half-installed, or their dependencies are not met.
    #[explain(
        code = "AITK-A03",
        say("the installed packages are in a broken state: {reason}"),
        hint("sudo dpkg --configure -a && sudo apt-get --fix-broken install, then try again")
    )]
    AptBroken {
        /// What apt or dpkg says.
        reason: Message,
    },
    /// apt does not have what the plan names, or not in this version any more, or would now install or remove more.
    #[explain(
        code = "AITK-A04",
        say("apt does not have what the plan names: {reason}"),
        hint("make a new plan: the package lists have changed since")
    )]
    AptMissing { reason: Message },
    /// apt does not trust a source: what it sends is not signed by the key that apt knows for it. Where aitk has just added
    /// the source, its files were taken away again.
    #[explain(
        code = "AITK-A05",
        say("apt does not trust a package source: {reason}"),
        hint(
            "try again later; if it stays so, the source has a new key or something on the way changes what it delivers"
        )
    )]
    AptUntrusted { reason: Message, sources: Sources },
    /// apt cannot read what its sources are, so it does nothing at all.
    #[explain(
        code = "AITK-A07",
        exit = Config,
        say("apt cannot read its sources: {reason}"),
        hint_if(Some(match way {
            Some(way) => message!("mend the file that it names; {way}; or add --user-only, where Python is there"),
            None => message!("mend the file that it names; or add --user-only, where Python is there"),
        }))
    )]
    AptSources {
        reason: Message,
        /// What leaves one of them out.
        way: Option<Message>,
    },
    /// Somebody has told apt not to touch packages that the plan needs in another version.
    #[explain(
        code = "AITK-A08",
        say("packages that are held stand in the way: {reason}"),
        hint("`sudo apt-mark unhold {held}` lets apt upgrade what is held here; or add --user-only, where Python is there", held = held.join(" "))
    )]
    AptHeld {
        reason: Message,
        /// The packages that are held.
        held: Vec<String>,
    },
    /// The script that a package brings to be set up or removed failed: that is for who makes the package.
    #[explain(
        code = "AITK-A09",
        say("the package {package} cannot be set up, its own script fails:\n{reason}"),
        hint_if(Some(match log {
            Some(log) => message!("ask who makes it, or take it away: `sudo apt-get remove {package}`; everything that was printed is in {}", log.display()),
            None => message!("ask who makes it, or take it away: `sudo apt-get remove {package}`"),
        }))
    )]
    AptScript {
        package: String,
        /// What the script said last.
        reason: String,
        /// Where everything that was printed is.
        log: Option<PathBuf>,
    },
    /// A driver whose module is built on this machine cannot be built for the kernel that runs. Nothing of it was installed:
    /// dpkg would be left with packages that cannot be set up.
    #[explain(
        code = "AITK-A11",
        say(
            "{package} {version} cannot be built for the kernel {kernel}: from kernel {since} on driver {first} is the first of its branch that can"
        ),
        hint(
            "`sudo apt-get update` shows what apt has meanwhile; a kernel before {since} takes this driver, and on Ubuntu the archive's own kernels have modules that are built already; or leave out --drivers"
        )
    )]
    DriverOutgrown {
        /// The package that brings the module's source.
        package: String,
        version: String,
        /// The kernel that runs.
        kernel: String,
        /// The first kernel that has outgrown it.
        since: String,
        /// The first driver that can be built again.
        first: String,
    },
    /// The key of a vendor's package source is another one than the catalog names; nothing was changed.
    #[explain(
        code = "AITK-A06",
        say("the key at {address} is {found}, and not {expected}; nothing was changed"),
        hint(
            "make sure that the source itself announces this key; then a newer aitk, or a row of your own in catalog.toml, \
              names it"
        )
    )]
    WrongKey {
        /// Where it was taken from.
        address: String,
        /// The fingerprint in the catalog.
        expected: String,
        /// What came, in words.
        found: Message,
    },
    /// A command failed for another reason, which it says. Its log is named, or what helps where a disk is full.
    #[explain(
        code = "AITK-X03",
        say("`{command}` failed:\n{output}"),
        hint_if(match Fault::in_words(output) {
            Some(fault) => fault.pathless_hint(),
            None => Some(message!("everything it printed is in {log}", log = log.as_ref()?)),
        })
    )]
    Failed {
        command: String,
        /// What it printed last.
        output: String,
        /// Where everything that it printed is.
        log: Option<PathBuf>,
    },
    /// A proof did not succeed.
    #[explain(
        code = "AITK-X04",
        say("the check failed: {reason}"),
        hint_if(match fault {
            Some(fault) => fault.pathless_hint(),
            None => Some(message!("everything it printed is in {log}", log = log.as_ref()?)),
        })
    )]
    CheckFailed {
        reason: Message,
        /// What the operating system lacked, if it printed that: what fails last often says nothing of it.
        fault: Option<Fault>,
        /// Where everything that it printed is.
        log: Option<PathBuf>,
    },
    /// A step was carried out, and what it should ensure still does not hold. Please report it.
    #[explain(code = "AITK-X05", say("it was carried out, and still does not hold: {reason}"))]
    StillMissing { reason: Message },
    /// There is no generation of an environment that was in use before the one that is.
    #[explain(
        code = "AITK-X17",
        exit = Usage,
        say("there is nothing to go back to: no generation of `{env}` was in use before this one, or it is gone"),
        hint("`aitk status --history` shows which ones there are; name one of them")
    )]
    NothingBefore { env: String },
    /// No generation has a name that begins so, or several have.
    #[explain(
        code = "AITK-X18",
        exit = Usage,
        say("not one generation is meant by {name:?}"),
        hint("there are: {there}")
    )]
    NoGeneration {
        name: String,
        /// Those that there are.
        there: Message,
    },
    /// What would be gone back to is not whole; what is in use stays in use.
    #[explain(code = "AITK-X19", say("{path} is not whole: {reason}"), hint("{remedy}"))]
    NotWhole {
        path: PathBuf,
        /// What is wrong with it.
        reason: Message,
        remedy: Message,
    },
    /// sudo asks for a password, and there is nobody to ask.
    #[explain(
        code = "AITK-X06",
        exit = NotPermitted,
        say("sudo asks for a password and there is nobody to ask"),
        hint("run it in a terminal, or add --user-only")
    )]
    NeedsPassword,
    /// There is too little space for the next step.
    #[explain(
        code = "AITK-X07",
        say("{path} has {free} left and {needed} are needed"),
        hint("free some space, then run the same command again: it continues")
    )]
    NoSpace { path: PathBuf, free: Message, needed: Message },
    /// A lock is for the one manager, and the plan uses the other.
    #[explain(
        code = "AITK-X10",
        exit = Usage,
        say("the lock is for the manager {lock}, and the plan uses {plan}"),
        hint("add --manager {lock}")
    )]
    OtherManager { lock: aitk_plan::Manager, plan: aitk_plan::Manager },
    /// A file stands where aitk would put one, and aitk has not made it.
    #[explain(
        code = "AITK-X13",
        say("{path} is there already, and aitk has not made it"),
        hint("look at it; move it away if it is not needed, then run the same command again")
    )]
    Foreign { path: PathBuf },
    /// Root would write where others than root can put something else: a folder in the way does not belong to root or
    /// others may write there, or a link or a folder stands in the file's place.
    #[explain(
        code = "AITK-X15",
        say("root writes nothing below {path}: {reason}"),
        hint(
            "let it be root's alone (`ls -ld` shows whose it is), then run the same command again"
        )
    )]
    UnsafePlace {
        /// The folder or file.
        path: PathBuf,
        reason: Message,
    },
    /// A step that was an estimate when the plan was agreed to is known now, and would remove packages of the system that
    /// the plan did not show; nobody could be asked, or said no. What was done so far stays.
    #[explain(
        code = "AITK-X16",
        exit = Pending,
        say("{step}: this is more than was agreed to: {what}"),
        hint("run the same command again: what is known now stands in its plan before you agree to it")
    )]
    NotAgreed { step: Message, what: Message },
    /// The same where it makes the whole plan cost much more: more than half as much again, and more than 200 MB more, to
    /// download or on disk.
    #[explain(
        code = "AITK-X16",
        exit = Pending,
        say("{step}: this is more than was agreed to: {what}"),
        hint("add --allow-larger, or run it in a terminal without --yes, where you are asked; what was done so far stays, \
              and it continues from there")
    )]
    MuchLarger { step: Message, what: Message },
    /// Everything that could be done is done; a file of your own stays as it is: it can only be read, or aitk cannot tell
    /// what in it is whose.
    #[explain(code = "AITK-X20", exit = Resume, say("{path} stays as it is: {reason}"), hint("{remedy}"))]
    Yours { path: PathBuf, reason: Message, remedy: Message },
    /// Both you and the project's template have changed the same lines: your file stays as it is, and the other stands below
    /// `.aitk/conflicts` in the project's folder. All else is done.
    #[explain(
        code = "AITK-X24",
        exit = Pending,
        say("{folder}: both sides have changed the same in {files}"),
        hint("compare each with the one of the same name in {folder}/.aitk/conflicts, take over what you want, then delete that")
    )]
    Conflicts { folder: PathBuf, files: Vec<String> },
    /// What a project's folder says of itself is damaged, or a newer aitk has written it.
    #[explain(
        code = "AITK-X25",
        exit = Config,
        say("{path}: {reason}"),
        hint("get it back from the project's history, or take the folder .aitk away: then nothing there is aitk's any more")
    )]
    BadProject {
        path: PathBuf,
        /// What is the matter with it.
        reason: Message,
    },
    /// What aitk keeps of itself (the receipt) cannot be read: it is damaged, or a newer aitk has written it.
    #[explain(code = "AITK-X21", exit = Config, say("{path}: {reason}"), hint("{remedy}"))]
    BadState {
        path: PathBuf,
        /// What is wrong with it.
        reason: Message,
        remedy: Message,
    },
    /// There can be no swap file: a container, a file system that has none (zfs, an older btrfs), or its name.
    #[explain(
        code = "AITK-X14",
        say("there can be no swap file {path}: {reason}"),
        hint("{remedy}")
    )]
    NoSwapFile {
        path: PathBuf,
        reason: Message,
        /// What to do instead.
        remedy: Message,
    },
    /// Everything that could be done is done; the user has new groups, which count in a new session.
    #[explain(
        code = "AITK-X11",
        exit = Resume,
        say("this session does not belong to {groups} yet: a new one does"),
        hint("log out and in again, then run the same command again: it continues")
    )]
    LogIn { groups: Vec<String> },
    /// Everything that could be done is done; a driver or the like counts once the machine has been restarted.
    #[explain(
        code = "AITK-X12",
        exit = Resume,
        say("what was done counts once the machine has been restarted: {after}"),
        hint("restart the machine, then run the same command again: it continues")
    )]
    Restart {
        /// The titles of the steps that it counts for.
        after: Vec<Message>,
    },
    /// A service was started and does not answer as it should.
    #[explain(
        code = "AITK-X40",
        say("the service {name} does not answer as it should: {output}"),
        hint("`journalctl --unit {unit} --lines 50` says why; then run the same command again")
    )]
    Unwell {
        name: String,
        unit: String,
        /// What was said when it was asked.
        output: String,
    },
    /// A service does not run as it should, and what ran before has not come back either.
    #[explain(
        code = "AITK-X41",
        say("{error}; nor did all come back that was there before: {failed}"),
        hint(
            "`journalctl --unit {unit} --lines 50` says why; copies of what was kept are in /var/backups/aitk"
        )
    )]
    NotBack {
        unit: String,
        /// Why it does not run.
        error: Message,
        /// What failed on the way back.
        failed: Vec<Message>,
    },
    /// A service that is to be taken away runs somebody's work.
    #[explain(
        code = "AITK-X44",
        exit = Pending,
        say("the service {name} is at work, and that would be lost: {work}"),
        hint("`{command}` names it: wait until it has ended, or end it; then run the same command again")
    )]
    InUse {
        name: String,
        /// What names the work.
        command: String,
        /// Its names.
        work: Vec<String>,
    },
    /// Another run of aitk is under way.
    #[explain(
        code = "AITK-X02",
        exit = TryAgain,
        say("another run of aitk is under way ({holder})"),
        hint("wait until it is done")
    )]
    AlreadyRunning {
        /// What that run left in the lock's file.
        holder: String,
    },
    /// Another run, perhaps of another user, is writing the project in this folder or taking it away.
    #[explain(
        code = "AITK-X42",
        exit = TryAgain,
        say("another run of aitk is at work on the project in {folder}"),
        hint("wait until it is done; then run the same command again")
    )]
    ProjectBusy {
        /// The project's folder.
        folder: PathBuf,
    },
    /// Somebody has changed the project since you were shown what would become of its files: nothing of it was touched.
    #[explain(
        code = "AITK-X43",
        exit = Pending,
        say("the project in {folder} has changed since the plan was shown"),
        hint("run the same command again, and look at what it shows now")
    )]
    ProjectChanged {
        /// The project's folder.
        folder: PathBuf,
    },
    /// What can fail anywhere.
    #[explain(transparent)]
    System(#[from] Failure),
}

impl ExecError {
    /// Whether a source has something else now than what it has told before, so that a plan made anew may work.
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Env(error) if error.is_stale())
    }

    /// An error of the operating system about a path.
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let failure = Failure::io(path);
        move |source| failure(source).into()
    }
}

impl From<RunError> for ExecError {
    fn from(error: RunError) -> Self {
        Failure::from(error).into()
    }
}
