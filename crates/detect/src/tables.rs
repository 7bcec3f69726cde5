//! The dated tables that detection needs: `profiles/catalog`, with the user's own rows in front.

use std::sync::OnceLock;

use aitk_system::{Message, builtin, builtin_below, forms, message};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The tables, each of which is read when it is first needed: most machines need few of them.
#[derive(Debug, Clone, Default)]
pub struct Tables {
    overlay: toml::Table,
    distros: OnceLock<Vec<Distro>>,
    nvidia: OnceLock<NvidiaTable>,
    amd: OnceLock<AmdTable>,
    intel: OnceLock<IntelTable>,
    jetson: OnceLock<JetsonTable>,
    providers: OnceLock<Vec<Provider>>,
}

/// Names of graphics processors, a line each: `10de:2504 GA106 [GeForce RTX 3060 Lite Hash Rate]`.
const NAMES: &str = "catalog/pci-names.txt";

/// Every table by its name in the user's file.
const BUILTIN: [&str; 6] = ["distros", "nvidia", "amd", "intel", "jetson", "providers"];

/// Tables to which nobody adds rows.
const ALONE: [&str; 4] = ["basics", "fit", "judges", "uv"];

impl Tables {
    /// The tables with rows of the user's own, which come first: `[[nvidia.card]]` in their file is a row of `card` in
    /// `nvidia.toml`.
    ///
    /// # Errors
    /// What is wrong with the first row that does not fit its table.
    pub fn with(overlay: toml::Table) -> Result<Self, Message> {
        in_form(&overlay)?;
        let tables = Self { overlay, ..Self::default() };
        for name in BUILTIN {
            let loaded = match name {
                "distros" => tables.load::<DistroTable>(name).map(drop),
                "nvidia" => tables.load::<NvidiaTable>(name).map(drop),
                "amd" => tables.load::<AmdTable>(name).map(drop),
                "intel" => tables.load::<IntelTable>(name).map(drop),
                "jetson" => tables.load::<JetsonTable>(name).map(drop),
                _ => tables.load::<ProviderTable>(name).map(drop),
            };
            loaded?;
        }
        Ok(tables)
    }

    /// Releases of distributions.
    pub fn distros(&self) -> &[Distro] {
        self.distros.get_or_init(|| self.known::<DistroTable>("distros").distro)
    }

    /// A release of a distribution.
    pub fn distro(&self, id: &str, version: Option<&str>) -> Option<&Distro> {
        self.distros().iter().find(|row| row.id == id && Some(row.version.as_str()) == version)
    }

    /// NVIDIA's devices and drivers.
    pub fn nvidia(&self) -> &NvidiaTable {
        self.nvidia.get_or_init(|| self.known("nvidia"))
    }

    /// AMD's targets.
    pub fn amd(&self) -> &AmdTable {
        self.amd.get_or_init(|| self.known("amd"))
    }

    /// Intel's discrete devices.
    pub fn intel(&self) -> &IntelTable {
        self.intel.get_or_init(|| self.known("intel"))
    }

    /// Jetson boards.
    pub fn jetson(&self) -> &JetsonTable {
        self.jetson.get_or_init(|| self.known("jetson"))
    }

    /// Who rents machines out.
    pub fn providers(&self) -> &[Provider] {
        self.providers.get_or_init(|| self.known::<ProviderTable>("providers").provider)
    }

