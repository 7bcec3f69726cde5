//! `aitk plan`

use std::process::ExitCode;

use aitk_plan::{Bytes, Guard, GuardKind, Locks, Phase, Plan, Project, Status, Step, Write};
use aitk_system::{Deny, Message, ToMessage, message};

use crate::args::{self, Common};
use crate::config;
use crate::error::{CliError, HostedError};
use crate::output::{
    self, BAD, CARE, Console, DIM, Diagnostic, GOOD, HEAD, indented, one_line, page_width, styled,
    wrapping,
};
use crate::places;
use crate::progress::Progress;
use crate::saved;
use crate::session::{Ask, Local, Session, locked};
use crate::sources;
use crate::words::{said, worded};

/// How wide a page is, without its indentation.
const WIDTH: usize = 94;

pub fn run(
    local: &Local,
    common: &Common,
    args: &args::PlanArgs,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?.meant(&args.choices, args.push)?;
    if args.output.is_some() && !session.is_remembered() {
        let (flag, with) = ("--output".to_owned(), message!("hosted notebooks"));
        return Err(HostedError::DoesNotGo { flag, with }.into());
    }
    let asked = session.asked(&args.choices)?;
    let lock = locked(&session, &asked.request)?;
    let ask = if args.no_resolve { Ask::Nobody } else { Ask::Sources };
    let (prepared, mut plan) = session.prepare(asked, lock.as_ref(), ask)?;
    let system = Deny(std::sync::Arc::clone(&session.system));
    let progress = Progress::new(common.progress, output);
    let spinner = progress.spinner(message!("asking the package sources …"));
    // A plan that is saved is made from the lock that is saved with it, as it will be made again from there.
    let lock = match (lock, &args.output) {
        (None, Some(path)) if !args.no_resolve => {
            let ahead = aitk_exec::lock_ahead(&prepared.context(&system, None), &plan)?;
            let text = ahead.map(|locks| locks.to_text()).transpose()?;
            let machine = &session.machine;
            let read = |text: String| {
                let arch = Some(machine.arch.as_str());
                Ok::<_, CliError>(Locks::parse(&text, path, plan.manager, arch)?.here(machine))
            };
            text.map(read).transpose()?
        }
        (lock, _) => lock,
    };
    let context = prepared.context(&system, lock.as_ref());
    aitk_exec::survey(&context, &mut plan, !args.no_resolve)?;
    // A lock that was just made here leads nowhere else.
    if prepared.request.locked.is_some()
        && !args.no_resolve
        && let Some(warning) = sources::warning(&aitk_exec::foreign_origins(&context, &plan))
    {
        plan.warn(warning);
    }
    if session.is_local {
        let own = config::warning(&**local, &session.machine.folders).into_iter();
        let own = own.chain(places::closed(&**local, &session.machine.folders));
        own.for_each(|own| plan.warn(own));
    }
    drop(spinner);
    if let Some(path) = &args.output {
        let text = saved::text(&plan, lock.as_ref(), !args.no_resolve)?;
        local.write(path, text.as_bytes(), 0o644).map_err(CliError::io(path))?;
    }
    let diagnostics = plan.warnings.iter().map(Diagnostic::from).collect();
    output.result(&plan, diagnostics, || show(&plan, output.verbose > 0));
    output.warn(&plan.warnings);
    if let (Some(path), false) = (&args.output, output.json) {
        output.say(message!("saved; carry it out with `aitk apply {}`", path.display()));
    }
    let pending = args.detailed_exitcode && plan.pending();
    Ok(ExitCode::from(if pending { 2 } else { 0 }))
}

/// The plan for people.
pub fn show(plan: &Plan, verbose: bool) -> String {
    let mut text = plan.project.as_ref().map_or_else(String::new, show_project);
    let mut phase: Option<Phase> = None;
    for step in &plan.steps {
        if phase != Some(step.phase) {
            phase = Some(step.phase);
            text += &format!("\n{}\n", styled(HEAD, said(step.phase)));
        }
        text += &show_step(step, verbose);
    }
    let left = plan.steps.iter().filter(|step| step.status == Status::Blocked).count();
    text += "\n";
    if left > 0 {
        text += &said(message!(
            "{} of {} steps cannot be done here\n",
            styled(BAD, left),
            plan.steps.len()
        ));
    }
    if plan.totals.steps > 0 {
        text += &said(message!("To do: {}\n", plan.totals));
    } else if left == 0 {
        text += &said(message!("Nothing to do: everything is as it should be.\n"));
    }
    if verbose && !plan.grounds.is_empty() {
        text += &format!("\n{}\n", styled(HEAD, said(message!("Decided by:"))));
        let told = |ground: &aitk_plan::Ground| {
            listed(&format!("{}: {}, {}", ground.row, ground.source, ground.as_of))
        };
        text += &plan.grounds.iter().map(told).collect::<String>();
    }
    text
}

