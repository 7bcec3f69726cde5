//! Talks HTTP: encrypted, with the sources' credentials, never for longer than it takes to see that nobody answers.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aitk_system::{Message, ToMessage, message};
use async_trait::async_trait;
use futures_util::stream::StreamExt;
use http::Extensions;
use rattler_networking::AuthenticationMiddleware;
use reqwest::header::{
    CONTENT_RANGE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, RANGE,
};
use reqwest::redirect::Policy;
use reqwest::{Body, Request, Response, ResponseBuilderExt, StatusCode};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use url::{Host, Url};

use crate::Settings;
use crate::certificates::{known_by, trust};
use crate::error::EnvError;
use crate::reasons::silence;
use crate::secrets::{Opener, stored};

/// How long a server may take to accept.
const CONNECT: Duration = Duration::from_secs(4);
/// How long it may then send nothing at all: in the middle of a download …
const SILENCE: Duration = Duration::from_secs(30);
/// … and while a plan is made, which somebody is waiting for.
pub(crate) const HESITATION: Duration = Duration::from_secs(4);
/// As much as an answer to a question may have, in bytes: what the largest channel offers, unpacked, has a third of it.
const LONGEST: u64 = 2 << 30;
/// How often a source may send on to another place.
const REDIRECTS: usize = 10;

/// Talks HTTP with the system's certificates, the environment's proxies and the user's stored credentials.
#[derive(Debug, Clone)]
pub struct HttpClient {
    http: ClientWithMiddleware,
}

impl HttpClient {
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
        let may = secure.clone();
        let redirect = Policy::custom(move |attempt| {
            if attempt.previous().len() > REDIRECTS {
                attempt.error(HttpRefusal::TooFar)
            } else if may.may(attempt.url()) {
                attempt.follow()
            } else {
                attempt.error(HttpRefusal::Open)
            }
        });
        let builder = reqwest::Client::builder()
            .redirect(redirect)
            .user_agent(concat!("aitk/", env!("CARGO_PKG_VERSION")))
            // One connection a download: several large files in one HTTP/2 connection wait for each other.
            .http1_only()
            .connect_timeout(CONNECT)
            .read_timeout(silence);
        let builder = known_by(trust(builder, settings), settings)?;
        let built = match settings.proxy.as_ref().map(|proxy| proxy.of_reqwest()) {
            Some(Ok(proxy)) => builder.proxy(proxy).build(),
            Some(Err(error)) => Err(error),
            None => builder.build(),
        };
        let http = built.map_err(|error| EnvError::Unreachable {
            source_name: message!("the network"),
            reason: cause(&error),
        })?;
        // What an address was given with has the last word.
        let stored = AuthenticationMiddleware::from_auth_storage(stored(settings));
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
        useful(url, self.ask(url, headers).await?)
    }

    /// The same for what need not be there; `None` where it is not.
    ///
    /// # Errors
    /// As those of [`Client::get`].
    pub(crate) async fn find(
        &self,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Option<Response>, EnvError> {
        let answer = self.ask(url, headers).await?;
        match answer.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
            _ => useful(url, answer).map(Some),
        }
    }

    async fn ask(&self, url: &str, headers: &[(&str, &str)]) -> Result<Response, EnvError> {
        let mut request = self.http.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.map_err(|error| unreachable(url, cause(&error)))
    }

    /// Asks for a file from a byte on; `None` where it has no more than what comes before that.
    pub(crate) async fn get_from(
        &self,
        url: &str,
        start: u64,
    ) -> Result<Option<Response>, EnvError> {
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
pub(crate) enum HttpRefusal {
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

impl ToMessage for HttpRefusal {
    fn to_message(&self) -> Message {
        match self {
            Self::Open => message!("its address does not begin with https"),
            Self::TooFar => message!("it sends on from place to place"),
            Self::TooMuch => message!("it sends far more than was asked for"),
            Self::Silent => message!("nothing came within {} s", HESITATION.as_secs()),
            Self::Gone => message!("it is not in the cache any more"),
        }
    }
}

impl fmt::Display for HttpRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_message().fmt(f)
    }
}

impl std::error::Error for HttpRefusal {}

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
            return Err(reqwest_middleware::Error::middleware(HttpRefusal::Silent));
        }
        match next.run(request, extensions).await {
            Err(reqwest_middleware::Error::Reqwest(error)) if error.is_timeout() => {
                places().insert(place);
                Err(reqwest_middleware::Error::middleware(HttpRefusal::Silent))
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
pub(crate) fn is_secure(url: &Url) -> bool {
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
            Err(reqwest_middleware::Error::middleware(HttpRefusal::Open))
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
        Err(reqwest_middleware::Error::middleware(HttpRefusal::Gone))
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
        Some(_) => return Err(reqwest_middleware::Error::middleware(HttpRefusal::TooMuch)),
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
        left = rest.ok_or_else(|| std::io::Error::other(HttpRefusal::TooMuch))?;
        Ok::<_, std::io::Error>(chunk)
    });
    let whole = whole.body(Body::wrap_stream(body));
    Ok(whole.map_err(reqwest_middleware::Error::middleware)?.into())
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

pub(crate) fn unreachable(url: &str, reason: Message) -> EnvError {
    EnvError::Unreachable { source_name: host_of(url), reason }
}

/// The innermost reason of an error, which is the one that helps.
pub(crate) fn cause(error: &(dyn std::error::Error + 'static)) -> Message {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        let here = match innermost.downcast_ref() {
            Some(reqwest_middleware::Error::Reqwest(error)) => Some(error),
            _ => innermost.downcast_ref::<reqwest::Error>(),
        };
        // Below it stands only "deadline has elapsed".
        if here.is_some_and(reqwest::Error::is_timeout) {
            return message!("nothing came for too long");
        }
        innermost = source;
    }
    let own = innermost.downcast_ref::<HttpRefusal>();
    own.map_or_else(|| silence(&innermost.to_string()), ToMessage::to_message)
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
            return Err(unreachable(&place, HttpRefusal::TooMuch.to_message()));
        }
    }
    Ok(sent)
}

/// The total that a `Content-Range` header names.
pub(crate) fn total_of(answer: &Response) -> Option<u64> {
    let range = answer.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    range.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::runtime::block_on;

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
        let client = HttpClient::asking(&Settings::default()).unwrap();
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
