//! Where packages come from in a run: what is set for this machine, and what goes over it this once.

use aitk_detect::Folders;
use aitk_detect::installers::{certificates, client_certificate, netrc, proxy_of_pip};
use aitk_env::{Credential, Proxy, Settings, without_secrets};
use aitk_plan::Choices;
use aitk_system::System;

use crate::args::Common;
use crate::config::Config;
use crate::error::CliError;

/// What goes over the sources of the settings.
#[derive(Default)]
pub struct SourceOverrides {
    /// What opens sources that were given.
    pub secrets: Vec<Credential>,
    pub index_url: Option<String>,
    pub torch_index: Option<String>,
    pub channels: Vec<String>,
    /// The channels that are kept in an environment, where those are for this run.
    pub kept_channels: Option<Vec<String>>,
}

/// The settings, with what goes over them for one run, and what was chosen over all.
pub(super) fn with_sources(
    settings: &Settings,
    sources: &SourceOverrides,
    choices: &Choices,
) -> Settings {
    let first =
        |all: [&[String]; 3]| all.into_iter().find(|some| !some.is_empty()).map(<[_]>::to_vec);
    let one = |all: [&Option<String>; 3]| all.into_iter().find_map(Clone::clone);
    Settings {
        index_url: one([&choices.index_url, &sources.index_url, &settings.index_url]),
        torch_index: one([&choices.torch_index, &sources.torch_index, &settings.torch_index]),
        channels: first([&choices.channels, &sources.channels, &settings.channels])
            .unwrap_or_default(),
        kept_channels: sources.kept_channels.clone().or_else(|| settings.kept_channels.clone()),
        secrets: [&sources.secrets[..], &settings.secrets].concat(),
        ..settings.clone()
    }
}

/// The sources that are set in `config.toml`, for uv and pip, and by flags that are the same everywhere.
pub(super) fn sources(
    local: &dyn System,
    common: &Common,
    folders: &Folders,
) -> Result<Settings, CliError> {
    let config = Config::load(local, folders)?;
    let mut secrets = Vec::new();
    let mut open = |address: &String| opened(address, &mut secrets);
    let uv = common.uv.clone().or(config.uv);
    let settings = Settings {
        index_url: config.index_url.as_ref().map(&mut open),
        more_indexes: config.of_uv.more.iter().map(&mut open).collect(),
        index_strategy: config.of_uv.strategy.clone(),
        exclude_newer: config.exclude_newer.clone(),
        uv: uv.map(|path| std::path::absolute(&path).map_err(CliError::io(path))).transpose()?,
        torch_index: config.torch_index.as_ref().map(&mut open),
        channels: config.channels.iter().map(&mut open).collect(),
        channel_alias: config.channel_alias.as_ref().map(&mut open),
        certificates: certificates(local, folders),
        client: client_certificate(local, folders),
        netrc: Some(netrc(local, folders)),
        proxy: proxy_of_pip(local, folders).map(|address| Proxy::new(&address)),
        offline: common.offline,
        ..Settings::default()
    };
    Ok(Settings { secrets, ..settings })
}

/// A source's address without what opens it, which is kept apart.
fn opened(address: &str, secrets: &mut Vec<Credential>) -> String {
    let (address, secret) = without_secrets(address);
    secrets.extend(secret);
    address
}
