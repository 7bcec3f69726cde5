//! Downloads from a real server on loopback: whole, resumed, damaged, missing.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use aitk_env::{EnvError, FetchProgress, HttpClient, Settings, fetch_all};
use aitk_plan::{LockError, Locked, Package};
use sha2::{Digest, Sha256};

/// What the server does with the next requests, the last one for ever.
#[derive(Clone, Copy)]
enum Mood {
    /// Serves, ranges too.
    Whole,
    /// Breaks off after so many bytes.
    Cut(usize),
    /// Answers with this status.
    Status(u16),
    /// Sends on and on, and does not say how much; or says so.
    Endless(bool),
    /// Sends on to another place.
    Elsewhere(&'static str),
}

struct Server {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A server of one file.
fn serve(content: Vec<u8>, moods: Vec<Mood>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let turn = AtomicUsize::new(0);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mood = moods[turn.fetch_add(1, Ordering::SeqCst).min(moods.len() - 1)];
            answer(&mut stream.unwrap(), &content, mood, &seen);
        }
    });
    Server { address, requests }
}

fn answer(stream: &mut TcpStream, content: &[u8], mood: Mood, seen: &Mutex<Vec<String>>) {
    let mut range = String::new();
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap().to_lowercase();
        if let Some(value) = line.strip_prefix("range: ") {
            range = value.to_owned();
        }
        if line.is_empty() {
            break;
        }
    }
    seen.lock().unwrap().push(range.clone());
    match mood {
        Mood::Endless(told) => {
            let length = if told { "content-length: 99999999999\r\n" } else { "" };
            let _ = stream.write_all(format!("HTTP/1.1 200 X\r\n{length}\r\n").as_bytes());
            while stream.write_all(&[b'A'; 1 << 16]).is_ok() {}
            return;
        }
        Mood::Elsewhere(place) => {
            let head = format!("HTTP/1.1 302 X\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
            return;
        }
        _ => {}
    }
    let start: usize =
        range.strip_prefix("bytes=").map_or(0, |r| r.trim_end_matches('-').parse().unwrap());
    let body = &content[start.min(content.len())..];
    let (status, end) = match mood {
        Mood::Status(status) => (status, 0),
        Mood::Cut(end) => (if start > 0 { 206 } else { 200 }, end),
        Mood::Whole | Mood::Endless(_) | Mood::Elsewhere(_) => {
            (if start > 0 { 206 } else { 200 }, body.len())
        }
    };
    let length = if end == 0 { 0 } else { body.len() };
    let head =
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&body[..end.min(body.len())]);
}

#[derive(Default)]
struct Count(AtomicU64);

impl FetchProgress for Count {
    fn bytes(&self, more: u64) {
        self.0.fetch_add(more, Ordering::SeqCst);
    }
}

fn content() -> Vec<u8> {
    (0..200_000_u32).flat_map(u32::to_le_bytes).collect()
}

fn locked(server: &Server, content: &[u8]) -> Locked {
    let hash: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    Locked {
        package: Package {
            name: "a".to_owned(),
            version: "1".to_owned(),
            size: Some(content.len() as u64),
            sha256: Some(hash),
            url: Some(format!("{}/a-1-0.conda#sha256=x", server.address)),
            ..Package::default()
        },
        ..Locked::default()
    }
}

fn fetch(locked: &Locked, folder: &Path) -> (Result<(), EnvError>, u64) {
    let count = Count::default();
    let result = fetch_all(
        &HttpClient::new(&Settings::default()).unwrap(),
        &[locked],
        folder,
        false,
        &count,
    );
    (result, count.0.into_inner())
}

#[test]
fn a_file_comes_whole_and_is_not_fetched_twice() {
    let folder = tempfile::tempdir().unwrap();
    let wheels = folder.path().join("wheels");
    let server = serve(content(), vec![Mood::Whole]);
    let locked = locked(&server, &content());
    for _ in 0..2 {
        let (result, bytes) = fetch(&locked, &wheels);
        result.unwrap();
        assert_eq!(bytes, content().len() as u64);
    }
    assert_eq!(std::fs::read(wheels.join("a-1-0.conda")).unwrap(), content());
    assert_eq!(server.requests.lock().unwrap().len(), 1);
    assert_eq!(std::fs::read_dir(wheels).unwrap().count(), 1, "nothing but the file is beside it");
}

