//! The tools of those who read such files judge a project.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_env::{backend, file_hash};
use aitk_export::{Judge, Level};
use aitk_plan::step::Judges;
use aitk_plan::{
    EnvironmentRequest, JudgeTool, LayerRequest, LayerRole, Manager, Plan, Project, Step, digest_of,
};
use aitk_system::{Command, DEFAULT_PATH, Message, message};

use super::check::proven;
use super::{CheckOutcome, Ensure, Exact, ReceiptEntry, Work, may_download};
use crate::context::Context;
use crate::error::ExecError;
use crate::project::ProjectRecord;
use crate::report::{Event, Incoming};

/// How long one may take on a slow machine.
const LIMIT: Duration = Duration::from_secs(1800);
/// What an environment of a tool's is called where one is asked for.
const LAYER: &str = "judge";
/// Stands in such an environment once it is whole.
const WHOLE: &str = ".whole";
/// A wheel is about a third of what it takes unpacked.
const UNPACKED: u64 = 3;

/// A tool with the files that it judges.
struct JudgeRun<'a> {
    tool: &'static JudgeTool,
    judge: &'a Judge,
}

fn missing() -> ExecError {
    ExecError::StillMissing { reason: message!("the plan has no project") }
}

fn cases<'a>(
    judges: &Judges,
    cx: &Context<'a>,
    plan: &Plan,
) -> Result<Vec<JudgeRun<'a>>, ExecError> {
    let project: &Project = plan.project.as_ref().ok_or_else(missing)?;
    let level = if judges.prove { Level::Prove } else { Level::Check };
    let rows = cx.targets.ok_or_else(missing)?.judges(project, level)?;
    let case = |judge: &'a Judge| {
        let tool = JudgeTool::named(&judge.tool).ok_or_else(|| ExecError::StillMissing {
            reason: message!("there is no judge `{}`", judge.tool),
        })?;
        Ok(JudgeRun { tool, judge })
    };
    rows.into_iter().map(case).collect()
}

/// What a success would prove: these tools, on the files as they stand.
fn claim(judges: &Judges, cx: &Context<'_>, plan: &Plan) -> Result<Option<String>, ExecError> {
    let folder = Path::new(&judges.folder);
    let Some(record) = ProjectRecord::read(folder, cx.system)? else { return Ok(None) };
    let files = record.file.iter().map(|file| file_hash(&folder.join(&file.path), cx.system));
    let cases = cases(judges, cx, plan)?;
    let tools: Vec<_> = cases.iter().map(|case| (case.tool, &case.judge.files)).collect();
    Ok(Some(digest_of(&(tools, files.collect::<Vec<_>>()))))
}

