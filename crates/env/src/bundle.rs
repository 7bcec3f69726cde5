//! A bundle: everything that a plan needs in one file, for a machine without a network.
//!
//! It is a tar archive. Its first member, `manifest.json`, names every other one with its size and sha256.
#![expect(
    clippy::disallowed_methods,
    reason = "large files are streamed; System::permit has been asked before"
)]

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aitk_plan::lock::LARGEST;
use aitk_plan::{Locks, Manager, Request, names};
use aitk_system::{Failure, Message, interrupted, message};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Settings;
use crate::archive::read_members;
use crate::backend::backend;
use crate::error::EnvError;
use crate::fetch::{forget, keep};
use crate::sha256::{hash_of, hex};

const MANIFEST: &str = "manifest.json";
/// What its manifest calls it.
const KIND: &str = "bundle";
const PLAN: &str = "plan.json";
const PROGRAM: &str = "aitk";
/// The largest manifest, in bytes: the largest lock has some hundred packages.
const LARGEST_MANIFEST: u64 = 4 << 20;
/// How many members a bundle may have.
const MEMBERS: usize = 20_000;
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
    /// The manager whose packages these are.
    pub manager: Manager,
    /// The text of the lock.
    pub lock: String,
    /// The files of all packages.
    pub packages: Vec<PathBuf>,
    /// The wheel of uv, for a virtual environment.
    pub uv: Option<PathBuf>,
    /// The file of `aitk` itself, which goes along.
    pub program: &'a Path,
}

/// A bundle whose packages are in the cache now.
#[derive(Debug)]
pub struct Bundle<T> {
    /// What it asked for, as it was agreed to.
    pub agreed: T,
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
    files: BTreeMap<String, BundleMember>,
}

#[derive(Debug, Serialize, Deserialize)]
struct BundleMember {
    size: u64,
    #[serde(deserialize_with = "names::sha256::one")]
    sha256: String,
}

impl Manifest {
    /// Reads the manifest of a bundle: what it names are members as bundles have them.
    fn read(member: impl Read) -> Result<(Self, Request), Message> {
        let mut text = String::new();
        let all = member.take(LARGEST_MANIFEST + 1).read_to_string(&mut text);
        all.map_err(|error| error.to_string())?;
        if text.len() as u64 > LARGEST_MANIFEST {
            return Err(message!("its manifest has more than {LARGEST_MANIFEST} bytes"));
        }
        let manifest: Self = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        if manifest.schema != 1 {
            let schema = manifest.schema;
            return Err(message!("it has form {schema}, and this version reads form 1"));
        }
        if manifest.kind != KIND {
            return Err(message!("it is no bundle"));
        }
        if manifest.files.len() > MEMBERS {
            return Err(message!("it has more than {MEMBERS} members"));
        }
        for (name, member) in &manifest.files {
            if MemberPlace::of(name, manifest.manager).is_none() {
                return Err(message!("{name:?} is no member of a bundle"));
            }
            if member.size > LARGEST {
                return Err(message!("{name:?} has {} bytes", member.size));
            }
        }
        let wish = serde_json::from_value(manifest.wish.clone())
            .map_err(|error| message!("what it asks for cannot be read: {error}"))?;
        Ok((manifest, wish))
    }
}

