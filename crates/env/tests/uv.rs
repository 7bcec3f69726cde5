//! uv from a configured index, on loopback: found by the simple API, checked by its hash, put into aitk's own place.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use aitk_detect::{Disk, Machine};
use aitk_env::{EnvError, FetchProgress, Settings, Site, backend, fetch_uv, find_uv, install_uv};
use aitk_plan::{Catalog, Locked, Manager, Package, Wheel};
use aitk_system::{Command, Failure, Real, System};
use sha2::{Digest, Sha256};

const FILE: &str = "uv-9.9.9-py3-none-any.whl";

/// A wheel like uv's: its program says its version.
fn wheel() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    // It is made twice, and must not tell when.
    let options = zip::write::SimpleFileOptions::default();
    let options = options.last_modified_time(zip::DateTime::default());
    zip.start_file("uv-9.9.9.data/scripts/uv", options).unwrap();
    zip.write_all(b"#!/bin/sh\necho uv 9.9.9\n").unwrap();
    zip.finish().unwrap().into_inner()
}

/// An index that has the project `uv`, in the form of PEP 691 or of PEP 503.
fn index(json: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let request = lines.next().unwrap().unwrap();
            while !lines.next().unwrap().unwrap().is_empty() {}
            let path = request.split(' ').nth(1).unwrap().to_owned();
            let (status, kind, body) = match (path.as_str(), json) {
                ("/simple/uv/", true) | ("/closed/uv/?token=s3cret", _) => {
                    let page = format!(
                        r#"{{"files": [{{"filename": "{FILE}", "url": "../../f/{FILE}"}}]}}"#
                    );
                    (200, "application/vnd.pypi.simple.v1+json", page.into_bytes())
                }
                ("/simple/uv/", false) => {
                    let page = format!("<html><a href=\"/f/{FILE}#sha256=0\">{FILE}</a></html>");
                    (200, "text/html", page.into_bytes())
                }
                (path, _) if path.split('?').next() == Some(&format!("/f/{FILE}")) => {
                    (200, "application/zip", wheel())
                }
                _ => (404, "text/plain", Vec::new()),
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body);
        }
    });
    format!("{address}/simple")
}

/// A catalog that pins the wheel above, or one with another hash.
fn catalog(right: bool) -> Catalog {
    let mut catalog = Catalog::builtin().unwrap();
    let bytes = wheel();
    let hash = if right { Sha256::digest(&bytes) } else { Sha256::digest(b"other") };
    catalog.uv.version = "9.9.9".to_owned();
    catalog.uv.wheels = vec![Wheel {
        arch: Real.host().arch,
        filename: FILE.to_owned(),
        size: bytes.len() as u64,
        sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    }];
    catalog
}

fn settings(folder: &Path, index_url: Option<String>) -> Settings {
    Settings {
        data: folder.join("data"),
        cache: folder.join("cache"),
        index_url,
        ..Settings::default()
    }
}

struct Silent;

impl FetchProgress for Silent {
    fn bytes(&self, _: u64) {}
}

#[test]
fn it_is_fetched_checked_and_installed() {
    for json in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), Some(index(json)));
        let (catalog, machine) = (catalog(true), Machine::default());
        assert_eq!(find_uv(&Real, &catalog, &settings, true), None);
        let fetched = fetch_uv(&Real, &machine, &catalog, &settings, &Silent).unwrap();
        let path = install_uv(&Real, &fetched, &catalog, &settings).unwrap();
        let said = (&Real as &dyn System).run(&Command::reads([path.to_string_lossy()])).unwrap();
        assert_eq!(said.stdout, "uv 9.9.9\n");
        assert_eq!(find_uv(&Real, &catalog, &settings, true).unwrap().path, path);
    }
}

/// Environments of one plan are resolved at a time, and each comes for uv.
#[test]
fn all_that_come_for_it_at_once_get_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Some(index(true)));
    let (catalog, machine) = (catalog(true), Machine::default());
    std::thread::scope(|scope| {
        let fetch = || fetch_uv(&Real, &machine, &catalog, &settings, &Silent).unwrap().path;
        let all: Vec<_> = (0..8).map(|_| scope.spawn(fetch)).collect();
        for one in all {
            assert!(one.join().unwrap().is_file());
        }
    });
}

