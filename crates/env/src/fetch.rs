//! Downloads: in parallel, resumed where they broke off, checked against their hash before they count.
#![expect(
    clippy::disallowed_methods,
    reason = "downloads write their own files; System::permit has been asked before"
)]

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use aitk_plan::lock::LARGEST;
use aitk_plan::{LockError, Locked, Package, names};
use aitk_system::{FileKind, Message, Real, System, Told, inside, interrupted, message};
use async_trait::async_trait;
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use http::Extensions;
use rattler_networking::AuthenticationMiddleware;
use reqwest::header::{
    CONTENT_RANGE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use reqwest::redirect::Policy;
use reqwest::{Body, Certificate, Request, Response, ResponseBuilderExt, StatusCode};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use crate::Settings;
use crate::archive::check_wheel;
use crate::error::EnvError;
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
/// How long a download may bring less than [`TRICKLE`] bytes: what comes that slowly never ends.
const PATIENCE: Duration = Duration::from_secs(120);
const TRICKLE: u64 = 16 << 10;
/// As much as an answer to a question may have, in bytes: what the largest channel offers, unpacked, has a third of it.
const LONGEST: u64 = 2 << 30;
/// How often a source may send on to another place.
const REDIRECTS: usize = 10;

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
        let http = ClientBuilder::from_client(http).with(GivenUp::default()).with(Careful);
        Ok(Self { http: http.build() })
    }

    /// A client that asks nobody.
    pub(crate) fn closed() -> ClientWithMiddleware {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let nothing = reqwest::Client::builder().tls_certs_only([]).build();
        // A builder without certificates reads nothing that could fail.
        ClientBuilder::new(nothing.unwrap_or_default()).with(Closed).build()
    }

    fn patient(settings: &Settings, silence: Duration) -> Result<Self, EnvError> {
        // A second call finds the provider in place, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let secure = Secure::new(settings);
        let builder = || {
            let secure = secure.clone();
            let redirect = Policy::custom(move |attempt| {
                if attempt.previous().len() > REDIRECTS {
                    attempt.error(Refusal::TooFar)
                } else if secure.may(attempt.url()) {
                    attempt.follow()
                } else {
                    attempt.error(Refusal::Open)
                }
            });
            reqwest::Client::builder()
                .redirect(redirect)
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
            source_name: message!("the network"),
            reason: cause(&error),
        })?;
        // What an address was given with has the last word.
        let stored = AuthenticationMiddleware::from_auth_storage(stored());
        let http = ClientBuilder::new(http).with(secure).with(stored).with(Opener::new(settings));
        Ok(Self { http: http.build() })
    }

    /// The client itself, for those who ask their questions by themselves.
    pub(crate) fn into_http(self) -> ClientWithMiddleware {
        self.http
    }

    /// The status with which a source answers, or why it does not.
    pub(crate) async fn head(&self, url: &str) -> Result<StatusCode, Message> {
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
        let answer = request.send().await.map_err(|error| unreachable(url, cause(&error)))?;
        useful(url, answer)
    }

    /// Asks for a file from a byte on; `None` where it has no more than what comes before that.
    async fn get_from(&self, url: &str, start: u64) -> Result<Option<Response>, EnvError> {
        let request = self.http.get(url);
        let request =
            if start > 0 { request.header(RANGE, format!("bytes={start}-")) } else { request };
        let answer = request.send().await.map_err(|error| unreachable(url, cause(&error)))?;
        if answer.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Ok(None);
        }
        if let StatusCode::NOT_FOUND | StatusCode::GONE = answer.status() {
            let (source_name, status) = (host_of(url), answer.status().to_string());
            return Err(EnvError::Gone { source_name, status, file: file_of(url).to_owned() });
        }
        useful(url, answer).map(Some)
    }
}