/// What becomes of a member.
enum MemberPlace<'a> {
    /// A package's file.
    Package(&'a str),
    /// The wheel of uv.
    Uv(&'a str),
    /// The lock.
    Lock,
    /// It is for people, and only looked at: nothing of it is trusted or run.
    Nowhere,
}

impl<'a> MemberPlace<'a> {
    fn of(name: &'a str, manager: Manager) -> Option<Self> {
        let place = match name.split_once('/') {
            Some((PACKAGES, file)) => Self::Package(file),
            Some((UV, file)) => Self::Uv(file),
            None if name == manager.lock_file() => Self::Lock,
            None if name == PLAN || name == PROGRAM => Self::Nowhere,
            _ => return None,
        };
        match place {
            Self::Package(file) | Self::Uv(file) if !names::file_name::fits(file) => None,
            place => Some(place),
        }
    }
}

/// Writes a bundle, beside its place first and then there in one rename. Returns its size in bytes.
///
/// # Errors
/// What the operating system says.
pub fn write_bundle(path: &Path, wrapped: &Wrapped<'_>) -> Result<u64, EnvError> {
    let mut files: Vec<(String, BundleSource<'_>)> = vec![
        (PLAN.to_owned(), BundleSource::Text(&wrapped.plan)),
        (wrapped.manager.lock_file().to_owned(), BundleSource::Text(&wrapped.lock)),
        (PROGRAM.to_owned(), BundleSource::File(wrapped.program)),
    ];
    let packages = wrapped.packages.iter().map(|file| (PACKAGES, file));
    for (folder, file) in packages.chain(wrapped.uv.iter().map(|file| (UV, file))) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.push((format!("{folder}/{name}"), BundleSource::File(file)));
    }
    let members = files.iter().map(|(name, source)| Ok((name.clone(), source.member()?)));
    let manifest = Manifest {
        schema: 1,
        kind: KIND.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        manager: wrapped.manager,
        wish: wrapped.wish.clone(),
        files: members.collect::<Result<_, EnvError>>()?,
    };
    let text = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    let part = path.with_extension("part");
    let write = || -> std::io::Result<u64> {
        let file = File::create(&part)?;
        // It is for another machine, and as open as any file that somebody writes for others.
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        let mut archive = tar::Builder::new(file);
        append(&mut archive, MANIFEST, text.len() as u64, text.as_bytes())?;
        for (name, source) in &files {
            match source {
                BundleSource::Text(text) => {
                    append(&mut archive, name, text.len() as u64, text.as_bytes())?
                }
                BundleSource::File(path) => {
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

enum BundleSource<'a> {
    Text(&'a str),
    File(&'a Path),
}

impl BundleSource<'_> {
    fn member(&self) -> Result<BundleMember, EnvError> {
        Ok(match self {
            Self::Text(text) => BundleMember {
                size: text.len() as u64,
                sha256: hex(&Sha256::digest(text.as_bytes())),
            },
            Self::File(path) => BundleMember {
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
    header.set_mode(if name == PROGRAM { 0o755 } else { 0o644 });
    archive.append_data(&mut header, name, content)
}

/// Whether a file begins as a bundle does.
fn is_bundle(path: &Path) -> bool {
    let mut begin = [0; MANIFEST.len()];
    // Whoever opens a pipe waits for its other end.
    if !fs::metadata(path).is_ok_and(|meta| meta.is_file()) {
        return false;
    }
    File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && begin == *MANIFEST.as_bytes()
}

/// Puts the packages of a bundle into the cache, each checked against the manifest; `None` for a file of another kind.
/// What it asks for has to be agreed to first, and nothing of one that is refused stays.
///
/// # Errors
/// [`EnvError::BadBundle`] where it is damaged, or has something else in it than a bundle has; [`LockError::BadPackage`]
/// for a wheel that would not stay in its place; what is wrong with its lock; what the operating system says; why nobody
/// agrees.
pub fn open_bundle<T, E: From<EnvError>>(
    path: &Path,
    settings: &Settings,
    agree: impl FnOnce(Request) -> Result<T, E>,
) -> Result<Option<Bundle<T>>, E> {
    if !is_bundle(path) {
        return Ok(None);
    }
    let bad = |reason: Message| EnvError::BadBundle { path: path.to_owned(), reason };
    let file = File::open(path).map_err(EnvError::io(path))?;
    let size = file.metadata().map_err(EnvError::io(path))?.len();
    let mut agree = Some(agree);
    let mut opening: Option<(T, Opening<'_>)> = None;
    let refused = |reason| E::from(bad(reason));
    read_members(file, size, refused, |member| -> Result<(), E> {
        if let Some((_, opening)) = &mut opening {
            return Ok(opening.take(member)?);
        }
        let (manifest, wish) = Manifest::read(member).map_err(bad)?;
        let agreed = agree.take().map(|agree| agree(wish)).transpose()?;
        let Manifest { manager, files: left, .. } = manifest;
        let begun = Opening { path, settings, left, manager, lock: None, packages: Vec::new() };
        opening = agreed.map(|agreed| (agreed, begun));
        Ok(())
    })?;
    let Some((agreed, opening)) = opening else { return Err(bad(message!("it is empty")).into()) };
    Ok(Some(Bundle { agreed, lock: opening.finish()? }))
}

/// A bundle that is being opened. Nothing of it lies in its place before all of it has been read.
struct Opening<'a> {
    path: &'a Path,
    settings: &'a Settings,
    manager: Manager,
    /// What is still to come.
    left: BTreeMap<String, BundleMember>,
    /// The lock and its place.
    lock: Option<(PartFile, PathBuf)>,
    /// The packages.
    packages: Vec<ReadPackage>,
}

/// A package that has been read, with its place and its hash.
struct ReadPackage {
    part: PartFile,
    folder: PathBuf,
    file: String,
    sha256: String,
}

impl Opening<'_> {
    /// Looks whether a member is the one that the manifest names, and reads it to beside where it belongs.
    fn take(&mut self, entry: &mut tar::Entry<'_, impl Read>) -> Result<(), EnvError> {
        let unreadable = |error: io::Error| self.bad(Message::plain(error));
        let name = entry.path().map_err(unreadable)?.to_string_lossy().into_owned();
        let known = self.left.remove(&name);
        let Some((member, place)) = known.zip(MemberPlace::of(&name, self.manager)) else {
            return Err(self.bad(message!("its manifest does not name {name:?}")));
        };
        if entry.header().entry_type() != tar::EntryType::Regular || entry.size() != member.size {
            return Err(self.bad(message!("{name} is not what its manifest names")));
        }
        let (folder, file) = match place {
            MemberPlace::Package(file) => (backend(self.manager).packages(self.settings), file),
            MemberPlace::Uv(file) => (self.settings.wheels(), file),
            MemberPlace::Lock => {
                let bundles = self.settings.cache.join("bundles");
                (bundles.join(&member.sha256[..16]), self.manager.lock_file())
            }
            MemberPlace::Nowhere => {
                let hash = copy(entry, &mut io::sink()).map_err(EnvError::io(self.path))?;
                return self.same(&name, &hash, &member);
            }
        };
        let part = PartFile::make(folder.join(format!(".{file}.part")))?;
        let hash = part.fill(entry)?;
        self.same(&name, &hash, &member)?;
        if matches!(place, MemberPlace::Lock) {
            self.lock = Some((part, folder.join(file)));
        } else {
            let (file, sha256) = (file.to_owned(), member.sha256);
            self.packages.push(ReadPackage { part, folder, file, sha256 });
        }
        Ok(())
    }

    fn same(&self, name: &str, hash: &str, member: &BundleMember) -> Result<(), EnvError> {
        match hash == member.sha256 {
            true => Ok(()),
            false => Err(self.bad(message!("{name} is not what its manifest names"))),
        }
    }

    /// Puts everything where it stays, the lock last.
    fn finish(self) -> Result<PathBuf, EnvError> {
        if let Some(missing) = self.left.keys().next() {
            return Err(self.bad(message!("{missing} is missing in it")));
        }
        let Some((part, lock)) = &self.lock else {
            return Err(self.bad(message!("{} is missing in it", self.manager.lock_file())));
        };
        let text = fs::read_to_string(&part.0).map_err(EnvError::io(lock))?;
        Locks::parse(&text, lock, self.manager, None)?;
        for (nth, ReadPackage { part, folder, file, sha256 }) in self.packages.iter().enumerate() {
            if let Err(error) = keep(&part.0, folder, file, sha256) {
                let laid = self.packages[..nth].iter();
                laid.for_each(|laid| drop(forget(&laid.folder, &laid.file)));
                return Err(error);
            }
        }
        fs::rename(&part.0, lock).map_err(EnvError::io(lock))?;
        Ok(lock.clone())
    }

    fn bad(&self, reason: Message) -> EnvError {
        EnvError::BadBundle { path: self.path.to_owned(), reason }
    }
}

/// A file beside its place, which is gone unless it has been moved there.
struct PartFile(PathBuf);

impl PartFile {
    fn make(part: PathBuf) -> Result<Self, EnvError> {
        let make = || {
            fs::create_dir_all(part.parent().unwrap_or(&part))?;
            let _ = fs::remove_file(&part);
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&part).map(drop)
        };
        make().map_err(EnvError::io(&part))?;
        Ok(Self(part))
    }

    /// Writes a member and returns its hash.
    fn fill(&self, member: &mut impl Read) -> Result<String, EnvError> {
        let file = OpenOptions::new().write(true).open(&self.0);
        file.and_then(|mut file| copy(member, &mut file)).map_err(|error| match interrupted() {
            true => EnvError::System(Failure::Interrupted),
            false => EnvError::io(&self.0)(error),
        })
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Copies what there is to read and returns its hash.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = from.read(&mut buffer)?;
        if interrupted() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        to.write_all(&buffer[..read])?;
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Command, Real, System};

    use super::*;

    fn settings(cache: &Path) -> Settings {
        Settings { cache: cache.to_owned(), ..Settings::default() }
    }

    /// A wheel with one file, the same whenever it is made.
    fn content() -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default()
            .last_modified_time(zip::DateTime::default())
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file("a.py", options).unwrap();
        zip.write_all(b"wheel").unwrap();
        zip.finish().unwrap().into_inner()
    }

    /// Opens one to whose wish everybody agrees.
    fn open_bundle(path: &Path, settings: &Settings) -> Result<Option<Bundle<Request>>, EnvError> {
        super::open_bundle(path, settings, Ok)
    }

    fn wish() -> serde_json::Value {
        serde_json::to_value(Request { budget: "low".to_owned(), ..Request::default() }).unwrap()
    }

    /// A bundle with one package, in a folder of its own.
    fn bundle(folder: &Path) -> PathBuf {
        let wheel = folder.join("a-1-py3-none-any.whl");
        fs::write(&wheel, content()).unwrap();
        let program = folder.join("program");
        fs::write(&program, "elf").unwrap();
        let path = folder.join("b.aitk");
        let wrapped = Wrapped {
            wish: wish(),
            plan: "{}".to_owned(),
            manager: Manager::Venv,
            lock: String::from_utf8(LOCK.1.to_vec()).unwrap(),
            packages: vec![wheel],
            uv: None,
            program: &program,
        };
        let size = write_bundle(&path, &wrapped).unwrap();
        assert_eq!(size, fs::metadata(&path).unwrap().len());
        path
    }

    #[test]
    fn a_pipe_is_no_bundle_and_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let make = Command::changes(["mkfifo", pipe.to_str().unwrap()]);
        assert!((&Real as &dyn System).run(&make).unwrap().success());
        assert!(open_bundle(&pipe, &settings(folder.path())).unwrap().is_none());
    }

    #[test]
    fn a_bundle_fills_the_cache_of_another_machine() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = bundle(here.path());
        let opened = open_bundle(&path, &settings(there.path())).unwrap().unwrap();
        assert_eq!(opened.agreed.budget, "low");
        assert!(opened.lock.ends_with("pylock.toml"));
        let wheel = there.path().join("wheels/a-1-py3-none-any.whl");
        assert_eq!(fs::read(&wheel).unwrap(), content());
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

    /// A bundle as a stranger writes it: a manifest, and members.
    fn forged(files: &[(&str, &[u8])], change: impl Fn(&mut serde_json::Value)) -> Vec<u8> {
        let member = |content: &[u8]| serde_json::json!({ "size": content.len(), "sha256": hex(&Sha256::digest(content)) });
        let named: serde_json::Map<_, _> =
            files.iter().map(|(name, content)| ((*name).to_owned(), member(content))).collect();
        let mut manifest = serde_json::json!({
            "schema": 1, "kind": "bundle", "version": "0", "manager": "venv", "wish": wish(), "files": named,
        });
        change(&mut manifest);
        let manifest = manifest.to_string();
        let mut bytes = Vec::new();
        for (name, content) in [(MANIFEST, manifest.as_bytes())].iter().chain(files) {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(content.len() as u64);
            header.set_cksum();
            bytes.extend(header.as_bytes());
            bytes.extend(*content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes.resize(bytes.len() + 1024, 0);
        bytes
    }

    /// Opens a forged bundle, which must be refused and leave nothing.
    fn refused(bytes: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.aitk");
        fs::write(&path, bytes).unwrap();
        let cache = folder.path().join("deep/cache");
        let error = open_bundle(&path, &settings(&cache)).unwrap_err();
        let mut open = vec![folder.path().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() { open.push(entry) } else { files.push(entry) }
            }
        }
        assert_eq!(files, [path], "{error}");
        error.to_string()
    }

    const LOCK: (&str, &[u8]) = (
        "pylock.toml",
        b"lock-version = \"1.0\"\ncreated-by = \"aitk\"\nrequires-python = \"==3.12.*\"\n\
        [tool.aitk]\nlayers = [\"libraries\"]\n\
        [tool.aitk.target]\npython = \"3.12\"\narch = \"x86_64\"\nglibc = \"2.39\"\n\
        [[packages]]\nname = \"a\"\nversion = \"1\"\n\
        [[packages.wheels]]\nname = \"a-1-py3-none-any.whl\"\nurl = \"https://x.example/a-1-py3-none-any.whl\"\nsize = 5\n\
        [packages.wheels.hashes]\nsha256 = \"abababababababababababababababababababababababababababababababab\"\n\
        [packages.tool.aitk]\nlayer = \"libraries\"\n",
    );

    #[test]
    fn a_forged_bundle_is_refused_and_leaves_nothing() {
        let as_is = |_: &mut serde_json::Value| {};
        let folder = tempfile::tempdir().unwrap();
        let whole = folder.path().join("b.aitk");
        fs::write(&whole, forged(&[LOCK], as_is)).unwrap();
        assert!(open_bundle(&whole, &settings(folder.path())).unwrap().is_some());
        for (field, to) in [("env", "../../work"), ("env", "a\nb"), ("python", "3.12; x")] {
            let said = refused(&forged(&[LOCK], |it| it["wish"]["choices"][field] = to.into()));
            assert!(said.contains("what it asks for"), "{said}");
        }
        refused(&forged(&[LOCK], |it| it["wish"] = serde_json::json!({})));
        refused(&forged(&[LOCK], |it| it["kind"] = "plan".into()));
        refused(&forged(&[LOCK], |it| it["schema"] = 2.into()));
        for sha256 in
            ["../../../pwned00", &format!("{}é{}", "a".repeat(15), "b".repeat(40)), "", "ab"]
        {
            refused(&forged(&[LOCK], |manifest| {
                manifest["files"]["pylock.toml"]["sha256"] = sha256.into();
            }));
        }
        for name in [
            "packages/../x",
            "packages/",
            "packages/a/b",
            "/etc/x",
            "../x",
            "uv/..",
            "x",
            "packages/a\n",
        ] {
            refused(&forged(&[(name, b"x")], as_is));
        }
        // More or less than the manifest names.
        refused(&forged(&[LOCK], |manifest| manifest["files"]["pylock.toml"]["size"] = 3.into()));
        refused(&forged(&[LOCK], |manifest| {
            manifest["files"]["plan.json"] = manifest["files"]["pylock.toml"].clone()
        }));
        refused(&forged(&[LOCK], |manifest| manifest["files"] = serde_json::json!({})));
        refused(&forged(&[LOCK, LOCK], as_is));
        refused(&forged(&[("plan.json", b"{}")], as_is));
        refused(&forged(&[("aitk", b"elf"), LOCK], |manifest| {
            manifest["files"]["aitk"]["sha256"] = "ab".repeat(32).into();
        }));
        refused(&forged(&[LOCK], |manifest| manifest["wish"] = "A".repeat(5 << 20).into()));
        refused(&forged(&[LOCK], |manifest| {
            manifest["files"]["packages/x"] =
                serde_json::json!({ "size": u64::MAX, "sha256": "ab".repeat(32) });
        }));
        // A wheel that would not stay in its place.
        let mut zip = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        zip.start_file("../six.py", zip::write::SimpleFileOptions::default()).unwrap();
        let wheel = zip.finish().unwrap().into_inner();
        refused(&forged(&[("packages/six-1-py3-none-any.whl", &wheel), LOCK], as_is));
        refused(&forged(&[("packages/six-1-py3-none-any.whl", b"no archive"), LOCK], as_is));
        // What came before it, and was as it should be, does not stay either.
        let wheel = content();
        let good = ("packages/a-1-py3-none-any.whl", &*wheel);
        refused(&forged(&[good, LOCK, ("packages/six-1-py3-none-any.whl", b"none")], as_is));
        refused(&forged(&[good, LOCK, ("aitk", b"elf")], |manifest| {
            manifest["files"]["aitk"]["sha256"] = "ab".repeat(32).into();
        }));
        refused(&forged(&[good, ("pylock.toml", b"lock-version = \"1.0\"")], as_is));
    }

    #[test]
    fn what_nobody_agrees_to_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("b.aitk");
        let wheel = content();
        fs::write(&path, forged(&[("packages/a-1-py3-none-any.whl", &wheel), LOCK], |_| {}))
            .unwrap();
        let cache = folder.path().join("cache");
        let no = |wish: Request| -> Result<(), EnvError> {
            assert_eq!(wish.budget, "low");
            Err(EnvError::BadBundle { path: path.clone(), reason: Message::plain("no") })
        };
        let error = super::open_bundle(&path, &settings(&cache), no).unwrap_err();
        assert!(error.to_string().contains("no") && !cache.exists(), "{error}");
    }

    #[test]
    fn a_sparse_member_is_refused_before_it_fills_the_disk() {
        let content = [b'A'; 512];
        let name = "packages/big-1-py3-none-any.whl";
        let mut bytes = forged(&[(name, &content), LOCK], |_| {});
        let at = bytes.windows(name.len()).rposition(|window| window == name.as_bytes()).unwrap();
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&bytes[at..at + 512]);
        header.set_entry_type(tar::EntryType::GNUSparse);
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(1 << 40);
        gnu.sparse[0].set_offset((1 << 40) - 512);
        gnu.sparse[0].set_length(512);
        header.set_cksum();
        bytes[at..at + 512].copy_from_slice(header.as_bytes());
        assert!(refused(&bytes).contains("is not what its manifest names"));
    }

    #[test]
    fn another_file_is_no_bundle() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        fs::write(&path, "{}").unwrap();
        assert!(open_bundle(&path, &settings(folder.path())).unwrap().is_none());
    }
}
