//! What `remove` takes away: only what still is as aitk made it. What was changed since, and what is somebody's own
//! inside of it, stays and is named.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use aitk_env::{Environments, Generation, Usage, file_hash, strangers};
use aitk_plan::{Manager, SWAP_FILE, gpu_groups};
use aitk_system::{Command, FileKind, Message, System, inside, message, sweep};

use crate::error::ExecError;
use crate::places::{Places, Thing, UNITS, services, shell_files, system_files};
use crate::receipt::{Object, Provenance, Receipt, ReceiptEntry};
use crate::steps::{
    Cleared, Undo, cleared, is_marked, is_masked, kept_kernel, kernel_python, own_sources,
    service_notes, services_of_others, swap_is_marked, undo,
};

/// What is to be taken away, and what is not.
#[derive(Debug, Default)]
pub struct Removal {
    /// What the user's own rights are enough for, the links before what they lead to.
    pub goes: Vec<Goes>,
    /// What root takes away.
    pub root: Vec<Undo>,
    /// What stays, each with the reason.
    pub kept: Vec<Kept>,
    /// What the receipt names and aitk cannot have made.
    pub refused: Vec<String>,
    /// Keys of what is not there any more.
    gone: Vec<String>,
}

/// Something of the user's that is taken away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goes {
    /// Its key in the receipt.
    pub key: String,
    /// Where it is.
    pub path: PathBuf,
    /// Only aitk's lines of a file go, and not the file.
    pub lines_only: bool,
    /// What the receipt says of it.
    detail: Option<String>,
    /// What of it stays.
    keeps: BTreeSet<PathBuf>,
}

/// Something that stays, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Where it is.
    pub path: PathBuf,
    /// Why aitk leaves it there.
    pub reason: Message,
}

/// What becomes of a thing.
enum Fate {
    /// It goes, all but these.
    Goes(BTreeSet<PathBuf>),
    /// It stays.
    Stays(Message),
    /// It is not there.
    Gone,
}

fn not_ours() -> Message {
    message!("aitk has not made it")
}

fn changed() -> Message {
    message!("it was changed since aitk made it")
}

/// Notes what is aitk's by its own marks: its receipt may be gone, or a run that was killed has not come to noting it.
pub fn note_by_marks(receipt: &mut Receipt, places: &Places, system: &dyn System) {
    let at = system.now().to_string();
    for ReceiptEntry { key, provenance, detail } in by_marks(places, system) {
        let object = Object { step: "remove".to_owned(), provenance, detail, at: at.clone() };
        receipt.objects.entry(key).or_insert(object);
    }
}

fn by_marks(places: &Places, system: &dyn System) -> Vec<ReceiptEntry> {
    let below = |folder: PathBuf| -> Vec<PathBuf> {
        let names = system.list(&folder).unwrap_or_default();
        names.iter().map(|name| folder.join(name)).collect()
    };
    let named = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut paths = Vec::new();
    for environment in below(places.data.join("envs")) {
        for path in below(environment) {
            let name = named(&path).unwrap_or_default();
            let ours = match &*name {
                "current" => leads_to_generation(&path, system),
                "history.jsonl" => is_history(&path, system),
                name => Generation::is_name(name) && is_generation(&path, system),
            };
            paths.extend(ours.then_some(path));
        }
    }
    let condas =
        std::iter::once(places.data.join("conda/envs")).chain(places.named.iter().cloned());
    paths.extend(condas.flat_map(below).filter(|path| leads_to_current(path, places, system)));
    let uvs = below(places.data.join("tools")).into_iter();
    let uvs = uvs.flat_map(|folder| ["uv", "uv.sha256", "uv.part"].map(|name| folder.join(name)));
    paths.extend(uvs.filter(|path| system.exists(path)));
    let kernels = below(places.kernels.clone()).into_iter();
    let kernels = kernels.map(|folder| folder.join("kernel.json"));
    paths.extend(kernels.filter(|path| is_our_kernel(path, places, system)));
    let marked = shell_files(&places.home).into_iter().filter(|file| is_marked(file, system));
    let lines = marked.map(|file| ReceiptEntry::created(format!("init:{}", file.display()), None));
    let files = system_files().filter(|(path, content)| {
        system.read(Path::new(path)).is_ok_and(|there| there == content.as_bytes())
    });
    let files = files.map(|(path, _)| ReceiptEntry::created(format!("file:{path}"), None));
    let sources = own_sources(system).into_iter();
    let sources = sources.map(|name| ReceiptEntry::created(format!("source:{name}"), None));
    let swap = swap_is_marked(SWAP_FILE, system)
        .then(|| ReceiptEntry::created(format!("swap:{SWAP_FILE}"), None));
    let paths = paths.iter().map(|path| ReceiptEntry::path(path, None));
    let services = service_notes(system);
    paths.chain(lines).chain(files).chain(sources).chain(swap).chain(services).collect()
}

