//! Packages on their way into an environment: unpacked into the cache, linked from there.
#![expect(
    clippy::disallowed_methods,
    reason = "rattler unpacks and links by itself; System::permit has been asked before"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aitk_plan::{Manager, Package};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rattler::install::Installer;
use rattler::install::link_script::{LinkScriptError, PrePostLinkResult};
use rattler_cache::package_cache::PackageCache;
use rattler_cache::validation::ValidationMode;
use rattler_conda_types::{PrefixRecord, RepoDataRecord, Subdir};
use rattler_networking::LazyClient;
use tokio::sync::Semaphore;

use super::record;
use crate::Settings;
use crate::error::EnvError;
use crate::fetch::{Client, FetchProgress, block_on_threads, fetch_each};
use crate::lock::{Layer, Locked};

/// How many packages are unpacked at a time.
const PARALLEL: usize = 4;

/// The folders of packages that this process has unpacked or looked through, with the hashes of their archives. Each is
/// looked through once: two environments of a run share many.
static WHOLE: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

fn whole() -> MutexGuard<'static, BTreeMap<PathBuf, String>> {
    WHOLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Downloads packages, and unpacks each as soon as it is there: the processors work while the network does.
pub(crate) fn fetch(
    settings: &Settings,
    packages: &[&Locked],
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    let client = Client::new(settings)?;
    let folder = settings.packages(Manager::Conda);
    let cache = cache(settings, ValidationMode::Fast);
    let room = Semaphore::new(PARALLEL);
    let (cache, room) = (&cache, &room);
    fetch_each(&client, packages, &folder, settings.offline, progress, |locked| async move {
        let _place = room.acquire().await;
        unpack(settings, cache, locked).await
    })
}

/// Links the last of these layers into a prefix that has those before it.
pub(super) fn link(
    settings: &Settings,
    prefix: &Path,
    layers: &[Layer],
    log: &Path,
) -> Result<(), EnvError> {
    let Some(layer) = layers.last() else { return Ok(()) };
    let records = records(layers.iter().flat_map(|layer| &layer.packages))?;
    let installed = installed(prefix, &[])?;
    block_on_threads(async {
        unpack_all(settings, &layer.packages).await?;
        install(settings, prefix, installed, records, log).await
    })?
}

/// Links the layer's packages again in place of these files, from archives that are unpacked anew. Until that is done the
/// files are only laid aside: damaged ones are better than none.
pub(super) fn link_again(
    settings: &Settings,
    prefix: &Path,
    layer: &Layer,
    files: &[PathBuf],
    log: &Path,
) -> Result<(), EnvError> {
    let names: Vec<_> = layer.packages.iter().map(Locked::key).collect();
    let installed = installed(prefix, &names)?;
    let mut all: Vec<RepoDataRecord> =
        installed.iter().map(|there| there.repodata_record.clone()).collect();
    all.extend(records(&layer.packages)?);
    block_on_threads(async {
        // What is shared with the cache is as damaged there.
        for locked in &layer.packages {
            let folder = unpacked(settings, locked);
            whole().remove(&folder);
            match fs::remove_dir_all(&folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(EnvError::io(folder)(error));
                }
                _ => {}
            }
        }
        unpack_all(settings, &layer.packages).await?;
        let aside = Aside::lay(prefix, files)?;
        install(settings, prefix, installed, all, log).await?;
        aside.forget()
    })?
}

/// Files that were moved out of the way. They go back to their places unless they are forgotten.
struct Aside {
    folder: PathBuf,
    moved: Vec<(PathBuf, PathBuf)>,
}

impl Aside {
    fn lay(prefix: &Path, files: &[PathBuf]) -> Result<Self, EnvError> {
        let folder = prefix.join(".aitk-aside");
        fs::create_dir_all(&folder).map_err(EnvError::io(&folder))?;
        let mut aside = Self { folder, moved: Vec::new() };
        for (number, file) in files.iter().enumerate() {
            let place = aside.folder.join(number.to_string());
            match fs::rename(file, &place) {
                Ok(()) => aside.moved.push((file.clone(), place)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(EnvError::io(file)(error)),
            }
        }
        Ok(aside)
    }

    fn forget(mut self) -> Result<(), EnvError> {
        self.moved.clear();
        fs::remove_dir_all(&self.folder).map_err(EnvError::io(&self.folder))
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        for (file, place) in &self.moved {
            let _ = fs::rename(place, file);
        }
        let _ = fs::remove_dir(&self.folder);
    }
}

/// Unpacks one package into the cache; its folder there.
pub(super) fn unpack_one(settings: &Settings, locked: &Locked) -> Result<PathBuf, EnvError> {
    block_on_threads(unpack_all(settings, std::slice::from_ref(locked)))??;
    Ok(unpacked(settings, locked))
}

fn records<'a>(
    packages: impl IntoIterator<Item = &'a Locked>,
) -> Result<Vec<RepoDataRecord>, EnvError> {
    packages.into_iter().map(record).collect()
}

