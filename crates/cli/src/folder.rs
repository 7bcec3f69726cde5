//! A folder's own file: `aitk.toml` has choices for whatever is done in that folder or below, and `aitk.lock` beside it
//! the packages. Both are a stranger's until the person has confirmed them, as they stand: they come with a download too.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aitk_detect::{Folders, folders};
use aitk_env::{Environments, Generation};
use aitk_exec::Receipt;
use aitk_plan::{
    BASE, CHOICES, Choice, Lock, Locks, Manager, Profile, Request, Takes, digest_of, names,
    nearest, parse_toml,
};
use aitk_system::{FileKind, Message, System, ToMessage, message, quote};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::CliError;
use crate::given::{Given, read};

/// The file with the choices.
pub const FILE: &str = "aitk.toml";
/// The file with the packages.
pub const LOCK: &str = "aitk.lock";
/// The longest file that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// The longest lock, in bytes.
const LONGEST_LOCK: usize = 64 << 20;
/// What begins the line of a lock that says for which choices it is.
const FOR: &str = "# For aitk.toml with the choices ";
/// Choices that lead to files which may change without a question: a lock elsewhere, and a conda whose files a shell reads.
const ELSEWHERE: [&str; 2] = ["conda-base", "locked"];
/// As much of a folder's name as the name of its environment has.
const NAMED: usize = 28;

/// The file of a folder, as it was read.
#[derive(Debug, Clone)]
pub struct FolderFile {
    folder: PathBuf,
    text: String,
    lock: Option<String>,
    given: Given,
}

/// What a person has confirmed: these bytes, at this place.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    folder: PathBuf,
    text: String,
    lock: Option<String>,
    /// The profile of the user's own that the file names, if it names one.
    #[serde(default)]
    profile: Option<String>,
}

impl Confirmed {
    /// Everything that counts, as it stands: the file, and the profile of the user's own that it names.
    pub fn shown(&self) -> String {
        let profile = self.profile.as_ref().map(|text| format!("\n{text}"));
        format!("{}{}", self.text, profile.unwrap_or_default())
    }

    /// What was confirmed of a folder.
    fn of(system: &dyn System, folder: &Path) -> Option<Self> {
        let known = system.text(note(folder, &folders(system))).ok()?;
        serde_json::from_str(&known).ok()
    }

    /// Notes that a person has seen this and wants it.
    ///
    /// # Errors
    /// Where the note cannot be written.
    pub fn note(&self, system: &dyn System) -> Result<(), CliError> {
        let path = note(&self.folder, &folders(system));
        let text = serde_json::to_string(self).unwrap_or_default();
        system.write(&path, text.as_bytes(), 0o600).map_err(CliError::io(path))
    }
}

/// Whether a file may be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// As it stands.
    Confirmed,
    /// Not any more: it is another one than was confirmed.
    Changed,
    /// Nobody has confirmed it.
    New,
}

impl FolderFile {
    /// The file of the current folder, or of the nearest one above.
    ///
    /// # Errors
    /// Where there is one that cannot be read, or has no choices in it.
    pub fn find(system: &dyn System) -> Result<Option<Self>, CliError> {
        // Where the current folder is gone, whoever needs it says so.
        let Ok(here) = std::path::absolute(".") else { return Ok(None) };
        let there = here
            .ancestors()
            .find(|folder| system.exists(folder.join(FILE)) && !is_anybodys(folder, system));
        there.map(|folder| Self::open(system, folder)).transpose()
    }