/// What may be aitk's and bears no mark that says so, as far as a receipt does not tell of it either: with the command by
/// which the user can take it away.
fn unproven(receipt: &Receipt, is_lost: bool, places: &Places, system: &dyn System) -> Vec<Kept> {
    let may_be = |path: PathBuf, command: String| Kept {
        path,
        reason: message!("no mark says whether it is aitk's; if it is: {command}"),
    };
    let mut all = Vec::new();
    let program = places.program();
    let known = receipt.objects.contains_key(&ReceiptEntry::path(&program, None).key);
    if !known && system.read_link(&program).is_ok_and(|target| target.ends_with("aitk")) {
        let command = Command::changes(["rm", &program.to_string_lossy()]);
        all.push(may_be(program, command.to_string()));
    }
    let others = services_of_others(system).into_iter();
    let others =
        others.filter(|(name, _)| !receipt.objects.contains_key(&format!("service:{name}")));
    all.extend(others.map(|(name, path)| {
        let reason = message!(
            "somebody else has installed the service {name}; `aitk remove` of theirs takes it away, or of root's"
        );
        Kept { path, reason }
    }));
    // What is there of others tells nothing where the receipt is whole, or never was.
    if !is_lost {
        return all;
    }
    let user = system.env("USER").or_else(|| system.env("LOGNAME")).unwrap_or_default();
    let left = |group: &String| undo(group, &Thing::Group(group.clone()), Some(&user), system);
    let masks = services().iter().flat_map(|service| &service.masks);
    for unit in masks.filter(|unit| is_masked(unit, system)).collect::<BTreeSet<_>>() {
        let command = Command::as_root(["systemctl", "unmask", unit]).to_string();
        all.push(may_be(Path::new(UNITS).join(unit), command));
    }
    let groups = gpu_groups().iter().filter_map(left).flat_map(|undo| undo.commands);
    all.extend(groups.map(|command| may_be("/etc/group".into(), command.to_string())));
    let log = Path::new("/var/log/apt/history.log");
    if system.exists(log) {
        let reason = message!(
            "it tells which packages came when aitk called apt; sudo apt-get remove takes those away that you do not need"
        );
        all.push(Kept { path: log.to_owned(), reason });
    }
    all
}

/// Looks what of a receipt goes, and what stays.
pub fn removal(receipt: &Receipt, places: &Places, system: &dyn System) -> Removal {
    let mut removal = Removal::default();
    for (key, object) in &receipt.objects {
        let Some(thing) = Thing::read(key, places) else {
            removal.refused.push(key.clone());
            continue;
        };
        if object.provenance == Provenance::Found {
            continue;
        }
        removal.add(key, &thing, object.detail.as_deref(), places, system);
    }
    removal.add_strangers(places, system);
    // What came last goes first.
    let made_at = |undo: &Undo| receipt.objects.get(&undo.key).map(|object| object.at.clone());
    removal.root.sort_by_key(|undo| std::cmp::Reverse(made_at(undo)));
    // The last in the order of the alphabet first, so that links go before what they lead to.
    removal.goes.sort_by(|one, other| other.path.cmp(&one.path));
    removal
}

impl Removal {
    /// Whether nothing is to be taken away.
    pub fn is_empty(&self) -> bool {
        self.goes.is_empty() && self.root.iter().all(|undo| undo.commands.is_empty())
    }

    /// What goes takes on the disk.
    pub fn usage(&self, system: &dyn System) -> Usage {
        let mut usage = Usage::default();
        for goes in self.goes.iter().filter(|goes| !goes.lines_only) {
            usage.add_but(system, &goes.path, &goes.keeps);
        }
        usage
    }

    /// Names what may be aitk's besides, and bears no mark: where a receipt was lost that had told of it.
    pub fn name_unproven(&mut self, receipt: &Receipt, places: &Places, system: &dyn System) {
        let is_lost = receipt.objects.is_empty() && !by_marks(places, system).is_empty();
        self.kept.extend(unproven(receipt, is_lost, places, system));
    }

