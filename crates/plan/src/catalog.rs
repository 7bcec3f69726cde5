//! The dated tables: what frameworks need, which uv is pinned, which Python a distribution brings.

use aitk_system::{Message, ToMessage, builtin, maybe_sentence, message, sentence};
use std::collections::BTreeMap;

use aitk_detect::{Distro, Tables};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

use crate::advice::Offer;
use crate::manager::Manager;
use crate::names::{self, Unfit, version_pair};
use crate::profile::{Estimate, ProfileError, Requirements, nearest, parse};

/// The framework's name where none is wanted.
pub const NO_FRAMEWORK: &str = "none";

/// All tables that planning reads.
#[derive(Debug, Clone)]
pub struct Catalog {
    /// The uv that is pinned.
    pub uv: UvPin,
    /// Frameworks by name.
    pub frameworks: Vec<Framework>,
    /// Builds of them, the preferred ones first.
    pub builds: Vec<Build>,
    /// Vendors' repositories and NVIDIA's drivers.
    pub apt: AptTable,
    /// What fits into how much memory.
    pub fit: Fit,
    /// What can be rented, bought or used for nothing.
    pub offers: Vec<Offer>,
    /// Where a fresh system comes from.
    pub guests: Vec<Guest>,
    /// What container images are built on.
    pub images: Images,
    /// Packages of conda channels whose own scripts are run.
    pub link_scripts: Vec<LinkScript>,
    /// What packages of conda channels take unpacked, where that is not as of most.
    pub unpacks: Vec<Unpacks>,
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
        let text = builtin("catalog/frameworks.toml");
        let frameworks: Frameworks = overlaid(&tables, "frameworks", text)?;
        frameworks.build.iter().try_for_each(asks_in_form)?;
        let text = builtin("catalog/offers.toml");
        let offers: Offers = overlaid(&tables, "offers", text)?;
        let text = builtin("catalog/guests.toml");
        let guests: Guests = overlaid(&tables, "guests", text)?;
        let text = builtin("catalog/images.toml");
        let images = overlaid(&tables, "images", text)?;
        let text = builtin("catalog/conda.toml");
        let conda: CondaTable = overlaid(&tables, "conda", text)?;
        Ok(Self {
            offers: offers.offer,
            link_scripts: conda.link_script,
            unpacks: conda.unpacks,
            guests: guests.guest,
            images,
            uv: parse("catalog/uv.toml", builtin("catalog/uv.toml"))?,
            apt: overlaid(&tables, "apt", builtin("catalog/apt.toml"))?,
            frameworks: frameworks.framework,
            builds: frameworks.build,
            fit: parse("catalog/fit.toml", builtin("catalog/fit.toml"))?,
            tables,
        })
    }

    /// The row of a distribution's release.
    pub fn distro(&self, id: &str, version: &str) -> Option<&Distro> {
        self.tables.distro(id, Some(version))
    }

    /// Where a release of a distribution comes from.
    pub fn guest(&self, os: &str, version: &str) -> Option<&Guest> {
        self.guests.iter().find(|row| row.os == os && row.version == version)
    }

    /// The builds of a framework that a manager installs, the preferred ones first.
    pub fn builds<'a>(
        &'a self,
        framework: &'a str,
        manager: Manager,
    ) -> impl Iterator<Item = &'a Build> {
        self.builds.iter().filter(move |row| row.framework == framework && row.manager == manager)
    }

    /// The names that a framework can be chosen by.
    pub fn framework_names(&self) -> Vec<String> {
        let names = self.frameworks.iter().map(|row| row.name.as_str());
        names.chain([NO_FRAMEWORK]).map(str::to_owned).collect()
    }

    /// Looks whether there is a framework of a name.
    ///
    /// # Errors
    /// [`ProfileError::NoFramework`] where there is none.
    pub fn has_framework(&self, name: &str) -> Result<(), ProfileError> {
        let known = self.framework_names();
        match known.iter().any(|known| known == name) {
            true => Ok(()),
            false => Err(ProfileError::NoFramework {
                name: name.to_owned(),
                nearest: nearest(name, known.iter().map(String::as_str)),
                known,
            }),
        }
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
    /// What the weights of a model take.
    pub weights: Weights,
    /// Memory of graphics processors, the least first.
    pub vram: Vec<VramFit>,
    /// Main memory, the least first.
    pub memory: Vec<MemoryFit>,
}

/// What a language model takes, by the bits of its weights.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Gigabytes for a billion of parameters of four bits.
    pub four_bit: f64,
    /// The same of eight bits.
    pub eight_bit: f64,
    /// The same of sixteen bits.
    pub sixteen_bit: f64,
    /// Gigabytes for the runtime and its cache.
    pub runtime: f64,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    pub as_of: String,
}

