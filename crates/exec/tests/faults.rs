//! What a kill leaves behind. A second process of this program does what a command does, and is killed with all its
//! children at a random instant; then the environment in use still works, nothing half-made is taken for whole, the same
//! command again comes to its end, the receipt is true, and the user's files are as before.
//!
//! `AITK_TEST_ROUNDS` says how many kills, `AITK_TEST_SEED` repeats the instants of an earlier run. `scripts/soak` runs many.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::disallowed_macros,
    clippy::print_stdout,
    reason = "tests look from outside, and say what was hit"
)]

mod common;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use aitk_env::State;
use aitk_exec::{
    Around, Keeps, Places, clean, cleaning, interrupted_run, note_by_marks, removal, take_all_away,
};
use aitk_system::{Real, System};

use common::{Home, Sick};

/// What is killed, in turns.
const COMMANDS: [&str; 7] = ["first", "apply", "add", "upgrade", "rollback", "clean", "remove"];
/// Kills in the tests; the soak asks for more.
const ROUNDS: usize = 21;

/// The packages of the user's own that are wished for with a command.
fn own(command: &str) -> Vec<String> {
    if command == "add" { vec!["more".to_owned()] } else { Vec::new() }
}

/// Does what a command does.
fn perform(home: &Home, command: &str) {
    match command {
        "first" | "apply" | "add" => home.apply(false),
        "upgrade" => home.upgrade(),
        // Whoever asks again once it is done is told that there is nothing to do.
        "rollback" if home.environments().before(&Real).is_none() => {}
        "rollback" => assert!(home.go_back(None).unwrap().failure.is_none()),
        "clean" => with_around(home, |around| {
            let keeps = Keeps { generations: 1, no_cache: false, older: None };
            let found = cleaning(around, keeps);
            assert_eq!(clean(around, &found, &mut home.receipt()).unwrap().len(), 0);
        }),
        "remove" => with_around(home, |around| {
            let mut receipt = home.receipt();
            note_by_marks(&mut receipt, around.places, &Real);
            let removal = removal(&receipt, around.places, &Real);
            let failed = take_all_away(&Real, &removal, around.places, receipt, around.state);
            assert_eq!(failed.unwrap().len(), 0);
        }),
        _ => panic!("{command}"),
    }
}

