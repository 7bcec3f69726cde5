//! Targets: folders of data below `profiles/targets`, and below a folder of the user's own.

use std::collections::{BTreeMap, BTreeSet};

use aitk_detect::{Libc, Machine, Python};
use aitk_plan::{
    Catalog, Choices, Client, Cost, Deed, Language, Manager, MemoryThresholds, Plan, ProfileError,
    Project, nearest,
};
use aitk_system::{Message, builtin_below, is_plain};
use minijinja::Environment;
use minijinja::value::{Serde, Value};
use regex::Regex;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::engine::{engine, refused};
use crate::view::View;
use crate::{Export, ExportError, File, Left, Source};

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
    requirements: Vec<String>,
    client: Option<Client>,
    #[serde(default)]
    cost: Vec<CostRow>,
    #[serde(default)]
    next: Vec<DeedRow>,
    #[serde(default)]
    down: Vec<DeedRow>,
    #[serde(default)]
    judge: Vec<Judge>,
    /// What its templates see as `data`: pins, and other things that age.
    #[serde(default)]
    data: BTreeMap<String, serde_json::Value>,
    /// Where its rows come from.
    pub source: Option<String>,
    schema: u32,
    /// Where it stands in the list; a part of others without one is not listed.
    rank: Option<u32>,
    #[serde(default)]
    refuse: Vec<Refusal>,
    #[serde(default)]
    file: Vec<FileRow>,
    #[serde(default)]
    part: Vec<Part>,
    #[serde(default)]
    without: Vec<Without>,
    #[serde(skip)]
    texts: BTreeMap<&'static str, BTreeMap<String, toml::Value>>,
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
}

/// Something that costs money in somebody's cloud.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct CostRow {
    id: String,
    monthly: Option<f64>,
    #[serde(default)]
    always_on: bool,
    source: String,
    as_of: String,
    when: Option<String>,
}

/// Something that a person does with a project; `next.SAY` or `down.SAY` among the texts says what for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeedRow {
    command: Vec<String>,
    say: String,
    #[serde(default)]
    costs: Vec<String>,
    #[serde(default)]
    leaves: Vec<String>,
    when: Option<String>,
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
    when: Option<String>,
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
struct Refusal {
    why: String,
    when: String,
}

/// A file, or one for each of several things.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRow {
    /// Where it goes; it may have holes.
    path: String,
    /// The template below `files`, where its name is another.
    from: Option<String>,
    /// What the file says whole, in the place of a template.
    value: Option<String>,
    when: Option<String>,
    /// A list: there is a file for each `item` of it.
    each: Option<String>,
    #[serde(default)]
    mode: Mode,
    /// The bytes that it may have.
    limit: Option<usize>,
    #[serde(default)]
    owner: Owner,
}

/// Whose a file of a project is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Owner {
    /// What the user changes and what is new go into it.
    #[default]
    Shared,
    /// The user's alone, once it is written.
    Yours,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
enum Mode {
    #[default]
    #[serde(rename = "644")]
    Read,
    #[serde(rename = "755")]
    Run,
}

/// Another target that belongs to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    target: String,
    /// Whether its files are files of this target, too; else they only stand in one.
    #[serde(default = "yes")]
    files: bool,
    below: Option<String>,
    #[serde(default)]
    except: Vec<String>,
    when: Option<String>,
}

fn yes() -> bool {
    true
}

/// What is left out of a plan: one of the target's texts below `without`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Without {
    text: String,
    when: Option<String>,
}

/// All targets.
#[derive(Debug)]
pub struct TargetList {
    all: Vec<Target>,
    /// With their files, each called `TARGET/PATH`.
    engine: Environment<'static>,
}

impl TargetList {
    /// The targets that come with the program.
    ///
    /// # Errors
    /// Where one is damaged, which a test rules out.
    pub fn builtin() -> Result<Self, ExportError> {
        Self::with(BTreeMap::new())
    }

    /// The same with files of the user's own laid over them, by their paths (`campus/target.toml`).
    ///
    /// # Errors
    /// Where a target is damaged.
    pub fn with(own: BTreeMap<String, String>) -> Result<Self, ExportError> {
        let builtin =
            builtin_below("targets").map(|(path, text)| (path.to_owned(), text.to_owned()));
        let all: BTreeMap<String, String> = builtin.chain(own).collect();
        let names = all.keys().filter_map(|path| path.strip_suffix("/target.toml"));
        let mut targets =
            names.map(|name| Target::read(name, &all)).collect::<Result<Vec<_>, _>>()?;
        targets.sort_by_key(|target| target.rank);
        let template = |(path, text): (&String, &String)| {
            let (target, file) = path.split_once('/')?;
            Some((format!("{target}/{}", file.strip_prefix("files/")?), text.clone()))
        };
        let engine = engine(all.iter().filter_map(template).collect());
        Ok(Self { all: targets, engine: engine.map_err(damaged("", "the engine"))? })
    }

