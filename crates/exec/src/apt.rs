//! apt and dpkg: what is installed, what a command would do, and running it without ever hanging.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aitk_plan::{Package, Step};
use aitk_system::{
    Command, Failure, Line, Message, Output, Stat, System, beside, interrupted, message,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::apt_failure::{self, explain};
use crate::error::ExecError;
use crate::receipt::{Provenance, Receipt};
use crate::report::{Event, Reporter};

const STATUS: &str = "/var/lib/dpkg/status";
const LISTS: &str = "/var/lib/apt/lists";
/// The locks that a run can meet, the one that `apt-get update` needs last.
const LOCKS: [&str; 4] = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/cache/apt/archives/lock",
    "/var/lib/apt/lists/lock",
];
/// How often a held lock is tried again.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How long a simulation may take.
const LOOK: Duration = Duration::from_secs(60);

/// An installed package, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DpkgPackage {
    pub version: String,
    /// The third word of dpkg's status: `installed`, `half-configured`, `config-files`, …
    pub state: String,
}

/// The packages of the system that aitk has brought and that are still there.
pub fn brought(receipt: &Receipt, system: &dyn System) -> Vec<String> {
    let there = installed(system).unwrap_or_default();
    let is_there = |name: &&str| there.get(*name).is_some_and(|p| p.state == "installed");
    let created = receipt.objects.iter().filter(|(_, o)| o.provenance == Provenance::Created);
    let names = created.filter_map(|(key, _)| key.strip_prefix("apt:"));
    let names = names.filter(|name| aitk_plan::names::apt_package::fits(name));
    names.filter(is_there).map(str::to_owned).collect()
}

/// Everything that dpkg knows, by name.
pub(crate) type Packages = BTreeMap<String, DpkgPackage>;

/// Everything that dpkg knows, read from its own file: asking `dpkg-query` takes ten times as long.
pub(crate) fn installed(system: &dyn System) -> Result<Packages, ExecError> {
    Ok(parse_status(&status(system)?))
}

/// What apt and dpkg have said, asked again only where their state is another one.
#[derive(Debug, Default)]
pub(crate) struct Apt {
    said: Mutex<AptOutput>,
}

/// What they have said so far.
#[derive(Debug, Default, Clone)]
pub(crate) struct AptOutput {
    /// What dpkg's file said, and which file that was: dpkg never writes into it but puts another in its place.
    installed: Option<(Stat, Arc<Packages>)>,
    /// What apt would do, by its words and the state in which it said so.
    simulations: BTreeMap<(Option<String>, Vec<String>), Simulation>,
}

impl Apt {
    /// The lock of it; whoever else asks meanwhile waits for the answer.
    pub fn said(&self) -> MutexGuard<'_, AptOutput> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything that dpkg knows now.
    pub fn installed(&self, system: &dyn System) -> Result<Arc<Packages>, ExecError> {
        let mut said = self.said();
        let now = system.stat(Path::new(STATUS)).ok();
        if let (Some((then, packages)), Some(now)) = (&said.installed, &now)
            && then == now
        {
            return Ok(Arc::clone(packages));
        }
        let packages = Arc::new(installed(system)?);
        said.installed = now.map(|now| (now, Arc::clone(&packages)));
        Ok(packages)
    }

    /// Packages that dpkg left unfinished.
    pub fn unfinished(&self, system: &dyn System) -> Result<Vec<Message>, ExecError> {
        const WHOLE: [&str; 3] = ["installed", "config-files", "not-installed"];
        let mut found: Vec<_> = self
            .installed(system)?
            .iter()
            .filter(|(_, package)| !WHOLE.contains(&package.state.as_str()))
            .map(|(name, package)| message!("the package {name} is {}", package.state))
            .collect();
        let updates = system.list(Path::new("/var/lib/dpkg/updates")).unwrap_or_default();
        if updates.iter().any(|name| name.chars().all(|c| c.is_ascii_digit())) {
            found.push(message!("dpkg was interrupted"));
        }
        Ok(found)
    }

