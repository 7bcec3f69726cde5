//! The builds of the frameworks that every machine of the gallery gets of conda-forge's real records: planned, solved and
//! judged again. The records are a slice of the channel that is too large for this repository: `AITK_CONDA_SLICE` names
//! its folder, `linux-64`, `linux-aarch64` and `noarch` with a `repodata.json` each, and `derived.json` with what no
//! public lock file has. Without it nothing is looked at, which is said.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test looks from outside"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use aitk_detect::Machine;
use aitk_env::{EnvError, Settings, Site, backend};
use aitk_plan::{Accelerator, Catalog, Choices, Lock, Manager, Plan, Profile, plan};
use aitk_system::{Deny, Real};
use serde_json::Value;

const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");
const EXPECTED: &str = "conda-forge.tsv";
const FRAMEWORKS: [(&str, &str); 3] =
    [("pytorch", "pytorch"), ("tensorflow", "tensorflow-base"), ("jax", "jaxlib")];

/// The slice as a channel, with what was derived among the rest.
fn channel(slice: &Path, folder: &Path) -> String {
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let derived = read(&slice.join("derived.json"));
    for subdir in ["linux-64", "linux-aarch64", "noarch"] {
        let mut index = read(&slice.join(subdir).join("repodata.json"));
        for record in derived.as_array().unwrap().iter().filter(|one| one["subdir"] == subdir) {
            let part = |name: &str| record[name].as_str().unwrap();
            let file = format!("{}-{}-{}.conda", part("name"), part("version"), part("build"));
            index["packages.conda"][file] = record.clone();
        }
        fs::create_dir(folder.join(subdir)).unwrap();
        fs::write(folder.join(subdir).join("repodata.json"), index.to_string()).unwrap();
    }
    format!("file://{}", folder.display())
}

fn machines() -> BTreeMap<String, Machine> {
    let folders = fs::read_dir(MACHINES).unwrap().map(|entry| entry.unwrap().path());
    let read = |folder: PathBuf| {
        let facts = fs::read(folder.join("expected.json")).unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        (name, serde_json::from_slice(&facts).unwrap())
    };
    folders.filter(|path| path.is_dir()).map(read).collect()
}

struct Channel {
    catalog: Catalog,
    profile: Profile,
    settings: Settings,
}

impl Channel {
    /// What comes: the kind of accelerator, the build, and the versions of CUDA and cuDNN.
    fn comes(&self, machine: &Machine, plan: &Plan, carrier: &str) -> String {
        let Some(wanted) = plan.environment().filter(|_| plan.framework.is_some()) else {
            return "blocked".to_owned();
        };
        let conda = backend(Manager::Conda);
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
        let lock = match conda.resolve(&site, &wanted.request) {
            Err(EnvError::Unsolvable { .. }) => return "unsolvable".to_owned(),
            lock => lock.unwrap(),
        };
        let build = lock.build.clone().unwrap_or_default();
        let judged = match plan.accelerator.kind.as_str() {
            "none" => None,
            _ => conda.accelerator(&plan.accelerator, &wanted.request.builds, &build),
        };
        let Accelerator { kind, .. } = judged.as_ref().unwrap_or(&plan.accelerator);
        let of = |name: &str| version(&lock, name).unwrap_or_else(|| "-".to_owned());
        assert!(lock.packages().any(|locked| locked.key() == carrier), "no {carrier}");
        [kind, &build, &of(carrier), &of("cuda-version"), &of("libcudnn")]
            .map(|cell| &**cell)
            .join("\t")
    }
}

fn version(lock: &Lock, name: &str) -> Option<String> {
    let locked = lock.packages().find(|locked| locked.key() == name)?;
    Some(locked.package.version.clone())
}

#[test]
fn every_machine_gets_of_real_records_what_computes_on_it() {
    let Some(slice) = std::env::var_os("AITK_CONDA_SLICE").map(PathBuf::from) else {
        eprintln!(
            "NOT LOOKED AT: conda-forge's records. AITK_CONDA_SLICE may name a folder of them."
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let served = folder.path().join("channel");
    fs::create_dir(&served).unwrap();
    let settings = Settings {
        cache: folder.path().join("cache"),
        data: folder.path().join("data"),
        channels: vec![channel(&slice, &served)],
        ..Settings::default()
    };
    let catalog = Catalog::builtin().unwrap();
    let profile = Profile::builtin("low").unwrap();
    let channel = Channel { catalog, profile, settings };
    let mut found = String::from("machine\tframework\tkind\tbuild\tversion\tcuda\tcudnn\n");
    // Machines that ask the same of the same hardware get the same.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for (name, machine) in machines() {
        for (framework, carrier) in FRAMEWORKS {
            let choices = Choices { framework: framework.to_owned(), ..Choices::default() };
            let Channel { catalog, profile, .. } = &channel;
            let plan = plan(&machine, profile, &choices, Manager::Conda, catalog);
            let wanted = plan.environment().map(|wanted| &wanted.request);
            let key = serde_json::json!([
                wanted,
                plan.accelerator.kind,
                plan.framework.is_some(),
                machine.arch,
                machine.kernel,
                machine.libc,
                machine.cpu.level,
            ]);
            let comes = known.entry(key.to_string());
            let comes = comes.or_insert_with(|| channel.comes(&machine, &plan, carrier));
            found += &format!("{name}\t{framework}\t{comes}\n");
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
}
