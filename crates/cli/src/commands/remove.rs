//! `aitk remove`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_detect::folders;
use aitk_env::Usage;
use aitk_exec::{
    Goes, Kept, Places, ProjectRemoval, Receipt, Removal, SERVICES, brought, note_by_marks,
    project_removal, prune_empty, refuse_in_use, removal, remove_project, take_all_away, take_file,
    whole_cache,
};
use aitk_plan::{Bytes, SWAP_FILE};
use aitk_system::{Message, System, is_terminal, message};
use schemars::JsonSchema;
use serde::Serialize;

use super::lab::is_log;
use crate::args::{Common, Remove};
use crate::error::CliError;
use crate::output::{BAD, CARE, Console, DIM, GOOD, one_line, styled};
use crate::places::{TAG, here};
use crate::run::{agrees, confirm, elevate, take_turn};
use crate::session::{Local, Session};
use crate::words::said;

/// What is taken away: all of aitk's on this machine, or in the folder of a project what of that nobody has touched.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RemovalReport<'a> {
    /// All of aitk's on this machine.
    Machine(MachineRemoval<'a>),
    /// What of a project nobody has touched.
    Project {
        /// Its folder.
        project: &'a Path,
        /// The files that go.
        removed: &'a [PathBuf],
        /// The files that stay, for they were changed.
        kept: &'a [PathBuf],
        /// Whether it is only shown.
        dry_run: bool,
    },
}

/// What is taken away of this machine.
#[derive(Serialize, JsonSchema)]
pub struct MachineRemoval<'a> {
    /// What the user's own rights are enough for.
    removed: Vec<&'a Path>,
    /// What root does.
    commands: &'a [String],
    /// What stays, and why.
    kept: Vec<KeptInfo<'a>>,
    /// What the receipt names and aitk cannot have made: it stays.
    refused: &'a [String],
    /// Packages that came by aitk; they stay.
    system_packages: &'a [String],
    /// Whether it is only shown.
    dry_run: bool,
    /// What comes free.
    bytes: u64,
    /// What came free; only where something was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    freed: Option<u64>,
    /// The files of the cache that went along; only where something was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<&'a [PathBuf]>,
}

/// Something that stays.
#[derive(Serialize, JsonSchema)]
pub struct KeptInfo<'a> {
    path: &'a Path,
    reason: &'a Message,
}

impl<'a> KeptInfo<'a> {
    pub fn all(kept: &'a [Kept]) -> Vec<Self> {
        kept.iter().map(|one| Self { path: &one.path, reason: &one.reason }).collect()
    }
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &Remove,
    output: &Console,
) -> Result<ExitCode, CliError> {
    if common.machine.is_some() {
        return Err(CliError::Other(message!("`remove` works on this machine only")));
    }
    if let Some(here) = here()
        && let Some(removal) = project_removal(&here, &**local)?
    {
        return remove_project_here(local, &here, &removal, args, output);
    }
    let session = Session::open(local, common)?;
    let _hold = if args.dry_run { None } else { Some(take_turn(&session)?) };
    let state = &session.machine.folders.state;
    let mut receipt = Receipt::load(state, &**local)?;
    let places = places(&session, &receipt);
    let before = receipt.clone();
    note_by_marks(&mut receipt, &places, &**local);
    let mut removal = removal(&receipt, &places, &**local);
    removal.name_unproven(&before, &places, &**local);
    let system = brought(&receipt, &**local);
    let as_root = session.machine.privilege.root;
    let commands = of_root(&removal, as_root);
    let room = Room::of(&removal, &session, args.all);
    let told = in_all(&removal, &commands, &system, args.dry_run, room.comes_free);
    if !output.json {
        show(&removal, &room, &system, &session, args.dry_run, output);
    }
    refuse_in_use(&receipt, &**local)?;
    if removal.is_empty() && !args.dry_run {
        prune_empty(&places, &**local)?;
    }
    if args.dry_run || (removal.is_empty() && !args.all) {
        output.result(&RemovalReport::Machine(told), Vec::new(), || nothing_done(&removal));
        return Ok(ExitCode::SUCCESS);
    }
    // What is taken away does not come back, so silence means no.
    confirm(args.yes, message!("\nTake all of this away? [y/N] "), false)?;
    let cache = cache(local, &session, args, output)?;
    let _ticket = match commands.is_empty() {
        true => None,
        false => elevate(&session, commands.iter().cloned(), false)?,
    };
    let before = disk_usage(&**local, &session);
    let failed = take(local, &session, (&removal, &cache), &places, receipt)?;
    if args.all && failed.is_empty() {
        forget_all(local, &session)?;
    }
    let freed = before.saturating_sub(disk_usage(&**local, &session));
    CliError::remains(&failed)?;
    let data =
        RemovalReport::Machine(MachineRemoval { freed: Some(freed), cache: Some(&cache), ..told });
    let (sign, freed) = (styled(GOOD, "✓"), Bytes(freed));
    output.result(&data, Vec::new(), || {
        message!("{sign} What aitk had made here is gone; {} came free.", freed)
    });
    Ok(ExitCode::SUCCESS)
}

