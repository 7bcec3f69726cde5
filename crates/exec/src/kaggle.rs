//! Kaggle's own client, and the credentials that it will use: they are looked for where it looks, checked, and neither
//! copied nor shown.

use std::path::{Path, PathBuf};

use aitk_system::{Command, Explain, FileKind, Message, System, message};
use serde_json::Value;

/// What the client says where the server refuses; it ends with 0 then.
const REFUSED: &str = "Kernel push error";
/// Variables by which the client is told who the user is, and where that stands.
const VARIABLES: [&str; 4] =
    ["KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_CONFIG_DIR"];
/// Permissions by which others may read a file.
const OTHERS: u32 = 0o044;

/// Why a project is not sent to its platform.
#[derive(Debug, Explain)]
pub enum PushError {
    /// Credentials for Kaggle are missing, cannot be used, or can be read by others.
    #[explain(
        code = "AITK-N04",
        exit = NotPermitted,
        say("credentials for Kaggle: {reason}; nothing was sent"),
        hint("{remedy}")
    )]
    Credentials {
        /// What is the matter with them.
        reason: Message,
        /// What to do about it.
        remedy: Message,
    },
    /// Kaggle's client is not there.
    #[explain(
        code = "AITK-N05",
        say("Kaggle's client `kaggle` is not on the PATH; nothing was sent"),
        hint(
            "install it by a command of your choice (`uv tool install kaggle --with six`, `pipx install kaggle`, or `aitk \
              run -- pip install kaggle six` and `aitk run -- aitk apply …`), or leave out --push"
        )
    )]
    NoClient,
    /// Kaggle's client could not send the folder, which is written; its words are said.
    #[explain(
        code = "AITK-N07",
        say("Kaggle's client could not send the folder:\n{said}"),
        hint("the folder is written; `kaggle kernels push -p FOLDER` tries again")
    )]
    NotPushed {
        /// What the client printed, as it is.
        said: String,
    },
}

/// Kaggle's client with credentials that it can use.
pub struct Kaggle {
    program: PathBuf,
    /// Who the user is there.
    pub owner: String,
}

impl Kaggle {
    /// Looks for the client and for credentials; nothing is sent.
    ///
    /// # Errors
    /// Where one of them is not there or cannot be used.
    pub fn find(system: &dyn System) -> Result<Self, PushError> {
        let program = system.which("kaggle").ok_or(PushError::NoClient)?;
        let owner = credentials(system)?.ok_or_else(|| PushError::Credentials {
            reason: message!("the access token does not say whose it is"),
            remedy: message!("set KAGGLE_USERNAME to your name there"),
        })?;
        Ok(Self { program, owner })
    }

    /// Sends a folder, which starts the notebook. What the client says of it.
    ///
    /// # Errors
    /// [`PushError::NotPushed`].
    pub fn push(&self, folder: &Path, system: &dyn System) -> Result<String, PushError> {
        let argv = ["kernels", "push", "-p"].map(str::to_owned);
        let not_pushed = |said: &str| PushError::NotPushed { said: said.trim().to_owned() };
        let command = Command::changes([self.program.to_string_lossy().into_owned()])
            .args(argv)
            .arg(folder.to_string_lossy());
        let command = VARIABLES.into_iter().fold(command, Command::pass);
        let output = system.run(&command).map_err(|error| not_pushed(&error.to_string()))?;
        let said = [output.stdout.trim(), output.stderr.trim()].join("\n");
        if output.success() && !said.contains(REFUSED) {
            return Ok(output.stdout);
        }
        // The last lines say what went wrong; above them is the way there.
        let lines: Vec<_> = said.trim().lines().collect();
        Err(not_pushed(&lines[lines.len().saturating_sub(3)..].join("\n")))
    }
}

/// The user's name on Kaggle, as far as the credentials tell; nothing is checked.
pub fn kaggle_owner(system: &dyn System) -> Option<String> {
    let from = |path: PathBuf| {
        let values: Value = serde_json::from_str(&system.text(path).ok()?).ok()?;
        values["username"].as_str().map(str::to_owned)
    };
    let name = system
        .env("KAGGLE_USERNAME")
        .or_else(|| from(folder(system).join("kaggle.json")))
        .or_else(|| from(own_folder(system).join("credentials.json")));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    name.filter(|name| !name.is_empty() && name.chars().all(is_plain))
}

/// Checks the credentials that the client would use, in its order, and gives the user's name where they tell it.
fn credentials(system: &dyn System) -> Result<Option<String>, PushError> {
    let own = own_folder(system);
    let token = system.env("KAGGLE_API_TOKEN");
    let named = token.as_ref().map(PathBuf::from).filter(|path| system.exists(path));
    if token.is_some() && named.is_none() {
        return Ok(kaggle_owner(system));
    }
    let known = ["access_token", "access_token.txt"].map(|name| own.join(name));
    if let Some(path) = named.into_iter().chain(known).find(|path| system.exists(path)) {
        return match private(system, &path)?.trim() {
            "" => Err(wrong(message!("{path} is empty"))),
            _ => Ok(kaggle_owner(system)),
        };
    }
    if system.env("KAGGLE_USERNAME").is_some() && system.env("KAGGLE_KEY").is_some() {
        return Ok(kaggle_owner(system));
    }
    let files = [
        (folder(system).join("kaggle.json"), ["username", "key"]),
        (own.join("credentials.json"), ["username", "refresh_token"]),
    ];
    let Some((path, keys)) = files.into_iter().find(|(path, _)| system.exists(path)) else {
        return Err(PushError::Credentials {
            reason: message!(
                "there are none, neither in KAGGLE_API_TOKEN or KAGGLE_USERNAME and KAGGLE_KEY nor in ~/.kaggle"
            ),
            remedy: message!(
                "`kaggle auth login`, or get a token at https://www.kaggle.com/settings/api"
            ),
        });
    };
    let Ok(values) = serde_json::from_str::<Value>(&private(system, &path)?) else {
        return Err(wrong(message!("{path} is no JSON")));
    };
    for key in keys {
        let by_variable = system.env(&format!("KAGGLE_{}", key.to_uppercase())).is_some();
        if !by_variable && values[key].as_str().is_none_or(str::is_empty) {
            return Err(wrong(message!("{path} has no `{key}`")));
        }
    }
    Ok(kaggle_owner(system))
}

