//! What a lock holds: packages with their files, sizes and hashes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::digest::digest_of;
use crate::manager::Manager;
use crate::requirement::normalized;

/// The largest package that is downloaded, in bytes; a framework's largest has a fourth of it.
pub const LARGEST: u64 = 16 << 30;

/// Everything that an environment will hold, layer by layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    /// The manager that installs it.
    pub manager: Manager,
    /// What it is resolved for.
    pub target: LockTarget,
    /// The framework's build that was taken, `cpu`; `None` without a framework.
    pub build: Option<String>,
    /// Packages by the step that installs them.
    pub layers: Vec<LockedLayer>,
}

/// The locks of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locks {
    /// The lock of the user's environment.
    pub environment: Lock,
    /// That of the conda that comes with it, if one does.
    pub base: Option<Lock>,
}

/// What a lock is resolved for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LockTarget {
    /// Version of Python, without its last number: `3.12`.
    pub python: String,
    /// As `uname -m` says it.
    pub arch: String,
    /// `2.39`; `None` where it is not glibc.
    pub glibc: Option<String>,
}

/// The packages that one step installs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedLayer {
    /// Id of the step in the plan.
    pub step: String,
    /// Its packages, by name.
    pub packages: Vec<Locked>,
}

/// One package of a lock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locked {
    /// What a plan shows of it.
    #[serde(flatten)]
    pub package: Package,
    /// Bytes on disk once unpacked, where its source could tell.
    pub unpacked: Option<u64>,
    /// Files once unpacked, where its source could tell.
    pub files: Option<u64>,
}

/// Something that will be installed, exactly.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// What its source calls it.
    pub name: String,
    /// The exact version, as its source writes it.
    pub version: String,
    /// Which build of that version, for conda packages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// Bytes to download; `None` where the source does not tell.
    pub size: Option<u64>,
    /// Hash of what is downloaded.
    pub sha256: Option<String>,
    /// Where it is downloaded from.
    pub url: Option<String>,
    /// What the channel says of a conda package: its needs and constraints, which conda looks at later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<serde_json::Value>,
}

impl Locked {
    /// The name by which it is told from others: conda's is exact, a project of an index has its name normalized.
    pub fn key(&self) -> String {
        match self.package.build {
            Some(_) => self.package.name.clone(),
            None => normalized(&self.package.name),
        }
    }

    /// The version, with the build where packages have builds.
    pub fn exact_version(&self) -> String {
        match &self.package.build {
            Some(build) => format!("{}={build}", self.package.version),
            None => self.package.version.clone(),
        }
    }

    /// Where its file comes from: the address of the channel, or the host of a wheel with its scheme.
    pub fn origin(&self) -> String {
        let url = self.package.url.as_deref().unwrap_or_default();
        match self.package.build {
            Some(_) => url.rsplitn(3, '/').last().unwrap_or_default().to_owned(),
            None => host_of(url),
        }
    }

    /// The name of its file.
    pub fn filename(&self) -> String {
        let url = self.package.url.as_deref().unwrap_or_default();
        let path = url.split(['#', '?']).next().unwrap_or_default();
        percent_decoded(path.rsplit('/').next().unwrap_or_default())
    }
}

/// The scheme and the host of an address, with the port where it is named; of a file its folder.
pub fn host_of(address: &str) -> String {
    let folder = || address.rsplit_once('/').map_or(address, |(folder, _)| folder).to_owned();
    match Url::parse(address) {
        Ok(url) if url.has_host() => url.origin().ascii_serialization(),
        _ => folder(),
    }
}

/// Decodes `%2B`, which indexes write for the `+` of local versions.
fn percent_decoded(text: &str) -> String {
    ["%2B", "%2b"].iter().fold(text.replace("%21", "!"), |text, plus| text.replace(plus, "+"))
}

impl Lock {
    /// A short name for exactly this set of files: two locks with the same name build the same environment.
    pub fn digest(&self) -> String {
        let mut files: Vec<_> = self.packages().map(|locked| &locked.package.sha256).collect();
        files.sort();
        digest_of(&(&self.target, files))
    }

    /// The exact version of every package, by the name that tells it from others.
    pub fn versions(&self) -> BTreeMap<String, String> {
        self.packages().map(|locked| (locked.key(), locked.exact_version())).collect()
    }

    /// All packages.
    pub fn packages(&self) -> impl Iterator<Item = &Locked> {
        self.layers.iter().flat_map(|layer| &layer.packages)
    }

    /// The part of it that one step installs: whatever build the other steps' packages are, it is the same.
    #[must_use]
    pub fn part(&self, step: &str) -> Self {
        let layers = self.layer(step).cloned().into_iter().collect();
        Self { manager: self.manager, target: self.target.clone(), build: None, layers }
    }

    /// The layer of a step.
    pub fn layer(&self, step: &str) -> Option<&LockedLayer> {
        self.layers.iter().find(|layer| layer.step == step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_package_comes_from_is_a_host_a_channel_or_a_folder() {
        let of = |url: &str, build: Option<&str>| {
            let package = Package {
                url: Some(url.to_owned()),
                build: build.map(str::to_owned),
                ..Package::default()
            };
            Locked { package, ..Locked::default() }.origin()
        };
        assert_eq!(of("https://x.example:8443/a/b.whl", None), "https://x.example:8443");
        assert_eq!(of("https://own.example@evil.example/b.whl", None), "https://evil.example");
        assert_eq!(of("HTTPS://X.example:443/b.whl", None), "https://x.example");
        assert_eq!(of("file:///srv/files/b.whl", None), "file:///srv/files");
        let channel = of("https://x.example/conda/noarch/b-1-0.conda", Some("0"));
        assert_eq!(channel, "https://x.example/conda");
        assert_eq!(of("", None), "");
    }
}
