//! The processor, from `/proc/cpuinfo` (`proc_cpuinfo(5)`).

use std::collections::BTreeSet;
use std::path::PathBuf;

use aitk_system::{System, message};
use procfs_core::FromBufRead;

use crate::line;
use crate::machine::Cpu;
use crate::notes::{self, Notes};
use crate::probes::cgroups;
use crate::probes::mounts::Mounts;

/// Levels of x86-64 and the flags that each adds to the one below: the x86-64 psABI, with the
/// kernel's names (`abm` is LZCNT, `pni` is SSE3).
const X86_64: [(&str, &[&str]); 4] = [
    ("x86-64-v1", &[]),
    ("x86-64-v2", &["cx16", "lahf_lm", "pni", "popcnt", "sse4_1", "sse4_2", "ssse3"]),
    ("x86-64-v3", &["abm", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "movbe", "xsave"]),
    ("x86-64-v4", &["avx512bw", "avx512cd", "avx512dq", "avx512f", "avx512vl"]),
];

/// Levels of 64-bit ARM and a few features that each makes mandatory: the kernel's `elf_hwcaps`
/// document.
const ARM64: [(&str, &[&str]); 6] = [
    ("armv8-a", &[]),
    ("armv8.1-a", &["asimdrdm", "atomics", "crc32"]),
    ("armv8.2-a", &["dcpop"]),
    ("armv8.3-a", &["fcma", "jscvt", "lrcpc"]),
    ("armv8.4-a", &["dit", "flagm", "uscat"]),
    ("armv9-a", &["sve2"]),
];

/// What the kernel says about the processor.
pub(crate) struct CpuInfo(Option<procfs_core::CpuInfo>);

impl CpuInfo {
    pub(crate) fn read(system: &dyn System, notes: &mut Notes) -> Self {
        let info = match system.read("/proc/cpuinfo".as_ref()) {
            Ok(bytes) => Self::parse(&bytes),
            Err(_) => Self(None),
        };
        if info.0.is_none() {
            notes.add(notes::CPU, message!("the processor's description cannot be read"), None);
        }
        info
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let info = procfs_core::CpuInfo::from_buf_read(bytes).ok();
        Self(info.filter(|info| info.get_field(0, "processor").is_some()))
    }

    /// A field of the first thread.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.0.as_ref()?.get_field(0, name)
    }

    /// The flags of the first thread: `flags` on x86, `Features` on ARM.
    pub(crate) fn flags(&self) -> BTreeSet<&str> {
        let flags = self.field("flags").or_else(|| self.field("Features"));
        flags.unwrap_or_default().split_whitespace().collect()
    }

    /// Physical cores: threads on the same core share its number. ARM's are not numbered and have
    /// one each.
    fn cores(&self) -> Option<u32> {
        let info = self.0.as_ref()?;
        let place = |thread| Some((info.physical_id(thread)?, info.get_field(thread, "core id")?));
        let places: Option<BTreeSet<_>> = (0..info.num_cores()).map(place).collect();
        u32::try_from(places.map_or(info.num_cores(), |places| places.len())).ok()
    }
}

pub(crate) fn probe(
    system: &dyn System,
    arch: &str,
    info: &CpuInfo,
    mounts: &Mounts,
    notes: &mut Notes,
) -> Cpu {
    let quota = quota(system, mounts);
    notes.source("cpu", "/proc/cpuinfo");
    notes.source("cpu.threads", "/proc/self/status");
    if let Some((_, path)) = &quota {
        notes.source("cpu.quota", path.display());
    }
    let threads = crate::text(system, "/proc/self/status").ok().and_then(|text| allowed(&text));
    if threads.is_none() {
        let message =
            message!("it is not known how many threads of the processor this program may use");
        notes.add(notes::THREADS, message, None);
    }
    let flags = info.flags();
    Cpu {
        model: info.field("model name").map(str::to_owned),
        cores: info.cores(),
        threads,
        quota: quota.map(|(processors, _)| processors),
        level: level(arch, &flags).map(str::to_owned),
        features: flags.into_iter().map(str::to_owned).collect(),
    }
}

/// The least share of time that the process's control groups and all above them leave, in processors, and the file that
/// sets it: `cpu.max` holds time and period (`max 100000` without a limit), version 1 has a file for each (-1 without one).
fn quota(system: &dyn System, mounts: &Mounts) -> Option<(f64, PathBuf)> {
    let number = |path: PathBuf| line(system, path)?.parse::<f64>().ok();
    let shares = cgroups::groups(system, mounts, "cpu").into_iter().flat_map(|groups| {
        let share = |folder: &PathBuf| {
            let (time, period, path) = if groups.unified {
                let path = folder.join("cpu.max");
                let text = line(system, &path)?;
                let (time, period) = text.split_once(' ')?;
                (time.parse().ok()?, period.parse().ok()?, path)
            } else {
                let path = folder.join("cpu.cfs_quota_us");
                (number(path.clone())?, number(folder.join("cpu.cfs_period_us"))?, path)
            };
            (time > 0.0 && period > 0.0).then(|| (time / period, path))
        };
        groups.folders.iter().filter_map(share).collect::<Vec<_>>()
    });
    shares.min_by(|one, other| one.0.total_cmp(&other.0))
}

