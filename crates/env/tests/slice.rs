//! The builds of the frameworks that every machine of the gallery gets of conda-forge's real records, with the Python that
//! comes by itself and with the oldest and a newer one: planned, solved, judged again, and the lock judged by py-rattler.
//! The records are a slice of the channel that is too large for this repository: `AITK_CONDA_SLICE` names its folder,
//! `linux-64`, `linux-aarch64` and `noarch` with a `repodata.json` each, and `derived.json` with what no public lock file
//! has. Without it nothing is looked at, which is said; with it py-rattler must be there as well.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::disallowed_macros,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test looks from outside"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aitk_detect::Machine;
use aitk_env::{EnvError, Settings, Site, backend};
use aitk_plan::{Accelerator, Catalog, Choices, EnvironmentRequest, Lock, Manager, Plan, Profile};
use aitk_system::{Deny, Real};
use rattler_conda_types::{MatchSpec, ParseMatchSpecOptions, Version};
use serde_json::{Value, json};

use common::{MACHINES, machines};

const JUDGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/support/rattler/judge");
const EXPECTED: &str = "conda-forge.tsv";
const FRAMEWORKS: [(&str, &str); 3] =
    [("pytorch", "pytorch"), ("tensorflow", "tensorflow-base"), ("jax", "jaxlib")];
const PYTHONS: [Option<&str>; 3] = [None, Some("3.10"), Some("3.13")];
const SUBDIRS: [&str; 3] = ["linux-64", "linux-aarch64", "noarch"];

/// The slice as a channel, with what was derived among the rest, and all that its records want of a machine.
fn channel(slice: &Path, folder: &Path) -> BTreeSet<String> {
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let derived = read(&slice.join("derived.json"));
    let mut wanted = BTreeSet::new();
    for subdir in SUBDIRS {
        let mut index = read(&slice.join(subdir).join("repodata.json"));
        for record in derived.as_array().unwrap().iter().filter(|one| one["subdir"] == subdir) {
            let part = |name: &str| record[name].as_str().unwrap();
            let file = format!("{}-{}-{}.conda", part("name"), part("version"), part("build"));
            index["packages.conda"][file] = record.clone();
        }
        let parts = ["packages", "packages.conda"].map(|part| index[part].as_object());
        for record in parts.into_iter().flatten().flat_map(|records| records.values()) {
            let specs = ["depends", "constrains"].map(|part| record[part].as_array());
            let specs = specs.into_iter().flatten().flatten().filter_map(Value::as_str);
            wanted.extend(specs.filter(|spec| spec.starts_with("__")).map(str::to_owned));
        }
        fs::create_dir_all(folder.join(subdir)).unwrap();
        fs::write(folder.join(subdir).join("repodata.json"), index.to_string()).unwrap();
    }
    wanted
}

/// What a machine has as conda names it: name, version, build. Written from the facts, and not as the program does it.
fn virtual_packages(machine: &Machine, plan: &Plan) -> Vec<[String; 3]> {
    let own = |name: &str, version: &str, build: &str| [name, version, build].map(str::to_owned);
    let kernel = machine.kernel.as_deref().unwrap_or("0").split('-').next().unwrap();
    let mut all = vec![own("__unix", "0", "0"), own("__linux", kernel.trim_end_matches('+'), "0")];
    let libc = machine.libc.as_ref().filter(|libc| libc.family == "glibc");
    if let Some(version) = libc.and_then(|libc| libc.version.as_deref()) {
        all.push(own("__glibc", version, "0"));
    }
    let level = machine.cpu.level.as_deref().filter(|level| level.starts_with("x86-64"));
    let processor = level.map_or_else(|| machine.arch.clone(), |level| level.replace('-', "_"));
    all.push(own("__archspec", "1", &processor));
    let devices = plan.accelerator.gpus.iter().map(|index| &machine.gpus[*index]);
    let mut drivers = devices.filter_map(|gpu| gpu.driver.as_ref()?.cuda.as_deref());
    if let Some(cuda) = drivers.next() {
        all.push(own("__cuda", cuda, "0"));
    }
    all
}

/// Whether a machine has what a record wants of it.
fn has(machine: &[[String; 3]], spec: &str) -> bool {
    let spec = MatchSpec::from_str(spec, ParseMatchSpecOptions::lenient()).unwrap();
    machine.iter().any(|[name, version, build]| {
        let version: Version = version.parse().unwrap();
        spec.name.to_string() == *name
            && spec.version.as_ref().is_none_or(|own| own.matches(&version))
            && spec.build.as_ref().is_none_or(|own| own.matches(build))
    })
}