    /// Those that a plan can be exported to, in the order in which a person looks for them.
    pub fn listed(&self) -> impl Iterator<Item = &Target> {
        let is_form = |target: &&Target| target.platform.is_none() && target.budgets.is_empty();
        self.all.iter().filter(|target| target.rank.is_some()).filter(is_form)
    }

    /// Those that are for platforms of hosted notebooks, in the order in which a notebook looks where it is.
    pub fn platforms(&self) -> impl Iterator<Item = (&Target, &Platform)> {
        self.all.iter().filter_map(|target| Some((target, target.platform.as_ref()?)))
    }

    /// The target for a platform by its name.
    ///
    /// # Errors
    /// [`ProfileError::NoPlatform`], with the nearest name.
    pub fn platform(&self, name: &str) -> Result<(&Target, &Platform), ProfileError> {
        let names = || self.platforms().map(|(target, _)| target.name.as_str());
        let found = self.platforms().find(|(target, _)| target.name == name);
        found.ok_or_else(|| ProfileError::NoPlatform {
            name: name.to_owned(),
            nearest: nearest(name, names()),
            known: names().map(str::to_owned).collect(),
        })
    }

    /// A text of a target's for a person, with its holes filled.
    ///
    /// # Errors
    /// Where it has other holes.
    pub fn said(
        &self,
        target: &Target,
        language: Language,
        path: &[&str],
        words: &[(&str, &str)],
    ) -> Result<String, ExportError> {
        let words: BTreeMap<_, _> =
            words.iter().map(|(name, word)| ((*name).to_owned(), (*word).to_owned())).collect();
        let said = self.engine.render_named_str("a.said", target.text(language, path), words);
        said.map_err(damaged(&target.name, &path.join(".")))
    }

    /// A target by its name.
    ///
    /// # Errors
    /// [`ExportError::Unknown`], with the nearest name.
    pub fn named(&self, name: &str) -> Result<&Target, ExportError> {
        self.listed().find(|target| target.name == name).ok_or_else(|| ExportError::Unknown {
            name: name.to_owned(),
            nearest: nearest(name, self.listed().map(|target| target.name.as_str())),
        })
    }

    fn any(&self, name: &str) -> Result<&Target, ExportError> {
        let found = self.all.iter().find(|target| target.name == name);
        found.ok_or_else(|| damaged(name, "target.toml")("there is no such part"))
    }

    /// Those that a budget writes as projects, in the order in which a person looks for them.
    pub fn projects<'a>(&'a self, budget: &'a str) -> impl Iterator<Item = &'a Target> {
        self.all.iter().filter(move |target| target.budgets.iter().any(|one| one == budget))
    }

    /// The project that a budget writes for a platform, as it is chosen and set.
    ///
    /// # Errors
    /// Where there is no such platform, part or parameter, with the nearest name; where parts exclude each other.
    pub fn project(&self, budget: &str, choices: &Choices) -> Result<Project, ExportError> {
        let name = choices.platform.as_deref().unwrap_or_default();
        let names = || self.projects(budget).map(|target| target.name.as_str());
        let found = self.projects(budget).find(|target| target.name == name);
        let target = found.ok_or_else(|| ExportError::NoProject {
            budget: budget.to_owned(),
            name: name.to_owned(),
            nearest: nearest(name, names()),
            known: names().map(str::to_owned).collect(),
        })?;
        let parts = target.parts(&choices.parts)?;
        let parameters = self.parameters(target, &choices.set)?;
        let holds = |when: &Option<String>| self.chosen(target, &parts, &parameters, when);
        let deeds = |rows: &[DeedRow], list: &str| -> Result<Vec<Deed>, ExportError> {
            let mut deeds = Vec::new();
            for row in rows {
                if holds(&row.when)? {
                    deeds.push(Deed {
                        command: row.command.clone(),
                        what: target.text(Language::English, &[list, &row.say]).to_owned(),
                        french: target.text(Language::French, &[list, &row.say]).to_owned(),
                        costs: row.costs.clone(),
                        leaves: row.leaves.clone(),
                    });
                }
            }
            Ok(deeds)
        };
        let mut costs = Vec::new();
        for CostRow { id, monthly, always_on, source, as_of, when } in target.cost.iter().cloned() {
            if holds(&when)? {
                costs.push(Cost { id, monthly, always_on, source, as_of });
            }
        }
        costs.sort_by_key(|cost| !cost.always_on);
        Ok(Project {
            platform: target.name.clone(),
            folder: choices.folder.clone().unwrap_or_default(),
            requirements: target.requirements.clone(),
            client: target.client.clone(),
            next: deeds(&target.next, "next")?,
            down: deeds(&target.down, "down")?,
            costs,
            parts,
            parameters,
        })
    }

