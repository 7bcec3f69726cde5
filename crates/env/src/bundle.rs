//! A bundle: everything that a plan needs in one file, for a machine without a network.
//!
//! It is a tar archive. Its first member, `manifest.json`, names every other one with its size and sha256.
#![expect(
    clippy::disallowed_methods,
    reason = "large files are streamed; System::permit has been asked before"
)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use aitk_plan::Manager;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Settings;
use crate::error::EnvError;
use crate::fetch::{hash_of, hex, mark_of};

const MANIFEST: &str = "manifest.json";
/// Where the members of each kind stand.
const PACKAGES: &str = "packages";
const UV: &str = "uv";

/// What goes into a bundle.
#[derive(Debug)]
pub struct Wrapped<'a> {
    /// What was asked for, as the program that opens it understands it.
    pub wish: serde_json::Value,
    /// The plan, as it is saved.
    pub plan: String,
    /// Who installs it.
    pub manager: Manager,
    /// The text of the lock.
    pub lock: String,
    /// The files of all packages.
    pub packages: Vec<PathBuf>,
    /// The wheel of uv, for a virtual environment.
    pub uv: Option<PathBuf>,
    /// This program.
    pub program: &'a Path,
}

/// A bundle whose packages are in the cache now.
#[derive(Debug)]
pub struct Bundle {
    /// What was asked for.
    pub wish: serde_json::Value,
    /// Where its lock is.
    pub lock: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    schema: u32,
    kind: String,
    version: String,
    manager: Manager,
    wish: serde_json::Value,
    files: BTreeMap<String, Member>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Member {
    size: u64,
    sha256: String,
}

/// Writes a bundle, beside its place first and then there in one rename. Returns its size in bytes.
///
/// # Errors
/// What the operating system says.
pub fn write_bundle(path: &Path, wrapped: &Wrapped<'_>) -> Result<u64, EnvError> {
    let mut files: Vec<(String, Source<'_>)> = vec![
        ("plan.json".to_owned(), Source::Text(&wrapped.plan)),
        (wrapped.manager.lock_file().to_owned(), Source::Text(&wrapped.lock)),
        ("aitk".to_owned(), Source::File(wrapped.program)),
    ];
    let packages = wrapped.packages.iter().map(|file| (PACKAGES, file));
    for (folder, file) in packages.chain(wrapped.uv.iter().map(|file| (UV, file))) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((format!("{folder}/{name}"), Source::File(file)));
    }
    let members = files.iter().map(|(name, source)| Ok((name.clone(), source.member()?)));
    let manifest = Manifest {
        schema: 1,
        kind: "bundle".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        manager: wrapped.manager,
        wish: wrapped.wish.clone(),
        files: members.collect::<Result<_, EnvError>>()?,
    };
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    let part = path.with_extension("part");
    let write = || -> std::io::Result<u64> {
        let mut archive = tar::Builder::new(File::create(&part)?);
        append(&mut archive, MANIFEST, text.len() as u64, text.as_bytes())?;
        for (name, source) in &files {
            match source {
                Source::Text(text) => {
                    append(&mut archive, name, text.len() as u64, text.as_bytes())?
                }
                Source::File(path) => {
                    let file = File::open(path)?;
                    append(&mut archive, name, file.metadata()?.len(), file)?;
                }
            }
        }
        let file = archive.into_inner()?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        Ok(file.metadata()?.len())
    };
    write().map_err(EnvError::io(path))
}

enum Source<'a> {
    Text(&'a str),
    File(&'a Path),
}

impl Source<'_> {
    fn member(&self) -> Result<Member, EnvError> {
        Ok(match self {
            Self::Text(text) => {
                Member { size: text.len() as u64, sha256: hex(&Sha256::digest(text.as_bytes())) }
            }
            Self::File(path) => Member {
                size: fs::metadata(path).map_err(EnvError::io(*path))?.len(),
                sha256: hash_of(path).map_err(EnvError::io(*path))?,
            },
        })
    }
}

/// A member whose bytes depend on its content alone.
fn append(
    archive: &mut tar::Builder<File>,
    name: &str,
    size: u64,
    content: impl Read,
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(if name == "aitk" { 0o755 } else { 0o644 });
    archive.append_data(&mut header, name, content)
}

