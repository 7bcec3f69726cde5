//! Bare metal, virtual machine, container or WSL: the rules and names of `systemd-detect-virt(1)`,
//! but without the processor's CPUID instruction, which a recording cannot answer. The kernel's
//! flags and clocks tell the same.

use std::path::Path;

use aitk_system::{System, message};
use procfs_core::process::MountInfo;

use crate::line;
use crate::machine::{Virtualization, VirtualizationKind};
use crate::notes::{self, Notes};
use crate::probes::cpu::CpuInfo;
use crate::probes::mounts::Mounts;
use crate::tables::{Provider, Tables};

/// Where the firmware tells its maker. Everybody may read these; the serial numbers beside them are
/// root's.
const DMI: [&str; 6] = [
    "/sys/class/dmi/id/product_name",
    "/sys/class/dmi/id/sys_vendor",
    "/sys/class/dmi/id/board_vendor",
    "/sys/class/dmi/id/bios_vendor",
    "/sys/class/dmi/id/board_version",
    "/sys/class/dmi/id/product_version",
];

/// How what is written there begins, and which hypervisor that is.
const MAKERS: [(&str, &str); 18] = [
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("VMW", "vmware"),
    ("innotek GmbH", "oracle"),
    ("VirtualBox", "oracle"),
    ("Oracle Corporation", "oracle"),
    ("Xen", "xen"),
    ("Bochs", "bochs"),
    ("Parallels", "parallels"),
    ("BHYVE", "bhyve"),
    ("Hyper-V", "microsoft"),
    ("Apple Virtualization", "apple"),
    ("Google Compute Engine", "google"),
    ("Google", "google"),
];

/// Makers that are believed before the kernel: they build on another hypervisor, whose clock would
/// show.
const BUILDERS: [&str; 5] = ["oracle", "xen", "amazon", "parallels", "google"];

/// Clocks that the kernel offers only inside of a hypervisor. A machine without DMI (Firecracker)
/// has no other name to give.
const CLOCKS: [(&str, &str); 3] =
    [("kvm-clock", "kvm"), ("xen", "xen"), ("hyperv_clocksource", "microsoft")];

/// Where container managers leave their names, by `systemd-detect-virt(1)`.
const MANAGER_FILES: [&str; 2] = ["/run/host/container-manager", "/run/systemd/container"];

/// A file that only a control group has which is not the root of all.
const OWN_GROUP: &str = "/sys/fs/cgroup/cgroup.type";

/// What Kubernetes gives every container of a pod: a variable, and the account of the pod.
const POD_VARIABLE: &str = "KUBERNETES_SERVICE_HOST";
const POD_FOLDERS: [&str; 2] =
    ["/var/run/secrets/kubernetes.io/serviceaccount", "/run/secrets/kubernetes.io/serviceaccount"];

/// File systems that only a container has at its root.
const LAYERED: [&str; 4] = ["overlay", "fuse-overlayfs", "aufs", "zfs"];

/// What the machine runs in.
pub(crate) fn probe(
    system: &dyn System,
    tables: &Tables,
    kernel: Option<&str>,
    cpuinfo: &CpuInfo,
    mounts: &Mounts,
    notes: &mut Notes,
) -> Virtualization {
    use VirtualizationKind::{Container, Vm};

    let provider = provider(system, tables);
    if let Some(provider) = &provider {
        let path = format!("/sys/class/dmi/id/{}", provider.field);
        notes.source("virtualization.provider", path);
    }
    let provider = provider.map(|provider| provider.id.clone());
    let container_in = |name: Option<String>, mark: &str, notes: &mut Notes| {
        notes.source("virtualization", mark);
        // A container sees the kernel of what is around it.
        let host = wsl(system, kernel).map(|(kind, _)| kind);
        let host = host.or_else(|| is_vm(system, cpuinfo).then_some(Vm));
        Virtualization { kind: Container, name, host, provider: provider.clone() }
    };
    if let Some((name, mark)) = container(system, mounts, notes) {
        return container_in(Some(name), mark, notes);
    }
    if let Some((kind, sign)) = wsl(system, kernel) {
        notes.source("virtualization", sign);
        let name = Some("wsl".to_owned());
        return Virtualization { kind, name, ..Virtualization::default() };
    }
    // Only a group that is not the root of all has this file, and a process sees its own group as
    // the root only in a namespace.
    if system.exists(OWN_GROUP) {
        return container_in(None, OWN_GROUP, notes);
    }
    if own_group_mounted(mounts) {
        return container_in(None, "/proc/self/mountinfo", notes);
    }
    if !is_vm(system, cpuinfo) {
        notes.source_in_words(
            "virtualization",
            message!("no sign of a hypervisor, a container or WSL"),
        );
        return Virtualization { provider, ..Virtualization::default() };
    }
    let found = hypervisor(system, cpuinfo);
    notes.source("virtualization", found.as_ref().map_or("/proc/cpuinfo", |(_, source)| source));
    let name = found.map(|(name, _)| name.to_owned());
    Virtualization { kind: Vm, name, provider, host: None }
}

