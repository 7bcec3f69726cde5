//! `aitk plan` and `aitk apply` for hosted notebooks: a folder that is ready to upload. Nothing else is done here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use aitk_export::{Export, Platform, Source, Target, TargetList};
use aitk_plan::{AcceleratorChoice, Language, Manager, NO_FRAMEWORK, Package, Texts};
use aitk_system::{Message, Real, System, Told, message, quote};
use serde_json::json;

use crate::args::{self, ChoiceArgs, Common};

use crate::commands::export::resolved;
use crate::error::{CliError, HostedError};
use crate::given::One;
use crate::kaggle;
use crate::output::{CARE, DIM, GOOD, HEAD, Output, indented, page_width, styled, wrapping};
use crate::session::{Ask, Local, Session, locked, profile};
use crate::sources;
use crate::targets::targets;
use crate::words::{language, said};

/// Whether the budget is one of hosted notebooks. Where it is not, flags for these are refused.
pub fn is_meant(
    local: &Local,
    choices: &ChoiceArgs,
    flags: &[(&str, bool)],
) -> Result<bool, CliError> {
    let given = |flag| choices.given.value(flag);
    let (hosted, with) = match (given("budget"), given("profile")) {
        (None, None) => (false, message!("what was applied before")),
        (Some(budget), _) => (
            profile(&**local, budget, None)?.hosted,
            Message::plain(format_args!("--budget {budget}")),
        ),
        (None, Some(path)) => {
            let with = Message::plain(format_args!("--profile {path}"));
            (profile(&**local, "", Some(Path::new(path)))?.hosted, with)
        }
    };
    if !hosted {
        refuse(set(flags), with)?;
    }
    Ok(hosted)
}

/// `aitk plan`: what would be written.
pub fn plan(
    local: &Local,
    common: &Common,
    args: &args::Plan,
    output: &Output,
) -> Result<ExitCode, CliError> {
    let texts = Texts::told()?;
    refuse(set(&[("--output", args.output.is_some())]), message!("hosted notebooks"))?;
    let name = args.choices.given.value("platform");
    let ask = if args.no_resolve { Ask::Nobody } else { Ask::Sources };
    let made = Made::new(local, common, &args.choices, name, kaggle::owner(&Real), ask, output)?;
    let place = Place::of(None, &made);
    made.tell(&place, "write", None, &texts, output)?;
    let pending = args.detailed_exitcode && !place.is_right();
    Ok(ExitCode::from(if pending { 2 } else { 0 }))
}

/// `aitk apply`: writes the folder, and sends it where that is asked for.
pub fn apply(
    local: &Local,
    common: &Common,
    args: &args::Apply,
    output: &Output,
) -> Result<ExitCode, CliError> {
    let texts = Texts::told()?;
    refuse(set(&[("PLAN", args.plan.is_some())]), message!("hosted notebooks"))?;
    let name = args.choices.given.value("platform");
    let client = match args.push {
        true => Some(client(local, name)?),
        false => None,
    };
    let owner = client.as_ref().map(|client| client.owner.clone());
    let owner = owner.or_else(|| kaggle::owner(&Real));
    let made = Made::new(local, common, &args.choices, name, owner, Ask::Sources, output)?;
    let place = Place::of(args.choices.given.value("folder").map(Path::new), &made);
    if place.is_taken() && !args.force {
        return Err(CliError::There { path: place.path });
    }
    if args.dry_run {
        made.tell(&place, "write", None, &texts, output)?;
        return Ok(ExitCode::SUCCESS);
    }
    sources::of_lock(&made.origins, &args.accept, args.yes)?;
    for (file, _) in
        made.export.files.iter().zip(&place.states).filter(|(_, state)| **state != State::Same)
    {
        let path = place.path.join(&file.path);
        Real.write(&path, file.content.as_bytes(), 0o644).map_err(CliError::io(&path))?;
    }
    let sent = client.map(|client| client.push(&place.path)).transpose()?;
    let told = if place.is_right() { "unchanged" } else { "written" };
    made.tell(&place, told, sent.as_deref(), &texts, output)?;
    Ok(ExitCode::SUCCESS)
}

fn refuse(flags: Vec<String>, with: Message) -> Result<(), HostedError> {
    match &flags[..] {
        [] => Ok(()),
        [flag] => Err(HostedError::DoesNotGo { flag: flag.clone(), with }),
        _ => Err(HostedError::DoNotGo { flags, with }),
    }
}

/// The flags of these that were given.
fn set(flags: &[(&str, bool)]) -> Vec<String> {
    flags.iter().filter(|(_, given)| *given).map(|(flag, _)| (*flag).to_owned()).collect()
}