impl Weights {
    /// What a model of so many billions of parameters takes while it runs, for each number of bits, in bytes.
    pub fn needs(&self, billions: f64) -> [(u8, u64); 3] {
        let bytes = |each: f64| ((each * billions + self.runtime) * 1e9) as u64;
        [(4, bytes(self.four_bit)), (8, bytes(self.eight_bit)), (16, bytes(self.sixteen_bit))]
    }
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
    #[serde(default, deserialize_with = "maybe_sentence")]
    pub tune: Option<Message>,
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
    #[serde(deserialize_with = "sentence")]
    pub means: Message,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    pub as_of: String,
}

/// What container images are built on.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    /// One row a release of a distribution.
    pub image: Vec<Image>,
    /// One row a kind of accelerator.
    pub accelerator: Vec<ContainerGpuRow>,
}

/// The image that a distribution publishes of one release.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Image {
    /// The distribution, `debian`.
    #[serde(deserialize_with = "names::name::one")]
    pub os: String,
    /// Its release, `13`.
    #[serde(deserialize_with = "names::name::one")]
    pub version: String,
    /// The image with its registry and tag.
    #[serde(deserialize_with = "names::image::one")]
    pub name: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

/// How a container comes to compute on a kind of accelerator.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContainerGpuRow {
    /// The kind of accelerator as plans write it: `cuda`.
    #[serde(deserialize_with = "names::name::one")]
    pub kind: String,
    /// What `docker run` is told.
    #[serde(deserialize_with = "names::options::one")]
    pub run: String,
    /// Variables that the image sets.
    #[serde(deserialize_with = "variables")]
    pub environment: BTreeMap<String, String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Offers {
    offer: Vec<Offer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Guests {
    guest: Vec<Guest>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frameworks {
    framework: Vec<Framework>,
    build: Vec<Build>,
}

/// A table with rows of the user's own in front.
fn overlaid<T: DeserializeOwned>(
    tables: &Tables,
    name: &str,
    text: &str,
) -> Result<T, ProfileError> {
    tables.read(name, text).map_err(|error| damaged(name, error))
}

/// Looks whether what a build asks for is in the form of its manager.
fn asks_in_form(row: &Build) -> Result<(), ProfileError> {
    let check = match row.manager {
        Manager::Conda => names::match_spec::check,
        Manager::Venv => names::requirement::check,
    };
    let mut all = row.requirements.iter();
    all.try_for_each(|one| check(&one.replace("{gfx}", "x"))).map_err(|unfit| {
        let (name, unfit) = (&row.name, unfit.to_message());
        damaged("frameworks", message!("build {name}, `requirements`: {unfit}"))
    })
}

/// Reads names of architectures by names of architectures.
fn arches<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    all_of(from, names::name::check, names::name::check)
}

/// Reads variables of an image.
fn variables<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    all_of(from, names::variable::check, names::line::check)
}

fn all_of<'de, D: Deserializer<'de>>(
    from: D,
    key: fn(&str) -> Result<(), Unfit>,
    value: fn(&str) -> Result<(), Unfit>,
) -> Result<BTreeMap<String, String>, D::Error> {
    let all = BTreeMap::<String, String>::deserialize(from)?;
    let fit = |(own, one): (&String, &String)| key(own).and_then(|()| value(one));
    all.iter().try_for_each(fit).map_err(names::refuse).map(|()| all)
}

