//! What every command that changes something here needs, once the plan is known: whether it can be done, a turn of its own,
//! consent, sudo, what was asked for noted, and the words at the end.

use std::collections::BTreeMap;
use std::process::ExitCode;

use aitk_detect::{Machine, Privilege, Sudo};
use aitk_exec::{ExecError, Measured, Outcome, Receipt, Summary};
use aitk_plan::{Bytes, Plan, Project, Request, Status, Step, Totals};
use aitk_system::{
    Exit, Explain, Failure, Hold, KeepAlive, Message, authenticate, can_ask, interrupted,
    is_terminal, message, quote, read_line,
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::error::{CliError, steps};
use crate::output::{CARE, Console, Diagnostic, GOOD, HEAD, ask, page_width, styled, wrapping};
use crate::session::Session;
use crate::typed::typed;
use crate::words::{said, worded};

/// The lock against a second run.
pub fn take_turn(session: &Session) -> Result<Hold, CliError> {
    let path = session.machine.folders.state.join("lock");
    let note = format!("process {}, since {}\n", std::process::id(), session.local.now());
    match session.local.hold(&path, &note).map_err(CliError::io(&path))? {
        Some(hold) => Ok(hold),
        None => {
            let holder = session.local.read(&path).unwrap_or_default();
            let holder = String::from_utf8_lossy(&holder).trim().to_owned();
            Err(ExecError::AlreadyRunning { holder }.into())
        }
    }
}

/// What of a plan cannot be done here: how many steps, and why, each reason with its remedy.
pub fn blocked(plan: &Plan) -> Option<(usize, Vec<Message>)> {
    let blocked: Vec<_> = plan.steps.iter().filter(|step| step.status == Status::Blocked).collect();
    if blocked.is_empty() {
        return None;
    }
    // One reason often blocks many steps: each is said once. What only needs such a step has none of its own.
    let is_blocked = |id: &String| blocked.iter().any(|step| step.id == *id);
    let mut reasons: Vec<(Message, Vec<&str>)> = Vec::new();
    let (waiting, first): (Vec<&&Step>, Vec<&&Step>) =
        blocked.iter().partition(|step| step.needs.iter().any(is_blocked));
    for step in first {
        let why = step.why.last().cloned().unwrap_or_default();
        let remedy = step.remedy.clone().unwrap_or_default();
        let reason = Message::parts([why, Message::plain("\n→ "), remedy]);
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, steps)) => steps.push(&step.id),
            None => reasons.push((reason, vec![&step.id])),
        }
    }
    let told = |(reason, steps): (Message, Vec<&str>)| Message::about(steps.join(", "), reason);
    let mut list: Vec<_> = reasons.into_iter().map(told).collect();
    let waiting = waiting.iter().map(|step| step.id.as_str()).collect::<Vec<_>>().join(", ");
    if !waiting.is_empty() {
        list.push(message!("{waiting}: needs what cannot be done"));
    }
    Some((blocked.len(), list))
}

/// A plan with steps that cannot be done here is not begun.
pub fn refuse_blocked(plan: &Plan, machine: &Machine) -> Result<(), CliError> {
    let Some((count, mut list)) = blocked(plan) else { return Ok(()) };
    let of_root = || plan.steps.iter().filter(|step| step.status == Status::Blocked && step.root);
    if machine.privilege.root || machine.privilege.sudo != Sudo::No || of_root().next().is_none() {
        return Err(CliError::Blocked { count, list: Message::lines(list) });
    }
    let commands = of_root().flat_map(|step| step.by_hand());
    let commands = commands.map(|command| permitted(command, &machine.privilege));
    let commands: Vec<_> = commands.map(|command| format!("  {command}")).collect();
    if !commands.is_empty() {
        list.push(message!("the commands:"));
        list.extend(commands.into_iter().map(Message::plain));
    }
    Err(CliError::BlockedForRoot { count, list: Message::lines(list) })
}

/// A command as the rules of sudo let this user type it: where they name programs, what is set for one of them is left out.
fn permitted(command: String, privilege: &Privilege) -> String {
    let name = |path: &str| path.rsplit('/').next().map(str::to_owned);
    let allowed =
        |word: &str| privilege.only.iter().any(|only| name(only).as_deref() == Some(word));
    let Some(rest) = command.strip_prefix("sudo ") else { return command };
    let mut words = rest.split(' ');
    let program =
        words.find(|word| *word != "env" && !word.contains('=') && !word.starts_with("--"));
    match program.filter(|program| allowed(program)) {
        Some(program) => [&["sudo", program], &words.collect::<Vec<_>>()[..]].concat().join(" "),
        None => command,
    }
}