/// The name of the file at an address.
fn file_of(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// An answer with something in it.
fn useful(url: &str, answer: Response) -> Result<Response, EnvError> {
    if answer.status().is_success() {
        return Ok(answer);
    }
    let file = file_of(url);
    Err(unreachable(url, message!("it answers {} for {file}", answer.status())))
}

/// The places that were silent once: waiting for each of a hundred answers from there would take as often as long.
#[derive(Default)]
struct GivenUp(Mutex<BTreeSet<String>>);

/// Why aitk itself takes no answer: it stands innermost in the errors of the libraries in between.
#[derive(Debug, Clone, Copy)]
enum Refusal {
    /// Somebody else could read or change what comes.
    Open,
    /// It leads from place to place.
    TooFar,
    /// More comes than was asked for.
    TooMuch,
    /// Nothing comes.
    Silent,
    /// It is not in the cache, and no source is to be asked.
    Gone,
}

impl Told for Refusal {
    fn told(&self) -> Message {
        match self {
            Self::Open => message!("its address does not begin with https"),
            Self::TooFar => message!("it sends on from place to place"),
            Self::TooMuch => message!("it sends far more than was asked for"),
            Self::Silent => message!("nothing came within {} s", HESITATION.as_secs()),
            Self::Gone => message!("it is not in the cache any more"),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told().fmt(f)
    }
}

impl std::error::Error for Refusal {}

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
            return Err(reqwest_middleware::Error::middleware(Refusal::Silent));
        }
        match next.run(request, extensions).await {
            Err(reqwest_middleware::Error::Reqwest(error)) if error.is_timeout() => {
                places().insert(place);
                Err(reqwest_middleware::Error::middleware(Refusal::Silent))
            }
            answer => answer,
        }
    }
}

/// Lets through what is encrypted, what stays on this machine, and the places that settings name with `http`.
#[derive(Debug, Clone)]
struct Secure(std::sync::Arc<Vec<url::Origin>>);

impl Secure {
    fn new(settings: &Settings) -> Self {
        let indexes = [&settings.index_url, &settings.torch_index, &settings.channel_alias];
        let lists = settings.channels.iter().chain(&settings.more_indexes);
        let named = indexes.into_iter().flatten().chain(lists);
        let origins = named.filter_map(|address| Some(Url::parse(address).ok()?.origin()));
        Self(std::sync::Arc::new(origins.collect()))
    }

    fn may(&self, url: &Url) -> bool {
        is_secure(url) || url.scheme() == "http" && self.0.contains(&url.origin())
    }
}

/// Whether nobody on the way can read or change what comes from there.
fn is_secure(url: &Url) -> bool {
    match url.host() {
        _ if url.scheme() == "https" => true,
        _ if url.scheme() != "http" => false,
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[async_trait]
impl Middleware for Secure {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if self.may(request.url()) {
            next.run(request, extensions).await
        } else {
            Err(reqwest_middleware::Error::middleware(Refusal::Open))
        }
    }
}

/// For whoever is to find everything in the cache.
struct Closed;

#[async_trait]
impl Middleware for Closed {
    async fn handle(
        &self,
        _: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        Err(reqwest_middleware::Error::middleware(Refusal::Gone))
    }
}

/// Takes answers as servers give them, old and hostile ones too: one that says "not modified" of nothing that it names
/// is asked again without condition, and one that does not end is ended.
struct Careful;

#[async_trait]
impl Middleware for Careful {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let again = request.try_clone();
        let answer = next.clone().run(request, extensions).await?;
        let names = |header| answer.headers().contains_key(header);
        let is_vague =
            answer.status() == StatusCode::NOT_MODIFIED && !names(ETAG) && !names(LAST_MODIFIED);
        let answer = match again {
            Some(mut request) if is_vague => {
                request.headers_mut().remove(IF_NONE_MATCH);
                request.headers_mut().remove(IF_MODIFIED_SINCE);
                next.run(request, extensions).await?
            }
            _ => answer,
        };
        limited(answer)
    }
}

/// The answer, which ends with an error where it becomes too long. One that says how long it is cannot be longer.
fn limited(answer: Response) -> reqwest_middleware::Result<Response> {
    match answer.content_length() {
        Some(length) if length <= LONGEST => return Ok(answer),
        Some(_) => return Err(reqwest_middleware::Error::middleware(Refusal::TooMuch)),
        None => {}
    }
    let mut whole = http::Response::builder().status(answer.status()).version(answer.version());
    for (name, value) in answer.headers() {
        whole = whole.header(name, value);
    }
    let whole = whole.url(answer.url().clone());
    let mut left = LONGEST;
    let body = answer.bytes_stream().map(move |chunk| {
        let chunk = chunk.map_err(std::io::Error::other)?;
        let rest = left.checked_sub(chunk.len() as u64);
        left = rest.ok_or_else(|| std::io::Error::other(Refusal::TooMuch))?;
        Ok::<_, std::io::Error>(chunk)
    });
    let whole = whole.body(Body::wrap_stream(body));
    Ok(whole.map_err(reqwest_middleware::Error::middleware)?.into())
}

/// Those that browsers trust.
fn public_certificates() -> impl Iterator<Item = Certificate> {
    let all = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    all.filter_map(|certificate| Certificate::from_der(certificate).ok())
}

/// A URL without user name and password, for messages.
fn host_of(url: &str) -> Message {
    match reqwest::Url::parse(url) {
        Ok(url) => url.host_str().map_or_else(Message::default, |host| match url.port() {
            Some(port) => Message::plain(format_args!("{host}:{port}")),
            None => Message::plain(host),
        }),
        Err(_) => message!("the source"),
    }
}

