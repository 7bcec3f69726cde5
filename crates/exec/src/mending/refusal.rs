//! Whose an environment is: what is not its user's alone, or what another tool looks after, is not for aitk to mend.

use std::path::Path;
use std::time::Duration;

use aitk_detect::{Ailing, Manages};
use aitk_env::RECORD;
use aitk_system::{Command, Message, System, message};

use super::error::MendError;

/// How long looking through an environment may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Refuses an environment that is not for aitk to mend.
///
/// # Errors
/// [`MendError::NotHere`] with the reason and what to do instead.
pub(super) fn refuse(system: &dyn System, ailing: &Ailing, data: &Path) -> Result<(), MendError> {
    let path = &ailing.path;
    let no = |reason: Message, remedy: Message| {
        Err(MendError::NotHere { path: path.clone(), reason, remedy })
    };
    if path.starts_with(data) || is_generation(system, path) {
        let remedy = message!("`aitk verify` names what is wrong, and `aitk apply` mends it");
        return no(message!("it is one of aitk's own"), remedy);
    }
    if ailing.of_conda {
        let remedy = message!(
            "conda mends its packages with `conda install --force-reinstall PACKAGE`; for what pip has put in, do what `aitk doctor --env` says"
        );
        return no(message!("conda looks after it"), remedy);
    }
    let owner = system.stat(path).map(|stat| stat.uid).unwrap_or_default();
    if owner == 0 {
        let remedy = message!("let an administrator make it anew, or make one of your own");
        return no(message!("it is root's"), remedy);
    }
    if owner != system.host().uid {
        let remedy = message!("its owner can do it");
        return no(message!("it is another user's (uid {owner})"), remedy);
    }
    if let Some(there) = foreign_part(system, path, owner) {
        let remedy = message!("make it anew in a folder of yours, as `aitk doctor --env` says");
        return no(
            message!(
                "{} in it is a link that leads out of it, another user's, or of another disk",
                there
            ),
            remedy,
        );
    }
    if let Some(Manages { mark, tool, command }) = &ailing.managed {
        let reason = message!("{tool} looks after it ({mark})");
        return no(reason, message!("let {tool} do it: {command}"));
    }
    if ailing.python.is_none() || !system.exists(path.join("bin/python")) {
        let remedy = message!("make it anew, as `aitk doctor --env` says");
        return no(message!("its Python is gone"), remedy);
    }
    Ok(())
}

/// Whether a folder is a generation of aitk's, in whatever folder of its data.
fn is_generation(system: &dyn System, path: &Path) -> bool {
    system.exists(path.join(RECORD))
}

/// What of an environment is not in it alone: a mount point, something of another user's, or a link of its packages that
/// leads elsewhere. What is changed there could not be brought back, or is not the environment's.
fn foreign_part(system: &dyn System, path: &Path, owner: u32) -> Option<String> {
    let device = |path: &Path| system.stat(path).ok().map(|stat| stat.dev);
    if device(path) != path.parent().and_then(device) {
        return Some(path.display().to_string());
    }
    let text = path.to_string_lossy();
    let owner = owner.to_string();
    let all: [&[&str]; 2] = [
        &["find", &text, "!", "-user", &owner, "-print", "-quit"],
        &["find", &text, "-path", "*/lib/*", "-type", "l", "-print"],
    ];
    let find = |words: &[&str]| {
        let output = system.run(&Command::reads(words.iter().copied()).timeout(PATIENCE)).ok()?;
        Some(output.stdout.lines().map(str::to_owned).collect::<Vec<_>>())
    };
    let leads_out = |link: &String| {
        let target = system.read_link(Path::new(link)).unwrap_or_default();
        let is_own = |target: &Path| target.is_relative() && aitk_system::is_plain(target);
        !is_own(&target)
    };
    let of_others = find(all[0])?.into_iter().next();
    let lib = path.join("lib");
    let is_link = |path: &Path| system.read_link(path).is_ok();
    let lib = Some(lib).filter(|lib| is_link(lib)).map(|lib| lib.display().to_string());
    of_others.or(lib).or_else(|| find(all[1])?.into_iter().find(leads_out))
}
