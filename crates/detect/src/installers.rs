//! What is set for pip and uv in their files: where sources are, and what leads an installation elsewhere.

use std::path::{Path, PathBuf};

use aitk_system::{FileKind, System};
use toml::{Table, Value};

use crate::machine::Folders;
use crate::probes::folders::config_home;

/// Options of pip by which it installs elsewhere than into the environment that it is started in, or something else
/// than it is asked for. Each is a variable `PIP_…` as well.
pub const ASTRAY: [&str; 14] = [
    "user",
    "target",
    "prefix",
    "root",
    "python",
    "require-virtualenv",
    "no-deps",
    "dry-run",
    "requirement",
    "editable",
    "platform",
    "python-version",
    "implementation",
    "abi",
];
/// The same of `uv pip`, beside those that have the same name.
const ASTRAY_OF_UV: [&str; 2] = ["system", "python-platform"];

/// A setting in a file of pip's or uv's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The file that it is set in.
    pub file: PathBuf,
    /// The option's name, as on the command line.
    pub key: String,
    /// What it is set to; several values stand beside each other.
    pub value: String,
}

/// The variable by which pip is told an option.
pub fn pip_variable(option: &str) -> String {
    format!("PIP_{}", option.to_uppercase().replace('-', "_"))
}

/// What `pip COMMAND` takes from its files, what counts first: those of the user's before the machine's, and where it
/// is known which Python asks, that one's own before both.
pub fn pip_settings(
    system: &dyn System,
    folders: &Folders,
    prefix: Option<&Path>,
    command: &str,
) -> Vec<Setting> {
    let all = pip_files(system, folders, prefix).into_iter().flat_map(|file| {
        let text = crate::text(system, &file).unwrap_or_default();
        let lines = sections(&text).into_iter();
        lines
            .map(move |(section, key, value)| (section, Setting { file: file.clone(), key, value }))
    });
    let all: Vec<_> = all.collect();
    // The command's own section comes before the general one, whatever the files.
    let of = |name: &str| {
        let own = all.iter().filter(|(section, _)| section == name);
        own.map(|(_, setting)| setting.clone()).collect::<Vec<_>>()
    };
    [of(command), of("global")].concat()
}

/// Where pip looks for its configuration, what counts first.
fn pip_files(system: &dyn System, folders: &Folders, prefix: Option<&Path>) -> Vec<PathBuf> {
    let named = system.env("PIP_CONFIG_FILE").map(PathBuf::from);
    // This is how pip is told to read none.
    if named.as_deref() == Some(Path::new("/dev/null")) {
        return Vec::new();
    }
    let prefix = prefix.map(|prefix| prefix.join("pip.conf"));
    let users =
        [config_home(system, folders).join("pip/pip.conf"), folders.home.join(".pip/pip.conf")];
    let machines = config_folders(system).into_iter().map(|folder| folder.join("pip/pip.conf"));
    let machines = std::iter::once("/etc/pip.conf".into()).chain(machines);
    named.into_iter().chain(prefix).chain(users).chain(machines).collect()
}

/// Files of certificates that the user has named for pip, curl, programs of Python's or conda, those that are there: beside
/// the one that `SSL_CERT_FILE` names, or the system's.
pub fn certificates(system: &dyn System, folders: &Folders) -> Vec<PathBuf> {
    let variables = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "CONDA_SSL_VERIFY"];
    let variables = variables.into_iter().filter_map(|name| system.env(name));
    let of_pip = ["download", "install"].into_iter().flat_map(|command| {
        let set = pip_settings(system, folders, None, command).into_iter();
        set.filter(|setting| setting.key == "cert").map(|setting| setting.value)
    });
    let of_conda = conda_files(folders)
        .into_iter()
        .filter_map(|file| line_of_conda(&crate::text(system, &file).ok()?, "ssl_verify:"));
    let named = system.env("SSL_CERT_FILE").unwrap_or_default();
    let usual = ["/etc/ssl/certs/ca-certificates.crt", &named];
    let usual: Vec<_> = usual.iter().map(|file| resolved(system, folders, file)).collect();
    let mut found = Vec::new();
    for name in variables.chain(of_pip).chain(of_conda) {
        // What is no path says whether certificates are looked at at all; they are.
        let Some(file) = resolved(system, folders, &name) else { continue };
        let is_file = system.stat(&file).is_ok_and(|stat| stat.kind == FileKind::File);
        if is_file && !usual.contains(&Some(file.clone())) && !found.contains(&file) {
            found.push(file);
        }
    }
    found
}