/// Who the machine is rented from. Amazon and others rent whole machines as well.
fn provider<'a>(system: &dyn System, tables: &'a Tables) -> Option<&'a Provider> {
    if !system.exists("/sys/class/dmi/id") {
        return None;
    }
    tables.providers().iter().find(|row| {
        line(system, format!("/sys/class/dmi/id/{}", row.field))
            .is_some_and(|text| text.starts_with(&row.starts))
    })
}

/// The container manager's name, where one has left a mark, and the mark.
fn container(
    system: &dyn System,
    mounts: &Mounts,
    notes: &mut Notes,
) -> Option<(String, &'static str)> {
    if system.exists("/proc/vz") && !system.exists("/proc/bc") {
        return Some(("openvz".to_owned(), "/proc/vz"));
    }
    let told = MANAGER_FILES.iter().find_map(|path| Some((line(system, path)?, *path)));
    // The first process's environment says it as well, but may hold secrets that a recording must not.
    let told = told.or_else(|| Some((system.env("container")?, "the variable container")));
    if let Some(told) = told.filter(|(name, _)| name != "wsl") {
        return Some(told);
    }
    if system.exists("/run/.containerenv") {
        return Some(("podman".to_owned(), "/run/.containerenv"));
    }
    if system.exists("/.dockerenv") {
        if layered_root(mounts) {
            return Some(("docker".to_owned(), "/.dockerenv"));
        }
        let message = message!(
            "the file /.dockerenv says that this is a container, but its root is a \
                       disk's own: taken for a machine made from a container's image"
        );
        notes.add(notes::DOCKERENV, message, None);
    }
    let mut folders = POD_FOLDERS.into_iter();
    let sign = match system.env(POD_VARIABLE) {
        Some(_) => Some("the variable KUBERNETES_SERVICE_HOST"),
        None => folders.find(|folder| system.exists(folder)),
    };
    // A tool for a cluster may hand its variables to any machine, but layers of images are a container's.
    let layers = mounts.of("/".as_ref()).is_some_and(|root| root.fs_type == "overlay");
    Some(("kubernetes".to_owned(), sign.filter(|_| layers)?))
}

/// Whether a hierarchy of control groups (version 1) is mounted from a group of its own: a machine mounts it from the root
/// of all.
fn own_group_mounted(mounts: &Mounts) -> bool {
    let place = Path::new("/sys/fs/cgroup");
    let own = |mount: &MountInfo| {
        mount.fs_type == "cgroup" && mount.root != "/" && mount.mount_point.starts_with(place)
    };
    mounts.0.iter().any(own)
}

/// Whether the root folder is a container's: layers, or a folder of a disk instead of all of it.
fn layered_root(mounts: &Mounts) -> bool {
    mounts
        .of("/".as_ref())
        .is_none_or(|root| LAYERED.contains(&root.fs_type.as_str()) || root.root != "/")
}

