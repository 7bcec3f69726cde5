//! uv itself: found where it is new enough, else fetched at the version and hash that the catalog pins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_detect::Machine;
use aitk_plan::{Catalog, Package, Wheel};
use aitk_system::{Command, Permit, RunError, System};
use semver::Version;

use super::index::find_file;
use crate::conda::fetch_program;
use crate::error::EnvError;
use crate::fetch::{
    Client, FetchProgress, HESITATION, block_on, fetch_all, hash_of, place, unpack,
};
use crate::lock::Locked;
use crate::{Settings, text};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// A uv that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uv {
    /// The program.
    pub path: PathBuf,
    /// Where it was found, in words.
    pub origin: String,
}

/// Where a uv of aitk's own stands below a folder.
pub fn own_uv(folder: &Path, catalog: &Catalog) -> PathBuf {
    folder.join("tools").join(format!("uv-{}", catalog.uv.version)).join("uv")
}

/// The wheel that holds the pinned uv for an architecture.
pub fn uv_wheel<'a>(catalog: &'a Catalog, arch: &str) -> Option<&'a Wheel> {
    catalog.uv.wheels.iter().find(|wheel| wheel.arch == arch)
}

/// A uv that is installed: the one on `PATH` if it is new enough, else aitk's own.
pub fn find_uv(
    system: &dyn System,
    machine: &Machine,
    catalog: &Catalog,
    settings: &Settings,
) -> Option<Uv> {
    let on_path = machine.tools.get("uv").filter(|tool| {
        let have = tool.version.as_deref().and_then(|version| Version::parse(version).ok());
        let oldest = Version::parse(&catalog.uv.accept).ok();
        have.is_some() && have >= oldest
    });
    if let Some(tool) = on_path {
        return Some(Uv { path: tool.path.clone(), origin: "on PATH".to_owned() });
    }
    let path = own_uv(&settings.data, catalog);
    system.exists(&path).then(|| Uv { path, origin: "aitk's own".to_owned() })
}

