//! A link to this program, where no shell finds it.

use aitk_exec::{Object, Places, Provenance, Receipt};
use aitk_system::{System, is_terminal, is_this_program, message, this_program};

use crate::error::CliError;
use crate::output::{Console, GOOD, styled};
use crate::run::agrees;
use crate::session::Session;

/// Offers a link in `~/.local/bin` where no shell finds this program; `remove` takes it back.
///
/// # Errors
/// Where the link or the note of it cannot be made.
pub fn offer(session: &Session, yes: bool, output: &Console) -> Result<(), CliError> {
    let local = &*session.local;
    let link = Places::new(&session.machine.folders, &session.settings.data, []).program();
    let on_path = local.which("aitk").is_some_and(|path| is_this_program(&path));
    // What stands there already is somebody's, or leads here.
    let Some(target) = this_program().filter(|_| !on_path && local.stat(&link).is_err()) else {
        return Ok(());
    };
    let question =
        message!("\nNo shell finds aitk by its name. Make the link ~/.local/bin/aitk? [Y/n] ");
    let wanted = yes || is_terminal() && agrees(question, true)?;
    if !wanted {
        return Ok(());
    }
    let state = &session.machine.folders.state;
    let mut receipt = Receipt::load(state, local)?;
    receipt.objects.insert(format!("path:{}", link.display()), made(local, &target));
    receipt.save(state, local)?;
    local.symlink(&target, &link).map_err(CliError::io(&link))?;
    output.say(message!(
        "{} the link ~/.local/bin/aitk leads to {}",
        styled(GOOD, "✓"),
        target.display()
    ));
    Ok(())
}

fn made(local: &dyn System, target: &std::path::Path) -> Object {
    Object {
        step: "program".to_owned(),
        provenance: Provenance::Created,
        detail: Some(target.to_string_lossy().into_owned()),
        at: local.now().to_string(),
    }
}