/// Where the client keeps what it got by itself.
fn own_folder(system: &dyn System) -> PathBuf {
    PathBuf::from(system.env("HOME").unwrap_or_default()).join(".kaggle")
}

/// Where the client looks for a key.
fn folder(system: &dyn System) -> PathBuf {
    if let Some(folder) = system.env("KAGGLE_CONFIG_DIR") {
        return PathBuf::from(folder);
    }
    let own = own_folder(system);
    if system.exists(&own) {
        return own;
    }
    let config = || PathBuf::from(system.env("HOME").unwrap_or_default()).join(".config");
    system.env("XDG_CONFIG_HOME").map_or_else(config, PathBuf::from).join("kaggle")
}

/// A file that nobody else may read.
fn private(system: &dyn System, path: &Path) -> Result<String, PushError> {
    let mut real = path.to_owned();
    // A link says nothing of who may read what it leads to; nobody has more than a few of them in a row.
    for _ in 0..8 {
        let Ok(target) = system.read_link(&real) else { break };
        real = real.parent().unwrap_or(Path::new("/")).join(target);
    }
    let stat = system.stat(&real).map_err(|error| wrong(message!("{path}: {error}")))?;
    if stat.kind == FileKind::File && stat.mode & OTHERS != 0 {
        return Err(PushError::Credentials {
            reason: message!("others on this machine can read {path}"),
            remedy: Message::plain(format_args!(
                "chmod 600 {}",
                aitk_system::quote(&path.to_string_lossy())
            )),
        });
    }
    system.text(path).map_err(|error| wrong(message!("{path}: {error}")))
}

fn wrong(reason: Message) -> PushError {
    PushError::Credentials {
        reason,
        remedy: message!(
            "get new ones at https://www.kaggle.com/settings/api, or by `kaggle auth login`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    const KEY: &str = r#"{"username": "ada", "key": "0123456789abcdef0123456789abcdef"}"#;

    /// What is said of credentials: the name, `-` where it is not known, else what is wrong.
    fn said(variables: &str, files: &[(&str, &str, u32)]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let answers = format!(r#"{{"schema": 1, "env": {{"HOME": "/home/ada"{variables}}}}}"#);
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        Real.create_dir(&folder.path().join("root")).unwrap();
        for (path, text, mode) in files {
            let path = folder.path().join("root").join(path);
            Real.write(&path, text.as_bytes(), *mode).unwrap();
        }
        match credentials(&Replay::open(folder.path()).unwrap()) {
            Ok(name) => name.unwrap_or("-".to_owned()),
            Err(error) => {
                assert_eq!((error.code(), error.exit() as u8), ("AITK-N04", 77));
                assert!(!error.to_string().contains("0123456789"), "{error}");
                error.to_string()
            }
        }
    }

    #[test]
    fn credentials_are_found_where_the_client_finds_them() {
        let file = |path| [(path, KEY, 0o600)];
        assert_eq!(said("", &file("home/ada/.kaggle/kaggle.json")), "ada");
        assert_eq!(said("", &file("home/ada/.config/kaggle/kaggle.json")), "ada");
        let elsewhere = r#", "KAGGLE_CONFIG_DIR": "/srv/keys""#;
        assert_eq!(said(elsewhere, &file("srv/keys/kaggle.json")), "ada");
        let variables = r#", "KAGGLE_USERNAME": "eve", "KAGGLE_KEY": "0123456789""#;
        assert_eq!(said(variables, &file("home/ada/.kaggle/kaggle.json")), "eve");
        let oauth = r#"{"username": "ada", "refresh_token": "0123456789"}"#;
        assert_eq!(said("", &[("home/ada/.kaggle/credentials.json", oauth, 0o600)]), "ada");
        assert_eq!(said(r#", "KAGGLE_API_TOKEN": "KGAT_0123456789""#, &[]), "-");
        let token = ("home/ada/.kaggle/access_token", "KGAT_0123456789", 0o600);
        assert_eq!(said(r#", "KAGGLE_USERNAME": "ada""#, &[token]), "ada");
    }

    #[test]
    fn credentials_that_are_missing_or_wrong_are_said_without_what_they_hold() {
        let json = "home/ada/.kaggle/kaggle.json";
        assert!(said("", &[]).contains("there are none"));
        assert!(said(r#", "KAGGLE_USERNAME": "ada""#, &[]).contains("there are none"));
        assert!(said("", &[(json, KEY, 0o644)]).contains("others on this machine can read"));
        assert!(said("", &[(json, KEY, 0o640)]).contains("others on this machine can read"));
        assert!(said("", &[(json, &KEY[1..], 0o600)]).contains("is no JSON"));
        assert!(said("", &[(json, r#"{"username": "ada"}"#, 0o600)]).contains("has no `key`"));
        assert!(said("", &[(json, r#"["0123456789"]"#, 0o600)]).contains("has no `username`"));
        assert!(said("", &[("home/ada/.kaggle/access_token", " \n", 0o600)]).contains("is empty"));
    }
}
