//! Every machine in `tests/machines` has the findings that its `findings.json` names, and no other; without such a
//! file it has none. A new machine is a new folder.
#![allow(clippy::unwrap_used, reason = "tests")]

mod hostile;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use aitk_detect::{
    Finding, Gpu, OwnEnvironment, OwnFault, OwnKind, Sudo, Tables, VirtualizationKind, detect,
    examine, looked_at,
};
use aitk_system::{Command, Message, Real, Replay, System};
use hostile::Hostile;
use proptest::prelude::*;

const MACHINES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/machines");

/// What is found on every machine of the gallery.
fn gallery() -> BTreeMap<String, Vec<Finding>> {
    let machines = Path::new(MACHINES);
    let names = Real.list(machines).unwrap();
    // The folder of machines holds a README as well.
    let names = names
        .into_iter()
        .filter(|name| Real.stat(&machines.join(name).join("answers.json")).is_ok());
    names
        .map(|name| {
            let system = Replay::open(&machines.join(&name)).expect("answers.json can be read");
            let tables = Tables::default();
            let found = examine(&system, &detect(&system, &tables).machine, &tables, None, None);
            (name, found)
        })
        .collect()
}

#[test]
fn every_machine_has_the_findings_that_are_expected() {
    let mut differences = Vec::new();
    let gallery = gallery();
    assert!(gallery.len() >= 40, "only {} machines in {MACHINES}", gallery.len());
    for (name, found) in &gallery {
        let codes: Vec<_> = found.iter().map(|finding| finding.code.clone()).collect();
        let expected = Real.read(&Path::new(MACHINES).join(name).join("findings.json"));
        let expected: Vec<String> = expected.map_or_else(
            |_| Vec::new(),
            |json| serde_json::from_slice(&json).expect("findings.json is a list of codes"),
        );
        if codes != expected {
            let why: Vec<_> =
                found.iter().map(|one| format!("{} {:?}", one.code, one.evidence)).collect();
            differences
                .push(format!("{name}: found {}\n  expected {expected:?}", why.join("\n  ")));
        }
    }
    assert!(differences.is_empty(), "\n{}\n", differences.join("\n"));
}

#[test]
fn every_finding_has_a_machine_that_triggers_it_and_one_that_does_not() {
    let gallery = gallery();
    let mut triggered: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in gallery.values().flatten() {
        *triggered.entry(&finding.code).or_default() += 1;
    }
    let all: BTreeSet<_> = (1..=looked_at()).map(|number| format!("AITK-H{number:02}")).collect();
    let missing: Vec<_> = all
        .iter()
        .filter(|code| !triggered.contains_key(code.as_str()))
        // Whose folders and which places for temporary files there are, only a real machine shows.
        .filter(|code| {
            let others = ["AITK-H40", "AITK-H41", "AITK-H57"];
            // A machine has no project.
            let projects = ["AITK-H60", "AITK-H61", "AITK-H62"];
            !projects.contains(&code.as_str())
                && !IN_PART.contains(&code.as_str())
                && !others.contains(&code.as_str())
        })
        .collect();
    assert!(missing.is_empty(), "no machine triggers {missing:?}");
    let always: Vec<_> = triggered.iter().filter(|(_, count)| **count == gallery.len()).collect();
    assert!(always.is_empty(), "every machine triggers {always:?}");
}

/// What an environment that is there only in part has.
const IN_PART: [&str; 6] = ["AITK-H36", "AITK-H37", "AITK-H38", "AITK-H39", "AITK-H42", "AITK-H43"];

#[test]
fn an_environment_that_is_there_in_part_is_seen() {
    let root = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        Real.write(&root.path().join(path), text.as_bytes(), 0o755).unwrap();
    };
    let site = "env/lib/python3.12/site-packages";
    put("etc/hosts", "::1 localhost\n");
    put("proc/self/limits", "Max open files            64        64        files\n");
    put("env/pyvenv.cfg", "home = /gone/bin\ninclude-system-site-packages = true\n");
    put("env/bin/jupyter", "#!/elsewhere/env/bin/python\n");
    put(&format!("{site}/numpy-1.0.dist-info/RECORD"), "numpy/__init__.py,,\n");
    put(&format!("{site}/numpy-2.0.dist-info/METADATA"), "");
    put(&format!("{site}/~umpy/x.py"), "");
    let (system, tables) = (Replay::tree(root.path()), Tables::default());
    let machine = detect(&system, &tables).machine;
    let found = examine(&system, &machine, &tables, Some(Path::new("/env")), None);
    let codes: Vec<_> = found.iter().map(|finding| finding.code.as_str()).collect();
    for code in IN_PART {
        assert!(codes.contains(&code), "{code} is not among {codes:?}");
    }
    assert!(found.iter().all(|finding| finding.aitk.is_none()), "it is somebody else's");
}

