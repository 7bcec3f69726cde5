//! `aitk advise --model`: on what of this machine a language model runs.

use std::collections::BTreeMap;

use aitk_detect::{Gpu, Machine};
use aitk_plan::{Bytes, Weights};
use aitk_system::{Message, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::output::{CARE, GOOD, Page, styled};
use crate::words::said;

/// What a language model takes, and what there is for it.
#[derive(Serialize, JsonSchema)]
pub struct Model {
    /// Its parameters, in billions.
    billions: f64,
    /// What it takes while it runs.
    needs: Vec<MemoryNeed>,
    /// What there is to run it on.
    devices: Vec<Device>,
    /// GPUs that cannot be used as they stand.
    idle: Vec<String>,
    source: String,
    as_of: String,
}

#[derive(Serialize, JsonSchema)]
struct MemoryNeed {
    /// With weights of so many bits,
    bits: u8,
    /// so many bytes.
    bytes: u64,
}

/// What computes, and has memory for a model.
#[derive(Serialize, JsonSchema)]
struct Device {
    /// `gpu`, `gpus` (several that hold it together), `cpu`.
    kind: &'static str,
    /// What it is called; of several, how many they are.
    name: String,
    /// Its memory, in bytes.
    memory: u64,
    /// The bits of the weights with which the model fits, the fewest first.
    bits: Vec<u8>,
}

impl Model {
    /// A model of so many billions of parameters on a machine.
    pub fn on(machine: &Machine, weights: &Weights, billions: f64) -> Self {
        let needs = weights.needs(billions);
        let device = |kind, name: &str, memory: u64, free: u64| {
            let fits = needs.iter().filter(|(_, bytes)| *bytes <= free);
            let bits = fits.map(|(bits, _)| *bits).collect();
            Device { kind, name: name.to_owned(), memory, bits }
        };
        let together = |cards: Vec<&Gpu>| {
            let memory = cards.iter().filter_map(|gpu| gpu.vram).sum();
            let runtimes = (weights.runtime * 1e9) as u64 * (cards.len() as u64 - 1);
            device("gpus", &cards.len().to_string(), memory, memory.saturating_sub(runtimes))
        };
        let usable = machine.gpus.iter().filter(|gpu| gpu.usable);
        let cards = usable.filter_map(|gpu| {
            let name = gpu.name.as_deref().unwrap_or(gpu.vendor.as_str());
            let (memory, free) = memory_for_models(machine, gpu)?;
            Some(device("gpu", name, memory, free))
        });
        let mut devices: Vec<_> = cards.collect();
        devices.extend(whole(machine).into_iter().map(together));
        devices.extend(machine.memory.usable().map(|memory| {
            let name = machine.cpu.model.as_deref().unwrap_or_default();
            device("cpu", name, memory, beside_the_system(memory))
        }));
        let needs = needs.into_iter().map(|(bits, bytes)| MemoryNeed { bits, bytes }).collect();
        let (source, as_of) = (weights.source.clone(), weights.as_of.clone());
        let idle = machine.gpus.iter().filter(|gpu| !gpu.usable);
        let mut idle: Vec<_> =
            idle.map(|gpu| gpu.name.clone().unwrap_or_else(|| gpu.vendor.to_string())).collect();
        idle.dedup();
        Self { billions, needs, devices, idle, source, as_of }
    }

    /// The same for people.
    pub fn page(&self) -> String {
        let mut page = Page::new();
        let takes =
            self.needs.iter().map(|need| message!("{} in {} bits", Bytes(need.bytes), need.bits));
        let takes = Message::commas(takes);
        page.wrapped(
            message!("A model of {} billion parameters takes {takes}.", self.billions),
            "",
            "",
        );
        for device in &self.devices {
            page.wrapped(describe(device), "  • ", "    ");
        }
        for name in &self.idle {
            let why = message!("cannot be used as it stands; `aitk doctor` says why");
            let sign = styled(CARE, "✗");
            let text = said(Message::about(message!("GPU {name}"), why));
            page.wrapped(format!("{sign} {text}"), "  • ", "    ");
        }
        let on_gpu = self.devices.iter().any(|one| one.kind != "cpu" && !one.bits.is_empty());
        if !on_gpu && self.idle.is_empty() {
            let least = self.needs.first().map_or(0, |need| need.bytes.div_ceil(1_000_000_000));
            let command = format!("aitk advise --compare --vram {least}");
            page.wrapped(message!("What can be rented for it: {command}"), "  ", "  ");
        }
        if self.devices.iter().any(|one| !one.bits.is_empty()) {
            let command = "aitk plan --budget low --with llm";
            page.wrapped(message!("What it is used with: {command}"), "  ", "  ");
        }
        page.dim(message!("computed, with what a runtime takes: {}", self.as_of), "  ");
        page.text
    }
}

/// The memory that a graphics processor computes in, and how much of it a model can have, in bytes. One without a memory of
/// its own, a Jetson's, shares the machine's.
pub fn memory_for_models(machine: &Machine, gpu: &Gpu) -> Option<(u64, u64)> {
    match gpu.parts.iter().max().copied().or(gpu.vram) {
        Some(memory) => Some((memory, memory)),
        None => machine.memory.usable().map(|all| (all, beside_the_system(all))),
    }
}

/// What the system and what else runs there leave of the machine's memory.
fn beside_the_system(memory: u64) -> u64 {
    memory / 4 * 3
}

/// The GPUs of each maker that can hold a model together: whole ones with a memory of their own, where there are several.
/// What stands for the memory of a processor's graphics is the machine's own.
fn whole(machine: &Machine) -> Vec<Vec<&Gpu>> {
    let mut makers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let is_whole = |gpu: &&Gpu| {
        let own = gpu.vram.is_some() && gpu.integrated != Some(true);
        gpu.usable && gpu.parts.is_empty() && own
    };
    for gpu in machine.gpus.iter().filter(is_whole) {
        makers.entry(gpu.vendor.as_str()).or_default().push(gpu);
    }
    makers.into_values().filter(|cards| cards.len() > 1).collect()
}

/// What a device means for the model.
fn describe(device: &Device) -> String {
    let name = match device.kind {
        "gpu" => message!("GPU {}, {}", device.name, Bytes(device.memory).binary()),
        "gpus" => {
            message!("{} GPUs together, {}", device.name, Bytes(device.memory).binary())
        }
        _ => message!("the processor, {} of memory", Bytes(device.memory).binary()),
    };
    let bits: Vec<_> = device.bits.iter().map(|bits| message!("in {bits} bits")).collect();
    let verdict = match (bits.is_empty(), device.kind) {
        (true, _) => message!("too little"),
        (false, "gpu") => message!("fits {}", Message::commas(bits)),
        (false, "gpus") => {
            message!("fits {}, where the runtime spreads it over them", Message::commas(bits))
        }
        (false, _) => {
            message!("fits {}; processors are slow at it", Message::commas(bits))
        }
    };
    let sign = if device.bits.is_empty() { styled(CARE, "✗") } else { styled(GOOD, "✓") };
    format!("{sign} {}", said(Message::about(name, verdict)))
}