    /// Lets a receipt forget what is not there any more. What stays is noted on, so that it is told from what aitk made.
    pub fn forget_gone(&self, receipt: &mut Receipt) {
        receipt.objects.retain(|key, _| !self.gone.contains(key));
    }

    fn add(
        &mut self,
        key: &str,
        thing: &Thing,
        detail: Option<&str>,
        places: &Places,
        system: &dyn System,
    ) {
        let (path, lines_only) = match thing {
            Thing::Lines(path) => (path, true),
            Thing::Generation(path)
            | Thing::Current(path)
            | Thing::History(path)
            | Thing::Named(path)
            | Thing::Uv(path) => (path, false),
            Thing::Kernel(path) | Thing::Program(path) | Thing::Laid(path) => (path, false),
            Thing::Package(_) => return,
            Thing::Project(path) => return self.keep_project(key, path, system),
            root => return self.root.extend(undo(key, root, detail, system)),
        };
        match fate(thing, detail, places, system) {
            Fate::Gone => self.gone.push(key.to_owned()),
            Fate::Stays(reason) => self.kept.push(Kept { path: path.clone(), reason }),
            Fate::Goes(keeps) => {
                let own = keeps.iter().map(|path| Kept { path: path.clone(), reason: not_ours() });
                self.kept.extend(own);
                let (key, detail) = (key.to_owned(), detail.map(str::to_owned));
                self.goes.push(Goes { key, path: path.clone(), lines_only, detail, keeps });
            }
        }
        if let Thing::Lines(file) = thing
            && let Ok(Cleared { kept, .. }) = cleared(file, detail, system)
            && !kept.is_empty()
        {
            let reason =
                message!("these lines between aitk's marks are yours: {}", kept.join("; "));
            self.kept.push(Kept { path: file.clone(), reason });
        }
    }

    /// A project is somebody's work: what of it nobody has touched goes where that is asked for, in its own folder.
    fn keep_project(&mut self, key: &str, folder: &Path, system: &dyn System) {
        if !system.exists(folder) {
            return self.gone.push(key.to_owned());
        }
        let reason = message!(
            "it is your project; `aitk remove` in that folder takes away what you have not changed"
        );
        self.kept.push(Kept { path: folder.to_owned(), reason });
    }

    /// Names what else is in the folders of aitk's own.
    fn add_strangers(&mut self, places: &Places, system: &dyn System) {
        let goes: BTreeSet<_> = self.goes.iter().map(|goes| goes.path.clone()).collect();
        let known: BTreeSet<_> =
            goes.iter().chain(self.kept.iter().map(|kept| &kept.path)).cloned().collect();
        let tops = ["envs", "tools", "conda"].map(|name| places.data.join(name));
        // A data folder that the user has named may be theirs.
        let own = places.data.ends_with("aitk");
        let tops = if own { vec![places.data.clone()] } else { tops.to_vec() };
        let kernels = goes.iter().filter(|path| path.starts_with(&places.kernels));
        let tops =
            tops.into_iter().chain(kernels.filter_map(|path| Some(path.parent()?.to_owned())));
        let mut found = BTreeSet::new();
        for top in tops {
            others(&top, &known, system, &mut found);
        }
        let kept = found.into_iter().map(|path| Kept { path, reason: not_ours() });
        self.kept.extend(kept);
    }
}

/// What is in a folder beside what is known; what is half-made by an earlier run goes with the rest.
fn others(
    folder: &Path,
    known: &BTreeSet<PathBuf>,
    system: &dyn System,
    found: &mut BTreeSet<PathBuf>,
) {
    for name in system.list(folder).unwrap_or_default() {
        let path = folder.join(&name);
        if known.contains(&path) || name.starts_with(".aitk-") || name == "kernel.json.before-aitk"
        {
            continue;
        }
        let is_folder = system.stat(&path).is_ok_and(|stat| stat.kind == FileKind::Dir);
        if is_folder && known.iter().any(|known| known.starts_with(&path)) {
            others(&path, known, system, found);
        } else if !is_folder || system.list(&path).is_ok_and(|names| !names.is_empty()) {
            found.insert(path);
        }
    }
}

