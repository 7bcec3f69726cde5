//! `aitk profiles`

use std::process::ExitCode;

use aitk_export::{Target, TargetList};
use aitk_plan::{Language, Phase, Profile, ProfileStep};
use aitk_system::Message;
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Profiles;
use crate::error::CliError;
use crate::output::{Console, DIM, HEAD, page_width, styled, wrapping};
use crate::session::Local;
use crate::targets::targets;
use crate::words::{language, said};

/// A budget, and what can be chosen of it.
#[derive(Serialize, JsonSchema)]
pub struct ProfileInfo<'a> {
    /// Its name, for `--budget`.
    name: &'a str,
    /// What it is, in a few words.
    title: &'a Message,
    /// What it brings.
    summary: &'a Message,
    /// What can be added, for `--with`.
    with: Vec<String>,
    /// What it ensures, in order.
    steps: Vec<ProfileStepInfo<'a>>,
    /// The platforms that it has projects or notebooks for.
    platforms: Vec<PlatformInfo<'a>>,
}

/// A step of a budget.
#[derive(Serialize, JsonSchema)]
struct ProfileStepInfo<'a> {
    id: &'a str,
    /// What it is, for people.
    title: &'a Message,
    /// Why it is there.
    why: &'a Message,
    /// What asks for it, for `--with`; null where it is always there.
    with: Option<&'a String>,
}

/// A platform, with what can be chosen of it.
#[derive(Serialize, JsonSchema)]
struct PlatformInfo<'a> {
    /// Its name, for `--platform`.
    name: &'a str,
    /// When it is the one to take.
    what: &'a str,
    /// What can be added, for `--part`.
    parts: Vec<PartInfo<'a>>,
    /// What can be set, for `--set`.
    parameters: Vec<ParameterInfo>,
}

/// A part of a project.
#[derive(Serialize, JsonSchema)]
struct PartInfo<'a> {
    name: &'a str,
    what: &'a str,
}

/// Something that can be set.
#[derive(Serialize, JsonSchema)]
struct ParameterInfo {
    name: String,
    /// What it is; empty where `one_of` says it.
    what: String,
    /// What it is where nothing is set.
    default: String,
    /// What it must look like, as a regular expression.
    pattern: Option<String>,
    /// What it is one of; empty where anything goes.
    one_of: Vec<String>,
}

pub fn run(local: &Local, args: &Profiles, output: &Console) -> Result<ExitCode, CliError> {
    let targets = targets(&**local)?;
    let profiles = match &args.name {
        Some(name) => vec![Profile::builtin(name)?],
        None => Profile::names().map(Profile::builtin).collect::<Result<_, _>>()?,
    };
    let data: Vec<_> = profiles
        .iter()
        .map(|profile| {
            let steps: Vec<_> = steps(&targets, profile)
                .map(|step| ProfileStepInfo {
                    id: &step.id,
                    title: &step.title,
                    why: &step.why,
                    with: step.with.as_ref(),
                })
                .collect();
            let platforms: Vec<_> = platforms(&targets, profile)
                .map(|target| platform_data(&targets, target))
                .collect::<Result<_, _>>()?;
            Ok(ProfileInfo {
                name: &profile.name,
                title: &profile.title,
                summary: &profile.summary,
                with: profile.options().into_iter().map(ToString::to_string).collect(),
                steps,
                platforms,
            })
        })
        .collect::<Result<_, CliError>>()?;
    let shown: Vec<String> = match &args.name {
        None => Vec::new(),
        Some(_) => platforms(&targets, &profiles[0])
            .map(|target| show_platform(&targets, target))
            .collect::<Result<_, _>>()?,
    };
    output.result(&data, Vec::new(), || {
        let one = |profile| page(profile, &targets, args.name.is_some(), &shown.concat());
        profiles.iter().map(one).collect::<String>()
    });
    Ok(ExitCode::SUCCESS)
}

