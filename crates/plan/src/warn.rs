//! What a person should know before agreeing to a plan.

use aitk_detect::{Disk, Gpu, Machine, VirtualizationKind};
use aitk_system::{Message, message};

use crate::accelerate::{self, SelectionInput};
use crate::basics::{Age, Ground, basics};
use crate::catalog::Build;
use crate::driver::DriverAction;
use crate::framework::Decision;
use crate::model::{Plan, Warning};
use crate::python::choose_python;
use crate::requires::{at_least, past_support};
use crate::room::serves;
use crate::situation::Situation;
use crate::size::Bytes;
use crate::warnings;

impl Situation<'_> {
    /// Adds what a person should know of this machine and these choices to a plan.
    pub fn warn(&self, plan: &mut Plan) {
        let machine = self.machine;
        let thresholds = &self.profile.memory;
        if let Some(memory) = machine.memory.usable()
            && !at_least(memory, thresholds.minimum)
        {
            plan.warn(Warning::new(
                    warnings::LITTLE_MEMORY,
                    message!("{} of memory: {} are the minimum for working at ease, {} are comfortable",
                        Bytes(memory).binary(), thresholds.minimum.binary(), thresholds.comfortable.binary()),
                    message!("small data sets fit; close other programs, and use a hosted notebook for larger ones"),
                ));
        }
        if self.lacks_swap() && !self.may_have_swap() {
            plan.warn(swap_elsewhere(machine, thresholds.swap_size));
        }
        self.warn_of_gpus(plan);
        self.warn_of_hardware(plan);
        self.warn_of_age(plan);
        if let Decision::Skip(why) = self.framework {
            plan.warn(Warning::new(
                warnings::NO_FRAMEWORK,
                why.clone(),
                message!("the rest of the plan stands"),
            ));
        }
        self.warn_of_release(plan);
        self.warn_of_places(plan);
    }

    fn warn_of_release(&self, plan: &mut Plan) {
        let machine = self.machine;
        let os = &machine.os;
        let row = self.catalog.distro(&os.id, os.version.as_deref().unwrap_or_default());
        if past_support(machine, self.catalog) {
            plan.warn(Warning::new(
                warnings::PAST_SUPPORT,
                message!("{} is past its support", os.name),
                message!("upgrade the system: it gets no security fixes any more"),
            ));
        // What runs elsewhere has no system that anybody knows.
        } else if !os.name.is_empty() && !row.is_some_and(|row| row.tested) {
            plan.warn(Warning::new(
                warnings::UNTESTED_SYSTEM,
                message!("{} is not among the systems that aitk is tested on", os.name),
                message!("these are: {}", self.tested()),
            ));
        }
    }

    fn warn_of_places(&self, plan: &mut Plan) {
        let machine = self.machine;
        for disk in &machine.disks {
            plan.warnings.extend(unfit(disk));
        }
        if machine.virtualization.kind == VirtualizationKind::Wsl1 {
            plan.warn(Warning::new(
                warnings::WSL_1,
                message!("this is WSL 1: slow file access and no GPU"),
                message!("in PowerShell: wsl --set-version <distribution> 2"),
            ));
        }
    }

    /// The releases that aitk is tested on.
    fn tested(&self) -> Message {
        let rows = self.catalog.tables.distros().iter().filter(|row| row.tested);
        Message::commas(rows.map(|row| Message::plain(format!("{} {}", row.id, row.version))))
    }

    /// GPUs that do not compute as they could, and what would have to change.
    fn warn_of_gpus(&self, plan: &mut Plan) {
        let Decision::Take { idle, builds, accelerator, .. } = self.framework else { return };
        // What is part of a processor is expected to stand by.
        let is_card = |gpu: &Gpu| gpu.integrated != Some(true) || gpu.vendor != "intel";
        let of_cards = idle.iter().filter(|(gpu, _)| is_card(&self.machine.gpus[*gpu]));
        let idle = Message::counted(of_cards.map(|(_, why)| why.clone()));
        let (code, message) = match (accelerator.kind.as_str(), &idle[..]) {
            ("none", []) => return,
            ("none", idle) => (
                warnings::UNUSED_GPU,
                message!("the GPU is not used: {}", Message::list(idle.to_vec())),
            ),
            _ if builds[0].older => (
                warnings::OLDER_FRAMEWORK,
                message!(
                    "an older version is taken: {} is the newest build for this GPU and its driver ({})",
                    builds[0].name,
                    builds[0].requirements.join(" ")
                ),
            ),
            (_, []) => return,
            (_, idle) => (
                warnings::UNUSED_GPU,
                message!("not every GPU is used: {}", Message::list(idle.to_vec())),
            ),
        };
        let ways: Vec<_> = self.driver_remedy().into_iter().chain(self.other_manager()).collect();
        let hint = (!ways.is_empty()).then(|| Message::or(ways));
        plan.warn(Warning { code: code.to_owned(), message, hint });
    }

    /// What can be done about the driver.
    fn driver_remedy(&self) -> Option<Message> {
        match self.driver {
            DriverAction::Person { remedy, .. } => Some(remedy.clone()),
            DriverAction::Install { .. } if !self.installs_driver() => {
                Some(message!("add --drivers, and the plan installs the driver that it takes"))
            }
            _ => None,
        }
    }

    /// The other manager, where it has a build that makes more of the devices.
    fn other_manager(&self) -> Option<Message> {
        let Decision::Take { builds, accelerator, framework, .. } = self.framework else {
            return None;
        };
        let manager = self.manager.other();
        let python = choose_python(self.machine, self.choices, manager, self.catalog);
        let other = accelerate::choose(SelectionInput {
            machine: self.machine,
            catalog: self.catalog,
            choices: self.choices,
            manager,
            framework: &framework.name,
            python: python.version(),
            driver: None,
        })
        .ok()?;
        let worth = |kind: &str, build: &Build, gpus: usize| (kind != "none", !build.older, gpus);
        let here = worth(&accelerator.kind, &builds[0], accelerator.gpus.len());
        let there = worth(&other.accelerator.kind, &other.builds[0], other.accelerator.gpus.len());
        (there > here).then(|| {
            message!(
                "add --manager {manager}: its build {} makes more of the GPU",
                other.builds[0].name
            )
        })
    }

    /// What the profile says a machine for it should have.
    fn warn_of_hardware(&self, plan: &mut Plan) {
        let Some(hardware) = &self.profile.hardware else { return };
        let most = self.machine.gpus.iter().filter_map(|gpu| gpu.vram).max();
        // Drivers keep a few per cent of what a card is sold with.
        if let Some(vram) = most.filter(|vram| !at_least(*vram, hardware.vram)) {
            let fits = self.catalog.fit.vram(vram);
            let fits = fits.map(|row| message!(": models of {} in 4 bits fit", row.four_bit));
            plan.warn(Warning::new(
                warnings::WEAK_HARDWARE,
                message!("{} on the GPU{}", Bytes(vram).binary(), fits.unwrap_or_default()),
                message!(
                    "{} is what this budget is meant for ({})",
                    hardware.vram.binary(),
                    hardware.example
                ),
            ));
        }
        let slow = self.machine.disks.iter().find(|disk| {
            serves(disk, "data") && disk.kind.as_ref().is_some_and(|kind| *kind != hardware.disk)
        });
        if let Some(disk) = slow {
            plan.warn(Warning::new(
                warnings::WEAK_HARDWARE,
                message!(
                    "{} is on a {}",
                    disk.mount.display(),
                    disk.kind.as_deref().unwrap_or_default()
                ),
                message!(
                    "data loads faster from an NVMe disk: set AITK_DATA_DIR to one if there is one"
                ),
            ));
        }
    }

    /// Rows that are old do not know today's builds.
    fn warn_of_age(&self, plan: &mut Plan) {
        let Age { days, .. } = basics().age;
        let is_old = |ground: &&Ground| basics().age.is_old(&ground.as_of, &self.machine.date);
        let told = |ground: &Ground| Message::plain(format!("{} ({})", ground.row, ground.as_of));
        let old: Vec<_> = plan.grounds.iter().filter(is_old).map(told).collect();
        if !old.is_empty() {
            plan.warn(Warning::new(
                warnings::OLD_TABLES,
                message!(
                    "what decided this plan is older than {days} days: {}",
                    Message::commas(old)
                ),
                message!("get a newer aitk, or add rows of your own to catalog.toml"),
            ));
        }
    }
}