fn unreachable(url: &str, reason: Message) -> EnvError {
    EnvError::Unreachable { source_name: host_of(url), reason }
}

/// The innermost reason of an error, which is the one that helps.
fn cause(error: &(dyn std::error::Error + 'static)) -> Message {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let own = innermost.downcast_ref::<Refusal>();
    own.map_or_else(|| Message::plain(innermost), Told::told)
}

/// Runs asynchronous work to its end.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(EnvError::io_of(message!("the runtime")))?;
    runtime.block_on(unless_interrupted(work))
}

/// Runs asynchronous work that computes as well, on all processors, to its end.
pub(crate) fn block_on_threads<T>(work: impl Future<Output = T>) -> Result<T, EnvError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(EnvError::io_of(message!("the runtime")))?;
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
        return Err(unreachable(url, Refusal::Open.told()));
    }
    let client = Client::asking(settings)?;
    block_on(async {
        let mut answer = client.get(url, &[]).await?;
        let mut file = Vec::new();
        while let Some(chunk) =
            answer.chunk().await.map_err(|error| unreachable(url, cause(&error)))?
        {
            file.extend_from_slice(&chunk);
            if file.len() > SMALL {
                return Err(unreachable(url, Refusal::TooMuch.told()));
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
    client: &Client,
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
    let fetched = fetch_part(client, locked, &part, progress).await;
    let kept = fetched.and_then(|found| {
        if found != expected {
            let expected = expected.to_owned();
            return Err(EnvError::WrongHash { file: file.clone(), expected, found });
        }
        keep(&part, folder, &file, expected)
    });
    if !matches!(kept, Ok(()) | Err(EnvError::Interrupted | EnvError::Unreachable { .. })) {
        let _ = fs::remove_file(&part);
    }
    kept
}

/// Downloads a package, again and again where the source breaks off, and returns its hash.
async fn fetch_part(
    client: &Client,
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
    async fn go_on(&mut self, client: &Client) -> Result<String, EnvError> {
        let Self { url, part, .. } = *self;
        let mut hasher = Sha256::new();
        let mut have = hash_of_part(part, &mut hasher).map_err(EnvError::io(part))?;
        if self.fits(have).is_err() {
            fs::remove_file(part).map_err(EnvError::io(part))?;
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
                return Err(EnvError::Interrupted);
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
                return Err(EnvError::Interrupted);
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
        answer.chunk().await.map_err(|error| unreachable(&place, cause(&error)))?
    {
        sent.extend_from_slice(&chunk);
        if sent.len() as u64 > most {
            return Err(unreachable(&place, Refusal::TooMuch.told()));
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

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    use super::*;

    /// As Python's own server answers: 304 to every question with a condition, and nothing more.
    #[test]
    fn not_modified_without_a_word_of_what_is_asked_again_without_condition() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/repodata.json", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let head: Vec<_> =
                    lines.map(Result::unwrap).take_while(|l| !l.is_empty()).collect();
                let asks = |name: &str| head.iter().any(|l| l.to_lowercase().starts_with(name));
                let answer = match asks("if-modified-since") || asks("if-none-match") {
                    true => "HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n".to_owned(),
                    false => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"
                        .to_owned(),
                };
                stream.write_all(answer.as_bytes()).unwrap();
            }
        });
        let client = Client::asking(&Settings::default()).unwrap();
        let since =
            [("if-modified-since", "Sat, 01 Nov 2025 00:00:00 GMT"), ("if-none-match", "x")];
        let text = block_on(async { client.get(&address, &since).await.unwrap().text().await });
        assert_eq!(text.unwrap().unwrap(), "{}");
    }

    #[test]
    fn only_places_that_are_named_may_be_open() {
        let settings = Settings {
            index_url: Some("http://mirror.example:3141/simple".to_owned()),
            channels: vec!["conda-forge".to_owned(), "http://forge.example/c".to_owned()],
            ..Settings::default()
        };
        let secure = Secure::new(&settings);
        let may = |url: &str| secure.may(&Url::parse(url).unwrap());
        assert!(
            may("https://other.example/x") && may("http://127.0.0.1:9/x") && may("http://[::1]/x")
        );
        assert!(
            may("http://mirror.example:3141/files/x") && may("http://forge.example/c/noarch/x")
        );
        assert!(!may("http://mirror.example/x") && !may("http://other.example/x"));
        assert!(!may("http://127.0.0.1.example/x") && !may("ftp://forge.example/x"));
    }
}