#[test]
fn what_several_fetch_at_once_is_fetched_by_the_first_of_them() {
    let content = content()[..4_000].to_vec();
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let wheels = folder.path().join("wheels");
        let server = serve(content.clone(), vec![Mood::Whole]);
        let locked = locked(&server, &content);
        // They come one after the other, so that some find the first at its start and some at its end.
        thread::scope(|scope| {
            for after in 0..8 {
                let (locked, wheels, content) = (&locked, &wheels, &content);
                scope.spawn(move || {
                    thread::sleep(Duration::from_millis(after));
                    let (result, bytes) = fetch(locked, wheels);
                    result.unwrap();
                    assert_eq!(bytes, content.len() as u64);
                });
            }
        });
        assert_eq!(server.requests.lock().unwrap().len(), 1);
        assert_eq!(std::fs::read(wheels.join("a-1-0.conda")).unwrap(), content);
        assert_eq!(std::fs::read_dir(folder.path().join("parts")).unwrap().count(), 0);
    }
}

#[test]
fn what_fails_for_the_first_is_fetched_by_one_of_those_who_wait() {
    let content = content()[..4_000].to_vec();
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let wheels = folder.path().join("wheels");
        let server = serve(content.clone(), vec![Mood::Status(404), Mood::Whole]);
        let locked = locked(&server, &content);
        let failed = AtomicUsize::new(0);
        thread::scope(|scope| {
            for after in 0..8 {
                let (locked, wheels, failed) = (&locked, &wheels, &failed);
                scope.spawn(move || {
                    thread::sleep(Duration::from_millis(after));
                    if fetch(locked, wheels).0.is_err() {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(failed.into_inner(), 1);
        assert_eq!(server.requests.lock().unwrap().len(), 2);
        assert_eq!(std::fs::read(wheels.join("a-1-0.conda")).unwrap(), content);
        assert_eq!(std::fs::read_dir(folder.path().join("parts")).unwrap().count(), 0);
    }
}

#[test]
fn a_broken_download_is_taken_up_where_it_broke_off() {
    let folder = tempfile::tempdir().unwrap();
    let wheels = folder.path().join("wheels");
    let server = serve(content(), vec![Mood::Cut(300_000), Mood::Whole]);
    let (result, bytes) = fetch(&locked(&server, &content()), &wheels);
    result.unwrap();
    assert_eq!(bytes, content().len() as u64, "no byte is counted twice");
    assert_eq!(*server.requests.lock().unwrap(), ["", "bytes=300000-"]);
    assert_eq!(std::fs::read(wheels.join("a-1-0.conda")).unwrap(), content());
}

#[test]
fn a_server_that_is_down_for_a_while_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(content(), vec![Mood::Status(503), Mood::Whole]);
    fetch(&locked(&server, &content()), &folder.path().join("wheels")).0.unwrap();
}

#[test]
fn a_wrong_hash_is_refused_and_nothing_of_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let wheels = folder.path().join("wheels");
    let mut damaged = content();
    damaged[77] ^= 1;
    let server = serve(damaged, vec![Mood::Whole]);
    let error = fetch(&locked(&server, &content()), &wheels).0.unwrap_err();
    assert!(matches!(error, EnvError::WrongHash { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&wheels).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(folder.path().join("parts")).unwrap().count(), 0);
}

#[test]
fn a_missing_file_is_named_with_its_host() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(content(), vec![Mood::Status(404)]);
    let error = fetch(&locked(&server, &content()), &folder.path().join("wheels")).0.unwrap_err();
    let said = error.to_string();
    assert!(said.contains("127.0.0.1") && said.contains("404"), "{said}");
}

#[test]
fn a_file_without_a_hash_is_not_even_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(content(), vec![Mood::Whole]);
    let mut locked = locked(&server, &content());
    locked.package.sha256 = None;
    let error = fetch(&locked, &folder.path().join("wheels")).0.unwrap_err();
    assert!(matches!(error, EnvError::Lock(LockError::NoHash { .. })), "{error}");
    assert!(server.requests.lock().unwrap().is_empty());
}

#[test]
fn offline_names_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(content(), vec![Mood::Whole]);
    let locked = locked(&server, &content());
    let client = HttpClient::new(&Settings::default()).unwrap();
    let result = fetch_all(&client, &[&locked], folder.path(), true, &Count::default());
    assert!(matches!(result.unwrap_err(), EnvError::Offline { .. }));
    assert!(server.requests.lock().unwrap().is_empty());
}

#[test]
fn a_download_that_does_not_end_is_ended_and_nothing_of_it_stays() {
    for mood in [Mood::Endless(false), Mood::Endless(true)] {
        let folder = tempfile::tempdir().unwrap();
        let wheels = folder.path().join("wheels");
        let server = serve(content(), vec![mood]);
        let (result, bytes) = fetch(&locked(&server, &content()), &wheels);
        let error = result.unwrap_err();
        assert!(matches!(error, EnvError::TooLong { .. }), "{error}");
        assert!(bytes <= content().len() as u64);
        assert_eq!(std::fs::read_dir(folder.path().join("parts")).unwrap().count(), 0);
        assert_eq!(server.requests.lock().unwrap().len(), 1, "it is not asked again");
    }
}

#[test]
fn a_file_that_is_longer_than_the_lock_says_is_not_read_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(content(), vec![Mood::Whole]);
    let mut locked = locked(&server, &content());
    locked.package.size = Some(1000);
    let error = fetch(&locked, &folder.path().join("wheels")).0.unwrap_err();
    assert!(matches!(error, EnvError::TooLong { most: 1000, .. }), "{error}");
    // A source that does not know sizes tells none.
    locked.package.size = Some(0);
    fetch(&locked, &folder.path().join("wheels")).0.unwrap();
}