#[test]
fn one_that_is_empty_cut_or_changed_is_noticed_and_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Some(index(true)));
    let (catalog, machine) = (catalog(true), Machine::default());
    let fetch = || fetch_uv(&Real, &machine, &catalog, &settings, &Silent).unwrap();
    let path = install_uv(&Real, &fetch(), &catalog, &settings).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for damaged in [&b""[..], &whole[..9], &whole.to_ascii_uppercase()] {
        // Both places at once, as they share the file; then the wheel in the cache as well.
        std::fs::write(&path, damaged).unwrap();
        std::fs::write(settings.wheels().join(FILE), "").unwrap();
        let same_size = damaged.len() == whole.len();
        assert_eq!(find_uv(&Real, &catalog, &settings, false).is_some(), same_size);
        assert_eq!(find_uv(&Real, &catalog, &settings, true), None);
        let fetched = fetch();
        assert_eq!(std::fs::read(&fetched.path).unwrap(), whole);
        assert_eq!(install_uv(&Real, &fetched, &catalog, &settings).unwrap(), path);
        assert_eq!(std::fs::read(&path).unwrap(), whole);
        assert_eq!(fetch().path, path);
    }
    // What nobody has noted was not put there by aitk.
    std::fs::remove_file(aitk_env::note_of(&path)).unwrap();
    assert_eq!(find_uv(&Real, &catalog, &settings, false), None);
}

#[test]
fn it_is_put_nowhere_through_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Some(index(true)));
    let (catalog, machine) = (catalog(true), Machine::default());
    let elsewhere = folder.path().join("elsewhere");
    Real.create_dir(&elsewhere).unwrap();
    let link = |top: &Path| Real.symlink(&elsewhere, &top.join("tools/uv-9.9.9")).unwrap();
    let fetch = || fetch_uv(&Real, &machine, &catalog, &settings, &Silent);
    let fetched = fetch().unwrap();
    link(&settings.data);
    let refused = install_uv(&Real, &fetched, &catalog, &settings).unwrap_err();
    assert!(refused.to_string().contains("uv-9.9.9"), "{refused}");
    Real.remove(&settings.cache.join("tools")).unwrap();
    link(&settings.cache);
    assert!(fetch().is_err());
    assert!(Real.list(&elsewhere).unwrap().is_empty(), "something was put there");
}

/// A program in a folder that says this of itself.
fn program(folder: &Path, name: &str, says: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    Real.write(&path, format!("#!/bin/sh\necho {says}\n").as_bytes(), 0o755).unwrap();
    path
}

#[test]
fn another_uv_counts_only_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = settings(folder.path(), Some(index(true)));
    let (catalog, mut machine) = (catalog(true), Machine::default());
    let other = program(folder.path(), "other", "uv 99.0.0");
    let tool = aitk_detect::Tool { path: other.clone(), version: Some("99.0.0".to_owned()) };
    machine.tools.insert("uv".to_owned(), tool);
    let fetch = |settings: &Settings| fetch_uv(&Real, &machine, &catalog, settings, &Silent);
    assert_ne!(fetch(&settings).unwrap().path, other, "it is on PATH");
    settings.uv = Some(other.clone());
    assert_eq!(fetch(&settings).unwrap().path, other);
    assert_eq!(install_uv(&Real, &fetch(&settings).unwrap(), &catalog, &settings).unwrap(), other);
    for (name, says) in [("old", "uv 0.1.0"), ("mute", ""), ("gone", "x")] {
        settings.uv = Some(program(folder.path(), name, says));
        if name == "gone" {
            Real.remove(settings.uv.as_ref().unwrap()).unwrap();
        }
        let refused = fetch(&settings);
        assert!(matches!(refused, Err(EnvError::Uv { .. })), "{refused:?}");
    }
}