impl JudgeRun<'_> {
    /// What is missing of it here: the packages of the system that bring it.
    fn lacks(&self, cx: &Context<'_>) -> Option<Message> {
        let absent =
            self.tool.packages.is_empty() && cx.system.which(self.tool.program()).is_none();
        let packages = self.tool.apt.join(" ");
        absent.then(|| {
            message!("{} is not here: `sudo apt-get install {packages}` brings it", self.tool.name)
        })
    }

    fn root(&self, cx: &Context<'_>, plan: &Plan) -> Option<PathBuf> {
        let python = plan.environment().and_then(|wanted| wanted.request.python.clone());
        let name = digest_of(&(&self.tool.packages, python));
        (!self.tool.packages.is_empty()).then(|| cx.settings.cache.join("judges").join(&name[..16]))
    }

    /// Its environment, built where it is not there.
    fn ready(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Option<PathBuf>, ExecError> {
        let Some(root) = self.root(cx, work.plan) else { return Ok(None) };
        if cx.system.exists(root.join(WHOLE)) {
            return Ok(Some(root));
        }
        let wanted = &work.plan.environment().ok_or_else(missing)?.request;
        let own = proven(cx, work.plan).map(|there| there.prefix.join("bin/python"));
        let own = own.map(|path| path.to_string_lossy().into_owned());
        let layer = LayerRequest {
            step: LAYER.to_owned(),
            role: LayerRole::Libraries,
            requirements: self.tool.packages.clone(),
        };
        let request = EnvironmentRequest {
            manager: Manager::Venv,
            python: wanted.python.clone(),
            interpreter: wanted.interpreter.clone().or(own),
            layers: vec![layer],
            exclude_newer: wanted.exclude_newer.clone(),
            ..EnvironmentRequest::default()
        };
        let (venv, site) = (backend(Manager::Venv), cx.site(&work.log));
        let lock = venv.resolve(&site, &request)?;
        let packages: Vec<_> = lock.packages().collect();
        let total = packages.iter().filter_map(|locked| locked.package.size).sum();
        let incoming = Incoming::new(&work.step.id, total, work.reporter);
        if may_download(cx, &message!("download {} packages", packages.len()))? {
            venv.fetch(cx.settings, &packages, &incoming)?;
        }
        venv.create(&site, &self.tool.name, &request, &root, cx.system.exists(&root))?;
        venv.install(&site, &root, &lock, LAYER)?;
        let whole = root.join(WHOLE);
        cx.system.write(&whole, b"", 0o600).map_err(ExecError::io(&whole))?;
        Ok(Some(root))
    }

    /// Judges; what it finds is the error's text.
    fn judge(
        &self,
        cx: &Context<'_>,
        folder: &str,
        root: Option<&Path>,
        log: &Path,
    ) -> Result<Option<Message>, ExecError> {
        let own = root.map(|root| format!("{}:", root.join("bin").display())).unwrap_or_default();
        let there = |file: &&String| cx.system.exists(Path::new(folder).join(file));
        let files: Vec<_> = self.judge.files.iter().filter(there).cloned().collect();
        for words in self.tool.commands(&files) {
            // Some of the system's are programs of administrators, who need not run them.
            let command = Command::reads(["env", "-C", folder])
                .args(words)
                .env("PATH", format!("{own}{DEFAULT_PATH}:/usr/sbin:/sbin"))
                .timeout(LIMIT)
                .log(log);
            let output = cx.system.run(&command)?;
            if !output.success() {
                let said = Message::plain(output.tail(12));
                return Ok(Some(Message::about(format!("  {}", self.tool.name), said)));
            }
        }
        Ok(None)
    }
}

impl Ensure for Judges {
    fn verified(&self, _: &Context<'_>, _: &Plan, _: &Step) -> Message {
        message!("the project in {} was judged as it stands", self.folder)
    }

    fn check(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<CheckOutcome, ExecError> {
        let claim = claim(self, cx, plan)?;
        let proven = cx.memo().receipt.proofs.get(&step.id).cloned();
        Ok(match claim.is_some() && claim == proven {
            true => CheckOutcome::Holds,
            false => {
                CheckOutcome::missing(message!("the project has not been judged as it stands"))
            }
        })
    }

    fn resolve(&self, cx: &Context<'_>, plan: &Plan, step: &Step) -> Result<Exact, ExecError> {
        let mut step = step.clone();
        let mut built = std::collections::BTreeSet::new();
        let (mut disk, mut commands) = (0, Vec::new());
        for case in cases(self, cx, plan)? {
            let (name, seconds) = (&case.tool.name, case.tool.seconds);
            commands.push(match case.lacks(cx) {
                Some(lacks) => lacks,
                None => {
                    message!("judge {} by {name}, about {seconds} s", case.judge.files.join(", "))
                }
            });
            if let Some(root) = case.root(cx, plan)
                && !cx.system.exists(root.join(WHOLE))
                && built.insert(root)
            {
                disk += case.tool.megabytes * 1_000_000;
            }
        }
        step.commands = commands;
        (step.disk, step.download) = (Some(disk), Some(disk / UNPACKED));
        (step.estimated, step.rough) = (disk > 0, disk > 0);
        Ok(Exact::one(step))
    }

    fn apply(&self, cx: &Context<'_>, work: &Work<'_>) -> Result<Vec<ReceiptEntry>, ExecError> {
        if cx.dry {
            return Ok(Vec::new());
        }
        let mut findings = Vec::new();
        for case in cases(self, cx, work.plan)? {
            if let Some(lacks) = case.lacks(cx) {
                work.reporter.event(&Event::Message { step: &work.step.id, text: &lacks });
                continue;
            }
            let root = case.ready(cx, work)?;
            findings.extend(case.judge(cx, &self.folder, root.as_deref(), &work.log)?);
        }
        if !findings.is_empty() {
            let reason = Message::lines(findings);
            return Err(ExecError::CheckFailed {
                reason,
                fault: None,
                log: Some(work.log.clone()),
            });
        }
        if let Some(claim) = claim(self, cx, work.plan)? {
            cx.memo().receipt.proofs.insert(work.step.id.clone(), claim);
        }
        Ok(Vec::new())
    }
}