/// An environment with PyTorch for CUDA, on a machine without such a device, and what is found.
fn of_own(own: Option<&OwnEnvironment>) -> Vec<Finding> {
    let root = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        Real.write(&root.path().join(path), text.as_bytes(), 0o755).unwrap();
    };
    put("env/pyvenv.cfg", "home = /usr/bin\n");
    put("env/bin/python", "");
    let torch = "__version__ = '2.15.0+cu132'\ncuda: Optional[str] = '13.2'\n";
    put("env/lib/python3.9/site-packages/torch/version.py", torch);
    put("env/lib/python3.9/site-packages/torch-2.15.0.dist-info/RECORD", "torch/gone.py,,\n");
    let (system, tables) = (Replay::tree(root.path()), Tables::default());
    let machine = detect(&system, &tables).machine;
    examine(&system, &machine, &tables, Some(Path::new("/env")), own)
}

/// What is found of a PyTorch on a machine with these devices: maker, AMD's target, and whether it is part of the processor.
fn of_torch(version: &str, gpus: &[(&str, Option<&str>, bool)]) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    Real.write(&root.path().join("env/pyvenv.cfg"), b"", 0o644).unwrap();
    let site = root.path().join("env/lib/python3.12/site-packages");
    Real.write(&site.join("torch/version.py"), version.as_bytes(), 0o644).unwrap();
    let (system, tables) = (Replay::tree(root.path()), Tables::default());
    let mut machine = detect(&system, &tables).machine;
    let gpu = |&(vendor, gfx, integrated): &(&str, Option<&str>, bool)| Gpu {
        vendor: vendor.to_owned(),
        gfx: gfx.map(str::to_owned),
        integrated: Some(integrated),
        usable: true,
        ..Gpu::default()
    };
    machine.gpus = gpus.iter().map(gpu).collect();
    let found = examine(&system, &machine, &tables, Some(Path::new("/env")), None);
    found.into_iter().map(|finding| finding.code).collect()
}

#[test]
fn a_build_for_another_makers_devices_is_seen() {
    let cuda = "__version__ = '2.15.0+cu132'\ncuda = '13.2'\n";
    let rocm = "__version__ = '2.13.0+rocm7.2'\ncuda = None\nhip = '7.2.1'\n";
    let xpu = "__version__ = '2.13.0+xpu'\ncuda = None\nxpu = '20250300'\n";
    let (nvidia, amd) = (("nvidia", None, false), ("amd", Some("gfx1100"), false));
    for (version, gpus, wrong) in [
        (cuda, vec![nvidia], false),
        (cuda, vec![amd], true),
        (rocm, vec![amd], false),
        (rocm, vec![nvidia], true),
        (rocm, vec![nvidia, amd], false),
        (xpu, vec![nvidia], true),
        (xpu, vec![amd], true),
        (xpu, vec![("intel", None, false)], false),
        (xpu, vec![nvidia, ("intel", None, false)], false),
    ] {
        let found = of_torch(version, &gpus);
        assert_eq!(found.contains(&"AITK-H01".to_owned()), wrong, "{version} {gpus:?}: {found:?}");
    }
}

#[test]
fn wheels_without_code_for_a_processors_own_graphics_are_seen() {
    let rocm = "__version__ = '2.13.0+rocm7.2'\ncuda = None\nhip = '7.2.1'\n";
    let (own, served) = (("amd", Some("gfx1103"), true), ("amd", Some("gfx1151"), true));
    for (gpus, wrong) in [
        (vec![own], true),
        (vec![served], false),
        (vec![own, ("amd", Some("gfx1100"), false)], false),
    ] {
        let found = of_torch(rocm, &gpus);
        assert_eq!(found.contains(&"AITK-H03".to_owned()), wrong, "{gpus:?}: {found:?}");
    }
}

