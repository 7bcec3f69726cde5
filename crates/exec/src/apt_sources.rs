//! apt's sources: the files that they stand in, and whether what one of them lacks is anybody's loss but its own.

use std::path::{Path, PathBuf};

use aitk_system::{Message, System, message, quote};

const LISTS: &str = "/var/lib/apt/lists";
const SOURCES: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";
/// Who the releases are of that the system itself consists of.
const SYSTEM: [&str; 3] = ["Origin: Debian", "Origin: Ubuntu", "Origin: Raspbian"];

/// Lines of apt's in which it says that a source does not answer, or is not trusted.
const SIGNS: [&str; 7] = [
    "Conflicting values set for option ",
    "Failed to fetch ",
    "GPG error: ",
    "OpenPGP signature verification failed: ",
    "The repository '",
    "does not have a Release file",
    "is not signed",
];

/// The addresses of the sources of which apt says that they failed.
fn failed(said: &str) -> Vec<String> {
    // Whatever apt calls an error counts: also a release that is too old, or is another one than before.
    let counts =
        |line: &&str| line.starts_with("E: ") || SIGNS.iter().any(|sign| line.contains(sign));
    let lines = said.lines().filter(counts);
    let address = |line: &str| {
        let words = line.split([' ', '\'']);
        words.into_iter().find(|word| word.contains("://")).map(str::to_owned)
    };
    let mut found: Vec<_> = lines.filter_map(address).collect();
    found.sort();
    found.dedup();
    found
}

/// The addresses that stand in a file of sources.
fn addresses_in(system: &dyn System, file: &Path) -> Vec<String> {
    let text = system.text(file).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let words = lines.flat_map(str::split_whitespace).filter(|word| word.contains("://"));
    words.map(|word| word.trim_end_matches('/').to_owned()).collect()
}

/// Whether an address is of the source at another one.
fn is_of(address: &str, own: &str) -> bool {
    let address = address.trim_end_matches('/');
    address == own || address.starts_with(&format!("{own}/"))
}

/// The files in which a source stands, by the beginning of an address that it has.
fn files_of(system: &dyn System, address: &str) -> Vec<PathBuf> {
    let parts = system.list(Path::new(PARTS)).unwrap_or_default().into_iter();
    let parts = parts.filter(|name| name.ends_with(".list") || name.ends_with(".sources"));
    let files = [PathBuf::from(SOURCES)].into_iter();
    let files = files.chain(parts.map(|name| Path::new(PARTS).join(name)));
    let names = |file: &PathBuf| addresses_in(system, file).iter().any(|own| is_of(address, own));
    files.filter(names).collect()
}

/// Sources of which apt said something.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// The files that they stand in; the addresses of those that stand in none that can be read.
    pub places: Vec<String>,
    /// What leaves one of them out.
    pub way: Option<Message>,
    /// Whether none of them is one that the system itself comes from, and the lists of that are there.
    pub of_others: bool,
}

impl Sources {
    /// What apt says that is of sources.
    pub(crate) fn said(system: &dyn System, said: &str) -> Self {
        let addresses = failed(said);
        let files: Vec<_> = addresses.iter().map(|address| files_of(system, address)).collect();
        let place = |(address, files): (&String, &Vec<PathBuf>)| match files.as_slice() {
            [] => vec![address.clone()],
            files => files.iter().map(|file| file.to_string_lossy().into_owned()).collect(),
        };
        let mut places: Vec<_> = addresses.iter().zip(&files).flat_map(place).collect();
        places.dedup();
        let of_others = are_of_others(system, &addresses);
        let way = files.iter().flatten().next_back().map(|path| {
            let failed = |own: &String| addresses.iter().any(|address| is_of(address, own));
            let file = quote(&path.to_string_lossy());
            // What else stands in that file goes on; so does what the system itself comes from.
            match of_others && addresses_in(system, path).iter().all(failed) {
                true => message!("`sudo mv {file} {file}.off` leaves it out"),
                false => message!("a # before its line in {file} leaves it out"),
            }
        });
        Self { places, way, of_others }
    }

    /// What was said, with the places.
    pub(crate) fn about(&self, reason: impl Into<Message>) -> Message {
        let (reason, places) = (reason.into(), self.places.join(", "));
        if places.is_empty() { reason } else { message!("{reason} (in {places})") }
    }
}