/// A row of the user's own that cannot be used.
fn damaged(table: &str, message: impl Into<Message>) -> ProfileError {
    ProfileError::Invalid {
        file: format!("catalog.toml ({table})"),
        line: 1,
        column: 1,
        message: message.into(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CondaTable {
    link_script: Vec<LinkScript>,
    unpacks: Vec<Unpacks>,
}

/// What some packages of a conda channel take once they are unpacked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unpacks {
    /// How their names begin.
    #[serde(deserialize_with = "names::name::all")]
    pub beginnings: Vec<String>,
    /// Tenths of the size of the archive.
    pub tenths: u64,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

/// A package of a conda channel whose own script is run when it has been linked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkScript {
    /// The package.
    #[serde(deserialize_with = "crate::names::package_name::one")]
    pub package: String,
    /// What it would lack without.
    #[serde(deserialize_with = "sentence")]
    pub why: Message,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

/// The version of uv that builds environments, with the hashes of its wheels.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UvPin {
    /// The version that is fetched.
    pub version: String,
    /// The oldest version that is used instead where the user names one.
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
    #[serde(deserialize_with = "names::step_id::one")]
    pub name: String,
    /// Its name for people.
    pub title: String,
    /// The script that proves that it works.
    #[serde(deserialize_with = "names::file_name::one")]
    pub check: String,
    /// The least memory with which it is planned.
    pub memory: crate::Bytes,
    /// The oldest Python with wheels.
    #[serde(deserialize_with = "names::python_version::one")]
    pub python_min: String,
    /// The newest Python with wheels.
    #[serde(deserialize_with = "names::python_version::one")]
    pub python_max: String,
    /// The oldest glibc that its builds run on, but for those whose row names another.
    #[serde(deserialize_with = "names::numbers::one")]
    pub glibc: String,
    /// Processor flags that it needs.
    #[serde(deserialize_with = "names::name::all")]
    pub cpu_features: Vec<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was checked.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

impl Framework {
    /// What the machine must have for any of these builds of it.
    pub fn requirements<'a>(&self, builds: impl Iterator<Item = &'a Build>) -> Requirements {
        let glibc = builds.map(|build| self.glibc_of(build)).min_by_key(|own| version_pair(own));
        Requirements {
            memory: Some(self.memory),
            cpu_level: None,
            cpu_features: self.cpu_features.clone(),
            glibc: Some(glibc.unwrap_or(&self.glibc).to_owned()),
            framework: None,
        }
    }

    /// The oldest glibc that a build of it runs on.
    pub fn glibc_of<'a>(&'a self, build: &'a Build) -> &'a str {
        build.glibc.as_ref().unwrap_or(&self.glibc)
    }
}

/// One build of a framework; `frameworks.toml` says how the rows are read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The framework's name.
    #[serde(deserialize_with = "names::step_id::one")]
    pub framework: String,
    /// The manager that installs it.
    pub manager: Manager,
    /// `cpu`, `cu132`, …
    #[serde(deserialize_with = "names::version::one")]
    pub name: String,
    /// What computes: `none` (the processor), `cuda`, `rocm`, `xpu` or `jetson`.
    #[serde(deserialize_with = "names::name::one")]
    pub kind: String,
    /// Architectures that it exists for.
    #[serde(deserialize_with = "names::name::all")]
    pub arch: Vec<String>,
    /// The oldest Python that it is made for.
    #[serde(default, deserialize_with = "names::python_version::maybe")]
    pub python_min: Option<String>,
    /// The newest Python that the build has wheels for, `3.13`; open where there is none.
    #[serde(default, deserialize_with = "names::python_version::maybe")]
    pub python_max: Option<String>,
    /// The oldest glibc that it runs on; the framework's where `None`.
    #[serde(default, deserialize_with = "names::numbers::maybe")]
    pub glibc: Option<String>,
    /// The oldest NVIDIA driver that it runs on.
    #[serde(default, deserialize_with = "names::numbers::maybe")]
    pub driver: Option<String>,
    /// The least compute capability of a device for it.
    #[serde(default, deserialize_with = "names::numbers::maybe")]
    pub capability_min: Option<String>,
    /// The CUDA that it is built with.
    #[serde(default, deserialize_with = "names::numbers::maybe")]
    pub cuda: Option<String>,
    /// Who builds it, as the rows of `kernels` in `nvidia.toml` name it.
    #[serde(default, deserialize_with = "names::name::maybe")]
    pub kernels: Option<String>,
    /// Whose targets of AMD's it serves.
    pub targets: Option<Targets>,
    /// The generation of ROCm that has to be installed for the system, `7`.
    #[serde(default, deserialize_with = "names::numbers::maybe")]
    pub rocm: Option<String>,
    /// The releases of JetPack that it is made for.
    #[serde(default, deserialize_with = "names::numbers::all")]
    pub jetpack: Vec<String>,
    /// Whether it brings an older version of the framework than others.
    #[serde(default)]
    pub older: bool,
    /// What is asked of the index.
    pub requirements: Vec<String>,
    /// What conda's solver is held to, whether or not it is asked for: the first is of the package that carries the build,
    /// with the beginning of what that is called.
    #[serde(default, deserialize_with = "names::match_spec::all")]
    pub holds: Vec<String>,
    /// The name under which uv knows the framework's own index.
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    pub torch_backend: Option<String>,
    /// Address of an index of the vendor's own.
    #[serde(default, deserialize_with = "names::source::maybe")]
    pub index: Option<String>,
    /// What a person should know when this build stands in for one whose source does not answer.
    #[serde(default, deserialize_with = "maybe_sentence")]
    pub note: Option<Message>,
    /// What it takes, as long as no source can be asked.
    pub estimate: Estimate,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

/// Where a fresh system comes from, for a virtual machine or WSL.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    /// The distribution.
    #[serde(deserialize_with = "names::name::one")]
    pub os: String,
    /// Its release.
    #[serde(deserialize_with = "names::name::one")]
    pub version: String,
    /// The box that Vagrant fetches; `None` where there is none of this release.
    #[serde(default, deserialize_with = "names::box_name::maybe")]
    pub vagrant: Option<String>,
    /// The name that `wsl --install` knows.
    #[serde(default, deserialize_with = "names::name::maybe")]
    pub wsl: Option<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

/// What apt installs from elsewhere than the distribution's own archive: `apt.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AptTable {
    /// Vendors' repositories.
    pub source: Vec<AptSourceRow>,
    /// NVIDIA's drivers.
    pub driver: Vec<DriverRow>,
}

/// A vendor's repository; `apt.toml` says how the rows are read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AptSourceRow {
    /// What steps and drivers call it.
    #[serde(deserialize_with = "names::step_id::one")]
    pub name: String,
    /// The distribution; any where it is left out.
    #[serde(default, deserialize_with = "names::name::maybe")]
    pub os: Option<String>,
    /// Its releases; any where there are none.
    #[serde(default, deserialize_with = "names::name::all")]
    pub versions: Vec<String>,
    /// For WSL alone, or for everything else; both where it is left out.
    pub wsl: Option<bool>,
    /// Its address.
    #[serde(deserialize_with = "names::repository::one")]
    pub uri: String,
    /// The distribution in it.
    #[serde(deserialize_with = "names::apt_suite::one")]
    pub suite: String,
    /// The parts of that distribution that are used; none where the repository is flat.
    #[serde(default, deserialize_with = "names::step_id::all")]
    pub components: Vec<String>,
    /// The vendor's names of architectures, by those of `uname -m`.
    #[serde(deserialize_with = "arches")]
    pub arches: BTreeMap<String, String>,
    /// Address of the key that signs it.
    #[serde(deserialize_with = "names::repository::one")]
    pub key: String,
    /// The key's fingerprint, hexadecimal: another key is refused.
    #[serde(deserialize_with = "names::fingerprint::one")]
    pub fingerprint: String,
    /// What may come from it.
    #[serde(deserialize_with = "names::apt_pattern::all")]
    pub packages: Vec<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

/// A driver of NVIDIA's as a distribution packages it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverRow {
    /// The distribution.
    #[serde(deserialize_with = "names::name::one")]
    pub os: String,
    /// Its releases.
    #[serde(deserialize_with = "names::name::all")]
    pub versions: Vec<String>,
    /// Whether it has NVIDIA's open kernel modules.
    pub open: bool,
    /// Whether it is for machines without a screen.
    pub server: bool,
    /// The least version that it brings.
    #[serde(deserialize_with = "names::numbers::one")]
    pub version: String,
    /// The repository that it comes from; the distribution's own where it is left out.
    #[serde(default, deserialize_with = "names::step_id::maybe")]
    pub source_name: Option<String>,
    /// The versions that are taken from there, as apt writes patterns: a newer branch may be another driver.
    #[serde(default, deserialize_with = "names::apt_pattern::maybe")]
    pub pin: Option<String>,
    /// Flavours of kernels that have signed modules.
    #[serde(default, deserialize_with = "names::name::all")]
    pub kernels: Vec<String>,
    /// What is installed for these.
    #[serde(default, deserialize_with = "names::package_of_kernel::all")]
    pub packages: Vec<String>,
    /// What is installed for other kernels.
    #[serde(deserialize_with = "names::package_of_kernel::all")]
    pub custom: Vec<String>,
    /// What is installed besides where switches join the devices (NVSwitch).
    #[serde(default, deserialize_with = "names::package_of_kernel::maybe")]
    pub switches: Option<String>,
    /// What it takes in bytes and seconds as long as apt was not asked.
    pub estimate: Estimate,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "names::date::one")]
    pub as_of: String,
}

/// Whose packages have kernels for a target of AMD's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Targets {
    /// PyTorch's own ROCm index.
    Pytorch,
    /// AMD's index.
    Amd,
    /// The wheels of JAX.
    Jax,
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
            assert!(crate::CHECKS.iter().any(|(name, _)| *name == framework.check));
        }
        for build in &catalog.builds {
            let known = catalog.framework(&build.framework).is_some();
            assert!(known && !build.source.is_empty() && build.as_of.len() == 10, "{build:?}");
        }
        for row in &catalog.apt.source {
            let hex = |c: char| c.is_ascii_hexdigit();
            assert!(row.fingerprint.len() == 40 && row.fingerprint.chars().all(hex), "{row:?}");
            assert!(!row.source.is_empty() && row.as_of.len() == 10, "{row:?}");
        }
        for row in &catalog.apt.driver {
            assert!(!row.source.is_empty() && row.as_of.len() == 10, "{row:?}");
            let named = |source: &AptSourceRow| Some(&source.name) == row.source_name.as_ref();
            assert!(row.source_name.is_none() || catalog.apt.source.iter().any(named), "{row:?}");
        }
        assert!(catalog.distro("debian", "13").is_some());
    }
}
