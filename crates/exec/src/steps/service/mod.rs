//! A service runs: an environment of its own below `/opt/aitk`, files below `/etc/aitk`, a unit of systemd's, and what it
//! keeps below `/var/lib`. All of it is root's, who is handed bytes: the packages with the hashes that pip compares.

mod environment;
mod note;
mod proof;
mod state;
mod unit;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_env::Depth;
use aitk_export::File;
use aitk_plan::{Plan, Project, ServiceSpec, Step, project, step};
use aitk_system::{Command, Explain as _, Message, System, message};

pub use environment::ENVIRONMENTS;
use environment::{LOCK, ServiceEnvironment, WISH, lines, take_in};
pub(crate) use note::{by_notes, of_others};
use note::{installer, is_own, key, note, noted};
use proof::prove;
pub use proof::refuse_in_use;
pub use state::{ServiceState, service_states};
use unit::{ask, is_active, is_stale, listening, systemctl, unit_path, wants_path};

use super::root::{self, RootAction};
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, TakenBack, Work, comes_later, hash_of};
use super::{help_where_refused, with_what_was};
use crate::context::{Context, no_log};
use crate::error::ExecError;
use crate::places::{Thing, note_path, services};
use crate::report::Event;

/// Where what services write is kept; of those without a user that stays there is a link alone, to a folder of systemd's.
const STATES: [&str; 2] = ["/var/lib", "/var/lib/private"];
/// Where it is copied to before a service is upgraded; root's alone.
const BACKUPS: &str = "/var/backups/aitk";
/// Brings back what was kept, from its copy: unpacked beside first, so that nothing goes before there is something better.
const RESTORE: &str = r#"rm -rf "$1.back" && mkdir -m 700 "$1.back" && tar --extract --gzip --file "$0" --directory "$1.back" &&
if [ -e "$1" ]; then rm -rf "$1.failed" && mv -T "$1" "$1.failed"; fi && mv -T "$1.back/${1##*/}" "$1" && rm -rf "$1.failed" "$1.back""#;
/// The service of which groups have environments, and where.
const HUB: &str = "jupyterhub";
const HUB_GROUPS: &str = "/opt/aitk/jupyterhub/groups";
/// The locks that an administrator has put there, one for the environment of each group.
const GROUP_LOCKS: &str = "/etc/aitk/jupyterhub/groups";
/// As much of a digest as a name has.
const SHORT: usize = 8;
/// Prints a file that is root's alone, or everybody's, where there was none.
const MAKE: &str = r#"mkdir -p "${1%/*}" && umask "$0" && path=$1 && shift && "$@" >"$path.new" && mv "$path.new" "$path""#;

/// Where a service's state is itself.
fn states(state: &str, system: &dyn System) -> &'static str {
    let is_link = system.read_link(&Path::new(STATES[0]).join(state)).is_ok();
    STATES[usize::from(is_link)]
}

/// A service as it is to be.
struct WantedService<'a> {
    service: &'a ServiceSpec,
    /// Its unit comes last: it is there once the others are.
    files: Vec<File>,
    unit: String,
}

impl<'a> WantedService<'a> {
    fn of(cx: &Context<'_>, plan: &'a Plan, step: &step::Service) -> Result<Self, ExecError> {
        let missing = || ExecError::StillMissing { reason: message!("the plan has no project") };
        let project: &Project = plan.project.as_ref().ok_or_else(missing)?;
        let service = project.services.iter().find(|service| service.name == step.name);
        let service = service.ok_or_else(missing)?;
        let mut files = cx.targets.ok_or_else(missing)?.service_files(project, &step.name)?;
        let there = cx.system.text(note_path(&step.name)).unwrap_or_default();
        let installer = installer(&there).unwrap_or_else(|| cx.system.host().uid);
        files.insert(0, note(&step.name, installer, &files));
        Ok(Self { service, files, unit: service.unit() })
    }