/// Asks, and says whether the answer is yes: what an empty one means, the question shows.
pub fn agrees(question: Message, silence: bool) -> Result<bool, CliError> {
    ask(&said(question));
    let answer = read_line().map_err(CliError::io_of(message!("the terminal")))?;
    let answer = answer.ok_or(Failure::Interrupted)?.to_lowercase();
    Ok(["y", "yes", "j", "ja", "o", "oui"].contains(&answer.as_str())
        || silence && answer.is_empty())
}

/// Goes on where the person agrees, or has agreed beforehand.
pub fn confirm(yes: bool, question: Message, silence: bool) -> Result<(), CliError> {
    if yes {
        return Ok(());
    }
    if !is_terminal() {
        return Err(CliError::NotConfirmed);
    }
    if agrees(question, silence)? { Ok(()) } else { Err(CliError::Declined) }
}

/// Gets sudo's password before anything is drawn, for these commands.
pub fn elevate(
    session: &Session,
    commands: impl IntoIterator<Item = String>,
    avoidable: bool,
) -> Result<Option<KeepAlive>, CliError> {
    let privilege = &session.machine.privilege;
    if privilege.root {
        return Ok(None);
    }
    match privilege.sudo {
        Sudo::Passwordless => Ok(None),
        Sudo::Password if can_ask() => match authenticate() {
            Ok(ticket) => Ok(Some(ticket)),
            Err(_) if interrupted() => Err(Failure::Interrupted.into()),
            Err(_) => Err(CliError::SudoRefused { avoidable }),
        },
        _ => {
            let commands = commands.into_iter().map(|command| format!("  {command}")).collect();
            Err(CliError::NeedsRoot { commands, avoidable })
        }
    }
}

/// Keeps what was asked for, so that `verify` and a later `apply` know it; writes only what is new. The receipt as it
/// stands then.
pub fn remember(session: &Session, request: &Request) -> Result<Receipt, CliError> {
    if !session.is_remembered() {
        return Ok(session.receipt.clone());
    }
    let value = serde_json::to_value(request).unwrap_or_default();
    let mut receipt = session.receipt.clone();
    let name = request.choices.env.clone();
    receipt.environments.insert(name.clone(), value.clone());
    if session.noted_request(&name).as_ref() != Some(&value) {
        receipt.begun.insert(name, value);
    }
    if receipt != session.receipt {
        receipt.save(&session.machine.folders.state, &*session.local)?;
    }
    Ok(Receipt::load(&session.machine.folders.state, &*session.local)?)
}

/// A text with a capital and a full stop.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).chain(['.']).collect()
    })
}

