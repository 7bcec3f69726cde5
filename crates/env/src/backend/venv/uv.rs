//! uv itself: fetched at the version and hash that the catalog pins, and noted with its own hash, by which it is known
//! again; or the one that the user names.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aitk_detect::Machine;
use aitk_detect::installers::{pip_settings, pip_variable};
use aitk_plan::{Catalog, Locked, Package, Wheel};
use aitk_system::{
    Command, Fault, FileKind, Message, Permit, RunError, System, ToMessage, inside, message,
};
use semver::Version;

use super::index::find_file;
use super::sources::WAYS_OF_PIP;
use crate::backend::conda::fetch_program;
use crate::certificates::{file_for_children, tell};
use crate::error::EnvError;
use crate::fetch::{FetchProgress, fetch_all};
use crate::http::{HESITATION, HttpClient};
use crate::place::{place, unpack};
use crate::runtime::block_on;
use crate::sha256::hash_of;
use crate::{Settings, text};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(20);

/// Whose turn it is to fetch uv in this process.
static TURN: Mutex<()> = Mutex::new(());

/// A uv that can be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UvProgram {
    /// Where uv lies: of aitk's own tools, or the one that was named.
    pub path: PathBuf,
    /// Where it was found, in words.
    pub origin: Message,
}

/// Where a uv of aitk's own stands below a folder.
pub fn own_uv(folder: &Path, catalog: &Catalog) -> PathBuf {
    folder.join("tools").join(format!("uv-{}", catalog.uv.version)).join("uv")
}

/// The wheel that holds the pinned uv for an architecture.
pub fn uv_wheel<'a>(catalog: &'a Catalog, arch: &str) -> Option<&'a Wheel> {
    catalog.uv.wheels.iter().find(|wheel| wheel.arch == arch)
}

/// The file beside a uv of aitk's own that notes its hash and its size: what does not fit it is damaged, or was never
/// whole, and does not count.
pub fn note_of(program: &Path) -> PathBuf {
    program.with_file_name("uv.sha256")
}

fn note(system: &dyn System, program: &Path) -> Result<(), EnvError> {
    let hash = hash_of(program).map_err(EnvError::io(program))?;
    let size = system.stat(program).map_err(EnvError::io(program))?.size;
    let note = note_of(program);
    system.write(&note, format!("{hash} {size}\n").as_bytes(), 0o600).map_err(EnvError::io(note))
}

/// Whether a uv of aitk's own is as it was noted: its size, and with `deep` every byte of it.
fn is_sound(system: &dyn System, program: &Path, deep: bool) -> bool {
    let note = system.text(note_of(program)).unwrap_or_default();
    let Some((hash, size)) = note.trim_end().split_once(' ') else { return false };
    let stat = system.stat(program).ok().filter(|stat| stat.kind == FileKind::File);
    let fits = stat.is_some_and(|stat| stat.size.to_string() == size && stat.mode & 0o100 != 0);
    fits && (!deep || hash_of(program).is_ok_and(|found| found == hash))
}

/// What is installed of uv: the one that the user names, else aitk's own, which is read to the last byte with `deep`.
pub fn find_uv(
    system: &dyn System,
    catalog: &Catalog,
    settings: &Settings,
    deep: bool,
) -> Option<UvProgram> {
    if let Some(path) = &settings.uv {
        let named = UvProgram { path: path.clone(), origin: message!("named with --uv") };
        return system.exists(path).then_some(named);
    }
    let path = own_uv(&settings.data, catalog);
    is_sound(system, &path, deep).then(|| UvProgram { path, origin: message!("aitk's own") })
}

/// The pinned uv in the cache, which is read to the last byte with `deep`.
pub fn cached_uv(
    system: &dyn System,
    catalog: &Catalog,
    settings: &Settings,
    deep: bool,
) -> Option<UvProgram> {
    let path = own_uv(&settings.cache, catalog);
    is_sound(system, &path, deep).then(|| UvProgram { path, origin: message!("aitk's cache") })
}

