//! Downloads: in parallel, resumed where they broke off, checked against their hash before they count.
#![expect(
    clippy::disallowed_methods,
    reason = "downloads write their own files; System::permit has been asked before"
)]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use aitk_plan::lock::LARGEST;
use aitk_plan::{LockError, Locked, Package, names};
use aitk_system::{
    Failure, FileKind, Message, Real, System, ToMessage, inside, interrupted, message,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use reqwest::StatusCode;
use sha2::{Digest, Sha256};
use url::Url;

use crate::Settings;
use crate::archive::check_wheel;
use crate::error::EnvError;
use crate::http::{HttpClient, HttpRefusal, cause, is_secure, unreachable};
use crate::received::note_received;
use crate::runtime::block_on;
use crate::sha256::hex;

/// How many downloads run at a time.
const PARALLEL: usize = 8;
/// How often a broken download is taken up again.
const TRIES: u32 = 4;
/// As much as a small file may have, in bytes.
const SMALL: usize = 1 << 20;
/// How long a download may bring less than [`TRICKLE`] bytes: what comes that slowly never ends.
const PATIENCE: Duration = Duration::from_secs(120);
const TRICKLE: u64 = 16 << 10;
/// How often it is looked whether another process has come to the end of the same download.
const TURN: Duration = Duration::from_millis(100);

/// What a download reports while it runs.
pub trait FetchProgress: Sync {
    /// So many more bytes are there.
    fn bytes(&self, more: u64);
}

/// Where it does not matter how a download goes on.
pub(crate) struct Quiet;

impl FetchProgress for Quiet {
    fn bytes(&self, _: u64) {}
}

/// Downloads what is not yet in `folder`, each under its own file name, and checks every file's hash.
///
/// # Errors
/// The first failure; what is complete by then stays, what is not is taken up again next time.
pub fn fetch_all(
    client: &HttpClient,
    packages: &[&Locked],
    folder: &Path,
    offline: bool,
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    fetch_each(client, packages, folder, offline, progress, |_| async { Ok(()) })
}

/// Like [`fetch_all`], and does with every file what is to be done `then`, while others still come in.
pub(crate) fn fetch_each<'a, F: Future<Output = Result<(), EnvError>>>(
    client: &HttpClient,
    packages: &[&'a Locked],
    folder: &Path,
    offline: bool,
    progress: &dyn FetchProgress,
    then: impl Fn(&'a Locked) -> F,
) -> Result<(), EnvError> {
    fs::create_dir_all(folder).map_err(EnvError::io(folder))?;
    let mut files = Vec::new();
    let mut seen = BTreeSet::new();
    for package in packages {
        check(package)?;
        let anew = seen.insert(package.filename());
        let missing = anew && !is_fetched(package, folder, &Real);
        if missing && offline {
            return Err(EnvError::Offline { what: package.filename().into() });
        }
        if !missing {
            progress.bytes(package.package.size.unwrap_or(0));
        }
        if anew {
            files.push((*package, missing));
        }
    }
    // The large ones first, so that none is left alone at the end.
    files.sort_by_key(|(locked, _)| std::cmp::Reverse(locked.package.size));
    let then = &then;
    block_on(
        stream::iter(files.into_iter().map(|(package, missing)| async move {
            if missing {
                fetch(client, package, folder, progress).await?;
            }
            then(package).await
        }))
        .buffer_unordered(PARALLEL)
        .try_collect::<Vec<()>>(),
    )?
    .map(drop)
}

/// A small file that no lock names a hash of: whoever asks for it checks what comes.
///
/// # Errors
/// Where the source does not answer, sends more than a small file, or is neither encrypted nor this machine.
pub fn fetch_small(settings: &Settings, url: &str) -> Result<Vec<u8>, EnvError> {
    if settings.offline {
        return Err(EnvError::Offline { what: url.into() });
    }
    if !Url::parse(url).is_ok_and(|url| is_secure(&url)) {
        return Err(unreachable(url, HttpRefusal::Open.to_message()));
    }
    let client = HttpClient::asking(settings)?;
    block_on(async {
        let mut answer = client.get(url, &[]).await?;
        let mut file = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| unreachable(url, cause(&error)))?
        {
            file.extend_from_slice(&chunk);
            if file.len() > SMALL {
                return Err(unreachable(url, HttpRefusal::TooMuch.to_message()));
            }
        }
        Ok(file)
    })?
}

/// Shows that a package has a file's name, a hash and no size that no package has.
fn check(locked: &Locked) -> Result<(), EnvError> {
    let Package { name, sha256, size, .. } = &locked.package;
    let bad = |reason: Message| EnvError::bad_package(name.clone(), reason);
    let file = locked.filename();
    names::file_name::check(&file).map_err(|unfit| bad(Message::plain(unfit)))?;
    let Some(sha256) = sha256 else { return Err(EnvError::Lock(LockError::NoHash { file })) };
    names::sha256::check(sha256).map_err(|unfit| bad(Message::plain(unfit)))?;
    match size {
        Some(size) if *size > LARGEST => Err(bad(message!("its size is {size} bytes"))),
        _ => Ok(()),
    }
}

/// Downloads one package, which must be what the lock names. What came of it is kept only where it can be taken up
/// again.
pub(crate) async fn fetch(
    client: &HttpClient,
    locked: &Locked,
    folder: &Path,
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    check(locked)?;
    let file = locked.filename();
    let expected = locked.package.sha256.as_deref().unwrap_or_default();
    // Beside the folder and not in it: uv reads the folder while other downloads still go on.
    let parts = folder.with_file_name("parts");
    fs::create_dir_all(&parts).map_err(EnvError::io(&parts))?;
    let part = parts.join(format!("{}-{file}", &expected[..12]));
    let _turn = Turn::wait(part.with_added_extension("lock")).await?;
    if is_fetched(locked, folder, &Real) {
        progress.bytes(locked.package.size.unwrap_or(0));
        return Ok(());
    }
    let fetched = fetch_part(client, locked, &part, progress).await;
    let kept = fetched.and_then(|found| {
        if found != expected {
            let expected = expected.to_owned();
            return Err(EnvError::WrongHash { file: file.clone(), expected, found });
        }
        keep(&part, folder, &file, expected)
    });
    let goes_on = matches!(
        kept,
        Ok(()) | Err(EnvError::System(Failure::Interrupted) | EnvError::Unreachable { .. })
    );
    let is_empty = fs::metadata(&part).is_ok_and(|part| part.len() == 0);
    if !goes_on || is_empty {
        let _ = fs::remove_file(&part);
    }
    kept
}

/// The right to fetch one file, which no other process has at the same time. What stands for it is a file of its own:
/// the part leaves its name before the hash is noted, and a lock on it would let the next one in between.
struct Turn {
    lock: PathBuf,
    _held: File,
}

impl Turn {
    /// Waits until no other process fetches the same file.
    async fn wait(lock: PathBuf) -> Result<Self, EnvError> {
        loop {
            let open = || OpenOptions::new().create(true).append(true).mode(0o600).open(&lock);
            let file = open().map_err(EnvError::io(&lock))?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) if interrupted() => {
                    return Err(EnvError::System(Failure::Interrupted));
                }
                Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN).await,
                // Whoever had the turn has taken its file away in the meantime: the name is another file's.
                Ok(()) if !names_it(&lock, &file) => {}
                // On a file system without locks what two have written at a time does not have its hash.
                Err(TryLockError::Error(_)) | Ok(()) => return Ok(Self { lock, _held: file }),
            }
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.lock);
    }
}