#[test]
fn a_token_behind_the_address_of_an_index_reaches_it_and_no_message() {
    let folder = tempfile::tempdir().unwrap();
    // The server has this one for whoever has the token.
    let open = index(true).replace("/simple", "/closed");
    let (address, secret) = aitk_env::without_secrets(&format!("{open}?token=s3cret"));
    assert_eq!(address, open);
    let settings =
        Settings { secrets: secret.into_iter().collect(), ..settings(folder.path(), Some(open)) };
    let (catalog, machine) = (catalog(true), Machine::default());
    let fetched = fetch_uv(&Real, &machine, &catalog, &settings, &Silent).unwrap();
    assert_eq!(fetched.origin, "the index");
    assert!(!format!("{settings:?}").contains("s3cret"));
}

/// What pip's own folder and variables lead to is not what runs: a Python here says what it was started with.
#[test]
fn a_pip_is_asked_on_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let channels = vec![format!("file://{}", folder.path().display())];
    let settings = Settings { channels, ..settings(folder.path(), None) };
    let said = folder.path().join("said");
    let says = format!("; (pwd; echo \"$@\"; env) > {}; exit 1", said.display());
    let python = aitk_detect::Python {
        path: program(folder.path(), "python3", &says),
        version: "3.12.1".to_owned(),
        externally_managed: false,
    };
    // Of its settings only those count that say how a source is reached.
    let home = folder.path().join("home");
    let set = "[global]\npython = /evil\nproxy = http://proxy.example:3128\n[download]\ndest = /evil\nplatform = evil\n";
    Real.write(&home.join(".config/pip/pip.conf"), set.as_bytes(), 0o644).unwrap();
    let folders = aitk_detect::Folders { home, ..aitk_detect::Folders::default() };
    let machine = Machine { python: vec![python], folders, ..Machine::default() };
    fetch_uv(&Real, &machine, &catalog(true), &settings, &Silent).unwrap_err();
    let said = std::fs::read_to_string(said).unwrap();
    let mut lines = said.lines();
    assert_eq!(lines.next(), Some("/"));
    let words = lines.next().unwrap();
    assert!(words.starts_with("-I -m pip download ") && words.contains(" --require-hashes "));
    assert!(!said.contains("CARGO"), "{said}");
    let has = |line: &str| said.lines().any(|own| own == line);
    assert!(has("PIP_CONFIG_FILE=/dev/null") && !said.contains("evil"), "{said}");
    assert!(has("PIP_PROXY=http://proxy.example:3128"), "{said}");
}

/// Every Python is asked before it is given up, and one message says why each could not, with what opens a way.
#[test]
fn each_way_that_fails_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let channels = vec![format!("file://{}", folder.path().display())];
    let settings = Settings { channels, ..settings(folder.path(), None) };
    let python = |name: &str, says: &str| aitk_detect::Python {
        path: program(folder.path(), name, says),
        version: "3.12.1".to_owned(),
        externally_managed: false,
    };
    let fetch = |python: &[aitk_detect::Python]| {
        let machine = Machine { python: python.to_vec(), ..Machine::default() };
        fetch_uv(&Real, &machine, &catalog(true), &settings, &Silent).map(|uv| uv.origin)
    };
    let without = python("one", ">&2 /x/one: No module named pip; exit 1");
    let failing = python("two", ">&2 ERROR: No matching distribution found for uv==9.9.9; exit 1");
    let of = |refused: Result<_, EnvError>| match refused {
        Err(EnvError::NoUv { reason, remedy, .. }) => (reason.to_string(), remedy.to_string()),
        other => panic!("{other:?}"),
    };
    let (reason, remedy) = of(fetch(&[without.clone(), failing.clone()]));
    for words in ["one has no pip", "two fails: ERROR: No matching", "does not answer"] {
        assert!(reason.contains(words), "{words}: {reason}");
    }
    assert!(!remedy.contains("python3-pip") && remedy.contains("--uv"), "{remedy}");
    let (reason, remedy) = of(fetch(std::slice::from_ref(&without)));
    assert!(reason.contains("one has no pip") && remedy.contains("python3-pip"), "{remedy}");

    let lost = python("lost", ">&2 NewConnectionError: [Errno 13] Permission denied; exit 1");
    let lost = fetch(&[lost]);
    assert!(matches!(lost, Err(EnvError::Unreachable { .. })), "{lost:?}");
    let none = python("none", ">&2 'ERROR: uv==9.9.9 (from versions: none)'; exit 1");
    let machine = Machine { python: vec![none], ..Machine::default() };
    let waited = Settings { waited: true, ..settings.clone() };
    let silent = fetch_uv(&Real, &machine, &catalog(true), &waited, &Silent);
    assert!(matches!(silent, Err(EnvError::Unreachable { .. })), "{silent:?}");
    // Whatever else is there, a disk that is full stays so.
    let full = python("full", ">&2 OSError: [Errno 28] No space left on device; exit 1");
    let full = fetch(&[full, failing.clone()]);
    assert!(matches!(full, Err(EnvError::System(Failure::NoSpace { .. }))), "{full:?}");

    std::fs::write(folder.path().join("wheel"), wheel()).unwrap();
    Real.create_dir(&settings.wheels()).unwrap();
    let (from, to) = (folder.path().join("wheel"), settings.wheels().join(FILE));
    let has = format!("; cp {} {}", from.display(), to.display());
    let has = python("has", &has);
    assert_eq!(fetch(&[without, failing, has]).unwrap(), "pip");
}

