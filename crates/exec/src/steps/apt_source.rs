//! apt knows a vendor's repository, and takes from it only what is meant to come from it.

use std::path::{Path, PathBuf};

use aitk_env::fetch_small;
use aitk_plan::step::AptSource;
use aitk_plan::{Plan, Step, Write};
use aitk_system::{Command, Failure, Message, Permit, System, ToMessage, message};

use super::root::{self, RootAction};
use super::{
    CheckOutcome, Ensure, Exact, ReceiptEntry, TakenBack, Work, help_where_refused, may_change,
};
use crate::apt;
use crate::context::Context;
use crate::error::ExecError;
use crate::openpgp::{PgpKey, keys};
use crate::places::Thing;
use crate::report::Event;

pub(super) const NOTE: &str =
    "# Written by aitk, which replaces it whole; `aitk remove` takes it away.";
const LISTS: &str = "/var/lib/apt/lists";
/// A package that may come from a source, even where the distribution has one of that name …
const WANTED: i32 = 600;
/// … one of the versions that it is held to, which comes before newer ones …
const PINNED: i32 = 601;
/// … and any other one, which never does.
const NEVER: i32 = -1;

/// The files of a source: its key, its address, and what may come from it.
struct Files {
    key: PathBuf,
    source: PathBuf,
    preferences: PathBuf,
}

impl Files {
    fn of(name: &str) -> Self {
        Self {
            key: format!("/etc/apt/keyrings/aitk-{name}.asc").into(),
            source: format!("/etc/apt/sources.list.d/aitk-{name}.sources").into(),
            preferences: format!("/etc/apt/preferences.d/aitk-{name}").into(),
        }
    }

    fn all(&self) -> [&Path; 3] {
        [&self.key, &self.source, &self.preferences]
    }

    /// What takes them away, as far as they are there.
    fn delete(&self, system: &dyn System) -> Vec<Command> {
        let there: Vec<_> = self.all().into_iter().filter(|path| system.exists(path)).collect();
        if there.is_empty() { Vec::new() } else { vec![root::delete(there)] }
    }
}

/// The two files that are written from what the plan says.
fn texts(source: &AptSource) -> [(PathBuf, String); 2] {
    let files = Files::of(&source.name);
    let AptSource { uri, suite, .. } = source;
    let components = match source.components.is_empty() {
        true => String::new(),
        false => format!("Components: {}\n", source.components.join(" ")),
    };
    let key = files.key.display();
    let entry =
        format!("{NOTE}\nTypes: deb\nURIs: {uri}\nSuites: {suite}\n{components}Signed-By: {key}\n");
    let host = host(uri);
    let packages = source.packages.join(" ");
    // Of records about the same package the first one that fits counts.
    let pinned = source.pin.as_ref().map(|version| {
        format!("Package: {packages}\nPin: version {version}\nPin-Priority: {PINNED}\n\n")
    });
    let preferences = format!(
        "{NOTE}\n{}Package: *\nPin: origin {host}\nPin-Priority: {NEVER}\n\n\
         Package: {packages}\nPin: origin {host}\nPin-Priority: {WANTED}\n",
        pinned.unwrap_or_default()
    );
    [(files.source, entry), (files.preferences, preferences)]
}

/// The host of an address, which is what apt calls an origin.
fn host(uri: &str) -> &str {
    let place = uri.split_once("://").map_or(uri, |(_, rest)| rest);
    let place = place.split('/').next().unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default();
    match place.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    }
}