/// What a user shows to a source that asks who he is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The file of the certificate, and of its key where that has no file of its own.
    pub file: PathBuf,
    /// The file of its key.
    pub key: Option<PathBuf>,
    /// What names it: a variable, or a file of settings with its key.
    pub setting: String,
}

/// The client's certificate that is set for pip, for uv and others, or for conda: whichever counts first. Whether it is
/// there, who uses it finds out.
pub fn client_certificate(system: &dyn System, folders: &Folders) -> Option<ClientCertificate> {
    let of_variable = |name: &&str| {
        let file = at_home(folders, &system.env(name)?);
        Some(ClientCertificate { file, key: None, setting: (*name).to_owned() })
    };
    let of_pip = |command: &&str| {
        let mut set = pip_settings(system, folders, None, command).into_iter();
        let set = set.find(|setting| setting.key == "client-cert")?;
        let (file, setting) = (at_home(folders, &set.value), set.file.display());
        Some(ClientCertificate { file, key: None, setting: format!("{setting}: client-cert") })
    };
    let of_conda = |file: &PathBuf| {
        let text = crate::text(system, file).ok()?;
        let set = |key| Some(at_home(folders, &line_of_conda(&text, key)?));
        let setting = format!("{}: client_ssl_cert", file.display());
        let key = set("client_ssl_cert_key:");
        Some(ClientCertificate { file: set("client_ssl_cert:")?, key, setting })
    };
    ["PIP_CLIENT_CERT", "SSL_CLIENT_CERT"].iter().find_map(of_variable).or_else(|| {
        let conda = conda_files(folders);
        ["download", "install"].iter().find_map(of_pip).or_else(|| conda.iter().find_map(of_conda))
    })
}

/// A value in the text of a file of conda's; `key` has its colon.
fn line_of_conda(text: &str, key: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let value = line.split(" #").next()?.trim().trim_matches(['\'', '"']);
    (!matches!(value, "" | "null" | "~")).then(|| value.to_owned())
}

/// The file of names and passwords by host that curl, pip and uv read.
pub fn netrc(system: &dyn System, folders: &Folders) -> PathBuf {
    system.env("NETRC").map_or_else(|| folders.home.join(".netrc"), |file| at_home(folders, &file))
}

/// A path of a setting, which may begin with the home folder.
fn at_home(folders: &Folders, name: &str) -> PathBuf {
    name.strip_prefix("~/").map_or_else(|| name.into(), |inside| folders.home.join(inside))
}

/// Where a file is that a setting names, links followed.
fn resolved(system: &dyn System, folders: &Folders, name: &str) -> Option<PathBuf> {
    let path = at_home(folders, name);
    path.is_absolute().then(|| aitk_system::paths::resolve(system, &path)).flatten()
}

/// The files of conda's settings that count wherever it is installed, what counts most first.
fn conda_files(folders: &Folders) -> [PathBuf; 4] {
    let home = |name| folders.home.join(name);
    let machine = |name| Path::new("/etc/conda").join(name);
    [home(".condarc"), home(".config/conda/condarc"), machine(".condarc"), machine("condarc")]
}

/// The proxy that pip is told of, where no variable names one for all programs.
pub fn proxy_of_pip(system: &dyn System, folders: &Folders) -> Option<String> {
    let variables = ["https_proxy", "http_proxy", "all_proxy"];
    let set = |name: &&str| {
        [name.to_string(), name.to_uppercase()].iter().any(|name| system.env(name).is_some())
    };
    if variables.iter().any(set) {
        return None;
    }
    let of_file = || {
        let set = pip_settings(system, folders, None, "download").into_iter();
        set.filter(|setting| setting.key == "proxy").map(|setting| setting.value).next()
    };
    system.env("PIP_PROXY").or_else(of_file)
}

/// Where uv looks for its configuration, what counts first.
pub fn uv_files(system: &dyn System, folders: &Folders) -> Vec<PathBuf> {
    if system.env("UV_NO_CONFIG").is_some_and(|value| matches!(&*value, "1" | "true" | "yes")) {
        return Vec::new();
    }
    if let Some(file) = system.env("UV_CONFIG_FILE") {
        return vec![file.into()];
    }
    let mut machines = config_folders(system);
    if machines.is_empty() {
        machines.push("/etc/xdg".into());
    }
    machines.push("/etc".into());
    let machines = machines.into_iter().map(|folder| folder.join("uv/uv.toml"));
    let machines = machines.filter(|file| system.exists(file)).take(1);
    std::iter::once(config_home(system, folders).join("uv/uv.toml")).chain(machines).collect()
}