/// The records with all that is asked of them.
struct Channel {
    catalog: Catalog,
    profile: Profile,
    settings: Settings,
    folder: tempfile::TempDir,
    wanted: BTreeSet<String>,
    /// What came for questions that were asked already.
    known: BTreeMap<String, String>,
    /// The locks that came, each with what py-rattler is to be told.
    locks: Vec<(Lock, Value)>,
}

impl Channel {
    /// None where there are no records, which is said.
    fn open() -> Option<Self> {
        let Some(slice) = std::env::var_os("AITK_CONDA_SLICE").map(PathBuf::from) else {
            eprintln!(
                "NOT LOOKED AT: conda-forge's records. AITK_CONDA_SLICE may name a folder of them."
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let served = folder.path().join("channel");
        let wanted = channel(&slice, &served);
        let settings = Settings {
            cache: folder.path().join("cache"),
            data: folder.path().join("data"),
            channels: vec![format!("file://{}", served.display())],
            ..Settings::default()
        };
        Some(Self {
            catalog: Catalog::builtin().unwrap(),
            profile: Profile::builtin("low").unwrap(),
            settings,
            folder,
            wanted,
            known: BTreeMap::new(),
            locks: Vec::new(),
        })
    }

    fn plan(&self, machine: &Machine, framework: &str, python: Option<&str>) -> Plan {
        let choices = Choices {
            framework: framework.to_owned(),
            python: python.map(str::to_owned),
            ..Choices::default()
        };
        aitk_plan::plan(machine, &self.profile, &choices, Manager::Conda, &self.catalog)
    }

    /// What comes: the kind of accelerator, the build, and the versions of the framework, CUDA and cuDNN; or why nothing.
    fn comes(&mut self, machine: &Machine, plan: &Plan, carrier: &str) -> String {
        let Some(wanted) = plan.environment().filter(|_| plan.framework.is_some()) else {
            let step = plan.step("framework").unwrap();
            return format!("blocked\t{}", step.why.last().unwrap());
        };
        let here = virtual_packages(machine, plan);
        // What asks the same of machines that have the same of what any record wants, gets the same.
        let met: Vec<_> = self.wanted.iter().filter(|spec| has(&here, spec)).collect();
        let cuda = wanted.request.cuda.as_ref().map(|cuda| &cuda.version);
        let asked = EnvironmentRequest { cuda: None, ..wanted.request.clone() };
        let key = json!([asked, cuda, plan.accelerator.kind, machine.arch, met]).to_string();
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let comes = match self.lock(machine, &wanted.request) {
            Err(EnvError::Unsolvable { .. }) => "unsolvable".to_owned(),
            lock => {
                let lock = lock.unwrap();
                let told = told(plan, &lock, &wanted.request, carrier);
                let specs = wanted.request.layers.iter().flat_map(|layer| &layer.requirements);
                let specs: Vec<_> = specs.collect();
                self.locks.push((lock, json!({ "specs": specs, "virtual": here })));
                told
            }
        };
        self.known.insert(key, comes.clone());
        comes
    }

    fn lock(&self, machine: &Machine, request: &EnvironmentRequest) -> Result<Lock, EnvError> {
        let system = Deny(Real);
        let site = Site {
            system: &system,
            local: &Real,
            machine,
            catalog: &self.catalog,
            settings: &self.settings,
            local_settings: &self.settings,
            is_local: false,
            dry: true,
            log: Path::new("/dev/null"),
        };
        backend(Manager::Conda).resolve(&site, request)
    }

    /// What py-rattler has against locks; none where all of them hold.
    fn judged(&self, locks: &[(Lock, Value)]) -> Option<String> {
        let mut cases = Vec::new();
        for (at, (lock, case)) in locks.iter().enumerate() {
            let path = self.folder.path().join(format!("{at}.lock"));
            fs::write(&path, lock.to_text(&[]).unwrap()).unwrap();
            cases.push(json!({ "lock": path, "specs": case["specs"], "virtual": case["virtual"] }));
        }
        let mut judge = Command::new(JUDGE);
        let judge = judge.arg(self.folder.path().join("channel"));
        let mut judge = judge.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        judge.stdin.take().unwrap().write_all(Value::from(cases).to_string().as_bytes()).unwrap();
        let output = judge.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        match output.status.code() {
            Some(0) => {
                assert_eq!(said, format!("{} locks hold\n", locks.len()));
                None
            }
            Some(3) => Some(said),
            code => panic!("NOT JUDGED: the judge of locks ended with {code:?}"),
        }
    }
}

/// The row of the table for a lock.
fn told(plan: &Plan, lock: &Lock, request: &EnvironmentRequest, carrier: &str) -> String {
    let build = lock.build.clone().unwrap_or_default();
    let judged = match plan.accelerator.kind.as_str() {
        "none" => None,
        _ => backend(Manager::Conda).accelerator(&plan.accelerator, &request.builds, &build),
    };
    let Accelerator { kind, .. } = judged.as_ref().unwrap_or(&plan.accelerator);
    let of = |name: &str| {
        let locked = lock.packages().find(|locked| locked.key() == name);
        locked.map_or_else(|| "-".to_owned(), |locked| locked.package.version.clone())
    };
    assert_ne!(of(carrier), "-", "no {carrier}");
    if let Some(python) = &request.python {
        assert_eq!(&lock.target.python, python);
    }
    let cells = [kind, &build, &of(carrier), &of("cuda-version"), &of("libcudnn")];
    cells.map(|cell| &**cell).join("\t")
}

#[test]
fn every_machine_gets_of_real_records_what_computes_on_it() {
    let Some(mut channel) = Channel::open() else { return };
    let mut found = String::from("machine\tframework\tpython\tkind\tbuild\tversion\tcuda\tcudnn\n");
    for (name, machine) in machines() {
        for (framework, carrier) in FRAMEWORKS {
            for python in PYTHONS {
                let plan = channel.plan(&machine, framework, python);
                let comes = channel.comes(&machine, &plan, carrier);
                let python = python.unwrap_or("-");
                found += &format!("{name}\t{framework}\t{python}\t{comes}\n");
            }
        }
    }
    let table = Path::new(MACHINES).join(EXPECTED);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&table, &found).unwrap();
    }
    let expected = fs::read_to_string(&table).unwrap();
    let wrong: Vec<_> =
        found.lines().filter(|line| !expected.lines().any(|own| own == *line)).collect();
    assert!(wrong.is_empty(), "not as {EXPECTED} has it:\n{}", wrong.join("\n"));
    assert_eq!(found.lines().count(), expected.lines().count());
    assert!(channel.locks.len() > 20, "{} locks", channel.locks.len());
    assert_eq!(channel.judged(&channel.locks), None);
}