/// The folder of a package in the cache.
pub(super) fn unpacked(settings: &Settings, locked: &Locked) -> PathBuf {
    let Package { name, version, build, .. } = &locked.package;
    settings.unpacked().join(format!("{name}-{version}-{}", build.as_deref().unwrap_or_default()))
}

fn cache(settings: &Settings, looks: ValidationMode) -> PackageCache {
    PackageCache::new_layered([settings.unpacked()], false, looks)
}

async fn unpack_all(settings: &Settings, packages: &[Locked]) -> Result<(), EnvError> {
    let cache = cache(settings, ValidationMode::Fast);
    stream::iter(packages)
        .map(|locked| unpack(settings, &cache, locked))
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

/// Unpacks a package that is not unpacked yet, or was changed since, from the archive that has been downloaded. The
/// cache looks only whether the files are there: their content was checked when the archive was unpacked, and
/// [`is_touched`] finds what was changed since.
async fn unpack(
    settings: &Settings,
    cache: &PackageCache,
    locked: &Locked,
) -> Result<(), EnvError> {
    let folder = unpacked(settings, locked);
    if whole().get(&folder).is_some_and(|hash| Some(hash) == locked.package.sha256.as_ref()) {
        return Ok(());
    }
    let touched = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || is_touched(&folder)).await.unwrap_or(true)
    };
    if touched {
        let _ = fs::remove_dir_all(&folder);
    }
    let record = record(locked)?.package_record;
    let archive = settings.packages(Manager::Conda).join(locked.filename());
    let there = cache.get_or_fetch_from_path(&archive, Some(&record), None).await;
    there.map_err(|error| bad(locked, &error))?;
    tracing::trace!(folder = %folder.display(), "unpacked");
    whole().insert(folder, locked.package.sha256.clone().unwrap_or_default());
    Ok(())
}

/// Whether a file was written to after the package was unpacked, as happens when a file of an environment, which is
/// the same file, is edited in place. Unpacking gives files the times that they have in their archive.
fn is_touched(folder: &Path) -> bool {
    let Ok(unpacked) = fs::metadata(folder.join("info")).and_then(|info| info.created()) else {
        return false;
    };
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(stat) = entry.metadata() else { continue };
            if stat.is_dir() {
                open.push(entry.path());
            } else if stat.is_file()
                && stat
                    .modified()
                    .is_ok_and(|modified| modified > unpacked + std::time::Duration::from_secs(60))
            {
                return true;
            }
        }
    }
    false
}

/// What stands in a prefix already; records of these names, which may be damaged, do not count.
fn installed(prefix: &Path, except: &[String]) -> Result<Vec<PrefixRecord>, EnvError> {
    let folder = prefix.join("conda-meta");
    let mut records = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.map_err(EnvError::io(&folder))?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_record = path.extension().is_some_and(|extension| extension == "json");
        let name = stem.rsplitn(3, '-').nth(2).unwrap_or_default().to_owned();
        if is_record && !except.contains(&name) {
            records.push(PrefixRecord::from_path(&path).map_err(EnvError::io(&path))?);
        }
    }
    Ok(records)
}

