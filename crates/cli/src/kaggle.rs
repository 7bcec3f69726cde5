//! Kaggle's own client, and the credentials that it will use: they are looked for where it looks, checked, and neither
//! copied nor shown.

use std::path::{Path, PathBuf};

use aitk_system::{Command, FileKind, Real, System};
use serde_json::Value;

use crate::commands::hosted::HostedError;

/// What the client says where the server refuses; it ends with 0 then.
const REFUSED: &str = "Kernel push error";
/// Permissions by which others may read a file.
const OTHERS: u32 = 0o044;

/// The client with credentials that it can use.
pub struct Client {
    program: PathBuf,
    /// Who the user is there.
    pub owner: String,
}

impl Client {
    /// Looks for the client and for credentials; nothing is sent.
    pub fn find(system: &dyn System) -> Result<Self, HostedError> {
        let program = system.which("kaggle").ok_or(HostedError::NoClient)?;
        let owner = credentials(system)?.ok_or_else(|| HostedError::Credentials {
            reason: "the access token does not say whose it is".to_owned(),
            remedy: "set KAGGLE_USERNAME to your name there".to_owned(),
        })?;
        Ok(Self { program, owner })
    }

    /// Sends a folder, which starts the notebook. What the client says of it.
    pub fn push(&self, folder: &Path) -> Result<String, HostedError> {
        let argv = ["kernels", "push", "-p"].map(str::to_owned);
        let command = Command::changes([self.program.to_string_lossy().into_owned()])
            .args(argv)
            .arg(folder.to_string_lossy());
        let not_pushed = |said: &str| HostedError::NotPushed { said: said.trim().to_owned() };
        let output =
            (&Real as &dyn System).run(&command).map_err(|error| not_pushed(&error.to_string()))?;
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
pub fn owner(system: &dyn System) -> Option<String> {
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
fn credentials(system: &dyn System) -> Result<Option<String>, HostedError> {
    let own = own_folder(system);
    let token = system.env("KAGGLE_API_TOKEN");
    let named = token.as_ref().map(PathBuf::from).filter(|path| system.exists(path));
    if token.is_some() && named.is_none() {
        return Ok(owner(system));
    }
    let known = ["access_token", "access_token.txt"].map(|name| own.join(name));
    if let Some(path) = named.into_iter().chain(known).find(|path| system.exists(path)) {
        return match private(system, &path)?.trim() {
            "" => Err(wrong(&path, "is empty")),
            _ => Ok(owner(system)),
        };
    }
    if system.env("KAGGLE_USERNAME").is_some() && system.env("KAGGLE_KEY").is_some() {
        return Ok(owner(system));
    }
    let files = [
        (folder(system).join("kaggle.json"), ["username", "key"]),
        (own.join("credentials.json"), ["username", "refresh_token"]),
    ];
    let Some((path, keys)) = files.into_iter().find(|(path, _)| system.exists(path)) else {
        return Err(HostedError::Credentials {
            reason: "there are none, neither in KAGGLE_API_TOKEN or KAGGLE_USERNAME and KAGGLE_KEY nor in ~/.kaggle"
                .to_owned(),
            remedy: "`kaggle auth login`, or get a token at https://www.kaggle.com/settings/api".to_owned(),
        });
    };
    let Ok(values) = serde_json::from_str::<Value>(&private(system, &path)?) else {
        return Err(wrong(&path, "is no JSON"));
    };
    for key in keys {
        let by_variable = system.env(&format!("KAGGLE_{}", key.to_uppercase())).is_some();
        if !by_variable && values[key].as_str().is_none_or(str::is_empty) {
            return Err(wrong(&path, &format!("has no `{key}`")));
        }
    }
    Ok(owner(system))
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
fn private(system: &dyn System, path: &Path) -> Result<String, HostedError> {
    let mut real = path.to_owned();
    // A link says nothing of who may read what it leads to.
    while let Ok(target) = system.read_link(&real) {
        real = real.parent().unwrap_or(Path::new("/")).join(target);
    }
    let stat = system.stat(&real).map_err(|error| wrong(path, &error.to_string()))?;
    if stat.kind == FileKind::File && stat.mode & OTHERS != 0 {
        return Err(HostedError::Credentials {
            reason: format!("others on this machine can read {}", path.display()),
            remedy: format!("chmod 600 {}", aitk_system::quote(&path.to_string_lossy())),
        });
    }
    system.text(path).map_err(|error| wrong(path, &error.to_string()))
}

fn wrong(path: &Path, what: &str) -> HostedError {
    HostedError::Credentials {
        reason: format!("{} {what}", path.display()),
        remedy: "get new ones at https://www.kaggle.com/settings/api, or by `kaggle auth login`"
            .to_owned(),
    }
}
