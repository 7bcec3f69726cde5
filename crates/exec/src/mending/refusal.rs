//! Whose an environment is: what is not its user's alone, or what another tool looks after, is not for aitk to mend.

use std::path::Path;
use std::time::Duration;

use aitk_detect::{Ailing, Manages};
use aitk_env::RECORD;
use aitk_system::{Command, Message, System, ToMessage, message};

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
    match foreign_part(system, path, owner) {
        Ok(None) => {}
        Ok(Some(there)) => {
            let remedy = message!("make it anew in a folder of yours, as `aitk doctor --env` says");
            return no(
                message!(
                    "{} in it is a link that leads out of it, another user's, or of another disk",
                    there
                ),
                remedy,
            );
        }
        Err(why) => {
            let remedy = message!("make it anew, as `aitk doctor --env` says");
            return no(message!("what is in it could not be looked through: {why}"), remedy);
        }
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
///
/// # Errors
/// Why nobody could look: then nothing is known of it.
fn foreign_part(system: &dyn System, path: &Path, owner: u32) -> Result<Option<String>, Message> {
    let device = |path: &Path| system.stat(path).ok().map(|stat| stat.dev);
    if device(path) != path.parent().and_then(device) {
        return Ok(Some(path.display().to_string()));
    }
    let [of_others, links] = looks(path, owner).map(|look| move || found(system, &look));
    if let Some(of_others) = of_others()?.into_iter().next() {
        return Ok(Some(of_others));
    }
    let lib = path.join("lib");
    if system.read_link(&lib).is_ok() {
        return Ok(Some(lib.display().to_string()));
    }
    let leads_out = |link: &String| {
        let target = system.read_link(Path::new(link)).unwrap_or_default();
        let is_own = |target: &Path| target.is_relative() && aitk_system::is_plain(target);
        !is_own(&target)
    };
    Ok(links()?.into_iter().find(leads_out))
}

/// What asks for the first thing of another user's, and for all links of its packages.
fn looks(path: &Path, owner: u32) -> [Command; 2] {
    let (text, owner) = (path.to_string_lossy(), owner.to_string());
    let all: [&[&str]; 2] = [
        &["find", &text, "!", "-user", &owner, "-print", "-quit"],
        &["find", &text, "-path", "*/lib/*", "-type", "l", "-print"],
    ];
    all.map(|words| Command::reads(words.iter().copied()).timeout(PATIENCE))
}

/// What `find` has found, where it has seen all of it.
fn found(system: &dyn System, look: &Command) -> Result<Vec<String>, Message> {
    let output = system.run(look).map_err(|error| error.to_message())?;
    match output.success() {
        true => Ok(output.stdout.lines().map(str::to_owned).collect()),
        false => Err(Message::plain(output.tail(1))),
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};
    use serde_json::json;

    use super::*;

    /// What is found in an environment where `find` answers so, with its status and what it prints.
    fn looked(answers: [Option<(i32, &str)>; 2]) -> Result<Option<String>, Message> {
        let folder = tempfile::tempdir().unwrap();
        let path = Path::new("/home/user/env");
        let said = looks(path, 1000).map(|look| look.to_string()).into_iter().zip(answers);
        let said = said.filter_map(|(look, answer)| {
            let (status, said) = answer?;
            Some((look, json!({ "status": status, "stdout": said, "stderr": "find: no more" })))
        });
        let said = json!({ "schema": 1, "commands": said.collect::<serde_json::Map<_, _>>() });
        let root = folder.path().join("root/home/user/env/lib");
        Real.create_dir(&root).unwrap();
        let file = folder.path().join("answers.json");
        Real.write(&file, said.to_string().as_bytes(), 0o644).unwrap();
        foreign_part(&Replay::open(folder.path()).unwrap(), path, 1000)
    }

    #[test]
    fn what_nobody_could_look_through_is_not_taken_for_whole() {
        let whole = Some((0, ""));
        assert_eq!(looked([whole, whole]), Ok(None));
        assert_eq!(looked([Some((0, "/x\n")), whole]), Ok(Some("/x".to_owned())));
        assert_eq!(looked([whole, Some((0, "/y\n"))]), Ok(Some("/y".to_owned())));
        // It cannot be run, ends unsuccessfully, or has not seen all of it.
        for nothing in [None, Some((1, "")), Some((1, "/x\n")), Some((127, ""))] {
            assert!(looked([nothing, whole]).is_err(), "{nothing:?}");
            assert!(looked([whole, nothing]).is_err(), "{nothing:?}");
        }
    }
}