/// Whether none of these sources is one that the system itself comes from, and the lists of that are there.
fn are_of_others(system: &dyn System, addresses: &[String]) -> bool {
    let names = system.list(Path::new(LISTS)).unwrap_or_default().into_iter();
    let releases = names.filter(|name| name.ends_with("Release"));
    let own: Vec<_> = releases
        .filter(|name| {
            let text = system.text(Path::new(LISTS).join(name)).unwrap_or_default();
            text.lines().take(20).any(|line| SYSTEM.contains(&line))
        })
        .collect();
    let is_own = |address: &String| {
        let (_, place) = address.split_once("://").unwrap_or(("", address));
        let base = place.split("/dists/").next().unwrap_or(place).trim_end_matches('/');
        let base = base.rsplit('@').next().unwrap_or(base).replace('/', "_");
        own.iter().any(|name| name.starts_with(&format!("{base}_")))
    };
    !own.is_empty() && !addresses.is_empty() && !addresses.iter().any(is_own)
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Replay) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            Real.write(&folder.path().join(path), text.as_bytes(), 0o644).unwrap();
        }
        let system = Replay::tree(folder.path());
        (folder, system)
    }

    const SAID: &str = "Err:5 http://127.0.0.1:9/apt stable InRelease\n  Could not connect\n\
        W: GPG error: https://other.example/deb x InRelease: The following signatures were invalid\n\
        E: The repository 'http://third.example/r y Release' does not have a Release file.\n\
        E: Failed to fetch http://127.0.0.1:9/apt/dists/stable/InRelease  Could not connect to 127.0.0.1:9\n\
        E: Some index files failed to download. They have been ignored, or old ones used instead.\n";

    #[test]
    fn the_sources_that_failed_are_found_with_their_files() {
        let (one, two, three) = (
            "http://127.0.0.1:9/apt/dists/stable/InRelease",
            "http://third.example/r",
            "https://other.example/deb",
        );
        assert_eq!(failed(SAID), [one, two, three]);
        let (_folder, system) = tree(&[
            (
                "etc/apt/sources.list",
                "# deb http://127.0.0.1:9/apt x\ndeb http://deb.example/debian y main\n",
            ),
            (
                "etc/apt/sources.list.d/vendor.list",
                "deb [trusted=yes] http://127.0.0.1:9/apt/ stable main\n",
            ),
            ("etc/apt/sources.list.d/o.sources", "Types: deb\nURIs: https://other.example/deb\n"),
            ("etc/apt/sources.list.d/third.list.save", "deb http://third.example/r y\n"),
            ("var/lib/apt/lists/deb.example_debian_dists_y_InRelease", "Origin: Debian\n"),
        ]);
        let sources = Sources::said(&system, SAID);
        assert_eq!(
            sources.places,
            [
                "/etc/apt/sources.list.d/vendor.list",
                "http://third.example/r",
                "/etc/apt/sources.list.d/o.sources"
            ]
        );
        let way = sources.way.unwrap().to_string();
        assert!(way.contains("o.sources /etc/apt/sources.list.d/o.sources.off"), "{way}");
        // In a file with others, and where the system's own fails, nothing is put away whole.
        let old = "E: Release file for http://deb.example/debian/dists/y/InRelease is expired\n";
        let sources = Sources::said(&system, &format!("{SAID}{old}"));
        assert!(!sources.of_others, "{:?}", sources.places);
        assert!(!sources.way.unwrap().to_string().contains("mv"));
    }

    #[test]
    fn a_source_of_others_is_nobodys_loss_and_one_of_the_system_is() {
        let debian = (
            "var/lib/apt/lists/deb.example_debian_dists_bookworm_InRelease",
            "Hash\n\nOrigin: Debian\n",
        );
        let vendor =
            ("var/lib/apt/lists/127.0.0.1:9_apt_dists_stable_InRelease", "Origin: Vendor\n");
        let others = |files: &[_], addresses: &[&str]| {
            let addresses: Vec<_> = addresses.iter().map(|one| (*one).to_owned()).collect();
            are_of_others(&tree(files).1, &addresses)
        };
        let dead = "http://127.0.0.1:9/apt/dists/stable/InRelease";
        assert!(others(&[debian, vendor], &[dead]));
        assert!(others(&[debian], &[dead]));
        assert!(!others(&[vendor], &[dead]), "nothing is known of the system's own");
        assert!(!others(&[debian], &[dead, "http://deb.example/debian/dists/bookworm/InRelease"]));
        assert!(!others(&[debian], &["http://deb.example/debian"]));
        assert!(!others(&[debian], &[]));
    }
}
