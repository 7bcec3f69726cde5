//! What has aged of a project since it was written: what this aitk would write otherwise, and the platform's client.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use aitk_detect::is_newer;
use aitk_plan::Client;
use aitk_system::{Command, Message, System, message};
use regex::Regex;

use super::ProjectRecord;
use crate::error::ExecError;

/// How long a client may think about who the user is.
const LIMIT: Duration = Duration::from_secs(60);
/// A version; a number alone may be anything.
static VERSION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\d+(\.\d+)+").ok());

/// What this aitk would write otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProjectAge {
    /// The files that would be others, by their paths in the project.
    pub files: Vec<String>,
    /// Lines of them in which nothing but a version is another: as it was written, and as it would be.
    pub pins: Vec<(String, String)>,
}

/// Compares what was written into a folder with what would be.
///
/// # Errors
/// Where what is known of the project is damaged.
pub fn project_age(
    folder: &Path,
    record: &ProjectRecord,
    new: &[aitk_export::File],
    system: &dyn System,
) -> Result<ProjectAge, ExecError> {
    let base = record.base(folder, system)?;
    let mut age = ProjectAge::default();
    for file in new {
        let before = base.get(&file.path).map(|bytes| String::from_utf8_lossy(bytes));
        if before.as_deref() == Some(file.content.as_str()) {
            continue;
        }
        age.files.push(file.path.clone());
        // Of a lock every line is a version.
        if let Some(before) = before.filter(|_| !file.path.ends_with(".lock")) {
            age.pins.extend(pins(&before, &file.content));
        }
    }
    age.pins.dedup();
    Ok(age)
}

/// The lines in which nothing but a version is another.
fn pins(before: &str, now: &str) -> Vec<(String, String)> {
    let Some(version) = &*VERSION else { return Vec::new() };
    let [old, new] = [before, now].map(|text| text.lines().map(str::trim).collect::<BTreeSet<_>>());
    let shape = |line: &str| version.replace_all(line, "#").into_owned();
    let gone: Vec<_> = old.difference(&new).map(|line| (shape(line), *line)).collect();
    let fresh = now.lines().map(str::trim).filter(|line| !old.contains(line));
    fresh
        .filter_map(|line| {
            let mut like = gone.iter().filter(|(known, _)| *known == shape(line));
            // Where several lines look alike nothing tells which became which.
            let (_, before) = like.next().filter(|_| version.is_match(line))?;
            like.next().is_none().then(|| ((*before).to_owned(), line.to_owned()))
        })
        .collect()
}

/// What a platform's client lacks here: it is not there, or it is older than the platform needs it.
pub fn client_lack(client: &Client, system: &dyn System) -> Option<Message> {
    let Client { command, minimum, version, .. } = client;
    if system.which(command).is_none() {
        return Some(message!("`{command}` is not on the PATH; {minimum} or newer is needed"));
    }
    let usual = [command.clone(), "--version".to_owned()];
    let words = if version.is_empty() { &usual[..] } else { &version[..] };
    let output = system.run(&asks(client, words)).ok()?;
    let said = [output.stdout, output.stderr].concat();
    let there = VERSION.as_ref()?.find(&said)?.as_str();
    is_newer(minimum, there)
        .then(|| message!("`{command}` is {there}; {minimum} or newer is needed"))
}

/// What a platform's client says where it does not take the user's credentials. It asks the platform.
pub fn credentials_lack(client: &Client, system: &dyn System) -> Option<Message> {
    if client.credentials.is_empty() || system.which(&client.command).is_none() {
        return None;
    }
    let typed = client.credentials.join(" ");
    match system.run(&asks(client, &client.credentials)) {
        Ok(output) if output.success() => None,
        Ok(output) => Some(message!("`{typed}` says: {}", output.tail(3).trim())),
        Err(error) => Some(message!("`{typed}`: {error}")),
    }
}

/// A command of the client's with what it is told by variables.
fn asks(client: &Client, words: &[String]) -> Command {
    let command = Command::reads(words.iter().cloned()).timeout(LIMIT);
    client.variables.iter().fold(command, Command::pass)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            command: "cloud".to_owned(),
            minimum: "2.10".to_owned(),
            version: Vec::new(),
            variables: Vec::new(),
            credentials: vec!["cloud".to_owned(), "whoami".to_owned()],
        }
    }

    /// What is said of a client that answers so.
    fn said(which: &str, version: &str, whoami: u8) -> [Option<String>; 2] {
        let machine = crate::steps::testing::Machine::new(&format!(
            r#"{{"which": {which}, "commands": {{
                "cloud --version": {{"status": 0, "stdout": "{version}", "stderr": ""}},
                "cloud whoami": {{"status": {whoami}, "stdout": "", "stderr": "who?"}}}}}}"#
        ));
        let both = [
            client_lack(&client(), machine.system()),
            credentials_lack(&client(), machine.system()),
        ];
        both.map(|lack| lack.map(|lack| lack.to_string()))
    }

    #[test]
    fn a_client_is_missing_or_older_or_is_not_let_in() {
        let there = r#"{"cloud": "/usr/bin/cloud"}"#;
        let missing = "`cloud` is not on the PATH; 2.10 or newer is needed".to_owned();
        assert_eq!(said("{}", "", 0), [Some(missing), None]);
        assert_eq!(said(there, "Cloud SDK 2.10.0 (Python 3.9)", 0), [None, None]);
        let old = "`cloud` is 2.9.1; 2.10 or newer is needed".to_owned();
        let refused = "`cloud whoami` says: who?".to_owned();
        assert_eq!(said(there, "cloud/2.9.1", 1), [Some(old), Some(refused)]);
    }

    #[test]
    fn a_pin_is_a_line_in_which_only_the_version_is_another() {
        let before = "mlflow = \"==3.1.0\"\nname = \"a\"\nport = 80\na 1.0\n";
        let now = "mlflow = \"==3.2.1\"\nname = \"b\"\nport = 81\na 1.0\nfresh = \"1.0\"\n";
        let expected = ("mlflow = \"==3.1.0\"".to_owned(), "mlflow = \"==3.2.1\"".to_owned());
        assert_eq!(pins(before, now), [expected]);
        // Nothing tells which is which.
        assert_eq!(pins("v = 1.0\nv = 1.1\n", "v = 2.0\n"), []);
    }
}
