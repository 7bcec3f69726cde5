//! What `clean` takes away: generations that nobody needs any more, and what no lock of those that stay names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aitk_env::{
    CACHE, Environments, Generation, Running, Settings, Usage, running, unneeded, uv_wheel,
};
use aitk_plan::{Catalog, Lock};
use aitk_system::{Message, System, Timestamp, inside, message};

use crate::error::ExecError;
use crate::journal::interrupted_run;
use crate::places::Places;
use crate::receipt::{Receipt, ReceiptEntry};
use crate::removal::{Goes, Kept, generation_goes, prune, take_away};

/// Days after which runs and answers of sources go, where nothing else is said.
pub const OLD: u32 = 30;

/// What shall stay, as `clean`'s flags say it.
#[derive(Debug, Clone, Copy)]
pub struct Keeps {
    /// So many generations of each environment.
    pub generations: usize,
    /// Nothing of the cache.
    pub no_cache: bool,
    /// Only what is older than so many days goes.
    pub older: Option<u32>,
}

/// What goes and what stays.
#[derive(Debug, Default)]
pub struct Cleaning {
    /// Generations that go, with what each frees.
    pub generations: Vec<Goes>,
    /// What is in aitk's cache and among its notes.
    pub files: Vec<PathBuf>,
    /// Generations that would go by their age and stay for a reason.
    pub kept: Vec<Kept>,
    /// Bytes that come free, without what others share with it.
    pub bytes: u64,
}

impl Cleaning {
    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.generations.is_empty() && self.files.is_empty()
    }
}

/// Where `clean` looks.
pub struct Around<'a> {
    /// The machine whose folders are looked at.
    pub system: &'a dyn System,
    /// The folders of environments and downloads.
    pub settings: &'a Settings,
    /// Receipt, runs and notes.
    pub state: &'a Path,
    /// Where aitk can have made something.
    pub places: &'a Places,
    /// What says which uv is in use: others go.
    pub catalog: &'a Catalog,
    /// The machine's architecture, as `uname -m` says it.
    pub arch: &'a str,
}

/// Looks what goes.
pub fn cleaning(around: &Around<'_>, keeps: Keeps) -> Cleaning {
    let Around { system, settings, state, .. } = around;
    let mut cleaning = Cleaning::default();
    let running = running(*system, &settings.data);
    let mut locks = Vec::new();
    let mut runs = BTreeSet::new();
    for env in system.list(&settings.data.join("envs")).unwrap_or_default() {
        for one in judged(around, keeps, &env, &running) {
            let path = one.generation.path().to_owned();
            let goes = match one.stays {
                None => generation_goes(&path, around.places, *system),
                Some(reason) => Err(reason),
            };
            match goes {
                Ok(goes) => {
                    cleaning.kept.extend(goes.keeps_of_the_user());
                    cleaning.generations.push(goes);
                }
                Err(reason) => {
                    if let Some(reason) = reason {
                        cleaning.kept.push(Kept { path, reason });
                    }
                    locks.extend(one.generation.kept_lock(*system));
                    runs.extend(one.generation.record(*system).and_then(|record| record.run));
                }
            }
        }
    }
    cleaning.files = match keeps.no_cache {
        true => whole_cache(*system, &settings.cache),
        false => of_cache(around, keeps, &locks),
    };
    cleaning.files.extend(old_runs(*system, state, keeps, &runs));
    let gone = cleaning.generations.iter().filter_map(|goes| goes.path.file_name());
    let seen = gone.map(|name| state.join("seen").join(name)).filter(|path| system.exists(path));
    cleaning.files.extend(seen);
    let mut usage = Usage::default();
    cleaning.generations.iter().for_each(|goes| usage.add(*system, &goes.path));
    cleaning.files.iter().for_each(|path| usage.add(*system, path));
    cleaning.bytes = usage.own();
    cleaning
}

/// A generation, and why it stays: with words where its age would let it go, without where that is as it should be.
struct Judged {
    generation: Generation,
    stays: Option<Option<Message>>,
}

fn judged(
    around: &Around<'_>,
    keeps: Keeps,
    env: &str,
    running: &BTreeMap<PathBuf, Vec<Running>>,
) -> Vec<Judged> {
    let Around { system, settings, state, .. } = around;
    let environments = Environments::new(&settings.data, env);
    let before = environments.before(*system);
    // Whoever has gone back may want to go forward again.
    let left = environments.history(*system).pop().and_then(|switch| switch.from);
    let last_used = last_used(*system, &environments);
    let mut all = environments.all(*system);
    let used = |one: &Generation| last_used.get(&one.folder()).copied().unwrap_or_default();
    all.sort_by_key(|one| std::cmp::Reverse((environments.in_use(*system, one), used(one))));
    let limit = keeps.older.map(|days| ago(*system, days));
    // What a run had begun is continued.
    let goes_on = interrupted_run(state, *system).is_some_and(|run| run.goes_on_in(env));
    let mut whole = 0;
    let mut judged = Vec::new();
    for generation in all {
        let half = generation.is_half(*system);
        whole += usize::from(!half);
        let is_back_or_forth = before.as_ref() == Some(&generation)
            || !half && left.as_ref() == Some(&generation.folder());
        let stays = if environments.in_use(*system, &generation) || is_back_or_forth {
            Some(None)
        } else if let Some(programs) = running.get(generation.path()) {
            let list = programs.iter().map(|one| format!("{} ({})", one.name, one.pid));
            let list = list.collect::<Vec<_>>().join(", ");
            Some(Some(message!("programs run from it: {list}")))
        } else if half && goes_on {
            Some(Some(message!("a run that did not come to its end goes on with it")))
        } else if !half && whole <= keeps.generations {
            Some(None)
        } else {
            limit.filter(|limit| used(&generation) > *limit).map(|_| None)
        };
        judged.push(Judged { generation, stays });
    }
    judged
}

