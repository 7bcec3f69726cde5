//! Packages on their way into an environment: unpacked into the cache, linked from there.
#![expect(
    clippy::disallowed_methods,
    reason = "rattler unpacks and links by itself; System::permit has been asked before"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aitk_plan::lock::conda::{self as form, record};
use aitk_plan::{Locked, LockedLayer, Package, names};
use aitk_system::{Failure, Message, Real, System, ToMessage, inside, message};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use rattler::install::link_script::{
    LinkScriptError, LinkScriptType, PrePostLinkResult, run_link_scripts,
};
use rattler::install::{ExternalSymlinkPolicy, Installer};
use rattler_cache::package_cache::PackageCache;
use rattler_cache::validation::ValidationMode;
use rattler_conda_types::{PrefixRecord, RepoDataRecord, Subdir};
use rattler_networking::LazyClient;
use tokio::sync::Semaphore;

use super::contents::{self, Together};
use crate::Settings;
use crate::archive::unpack_conda;
use crate::error::EnvError;
use crate::fetch::{self, FetchProgress, Quiet, fetch_each};
use crate::http::HttpClient;
use crate::runtime::block_on_threads;
use crate::sha256::hash_of;

/// Where archives are kept as they were downloaded.
pub(super) fn archives(settings: &Settings) -> PathBuf {
    settings.cache.join("conda")
}

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
    let client = HttpClient::new(settings)?;
    let folder = archives(settings);
    let cache = cache(settings, ValidationMode::Fast);
    let room = Semaphore::new(PARALLEL);
    let (cache, room) = (&cache, &room);
    fetch_each(&client, packages, &folder, settings.offline, progress, |locked| async move {
        let _place = room.acquire().await;
        make_ready(settings, cache, locked).await
    })
}

/// What is linked into which environment.
pub(super) struct Linking<'a> {
    pub settings: &'a Settings,
    pub prefix: &'a Path,
    /// The packages whose own scripts are run.
    pub scripts: &'a [String],
    /// What the scripts say goes there.
    pub log: &'a Path,
}

/// Links the layers into a prefix that has all but the last of them, and what a broken run has left out.
pub(super) fn link(linking: &Linking<'_>, layers: &[LockedLayer]) -> Result<(), EnvError> {
    let all = || layers.iter().flat_map(|layer| &layer.packages);
    let records = records(all())?;
    let installed = installed(linking.prefix, &[])?;
    let there = |locked: &&Locked| installed.iter().any(|one| name_of(one) == locked.package.name);
    let missing: Vec<Locked> = all().filter(|locked| !there(locked)).cloned().collect();
    block_on_threads(async {
        unpack_all(linking.settings, &missing).await?;
        install(linking, installed, records, &missing).await
    })?
}

