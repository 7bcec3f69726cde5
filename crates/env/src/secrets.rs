//! Credentials that addresses carry: taken out of what is shown and kept, put back into requests to the same place.

use std::fmt;
use std::sync::Arc;

use aitk_system::{Command, Real, System};
use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Extensions;
use http::header::{AUTHORIZATION, HeaderValue};
use percent_encoding::percent_decode_str;
use rattler_networking::AuthenticationStorage;
use rattler_networking::authentication_storage::backends::file::FileStorage;
use reqwest::{NoProxy, Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::Url;

use crate::Settings;
use crate::netrc::Netrc;

/// An address with what opens it. It is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential(Arc<str>);

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// The address of a proxy, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy(Credential);

impl Proxy {
    /// One from its address, as pip takes it: the scheme may be left out.
    pub fn new(address: &str) -> Self {
        let whole =
            if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        Self(Credential(whole.into()))
    }

    /// For the client: what stays on this machine and what variables leave out go without it.
    pub(crate) fn of_reqwest(&self) -> reqwest::Result<reqwest::Proxy> {
        let out = NoProxy::from_string(&format!("{LOOPBACK},{}", left_out()));
        Ok(reqwest::Proxy::all(&*self.0.0)?.no_proxy(out))
    }

    /// For a program: the variables that it is told by.
    pub(crate) fn tell(&self, command: Command) -> Command {
        let command = command.secret("ALL_PROXY", &*self.0.0);
        command.env("NO_PROXY", format!("{LOOPBACK},{}", left_out()))
    }
}

/// Names and addresses of this machine itself.
const LOOPBACK: &str = "localhost,127.0.0.1,::1";

/// What variables say goes without a proxy.
fn left_out() -> String {
    Real.env("NO_PROXY").or_else(|| Real.env("no_proxy")).unwrap_or_default()
}

impl Credential {
    /// What an open text has in place of the parts of it that open something.
    fn parts(&self) -> Vec<(String, String)> {
        let Ok(url) = Url::parse(&self.0) else { return Vec::new() };
        let open = without_secrets(&self.0).0;
        let mut parts = vec![(self.0.to_string(), open.clone()), (url.to_string(), open)];
        if let Some((user, _)) =
            self.0.split_once("://").and_then(|(_, rest)| rest.rsplit_once('@'))
        {
            parts.push((format!("{user}@"), String::new()));
        }
        parts.extend(token(&url).map(|token| (format!("/t/{token}"), String::new())));
        parts.extend(url.query().map(|query| (format!("?{query}"), String::new())));
        parts
    }
}

/// The address of a channel or an index without the user, password or token that it may carry, in its path or behind it,
/// and what it carried.
pub fn without_secrets(address: &str) -> (String, Option<Credential>) {
    let Ok(mut url) = Url::parse(address) else { return (without_user(address), None) };
    let is_open = token(&url).is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if is_open || url.cannot_be_a_base() {
        return (address.to_owned(), None);
    }
    if let Some(path) = without_token(&url) {
        url.set_path(&path);
    }
    url.set_query(None);
    url.set_fragment(None);
    // Neither fails for an address that can be a base.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (url.to_string().trim_end_matches('/').to_owned(), Some(Credential(address.into())))
}

/// What is no address, as one with a `#` in its password, is not shown whole either.
fn without_user(address: &str) -> String {
    match (address.find("://"), address.rfind('@')) {
        (Some(scheme), Some(at)) if scheme + 3 <= at => {
            format!("{}{}", &address[..scheme + 3], &address[at + 1..])
        }
        _ => address.to_owned(),
    }
}

/// The token of an address as anaconda's servers and their mirrors have it: `…/t/TOKEN/channel`.
fn token(url: &Url) -> Option<&str> {
    let mut parts = url.path_segments()?;
    parts.by_ref().find(|part| *part == "t")?;
    let token = parts.next().filter(|token| !token.is_empty())?;
    parts.next().filter(|rest| !rest.is_empty()).map(|_| token)
}

/// The path without the token in it.
fn without_token(url: &Url) -> Option<String> {
    token(url).map(|token| url.path().replacen(&format!("/t/{token}/"), "/", 1))
}

impl Settings {
    /// An address as it was given with its credentials, if it was given with any.
    pub(crate) fn opened(&self, address: &str) -> Option<&str> {
        let secret = self.secrets.iter().find(|secret| without_secrets(&secret.0).0 == address);
        secret.map(|secret| &*secret.0)
    }

    /// What another program says, without what opens a source.
    pub(crate) fn hide(&self, said: &str) -> String {
        let parts = self.secrets.iter().flat_map(Credential::parts);
        parts.fold(said.to_owned(), |said, (secret, open)| said.replace(&secret, &open))
    }
}

/// Credentials that rattler and conda know, by `RATTLER_AUTH_FILE` and rattler's own file; then those of `.netrc`, which pip
/// and uv read as well.
pub(crate) fn stored(settings: &Settings) -> AuthenticationStorage {
    let mut storage = AuthenticationStorage::empty();
    let named = Real.env("RATTLER_AUTH_FILE").map(|file| FileStorage::from_path(file.into()));
    for file in named.into_iter().chain([FileStorage::new()]) {
        match file {
            Ok(file) => storage.add_backend(Arc::new(file)),
            Err(error) => tracing::warn!(%error, "stored credentials cannot be read"),
        }
    }
    if let Some(file) = &settings.netrc {
        storage.add_backend(Arc::new(Netrc::read(file)));
    }
    storage
}

/// Puts the credentials that addresses were given with into requests to the same scheme, host and port. Of several for
/// one place, the one whose address has most in common with the request's is taken.
pub(crate) struct Opener(Vec<Url>);

impl Opener {
    pub fn new(settings: &Settings) -> Self {
        Self(settings.secrets.iter().filter_map(|secret| Url::parse(&secret.0).ok()).collect())
    }

    fn open(&self, request: &mut Request) {
        let url = request.url();
        let same_place = self.0.iter().filter(|secret| secret.origin() == url.origin());
        let Some(secret) = same_place.max_by_key(|secret| shared(secret, url)) else { return };
        let (query, path) =
            (secret.query().filter(|_| url.query().is_none()), opened_path(secret, url));
        if let Some(path) = path {
            request.url_mut().set_path(&path);
        }
        if query.is_some() {
            request.url_mut().set_query(query);
        }
        if !secret.username().is_empty() || secret.password().is_some() {
            let mut pair = percent_decode_str(secret.username()).collect::<Vec<u8>>();
            pair.push(b':');
            pair.extend(percent_decode_str(secret.password().unwrap_or_default()));
            let basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair)));
            if let Ok(mut basic) = basic {
                basic.set_sensitive(true);
                request.headers_mut().insert(AUTHORIZATION, basic);
            }
        }
    }
}

