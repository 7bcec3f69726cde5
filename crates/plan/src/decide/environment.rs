//! What is decided of the environment, of what is in it, and of what leads to it.

use aitk_system::message;
use serde_json::json;

use super::recipe::{Recipe, recipe};
use crate::choices::Choices;
use crate::cutoff::Cutoff;
use crate::digest::digest_of;
use crate::environment::EnvironmentPlan;
use crate::framework::Decision;
use crate::lock::conda::subdir;
use crate::manager::BASE;
use crate::model::Step;
use crate::profile::{Estimate, Requirements};
use crate::python::{PythonChoice, conda_python};
use crate::request::{Cuda, EnvironmentRequest, LayerRequest, LayerRole};
use crate::requires::unmet;
use crate::situation::Situation;
use crate::step::form::{
    CondaItself, FrameworkLayer, FrameworkProof, Libraries, NewEnvironment, NewShells,
    NotebookKernel, ProjectFolder, ProjectJudges, ProjectLibraries, ProjectPush, Proof,
};
use crate::step::{
    Action, Base, Check, Environment, Judges, Kernelspec, Layer, ProjectFiles, Push, ShellInit,
};

/// The glibc that the oldest of conda-forge's builds need.
const OLDEST_GLIBC: &str = "2.17";

/// Blocks what cannot be where the environments are to be, or for want of a Python.
fn judge_place(on: &Situation<'_>, step: &mut Step) {
    let data = on.machine.folders.data.to_string_lossy();
    if data.contains(on.manager.refuses()) {
        step.block(
            message!(
                "{}'s packages write the name of their folder into programs, where {data} cannot stand",
                on.manager
            ),
            message!(
                "set AITK_DATA_DIR to a folder without quotes in its name, or add --manager {}",
                on.manager.other()
            ),
        );
    } else if let PythonChoice::Missing { why, remedy } = on.python {
        step.block(why.clone(), remedy.clone());
    } else if on.manager.brings_python() && subdir(&on.machine.arch).is_none() {
        let arch = &on.machine.arch;
        step.block(
            message!("conda has no packages for {arch}"),
            message!("use a machine with a 64-bit processor, x86-64 or ARM"),
        );
    } else if on.manager.brings_python()
        && let Some((why, remedy)) = unmet(on.machine, &conda_needs())
    {
        step.block(why, remedy);
    }
}

/// What every package of a conda channel with compiled parts needs, Python first of all.
fn conda_needs() -> Requirements {
    Requirements { glibc: Some(OLDEST_GLIBC.to_owned()), ..Requirements::default() }
}

/// Leaves out or blocks what needs the framework, where that is.
fn judge_framework(on: &Situation<'_>, step: &mut Step) {
    match on.framework {
        Decision::Skip(why) => step.skip(why.clone()),
        Decision::Block(why, remedy) => step.block(why.clone(), remedy.clone()),
        Decision::None | Decision::Take { .. } => {}
    }
}

impl Recipe for CondaItself {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let (env, adopt) = (on.choices.env.clone(), on.choices.base.clone());
        Some(Base { env, adopt }.into())
    }

    /// Nothing in it computes.
    fn environment(&self, on: &Situation<'_>, step: &str) -> Option<EnvironmentPlan> {
        if on.choices.base.is_some() {
            return None;
        }
        let python = on.python.minor().map(conda_python);
        let requirements: Vec<_> =
            python.into_iter().chain(self.requirements.iter().cloned()).collect();
        let request = EnvironmentRequest {
            manager: on.manager,
            digest: with_cutoff(digest_of(&(&requirements, &on.choices.channels)), on.choices),
            exclude_newer: on.choices.exclude_newer.clone(),
            layers: vec![LayerRequest {
                step: step.to_owned(),
                role: LayerRole::Libraries,
                requirements,
            }],
            ..EnvironmentRequest::default()
        };
        Some(EnvironmentPlan { name: BASE.to_owned(), request, lock: None })
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        judge_place(on, step);
    }
}

impl Recipe for NewShells {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        on.choices.init_shell.then(|| ShellInit {}.into())
    }
}

impl Recipe for NewEnvironment {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(Environment { env: on.choices.env.clone() }.into())
    }

    /// Everything that will be in it, so that it is resolved together, once.
    fn environment(&self, on: &Situation<'_>, _: &str) -> Option<EnvironmentPlan> {
        let wished = on.profile.steps.iter().filter(|step| on.is_wished(step));
        let asked = wished.map(|step| LayerRequest {
            step: step.id.clone(),
            role: recipe(&step.kind).role(),
            requirements: recipe(&step.kind).requirements(on),
        });
        let accelerator = on.framework.accelerator(on.machine);
        let capability = accelerator.compute_capability;
        let mut request = EnvironmentRequest {
            manager: on.manager,
            python: on.python.minor(),
            interpreter: on.python.interpreter(),
            layers: asked.filter(|layer| !layer.requirements.is_empty()).collect(),
            builds: on.framework.builds(),
            added: Vec::new(),
            held: Vec::new(),
            exclude_newer: on.choices.exclude_newer.clone(),
            cuda: accelerator.cuda.map(|version| Cuda { version, capability }),
            digest: String::new(),
        };
        request.digest = asked_for(&request, on.choices);
        Some(EnvironmentPlan { name: on.choices.env.clone(), request, lock: None })
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        step.why.extend(on.choices.cutoff().map(Cutoff::to_message));
        judge_place(on, step);
    }

    /// A manager that brings its own Python installs it with the environment itself.
    fn requirements(&self, on: &Situation<'_>) -> Vec<String> {
        match on.python {
            PythonChoice::Own { .. } => on.python.minor().map(conda_python).into_iter().collect(),
            _ => Vec::new(),
        }
    }
}

