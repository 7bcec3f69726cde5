//! `aitk add` and `aitk drop`: packages of the user's own, which are part of what is asked of an environment from then on.

use std::process::ExitCode;

use aitk_plan::settled;

use crate::args::{Add, Apply, ChoiceArgs, Common};
use crate::commands::apply;
use crate::error::CliError;
use crate::folder::FolderFile;
use crate::given::{Given, take_out};
use crate::output::Console;
use crate::session::Local;

/// What is done with the packages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// They come in.
    In,
    /// They go.
    Out,
}

/// Applies what was applied before, with the packages or without them.
pub fn run(
    local: &Local,
    common: &Common,
    args: &Add,
    way: Direction,
    output: &Console,
) -> Result<ExitCode, CliError> {
    if let Some(file) = &common.folder {
        return in_folder(local, common, args, (way, file), output);
    }
    let mut given = Given::default();
    given.add("env", &args.which.env);
    let (packages, drop) = match way {
        Direction::In => (args.packages.as_slice(), Vec::new()),
        Direction::Out => (Default::default(), args.packages.clone()),
    };
    given.add_all("package", packages);
    let choices = ChoiceArgs { given, drop, allow_system_changes: false };
    let apply = Apply::of(choices, args.yes, args.dry_run);
    match apply::run(local, common, &apply, output) {
        // There is nothing yet that they could be added to.
        Err(CliError::NoBudget) => Err(CliError::no_environment(&args.which.env, false)),
        ran => ran,
    }
}

/// The same where a folder's file says what its environment has: it is changed there, once that is done.
fn in_folder(
    local: &Local,
    common: &Common,
    args: &Add,
    (way, file): (Direction, &FolderFile),
    output: &Console,
) -> Result<ExitCode, CliError> {
    let changed = |file: &FolderFile| {
        let mut packages = file.packages();
        match way {
            Direction::In => packages = settled(packages, &args.packages),
            Direction::Out => take_out(&args.packages, &mut packages)?,
        }
        file.with_packages(&packages)
    };
    let before = file;
    let file = changed(before)?;
    let mut given = Given::default();
    file.under(&mut given);
    let choices = ChoiceArgs { given, drop: Vec::new(), allow_system_changes: false };
    let common = Common { folder: Some(file.clone()), ..common.clone() };
    let apply = Apply::of(choices, args.yes, args.dry_run);
    let ran = apply::run(local, &common, &apply, output)?;
    if ran == ExitCode::SUCCESS && !args.dry_run {
        // It may have been edited meanwhile.
        let now = FolderFile::open(&**local, before.folder())?;
        changed(&now)?.write(&**local, now.confirmed(&**local))?;
        file.keep(&**local)?.into_iter().for_each(|told| output.say(told));
    }
    Ok(ran)
}