/// How many threads of the processor a process may use, from its `/proc/PID/status`
/// (`proc_pid_status(5)`).
fn allowed(status: &str) -> Option<u32> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    list.trim()
        .split(',')
        .map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
            last.checked_sub(first)?.checked_add(1)
        })
        .try_fold(0, |sum: u32, count| sum.checked_add(count?))
}

/// The highest level of which the processor has every feature, and those of all levels below.
fn level(arch: &str, flags: &BTreeSet<&str>) -> Option<&'static str> {
    let levels: &[(_, &[&str])] = match arch {
        "x86_64" => &X86_64,
        "aarch64" => &ARM64,
        _ => return None,
    };
    let has_all = |(_, needed): &&(_, &[&str])| needed.iter().all(|flag| flags.contains(flag));
    // Without any flags nothing was read, and even the lowest level would be a guess.
    let reached = levels.iter().take_while(has_all).last().filter(|_| !flags.is_empty());
    reached.map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn threads_are_counted_over_ranges() {
        let status = |list| format!("Name:\taitk\nCpus_allowed:\tff\nCpus_allowed_list:\t{list}\n");
        assert_eq!(allowed(&status("0-7")), Some(8));
        assert_eq!(allowed(&status("0,2-3,9")), Some(4));
        assert_eq!(allowed(&status("3-1")), None);
        assert_eq!(allowed(&status("0-4294967295")), None);
        assert_eq!(allowed("Name:\taitk\n"), None);
    }

    #[test]
    fn a_level_needs_every_level_below() {
        let of = |arch, flags: &str| level(arch, &flags.split_whitespace().collect());
        let v2 = "fpu sse2 cx16 lahf_lm pni popcnt sse4_1 sse4_2 ssse3";
        let v3 = format!("{v2} abm avx avx2 bmi1 bmi2 f16c fma movbe xsave");
        assert_eq!(of("x86_64", "fpu sse2 cx16 pni"), Some("x86-64-v1"));
        assert_eq!(of("x86_64", v2), Some("x86-64-v2"));
        assert_eq!(of("x86_64", &v3), Some("x86-64-v3"));
        assert_eq!(of("x86_64", &v3.replace("popcnt ", "")), Some("x86-64-v1"));
        assert_eq!(of("aarch64", "fp asimd atomics asimdrdm crc32"), Some("armv8.1-a"));
        assert_eq!(of("riscv64", "anything"), None);
        assert_eq!(of("x86_64", ""), None);
    }

    #[test]
    fn threads_of_one_core_count_once() {
        let thread = |number, core| {
            format!(
                "processor\t: {number}\nphysical id\t: 0\ncore id\t\t: {core}\nflags\t\t: fpu\n\n"
            )
        };
        let text: String = [(0, 0), (1, 4), (2, 0), (3, 4)].map(|(n, c)| thread(n, c)).concat();
        assert_eq!(CpuInfo::parse(text.as_bytes()).cores(), Some(2));
        let arm = b"processor\t: 0\nFeatures\t: fp asimd\n\nprocessor\t: 1\nFeatures\t: fp asimd\n";
        let arm = CpuInfo::parse(arm);
        assert_eq!(arm.cores(), Some(2));
        assert!(arm.flags().contains("asimd"));
        assert_eq!(CpuInfo::parse(b"").cores(), None);
        assert_eq!(CpuInfo::parse(b"\n\n:\n").cores(), None);
    }

    #[test]
    fn the_least_share_of_time_up_the_tree_counts() {
        let share = |mounts: &str, files: &[(&str, &str)]| {
            let folder = tempfile::tempdir().unwrap();
            for (path, text) in files {
                Real.write(&folder.path().join(path), text.as_bytes(), 0o644).unwrap();
            }
            quota(&Replay::tree(folder.path()), &Mounts::parse(mounts)).map(|(share, _)| share)
        };
        let v2 = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        let group = ("proc/self/cgroup", "0::/a/b\n");
        let max = |limit| ("sys/fs/cgroup/a/b/cpu.max", limit);
        assert_eq!(share(v2, &[group, max("max 100000\n")]), None);
        assert_eq!(share(v2, &[group, max("nonsense"), ("sys/fs/cgroup/a/cpu.max", "0 0")]), None);
        let outer = ("sys/fs/cgroup/a/cpu.max", "150000 100000\n");
        assert_eq!(share(v2, &[group, max("200000 100000\n"), outer]), Some(1.5));
        let v1 = "35 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n";
        let group = ("proc/self/cgroup", "3:cpu,cpuacct:/docker/ab\n");
        let time = |text| ("sys/fs/cgroup/cpu/docker/ab/cpu.cfs_quota_us", text);
        let period = ("sys/fs/cgroup/cpu/docker/ab/cpu.cfs_period_us", "100000\n");
        assert_eq!(share(v1, &[group, time("50000\n"), period]), Some(0.5));
        assert_eq!(share(v1, &[group, time("-1\n"), period]), None);
    }
}
