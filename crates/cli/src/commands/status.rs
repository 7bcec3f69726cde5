//! `aitk status`

use std::process::ExitCode;
use std::sync::Arc;

use aitk_env::{Environments, Generation, Record};
use aitk_exec::{brought, interrupted_run};
use aitk_plan::FrameworkPlan;
use aitk_system::{Message, System, Told, message};
use serde_json::json;

use crate::args::Common;
use crate::error::CliError;
use crate::given::Which;
use crate::output::{CARE, DIM, HEAD, Output, styled};
use crate::session::{Ask, Local, Session};
use crate::words::said;

pub fn run(
    local: &Local,
    common: &Common,
    args: &Which,
    output: &Output,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?;
    let system = Arc::clone(&session.system);
    let system = &*system;
    let environments = Environments::new(&session.settings.data, &args.env);
    let current = environments.current(system);
    let interrupted = interrupted_run(&session.machine.folders.state, system);
    let request = session.applied(&args.env).ok();
    let brought = brought(&session.receipt, system);
    let framework = match (&current, &request) {
        (Some((generation, record)), Some(request)) => {
            let prepared = session.prepare(request.clone().into(), None, Ask::Nobody).ok();
            let wanted = prepared.and_then(|(_, plan)| plan.framework);
            wanted.and_then(|wanted| framework(generation, record, &wanted, system))
        }
        _ => None,
    };
    let environment = current.as_ref().map(|(generation, record)| {
        json!({
            "name": args.env,
            "path": environments.current_path(),
            "generation": generation.name(),
            "python": record.python,
            "build": framework.as_ref().and(record.build.as_ref()),
            "framework": framework,
            "packages": record.layers.values().map(|layer| layer.len()).sum::<usize>(),
            "manager": record.manager,
            "added": added(generation, system),
        })
    });
    let data = json!({
        "environment": environment,
        "wish": request,
        "system_packages": brought.len(),
        "interrupted": interrupted,
    });
    output.result("status", &data, Vec::new(), || {
        let mut text = String::new();
        match &current {
            None => {
                text += &said(message!(
                    "There is no environment `{}` here. Make it with `aitk apply --budget low`.\n",
                    args.env
                ))
            }
            Some((generation, record)) => {
                let packages: usize = record.layers.values().map(|layer| layer.len()).sum();
                let row = |label: Message, value: Message| {
                    let label = said(label);
                    format!("{} {}\n", styled(HEAD, format!("{label:12}")), said(value))
                };
                text += &row(
                    message!("Environment"),
                    message!("{} at {}", args.env, environments.current_path()),
                );
                text += &row(message!("Manager"), Message::plain(record.manager));
                text += &row(message!("Generation"), Message::plain(generation.name()));
                text += &row(Message::plain("Python"), Message::plain(&record.python));
                if let Some(framework) = &framework {
                    text += &row(message!("Framework"), framework.clone());
                }
                text += &row(
                    message!("Packages"),
                    message!("{packages}, and {} of the system", brought.len()),
                );
                let added = added(generation, system);
                if !added.is_empty() {
                    text += &row(message!("Added by you"), added.told());
                }
                text += &styled(DIM, said(message!("`aitk verify` checks all of it")));
                text += "\n";
            }
        }
        if let Some(step) = &interrupted {
            text += &said(message!(
                "{} the last run did not come to its end (at {step}): `aitk apply` continues\n",
                styled(CARE, "!")
            ));
        }
        text
    });
    Ok(ExitCode::SUCCESS)
}

/// The framework that stands in a generation, with its version and build; `None` where its package is not in it.
fn framework(
    generation: &Generation,
    record: &Record,
    wanted: &FrameworkPlan,
    system: &dyn System,
) -> Option<Message> {
    let (version, whole) = generation.package(system, &wanted.requirement)?;
    let build = record.build.as_deref().map_or_else(String::new, |build| format!(" ({build})"));
    let name = Message::plain(format!("{} {version}{build}", wanted.name));
    Some(match whole {
        true => name,
        false => message!("{name}, damaged: `aitk verify` tells more"),
    })
}

/// What the user has put into a generation, as they would ask for it.
fn added(generation: &Generation, system: &dyn System) -> Vec<String> {
    generation.added(system).iter().map(ToString::to_string).collect()
}
