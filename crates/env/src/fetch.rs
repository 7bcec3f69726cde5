//! Downloads: in parallel, resumed where they broke off, checked against their hash before they count.
#![expect(
    clippy::disallowed_methods,
    reason = "downloads write their own files; System::permit has been asked before"
)]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use aitk_system::{Real, System, interrupted};
use async_trait::async_trait;
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::Extensions;
use rattler_networking::AuthenticationMiddleware;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Certificate, Request, Response, StatusCode};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::Settings;
use crate::error::EnvError;
use crate::lock::Locked;
use crate::received::note_received;
use crate::secrets::{Opener, stored};

/// How many downloads run at a time.
const PARALLEL: usize = 8;
/// How often it is looked whether the user wants to stop.
const BEAT: Duration = Duration::from_millis(100);
/// How often a broken download is taken up again.
const TRIES: u32 = 4;
/// As much as a small file may have, in bytes.
const SMALL: usize = 1 << 20;
/// How long a server may take to accept.
const CONNECT: Duration = Duration::from_secs(4);
/// How long it may then send nothing at all: in the middle of a download …
const SILENCE: Duration = Duration::from_secs(30);
/// … and while a plan is made, which somebody is waiting for.
pub(crate) const HESITATION: Duration = Duration::from_secs(4);

/// What a download reports while it runs.
pub trait FetchProgress: Sync {
    /// So many more bytes are there.
    fn bytes(&self, more: u64);
}

/// Talks HTTP with the system's certificates, the environment's proxies and the user's stored credentials.
#[derive(Debug, Clone)]
pub struct Client {
    http: ClientWithMiddleware,
}

impl Client {
    /// A client for downloads.
    ///
    /// # Errors
    /// Where the system's certificates cannot be read.
    pub fn new(settings: &Settings) -> Result<Self, EnvError> {
        Self::patient(settings, SILENCE)
    }

    /// A client for the questions of a plan: a source that stays silent is given up soon, and not asked again.
    pub(crate) fn asking(settings: &Settings) -> Result<Self, EnvError> {
        let Self { http } = Self::patient(settings, HESITATION)?;
        Ok(Self { http: ClientBuilder::from_client(http).with(GivenUp::default()).build() })
    }

    fn patient(settings: &Settings, silence: Duration) -> Result<Self, EnvError> {
        // A second call finds the provider in place, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = || {
            reqwest::Client::builder()
                .user_agent(concat!("aitk/", env!("CARGO_PKG_VERSION")))
                // One connection a download: several large files in one HTTP/2 connection wait for each other.
                .http1_only()
                .connect_timeout(CONNECT)
                .read_timeout(silence)
        };
        let told = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| Real.env(name).is_some());
        let built = match builder().build() {
            // A minimal system has no certificates until its package is there.
            Err(_) if !told => builder().tls_certs_only(public_certificates()).build(),
            built => built,
        };
        let http = built.map_err(|error| EnvError::Unreachable {
            source_name: "the network".to_owned(),
            reason: cause(&error),
        })?;
        // What an address was given with has the last word.
        let stored = AuthenticationMiddleware::from_auth_storage(stored());
        Ok(Self { http: ClientBuilder::new(http).with(stored).with(Opener::new(settings)).build() })
    }

    /// The client itself, for those who ask their questions by themselves.
    pub(crate) fn into_http(self) -> ClientWithMiddleware {
        self.http
    }

    /// The status with which a source answers, or why it does not.
    pub(crate) async fn head(&self, url: &str) -> Result<StatusCode, String> {
        let answer = self.http.head(url).send().await;
        answer.map(|answer| answer.status()).map_err(|error| cause(&error))
    }

    /// Asks for a page or a part of a file.
    ///
    /// # Errors
    /// [`EnvError::Unreachable`] where nothing useful comes back.
    pub(crate) async fn get(
        &self,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Response, EnvError> {
        let mut request = self.http.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.map_err(|error| unreachable(url, &cause(&error)))?;
        useful(url, answer)
    }

    /// Asks for a file from a byte on; `None` where it has no more than what comes before that.
    async fn get_from(&self, url: &str, start: u64) -> Result<Option<Response>, EnvError> {
        let request = self.http.get(url);
        let request =
            if start > 0 { request.header(RANGE, format!("bytes={start}-")) } else { request };
        let answer = request.send().await.map_err(|error| unreachable(url, &cause(&error)))?;
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(None);
        }
        useful(url, answer).map(Some)
    }
}

/// An answer with something in it.
fn useful(url: &str, answer: Response) -> Result<Response, EnvError> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let file = url.split(['?', '#']).next().and_then(|path| path.rsplit('/').next());
    let file = file.unwrap_or_default();
    Err(unreachable(url, &format!("it answers {} for {file}", answer.status())))
}

/// The places that were silent once: waiting for each of a hundred answers from there would take as often as long.
#[derive(Default)]
struct GivenUp(Mutex<BTreeSet<String>>);