    fn environment(&self) -> ServiceEnvironment<'a> {
        ServiceEnvironment(self.service)
    }

    fn state(&self) -> String {
        format!("aitk-{}", self.service.name)
    }

    /// The files that do not say what they should, or say it to others.
    fn differing(&self, cx: &Context<'_>) -> Result<Vec<&File>, ExecError> {
        let mut found = Vec::new();
        for file in &self.files {
            let path = Path::new(&file.path);
            // What another administrator may not read is as the note says, which has the hashes of all.
            let denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
            if file.private && cx.system.read(path).is_err_and(denied) {
                continue;
            }
            let there = root::content_of(cx, path)?;
            let told = || cx.system.stat(path).is_ok_and(|stat| stat.mode & 0o007 != 0);
            if there.as_deref() != Some(file.content.as_bytes()) || file.private && told() {
                found.push(file);
            }
        }
        Ok(found)
    }

    /// Somebody else's file is never overwritten, nor is one that somebody has changed.
    fn refuse_foreign(&self, cx: &Context<'_>) -> Result<(), ExecError> {
        for file in self.differing(cx)? {
            let path = PathBuf::from(&file.path);
            let Some(there) = root::content_of(cx, &path)? else { continue };
            let noted = cx.receipt().objects.get(&format!("file:{}", file.path)).cloned();
            let noted = noted.and_then(|object| object.detail);
            let is_noted = |noted: String| noted.split(' ').any(|noted| noted == hash_of(&there));
            if !noted.is_some_and(is_noted) {
                return Err(ExecError::Foreign { path });
            }
        }
        Ok(())
    }

    /// The ports on which something else listens in its place; it could not start there.
    fn taken_ports(&self, system: &dyn System) -> Vec<u16> {
        let runs = is_active(&self.unit, system).unwrap_or(true);
        let listening = if runs { BTreeSet::new() } else { listening(system) };
        self.service.ports.iter().filter(|port| listening.contains(port)).copied().collect()
    }

    /// What was kept is copied before a newer program sees it.
    fn backup(&self, system: &dyn System) -> Option<String> {
        let before = system.text(self.environment().current().join(LOCK)).ok()?;
        let short: String = before.trim().chars().take(SHORT).collect();
        let there = system.exists(Path::new("/var/lib").join(self.state()));
        there.then(|| format!("{BACKUPS}/{}-{short}.tar.gz", self.service.name))
    }

    /// What makes it run as it should, once its environment is there.
    fn settle(&self, cx: &Context<'_>) -> Result<Vec<RootAction>, ExecError> {
        let (system, unit) = (cx.system, self.unit.as_str());
        let switches = self.environment().is_missing(system);
        let differing = self.differing(cx)?;
        let anew = switches || !differing.is_empty();
        let mut deeds = Vec::new();
        if anew && system.exists(unit_path(unit)) {
            deeds.push(systemctl(&["stop", unit]));
        }
        if switches {
            if let Some(backup) = self.backup(system) {
                // Beside, then in its place; a copy that is there already may be the only good one, and stays under another name.
                let new = format!("{backup}.new");
                let pack = ["tar", "--create", "--gzip", "--file", &new];
                let state = self.state();
                let pack = Command::as_root(pack);
                let pack = pack.args(["--directory", states(&state, system), &state]);
                let place = ["mv", "--backup=numbered", "-T", &new, &backup];
                deeds.push(RootAction::Run(Command::as_root([
                    "install", "-d", "-m", "700", BACKUPS,
                ])));
                deeds.push(RootAction::Run(pack));
                deeds.push(RootAction::Run(Command::as_root(place)));
            }
            deeds.push(self.environment().link(self.environment().slot(system)));
        }
        for secret in self.service.secrets.iter().filter(|secret| !system.exists(&secret.path)) {
            let mask = if secret.public { "022" } else { "077" };
            let make = Command::as_root(["sh", "-c", MAKE, mask, &secret.path]);
            deeds.push(RootAction::Run(make.args(secret.command.iter().cloned())));
        }
        let put = |file: &&File| match file.private {
            true => RootAction::put_for(Path::new(&file.path), &*file.content, system.host().gid),
            false => RootAction::put(Path::new(&file.path), &*file.content),
        };
        deeds.extend(differing.iter().map(put));
        if self.service.name == HUB && !system.exists(HUB_GROUPS) {
            // All that the unit which fills it may write to; systemd wants it there.
            deeds.push(RootAction::Run(Command::as_root(["mkdir", "-p", HUB_GROUPS])));
        }
        deeds.push(systemctl(&["daemon-reload"]));
        if !anew && is_active(unit, system).unwrap_or_default() {
            // It runs and is not as it should be.
            deeds.push(systemctl(&["restart", unit]));
        }
        deeds.push(systemctl(&["enable", "--now", unit]));
        Ok(deeds)
    }

    /// What lets it run again as it did, where nothing was switched yet.
    fn again(&self, backup: Option<&str>) -> Vec<RootAction> {
        let half = backup.map(|backup| RootAction::Run(root::delete([format!("{backup}.new")])));
        half.into_iter().chain([systemctl(&["start", &self.unit])]).collect()
    }

    /// What brings back what ran before, with what it had kept.
    fn back(&self, slot: &str, backup: Option<&str>, system: &dyn System) -> Vec<RootAction> {
        let mut deeds = vec![systemctl(&["stop", &self.unit]), self.environment().link(slot)];
        if let Some(backup) = backup {
            let state = format!("{}/{}", states(&self.state(), system), self.state());
            deeds.push(RootAction::Run(Command::as_root(["sh", "-c", RESTORE, backup, &state])));
        }
        deeds.push(systemctl(&["start", &self.unit]));
        deeds
    }

    /// Waits until it answers, and has it do its work once.
    fn answers(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<(), ExecError> {
        if cx.dry {
            return Ok(());
        }
        let seconds = self.service.seconds;
        let limit = Duration::from_secs(seconds + 30);
        let said = cx.system.run(&ask(self.service, seconds).timeout(limit).log(&work.log))?;
        let (name, unit) = (self.service.name.clone(), self.unit.clone());
        if !said.success() {
            return Err(ExecError::Unwell { name, unit, output: said.tail(1) });
        }
        if let Some(text) = prove(cx, self.service, &work.step.id, work.log.clone())? {
            work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
        }
        Ok(())
    }

    /// Root's programs run in folders that are root's alone, and what is taken away lies in such.
    fn only_roots(&self, system: &dyn System) -> Result<(), ExecError> {
        let secrets = self.service.secrets.iter().map(|secret| PathBuf::from(&secret.path));
        let places = [self.environment().home().join(WISH), Path::new(BACKUPS).join(WISH)];
        places.into_iter().chain(secrets).try_for_each(|path| root::only_roots(system, &path))
    }

    /// What is noted of it.
    fn entries(&self, step: &Step) -> Vec<ReceiptEntry> {
        let named = self.service.python.first().map(|wish| project(wish));
        let version = step.packages.iter().find(|package| Some(&package.name) == named.as_ref());
        let version = version.map(|package| package.version.clone());
        let file = |file: &File| {
            ReceiptEntry::created(
                format!("file:{}", file.path),
                Some(hash_of(file.content.as_bytes())),
            )
        };
        let service = ReceiptEntry::created(key(&self.service.name), version);
        self.files.iter().map(file).chain([service]).collect()
    }
}