/// Whether a path is still the name of an open file.
fn names_it(path: &Path, file: &File) -> bool {
    let identity = |of: fs::Metadata| (of.dev(), of.ino());
    fs::metadata(path).map(identity).ok() == file.metadata().map(identity).ok()
}

/// Downloads a package, again and again where the source breaks off, and returns its hash.
async fn fetch_part(
    client: &HttpClient,
    locked: &Locked,
    part: &Path,
    progress: &dyn FetchProgress,
) -> Result<String, EnvError> {
    let mut download = Download {
        url: locked.package.url.as_deref().unwrap_or_default(),
        file: locked.filename(),
        part,
        // Some sources do not know.
        size: locked.package.size.filter(|size| *size > 0),
        progress,
        counted: 0,
    };
    if let Some(path) = Url::parse(download.url).ok().and_then(|url| url.to_file_path().ok()) {
        return download.copy(&path);
    }
    let mut tries = 1;
    loop {
        match download.go_on(client).await {
            Err(error @ EnvError::Unreachable { .. }) if tries < TRIES && !interrupted() => {
                tracing::debug!(file = download.file, %error, "taken up again");
                tokio::time::sleep(Duration::from_millis(250 << tries)).await;
                tries += 1;
            }
            fetched => return fetched,
        }
    }
}

/// Puts a file that has the right hash where it stays, and notes the hash. uv is handed only wheels that stay in their
/// place.
///
/// # Errors
/// [`LockError::BadPackage`] for a wheel that would not; what the operating system says.
pub(crate) fn keep(part: &Path, folder: &Path, file: &str, sha256: &str) -> Result<(), EnvError> {
    if file.ends_with(".whl") {
        check_wheel(part).map_err(|refusal| refusal.of(file))?;
    }
    let whole = folder.join(file);
    inside(&Real, folder, &whole).map_err(EnvError::io(&whole))?;
    fs::create_dir_all(folder).map_err(EnvError::io(folder))?;
    fs::rename(part, &whole).map_err(EnvError::io(&whole))?;
    let mark = mark_of(folder, file);
    Real.write(&mark, sha256.as_bytes(), 0o600).map_err(EnvError::io(&mark))
}

/// Takes a file out of a folder of downloads, because it is damaged.
pub(crate) fn forget(folder: &Path, file: &str) -> Result<(), EnvError> {
    let whole = folder.join(file);
    inside(&Real, folder, &whole)
        .and_then(|()| Real.remove(&whole))
        .and_then(|()| Real.remove(&mark_of(folder, file)))
        .map_err(EnvError::io(&whole))
}

