//! What `target.toml` says, which `docs/targets.md` explains.

use std::collections::BTreeMap;
use std::convert::Infallible;

use aitk_detect::{Libc, Machine, Python};
use aitk_plan::{Client, GuardKind, Language, Manager, Wording, nearest};
use aitk_system::Message;
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ExportError;
use crate::service::ServiceRow;

/// The budget that writes for a platform of hosted notebooks, unless its target names others.
const HOSTED: &str = "free";

/// A form that a plan can be exported to: what `target.toml` says of it, which `docs/targets.md` explains.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// What a person types: `dockerfile`.
    #[serde(skip)]
    pub name: String,
    /// The environment manager whose packages it can carry; none where it carries those of any.
    pub manager: Option<Manager>,
    /// What a person may set.
    #[serde(default)]
    pub parameter: BTreeMap<String, Parameter>,
    /// When its rows were true, `YYYY-MM-DD`.
    pub as_of: String,
    /// What a session is, of a platform of hosted notebooks.
    pub platform: Option<Platform>,
    /// The budgets that write it as a project.
    #[serde(default)]
    pub budgets: Vec<String>,
    /// What a project has beyond what is always written.
    #[serde(default)]
    pub optional: BTreeMap<String, Optional>,
    /// What the environment of this machine gets for a project, as in PEP 508.
    #[serde(default, deserialize_with = "aitk_plan::names::requirement::all")]
    pub(super) requirements: Vec<String>,
    pub(super) client: Option<Client>,
    /// What it rests on that is supported for a time.
    #[serde(default)]
    pub support: Vec<Support>,
    #[serde(default)]
    pub(super) cost: Vec<CostRow>,
    #[serde(default)]
    pub(super) guard: Vec<GuardRow>,
    #[serde(default)]
    pub(super) next: Vec<DeedRow>,
    #[serde(default)]
    pub(super) down: Vec<DeedRow>,
    #[serde(default)]
    pub(super) judge: Vec<Judge>,
    /// What runs on the machine itself.
    #[serde(default)]
    pub(super) service: Vec<ServiceRow>,
    /// What its templates see as `data`: pins, and other things that age.
    #[serde(default)]
    pub(super) data: BTreeMap<String, serde_json::Value>,
    /// Where its rows come from.
    pub source: Option<String>,
    pub(super) schema: u32,
    /// Where it stands in the list; a part of others without one is not listed.
    pub(super) rank: Option<u32>,
    #[serde(default)]
    pub(super) refuse: Vec<RefusalRow>,
    #[serde(default)]
    pub(super) file: Vec<FileRow>,
    #[serde(default)]
    pub(super) part: Vec<PartTarget>,
    #[serde(default)]
    pub(super) without: Vec<Without>,
    #[serde(skip)]
    pub(super) texts: BTreeMap<&'static str, BTreeMap<String, toml::Value>>,
}

/// What a session is on a platform of hosted notebooks.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// What a person types: `colab`.
    #[serde(default)]
    pub name: String,
    /// What its maker calls it.
    pub title: String,
    /// A variable or a folder that is there and nowhere else.
    pub sign: String,
    /// Where files survive the session.
    pub folder: String,
    /// Where that has to be mounted first; empty where it has not.
    #[serde(default)]
    pub mount: String,
    /// Its Python, `3.12`.
    pub python: String,
    /// As `uname -m` says it.
    pub arch: String,
    /// Its C library, `2.35`.
    pub glibc: String,
    /// Packages that it brings and that are left as they are.
    pub keeps: Vec<String>,
    /// Where its notebooks are.
    pub link: String,
    /// The client that can send a folder to it.
    pub push: Option<String>,
}

impl Platform {
    /// The machine that a session gets, as far as packages depend on it.
    pub fn machine(&self) -> Machine {
        let python = Python { version: self.python.clone(), ..Python::default() };
        Machine {
            arch: self.arch.clone(),
            libc: Some(Libc { family: "glibc".to_owned(), version: Some(self.glibc.clone()) }),
            python: vec![python],
            ..Machine::default()
        }
    }
}

/// Something that a person may set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it is unless it is set.
    pub default: String,
    /// What it looks like, as a regular expression for all of it.
    pub pattern: Option<String>,
    /// All that it can be.
    #[serde(default)]
    pub one_of: Vec<String>,
}

/// What a project can have beyond what is always written; `optional.NAME` among the texts says what it is.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Optional {
    /// What it does not go with.
    pub excludes: Vec<String>,
    /// What it rests on.
    pub needs: Vec<String>,
    /// Whether the environment of this machine gets nothing for a project with it.
    pub bare: bool,
}

/// Something that its maker looks after until a day.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Support {
    /// What it is, with its version.
    pub what: String,
    /// The last day, `YYYY-MM-DD`.
    pub until: String,
    /// Where that stands.
    pub source: String,
    /// When that was true.
    pub as_of: String,
}

/// Something that costs money in somebody's cloud; `cost.SAY` among the texts says where its price comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CostRow {
    pub(super) id: String,
    pub(super) monthly: Option<f64>,
    #[serde(default)]
    pub(super) always_on: bool,
    pub(super) say: String,
    pub(super) as_of: String,
    pub(super) when: Option<String>,
}

/// What guards the money of a project that costs; `guard.SAY` among the texts tells it.
#[cfg_attr(not(test), expect(dead_code, reason = "a test looks whether the files do it"))]
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GuardRow {
    pub(super) kind: GuardKind,
    pub(super) say: String,
    /// The file that does it, and the words in it that do: a test looks whether they are there.
    pub(super) file: String,
    pub(super) has: String,
    /// Of an alarm that the client sets, words of that command; without them a person sets it.
    pub(super) call: Option<String>,
    pub(super) when: Option<String>,
}