/// The path of an address with the token of another one, at the same place in it.
fn opened_path(secret: &Url, url: &Url) -> Option<String> {
    let token = token(secret).filter(|_| token(url).is_none())?;
    let (before, _) = secret.path().split_once(&format!("/t/{token}/"))?;
    let rest = url.path().strip_prefix(before).filter(|rest| rest.starts_with('/'))?;
    Some(format!("{before}/t/{token}{rest}"))
}

/// How many parts of their paths two addresses share.
fn shared(secret: &Url, url: &Url) -> usize {
    let open = without_token(secret).unwrap_or_else(|| secret.path().to_owned());
    let (one, other) = (open.trim_matches('/').split('/'), url.path().trim_matches('/').split('/'));
    one.zip(other).take_while(|(one, other)| one == other).count()
}

#[async_trait]
impl Middleware for Opener {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.open(&mut request);
        next.run(request, extensions).await
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;

    #[test]
    fn secrets_leave_an_address() {
        for (given, open) in [
            ("conda-forge", "conda-forge"),
            ("https://mirror.example/conda-forge", "https://mirror.example/conda-forge"),
            ("https://mirror.example/t/ab-12/conda-forge", "https://mirror.example/conda-forge"),
            ("https://me:secret@mirror.example/get/own/", "https://mirror.example/get/own"),
            ("http://me:secret@mirror.example:8080/own", "http://mirror.example:8080/own"),
            ("/srv/channel", "/srv/channel"),
            ("https://mirror.example/x/t/ab-12/simple/", "https://mirror.example/x/simple"),
            ("https://mirror.example/simple?token=ab-12", "https://mirror.example/simple"),
            ("https://mirror.example/simple#ab-12", "https://mirror.example/simple"),
            ("https://mirror.example/t/simple", "https://mirror.example/t/simple"),
        ] {
            let (address, secret) = without_secrets(given);
            assert_eq!(address, open);
            assert_eq!(secret.is_some(), given != open, "{given}");
            assert!(!format!("{secret:?}").contains("ab-12"));
        }
        // No address, as the port would be `pa`; it is not shown nevertheless.
        assert_eq!(without_secrets("http://me:pa#ss@host/x").0, "http://host/x");
    }

