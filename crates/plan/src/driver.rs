//! NVIDIA's driver: whether this machine needs another one, who can install it, and which packages that takes.

use aitk_detect::{Architecture, Gpu, Machine, Obstacle, VirtualizationKind, is_newer};
use aitk_system::{Message, message};

use crate::accelerate::called;
use crate::basics::basics;
use crate::catalog::{AptSourceRow, Catalog, DriverRow};
use crate::names;
use crate::step::AptSource;

/// What is to be done about the driver.
pub(crate) enum DriverAction<'a> {
    /// Nothing.
    Fine,
    /// Something that aitk cannot do: why, and what a person can.
    Person { why: Message, remedy: Message },
    /// It can be installed.
    Install {
        why: Message,
        row: &'a DriverRow,
        source: Option<Box<AptSource>>,
        packages: Vec<String>,
    },
}

/// Looks at the devices that no driver of NVIDIA's serves, or one that is too old for today's frameworks.
pub(crate) fn driver<'a>(machine: &Machine, catalog: &'a Catalog) -> DriverAction<'a> {
    let gpus: Vec<&Gpu> = machine
        .gpus
        .iter()
        .filter(|gpu| gpu.vendor == "nvidia" && machine.jetson.is_none())
        // No driver changes what no framework has code for, what is handed on, or what nobody knows.
        .filter(|gpu| {
            use Obstacle::{HandedOn, NoKernels, Unknown};
            !matches!(gpu.obstacle, Some(HandedOn | NoKernels | Unknown))
        })
        .collect();
    // What today's builds take: the least that any of the drivers brings.
    let drivers = catalog.apt.driver.iter().map(|row| row.version.as_str());
    let Some(least) = drivers.reduce(|one, next| if is_newer(one, next) { next } else { one })
    else {
        return DriverAction::Fine;
    };
    let Some((gpu, lack)) = gpus.iter().find_map(|gpu| Some((gpu, lack(gpu, least)?))) else {
        return DriverAction::Fine;
    };
    let why = Message::about(called(gpu), lack);
    let series = least.split('.').next().unwrap_or_default();
    let remedy = elsewhere(machine, series).or_else(|| beside(gpu, machine, series));
    match remedy.map_or_else(|| Installed::of(machine, catalog, &gpus, series), Err) {
        Ok(Installed { row, source, packages }) => {
            DriverAction::Install { why, row, source: source.map(Box::new), packages }
        }
        Err(remedy) => DriverAction::Person { why, remedy },
    }
}

/// Who installs it where that is not this system.
fn elsewhere(machine: &Machine, series: &str) -> Option<Message> {
    match machine.virtualization.kind {
        VirtualizationKind::Wsl1 => {
            Some(message!("in PowerShell: wsl --set-version <distribution> 2"))
        }
        VirtualizationKind::Wsl2 => Some(message!(
            "in Windows, install NVIDIA's driver {series} or newer, then `wsl --shutdown` in PowerShell; no Linux driver belongs here"
        )),
        VirtualizationKind::Container => Some(message!(
            "install driver {series} or newer on the host: a container uses that one"
        )),
        VirtualizationKind::BareMetal | VirtualizationKind::Vm => None,
    }
}

/// What is installed of a driver, and from where.
struct Installed<'a> {
    row: &'a DriverRow,
    source: Option<AptSource>,
    packages: Vec<String>,
}