/// A uv that can be run now: an installed one, else one fetched into the cache. One that is damaged is fetched anew.
///
/// # Errors
/// [`EnvError::NoUv`] where there is no way yet (no index is configured and Python has no pip); [`EnvError::Uv`] where
/// the one that the user names is none, or too old; [`EnvError::Unreachable`] and others where a way failed.
pub fn fetch_uv(
    system: &dyn System,
    machine: &Machine,
    catalog: &Catalog,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<UvProgram, EnvError> {
    if let Some(path) = &settings.uv {
        return named_uv(system, catalog, path);
    }
    // Environments that are resolved at a time all come for it: the first fetches it, and the others find it.
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(uv) = find_uv(system, catalog, settings, true) {
        return Ok(uv);
    }
    if let Some(uv) = cached_uv(system, catalog, settings, true) {
        return Ok(uv);
    }
    let version = &catalog.uv.version;
    let path = own_uv(&settings.cache, catalog);
    let permitted = system.permit(&message!("download uv {version}"));
    if permitted.map_err(EnvError::io(&path))? == Permit::Reported {
        return Ok(UvProgram { path, origin: message!("to be fetched") });
    }
    inside(system, &settings.cache, &path).map_err(EnvError::io(&path))?;
    let origin = fetch_anew(system, machine, catalog, settings, progress, &path)?;
    note(system, &path)?;
    Ok(UvProgram { path, origin })
}

/// The uv that the user names, which must be new enough to read and write what aitk does.
fn named_uv(system: &dyn System, catalog: &Catalog, path: &Path) -> Result<UvProgram, EnvError> {
    let accept = &catalog.uv.accept;
    let refused = |output: Message| EnvError::Uv { output };
    let said = system.run(&Command::reads([&text(path), "--version"]).timeout(PATIENCE));
    let said = said.map_err(|error| refused(error.to_message()))?;
    let have = said.stdout.split_whitespace().nth(1).and_then(|have| Version::parse(have).ok());
    let name = path.display();
    match have {
        None => Err(refused(message!("{name} does not say its version"))),
        Some(have) if Some(&have) < Version::parse(accept).ok().as_ref() => {
            Err(refused(message!("{name} is {have}, and {accept} is the oldest that can be used")))
        }
        Some(_) => Ok(UvProgram { path: path.to_owned(), origin: message!("named with --uv") }),
    }
}

/// Fetches the pinned uv and puts its program at a path. Tells where it came from.
fn fetch_anew(
    system: &dyn System,
    machine: &Machine,
    catalog: &Catalog,
    settings: &Settings,
    progress: &dyn FetchProgress,
    path: &Path,
) -> Result<Message, EnvError> {
    let version = &catalog.uv.version;
    match fetch_uv_wheel(system, machine, catalog, settings, progress) {
        Ok((file, origin)) => {
            unpack(&file, ".data/scripts/uv", path)?;
            Ok(origin)
        }
        Err(EnvError::NoUv { reason, remedy, .. }) if !settings.offline => {
            let of_channel = match from_channel(system, version, path, settings, progress) {
                Ok(true) => return Ok(message!("the conda channel")),
                Ok(false) => message!("the conda channel has none for this machine"),
                Err(error @ EnvError::System(_)) => return Err(error),
                Err(error) => error.to_message(),
            };
            let reason = Message::list([reason, of_channel]);
            Err(no_uv(version, reason, Message::or([remedy, elsewhere()])))
        }
        Err(error) => Err(error),
    }
}

/// What brings uv, and not its wheel.
fn elsewhere() -> Message {
    message!("set --channel to a channel that has it, or name a uv with --uv")
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
    if settings.waited {
        // It was asked already, and said so.
        let source_name = message!("the conda channel");
        return Err(EnvError::Unreachable { source_name, reason: message!("it was asked before") });
    }
    let arch = system.host().arch;
    let Some(program) = fetch_program(settings, &arch, "uv", version, progress)? else {
        return Ok(false);
    };
    let said = system.run(&Command::reads([&text(&program), "--version"]).timeout(PATIENCE))?;
    let is_match = said.success() && said.stdout.split_whitespace().nth(1) == Some(version);
    if is_match {
        place(&program, path)?;
    }
    Ok(is_match)
}

/// The wheel of the pinned uv in the cache of wheels, downloaded if need be, and where it came from. It is what a bundle
/// carries: its hash is the catalog's, as that of a channel's archive is not.
///
/// # Errors
/// As those of [`fetch_uv`]; the remedy of [`EnvError::NoUv`] names what brings a wheel.
pub(super) fn fetch_uv_wheel(
    system: &dyn System,
    machine: &Machine,
    catalog: &Catalog,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<(PathBuf, Message), EnvError> {
    let version = &catalog.uv.version;
    let wheel = uv_wheel(catalog, &system.host().arch).ok_or_else(|| {
        let remedy = message!("choose --manager conda");
        no_uv(version, message!("the catalog has none for this processor"), remedy)
    })?;
    let file = settings.wheels().join(&wheel.filename);
    if hash_of(&file).is_ok_and(|hash| hash == wheel.sha256) {
        return Ok((file, message!("the cache of wheels")));
    }
    // It is damaged, if it is there at all.
    system.remove(&file).map_err(EnvError::io(&file))?;
    let origin = match &settings.index_url {
        _ if settings.offline => {
            return Err(EnvError::Offline { what: Message::plain(format!("uv {version}")) });
        }
        Some(index) => {
            from_index(index, version, wheel, settings, progress)?;
            message!("the index")
        }
        None => {
            from_pip(system, machine, version, wheel, settings)?;
            Message::plain("pip")
        }
    };
    let found = hash_of(&file).map_err(EnvError::io(&file))?;
    if found != wheel.sha256 {
        let expected = wheel.sha256.clone();
        system.remove(&file).map_err(EnvError::io(&file))?;
        return Err(EnvError::WrongHash { file: wheel.filename.clone(), expected, found });
    }
    Ok((file, origin))
}

/// Puts the fetched uv where it stays; one that the user names stays where it is.
///
/// # Errors
/// Where it is not in the cache, or cannot be copied.
pub fn install_uv(
    system: &dyn System,
    fetched: &UvProgram,
    catalog: &Catalog,
    settings: &Settings,
) -> Result<PathBuf, EnvError> {
    let path = own_uv(&settings.data, catalog);
    let install = message!("install {}", path.display());
    let permitted = system.permit(&install).map_err(EnvError::io(&path))?;
    if settings.uv.is_some() {
        return Ok(fetched.path.clone());
    }
    if fetched.path != path && permitted == Permit::Granted {
        inside(system, &settings.data, &path).map_err(EnvError::io(&path))?;
        place(&fetched.path, &path)?;
        note(system, &path)?;
    }
    Ok(path)
}

fn no_uv(version: &str, reason: Message, remedy: Message) -> EnvError {
    EnvError::NoUv { version: version.to_owned(), reason, remedy }
}

/// What opens a way to the wheel where those that there are have none.
fn an_index() -> Message {
    message!("set --index-url to an index that has it")
}

fn from_index(
    index: &str,
    version: &str,
    wheel: &Wheel,
    settings: &Settings,
    progress: &dyn FetchProgress,
) -> Result<(), EnvError> {
    let asking = HttpClient::asking(settings)?;
    let url = block_on(find_file(&asking, index, "uv", &wheel.filename))??;
    let none = || no_uv(version, message!("the index has no {}", wheel.filename), an_index());
    let locked = Locked {
        package: Package {
            name: "uv".to_owned(),
            version: version.to_owned(),
            size: Some(wheel.size),
            sha256: Some(wheel.sha256.clone()),
            url: Some(url.ok_or_else(none)?),
            ..Package::default()
        },
        ..Locked::default()
    };
    fetch_all(&HttpClient::new(settings)?, &[&locked], &settings.wheels(), false, progress)
}

/// Lets a pip download the wheel: it knows the default index, and the one that the user has configured for it. Each
/// Python here is asked until one has it.
fn from_pip(
    system: &dyn System,
    machine: &Machine,
    version: &str,
    wheel: &Wheel,
    settings: &Settings,
) -> Result<(), EnvError> {
    let (mut without, mut failed) = (Vec::new(), Vec::new());
    for python in &machine.python {
        let name = python.path.display();
        match download_with(system, machine, &python.path, version, wheel, settings)? {
            Pip::Has => return Ok(()),
            Pip::Missing => without.push(message!("{name} has no pip")),
            Pip::Fails(said) => failed.push(message!("the pip of {name} fails: {said}")),
        }
    }
    let remedy = match failed.is_empty() {
        true => Message::or([message!("install python3-pip"), an_index()]),
        false => an_index(),
    };
    let nothing = match machine.python.is_empty() {
        true => message!("no index is configured, and there is no Python whose pip knows one"),
        false => message!("no index is configured"),
    };
    let reasons = [nothing].into_iter().chain(without).chain(failed);
    Err(no_uv(version, Message::list(reasons), remedy))
}

/// What came of asking one pip.
enum Pip {
    /// It has downloaded the wheel.
    Has,
    /// There is none.
    Missing,
    /// It could not; its words.
    Fails(Message),
}

/// Lets the pip of one Python download the wheel, on its own: no folder and no variable of the user's leads to modules.
fn download_with(
    system: &dyn System,
    machine: &Machine,
    python: &Path,
    version: &str,
    wheel: &Wheel,
    settings: &Settings,
) -> Result<Pip, EnvError> {
    let folder = settings.wheels();
    let wanted = settings.cache.join("resolve").join("uv.txt");
    let requirement = format!("uv=={version} --hash=sha256:{}\n", wheel.sha256);
    system.write(&wanted, requirement.as_bytes(), 0o600).map_err(EnvError::io(&wanted))?;
    let command = Command::changes([&text(python), "-I", "-m", "pip", "download"])
        .args(["--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir"])
        .args(["--no-deps", "--only-binary", ":all:", "--require-hashes"])
        .args(["--retries", if settings.waited { "0" } else { "1" }])
        .args(["--timeout", &HESITATION.as_secs().to_string()])
        .args(["--dest", &text(&folder), "--requirement", &text(&wanted)])
        // It reads no file of settings: what they say beside sources would be another Python, place or package.
        .env("PIP_CONFIG_FILE", "/dev/null")
        // What it fetches goes to this disk anyway, and the place for temporary files may be small, or starts no programs.
        .env("TMPDIR", text(&settings.cache.join("resolve")))
        .timeout(Duration::from_secs(600));
    let command = ways_of_pip(system, machine, python).into_iter().fold(
        command,
        |command, (variable, value)| match value {
            Some(value) => command.secret(variable, value),
            None => command.pass(variable),
        },
    );
    let command = known_and_knowing(command, system, settings)?;
    let mut output = match system.run(&command) {
        Err(RunError::NotFound { .. } | RunError::NoInterpreter { .. }) => return Ok(Pip::Missing),
        output => output?,
    };
    if output.success() {
        return Ok(Pip::Has);
    }
    if output.stderr.contains("No module named pip") {
        return Ok(Pip::Missing);
    }
    output.stderr = settings.hide(&output.stderr);
    // The reason why a connection failed is none of a file's.
    let of_files = output.stderr.lines().filter(|line| !line.contains("onnection"));
    if let Some((path, source)) = Fault::printed(&of_files.collect::<Vec<_>>().join("\n")) {
        return Err(EnvError::io(if path.is_empty() { folder } else { path.into() })(source));
    }
    // Where it asks only once, it says of what does not answer just that there is nothing.
    let nothing = if settings.waited { Some("(from versions: none)") } else { None };
    let lost = ["Could not fetch", "NewConnectionError", "Connection", "certificate verify failed"]
        .into_iter()
        .chain(nothing);
    if lost.into_iter().any(|sign| output.stderr.contains(sign)) {
        return Err(EnvError::Unreachable {
            source_name: message!("the Python package index"),
            reason: connection_line(&output.stderr).unwrap_or_else(|| output.tail(1)).into(),
        });
    }
    Ok(Pip::Fails(output.tail(3).into()))
}

/// Tells pip whom to trust and what to show.
fn known_and_knowing(
    command: Command,
    system: &dyn System,
    settings: &Settings,
) -> Result<Command, EnvError> {
    let command = match file_for_children(system, settings)? {
        // Where the second one is set, the library that pip asks by does not look at the first.
        Some(file) => ["PIP_CERT", "REQUESTS_CA_BUNDLE"]
            .into_iter()
            .fold(command, |command, name| command.env(name, text(&file))),
        None => command,
    };
    Ok(tell(command, "PIP_CLIENT_CERT", settings))
}

/// The variables by which pip is told how sources are reached: one that is set goes on as it is, another has its value
/// from pip's files.
fn ways_of_pip(
    system: &dyn System,
    machine: &Machine,
    python: &Path,
) -> Vec<(String, Option<String>)> {
    let prefix = python.parent().and_then(Path::parent);
    let set = pip_settings(system, &machine.folders, prefix, "download");
    let way = |option: &str| {
        let variable = pip_variable(option);
        if system.env(&variable).is_some() {
            return Some((variable, None));
        }
        let setting = set.iter().find(|setting| setting.key == option)?;
        Some((variable, Some(setting.value.clone())))
    };
    WAYS_OF_PIP.into_iter().filter_map(way).collect()
}

/// What pip says of the connection; its last line speaks of versions even where nothing was reached. The reason
/// stands behind the name of a Python object: `… object at 0x7f81>: Failed to …: [Errno -3] …')': /simple/uv/`.
fn connection_line(said: &str) -> Option<String> {
    // These stand inside of what Python calls its errors by.
    for reason in ["certificate verify failed", "Tunnel connection failed"] {
        if let Some(at) = said.find(reason) {
            let line = said[at..].split(['(', '\'', '\n']).next().unwrap_or(reason);
            return Some(line.trim_end().to_owned());
        }
    }
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

    #[test]
    fn what_a_proxy_or_a_certificate_is_refused_for_is_told() {
        let said = "WARNING: Retrying (Retry(total=0)) after connection broken by 'SSLError(SSLCertVerificationError(1, \
            '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in certificate chain \
            (_ssl.c:992)'))': /simple/uv/\nERROR: No matching distribution found for uv==0.13.9";
        assert_eq!(
            connection_line(said).unwrap(),
            "certificate verify failed: self-signed certificate in certificate chain"
        );
        let said = "WARNING: Retrying after connection broken by 'ProxyError('Cannot connect to proxy.', \
            OSError('Tunnel connection failed: 407 Proxy Authentication Required'))': /simple/uv/\nERROR: none";
        assert_eq!(
            connection_line(said).unwrap(),
            "Tunnel connection failed: 407 Proxy Authentication Required"
        );
    }
}