fn fate(thing: &Thing, detail: Option<&str>, places: &Places, system: &dyn System) -> Fate {
    let goes = |holds: bool, reason: Message| match holds {
        true => Fate::Goes(BTreeSet::new()),
        false => Fate::Stays(reason),
    };
    let (Thing::Generation(path)
    | Thing::Current(path)
    | Thing::History(path)
    | Thing::Named(path)
    | Thing::Uv(path)
    | Thing::Kernel(path)
    | Thing::Program(path)
    | Thing::Laid(path)
    | Thing::Lines(path)) = thing
    else {
        return Fate::Gone;
    };
    let Ok(stat) = system.stat(path) else { return Fate::Gone };
    if let Some(link) = link_above(path, places, system) {
        return Fate::Stays(message!("{} on the way to it is a link of yours", link.display()));
    }
    let says = |path: &Path, noted: &str| file_hash(path, system).as_deref() == Some(noted);
    match thing {
        Thing::Current(path) => {
            goes(leads_to_generation(path, system), message!("it is no link of aitk's"))
        }
        Thing::Named(path) => goes(
            leads_to_current(path, places, system),
            message!("it does not lead to aitk's environment"),
        ),
        Thing::History(path) => goes(is_history(path, system), not_ours()),
        Thing::Generation(_) if stat.kind != FileKind::Dir => Fate::Stays(not_ours()),
        Thing::Generation(path) => {
            Fate::Goes(own_files(path, system).iter().map(|own| path.join(own)).collect())
        }
        Thing::Uv(path) => {
            let noted = detail.filter(|detail| detail.len() == 64);
            goes(noted.is_none_or(|noted| says(path, noted)), changed())
        }
        Thing::Kernel(path) => {
            let same = detail.is_none_or(|noted| says(path, noted));
            goes(same && is_our_kernel(path, places, system), changed())
        }
        Thing::Program(path) => {
            let target = system.read_link(path).ok();
            let same = detail.is_some_and(|noted| target.as_deref() == Some(Path::new(noted)));
            goes(same, changed())
        }
        Thing::Laid(path) => goes(detail.is_some_and(|noted| says(path, noted)), changed()),
        Thing::Lines(path) => match cleared(path, detail, system) {
            _ if !is_marked(path, system) => Fate::Gone,
            Ok(_) => Fate::Goes(BTreeSet::new()),
            Err(reason) => Fate::Stays(reason),
        },
        _ => Fate::Gone,
    }
}

/// A generation that goes, all but the user's own files in it; else why it stays, where there is a reason.
pub(crate) fn generation_goes(
    path: &Path,
    places: &Places,
    system: &dyn System,
) -> Result<Goes, Option<Message>> {
    match fate(&Thing::Generation(path.to_owned()), None, places, system) {
        Fate::Goes(keeps) => {
            let key = ReceiptEntry::path(path, None).key;
            Ok(Goes { key, path: path.to_owned(), lines_only: false, detail: None, keeps })
        }
        Fate::Stays(reason) => Err(Some(reason)),
        Fate::Gone => Err(None),
    }
}

impl Goes {
    /// What of it is the user's and stays.
    pub(crate) fn keeps_of_the_user(&self) -> impl Iterator<Item = Kept> {
        self.keeps.iter().map(|path| Kept { path: path.clone(), reason: not_ours() })
    }
}

/// A link between aitk's own folder and something in it: behind it is somebody's place.
fn link_above(path: &Path, places: &Places, system: &dyn System) -> Option<PathBuf> {
    let top = [&places.data, &places.kernels].into_iter().find(|top| path.starts_with(top))?;
    let above = path.ancestors().skip(1).take_while(|above| *above != top);
    let is_link = |path: &&Path| system.stat(path).is_ok_and(|stat| stat.kind == FileKind::Link);
    above.into_iter().find(is_link).map(Path::to_owned)
}

/// Whether a folder says of itself that aitk has built it, or is building it.
pub(crate) fn is_generation(path: &Path, system: &dyn System) -> bool {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return false };
    Environments::at(folder).generation(&name.to_string_lossy()).is_ours(system)
}

/// The user's own files in a generation. Of one that is half-built nobody can tell which file is a package's, so what
/// does not stand in a folder of the environment's is theirs.
fn own_files(path: &Path, system: &dyn System) -> Vec<PathBuf> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Vec::new() };
    let whole =
        Environments::at(folder).generation(&name.to_string_lossy()).record(system).is_some();
    let mut own = strangers(system, path);
    if !whole {
        let usual = [
            "bin",
            "lib",
            "include",
            "share",
            "etc",
            "conda-meta",
            "ssl",
            "sbin",
            "libexec",
            "man",
        ];
        own.retain(|path| !usual.iter().any(|folder| path.starts_with(folder)));
    }
    own
}