    /// Whether a condition holds for a project that is chosen so.
    fn chosen(
        &self,
        target: &Target,
        parts: &[String],
        parameters: &BTreeMap<String, String>,
        when: &Option<String>,
    ) -> Result<bool, ExportError> {
        let Some(when) = when else { return Ok(true) };
        let parts = target.chosen(parts);
        let view = minijinja::context! { parameters => parameters.clone(), parts => parts };
        let compiled = self.engine.compile_expression(when);
        let value = compiled.and_then(|compiled| compiled.eval(&view));
        Ok(value.map_err(damaged(&target.name, "target.toml"))?.is_true())
    }

    /// What judges a project that is looked at so closely, with the targets that say so.
    ///
    /// # Errors
    /// Where a target is damaged.
    pub fn judges(&self, project: &Project, level: Level) -> Result<Vec<&Judge>, ExportError> {
        let target = self.any(&project.platform)?;
        let holds = |when| self.chosen(target, &project.parts, &project.parameters, when);
        let mut judges = Vec::new();
        for part in &target.part {
            if holds(&part.when)? {
                judges.extend(&self.any(&part.target)?.judge);
            }
        }
        judges.extend(&target.judge);
        let mut chosen = Vec::new();
        for judge in judges {
            if judge.level <= level && holds(&judge.when)? {
                chosen.push(judge);
            }
        }
        Ok(chosen)
    }

    /// The files of a project.
    ///
    /// # Errors
    /// Where its target is damaged.
    pub fn project_files(
        &self,
        project: &Project,
        plan: &Plan,
        machine: &Machine,
        catalog: &Catalog,
    ) -> Result<Vec<File>, ExportError> {
        let target = self.any(&project.platform)?;
        let french = project.parameters.get("language").is_some_and(|language| language == "fr");
        let language = if french { Language::French } else { Language::English };
        // Nothing of a project depends on how much memory this machine has.
        let none = MemoryThresholds::default();
        let source = Source {
            parameters: project.parameters.clone(),
            parts: target.chosen(&project.parts),
            ..Source::unresolved(plan, machine, catalog, language, none)
        };
        Ok(self.render(target, &source)?.files)
    }

    /// What is told of something that an export leaves out.
    pub fn text(&self, left: &Left, language: Language) -> &str {
        let target = self.all.iter().find(|target| target.name == left.target);
        target.map_or("", |target| target.text(language, &["without", &left.what]))
    }

    /// A plan in the form of a target.
    ///
    /// # Errors
    /// Where the plan has what this form cannot carry, or the target is damaged.
    pub fn render(&self, target: &Target, source: &Source<'_>) -> Result<Export, ExportError> {
        source.fits()?;
        let parameters = self.parameters(target, &source.parameters)?;
        let view = View {
            parameters,
            parts: source.parts.clone(),
            platforms: self.platforms().map(|(_, platform)| platform.clone()).collect(),
            platform: target.platform.clone(),
            data: self.merged(target, |target| target.data.clone())?,
            ..View::of(source)?
        };
        let mut rendering = Rendering {
            list: self,
            source,
            plan: Value::from(Serde(&view)),
            texts: Value::from(()),
            sizes: BTreeMap::new(),
            export: Export::default(),
        };
        rendering.target(target, None)?;
        Ok(rendering.export)
    }

    /// Something of a target and its parts; its own counts where both have it.
    fn merged<T>(
        &self,
        target: &Target,
        of: impl Fn(&Target) -> BTreeMap<String, T>,
    ) -> Result<BTreeMap<String, T>, ExportError> {
        let mut all = BTreeMap::new();
        for part in &target.part {
            all.extend(of(self.any(&part.target)?));
        }
        all.extend(of(target));
        Ok(all)
    }