/// Lets run what ran before, whatever of it fails: how the first attempt went, and what did not come back.
fn came_back(
    cx: &Context<'_>,
    work: &Work<'_>,
    unit: &str,
    done: Result<(), ExecError>,
    back: &[RootAction],
) -> Result<(), ExecError> {
    let carry = |deed| root::carry_out(cx, work, std::slice::from_ref(deed)).err();
    let failed: Vec<_> = back.iter().filter_map(carry).map(|error| error.message()).collect();
    match done {
        Err(error) if !failed.is_empty() => {
            let (unit, error) = (unit.to_owned(), error.message());
            Err(ExecError::NotBack { unit, error, failed })
        }
        done => done,
    }
}

impl Ensure for step::Service {
    fn check(&self, cx: &Context<'_>, plan: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        let wanted = WantedService::of(cx, plan, self)?;
        let (name, unit) = (&self.name, wanted.unit.as_str());
        let mut missing = Vec::new();
        if wanted.environment().is_missing(cx.system) {
            missing.push(message!("{name} has not the environment that it should have"));
        }
        let secrets = wanted.service.secrets.iter().map(|secret| &secret.path);
        let secrets = secrets.filter(|path| !cx.system.exists(path));
        missing.extend(secrets.map(|path| message!("there is no {path}")));
        let differing = wanted.differing(cx)?;
        missing.extend(differing.iter().map(|file| match cx.system.exists(&file.path) {
            true if file.private => {
                message!("{} says something else, or says it to everybody", file.path)
            }
            true => message!("{} says something else", file.path),
            false => message!("there is no {}", file.path),
        }));
        if missing.is_empty() {
            if !cx.system.exists(wants_path(unit)) {
                missing.push(message!("{unit} does not start with the machine"));
            }
            if !is_active(unit, cx.system)? || is_stale(unit, cx.system)? {
                missing.push(message!("{unit} does not run as it should"));
            } else if let said = cx.system.run(&ask(wanted.service, 0))?
                && !said.success()
            {
                missing.push(message!("{name} does not answer as it should: {}", said.tail(1)));
            }
        }
        let help = help_where_refused(wanted.refuse_foreign(cx))?;
        Ok(CheckOutcome::of(missing).helped_by(help))
    }