/// The judge is worth what it refuses.
#[test]
fn py_rattler_refuses_what_is_no_environment() {
    let Some(mut channel) = Channel::open() else { return };
    let machine = &machines()["rtx3060-driver-580"];
    for python in [None, Some("3.10")] {
        let plan = channel.plan(machine, "pytorch", python);
        channel.comes(machine, &plan, "pytorch");
    }
    let [(good, case), (older, _)] = &channel.locks[..] else { panic!("two locks") };
    assert_eq!(channel.judged(&channel.locks), None);
    let refused = |lock: &Lock, case: &Value, words: &str| {
        let said = channel.judged(&[(lock.clone(), case.clone())]).expect(words);
        assert!(said.contains(words), "no {words:?} in {said}");
    };
    let edited = |edit: &dyn Fn(&mut Vec<aitk_plan::Locked>)| {
        let mut lock = good.clone();
        lock.layers.iter_mut().for_each(|layer| edit(&mut layer.packages));
        lock
    };
    let without = |name: &'static str| edited(&move |all| all.retain(|one| one.key() != name));
    refused(&without("libcudnn"), case, "needs libcudnn");
    refused(&without("pytorch"), case, "pytorch was asked for, and is not there");
    // Exchanged for a real record that goes with another Python.
    let other = older.packages().find(|locked| locked.key() == "python").unwrap();
    let exchanged = edited(&|all| {
        all.iter_mut().filter(|one| one.key() == "python").for_each(|one| *one = other.clone());
    });
    refused(&exchanged, case, "needs python");
    let forged = edited(&|all| {
        for one in all.iter_mut().filter(|one| one.key() == "pytorch") {
            one.package.record.as_mut().unwrap()["depends"] = json!([]);
        }
    });
    refused(&forged, case, "has other depends in the channel");
    // A machine without a GPU, and one with a C library that is too old.
    let less = |name: &str| {
        let all = case["virtual"].as_array().unwrap().iter().filter(|own| own[0] != name);
        json!({ "specs": case["specs"], "virtual": all.collect::<Vec<_>>() })
    };
    refused(good, &less("__cuda"), "needs __cuda");
    refused(good, &less("__glibc"), "needs __glibc");
}