/// When each generation was last made the one in use, or ceased to be; else when it was built.
fn last_used(system: &dyn System, environments: &Environments) -> BTreeMap<String, Timestamp> {
    let mut used = BTreeMap::new();
    for generation in environments.all(system) {
        let built = generation.record(system).and_then(|record| record.when);
        let built = built.and_then(|when| when.parse().ok());
        let folder = || {
            let stat = system.stat(generation.path()).ok()?;
            Timestamp::from_nanosecond(stat.mtime.into()).ok()
        };
        used.extend(built.or_else(folder).map(|when| (generation.folder(), when)));
    }
    for switch in environments.history(system) {
        let Ok(when) = switch.when.parse::<Timestamp>() else { continue };
        for name in [Some(switch.to), switch.from].into_iter().flatten() {
            used.entry(name).and_modify(|last| *last = when.max(*last));
        }
    }
    used
}

/// So many days before now.
fn ago(system: &dyn System, days: u32) -> Timestamp {
    let now = system.now().as_second();
    Timestamp::from_second(now - i64::from(days) * 86_400).unwrap_or_default()
}

/// Whether a cache is aitk's alone, by its name: another one that `AITK_CACHE_DIR` names may be shared, and stays.
pub fn is_own_cache(cache: &Path) -> bool {
    cache.file_name().is_some_and(|name| name.to_string_lossy().contains("aitk"))
}

/// All of aitk's own in its cache, where that is aitk's alone.
pub fn whole_cache(system: &dyn System, cache: &Path) -> Vec<PathBuf> {
    if !is_own_cache(cache) {
        return Vec::new();
    }
    let names = CACHE.into_iter().map(|name| cache.join(name));
    names.filter(|path| system.exists(path)).collect()
}

fn of_cache(around: &Around<'_>, keeps: Keeps, locks: &[Lock]) -> Vec<PathBuf> {
    let Around { system, settings, catalog, arch, .. } = around;
    if !is_own_cache(&settings.cache) {
        return Vec::new();
    }
    let uv = uv_wheel(catalog, arch).map(|wheel| wheel.filename.clone());
    let tools: Vec<_> = uv.into_iter().collect();
    let limit = ago(*system, keeps.older.unwrap_or(OLD)).as_nanosecond();
    let limit = i64::try_from(limit).unwrap_or(i64::MIN);
    let mut all = unneeded(*system, settings, locks, &tools, limit);
    if let Some(days) = keeps.older {
        let limit = i64::try_from(ago(*system, days).as_nanosecond()).unwrap_or(i64::MIN);
        all.retain(|path| system.stat(path).is_ok_and(|stat| stat.mtime < limit));
    }
    all
}

/// The journals and logs of old runs: never those of the last one, and of what stays.
fn old_runs(
    system: &dyn System,
    state: &Path,
    keeps: Keeps,
    needed: &BTreeSet<String>,
) -> Vec<PathBuf> {
    let folder = state.join("runs");
    let mut names = system.list(&folder).unwrap_or_default();
    names.pop();
    let limit = ago(system, keeps.older.unwrap_or(OLD)).strftime("%Y%m%dT%H%M%S").to_string();
    // Their names are their times.
    names.retain(|name| name.starts_with(|c: char| c.is_ascii_digit()) && *name < limit);
    names.iter().filter(|name| !needed.contains(*name)).map(|name| folder.join(name)).collect()
}

/// Takes away what goes, one thing after the other, and notes each generation that is gone. What cannot be taken away is
/// collected: the rest goes.
///
/// # Errors
/// Where the receipt cannot be written.
pub fn clean(
    around: &Around<'_>,
    cleaning: &Cleaning,
    receipt: &mut Receipt,
) -> Result<Vec<ExecError>, ExecError> {
    let Around { system, settings, state, places, .. } = around;
    let mut failed = Vec::new();
    for goes in &cleaning.generations {
        let taken =
            take_away(goes, places, *system).and_then(|()| prune(&goes.path, places, *system));
        match taken {
            Ok(()) => {
                receipt.objects.remove(&ReceiptEntry::path(&goes.path, None).key);
                receipt.save(state, *system)?;
            }
            Err(error) => failed.push(error),
        }
    }
    for path in &cleaning.files {
        failed.extend(take_file(*system, [&*settings.cache, state], path).err());
    }
    Ok(failed)
}

/// Takes something away that lies in one of aitk's own folders.
pub fn take_file(system: &dyn System, own: [&Path; 2], path: &Path) -> Result<(), ExecError> {
    let own = own.into_iter().find(|own| path.starts_with(own)).unwrap_or(own[0]);
    inside(system, own, path).and_then(|()| system.remove(path)).map_err(ExecError::io(path))
}