    /// Asks apt what a command would do, without root; the same question twice is asked once.
    pub fn simulate(&self, system: &dyn System, words: &[String]) -> Result<Simulation, ExecError> {
        let key = (fingerprint(system), words.to_vec());
        if let Some(known) = self.said().simulations.get(&key) {
            return Ok(known.clone());
        }
        let simulation = ask(system, words)?;
        self.said().simulations.insert(key, simulation.clone());
        Ok(simulation)
    }

    /// What apt would do for a step: where its state is still the one in which it said what the step shows, just that.
    pub fn changes(
        &self,
        system: &dyn System,
        step: &Step,
        words: &[String],
    ) -> Result<Changes, ExecError> {
        let now = fingerprint(system);
        let shown = |(state, _): &(Option<String>, _), said: &Simulation| {
            now.is_some()
                && *state == now
                && said.packages == step.packages
                && said.removes == step.removes
        };
        if !step.packages.is_empty()
            && self.said().simulations.iter().any(|(key, said)| shown(key, said))
        {
            let install = |package: &Package| PackageUpgrade {
                name: package.name.clone(),
                version: package.version.clone(),
            };
            let installs = step.packages.iter().map(install).collect();
            return Ok(Changes { installs, removes: step.removes.clone() });
        }
        changes(system, words)
    }
}

/// dpkg's file; none where dpkg is not.
fn status(system: &dyn System) -> Result<String, ExecError> {
    match system.text(STATUS) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        text => text.map_err(ExecError::io(STATUS)),
    }
}

/// One paragraph of a file of apt or dpkg.
#[derive(Clone, Copy)]
struct Stanza<'a>(&'a str);

impl<'a> Stanza<'a> {
    fn all(text: &'a str) -> impl Iterator<Item = Self> {
        text.split("\n\n").map(Self)
    }

    fn field(self, name: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Bytes that the package takes on disk.
    fn installed_size(self) -> u64 {
        let kibibytes = self.field("Installed-Size").and_then(|size| size.parse::<u64>().ok());
        kibibytes.unwrap_or(0) * 1024
    }
}

fn parse_status(text: &str) -> Packages {
    let mut packages = BTreeMap::new();
    for stanza in Stanza::all(text) {
        if let (Some(name), Some(status)) = (stanza.field("Package"), stanza.field("Status")) {
            let state = status.rsplit(' ').next().unwrap_or_default().to_owned();
            let version = stanza.field("Version").unwrap_or_default().to_owned();
            // Of two architectures of one package the installed one counts.
            let known = packages.get(name).is_some_and(|p: &DpkgPackage| p.state == "installed");
            if !known {
                packages.insert(name.to_owned(), DpkgPackage { version, state });
            }
        }
    }
    packages
}

/// When apt's lists were last refreshed, in seconds since 1970; `None` where there are none.
pub(crate) fn lists_refreshed(system: &dyn System) -> Option<i64> {
    let names = system.list(Path::new(LISTS)).ok()?;
    if !names.iter().any(|name| name.contains("_Packages")) {
        return None;
    }
    let places = [LISTS, "/var/lib/apt/periodic/update-success-stamp"];
    let times = places.iter().filter_map(|path| system.stat(Path::new(path)).ok());
    times.map(|stat| stat.mtime / 1_000_000_000).max()
}

/// Whether apt knows of no package, as in a fresh container: then it need not be asked.
pub(crate) fn has_no_lists(system: &dyn System) -> bool {
    let names = system.list(Path::new(LISTS));
    names.is_ok_and(|names| !names.iter().any(|name| name.contains("_Packages")))
}

/// The state of dpkg and of the lists: as long as it stays, so does what a simulation said.
pub(crate) fn fingerprint(system: &dyn System) -> Option<String> {
    let time = |path: &str| system.stat(Path::new(path)).ok().map(|stat| (stat.mtime, stat.size));
    Some(format!("{:?} {:?}", time(STATUS)?, time(LISTS)?.0))
}

/// What an apt command would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Simulation {
    /// What would be installed or upgraded.
    pub packages: Vec<Package>,
    /// What would be removed.
    pub removes: Vec<String>,
    /// Bytes to download: archives that apt has already are not counted.
    pub download: u64,
    /// Bytes that more are taken on disk, archives included.
    pub disk: u64,
}