#[derive(Debug, thiserror::Error)]
#[error("nothing came within {} s", HESITATION.as_secs())]
struct Silent;

#[async_trait]
impl Middleware for GivenUp {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let place = request.url().origin().ascii_serialization();
        let places = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places().contains(&place) {
            return Err(reqwest_middleware::Error::middleware(Silent));
        }
        match next.run(request, extensions).await {
            Err(reqwest_middleware::Error::Reqwest(error)) if error.is_timeout() => {
                places().insert(place);
                Err(reqwest_middleware::Error::middleware(Silent))
            }
            answer => answer,
        }
    }
}

/// Those that browsers trust.
fn public_certificates() -> impl Iterator<Item = Certificate> {
    let all = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    all.filter_map(|certificate| Certificate::from_der(certificate).ok())
}

/// A URL without user name and password, for messages.
fn host_of(url: &str) -> String {
    match reqwest::Url::parse(url) {
        Ok(url) => url.host_str().map_or_else(String::new, |host| match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }),
        Err(_) => "the source".to_owned(),
    }
}

fn unreachable(url: &str, reason: &str) -> EnvError {
    EnvError::Unreachable { source_name: host_of(url), reason: reason.to_owned() }
}

/// The innermost reason of an error, which is the one that helps.
fn cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Runs asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EnvError::io(PathBuf::from("the runtime")))?;
    runtime.block_on(unless_interrupted(work))
}

/// Runs asynchronous work that computes as well, on all processors, to its end.
pub(crate) fn block_on_threads<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(EnvError::io(PathBuf::from("the runtime")))?;
    runtime.block_on(unless_interrupted(work))
}

/// Leaves work where it is once the user wants to stop: what is half-built or half-downloaded is told from what is
/// whole.
async fn unless_interrupted<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    let stop = async {
        while !interrupted() {
            tokio::time::sleep(BEAT).await;
        }
    };
    match select(pin!(work), pin!(stop)).await {
        Either::Left((done, _)) => Ok(done),
        Either::Right(_) => Err(EnvError::Interrupted),
    }
}

/// Runs work that computes and does not look up by itself; `stop` makes it end early, once the user wants to.
pub(crate) fn once_interrupted<T>(stop: impl FnOnce() + Send, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        // Its other end goes when the work is done.
        let (working, ended) = mpsc::channel::<()>();
        // Without a thread to spare it ends when it is done.
        let _ = thread::Builder::new().spawn_scoped(scope, move || {
            while ended.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                if interrupted() {
                    return stop();
                }
            }
        });
        let done = work();
        drop(working);
        done
    })
}

/// Downloads what is not yet in `folder`, each under its own file name, and checks every file's hash.
///
/// # Errors
/// The first failure; what is complete by then stays, what is not is taken up again next time.
pub fn fetch_all(
    client: &Client,
    packages: &[&Locked],
    folder: &Path,
    offline: bool,
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    fetch_each(client, packages, folder, offline, progress, |_| async { Ok(()) })
}

/// Like [`fetch_all`], and does with every file what is to be done `then`, while others still come in.
pub(crate) fn fetch_each<'a, F: Future<Output = Result<(), EnvError>>>(
    client: &Client,
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
        let anew = seen.insert(package.filename());
        let missing = anew && !package.is_in(folder, &Real);
        if missing && offline {
            return Err(EnvError::Offline { what: package.filename() });
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
    let secure = |url: &Url| match url.host() {
        _ if url.scheme() == "https" => true,
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if settings.offline {
        return Err(EnvError::Offline { what: url.to_owned() });
    }
    if !Url::parse(url).is_ok_and(|url| secure(&url)) {
        return Err(unreachable(url, "its address does not begin with https"));
    }
    let client = Client::asking(settings)?;
    block_on(async {
        let mut answer = client.get(url, &[]).await?;
        let mut file = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| unreachable(url, &cause(&error)))?
        {
            file.extend_from_slice(&chunk);
            if file.len() > SMALL {
                return Err(unreachable(url, "it sends far more than was asked for"));
            }
        }
        Ok(file)
    })?
}

