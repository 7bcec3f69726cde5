//! The C library and its version.

use aitk_system::{Command, System, message};

use crate::PATIENCE;
use crate::machine::{Libc, Os};
use crate::notes::{self, Notes};
use crate::tables::Tables;

/// Debian's names of architectures where they differ from the kernel's.
const DEBIAN_ARCH: [(&str, &str); 4] =
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("armv7l", "armhf"), ("ppc64le", "ppc64el")];

/// The C library, from what is cheapest to ask: the package manager's files, then the table of
/// distributions, then the library's own `ldd`.
pub(crate) fn probe(
    system: &dyn System,
    tables: &Tables,
    arch: &str,
    os: &Os,
    notes: &mut Notes,
) -> Option<Libc> {
    let known = |version| Libc { family: "glibc".to_owned(), version: Some(version) };
    let listed = || {
        let row = tables.distro(&os.id, os.version.as_deref())?;
        Some((row.glibc.clone()?, row.source.clone()))
    };
    let found = match packaged(system, arch).or_else(listed) {
        Some((version, source)) => {
            notes.source("libc", source);
            Some(known(version))
        }
        None => asked(system).inspect(|_| notes.source("libc", "ldd --version")),
    };
    if found.as_ref().is_none_or(|libc| libc.version.is_none()) {
        notes.add(notes::LIBC, message!("the C library's version could not be found out"), None);
    }
    found
}

/// The version of Debian's and Ubuntu's `libc6`, from the versions that it gives its dependents
/// (`deb-shlibs(5)`), which are those of the release.
fn packaged(system: &dyn System, arch: &str) -> Option<(String, String)> {
    let arch = DEBIAN_ARCH.iter().find(|(kernel, _)| *kernel == arch).map_or(arch, |row| row.1);
    let path = format!("/var/lib/dpkg/info/libc6:{arch}.shlibs");
    let text = crate::text(system, &path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("libc 6 "))?;
    let (_, version) = line.split_once(">= ")?;
    Some((version.trim_end_matches(')').to_owned(), path))
}

/// What `ldd --version` says: glibc's ends its first line with the version, musl's is printed as an
/// error.
fn asked(system: &dyn System) -> Option<Libc> {
    let command = Command::reads(["ldd", "--version"]).env("LC_ALL", "C").timeout(PATIENCE);
    let text = system.run(&command).map(|out| out.stdout + &out.stderr).unwrap_or_default();
    if let Some(libc) = from_ldd(&text) {
        return Some(libc);
    }
    // A file tree cannot be asked, but musl's loader has a name of its own.
    let musl = system.list("/lib".as_ref()).ok()?.iter().any(|name| name.starts_with("ld-musl-"));
    musl.then(|| Libc { family: "musl".to_owned(), version: None })
}

fn from_ldd(text: &str) -> Option<Libc> {
    let first = text.lines().next()?;
    let (family, version) = if first.starts_with("musl") {
        ("musl", text.lines().find_map(|line| line.strip_prefix("Version "))?)
    } else if first.starts_with("ldd (") {
        ("glibc", first.rsplit(' ').next()?)
    } else {
        return None;
    };
    Some(Libc { family: family.to_owned(), version: Some(version.trim().to_owned()) })
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    #[test]
    fn both_libraries_are_recognised_by_ldd() {
        let found = |text| from_ldd(text).map(|libc| (libc.family, libc.version.unwrap()));
        let expected = |family: &str, version: &str| Some((family.to_owned(), version.to_owned()));
        let ubuntu = "ldd (Ubuntu GLIBC 2.35-0ubuntu3.8) 2.35\nCopyright (C) 2022 …\n";
        assert_eq!(found(ubuntu), expected("glibc", "2.35"));
        assert_eq!(found("ldd (GNU libc) 2.40\n"), expected("glibc", "2.40"));
        let musl = "musl libc (x86_64)\nVersion 1.2.5\nDynamic Program Loader\n";
        assert_eq!(found(musl), expected("musl", "1.2.5"));
        assert_eq!(found("ldd: command not found"), None);
    }

    #[test]
    fn the_package_managers_file_comes_first_and_then_the_table() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("var/lib/dpkg/info/libc6:arm64.shlibs");
        let text = "ld-linux-aarch64 1 libc6 (>= 2.42)\nlibc 6 libc6 (>= 2.42)\n";
        Real.write(&file, text.as_bytes(), 0o644).unwrap();
        let system = Replay::tree(folder.path());
        let os = Os { id: "debian".into(), version: Some("13".into()), ..Os::default() };
        let mut notes = Notes::default();
        let mut version = |arch, os| {
            probe(&system, &Tables::default(), arch, os, &mut notes).and_then(|libc| libc.version)
        };
        assert_eq!(version("aarch64", &os).as_deref(), Some("2.42"));
        assert_eq!(version("x86_64", &os).as_deref(), Some("2.41"));
        assert_eq!(version("x86_64", &Os::default()), None);
        assert_eq!(Vec::from(notes)[0].code, notes::LIBC);
    }
}
