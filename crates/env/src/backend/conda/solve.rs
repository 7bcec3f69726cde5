//! From specifications to records: the channels' repodata, and one solve over all of it.

use aitk_system::{Failure, Message, message};
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use rattler_conda_types::{
    Channel, GenericVirtualPackage, MatchSpec, Matches, PackageName, ParseMatchSpecOptions,
    RepoDataRecord, Subdir, Version,
};
use rattler_repodata_gateway::fetch::{CacheAction, FetchRepoDataError};
use rattler_repodata_gateway::{
    ChannelConfig, DownloadReporter, Gateway, GatewayError, RepoDataQueryOutput, Reporter,
    SourceConfig,
};
use rattler_solve::{
    CancellationToken, ChannelPriority, ExcludeNewer, SolveError, SolverImpl, SolverTask, resolvo,
};
use url::Url;

use aitk_plan::lock::conda::subdir;

use super::channel::channels;
use crate::Settings;
use crate::error::EnvError;
use crate::http::{HESITATION, HttpClient};
use crate::reasons::{silence, told};
use crate::runtime::{block_on, once_interrupted};

/// How many questions are asked of the channels at a time.
const PARALLEL: usize = 24;

/// The records of everything that these specifications need, in the order in which they can be installed. What it is
/// `held_to` counts for what comes, and makes nothing come. What was published after the `newest` moment does not count, nor
/// what has no time.
///
/// # Errors
/// [`EnvError::Unreachable`], [`EnvError::BadChannel`], and [`EnvError::Unsolvable`] with the wishes that clash.
pub(super) fn solve(
    settings: &Settings,
    arch: &str,
    virtual_packages: &[(&'static str, String, String)],
    specs: &[&str],
    held_to: &[String],
    newest: Option<&str>,
) -> Result<Vec<RepoDataRecord>, EnvError> {
    let unsolvable = |reason: Message| EnvError::Unsolvable { reason };
    let read = |spec: &str| {
        MatchSpec::from_str(spec, ParseMatchSpecOptions::lenient())
            .map_err(|error| unsolvable(message!("`{spec}` is no specification: {error}")))
    };
    let specs: Vec<_> = specs.iter().map(|spec| read(spec)).collect::<Result<_, _>>()?;
    let constraints = held_to.iter().map(|spec| read(spec)).collect::<Result<_, _>>()?;
    let virtual_packages = virtual_packages
        .iter()
        .filter_map(|(name, version, build)| {
            Some(GenericVirtualPackage {
                name: PackageName::new_unchecked(*name),
                version: version.parse::<Version>().ok()?,
                build_string: build.parse().ok()?,
            })
        })
        .collect();
    let answer = ask(settings, arch, specs.clone(), true)?;
    tracing::debug!(records = answer.iter().map(|part| part.len()).sum::<usize>(), "repodata");
    let stop = CancellationToken::new();
    let task = SolverTask {
        virtual_packages,
        specs,
        constraints,
        channel_priority: ChannelPriority::Strict,
        exclude_newer: newest.and_then(|at| at.parse().ok()).map(ExcludeNewer::from_datetime),
        cancellation_token: Some(stop.clone()),
        ..SolverTask::from_iter(&*answer)
    };
    let solution = once_interrupted(|| stop.cancel(), || resolvo::Solver.solve(task));
    let solution = solution.map_err(|error| match error {
        SolveError::Cancelled => EnvError::System(Failure::Interrupted),
        SolveError::Unsolvable(reasons) => unsolvable(told("rattler", &reasons.join("\n"))),
        error => unsolvable(Message::plain(error)),
    })?;
    let mut records = solution.records;
    records.sort_by(|one, other| one.package_record.name.cmp(&other.package_record.name));
    Ok(records)
}

/// The newest build of a package with exactly this version, and nothing of what it needs.
pub(super) fn find(
    settings: &Settings,
    arch: &str,
    name: &str,
    version: &str,
) -> Result<Option<RepoDataRecord>, EnvError> {
    let spec =
        MatchSpec::from_str(&format!("{name} =={version}"), ParseMatchSpecOptions::lenient());
    let spec = spec.map_err(|error| EnvError::Unsolvable { reason: Message::plain(error) })?;
    let answer = ask(settings, arch, vec![spec.clone()], false)?;
    let records = answer.iter().flat_map(|part| part.iter());
    let records = records.filter(|record| spec.matches(*record));
    Ok(records.max_by_key(|record| record.package_record.build_number).cloned())
}

/// What the channels have of these, and where asked for of everything that they need.
fn ask(
    settings: &Settings,
    arch: &str,
    specs: Vec<MatchSpec>,
    recursive: bool,
) -> Result<RepoDataQueryOutput, EnvError> {
    let channels = channels(settings)?;
    let none = || EnvError::Unsolvable { reason: message!("conda has no packages for {arch}") };
    let subdir = subdir(arch).ok_or_else(none)?;
    let ask = |action| {
        let gateway = gateway(settings, action)?;
        let watch = Arc::new(Watch::default());
        let query = gateway.query(channels.clone(), [subdir, Subdir::NoArch], specs.clone());
        let query = query.recursive(recursive).with_reporter(Watching(Arc::clone(&watch)));
        block_on(async {
            match select(pin!(query.execute()), pin!(watch.silence())).await {
                Either::Left((answer, _)) => Ok(answer),
                Either::Right(_) => Err(EnvError::Unreachable {
                    source_name: message!("the channel {}", names(&channels)),
                    reason: message!("nothing more came within {} s", HESITATION.as_secs()),
                }),
            }
        })?
    };
    let kept =
        if settings.offline { CacheAction::ForceCacheOnly } else { CacheAction::CacheOrFetch };
    let answer = match ask(kept)? {
        // What the cache has is believed as it stands there, and a power cut may have left it empty: once, all comes anew.
        Err(error) if is_no_repodata(&error) && !settings.offline => ask(CacheAction::NoCache)?,
        answer => answer,
    };
    answer.map_err(|error| unusable(&channels, settings.offline, &error))
}

fn names(channels: &[Channel]) -> String {
    channels.iter().map(Channel::canonical_name).collect::<Vec<_>>().join(", ")
}

/// Sees whether anything still comes in: a download that stands still would be taken up again and again.
#[derive(Default)]
struct Watch {
    open: AtomicUsize,
    /// Beats since something came. A beat that is late because the processor was busy counts once.
    beats: AtomicU32,
}

const POLL_INTERVAL: Duration = Duration::from_millis(200);

impl Watch {
    fn sign(&self) {
        self.beats.store(0, Ordering::Relaxed);
    }

    /// Ends when open downloads have brought nothing for too long.
    async fn silence(&self) {
        while POLL_INTERVAL * self.beats.load(Ordering::Relaxed) < HESITATION {
            tokio::time::sleep(POLL_INTERVAL).await;
            if self.open.load(Ordering::Relaxed) > 0 {
                self.beats.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl DownloadReporter for Watch {
    fn on_download_start(&self, _: &Url) -> usize {
        self.sign();
        self.open.fetch_add(1, Ordering::Relaxed)
    }

    fn on_download_progress(&self, _: &Url, _: usize, _: usize, _: Option<usize>) {
        self.sign();
    }

    fn on_download_complete(&self, _: &Url, _: usize) {
        self.sign();
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

struct Watching(Arc<Watch>);

impl Reporter for Watching {
    fn download_reporter(&self) -> Option<&dyn DownloadReporter> {
        Some(&*self.0)
    }
}

fn gateway(settings: &Settings, cache_action: CacheAction) -> Result<Gateway, EnvError> {
    let config = ChannelConfig {
        default: SourceConfig { cache_action, bz2_enabled: false, ..SourceConfig::default() },
        ..ChannelConfig::default()
    };
    Ok(Gateway::builder()
        .with_client(HttpClient::asking(settings)?.into_http())
        .with_cache_dir(settings.cache.join("repodata"))
        .with_channel_config(config)
        .with_max_concurrent_requests(PARALLEL)
        .finish())
}

/// What the channels' failure means.
fn unusable(channels: &[Channel], offline: bool, error: &GatewayError) -> EnvError {
    let channel = names(channels);
    let mut reason = error.to_string();
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
        reason = innermost.to_string();
    }
    match error {
        _ if offline => EnvError::Offline { what: message!("what {channel} offers") },
        _ if is_no_repodata(error) => EnvError::BadChannel {
            channel,
            reason: message!("it answers, and what it sends is no list of packages: {reason}"),
        },
        GatewayError::ReqwestError(_)
        | GatewayError::ReqwestMiddlewareError(_)
        | GatewayError::FetchRepoDataError(_)
        | GatewayError::IoError(..) => EnvError::Unreachable {
            source_name: message!("the channel {channel}"),
            reason: silence(&reason),
        },
        _ => EnvError::BadChannel { channel, reason: reason.into() },
    }
}

/// Whether what came, or what the cache has, could not be read: the page of a portal that stands before the network, or a
/// file that a power cut has left empty.
fn is_no_repodata(error: &GatewayError) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let read = matches!(error, GatewayError::IoError(..));
    let of_form = |error: &std::io::Error| match error.kind() {
        InvalidData => true,
        kind => read && kind == UnexpectedEof,
    };
    // Its own Display stands for it, and so it is not among its causes.
    if let GatewayError::FetchRepoDataError(FetchRepoDataError::IoError(error)) = error
        && of_form(error)
    {
        return true;
    }
    let mut all = std::iter::successors(Some(error as &dyn Error), |error| (*error).source());
    all.any(|error| {
        error.is::<serde_json::Error>()
            || error.downcast_ref::<std::io::Error>().is_some_and(of_form)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use aitk_system::{Real, System};

    use super::*;

    #[test]
    fn a_page_in_the_place_of_a_list_of_packages_is_told_as_that() {
        for sent in ["<html>Log in to the network</html>", "{\"info\": {}, \"packages\": {\"a"] {
            let folder = tempfile::tempdir().unwrap();
            let channel = folder.path().join("channel");
            for subdir in ["linux-64", "noarch"] {
                let file = channel.join(subdir).join("repodata.json");
                Real.write(&file, sent.as_bytes(), 0o644).unwrap();
            }
            let settings = Settings {
                cache: folder.path().join("cache"),
                channels: vec![format!("file://{}", channel.display())],
                ..Settings::default()
            };
            let error = find(&settings, "x86_64", "uv", "1.0").unwrap_err();
            let EnvError::BadChannel { reason, .. } = error else { panic!("{error:?}") };
            assert!(reason.to_string().contains("no list of packages"), "{reason}");
        }
    }

    /// A channel with these packages and what they need.
    fn channel(folder: &Path, packages: &[(&str, &str, &[&str])]) -> Settings {
        let channel = folder.join("channel");
        let record = |(name, version, depends): &(&str, &str, &[&str])| {
            let record = serde_json::json!({"name": name, "version": version, "build": "h_0",
                "build_number": 0, "depends": depends, "subdir": "noarch", "md5": "0".repeat(32)});
            (format!("{name}-{version}-h_0.conda"), record)
        };
        let all: serde_json::Map<_, _> = packages.iter().map(record).collect();
        let of = |subdir: &str, packages| {
            let said = serde_json::json!({"info": {"subdir": subdir}, "packages": {},
                "packages.conda": packages});
            let file = channel.join(subdir).join("repodata.json");
            Real.write(&file, said.to_string().as_bytes(), 0o644).unwrap();
        };
        of("noarch", all);
        of("linux-64", serde_json::Map::new());
        Settings {
            cache: folder.join("cache"),
            channels: vec![format!("file://{}", channel.display())],
            ..Settings::default()
        }
    }

    #[test]
    fn what_the_solver_cannot_meet_has_a_line_of_ours_above_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let settings = channel(
            folder.path(),
            &[
                ("base", "1.0", &[]),
                ("base", "2.0", &[]),
                ("old", "1.0", &["base <2"]),
                ("new", "1.0", &["base >=2"]),
                ("ahead", "1.0", &["base >=9"]),
                ("lost", "1.0", &["nowhere"]),
                ("driver", "1.0", &["__cuda >=12"]),
            ],
        );
        let told = |wishes: &[&str]| match solve(&settings, "x86_64", &[], wishes, &[], None) {
            Err(EnvError::Unsolvable { reason }) => reason.to_string(),
            other => panic!("{wishes:?}: {other:?}"),
        };
        for (wishes, expected) in [
            (&["nope"] as &[&str], "no source has a package named nope"),
            (&["base >=9"], "no version fits base >=9"),
            (&["ahead"], "no version fits base >=9"),
            (&["lost"], "no source has a package named nowhere"),
            (&["driver"], "this machine does not have what a package asks for: __cuda >=12"),
            (&["old", "new"], "these wishes cannot all be met together"),
        ] {
            let told = told(wishes);
            let mut lines = told.lines();
            assert_eq!(lines.next(), Some(expected), "{told}");
            assert_eq!(lines.next(), Some("in the words of rattler:"), "{told}");
            assert!(lines.next().is_some(), "{told}");
        }
    }
}