#[test]
fn a_part_that_is_longer_than_the_file_is_not_taken_up() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(content(), vec![Mood::Whole]);
    let locked = locked(&server, &content());
    let parts = folder.path().join("parts");
    std::fs::create_dir(&parts).unwrap();
    let name = format!("{}-a-1-0.conda", &locked.package.sha256.as_ref().unwrap()[..12]);
    std::fs::write(parts.join(name), vec![b'x'; content().len() + 1]).unwrap();
    fetch(&locked, &folder.path().join("wheels")).0.unwrap();
    assert_eq!(*server.requests.lock().unwrap(), [""]);
}

#[test]
fn what_is_downloaded_is_the_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let wheels = folder.path().join("wheels");
    let server = serve(content(), vec![Mood::Whole]);
    fetch(&locked(&server, &content()), &wheels).0.unwrap();
    let mode = std::fs::metadata(wheels.join("a-1-0.conda")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn nothing_is_fetched_in_the_open_but_from_this_machine_or_a_place_that_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let wheels = folder.path().join("wheels");
    // Nobody is there, and nobody is asked.
    let open = "http://192.0.2.1/a-1-0.conda";
    let server = serve(content(), vec![Mood::Elsewhere(open)]);
    let mut locked = locked(&server, &content());
    let error = fetch(&locked, &wheels).0.unwrap_err();
    assert!(error.to_string().contains("does not begin with https"), "{error}");
    locked.package.url = Some(open.to_owned());
    let error = fetch(&locked, &wheels).0.unwrap_err();
    assert!(error.to_string().contains("does not begin with https"), "{error}");
}

#[test]
fn a_name_a_hash_or_a_size_that_is_none_is_refused_by_the_packages_name() {
    let folder = tempfile::tempdir().unwrap();
    let server = serve(content(), vec![Mood::Whole]);
    let whole = locked(&server, &content());
    let change = |change: &dyn Fn(&mut Package)| {
        let mut locked = whole.clone();
        change(&mut locked.package);
        let error = fetch(&locked, &folder.path().join("wheels")).0.unwrap_err();
        assert!(matches!(error, EnvError::Lock(LockError::BadPackage { .. })), "{error}");
    };
    change(&|package| package.sha256 = Some("é".repeat(32)));
    change(&|package| package.sha256 = Some("../../x".to_owned()));
    change(&|package| package.size = Some(u64::MAX));
    change(&|package| package.url = Some(format!("{}/..", server.address)));
    change(&|package| package.url = Some(format!("{}/a/", server.address)));
    assert!(server.requests.lock().unwrap().is_empty());
}

#[test]
fn a_folder_gives_a_file_only_as_long_as_the_lock_says() {
    let folder = tempfile::tempdir().unwrap();
    let channel = folder.path().join("a-1-0.conda");
    std::fs::write(&channel, content()).unwrap();
    let server = serve(content(), vec![Mood::Whole]);
    let mut locked = locked(&server, &content());
    locked.package.url = Some(format!("file://{}", channel.display()));
    fetch(&locked, &folder.path().join("one/wheels")).0.unwrap();
    locked.package.size = Some(10);
    let error = fetch(&locked, &folder.path().join("two/wheels")).0.unwrap_err();
    assert!(matches!(error, EnvError::TooLong { .. }), "{error}");
    locked.package.url = Some("file:///dev/zero".to_owned());
    fetch(&locked, &folder.path().join("three/wheels")).0.unwrap_err();
}