    /// A table whose rows were looked at before, or are the program's own.
    fn known<T: DeserializeOwned + Default>(&self, name: &str) -> T {
        self.load(name).unwrap_or_default()
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<T, Message> {
        self.read(name, builtin(&format!("catalog/{name}.toml")))
    }

    /// Reads a table, with the user's rows of this name in front.
    ///
    /// # Errors
    /// What is wrong with the first row of the user's that does not fit its table: row and field are named.
    pub fn read<T: DeserializeOwned>(&self, name: &str, text: &str) -> Result<T, Message> {
        let own: toml::Table = toml::from_str(text).map_err(|error| reason(&error))?;
        let rows = rows(self.overlay.get(name));
        let with = |rows: &[Row<'_>]| {
            let mut table = own.clone();
            for (kind, _, row) in rows.iter().rev() {
                let own = table.entry(*kind).or_insert_with(|| toml::Value::Array(Vec::new()));
                if let toml::Value::Array(own) = own {
                    own.insert(0, (*row).clone());
                }
            }
            table.try_into::<T>()
        };
        with(&rows).map_err(|error| {
            let mut faults = rows.iter().filter_map(|row| Some((row, with(&[*row]).err()?)));
            match faults.next() {
                Some(((kind, nth, _), error)) => {
                    let error = reason(&error);
                    message!("row {nth} of [[{name}.{kind}]]: {error}")
                }
                None => reason(&error),
            }
        })
    }
}

/// A row of the user's: of which kind it is, the how many-th of them, and what it says.
type Row<'a> = (&'a String, usize, &'a toml::Value);

/// The user's rows of a table.
fn rows(added: Option<&toml::Value>) -> Vec<Row<'_>> {
    let kinds = added.and_then(toml::Value::as_table).into_iter().flatten();
    let mut all = Vec::new();
    for (kind, rows) in kinds {
        let rows = rows.as_array().into_iter().flatten().enumerate();
        all.extend(rows.map(|(nth, row)| (kind, nth + 1, row)));
    }
    all
}

/// What is wrong with a row, and with which of its fields.
fn reason(error: &toml::de::Error) -> Message {
    let said = error.message().trim();
    let what = forms::refused(said).unwrap_or_else(|| Message::plain(said));
    // Which field it is stands in the text alone, behind the message: in `source.as_of`.
    let text = error.to_string();
    let path = text.strip_prefix(error.message()).and_then(|rest| rest.split('`').nth(1));
    let field = path.and_then(|path| path.split_once('.')).map(|(_, field)| field);
    match field {
        Some(field) => message!("`{field}`: {what}"),
        None => what,
    }
}

/// Looks whether all that the user's file says is rows of tables: what nobody reads would be taken for read.
fn in_form(overlay: &toml::Table) -> Result<(), Message> {
    for (name, kinds) in overlay {
        let file = format!("{name}.toml");
        if ALONE.contains(&name.as_str()) || !builtin_below("catalog").any(|(path, _)| path == file)
        {
            return Err(message!("there is no table `{name}` that takes rows"));
        }
        let kinds = kinds.as_table().ok_or_else(|| message!("`{name}` has no rows"))?;
        let are_rows = |rows: &toml::Value| {
            rows.as_array().is_some_and(|rows| rows.iter().all(toml::Value::is_table))
        };
        if let Some((kind, _)) = kinds.iter().find(|(_, rows)| !are_rows(rows)) {
            return Err(message!("a row is written [[{name}.{kind}]]"));
        }
    }
    Ok(())
}

/// The name of a graphics processor by its `vendor:device`, without that of its maker.
pub(crate) fn pci_name(pci_id: &str) -> Option<&'static str> {
    let line = builtin(NAMES).lines().find(|line| line.starts_with(pci_id))?;
    let name = line.get(pci_id.len()..)?.trim();
    // `GA106 [GeForce RTX 3060]`: the chip, then what it is sold as.
    let sold_as = name.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    Some(sold_as.map_or(name, |(name, _)| name))
}

/// PCI devices, `2504` or `2200-22ff`, both ends included.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DeviceRange(u16, u16);

impl TryFrom<String> for DeviceRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let number = |text: &str| u16::from_str_radix(text, 16).ok();
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(first, last)),
            _ => Err(format!("`{text}` is no range of PCI devices such as 2200-22ff")),
        }
    }
}

