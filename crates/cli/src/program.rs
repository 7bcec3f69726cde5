//! A link to this program, where no shell finds it, with its manual and what shells complete by.

use aitk_exec::{Object, Places, Provenance, Receipt, lay};
use aitk_system::{System, is_terminal, is_this_program, message, this_program};

use crate::commands::completions::script;
use crate::commands::man::pages;
use crate::error::CliError;
use crate::output::{Console, GOOD, styled};
use crate::run::agrees;
use crate::session::Session;

/// Offers a link in `~/.local/bin` where no shell finds this program, and lays beside it what belongs to it; `remove` takes all
/// of that back.
///
/// # Errors
/// Where the link, what belongs to it or the note of it cannot be made.
pub fn offer(session: &Session, yes: bool, output: &Console) -> Result<(), CliError> {
    let local = &*session.local;
    let state = &session.machine.folders.state;
    let places = Places::new(&session.machine.folders, &session.settings.data, []);
    let link = places.program();
    let on_path = local.which("aitk").is_some_and(|path| is_this_program(&path));
    // What stands there already is somebody's, or leads here.
    if let Some(target) = this_program().filter(|_| !on_path && local.stat(&link).is_err()) {
        let question = message!(
            "\nNo shell finds aitk by its name. Make the link ~/.local/bin/aitk, with the manual and the completion beside it? [Y/n] "
        );
        if !(yes || is_terminal() && agrees(question, true)?) {
            return Ok(());
        }
        let mut receipt = Receipt::load(state, local)?;
        receipt.objects.insert(format!("path:{}", link.display()), created(local, &target));
        receipt.save(state, local)?;
        local.symlink(&target, &link).map_err(CliError::io(&link))?;
        output.say(message!(
            "{} the link ~/.local/bin/aitk leads to {}",
            styled(GOOD, "✓"),
            target.display()
        ));
    }
    if !is_this_program(&link) {
        return Ok(());
    }
    let pages = pages().into_iter().map(|page| (places.manual().join(page.file), page.text));
    let completions = places.completions().into_iter();
    let completions = completions.map(|(shell, place)| Ok((place, script(shell)?)));
    let completions = completions.collect::<Result<Vec<_>, CliError>>()?;
    let files: Vec<_> = pages.chain(completions).collect();
    if lay(&files, &places, state, local)? > 0 {
        let sign = styled(GOOD, "✓");
        output
            .say(message!("{sign} `man aitk` shows the manual; new shells complete what is typed"));
    }
    Ok(())
}

fn created(local: &dyn System, target: &std::path::Path) -> Object {
    Object {
        step: "program".to_owned(),
        provenance: Provenance::Created,
        detail: Some(target.to_string_lossy().into_owned()),
        at: local.now().to_string(),
    }
}
