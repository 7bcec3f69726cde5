//! The architecture.

use aitk_system::{System, message};

use crate::notes::{self, Notes};

/// Program loaders that give the architecture of a file tree away; a tree has no kernel to ask.
const LOADERS: [(&str, &str); 4] = [
    ("/lib64/ld-linux-x86-64.so.2", "x86_64"),
    ("/lib/ld-linux-aarch64.so.1", "aarch64"),
    ("/lib/ld-musl-x86_64.so.1", "x86_64"),
    ("/lib/ld-musl-aarch64.so.1", "aarch64"),
];

/// The architecture as `uname -m` says it; empty where it is not known.
pub(crate) fn probe(system: &dyn System, notes: &mut Notes) -> String {
    let arch = system.host().arch;
    if !arch.is_empty() {
        notes.source("arch", "uname(2)");
        return arch;
    }
    let loader = LOADERS.iter().find(|(path, _)| system.exists(path));
    if let Some((path, _)) = loader {
        notes.source("arch", path);
    } else {
        notes.add(notes::ARCH, message!("the machine's architecture is not known"), None);
    }
    loader.map_or_else(String::new, |(_, arch)| (*arch).to_owned())
}

/// The architecture that the system's programs are for, where that is narrower than the kernel's: what loads them tells.
pub(crate) fn userland(system: &dyn System, arch: &str) -> Option<String> {
    let (narrow, wide, name) = match arch {
        "aarch64" => ("/lib/ld-linux-armhf.so.3", "/lib/ld-linux-aarch64.so.1", "armhf"),
        "x86_64" => ("/lib/ld-linux.so.2", "/lib64/ld-linux-x86-64.so.2", "i386"),
        _ => return None,
    };
    let main = match arch {
        "aarch64" => "arm64",
        _ => "amd64",
    };
    // Of a tree of files the loaders may be left out, and the packages are not.
    let packaged = |of: &str| system.exists(format!("/var/lib/dpkg/info/libc6:{of}.shlibs"));
    let is_narrow = system.exists(narrow) || packaged(name);
    (is_narrow && !system.exists(wide) && !packaged(main)).then(|| name.to_owned())
}