    /// What is sent to an address, where these were given with credentials.
    fn sent(given: &[&str], to: &str) -> (String, Option<String>) {
        let secrets = given.iter().filter_map(|address| without_secrets(address).1).collect();
        let opener = Opener::new(&Settings { secrets, ..Settings::default() });
        let mut request = Request::new(Method::GET, Url::parse(to).unwrap());
        opener.open(&mut request);
        let basic = request.headers().get(AUTHORIZATION).map(|value| {
            let value = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
            String::from_utf8(STANDARD.decode(value).unwrap()).unwrap()
        });
        (request.url().to_string(), basic)
    }

    #[test]
    fn credentials_go_where_they_were_given_for_and_nowhere_else() {
        let given =
            ["http://me:p%40ss@127.0.0.1:8001/simple", "http://127.0.0.1:8002/t/tok/conda-forge"];
        let basic = |to: &str| sent(&given, to).1;
        assert_eq!(basic("http://127.0.0.1:8001/files/a.whl").as_deref(), Some("me:p@ss"));
        assert_eq!(basic("http://127.0.0.1:8002/conda-forge/x"), None);
        assert_eq!(basic("http://127.0.0.1/files/a.whl"), None);
        assert_eq!(basic("http://other.example:8001/files/a.whl"), None);
        let with_token = sent(&given, "http://127.0.0.1:8002/conda-forge/noarch/a.conda").0;
        assert_eq!(with_token, "http://127.0.0.1:8002/t/tok/conda-forge/noarch/a.conda");
        assert_eq!(sent(&given, &with_token).0, with_token, "not twice");
    }

    #[test]
    fn a_token_goes_behind_the_address_again_and_out_of_what_is_said() {
        let given =
            ["http://127.0.0.1:8001/simple?token=s3cret", "http://127.0.0.1:8002/x/t/tok/simple"];
        let to = |address: &str| sent(&given, address).0;
        let page = "http://127.0.0.1:8001/simple/six/";
        assert_eq!(to(page), format!("{page}?token=s3cret"));
        assert_eq!(to(&format!("{page}?own=1")), format!("{page}?own=1"));
        assert_eq!(
            to("http://127.0.0.1:8002/x/simple/six/"),
            "http://127.0.0.1:8002/x/t/tok/simple/six/"
        );
        assert_eq!(to("http://127.0.0.1:8002/files/a.whl"), "http://127.0.0.1:8002/files/a.whl");
        let secrets = given.iter().filter_map(|address| without_secrets(address).1).collect();
        let settings = Settings { secrets, ..Settings::default() };
        let said =
            "Failed to fetch: http://127.0.0.1:8001/simple/six/?token=s3cret and /x/t/tok/simple";
        assert_eq!(
            settings.hide(said),
            "Failed to fetch: http://127.0.0.1:8001/simple/six/ and /x/simple"
        );
    }

    #[test]
    fn two_channels_of_one_host_have_their_own() {
        let given = ["https://me:one@host.example/first", "https://me:two@host.example/second"];
        let basic = |to: &str| sent(&given, to).1.unwrap();
        assert_eq!(basic("https://host.example/first/noarch/repodata.json"), "me:one");
        assert_eq!(basic("https://host.example/second/noarch/repodata.json"), "me:two");
    }
}