impl<'a> Installed<'a> {
    /// What is installed here for these devices; else what a person can do.
    fn of(
        machine: &Machine,
        catalog: &'a Catalog,
        gpus: &[&Gpu],
        series: &str,
    ) -> Result<Self, Message> {
        let row = row(machine, catalog, gpus);
        let row = row.filter(|_| machine.tools.contains_key("apt-get"));
        let row = row.ok_or_else(|| by_hand(machine, catalog, gpus, series))?;
        let release = machine.kernel.as_deref().ok_or_else(|| {
            message!("which kernel runs is not known, so no module can be chosen for it")
        })?;
        let ready = flavour(machine, catalog, release).filter(|flavour| {
            row.kernels.iter().any(|known| flavour.split('-').next() == Some(known))
        });
        if ready.is_none() && machine.secure_boot == Some(true) {
            return Err(message!(
                "Secure Boot refuses a module that is built on this machine until its key is enrolled: switch Secure Boot off in the firmware, or install the driver by hand and enrol the key with mokutil"
            ));
        }
        let mut packages: Vec<_> = match &ready {
            Some(flavour) => {
                row.packages.iter().map(|name| name.replace("{kernel}", flavour)).collect()
            }
            None => row.custom.iter().map(|name| name.replace("{release}", release)).collect(),
        };
        // Without what starts the switches between them the devices compute nothing.
        let switches = machine.nvidia.as_ref().is_some_and(|nvidia| nvidia.switches > 0);
        packages.extend(row.switches.clone().filter(|_| switches));
        let source = row.source_name.as_ref().map(|name| {
            let source = catalog.apt_source(name, machine);
            let source = source.map(|source| AptSource { pin: row.pin.clone(), ..source });
            source.ok_or_else(|| message!("NVIDIA has no repository for this system"))
        });
        Ok(Self { row, source: source.transpose()?, packages })
    }
}

/// What a person does where no row installs a driver: a newer one does not run cards that have a last branch.
fn by_hand(machine: &Machine, catalog: &Catalog, gpus: &[&Gpu], series: &str) -> Message {
    let table = catalog.tables.nvidia();
    let rows = gpus.iter().filter_map(|gpu| table.architecture(gpu.pci_id.as_deref()?));
    let last = rows
        .filter_map(|row| row.last_driver.as_deref())
        .min_by_key(|branch| branch.parse::<u32>().ok());
    match last {
        Some(_) if machine.os.id == "debian" => message!(
            "Debian's own package `nvidia-driver` still runs it (with contrib, non-free and non-free-firmware in the sources of apt)"
        ),
        Some(last) => message!(
            "install NVIDIA's driver {last} as your system does it: it is the last branch that runs this card"
        ),
        None => message!("install NVIDIA's driver {series} or newer as your system does it"),
    }
}

/// The driver of this system for these devices.
fn row<'a>(machine: &Machine, catalog: &'a Catalog, gpus: &[&Gpu]) -> Option<&'a DriverRow> {
    let table = catalog.tables.nvidia();
    let architecture = |gpu: &&Gpu| gpu.pci_id.as_deref().and_then(|id| table.architecture(id));
    // One module runs all devices, or as many as one can: the open one where a device runs with no other.
    let rows = || gpus.iter().filter_map(architecture);
    let open = rows().all(|row| row.open) || rows().any(|row| !row.closed);
    let server = !machine.desktop && gpus.iter().all(|gpu| is_for_servers(gpu, catalog));
    let of_module = |row: &&Architecture| if open { row.open } else { row.closed };
    let runs = |version: &str| rows().filter(of_module).all(|row| row.runs_with(version));
    let rows = catalog.apt.driver.iter().filter(|row| {
        row.os == machine.os.id
            && machine.os.version.as_ref().is_some_and(|version| row.versions.contains(version))
            && row.open == open
            && runs(&row.version)
    });
    rows.clone().find(|row| row.server == server).or_else(|| rows.clone().next())
}

/// What mends a device that another driver does not.
fn beside(gpu: &Gpu, machine: &Machine, series: &str) -> Option<Message> {
    use Obstacle::{
        Crashes, Dropped, Faulty, NoDriver, NotBuilt, NotLoaded, OtherDriver, Silent, Unsigned,
        WrongModule,
    };
    if machine.nvidia.as_ref().is_some_and(|nvidia| nvidia.guest) {
        return Some(message!(
            "the device is a share of one (vGPU): its driver comes from whoever runs the host, and has to go with the host's"
        ));
    }
    // Packages of an older branch would fight with those of a newer one.
    let library = machine.nvidia.as_ref().and_then(|nvidia| nvidia.library.as_deref());
    let branch = library.and_then(|version| version.split('.').next());
    let stays = matches!(gpu.obstacle, Some(NotBuilt | NotLoaded | Unsigned | OtherDriver));
    if stays && branch.is_some_and(|branch| is_newer(branch, series)) {
        return Some(message!("`aitk doctor` says what to do: a driver is installed"));
    }
    match gpu.obstacle? {
        // What is installed already and counts after a restart is a step that holds.
        NoDriver | OtherDriver | WrongModule | Dropped | NotBuilt | NotLoaded | Unsigned => None,
        Silent | Faulty | Crashes => Some(message!(
            "a driver is installed; the kernel's log says what is wrong with the device: `sudo dmesg | grep -i nvrm | tail`"
        )),
        _ => Some(message!("`aitk doctor` says what to do: a driver is installed")),
    }
}