#[test]
fn apply_is_said_to_mend_its_own_environment_only_where_it_would() {
    let fault = |kind, seen: &str, remedy: &str, by_aitk| OwnFault {
        kind,
        seen: Message::plain(seen),
        remedy: Message::plain(remedy),
        by_aitk,
    };
    let by_aitk = |own: Option<&OwnEnvironment>, code: &str| {
        let found = of_own(own).into_iter().find(|finding| finding.code == code);
        found.unwrap_or_else(|| panic!("{code} is not found")).aitk
    };
    let (up_to_date, flag) = (OwnEnvironment::default(), " --env work".to_owned());
    let outdated = OwnEnvironment { outdated: true, flag, ..OwnEnvironment::default() };
    assert_eq!(by_aitk(None, "AITK-H17"), None, "it is somebody else's");
    assert_eq!(by_aitk(Some(&outdated), "AITK-H17").unwrap(), "aitk apply --env work");
    let other = "aitk apply --env work --manager conda --python 3.12";
    assert_eq!(by_aitk(Some(&outdated), "AITK-H20").unwrap(), other);
    // Which files there are to be it knows better than who looks from outside, and why it has taken this build.
    let codes = |own| of_own(own).into_iter().map(|one| one.code).collect::<Vec<_>>();
    assert!(!codes(Some(&up_to_date)).contains(&"AITK-H17".to_owned()));
    assert!(codes(None).contains(&"AITK-H38".to_owned()));
    assert!(!codes(Some(&up_to_date)).contains(&"AITK-H38".to_owned()));
    let faults = vec![
        fault(OwnKind::Python, "no python", "aitk apply", true),
        fault(OwnKind::Other, "a file is changed", "aitk apply --deep", true),
        fault(OwnKind::Other, "a file is gone", "aitk apply", true),
        fault(OwnKind::Other, "it is root's", "sudo chown", false),
    ];
    let found = of_own(Some(&OwnEnvironment { faults, ..OwnEnvironment::default() }));
    let finding = |code: &str| found.iter().find(|finding| finding.code == code).unwrap();
    assert_eq!(finding("AITK-H36").evidence, ["no python"]);
    let rest = finding("AITK-H57");
    assert_eq!((rest.evidence.len(), rest.aitk.as_deref()), (3, Some("aitk apply --deep")));
    assert_eq!(rest.remedy, ["sudo chown"]);
}

#[test]
fn a_finding_says_what_was_seen_and_what_to_do_and_shows_no_placeholder() {
    for (name, found) in gallery() {
        for finding in found {
            assert!(finding.evidence.iter().all(|line| *line != ""), "{name}: {finding:?}");
            let words = Message::lines(finding.remedy.clone()).to_string();
            assert!(!words.contains("{kernel}") && !words.contains("{env}"), "{name}: {words}");
        }
    }
}

/// Every finding of every machine: what is to be typed there can be typed there.
#[test]
fn a_remedy_fits_the_machine() {
    let tables = Tables::default();
    let mut looked = 0;
    for name in gallery().into_keys() {
        let system = Replay::open(&Path::new(MACHINES).join(&name)).unwrap();
        let machine = detect(&system, &tables).machine;
        let contained = machine.virtualization.kind == VirtualizationKind::Container;
        for finding in examine(&system, &machine, &tables, None, None) {
            let typed = finding.remedy.iter().map(ToString::to_string);
            let typed: Vec<_> = typed.filter(|line| !line.starts_with('#')).collect();
            let has = |word: &str| typed.iter().any(|line| line.contains(word));
            let code = &finding.code;
            if !machine.tools.contains_key("apt-get") {
                for word in ["apt-get", "dpkg", "ubuntu-drivers", "update-initramfs"] {
                    assert!(!has(word), "{name}: {code} says {word} where there is no apt");
                }
            }
            if contained {
                for word in ["reboot", "modprobe", "mkswap", "ubuntu-drivers"] {
                    assert!(!has(word), "{name}: {code} says {word} in a container");
                }
            }
            if machine.privilege.root {
                assert!(!has("sudo "), "{name}: {code} says sudo to root");
            } else if machine.privilege.sudo == Sudo::No && has("sudo ") {
                let first = finding.remedy.first().map(ToString::to_string).unwrap_or_default();
                assert!(first.contains("administrator"), "{name}: {code} says sudo: {first}");
            }
            if machine.virtualization.kind == VirtualizationKind::BareMetal {
                let all = Message::lines(finding.remedy.clone()).to_string();
                assert!(!all.contains("rented"), "{name}: {code} speaks of a rented machine");
            }
            looked += 1;
        }
    }
    assert!(looked > 100, "{looked} findings");
}

#[test]
fn what_is_to_be_pasted_is_shell() {
    let mut lines = BTreeMap::new();
    for finding in gallery().into_values().flatten() {
        lines.insert(finding.code, Message::lines(finding.remedy).to_string());
    }
    for (code, script) in lines {
        let check = Command::reads(["sh", "-n", "-c", &script]).timeout(Duration::from_secs(10));
        let output = (&Real as &dyn System).run(&check).unwrap();
        assert!(output.success(), "{code}: {}", output.tail(3));
    }
}