/// Links the layer's packages again in place of these files, from archives that are unpacked anew. Until that is done the
/// files are only laid aside: damaged ones are better than none.
pub(super) fn link_again(
    linking: &Linking<'_>,
    layer: &LockedLayer,
    files: &[PathBuf],
) -> Result<(), EnvError> {
    let settings = linking.settings;
    let names: Vec<_> = layer.packages.iter().map(Locked::key).collect();
    let installed = installed(linking.prefix, &names)?;
    let mut all: Vec<RepoDataRecord> =
        installed.iter().map(|there| there.repodata_record.clone()).collect();
    all.extend(records(&layer.packages)?);
    block_on_threads(async {
        // What is shared with the cache is as damaged there.
        for locked in &layer.packages {
            let folder = unpacked(settings, locked);
            whole().remove(&folder);
            discard(settings, &folder)?;
        }
        unpack_all(settings, &layer.packages).await?;
        let aside = Aside::lay(linking.prefix, files)?;
        install(linking, installed, all, &layer.packages).await?;
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
            inside(&Real, prefix, file).map_err(EnvError::io(file))?;
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
    packages.into_iter().map(|locked| Ok(record(locked)?)).collect()
}

/// The folder of a package in the cache.
pub(super) fn unpacked(settings: &Settings, locked: &Locked) -> PathBuf {
    let Package { name, version, build, .. } = &locked.package;
    settings.unpacked().join(format!("{name}-{version}-{}", build.as_deref().unwrap_or_default()))
}

fn cache(settings: &Settings, looks: ValidationMode) -> PackageCache {
    PackageCache::new_layered([settings.unpacked()], false, looks)
}

/// Takes what is unpacked of a package out of the cache.
fn discard(settings: &Settings, folder: &Path) -> Result<(), EnvError> {
    let gone = inside(&Real, &settings.unpacked(), folder).and_then(|()| Real.remove(folder));
    gone.map_err(EnvError::io(folder))
}

async fn unpack_all(settings: &Settings, packages: &[Locked]) -> Result<(), EnvError> {
    let cache = cache(settings, ValidationMode::Fast);
    stream::iter(packages)
        .map(|locked| make_ready(settings, &cache, locked))
        .buffer_unordered(PARALLEL)
        .try_collect()
        .await
}

/// Unpacks a package. An archive of the cache that is not what the lock names any more is fetched anew, once.
async fn make_ready(
    settings: &Settings,
    cache: &PackageCache,
    locked: &Locked,
) -> Result<(), EnvError> {
    match unpack(settings, cache, locked).await {
        Err(EnvError::WrongHash { file, .. }) => {
            tracing::warn!(file, "the archive in the cache is damaged");
            let folder = archives(settings);
            fetch::forget(&folder, &file)?;
            if settings.offline {
                return Err(EnvError::Offline { what: file.into() });
            }
            fetch::fetch(&HttpClient::new(settings)?, locked, &folder, &Quiet).await?;
            unpack(settings, cache, locked).await
        }
        unpacked => unpacked,
    }
}

/// Unpacks a package that is not unpacked yet, or was changed since, from the archive that has been downloaded. The
/// cache looks only whether the files are there: their content was checked when the archive was unpacked, and
/// [`is_touched`] finds what was changed since.
async fn unpack(
    settings: &Settings,
    cache: &PackageCache,
    locked: &Locked,
) -> Result<(), EnvError> {
    let record = record(locked)?.package_record;
    let folder = unpacked(settings, locked);
    if whole().get(&folder).is_some_and(|hash| Some(hash) == locked.package.sha256.as_ref()) {
        return Ok(());
    }
    let touched = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || is_touched(&folder)).await.unwrap_or(true)
    };
    if touched {
        discard(settings, &folder)?;
    }
    let source = Arc::new(PendingArchive {
        archive: archives(settings).join(locked.filename()),
        file: locked.filename(),
        sha256: locked.package.sha256.clone().unwrap_or_default(),
        failure: Mutex::new(None),
    });
    let sha256 = record.sha256;
    let unpacking = Arc::clone(&source);
    let there = cache.get_or_fetch(
        &record,
        move |to| {
            let source = Arc::clone(&unpacking);
            async move {
                let unpacked = tokio::task::spawn_blocking(move || source.unpack(&to)).await;
                unpacked.unwrap_or_else(|error| Err(io::Error::other(error))).map(|()| sha256)
            }
        },
        None,
    );
    if let Err(error) = there.await {
        let failure = source.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        return Err(failure.unwrap_or_else(|| bad(locked, &error)));
    }
    tracing::trace!(folder = %folder.display(), "unpacked");
    whole().insert(folder, source.sha256.clone());
    Ok(())
}

/// An archive that the cache wants unpacked.
struct PendingArchive {
    archive: PathBuf,
    /// Its name, for messages.
    file: String,
    sha256: String,
    /// What went wrong: the cache keeps no errors of ours.
    failure: Mutex<Option<EnvError>>,
}

impl PendingArchive {
    fn unpack(&self, to: &Path) -> io::Result<()> {
        self.checked(to).map_err(|error| {
            let told = io::Error::other(error.to_string());
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            told
        })
    }