    /// The file of a folder.
    ///
    /// # Errors
    /// As for [`FolderFile::find`].
    pub fn open(system: &dyn System, folder: &Path) -> Result<Self, CliError> {
        let read = |path: PathBuf, longest| {
            // Whoever writes it anew would put a file in the place of the link, and not change what it leads to.
            if system.stat(&path).is_ok_and(|stat| stat.kind == FileKind::Link) {
                let reason = message!(
                    "it is a link, and a folder's own files are none: put a copy in its place"
                );
                return Err(CliError::BadFolderFile { path, reason });
            }
            system.foreign_text(&path, longest).map_err(|error| match error.kind() {
                ErrorKind::InvalidData | ErrorKind::FileTooLarge => {
                    CliError::BadFolderFile { path, reason: error.to_message() }
                }
                _ => CliError::io(path)(error),
            })
        };
        let text = read(folder.join(FILE), LONGEST)?;
        let lock = folder.join(LOCK);
        let lock = system.exists(&lock).then(|| read(lock, LONGEST_LOCK)).transpose()?;
        Self::of(folder, text, lock)
    }

    /// A file with this text.
    ///
    /// # Errors
    /// [`CliError::BadFolderFile`] where a line of it is no choice.
    pub fn of(folder: &Path, text: String, lock: Option<String>) -> Result<Self, CliError> {
        let path = folder.join(FILE);
        let values: serde_json::Map<String, Value> = parse_toml(&path.to_string_lossy(), &text)?;
        let mut given = Given::default();
        for (key, value) in values {
            let chosen = chosen(&key, &value, folder);
            let (flag, values) = chosen.map_err(|reason| CliError::BadFolderFile {
                path: path.clone(),
                reason: Message::about(key, reason),
            })?;
            given.add_all(flag, &values);
        }
        given.clone().opened()?;
        Ok(Self { folder: folder.to_owned(), text, lock, given })
    }

    /// Where it stands.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file itself.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// What stands in it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The lock beside it, whether it is there or not.
    pub fn lock_path(&self) -> PathBuf {
        self.folder.join(LOCK)
    }

    /// The environment that the file is about: the one that it names, else one of its own.
    pub fn env(&self) -> String {
        let named = self.given.value("env").map(str::to_owned);
        named.unwrap_or_else(|| own_name(&self.folder))
    }

    /// Puts what is given over what the file says.
    pub fn under(&self, given: &mut Given) {
        let hosted = self.given.value("budget").and_then(|name| Profile::builtin(name).ok());
        given.over(&self.given);
        if given.value("env").is_none() && !hosted.is_some_and(|profile| profile.hosted) {
            given.add("env", &self.env());
        }
    }

    /// The same file with other packages of the user's own.
    ///
    /// # Errors
    /// Where it would be none any more.
    pub fn with_packages(&self, packages: &[String]) -> Result<Self, CliError> {
        let text = with_packages(&self.text, packages);
        Self::of(&self.folder, text, self.lock.clone())
    }

    /// The packages of the user's own.
    pub fn packages(&self) -> Vec<String> {
        self.given.values("package").unwrap_or_default().to_vec()
    }

