//! The dated tables: what frameworks need, which uv is pinned, which Python a distribution brings.

use aitk_detect::{Distro, Tables};
use serde::Deserialize;

use crate::profile::{Estimate, ProfileError, Requirements, parse};

/// All tables that planning reads.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The uv that is pinned.
    pub uv: UvPin,
    /// Frameworks by name.
    pub frameworks: Vec<Framework>,
    /// What fits into how much memory.
    pub fit: Fit,
    /// What detection reads as well: distributions, devices, drivers.
    pub tables: Tables,
}

impl Catalog {
    /// The tables that come with the program.
    ///
    /// # Errors
    /// Where a table is damaged, which a test rules out.
    pub fn builtin() -> Result<Self, ProfileError> {
        Self::with(Tables::default())
    }

    /// The tables with those of detection as they are here, which may have rows of the user's own.
    ///
    /// # Errors
    /// Where a table is damaged, which a test rules out.
    pub fn with(tables: Tables) -> Result<Self, ProfileError> {
        let frameworks: Frameworks = parse(
            "catalog/frameworks.toml",
            include_str!("../../../profiles/catalog/frameworks.toml"),
        )?;
        Ok(Self {
            uv: parse("catalog/uv.toml", include_str!("../../../profiles/catalog/uv.toml"))?,
            frameworks: frameworks.framework,
            fit: parse("catalog/fit.toml", include_str!("../../../profiles/catalog/fit.toml"))?,
            tables,
        })
    }

    /// The row of a distribution's release.
    pub fn distro(&self, id: &str, version: &str) -> Option<&Distro> {
        self.tables.distro(id, Some(version))
    }

    /// The row of a framework.
    pub fn framework(&self, name: &str) -> Option<&Framework> {
        self.frameworks.iter().find(|row| row.name == name)
    }
}

/// What fits into how much memory, for words.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Memory of graphics processors, the least first.
    pub vram: Vec<VramFit>,
    /// Main memory, the least first.
    pub memory: Vec<MemoryFit>,
}

impl Fit {
    /// What fits into a graphics processor with this much memory, in bytes; `None` where it is too little for any model.
    pub fn vram(&self, bytes: u64) -> Option<&VramFit> {
        // Drivers keep a few per cent of the memory that a card is sold with.
        let sold = bytes.saturating_add(bytes / 16);
        self.vram.iter().rev().find(|row| row.at_least.0 <= sold)
    }

    /// What this much main memory means, in bytes.
    pub fn memory(&self, bytes: u64) -> Option<&MemoryFit> {
        self.memory.iter().rev().find(|row| row.at_least.0 <= bytes)
    }
}

/// The sizes of language models that fit into a graphics processor's memory.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VramFit {
    /// How much memory it takes.
    pub at_least: crate::Bytes,
    /// Parameters of a model whose weights have four bits each.
    pub four_bit: String,
    /// The same with eight bits.
    pub eight_bit: String,
    /// The same with sixteen bits.
    pub sixteen_bit: String,
    /// Parameters of a model that can be tuned (QLoRA).
    pub tune: Option<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    pub as_of: String,
}

/// What main memory means for work with AI.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryFit {
    /// How much memory it takes.
    pub at_least: crate::Bytes,
    /// What one can do with it.
    pub means: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    pub as_of: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frameworks {
    framework: Vec<Framework>,
}

/// The pinned uv.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UvPin {
    /// The version that is fetched.
    pub version: String,
    /// The oldest version on `PATH` that is used instead.
    pub accept: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was checked.
    pub as_of: String,
    /// One wheel an architecture.
    #[serde(rename = "wheel")]
    pub wheels: Vec<Wheel>,
}

/// A wheel that holds uv.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wheel {
    /// As `uname -m` says it.
    pub arch: String,
    /// File name on an index.
    pub filename: String,
    /// Size in bytes.
    pub size: u64,
    /// Hash of the file.
    pub sha256: String,
}

/// A deep learning framework.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framework {
    /// `pytorch`, `tensorflow` or `jax`.
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The script that proves that it works.
    pub check: String,
    /// The least memory with which it is planned.
    pub memory: crate::Bytes,
    /// The oldest Python with wheels.
    pub python_min: String,
    /// The newest Python with wheels.
    pub python_max: String,
    /// The oldest glibc that its wheels run on.
    pub glibc: String,
    /// Processor flags that it needs.
    pub cpu_features: Vec<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was checked.
    pub as_of: String,
    /// Its builds on package indexes, the preferred one first.
    #[serde(rename = "build")]
    pub builds: Vec<Build>,
    /// Its package on conda channels; the solver takes the build that fits the machine.
    pub conda: Build,
}

impl Framework {
    /// What the machine must have for it.
    pub fn requirements(&self) -> Requirements {
        Requirements {
            memory: Some(self.memory),
            cpu_level: None,
            cpu_features: self.cpu_features.clone(),
            glibc: Some(self.glibc.clone()),
        }
    }
}

/// One build of a framework.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// `cpu`, `cu132`, …
    pub name: String,
    /// Architectures that it exists for.
    pub arch: Vec<String>,
    /// What is asked of the index.
    pub requirements: Vec<String>,
    /// The name under which uv knows the framework's own index.
    pub torch_backend: Option<String>,
    /// What a person should know when this build is taken.
    pub note: Option<String>,
    /// What it takes, as long as no source can be asked.
    pub estimate: Estimate,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_parse_and_name_their_sources() {
        let catalog = Catalog::builtin().unwrap();
        assert!(!catalog.uv.source.is_empty());
        for framework in &catalog.frameworks {
            assert!(!framework.source.is_empty() && framework.as_of.len() == 10);
            assert!(!framework.builds.is_empty());
            assert!(crate::CHECKS.iter().any(|(name, _)| *name == framework.check));
        }
        assert!(catalog.distro("debian", "13").is_some());
    }
}
