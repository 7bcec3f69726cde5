//! A command follows the file of the folder that it is typed in, once the person has confirmed that file.

use aitk_system::{Message, System, is_terminal, message};

use crate::args::{Args, ChoiceArgs, Verb};
use crate::error::CliError;
use crate::folder::{FolderFile, Standing};
use crate::output::Console;
use crate::run::agrees;
use crate::session::Local;

/// Lets the folder's file count for a command that is about an environment.
///
/// # Errors
/// Where the file cannot be read or is not confirmed.
pub fn settle(local: &Local, args: &mut Args, output: &Console) -> Result<(), CliError> {
    let Args { common, verb } = args;
    let Some(about) = About::of(verb) else { return Ok(()) };
    let Some(file) = FolderFile::find(&**local)? else { return Ok(()) };
    // Whoever names another environment means that one.
    if common.env_named.as_ref().is_some_and(|named| *named != file.env()) {
        return Ok(());
    }
    need_confirmed(&**local, &file, output)?;
    match about {
        About::Choices(choices) => file.under(&mut choices.given),
        About::Environment(env) => *env = file.env(),
    }
    if let Verb::Lab(lab) = verb {
        lab.dir.get_or_insert_with(|| file.folder().to_owned());
    }
    common.folder = Some(file);
    Ok(())
}

/// What a command takes of a folder's file.
enum About<'a> {
    Choices(&'a mut ChoiceArgs),
    Environment(&'a mut String),
}

impl<'a> About<'a> {
    /// What is decided already, in a saved plan or a bundle, no file decides.
    fn of(verb: &'a mut Verb) -> Option<Self> {
        match verb {
            Verb::Plan(plan) => Some(Self::Choices(&mut plan.choices)),
            Verb::Apply(apply) if apply.plan.is_none() => Some(Self::Choices(&mut apply.choices)),
            Verb::Lock(lock) => Some(Self::Choices(&mut lock.choices)),
            Verb::Bundle(bundle) => Some(Self::Choices(&mut bundle.choices)),
            Verb::Export(export) if !export.list => Some(Self::Choices(&mut export.choices)),
            Verb::Verify(verify) => Some(Self::Environment(&mut verify.which.env)),
            Verb::Status(status) => Some(Self::Environment(&mut status.which.env)),
            Verb::Run(run) => Some(Self::Environment(&mut run.which.env)),
            Verb::Shell(which) => Some(Self::Environment(&mut which.env)),
            Verb::Lab(lab) => Some(Self::Environment(&mut lab.which.env)),
            Verb::Add(add) | Verb::Drop(add) => Some(Self::Environment(&mut add.which.env)),
            Verb::Upgrade(upgrade) => Some(Self::Environment(&mut upgrade.which.env)),
            Verb::Rollback(rollback) => Some(Self::Environment(&mut rollback.which.env)),
            _ => None,
        }
    }
}

/// Goes on where the person has confirmed the file as it stands, or does so now.
///
/// # Errors
/// [`CliError::FolderNotConfirmed`] where nobody can be asked, [`CliError::Declined`].
pub fn need_confirmed(
    system: &dyn System,
    file: &FolderFile,
    output: &Console,
) -> Result<(), CliError> {
    let (path, asks) = (file.path(), file.asks());
    let changed = match file.standing(system) {
        Standing::Confirmed => return Ok(()),
        Standing::Changed => true,
        Standing::New => false,
    };
    if !is_terminal() {
        return Err(CliError::FolderNotConfirmed { path, asks, changed });
    }
    let seen = file.as_seen(system);
    output.say(match changed {
        true => message!("{path} has changed since you confirmed it; now it asks for:"),
        false => message!("{path} is new to you; it asks for:"),
    });
    output.say(Message::parts([Message::plain("  "), asks]));
    match agrees(message!("Use it from now on? [y/N] "), false)? {
        true => seen.note(system),
        false => Err(CliError::Declined),
    }
}