async fn fetch(
    client: &Client,
    locked: &Locked,
    folder: &Path,
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    let file = locked.filename();
    let Some(expected) = &locked.package.sha256 else { return Err(EnvError::NoHash { file }) };
    let url = locked.package.url.as_deref().unwrap_or_default();
    // Beside the folder and not in it: uv reads the folder while other downloads still go on.
    let parts = folder.with_file_name("parts");
    fs::create_dir_all(&parts).map_err(EnvError::io(&parts))?;
    let part = parts.join(format!("{}-{file}", &expected[..expected.len().min(12)]));
    let mut tries = 1;
    let mut counted = 0;
    if let Some(path) = Url::parse(url).ok().and_then(|url| url.to_file_path().ok()) {
        fs::copy(&path, &part).map_err(EnvError::io(path))?;
    }
    let found = loop {
        let here = url.starts_with("file:");
        let fetched = match here {
            true => hash_of(&part).map_err(EnvError::io(&part)),
            false => continue_part(client, url, &part, progress, &mut counted).await,
        };
        match fetched {
            Ok(found) => break found,
            Err(error @ EnvError::Unreachable { .. }) if tries < TRIES && !interrupted() => {
                tracing::debug!(file, %error, "taken up again");
                tokio::time::sleep(Duration::from_millis(250 << tries)).await;
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    };
    if found != *expected {
        let _ = fs::remove_file(&part);
        return Err(EnvError::WrongHash { file, expected: expected.clone(), found });
    }
    let whole = folder.join(&file);
    fs::rename(&part, &whole).map_err(EnvError::io(&whole))?;
    let mark = mark_of(folder, &file);
    fs::create_dir_all(mark.parent().unwrap_or(folder)).map_err(EnvError::io(&mark))?;
    fs::write(&mark, expected).map_err(EnvError::io(&mark))
}

/// Where the hash of a whole file is noted: two files of one name, from two indexes, differ by nothing else.
pub(crate) fn mark_of(folder: &Path, file: &str) -> PathBuf {
    folder.with_file_name("hashes").join(file)
}

/// Downloads the rest of a file and returns the hash of the whole. `counted` keeps what was reported before.
async fn continue_part(
    client: &Client,
    url: &str,
    part: &Path,
    progress: &dyn FetchProgress,
    counted: &mut u64,
) -> Result<String, EnvError> {
    let mut hasher = Sha256::new();
    let mut have = hash_of_part(part, &mut hasher).map_err(EnvError::io(part))?;
    let Some(mut answer) = client.get_from(url, have).await? else {
        // The part is already the whole file.
        return Ok(hex(&hasher.finalize()));
    };
    if have > 0 && answer.status() != StatusCode::PARTIAL_CONTENT {
        hasher = Sha256::new();
        have = 0;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(have == 0)
        .append(false)
        .open(part)
        .map_err(EnvError::io(part))?;
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(have)).map_err(EnvError::io(part))?;
    progress.bytes(have.saturating_sub(*counted));
    *counted = (*counted).max(have);
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| unreachable(url, &cause(&error)))?
    {
        if interrupted() {
            return Err(EnvError::Interrupted);
        }
        file.write_all(&chunk).map_err(EnvError::io(part))?;
        hasher.update(&chunk);
        have += chunk.len() as u64;
        note_received(chunk.len() as u64);
        progress.bytes(have.saturating_sub(*counted));
        *counted = (*counted).max(have);
    }
    Ok(hex(&hasher.finalize()))
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

/// The hash of a whole file.
pub(crate) fn hash_of(path: &Path) -> std::io::Result<String> {
    let mut hasher = Sha256::new();
    File::open(path)?;
    hash_of_part(path, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

/// Unpacks the program of an archive whose name ends so, without holding it in memory.
pub(crate) fn unpack(archive: &Path, ending: &str, to: &Path) -> Result<(), EnvError> {
    let broken = |error: zip::result::ZipError| EnvError::io(archive)(error.into());
    let file = File::open(archive).map_err(EnvError::io(archive))?;
    let mut zip = zip::ZipArchive::new(file).map_err(broken)?;
    let name = zip.file_names().filter_map(Result::ok).find(|name| name.ends_with(ending));
    let name = name.map(std::borrow::Cow::into_owned).unwrap_or_default();
    let mut entry = zip.by_name(&name).map_err(broken)?;
    beside(to, |part| std::io::copy(&mut entry, &mut File::create(part)?).map(drop))
}

/// Puts a program where it stays: shares the file where both are on one file system, else copies it.
pub(crate) fn place(from: &Path, to: &Path) -> Result<(), EnvError> {
    beside(to, |part| fs::hard_link(from, part).or_else(|_| fs::copy(from, part).map(drop)))
}

/// Makes a program beside its place and renames it there, so that it is whole or not at all.
fn beside(to: &Path, make: impl FnOnce(&Path) -> std::io::Result<()>) -> Result<(), EnvError> {
    let part = to.with_extension("part");
    let whole = || {
        fs::create_dir_all(to.parent().unwrap_or(to))?;
        let _ = fs::remove_file(&part);
        make(&part)?;
        fs::set_permissions(&part, fs::Permissions::from_mode(0o700))?;
        File::open(&part)?.sync_all()?;
        fs::rename(&part, to)
    };
    whole().map_err(EnvError::io(to))
}

/// What a source sends, where that is no more than it may be, in bytes.
pub(crate) async fn start_of(answer: &mut Response, most: u64) -> Result<Vec<u8>, EnvError> {
    let place = answer.url().to_string();
    let mut sent = Vec::new();
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| unreachable(&place, &cause(&error)))?
    {
        sent.extend_from_slice(&chunk);
        if sent.len() as u64 > most {
            return Err(unreachable(&place, "it sends far more than was asked for"));
        }
    }
    Ok(sent)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The total that a `Content-Range` header names.
pub(crate) fn total_of(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.rsplit('/').next()?.parse().ok()
}