fn ask(system: &dyn System, words: &[String]) -> Result<Simulation, ExecError> {
    let (changes, uris) = thread::scope(|scope| {
        let uris = beside(scope, || run_look(system, look(&["-y", "--print-uris", "-qq"], words)));
        (changes(system, words), uris.join().unwrap_or_else(|panic| resume_unwind(panic)))
    });
    let Changes { installs, removes } = changes?;
    let mut simulation = Simulation { removes, ..Simulation::default() };
    if installs.is_empty() {
        return Ok(simulation);
    }
    let uris = uris?;
    let uris: Vec<_> = uris.stdout.lines().filter_map(uri_line).collect();
    let names: Vec<_> = installs.iter().map(|c| format!("{}={}", c.name, c.version)).collect();
    let show = Command::reads(["apt-cache", "show", "--"]).args(names);
    let shown = parse_show(&run_look(system, show)?.stdout);
    let before = installed_sizes(system)?;
    for change in installs {
        let known = shown.get(&(change.name.clone(), change.version.clone()));
        let after = known.map_or(0, |known| known.installed);
        let earlier = before.get(&change.name).copied().unwrap_or(0);
        simulation.disk += after.saturating_sub(earlier);
        let uri = known.and_then(|known| uris.iter().find(|uri| uri.sha256 == known.sha256));
        simulation.packages.push(Package {
            name: change.name,
            version: change.version,
            size: known.map(|known| known.size),
            sha256: known.and_then(|known| known.sha256.clone()),
            url: uri.map(|uri| uri.url.clone()),
            ..Package::default()
        });
    }
    simulation.download = uris.iter().map(|uri| uri.size).sum();
    simulation.disk += simulation.download;
    Ok(simulation)
}

/// A package that would be installed or upgraded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PackageUpgrade {
    pub name: String,
    pub version: String,
}

/// What an apt command would do, by names and versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub installs: Vec<PackageUpgrade>,
    pub removes: Vec<String>,
}

/// A package of the system that has an upgrade waiting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Waiting {
    /// The package's name, as apt prints it.
    pub name: String,
    /// The version that is installed; `None` where it comes along with another one.
    pub before: Option<String>,
    /// The version that apt has.
    pub after: String,
    /// Whether the distribution has it among its fixes for security.
    pub security: bool,
}

/// The packages of the system with an upgrade waiting, as apt's lists of now tell it; none where there is no apt, or it
/// cannot say.
pub fn waiting(system: &dyn System) -> Vec<Waiting> {
    let words = ["upgrade".to_owned(), "--with-new-pkgs".to_owned()];
    if system.which("apt-get").is_none() {
        return Vec::new();
    }
    let said = run_look(system, look(&["-s", "-qq"], &words)).map(|output| output.stdout);
    said.unwrap_or_default().lines().filter_map(waits).collect()
}

fn waits(line: &str) -> Option<Waiting> {
    let PackageUpgrade { name, version: after } = inst_line(line)?;
    let (head, origin) = line.split_once('(')?;
    let before = head.split_once('[').and_then(|(_, rest)| rest.split(']').next());
    // `Debian-Security:13/stable-security`, `Ubuntu:24.04/noble-security`.
    let security = origin.split([',', ' ']).any(|one| one.contains("-security"));
    Some(Waiting { name, before: before.map(str::to_owned), after, security })
}

