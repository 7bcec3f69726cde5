//! `aitk` turns a budget into a working AI environment.
//!
//! [`main`] is the program. Beside it stand the doors for what people write by hand for it: [`Config`] for a user's
//! settings, [`FolderFile`] for what a folder asks for.

mod args;
mod changes;
mod commands;
mod complete;
mod config;
mod error;
mod folder;
mod follow;
mod given;
mod help;
mod json;
mod output;
mod places;
mod program;
mod progress;
mod projects;
mod run;
mod saved;
mod session;
mod sources;
mod targets;
mod typed;
mod upkeep;
mod words;

use std::panic;
use std::process::ExitCode;
use std::sync::Arc;

use aitk_detect::folders;
use aitk_plan::Language;
use aitk_system::{Explain, Real, answers_for_nvml, children_start_in};
use args::{Args, ProgressChoice, Verb};
use commands::add::Direction;
pub use config::Config;
use error::CliError;
pub use folder::FolderFile;
use output::Console;
use session::Local;

/// The whole program: reads the command line and does what it says.
pub fn main() -> ExitCode {
    if answers_for_nvml() {
        return ExitCode::SUCCESS;
    }
    if complete::answered() {
        return ExitCode::SUCCESS;
    }
    end_with_a_panic();
    let args = match Args::read() {
        Ok(args) => args,
        // Help is an error to clap; everything else is wrong usage.
        Err(error) => return output::ended(help::refuse(error)),
    };
    args.common.color.write_global();
    log_to_stderr(args.common.verbose);
    children_start_in(folders(&Real).cache.join("empty"));
    let output = Console::new(&args.common);
    // What reads lines of JSON reads English.
    let lines = args.common.progress == ProgressChoice::Json;
    let language = words::chosen(args.common.lang, &Real);
    words::speak(if lines { Language::ENGLISH } else { language });
    if lines {
        output::lines_are_json();
    }
    output::ended(match run(args, &output) {
        Ok(code) => code,
        Err(error) => output.fail(&error),
    })
}

/// A panic in one thread ends the program at once: others could wait for that thread for ever. What was half done by
/// then is known from the journal, as after a power cut.
fn end_with_a_panic() {
    panic::set_hook(Box::new(|info| {
        let what = info.to_string();
        // Libraries know no other answer where no thread can be had.
        let error = match NO_THREAD.iter().any(|words| what.contains(words)) {
            true => CliError::NoThread,
            false => CliError::Fault { what },
        };
        output::print_error(&error);
        aitk_system::end(error.exit());
    }));
}

/// What libraries say where the system gives them no thread.
const NO_THREAD: [&str; 3] =
    ["failed to spawn thread", "can't spawn worker thread", "Resource temporarily unavailable"];

fn run(mut args: Args, output: &Console) -> Result<ExitCode, CliError> {
    places::look_after(&args.verb, output)?;
    let local: Local = Arc::new(Real);
    follow::settle(&local, &mut args, output)?;
    let ended = start(&local, &args, output);
    places::tag_cache(&*local);
    let ended = ended?;
    // What was installed for a folder stands in its lock from then on.
    let installs = matches!(&args.verb, Verb::Apply(_) | Verb::Upgrade(_) | Verb::Rollback(_));
    if let Some(file) = args.common.folder.filter(|_| installs && ended == ExitCode::SUCCESS) {
        file.keep(&*local)?.into_iter().for_each(|told| output.say(told));
    }
    Ok(ended)
}

fn start(local: &Local, args: &Args, output: &Console) -> Result<ExitCode, CliError> {
    match &args.verb {
        Verb::Detect(detect) => commands::detect::run(local, &args.common, detect, output),
        Verb::Doctor(doctor) => commands::doctor::run(local, &args.common, doctor, output),
        Verb::Advise(advise) => commands::advise::run(local, &args.common, advise, output),
        Verb::Plan(plan) => commands::plan::run(local, &args.common, plan, output),
        Verb::Lock(lock) => commands::lock::run(local, &args.common, lock, output),
        Verb::Apply(apply) => commands::apply::run(local, &args.common, apply, output),
        Verb::Init(init) => commands::init::run(local, &args.common, init, output),
        Verb::Trust(trust) => commands::init::trust(local, trust, output),
        Verb::Add(add) => commands::add::run(local, &args.common, add, Direction::In, output),
        Verb::Drop(add) => commands::add::run(local, &args.common, add, Direction::Out, output),
        Verb::Upgrade(upgrade) => commands::upgrade::run(local, &args.common, upgrade, output),
        Verb::Rollback(rollback) => commands::rollback::run(local, &args.common, rollback, output),
        Verb::Remove(remove) => commands::remove::run(local, &args.common, remove, output),
        Verb::Clean(clean) => commands::clean::run(local, &args.common, clean, output),
        Verb::Bundle(bundle) => commands::bundle::run(local, &args.common, bundle, output),
        Verb::Verify(verify) => commands::verify::run(local, &args.common, verify, output),
        Verb::Status(status) => commands::status::run(local, &args.common, status, output),
        Verb::Run(run) => commands::work::run(local, &args.common, run),
        Verb::Shell(which) => commands::work::shell(local, &args.common, which),
        Verb::Lab(lab) => commands::lab::lab(local, &args.common, lab, output),
        Verb::Export(export) => commands::export::run(local, &args.common, export, output),
        Verb::Profiles(profiles) => commands::profiles::run(local, profiles, output),
        Verb::Completions { shell } => commands::completions::run(shell),
        Verb::Man(man) => commands::man::run(local, man, output),
    }
}

fn log_to_stderr(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 | 1 => "error,aitk=warn,aitk_system=warn,aitk_env=warn,aitk_exec=warn",
        2 => "aitk=debug,aitk_system=debug,aitk_env=debug,aitk_exec=debug",
        _ => "debug",
    };
    let filter = EnvFilter::try_from_env("AITK_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(|| output::LogWriter)
        .init();
}