/// The client of a platform, with credentials that are worth a try. Whoever asks in vain is told before any work is done.
fn client(local: &Local, name: Option<&str>) -> Result<kaggle::Client, CliError> {
    let (targets, texts) = (targets(&**local)?, Texts::told()?);
    let (target, platform) = platform(&targets, name, &texts)?;
    if platform.push.as_deref() == Some("kaggle") {
        return Ok(kaggle::Client::find(&Real)?);
    }
    let instead = next(&targets, target, language(), "")?;
    let (title, instead) = (platform.title.clone(), Message::plain(instead));
    Err(HostedError::NoPush { title, instead }.into())
}

/// The platform of a name; without one, all are listed with their limits.
fn platform<'a>(
    targets: &'a TargetList,
    name: Option<&str>,
    texts: &Texts,
) -> Result<(&'a Target, &'a Platform), CliError> {
    let Some(name) = name else {
        let line = |(target, _): (&Target, &Platform)| {
            let limits = texts.get(&format!("offer.{}.limits", target.name));
            let flag = Message::plain(format!("  --platform {:11} ", target.name));
            Message::parts([flag, limits])
        };
        let list = Message::lines(targets.platforms().map(line).collect::<Vec<_>>());
        return Err(HostedError::WhichPlatform { list }.into());
    };
    Ok(targets.platform(name)?)
}

/// What a person does with the folder.
fn next(
    targets: &TargetList,
    target: &Target,
    language: Language,
    again: &str,
) -> Result<String, CliError> {
    let link = target.platform.as_ref().map_or("", |platform| &platform.link);
    let words = [("file", target.first_file()), ("again", again), ("link", link)];
    Ok(targets.said(target, language, &["next"], &words)?)
}

/// A notebook with what goes beside it.
struct Made {
    platform: Platform,
    gpu: bool,
    export: Export,
    packages: Vec<Package>,
    /// Hosts of a given lock to which none of the user's sources leads.
    origins: BTreeSet<String>,
    limits_as_of: Option<String>,
    /// The choices as they are typed.
    choices: String,
    targets: TargetList,
    target: Target,
}