    /// Writes the file, and takes a lock away that is not this file's; where the one before it was confirmed, so is this.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn write(&self, system: &dyn System, before: Option<Confirmed>) -> Result<(), CliError> {
        let path = self.path();
        system.write(&path, self.text.as_bytes(), 0o644).map_err(CliError::io(path))?;
        let lock = self.lock_path();
        if self.lock.is_none() && system.exists(&lock) {
            system.remove(&lock).map_err(CliError::io(lock))?;
        }
        self.stay_confirmed(system, before)
    }

    /// Writes the lock, and nothing else. The file and the profile that it names may have been edited meanwhile, and then
    /// they ask to be confirmed anew.
    ///
    /// # Errors
    /// Where that cannot be written.
    pub fn write_lock(&self, system: &dyn System) -> Result<(), CliError> {
        let there = Self::open(system, &self.folder).ok().filter(|there| there.text == self.text);
        let before = there.and_then(|there| there.confirmed(system));
        let path = self.lock_path();
        let text = self.lock.as_deref().unwrap_or_default();
        system.write(&path, text.as_bytes(), 0o644).map_err(CliError::io(path))?;
        self.stay_confirmed(system, before)
    }

    /// Carries what was confirmed over to these texts of the file and its lock; of the profile counts what was seen.
    fn stay_confirmed(
        &self,
        system: &dyn System,
        before: Option<Confirmed>,
    ) -> Result<(), CliError> {
        let Some(before) = before else { return Ok(()) };
        let Self { text, lock, .. } = self.clone();
        Confirmed { text, lock, ..before }.note(system)
    }

    /// The same with a lock.
    ///
    /// # Errors
    /// Where the lock cannot be told.
    pub fn with_lock(&self, locks: &Locks) -> Result<Self, CliError> {
        let text = format!("{FOR}{}\n{}", self.digest(), locks.to_text()?);
        Ok(Self { lock: Some(text), ..self.clone() })
    }

    /// Notes that the person wants this file as it stands.
    ///
    /// # Errors
    /// Where the note cannot be written.
    pub fn confirm(&self, system: &dyn System) -> Result<(), CliError> {
        self.as_seen(system).note(system)
    }

    /// Takes that back.
    ///
    /// # Errors
    /// Where the note cannot be taken away.
    pub fn doubt(&self, system: &dyn System) -> Result<(), CliError> {
        let path = note(&self.folder, &folders(system));
        match system.exists(&path) {
            true => system.remove(&path).map_err(CliError::io(path)),
            false => Ok(()),
        }
    }

    /// What the person has confirmed, where it is what stands there.
    pub fn confirmed(&self, system: &dyn System) -> Option<Confirmed> {
        Confirmed::of(system, &self.folder).filter(|known| *known == self.as_seen(system))
    }

    /// Whether the person has confirmed the file as it stands.
    pub fn standing(&self, system: &dyn System) -> Standing {
        match Confirmed::of(system, &self.folder) {
            None => Standing::New,
            Some(known) if known == self.as_seen(system) => Standing::Confirmed,
            Some(_) => Standing::Changed,
        }
    }

    /// What it asks for, as it would be typed: each value in quotes where it needs them, so that none reads as another flag.
    pub fn asks(&self) -> Message {
        let shown = self.shown();
        let typed = shown.0.iter().flat_map(|one| {
            one.values.iter().map(|value| match one.row.takes {
                Takes::Switch => format!("--{}", one.row.flag),
                _ => format!("--{} {}", one.row.flag, quote(value)),
            })
        });
        let typed = typed.collect::<Vec<_>>().join(" ");
        let lock = self.locks(None).map(|locks| locks.environment.packages().count());
        match lock {
            Some(count) => message!("{typed}, with the {count} packages of {LOCK}"),
            None => Message::plain(typed),
        }
    }

    /// The lock's file, where it is for these choices and, by `fits`, for this machine; why it is not used, in words.
    pub fn usable(
        &self,
        given: &Given,
        arch: &str,
        fits: impl Fn(&Locks) -> bool,
    ) -> Option<Result<PathBuf, Message>> {
        let lock = self.lock.as_ref()?;
        let path = self.lock_path();
        if said_for(lock) != Some(digest(given).as_str()) {
            return Some(Err(message!(
                "{path} is for other choices: the packages are resolved anew"
            )));
        }
        match self.locks(Some(arch)) {
            Some(locks) if locks.environment.suits(arch, None).is_ok() && fits(&locks) => {
                Some(Ok(path))
            }
            _ => Some(Err(message!(
                "{path} is for another kind of machine: the packages are resolved for this one"
            ))),
        }
    }

    /// Writes what the environment holds now into the lock, where it was made of this file: after whatever changes it.
    /// What is to be said of it.
    ///
    /// # Errors
    /// Where it cannot be read or written.
    pub fn keep(&self, system: &dyn System) -> Result<Option<Message>, CliError> {
        let folders = folders(system);
        let environments = Environments::new(&folders.data, &self.env());
        let Some((generation, record)) = environments.current(system) else { return Ok(None) };
        let receipt = Receipt::load(&folders.state, system)?;
        let wish = receipt.request(&self.env(), Some(&record)).cloned();
        let wish = wish.and_then(|wish| serde_json::from_value::<Request>(wish).ok());
        let Some(wish) = wish else { return Ok(None) };
        if !self.is_all_of(&wish) {
            return Ok(Some(message!(
                "{} asks for something else than what is in use now; the next `aitk apply` here follows that file.",
                self.path()
            )));
        }
        let base = match (record.manager, &wish.choices.base) {
            (Manager::Conda, None) => lock_in_use(system, &folders.data, BASE)?,
            _ => None,
        };
        let locks = Locks { environment: generation.lock(system)?, base };
        let kept = self.with_lock(&locks)?;
        let before = self.locks(Some(&locks.environment.target.arch));
        let of_others =
            before.filter(|_| self.lock.as_deref().and_then(said_for) == Some(&self.digest()));
        if of_others.is_some_and(|before| !same_kind(&before.environment, &locks.environment)) {
            let stays = message!(
                "{} is for another kind of machine, and stays as it is.",
                self.lock_path()
            );
            return Ok(Some(stays));
        }
        if kept.lock == self.lock {
            return Ok(None);
        }
        kept.write_lock(system)?;
        Ok(Some(message!("{} has what is installed now.", self.lock_path())))
    }

    /// What a person sees who looks at it now: it is confirmed as it was seen.
    pub fn as_seen(&self, system: &dyn System) -> Confirmed {
        let Self { folder, text, lock, .. } = self.clone();
        let profile = self.given.value("profile").map(Path::new);
        let profile = profile.and_then(|path| system.foreign_text(path, LONGEST).ok());
        Confirmed { folder, text, lock, profile }
    }

    /// What is given, without what opens a source.
    fn shown(&self) -> Given {
        self.given.clone().opened().map(|(given, _)| given).unwrap_or_default()
    }

    /// Whether a wish asks for what the file says, and no more.
    fn is_all_of(&self, wish: &Request) -> bool {
        let (mut asked, given) = (Request::default(), self.shown());
        given.merge(&mut asked);
        let more = |row: &Choice| row.adds && row.values(wish) != row.values(&asked);
        given.changes(wish).is_empty() && !CHOICES.iter().any(more)
    }

    /// The lock as it is read for an architecture.
    pub fn locks(&self, arch: Option<&str>) -> Option<Locks> {
        let text = self.lock.as_ref()?;
        Locks::parse(text, &self.lock_path(), Locks::manager_of(text), arch).ok()
    }

    fn digest(&self) -> String {
        digest(&self.given)
    }
}

