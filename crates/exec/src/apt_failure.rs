//! What apt and dpkg failed of, by what they printed.

use std::path::Path;

use aitk_system::{Command, Output, System, message};

use crate::apt_sources::Sources;
use crate::error::ExecError;

/// Whether sudo, in either of its forms, would have to ask.
pub(crate) fn asks_for_password(said: &str) -> bool {
    let signs = [
        "sudo: a password is required",
        "sudo: a terminal is required",
        "sudo: interactive authentication is required",
        "sudo: Authentication required but not attempted",
    ];
    signs.iter().any(|sign| said.contains(sign))
}

/// The packages that apt may not touch, as somebody has told it.
pub(crate) fn held(system: &dyn System) -> Vec<String> {
    let text = system.text("/var/lib/dpkg/status").unwrap_or_default();
    let mut package = "";
    let mut held = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("Package: ") {
            package = name;
        } else if line.starts_with("Status: hold ") {
            held.push(package.to_owned());
        }
    }
    held
}

/// What apt says of packages that cannot go together since some may not be touched.
/// apt says so of whatever it cannot solve, so the packages have to be named.
fn in_the_way(said: &str, held: Vec<String>) -> Option<(String, Vec<String>)> {
    let named = said.lines().filter(|line| line.contains("Depends: ") || line.contains(" but "));
    let named: Vec<_> = named.map(str::trim).collect();
    let is_named = |held: &String| {
        let mut words = named.iter().flat_map(|line| line.split([' ', ':', '(', ',']));
        words.any(|word| word == held)
    };
    let held: Vec<_> = held.into_iter().filter(is_named).collect();
    let stand = said.contains("held broken packages") && !held.is_empty();
    stand.then(|| (named[..named.len().min(3)].join("; "), held))
}

/// The package whose own script failed while it was set up or removed, and what that said.
fn script_failed(output: &Output) -> Option<(String, String)> {
    let failed = |line: &str| {
        let package = line.trim().strip_prefix("installed ")?.split_once(" package ")?;
        package.1.contains("script subprocess returned error").then(|| package.0.to_owned())
    };
    let (line, package) =
        output.stderr.lines().find_map(|line| Some((line.trim(), failed(line)?)))?;
    let begin = format!("Setting up {package} ");
    let own = |line: &&str| !line.trim().is_empty() && !line.starts_with("Progress: [");
    let printed = output.stdout.lines().skip_while(|line| !line.starts_with(&begin)).skip(1);
    let printed = printed.take_while(|line| !line.starts_with("Setting up "));
    let told = output.stderr.lines().take_while(|line| !line.starts_with("dpkg: error"));
    let said: Vec<_> = printed.filter(own).chain(told.filter(own)).collect();
    // Of one that is silent dpkg at least says how it ended.
    let said = if said.is_empty() { vec![line] } else { said };
    let said = said[said.len().saturating_sub(3)..].join("\n");
    Some((package, said))
}

/// What apt and dpkg print of each kind of failure.
mod signs {
    pub(super) const SPACE: &[&str] = &["No space left on device", "enough free space"];
    pub(super) const LOCKED: &[&str] = &[
        "Could not get lock",
        "Unable to acquire the dpkg frontend lock",
        "Unable to lock directory",
    ];
    pub(super) const BROKEN: &[&str] =
        &["dpkg was interrupted", "Unmet dependencies", "unmet dependencies", "--fix-broken"];
    pub(super) const MISSING: &[&str] = &[
        "Unable to locate package",
        "was not found",
        "has no installation candidate",
        "remove is disabled",
    ];
    pub(super) const UNTRUSTED: &[&str] = &[
        "GPG error",
        "OpenPGP signature verification failed",
        "signatures couldn't be verified",
        "signatures were invalid",
    ];
    /// apt says so as well of a source that did not answer.
    pub(super) const UNSIGNED: &[&str] = &["is not signed"];
    pub(super) const UNREAD: &[&str] = &[
        "Conflicting values set for option",
        "Malformed entry",
        "Malformed stanza",
        "Unable to parse",
        "is not known on line",
        "The list of sources could not be read",
    ];
    pub(super) const SILENT: &[&str] = &[
        "Failed to fetch",
        "Could not resolve",
        "Could not connect",
        "Unable to fetch some archives",
    ];
    /// What apt says where it does not reach a place at all.
    pub(super) const NO_WAY: &[&str] = &[
        "Could not connect to",
        "Unable to connect to",
        "Could not resolve",
        "Temporary failure resolving",
        "Could not wait for server",
    ];
    /// What is no kind of its own.
    pub(super) const OTHER: &[&str] = &["E: ", "dpkg: error", "returned error exit status"];
}

