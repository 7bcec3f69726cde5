//! apt's sources: the files that they stand in, and whether what one of them lacks is anybody's loss but its own.

use std::path::{Path, PathBuf};

use aitk_system::{Message, System, message, quote};

const LISTS: &str = "/var/lib/apt/lists";
const SOURCES: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";
/// Who the releases are of that the system itself consists of.
const SYSTEM: [&str; 3] = ["Origin: Debian", "Origin: Ubuntu", "Origin: Raspbian"];

/// What it says where one source stands twice with different keys.
const CONFLICT: &str = "Conflicting values set for option ";
/// What it says of a line or a paragraph that it does not understand.
const NO_SOURCE: [&str; 4] =
    ["Malformed entry", "Malformed line", "Malformed stanza", "is not known on "];
/// Lines of apt's in which it says that a source does not answer, or is not trusted.
const SIGNS: [&str; 7] = [
    CONFLICT,
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
        let way = match said.contains(CONFLICT) {
            true => files.iter().find_map(|files| one_too_many(system, files, &addresses)),
            false => files
                .iter()
                .flatten()
                .next_back()
                .map(|file| left_out(system, file, &addresses, of_others)),
        };
        let way = way.or_else(|| unread(said));
        Self { places, way, of_others }
    }

    /// What was said, with the places.
    pub(crate) fn about(&self, reason: impl Into<Message>) -> Message {
        let (reason, places) = (reason.into(), self.places.join(", "));
        if places.is_empty() { reason } else { message!("{reason} (in {places})") }
    }
}

/// What leaves out the sources at these addresses that stand in a file: the whole file where it has nothing else and is not
/// the system's own, else what names them in it.
fn left_out(system: &dyn System, path: &Path, addresses: &[String], whole: bool) -> Message {
    let own = addresses_in(system, path);
    let named = |own: &&String| addresses.iter().any(|address| is_of(address, own));
    let file = quote(&path.to_string_lossy());
    if whole && own.iter().all(|own| named(&own)) {
        return message!("`sudo mv {file} {file}.off` leaves it out");
    }
    let of_paragraphs = path.extension().is_some_and(|end| end == "sources");
    let edits = own.iter().filter(named).map(|address| {
        let address = address.replace(['|', '\\', '\''], ".");
        match of_paragraphs {
            true => format!("\\|^URIs:.*{address}|iEnabled: no"),
            false => format!("\\|^deb.*{address}|s/^/# /"),
        }
    });
    let mut edits: Vec<_> = edits.map(|edit| format!("-e {}", quote(&edit))).collect();
    edits.dedup();
    let edits = edits.join(" ");
    message!("`sudo sed -i {edits} {file}` leaves it out")
}

/// What takes one away of files in which the same source stands: never one that the system itself came with.
fn one_too_many(system: &dyn System, files: &[PathBuf], addresses: &[String]) -> Option<Message> {
    let systems = |file: &&PathBuf| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        !["sources.list", "debian.sources", "ubuntu.sources"].contains(&name)
    };
    let last = files.iter().rfind(systems).filter(|_| files.len() > 1)?;
    Some(left_out(system, last, addresses, true))
}

/// What leaves out the line that apt does not understand, by what it says of it: file and number.
fn unread(said: &str) -> Option<Message> {
    let line = said.lines().find(|line| NO_SOURCE.iter().any(|sign| line.contains(sign)))?;
    let mut words = line.split_whitespace();
    let file = words.clone().find(|word| word.starts_with(SOURCES))?;
    let number: u32 = words.find_map(|word| word.trim_end_matches(':').parse().ok())?;
    let file = quote(file.trim_end_matches([',', ':']));
    Some(match file.trim_end_matches('\'').ends_with(".sources") {
        true => message!("a line `Enabled: no` in paragraph {number} of {file} leaves it out"),
        false => message!("`sudo sed -i '{number}s/^/# /' {file}` leaves it out"),
    })
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
        let way = sources.way.unwrap().to_string();
        assert!(!way.contains("mv") && way.contains("iEnabled: no"), "{way}");
    }

    #[test]
    fn of_two_places_the_one_goes_that_the_system_did_not_come_with() {
        let said = "E: Conflicting values set for option Signed-By regarding source http://deb.example/debian/ y: /a != /b\n";
        let own = (
            "etc/apt/sources.list.d/debian.sources",
            "Types: deb\nURIs: http://deb.example/debian\n",
        );
        let extra = (
            "etc/apt/sources.list.d/a.list",
            "deb [signed-by=/b] http://deb.example/debian y main\n",
        );
        let mixed = (
            "etc/apt/sources.list.d/z.list",
            "deb http://deb.example/debian y main\ndeb http://x.example y main\n",
        );
        let way = |files: &[_]| Sources::said(&tree(files).1, said).way.map(|way| way.to_string());
        let (list, mixed_list) =
            ("/etc/apt/sources.list.d/a.list", "/etc/apt/sources.list.d/z.list");
        assert_eq!(way(&[own, extra]), Some(format!("`sudo mv {list} {list}.off` leaves it out")));
        let edit = r"`sudo sed -i -e '\|^deb.*http://deb.example/debian|s/^/# /' ";
        assert_eq!(way(&[own, mixed]), Some(format!("{edit}{mixed_list}` leaves it out")));
        assert_eq!(way(&[own]), None, "nothing of it can go");
    }

    #[test]
    fn a_line_that_is_no_source_is_left_out_by_its_number() {
        let way = |said: &str| Sources::said(&tree(&[]).1, said).way.unwrap().to_string();
        let said = "E: Malformed entry 3 in list file /etc/apt/sources.list.d/x.list (URI)\n";
        assert!(way(said).contains("sed -i '3s/^/# /' /etc/apt/sources.list.d/x.list`"));
        let said = "E: Type 'debb' is not known on line 2 in source list /etc/apt/sources.list\n";
        assert!(way(said).contains("sed -i '2s/^/# /' /etc/apt/sources.list`"));
        let said = "E: Malformed stanza 1 in source list /etc/apt/sources.list.d/x.sources (URI)\n";
        assert!(way(said).contains("paragraph 1 of /etc/apt/sources.list.d/x.sources"));
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
