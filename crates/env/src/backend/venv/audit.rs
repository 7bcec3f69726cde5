//! What is known of vulnerabilities in what is installed: `uv audit` asks the service of advisories (OSV), for a lock that
//! names exactly what stands there.

use std::path::Path;

use aitk_plan::{Manager, names};
use aitk_system::{Message, System, ToMessage, message, plain};
use pep440_rs::Version;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::asking;
use super::uv::{UvProgram, fetch_uv};
use crate::backend::{Site, backend, dist_info};
use crate::error::EnvError;
use crate::fetch::Quiet;
use crate::{Settings, text};

/// The oldest Python that anything here is for, which such a lock has to name.
const PYTHON: &str = ">=3.8";

/// What is known of an environment's packages.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Audit {
    /// How many packages of Python's were looked at.
    pub audited: usize,
    /// Packages that no advisory can be had for: those of conda's that are not Python's, and odd versions.
    pub not_audited: Vec<String>,
    /// What is known, by package.
    pub advisories: Vec<Advisory>,
}

/// Something that is known of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Advisory {
    /// The package's name.
    pub package: String,
    /// Its version here.
    pub version: String,
    /// What the advisory is called.
    pub id: String,
    /// What it is called elsewhere.
    pub aliases: Vec<String>,
    /// What is the matter, in the service's own words.
    pub summary: String,
    /// Where more is to be read.
    pub link: Option<String>,
    /// Versions that have it no more.
    pub fixed: Vec<String>,
}

/// Asks what is known of everything that stands in an environment, of a `service` in OSV's form, or of OSV itself.
///
/// # Errors
/// [`EnvError::NoAdvisories`] where that cannot be had; those of [`fetch_uv`].
pub fn audit(
    site: &Site<'_>,
    kind: Manager,
    root: &Path,
    service: Option<&str>,
) -> Result<Audit, EnvError> {
    let settings = site.local_settings;
    if settings.offline {
        return Err(EnvError::NoAdvisories { reason: message!("--offline asks no source") });
    }
    let (packages, not_audited) = packages(site.system, kind, root);
    if packages.is_empty() {
        return Ok(Audit { audited: 0, not_audited, advisories: Vec::new() });
    }
    let uv = fetch_uv(site.local, site.machine, site.catalog, settings, &Quiet)?;
    let answer = ask(site.local, &uv, settings, &packages, service)?;
    let looked = answer.summary.audited_packages;
    if looked != packages.len() {
        let all = packages.len();
        let reason = message!("only {looked} of {all} packages were looked at");
        return Err(EnvError::NoAdvisories { reason });
    }
    let mut advisories: Vec<_> =
        answer.vulnerabilities.into_iter().map(Vulnerability::into_advisory).collect();
    advisories.sort_by(|one, other| (&one.package, &one.id).cmp(&(&other.package, &other.id)));
    Ok(Audit { audited: looked, not_audited, advisories })
}

/// The packages of Python's with their versions, and those that cannot be asked for.
fn packages(
    system: &dyn System,
    kind: Manager,
    root: &Path,
) -> (Vec<(String, String)>, Vec<String>) {
    let mut known = Vec::new();
    let mut others = Vec::new();
    for one in dist_info::installed(system, root) {
        // What stands behind a `+` says who built it, which no advisory does.
        let version = one.version.split('+').next().unwrap_or_default().replace('_', "-");
        match version.parse::<Version>() {
            Ok(version) if names::package_name::fits(&one.name) => {
                known.push((one.name, version.to_string()));
            }
            _ => others.push(one.name),
        }
    }
    if kind == Manager::Conda {
        let backend = backend(kind);
        let of_conda = backend.installed(system, root).into_iter();
        let others_of_conda = of_conda.filter(|one| one.by == Manager::Conda).filter(|one| {
            let files = backend.paths(system, root, one);
            !files.iter().any(|file| file.contains(".dist-info/"))
        });
        others.extend(others_of_conda.map(|one| one.name));
    }
    known.sort();
    known.dedup();
    others.sort();
    (known, others)
}

