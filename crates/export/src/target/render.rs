//! A plan in the form of a target.

use std::collections::BTreeMap;

use aitk_detect::Machine;
use aitk_plan::{Catalog, Language, Locks, MemoryThresholds, Plan, Project};
use aitk_system::is_plain;
use minijinja::value::{Serde, Value};

use super::list::TargetList;
use super::rows::{FileRow, Mode, Owner, PartTarget, Target, Without, damaged};
use crate::engine::refused;
use crate::view::View;
use crate::{Export, ExportError, File, Left, Source};

impl TargetList {
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
        let language = project.parameters.get("language").and_then(|code| Language::named(code));
        let language = language.unwrap_or(Language::ENGLISH);
        // Nothing of a project depends on how much memory this machine has, nor on what is installed here: the packages
        // of a notebook are those of its session.
        let none = MemoryThresholds::default();
        let lock = plan.environment().and_then(|environment| environment.lock.clone());
        let lock = lock.filter(|_| target.platform.is_some());
        let locks = lock.map(|environment| Locks { environment, base: None });
        let source = Source {
            parameters: project.parameters.clone(),
            parts: target.chosen(&project.parts),
            locks: locks.as_ref(),
            ..Source::unresolved(plan, machine, catalog, language, none)
        };
        Ok(self.render(target, &source)?.files)
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
    fn target(&mut self, target: &Target, part: Option<&PartTarget>) -> Result<(), ExportError> {
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
        part: Option<&PartTarget>,
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
            self.export.files.push(File { path, content, executable, yours, private: false });
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
fn place(part: Option<&PartTarget>, path: &str) -> Option<String> {
    let Some(part) = part else { return Some(path.to_owned()) };
    let is_left_out = part.except.iter().any(|except| except == path);
    let below = part.below.as_ref().map_or_else(String::new, |below| format!("{below}/"));
    (!is_left_out).then(|| format!("{below}{path}"))
}