#[test]
fn an_index_without_it_leaves_the_channel() {
    let folder = tempfile::tempdir().unwrap();
    let other = index(true).replace("/simple", "/other");
    let none = vec![format!("file://{}", folder.path().display())];
    let settings = Settings { channels: none, ..settings(folder.path(), Some(other)) };
    let fetch = |settings: &Settings| {
        fetch_uv(&Real, &Machine::default(), &catalog(true), settings, &Silent)
    };
    match fetch(&settings) {
        Err(EnvError::NoUv { reason, remedy, .. }) => {
            assert!(reason.to_string().contains("the index has no uv-9.9.9"), "{reason}");
            assert!(!remedy.to_string().contains("python3-pip"), "{remedy}");
        }
        other => panic!("{other:?}"),
    }
    let settings = Settings { channels: vec![channel(folder.path(), "9.9.9")], ..settings };
    assert_eq!(fetch(&settings).unwrap().origin, "the conda channel");
    // What goes into a bundle is the wheel, whose hash is known; another uv is none, whatever is named.
    let venv = backend(Manager::Venv);
    match venv.fetch_installer(&Real, &catalog(true), &settings, &Silent) {
        Err(EnvError::NoUv { remedy, .. }) => {
            let remedy = remedy.to_string();
            assert!(remedy.contains("--index-url") && !remedy.contains("--channel"), "{remedy}");
            assert!(!remedy.contains("--uv"), "{remedy}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_wrong_hash_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), Some(index(true)));
    let result = fetch_uv(&Real, &Machine::default(), &catalog(false), &settings, &Silent);
    assert!(matches!(result, Err(EnvError::WrongHash { .. })), "{result:?}");
    assert_eq!(find_uv(&Real, &catalog(false), &settings, true), None);
}

#[test]
fn without_an_index_and_without_python_there_is_no_way_yet() {
    let folder = tempfile::tempdir().unwrap();
    let channels = vec![format!("file://{}", folder.path().display())];
    let settings = Settings { channels, ..settings(folder.path(), None) };
    let result = fetch_uv(&Real, &Machine::default(), &catalog(true), &settings, &Silent);
    assert!(matches!(result, Err(EnvError::NoUv { .. })), "{result:?}");
}

/// A channel in a folder that has a uv which says this version, and calls itself 9.9.9.
fn channel(folder: &Path, says: &str) -> String {
    const WRITE: &str = r##"
import hashlib, io, json, pathlib, sys, tarfile
root, says, subdir = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
record = dict(name="uv", version="9.9.9", build="h_0", build_number=0, depends=["other"], subdir=subdir)
program = f"#!/bin/sh\necho uv {says}\n".encode()
paths = [dict(_path="bin/uv", path_type="hardlink", sha256=hashlib.sha256(program).hexdigest(), size_in_bytes=len(program))]
files = {"bin/uv": program, "info/index.json": json.dumps(record), "info/files": "bin/uv\n",
         "info/paths.json": json.dumps(dict(paths=paths, paths_version=1))}
archive = root / subdir / "uv-9.9.9-h_0.tar.bz2"
archive.parent.mkdir(parents=True)
with tarfile.open(archive, "w:bz2") as tar:
    for name, content in files.items():
        content = content if isinstance(content, bytes) else content.encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(content), 0o755
        tar.addfile(info, io.BytesIO(content))
data = archive.read_bytes()
record |= dict(size=len(data), sha256=hashlib.sha256(data).hexdigest())
for folder in (subdir, "noarch"):
    (root / folder).mkdir(exist_ok=True)
    packages = {archive.name: record} if folder == subdir else {}
    index = dict(info=dict(subdir=folder), packages=packages)
    (root / folder / "repodata.json").write_text(json.dumps(index))
"##;
    let subdir = if Real.host().arch == "aarch64" { "linux-aarch64" } else { "linux-64" };
    let root = folder.join("channel");
    let written = std::process::Command::new("python3")
        .args(["-c", WRITE])
        .arg(&root)
        .args([says, subdir])
        .status();
    assert!(written.unwrap().success());
    format!("file://{}", root.display())
}

#[test]
fn where_nothing_else_has_it_the_channel_does() {
    for (says, found) in [("9.9.9", true), ("9.9.8", false)] {
        let folder = tempfile::tempdir().unwrap();
        let channels = vec![channel(folder.path(), says)];
        let settings = Settings { channels, ..settings(folder.path(), None) };
        let fetched = fetch_uv(&Real, &Machine::default(), &catalog(true), &settings, &Silent);
        if found {
            let said = (&Real as &dyn System)
                .run(&Command::reads([fetched.unwrap().path.to_string_lossy()]))
                .unwrap();
            assert_eq!(said.stdout, "uv 9.9.9\n");
        } else {
            assert!(matches!(fetched, Err(EnvError::NoUv { .. })), "{fetched:?}");
        }
    }
}

#[test]
fn what_uvs_cache_has_unpacked_costs_an_environment_only_what_it_has_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path(), None);
    let uv = settings.cache.join("uv");
    Real.write(&uv.join("archive-v0/one/six.py"), b"x", 0o644).unwrap();
    let link = uv.join("wheels-v8/index/0/six/1.0-py3-none-any");
    Real.create_dir(link.parent().unwrap()).unwrap();
    Real.symlink(&uv.join("archive-v0/one"), &link).unwrap();
    let catalog = Catalog::builtin().unwrap();
    let locked = |version: &str| {
        let url = format!("http://127.0.0.1/six-{version}-py3-none-any.whl");
        let package = Package {
            name: "six".to_owned(),
            version: version.to_owned(),
            url: Some(url),
            ..Package::default()
        };
        Locked { package, unpacked: Some(1_000_000), files: Some(10) }
    };
    let (there, other) = (locked("1.0"), locked("2.0"));
    let takes = |disks: &[&[&str]]| {
        let disk = |uses: &&[&str]| Disk {
            uses: uses.iter().map(|word| (*word).to_owned()).collect(),
            ..Disk::default()
        };
        let machine = Machine { disks: disks.iter().map(disk).collect(), ..Machine::default() };
        let site = Site {
            system: &Real,
            local: &Real,
            is_local: true,
            machine: &machine,
            catalog: &catalog,
            settings: &settings,
            local_settings: &settings,
            log: Path::new("/dev/null"),
            dry: false,
        };
        let footprints = backend(Manager::Venv).footprints(&site, &[&there, &other]);
        assert!(footprints.iter().all(|one| one.rough), "nobody tells what is its own");
        footprints.iter().map(|one| one.bytes).collect::<Vec<_>>()
    };
    let [own, whole] = takes(&[&["cache", "data"]])[..] else { panic!("there are two") };
    assert!(own > 0 && own < 100_000, "{own}");
    assert_eq!(whole, 1_000_000 + own);
    assert_eq!(takes(&[&["cache"], &["data"]]), [whole, whole], "two disks share nothing");
}