    /// Unpacks what is the archive by its hash, and looks through what came out.
    fn checked(&self, to: &Path) -> Result<(), EnvError> {
        let found = hash_of(&self.archive).map_err(EnvError::io(&self.archive))?;
        if found != self.sha256 {
            return Err(EnvError::WrongHash {
                file: self.file.clone(),
                expected: self.sha256.clone(),
                found,
            });
        }
        unpack_conda(&self.archive, to).map_err(|refusal| refusal.of(&self.file))?;
        contents::check(to).map_err(|reason| EnvError::bad_package(self.file.clone(), reason))
    }
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

/// What stands in a prefix already; records of these names, which may be damaged, do not count. Neither does one that
/// cannot be read: its package is linked again.
fn installed(prefix: &Path, except: &[String]) -> Result<Vec<PrefixRecord>, EnvError> {
    let folder = prefix.join("conda-meta");
    let mut records = Vec::new();
    for entry in fs::read_dir(&folder).into_iter().flatten() {
        let path = entry.map_err(EnvError::io(&folder))?.path();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_record = path.extension().is_some_and(|extension| extension == "json");
        let name = stem.rsplitn(3, '-').nth(2).unwrap_or_default().to_owned();
        if is_record && !except.contains(&name) {
            match PrefixRecord::from_path(&path) {
                Ok(record) => records.push(stays_inside(record)?),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                    ) =>
                {
                    tracing::warn!(path = %path.display(), %error, "a record cannot be read");
                }
                Err(error) => return Err(EnvError::io(&path)(error)),
            }
        }
    }
    Ok(records)
}

/// A record that names no file outside of its environment: what it names is deleted with its package.
fn stays_inside(record: PrefixRecord) -> Result<PrefixRecord, EnvError> {
    let fits = |path: &Path| path.to_str().is_some_and(names::relative_path::fits);
    let entries = record.paths_data.paths.iter().map(|entry| &entry.relative_path);
    match entries.chain(&record.files).find(|path| !fits(path)) {
        None => Ok(record),
        Some(path) => Err(EnvError::bad_package(
            name_of(&record),
            message!("its record in the environment has {path:?}, which is no place for a file"),
        )),
    }
}

fn name_of(record: &PrefixRecord) -> &str {
    record.repodata_record.package_record.name.as_normalized()
}

/// Brings a prefix to these records, of which those of the `new` packages are not there yet. Nothing is downloaded: the
/// cache has them all, and they have been looked through.
async fn install(
    linking: &Linking<'_>,
    installed: Vec<PrefixRecord>,
    records: Vec<RepoDataRecord>,
    new: &[Locked],
) -> Result<(), EnvError> {
    let Linking { settings, prefix, .. } = *linking;
    let failed = |reason: Message| {
        EnvError::bad_package(prefix.file_name().unwrap_or_default().to_string_lossy(), reason)
    };
    together(settings, &installed, &records, new)?;
    // What somebody takes out of the cache meanwhile is not fetched past our checks. A client that it makes by itself
    // wants certificates at once, and ends the program on a machine that has none.
    let result = Installer::new()
        .with_download_client(LazyClient::new(HttpClient::closed))
        .with_package_cache(cache(settings, ValidationMode::Skip))
        .with_target_platform(Subdir::current().unwrap_or(Subdir::Linux64))
        .with_installed_packages(installed)
        .with_external_symlink_policy(ExternalSymlinkPolicy::Deny)
        .with_execute_link_scripts(false)
        .install(prefix, records)
        .await;
    result.map_err(|error| {
        no_space(prefix, &error).unwrap_or_else(|| failed(Message::plain(chain(&error))))
    })?;
    run_scripts(linking, new)
}