/// A budget on a page, with its platforms and steps where it was asked for by name.
fn page(profile: &Profile, targets: &TargetList, whole: bool, shown: &str) -> String {
    let mut text = format!(
        "{}  {}\n    {}\n",
        styled(HEAD, &profile.name),
        said(&profile.title),
        said(&profile.summary)
    );
    if !profile.options().is_empty() {
        text += &format!("    --with {}\n", profile.options().join(", "));
    }
    let names: Vec<_> = platforms(targets, profile).map(|target| target.name.as_str()).collect();
    if !names.is_empty() && !whole {
        text += &format!("    --platform {}\n", names.join(", "));
    }
    text += shown;
    if whole {
        for step in steps(targets, profile) {
            let with = step.with.as_ref().map(|name| format!(" (--with {name})"));
            let with = with.unwrap_or_default();
            text += &format!("    {:22} {}{with}\n", step.id, said(&step.title));
            text += &format!("    {:22} {}\n", "", styled(DIM, said(&step.why)));
        }
    }
    text
}

/// The steps of a budget: those for a project only where it writes one, those for services only where one has some.
fn steps<'a>(targets: &TargetList, profile: &'a Profile) -> impl Iterator<Item = &'a ProfileStep> {
    let services = platforms(targets, profile).any(Target::has_services);
    let fits = move |step: &&ProfileStep| step.phase != Phase::Services || services;
    profile.steps.iter().filter(|step| profile.projects || !step.project).filter(fits)
}

/// The platforms of a budget.
fn platforms<'a>(
    targets: &'a TargetList,
    profile: &'a Profile,
) -> impl Iterator<Item = &'a Target> {
    targets.projects(profile.platforms_of())
}

/// A platform with what can be chosen of it.
fn platform_data<'a>(
    targets: &TargetList,
    target: &'a Target,
) -> Result<PlatformInfo<'a>, CliError> {
    let text = |path: &[&str]| target.text(Language::ENGLISH, path);
    let parts =
        target.optional.keys().map(|name| PartInfo { name, what: text(&["optional", name]) });
    let parameters = targets.declared(target)?.into_iter().map(|(name, parameter)| {
        let aitk_export::Parameter { default, pattern, one_of, .. } = parameter.clone();
        let what = targets.what_is_set(target, &name, Language::ENGLISH).to_owned();
        ParameterInfo { name, what, default, pattern, one_of }
    });
    Ok(PlatformInfo {
        name: &target.name,
        what: text(&["when"]),
        parts: parts.collect(),
        parameters: parameters.collect(),
    })
}

/// The same for people.
fn show_platform(targets: &TargetList, target: &Target) -> Result<String, CliError> {
    let text = |path: &[&str]| target.text(language(), path);
    let line = |flag: String, what: &str| {
        let below = " ".repeat(33);
        let (head, indent) = match flag.chars().count() {
            ..=24 => (String::new(), format!("        {flag:24} ")),
            _ => (format!("        {flag}\n"), below.clone()),
        };
        let what = textwrap::fill(what, wrapping(page_width(), &indent, &below));
        head + what.trim_end() + "\n"
    };
    let name = styled(HEAD, format!("--platform {}", target.name));
    let mut said = format!("\n    {name}\n");
    if !text(&["when"]).is_empty() {
        said += &textwrap::fill(text(&["when"]), wrapping(page_width(), "        ", "        "));
        said += "\n";
    }
    for name in target.optional.keys() {
        said += &line(["--part", name].join(" "), text(&["optional", name]));
    }
    for (name, parameter) in targets.declared(target)? {
        let what = match parameter.one_of.is_empty() {
            true => targets.what_is_set(target, &name, language()).to_owned(),
            false => parameter.one_of.join(", "),
        };
        said += &line(["--set ", &name, "=", &parameter.default].concat(), &what);
    }
    Ok(said + "\n")
}