/// Which WSL. The kernels of WSL 1 end in `-Microsoft`, those of WSL 2 in
/// `-microsoft-standard-WSL2`; a kernel that the user has built may be called anything, and then
/// WSL's own files tell.
fn wsl(system: &dyn System, kernel: Option<&str>) -> Option<(VirtualizationKind, &'static str)> {
    use VirtualizationKind::{Wsl1, Wsl2};
    let kernel = kernel.unwrap_or_default();
    let release = "/proc/sys/kernel/osrelease";
    if kernel.ends_with("-Microsoft") {
        Some((Wsl1, release))
    } else if kernel.contains("microsoft") || kernel.contains("WSL") {
        Some((Wsl2, release))
    } else if system.exists("/run/WSL") {
        Some((Wsl2, "/run/WSL"))
    } else if system.exists("/dev/dxg") && system.exists("/usr/lib/wsl/lib") {
        Some((Wsl2, "/dev/dxg and /usr/lib/wsl/lib"))
    } else {
        None
    }
}

/// Whether there is a hypervisor below. x86 has a bit for that; elsewhere the firmware says it or
/// nobody does.
fn is_vm(system: &dyn System, cpuinfo: &CpuInfo) -> bool {
    let flags = cpuinfo.flags();
    let is_x86 = flags.contains("fpu") && cpuinfo.field("flags").is_some();
    let below = match is_x86 {
        true => flags.contains("hypervisor") || is_uml(cpuinfo) || system.exists("/proc/xen"),
        false => hypervisor(system, cpuinfo).is_some(),
    };
    below && !is_dom0(system) && !is_metal(system)
}

fn is_uml(cpuinfo: &CpuInfo) -> bool {
    cpuinfo.field("vendor_id") == Some("User Mode Linux")
}

/// Whether this is the system that manages Xen: it has the hardware. Bit 11 of Xen's features says
/// so.
fn is_dom0(system: &dyn System) -> bool {
    line(system, "/sys/hypervisor/properties/features")
        .and_then(|hex| u64::from_str_radix(&hex, 16).ok())
        .is_some_and(|features| features & (1 << 11) != 0)
}

/// Whether this is one of Amazon's instances that are whole machines.
fn is_metal(system: &dyn System) -> bool {
    line(system, "/sys/class/dmi/id/product_name").is_some_and(|name| name.ends_with(".metal"))
}

/// A hypervisor's name, and what told it.
type HypervisorHint = (&'static str, &'static str);

/// The hypervisor's name, in systemd's order of belief.
fn hypervisor(system: &dyn System, cpuinfo: &CpuInfo) -> Option<HypervisorHint> {
    let maker = maker(system);
    maker
        .filter(|(maker, _)| BUILDERS.contains(maker))
        .or_else(|| is_uml(cpuinfo).then_some(("uml", "/proc/cpuinfo")))
        .or_else(|| system.exists("/proc/xen").then_some(("xen", "/proc/xen")))
        // QEMU can pretend to be Microsoft's, so that is believed last.
        .or_else(|| clock(system).filter(|(name, _)| *name != "microsoft"))
        .or(maker)
        .or_else(|| {
            let path = "/sys/hypervisor/type";
            (line(system, path)? == "xen").then_some(("xen", path))
        })
        .or_else(|| clock(system))
        .or_else(|| device_tree(system))
}

fn maker(system: &dyn System) -> Option<HypervisorHint> {
    DMI.iter().find_map(|path| {
        let text = line(system, path)?;
        MAKERS.iter().find(|(start, _)| text.starts_with(start)).map(|(_, name)| (*name, *path))
    })
}

fn clock(system: &dyn System) -> Option<HypervisorHint> {
    let path = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    let clocks = line(system, path)?;
    let offered = |start: &str| clocks.split_whitespace().any(|clock| clock.starts_with(start));
    CLOCKS.iter().find(|(start, _)| offered(start)).map(|(_, name)| (*name, path))
}