/// Shows that packages which are linked together write nothing through each other's links.
fn together(
    settings: &Settings,
    installed: &[PrefixRecord],
    records: &[RepoDataRecord],
    new: &[Locked],
) -> Result<(), EnvError> {
    let bad = |(package, reason): (String, Message)| EnvError::bad_package(package, reason);
    let python = records.iter().find(|r| r.package_record.name.as_normalized() == "python");
    let site_packages = python.map_or_else(String::new, |python| {
        let told = python.package_record.python_site_packages_path.clone();
        let version = form::python(std::slice::from_ref(python));
        told.unwrap_or_else(|| format!("lib/python{version}/site-packages"))
    });
    let mut all = Together::default();
    installed.iter().for_each(|record| all.add_installed(record));
    for locked in new {
        let name = &locked.package.name;
        all.add(name, &unpacked(settings, locked), Path::new(&site_packages))
            .map_err(|reason| bad((name.clone(), reason)))?;
    }
    all.check().map_err(bad)
}

/// Runs the scripts of packages that have one for when they have been linked, where the catalog names the package; of
/// others the log tells that theirs was not run.
fn run_scripts(linking: &Linking<'_>, new: &[Locked]) -> Result<(), EnvError> {
    let Linking { prefix, scripts: allowed, log, .. } = *linking;
    let platform = Subdir::current().unwrap_or(Subdir::Linux64);
    for locked in new {
        let name = &locked.package.name;
        let Package { version, build, .. } = &locked.package;
        let path = prefix.join(format!(
            "conda-meta/{name}-{version}-{}.json",
            build.as_deref().unwrap_or_default()
        ));
        let script = LinkScriptType::PostLink.get_path(&record(locked)?.package_record, &platform);
        if !(&Real as &dyn System).exists(prefix.join(&script)) {
            continue;
        }
        let record = PrefixRecord::from_path(&path).map_err(EnvError::io(&path))?;
        // The script must be the package's own, and no other's that has its name.
        if !allowed.contains(name) || !record.files.iter().any(|file| *file == *script) {
            note(log, &format!("{name}: its script {script} was not run\n"));
            continue;
        }
        let kind = LinkScriptType::PostLink;
        let records = std::iter::once(&record);
        no_script_failed(run_link_scripts(kind, records, prefix, &platform, None), log)?;
    }
    Ok(())
}

fn note(log: &Path, text: &str) {
    if let Ok(mut file) = fs::OpenOptions::new().create(true).append(true).open(log) {
        let _ = file.write_all(text.as_bytes());
    }
}

/// Scripts that failed are no error of the installer's; of an environment they are.
fn no_script_failed(
    told: Result<PrePostLinkResult, LinkScriptError>,
    log: &Path,
) -> Result<(), EnvError> {
    let told = told
        .map_err(|error| EnvError::bad_package("a package's own script", Message::plain(error)))?;
    let said: String = told
        .messages
        .iter()
        .filter(|(_, message)| !message.trim().is_empty())
        .map(|(name, message)| format!("{}: {}\n", name.as_normalized(), message.trim()))
        .collect();
    if !said.is_empty() {
        note(log, &said);
    }
    match told.failed_packages.first() {
        None => Ok(()),
        Some(name) => Err(EnvError::bad_package(
            name.as_normalized(),
            message!("the script that it runs after it was linked failed"),
        )),
    }
}