/// Whether one of these ranges holds the device of a `vendor:device`.
fn holds(ranges: &[DeviceRange], pci_id: &str) -> bool {
    let device = pci_id.split_once(':').and_then(|(_, id)| u16::from_str_radix(id, 16).ok());
    device.is_some_and(|device| ranges.iter().any(|range| (range.0..=range.1).contains(&device)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DistroTable {
    distro: Vec<Distro>,
}

/// A release of a distribution.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Distro {
    /// `ID` in `os-release`.
    #[serde(deserialize_with = "forms::name::one")]
    pub id: String,
    /// `VERSION_ID` in `os-release`.
    #[serde(deserialize_with = "forms::name::one")]
    pub version: String,
    /// `VERSION_CODENAME` in `os-release`.
    #[serde(deserialize_with = "forms::name::one")]
    pub codename: String,
    /// The day on which standard support ends, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub end_of_support: String,
    /// The day until which the same archive gets security fixes from a long-term team, for everybody.
    #[serde(default, deserialize_with = "forms::date::maybe")]
    pub lts_until: Option<String>,
    /// The minor version of the `python3` package; `None` where it is not known for sure.
    #[serde(default, deserialize_with = "forms::python_version::maybe")]
    pub python: Option<String>,
    /// The version of glibc.
    #[serde(default, deserialize_with = "forms::numbers::maybe")]
    pub glibc: Option<String>,
    /// Whether plans are tested on it.
    #[serde(default)]
    pub tested: bool,
    /// The version of the kernel that it came with, where its drivers are named after kernels.
    #[serde(default, deserialize_with = "forms::numbers::maybe")]
    pub kernel: Option<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// `nvidia.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NvidiaTable {
    /// Architectures by PCI device.
    pub architecture: Vec<Architecture>,
    /// Cards whose memory is known.
    pub card: Vec<Card>,
    /// What drivers serve, the newest first.
    pub cuda: Vec<CudaRow>,
    /// What builds of PyTorch hold code for.
    pub kernels: Vec<Kernels>,
    /// What a branch of drivers can be built for, the newest kernel first.
    pub outgrown: Vec<Outgrown>,
    /// Products that are made for machines with a screen.
    pub screen: Vec<Screen>,
}

impl NvidiaTable {
    /// The architecture of a device.
    pub fn architecture(&self, pci_id: &str) -> Option<&Architecture> {
        self.architecture.iter().find(|row| holds(&row.devices, pci_id))
    }

    /// The card with this device.
    pub fn card(&self, pci_id: &str) -> Option<&Card> {
        self.card.iter().find(|row| holds(&row.devices, pci_id))
    }

    /// The architecture with this compute capability; cards of one family may share it.
    pub fn by_capability(&self, capability: &str) -> Option<&Architecture> {
        let same_family = |row: &&Architecture| {
            let major = |text: &str| text.split_once('.').map(|(major, _)| major.to_owned());
            major(&row.compute_capability) == major(capability)
        };
        let exact = self.architecture.iter().find(|row| row.compute_capability == capability);
        exact.or_else(|| self.architecture.iter().find(same_family))
    }

    /// The newest CUDA that a driver serves.
    pub fn cuda(&self, driver: &str) -> Option<&CudaRow> {
        self.cuda.iter().find(|row| !is_newer(&row.driver, driver))
    }

    /// What says that a driver is older than what can be built for a kernel, told as `uname -r` does.
    pub fn outgrown(&self, driver: &str, kernel: &str) -> Option<&Outgrown> {
        let kernel = kernel.split('-').next().unwrap_or_default();
        let is_match = |row: &&Outgrown| {
            driver.split('.').next() == Some(row.branch.as_str())
                && is_newer(&row.first, driver)
                && !is_newer(&row.kernel, kernel)
        };
        self.outgrown.iter().find(is_match)
    }

    /// What a build of a framework holds code for; `None` where that is not known.
    pub fn kernels(&self, origin: &str, torch: &str, cuda: &str, arch: &str) -> Option<&Kernels> {
        let torch = torch.split('+').next().unwrap_or_default();
        self.kernels.iter().find(|row| {
            row.origin == origin
                && row.cuda.iter().any(|own| own == cuda)
                && row.arch.as_deref().is_none_or(|own| own == arch)
                && row.torch.as_deref().is_none_or(|since| !is_newer(since, torch))
        })
    }
}

/// An architecture of NVIDIA's.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Architecture {
    /// In lower case: `ampere`.
    #[serde(deserialize_with = "forms::name::one")]
    pub name: String,
    /// Compute capability of these devices, `8.6`.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub compute_capability: String,
    /// Its devices' PCI ids, as ranges of hexadecimal numbers.
    pub devices: Vec<DeviceRange>,
    /// Whether any current framework has kernels for it.
    #[serde(default = "yes")]
    pub served: bool,
    /// Whether NVIDIA's open kernel modules run it.
    #[serde(default = "yes")]
    pub open: bool,
    /// Whether NVIDIA's closed kernel modules run it.
    #[serde(default = "yes")]
    pub closed: bool,
    /// Whether it is part of a chip and shares the machine's memory.
    #[serde(default)]
    pub integrated: bool,
    /// The last branch of drivers that runs it, where there is one.
    #[serde(default, deserialize_with = "forms::numbers::maybe")]
    pub last_driver: Option<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

fn yes() -> bool {
    true
}

impl Architecture {
    /// Whether a driver still runs it.
    pub fn runs_with(&self, driver: &str) -> bool {
        let branch = driver.split('.').next().unwrap_or_default();
        self.last_driver.as_deref().is_none_or(|last| !is_newer(branch, last))
    }
}

/// Releases of a branch of drivers that cannot be built for a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outgrown {
    /// The series of the kernel from which on that is so, `7.0`.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub kernel: String,
    /// The branch, `580`.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub branch: String,
    /// Its first release that can be built.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub first: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// Products that are made for machines with a screen.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Screen {
    /// Words in the names of the devices.
    pub products: Vec<String>,
    /// The compute capabilities of chips that are in no such product.
    #[serde(deserialize_with = "forms::numbers::all")]
    pub servers: Vec<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// A card of NVIDIA's whose memory is known from its device.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Its PCI devices.
    pub devices: Vec<DeviceRange>,
    /// Its name.
    pub name: String,
    /// Its memory in GiB.
    pub memory_gib: u64,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// Which driver a version of CUDA came with.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CudaRow {
    /// `13.0`.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub version: String,
    /// The oldest driver that serves all of it.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub driver: String,
    /// The same of the drivers for Windows, which WSL computes with, where their number is another one.
    #[serde(default, deserialize_with = "forms::numbers::maybe")]
    pub windows: Option<String>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// The compute capabilities that builds of frameworks hold code for.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernels {
    /// Who builds them: `pytorch` (wheels), `conda-forge` (its PyTorch), `tensorflow` or `jax`.
    #[serde(deserialize_with = "forms::name::one")]
    pub origin: String,
    /// The first version of the framework that is built so; any where it is left out.
    #[serde(default, deserialize_with = "forms::numbers::maybe")]
    pub torch: Option<String>,
    /// The versions of CUDA that they are built for.
    #[serde(deserialize_with = "forms::numbers::all")]
    pub cuda: Vec<String>,
    /// The architecture of the machine; any where it is left out.
    #[serde(default, deserialize_with = "forms::name::maybe")]
    pub arch: Option<String>,
    /// What they hold machine code for.
    #[serde(deserialize_with = "forms::numbers::all")]
    pub capabilities: Vec<String>,
    /// Whether the last of these is there as code that the driver translates for newer devices (PTX).
    #[serde(default)]
    pub ptx: bool,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

impl Kernels {
    /// Whether a device of this compute capability finds code: machine code runs on later devices of its generation.
    pub fn serve(&self, capability: &str) -> bool {
        self.has_code(capability) || self.translate(capability)
    }

    /// Whether there is machine code for it.
    fn has_code(&self, capability: &str) -> bool {
        let major = |text: &str| text.split('.').next().map(str::to_owned);
        let of_generation =
            |own: &&String| major(own) == major(capability) && !is_newer(own, capability);
        self.capabilities.iter().any(|own| of_generation(&own))
    }

    /// Whether only code that the driver translates serves it: that takes a driver as new as the build's CUDA.
    pub fn only_translate(&self, capability: &str) -> bool {
        !self.has_code(capability) && self.translate(capability)
    }

    fn translate(&self, capability: &str) -> bool {
        self.ptx && self.capabilities.last().is_some_and(|last| is_newer(capability, last))
    }
}

/// `amd.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmdTable {
    /// Targets, and whose packages serve them.
    pub target: Vec<GfxTarget>,
    /// Targets by PCI device.
    pub device: Vec<AmdDevice>,
}

impl AmdTable {
    /// The row of a target.
    pub fn target(&self, gfx: &str) -> Option<&GfxTarget> {
        self.target.iter().find(|row| row.gfx == gfx)
    }

    /// What a device is said to be: for words only.
    pub fn device(&self, pci_id: &str) -> Option<&GfxTarget> {
        self.target(&self.device.iter().find(|row| holds(&row.devices, pci_id))?.gfx)
    }
}

/// A target of AMD's compiler.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GfxTarget {
    /// `gfx1100`.
    #[serde(deserialize_with = "forms::name::one")]
    pub gfx: String,
    /// In lower case: `rdna3`.
    #[serde(deserialize_with = "forms::name::one")]
    pub architecture: String,
    /// Whether it is part of a processor.
    pub integrated: bool,
    /// Whether it has so few compute units that the processor beside it computes faster.
    #[serde(default)]
    pub small: bool,
    /// Whether PyTorch's own ROCm index has kernels for it.
    pub pytorch: bool,
    /// Whether AMD's index of wheels has.
    pub amd: bool,
    /// Whether AMD builds for it and does not try what it has built.
    #[serde(default)]
    pub untested: bool,
    /// Whether the wheels of JAX have.
    #[serde(default)]
    pub jax: bool,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// Which target a PCI device of AMD's is.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AmdDevice {
    /// Ranges of PCI device ids, hexadecimal.
    pub devices: Vec<DeviceRange>,
    /// `gfx1100`.
    #[serde(deserialize_with = "forms::name::one")]
    pub gfx: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// `intel.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntelTable {
    /// Devices that are no part of a processor.
    pub discrete: Vec<IntelDevice>,
    /// Devices that are part of a processor and that PyTorch's builds (XPU) are made for.
    pub integrated: Vec<IntelDevice>,
}