/// A line of the file as it would be given by a flag.
fn chosen(key: &str, value: &Value, folder: &Path) -> Result<(&'static str, Vec<String>), Message> {
    if ELSEWHERE.contains(&key) {
        return Err(message!(
            "a folder's file cannot ask for it: it leads to what nobody has confirmed"
        ));
    }
    let Some(row) = CHOICES.iter().find(|row| row.flag == key) else {
        let near = nearest(key, CHOICES.iter().map(|row| row.flag));
        return Err(near.map_or_else(
            || message!("there is no such choice"),
            |near| message!("there is no such choice; did you mean {near}?"),
        ));
    };
    let one = |value: &Value| {
        let text = value.as_str().ok_or_else(|| message!("text in quotes is expected"))?;
        names::line::check(text).map_err(|unfit| unfit.to_message())?;
        read(row, text, folder)
    };
    let values = match (row.takes, value) {
        (Takes::Switch, Value::Bool(on)) => on.then(|| "true".to_owned()).into_iter().collect(),
        (Takes::Switch, _) => return Err(message!("true or false is expected")),
        (_, Value::Array(all)) if row.many => all.iter().map(one).collect::<Result<_, _>>()?,
        (_, Value::Object(pairs)) if row.flag == "set" => {
            let pair = |(key, value): (&String, &Value)| {
                let text = value.as_str().ok_or_else(|| message!("text in quotes is expected"))?;
                one(&format!("{key}={text}").into())
            };
            pairs.iter().map(pair).collect::<Result<_, _>>()?
        }
        (_, value) => vec![one(value)?],
    };
    Ok((row.flag, values))
}