/// Whether a file tells when which generation came into use.
pub(crate) fn is_history(path: &Path, system: &dyn System) -> bool {
    path.parent().is_some_and(|folder| !Environments::at(folder).history(system).is_empty())
}

pub(crate) fn leads_to_generation(link: &Path, system: &dyn System) -> bool {
    system.read_link(link).is_ok_and(|target| target.to_str().is_some_and(Generation::is_name))
}

fn leads_to_current(link: &Path, places: &Places, system: &dyn System) -> bool {
    let Ok(target) = system.read_link(link) else { return false };
    let Ok(inside) = target.strip_prefix(places.data.join("envs")) else { return false };
    inside.components().count() == 2 && inside.ends_with("current")
}

/// Whether a kernel starts the Python of an environment of aitk's, by way of the link that only aitk makes.
fn is_our_kernel(path: &Path, places: &Places, system: &dyn System) -> bool {
    let python = system.read(path).ok().and_then(|bytes| kernel_python(&bytes));
    python.is_some_and(|python| {
        Path::new(&python)
            .strip_prefix(places.data.join("envs"))
            .is_ok_and(|inside| inside.ends_with("current/bin/python"))
    })
}

/// Takes something away, all but what stays. What lies in a folder of aitk's own is shown once more to lie there: a link
/// may have come in between since it was looked at.
///
/// # Errors
/// What the operating system says.
pub fn take_away(goes: &Goes, places: &Places, system: &dyn System) -> Result<(), ExecError> {
    let path = &goes.path;
    let own = [&places.data, &places.kernels].into_iter().find(|own| path.starts_with(own));
    own.map_or(Ok(()), |own| inside(system, own, path)).map_err(ExecError::io(path))?;
    if goes.lines_only {
        let Ok(Cleared { place, bytes, .. }) = cleared(path, goes.detail.as_deref(), system) else {
            return Ok(());
        };
        let done = match bytes {
            None => system.remove(&place),
            Some(bytes) => {
                system.stat(&place).and_then(|stat| system.write(&place, &bytes, stat.mode))
            }
        };
        return done.map_err(ExecError::io(place));
    }
    if path.file_name().is_some_and(|name| Generation::is_name(&name.to_string_lossy())) {
        unmake(path, &goes.keeps, system).map_err(ExecError::io(path))?;
    }
    clear(path, &goes.keeps, system).map_err(ExecError::io(path))?;
    // Somebody's own kernel, which an earlier aitk has kept beside its own, comes back.
    let kept = kept_kernel(path);
    if path.ends_with("kernel.json")
        && let Ok(bytes) = system.read(&kept)
    {
        system.write(path, &bytes, 0o644).map_err(ExecError::io(path))?;
        system.remove(&kept).map_err(ExecError::io(kept))?;
    }
    Ok(())
}

/// Takes away what is in a generation in an order in which whoever finds it half gone knows it for that: what it says of
/// itself is the first to go, and the lock, by which it is known as aitk's, the last.
fn unmake(path: &Path, keeps: &BTreeSet<PathBuf>, system: &dyn System) -> io::Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    let generation = Environments::at(parent)
        .generation(&path.file_name().unwrap_or_default().to_string_lossy());
    system.remove(&generation.record_path())?;
    let is_lock = |name: &String| Manager::ALL.iter().any(|one| one.lock_file() == name);
    for name in system.list(path)?.into_iter().filter(|name| !is_lock(name)) {
        clear(&path.join(name), keeps, system)?;
    }
    Ok(())
}

fn clear(path: &Path, keeps: &BTreeSet<PathBuf>, system: &dyn System) -> io::Result<()> {
    if keeps.contains(path) {
        return Ok(());
    }
    if !keeps.iter().any(|keep| keep.starts_with(path)) {
        return system.remove(path);
    }
    for name in system.list(path)? {
        clear(&path.join(name), keeps, system)?;
    }
    Ok(())
}