/// What a project is, and what it costs: the sum first, for it comes every month.
fn show_project(project: &Project) -> String {
    let heading = message!("Project `{}` in {}", project.platform, project.folder);
    let mut text = format!("\n{}\n", styled(HEAD, one_line(said(heading))));
    text += &project.notes.iter().map(note).collect::<String>();
    let by_hand = project.next.iter().filter(|deed| deed.command.is_empty());
    text += &by_hand.map(|deed| note(worded(&deed.what))).collect::<String>();
    let total = project.monthly().map(|monthly| match project.costs.iter().all(|cost| cost.monthly.is_some()) {
        true => message!(
            "what it starts in a cloud, once you start it, costs about {monthly:.2} US dollars a month; aitk starts nothing"
        ),
        false => message!(
            "what it starts in a cloud, once you start it, costs {monthly:.2} US dollars a month and more; aitk starts nothing"
        ),
    });
    let unknown = || {
        message!(
            "what it starts in a cloud, once you start it, costs money, and nobody here knows how much; aitk starts nothing"
        )
    };
    let total = total.or_else(|| (!project.costs.is_empty()).then(unknown));
    text += &total.map(note).unwrap_or_default();
    for cost in &project.costs {
        let when = [Message::plain(&cost.as_of), Message::plain(worded(&cost.source))];
        let (id, when) = (&cost.id, Message::list(when));
        text += &note(match (cost.monthly, cost.always_on) {
            (Some(price), true) => {
                message!("{id}: {price:.2}, also where nobody uses it ({when})")
            }
            (Some(price), false) => message!("{id}: {price:.2}, while it is used ({when})"),
            (None, _) => message!("{id}: its price is not known here ({when})"),
        });
    }
    text + &project.guards.iter().map(|guard| note(guard_message(guard))).collect::<String>()
}

/// What guards the money of a project.
fn guard_message(guard: &Guard) -> Message {
    let what = worded(&guard.what);
    match guard.kind {
        GuardKind::Alarm => message!("alarm, before anything that costs: {what}"),
        GuardKind::End => message!("end: {what}"),
        GuardKind::Idle => message!("while nobody uses it: {what}"),
    }
}

fn show_step(step: &Step, verbose: bool) -> String {
    let title = one_line(said(&step.title));
    let (mark, title) = match step.status {
        Status::Done => (styled(GOOD, "✓"), styled(DIM, title)),
        Status::Needed => (styled(CARE, "+"), title),
        Status::Blocked => (styled(BAD, "✗"), title),
        Status::Skipped => (styled(DIM, "-"), styled(DIM, title)),
    };
    let mut text = format!("  {mark} {title}");
    if step.status == Status::Needed {
        text += &styled(DIM, costs(step));
    }
    text += "\n";
    match step.status {
        Status::Done => return text,
        Status::Skipped => {
            text += &note(step.why.last().cloned().unwrap_or_default());
            let remedy = step.remedy.as_ref().map(|remedy| note(arrow(remedy)));
            return text + &remedy.unwrap_or_default();
        }
        Status::Blocked => {
            for why in step.why.iter().skip(1) {
                text += &note(why);
            }
            if let Some(remedy) = &step.remedy {
                text += &note(arrow(remedy));
            }
            return text + &commands(step, true) + &writes(step);
        }
        Status::Needed => {}
    }
    text += &note(Message::list(step.why.iter().cloned()));
    if verbose {
        for package in &step.packages {
            let size = package.size.map(|size| said(Bytes(size))).unwrap_or_default();
            let build = package.build.as_ref().map(|build| format!(" {build}")).unwrap_or_default();
            let hash = package
                .sha256
                .as_deref()
                .map(|hash| format!("  sha256:{hash}"))
                .unwrap_or_default();
            text += &listed(&format!("{} {}{build}  {size}{hash}", package.name, package.version));
        }
    } else if !step.packages.is_empty() {
        text += &listed(&names(step));
    }
    text + &commands(step, verbose || step.root) + &writes(step)
}