impl Made {
    fn new(
        local: &Local,
        common: &Common,
        choices: &ChoiceArgs,
        name: Option<&str>,
        owner: Option<String>,
        ask: Ask,
        output: &Output,
    ) -> Result<Self, CliError> {
        // Sources may be set for all that aitk does; these would be wishes that come to nothing.
        let given = &choices.given;
        let meaningless = given.0.iter().filter(|one| one.row.is_meaningless(&one.values));
        refuse(meaningless.map(One::name).collect(), message!("hosted notebooks"))?;
        let session = Session::open(local, common)?;
        let texts = Texts::told()?;
        let targets = targets(&**local)?;
        let (target, platform) = platform(&targets, name, &texts)?;
        let (target, platform) = (target.clone(), platform.clone());
        // It is resolved for a session there, and nothing of this machine counts.
        let session = session.described(platform.machine());
        let mut asked = session.asked_anywhere(choices)?;
        let request = &mut asked.request;
        request.manager = Some(Manager::Venv);
        request.choices.framework = NO_FRAMEWORK.to_owned();
        request.choices.python = Some(platform.python.clone());
        let lock = locked(&session, request)?;
        let (prepared, plan) = session.prepare(asked, lock.as_ref(), Ask::Nobody)?;
        let request = &prepared.request;
        let gpu = request.choices.accelerator != AcceleratorChoice::Cpu;
        let gpu_word = Some(if gpu { "yes" } else { "no" }.to_owned());
        // Not every platform is told.
        let known =
            [("gpu", gpu_word), ("owner", owner)].into_iter().filter_map(|(name, value)| {
                Some((name.to_owned(), value.filter(|_| target.parameter.contains_key(name))?))
            });
        let parameters: BTreeMap<_, _> = known.collect();
        let render = |source: &Source<'_>| {
            let packages: Vec<_> = source.packages().cloned().collect();
            let source = Source { parameters, ..source.clone() };
            (targets.render(&target, &source), packages)
        };
        let mut origins = BTreeSet::new();
        let (export, packages) = match ask {
            Ask::Sources => {
                origins = sources::shown_of_lock(&prepared, &plan, lock.as_ref(), output);
                resolved(&prepared, common, plan, lock.as_ref(), output, render)?
            }
            Ask::Nobody => {
                let memory = session.profile(request)?.memory;
                let (machine, catalog) = (&session.machine, &session.catalog);
                render(&Source::unresolved(&plan, machine, catalog, language(), memory))
            }
        };
        let export = export?;
        let budget = match &request.choices.profile {
            Some(path) => format!("--profile {}", quote(path)),
            None => format!("--budget {}", request.budget),
        };
        let cpu = if gpu { "" } else { " --accelerator cpu" };
        let offer = session.catalog.offers.iter().find(|offer| offer.id == platform.name);
        Ok(Self {
            choices: format!("{budget} --platform {}{cpu}", platform.name),
            limits_as_of: offer.map(|offer| offer.as_of.clone()),
            targets,
            target,
            platform,
            gpu,
            export,
            packages,
            origins,
        })
    }

    /// Says what there is to write or was written, and what comes next.
    fn tell(
        &self,
        place: &Place,
        told: &str,
        sent: Option<&str>,
        texts: &Texts,
        output: &Output,
    ) -> Result<(), CliError> {
        let Self { platform, export, .. } = self;
        let files = export.files.iter().zip(&place.states);
        let folder = place.path.display().to_string();
        let own = Place::default_for(platform) != place.path;
        let again = if own { format!(" -o {}", quote(&folder)) } else { String::new() };
        let again = format!("{}{again}", self.choices);
        let next = |language| next(&self.targets, &self.target, language, &again);
        let (next, steps) = (next(Language::English)?, Message::plain(next(language())?));
        let limits = texts.get(&format!("offer.{}.limits", platform.name));
        let packages = self.packages.iter().map(|package| {
            json!({ "name": package.name, "version": package.version, "sha256": package.sha256 })
        });
        let data = json!({
            "platform": platform.name,
            "path": place.path,
            "files": files.clone().map(|(file, state)| json!({ "path": file.path, "state": state.word() })).collect::<Vec<_>>(),
            "changed": told == "written",
            "packages": packages.collect::<Vec<_>>(),
            "gpu": self.gpu,
            "folder": platform.folder,
            "limits": limits,
            "link": platform.link,
            "next": next,
            "command": format!("aitk apply {again}"),
            "sent": sent,
        });
        output.result("notebook", &data, Vec::new(), || {
            let count = self.packages.len().to_string();
            let words = vec![("title", platform.title.told()), ("packages", count.told())];
            let what = if count == "0" { "hosted.what_unresolved" } else { "hosted.what" };
            let paragraph = |text: Message| {
                // A link that is cut leads nowhere.
                textwrap::fill(&said(text), wrapping(page_width(), "  ", "  ").break_words(false))
                    + "\n"
            };
            let mut text = format!("{}\n", styled(HEAD, said(texts.fill(what, words))));
            text += &paragraph(texts.get(if self.gpu { "hosted.gpu" } else { "hosted.cpu" }));
            text += &paragraph(texts.fill("hosted.kept", vec![("folder", platform.folder.told())]));
            let as_of = self.limits_as_of.as_deref().unwrap_or_default();
            let words = vec![("limits", limits), ("date", as_of.told())];
            text += &paragraph(texts.fill("hosted.limits", words));
            text += &format!(
                "\n{}\n",
                said(texts.fill(&format!("hosted.{told}"), vec![("path", folder.told())]))
            );
            for (file, state) in files {
                let word = said(texts.get(&format!("hosted.{}", state.word())));
                let (style, mark) = match (told, state) {
                    ("written", _) | (_, State::Same) => (GOOD, "✓"),
                    _ => (CARE, "+"),
                };
                let word = styled(DIM, format!("({word})"));
                text += &format!("  {} {}  {word}\n", styled(style, mark), file.path);
            }
            match sent {
                Some(sent) => text += &format!("\n{}\n", indented(sent.trim(), "  ")),
                None => {
                    text += &format!("\n{}\n", styled(HEAD, said(texts.get("hosted.next"))));
                    if told == "write" {
                        text += &format!("      aitk apply {again}\n");
                    }
                    text += &paragraph(steps);
                }
            }
            text
        });
        Ok(())
    }
}

/// How a file stands to what would be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    New,
    Same,
    Differs,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Same => "same",
            Self::Differs => "differs",
        }
    }
}

/// Where the folder goes, and how each file stands there.
struct Place {
    path: PathBuf,
    states: Vec<State>,
}

impl Place {
    fn default_for(platform: &Platform) -> PathBuf {
        PathBuf::from(format!("aitk-{}", platform.name))
    }

    fn of(path: Option<&Path>, made: &Made) -> Self {
        let path = path.map_or_else(|| Self::default_for(&made.platform), Path::to_owned);
        let state = |file: &aitk_export::File| match Real.read(&path.join(&file.path)) {
            Ok(content) if content == file.content.as_bytes() => State::Same,
            Ok(_) => State::Differs,
            Err(_) => State::New,
        };
        Self { states: made.export.files.iter().map(state).collect(), path }
    }

    /// Whether everything is there already.
    fn is_right(&self) -> bool {
        self.states.iter().all(|state| *state == State::Same)
    }

    /// Whether something else stands there.
    fn is_taken(&self) -> bool {
        let is_empty = || Real.list(&self.path).is_ok_and(|names| names.is_empty());
        Real.stat(&self.path).is_ok() && !is_empty() && !self.is_right()
    }
}
