//! The sources that a saved plan, a bundle or a lock names. They are a stranger's until the user says that they are his: they are
//! shown, asked for by name, used for one run, and kept nowhere.

use std::collections::BTreeSet;
use std::path::Path;

use aitk_plan::warnings::FOREIGN_ORIGINS;
use aitk_plan::{Choices, Locks, Plan, Request, Warning};
use aitk_system::{Deny, is_terminal, message};

use crate::args::{Accept, Apply};
use crate::error::CliError;
use crate::folder;
use crate::output::{CARE, Console, HEAD, styled};
use crate::run::agrees;
use crate::session::{Asked, Prepared, Session, SourceOverrides};
use crate::words::said;

/// Takes the sources out of the choices of a file that are not the user's own, by a flag, by his configuration or by what
/// he has applied here before, and uses them for this run if he agrees.
///
/// # Errors
/// [`CliError::ForeignSources`] where nobody can be asked and no flag agrees; [`CliError::ForeignBase`] for a conda that he
/// does not name himself; [`CliError::Declined`].
pub fn of_file(
    path: &Path,
    request: Request,
    args: &Apply,
    session: &Session,
    output: &Console,
) -> Result<Asked, CliError> {
    let (given, secrets) = args.choices.given.clone().opened()?;
    let mut asked =
        Asked { request, sources: SourceOverrides { secrets, ..SourceOverrides::default() } };
    let Asked { request: Request { choices, .. }, sources: own } = &mut asked;
    // What a folder's file has asked for is not the user's own word.
    let of_files = folder::environments(&*session.local);
    let before = session.all_applied().map(|wish| wish.choices);
    let before: Vec<Choices> = before.filter(|wish| !of_files.contains(&wish.env)).collect();
    if let Some(foreign) = &choices.base
        && given.value("conda-base") != Some(foreign)
        && !before.iter().any(|choices| choices.base.as_ref() == Some(foreign))
    {
        return Err(CliError::ForeignBase { path: path.to_owned(), base: foreign.clone() });
    }
    let index = lent(
        &mut choices.index_url,
        given.value("index-url"),
        before.iter().filter_map(|choices| choices.index_url.as_ref()),
        session.settings.index_url.as_ref(),
    );
    let torch = lent(
        &mut choices.torch_index,
        given.value("torch-index"),
        before.iter().filter_map(|choices| choices.torch_index.as_ref()),
        session.settings.torch_index.as_ref(),
    );
    let known = given.values("channel").unwrap_or_default() == choices.channels
        || before.iter().any(|before| before.channels == choices.channels);
    let mut channels = Vec::new();
    if !known {
        channels = std::mem::take(&mut choices.channels);
        if channels == session.settings.channels {
            channels.clear();
        }
    }
    let told = |flag: &str, value: &String| format!("{flag} {value}");
    let sources: Vec<String> = (index.iter().map(|one| told("--index-url", one)))
        .chain(torch.iter().map(|one| told("--torch-index", one)))
        .chain(channels.iter().map(|one| told("--channel", one)))
        .collect();
    if !sources.is_empty() {
        agree(path, &sources, args, output)?;
    }
    own.index_url = index;
    own.torch_index = torch;
    own.kept_channels = (!channels.is_empty()).then(|| session.settings.channels.clone());
    own.channels = channels;
    Ok(asked)
}

/// Asks for the hosts and channels to which no source of the user's leads, and from which a lock would have packages
/// fetched.
///
/// # Errors
/// [`CliError::ForeignOrigins`] where nobody can be asked and no flag agrees; [`CliError::Declined`].
pub fn of_lock(origins: &BTreeSet<String>, accept: &Accept, yes: bool) -> Result<(), CliError> {
    if origins.is_empty() {
        return Ok(());
    }
    if !may_ask(accept, yes) {
        return Err(CliError::ForeignOrigins { origins: origins.iter().cloned().collect() });
    }
    taken_from_there(accept)
}

/// Such hosts and channels of a lock that is carried elsewhere with a plan; they are shown.
pub fn shown_of_lock(
    prepared: &Prepared<'_>,
    plan: &Plan,
    lock: Option<&Locks>,
    output: &Console,
) -> BTreeSet<String> {
    let system = Deny(std::sync::Arc::clone(&prepared.session.system));
    let mut context = prepared.context(&system, lock);
    context.is_local = false;
    let origins = aitk_exec::foreign_origins_elsewhere(&context, plan);
    output.warn(warning(&origins).as_slice());
    origins
}

/// What a plan says of such hosts and channels.
pub fn warning(origins: &BTreeSet<String>) -> Option<Warning> {
    let origins: Vec<_> = origins.iter().cloned().collect();
    (!origins.is_empty()).then(|| {
        Warning::new(
            FOREIGN_ORIGINS,
            message!("the lock has packages fetched from where none of your sources leads: {origins}"),
            message!(
                "look whose that is before you agree; what comes has the hash that the lock names, whatever it does"
            ),
        )
    })
}

/// The source that is not the user's own, which is then no choice any more.
fn lent<'a>(
    choice: &mut Option<String>,
    given: Option<&str>,
    mut own: impl Iterator<Item = &'a String>,
    set: Option<&String>,
) -> Option<String> {
    if given.is_some_and(|given| choice.as_deref() == Some(given))
        || own.any(|own| choice.as_ref() == Some(own))
    {
        return None;
    }
    choice.take().filter(|source| Some(source) != set)
}

/// Asks whether these may be used.
fn agree(path: &Path, sources: &[String], args: &Apply, output: &Console) -> Result<(), CliError> {
    let foreign = || CliError::ForeignSources { path: path.to_owned(), sources: sources.to_vec() };
    if !may_ask(&args.accept, args.yes) {
        return Err(foreign());
    }
    let file = path.display();
    output.say(format!(
        "{} {}",
        styled(CARE, "!"),
        said(message!("{file} names sources, which are used for this run and kept nowhere:"))
    ));
    for source in sources {
        output.say(format!("  {}", styled(HEAD, source)));
    }
    taken_from_there(&args.accept)
}

/// Whether somebody has agreed, or can.
fn may_ask(accept: &Accept, yes: bool) -> bool {
    accept.accept_sources || !yes && is_terminal()
}

fn taken_from_there(accept: &Accept) -> Result<(), CliError> {
    if accept.accept_sources {
        return Ok(());
    }
    match agrees(message!("\nTake packages from there? [y/N] "), false)? {
        true => Ok(()),
        false => Err(CliError::Declined),
    }
}