    fn verify(
        &self,
        cx: &Context<'_>,
        plan: &Plan,
        step: &Step,
        _: Depth,
    ) -> Result<CheckOutcome, ExecError> {
        let held = self.check(cx, plan, step)?;
        if held != CheckOutcome::Holds {
            return Ok(held);
        }
        let wanted = WantedService::of(cx, plan, self)?;
        Ok(match prove(cx, wanted.service, &step.id, no_log()) {
            Ok(_) => held,
            Err(error) => CheckOutcome::missing(error.message()),
        })
    }

    fn verified(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Message {
        let answers = || message!("{} runs, answers, and starts with the machine", self.name);
        cx.said().remove(&step.id).unwrap_or_else(answers)
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let wanted = WantedService::of(cx, plan, self)?;
        wanted.refuse_foreign(cx)?;
        wanted.only_roots(cx.system)?;
        let mut step = step.clone();
        if let Some(port) = wanted.taken_ports(cx.system).first() {
            step.block(
                message!("something else listens already where {} would: port {port}", self.name),
                message!(
                    "`sudo ss --listening --tcp --processes 'sport = :{port}'` names it; stop it, or set another port where there is one to set"
                ),
            );
            return Ok(Exact::one(step));
        }
        let mut deeds = Vec::new();
        let mut estimated = false;
        if wanted.environment().is_missing(cx.system) {
            match wanted.environment().lock(cx, plan) {
                Ok(lock) => take_in(cx, &mut step, &lock),
                Err(error) if comes_later(plan, &error) => estimated = true,
                Err(error) => return Err(error),
            }
            deeds = wanted.environment().build(cx.system, Vec::new(), lines(&step.packages));
        }
        deeds.extend(wanted.settle(cx)?);
        let mut shown = root::shown(cx, &step, &deeds);
        shown.estimated = estimated;
        shown.commands.push(cx.typed(&ask(wanted.service, wanted.service.seconds)));
        if !wanted.service.proof.is_empty() {
            shown.commands.push(cx.typed(&Command::reads(wanted.service.proof.iter().cloned())));
        }
        Ok(Exact::one(shown))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        let wanted = WantedService::of(cx, work.plan, self)?;
        wanted.refuse_foreign(cx)?;
        wanted.only_roots(cx.system)?;
        let switches = wanted.environment().is_missing(cx.system);
        let before = cx.system.read_link(&wanted.environment().current()).ok().filter(|_| switches);
        let backup = wanted.backup(cx.system);
        let made = wanted.entries(work.step);
        let there = || wanted.files.iter().any(|file| cx.system.exists(&file.path));
        let about = with_what_was(cx, made.clone());
        cx.about_to(&work.step.id, &about, there, || {
            if switches {
                let (wheels, lines) = wanted.environment().fetched(cx, work)?;
                wanted.environment().make(cx, work, wheels, lines)?;
            }
            let deeds = wanted.settle(cx)?;
            let done = root::carry_out(cx, work, &deeds).and_then(|()| wanted.answers(cx, work));
            if let (Err(_), Some(slot)) = (&done, &before) {
                let switched = cx
                    .system
                    .read_link(&wanted.environment().current())
                    .is_ok_and(|now| now != *slot);
                let back = match switched {
                    true => wanted.back(&slot.to_string_lossy(), backup.as_deref(), cx.system),
                    false => wanted.again(backup.as_deref()),
                };
                return came_back(cx, work, &wanted.unit, done, &back);
            }
            done
        })?;
        Ok(made)
    }

    /// Its names are aitk's alone.
    fn own(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Vec<ReceiptEntry> {
        let Ok(wanted) = WantedService::of(cx, plan, self) else { return Vec::new() };
        // What stands there otherwise is as it was noted, or somebody's.
        let holds = wanted.differing(cx).is_ok_and(|differing| differing.is_empty());
        let own = noted(&self.name, cx.system).is_some_and(|(_, text)| is_own(&text, cx.system));
        if holds && own { wanted.entries(step) } else { Vec::new() }
    }

    fn undo(thing: &Thing, _: Option<&str>, system: &dyn System) -> Option<TakenBack> {
        let Thing::Service(name) = thing else { return None };
        let unit = format!("aitk-{name}.service");
        let mut commands = Vec::new();
        if is_active(&unit, system).unwrap_or_default() {
            commands.push(Command::as_root(["systemctl", "stop", &unit]));
        }
        if system.exists(wants_path(&unit)) {
            commands.push(root::delete([wants_path(&unit)]));
            commands.push(Command::as_root(["systemctl", "daemon-reload"]));
        }
        let environments = format!("{ENVIRONMENTS}/{name}");
        let is_roots = root::only_roots(system, &Path::new(&environments).join(WISH)).is_ok();
        if system.exists(&environments) && is_roots {
            commands.push(Command::as_root(["rm", "-rf", "--", &environments]));
        }
        // What is empty then and aitk's alone: not what these stand in.
        let settings = format!("/etc/aitk/{name}");
        let folders = [settings.as_str(), "/etc/aitk", ENVIRONMENTS];
        let folders: Vec<_> = folders.into_iter().filter(|folder| system.exists(folder)).collect();
        if !folders.is_empty() {
            // Another service's may have gone with the last one.
            commands.push(Command::as_root(["mkdir", "-p", "--"]).args(folders.clone()));
            let words = ["rmdir", "--ignore-fail-on-non-empty", "--"];
            commands.push(Command::as_root(words).args(folders));
        }
        Some((commands, kept(name, system)))
    }
}

/// What of a service is somebody's work, and stays.
fn kept(name: &str, system: &dyn System) -> Option<Message> {
    let secrets = services().iter().filter(|place| place.name == name).flat_map(|p| &p.secrets);
    let state = format!("aitk-{name}");
    let mut folders = vec![STATES[0], states(&state, system)];
    folders.dedup();
    let there = system.exists(Path::new(STATES[0]).join(&state));
    let state = there.then(|| folders.into_iter().map(|folder| format!("{folder}/{state}")));
    let locks = (name == HUB && system.exists(GROUP_LOCKS)).then(|| GROUP_LOCKS.to_owned());
    let copies = system.exists(BACKUPS).then(|| format!("{BACKUPS}/{name}-*"));
    let paths: Vec<_> = secrets
        .filter(|path| system.exists(path))
        .cloned()
        .chain(state.into_iter().flatten())
        .chain(copies)
        .chain(locks.clone())
        .collect();
    let paths = paths.join(" ");
    if locks.is_some() {
        return Some(message!(
            "the environments of groups go; their locks, and what {name} keeps, stay; `sudo rm -r {paths}` takes them away"
        ));
    }
    (!paths.is_empty()).then(|| {
        message!("what {name} keeps, and its secrets, stay; `sudo rm -r {paths}` takes them away")
    })
}

#[cfg(test)]
mod tests {
    use aitk_plan::Package;
    use aitk_system::Real;

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::testing::{Machine, Silent, plan, step};

    const CONF: &str = "/etc/aitk/mlflow/start.sh";
    const UNIT: &str = "/etc/systemd/system/aitk-mlflow.service";

    fn service() -> ServiceSpec {
        let secret = aitk_plan::Secret {
            path: "/etc/aitk/mlflow/admin".to_owned(),
            command: ["openssl", "rand", "-hex", "24"].map(str::to_owned).to_vec(),
            public: false,
        };
        ServiceSpec {
            name: "mlflow".to_owned(),
            python: vec!["mlflow[auth]==3.17.2".to_owned()],
            secrets: vec![secret],
            seconds: 300,
            ..ServiceSpec::default()
        }
    }

    fn file(path: &str) -> File {
        let (path, content) = (path.to_owned(), "as it should be\n".to_owned());
        File { path, content, executable: false, yours: false, private: false }
    }

    fn on<T>(
        machine: &Machine,
        receipt: Receipt,
        look: impl FnOnce(&Context<'_>, &WantedService<'_>) -> T,
    ) -> T {
        let service = service();
        let files = vec![file(CONF), file(UNIT)];
        let wanted = WantedService { unit: service.unit(), service: &service, files };
        machine.with(receipt, |cx| look(cx, &wanted))
    }

    fn settled(machine: &Machine) -> Vec<String> {
        on(machine, Receipt::default(), |cx, wanted| {
            let deeds = wanted.settle(cx).unwrap();
            deeds.iter().map(|deed| deed.command().to_string()).collect()
        })
    }

    /// Runs as it should, in the first of both environments.
    fn machine() -> Machine {
        let machine = Machine::new("{}");
        machine.link("/usr/bin/python3", "python3.13");
        machine.link("/opt/aitk/mlflow/current", "a");
        let wish = on(&machine, Receipt::default(), |cx, wanted| {
            wanted.environment().request_digest(cx.system)
        });
        machine.file("/opt/aitk/mlflow/a/wish", &format!("{wish}\n"));
        machine.file("/opt/aitk/mlflow/a/lock", "0123456789abcdef\n");
        machine.file("/etc/aitk/mlflow/admin", "");
        machine.file("/var/lib/private/aitk-mlflow", "");
        machine.link("/var/lib/aitk-mlflow", "private/aitk-mlflow");
        [CONF, UNIT].iter().for_each(|path| machine.file(path, "as it should be\n"));
        machine
    }

    #[test]
    fn the_unit_comes_after_what_it_needs_and_is_started_last() {
        let machine = Machine::new("{}");
        let install = "sudo install -D -m 644 -o root -g root -T /dev/stdin";
        let commands = settled(&machine);
        assert_eq!(commands[0], "sudo ln -sfn a /opt/aitk/mlflow/current");
        assert!(commands[1].ends_with(" 077 /etc/aitk/mlflow/admin openssl rand -hex 24"));
        assert_eq!(commands[2..4], [format!("{install} {CONF}"), format!("{install} {UNIT}")]);
        let start = "sudo systemctl enable --now aitk-mlflow.service";
        assert_eq!(commands[4..], ["sudo systemctl daemon-reload", start]);
    }

    #[test]
    fn the_folder_of_the_environments_of_groups_is_there_before_the_hub_runs() {
        let hub = |machine: &Machine| {
            let service = ServiceSpec { name: HUB.to_owned(), ..ServiceSpec::default() };
            let wanted =
                WantedService { unit: service.unit(), service: &service, files: Vec::new() };
            let deeds = machine.with(Receipt::default(), |cx| wanted.settle(cx).unwrap());
            deeds.iter().map(|deed| deed.command().to_string()).collect::<Vec<_>>()
        };
        let machine = Machine::new("{}");
        assert_eq!(hub(&machine)[0], format!("sudo mkdir -p {HUB_GROUPS}"));
        machine.file(&format!("{HUB_GROUPS}/research/current"), "");
        assert!(hub(&machine).iter().all(|command| !command.contains("mkdir")));
    }

    #[test]
    fn what_is_there_stays_and_what_differs_stops_the_service_first() {
        let machine = machine();
        assert_eq!(settled(&machine).len(), 2, "{:?}", settled(&machine));
        machine.file(CONF, "as it was\n");
        let commands = settled(&machine);
        assert_eq!(commands[0], "sudo systemctl stop aitk-mlflow.service");
        assert!(commands[1].ends_with(CONF) && commands.len() == 4, "{commands:?}");
    }

    #[test]
    fn what_may_hold_a_secret_is_for_root_and_who_installs_it() {
        let machine = machine();
        let service = service();
        let settled = || {
            let files = vec![File { private: true, ..file(CONF) }, file(UNIT)];
            let wanted = WantedService { unit: service.unit(), service: &service, files };
            let deeds = machine.with(Receipt::default(), |cx| wanted.settle(cx).unwrap());
            deeds.iter().map(|deed| deed.command().to_string()).collect::<Vec<_>>()
        };
        let put = format!("sudo install -D -m 640 -o root -g 1000 -T /dev/stdin {CONF}");
        // Everybody may read it as it is, though it says what it should.
        assert!(settled().contains(&put), "{:?}", settled());
        Real.write(&machine.path(CONF), b"as it should be\n", 0o640).unwrap();
        assert_eq!(settled().len(), 2, "{:?}", settled());
    }

    #[test]
    fn what_was_kept_is_copied_before_another_program_sees_it_and_comes_back_with_the_last_one() {
        let machine = machine();
        machine.file("/opt/aitk/mlflow/a/wish", "another\n");
        let commands = settled(&machine);
        let backup = "/var/backups/aitk/mlflow-01234567.tar.gz";
        assert_eq!(commands[0], "sudo systemctl stop aitk-mlflow.service");
        assert!(commands[1].ends_with("-m 700 /var/backups/aitk"));
        assert!(commands[2].contains("--directory /var/lib/private"));
        assert!(commands[2].contains(&format!("--file {backup}.new ")));
        assert!(commands[3].ends_with(&format!("--backup=numbered -T {backup}.new {backup}")));
        assert_eq!(commands[4], "sudo ln -sfn b /opt/aitk/mlflow/current");
        let back = on(&machine, Receipt::default(), |cx, wanted| {
            assert_eq!(wanted.backup(cx.system).as_deref(), Some(backup));
            wanted.back("a", Some(backup), cx.system)
        });
        let back: Vec<_> = back.iter().map(|deed| deed.command().to_string()).collect();
        assert_eq!(back[1], "sudo ln -sfn a /opt/aitk/mlflow/current");
        assert!(back[2].ends_with(&format!(" {backup} /var/lib/private/aitk-mlflow")));
        assert_eq!(back.last().unwrap(), "sudo systemctl start aitk-mlflow.service");
    }

    #[test]
    fn pip_gets_names_with_hashes_and_asks_no_index() {
        let machine = Machine::new("{}");
        let package = Package {
            name: "six".to_owned(),
            version: "1".to_owned(),
            sha256: Some("ab".to_owned()),
            ..Package::default()
        };
        let deeds = on(&machine, Receipt::default(), |cx, wanted| {
            wanted.environment().build(cx.system, b"wheels".to_vec(), lines(&[package]))
        });
        let pip = deeds.iter().map(RootAction::command).find(|one| one.argv[0].ends_with("python"));
        let pip = pip.unwrap();
        assert_eq!(pip.input.as_deref(), Some(&b"six==1 --hash=sha256:ab\n"[..]));
        for word in ["--require-hashes", "--no-index", "-I", "/dev/stdin"] {
            assert!(pip.argv.iter().any(|one| one == word), "{word}");
        }
    }

    #[test]
    fn a_file_that_somebody_has_changed_is_not_overwritten() {
        let machine = machine();
        let refused = |machine: &Machine, receipt| {
            on(machine, receipt, |cx, wanted| wanted.refuse_foreign(cx).is_err())
        };
        assert!(!refused(&machine, Receipt::default()));
        machine.file(CONF, "as aitk wrote it\n");
        assert!(refused(&machine, Receipt::default()));
        let noted =
            ReceiptEntry::created(format!("file:{CONF}"), Some(hash_of(b"as aitk wrote it\n")));
        let receipt = machine.with(Receipt::default(), |cx| {
            cx.note("service.mlflow", [noted]);
            cx.receipt()
        });
        assert!(!refused(&machine, receipt.clone()));
        machine.file(CONF, "mine\n");
        assert!(refused(&machine, receipt));
    }

    #[test]
    fn what_is_noted_on_the_machine_is_known_without_a_receipt() {
        let machine = Machine::new("{}");
        assert_eq!(by_notes(machine.system()), []);
        let start = file("/etc/aitk/mlflow/start.sh");
        let others = file("/etc/passwd");
        let foreign = note("mlflow", 1001, std::slice::from_ref(&start));
        machine.file(&foreign.path, &foreign.content);
        assert_eq!(by_notes(machine.system()), []);
        let path = PathBuf::from("/etc/aitk/mlflow/made");
        assert_eq!(of_others(machine.system()), [("mlflow".to_owned(), path)]);
        let note = note("mlflow", 1000, &[start.clone(), others]);
        machine.file(&note.path, &note.content);
        assert_eq!(of_others(machine.system()), []);
        let made = by_notes(machine.system());
        let keys: Vec<_> = made.iter().map(|made| made.key.as_str()).collect();
        let files = ["file:/etc/aitk/mlflow/start.sh", "file:/etc/aitk/mlflow/made"];
        assert_eq!(keys, [files[0], files[1], "service:mlflow"]);
        assert_eq!(made[0].detail, Some(hash_of(start.content.as_bytes())));
    }

    #[test]
    fn a_port_on_which_somebody_listens_is_named_and_a_service_of_ours_is_nobody_else() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        let sockets = format!(
            "{head}\n   0: 0100007F:02D0 00000000:0000 0A 0 0 0 0 0\n   1: 0100007F:02D1 0100007F:E0F2 01 0 0 0 0 0\n"
        );
        let service = ServiceSpec { ports: vec![720, 721, 722], ..service() };
        let taken = |runs: i32| {
            let machine = Machine::new(&format!(
                r#"{{"commands": {{"systemctl is-active --quiet aitk-mlflow.service":
                    {{"status": {runs}, "stdout": "", "stderr": ""}}}}}}"#
            ));
            machine.file("/proc/net/tcp", &sockets);
            machine.file(
                "/proc/net/tcp6",
                &format!("{head}\n   0: {:032}:02D2 {:032}:0000 0A 0\n", 0, 0),
            );
            let wanted =
                WantedService { unit: service.unit(), service: &service, files: Vec::new() };
            wanted.taken_ports(machine.system())
        };
        assert_eq!(taken(3), [720, 722]);
        assert_eq!(taken(0), [0_u16; 0]);
    }

    #[test]
    fn what_does_not_come_back_either_is_named_beside_what_went_wrong() {
        // Nothing can be done on it, so nothing comes back.
        let machine = machine();
        let ended = |back: fn(&WantedService<'_>, &Context<'_>) -> Vec<RootAction>| {
            on(&machine, Receipt::default(), |cx, wanted| {
                let step = step(aitk_plan::step::Service { name: "mlflow".to_owned() });
                let plan = plan(vec![step.clone()]);
                let work = Work { plan: &plan, step: &step, reporter: &Silent, log: no_log() };
                let unwell = ExecError::Unwell {
                    name: "mlflow".to_owned(),
                    unit: wanted.unit.clone(),
                    output: "503".to_owned(),
                };
                let back = back(wanted, cx);
                came_back(cx, &work, &wanted.unit, Err(unwell), &back).unwrap_err()
            })
        };
        let error = ended(|wanted, cx| wanted.back("a", None, cx.system));
        assert_eq!(error.code(), "AITK-X41");
        let ExecError::NotBack { failed, unit, .. } = &error else { panic!("{error:?}") };
        assert_eq!((failed.len(), unit.as_str()), (3, "aitk-mlflow.service"), "each is tried");
        let told = error.message().to_string();
        assert!(told.contains("503") && told.contains("systemctl start"), "{told}");
        let error = ended(|_, _| Vec::new());
        assert!(matches!(error, ExecError::Unwell { .. }), "{error:?}");
    }

    #[test]
    fn its_environment_goes_and_what_it_keeps_is_named() {
        let machine = machine();
        machine.link("/etc/systemd/system/multi-user.target.wants/aitk-mlflow.service", UNIT);
        let thing = Thing::Service("mlflow".to_owned());
        let (commands, note) = step::Service::undo(&thing, None, machine.system()).unwrap();
        let commands: Vec<_> = commands.iter().map(Command::to_string).collect();
        assert!(commands[0].contains("multi-user.target.wants/aitk-mlflow.service"));
        assert!(commands.contains(&"sudo rm -rf -- /opt/aitk/mlflow".to_owned()));
        let note = note.unwrap().to_string();
        assert!(note.contains("/etc/aitk/mlflow/admin /var/lib/aitk-mlflow"), "{note}");
        let nothing = step::Service::undo(&thing, None, Machine::new("{}").system()).unwrap();
        assert_eq!(nothing, (Vec::new(), None));
    }
}