/// Where the hash of a whole file is noted: two files of one name, from two indexes, differ by nothing else.
pub(crate) fn mark_of(folder: &Path, file: &str) -> PathBuf {
    folder.with_file_name("hashes").join(file)
}

/// Whether the file of a package has been downloaded into a folder.
pub fn is_fetched(locked: &Locked, folder: &Path, system: &dyn System) -> bool {
    let file = locked.filename();
    let mark = system.text(mark_of(folder, &file)).ok();
    mark.is_some()
        && mark == locked.package.sha256
        && system
            .stat(&folder.join(&file))
            .is_ok_and(|stat| locked.package.size.is_none_or(|size| size == stat.size))
}

/// A file on its way in.
struct Download<'a> {
    url: &'a str,
    /// Its name, for messages.
    file: String,
    /// Where it is put until it is whole.
    part: &'a Path,
    /// What the lock says of it.
    size: Option<u64>,
    progress: &'a dyn FetchProgress,
    /// What was reported before.
    counted: u64,
}

impl Download<'_> {
    /// Downloads the rest of the file and returns the hash of the whole.
    async fn go_on(&mut self, client: &HttpClient) -> Result<String, EnvError> {
        let Self { url, part, .. } = *self;
        let mut hasher = Sha256::new();
        let mut have = hash_of_part(part, &mut hasher).map_err(EnvError::io(part))?;
        if self.fits(have).is_err() {
            let emptied = OpenOptions::new().write(true).truncate(true).open(part);
            emptied.map_err(EnvError::io(part))?;
            (hasher, have) = (Sha256::new(), 0);
        }
        let Some(mut answer) = client.get_from(url, have).await? else {
            // The part is already the whole file.
            return Ok(hex(&hasher.finalize()));
        };
        if have > 0 && answer.status() != StatusCode::PARTIAL_CONTENT {
            (hasher, have) = (Sha256::new(), 0);
        }
        self.fits(have.saturating_add(answer.content_length().unwrap_or(0)))?;
        let mut file = self.open(have)?;
        self.report(have);
        let mut since = (Instant::now(), have);
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| unreachable(url, cause(&error)))?
        {
            if interrupted() {
                return Err(EnvError::System(Failure::Interrupted));
            }
            have = have.saturating_add(chunk.len() as u64);
            self.fits(have)?;
            file.write_all(&chunk).map_err(EnvError::io(part))?;
            hasher.update(&chunk);
            note_received(chunk.len() as u64);
            self.report(have);
            if since.0.elapsed() > PATIENCE {
                if have - since.1 < TRICKLE {
                    let reason = message!("it sent next to nothing in {} s", PATIENCE.as_secs());
                    return Err(unreachable(url, reason));
                }
                since = (Instant::now(), have);
            }
        }
        Ok(hex(&hasher.finalize()))
    }

    /// Takes the file from a folder and returns its hash.
    fn copy(&mut self, from: &Path) -> Result<String, EnvError> {
        let is_file = Real.stat(from).is_ok_and(|stat| stat.kind != FileKind::Other);
        let mut source = match is_file {
            true => Real.open(from).map_err(EnvError::io(from))?,
            false => return Err(EnvError::io(from)(std::io::ErrorKind::NotFound.into())),
        };
        let mut file = self.open(0)?;
        let mut hasher = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        let mut have = 0;
        loop {
            let read = source.read(&mut buffer).map_err(EnvError::io(from))?;
            if read == 0 {
                return Ok(hex(&hasher.finalize()));
            }
            if interrupted() {
                return Err(EnvError::System(Failure::Interrupted));
            }
            have += read as u64;
            self.fits(have)?;
            file.write_all(&buffer[..read]).map_err(EnvError::io(self.part))?;
            hasher.update(&buffer[..read]);
            self.report(have);
        }
    }

    /// Whether a file may be that long: no longer than the lock says, or than any package is.
    fn fits(&self, length: u64) -> Result<(), EnvError> {
        let most = self.size.unwrap_or(LARGEST);
        if length <= most {
            return Ok(());
        }
        Err(EnvError::TooLong { file: self.file.clone(), most })
    }

    /// The part, from this byte on; nobody else reads it.
    fn open(&self, start: u64) -> Result<File, EnvError> {
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(start == 0).mode(0o600);
        let open = || {
            let mut file = options.open(self.part)?;
            std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(start))?;
            Ok(file)
        };
        open().map_err(EnvError::io(self.part))
    }

    fn report(&mut self, have: u64) {
        self.progress.bytes(have.saturating_sub(self.counted));
        self.counted = self.counted.max(have);
    }
}

/// Feeds what is already there to the hasher; returns its length.
fn hash_of_part(part: &Path, hasher: &mut Sha256) -> std::io::Result<u64> {
    let Ok(mut file) = File::open(part) else { return Ok(0) };
    let mut buffer = vec![0; 1 << 20];
    let mut length = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(length);
        }
        hasher.update(&buffer[..read]);
        length += read as u64;
    }
}