/// What the probes read, in a tree with one environment of each kind.
const READ: [&str; 31] = [
    "proc/locks",
    "proc/net/if_inet6",
    "proc/net/ipv6_route",
    "proc/sys/kernel/osrelease",
    "var/lib/dpkg/status",
    "var/lib/dpkg/updates/x",
    "var/lib/apt/lists/x_InRelease",
    "var/lib/dkms/nvidia/x",
    "etc/pip.conf",
    "etc/conda/condarc",
    "etc/docker/daemon.json",
    "usr/local/share/ca-certificates/x",
    "usr/lib/wsl/lib/libcuda.so.1",
    "root/.bashrc",
    "root/.zshrc",
    "root/.condarc",
    "root/.jupyter/jupyter_server_config.py",
    "root/.config/pip/pip.conf",
    "root/miniconda3/conda-meta/conda-x-y-z.json",
    "root/miniconda3/.condarc",
    "root/.local/share/jupyter/kernels/x/kernel.json",
    "env/pyvenv.cfg",
    "env/conda-meta/history",
    "env/conda-meta/x.json",
    "env/conda-meta/-.json",
    "env/lib/python3.12/site-packages/torch/version.py",
    "env/lib/python3.12/site-packages/x.dist-info/INSTALLER",
    "env/lib/python3.12/site-packages/-.dist-info/INSTALLER",
    "env/lib/python3.12/site-packages/numpy-.dist-info/INSTALLER",
    "env/lib/python/site-packages/x",
    "env/share/jupyter/kernels/x/kernel.json",
];

/// Examines a tree that `make` has put something into at every place that is read.
fn examined(make: impl Fn(&Path)) -> Vec<String> {
    let root = tempfile::tempdir().unwrap();
    Real.write(&root.path().join("etc/passwd"), b"root:x:0:0::/root:/bin/sh\n", 0o644).unwrap();
    for path in READ {
        make(&root.path().join(path));
    }
    let (system, tables) = (Replay::tree(root.path()), Tables::default());
    let machine = detect(&system, &tables).machine;
    let found = examine(&system, &machine, &tables, Some(Path::new("/env")), None);
    found.into_iter().map(|finding| finding.code).collect()
}

#[test]
fn damaged_files_are_no_findings() {
    let texts: [&[u8]; 7] = [
        b"",
        b"\0\xff\xfe\n\0",
        b"{",
        b"[]\n[[[[",
        b"-\n- \n:\n=\n ' \" \n# #\n",
        "é: é = 'é'\n1: é é WRITE é é:é\n".as_bytes(),
        b"1: x x WRITE 99999999999999999999 x:99999999999999999999999\n__version__ = '\ncuda = '\n",
    ];
    for text in texts {
        let found = examined(|path| Real.write(path, text, 0o644).unwrap());
        // A conda that is told nothing does take its own channels.
        // Records that are no records are what H38 is about.
        let known = ["AITK-H25", "AITK-H26", "AITK-H38"];
        let others: Vec<_> = found.iter().filter(|code| !known.contains(&code.as_str())).collect();
        assert!(others.is_empty(), "{:?}: {others:?}", String::from_utf8_lossy(text));
    }
    examined(|path| Real.create_dir(path).unwrap());
    examined(|path| Real.symlink(path.file_name().unwrap().as_ref(), path).unwrap());
    // A hundred thousand lines that each look like the beginning of something.
    let long = "- \n# >>> conda initialize >>>\nStatus: \nPackage: \nchannels: [\n".repeat(20_000);
    examined(|path| Real.write(path, long.as_bytes(), 0o644).unwrap());
}

#[test]
fn no_probe_panics_whatever_a_machine_answers() {
    let machines: Vec<_> =
        gallery().into_keys().map(|name| Path::new(MACHINES).join(name)).collect();
    let config =
        ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    let wishes =
        (0..machines.len(), any::<u64>(), 1..100_u64, prop::collection::vec(any::<u8>(), 0..300));
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&wishes, |(machine, seed, share, nonsense)| {
            let tables = Tables::default();
            let whole = Replay::open(&machines[machine]).unwrap();
            let facts = detect(&whole, &tables).machine;
            let found = examine(
                &Hostile { inner: whole, seed, share, nonsense },
                &facts,
                &tables,
                None,
                None,
            );
            prop_assert!(found.len() <= looked_at());
            Ok(())
        })
        .unwrap();
}