/// Whether a folder is one in which everybody may put files, as `/tmp` is, and the file in it is neither the user's nor root's.
fn is_anybodys(folder: &Path, system: &dyn System) -> bool {
    let own = system.host().uid;
    let is_open = system.stat(folder).is_ok_and(|stat| stat.mode & 0o002 != 0);
    is_open && system.stat(&folder.join(FILE)).is_ok_and(|stat| ![0, own].contains(&stat.uid))
}

/// The name of the environment of a folder: what the folder is called, and what makes two of that name differ.
fn own_name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(NAMED).collect();
    let name = name.trim_matches('-');
    let name = if name.is_empty() { "folder" } else { name };
    format!("{name}-{}", &digest_of(&folder.to_string_lossy())[..6])
}

/// What is decided by choices: two that have the same can have the same lock.
fn digest(given: &Given) -> String {
    let without = ["env", "locked", "user-only", "no-upgrade", "init-shell", "folder"];
    let given = given.clone().opened().map(|(given, _)| given).unwrap_or_default();
    let mut rows: Vec<_> = given.0.iter().map(|one| (one.row.flag, &one.values)).collect();
    rows.retain(|(flag, _)| !without.contains(flag));
    rows.sort();
    digest_of(&rows)
}

/// The choices that a lock says that it is for.
fn said_for(lock: &str) -> Option<&str> {
    lock.lines().next()?.strip_prefix(FOR)
}

/// Whether two locks are for machines of one kind: the same processors, and the same thing computes.
fn same_kind(one: &Lock, other: &Lock) -> bool {
    let computes = |lock: &Lock| lock.build.as_deref().map(|build| build == "cpu");
    one.target.arch == other.target.arch && computes(one) == computes(other)
}

/// The environments of the folders whose files the person has confirmed: what those ask for, a file has decided.
pub fn environments(system: &dyn System) -> Vec<String> {
    let notes = folders(system).state.join("confirmed");
    let names = system.list(&notes).unwrap_or_default().into_iter();
    let known = names.filter_map(|name| system.text(notes.join(name)).ok());
    let known = known.filter_map(|text| serde_json::from_str::<Confirmed>(&text).ok());
    let files = known.filter_map(|known| FolderFile::of(&known.folder, known.text, None).ok());
    files.map(|file| file.env()).collect()
}

/// The lock of the generation of an environment that is in use.
fn lock_in_use(system: &dyn System, data: &Path, env: &str) -> Result<Option<Lock>, CliError> {
    let current = Environments::new(data, env).current(system);
    let lock = |(generation, _): (Generation, _)| generation.lock(system);
    Ok(current.map(lock).transpose()?)
}

/// Where it stands that a folder's file was confirmed.
fn note(folder: &Path, folders: &Folders) -> PathBuf {
    let name = digest_of(&folder.to_string_lossy());
    folders.state.join("confirmed").join(format!("{name}.json"))
}

