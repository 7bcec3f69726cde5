//! `aitk clean`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_exec::{Around, Cleaning, Keeps, Receipt, clean, cleaning};
use aitk_plan::Bytes;
use aitk_system::message;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Clean, Common};
use crate::commands::remove::{KeptInfo, disk_usage, places};
use crate::error::CliError;
use crate::output::{BAD, CARE, Console, GOOD, one_line, styled};
use crate::run::{confirm, take_turn};
use crate::session::{Local, Session};
use crate::words::said;

/// What is taken away because nothing needs it any more.
#[derive(Serialize, JsonSchema)]
pub struct CleaningReport<'a> {
    /// The generations that go.
    generations: Vec<&'a Path>,
    /// The files of the cache, and what is left of runs, that go.
    files: &'a [PathBuf],
    /// What stays, and why.
    kept: Vec<KeptInfo<'a>>,
    /// What comes free.
    bytes: u64,
    /// Whether it is only shown.
    dry_run: bool,
    /// What came free; only where something was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    freed: Option<u64>,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &Clean,
    output: &Console,
) -> Result<ExitCode, CliError> {
    if common.machine.is_some() {
        return Err(CliError::Other(message!("`clean` works on this machine only")));
    }
    let session = Session::open(local, common)?;
    let _hold = if args.dry_run { None } else { Some(take_turn(&session)?) };
    let state = &session.machine.folders.state;
    let mut receipt = Receipt::load(state, &**local)?;
    let places = places(&session, &receipt);
    let around = Around {
        system: &**local,
        settings: &session.settings,
        state,
        places: &places,
        catalog: &session.catalog,
        arch: &session.machine.arch,
    };
    let keeps = Keeps { generations: args.keep.into(), no_cache: args.cache, older: args.older };
    let cleaning = cleaning(&around, keeps);
    let mut data = CleaningReport {
        generations: cleaning.generations.iter().map(|goes| goes.path.as_path()).collect(),
        files: &cleaning.files,
        kept: KeptInfo::all(&cleaning.kept),
        bytes: cleaning.bytes,
        dry_run: args.dry_run,
        freed: None,
    };
    if !output.json {
        show(&cleaning, output);
    }
    if args.dry_run || cleaning.is_empty() {
        let text = match cleaning.is_empty() {
            true => message!("{} Nothing to clean: all of it is needed.", styled(GOOD, "✓")),
            false => message!("Nothing was removed: this was a dry run."),
        };
        output.result(&data, Vec::new(), || text);
        return Ok(ExitCode::SUCCESS);
    }
    // What is taken away does not come back, so silence means no.
    confirm(args.yes, message!("\nTake all of this away? [y/N] "), false)?;
    let before = disk_usage(&**local, &session);
    let failed = clean(&around, &cleaning, &mut receipt)?;
    let freed = before.saturating_sub(disk_usage(&**local, &session));
    data.freed = Some(freed);
    let failed: Vec<_> = failed.into_iter().map(CliError::from).collect();
    CliError::remains(&failed)?;
    output.result(&data, Vec::new(), || {
        message!("{} {} came free.", styled(GOOD, "✓"), Bytes(freed))
    });
    Ok(ExitCode::SUCCESS)
}

/// What goes, by the folder where there are many, and what stays and why.
fn show(cleaning: &Cleaning, output: &Console) {
    for goes in &cleaning.generations {
        output.say(format!("  {} {}", styled(BAD, "-"), one_line(goes.path.display())));
    }
    let mut folders: Vec<_> = cleaning.files.iter().filter_map(|path| path.parent()).collect();
    folders.sort();
    folders.dedup();
    for folder in folders {
        let count = cleaning.files.iter().filter(|path| path.parent() == Some(folder)).count();
        let what = said(message!("{count} files and folders in {}", folder.display()));
        output.say(format!("  {} {}", styled(BAD, "-"), one_line(what)));
    }
    for kept in &cleaning.kept {
        let stays = said(message!("stays: {}", kept.reason));
        output.say(format!("  {} {} {stays}", styled(CARE, "·"), one_line(kept.path.display())));
    }
    if !cleaning.is_empty() {
        output.say(message!("  {} come free", Bytes(cleaning.bytes)));
    }
}
