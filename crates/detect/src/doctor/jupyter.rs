//! What configurations of Jupyter's make of its server: hidden, open, or not started at all.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use aitk_system::{Message, message, paths};

use super::ProbeContext;

/// Where Jupyter looks for configurations beside the user's folder.
const MACHINES: [&str; 2] = ["/etc/jupyter", "/usr/local/etc/jupyter"];
/// The configurations of the server that are programs of Python's, those that JupyterLab does not read last.
const FILES: [&str; 6] = [
    "jupyter_server_config.py",
    "jupyter_lab_config.py",
    "jupyter_notebook_config.py",
    "jupyter_server_config.json",
    "jupyter_lab_config.json",
    "jupyter_notebook_config.json",
];

/// A server that is not where it is looked for, that lets others in, or whose settings lead nowhere.
pub(super) fn configurations(case: &ProbeContext<'_>) -> Vec<Message> {
    let named = case.system.env("JUPYTER_CONFIG_DIR").map(PathBuf::from);
    let own = named.unwrap_or_else(|| case.home(".jupyter"));
    let folders = [own].into_iter().chain(MACHINES.iter().map(PathBuf::from));
    let files = folders.flat_map(|folder| FILES.map(|name| folder.join(name)));
    let seen = files.flat_map(|file| {
        let text = case.system.text(&file).unwrap_or_default();
        let is_json = file.extension().is_some_and(|extension| extension == "json");
        let settings = if is_json { of_json(&text) } else { of_python(&text) };
        // A password stands for the token.
        let has_password = settings.iter().any(|(_, key, value)| {
            ["password", "hashed_password"].contains(&key.as_str()) && !value.is_empty()
        });
        let gone = |path: &str| {
            path.starts_with('/') && paths::resolve(case.system, Path::new(path)).is_none()
        };
        let settings = settings.iter().filter(|(_, key, _)| !(has_password && key == "token"));
        settings
            .filter_map(|(class, key, value)| describe(&file, class, key, value, gone))
            .collect::<Vec<_>>()
    });
    let mut seen: Vec<_> = seen.collect();
    seen.dedup();
    seen
}

/// Class, key and value of each text that a configuration sets.
type TraitValues = Vec<(String, String, String)>;

fn of_python(text: &str) -> TraitValues {
    let owned = |(class, key, value): (&str, &str, &str)| (class.into(), key.into(), value.into());
    text.lines().filter_map(setting).map(owned).collect()
}

fn of_json(text: &str) -> TraitValues {
    type Classes = BTreeMap<String, BTreeMap<String, serde_json::Value>>;
    let classes = serde_json::from_str::<Classes>(text).unwrap_or_default();
    let settings = classes.into_iter().flat_map(|(class, settings)| {
        settings.into_iter().map(move |(key, value)| (class.clone(), key, value))
    });
    settings
        .filter_map(|(class, key, value)| Some((class, key, value.as_str()?.to_owned())))
        .collect()
}

/// Whether other computers reach a server that listens there.
fn is_open(address: &str) -> bool {
    address != "localhost" && !address.parse::<IpAddr>().is_ok_and(|one| one.is_loopback())
}

/// A line that sets something to a text: `c.ServerApp.token = "x"`.
fn setting(line: &str) -> Option<(&str, &str, &str)> {
    let (name, value) = line.trim().strip_prefix("c.")?.split_once('=')?;
    let (class, key) = name.trim().split_once('.')?;
    let value = value.split(" #").next()?.trim();
    let value = value.trim_start_matches(['u', 'r']).strip_prefix(['"', '\''])?;
    Some((class, key, value.strip_suffix(['"', '\''])?))
}

/// What a setting does to the server, where that is not what people expect.
fn describe(
    file: &Path,
    class: &str,
    key: &str,
    value: &str,
    gone: impl Fn(&str) -> bool,
) -> Option<Message> {
    let file = file.display();
    match (class, key) {
        ("NotebookApp", _) => Some(message!(
            "{file} sets {class}.{key}, of the notebook up to version 6; the server of today passes over it or takes it in part"
        )),
        (_, "token") if value.is_empty() => {
            Some(message!("{file} turns the token off: whoever reaches the server may use it"))
        }
        (_, "ip") if is_open(value) => {
            Some(message!("{file} opens the server to the whole network ({class}.ip)"))
        }
        (_, "base_url") if !value.trim_matches('/').is_empty() => {
            Some(message!("{file} moves the server's pages to {value}"))
        }
        (_, "sock") if !value.is_empty() => {
            Some(message!("{file} lets the server listen at {value} and at no port"))
        }
        (_, "root_dir" | "notebook_dir" | "preferred_dir" | "certfile" | "keyfile")
            if gone(value) =>
        {
            Some(message!("{file} names {value} ({class}.{key}), which is not there"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_from_both_forms() {
        let json = r#"{"ServerApp": {"ip": "0.0.0.0", "port": 8888}}"#;
        let expected = [("ServerApp".to_owned(), "ip".to_owned(), "0.0.0.0".to_owned())];
        assert_eq!(of_json(json), expected);
        assert_eq!(of_python("c.ServerApp.ip = '0.0.0.0'\n"), expected);
        assert!(of_json("{").is_empty());
    }

    fn of(line: &str) -> Option<String> {
        let (class, key, value) = setting(line)?;
        let found = describe(Path::new("/f"), class, key, value, |path| path == "/gone");
        found.map(|message| message.to_string())
    }

    #[test]
    fn what_hides_a_server_or_opens_it_is_told_and_nothing_else() {
        for wrong in [
            "c.ServerApp.token = \"\"",
            "  c.IdentityProvider.token=''   # no more tokens",
            "c.ServerApp.ip = '0.0.0.0'",
            "c.ServerApp.ip = u''",
            "c.ServerApp.ip = '192.168.1.5'",
            "c.ServerApp.base_url = \"/jupyter/\"",
            "c.ServerApp.root_dir = '/gone'",
            "c.ServerApp.certfile = u'/gone'",
            "c.ServerApp.sock = '/run/j.sock'",
            "c.NotebookApp.token = 'mine'",
        ] {
            assert!(of(wrong).is_some(), "{wrong}");
        }
        for right in [
            "# c.ServerApp.token = ''",
            "c.ServerApp.token = 'mine'",
            "c.ServerApp.ip = '127.0.0.1'",
            "c.ServerApp.base_url = '/'",
            "c.ServerApp.root_dir = '/there'",
            "c.ServerApp.port = 8889",
            "c.ServerApp.ip = = 1",
            "c = get_config()",
            "c.ServerApp.token = os.environ['T']",
            "",
        ] {
            assert_eq!(of(right), None, "{right}");
        }
    }
}
