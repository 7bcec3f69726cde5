//! Channels: where they are, what opens them, whether they answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aitk_system::{Real, System};
use rattler_conda_types::{Channel, ChannelConfig};
use rattler_networking::authentication_storage::StorageBackend;
use rattler_networking::authentication_storage::backends::memory::MemoryStorage;
use rattler_networking::{Authentication, AuthenticationStorage};
use url::Url;

use crate::error::EnvError;
use crate::fetch::{Client, block_on};
use crate::{Secret, Settings};

/// The channel that is used where none is named.
const DEFAULT: &str = "conda-forge";
/// How long a channel may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(8);

/// The names or addresses of the channels, the preferred one first.
pub(super) fn names(settings: &Settings) -> Vec<String> {
    if settings.channels.is_empty() { vec![DEFAULT.to_owned()] } else { settings.channels.clone() }
}

/// The channels, the preferred one first.
pub(super) fn channels(settings: &Settings) -> Result<Vec<Channel>, EnvError> {
    let bad =
        |name: &str, reason: String| EnvError::BadChannel { channel: name.to_owned(), reason };
    let mut config = ChannelConfig::default_with_root_dir(PathBuf::from("/"));
    if let Some(alias) = &settings.channel_alias {
        let url = Url::parse(alias).map_err(|error| bad(alias, error.to_string()))?;
        config.channel_alias = url;
    }
    let channel = |name: &String| {
        if name == "defaults" {
            return Err(bad(
                name,
                "its packages have terms of use, and they do not mix with conda-forge's".to_owned(),
            ));
        }
        Channel::from_str(name, &config).map_err(|error| bad(name, error.to_string()))
    };
    names(settings).iter().map(channel).collect()
}

/// A channel's address without the user, password or token that it may carry, and what it carried.
pub fn without_secrets(channel: &str) -> (String, Option<Secret>) {
    let Ok(mut url) = Url::parse(channel) else { return (channel.to_owned(), None) };
    let is_open = token(&url).is_none() && url.username().is_empty() && url.password().is_none();
    if is_open || url.cannot_be_a_base() {
        return (channel.to_owned(), None);
    }
    let path = token(&url).map(|token| url.path().replacen(&format!("/t/{token}"), "", 1));
    if let Some(path) = path {
        url.set_path(&path);
    }
    // Neither fails for an address that can be a base.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    (url.to_string().trim_end_matches('/').to_owned(), Some(Secret(channel.to_owned())))
}

/// The token of an address as anaconda's servers have it: `…/t/TOKEN/channel`.
fn token(url: &Url) -> Option<String> {
    let mut parts = url.path_segments()?;
    (parts.next()? == "t").then(|| parts.next().map(str::to_owned))?
}

/// What opens the sources: what channels were given with, then `RATTLER_AUTH_FILE`, rattler's own file, and `.netrc`.
pub(crate) fn credentials(settings: &Settings) -> AuthenticationStorage {
    let memory = MemoryStorage::new();
    for secret in &settings.secrets {
        let Ok(url) = Url::parse(&secret.0) else { continue };
        let Some(host) = url.host_str() else { continue };
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let authentication = match token(&url) {
            Some(token) => Authentication::CondaToken(token),
            None => Authentication::BasicHTTP {
                username: url.username().to_owned(),
                password: url.password().unwrap_or_default().to_owned(),
            },
        };
        let _ = memory.store(&host, &authentication);
    }
    let mut storage = AuthenticationStorage::empty();
    storage.add_backend(Arc::new(memory));
    match AuthenticationStorage::from_env_and_defaults() {
        Ok(others) => others.backends.into_iter().for_each(|backend| storage.add_backend(backend)),
        Err(error) => tracing::warn!(%error, "stored credentials cannot be read"),
    }
    storage
}

/// Whether the preferred channel is there, asked once and briefly. A channel in a folder is looked for.
///
/// # Errors
/// [`EnvError::Unreachable`] with the reason; [`EnvError::BadChannel`] for an address that is none.
pub fn channel_answers(settings: &Settings) -> Result<(), EnvError> {
    let channels = channels(settings)?;
    let Some(channel) = channels.first() else { return Ok(()) };
    let unreachable = |reason: String| EnvError::Unreachable {
        source_name: format!("the channel {}", channel.canonical_name()),
        reason,
    };
    let folder = channel.platform_url(rattler_conda_types::Subdir::NoArch);
    if let Ok(path) = folder.to_file_path() {
        let there = Real.stat(&path.join("repodata.json")).is_ok();
        return if there {
            Ok(())
        } else {
            Err(unreachable(format!("there is no {}", path.display())))
        };
    }
    let client = Client::new(settings)?;
    block_on(async {
        let asking = async {
            let mut wait = Duration::from_millis(200);
            loop {
                match client
                    .head(folder.join("repodata.json.zst").as_ref().unwrap_or(&folder).as_str())
                    .await
                {
                    // Too busy just now.
                    Ok(status) if status.is_server_error() || status.as_u16() == 429 => {
                        tokio::time::sleep(wait).await;
                        wait *= 2;
                    }
                    Ok(status) if status.as_u16() == 401 || status.as_u16() == 403 => {
                        return Err(unreachable(format!("it wants credentials ({status})")));
                    }
                    // Any other answer shows that it is there; solving says more.
                    Ok(_) => return Ok(()),
                    Err(error) => return Err(unreachable(error)),
                }
            }
        };
        let silent = || unreachable(format!("nothing useful came within {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(silent()))
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_a_channels_address() {
        for (given, open) in [
            ("conda-forge", "conda-forge"),
            ("https://mirror.example/conda-forge", "https://mirror.example/conda-forge"),
            ("https://mirror.example/t/ab-12/conda-forge", "https://mirror.example/conda-forge"),
            ("https://me:secret@mirror.example/get/own/", "https://mirror.example/get/own"),
            ("/srv/channel", "/srv/channel"),
        ] {
            let (address, secret) = without_secrets(given);
            assert_eq!(address, open);
            assert_eq!(secret.is_some(), given != open, "{given}");
            assert!(!format!("{secret:?}").contains("ab-12"));
        }
    }

    #[test]
    fn the_defaults_channel_is_refused() {
        let settings = Settings { channels: vec!["defaults".to_owned()], ..Settings::default() };
        assert!(channels(&settings).is_err());
    }
}
