//! Channels: where they are, whether they answer.

use std::path::PathBuf;
use std::time::Duration;

use aitk_system::{Message, Real, System, message};
use rattler_conda_types::{Channel, ChannelConfig};
use url::Url;

use crate::Settings;
use crate::error::EnvError;
use crate::http::HttpClient;
use crate::runtime::block_on;

/// The channel that is used where none is named.
const DEFAULT: &str = "conda-forge";
/// How long a channel may take to show that it is there.
const PATIENCE: Duration = Duration::from_secs(4);

/// The names or addresses of the channels, the preferred one first.
pub(super) fn names(settings: &Settings) -> Vec<String> {
    if settings.channels.is_empty() { vec![DEFAULT.to_owned()] } else { settings.channels.clone() }
}

/// The channels, the preferred one first.
pub(super) fn channels(settings: &Settings) -> Result<Vec<Channel>, EnvError> {
    let bad =
        |name: &str, reason: Message| EnvError::BadChannel { channel: name.to_owned(), reason };
    let mut config = ChannelConfig::default_with_root_dir(PathBuf::from("/"));
    if let Some(alias) = &settings.channel_alias {
        let url = Url::parse(alias).map_err(|error| bad(alias, Message::plain(error)))?;
        config.channel_alias = url;
    }
    let channel = |name: &String| {
        if name == "defaults" {
            return Err(bad(
                name,
                message!("its packages have terms of use, and they do not mix with conda-forge's"),
            ));
        }
        Channel::from_str(name, &config).map_err(|error| bad(name, Message::plain(error)))
    };
    names(settings).iter().map(channel).collect()
}

/// Whether the preferred channel is there, asked once and briefly. A channel in a folder is looked for.
///
/// # Errors
/// [`EnvError::Unreachable`] with the reason; [`EnvError::BadChannel`] for an address that is none.
pub fn channel_answers(settings: &Settings) -> Result<(), EnvError> {
    let channels = channels(settings)?;
    let Some(channel) = channels.first() else { return Ok(()) };
    let unreachable = |reason: Message| EnvError::Unreachable {
        source_name: message!("the channel {}", channel.canonical_name()),
        reason,
    };
    let folder = channel.platform_url(rattler_conda_types::Subdir::NoArch);
    if let Ok(path) = folder.to_file_path() {
        let there = Real.stat(&path.join("repodata.json")).is_ok();
        return if there {
            Ok(())
        } else {
            Err(unreachable(message!("there is no {}", path.display())))
        };
    }
    let client = HttpClient::asking(settings)?;
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
                        return Err(unreachable(message!("it wants credentials ({status})")));
                    }
                    // Any other answer shows that it is there; solving says more.
                    Ok(_) => return Ok(()),
                    Err(error) => return Err(unreachable(error)),
                }
            }
        };
        let silent =
            || unreachable(message!("nothing useful came within {} s", PATIENCE.as_secs()));
        tokio::time::timeout(PATIENCE, asking).await.unwrap_or_else(|_| Err(silent()))
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_channel_is_refused() {
        let settings = Settings { channels: vec!["defaults".to_owned()], ..Settings::default() };
        assert!(channels(&settings).is_err());
    }
}