/// Asks apt just for the names and versions.
pub(crate) fn changes(system: &dyn System, words: &[String]) -> Result<Changes, ExecError> {
    let said = match run_look(system, look(&["-s", "-qq"], words)) {
        // So quietly it does not name the packages that stand in the way.
        Err(ExecError::Failed { .. }) if !apt_failure::held(system).is_empty() => {
            run_look(system, look(&["-s", "-q"], words))
        }
        said => said,
    };
    Ok(parse_changes(&said?.stdout))
}

fn parse_changes(simulation: &str) -> Changes {
    let mut installs: Vec<_> = simulation.lines().filter_map(inst_line).collect();
    let mut removes: Vec<_> = simulation.lines().filter_map(remv_line).collect();
    installs.sort();
    removes.sort();
    Changes { installs, removes }
}

fn look(args: &[&str], words: &[String]) -> Command {
    Command::reads(["apt-get"]).args(args.iter().copied()).args(words.to_vec())
}

/// Reads `Inst curl [7.88.1-1] (7.88.1-2 Debian:12/oldstable [amd64])`.
fn inst_line(line: &str) -> Option<PackageUpgrade> {
    let rest = line.strip_prefix("Inst ")?;
    let name = rest.split(' ').next()?.to_owned();
    let version = rest.split_once('(')?.1.split(' ').next()?.to_owned();
    Some(PackageUpgrade { name, version })
}

/// Reads `Remv vim-tiny [2:9.1.1230-2]`, and `Purg` the same.
fn remv_line(line: &str) -> Option<String> {
    let rest = line.strip_prefix("Remv ").or_else(|| line.strip_prefix("Purg "))?;
    Some(rest.split(' ').next()?.to_owned())
}

#[derive(Debug)]
struct Uri {
    url: String,
    size: u64,
    sha256: Option<String>,
}

/// Reads `'http://…/curl_7.deb' curl_7.deb 315024 SHA256:…`.
fn uri_line(line: &str) -> Option<Uri> {
    let (url, rest) = line.strip_prefix('\'')?.split_once('\'')?;
    let mut words = rest.split_whitespace().skip(1);
    let size = words.next()?.parse().ok()?;
    let sha256 = words.next().and_then(|hash| hash.strip_prefix("SHA256:")).map(str::to_owned);
    Some(Uri { url: url.to_owned(), size, sha256 })
}

struct Shown {
    size: u64,
    installed: u64,
    sha256: Option<String>,
}

fn parse_show(text: &str) -> BTreeMap<(String, String), Shown> {
    Stanza::all(text)
        .filter_map(|stanza| {
            let shown = Shown {
                size: stanza.field("Size")?.parse().ok()?,
                installed: stanza.installed_size(),
                sha256: stanza.field("SHA256").map(str::to_owned),
            };
            let (name, version) = (stanza.field("Package")?, stanza.field("Version")?);
            Some(((name.to_owned(), version.to_owned()), shown))
        })
        .collect()
}

fn installed_sizes(system: &dyn System) -> Result<BTreeMap<String, u64>, ExecError> {
    let text = status(system)?;
    let sizes = Stanza::all(&text).filter_map(|stanza| {
        stanza
            .field("Status")
            .filter(|status| status.ends_with(" installed"))
            .and(stanza.field("Package"))
            .map(|name| (name.to_owned(), stanza.installed_size()))
    });
    Ok(sizes.collect())
}

fn run_look(system: &dyn System, command: Command) -> Result<Output, ExecError> {
    let command = command.env("LC_ALL", "C").timeout(LOOK);
    let output = system.run(&command)?;
    if output.success() { Ok(output) } else { Err(explain(system, &command, &output, None)) }
}

