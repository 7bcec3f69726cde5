//! Whom connections trust: the system's certificates, those that a variable names instead, and those that the user has
//! named for pip, curl or conda; and what the user shows to a source that asks for a certificate. What is fetched by aitk,
//! by uv and by a pip is fetched with the same.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aitk_system::{Command, Message, Real, System, message};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Certificate, ClientBuilder, Identity};

use crate::Settings;
use crate::error::EnvError;

/// Where Debian and Ubuntu keep all certificates that the system trusts.
const BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The letters in a line of a certificate.
const LINE: usize = 64;

/// A client that trusts whom the user does.
pub(crate) fn trust(builder: ClientBuilder, settings: &Settings) -> ClientBuilder {
    let named = settings.certificates.iter().flat_map(|file| read(file));
    match (has_certificates(), instead_of_lost()) {
        (true, Some(own)) => builder.tls_certs_only(own.into_iter().chain(named)),
        (true, None) => builder.tls_certs_merge(named),
        (false, _) => builder.tls_certs_only(public().chain(named)),
    }
}

/// A client that shows what the user has named for that.
///
/// # Errors
/// [`EnvError::ClientCertificate`] where that cannot be used.
pub(crate) fn known_by(
    builder: ClientBuilder,
    settings: &Settings,
) -> Result<ClientBuilder, EnvError> {
    let Some(client) = &settings.client else { return Ok(builder) };
    let bad = |reason: Message| EnvError::ClientCertificate {
        path: client.file.clone(),
        setting: client.setting.clone(),
        reason,
    };
    let mut all = Real.read(&client.file).map_err(|error| bad(Message::plain(error)))?;
    if let Some(key) = &client.key {
        all.push(b'\n');
        let key = Real
            .read(key)
            .map_err(|error| bad(Message::plain(format_args!("{}: {error}", key.display()))))?;
        all.extend(key);
    }
    // What it says of the reason may quote the file.
    let unread =
        message!("it has no certificate with its key in PEM form, or the key is encrypted");
    Ok(builder.identity(Identity::from_pem(&all).map_err(|_| bad(unread))?))
}

/// Tells a program what it is to show, by the variable that it reads. A key of conda's in a file of its own is for channels
/// alone, which no program is asked for.
pub(crate) fn tell(command: Command, variable: &str, settings: &Settings) -> Command {
    match settings.client.as_ref().filter(|client| client.key.is_none()) {
        Some(client) => command.env(variable, crate::text(&client.file)),
        None => command,
    }
}

/// The certificates in a file; none in one that is damaged.
fn read(file: &Path) -> Vec<Certificate> {
    let text = Real.read(file).unwrap_or_default();
    Certificate::from_pem_bundle(&text).unwrap_or_else(|error| {
        tracing::warn!("{} holds no certificates that can be read: {error}", file.display());
        Vec::new()
    })
}

/// The system's own certificates, where a variable names others that are not there: programs that are started are not
/// told of those either.
fn instead_of_lost() -> Option<Vec<Certificate>> {
    let named = Real.env("SSL_CERT_FILE").filter(|path| Real.stat(Path::new(path)).is_err());
    named.and_then(|_| Certificate::from_pem_bundle(&Real.read(Path::new(BUNDLE)).ok()?).ok())
}

/// Whether the system has certificates, or the user names some: a minimal system has none until their package is there.
pub(crate) fn has_certificates() -> bool {
    static HAS: LazyLock<bool> = LazyLock::new(|| {
        let told = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .iter()
            .any(|name| Real.env(name).is_some_and(|path| Real.stat(Path::new(&path)).is_ok()));
        let _ = rustls::crypto::ring::default_provider().install_default();
        told || instead_of_lost().is_some() || reqwest::Client::builder().build().is_ok()
    });
    *HAS
}

/// Those that browsers trust.
fn public() -> impl Iterator<Item = Certificate> {
    let all = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    all.filter_map(|certificate| Certificate::from_der(certificate).ok())
}

/// The file by which a program is told whom to trust, where it would not know by itself: the one of `SSL_CERT_FILE`, which
/// not every program reads, or all in one, written anew each time.
///
/// # Errors
/// Where it cannot be written.
pub(crate) fn file_for_children(
    system: &dyn System,
    settings: &Settings,
) -> Result<Option<PathBuf>, EnvError> {
    let own = system.env("SSL_CERT_FILE").map(PathBuf::from).filter(|file| system.exists(file));
    if settings.certificates.is_empty() {
        return Ok(own);
    }
    let base = own.unwrap_or_else(|| BUNDLE.into());
    let mut all = system.text(&base).unwrap_or_else(|_| public_as_text());
    for file in &settings.certificates {
        // Whether it ends a line or not.
        all += &format!("\n{}", system.text(file).map_err(EnvError::io(file))?);
    }
    let path = settings.cache.join("resolve").join("certificates.pem");
    system.write(&path, all.as_bytes(), 0o600).map_err(EnvError::io(&path))?;
    Ok(Some(path))
}

/// Those that browsers trust as the text that programs read.
fn public_as_text() -> String {
    let text = |der: &[u8]| {
        let letters = STANDARD.encode(der);
        let lines = letters.as_bytes().chunks(LINE).map(String::from_utf8_lossy);
        let lines: String = lines.map(|line| format!("{line}\n")).collect();
        format!("-----BEGIN CERTIFICATE-----\n{lines}-----END CERTIFICATE-----\n")
    };
    webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|der| text(der)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_of_all_that_are_named_in_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("corp.pem");
        let certificate = public_as_text()
            .split_inclusive("-----END CERTIFICATE-----")
            .next()
            .unwrap()
            .to_owned();
        Real.write(&own, certificate.as_bytes(), 0o600).unwrap();
        let settings = Settings {
            cache: folder.path().join("cache"),
            certificates: vec![own.clone()],
            ..Settings::default()
        };
        let file = file_for_children(&Real, &settings).unwrap().unwrap();
        let all = read(&file);
        assert_eq!(
            all.len(),
            read_text(&base_text()) + 1,
            "the usual ones and the one that is named"
        );
        assert!(Real.read(&file).unwrap().ends_with(certificate.as_bytes()));
        let gone = Settings { certificates: vec!["/nonexistent".into()], ..settings };
        assert!(file_for_children(&Real, &gone).is_err());
    }

    fn base_text() -> String {
        let system: &dyn System = &Real;
        let own = system.env("SSL_CERT_FILE").filter(|file| system.exists(file));
        system.text(own.unwrap_or_else(|| BUNDLE.into())).unwrap_or_else(|_| public_as_text())
    }

    fn read_text(text: &str) -> usize {
        text.matches("-----BEGIN CERTIFICATE-----").count()
    }

    #[test]
    fn what_browsers_trust_can_be_read_again_as_text() {
        let all = Certificate::from_pem_bundle(public_as_text().as_bytes()).unwrap();
        assert_eq!(all.len(), webpki_root_certs::TLS_SERVER_ROOT_CERTS.len());
    }
}