/// The names of a step's packages. What root does is shown whole; of the rest the first ones.
fn names(step: &Step) -> String {
    const SHOWN: usize = 6;
    let names: Vec<_> = step.packages.iter().map(|package| package.name.as_str()).collect();
    let more = names.len().saturating_sub(SHOWN);
    if step.root || more == 0 {
        return names.join(", ");
    }
    format!("{}{}", names[..SHOWN].join(", "), said(message!(" and {more} more")))
}

/// What root writes, whole.
fn writes(step: &Step) -> String {
    let write = |write: &Write| {
        let name = listed(&format!("{}:", write.path));
        match &write.later {
            Some(later) => name + &styled(DIM, indented(&one_line(said(later)), "        ")) + "\n",
            None => name + &output::quoted(write.content.trim_end_matches('\n'), "        | "),
        }
    };
    step.writes.iter().map(write).collect()
}

/// The commands of a step; long ones are cut unless all is asked for.
fn commands(step: &Step, verbose: bool) -> String {
    let line = |command: &Message| {
        // Not all are commands of a shell: some say what aitk itself will do.
        let command = said(command);
        let whole = verbose || command.chars().count() <= WIDTH;
        let shown: String =
            command.chars().take(if whole { usize::MAX } else { WIDTH - 2 }).collect();
        let line = format!("      {} {shown}", styled(DIM, "$"));
        if whole { output::whole(line) + "\n" } else { line + " …\n" }
    };
    const SHOWN: usize = 12;
    let more = step.commands.len().saturating_sub(SHOWN);
    if verbose || more == 0 {
        return step.commands.iter().map(line).collect();
    }
    let shown = step.commands.iter().take(SHOWN - 2).map(line).collect::<String>();
    shown + &listed(&said(message!("and {} more, which -v shows", more + 2)))
}

/// A message below a step, on lines of the page.
fn note(text: impl ToMessage) -> String {
    listed(&said(text))
}

/// What can be done about it.
fn arrow(remedy: &Message) -> Message {
    Message::parts([Message::plain("→ "), remedy.clone()])
}

/// The same for names, which are in no language.
fn listed(text: &str) -> String {
    let width = WIDTH.min(page_width().saturating_sub(6));
    let wrapped = textwrap::fill(&one_line(text), wrapping(width, "", ""));
    styled(DIM, indented(&wrapped, "      ")) + "\n"
}

/// `  14 MB to download, 55 MB on disk, as root`.
fn costs(step: &Step) -> String {
    let mut parts = Vec::new();
    if let Some(download) = step.download.filter(|bytes| *bytes > 0) {
        parts.push(message!("{} to download", Bytes(download).about(step.estimated)));
    }
    if let Some(disk) = step.disk.filter(|bytes| *bytes > 0) {
        parts.push(message!("{} on disk", Bytes(disk).about(step.estimated || step.rough)));
    }
    if step.root {
        parts.push(message!("as root"));
    }
    if parts.is_empty() { String::new() } else { format!("  {}", said(Message::commas(parts))) }
}

#[cfg(test)]
mod tests {
    use aitk_plan::Package;

    use super::*;

    #[test]
    fn what_root_does_is_never_shortened() {
        let numbered = |what: &str| -> Vec<String> {
            (0..60).map(|number| format!("{what}{number:02}")).collect()
        };
        let (names, lines) = (numbered("package-"), numbered("line "));
        let command = format!("sudo apt-get install -- {}", names.join(" "));
        let package = |name: &String| Package { name: name.clone(), ..Package::default() };
        let step = |root, status| Step {
            id: "system.tools".to_owned(),
            phase: Phase::System,
            title: "Install the tools".into(),
            action: aitk_plan::step::AptUpgrade {}.into(),
            status,
            why: vec!["w".into()],
            remedy: None,
            needs: Vec::new(),
            root,
            commands: vec![command.as_str().into()],
            writes: vec![Write {
                path: "/etc/one".to_owned(),
                content: lines.join("\n"),
                later: None,
            }],
            packages: names.iter().map(package).collect(),
            removes: Vec::new(),
            download: None,
            disk: None,
            rough: false,
            files: None,
            estimated: false,
        };
        for status in [Status::Needed, Status::Blocked] {
            let shown = show_step(&step(true, status), false);
            assert!(shown.contains(&command), "{shown}");
            assert!(lines.iter().all(|line| shown.contains(&format!("| {line}"))), "{shown}");
            let listed = shown.replace(&command, "");
            let all = status == Status::Blocked || names.iter().all(|name| listed.contains(name));
            assert!(all, "{shown}");
        }
        let shown = show_step(&step(false, Status::Needed), false);
        assert!(!shown.contains(&command) && shown.contains("and 54 more"), "{shown}");
    }
}