    /// Everything that can be set of a target and its parts.
    ///
    /// # Errors
    /// Where the target is damaged.
    pub fn declared(&self, target: &Target) -> Result<BTreeMap<String, Parameter>, ExportError> {
        self.merged(target, |target| target.parameter.clone())
    }

    /// The parameters of a target and its parts, as they are set.
    fn parameters(
        &self,
        target: &Target,
        set: &BTreeMap<String, String>,
    ) -> Result<BTreeMap<String, String>, ExportError> {
        let declared = self.declared(target)?;
        for (name, value) in set {
            let parameter = declared.get(name).ok_or_else(|| ExportError::NoParameter {
                target: target.name.clone(),
                name: name.clone(),
                nearest: nearest(name, declared.keys().map(String::as_str)),
            })?;
            parameter.check(name, value)?;
        }
        let value = |(name, parameter): (String, Parameter)| {
            let value = set.get(&name).unwrap_or(&parameter.default).clone();
            (name, value)
        };
        Ok(declared.into_iter().map(value).collect())
    }
}

impl Parameter {
    fn check(&self, name: &str, value: &str) -> Result<(), ExportError> {
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
    fn read(name: &str, files: &BTreeMap<String, String>) -> Result<Self, ExportError> {
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
        }
        for language in Language::ALL {
            let code = language.code();
            let texts = table(&format!("texts.{code}.toml"))?;
            target.texts.insert(code, texts.into_iter().collect());
        }
        Ok(target)
    }

    /// The parts that were asked for, with those that they need.
    fn parts(&self, asked: &[String]) -> Result<Vec<String>, ExportError> {
        let mut all = BTreeSet::new();
        let mut open: Vec<_> = asked.to_vec();
        while let Some(name) = open.pop() {
            let optional = self.optional.get(&name).ok_or_else(|| ExportError::NoPart {
                target: self.name.clone(),
                nearest: nearest(&name, self.optional.keys().map(String::as_str)),
                known: self.optional.keys().cloned().collect(),
                name: name.clone(),
            })?;
            if all.insert(name) {
                open.extend(optional.needs.iter().cloned());
            }
        }
        for one in &all {
            let excludes = &self.optional[one].excludes;
            if let Some(other) = excludes.iter().find(|other| all.contains(*other)) {
                return Err(ExportError::PartsExclude { one: one.clone(), other: other.clone() });
            }
        }
        Ok(all.into_iter().collect())
    }

    /// Of every part whether it was chosen.
    fn chosen(&self, parts: &[String]) -> BTreeMap<String, bool> {
        self.optional.keys().map(|name| (name.clone(), parts.contains(name))).collect()
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
        find(language).or_else(|| find(Language::English)).unwrap_or_default()
    }
}

/// A plan on its way into the form of a target.
struct Rendering<'a> {
    list: &'a TargetList,
    source: &'a Source<'a>,
    /// The view, but for what changes on the way.
    plan: Value,
    texts: Value,
    sizes: BTreeMap<String, usize>,
    export: Export,
}