fn with_around<T>(home: &Home, act: impl FnOnce(&Around<'_>) -> T) -> T {
    let Home { machine, catalog, settings, .. } = home;
    let places = Places::new(&machine.folders, &settings.data, []);
    let (state, arch) = (&*machine.folders.state, &*machine.arch);
    act(&Around { system: &Real, settings, state, places: &places, catalog, arch })
}

/// The process that is killed; in an ordinary run of the tests it does nothing.
#[test]
fn child() {
    let said = |name: &str| env::var(name).ok();
    if let (Some(command), Some(folder), Some(index)) =
        (said("AITK_FAULT_COMMAND"), said("AITK_FAULT_HOME"), said("AITK_FAULT_INDEX"))
    {
        let mut home = Home::joined(Path::new(&folder), &index);
        home.choices.packages = own(&command);
        let kept = said("AITK_FAULT_KEPT").unwrap_or_default();
        let kept = Path::new(&kept);
        match &*command {
            "full" => {
                fill_the_disk(&home, kept, Limit::Size);
                fill_the_disk(&home, kept, Limit::Inodes);
                fill_each_folder(&home, kept);
            }
            "quota" => fill_the_disk(&home, kept, Limit::Quota),
            "network" => lose_packets(&Home::new(&home.folder)),
            "broken" => turn_bad(&home, kept, Turn::Broken),
            "read-only" => turn_bad(&home, kept, Turn::ReadOnly),
            command => perform(&home, command),
        }
    }
}

/// A home that is put back as it was before each kill.
struct Lab {
    home: Home,
    kept: PathBuf,
    /// How long each command takes undisturbed.
    takes: BTreeMap<&'static str, Duration>,
    /// What was hit, and how often.
    hit: BTreeMap<String, usize>,
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

impl Lab {
    /// Three generations, with the oldest in use or not, and files of the user's own.
    fn new(folder: &Path, kept: &Path) -> Self {
        let home = Home::new(&folder.join("home"));
        fs::create_dir_all(home.folder.join("work")).unwrap();
        fs::write(home.folder.join("work/thesis.txt"), "mine").unwrap();
        fs::write(home.folder.join(".bashrc"), "# mine\n").unwrap();
        let lab =
            Self { home, kept: kept.to_owned(), takes: BTreeMap::new(), hit: BTreeMap::new() };
        lab.keep("empty");
        lab.home.wish("one");
        lab.home.apply(false);
        for version in ["2.0", "3.0"] {
            lab.home.publish("toolz", version);
            lab.home.upgrade();
        }
        lab.home.publish("six", "4.0");
        lab.home.publish("more", "1.0");
        lab.keep("full");
        lab
    }

    fn keep(&self, name: &str) {
        fs::create_dir_all(&self.kept).unwrap();
        copy(&self.home.folder, &self.kept.join(name));
    }

    /// As it was, for a command.
    fn put_back(&self, command: &str) {
        let name = if command == "first" { "empty" } else { "full" };
        copy(&self.kept.join(name), &self.home.folder);
        if command == "apply" {
            // Something to mend, and a step that has to be done again.
            fs::remove_file(self.home.site("six.py")).unwrap();
            fs::remove_file(self.home.kernel()).unwrap();
        }
    }

    fn measure(&mut self) {
        for command in COMMANDS {
            self.put_back(command);
            let since = Instant::now();
            let done = self.start(command).wait().unwrap();
            assert!(done.success(), "{command}");
            self.takes.insert(command, since.elapsed());
        }
    }

    /// Starts it in a session of its own, by which all its children are found.
    fn start(&self, command: &str) -> Child {
        let index = self.home.settings.index_url.clone().unwrap();
        Command::new("setsid")
            .arg(env::current_exe().unwrap())
            .args(["--exact", "child", "--test-threads", "1"])
            .env("AITK_FAULT_COMMAND", command)
            .env("AITK_FAULT_HOME", &self.home.folder)
            .env("AITK_FAULT_INDEX", index)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// One kill, and what is to be true after it. Whether it met the command under way.
    fn round(&mut self, command: &'static str, at: f64) -> bool {
        let wait = self.takes[command].mul_f64(at);
        self.killed(command, &format!("{at:.3}"), |_| sleep(wait))
    }

    /// One kill in a step: some time after the journal says that it has begun.
    fn round_in(&mut self, command: &'static str, step: &str, after: Duration) -> bool {
        let state = self.home.machine.folders.state.clone();
        self.put_back(command);
        let earlier = begun(&state, step);
        let mut met = false;
        let ended = !self.killed(command, step, |child| {
            while begun(&state, step) <= earlier && child.try_wait().unwrap().is_none() {
                sleep(Duration::from_micros(200));
            }
            sleep(after);
            met = is_open(&state, step);
        });
        met && !ended
    }

    /// A kill after this wait, and what is to be true after it.
    fn killed(&mut self, command: &'static str, at: &str, wait: impl FnOnce(&mut Child)) -> bool {
        self.put_back(command);
        self.home.choices.packages = own(command);
        let mut child = self.start(command);
        wait(&mut child);
        let ended = child.try_wait().unwrap().is_some();
        kill_all(child.id());
        child.wait().unwrap();
        let place = match (ended, interrupted_run(&self.home.machine.folders.state, &Real)) {
            (true, _) => "ended".to_owned(),
            (false, Some(run)) => run.at.to_string(),
            (false, None) => "outside of a run".to_owned(),
        };
        *self.hit.entry(format!("{command}: {place}")).or_default() += 1;
        let why = format!("{command} killed at {at} ({place})");
        self.what_is_in_use_works(&why, command);
        self.nothing_half_made_is_whole(&why);
        perform(&self.home, command);
        self.it_has_converged(&why, command);
        self.what_is_aitks_is_known(&why);
        !ended
    }

    fn what_is_in_use_works(&self, why: &str, command: &str) {
        let home = &self.home;
        let there = home.environments().current(&Real);
        if there.is_none() {
            assert!(matches!(command, "first" | "remove"), "{why}: nothing is in use");
            return;
        }
        // What `apply` is to mend was broken before.
        let modules = if command == "apply" { "toolz" } else { "six, toolz" };
        let mut python = Command::new(home.link().join("bin/python"));
        let output = python.args(["-c", &format!("import {modules}")]).output().unwrap();
        assert!(output.status.success(), "{why}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn nothing_half_made_is_whole(&self, why: &str) {
        let home = &self.home;
        for generation in home.environments().all(&Real) {
            if home.environments().in_use(&Real, &generation) {
                continue;
            }
            if generation.record(&Real).is_some() {
                let state = generation.state(&Real).unwrap();
                assert_eq!(
                    state,
                    State::Whole,
                    "{why}: {} says that it is whole",
                    generation.folder()
                );
            }
        }
        assert_eq!(
            fs::read_to_string(home.folder.join("work/thesis.txt")).unwrap(),
            "mine",
            "{why}"
        );
        assert_eq!(fs::read_to_string(home.folder.join(".bashrc")).unwrap(), "# mine\n", "{why}");
    }

    fn it_has_converged(&self, why: &str, command: &str) {
        let home = &self.home;
        if command == "remove" {
            assert_eq!(self.left(), [""; 0], "{why}");
            return;
        }
        assert!(home.verify(true).is_empty(), "{why}: {:?}", home.verify(true));
        assert!(!home.has_to_do(true), "{why}: there is still something to do");
        let history = home.environments().history(&Real);
        assert_eq!(history.last().unwrap().to, home.generation().folder(), "{why}: {history:?}");
        if command == "clean" {
            with_around(home, |around| {
                let keeps = Keeps { generations: 1, no_cache: false, older: None };
                assert!(cleaning(around, keeps).is_empty(), "{why}");
            });
        }
    }

    /// What is left of aitk's after it was taken away; the folder itself may be the user's.
    fn left(&self) -> Vec<String> {
        (&Real as &dyn System).list(&self.home.settings.data).unwrap_or_default()
    }

    /// Whatever was noted or not when it was killed, it knows what is its own.
    fn what_is_aitks_is_known(&self, why: &str) {
        perform(&self.home, "remove");
        assert_eq!(self.left(), [""; 0], "{why}");
        assert!(!self.home.folder.join("jupyter/kernels/aitk-ai").exists(), "{why}");
        assert_eq!(fs::read_to_string(self.home.folder.join("work/thesis.txt")).unwrap(), "mine");
    }
}

/// How often the journals say that a step has begun.
fn begun(state: &Path, step: &str) -> usize {
    journals(state).matches(&format!(r#""event":"step_started","step":"{step}""#)).count()
}

/// Whether the last that the journals say of a step is that it has begun.
fn is_open(state: &Path, step: &str) -> bool {
    let journals = journals(state);
    let of_it = |line: &&str| line.contains(&format!(r#""step":"{step}""#));
    journals.lines().rfind(of_it).is_some_and(|line| line.contains("step_started"))
}

/// All journals, the oldest first.
fn journals(state: &Path) -> String {
    let runs = state.join("runs");
    let names = (&Real as &dyn System).list(&runs).unwrap_or_default();
    let text = |name| fs::read_to_string(runs.join(name).join("journal.jsonl")).unwrap_or_default();
    names.into_iter().map(text).collect()
}

/// Kills a session: the program first, then whatever it has started.
fn kill_all(session: u32) {
    let kill = |pid: &str| {
        let _ = Command::new("kill").args(["-KILL", pid]).stderr(Stdio::null()).status();
    };
    kill(&session.to_string());
    loop {
        let all = (&Real as &dyn System).list(Path::new("/proc")).unwrap();
        let of_it = |pid: &&String| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let fields: Vec<_> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
            fields.get(3) == Some(&&*session.to_string()) && fields.first() != Some(&"Z")
        };
        let left: Vec<_> = all.iter().filter(of_it).collect();
        if left.is_empty() {
            return;
        }
        left.into_iter().for_each(|pid| kill(pid));
    }
}

/// Numbers that repeat with their seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[test]
fn a_kill_at_any_instant_loses_nothing() {
    let number = |name: &str| env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let rounds = number("AITK_TEST_ROUNDS").map_or(ROUNDS, |rounds| rounds as usize);
    let clock = || Real.now().as_nanosecond() as u64;
    let seed = number("AITK_TEST_SEED").unwrap_or_else(clock);
    println!("seed: AITK_TEST_SEED={seed}");
    let folder = tempfile::tempdir().unwrap();
    let kept = tempfile::tempdir().unwrap();
    let mut lab = Lab::new(folder.path(), kept.path());
    lab.measure();
    let mut dice = Dice(seed);
    for round in 0..rounds {
        let command = COMMANDS[round % COMMANDS.len()];
        // One instant in each of as many equal parts of the whole time.
        let part = (round / COMMANDS.len()) as f64;
        let parts = rounds.div_ceil(COMMANDS.len()) as f64;
        let mut at = (part + dice.next()) / parts;
        // A command that had ended by then was quicker than when it was measured; it is met earlier.
        while !lab.round(command, at) {
            at *= 0.6;
        }
    }
    for (command, takes) in &lab.takes {
        println!("{command} takes {:.2} s undisturbed", takes.as_secs_f64());
    }
    for (place, count) in &lab.hit {
        println!("{count:5} × {place}");
    }
}

/// The steps that a command has to do.
const STEPS: [(&str, &[&str]); 5] = [
    ("first", &["manager.uv", "environment", "libraries", "activate", "kernel"]),
    ("apply", &["libraries", "kernel"]),
    ("add", &["environment", "libraries", "packages", "activate"]),
    ("upgrade", &["environment", "libraries", "activate"]),
    ("rollback", &["activate"]),
];

/// Each is killed in the middle of each step, however short it is.
#[test]
fn a_kill_in_every_step_of_every_run_loses_nothing() {
    let (folder, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut lab = Lab::new(folder.path(), kept.path());
    let soak = env::var("AITK_TEST_ROUNDS").ok().and_then(|rounds| rounds.parse().ok());
    let rounds: usize = soak.map_or(1, |rounds: usize| rounds.div_ceil(50));
    for (command, steps) in STEPS {
        for step in steps {
            let mut met = 0;
            for tries in 0..rounds * 30 {
                // Later and later into it, and from its beginning again where it was over by then.
                let after = Duration::from_micros(300 * (tries as u64 % 10));
                met += usize::from(lab.round_in(command, step, after));
                if met == rounds {
                    break;
                }
            }
            println!("{met:5} × {command}, in {step}");
            assert!(met > 0, "no kill met {step} of {command}");
        }
    }
}

#[test]
fn a_source_that_lies_or_is_gone_changes_nothing_and_what_was_asked_for_comes_with_it_again() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let refuses = [429, 500, 503].map(Sick::Refuses);
    let all = [Sick::Silent, Sick::Short, Sick::Changed, Sick::Portal].into_iter().chain(refuses);
    for (number, sick) in all.enumerate() {
        let before = home.generation();
        home.publish("toolz", &format!("{}.0", number + 2));
        *home.health.lock().unwrap() = Some(sick);
        let since = Instant::now();
        let summary = home.try_with(|cx| cx.fresh = true);
        let took = since.elapsed();
        let (step, error) =
            summary.failure.unwrap_or_else(|| panic!("{sick:?} was taken for good"));
        println!("{sick:?}: {:.1} s, {step}: {error}", took.as_secs_f64());
        assert!(took < Duration::from_secs(120), "{sick:?} is waited for {took:?}");
        assert_eq!(home.generation(), before, "{sick:?}");
        assert!(!home.has_to_do(true), "{sick:?}: what is in use is not whole");
        *home.health.lock().unwrap() = None;
        home.upgrade();
        assert_ne!(home.generation(), before, "{sick:?}");
        assert!(home.verify(true).is_empty(), "{sick:?}");
    }
}

/// Ten kilobytes a second are no fault.
#[test]
fn a_slow_source_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path());
    home.apply(false);
    let before = home.generation();
    home.publish_large("toolz", "2.0", 60_000);
    *home.health.lock().unwrap() = Some(Sick::Slow);
    home.upgrade();
    assert_ne!(home.generation(), before);
    assert!(home.verify(true).is_empty());
}

/// What a disk has only so much of.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Limit {
    /// Room, on a disk of memory.
    Size,
    /// Files, on a disk of memory.
    Inodes,
    /// Room for its user, on one of btrfs: a subvolume's, for where it is used up it cannot be changed from there.
    Quota,
}

/// The whole disk of which the user has a part.
fn whole_disk() -> String {
    format!("{}.all", env::var("AITK_FAULT_IMAGE").unwrap())
}

impl Limit {
    /// So much is taken.
    fn used(self, disk: &Path) -> u64 {
        let disk = disk.to_str().unwrap();
        let (column, words): (_, &[&str]) = match self {
            Self::Size => (0, &["df", "--output=used", "-B", "1", disk]),
            Self::Inodes => (0, &["df", "--output=iused", "-B", "1", disk]),
            Self::Quota => (1, &["btrfs", "qgroup", "show", "--raw", "--sync", &whole_disk()]),
        };
        let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.lines().last().unwrap_or_else(|| panic!("{self:?}: nothing is said"));
        last.split_whitespace().nth(column).unwrap().parse().unwrap()
    }

    /// There is so much from now on, or as much as anybody wants.
    fn set(self, disk: &Path, to: Option<u64>) {
        let disk = disk.to_str().unwrap();
        let remount = |option: &str, plenty: u64| {
            let option = format!("remount,{option}={}", to.unwrap_or(plenty));
            ["mount", "-o", &option, disk].map(str::to_owned).to_vec()
        };
        let words = match self {
            Self::Size => remount("size", 1 << 30),
            Self::Inodes => remount("nr_inodes", 1 << 20),
            Self::Quota => {
                let most = to.map_or("none".to_owned(), |to| to.to_string());
                ["btrfs", "qgroup", "limit", &most, "0/256", &whole_disk()]
                    .map(str::to_owned)
                    .into()
            }
        };
        assert!(Command::new(&words[0]).args(&words[1..]).status().unwrap().success(), "{words:?}");
    }

    /// Whether that is what is told.
    fn is_told(self, said: &str) -> bool {
        match self {
            Self::Size => said.contains("no space is left"),
            // Some is what the system said when a program could not be started.
            Self::Inodes => true,
            Self::Quota => {
                said.contains("Disk quota exceeded (os error 122)") && !said.contains(".aitk-")
            }
        }
    }
}

/// What becomes of the packets that this machine sends to itself.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Packets {
    /// One in five is lost.
    Lost,
    /// Every connection is broken off for a moment.
    Reset,
    /// None comes through, from now on.
    Gone,
}

impl Packets {
    fn rule(self, change: &str) {
        let rule: &[&str] = match self {
            Self::Lost => &["-m", "statistic", "--mode", "random", "--probability", "0.2"],
            Self::Reset => &["-p", "tcp", "-m", "tcp", "--tcp-flags", "RST", "NONE"],
            Self::Gone => &[],
        };
        let then: &[&str] = match self {
            Self::Lost | Self::Gone => &["DROP"],
            Self::Reset => &["REJECT", "--reject-with", "tcp-reset"],
        };
        let mut command = Command::new("iptables");
        command.args(["--wait", change, "INPUT", "-i", "lo"]).args(rule).arg("-j").args(then);
        assert!(command.status().unwrap().success(), "{command:?}");
    }
}

/// An upgrade with a network of its own that is not well: it comes to its end, or ends with one error once it is plain that
/// nothing more comes, and then goes on with what had come.
fn lose_packets(home: &Home) {
    let parts = home.settings.cache.join("parts");
    let under_way = || {
        let parts = fs::read_dir(&parts).into_iter().flatten().flatten();
        parts.into_iter().any(|part| part.metadata().is_ok_and(|part| part.len() > 0))
    };
    home.apply(false);
    for (to, packets) in [("2.0", Packets::Lost), ("3.0", Packets::Reset), ("4.0", Packets::Gone)] {
        let before = home.generation();
        home.publish_large("toolz", to, 60_000);
        if packets == Packets::Lost {
            packets.rule("-A");
        } else {
            // Long enough under way that its middle can be met.
            *home.health.lock().unwrap() = Some(Sick::Slow);
        }
        let summary = std::thread::scope(|scope| {
            scope.spawn(|| {
                if packets != Packets::Lost {
                    (0..12_000)
                        .take_while(|_| !under_way())
                        .for_each(|_| sleep(Duration::from_millis(10)));
                    packets.rule("-A");
                }
                if packets == Packets::Reset {
                    sleep(Duration::from_millis(300));
                    packets.rule("-D");
                }
            });
            home.try_with(|cx| cx.fresh = true)
        });
        if packets != Packets::Reset {
            packets.rule("-D");
        }
        let said = summary.failure.map(|(step, error)| format!("{step}: {error}"));
        println!("{packets:?}: {}", said.as_deref().unwrap_or("done"));
        assert_eq!(said.is_some(), packets == Packets::Gone, "{packets:?}: {said:?}");
        assert!(said.is_none_or(|said| said.ends_with("nothing came for too long")));
        assert_eq!(home.generation() == before, packets == Packets::Gone);
        *home.health.lock().unwrap() = None;
        home.upgrade();
        assert_ne!(home.generation(), before, "{packets:?}");
        assert!(home.verify(true).is_empty() && !home.has_to_do(true), "{packets:?}");
    }
}

/// What is short: the disk of the home, or one that a single folder of aitk's has to itself.
struct ShortDisk {
    disk: PathBuf,
    is_apart: bool,
}

impl ShortDisk {
    /// The home as it was, with a folder on a disk of its own where one is named.
    fn new(home: &Home, kept: &Path, apart: Option<&Path>) -> Self {
        copy(kept, &home.folder);
        let Some(folder) = apart else {
            return Self { disk: home.folder.parent().unwrap().to_owned(), is_apart: false };
        };
        let script = "mv \"$1\" \"$1.aside\" && mkdir -p \"$1\" && mount -t tmpfs -o size=1g tmpfs \"$1\" && \
                      cp -a \"$1.aside/.\" \"$1\" && rm -r \"$1.aside\"";
        let done = Command::new("sh").args(["-c", script, "sh"]).arg(folder).status().unwrap();
        assert!(done.success());
        Self { disk: folder.to_owned(), is_apart: true }
    }
}

impl Drop for ShortDisk {
    fn drop(&mut self) {
        if self.is_apart {
            let done = Command::new("umount").arg(&self.disk).status();
            assert!(std::thread::panicking() || done.unwrap().success());
        }
    }
}

/// On a disk that has as much as each tenth of what an upgrade needs: it fails with a word and loses nothing, and goes on
/// once there is enough.
fn fill_the_disk(home: &Home, kept: &Path, limit: Limit) {
    let met = tenths(home, kept, limit, None, 0..10);
    assert!(met > 0, "{limit:?}: none met the upgrade");
}

/// The same with a disk for each folder of aitk's, every third tenth.
fn fill_each_folder(home: &Home, kept: &Path) {
    for folder in [&home.settings.data, &home.settings.cache, &home.machine.folders.state] {
        let met = tenths(home, kept, Limit::Size, Some(folder), (0..10).step_by(3));
        assert!(met > 0, "{}: none met the upgrade", folder.display());
    }
}

/// How many of these tenths met the upgrade.
fn tenths(
    home: &Home,
    kept: &Path,
    limit: Limit,
    apart: Option<&Path>,
    tenths: impl Iterator<Item = u64>,
) -> usize {
    let short = ShortDisk::new(home, kept, apart);
    let before = limit.used(&short.disk);
    home.upgrade();
    let need = limit.used(&short.disk) - before;
    drop(short);
    let refused = |tenth: &u64| {
        let short = ShortDisk::new(home, kept, apart);
        is_refused(home, &short.disk, limit, need * tenth / 10)
    };
    tenths.filter(refused).count()
}

/// Whether an upgrade is refused so much more than there is.
fn is_refused(home: &Home, disk: &Path, limit: Limit, more: u64) -> bool {
    let there = home.generation();
    let tenth = limit.used(disk) + more;
    limit.set(disk, Some(tenth));
    let said = match home.attempt(|cx| cx.fresh = true) {
        Ok(summary) => summary.failure.map(|(step, error)| format!("{step}: {error}")),
        Err(error) => Some(error.to_string()),
    };
    println!("{limit:?} of {tenth}: {}", said.as_deref().unwrap_or("done"));
    if let Some(said) = &said {
        // The receipt is written a last time when the new one is in use, whole and proven.
        let is_noted_last = disk == home.machine.folders.state && said.ends_with("receipt.json");
        assert!(home.generation() == there || is_noted_last, "{tenth}: {said}");
        assert!(limit.is_told(said), "{limit:?} of {tenth}: {said}");
    }
    let mut python = Command::new(home.link().join("bin/python"));
    assert!(python.args(["-Bc", "import six, toolz"]).status().unwrap().success(), "{tenth}");
    for generation in home.environments().all(&Real) {
        let whole =
            generation.record(&Real).is_none() || generation.state(&Real).unwrap() == State::Whole;
        assert!(whole, "{tenth}: {} says that it is whole", generation.folder());
    }
    limit.set(disk, None);
    home.upgrade();
    assert_ne!(home.generation(), there, "{tenth}");
    assert!(home.verify(true).is_empty() && !home.has_to_do(true), "{tenth}");
    assert_eq!(fs::read_to_string(home.folder.join("work/thesis.txt")).unwrap(), "mine");
    said.is_some()
}

/// What becomes of a disk in the middle of an upgrade.
#[derive(Clone, Copy, PartialEq)]
enum Turn {
    /// It can only be read.
    ReadOnly,
    /// It answers everything with an error, and what it had not confirmed is gone.
    Broken,
}

impl Turn {
    /// Whether it has become so now: while a file is being written a disk cannot be made one that can only be read.
    fn happens(self, disk: &Path) -> bool {
        // EXT4_IOC_SHUTDOWN, without writing its journal.
        const SHUT: &str = "import fcntl, os, struct, sys\n\
            fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";
        let mut command = match self {
            Self::ReadOnly => Command::new("mount"),
            Self::Broken => Command::new("python3"),
        };
        match self {
            Self::ReadOnly => command.args(["-o", "remount,ro"]),
            Self::Broken => command.args(["-c", SHUT]),
        };
        command.arg(disk).stderr(Stdio::null()).status().unwrap().success()
    }

    fn is_over(self, disk: &Path) {
        let mount = |words: &[&str]| {
            assert!(Command::new("mount").args(words).arg(disk).status().unwrap().success());
        };
        match self {
            Self::ReadOnly => mount(&["-o", "remount,rw"]),
            Self::Broken => {
                assert!(Command::new("umount").arg(disk).status().unwrap().success());
                mount(&["-o", "loop", &env::var("AITK_FAULT_IMAGE").unwrap()]);
            }
        }
    }

    /// What is said of it.
    fn word(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Broken => "input/output error",
        }
    }
}

/// On a disk of which that becomes at some tenth of an upgrade: it ends with a word, loses nothing, and goes on once the disk
/// is well again.
fn turn_bad(home: &Home, kept: &Path, turn: Turn) {
    copy(kept, &home.folder);
    let since = Instant::now();
    home.upgrade();
    let takes = since.elapsed();
    let disk = home.folder.parent().unwrap();
    let mut met = 0;
    for tenth in 0..10 {
        copy(kept, &home.folder);
        assert!(Command::new("sync").arg("-f").arg(disk).status().unwrap().success());
        let there = home.generation();
        let summary = std::thread::scope(|scope| {
            scope.spawn(|| {
                sleep(takes * tenth / 10);
                while !turn.happens(disk) {
                    sleep(Duration::from_micros(500));
                }
            });
            home.attempt(|cx| cx.fresh = true)
        });
        let said = match summary {
            Ok(summary) => summary.failure.map(|(step, error)| format!("{step}: {error}")),
            Err(error) => Some(error.to_string()),
        };
        println!("{} after {tenth} tenths: {}", turn.word(), said.as_deref().unwrap_or("done"));
        if let Some(said) = &said {
            met += 1;
            assert!(said.to_lowercase().contains(turn.word()), "{tenth}: {said}");
        }
        if turn == Turn::Broken {
            turn.is_over(disk);
        }
        let mut python = Command::new(home.link().join("bin/python"));
        assert!(python.args(["-Bc", "import six, toolz"]).status().unwrap().success(), "{tenth}");
        if turn == Turn::ReadOnly {
            turn.is_over(disk);
        }
        home.upgrade();
        assert_ne!(home.generation(), there, "{tenth}");
        assert!(home.verify(true).is_empty() && !home.has_to_do(true), "{tenth}");
        assert_eq!(fs::read_to_string(home.folder.join("work/thesis.txt")).unwrap(), "mine");
    }
    assert!(met > 0, "none met the upgrade under way");
}

#[test]
fn a_disk_that_is_full_at_any_tenth_of_the_need_loses_nothing() {
    on_a_disk_of_its_own("full");
}

#[test]
fn a_disk_that_can_only_be_read_from_any_instant_on_loses_nothing() {
    on_a_disk_of_its_own("read-only");
}

#[test]
fn a_disk_that_fails_from_any_instant_on_loses_nothing() {
    on_a_disk_of_its_own("broken");
}

#[test]
fn a_quota_that_is_used_up_at_any_tenth_of_the_need_loses_nothing() {
    on_a_disk_of_its_own("quota");
}

#[test]
fn a_network_that_loses_packets_breaks_connections_or_goes_away_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        println!("NOT LOOKED AT: a network that loses packets. Only root can have one of its own.");
        return;
    }
    // The packets of a real network, not the 64 kB of this machine's own.
    let script = "ip link set lo up mtu 1500 && exec \"$1\" --exact child --nocapture";
    let done = Command::new("unshare")
        .args(["--net", "sh", "-c", script, "sh"])
        .arg(env::current_exe().unwrap())
        .env("AITK_FAULT_COMMAND", "network")
        .env("AITK_FAULT_HOME", folder.path().join("home"))
        .env("AITK_FAULT_INDEX", "")
        .status()
        .unwrap();
    assert!(done.success());
}