/// The command that changes the system: asks nothing, keeps the user's configuration files, restarts no service
/// behind the user's back, and says how far it is.
pub(crate) fn command(system: &dyn System, words: &[String]) -> Command {
    // APT::Status-Fd would tell more, but apt closes that descriptor in maintainer scripts, and sudo passes on none
    // but the three that scripts need.
    let mut command = Command::as_root(["apt-get", "-y", "-q", "-o", "DPkg::Lock::Timeout=60"])
        .args(["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"])
        .args(["-o", "Dpkg::Use-Pty=0", "-o", "Dpkg::Progress=1"])
        .args(words.to_vec())
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("NEEDRESTART_SUSPEND", "1")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("LC_ALL", "C");
    // sudo drops these, and a machine behind a proxy often has them in the user's environment only.
    for name in ["http_proxy", "https_proxy", "no_proxy"] {
        command = match system.env(name) {
            // A password is nobody else's to see: not in the plan, nor in a log, nor in the list of processes.
            Some(value) if value.contains('@') => command.pass(name),
            Some(value) => command.env(name, value),
            None => command,
        };
    }
    command
}

/// Runs a command that changes the system, once nobody else holds the locks.
pub(crate) fn run(
    system: &dyn System,
    command: &Command,
    wait: Duration,
    step: &str,
    reporter: &dyn Reporter,
    log: &Path,
) -> Result<(), ExecError> {
    let since = Instant::now();
    loop {
        wait_for_locks(system, wait.saturating_sub(since.elapsed()), step, reporter)?;
        let mut meter = Meter::default();
        let output = system.run_watched(&command.clone().log(log), &mut |line| {
            if let Some(done) = meter.read(line) {
                reporter.event(&Event::Progress { step, done, total: 100 });
            }
        })?;
        aitk_env::note_received(meter.fetched());
        if output.success() {
            return Ok(());
        }
        match explain(system, command, &output, Some(log)) {
            // Somebody took the lock between our look and apt's.
            ExecError::AptLocked { .. } if since.elapsed() < wait => thread::sleep(POLL_INTERVAL),
            error => return Err(error),
        }
    }
}