fn config_folders(system: &dyn System) -> Vec<PathBuf> {
    let folders = system.env("XDG_CONFIG_DIRS").unwrap_or_default();
    folders.split(':').map(PathBuf::from).filter(|folder| folder.is_absolute()).collect()
}

/// The settings in files of pip's and uv's that lead an installation astray which is started in an environment.
pub fn astray(system: &dyn System, folders: &Folders, prefix: Option<&Path>) -> Vec<Setting> {
    let of_pip = pip_settings(system, folders, prefix, "install").into_iter();
    let of_pip = of_pip.filter(|setting| ASTRAY.contains(&setting.key.as_str()));
    let files = uv_files(system, folders).into_iter();
    let of_uv = files.flat_map(|file| {
        let text = crate::text(system, &file).unwrap_or_default();
        let pip = text.parse::<Table>().ok().and_then(|mut table| table.remove("pip"));
        let keys = pip.as_ref().and_then(Value::as_table).cloned().unwrap_or_default().into_iter();
        let told = keys.map(move |(key, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Setting { file: file.clone(), key, value }
        });
        told.filter(|setting| {
            let key = setting.key.as_str();
            ASTRAY.contains(&key) || ASTRAY_OF_UV.contains(&key)
        })
    });
    let off = |value: &str| ["0", "false", "no", "off", "n", "f"].contains(&value);
    let mut found: Vec<_> =
        of_pip.chain(of_uv).filter(|setting| !off(&setting.value.to_ascii_lowercase())).collect();
    found.dedup();
    found
}