/// What a device lacks of a driver.
fn lack(gpu: &Gpu, least: &str) -> Option<Message> {
    let driver = gpu.driver.as_ref();
    match (driver.map(|driver| driver.name.as_str()), driver.and_then(|d| d.version.as_deref())) {
        (Some("nvidia" | "dxgkrnl"), Some(version)) if is_newer(least, version) => Some(message!(
            "driver {version} is older than {least}, which today's builds for CUDA 13 take"
        )),
        (Some("nvidia"), _) if gpu.obstacle == Some(Obstacle::WrongModule) => Some(gpu.why.clone()),
        // What else is wrong with a driver that is there, a newer one does not mend.
        (Some("nvidia" | "dxgkrnl"), _) => None,
        _ => Some(gpu.why.clone()),
    }
}

/// Whether a device is made for machines without a screen.
fn is_for_servers(gpu: &Gpu, catalog: &Catalog) -> bool {
    let name = gpu.name.as_deref().unwrap_or_default();
    let table = catalog.tables.nvidia();
    let mut rows = table.screen.iter();
    if name.is_empty() {
        // Some chips are in servers' cards alone.
        let row = gpu.pci_id.as_deref().and_then(|id| table.architecture(id));
        return row.is_some_and(|row| {
            rows.any(|screen| screen.servers.contains(&row.compute_capability))
        });
    }
    !rows.flat_map(|row| &row.products).any(|product| name.contains(product.as_str()))
}

/// The flavour of the running kernel's package, as Ubuntu names modules for it; `None` for a kernel of one's own.
fn flavour(machine: &Machine, catalog: &Catalog, release: &str) -> Option<String> {
    let mut parts = release.splitn(3, '-');
    let (version, _, name) = (parts.next()?, parts.next()?, parts.next()?);
    let row = catalog.distro(&machine.os.id, machine.os.version.as_deref()?)?;
    let shipped = row.kernel.as_deref()?;
    let is_shipped =
        version.strip_prefix(shipped).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    Some(basics().kernels.called(name, &row.version, is_shipped))
}

impl Catalog {
    /// A vendor's repository for a machine, by its name.
    pub(crate) fn apt_source(&self, name: &str, machine: &Machine) -> Option<AptSource> {
        let wsl = matches!(
            machine.virtualization.kind,
            VirtualizationKind::Wsl1 | VirtualizationKind::Wsl2
        );
        let version = machine.os.version.as_deref().unwrap_or_default();
        let fits = |row: &&AptSourceRow| {
            row.name == name
                && row.os.as_ref().is_none_or(|os| *os == machine.os.id)
                && (row.versions.is_empty() || row.versions.iter().any(|own| own == version))
                && row.wsl.is_none_or(|own| own == wsl)
        };
        let row = self.apt.source.iter().find(fits)?;
        let arch = row.arches.get(&machine.arch)?;
        let filled = |text: &str| {
            text.replace("{arch}", arch).replace("{version}", &version.replace('.', ""))
        };
        let (uri, key) = (filled(&row.uri), filled(&row.key));
        if !names::address::fits(&uri) || !names::address::fits(&key) {
            return None;
        }
        Some(AptSource {
            name: row.name.clone(),
            uri,
            suite: row.suite.clone(),
            components: row.components.clone(),
            key,
            fingerprint: row.fingerprint.clone(),
            packages: row.packages.clone(),
            pin: None,
        })
    }
}
