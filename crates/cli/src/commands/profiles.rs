//! `aitk profiles`

use aitk_system::message;
use std::process::ExitCode;

use aitk_plan::{ADVISED, Profile};
use serde_json::json;

use crate::args::Profiles;
use crate::error::CliError;
use crate::output::{DIM, HEAD, Output, styled};
use crate::words::said;

pub fn run(args: &Profiles, output: &Output) -> Result<ExitCode, CliError> {
    let profiles = match &args.name {
        Some(name) => vec![Profile::builtin(name)?],
        None => Profile::names().map(Profile::builtin).collect::<Result<_, _>>()?,
    };
    let data: Vec<_> = profiles
        .iter()
        .map(|profile| {
            let steps: Vec<_> = profile
                .steps
                .iter()
                .map(|step| json!({ "id": step.id, "title": step.title, "why": step.why, "with": step.with }))
                .collect();
            json!({ "name": profile.name, "title": profile.title, "summary": profile.summary, "with": profile.options(), "steps": steps })
        })
        .collect();
    output.result("profiles", &data, Vec::new(), || {
        let one = |profile: &Profile| {
            let mut text = format!(
                "{}  {}\n    {}\n",
                styled(HEAD, &profile.name),
                said(&profile.title),
                said(&profile.summary)
            );
            if !profile.options().is_empty() {
                text += &format!("    --with {}\n", profile.options().join(", "));
            }
            if args.name.is_some() {
                for step in &profile.steps {
                    let with = step.with.as_ref().map(|name| format!(" (--with {name})"));
                    let with = with.unwrap_or_default();
                    text += &format!("    {:22} {}{with}\n", step.id, said(&step.title));
                    text += &format!("    {:22} {}\n", "", styled(DIM, said(&step.why)));
                }
            }
            text
        };
        let advised = |(name, command): (&str, &str)| {
            said(message!("{}  no steps yet, only advice: {command}\n", styled(HEAD, name)))
        };
        let advised = ADVISED.into_iter().filter(|_| args.name.is_none()).map(advised);
        profiles.iter().map(one).chain(advised).collect::<String>()
    });
    Ok(ExitCode::SUCCESS)
}