/// What comes free, in bytes.
struct Room {
    comes_free: u64,
    /// With a cache that stays as well.
    with_cache: u64,
}

impl Room {
    fn of(removal: &Removal, session: &Session, all: bool) -> Self {
        let system = &*session.local;
        let mut usage = removal.usage(system);
        let alone = usage.own();
        whole_cache(system, &session.settings.cache)
            .iter()
            .for_each(|path| usage.add(system, path));
        let with_cache = usage.own();
        Self { comes_free: if all { with_cache } else { alone }, with_cache }
    }
}

/// What is taken away, as it is told before.
fn in_all<'a>(
    removal: &'a Removal,
    commands: &'a [String],
    system_packages: &'a [String],
    dry_run: bool,
    bytes: u64,
) -> MachineRemoval<'a> {
    MachineRemoval {
        removed: removal.goes.iter().map(|goes| goes.path.as_path()).collect(),
        commands,
        kept: KeptInfo::all(&removal.kept),
        refused: &removal.refused,
        system_packages,
        dry_run,
        bytes,
        freed: None,
        cache: None,
    }
}

/// The commands of root's, as they are typed.
fn of_root(removal: &Removal, as_root: bool) -> Vec<String> {
    let commands = removal.root.iter().flat_map(|undo| &undo.commands);
    commands.map(|command| command.typed(as_root)).collect()
}

/// What is said where nothing goes.
fn nothing_done(removal: &Removal) -> Message {
    match removal.is_empty() {
        true => message!("There is nothing of aitk's here."),
        false => message!("Nothing was removed: this was a dry run."),
    }
}

/// Takes away what goes, and the files of the cache; what could not be.
fn take(
    local: &Local,
    session: &Session,
    (removal, cache): (&Removal, &[PathBuf]),
    places: &Places,
    receipt: Receipt,
) -> Result<Vec<CliError>, CliError> {
    let state = &session.machine.folders.state;
    let failed = take_all_away(&**local, removal, places, receipt, state)?;
    let mut failed: Vec<_> = failed.into_iter().map(CliError::from).collect();
    for path in cache {
        let own = [&*session.settings.cache, state];
        failed.extend(take_file(&**local, own, path).err().map(CliError::from));
    }
    Ok(failed)
}

/// In the folder of a project: what of it nobody has touched, and nothing else of aitk's.
fn remove_project_here(
    local: &Local,
    folder: &Path,
    removal: &ProjectRemoval,
    args: &Remove,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let report = |removal: &ProjectRemoval, text: Message| {
        let data = RemovalReport::Project {
            project: folder,
            removed: &removal.goes,
            kept: &removal.kept,
            dry_run: args.dry_run,
        };
        output.result(&data, Vec::new(), || text);
    };
    let stays = |path: &Path| {
        let stays = said(message!("stays: {}", message!("it was changed since aitk made it")));
        output.say(format!("  {} {} {stays}", styled(CARE, "·"), one_line(path.display())));
    };
    if !output.json {
        for path in &removal.goes {
            output.say(format!("  {} {}", styled(BAD, "-"), one_line(path.display())));
        }
        removal.kept.iter().for_each(|path| stays(path));
    }
    if args.dry_run {
        report(removal, message!("Nothing was removed: this was a dry run."));
        return Ok(ExitCode::SUCCESS);
    }
    confirm(args.yes, message!("\nTake all of this away? [y/N] "), false)?;
    let done = remove_project(folder, removal, &**local)?;
    if !output.json {
        let changed = done.kept.iter().filter(|path| !removal.kept.contains(path));
        changed.for_each(|path| stays(path));
    }
    let receipt = Receipt::load(&folders(&**local).state, &**local)?;
    if !output.json && receipt.objects.keys().any(|key| key.starts_with("service:")) {
        output.say(message!("The services go on: `cd && aitk remove` takes them away."));
    }
    let sign = styled(GOOD, "✓");
    report(&done, message!("{sign} What aitk had written here and nobody has changed is gone."));
    Ok(ExitCode::SUCCESS)
}

/// What of the cache goes: all of it where that is asked for, or the person says so when asked.
fn cache(
    local: &Local,
    session: &Session,
    args: &Remove,
    output: &Console,
) -> Result<Vec<PathBuf>, CliError> {
    let all = whole_cache(&**local, &session.settings.cache);
    if all.is_empty() || args.all {
        return Ok(all);
    }
    let mut usage = Usage::default();
    all.iter().for_each(|path| usage.add(&**local, path));
    let (cache, bytes) = (&session.settings.cache, Bytes(usage.own() + usage.shared()));
    if args.yes || !is_terminal() {
        let stays =
            message!("The cache {cache} stays ({bytes}): `aitk clean --cache` takes it away.");
        if !output.json {
            output.say(stays);
        }
        return Ok(Vec::new());
    }
    let question = message!("Take the cache {cache} away as well ({bytes})? [y/N] ");
    Ok(if agrees(question, false)? { all } else { Vec::new() })
}

