//! `aitk export`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_env::channels_of;
use aitk_exec::Receipt;
use aitk_export::{Export, ExportError, PublicKey, Source, Target, TargetList};
use aitk_plan::{Language, Locks, Plan, Texts};
use aitk_system::{Deny, Message, System, ToMessage, message};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{self, Common};
use crate::error::CliError;
use crate::output::{self, Console, Diagnostic, HEAD, page_width, styled, wrapping};
use crate::progress::Progress;
use crate::run::refuse_blocked;
use crate::session::{Ask, Local, Prepared, Session, locked, profile_text};
use crate::sources;
use crate::targets::targets;
use crate::words::{language, said};

/// A form that a plan can be written in.
#[derive(Serialize, JsonSchema)]
pub struct TargetInfo {
    /// Its name.
    target: String,
    /// When it is the one to take.
    when: String,
}

/// A plan in a form for somewhere else.
#[derive(Serialize, JsonSchema)]
pub struct ExportReport<'a> {
    /// The form.
    target: &'a str,
    /// Where it was written; null where it stands in `text`.
    path: Option<&'a PathBuf>,
    /// Its files.
    files: Vec<&'a str>,
    /// What of the plan it leaves out.
    without: Vec<&'a str>,
    /// The file itself, where it was not written.
    text: Option<&'a str>,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &args::ExportArgs,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let (texts, targets) = (Texts::english()?, targets(&**local)?);
    let Some(name) = args.target.as_deref().filter(|_| !args.list) else {
        let when = |target: &Target, language| target.text(language, &["when"]).to_owned();
        let data = targets.listed().map(|target| TargetInfo {
            target: target.name.clone(),
            when: when(target, Language::ENGLISH),
        });
        output.result(&data.collect::<Vec<_>>(), Vec::new(), || {
            let line = |target: &Target| entry(&target.name, &when(target, language()));
            targets.listed().map(line).collect::<String>()
        });
        return Ok(ExitCode::SUCCESS);
    };
    let target = targets.named(name)?;
    let place = place(&**local, target, args)?;
    let (export, warnings) = exported(local, common, &targets, target, args, output)?;
    let files: Vec<_> = export.files.iter().map(|file| file.path.as_str()).collect();
    if let Some(place) = &place {
        write(&**local, place, target, &export)?;
    }
    let without = |language| export.without.iter().map(move |left| (left, language));
    let stdout = place.is_none().then(|| export.files[0].content.as_str());
    let data = ExportReport {
        target: &target.name,
        path: place.as_ref(),
        files,
        without: without(Language::ENGLISH).map(|(left, it)| targets.text(left, it)).collect(),
        text: stdout,
    };
    output.warn(&warnings);
    for (left, language) in without(language()) {
        let what = Message::plain(targets.text(left, language));
        let line = said(texts.fill("export.leaves_out", vec![("what", what)]));
        if !output.json {
            output.say(textwrap::fill(&line, wrapping(page_width(), "", "  ")));
        }
    }
    match (output.json, stdout) {
        (false, Some(text)) => output::data(text),
        _ => output.result(&data, warnings.iter().map(Diagnostic::from).collect(), || {
            let place = place.clone().unwrap_or_default();
            texts.fill("export.written", vec![("path", place.to_message())])
        }),
    }
    Ok(ExitCode::SUCCESS)
}

/// A target with the time to use it.
fn entry(name: &str, when: &str) -> String {
    let indent = " ".repeat(20);
    let text = textwrap::fill(when, wrapping(page_width(), &indent, &indent));
    format!("{}{}\n", styled(HEAD, name), &text[name.len()..])
}