/// How a small machine gets swap space that is not its own to make.
fn swap_elsewhere(machine: &Machine, size: Bytes) -> Warning {
    let hint = match machine.virtualization.kind {
        VirtualizationKind::Container => {
            message!("raise the container's memory limit: swap belongs to its host")
        }
        VirtualizationKind::BareMetal | VirtualizationKind::Vm => {
            message!(
                "its file system takes a swap file only with care (btrfs: `btrfs filesystem mkswapfile`): add one by hand, or a partition for swap"
            )
        }
        _ => message!(
            "raise `memory` and `swap` in .wslconfig, then run `wsl --shutdown` in PowerShell"
        ),
    };
    Warning::new(
        warnings::NO_SWAP,
        message!(
            "little memory and no swap: {} of it keep programs from being killed",
            size.binary()
        ),
        hint,
    )
}

/// The folders of aitk's own by what they are for, with the variable that puts each elsewhere.
const PLACES: [(&str, &str); 3] =
    [("data", "AITK_DATA_DIR"), ("cache", "AITK_CACHE_DIR"), ("state", "AITK_STATE_DIR")];

/// What does not work, or badly, on the disk that folders of aitk's are on. Programs are started from environments and
/// from the cache alone.
fn unfit(disk: &Disk) -> Option<Warning> {
    let unfit = disk.is_foreign() || disk.is_on_the_network();
    let counts = |what: &str| unfit || disk.noexec && what != "state";
    let places: Vec<_> =
        PLACES.into_iter().filter(|(what, _)| serves(disk, what) && counts(what)).collect();
    if places.is_empty() {
        return None;
    }
    let (mount, kind) = (disk.mount.display(), &disk.filesystem);
    let on_it = places.iter().map(|(what, _)| *what).collect::<Vec<_>>().join(", ");
    let variables = places.iter().map(|(_, variable)| *variable).collect::<Vec<_>>().join(", ");
    let message = match (disk.noexec, unfit) {
        (true, _) => message!("{mount} is {kind}, noexec, and starts no programs; on it: {on_it}"),
        (_, true) if disk.is_on_the_network() => {
            message!(
                "{mount} is on the network ({kind}), where many small files are slow; on it: {on_it}"
            )
        }
        _ => message!("{mount} is {kind}, without owners and links of Linux's; on it: {on_it}"),
    };
    let hint = message!("set {variables} to folders on a local Linux file system");
    Some(Warning::new(warnings::UNFIT_FOLDER, message, hint))
}
