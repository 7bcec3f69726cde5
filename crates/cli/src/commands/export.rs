//! `aitk export`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_exec::Receipt;
use aitk_export::{Export, ExportError, Makes, Source, TARGETS, Target};
use aitk_plan::{Language, Texts};
use aitk_system::{Deny, Real, System};
use serde_json::json;

use crate::args::{self, Common};
use crate::commands::advise::language;
use crate::error::CliError;
use crate::output::{Diagnostic, HEAD, Output, page_width, styled, wrapping};
use crate::progress::Progress;
use crate::session::{Ask, Session, Wish, locked};

pub fn run(common: &Common, args: &args::Export, output: &Output) -> Result<ExitCode, CliError> {
    let texts = Texts::of(language(common, &Real))?;
    let Some(name) = args.target.as_deref().filter(|_| !args.list) else {
        let english = Texts::of(Language::English)?;
        let list = |texts: &Texts| {
            let when = |target: &Target| texts.get(&format!("target.{}", target.name)).to_owned();
            TARGETS.iter().map(|target| (target.name, when(target))).collect::<Vec<_>>()
        };
        let data: Vec<_> = list(&english)
            .into_iter()
            .map(|(name, when)| json!({ "target": name, "when": when }))
            .collect();
        output.result("targets", &data, Vec::new(), || {
            list(&texts).into_iter().map(|(name, when)| entry(name, &when)).collect()
        });
        return Ok(ExitCode::SUCCESS);
    };
    let target = Target::named(name)?;
    let place = place(target, args)?;
    let (export, warnings) = exported(common, target, &args.choices, output)?;
    let files: Vec<_> = export.files.iter().map(|file| file.path.as_str()).collect();
    if let Some(place) = &place {
        write(place, target, &export)?;
    }
    let without: Vec<_> = export
        .without
        .iter()
        .map(|what| texts.get(&format!("export.without.{what}")).to_owned())
        .collect();
    let stdout = place.is_none().then(|| export.files[0].content.as_str());
    let data = json!({
        "target": target.name,
        "path": place,
        "files": files,
        "without": without,
        "text": stdout,
    });
    output.warn(&warnings);
    for what in &without {
        let line = texts.fill("export.leaves_out", &[("what", what)]);
        if !output.json {
            output.say(textwrap::fill(&line, wrapping(page_width(), "", "  ")));
        }
    }
    match (output.json, stdout) {
        (false, Some(text)) => anstream::print!("{text}"),
        _ => {
            output.result("export", &data, warnings.iter().map(Diagnostic::from).collect(), || {
                let place = place.unwrap_or_default();
                texts.fill("export.written", &[("path", &place.display().to_string())])
            })
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A target with the time to use it.
fn entry(name: &str, when: &str) -> String {
    let indent = " ".repeat(20);
    let first =
        format!("{}{}", styled(HEAD, name), " ".repeat(20_usize.saturating_sub(name.len())));
    let text = textwrap::fill(when, wrapping(page_width().saturating_sub(20), "", &indent));
    format!("{first}{text}\n")
}

/// Resolves what is chosen for somewhere else, and renders it.
fn exported(
    common: &Common,
    target: &'static Target,
    choices: &args::ChoiceArgs,
    output: &Output,
) -> Result<(Export, Vec<aitk_plan::Warning>), CliError> {
    let mut session = Session::open(common)?;
    // Who asks here need not be who does it there.
    session.machine.privilege.root = true;
    session.keeps = false;
    let mut wish = session.wish(choices)?;
    let lock = locked(choices, &session.machine)?;
    if let Some(can) = target.manager {
        let other = |manager| ExportError::OtherManager { target: target.name, manager, can };
        let of_lock = lock.as_ref().map(|locks| locks.environment.manager);
        let mut wanted = of_lock.into_iter().chain(wish.choices.manager.named());
        if let Some(manager) = wanted.find(|manager| *manager != can) {
            return Err(other(manager).into());
        }
        wish.manager = Some(can);
    }
    let mut plan = session.plan(&wish, lock.as_ref(), Ask::Sources)?;
    let wish = Wish { manager: Some(plan.manager), choices: plan.choices.clone(), ..wish };
    let system = Deny(std::sync::Arc::clone(&session.system));
    let mut context = session.context(&system, lock.as_ref());
    // What is on this machine already does not count.
    context.fresh = true;
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner("asking the package sources …");
    let locks = aitk_exec::lock(&context, &plan)?;
    drop(spinner);
    let context = session.context(&system, Some(&locks));
    let record = aitk_exec::fill_in(&context, &mut plan)?.to_text();
    let receipt = Receipt {
        schema: 1,
        environments: [(wish.choices.env.clone(), serde_json::to_value(&wish).unwrap_or_default())]
            .into(),
        ..Receipt::default()
    };
    let source = Source {
        plan: &plan,
        machine: &session.machine,
        catalog: &session.catalog,
        lock: &locks.to_text()?,
        record: &record,
        receipt: &serde_json::to_string_pretty(&receipt).unwrap_or_default(),
    };
    Ok((target.render(&source)?, plan.warnings.clone()))
}

/// Where the export goes; nothing that is there is written over unless it is asked for.
fn place(target: &Target, args: &args::Export) -> Result<Option<PathBuf>, CliError> {
    let path = match (&args.output, target.makes) {
        (None, Makes::File(_)) => return Ok(None),
        (None, Makes::Folder) => PathBuf::from(format!("aitk-{}", target.name)),
        (Some(path), _) => path.clone(),
    };
    let taken = match target.makes {
        Makes::File(_) => Real.stat(&path).is_ok(),
        Makes::Folder => {
            Real.stat(&path).is_ok() && !Real.list(&path).is_ok_and(|names| names.is_empty())
        }
    };
    if taken && !args.force {
        return Err(CliError::There { path });
    }
    Ok(Some(path))
}

fn write(place: &Path, target: &Target, export: &Export) -> Result<(), CliError> {
    for file in &export.files {
        let path = match target.makes {
            Makes::File(_) => place.to_owned(),
            Makes::Folder => place.join(&file.path),
        };
        let mode = if file.executable { 0o755 } else { 0o644 };
        Real.write(&path, file.content.as_bytes(), mode).map_err(CliError::io(&path))?;
    }
    Ok(())
}