/// Lays down a lock of these packages, and has uv audit it.
fn ask(
    system: &dyn System,
    uv: &UvProgram,
    settings: &Settings,
    packages: &[(String, String)],
    service: Option<&str>,
) -> Result<Answer, EnvError> {
    if let Some(service) = service {
        let unfit = |reason| EnvError::NoAdvisories { reason };
        names::address::check(service).map_err(|error| unfit(error.to_message()))?;
        if service.contains('@') {
            return Err(unfit(message!(
                "a password in its address is seen by every user here, among the words of uv"
            )));
        }
    }
    let folder = settings.cache.join("audit");
    for (name, value) in project(packages) {
        let path = folder.join(name);
        let text = toml::to_string(&value).unwrap_or_default();
        system.write(&path, text.as_bytes(), 0o600).map_err(EnvError::io(&path))?;
    }
    let source = message!("the service of advisories");
    let words = ["audit", "--frozen", "--output-format", "json", "--directory", &text(&folder)];
    let mut command = asking::command(system, uv, settings, &words)?
        .args(["--preview-features", "audit-command,json-output"]);
    if let Some(service) = service {
        command = command.args(["--service-url", service]);
    }
    let output = asking::run(system, &command, &source)?;
    // It ends with 1 where it has found something.
    serde_json::from_str(&output.stdout).map_err(|error| {
        let reason = match output.status {
            Some(0 | 1) => Message::plain(error),
            _ => match EnvError::from_uv(&settings.hide(&output.stderr), &source) {
                EnvError::Unreachable { reason, .. } => reason,
                EnvError::Uv { output } => output,
                error => error.to_message(),
            },
        };
        EnvError::NoAdvisories { reason }
    })
}

/// A project of no files, and a lock of it in uv's form that has these packages. They come from a folder, as far as uv is
/// told, so that no index is asked.
fn project(packages: &[(String, String)]) -> [(&'static str, Value); 2] {
    let own = "aitk-audited";
    let named = |(name, version): &(String, String)| json!({ "name": name, "version": version, "source": { "registry": "nowhere" } });
    let named: Vec<_> = packages.iter().map(named).collect();
    let root = json!({
        "name": own, "version": "0", "source": { "virtual": "." }, "dependencies": named,
    });
    let all: Vec<_> = std::iter::once(root).chain(named).collect();
    let project = json!({ "name": own, "version": "0", "requires-python": PYTHON });
    let lock = json!({ "version": 1, "revision": 3, "requires-python": PYTHON, "package": all });
    [("pyproject.toml", json!({ "project": project })), ("uv.lock", lock)]
}

/// What uv prints.
#[derive(Deserialize)]
struct Answer {
    summary: Summary,
    vulnerabilities: Vec<Vulnerability>,
}

#[derive(Deserialize)]
struct Summary {
    audited_packages: usize,
}

#[derive(Deserialize)]
struct Vulnerability {
    dependency: Dependency,
    id: String,
    #[serde(default)]
    aliases: Vec<String>,
    summary: Option<String>,
    link: Option<String>,
    #[serde(default)]
    fix_versions: Vec<String>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: String,
}

impl Vulnerability {
    /// As it can be shown: the words are a stranger's.
    fn into_advisory(self) -> Advisory {
        let one = |text: String| plain(&text).into_owned();
        let all = |texts: Vec<String>| texts.into_iter().map(one).collect();
        Advisory {
            package: one(self.dependency.name),
            version: one(self.dependency.version),
            id: one(self.id),
            aliases: all(self.aliases),
            summary: one(self.summary.unwrap_or_default()),
            link: self.link.filter(|link| names::address::fits(link)),
            fixed: all(self.fix_versions),
        }
    }
}