/// What ARM's firmware says; a `fw-cfg` node is QEMU's own, and so is the case that it says to sit in.
fn device_tree(system: &dyn System) -> Option<HypervisorHint> {
    let case = "/sys/class/dmi/id/chassis_vendor";
    if line(system, case).is_some_and(|text| text.starts_with("QEMU")) {
        return Some(("qemu", case));
    }
    let path = "/proc/device-tree/hypervisor/compatible";
    match line(system, path) {
        Some(text) if text.contains("kvm") => Some(("kvm", path)),
        Some(text) if text.contains("xen") => Some(("xen", path)),
        Some(text) if text.contains("vmware") => Some(("vmware", path)),
        _ => {
            let folder = "/proc/device-tree";
            let nodes = system.list(folder.as_ref()).ok()?;
            nodes.iter().any(|node| node.starts_with("fw-cfg")).then_some(("qemu", folder))
        }
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    const VM_CPU: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu hypervisor\n";
    const METAL_CPU: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: fpu vmx\n";
    const ARM_CPU: &str = "processor\t: 0\nFeatures\t: fp asimd\n";
    const DISK: &str = "27 1 254:0 / / rw - ext4 /dev/vda1 rw\n";
    const LAYERS: &str = "27 1 0:50 / / rw - overlay overlay rw,lowerdir=/l\n";

    /// Kind, name and codes of the notes on a machine with these files.
    fn found(
        kernel: &str,
        cpu: &str,
        mounts: &str,
        files: &[(&str, &str)],
    ) -> (VirtualizationKind, Option<String>, Vec<String>) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            Real.write(&folder.path().join(path), text.as_bytes(), 0o644).unwrap();
        }
        let system = Replay::tree(folder.path());
        let mut notes = Notes::default();
        let cpu = CpuInfo::parse(cpu.as_bytes());
        let mounts = Mounts::parse(mounts);
        let found = probe(&system, &Tables::default(), Some(kernel), &cpu, &mounts, &mut notes);
        let codes = Vec::from(notes).into_iter().map(|note| note.code).collect();
        (found.kind, found.name, codes)
    }

    fn is(
        kind: VirtualizationKind,
        name: Option<&str>,
    ) -> (VirtualizationKind, Option<String>, Vec<String>) {
        (kind, name.map(str::to_owned), Vec::new())
    }

    const CLOCK: &str = "sys/devices/system/clocksource/clocksource0/available_clocksource";
    const PRODUCT: &str = "sys/class/dmi/id/product_name";
    const VENDOR: &str = "sys/class/dmi/id/sys_vendor";

    #[test]
    fn bare_metal_has_no_hypervisor_flag_whoever_made_it() {
        let server = [(VENDOR, "Oracle Corporation\n"), (PRODUCT, "ORACLE SERVER X8-2\n")];
        let metal = is(VirtualizationKind::BareMetal, None);
        assert_eq!(found("6.8.0-90-generic", METAL_CPU, DISK, &server), metal);
        let amazon = [(VENDOR, "Amazon EC2\n"), (PRODUCT, "c7g.metal\n")];
        assert_eq!(found("6.12.0-aws", ARM_CPU, DISK, &amazon), metal);
        let dom0 = [("sys/hypervisor/properties/features", "00002705\n".replace("2705", "2f05"))];
        let dom0 = dom0.each_ref().map(|(path, text)| (*path, text.as_str()));
        assert_eq!(found("6.12.0", VM_CPU, DISK, &dom0), metal);
    }

    #[test]
    fn builders_come_before_the_clock_and_the_clock_before_other_makers() {
        use VirtualizationKind::Vm;
        let clock = (CLOCK, "tsc kvm-clock acpi_pm \n");
        let kernel = "6.12.0-amd64";
        let google = [(VENDOR, "Google\n"), (PRODUCT, "Google Compute Engine\n"), clock];
        assert_eq!(found(kernel, VM_CPU, DISK, &google), is(Vm, Some("google")));
        let qemu = [(VENDOR, "QEMU\n"), clock];
        assert_eq!(found(kernel, VM_CPU, DISK, &qemu), is(Vm, Some("kvm")));
        assert_eq!(found(kernel, VM_CPU, DISK, &qemu[..1]), is(Vm, Some("qemu")));
        let hyperv = [(CLOCK, "hyperv_clocksource_tsc_page acpi_pm\n"), (PRODUCT, "KVM\n")];
        assert_eq!(found(kernel, VM_CPU, DISK, &hyperv), is(Vm, Some("kvm")));
        assert_eq!(found(kernel, VM_CPU, DISK, &hyperv[..1]), is(Vm, Some("microsoft")));
        // Firecracker: no DMI, no EFI, no device tree.
        assert_eq!(found(kernel, VM_CPU, DISK, &[clock]), is(Vm, Some("kvm")));
        assert_eq!(found(kernel, VM_CPU, DISK, &[]), is(Vm, None));
    }

    #[test]
    fn arm_has_firmware_or_a_device_tree_to_ask() {
        use VirtualizationKind::{BareMetal, Vm};
        let kvm = [("proc/device-tree/hypervisor/compatible", "linux,kvm\0")];
        assert_eq!(found("6.12.0", ARM_CPU, DISK, &kvm), is(Vm, Some("kvm")));
        let qemu = [("proc/device-tree/fw-cfg@9020000/compatible", "qemu,fw-cfg-mmio\0")];
        assert_eq!(found("6.12.0", ARM_CPU, DISK, &qemu), is(Vm, Some("qemu")));
        assert_eq!(found("6.12.0", ARM_CPU, DISK, &[]), is(BareMetal, None));
    }

    #[test]
    fn wsl_is_told_by_its_kernel_or_by_its_files() {
        use VirtualizationKind::{Wsl1, Wsl2};
        let kernel = "6.6.87.2-microsoft-standard-WSL2";
        assert_eq!(found(kernel, VM_CPU, DISK, &[]), is(Wsl2, Some("wsl")));
        assert_eq!(found("4.4.0-19041-Microsoft", METAL_CPU, DISK, &[]), is(Wsl1, Some("wsl")));
        let own = [("dev/dxg", ""), ("usr/lib/wsl/lib/libcuda.so.1", "")];
        assert_eq!(found("6.18.0-mine", VM_CPU, DISK, &own), is(Wsl2, Some("wsl")));
        let marked = [("run/systemd/container", "wsl\n")];
        assert_eq!(found(kernel, VM_CPU, DISK, &marked), is(Wsl2, Some("wsl")));
    }

    #[test]
    fn a_container_counts_before_what_it_runs_in() {
        use VirtualizationKind::Container;
        let wsl = "6.6.87.2-microsoft-standard-WSL2";
        let docker = [("/.dockerenv".trim_start_matches('/'), "")];
        assert_eq!(found(wsl, VM_CPU, LAYERS, &docker), is(Container, Some("docker")));
        let podman = [("run/.containerenv", "")];
        assert_eq!(found("6.12.0", METAL_CPU, LAYERS, &podman), is(Container, Some("podman")));
        let lxc = [("run/systemd/container", "lxc\n")];
        assert_eq!(found("6.12.0", METAL_CPU, DISK, &lxc), is(Container, Some("lxc")));
        let group = [("sys/fs/cgroup/cgroup.type", "domain\n")];
        assert_eq!(found("6.12.0", METAL_CPU, LAYERS, &group), is(Container, None));
        let openvz = [("proc/vz/version", "")];
        assert_eq!(found("4.18.0", METAL_CPU, DISK, &openvz), is(Container, Some("openvz")));
    }

    #[test]
    fn a_container_without_a_mark_is_told_by_its_pod_or_its_group() {
        use VirtualizationKind::{BareMetal, Container};
        let groups = |root: &str| {
            format!(
                "{LAYERS}28 27 0:28 {root} /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
            )
        };
        assert_eq!(found("6.1.0", METAL_CPU, &groups("/kubepods/a"), &[]), is(Container, None));
        // A live medium has layers at its root as well.
        assert_eq!(found("6.1.0", METAL_CPU, &groups("/"), &[]), is(BareMetal, None));
        let pod = [(&POD_FOLDERS[1][1..], "")];
        assert_eq!(found("6.1.0", METAL_CPU, LAYERS, &pod), is(Container, Some("kubernetes")));
        assert_eq!(found("6.1.0", METAL_CPU, DISK, &pod), is(BareMetal, None));
    }

    #[test]
    fn a_machine_made_from_a_containers_image_is_no_container() {
        let (kind, _, codes) = found("6.12.0", VM_CPU, DISK, &[(".dockerenv", "")]);
        assert_eq!((kind, codes), (VirtualizationKind::Vm, vec![notes::DOCKERENV.to_owned()]));
    }
}