impl Rendering<'_> {
    fn target(&mut self, target: &Target, part: Option<&Part>) -> Result<(), ExportError> {
        let list = self.list;
        let mut parts = Vec::new();
        for part in &target.part {
            if self.holds(target, part.when.as_deref())? {
                self.refusals(list.any(&part.target)?)?;
                parts.push(part);
            }
        }
        self.refusals(target)?;
        if part.is_none_or(|part| part.files) {
            self.words_of(target)?;
            for row in &target.file {
                self.files(target, row, part)?;
            }
        }
        for part in parts {
            self.target(list.any(&part.target)?, Some(part))?;
        }
        for Without { text, when } in &target.without {
            if self.holds(target, when.as_deref())? {
                self.export.without.push(Left { target: target.name.clone(), what: text.clone() });
            }
        }
        Ok(())
    }

    /// What its templates see of a target: its words, and those of its parts.
    fn words_of(&mut self, target: &Target) -> Result<(), ExportError> {
        let code = self.source.language.code();
        let texts = |target: &Target| target.texts.get(code).cloned().unwrap_or_default();
        self.texts = Value::from(Serde(self.list.merged(target, texts)?));
        Ok(())
    }

    fn refusals(&self, target: &Target) -> Result<(), ExportError> {
        for refusal in &target.refuse {
            if self.holds(target, Some(&refusal.when))? {
                return Err(self.source.refusal(target, &refusal.why));
            }
        }
        Ok(())
    }

    fn files(
        &mut self,
        target: &Target,
        row: &FileRow,
        part: Option<&Part>,
    ) -> Result<(), ExportError> {
        if !self.holds(target, row.when.as_deref())? {
            return Ok(());
        }
        let items = match &row.each {
            None => vec![Value::from(())],
            Some(each) => {
                let list = self.value(target, each, &Value::from(()))?;
                list.try_iter().map_err(damaged(&target.name, &row.path))?.collect()
            }
        };
        for item in items {
            let path = self.filled(target, &row.path, &item)?;
            let Some(path) = place(part, &path) else { continue };
            if !is_plain(path.as_ref()) {
                return Err(damaged(&target.name, &path)("this is no path in a folder"));
            }
            if self.sizes.contains_key(&path) {
                return Err(damaged(&target.name, &path)("it is written twice"));
            }
            let content = self.content(target, row, &item)?;
            if let Some(limit) = row.limit.filter(|limit| content.len() > *limit) {
                return Err(ExportError::TooLarge { size: content.len(), limit });
            }
            self.sizes.insert(path.clone(), content.len());
            let (executable, yours) = (row.mode == Mode::Run, row.owner == Owner::Yours);
            self.export.files.push(File { path, content, executable, yours });
        }
        Ok(())
    }

    fn content(&self, target: &Target, row: &FileRow, item: &Value) -> Result<String, ExportError> {
        if let Some(value) = &row.value {
            let value = self.value(target, value, item)?;
            let text =
                value.as_str().ok_or_else(|| damaged(&target.name, &row.path)("it is no text"))?;
            return Ok(text.to_owned());
        }
        let from = self.filled(target, row.from.as_ref().unwrap_or(&row.path), item)?;
        let name = format!("{}/{from}", target.name);
        let template = self.list.engine.get_template(&name);
        let text = template.and_then(|template| template.render(self.seen(item)));
        let text = text.map_err(damaged(&target.name, &from))?;
        match from.rsplit('.').next() {
            // In one form, whatever the template looks like.
            Some("json" | "ipynb") => {
                let value: serde_json::Value =
                    serde_json::from_str(&text).map_err(damaged(&target.name, &from))?;
                Ok(format!("{value:#}\n"))
            }
            _ => Ok(text),
        }
    }

    fn seen(&self, item: &Value) -> Value {
        let (texts, sizes) = (self.texts.clone(), Value::from(Serde(&self.sizes)));
        minijinja::context! { item => item.clone(), texts => texts, sizes => sizes, ..self.plan.clone() }
    }

    /// A path with its holes filled.
    fn filled(&self, target: &Target, path: &str, item: &Value) -> Result<String, ExportError> {
        let filled = self.list.engine.render_named_str("a.path", path, self.seen(item));
        filled.map_err(damaged(&target.name, path))
    }

    fn holds(&self, target: &Target, when: Option<&str>) -> Result<bool, ExportError> {
        when.map_or(Ok(true), |when| Ok(self.value(target, when, &Value::from(()))?.is_true()))
    }

    fn value(&self, target: &Target, expression: &str, item: &Value) -> Result<Value, ExportError> {
        let value = self.list.engine.compile_expression(expression);
        let value = value.and_then(|compiled| compiled.eval(self.seen(item)));
        let value = value.and_then(|value| match value.is_undefined() {
            true => Err(refused(&format!("nothing is called so: {expression}"))),
            false => Ok(value),
        });
        value.map_err(damaged(&target.name, "target.toml"))
    }
}

/// Where a file of a part goes, unless that is left out.
fn place(part: Option<&Part>, path: &str) -> Option<String> {
    let Some(part) = part else { return Some(path.to_owned()) };
    let is_left_out = part.except.iter().any(|except| except == path);
    let below = part.below.as_ref().map_or_else(String::new, |below| format!("{below}/"));
    (!is_left_out).then(|| format!("{below}{path}"))
}

/// That a file of a target is damaged.
fn damaged<E: ToString>(target: &str, file: &str) -> impl Fn(E) -> ExportError {
    let (target, file) = (target.to_owned(), file.to_owned());
    move |why| ExportError::Damaged {
        target: target.clone(),
        file: file.clone(),
        why: Message::plain(why.to_string()),
    }
}

#[cfg(test)]
mod tests;