/// A uv that can be run now: an installed one, else one fetched into the cache.
///
/// # Errors
/// [`EnvError::NoUv`] where there is no way yet (no index is configured and Python has no pip);
/// [`EnvError::Unreachable`] and others where a way failed.
pub fn fetch_uv(
    system: &dyn System,
    machine: &Machine,
    catalog: &Catalog,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<Uv, EnvError> {
    if let Some(uv) = find_uv(system, machine, catalog, settings) {
        return Ok(uv);
    }
    let version = &catalog.uv.version;
    let path = own_uv(&settings.cache, catalog);
    if system.exists(&path) {
        return Ok(Uv { path, origin: "aitk's cache".to_owned() });
    }
    let permitted = system.permit(&format!("download uv {version}"));
    if permitted.map_err(EnvError::io(&path))? == Permit::Reported {
        return Ok(Uv { path, origin: "to be fetched".to_owned() });
    }
    match fetch_uv_wheel(system, machine, catalog, settings, progress) {
        Ok((file, origin)) => {
            unpack(&file, ".data/scripts/uv", &path)?;
            Ok(Uv { path, origin: origin.to_owned() })
        }
        // There is no other way yet; a channel that was waited for already is none.
        Err(error @ EnvError::NoUv { .. }) if !settings.offline && !settings.waited => {
            match from_channel(system, version, &path, settings, progress) {
                Ok(true) => Ok(Uv { path, origin: "the conda channel".to_owned() }),
                Ok(false) => Err(error),
                Err(of_channel) => {
                    tracing::debug!(error = %of_channel, "no uv from the channel");
                    Err(error)
                }
            }
        }
        Err(error) => Err(error),
    }
}

/// Takes uv from the conda channel, if it has the pinned version and that runs here. Its archive is another than the
/// wheel, so it is the channel's hash that it is checked against.
fn from_channel(
    system: &dyn System,
    version: &str,
    path: &Path,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<bool, EnvError> {
    let arch = system.host().arch;
    let Some(program) = fetch_program(settings, &arch, "uv", version, progress)? else {
        return Ok(false);
    };
    let said = system.run(&Command::reads([&text(&program), "--version"]).timeout(PATIENCE))?;
    let is_it = said.success() && said.stdout.split_whitespace().nth(1) == Some(version);
    if is_it {
        place(&program, path)?;
    }
    Ok(is_it)
}

/// The wheel of the pinned uv in the cache of wheels, downloaded if need be, and where it came from.
///
/// # Errors
/// As those of [`fetch_uv`].
pub fn fetch_uv_wheel(
    system: &dyn System,
    machine: &Machine,
    catalog: &Catalog,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<(PathBuf, &'static str), EnvError> {
    let version = &catalog.uv.version;
    let wheel = uv_wheel(catalog, &system.host().arch).ok_or_else(|| EnvError::NoUv {
        version: version.clone(),
        reason: "the catalog has none for this processor".to_owned(),
    })?;
    let file = settings.wheels().join(&wheel.filename);
    if hash_of(&file).is_ok_and(|hash| hash == wheel.sha256) {
        return Ok((file, "the cache of wheels"));
    }
    let origin = match &settings.index_url {
        _ if settings.offline => {
            return Err(EnvError::Offline { what: format!("uv {version}") });
        }
        Some(index) => {
            from_index(index, version, wheel, settings, progress)?;
            "the index"
        }
        None => {
            from_pip(system, machine, version, wheel, settings)?;
            "pip"
        }
    };
    let found = hash_of(&file).map_err(EnvError::io(&file))?;
    if found != wheel.sha256 {
        let expected = wheel.sha256.clone();
        return Err(EnvError::WrongHash { file: wheel.filename.clone(), expected, found });
    }
    Ok((file, origin))
}

/// Puts the fetched uv where it stays.
///
/// # Errors
/// Where it is not in the cache, or cannot be copied.
pub fn install_uv(
    system: &dyn System,
    fetched: &Uv,
    catalog: &Catalog,
    settings: &Settings,
) -> Result<PathBuf, EnvError> {
    let path = own_uv(&settings.data, catalog);
    let install = format!("install {}", path.display());
    let permitted = system.permit(&install).map_err(EnvError::io(&path))?;
    if fetched.path != path && permitted == Permit::Granted {
        place(&fetched.path, &path)?;
    }
    Ok(path)
}

fn from_index(
    index: &str,
    version: &str,
    wheel: &Wheel,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    let asking = Client::asking(settings)?;
    let url = block_on(find_file(&asking, index, "uv", &wheel.filename))??;
    let locked = Locked {
        package: Package {
            name: "uv".to_owned(),
            version: version.to_owned(),
            size: Some(wheel.size),
            sha256: Some(wheel.sha256.clone()),
            url: Some(url),
            ..Package::default()
        },
        ..Locked::default()
    };
    fetch_all(&Client::new(settings)?, &[&locked], &settings.wheels(), false, progress)
}

/// Lets pip download the wheel: it knows the default index, and the one that the user has configured for it.
fn from_pip(
    system: &dyn System,
    machine: &Machine,
    version: &str,
    wheel: &Wheel,
    settings: &Settings,
) -> Result<(), EnvError> {
    let no_way = |reason: String| EnvError::NoUv { version: version.to_owned(), reason };
    let Some(python) = machine.python.first() else {
        return Err(no_way(
            "no index is configured, and there is no Python whose pip knows one".to_owned(),
        ));
    };
    let folder = settings.wheels();
    let wanted = settings.cache.join("resolve").join("uv.txt");
    let requirement = format!("uv=={version} --hash=sha256:{}\n", wheel.sha256);
    system.write(&wanted, requirement.as_bytes(), 0o644).map_err(EnvError::io(&wanted))?;
    let command = Command::changes([&text(&python.path), "-m", "pip", "download"])
        .args(["--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir"])
        .args(["--no-deps", "--only-binary", ":all:", "--require-hashes"])
        .args(["--retries", if settings.waited { "0" } else { "1" }])
        .args(["--timeout", &HESITATION.as_secs().to_string()])
        .args(["--dest", &text(&folder), "--requirement", &text(&wanted)])
        .timeout(Duration::from_secs(600));
    let output = match system.run(&command) {
        Err(RunError::NotFound { .. }) => return Err(no_way("Python is gone".to_owned())),
        output => output?,
    };
    if output.success() {
        return Ok(());
    }
    if output.stderr.contains("No module named pip") {
        return Err(no_way(
            "no index is configured, and Python has no pip that knows one".to_owned(),
        ));
    }
    let lost = ["Could not fetch", "NewConnectionError", "Connection", "No matching distribution"];
    if lost.iter().any(|sign| output.stderr.contains(sign)) {
        return Err(EnvError::Unreachable {
            source_name: "the Python package index".to_owned(),
            reason: connection_line(&output.stderr).unwrap_or_else(|| output.tail(1)),
        });
    }
    Err(no_way(output.tail(3)))
}

/// What pip says of the connection; its last line speaks of versions even where nothing was reached. The reason
/// stands behind the name of a Python object: `… object at 0x7f81>: Failed to …: [Errno -3] …')': /simple/uv/`.
fn connection_line(said: &str) -> Option<String> {
    let line = said.lines().find(|line| line.contains("[Errno") || line.contains("timed out"))?;
    let reason = line.rsplit_once(">: ").map_or(line, |(_, reason)| reason);
    Some(reason.split('\'').next().unwrap_or(reason).trim_end_matches(')').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_found_in_what_pip_says() {
        let said = "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<pip.\
            HTTPSConnection object at 0x7f81>: Failed to establish a new connection: [Errno -3] Temporary failure in \
            name resolution')': /simple/uv/\nERROR: No matching distribution found for uv==0.13.9";
        let reason = connection_line(said).unwrap();
        assert_eq!(
            reason,
            "Failed to establish a new connection: [Errno -3] Temporary failure in name resolution"
        );
    }
}
