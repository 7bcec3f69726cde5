//! uv as it asks sources: without its own configuration, by the ways that the user has set.

use std::time::Duration;

use aitk_system::{Command, Failure, Message, Output, RunError, System, message};

use super::sources::WAYS_OF_UV;
use super::uv::UvProgram;
use crate::certificates::{file_for_children, has_certificates, tell};
use crate::error::EnvError;
use crate::{Settings, text};

/// How long uv waits for a source, in seconds: twice this and the pause between are still within the 10 s after which
/// a person is told. Whoever has set another time keeps it.
const PATIENCE: &str = "3";

/// A command of uv's that asks sources.
pub(super) fn command(
    system: &dyn System,
    uv: &UvProgram,
    settings: &Settings,
    words: &[&str],
) -> Result<Command, EnvError> {
    let mut command = Command::changes([&text(&uv.path)])
        .args(words.iter().copied())
        .arg("--no-config")
        .env("UV_CACHE_DIR", text(&settings.uv_cache()))
        .env("UV_HTTP_RETRIES", if settings.waited { "0" } else { "1" })
        .env("UV_HTTP_CONNECT_TIMEOUT", PATIENCE)
        .env("UV_PYTHON_DOWNLOADS", "never")
        .env("UV_SYSTEM_CERTS", if has_certificates() { "true" } else { "false" })
        .env("NO_COLOR", "1")
        .timeout(Duration::from_secs(300));
    command = WAYS_OF_UV.into_iter().fold(command, Command::pass);
    if system.env("UV_HTTP_TIMEOUT").is_none() {
        command = command.env("UV_HTTP_TIMEOUT", PATIENCE);
    }
    if let Some(file) = file_for_children(system, settings)? {
        command = command.env("SSL_CERT_FILE", text(&file));
    }
    command = tell(command, "SSL_CLIENT_CERT", settings);
    Ok(match &settings.proxy {
        Some(proxy) => proxy.tell(command),
        None => command,
    })
}

/// Runs it.
pub(super) fn run(
    system: &dyn System,
    command: &Command,
    source: &Message,
) -> Result<Output, EnvError> {
    match system.run(command) {
        Err(RunError::Interrupted { .. }) => Err(EnvError::System(Failure::Interrupted)),
        Err(RunError::TimedOut { limit, .. }) => Err(EnvError::Unreachable {
            source_name: source.clone(),
            reason: message!("nothing came within {} s", limit.as_secs()),
        }),
        output => Ok(output?),
    }
}