/// Something that a person does with a project; `next.SAY` or `down.SAY` among the texts says what for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeedRow {
    pub(super) command: Vec<String>,
    pub(super) say: String,
    #[serde(default)]
    pub(super) costs: Vec<String>,
    #[serde(default)]
    pub(super) leaves: Vec<String>,
    pub(super) when: Option<String>,
}

/// What judges files of a project.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judge {
    /// A row of the table of judges.
    pub tool: String,
    /// The files, as patterns; none where it judges the whole folder.
    #[serde(default)]
    pub files: Vec<String>,
    /// How closely one has to look for it to be asked.
    #[serde(default)]
    pub level: Level,
    pub(super) when: Option<String>,
}

/// How closely a project is looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// By the tools of those who read such files.
    #[default]
    Check,
    /// By using it, on this machine.
    Prove,
}

/// When a plan cannot be exported, and why: a name that the program knows, or one of the target's texts below `refuse`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefusalRow {
    pub(super) why: String,
    pub(super) when: String,
}

/// A file, or one for each of several things.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRow {
    /// Where it goes; it may have holes.
    pub(super) path: String,
    /// The template below `files`, where its name is another.
    pub(super) from: Option<String>,
    /// What the file says whole, in the place of a template.
    pub(super) value: Option<String>,
    pub(super) when: Option<String>,
    /// A list: there is a file for each `item` of it.
    pub(super) each: Option<String>,
    #[serde(default)]
    pub(super) mode: Mode,
    /// The bytes that it may have.
    pub(super) limit: Option<usize>,
    #[serde(default)]
    pub(super) owner: Owner,
}

/// Whose a file of a project is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Owner {
    /// What the user changes and what is new go into it.
    #[default]
    Shared,
    /// The user's alone, once it is written.
    Yours,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Mode {
    #[default]
    #[serde(rename = "644")]
    Read,
    #[serde(rename = "755")]
    Run,
}

/// Another target that belongs to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PartTarget {
    pub(super) target: String,
    /// Whether its files are files of this target, too; else they only stand in one.
    #[serde(default = "yes")]
    pub(super) files: bool,
    pub(super) below: Option<String>,
    #[serde(default)]
    pub(super) except: Vec<String>,
    pub(super) when: Option<String>,
}

fn yes() -> bool {
    true
}

/// What is left out of a plan: one of the target's texts below `without`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Without {
    pub(super) text: String,
    pub(super) when: Option<String>,
}

impl Parameter {
    pub(super) fn check(&self, name: &str, value: &str) -> Result<(), ExportError> {
        let is_one = self.one_of.is_empty() || self.one_of.iter().any(|one| one == value);
        let pattern = self.pattern.as_deref().unwrap_or(".*");
        let fits = Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(value));
        if is_one && fits {
            return Ok(());
        }
        let close = nearest(value, self.one_of.iter().map(String::as_str));
        let nearest = close.unwrap_or_else(|| self.default.clone());
        Err(ExportError::WrongParameter { name: name.to_owned(), value: value.to_owned(), nearest })
    }
}

impl Target {
    /// Whether it brings services that run on this machine.
    pub fn has_services(&self) -> bool {
        !self.service.is_empty()
    }

    pub(super) fn read(name: &str, files: &BTreeMap<String, String>) -> Result<Self, ExportError> {
        let table = |file: &str| {
            let text = files.get(&format!("{name}/{file}")).map_or("", String::as_str);
            text.parse::<toml::Table>().map_err(|error| damaged(name, file)(error))
        };
        let text = &files[&format!("{name}/target.toml")];
        let mut target: Self = toml::from_str(text).map_err(damaged(name, "target.toml"))?;
        if target.schema != 1 {
            return Err(damaged(name, "target.toml")("this aitk reads schema 1"));
        }
        target.name = name.to_owned();
        if let Some(platform) = &mut target.platform {
            name.clone_into(&mut platform.name);
            if target.budgets.is_empty() {
                target.budgets.push(HOSTED.to_owned());
            }
        }
        for language in Language::all() {
            let code = language.code();
            let texts = table(&format!("texts.{code}.toml"))?;
            target.texts.insert(code, texts.into_iter().collect());
        }
        Ok(target)
    }

    /// Whether it makes one file, which can go to standard output; else a folder.
    pub fn is_one_file(&self) -> bool {
        self.file.len() == 1
            && self.file[0].each.is_none()
            && self.part.iter().all(|part| part.target == "list")
    }

    /// Where its first file goes, as it is written.
    pub fn first_file(&self) -> &str {
        self.file.first().map_or("", |row| row.path.as_str())
    }

    /// One of its texts; in English where a language lacks it, and nothing where that does, which a test rules out.
    pub fn text(&self, language: Language, path: &[&str]) -> &str {
        let find = |language: Language| {
            let (first, keys) = path.split_first()?;
            let value = self.texts.get(language.code())?.get(*first)?;
            keys.iter().try_fold(value, |value, key| value.get(*key))?.as_str()
        };
        find(language).or_else(|| find(Language::ENGLISH)).unwrap_or_default()
    }

    /// One of its texts, in every language.
    pub fn wording(&self, path: &[&str]) -> Wording {
        let text = |language| Ok::<_, Infallible>(self.text(language, path).to_owned());
        Wording::read(text).unwrap_or_else(|never| match never {})
    }
}

/// That a file of a target is damaged.
pub(super) fn damaged<E: ToString>(target: &str, file: &str) -> impl Fn(E) -> ExportError {
    let (target, file) = (target.to_owned(), file.to_owned());
    move |why| ExportError::Damaged {
        target: target.clone(),
        file: file.clone(),
        why: Message::plain(why.to_string()),
    }
}