/// The text of a file with other packages; everything else in it stays as it is.
fn with_packages(text: &str, packages: &[String]) -> String {
    #[derive(Deserialize)]
    struct Here {
        package: Option<toml::Spanned<toml::Value>>,
    }
    let list: Vec<_> = packages.iter().map(|one| toml::Value::from(one.as_str())).collect();
    let list = toml::Value::Array(list).to_string();
    let there = toml::from_str::<Here>(text).ok().and_then(|here| here.package);
    if let Some(there) = there {
        let (before, after) = (&text[..there.span().start], &text[there.span().end..]);
        return format!("{before}{list}{after}");
    }
    // Behind a table it would belong to that.
    let table = text.find("\n[").map_or(text.len(), |at| at + 1);
    let (before, after) = text.split_at(table);
    let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    format!("{before}{gap}package = {list}\n{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<FolderFile, CliError> {
        FolderFile::of(Path::new("/home/ann/thesis"), text.to_owned(), None)
    }

    #[test]
    fn what_is_asked_reads_as_it_is_meant_and_shows_no_password() {
        let text = "budget = \"low\"\nindex-url = \"https://me:s3cret@pypi.example/simple\"\nset = { host = \"x --user-only\" }\n";
        let asks = file(text).unwrap().asks().to_string();
        assert!(asks.contains("'host=x --user-only'"), "{asks}");
        assert!(asks.contains("pypi.example") && !asks.contains("s3cret"), "{asks}");
    }

    #[test]
    fn what_leads_to_files_that_nobody_confirmed_is_no_choice_of_a_folder() {
        for key in ["locked", "conda-base"] {
            let error = file(&format!("{key} = \"below\"")).unwrap_err().to_string();
            assert!(error.contains("nobody has confirmed"), "{error}");
        }
    }

    #[test]
    fn a_line_is_a_choice_in_the_form_of_its_flag() {
        let text = "budget = \"low\"\npackage = [\"polars>=1,<2\"]\nuser-only = true\nprofile = \"own.toml\"\n";
        let given = file(text).unwrap().given;
        assert_eq!(given.value("budget"), Some("low"));
        assert_eq!(given.value("package"), Some("polars>=1,<2"));
        assert_eq!(given.value("user-only"), Some("true"));
        assert_eq!(given.value("profile"), Some("/home/ann/thesis/own.toml"));
        for (text, word) in [
            ("budgte = \"low\"", "did you mean budget?"),
            ("python = 3.12", "text in quotes"),
            ("python = \"three\"", "3.12"),
            ("manager = \"pip\"", "conda"),
            ("user-only = \"yes\"", "true or false"),
            ("yes = true", "no such choice"),
            ("package = [\"a\\u001bb\"]", "package"),
        ] {
            let error = file(text).unwrap_err().to_string();
            assert!(error.contains(word) && error.contains("aitk.toml"), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_given_goes_over_the_file_and_the_environment_is_its_own() {
        let file = file("budget = \"low\"\nframework = \"jax\"\nwith = [\"mlflow\"]\n").unwrap();
        let mut given = Given::default();
        given.add("framework", "none");
        given.add("with", "pytest");
        file.under(&mut given);
        let mut request = Request::default();
        given.merge(&mut request);
        assert_eq!((request.budget.as_str(), request.choices.framework.as_str()), ("low", "none"));
        assert_eq!(request.choices.with, ["mlflow", "pytest"]);
        assert_eq!(request.choices.env, file.env());
        assert!(names::environment_name::fits(&file.env()), "{}", file.env());
        let other = FolderFile::of(Path::new("/home/bob/thesis"), String::new(), None).unwrap();
        assert_ne!(other.env(), file.env());
        assert!(names::environment_name::fits(&own_name(Path::new("/"))));
        assert!(names::environment_name::fits(&own_name(Path::new("/été – 2026/_x"))));
    }

    #[test]
    fn packages_are_written_where_they_stand_and_nothing_else_changes() {
        let with = |text: &str| with_packages(text, &["a[b]".to_owned(), "c<2".to_owned()]);
        let text = "# mine\npackage = [\n  \"x\", # why\n] # these\nbudget = \"low\"\n";
        let new = "# mine\npackage = [\"a[b]\", \"c<2\"] # these\nbudget = \"low\"\n";
        assert_eq!(with(text), new);
        let text = "budget = \"low\"\n\n[set]\nname = \"x\"\n";
        let new = "budget = \"low\"\n\npackage = [\"a[b]\", \"c<2\"]\n[set]\nname = \"x\"\n";
        assert_eq!(with(text), new);
        assert_eq!(with("budget = \"low\""), "budget = \"low\"\npackage = [\"a[b]\", \"c<2\"]\n");
    }

    #[test]
    fn a_lock_is_used_for_the_choices_that_it_was_made_for() {
        let mut given = Given::default();
        given.add("budget", "low");
        let text = format!("{FOR}{}\n", digest(&given));
        assert_eq!(said_for(&text), Some(digest(&given).as_str()));
        let before = digest(&given);
        given.add("env", "other");
        assert_eq!(digest(&given), before);
        given.add("framework", "jax");
        assert_ne!(digest(&given), before);
        assert_eq!(said_for("version: 6\n"), None);
    }
}