/// Sections, names and values of a file in pip's form. A name may be written with `_` or dashes before it; a value goes
/// on in the lines that stand further in.
fn sections(text: &str) -> Vec<(String, String, String)> {
    let mut found: Vec<(String, String, String)> = Vec::new();
    let mut section = String::new();
    let mut goes_on = false;
    for line in text.lines() {
        let own = line.trim();
        if own.is_empty() || own.starts_with(['#', ';']) {
            continue;
        }
        if let Some((.., value)) = found.last_mut().filter(|_| goes_on)
            && line.starts_with(char::is_whitespace)
        {
            *value = format!("{value} {own}").trim().to_owned();
            continue;
        }
        goes_on = false;
        if let Some(name) = own.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some((key, value)) = own.split_once(['=', ':']) {
            let key = key.trim().to_ascii_lowercase().replace('_', "-");
            let key = key.trim_start_matches('-').to_owned();
            found.push((section.clone(), key, value.trim().to_owned()));
            goes_on = true;
        }
    }
    // To pip an empty value is none.
    found.retain(|(.., value)| !value.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    fn tree(env: &[(&str, &str)], files: &[(&str, &str)]) -> (tempfile::TempDir, Replay) {
        let folder = tempfile::tempdir().unwrap();
        let env: std::collections::BTreeMap<_, _> = env.iter().copied().collect();
        let answers = serde_json::json!({ "schema": 1, "env": env }).to_string();
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        for (path, text) in files {
            Real.write(&folder.path().join("root").join(path), text.as_bytes(), 0o644).unwrap();
        }
        let system = Replay::open(folder.path()).unwrap();
        (folder, system)
    }

    fn folders() -> Folders {
        Folders { home: "/home/me".into(), ..Folders::default() }
    }

    #[test]
    fn pips_files_are_read_as_pip_reads_them() {
        let user = "# of mine\n[global]\nindex_url: https://me.example/simple\nextra-index-url =\n    \
                    https://a.example/simple\n    https://b.example/simple\ncert =\n[install]\n--Target = /t\n\
                    [list]\nformat = json\n";
        let machine = "[install]\ncert = /m.pem\n[global]\nindex-url = https://m.example/simple\n";
        let files =
            [("home/me/.config/pip/pip.conf", user), ("etc/pip.conf", machine), ("v/pip.conf", "")];
        let (_folder, system) = tree(&[], &files);
        let read = |command| {
            let all = pip_settings(&system, &folders(), Some(Path::new("/v")), command).into_iter();
            all.map(|setting| (setting.key, setting.value)).collect::<Vec<_>>()
        };
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect::<Vec<_>>()
        };
        let general = own(&[
            ("index-url", "https://me.example/simple"),
            ("extra-index-url", "https://a.example/simple https://b.example/simple"),
            ("index-url", "https://m.example/simple"),
        ]);
        assert_eq!(read("download"), general);
        assert_eq!(
            read("install"),
            [own(&[("target", "/t"), ("cert", "/m.pem")]), general].concat()
        );
        let (_folder, system) = tree(&[("PIP_CONFIG_FILE", "/dev/null")], &files);
        assert_eq!(pip_settings(&system, &folders(), None, "install"), []);
    }

    #[test]
    fn certificates_are_found_wherever_they_are_named_and_no_path_names_none() {
        let pip = "[install]\ncert = ~/pip.pem\n[global]\nproxy = me:it@proxy:3128\n";
        let conda = "channels:\n  - conda-forge\nssl_verify: \"/conda.pem\"  # the firm's\n";
        let there = ["home/me/pip.pem", "conda.pem", "curl.pem", "ssl.pem"];
        let settings = [("home/me/.pip/pip.conf", pip), ("home/me/.condarc", conda)];
        let files = [&settings[..], &there.map(|file| (file, ""))].concat();
        let env = [
            ("REQUESTS_CA_BUNDLE", "/gone.pem"),
            ("CURL_CA_BUNDLE", "/curl.pem"),
            ("PIP_CERT", "/ssl.pem"),
            ("SSL_CERT_FILE", "/ssl.pem"),
        ];
        let (_folder, system) = tree(&env, &files);
        let found = certificates(&system, &folders());
        assert_eq!(found, ["/curl.pem", "/home/me/pip.pem", "/conda.pem"].map(PathBuf::from));
        assert_eq!(proxy_of_pip(&system, &folders()).as_deref(), Some("me:it@proxy:3128"));
        let (_folder, system) = tree(&[("HTTPS_PROXY", "http://other")], &files);
        assert_eq!(proxy_of_pip(&system, &folders()), None);
        for no_path in ["ssl_verify: true\n", "ssl_verify: false\n", "ssl_verify: truststore\n", ""]
        {
            let (_folder, system) = tree(&[], &[("home/me/.condarc", no_path)]);
            assert!(certificates(&system, &folders()).is_empty(), "{no_path}");
        }
    }

    #[test]
    fn what_a_user_shows_is_found_wherever_it_is_named() {
        let pip = ("home/me/.pip/pip.conf", "[global]\nclient-cert = ~/pip.pem\n");
        let conda = "client_ssl_cert: /conda.pem\nclient_ssl_cert_key: /conda.key # its key\n";
        let conda = ("home/me/.condarc", conda);
        let found = |env: &[_], files: &[_]| {
            let (_folder, system) = tree(env, files);
            let found = client_certificate(&system, &folders())?;
            let key = found.key.map(|key| key.display().to_string());
            Some(format!("{} {:?} {}", found.setting, key, found.file.display()))
        };
        let uv = ("SSL_CLIENT_CERT", "/uv.pem");
        let of = |env: &[_]| found(env, &[pip, conda]).unwrap();
        assert_eq!(of(&[uv, ("PIP_CLIENT_CERT", "/p.pem")]), "PIP_CLIENT_CERT None /p.pem");
        assert_eq!(of(&[uv]), "SSL_CLIENT_CERT None /uv.pem");
        assert_eq!(of(&[]), "/home/me/.pip/pip.conf: client-cert None /home/me/pip.pem");
        assert_eq!(
            found(&[], &[conda]).unwrap(),
            "/home/me/.condarc: client_ssl_cert Some(\"/conda.key\") /conda.pem"
        );
        assert_eq!(found(&[], &[("home/me/.condarc", "client_ssl_cert: null\n")]), None);
        let (_folder, system) = tree(&[("NETRC", "~/own")], &[]);
        assert_eq!(netrc(&system, &folders()), Path::new("/home/me/own"));
    }

    #[test]
    fn what_leads_an_installation_astray_is_found_and_nothing_else() {
        let pip = "[install]\nuser = no\nprefix = /p\nindex-url = https://m.example/simple\n";
        let uv = "index-url = \"https://u.example/simple\"\n[pip]\ntarget = \"/u\"\nsystem = true\nno-deps = false\n";
        let files = [("home/me/.pip/pip.conf", pip), ("home/me/.config/uv/uv.toml", uv)];
        let found = |files: &[_]| {
            let (_folder, system) = tree(&[], files);
            let all = astray(&system, &folders(), None).into_iter();
            all.map(|setting| format!("{} {}", setting.key, setting.value)).collect::<Vec<_>>()
        };
        assert_eq!(found(&files), ["prefix /p", "system true", "target /u"]);
        assert_eq!(found(&[("home/me/.config/uv/uv.toml", "= =\n")]), [""; 0]);
        assert_eq!(found(&[]), [""; 0]);
    }
}