/// What was done, how long it took, how to start.
pub fn finish(summary: Summary, output: &Console) -> Result<ExitCode, CliError> {
    if output.json {
        return Ok(finish_json(summary, output));
    }
    let done = summary.outcomes.values().filter(|outcome| **outcome == Outcome::Done).count();
    match summary.failure {
        Some((_, error)) if error.exit() == Exit::Resume => {
            let waiting = summary.outcomes.values().filter(|one| **one == Outcome::Paused).count();
            output.say(message!(
                "\n{} {} done so far, and {} for you.",
                styled(CARE, "·"),
                said(steps(done)),
                if waiting == 1 { message!("1 waits") } else { message!("{waiting} wait") },
            ));
            let code = styled(CARE, said(message!("note[{}]:", error.code())));
            output.say(format!("{code} {}", sentence(&said(error.message()))));
            if let Some(hint) = error.hint() {
                let what = styled(HEAD, said(message!("what to do:")));
                output.say(format!("  {what} {}", said(hint)));
            }
            Ok(ExitCode::from(error.exit() as u8))
        }
        Some((step, error)) => {
            if done > 0 {
                output.say(message!(
                    "{} done, which stay so; `{step}` is where it stopped.",
                    steps(done)
                ));
            }
            Err(error.into())
        }
        None => {
            output.page(all_done(&summary, done));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn all_done(summary: &Summary, done: usize) -> Message {
    let (aitk, taken) = (typed(), &summary.taken);
    let start = |what: Message, command: &str| {
        format!("  {:24} {}\n", said(what), styled(HEAD, format!("{aitk} {command}")))
    };
    let project = summary.plan.project.as_ref().map(next_steps).unwrap_or_default();
    let mut work = String::new();
    if let Some(wanted) = summary.plan.environment().filter(|_| summary.plan.builds_here()) {
        if wanted.request.asks_for("jupyterlab") {
            work += &start(message!("Start JupyterLab:"), "lab");
        }
        work += &start(message!("Work in a shell:"), "shell");
        work += &start(message!("Run a program:"), "run -- python program.py");
        work += &start(message!("Check it at any time:"), "verify");
    }
    message!(
        "\n{} Done in {:.0} s: {done} of {} steps, {} downloaded, {} less room on the disk.\n\n{project}{work}",
        styled(GOOD, "✓"),
        summary.seconds,
        summary.plan.steps.len(),
        Bytes(taken.download),
        Bytes(taken.disk),
    )
}

/// What a person does with a project.
fn next_steps(project: &Project) -> String {
    let folder = quote(&project.folder);
    let mut text = format!("  {}\n", styled(HEAD, ["cd", &folder].join(" ")));
    for deed in &project.next {
        let command: Vec<_> = deed.command.iter().map(|word| quote(word)).collect();
        if command.is_empty() {
            // A link that is cut leads nowhere.
            let page = wrapping(page_width(), "  ", "  ").break_words(false);
            text += &format!("{}\n", textwrap::fill(worded(&deed.what), page));
            continue;
        }
        let command = format!("{:24}", command.join(" "));
        text += &format!("  {} {}\n", styled(HEAD, command), worded(&deed.what));
    }
    text + "\n"
}

/// What became of a run: of `apply`, `add`, `drop`, `upgrade` and `rollback`.
#[derive(Serialize, JsonSchema)]
pub struct RunReport {
    /// `done`, `already-done`, `reported` (a dry run), `paused` (it waits for the person), `interrupted` or `failed`.
    pub outcome: &'static str,
    /// How long it took; not said of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// What became of each step.
    pub steps: BTreeMap<String, Outcome>,
    /// The step that failed, or waits.
    pub failed: Option<String>,
    /// What the plan takes.
    pub totals: Totals,
    /// What it really took; only where something was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub taken: Option<Measured>,
}

/// The same for a script.
fn finish_json(summary: Summary, output: &Console) -> ExitCode {
    let failed = summary.failure.as_ref().map(|(step, error)| (step, error.code(), error.exit()));
    let outcome = match failed {
        None => "done",
        Some((_, _, Exit::Resume)) => "paused",
        Some((_, "AITK-X01", _)) => "interrupted",
        Some(_) => "failed",
    };
    let data = RunReport {
        outcome,
        seconds: Some(summary.seconds),
        steps: summary.outcomes.clone(),
        failed: failed.map(|(step, ..)| step.clone()),
        totals: summary.plan.totals,
        taken: Some(summary.taken),
    };
    let mut diagnostics: Vec<_> = summary.plan.warnings.iter().map(Diagnostic::from).collect();
    diagnostics.extend(summary.failure.as_ref().map(|(_, error)| Diagnostic {
        code: error.code().to_owned(),
        severity: if error.exit() == Exit::Resume { "info" } else { "error" },
        message: error.message(),
        hint: error.hint(),
    }));
    output.result(&data, diagnostics, Message::default);
    ExitCode::from(summary.failure.map_or(0, |(_, error)| error.exit() as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_shown_as_the_rules_of_sudo_take_them() {
        let only = |programs: &[&str]| Privilege {
            only: programs.iter().map(|program| (*program).to_owned()).collect(),
            ..Privilege::default()
        };
        let limited = only(&["/usr/bin/apt-get", "/usr/bin/dpkg"]);
        let shown = |command: &str| permitted(command.to_owned(), &limited);
        let install = "sudo --preserve-env=http_proxy env DEBIAN_FRONTEND=noninteractive apt-get -y install git";
        assert_eq!(shown(install), "sudo apt-get -y install git");
        assert_eq!(shown("sudo dpkg --configure -a"), "sudo dpkg --configure -a");
        // What the rules do not name is for somebody else to type, as it is.
        let docker = "sudo env A=1 usermod -aG docker ann";
        assert_eq!(shown(docker), docker);
        assert_eq!(shown("apt-get update"), "apt-get update");
        assert_eq!(permitted(install.to_owned(), &only(&[])), install);
    }
}