/// How the files of a source begin among apt's lists: its address, with what no file's name should have escaped.
fn list_prefix(source: &AptSource) -> String {
    let base = source.uri.trim_end_matches('/');
    let address = match source.suite.strip_suffix('/') {
        Some("") => format!("{base}/"),
        Some(flat) => format!("{base}/{flat}/"),
        None => format!("{base}/dists/{}/", source.suite),
    };
    let place = address.split_once("://").map_or(address.as_str(), |(_, rest)| rest);
    let (host, path) = place.split_once('/').unwrap_or((place, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    let mut prefix = String::new();
    for c in format!("{host}/{path}").chars() {
        match c {
            '/' => prefix.push('_'),
            c if r#"\|{}[]<>"^~_=!@#$%&*"#.contains(c) => {
                prefix += &format!("%{:02x}", u32::from(c));
            }
            c => prefix.push(c),
        }
    }
    prefix
}

/// apt keeps what describes a source only once it has found it signed.
fn is_listed(cx: &Context<'_>, source: &AptSource) -> bool {
    let prefix = list_prefix(source);
    let names = cx.system.list(Path::new(LISTS)).unwrap_or_default();
    let described =
        |name: &String| matches!(name.strip_prefix(&prefix), Some("InRelease" | "Release"));
    names.iter().any(described)
}

/// A file of somebody else's that names the same source. Where the key is another file, apt refuses both; and what may
/// come from a source of the user's own is the user's choice.
fn named_elsewhere(cx: &Context<'_>, source: &AptSource) -> Option<PathBuf> {
    let folder = Path::new("/etc/apt/sources.list.d");
    let names = cx.system.list(folder).unwrap_or_default();
    let files = names.into_iter().map(|name| folder.join(name));
    let own = Files::of(&source.name).source;
    std::iter::once(PathBuf::from("/etc/apt/sources.list"))
        .chain(files.filter(|path| *path != own))
        .find(|path| cx.system.text(path).is_ok_and(|text| names_it(path, &text, source)))
}

/// Whether an entry of a file of either of apt's forms, lines or stanzas, names a source.
fn names_it(path: &Path, text: &str, source: &AptSource) -> bool {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let entries: Vec<String> = match path.extension().and_then(|ending| ending.to_str()) {
        Some("list") => lines.map(str::to_owned).collect(),
        Some("sources") => {
            let text = lines.collect::<Vec<_>>().join("\n");
            text.split("\n\n").map(str::to_owned).collect()
        }
        _ => Vec::new(),
    };
    let bare = |word: &str| word.trim_end_matches('/').to_owned();
    entries.iter().any(|entry| {
        let words: Vec<_> = entry.split_whitespace().collect();
        let disabled = entry.lines().any(|line| line.trim_end() == "Enabled: no");
        !disabled
            && words.iter().any(|word| bare(word) == bare(&source.uri))
            && words.contains(&source.suite.as_str())
    })
}

/// The key of the catalog among those in a file.
fn the_key(file: &[u8], source: &AptSource) -> Option<PgpKey> {
    keys(file).into_iter().find(|key| key.fingerprint.eq_ignore_ascii_case(&source.fingerprint))
}

/// Whether a file has that key and no other one, which apt would trust as well.
fn is_the_key(file: &[u8], source: &AptSource) -> bool {
    the_key(file, source).is_some() && keys(file).len() == 1
}

/// The key as the plan shows it.
fn shown_key(step: &Step, path: &Path) -> Option<String> {
    let is_its = |write: &&Write| Path::new(&write.path) == path;
    step.writes.iter().find(is_its).map(|write| write.content.clone())
}

/// The key as it is to be installed: the one that the plan shows or that is there, else from the source.
fn fetch_key(cx: &Context<'_>, step: &Step, source: &AptSource) -> Result<String, ExecError> {
    let path = Files::of(&source.name).key;
    let there = [shown_key(step, &path), cx.system.text(&path).ok()];
    if let Some(key) = there.into_iter().flatten().find(|key| is_the_key(key.as_bytes(), source)) {
        return Ok(key);
    }
    let file = fetch_small(cx.local_settings, &source.key)?;
    if let Some(key) = the_key(&file, source) {
        return Ok(key.armored());
    }
    let found: Vec<_> = keys(&file).into_iter().map(|key| key.fingerprint).collect();
    Err(ExecError::WrongKey {
        address: source.key.clone(),
        expected: source.fingerprint.clone(),
        found: if found.is_empty() { message!("no key") } else { found.to_message() },
    })
}

fn update(cx: &Context<'_>, source: &AptSource) -> Command {
    let list = format!("Dir::Etc::sourcelist={}", Files::of(&source.name).source.display());
    let options = [
        // A source that does not answer is an error, not a warning.
        "APT::Update::Error-Mode=any",
        // This source alone, and what the others brought stays.
        &list,
        "Dir::Etc::sourceparts=-",
        "APT::Get::List-Cleanup=0",
    ];
    let words = options.into_iter().flat_map(|option| ["-o", option]).chain(["update"]);
    apt::command(cx.system, &words.map(str::to_owned).collect::<Vec<_>>())
}

/// The files that root writes.
fn puts(source: &AptSource, key: String) -> Vec<RootAction> {
    let key = RootAction::put(&Files::of(&source.name).key, key);
    let texts = texts(source).into_iter().map(|(path, text)| RootAction::put(&path, text));
    std::iter::once(key).chain(texts).collect()
}

fn entry(name: &str) -> ReceiptEntry {
    ReceiptEntry::created(format!("source:{name}"), None)
}

/// What takes a source away again. Its lists go with apt's next update.
fn undo(name: &str, system: &dyn System) -> Vec<Command> {
    let files = Files::of(name);
    let ours = |path: &&Path| {
        // The key has no note of aitk's, only its name.
        system.exists(path) && (*path == files.key || is_noted(path, system))
    };
    let there: Vec<_> = files.all().into_iter().filter(ours).collect();
    if there.is_empty() { Vec::new() } else { vec![root::delete(there)] }
}

fn is_noted(path: &Path, system: &dyn System) -> bool {
    system.text(path).is_ok_and(|text| text.starts_with(NOTE))
}

/// The sources whose files say that aitk has written them.
pub(crate) fn own_sources(system: &dyn System) -> Vec<String> {
    let folder = Path::new("/etc/apt/sources.list.d");
    let names = system.list(folder).unwrap_or_default().into_iter();
    let ours = names.filter(|name| is_noted(&folder.join(name), system));
    ours.filter_map(|name| Some(name.strip_prefix("aitk-")?.strip_suffix(".sources")?.to_owned()))
        .collect()
}

impl Ensure for AptSource {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("apt knows {} with its key", self.uri)
    }

    fn check(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Result<CheckOutcome, ExecError> {
        if is_listed(cx, self) && named_elsewhere(cx, self).is_some() {
            return Ok(CheckOutcome::Holds);
        }
        let mut missing = Vec::new();
        for (path, text) in texts(self) {
            if root::content_of(cx, &path)?.as_deref() != Some(text.as_bytes()) {
                missing.push(message!("{} does not say what it should", path.display()));
            }
        }
        let key = Files::of(&self.name).key;
        if !root::content_of(cx, &key)?.is_some_and(|file| is_the_key(&file, self)) {
            missing.push(message!("{} is not the key {}", key.display(), self.fingerprint));
        }
        if !is_listed(cx, self) {
            missing.push(message!("apt has no lists of {}", self.uri));
        }
        if missing.is_empty() {
            return Ok(CheckOutcome::Holds);
        }
        Ok(CheckOutcome::of(missing).helped_by(help_where_refused(refuse_foreign(cx, self))?))
    }

    fn resolve(&self, cx: &Context<'_>, _: &Plan, step: &Step) -> Result<Exact, ExecError> {
        refuse_foreign(cx, self)?;
        let key = match cx.is_local.then(|| fetch_key(cx, step, self)) {
            Some(Err(error @ ExecError::WrongKey { .. })) => return Err(error),
            Some(Ok(key)) => Some(key),
            // It is asked for again when it is needed, and no other one is taken.
            Some(Err(_)) | None => None,
        };
        let later = key.is_none().then(|| {
            let (address, fingerprint) = (&self.key, &self.fingerprint);
            message!(
                "the key with the fingerprint {fingerprint}, from {address}: it is fetched when it is needed, and no \
                 other one is written"
            )
        });
        let mut deeds = puts(self, key.unwrap_or_default());
        if let Some(later) = later {
            let key = deeds.remove(0);
            deeds.insert(0, key.later(later));
        }
        deeds.push(RootAction::Run(update(cx, self)));
        Ok(Exact::one(root::shown(cx, step, &deeds)))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        refuse_foreign(cx, self)?;
        let files = Files::of(&self.name);
        let key = match may_change(cx, &message!("download {}", self.key))? {
            Permit::Granted => fetch_key(cx, work.step, self)?,
            Permit::Reported => String::new(),
        };
        let puts = puts(self, key);
        let made = vec![entry(&self.name)];
        let there = || !files.delete(cx.system).is_empty();
        cx.about_to(&work.step.id, &made, there, || {
            let done = root::carry_out(cx, work, &puts).and_then(|()| {
                let (update, id) = (update(cx, self), &work.step.id);
                apt::run(cx.system, &update, cx.lock_wait, id, work.reporter, &work.log)
            });
            match done {
                // The same command continues.
                Ok(()) | Err(ExecError::System(Failure::Interrupted)) => done,
                // A source that apt does not take would disturb every later update.
                Err(error) => {
                    let delete: Vec<_> =
                        files.delete(cx.system).into_iter().map(RootAction::Run).collect();
                    Err(match root::carry_out(cx, work, &delete) {
                        Ok(()) => taken_back(work, self, error),
                        // They are noted, so the next run or `aitk remove` takes them away.
                        Err(_) => error,
                    })
                }
            }
        })?;
        Ok(made)
    }

    /// Files of these names are aitk's.
    fn own(&self, cx: &Context<'_>, _: &Plan, _: &Step) -> Vec<ReceiptEntry> {
        let there = !Files::of(&self.name).delete(cx.system).is_empty();
        there.then(|| entry(&self.name)).into_iter().collect()
    }

    fn undo(thing: &Thing, _: Option<&str>, system: &dyn System) -> Option<TakenBack> {
        let Thing::Source(name) = thing else { return None };
        Some((undo(name, system), None))
    }
}

fn refuse_foreign(cx: &Context<'_>, source: &AptSource) -> Result<(), ExecError> {
    named_elsewhere(cx, source).map_or(Ok(()), |path| Err(ExecError::Foreign { path }))
}

/// Says that the source's files are gone again.
fn taken_back(work: &Work<'_>, source: &AptSource, error: ExecError) -> ExecError {
    let text = message!("what was written for the source {} was taken away again", source.name);
    match error {
        ExecError::AptUntrusted { reason, sources } => {
            ExecError::AptUntrusted { reason: Message::list([reason, text]), sources }
        }
        error => {
            work.reporter.event(&Event::Message { step: &work.step.id, text: &text });
            error
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::receipt::Receipt;
    use crate::steps::in_the_way;
    use crate::steps::testing::{Machine, NOTED, step};

    const KEY: &str = include_str!("../../fixtures/one-key.asc");
    const KEYS: &str = include_str!("../../fixtures/two-keys.asc");

    fn source() -> AptSource {
        AptSource {
            name: "vendor".to_owned(),
            uri: "https://repo.vendor.example:8443/debian_12/".to_owned(),
            suite: "/".to_owned(),
            components: Vec::new(),
            key: "https://repo.vendor.example/key.asc".to_owned(),
            fingerprint: "ACA0A9D7297E80B8B8A7AF3C44EE32AF25422428".to_owned(),
            packages: vec!["cuda-*".to_owned(), "libcudnn*".to_owned()],
            pin: None,
        }
    }

    #[test]
    fn the_files_say_where_it_is_who_signs_it_and_what_may_come() {
        let [(source_path, text), (preferences_path, preferences)] = texts(&source());
        assert_eq!(source_path, Path::new("/etc/apt/sources.list.d/aitk-vendor.sources"));
        let lines: Vec<_> = text.lines().skip(1).collect();
        let signed = "Signed-By: /etc/apt/keyrings/aitk-vendor.asc";
        let address = "URIs: https://repo.vendor.example:8443/debian_12/";
        assert_eq!(lines, ["Types: deb", address, "Suites: /", signed]);
        assert_eq!(preferences_path, Path::new("/etc/apt/preferences.d/aitk-vendor"));
        let lines: Vec<_> = preferences.lines().skip(1).collect();
        let origin = "Pin: origin repo.vendor.example";
        let never = ["Package: *", origin, "Pin-Priority: -1", ""];
        let wanted = ["Package: cuda-* libcudnn*", origin, "Pin-Priority: 600"];
        assert_eq!(lines, [&never[..], &wanted].concat());
        let pin = Some("595.*".to_owned());
        let [_, (_, preferences)] = texts(&AptSource { pin, ..source() });
        let pinned = ["Package: cuda-* libcudnn*", "Pin: version 595.*", "Pin-Priority: 601", ""];
        let lines: Vec<_> = preferences.lines().skip(1).collect();
        assert_eq!(lines, [&pinned[..], &never, &wanted].concat(), "what fits first counts");
        let components = vec!["main".to_owned(), "extra".to_owned()];
        let [(_, text), _] =
            texts(&AptSource { suite: "trixie".to_owned(), components, ..source() });
        assert!(text.contains("Suites: trixie\nComponents: main extra\nSigned-By"), "{text}");
    }

    #[test]
    fn lists_are_called_as_apt_calls_them() {
        let prefix = |uri: &str, suite: &str| {
            list_prefix(&AptSource { uri: uri.to_owned(), suite: suite.to_owned(), ..source() })
        };
        assert_eq!(prefix("https://a.example/x86_64/", "/"), "a.example_x86%5f64_");
        assert_eq!(prefix("https://a.example/x", "./"), "a.example_x_._");
        assert_eq!(prefix("https://me@a.example:8/x", "trixie"), "a.example:8_x_dists_trixie_");
    }

    #[test]
    fn it_holds_with_three_right_files_and_lists() {
        let machine = Machine::new("{}");
        let step = step(source());
        let faults = |machine: &Machine| match machine.check(&step).unwrap() {
            CheckOutcome::Holds => 0,
            CheckOutcome::Missing(faults) => faults.len(),
        };
        assert_eq!(faults(&machine), 4);
        for (path, text) in texts(&source()) {
            machine.file(&path.to_string_lossy(), &text);
        }
        let list = "/var/lib/apt/lists/repo.vendor.example:8443_debian%5f12_InRelease";
        machine.file(list, "signed");
        assert_eq!(faults(&machine), 1);
        let key = "/etc/apt/keyrings/aitk-vendor.asc";
        machine.file(key, KEY);
        assert_eq!(faults(&machine), 0);
        // Another key beside it would be trusted as well.
        machine.file(key, KEYS);
        assert_eq!(faults(&machine), 1);
    }

    #[test]
    fn a_source_of_the_users_own_is_used_as_it_is() {
        let machine = Machine::new("{}");
        let step = step(source());
        let own = "/etc/apt/sources.list.d/own.list";
        machine.file(own, "deb https://repo.vendor.example:8443/debian_12 /\n");
        let lacks = machine.check(&step).unwrap().lacks();
        let helps = Some(in_the_way(Path::new(own)));
        assert!(lacks.iter().all(|lack| lack.remedy == helps), "{lacks:?}");
        let refused = machine.apply(step.action.clone(), Receipt::default());
        assert!(matches!(refused, Err(ExecError::Foreign { path }) if path == Path::new(own)));
        let list = "/var/lib/apt/lists/repo.vendor.example:8443_debian%5f12_InRelease";
        machine.file(list, "signed");
        assert_eq!(machine.check(&step).unwrap(), CheckOutcome::Holds);
        machine.file(own, "# deb https://repo.vendor.example:8443/debian_12 /\n");
        assert_ne!(machine.check(&step).unwrap(), CheckOutcome::Holds);
    }

    #[test]
    fn the_same_source_is_found_in_both_forms_of_apts() {
        let source = AptSource { suite: "trixie".to_owned(), ..source() };
        let list = |text: &str| names_it(Path::new("a.list"), text, &source);
        let stanza = |text: &str| names_it(Path::new("a.sources"), text, &source);
        let address = "https://repo.vendor.example:8443/debian_12";
        assert!(list(&format!("deb [arch=amd64] {address} trixie main")));
        assert!(!list(&format!("deb {address} sid main\ndeb https://other.example trixie main")));
        let text = format!("Types: deb\nURIs: {address}/\nSuites: trixie\nComponents: main\n");
        assert!(stanza(&text));
        assert!(!stanza(&format!("Enabled: no\n{text}")));
        assert!(stanza(&format!("Types: deb\nURIs: https://other.example\nSuites: sid\n\n{text}")));
        assert!(!names_it(Path::new("a.list.save"), &text, &source));
    }

    #[test]
    fn root_installs_three_files_and_asks_that_source_alone() {
        let machine = Machine::new("{}");
        let action = source();
        let ran = machine.apply(action, Receipt::default()).unwrap();
        let install = "sudo install -D -m 644 -o root -g root -T /dev/stdin";
        for (at, path) in Files::of("vendor").all().into_iter().enumerate() {
            assert_eq!(ran.shown.commands[at], format!("{install} {}", path.display()));
        }
        let [(_, entry), (_, preferences)] = texts(&source());
        let shown: Vec<_> = ran.shown.writes.iter().map(|write| write.content.clone()).collect();
        assert_eq!(shown, [String::new(), entry, preferences], "the key is not at hand");
        let told = ran.shown.writes[0].later.as_ref().unwrap().to_string();
        assert!(told.contains(&source().fingerprint) && told.contains(&source().key), "{told}");
        assert_eq!(ran.shown.by_hand()[0], ran.shown.commands[0].to_string(), "nothing is made up");
        let list = "-o Dir::Etc::sourcelist=/etc/apt/sources.list.d/aitk-vendor.sources";
        assert!(ran.shown.commands[3].to_string().contains(list), "{}", ran.shown.commands[3]);
        assert!(ran.shown.commands[3].to_string().ends_with("APT::Get::List-Cleanup=0 update"));
        let run: Vec<_> = ran.did.iter().filter_map(|did| did.strip_prefix("run ")).collect();
        assert_eq!(run, ran.shown.commands);
        let noted = ran.did.iter().position(|did| did == NOTED).unwrap();
        let first = ran.did.iter().position(|did| did.starts_with("run ")).unwrap();
        assert!(noted < first && ran.receipt.has_made("source:vendor"), "{:?}", ran.did);
        let key = "/etc/apt/keyrings/aitk-vendor.asc";
        machine.file(key, KEY);
        let undo = undo("vendor", machine.system());
        assert_eq!(undo[0].to_string(), format!("sudo rm -f -- {key}"));
    }

    /// Answers once with this content.
    fn serve(content: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            let length = content.len();
            write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{content}").unwrap();
        });
        format!("http://{address}/key.asc")
    }

    #[test]
    fn only_the_key_of_the_catalog_is_taken() {
        let machine = Machine::new("{}");
        let fetch = |key: String, fingerprint: &str| {
            let source = AptSource { key, fingerprint: fingerprint.to_owned(), ..source() };
            let step = step(source.clone());
            machine.online(|cx| fetch_key(cx, &step, &source))
        };
        let one = source().fingerprint;
        // Of two keys the other one is left out.
        let key = fetch(serve(KEYS), &one).unwrap();
        assert!(is_the_key(key.as_bytes(), &source()));
        let other = "5FB0AACF1A0DC52AD7725F81DD17EBAC168860F3";
        let refused = fetch(serve(KEY), other).unwrap_err().to_string();
        assert!(refused.contains(&format!("is {one}, and not {other}")), "{refused}");
        let refused = fetch(serve("<html>moved</html>"), &one).unwrap_err().to_string();
        assert!(refused.contains("is no key, and not"), "{refused}");
        let refused = fetch("http://repo.vendor.example/key.asc".to_owned(), &one).unwrap_err();
        assert!(refused.to_string().contains("https"), "{refused}");
    }
}
