//! `aitk bundle`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_env::{HttpClient, Wrapped, backend, fetch_all, write_bundle};
use aitk_exec::{Event, Incoming, Reporter};
use aitk_plan::{Bytes, Choices, Locked, Manager, Plan, Request};
use aitk_system::{Deny, Message, message, quote};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{self, Common};
use crate::error::CliError;
use crate::output::{Console, HEAD, styled};
use crate::progress::Progress;
use crate::saved;
use crate::session::{Ask, Local, Session, locked};
use crate::sources;

/// A bundle that was written.
#[derive(Serialize, JsonSchema)]
pub struct BundleReport<'a> {
    /// Where it is.
    path: &'a Path,
    /// Its bytes; of a dry run those of its packages.
    size: u64,
    /// How many packages it has.
    packages: usize,
    /// Who installs them.
    manager: Manager,
    /// Whether nothing was written.
    dry_run: bool,
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &args::BundleArgs,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?;
    let asked = session.asked(&args.choices)?;
    let lock = locked(&session, &asked.request)?;
    let (prepared, mut plan) = session.prepare(asked, lock.as_ref(), Ask::Sources)?;
    let system = Deny(std::sync::Arc::clone(&session.system));
    let context = prepared.context(&system, lock.as_ref());
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner(message!("asking the package sources …"));
    let locks = aitk_exec::lock(&context, &plan)?;
    // What is on this machine already does not count: the bundle is for another.
    let mut context = prepared.context(&system, Some(&locks));
    context.fresh = true;
    aitk_exec::survey(&context, &mut plan, true)?;
    let given = prepared.context(&system, lock.as_ref());
    let origins = aitk_exec::foreign_origins(&given, &plan);
    drop(spinner);
    output.warn(sources::warning(&origins).as_slice());
    sources::of_lock(&origins, &args.accept, false)?;

    let settings = &prepared.local_settings;
    let backend = backend(plan.manager);
    let folder = backend.packages(settings);
    let of_base = locks.base.iter().flat_map(|base| base.packages());
    let packages: Vec<&Locked> = locks.environment.packages().chain(of_base).collect();
    let total = packages.iter().filter_map(|one| one.package.size).fold(0, u64::saturating_add);
    let files = files(&folder, &packages);
    let (path, count, dry_run) = (args.output.as_path(), files.len(), args.dry_run);
    if dry_run {
        let data =
            BundleReport { path, size: total, packages: count, manager: plan.manager, dry_run };
        output.result(&data, Vec::new(), || would_write(args, count, total));
        return Ok(ExitCode::SUCCESS);
    }
    let bar = Incoming::new(STEP, total, &progress);
    progress.event(&Event::StepStarted {
        step: STEP,
        title: &message!("Download the packages"),
        root: false,
    });
    let installer = backend.fetch_installer(&**local, &session.catalog, settings, &bar)?;
    fetch_all(&HttpClient::new(settings)?, &packages, &folder, settings.offline, &bar)?;
    let wrapped = Wrapped {
        wish: without_sources(&prepared.request, &plan),
        plan: saved::text(&plan, Some(&locks), true)?,
        manager: plan.manager,
        lock: locks.to_text()?,
        packages: files,
        uv: installer,
        program: Path::new("/proc/self/exe"),
    };
    let size = write_bundle(&args.output, &wrapped)?;
    progress.event(&Event::RunFinished { outcome: aitk_exec::Outcome::Done, seconds: 0.0 });
    let data = BundleReport { path, size, packages: count, manager: plan.manager, dry_run };
    output.result(&data, Vec::new(), || written(args, count, size));
    Ok(ExitCode::SUCCESS)
}

/// Where the packages lie once they are here, each once.
fn files(folder: &Path, packages: &[&Locked]) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        packages.iter().map(|locked| folder.join(locked.filename())).collect();
    files.sort();
    files.dedup();
    files
}

/// What is asked for, as JSON: the bundle brings the packages, so it asks no source and names none.
fn without_sources(request: &Request, plan: &Plan) -> serde_json::Value {
    let choices = Choices {
        index_url: None,
        torch_index: None,
        channels: Vec::new(),
        ..plan.choices.clone()
    };
    serde_json::to_value(Request { choices, ..request.clone() }).unwrap_or_default()
}

fn would_write(args: &args::BundleArgs, count: usize, size: u64) -> Message {
    message!(
        "{} would hold {count} packages, {} to download, with the plan and aitk itself.\nNothing was written: this was a dry run.",
        args.output.display(),
        Bytes(size)
    )
}

/// What was written, and what is typed on the other machine: aitk is in the file, and nowhere else there.
fn written(args: &args::BundleArgs, count: usize, size: u64) -> Message {
    let file = args.output.file_name().unwrap_or_default().to_string_lossy();
    let file = quote(&file);
    message!(
        "{} packages, {}, in {}\nOn the other machine, in the folder that the file is in:\n  {}\n  {}",
        count,
        Bytes(size),
        args.output.display(),
        styled(HEAD, format!("tar -xf {file} aitk")),
        styled(HEAD, format!("./aitk apply {file} --offline")),
    )
}

/// The name under which the download is shown.
const STEP: &str = "bundle";