/// Whether a file begins as a bundle does.
fn is_bundle(path: &Path) -> bool {
    let mut begin = [0; MANIFEST.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == *MANIFEST.as_bytes()
}

/// Puts the packages of a bundle into the cache, each checked against the manifest; `None` for a file of another kind.
///
/// # Errors
/// [`EnvError::BadBundle`] where it is damaged; what the operating system says.
pub fn open_bundle(path: &Path, settings: &Settings) -> Result<Option<Bundle>, EnvError> {
    if !is_bundle(path) {
        return Ok(None);
    }
    let bad = |reason: String| EnvError::BadBundle { path: path.to_owned(), reason };
    let unreadable = |error: std::io::Error| bad(error.to_string());
    let mut archive = tar::Archive::new(File::open(path).map_err(EnvError::io(path))?);
    let mut entries = archive.entries().map_err(unreadable)?;
    let first = entries.next().ok_or_else(|| bad("it is empty".to_owned()))?.map_err(unreadable)?;
    let manifest: Manifest =
        serde_json::from_reader(first).map_err(|error| bad(error.to_string()))?;
    if manifest.schema != 1 {
        return Err(bad(format!("it has form {}, and this version reads form 1", manifest.schema)));
    }
    let lock_name = manifest.manager.lock_file();
    let mut left = manifest.files;
    let mut lock = None;
    for entry in entries {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path().map_err(unreadable)?.to_string_lossy().into_owned();
        let member =
            left.remove(&name).ok_or_else(|| bad(format!("its manifest does not name {name}")))?;
        let place = match name.split_once('/') {
            Some((PACKAGES, file)) => Some(settings.packages(manifest.manager).join(plain(file))),
            Some((UV, file)) => Some(settings.wheels().join(plain(file))),
            None if name == lock_name => {
                let folder = settings
                    .cache
                    .join("bundles")
                    .join(&member.sha256[..16.min(member.sha256.len())]);
                Some(folder.join(lock_name))
            }
            _ => None,
        };
        let Some(place) = place else { continue };
        let hash = unpack(&mut entry, &place)?;
        if hash != member.sha256 {
            let _ = fs::remove_file(part_of(&place));
            return Err(bad(format!("{name} is not what its manifest names")));
        }
        fs::rename(part_of(&place), &place).map_err(EnvError::io(&place))?;
        if name == lock_name {
            lock = Some(place);
        } else if let (Some(folder), Some(file)) = (place.parent(), place.file_name()) {
            let mark = mark_of(folder, &file.to_string_lossy());
            fs::create_dir_all(mark.parent().unwrap_or(folder)).map_err(EnvError::io(&mark))?;
            fs::write(&mark, &hash).map_err(EnvError::io(&mark))?;
        }
    }
    if let Some(missing) = left.keys().next() {
        return Err(bad(format!("{missing} is missing in it")));
    }
    let lock = lock.ok_or_else(|| bad(format!("{lock_name} is missing in it")))?;
    Ok(Some(Bundle { wish: manifest.wish, lock }))
}

/// A file's name without any folder that a forged archive may have put in front.
fn plain(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn part_of(place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
    place.with_file_name(format!(".{name}.part"))
}

/// Writes a member beside its place and returns its hash.
fn unpack(member: &mut impl Read, place: &Path) -> Result<String, EnvError> {
    let part = part_of(place);
    let mut write = || -> std::io::Result<String> {
        fs::create_dir_all(place.parent().unwrap_or(place))?;
        let mut file = File::create(&part)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let read = member.read(&mut buffer)?;
            if read == 0 {
                return Ok(hex(&hasher.finalize()));
            }
            hasher.update(&buffer[..read]);
            file.write_all(&buffer[..read])?;
        }
    };
    write().map_err(EnvError::io(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(cache: &Path) -> Settings {
        Settings { cache: cache.to_owned(), ..Settings::default() }
    }

    /// A bundle with one package, in a folder of its own.
    fn bundle(folder: &Path) -> PathBuf {
        let wheel = folder.join("a-1-py3-none-any.whl");
        fs::write(&wheel, "wheel").unwrap();
        let program = folder.join("program");
        fs::write(&program, "elf").unwrap();
        let path = folder.join("b.aitk");
        let wrapped = Wrapped {
            wish: serde_json::json!({ "budget": "low" }),
            plan: "{}".to_owned(),
            manager: Manager::Venv,
            lock: "lock-version = \"1.0\"\n".to_owned(),
            packages: vec![wheel],
            uv: None,
            program: &program,
        };
        let size = write_bundle(&path, &wrapped).unwrap();
        assert_eq!(size, fs::metadata(&path).unwrap().len());
        path
    }

    #[test]
    fn a_bundle_fills_the_cache_of_another_machine() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = bundle(here.path());
        let opened = open_bundle(&path, &settings(there.path())).unwrap().unwrap();
        assert_eq!(opened.wish["budget"], "low");
        assert!(opened.lock.ends_with("pylock.toml"));
        let wheel = there.path().join("wheels/a-1-py3-none-any.whl");
        assert_eq!(fs::read(&wheel).unwrap(), b"wheel");
        let mark = fs::read_to_string(there.path().join("hashes/a-1-py3-none-any.whl")).unwrap();
        assert_eq!(mark, hash_of(&wheel).unwrap());
    }

    #[test]
    fn a_changed_byte_is_found_and_nothing_of_it_counts() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = bundle(here.path());
        let mut bytes = fs::read(&path).unwrap();
        let at = bytes.windows(5).rposition(|window| window == b"wheel").unwrap();
        bytes[at] = b'W';
        fs::write(&path, bytes).unwrap();
        let error = open_bundle(&path, &settings(there.path())).unwrap_err();
        assert!(error.to_string().contains("is not what its manifest names"), "{error}");
        assert!(!there.path().join("wheels/a-1-py3-none-any.whl").exists());
    }

    #[test]
    fn another_file_is_no_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        fs::write(&path, "{}").unwrap();
        assert!(open_bundle(&path, &settings(folder.path())).unwrap().is_none());
    }
}