/// Does it in a process with a disk of its own below its home.
fn on_a_disk_of_its_own(fault: &str) {
    let (folder, kept) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // Only root can have a disk of its own.
    if fs::metadata(folder.path()).unwrap().uid() != 0 {
        println!("NOT LOOKED AT: a disk that is {fault}. Only root can have one of its own.");
        return;
    }
    let lab = Lab::new(folder.path(), kept.path());
    if fault == "quota" {
        // btrfs sets aside some hundred kB for each change, so that less would be refused at once.
        lab.home.publish_large("toolz", "4.0", 3_000_000);
    }
    let image = kept.path().join("image");
    // Of memory, but for one that fails, which only ext4 can be told to, and for one with a quota.
    let script = match fault {
        "broken" => {
            "truncate -s 1G \"$3\" && mkfs.ext4 -q -F \"$3\" && mount -o loop \"$3\" \"$1\""
        }
        "quota" => {
            "truncate -s 1G \"$3\" && mkfs.btrfs -q -f \"$3\" && mkdir \"$3.all\" && \
             mount -o loop \"$3\" \"$3.all\" && btrfs quota enable \"$3.all\" && \
             btrfs subvolume create \"$3.all/of-user\" && mount --bind \"$3.all/of-user\" \"$1\""
        }
        _ => "mount -t tmpfs -o size=1g tmpfs \"$1\"",
    };
    let script = format!("{script} && exec \"$2\" --exact child --nocapture");
    let done = Command::new("unshare")
        .args(["--mount", "sh", "-c", &script, "sh"])
        .args([folder.path(), &env::current_exe().unwrap(), &image])
        .env("AITK_FAULT_IMAGE", &image)
        .env("AITK_FAULT_COMMAND", fault)
        .env("AITK_FAULT_HOME", &lab.home.folder)
        .env("AITK_FAULT_INDEX", lab.home.settings.index_url.as_ref().unwrap())
        .env("AITK_FAULT_KEPT", kept.path().join("full"))
        .status()
        .unwrap();
    assert!(done.success());
}