impl IntelTable {
    /// The row of a discrete device.
    pub fn discrete(&self, pci_id: &str) -> Option<&IntelDevice> {
        self.discrete.iter().find(|row| holds(&row.devices, pci_id))
    }

    /// The row of a device that is part of a processor and computes.
    pub fn integrated(&self, pci_id: &str) -> Option<&IntelDevice> {
        self.integrated.iter().find(|row| holds(&row.devices, pci_id))
    }
}

/// A family of Intel's graphics processors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IntelDevice {
    /// In lower case: `alchemist`.
    #[serde(deserialize_with = "forms::name::one")]
    pub architecture: String,
    /// PCI devices.
    pub devices: Vec<DeviceRange>,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// `jetson.toml`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JetsonTable {
    /// Chips.
    pub chip: Vec<Chip>,
    /// JetPack releases, the newest first.
    pub jetpack: Vec<JetPack>,
}

impl JetsonTable {
    /// The JetPack that an L4T release belongs to.
    pub fn jetpack(&self, l4t: &str) -> Option<&JetPack> {
        let major = |version: &str| version.split('.').next().map(str::to_owned);
        let mut rows = self.jetpack.iter();
        rows.find(|row| major(&row.l4t) == major(l4t) && !is_newer(&row.l4t, l4t))
    }
}