/// Waits until nobody holds a lock of apt or dpkg.
pub(crate) fn wait_for_locks(
    system: &dyn System,
    wait: Duration,
    step: &str,
    reporter: &dyn Reporter,
) -> Result<(), ExecError> {
    let since = Instant::now();
    let mut said = None;
    while let Some((lock, holder)) = lock_holder(system) {
        if since.elapsed() >= wait {
            return Err(ExecError::AptLocked { holder, lock: lock.to_owned() });
        }
        if interrupted() {
            return Err(ExecError::System(Failure::Interrupted));
        }
        if said.as_ref() != Some(&holder) {
            let text = message!("waiting for {holder}, which holds {lock}");
            reporter.event(&Event::Message { step, text: &text });
            said = Some(holder);
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// Which process holds one of the locks of apt and dpkg; needs no root.
pub(crate) fn lock_holder(system: &dyn System) -> Option<(&'static str, Message)> {
    let table = system.text("/proc/locks").ok()?;
    LOCKS.iter().find_map(|lock| {
        let stat = system.stat(Path::new(lock)).ok()?;
        let pid = table.lines().find_map(|line| held(line, stat.ino))?;
        let name = system.text(format!("/proc/{pid}/comm")).unwrap_or_default();
        let name = name.trim();
        let name = if name.is_empty() { message!("a process") } else { Message::plain(name) };
        Some((*lock, message!("{name} (process {pid})")))
    })
}

/// Reads `1: POSIX  ADVISORY  WRITE 4242 fe:00:131215 0 EOF`; the file is told by its inode.
fn held(line: &str, inode: u64) -> Option<u32> {
    let words: Vec<_> = line.split_whitespace().collect();
    // A process that waits has an arrow in front, and holds nothing.
    let [_, _, _, "WRITE", pid, file, ..] = words[..] else { return None };
    let found: u64 = file.rsplit(':').next()?.parse().ok()?;
    (found == inode).then(|| pid.parse().ok()).flatten()
}

/// Reads how far apt is from what it prints: the download is taken as the first half of the work, unpacking and
/// configuring as the second.
#[derive(Debug, Default)]
struct Meter {
    wanted: f64,
    fetched: f64,
}

impl Meter {
    /// Bytes that apt said it had got.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of sizes")]
    fn fetched(&self) -> u64 {
        self.fetched as u64
    }

    /// In hundredths, where the line says anything of it.
    fn read(&mut self, line: Line<'_>) -> Option<u64> {
        let text = line.text().trim();
        let half = if let Some(rest) = text.strip_prefix("Need to get ") {
            // "1679 kB of archives" or, where some are there already, "20 kB/1679 kB of archives".
            self.wanted = amount(rest.split(['/']).next()?.trim_end_matches(" of archives."))?;
            return None;
        } else if text.starts_with("Get:") {
            let size = text.rsplit_once('[')?.1.strip_suffix(']')?;
            self.fetched += amount(size)?;
            50.0 * (self.fetched / self.wanted.max(1.0)).min(1.0)
        } else {
            let percent: f64 =
                text.strip_prefix("Progress: [")?.split('%').next()?.trim().parse().ok()?;
            50.0 + percent.clamp(0.0, 100.0) / 2.0
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 100")]
        Some(half as u64)
    }
}

/// Reads `1,679 kB`.
fn amount(text: &str) -> Option<f64> {
    let (number, unit) = text.trim().split_once(' ')?;
    let factor = match unit {
        "B" => 1.0,
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        _ => return None,
    };
    Some(number.replace(',', "").parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;
    use crate::steps::testing::Machine;

    #[test]
    fn a_fix_for_security_is_told_by_where_apt_has_it_from() {
        let told = |line: &str| waits(line).map(|one| (one.before, one.after, one.security));
        let some = |before: &str, after: &str, security| {
            Some((Some(before.to_owned()), after.to_owned(), security))
        };
        assert_eq!(
            told(
                "Inst libc6 [2.36-9] (2.36-10 Debian:12.12/oldstable, Debian-Security:12/oldstable-security [amd64]) []"
            ),
            some("2.36-9", "2.36-10", true)
        );
        assert_eq!(
            told("Inst curl [7.88-1] (7.88-2 Ubuntu:24.04/noble-updates [amd64])"),
            some("7.88-1", "7.88-2", false)
        );
        let new = told("Inst linux-image-7 (7.1 Ubuntu:24.04/noble-security [amd64])").unwrap();
        assert_eq!((new.0, new.2), (None, true));
        assert_eq!(told("Conf curl (7.88-2 Debian:12/stable [amd64])"), None);
    }

    #[test]
    fn the_status_file_is_read() {
        let text = "Package: a\nStatus: install ok installed\nVersion: 1\nDescription: x\n Package: no\n\n\
            Package: b\nStatus: install ok half-configured\nVersion: 2\n\n";
        let packages = parse_status(text);
        assert_eq!(packages["a"], DpkgPackage { version: "1".into(), state: "installed".into() });
        assert_eq!(packages["b"].state, "half-configured");
        assert_eq!(packages.len(), 2);
    }

    #[test]
    fn what_dpkg_knows_is_read_again_where_it_has_another_file() {
        let machine = Machine::new("{}");
        let has = |name: &str| {
            let text = format!("Package: {name}\nStatus: install ok installed\nVersion: 1\n");
            machine.file(STATUS, &text);
        };
        has("aaa");
        machine.with(Receipt::default(), |cx| {
            let first = cx.apt.installed(cx.system).unwrap();
            assert!(Arc::ptr_eq(&first, &cx.apt.installed(cx.system).unwrap()), "it was read once");
            // As long as the other, and put in its place as dpkg does.
            has("bbb");
            assert_eq!(cx.apt.installed(cx.system).unwrap().keys().collect::<Vec<_>>(), ["bbb"]);
            Real.remove(&machine.path(STATUS)).unwrap();
            assert_eq!(cx.apt.installed(cx.system).unwrap().len(), 0);
        });
    }

    #[test]
    fn simulations_are_read() {
        assert_eq!(
            inst_line("Inst libc6 [2.36-9] (2.36-10 Debian:12.12/oldstable [amd64]) []"),
            Some(PackageUpgrade { name: "libc6".into(), version: "2.36-10".into() })
        );
        assert_eq!(
            inst_line("Inst curl (7.88-1 Debian:12/stable [amd64])").unwrap().version,
            "7.88-1"
        );
        assert_eq!(inst_line("Conf curl (7.88-1)"), None);
        let uri = uri_line("'http://mirror.example/c.deb' c.deb 12 SHA256:ab").unwrap();
        assert_eq!((uri.size, uri.sha256.as_deref()), (12, Some("ab")));
    }

    #[test]
    fn what_would_be_removed_is_read() {
        // apt-get -s -qq install sudo-ldap, on Debian 12.
        let said = "NOTE: This is only a simulation!\n\
            Remv sudo [1.9.13p3-1+deb12u4]\n\
            Inst libldap-2.5-0 (2.5.13+dfsg-5 Debian:12.12/oldstable [amd64])\n\
            Inst sudo-ldap (1.9.13p3-1+deb12u4 Debian:12.12/oldstable [amd64])\n\
            Conf libldap-2.5-0 (2.5.13+dfsg-5 Debian:12.12/oldstable [amd64])\n\
            Conf sudo-ldap (1.9.13p3-1+deb12u4 Debian:12.12/oldstable [amd64])\n\
            Purg left-over [3]\n";
        let changes = parse_changes(said);
        assert_eq!(changes.removes, ["left-over", "sudo"]);
        let names: Vec<_> = changes.installs.iter().map(|change| &*change.name).collect();
        assert_eq!(names, ["libldap-2.5-0", "sudo-ldap"]);
    }

    /// A machine with these variables and nothing else.
    fn with_environment(variables: &[(&str, &str)]) -> aitk_system::Replay {
        let folder = tempfile::tempdir().unwrap();
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let answers = serde_json::json!({ "schema": 1, "env": variables }).to_string();
        aitk_system::Real
            .write(&folder.path().join("answers.json"), answers.as_bytes(), 0o600)
            .unwrap();
        aitk_system::Replay::open(folder.path()).unwrap()
    }

    #[test]
    fn the_password_of_a_proxy_is_nobody_elses_to_see() {
        let system = with_environment(&[
            ("http_proxy", "http://me:geheim@127.0.0.1:3128"),
            ("https_proxy", "http://127.0.0.1:3129"),
        ]);
        let command = command(&system, &["update".to_owned()]);
        for shown in [command.to_string(), command.typed(true)] {
            assert!(!shown.contains("geheim"), "{shown}");
            assert!(shown.contains("https_proxy=http://127.0.0.1:3129"), "{shown}");
        }
        assert!(command.to_string().starts_with("sudo --preserve-env=http_proxy env "));
        assert!(!serde_json::to_string(&command).unwrap().contains("geheim"));
    }

    #[test]
    fn the_holder_of_a_lock_is_told_by_the_inode() {
        let line = "1: POSIX  ADVISORY  WRITE 4242 fe:00:131215 0 EOF";
        assert_eq!(held(line, 131_215), Some(4242));
        assert_eq!(held(line, 7), None);
        assert_eq!(held("1: -> POSIX  ADVISORY  WRITE 4243 fe:00:131215 0 EOF", 131_215), None);
    }

    #[test]
    fn progress_is_read_from_what_apt_prints() {
        let mut meter = Meter::default();
        let mut read = |text| meter.read(Line::Stdout(text));
        assert_eq!(read("Need to get 2,000 kB of archives."), None);
        assert_eq!(
            read("Get:1 http://mirror.example stable/main amd64 curl amd64 8 [1000 kB]"),
            Some(25)
        );
        assert_eq!(read("Progress: [ 50%]"), Some(75));
        assert_eq!(read("Setting up curl (8) ..."), None);
    }
}