fn bad(locked: &Locked, error: &(dyn std::error::Error + 'static)) -> EnvError {
    no_space(Path::new(&locked.filename()), error)
        .unwrap_or_else(|| EnvError::bad_package(locked.filename(), Message::plain(chain(error))))
}

/// A full disk, wherever in the chain of causes it is said.
fn no_space(path: &Path, error: &(dyn std::error::Error + 'static)) -> Option<EnvError> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let full = error.downcast_ref::<std::io::Error>().is_some_and(|io| {
            matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
        });
        if full {
            return Some(EnvError::System(Failure::NoSpace { path: path.to_message() }));
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
    use aitk_plan::lock::conda::locked;
    use aitk_plan::{LockError, Manager};

    use super::*;
    use crate::backend::backend;

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
        let layer = LockedLayer { step: "libraries".to_owned(), packages: vec![locked] };
        let files = [file.clone(), prefix.join("bin/gone")];
        let log = folder.path().join("log");
        // Its archive is not there.
        let linking = Linking { settings: &settings, prefix: &prefix, scripts: &[], log: &log };
        link_again(&linking, &layer, &files).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "damaged");
    }

    /// A member of a package: a file with what is in it, or a link with where it leads.
    enum Member<'a> {
        File(&'a str),
        Link(&'a str),
    }
    use Member::{File, Link};

    /// A cache, and a channel in a folder.
    struct Sandbox {
        folder: tempfile::TempDir,
        settings: Settings,
    }

    impl Sandbox {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let cache = folder.path().join("cache");
            Self { settings: Settings { cache, ..Settings::default() }, folder }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        /// Puts a package into the channel. `listed` are the paths that its list names beside its members.
        fn pack(&self, name: &str, members: &[(&str, Member<'_>)], listed: &[&str]) -> Locked {
            let encoder = bzip2::write::BzEncoder::new(Vec::new(), Default::default());
            let mut tar = tar::Builder::new(encoder);
            let mut put = |path: &str, content: &str, link: bool| {
                let mut header = tar::Header::new_gnu();
                header.set_mode(0o755);
                if link {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_size(0);
                    tar.append_link(&mut header, path, content).unwrap();
                } else {
                    header.set_size(content.len() as u64);
                    tar.append_data(&mut header, path, content.as_bytes()).unwrap();
                }
            };
            let mut paths = Vec::new();
            for (path, member) in members {
                let (content, link) = match member {
                    File(content) => (*content, false),
                    Link(target) => (*target, true),
                };
                put(path, content, link);
                let kind = if link { "softlink" } else { "hardlink" };
                paths.push(serde_json::json!({ "_path": path, "path_type": kind }));
            }
            for path in listed {
                paths.push(serde_json::json!({ "_path": path, "path_type": "hardlink" }));
            }
            let index = serde_json::json!({
                "name": name, "version": "1.0", "build": "0", "build_number": 0, "subdir": "linux-64", "depends": [],
            });
            let list = serde_json::json!({ "paths": paths, "paths_version": 1 });
            put("info/index.json", &index.to_string(), false);
            put("info/paths.json", &list.to_string(), false);
            put("info/about.json", "{}", false);
            let bytes = tar.into_inner().unwrap().finish().unwrap();
            let file = format!("{name}-1.0-0.tar.bz2");
            let path = self.path("channel/linux-64").join(&file);
            Real.write(&path, &bytes, 0o644).unwrap();
            let mut record = index;
            record["fn"] = file.into();
            record["url"] = format!("file://{}", path.display()).into();
            record["channel"] = "channel".into();
            record["size"] = bytes.len().into();
            record["sha256"] = hash_of(&path).unwrap().into();
            locked(&serde_json::from_value(record).unwrap()).unwrap()
        }

        fn fetch(&self, packages: &[&Locked]) -> Result<(), EnvError> {
            // Another process would look through everything again.
            whole().clear();
            super::fetch(&self.settings, packages, &Quiet)
        }

        fn link(&self, packages: &[&Locked], scripts: &[&str]) -> Result<(), EnvError> {
            let packages = packages.iter().map(|locked| (*locked).clone()).collect();
            let layers = [LockedLayer { step: "environment".to_owned(), packages }];
            let scripts: Vec<_> = scripts.iter().map(|name| (*name).to_owned()).collect();
            let (prefix, log) = (self.path("prefix"), self.path("log"));
            let linking =
                Linking { settings: &self.settings, prefix: &prefix, scripts: &scripts, log: &log };
            super::link(&linking, &layers)
        }

        fn text(&self, path: &str) -> String {
            fs::read_to_string(self.path(path)).unwrap_or_default()
        }

        fn refused(&self, packages: &[&Locked]) -> String {
            let done = self.fetch(packages).and_then(|()| self.link(packages, &[]));
            let error = done.unwrap_err();
            assert!(matches!(error, EnvError::Lock(LockError::BadPackage { .. })), "{error}");
            error.to_string()
        }
    }

    #[test]
    fn packages_are_linked_as_they_are_in_their_archives() {
        let sandbox = Sandbox::new();
        let members = [("lib/m/a", File("a")), ("lib/b", Link("m/a"))];
        let one = sandbox.pack("one", &members, &[]);
        let two = sandbox.pack("two", &[("lib/m/c", File("c"))], &[]);
        sandbox.fetch(&[&one, &two]).unwrap();
        sandbox.link(&[&one, &two], &[]).unwrap();
        assert_eq!(sandbox.text("prefix/lib/b") + &sandbox.text("prefix/lib/m/c"), "ac");
    }

    #[test]
    fn a_file_is_never_written_through_the_link_of_another_package() {
        // Leads outside, and is refused for that; leads inside, and is refused for the file behind it.
        for (target, reason) in [("/tmp", "leads out"), ("../other", "a link of dep")] {
            let sandbox = Sandbox::new();
            let dep = sandbox.pack("dep", &[("lib/m", Link(target))], &[]);
            let six = sandbox.pack("six", &[("lib/m/.bashrc", File("evil"))], &[]);
            assert!(sandbox.refused(&[&dep, &six]).contains(reason), "{target}");
            assert_eq!(sandbox.text("prefix/other/.bashrc"), "");
            // In whichever order they come.
            let sandbox = Sandbox::new();
            let dep = sandbox.pack("dep", &[("lib/m", Link("../other"))], &[]);
            sandbox.fetch(&[&dep]).unwrap();
            sandbox.link(&[&dep], &[]).unwrap();
            assert!(sandbox.refused(&[&dep, &six_of(&sandbox)]).contains("a link of dep"));
        }
    }

    fn six_of(sandbox: &Sandbox) -> Locked {
        sandbox.pack("six", &[("lib/m/.bashrc", File("evil"))], &[])
    }

    #[test]
    fn a_list_of_files_that_leads_outside_is_refused() {
        for path in ["../../precious", "/etc/passwd", "conda-meta/history", "a/../b", ""] {
            let sandbox = Sandbox::new();
            let six = sandbox.pack("six", &[("lib/a", File("a"))], &[path]);
            sandbox.refused(&[&six]);
        }
    }

    #[test]
    fn a_build_that_leads_elsewhere_deletes_nothing() {
        let sandbox = Sandbox::new();
        Real.write(&sandbox.path("project/.git/HEAD"), b"precious", 0o644).unwrap();
        Real.create_dir(&sandbox.path("cache/pkgs/six-1.0-0")).unwrap();
        let mut six = sandbox.pack("six", &[("lib/a", File("a"))], &[]);
        let build = "0/../../../project/.git";
        six.package.build = Some(build.to_owned());
        sandbox.refused(&[&six]);
        six.package.record.as_mut().unwrap()["build"] = build.into();
        sandbox.refused(&[&six]);
        discard(&sandbox.settings, &unpacked(&sandbox.settings, &six)).unwrap_err();
        assert_eq!(sandbox.text("project/.git/HEAD"), "precious");
    }

    #[test]
    fn a_damaged_archive_in_the_cache_is_fetched_anew_without_anybody() {
        let sandbox = Sandbox::new();
        let six = sandbox.pack("six", &[("lib/a", File("a"))], &[]);
        sandbox.fetch(&[&six]).unwrap();
        let archive = sandbox.path("cache/conda/six-1.0-0.tar.bz2");
        for offline in [true, false] {
            let mut bytes = fs::read(sandbox.path("channel/linux-64/six-1.0-0.tar.bz2")).unwrap();
            bytes[100] ^= 1;
            fs::write(&archive, bytes).unwrap();
            Real.write(
                &sandbox.path("cache/hashes/six-1.0-0.tar.bz2"),
                six.package.sha256.as_ref().unwrap().as_bytes(),
                0o600,
            )
            .unwrap();
            fs::remove_dir_all(sandbox.path("cache/pkgs")).unwrap();
            let settings = Settings { offline, ..sandbox.settings.clone() };
            whole().clear();
            let fetched = super::fetch(&settings, &[&six], &Quiet);
            assert_eq!(matches!(fetched, Err(EnvError::Offline { .. })), offline, "{fetched:?}");
        }
        sandbox.link(&[&six], &[]).unwrap();
        assert_eq!(sandbox.text("prefix/lib/a"), "a");
    }

    #[test]
    fn a_channel_that_has_something_else_than_it_said_is_asked_anew_next_time() {
        let sandbox = Sandbox::new();
        let six = sandbox.pack("six", &[("lib/a", File("a"))], &[]);
        let newer = sandbox.pack("six", &[("lib/a", File("b"))], &[]);
        let said = sandbox.path("cache/repodata/1.json");
        for (locked, there) in [(&newer, true), (&six, false)] {
            Real.write(&said, b"{}", 0o600).unwrap();
            let fetched = backend(Manager::Conda).fetch(&sandbox.settings, &[locked], &Quiet);
            assert_eq!(fetched.is_ok(), there);
            assert_eq!((&Real as &dyn System).exists(&said), there);
        }
    }

    #[test]
    fn an_unpacked_package_that_lost_files_is_unpacked_anew() {
        let sandbox = Sandbox::new();
        let six = sandbox.pack("six", &[("lib/a", File("a"))], &[]);
        sandbox.fetch(&[&six]).unwrap();
        fs::remove_dir_all(sandbox.path("cache/pkgs/six-1.0-0/lib")).unwrap();
        sandbox.fetch(&[&six]).unwrap();
        sandbox.link(&[&six], &[]).unwrap();
        assert_eq!(sandbox.text("prefix/lib/a"), "a");
    }

    #[test]
    fn a_record_that_was_cut_is_written_again() {
        let sandbox = Sandbox::new();
        let six = sandbox.pack("six", &[("lib/a", File("a"))], &[]);
        sandbox.fetch(&[&six]).unwrap();
        sandbox.link(&[&six], &[]).unwrap();
        let record = sandbox.path("prefix/conda-meta/six-1.0-0.json");
        for length in [20, 0] {
            let text = fs::read_to_string(&record).unwrap();
            fs::write(&record, &text[..length]).unwrap();
            whole().clear();
            sandbox.link(&[&six], &[]).unwrap();
            assert!(PrefixRecord::from_path(&record).is_ok());
            assert_eq!(sandbox.text("prefix/lib/a"), "a");
        }
    }

    #[test]
    fn a_record_that_names_files_outside_deletes_nothing() {
        let sandbox = Sandbox::new();
        let six = sandbox.pack("six", &[("lib/a", File("a"))], &[]);
        sandbox.fetch(&[&six]).unwrap();
        sandbox.link(&[&six], &[]).unwrap();
        Real.write(&sandbox.path("precious"), b"mine", 0o644).unwrap();
        let record = sandbox.path("prefix/conda-meta/six-1.0-0.json");
        let text = fs::read_to_string(&record).unwrap().replace("lib/a", "../precious");
        fs::write(&record, text).unwrap();
        sandbox.link(&[], &[]).unwrap_err();
        assert_eq!(sandbox.text("precious"), "mine");
    }

    #[test]
    fn the_script_of_a_package_is_run_only_where_the_catalog_names_it() {
        let script = "#!/bin/sh\necho ran > \"$PREFIX/ran\"\n";
        let members =
            [("bin/.six-post-link.sh", File(script)), ("bin/.a-post-link.sh", File(script))];
        for (allowed, ran) in [(&[][..], ""), (&["other", "a"], ""), (&["six"], "ran\n")] {
            let sandbox = Sandbox::new();
            let six = sandbox.pack("six", &members, &[]);
            // A script that another package has under its name is not its own.
            let a = sandbox.pack("a", &[("lib/a", File("a"))], &[]);
            sandbox.fetch(&[&six, &a]).unwrap();
            sandbox.link(&[&six, &a], allowed).unwrap();
            assert_eq!(sandbox.text("prefix/ran"), ran, "{allowed:?}");
            assert_eq!(sandbox.text("log").contains("six: its script"), ran.is_empty());
        }
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