/// Resolves what is chosen for somewhere else, and renders it.
fn exported(
    local: &Local,
    common: &Common,
    targets: &TargetList,
    target: &Target,
    args: &args::ExportArgs,
    output: &Console,
) -> Result<(Export, Vec<aitk_plan::Warning>), CliError> {
    let ssh_key = args.ssh_key.as_deref().map(|path| public_key(&**local, path)).transpose()?;
    let session = Session::open(local, common)?.elsewhere();
    // What is set belongs to the form, which is no choice of the plan's.
    let mut choices = args.choices.clone();
    let set = choices.given.take("set");
    let mut asked = session.asked(&choices)?;
    let lock = locked(&session, &asked.request)?;
    if let Some(can) = target.manager {
        let other =
            |manager| ExportError::OtherManager { target: target.name.clone(), manager, can };
        let of_lock = lock.as_ref().map(|locks| locks.environment.manager);
        let mut wanted = of_lock.into_iter().chain(asked.request.choices.manager.named());
        if let Some(manager) = wanted.find(|manager| *manager != can) {
            return Err(other(manager).into());
        }
        asked.request.manager = Some(can);
    }
    let (prepared, plan) = session.prepare(asked, lock.as_ref(), Ask::Sources)?;
    refuse_blocked(&plan, &session.machine)?;
    let render = |source: &Source<'_>| {
        let pairs = set.iter().filter_map(|pair| pair.split_once('='));
        let parameters = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let source = &Source { ssh_key: ssh_key.as_ref(), parameters, ..source.clone() };
        targets.render(target, source).map(|export| (export, source.plan.warnings.clone()))
    };
    let origins = sources::shown_of_lock(&prepared, &plan, lock.as_ref(), output);
    sources::of_lock(&origins, &args.accept, false)?;
    Ok(resolved(&prepared, common, plan, lock.as_ref(), output, render)??)
}

/// Resolves a plan for somewhere else, and renders it with everything that it holds then.
pub fn resolved<R>(
    prepared: &Prepared<'_>,
    common: &Common,
    mut plan: Plan,
    lock: Option<&Locks>,
    output: &Console,
    render: impl FnOnce(&Source<'_>) -> R,
) -> Result<R, CliError> {
    let (session, request) = (prepared.session, &prepared.request);
    let system = Deny(std::sync::Arc::clone(&session.system));
    let mut context = prepared.context(&system, lock);
    context.is_local = false;
    context.fresh = true;
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner(message!("asking the package sources …"));
    let locks = aitk_exec::lock(&context, &plan)?;
    drop(spinner);
    let mut context = prepared.context(&system, Some(&locks));
    context.is_local = false;
    let record = aitk_exec::fill_in(&context, &mut plan)?;
    let receipt = Receipt {
        schema: 1,
        environments: [(
            request.choices.env.clone(),
            serde_json::to_value(request).unwrap_or_default(),
        )]
        .into(),
        ..Receipt::default()
    };
    let profile = request
        .choices
        .profile
        .as_deref()
        .map(|path| profile_text(&*session.local, Path::new(path)))
        .transpose()?;
    let channels = channels_of(&locks.environment, &prepared.local_settings)?;
    Ok(render(&Source {
        plan: &plan,
        machine: &session.machine,
        catalog: &session.catalog,
        language: language(),
        locks: Some(&locks),
        profile: profile.as_deref(),
        channels: &channels,
        record: Some(&serde_json::to_value(&record).unwrap_or_default()),
        receipt: Some(&serde_json::to_value(&receipt).unwrap_or_default()),
        memory: session.profile(request)?.memory,
        ssh_key: None,
        parameters: BTreeMap::new(),
        parts: BTreeMap::new(),
    }))
}

/// The key in a file; what stands there is shown to nobody, as it may be the private one.
fn public_key(local: &dyn System, path: &Path) -> Result<PublicKey, CliError> {
    let text = local.read(path).map_err(CliError::io(path))?;
    Ok(PublicKey::parse(&String::from_utf8_lossy(&text))?)
}

/// Where the export goes; nothing that is there is written over unless it is asked for.
fn place(
    local: &dyn System,
    target: &Target,
    args: &args::ExportArgs,
) -> Result<Option<PathBuf>, CliError> {
    let path = match &args.output {
        None if target.is_one_file() => return Ok(None),
        None => PathBuf::from(format!("aitk-{}", target.name.trim_end_matches(".toml"))),
        Some(path) => path.clone(),
    };
    let is_empty = || local.list(&path).is_ok_and(|names| names.is_empty());
    let taken = local.stat(&path).is_ok() && (target.is_one_file() || !is_empty());
    if taken && !args.force {
        return Err(CliError::There { path });
    }
    Ok(Some(path))
}

fn write(
    local: &dyn System,
    place: &Path,
    target: &Target,
    export: &Export,
) -> Result<(), CliError> {
    for file in &export.files {
        let path = if target.is_one_file() { place.to_owned() } else { place.join(&file.path) };
        let mode = if file.executable { 0o755 } else { 0o644 };
        local.write(&path, file.content.as_bytes(), mode).map_err(CliError::io(&path))?;
    }
    Ok(())
}
