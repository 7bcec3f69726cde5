//! What is known of a project without being chosen: its folder, its parameters, what a person should know of its platform.

use std::path::Path;

use aitk_exec::ProjectRecord;
use aitk_export::{Target, TargetList};
use aitk_plan::{AcceleratorChoice, Catalog, Choices, Language, Profile, Project, Texts};
use aitk_system::{Message, System, ToMessage, message};

use crate::error::{CliError, HostedError};
use crate::given::{Given, One};
use crate::words::language;

/// Where a project goes that is not told a folder: here, where this is the folder of one.
pub fn usual_folder(
    project: &Project,
    hosted: bool,
    local: &dyn System,
) -> Result<String, CliError> {
    if ProjectRecord::read(Path::new("."), local)?.is_some() {
        return Ok(".".to_owned());
    }
    let platform = &project.platform;
    let called = || if hosted { format!("aitk-{platform}") } else { platform.clone() };
    Ok(project.parameters.get("name").cloned().unwrap_or_else(called))
}

/// What is known of a project's parameters: the language, what computes, and who the user is on the platform.
pub fn known(choices: &Choices, owner: Option<String>) -> Vec<(String, String)> {
    let own = Some(language()).filter(|own| *own != Language::ENGLISH);
    let own = own.map(|own| ("language", own.code().to_owned()));
    let gpu = match choices.accelerator {
        AcceleratorChoice::Cpu => Some(("gpu", "no".to_owned())),
        AcceleratorChoice::Cuda => Some(("gpu", "yes".to_owned())),
        _ => None,
    };
    let owner = owner.map(|owner| ("owner", owner));
    let all = own.into_iter().chain(gpu).chain(owner);
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// A project for hosted notebooks with what a person should know of the platform; it is sent only where that is asked for.
pub fn noted(
    mut project: Project,
    targets: &TargetList,
    catalog: &Catalog,
    push: bool,
) -> Result<Project, CliError> {
    project.push.take_if(|_| !push);
    let texts = Texts::english()?;
    let (_, platform) = targets.platform(&project.platform)?;
    project.notes.push(texts.fill("hosted.what", vec![("title", platform.title.to_message())]));
    if let Some(gpu) = project.parameters.get("gpu") {
        project.notes.push(texts.get(if gpu == "yes" { "hosted.gpu" } else { "hosted.cpu" }));
    }
    project.notes.push(texts.fill("hosted.kept", vec![("folder", platform.folder.to_message())]));
    if let Some(offer) = catalog.offers.iter().find(|offer| offer.id == platform.name) {
        let limits = texts.get(&format!("offer.{}.limits", offer.id));
        let words = vec![("limits", limits), ("date", offer.as_of.to_message())];
        project.notes.push(texts.fill("hosted.limits", words));
    }
    Ok(project)
}

/// The platforms of a budget, each with when to use it or what its limits are.
pub fn listed(profile: &Profile, targets: &TargetList) -> Result<Message, CliError> {
    let texts = Texts::english()?;
    let line = |target: &Target| {
        let flag = Message::plain(format!("  --platform {:12} ", target.name));
        let when = match target.text(language(), &["when"]) {
            "" => texts.get(&format!("offer.{}.limits", target.name)),
            when => Message::plain(when),
        };
        Message::parts([flag, when])
    };
    let all = targets.projects(profile.platforms_of()).map(line);
    Ok(Message::lines(all.collect::<Vec<_>>()))
}

/// Refuses what means nothing for hosted notebooks. Sources may be set for all that aitk does; these would be wishes that come
/// to nothing.
pub fn refuse_meaningless(given: &Given) -> Result<(), HostedError> {
    let meaningless = given.0.iter().filter(|one| one.row.is_meaningless(&one.values));
    let mut flags: Vec<_> = meaningless.map(One::name).collect();
    let with = message!("hosted notebooks");
    match flags.len() {
        0 => Ok(()),
        1 => Err(HostedError::DoesNotGo { flag: flags.remove(0), with }),
        _ => Err(HostedError::DoNotGo { flags, with }),
    }
}
