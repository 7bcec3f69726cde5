//! All targets: those of the program, with the user's own laid over them.

use std::collections::BTreeMap;

use aitk_plan::{Language, ProfileError, nearest};
use aitk_system::builtin_below;
use minijinja::Environment;

use super::rows::{Parameter, Platform, Target, damaged};
use crate::engine::engine;
use crate::{ExportError, Left};

/// All targets.
#[derive(Debug)]
pub struct TargetList {
    pub(super) all: Vec<Target>,
    /// With their files, each called `TARGET/PATH`.
    pub(super) engine: Environment<'static>,
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
        let own_paths: Vec<String> = own.keys().cloned().collect();
        let builtin =
            builtin_below("targets").map(|(path, text)| (path.to_owned(), text.to_owned()));
        let all: BTreeMap<String, String> = builtin.chain(own).collect();
        let names = all.keys().filter_map(|path| path.strip_suffix("/target.toml"));
        let mut targets =
            names.map(|name| Target::read(name, &all)).collect::<Result<Vec<_>, _>>()?;
        targets.sort_by_key(|target| target.rank);
        let is_own = |target: &&Target| {
            let below = format!("{}/", target.name);
            !target.service.is_empty() && own_paths.iter().any(|path| path.starts_with(&below))
        };
        if let Some(target) = targets.iter().find(is_own) {
            // What root runs, and what it writes where, comes from aitk.
            let why = "services come with aitk alone: nothing can be laid over them";
            return Err(damaged(&target.name, "target.toml")(why));
        }
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

    pub(super) fn any(&self, name: &str) -> Result<&Target, ExportError> {
        let found = self.all.iter().find(|target| target.name == name);
        found.ok_or_else(|| damaged(name, "target.toml")("there is no such part"))
    }

    /// The one that is written as a project for a platform, whichever budget does.
    pub fn for_platform(&self, name: &str) -> Option<&Target> {
        self.all.iter().find(|target| target.name == name && !target.budgets.is_empty())
    }

    /// Those that a budget writes as projects, in the order in which a person looks for them.
    pub fn projects<'a>(&'a self, budget: &'a str) -> impl Iterator<Item = &'a Target> {
        self.all.iter().filter(move |target| target.budgets.iter().any(|one| one == budget))
    }

    /// What is told of something that an export leaves out.
    pub fn text(&self, left: &Left, language: Language) -> &str {
        let target = self.all.iter().find(|target| target.name == left.target);
        target.map_or("", |target| target.text(language, &["without", &left.what]))
    }

    /// Something of a target and its parts; its own counts where both have it.
    pub(super) fn merged<T>(
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

    /// What one of them is, in words; nothing of what is one of a few values, which say it.
    pub fn what_is_set<'a>(
        &'a self,
        target: &'a Target,
        name: &str,
        language: Language,
    ) -> &'a str {
        let parts = target.part.iter().rev().filter_map(|part| self.any(&part.target).ok());
        let texts = std::iter::once(target).chain(parts);
        let mut texts = texts.map(|target| target.text(language, &["parameter", name]));
        texts.find(|text| !text.is_empty()).unwrap_or_default()
    }

    /// The parameters of a target and its parts, as they are set.
    pub(super) fn parameters(
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