/// The proxy that apt was told of and did not reach, without what opens it, and what names it: a variable or a file.
fn dead_proxy(system: &dyn System, said: &str) -> Option<(String, String)> {
    let lines = said.lines().filter(|line| signs::NO_WAY.iter().any(|sign| line.contains(sign)));
    let unreached: Vec<_> = lines.flat_map(|line| line.split([' ', '\'', ','])).collect();
    let place = |address: &str| {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        let place = rest.split(['/', '"', ';']).next().unwrap_or_default();
        place.rsplit('@').next().unwrap_or_default().to_owned()
    };
    // apt names a host that it does not know without its port.
    let dead = |place: &String| {
        let host = place.split(':').next().unwrap_or_default();
        let is_match = |word: &&str| word.trim_end_matches(':') == place || *word == host;
        !host.is_empty() && unreached.iter().any(is_match)
    };
    let variables = ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy"];
    let of_variables = variables.into_iter().filter_map(|name| {
        let place = place(&system.env(name)?);
        dead(&place).then(|| (place, name.to_owned()))
    });
    let parts = Path::new("/etc/apt/apt.conf.d");
    let names = system.list(parts).unwrap_or_default().into_iter().map(|name| parts.join(name));
    let files = names.chain(["/etc/apt/apt.conf".into()]);
    let of_files = files.filter_map(|file| {
        let text = system.text(&file).ok()?;
        let lines = text.lines().filter(|line| line.to_lowercase().contains("proxy"));
        let place = lines.filter_map(|line| Some(place(line.split('"').nth(1)?))).find(dead)?;
        Some((place, file.to_string_lossy().into_owned()))
    });
    of_variables.chain(of_files).next()
}

