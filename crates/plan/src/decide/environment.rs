//! What is decided of the environment, of what is in it, and of what leads to it.

use aitk_system::message;

use super::recipe::{Recipe, recipe};
use crate::framework::Decision;
use crate::model::Step;
use crate::profile::Estimate;
use crate::python::{PythonChoice, conda_python};
use crate::situation::Situation;
use crate::step::form::{
    CondaItself, FrameworkLayer, FrameworkProof, Libraries, NewEnvironment, NewShells,
    NotebookKernel, ProjectFolder, ProjectLibraries, Proof,
};
use crate::step::{
    Action, Base, Check, Environment, Kernelspec, Layer, LayerRequest, ProjectFiles, ShellInit,
};

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
    }
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
        let python = on.python.minor().map(conda_python);
        let requirements = python.into_iter().chain(self.requirements.iter().cloned()).collect();
        let (env, adopt) = (on.choices.env.clone(), on.choices.base.clone());
        Some(Base { env, requirements, adopt, generation: None }.into())
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
    /// Everything that will be in it, so that it is resolved together, once.
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let wished = on.profile.steps.iter().filter(|step| on.is_wished(step));
        let asked = wished.map(|step| LayerRequest {
            step: step.id.clone(),
            requirements: recipe(&step.kind).requirements(on),
        });
        let environment = Environment {
            env: on.choices.env.clone(),
            python: on.python.minor(),
            interpreter: on.python.interpreter(),
            layers: asked.filter(|layer| !layer.requirements.is_empty()).collect(),
            builds: on.framework.builds(),
            added: Vec::new(),
            generation: None,
        };
        Some(environment.into())
    }

    fn judge(&self, on: &Situation<'_>, step: &mut Step) {
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

impl Recipe for Libraries {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        Some(Layer { requirements: self.requirements(on) }.into())
    }

    fn requirements(&self, on: &Situation<'_>) -> Vec<String> {
        self.of(on.manager).to_vec()
    }
}

impl Recipe for ProjectLibraries {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let requirements = self.requirements(on);
        (!requirements.is_empty()).then(|| Layer { requirements }.into())
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

impl Recipe for FrameworkLayer {
    fn action(&self, on: &Situation<'_>) -> Option<Action> {
        let layer = Layer { requirements: self.requirements(on) };
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
