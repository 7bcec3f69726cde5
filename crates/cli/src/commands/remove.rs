//! `aitk remove`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_exec::{
    ExecError, Provenance, Receipt, Undo, brought, kept_kernel, note_own, undo, without_init,
};
use aitk_system::{Real, System};
use serde_json::json;

use crate::args::{Common, Remove};
use crate::commands::apply;
use crate::error::CliError;
use crate::output::{BAD, DIM, GOOD, Output, styled};
use crate::session::{Ask, Session};
use crate::words::said;

/// What the receipt says aitk has made here and can take away.
struct Made {
    key: String,
    path: PathBuf,
    /// Only aitk's lines of the file, not the file.
    lines_only: bool,
}

pub fn run(common: &Common, args: &Remove, output: &Output) -> Result<ExitCode, CliError> {
    if common.machine.is_some() {
        return Err(CliError::Other("`remove` works on this machine only".to_owned()));
    }
    let mut session = Session::open(common)?;
    let _hold = if args.dry_run { None } else { Some(apply::take_turn(&session)?) };
    let mut receipt = whole_receipt(&mut session, args.dry_run)?;
    let state = &session.machine.folders.state;
    let made = made(&receipt);
    let system = brought(&receipt, &Real);
    let undone = undo(&receipt, &Real);
    let as_root = session.machine.privilege.root;
    let commands: Vec<_> = undone.iter().flat_map(|undo| &undo.commands).collect();
    let commands: Vec<_> = commands.iter().map(|command| command.typed(as_root)).collect();
    let paths: Vec<_> = made.iter().map(|made| &made.path).collect();
    let data = json!({ "removed": paths, "commands": commands, "system_packages": system, "dry_run": args.dry_run });
    if !output.json {
        for made in &made {
            let what = if made.lines_only { said(" (aitk's lines)") } else { String::new() };
            output.say(format!("  {} {}{what}", styled(BAD, "-"), made.path.display()));
        }
        for undo in &undone {
            for command in &undo.commands {
                output.say(format!("  {} {}", styled(BAD, "-"), command.typed(as_root)));
            }
            if let Some(note) = &undo.note {
                output.say(styled(DIM, said(format!("  {note}"))));
            }
        }
        let cache = format!("  the cache {} stays", session.settings.cache.display());
        output.say(styled(DIM, said(cache)));
        if !system.is_empty() {
            let stay = "  packages of the system stay; if nothing else needs them:";
            output.say(styled(DIM, said(stay)));
            output.say(styled(DIM, format!("  sudo apt-get remove {}", system.join(" "))));
        }
    }
    let nothing = made.is_empty() && commands.is_empty();
    if args.dry_run || nothing {
        let text = if nothing {
            "There is nothing of aitk's here."
        } else {
            "Nothing was removed: this was a dry run."
        };
        output.result("removal", &data, Vec::new(), || text.to_owned());
        return Ok(ExitCode::SUCCESS);
    }
    apply::confirm(args.yes)?;
    let _ticket = match commands.is_empty() {
        true => None,
        false => apply::elevate(&session, commands.iter().cloned(), false)?,
    };
    for undo in undone.iter().filter(|undo| !undo.commands.is_empty()) {
        take_back(undo)?;
        receipt.objects.remove(&undo.key);
        receipt.save(state, &Real)?;
    }
    for made in &made {
        take_away(made)?;
        prune(&made.path, &session)?;
        receipt.objects.remove(&made.key);
        // After each, so that an interruption leaves nothing unsaid.
        receipt.save(state, &Real)?;
    }
    receipt.environments.clear();
    receipt.proofs.clear();
    receipt.boots.clear();
    receipt.save(state, &Real)?;
    output.result("removal", &data, Vec::new(), || {
        format!("{} What aitk had made here is gone.", styled(GOOD, "✓"))
    });
    Ok(ExitCode::SUCCESS)
}

/// The receipt, with what a run that was killed has made and not noted.
fn whole_receipt(session: &mut Session, dry: bool) -> Result<Receipt, CliError> {
    session.receipt = Receipt::load(&session.machine.folders.state, &Real)?;
    let names: Vec<_> = session.receipt.environments.keys().cloned().collect();
    for name in names {
        let Ok(wish) = session.applied(&name) else { continue };
        // A profile of the user's own may be gone; what is noted counts all the same.
        let Ok(plan) = session.plan(&wish, None, Ask::Nobody) else { continue };
        let mut context = session.context(&Real, None);
        context.dry = dry;
        note_own(&context, &plan)?;
        session.receipt = context.receipt();
    }
    Ok(session.receipt.clone())
}

/// What is to go, the last in the order of the alphabet first, so that links go before what they lead to.
fn made(receipt: &Receipt) -> Vec<Made> {
    let created = receipt.objects.iter().filter(|(_, o)| o.provenance == Provenance::Created);
    let made = created.filter_map(|(key, _)| {
        let (kind, path) = key.split_once(':')?;
        let lines_only = match kind {
            "path" => false,
            "init" => true,
            _ => return None,
        };
        Some(Made { key: key.clone(), path: PathBuf::from(path), lines_only })
    });
    let mut made: Vec<_> = made.filter(|made| Real.stat(&made.path).is_ok()).collect();
    made.sort_by(|one, other| other.path.cmp(&one.path));
    made
}

/// What root has to do.
fn take_back(undo: &Undo) -> Result<(), CliError> {
    for command in &undo.commands {
        let output = (&Real as &dyn System).run(command).map_err(ExecError::from)?;
        if !output.success() {
            let (command, output) = (command.to_string(), output.tail(8));
            return Err(ExecError::Failed { command, output, log: None }.into());
        }
    }
    Ok(())
}

fn take_away(made: &Made) -> Result<(), CliError> {
    let path = &made.path;
    if !made.lines_only {
        Real.remove(path).map_err(CliError::io(path))?;
        put_back(path)?;
        return Ok(());
    }
    let bytes = Real.read(path).map_err(CliError::io(path))?;
    let text = String::from_utf8_lossy(&bytes);
    let mode = Real.stat(path).map_err(CliError::io(path))?.mode;
    match without_init(&text) {
        // There was no such file before.
        rest if rest.is_empty() => Real.remove(path).map_err(CliError::io(path)),
        rest => Real.write(path, rest.as_bytes(), mode).map_err(CliError::io(path)),
    }
}

/// Somebody's own file that was kept beside aitk's comes back.
fn put_back(path: &Path) -> Result<(), CliError> {
    let kept = kept_kernel(path);
    let Ok(bytes) = Real.read(&kept) else { return Ok(()) };
    Real.write(path, &bytes, 0o644).map_err(CliError::io(path))?;
    Real.remove(&kept).map_err(CliError::io(kept))
}

/// Folders that are left empty go as well, if they are aitk's own; and what a run that was killed was about to put in
/// place.
fn prune(path: &Path, session: &Session) -> Result<(), CliError> {
    let kernels = session.machine.folders.jupyter.join("kernels");
    let own = |folder: &&Path| {
        folder.starts_with(&session.settings.data) || folder.parent() == Some(&kernels)
    };
    for folder in path.ancestors().skip(1).take_while(own) {
        let (half, whole): (Vec<_>, Vec<_>) = Real
            .list(folder)
            .unwrap_or_default()
            .into_iter()
            .partition(|name| name.starts_with(".aitk-"));
        for name in half {
            let path = folder.join(name);
            Real.remove(&path).map_err(CliError::io(&path))?;
        }
        if !whole.is_empty() {
            break;
        }
        Real.remove(folder).map_err(CliError::io(folder))?;
    }
    Ok(())
}
