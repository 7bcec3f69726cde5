//! What a command sees of the program's surroundings: an empty folder to start in, and the variables that are listed
//! here. A folder full of somebody's files decides nothing about a Python or a uv that starts in another one, and a
//! variable that is meant for one program reaches no other.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::OnceLock;

use crate::command::{Command, Effect, RunAs};
use crate::{private, programs};

/// Variables that every command gets, where the program has them itself.
const LISTED: &[&str] = &[
    // Who it is for, and how that person reads.
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TERM",
    "COLORTERM",
    "NO_COLOR",
    "TZ",
    "TZDIR",
    // Where libraries and room for what passes are; `PATH` is searched without what is relative in it.
    "LD_LIBRARY_PATH",
    "TMPDIR",
    // The way to the network.
    "http_proxy",
    "https_proxy",
    "ftp_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "FTP_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NETRC",
    "DBUS_SESSION_BUS_ADDRESS",
    // How much of the machine may be used.
    "GPU_DEVICE_ORDINAL",
    "HSA_OVERRIDE_GFX_VERSION",
    "ONEAPI_DEVICE_SELECTOR",
    "ZE_AFFINITY_MASK",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    // What leads out of WSL.
    "WSL_DISTRO_NAME",
    "WSL_INTEROP",
    "WSLENV",
];
/// Files of certificates: a program that is told of one that is not there trusts nobody, where without it the system's own
/// would do.
const CERTIFICATES: [&str; 3] = ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"];
/// Beginnings of the names of others.
const FAMILIES: &[&str] = &["LC_", "XDG_", "CUDA_", "NVIDIA_", "HIP_", "ROCR_", "JUPYTER_"];

static EMPTY: OnceLock<PathBuf> = OnceLock::new();

/// Says once where commands are to start: a folder of the program's own, which it keeps empty. Until that is said, and
/// where the folder cannot be had without a change, they start in `/`.
pub fn children_start_in(folder: PathBuf) {
    // Whoever says it again says the same.
    let _ = EMPTY.set(folder);
}

/// Gives a process that is about to start its surroundings.
pub(crate) fn surround(process: &mut Process, command: &Command) {
    process.env_clear().env("PATH", programs::path());
    // What root's command gets stands among its words, or on its standard input.
    let pass = if command.privilege == RunAs::User { &command.pass[..] } else { &[] };
    process.envs(variables(std::env::vars_os(), pass));
    if command.privilege == RunAs::User {
        for (name, value) in &command.env {
            match value.as_str() {
                "" => process.env_remove(name),
                value => process.env(name, value),
            };
        }
        process.envs(command.secret.iter().map(|(name, value)| (name, &value.0)));
    }
    process.current_dir(folder(command));
}

/// Those of the program's own variables that are listed, or passed on by name.
fn variables(
    own: impl Iterator<Item = (OsString, OsString)>,
    pass: &[String],
) -> Vec<(OsString, OsString)> {
    let listed = |name: &str| {
        LISTED.contains(&name)
            || FAMILIES.iter().any(|family| name.starts_with(family))
            || pass.iter().any(|passed| passed == name)
    };
    let kept = own.filter_map(|(name, value)| {
        let known = name.to_str().filter(|name| listed(name))?;
        // An empty or relative folder in it is the one that a program happens to be in.
        let value =
            if known == "LD_LIBRARY_PATH" { programs::absolute_only(&value) } else { value };
        let lost = CERTIFICATES.contains(&known) && !Path::new(&value).exists();
        (!value.is_empty() && !lost).then_some((name, value))
    });
    kept.collect()
}

fn folder(command: &Command) -> PathBuf {
    if let Some(folder) = &command.cwd {
        return folder.clone();
    }
    let own = EMPTY.get().filter(|_| command.privilege == RunAs::User);
    let usable = |folder: &&PathBuf| {
        is_empty(folder) || command.effect == Effect::Changes && make_empty(folder).is_ok()
    };
    own.filter(usable).cloned().unwrap_or_else(|| "/".into())
}

/// Whether there is an empty folder that nobody else can put anything into.
fn is_empty(folder: &Path) -> bool {
    let ours = |meta: &fs::Metadata| {
        let uid = rustix::process::geteuid().as_raw();
        meta.is_dir() && meta.uid() == uid && meta.mode() & 0o022 == 0
    };
    fs::symlink_metadata(folder).is_ok_and(|meta| ours(&meta))
        && fs::read_dir(folder).is_ok_and(|mut names| names.next().is_none())
}

fn make_empty(folder: &Path) -> io::Result<()> {
    match fs::symlink_metadata(folder) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(folder)?,
        Ok(_) => fs::remove_file(folder)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    private::create_dir_all(folder)?;
    if is_empty(folder) { Ok(()) } else { Err(io::ErrorKind::DirectoryNotEmpty.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_listed_or_passed_goes_on_and_nothing_else() {
        let own = [
            ("HOME", "/home/me"),
            ("LC_ALL", "fr_FR.UTF-8"),
            ("https_proxy", "http://proxy:3128"),
            ("CUDA_VISIBLE_DEVICES", "1"),
            ("LD_LIBRARY_PATH", ":/opt/lib:relative:.:"),
            ("PYTHONPATH", "/tmp/evil"),
            ("PYTHONSTARTUP", "/tmp/evil.py"),
            ("UV_LINK_MODE", "symlink"),
            ("PIP_USER", "1"),
            ("LD_PRELOAD", "/tmp/evil.so"),
            ("BASH_ENV", "/tmp/evil.sh"),
            ("VIRTUAL_ENV", "/opt/venv"),
            ("CONDA_PREFIX", "/opt/conda"),
            ("KAGGLE_KEY", "s3cret"),
        ];
        let own = own.map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let kept = variables(own.into_iter(), &["KAGGLE_KEY".to_owned()]);
        let expected = [
            ("HOME", "/home/me"),
            ("LC_ALL", "fr_FR.UTF-8"),
            ("https_proxy", "http://proxy:3128"),
            ("CUDA_VISIBLE_DEVICES", "1"),
            ("LD_LIBRARY_PATH", "/opt/lib"),
            ("KAGGLE_KEY", "s3cret"),
        ];
        assert_eq!(kept, expected.map(|(name, value)| (name.into(), value.into())));
    }

    #[test]
    fn the_folder_is_made_for_changes_alone_and_never_in_use_with_something_in_it() {
        let home = tempfile::tempdir().unwrap();
        let empty = home.path().join("cache/empty");
        children_start_in(empty.clone());
        let (reads, changes) = (Command::reads(["true"]), Command::changes(["true"]));
        assert_eq!(folder(&reads), Path::new("/"), "looking makes nothing");
        assert!(!empty.exists());
        assert_eq!(folder(&changes), empty);
        assert_eq!(folder(&reads), empty);
        assert_eq!(folder(&Command::as_root(["true"])), Path::new("/"));
        fs::write(empty.join("pip.py"), "").unwrap();
        assert_eq!(folder(&reads), Path::new("/"), "somebody has put something there");
        assert_eq!(folder(&changes), empty);
        assert!(!empty.join("pip.py").exists());
        // Neither through a link.
        fs::remove_dir(&empty).unwrap();
        fs::create_dir(home.path().join("other")).unwrap();
        std::os::unix::fs::symlink(home.path().join("other"), &empty).unwrap();
        assert_eq!(folder(&changes), empty);
        assert!(fs::symlink_metadata(&empty).unwrap().is_dir());
    }
}