/// What tells whether an environment serves: every environment that is there has noted it in just this form.
fn asked_for(request: &EnvironmentRequest, choices: &Choices) -> String {
    let layer =
        |layer: &LayerRequest| json!({ "step": layer.step, "requirements": layer.requirements });
    let layers: Vec<_> = request.layers.iter().map(layer).collect();
    // What is taken where a channel has not the first is none that somebody has asked for.
    let meant =
        request.builds.iter().enumerate().filter(|(at, one)| *at == 0 || one.note.is_some());
    let builds: Vec<_> = meant.map(|(_, build)| &build.name).collect();
    let digest = digest_of(&(
        (request.manager, layers, builds, choices.accelerator),
        (&choices.python, &choices.index_url, &choices.torch_index, &choices.channels),
    ));
    with_cutoff(digest, choices)
}

/// The same where a time is set: what is resolved up to it is another lock.
fn with_cutoff(digest: String, choices: &Choices) -> String {
    match choices.cutoff() {
        None => digest,
        Some(cutoff) => digest_of(&(digest, format!("{cutoff:?}"))),
    }
}

impl Recipe for Libraries {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(Layer { env: on.choices.env.clone() }.into())
    }

    fn requirements(&self, on: &Situation<'_>) -> Vec<String> {
        self.of(on.manager).to_vec()
    }
}

impl Recipe for ProjectLibraries {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let layer = || Layer { env: on.choices.env.clone() };
        (!self.requirements(on).is_empty()).then(|| layer().into())
    }

    fn requirements(&self, on: &Situation<'_>) -> Vec<String> {
        on.profile.project.as_ref().map_or_else(Vec::new, |project| project.requirements.clone())
    }
}

impl Recipe for ProjectFolder {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let project = on.profile.project.as_ref()?;
        Some(ProjectFiles { folder: project.folder.clone(), files: Vec::new() }.into())
    }
}

impl Recipe for ProjectPush {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let project = on.profile.project.as_ref()?;
        let client = project.push.clone()?;
        Some(Push { folder: project.folder.clone(), client }.into())
    }
}

impl Recipe for ProjectJudges {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let project = on.profile.project.as_ref()?;
        let (check, prove) = (on.choices.check, on.choices.prove);
        (check || prove).then(|| Judges { folder: project.folder.clone(), prove }.into())
    }
}

impl Recipe for FrameworkLayer {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let layer = Layer { env: on.choices.env.clone() };
        (*on.framework != Decision::None).then(|| layer.into())
    }

    fn estimate(&self, on: &Situation<'_>, said: Estimate) -> Estimate {
        match on.framework {
            Decision::Take { builds, .. } => builds[0].estimate,
            _ => said,
        }
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        if let Some(framework) = on.framework.planned(on.manager) {
            step.why.extend(framework.why);
            step.why.extend(on.framework.accelerator(on.machine).why);
        }
        judge_framework(on, step);
    }

    fn requirements(&self, on: &Situation<'_>) -> Vec<String> {
        on.framework.requirements()
    }

    fn role(&self) -> LayerRole {
        LayerRole::Framework
    }
}

impl Recipe for FrameworkProof {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let check = Check { script: on.framework.check() };
        (*on.framework != Decision::None).then(|| check.into())
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
        judge_framework(on, step);
    }
}

impl Recipe for Proof {
    fn action(&self, _: &Situation<'_>) -> Option<Action> {
        Some(Check { script: self.script.clone() }.into())
    }
}

impl Recipe for NotebookKernel {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let env = &on.choices.env;
        let kernel = Kernelspec { name: format!("aitk-{env}"), display: format!("Python ({env})") };
        Some(kernel.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manager::Manager;
    use crate::request::BuildRequest;

    /// Whatever else is said of a request one day: the environments that are there serve on.
    #[test]
    fn what_an_environment_was_built_for_is_told_as_version_0_1_told_it() {
        let layer = |step: &str, role| LayerRequest {
            step: step.to_owned(),
            role,
            requirements: vec![step.to_owned()],
        };
        let build = BuildRequest {
            name: "cu130".to_owned(),
            requirements: vec!["torch".to_owned()],
            holds: Vec::new(),
            torch_backend: None,
            index: None,
            note: None,
        };
        let request = EnvironmentRequest {
            manager: Manager::Conda,
            python: Some("3.12".to_owned()),
            layers: vec![layer("six", LayerRole::Libraries), layer("torch", LayerRole::Framework)],
            builds: vec![build],
            ..EnvironmentRequest::default()
        };
        let json = r#"[["conda",[{"step":"six","requirements":["six"]},{"step":"torch","requirements":["torch"]}],["cu130"],"auto"],[null,null,null,[]]]"#;
        let told: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(asked_for(&request, &Choices::default()), digest_of(&told));
        // A time that is set makes another one of it, alike however it is written.
        let until = |text: &str| {
            let exclude_newer = Some(text.to_owned());
            asked_for(&request, &Choices { exclude_newer, ..Choices::default() })
        };
        assert_eq!(until("none"), digest_of(&told));
        assert_eq!(until("14d"), until("14 days"));
        assert!(until("14d") != until("15d") && until("14d") != digest_of(&told));
    }
}