/// Tells the failures of apt and dpkg apart by what they printed.
pub(crate) fn explain(
    system: &dyn System,
    command: &Command,
    output: &Output,
    log: Option<&Path>,
) -> ExecError {
    let all = format!("{}\n{}", output.stderr, output.stdout);
    let line_with = |signs: &[&str]| {
        let line = all.lines().find(|line| signs.iter().any(|sign| line.contains(sign)))?;
        Some(line.trim().trim_start_matches("E: ").trim_start_matches("W: ").to_owned())
    };
    let sources = || Sources::said(system, &all);
    let untrusted = |reason: String| {
        let sources = sources();
        ExecError::AptUntrusted { reason: sources.about(reason), sources }
    };
    if asks_for_password(&all) {
        ExecError::NeedsPassword
    } else if let Some(reason) = line_with(signs::SPACE) {
        ExecError::AptNoSpace { reason: reason.into() }
    } else if let Some(reason) = line_with(signs::LOCKED) {
        ExecError::AptLocked { holder: message!("another process"), lock: reason }
    } else if let Some(reason) = line_with(signs::UNREAD) {
        let sources = sources();
        ExecError::AptSources { reason: sources.about(reason), way: sources.way }
    } else if let Some((package, reason)) = script_failed(output) {
        ExecError::AptScript { package, reason, log: log.map(Path::to_owned) }
    } else if let Some((reason, held)) = in_the_way(&all, held(system)) {
        ExecError::AptHeld { reason: reason.into(), held }
    } else if let Some(reason) = line_with(signs::BROKEN) {
        ExecError::AptBroken { reason: reason.into() }
    } else if let Some(reason) = line_with(signs::MISSING) {
        ExecError::AptMissing { reason: reason.into() }
    } else if let Some(reason) = line_with(signs::UNTRUSTED) {
        untrusted(reason)
    } else if let Some((proxy, named)) = dead_proxy(system, &all) {
        ExecError::AptProxy { proxy, named }
    } else if let Some(reason) = line_with(signs::SILENT) {
        let sources = sources();
        ExecError::AptUnreachable { reason: sources.about(reason), sources }
    } else if let Some(reason) = line_with(signs::UNSIGNED) {
        untrusted(reason)
    } else {
        let said = all.lines().filter(|line| signs::OTHER.iter().any(|sign| line.contains(sign)));
        let said: Vec<_> = said.collect();
        ExecError::Failed {
            command: command.argv.join(" "),
            output: if said.is_empty() { output.tail(8) } else { said.join("\n") },
            log: log.map(Path::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    fn nothing() -> Replay {
        Replay::tree(Path::new("/nonexistent"))
    }

    #[test]
    fn failures_are_told_apart() {
        let say = |stderr: &str| {
            let output = Output { status: Some(100), stderr: stderr.into(), ..Output::default() };
            aitk_system::Explain::code(&explain(
                &nothing(),
                &Command::reads(["apt-get"]),
                &output,
                None,
            ))
        };
        assert_eq!(
            say("E: Could not get lock /var/lib/dpkg/lock. It is held by process 9"),
            "AITK-A01"
        );
        assert_eq!(say("E: dpkg was interrupted, you must manually run"), "AITK-A03");
        assert_eq!(say("E: Unable to locate package nosuch"), "AITK-A04");
        let full = "dpkg: error processing archive x.deb (--unpack):\n cannot copy extracted data for './x': failed to \
                    write (No space left on device)";
        assert_eq!(say(full), "AITK-A12");
        let small = "E: You don't have enough free space in /var/cache/apt/archives/.";
        assert_eq!(say(small), "AITK-A12");
        assert_eq!(say("W: Failed to fetch http://x  Could not resolve 'x'"), "AITK-A02");
        assert_eq!(
            say(
                "W: GPG error: http://x  InRelease: NO_PUBKEY\nE: The repository 'http://x' is not signed."
            ),
            "AITK-A05"
        );
        assert_eq!(say("E: The repository 'http://x' is not signed."), "AITK-A05");
        assert_eq!(
            say(
                "E: The repository 'http://x' is not signed.\nE: Failed to fetch http://x/InRelease  403  Forbidden"
            ),
            "AITK-A02"
        );
        assert_eq!(
            say("E: Conflicting values set for option Signed-By regarding source http://x/ y"),
            "AITK-A07"
        );
        assert_eq!(
            say("E: Type 'debb' is not known on line 1 in source list /etc/apt/x.list"),
            "AITK-A07"
        );
        assert_eq!(
            say("E: Unable to correct problems, you have held broken packages."),
            "AITK-X03"
        );
        assert_eq!(say("sudo: a password is required"), "AITK-X06");
        assert_eq!(say("E: Sub-process /usr/bin/dpkg returned an error code (1)"), "AITK-X03");
    }

    #[test]
    fn a_proxy_that_does_not_answer_is_named_by_what_names_it() {
        let root = tempfile::tempdir().unwrap();
        let answers = r#"{"schema": 1, "env": {"http_proxy": "http://me:s3cret@127.0.0.1:9"}}"#;
        Real.write(&root.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        let conf = "Acquire::http::Proxy \"http://cache.example:3142/\";\n";
        let file = root.path().join("root/etc/apt/apt.conf.d/90proxy");
        Real.write(&file, conf.as_bytes(), 0o644).unwrap();
        let of = |said: &str| {
            let output = Output { status: Some(100), stderr: said.into(), ..Output::default() };
            let system = Replay::open(root.path()).unwrap();
            explain(&system, &Command::reads(["apt-get"]), &output, None).to_string()
        };
        let said =
            of("E: Failed to fetch http://d.example/x.deb  Unable to connect to 127.0.0.1:9:\n");
        assert!(said.contains("127.0.0.1:9") && said.contains("http_proxy"), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
        let said = of("W: Failed to fetch http://d.example/x  Could not resolve 'cache.example'\n");
        assert!(said.contains("apt.conf.d/90proxy"), "{said}");
        let other =
            of("E: Failed to fetch http://d.example/x  Could not connect to d.example:80\n");
        assert!(other.contains("does not answer"), "{other}");
    }

    #[test]
    fn packages_that_are_held_are_named_with_what_they_stand_in_the_way_of() {
        let root = tempfile::tempdir().unwrap();
        let status = "Package: perl-base\nStatus: hold ok installed\n\nPackage: tar\nStatus: install ok installed\n";
        let file = root.path().join("var/lib/dpkg/status");
        Real.write(&file, status.as_bytes(), 0o644).unwrap();
        let output = Output {
            status: Some(100),
            stdout: "The following packages have unmet dependencies:\n perl : Depends: perl-base (= 2) but 1 is to be installed\n".into(),
            stderr: "E: Unable to correct problems, you have held broken packages.\n".into(),
        };
        let error =
            explain(&Replay::tree(root.path()), &Command::reads(["apt-get"]), &output, None);
        let (said, hint) =
            (error.to_string(), aitk_system::Explain::hint(&error).unwrap().to_string());
        assert!(said.contains("perl : Depends: perl-base"), "{said}");
        assert!(hint.contains("apt-mark unhold perl-base`"), "{hint}");
    }

    #[test]
    fn a_script_that_fails_says_it_itself() {
        let output = Output {
            status: Some(100),
            stdout: "Setting up tar (1) ...\nSetting up vendor-agent (1) ...\nno licence server\nProgress: [ 50%]\n".into(),
            stderr: "agent: giving up\ndpkg: error processing package vendor-agent (--configure):\n installed vendor-agent \
                package post-installation script subprocess returned error exit status 1\nE: Sub-process /usr/bin/dpkg \
                returned an error code (1)\n".into(),
        };
        let error = explain(&nothing(), &Command::reads(["apt-get"]), &output, None);
        assert_eq!(
            error.to_string(),
            "the package vendor-agent cannot be set up, its own script fails:\nno licence server\nagent: giving up"
        );
    }
}
