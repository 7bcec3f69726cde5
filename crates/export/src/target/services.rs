//! The services of a project.

use std::collections::BTreeMap;

use aitk_plan::{Project, Secret, ServiceSpec};

use super::list::TargetList;
use super::rows::{Target, damaged};
use crate::service::{SecretRow, ServiceFile, ServicePlace, ServiceRow};
use crate::{ExportError, File};

impl TargetList {
    /// The services of a project, with what is set filled in.
    pub(super) fn services(
        &self,
        target: &Target,
        parts: &[String],
        parameters: &BTreeMap<String, String>,
    ) -> Result<Vec<ServiceSpec>, ExportError> {
        let view =
            minijinja::context! { parameters => parameters.clone(), parts => target.chosen(parts) };
        let fill = |text: &String, view: minijinja::Value| {
            let filled = self.engine.render_named_str("a.said", text, view);
            filled.map_err(damaged(&target.name, text))
        };
        let filled = |text: &String| fill(text, view.clone());
        let all = |texts: &[String]| texts.iter().map(filled).collect::<Result<Vec<_>, _>>();
        let port = |text: String| text.parse().map_err(damaged(&target.name, &text));
        let holds = |when: &Option<String>| self.chosen(target, parts, parameters, when);
        let mut services = Vec::new();
        for row in &target.service {
            if !holds(&row.when)? {
                continue;
            }
            let mut secrets = Vec::new();
            for SecretRow { path, when, command, public } in &row.secret {
                if holds(when)? {
                    let (path, command) = (path.clone(), all(command)?);
                    secrets.push(Secret { path, command, public: *public });
                }
            }
            let version = row.python.first().and_then(|wish| wish.split_once("==")).map(|it| it.1);
            let ports = all(&row.ports)?.into_iter().filter(|text| !text.is_empty());
            services.push(ServiceSpec {
                name: row.name.clone(),
                what: target.wording(&["service", &row.name]),
                address: filled(&row.address)?,
                apt: row.apt.clone(),
                masks: row.masks.clone(),
                python: row.python.clone(),
                secrets,
                health: all(&row.health)?,
                says: fill(&row.says, minijinja::context! { version, ..view.clone() })?,
                proof: row.proof.clone(),
                ports: ports.map(port).collect::<Result<_, _>>()?,
                seconds: row.seconds,
            });
        }
        Ok(services)
    }

    /// The files of a service of a project, its unit last.
    ///
    /// # Errors
    /// Where its target is damaged, or has no such service.
    pub fn service_files(&self, project: &Project, name: &str) -> Result<Vec<File>, ExportError> {
        let target = self.any(&project.platform)?;
        let row = target.service.iter().find(|row| row.name == name);
        let row = row.ok_or_else(|| damaged(&target.name, name)("there is no such service"))?;
        let parts = target.chosen(&project.parts);
        let view = minijinja::context! { parameters => project.parameters.clone(), parts => parts };
        let file = |file: &ServiceFile| {
            let template = self.engine.get_template(&format!("{}/{}", target.name, file.from));
            let content = template.and_then(|template| template.render(view.clone()));
            let content = content.map_err(damaged(&target.name, &file.from))?;
            let (path, private) = (file.path.clone(), file.private);
            Ok(File { path, content, executable: false, yours: false, private })
        };
        row.file.iter().map(file).collect()
    }

    /// Where the services of all targets have their things.
    pub fn service_places(&self) -> impl Iterator<Item = ServicePlace> {
        self.all.iter().flat_map(|target| &target.service).map(ServiceRow::place)
    }
}