/// A chip of Jetson boards.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chip {
    /// Its name in the device tree's `compatible`.
    pub compatible: String,
    /// Its name for people.
    pub name: String,
    /// Architecture of its graphics processor.
    #[serde(deserialize_with = "forms::name::one")]
    pub architecture: String,
    /// Compute capability of its graphics processor.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub compute_capability: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// A release of JetPack.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JetPack {
    /// `6.2`.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub version: String,
    /// The first L4T release that belongs to it.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub l4t: String,
    /// The CUDA that it brings.
    #[serde(deserialize_with = "forms::numbers::one")]
    pub cuda: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderTable {
    provider: Vec<Provider>,
}

/// Who rents machines out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// `digitalocean`.
    #[serde(deserialize_with = "forms::name::one")]
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The file of `/sys/class/dmi/id` that tells it.
    #[serde(deserialize_with = "forms::file_name::one")]
    pub field: String,
    /// What the firmware's text begins with on such machines.
    pub starts: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true, `YYYY-MM-DD`.
    #[serde(deserialize_with = "forms::date::one")]
    pub as_of: String,
}

/// Whether a version, numbers with dots between them, is newer than another; what is no number counts as 0.
pub fn is_newer(version: &str, than: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split('.').map(|part| part.parse().unwrap_or_default()).collect()
    };
    let (mut one, mut other) = (numbers(version), numbers(than));
    let length = one.len().max(other.len());
    one.resize(length, 0);
    other.resize(length, 0);
    one > other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_can_be_read() {
        let tables = Tables::with(toml::Table::new()).unwrap();
        assert!(tables.distros().len() >= 7);
        assert!(tables.providers().len() >= 10);
        assert!(pci_name("10de:2504").is_some_and(|name| name.starts_with("GeForce RTX 3060")));
        assert_eq!(pci_name("10de:ffff"), None);
    }

    #[test]
    fn architectures_are_those_of_the_devices() {
        let tables = Tables::default();
        let of = |id: &str| {
            let row = tables.nvidia().architecture(id).unwrap();
            (row.name.clone(), row.compute_capability.clone())
        };
        let expected = [
            ("10de:11c0", "kepler", "3.0"),
            ("10de:1380", "maxwell", "5.0"),
            ("10de:1725", "pascal", "6.1"),
            ("10de:15f8", "pascal", "6.0"),
            ("10de:1b06", "pascal", "6.1"),
            ("10de:1db4", "volta", "7.0"),
            ("10de:1eb8", "turing", "7.5"),
            ("10de:20b0", "ampere", "8.0"),
            ("10de:2504", "ampere", "8.6"),
            ("10de:2330", "hopper", "9.0"),
            ("10de:2684", "ada", "8.9"),
            ("10de:2901", "blackwell", "10.0"),
            ("10de:2b00", "blackwell", "11.0"),
            ("10de:2b85", "blackwell", "12.0"),
            ("10de:2e12", "blackwell", "12.1"),
        ];
        for (id, name, capability) in expected {
            assert_eq!(of(id), (name.to_owned(), capability.to_owned()), "{id}");
        }
    }

    #[test]
    fn a_driver_serves_the_cuda_that_it_came_with_and_older_ones() {
        let tables = Tables::default();
        let of = |driver| tables.nvidia().cuda(driver).map(|row| row.version.as_str());
        assert_eq!(of("580.95.05"), Some("13.0"));
        assert_eq!(of("580.65.06"), Some("13.0"));
        assert_eq!(of("580.65.05"), Some("12.9"));
        assert_eq!(of("550.163.01"), Some("12.4"));
        assert_eq!(of("390.157"), None);
    }

    #[test]
    fn builds_hold_code_for_what_their_row_says() {
        let tables = Tables::default();
        let serves = |origin, torch, cuda, arch, capability| {
            tables.nvidia().kernels(origin, torch, cuda, arch).map(|row| row.serve(capability))
        };
        assert_eq!(serves("pytorch", "2.15.0+cu132", "13.2", "x86_64", "6.1"), Some(false));
        assert_eq!(serves("pytorch", "2.15.0", "13.2", "x86_64", "8.9"), Some(true));
        assert_eq!(serves("pytorch", "2.14.1+cu126", "12.6", "x86_64", "6.1"), Some(true));
        assert_eq!(serves("pytorch", "2.14.1+cu126", "12.6", "x86_64", "12.0"), Some(false));
        assert_eq!(serves("pytorch", "2.11.0+cu128", "12.8", "x86_64", "7.0"), Some(false));
        assert_eq!(serves("pytorch", "2.9.1+cu128", "12.8", "x86_64", "7.0"), Some(true));
        assert_eq!(serves("pytorch", "2.9.1+cu128", "12.8", "x86_64", "6.1"), Some(false));
        assert_eq!(serves("pytorch", "2.7.0+cu128", "12.8", "x86_64", "7.0"), Some(false));
        assert_eq!(serves("pytorch", "1.12.1+cu102", "10.2", "x86_64", "8.6"), Some(false));
        assert_eq!(serves("pytorch", "2.6.0+cu128", "12.8", "x86_64", "7.0"), None);
        assert_eq!(serves("tensorflow", "2.21.0", "12.9", "x86_64", "12.0"), Some(false));
        assert_eq!(serves("conda-forge", "2.13.0", "12.9", "x86_64", "6.1"), Some(true));
        assert_eq!(serves("conda-forge", "2.13.0", "12.9", "x86_64", "13.0"), Some(true));
    }

    #[test]
    fn a_release_of_l4t_belongs_to_one_jetpack() {
        let tables = Tables::default();
        let of = |l4t| tables.jetson().jetpack(l4t).map(|row| row.version.as_str());
        assert_eq!(of("36.4.3"), Some("6.2"));
        assert_eq!(of("36.4.0"), Some("6.1"));
        assert_eq!(of("36.5.0"), Some("6.2.1"));
        assert_eq!(of("35.6.1"), Some("5.1"));
        assert_eq!(of("38.4.0"), Some("7.1"));
        assert_eq!(of("39.2.0"), Some("7.2"));
        assert_eq!(of("28.1"), None);
    }

    #[test]
    fn rows_of_the_user_come_first_and_a_wrong_one_is_refused() {
        let overlay = |text: &str| toml::from_str::<toml::Table>(text).unwrap();
        let tables = Tables::with(overlay(
            "[[nvidia.cuda]]\nversion = '14.0'\ndriver = '700'\nsource = 'me'\nas_of = '2027-01-01'",
        ))
        .unwrap();
        assert_eq!(tables.nvidia().cuda("700.10").unwrap().version, "14.0");
        assert_eq!(tables.nvidia().cuda("580.95.05").unwrap().version, "13.0");
        let wrong = Tables::with(overlay("[[nvidia.card]]\ndevices = ['zz']"));
        assert!(wrong.unwrap_err().to_string().contains("no range of PCI devices"));
        assert!(Tables::with(overlay("[[amd.cards]]\nname = 'x'")).is_err());
        for (text, word) in [
            ("[[nvdia.cuda]]\nversion = '14.0'", "no table `nvdia`"),
            ("[[uv.pin]]\nversion = '1'", "no table `uv`"),
            ("[nvidia.cuda]\nversion = '14.0'", "[[nvidia.cuda]]"),
            ("nvidia = 1", "`nvidia` has no rows"),
            ("[nvidia]\ncuda = ['14.0']", "[[nvidia.cuda]]"),
            ("version = '14.0'", "no table `version`"),
        ] {
            let error = Tables::with(overlay(text)).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
