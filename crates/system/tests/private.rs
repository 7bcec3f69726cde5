//! Modes under a umask that forbids nothing. What is tested belongs to the whole process, so there is one test.

use std::path::Path;

use aitk_system::{Command, Real, System, keep_private};

fn mode(path: &Path) -> Option<u32> {
    Some(Real.stat(path).ok()?.mode & 0o777)
}

#[test]
fn aitks_own_places_are_the_users_alone_and_other_folders_follow_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = ["own", "other"].map(|name| folder.path().join(name));
    rustix::process::umask(rustix::fs::Mode::empty());
    keep_private(vec![own.join("state")]);
    Real.write(&own.join("state/a/file"), b"x", 0o644).unwrap();
    Real.write(&own.join("state/a/program"), b"x", 0o755).unwrap();
    Real.append(&own.join("state/b/journal"), b"x").unwrap();
    drop(Real.hold(&own.join("state/lock"), "me").unwrap());
    let touch = format!("mkdir {0}/made; touch {0}/made/by-a-child", own.join("state").display());
    assert_eq!(mode(&own), Some(0o700), "the way there");
    let log = own.join("state/logs/log");
    (&Real as &dyn System).run(&Command::changes(["sh", "-c", &touch]).log(log)).unwrap();
    let folders = ["", "/a", "/b", "/logs", "/made"];
    let files = ["/a/file", "/b/journal", "/lock", "/logs/log", "/made/by-a-child"];
    for (names, expected) in [(&folders, 0o700), (&files, 0o600), (&["/a/program"; 5], 0o700)] {
        for name in names {
            let path = format!("{}{name}", own.join("state").display());
            assert_eq!(mode(Path::new(&path)), Some(expected), "{path}");
        }
    }
    Real.write(&other.join("a/file"), b"x", 0o644).unwrap();
    assert_eq!(mode(&other.join("a/file")), Some(0o644));
    assert_eq!([mode(&other), mode(&other.join("a"))], [Some(0o755); 2]);
    // A relative path begins in the folder that the user is in.
    std::env::set_current_dir(&other).unwrap();
    Real.write(Path::new("b/file"), b"x", 0o644).unwrap();
    assert_eq!(mode(&other.join("b/file")), Some(0o644));
}