/// What aitk has noted goes at the very end, and folders of its own that are empty then.
fn forget_all(local: &Local, session: &Session) -> Result<(), CliError> {
    let (state, cache) = (&session.machine.folders.state, &session.settings.cache);
    let logs = local.list(state).unwrap_or_default().into_iter().filter(|name| is_log(name));
    let noted = ["confirmed", "runs", "seen", "receipt.json", "lock"].map(str::to_owned);
    for name in logs.chain(noted) {
        take_file(&**local, [cache, state], &state.join(name))?;
    }
    if local.list(cache).is_ok_and(|names| names.iter().all(|name| name == TAG)) {
        take_file(&**local, [cache, cache], &cache.join(TAG))?;
    }
    for folder in [cache, state, &session.settings.data] {
        let empty = local.list(folder).is_ok_and(|names| names.is_empty());
        if empty && folder.ends_with("aitk") {
            local.remove(folder).map_err(CliError::io(folder))?;
        }
    }
    Ok(())
}

/// Where aitk can have made something: condas of the user's own were named when they were used.
pub fn places(session: &Session, receipt: &Receipt) -> Places {
    let condas =
        receipt.environments.values().filter_map(|request| request["choices"]["base"].as_str());
    let condas = condas.map(Path::new).filter(|conda| conda.is_absolute());
    Places::new(&session.machine.folders, &session.settings.data, condas)
}

/// What goes, and what stays and why.
fn show(
    removal: &Removal,
    room: &Room,
    system: &[String],
    session: &Session,
    dry_run: bool,
    output: &Console,
) {
    let as_root = session.machine.privilege.root;
    let is_page = |goes: &&Goes| {
        let name = goes.path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("aitk") && name.ends_with(".1")
    };
    if let Some(page) = removal.goes.iter().find(is_page) {
        let (all, count) =
            (page.path.with_file_name("aitk*.1"), removal.goes.iter().filter(is_page).count());
        let pages = said(message!(" ({count} pages of the manual)"));
        output.say(format!("  {} {}{pages}", styled(BAD, "-"), all.display()));
    }
    for goes in removal.goes.iter().filter(|goes| !is_page(goes)) {
        let what = if goes.lines_only { said(message!(" (aitk's lines)")) } else { String::new() };
        output.say(format!("  {} {}{what}", styled(BAD, "-"), goes.path.display()));
    }
    for undo in &removal.root {
        for command in &undo.commands {
            output.say(format!("  {} {}", styled(BAD, "-"), command.typed(as_root)));
        }
        if let Some(note) = &undo.note {
            output.say(styled(DIM, format!("  {}", said(note))));
        }
    }
    for kept in &removal.kept {
        let stays = said(message!("stays: {}", kept.reason));
        output.say(format!("  {} {} {stays}", styled(CARE, "·"), one_line(kept.path.display())));
    }
    for key in &removal.refused {
        // It may be anything, so it is shown with its signs escaped.
        let text = message!("the receipt names {key:?}, which aitk cannot have made: it stays");
        output.say(format!("  {} {}", styled(CARE, "!"), said(text)));
    }
    if !system.is_empty() {
        let stay = message!("  packages of the system stay; if nothing else needs them:");
        output.say(styled(DIM, said(stay)));
        output.say(styled(DIM, format!("  sudo apt-get remove {}", system.join(" "))));
    }
    if room.comes_free > 0 {
        output.say(message!("  {} come free", Bytes(room.comes_free)));
    }
    if dry_run && room.with_cache > room.comes_free {
        let (more, cache) = (room.with_cache - room.comes_free, session.settings.cache.display());
        output.say(message!(
            "  {} more with what is in {cache}, which `--all` takes too",
            Bytes(more)
        ));
    }
}

/// Bytes of the disk that all of aitk's takes. What is free on the disk would tell of what others write meanwhile as well.
pub fn disk_usage(local: &dyn System, session: &Session) -> u64 {
    let (settings, state) = (&session.settings, &session.machine.folders.state);
    let mut usage = Usage::default();
    for place in [&settings.data, &settings.cache, state] {
        usage.add(local, &resolved(local, place));
    }
    for place in [SWAP_FILE, SERVICES] {
        usage.add(local, Path::new(place));
    }
    usage.own()
}

/// A folder that may be a link to another disk.
fn resolved(local: &dyn System, folder: &Path) -> PathBuf {
    local.read_link(folder).map_or_else(|_| folder.to_owned(), |to| folder.with_file_name(to))
}
