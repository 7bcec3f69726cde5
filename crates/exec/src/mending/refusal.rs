//! Whose an environment is: what is not its user's alone, or what another tool looks after, is not for aitk to mend.

use std::path::Path;

use aitk_detect::{Ailing, Manages};
use aitk_system::{Message, System, message};

use super::error::MendError;

/// Refuses an environment that is not for aitk to mend.
///
/// # Errors
/// [`MendError::NotHere`] with the reason and what to do instead.
pub(super) fn refuse(system: &dyn System, ailing: &Ailing, data: &Path) -> Result<(), MendError> {
    let path = &ailing.path;
    let no = |reason: Message, remedy: Message| {
        Err(MendError::NotHere { path: path.clone(), reason, remedy })
    };
    if path.starts_with(data) {
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