/// Folders of aitk's own that are left empty go as well, and what a run that was killed was about to put in place.
///
/// # Errors
/// What the operating system says.
pub fn prune(path: &Path, places: &Places, system: &dyn System) -> Result<(), ExecError> {
    let own = |folder: &&Path| {
        let inside = folder.starts_with(&places.data)
            && (**folder != *places.data || folder.ends_with("aitk"));
        inside || folder.parent() == Some(&places.kernels)
    };
    for folder in path.ancestors().skip(1).take_while(own) {
        let names = system.list(folder).unwrap_or_default();
        let (half, whole): (Vec<_>, Vec<_>) =
            names.into_iter().partition(|name| name.starts_with(".aitk-"));
        for name in half {
            let path = folder.join(name);
            system.remove(&path).map_err(ExecError::io(path))?;
        }
        if !whole.is_empty() {
            break;
        }
        system.remove(folder).map_err(ExecError::io(folder))?;
    }
    Ok(())
}

/// Folders of aitk's own that were left empty by whoever was killed before it came to them.
///
/// # Errors
/// What the operating system says.
pub fn prune_empty(places: &Places, system: &dyn System) -> Result<(), ExecError> {
    let is_folder = |path: &PathBuf| system.stat(path).is_ok_and(|stat| stat.kind == FileKind::Dir);
    let below = |folder: &Path| {
        let names = system.list(folder).unwrap_or_default();
        names.iter().map(|name| folder.join(name)).filter(is_folder).collect::<Vec<_>>()
    };
    let ours = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("aitk-"))
    };
    let mut folders: Vec<_> = below(&places.kernels).into_iter().filter(ours).collect();
    for top in ["envs", "tools", "conda"].map(|name| places.data.join(name)) {
        folders.extend(if is_folder(&top) { below(&top) } else { Vec::new() });
        folders.push(top);
    }
    folders.extend(places.data.ends_with("aitk").then(|| places.data.clone()));
    for folder in folders.into_iter().filter(is_folder) {
        sweep(&folder);
        if system.list(&folder).is_ok_and(|names| names.is_empty()) {
            system.remove(&folder).map_err(ExecError::io(folder))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;
    use tempfile::TempDir;

    use super::*;

    const DIGEST: &str = "0123456789abcdef";

    /// A home with everything that aitk makes of the user's own, and the receipt of it.
    struct Home(TempDir);

    impl Home {
        fn new() -> Self {
            let home = Self(tempfile::tempdir().unwrap());
            let record = serde_json::json!({
                "schema": 1, "manager": "venv", "request": "", "added": [], "python": "3.12", "layers": {},
            });
            let built = format!("aitk/envs/ai/{DIGEST}");
            home.put(&format!("{built}/aitk-generation.json"), &record.to_string());
            home.put(&format!("{built}/bin/python3"), "");
            home.link(DIGEST, "aitk/envs/ai/current");
            home.put(
                "aitk/envs/ai/history.jsonl",
                &format!("{{\"when\":\"now\",\"to\":\"{DIGEST}\",\"reason\":\"apply\"}}\n"),
            );
            home.link(&home.at("aitk/envs/ai/current").to_string_lossy(), "aitk/conda/envs/ai");
            home.put("aitk/tools/uv-1/uv", "uv");
            // What a run was killed over.
            home.put("aitk/tools/uv-1/uv.part", "u");
            let python = home.at("aitk/envs/ai/current/bin/python");
            home.put(
                "kernels/aitk-ai/kernel.json",
                &serde_json::json!({ "argv": [python] }).to_string(),
            );
            home.put(".bashrc", "mine\n# >>> aitk >>>\n# <<< aitk <<<\n");
            home.link("/opt/aitk", ".local/bin/aitk");
            home
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        /// Lays a page of the manual and what bash completes by, as the end of `apply` does.
        fn lay(&self, text: &str) -> usize {
            let places = self.places();
            let [(_, bash), ..] = places.completions();
            let files = [places.manual().join("aitk.1"), bash].map(|path| (path, text.to_owned()));
            crate::lay(&files, &places, &self.at("state"), &Real).unwrap()
        }

        fn put(&self, path: &str, text: &str) {
            Real.write(&self.at(path), text.as_bytes(), 0o644).unwrap();
        }

        fn link(&self, target: &str, link: &str) {
            Real.symlink(Path::new(target), &self.at(link)).unwrap();
        }

        fn places(&self) -> Places {
            let (data, kernels) = (self.at("aitk"), self.at("kernels"));
            Places { data, kernels, home: self.0.path().to_owned(), named: Vec::new() }
        }

        /// What was noted when it was made.
        fn receipt(&self) -> Receipt {
            let mut receipt = Receipt::default();
            note_by_marks(&mut receipt, &self.places(), &Real);
            let program = ReceiptEntry::path(&self.at(".local/bin/aitk"), None).key;
            let object = receipt.objects.values().next().unwrap().clone();
            receipt
                .objects
                .insert(program, Object { detail: Some("/opt/aitk".to_owned()), ..object });
            for (key, object) in &mut receipt.objects {
                if key.ends_with("/uv") || key.ends_with("kernel.json") {
                    object.detail = file_hash(Path::new(key.strip_prefix("path:").unwrap()), &Real);
                }
            }
            receipt
        }

        /// What stays after all of it was taken away.
        fn taken_away(&self, receipt: &Receipt) -> (Removal, Vec<String>) {
            let places = self.places();
            let removal = removal(receipt, &places, &Real);
            for goes in &removal.goes {
                take_away(goes, &places, &Real).unwrap();
                prune(&goes.path, &places, &Real).unwrap();
            }
            let mut left = Vec::new();
            self.walk(self.0.path(), &mut left);
            (removal, left)
        }

        fn walk(&self, folder: &Path, left: &mut Vec<String>) {
            for name in Real.list(folder).unwrap() {
                let path = folder.join(name);
                match Real.stat(&path).unwrap().kind {
                    FileKind::Dir => self.walk(&path, left),
                    _ => left.push(path.strip_prefix(self.0.path()).unwrap().display().to_string()),
                }
            }
        }
    }

    #[test]
    fn what_bears_no_mark_is_named_and_stays() {
        let home = Home::new();
        let (places, mut receipt) = (home.places(), Receipt::default());
        let named = |receipt: &Receipt| {
            let found = unproven(receipt, true, &places, &Real).into_iter();
            found.map(|kept| (kept.path, kept.reason.to_string())).collect::<Vec<_>>()
        };
        let link = home.at(".local/bin/aitk");
        let lost = named(&receipt);
        let said = lost.iter().find(|(path, _)| *path == link).unwrap();
        assert!(said.1.ends_with(&format!("if it is: rm {}", link.display())), "{said:?}");
        let told = unproven(&home.receipt(), false, &places, &Real);
        assert_eq!(told, [], "the receipt tells of it");
        note_by_marks(&mut receipt, &places, &Real);
        let (_, left) = home.taken_away(&receipt);
        assert!(left.contains(&".local/bin/aitk".to_owned()), "{left:?}");
    }

    #[test]
    fn everything_that_is_as_aitk_made_it_goes_and_nothing_else() {
        let home = Home::new();
        let (removal, left) = home.taken_away(&home.receipt());
        assert_eq!((removal.kept, removal.refused), (Vec::new(), Vec::new()));
        assert_eq!(left, [".bashrc"]);
        assert_eq!(Real.read(&home.at(".bashrc")).unwrap(), b"mine\n");
        assert!(Real.stat(&home.at("aitk")).is_err());
    }

    #[test]
    fn what_was_changed_and_what_is_the_users_stays_and_is_named() {
        let home = Home::new();
        let mut receipt = home.receipt();
        let mine = [
            "aitk/envs/ai/0123456789abcdef/notebooks/thesis.ipynb",
            "aitk/envs/ai/fedcba9876543210/f",
            "aitk/envs/ai/notes/f",
            "aitk/mine/f",
            "kernels/aitk-ai/logo.png",
        ];
        mine.iter().for_each(|file| home.put(file, "mine"));
        home.put("aitk/tools/uv-1/uv", "another");
        let python = home.at("aitk/envs/ai/current/bin/python");
        let edited = serde_json::json!({ "argv": [python], "display_name": "MINE" });
        home.put("kernels/aitk-ai/kernel.json", &edited.to_string());
        home.link("/opt/other", ".local/bin/aitk");
        home.put(".bashrc", "mine\n# >>> aitk >>>\n");
        let (removal, left) = home.taken_away(&receipt);
        let kept: BTreeSet<_> = removal.kept.iter().map(|kept| kept.path.clone()).collect();
        for path in [
            "aitk/envs/ai/0123456789abcdef/notebooks",
            "aitk/envs/ai/fedcba9876543210",
            "aitk/envs/ai/notes",
            "aitk/mine",
            "aitk/tools/uv-1/uv",
            "kernels/aitk-ai/kernel.json",
            ".local/bin/aitk",
            ".bashrc",
        ] {
            assert!(kept.contains(&home.at(path)), "{path} is not named: {kept:?}");
        }
        let more =
            ["aitk/tools/uv-1/uv", "kernels/aitk-ai/kernel.json", ".local/bin/aitk", ".bashrc"];
        let mut expected: Vec<_> =
            mine.iter().chain(&more).map(|path| (*path).to_owned()).collect();
        expected.sort();
        let mut left = left;
        left.sort();
        assert_eq!(left, expected);
        // It is told from what aitk made the next time as well.
        removal.goes.iter().for_each(|goes| _ = receipt.objects.remove(&goes.key));
        let (again, _) = home.taken_away(&receipt);
        assert!(again.goes.is_empty(), "{:?}", again.goes);
    }

    #[test]
    fn what_is_laid_beside_the_program_goes_with_it_unless_somebody_has_changed_it() {
        let home = Home::new();
        let (page, bash) =
            (".local/share/man/man1/aitk.1", ".local/share/bash-completion/completions/aitk");
        assert_eq!(home.lay("one"), 0, "the link is not ours");
        home.receipt().save(&home.at("state"), &Real).unwrap();
        assert_eq!(home.lay("one"), 2);
        assert_eq!(home.lay("one"), 0);
        assert_eq!(home.lay("two"), 2);
        home.put(bash, "mine");
        assert_eq!(home.lay("three"), 1, "what somebody has changed stays");
        assert_eq!(Real.read(&home.at(page)).unwrap(), b"three");
        let receipt = Receipt::load(&home.at("state"), &Real).unwrap();
        let (removal, left) = home.taken_away(&receipt);
        assert_eq!(
            removal.kept.iter().map(|kept| kept.path.clone()).collect::<Vec<_>>(),
            [home.at(bash)]
        );
        assert_eq!(Real.read(&home.at(bash)).unwrap(), b"mine");
        assert!(!left.contains(&page.to_owned()), "{left:?}");
    }

    #[test]
    fn what_somebody_who_was_killed_was_about_to_put_in_place_goes_with_its_folder() {
        let home = Home::new();
        home.put("aitk/tools/uv-2/.aitk-0123456789abcdef", "u");
        home.put("aitk/tools/uv-3/.aitk-notes", "mine");
        prune_empty(&home.places(), &Real).unwrap();
        let system: &dyn System = &Real;
        assert!(!system.exists(home.at("aitk/tools/uv-2")));
        assert!(system.exists(home.at("aitk/tools/uv-3/.aitk-notes")));
    }

    #[test]
    fn a_link_that_came_in_between_leads_nowhere() {
        let home = Home::new();
        let places = home.places();
        let removal = removal(&home.receipt(), &places, &Real);
        let (there, away) = (home.at("aitk/envs/ai"), home.at("elsewhere"));
        home.put(&format!("elsewhere/{DIGEST}/precious"), "mine");
        Real.remove(&there).unwrap();
        home.link(&away.to_string_lossy(), "aitk/envs/ai");
        let of_it: Vec<_> =
            removal.goes.iter().filter(|goes| goes.path.starts_with(&there)).collect();
        assert!(!of_it.is_empty());
        for goes in of_it {
            take_away(goes, &places, &Real).unwrap_err();
        }
        assert!(Real.stat(&away.join(DIGEST).join("precious")).is_ok());
    }

    #[test]
    fn a_claim_of_a_receipt_or_a_link_of_the_users_leads_nowhere() {
        let home = Home::new();
        home.put("precious/f", "");
        home.put("elsewhere/0123456789abcdef/bin/python", "");
        home.link(&home.at("elsewhere").to_string_lossy(), "aitk/envs/linked");
        let mut receipt = home.receipt();
        let object = receipt.objects.values().next().unwrap().clone();
        let data = home.at("aitk").display().to_string();
        for key in [
            format!("path:{}", home.at("precious").display()),
            format!("path:{data}/envs/../../precious"),
            "path:".to_owned(),
            "init:/etc/passwd".to_owned(),
        ] {
            receipt.objects.insert(key, object.clone());
        }
        receipt.objects.insert(format!("path:{data}/envs/linked/{DIGEST}"), object);
        let (removal, left) = home.taken_away(&receipt);
        assert_eq!(removal.refused.len(), 4, "{:?}", removal.refused);
        assert!(removal.root.is_empty());
        for path in ["precious/f", "elsewhere/0123456789abcdef/bin/python", "aitk/envs/linked"] {
            assert!(left.contains(&path.to_owned()), "{path} is gone: {left:?}");
        }
    }
}