/// Brings a prefix to these records. Nothing is downloaded: the cache has them all, and they have been looked through.
async fn install(
    settings: &Settings,
    prefix: &Path,
    installed: Vec<PrefixRecord>,
    records: Vec<RepoDataRecord>,
    log: &Path,
) -> Result<(), EnvError> {
    let failed = |reason: String| EnvError::BadPackage {
        package: prefix.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        reason,
    };
    // It downloads only what somebody takes out of the cache meanwhile. A client that it makes by itself wants certificates
    // at once, and ends the program on a machine that has none.
    let from = settings.clone();
    let client =
        LazyClient::new(move || Client::new(&from).map(Client::into_http).unwrap_or_default());
    let result = Installer::new()
        .with_download_client(client)
        .with_package_cache(cache(settings, ValidationMode::Skip))
        .with_target_platform(Subdir::current().unwrap_or(Subdir::Linux64))
        .with_installed_packages(installed)
        .with_execute_link_scripts(true)
        .install(prefix, records)
        .await
        .map_err(|error| no_space(prefix, &error).unwrap_or_else(|| failed(chain(&error))))?;
    result.post_link_script_result.map_or(Ok(()), |told| scripts(told, log))
}

/// Scripts that failed are no error of the installer's; of an environment they are.
fn scripts(told: Result<PrePostLinkResult, LinkScriptError>, log: &Path) -> Result<(), EnvError> {
    let told = told.map_err(|error| EnvError::BadPackage {
        package: "a package's own script".to_owned(),
        reason: error.to_string(),
    })?;
    let said: String = told
        .messages
        .iter()
        .filter(|(_, message)| !message.trim().is_empty())
        .map(|(name, message)| format!("{}: {}\n", name.as_normalized(), message.trim()))
        .collect();
    if !said.is_empty()
        && let Ok(mut file) = fs::OpenOptions::new().create(true).append(true).open(log)
    {
        let _ = file.write_all(said.as_bytes());
    }
    match told.failed_packages.first() {
        None => Ok(()),
        Some(name) => Err(EnvError::BadPackage {
            package: name.as_normalized().to_owned(),
            reason: "the script that it runs after it was linked failed".to_owned(),
        }),
    }
}

fn bad(locked: &Locked, error: &(dyn std::error::Error + 'static)) -> EnvError {
    no_space(Path::new(&locked.filename()), error).unwrap_or_else(|| EnvError::BadPackage {
        package: locked.filename(),
        reason: chain(error),
    })
}

/// A full disk, wherever in the chain of causes it is said.
fn no_space(path: &Path, error: &(dyn std::error::Error + 'static)) -> Option<EnvError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let full = error.downcast_ref::<std::io::Error>().is_some_and(|io| {
            matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        });
        if full {
            return Some(EnvError::NoSpace { path: path.to_owned() });
        }
        cause = error.source();
    }
    None
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text += &format!(": {more}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_cannot_be_linked_again_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings { cache: folder.path().join("cache"), ..Settings::default() };
        let prefix = folder.path().join("prefix");
        let file = prefix.join("bin/a");
        fs::create_dir_all(prefix.join("bin")).unwrap();
        fs::write(&file, "damaged").unwrap();
        let sha256 = "ab".repeat(32);
        let record = serde_json::json!({
            "name": "a", "version": "1.0", "build": "h1_0", "build_number": 0, "subdir": "noarch", "depends": [],
            "sha256": sha256, "fn": "a-1.0-h1_0.conda", "url": "https://channel.example/noarch/a-1.0-h1_0.conda",
            "channel": null,
        });
        let package = Package {
            name: "a".to_owned(),
            version: "1.0".to_owned(),
            build: Some("h1_0".to_owned()),
            sha256: Some(sha256),
            url: Some("https://channel.example/noarch/a-1.0-h1_0.conda".to_owned()),
            record: Some(record),
            ..Package::default()
        };
        let locked = Locked { package, ..Locked::default() };
        let layer = Layer { step: "libraries".to_owned(), packages: vec![locked] };
        let files = [file.clone(), prefix.join("bin/gone")];
        let log = folder.path().join("log");
        // Its archive is not there.
        link_again(&settings, &prefix, &layer, &files, &log).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "damaged");
    }

    #[test]
    fn what_is_laid_aside_goes_back_unless_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a");
        for forgotten in [false, true] {
            fs::write(&file, "old").unwrap();
            let aside = Aside::lay(folder.path(), std::slice::from_ref(&file)).unwrap();
            fs::write(&file, "new").unwrap();
            if forgotten {
                aside.forget().unwrap();
            } else {
                drop(aside);
            }
            let there = fs::read_to_string(&file).unwrap();
            assert_eq!(there, if forgotten { "new" } else { "old" });
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}
