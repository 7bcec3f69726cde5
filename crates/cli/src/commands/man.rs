//! `aitk man`: the pages of the manual, from the same description as the help.

use std::process::ExitCode;

use aitk_system::message;
use clap::Command;
use clap_mangen::Man;

use crate::args::ManArgs;
use crate::error::CliError;
use crate::help::command;
use crate::output::{Console, data};
use crate::session::Local;
use crate::words::described;

/// A page.
pub struct ManPage {
    /// The name of its file, as `man` looks for it: `aitk-plan.1`.
    pub file: String,
    /// What stands in it, in roff.
    pub text: String,
}

/// Words that the maker of the pages puts into them; it has no languages.
pub const IN_PAGES: [&str; 9] = [
    ".SH NAME",
    ".SH NOTES",
    ".SH Commands",
    ".SH CHOICES",
    ".SH \"FOR EVERY COMMAND\"",
    "May also be specified with the",
    "environment variable.",
    "Possible values:",
    "[default:",
];

pub fn run(local: &Local, args: &ManArgs, output: &Console) -> Result<ExitCode, CliError> {
    if let Some(folder) = &args.output {
        let pages = pages();
        for page in &pages {
            let path = folder.join(&page.file);
            local.write(&path, page.text.as_bytes(), 0o644).map_err(CliError::io(path))?;
        }
        output.say(message!("{} pages of the manual are in {folder}.", pages.len()));
        return Ok(ExitCode::SUCCESS);
    }
    let file = match &args.command {
        Some(command) => format!("aitk-{command}.1"),
        None => "aitk.1".to_owned(),
    };
    pages().iter().filter(|page| page.file == file).for_each(|page| data(&page.text));
    Ok(ExitCode::SUCCESS)
}

/// All pages: one for the program, and one for each command.
pub fn pages() -> Vec<ManPage> {
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let commands = command.get_subcommands().cloned().collect::<Vec<_>>();
    std::iter::once(command).chain(commands).map(page).collect()
}

fn page(mut command: Command) -> ManPage {
    // All flags in one line would hide how the command is typed.
    let usage = command.render_usage().to_string();
    let usage = usage.split_once(": ").map(|(_, usage)| usage.to_owned()).unwrap_or(usage);
    let man =
        Man::new(command.override_usage(usage)).source(concat!("aitk ", env!("CARGO_PKG_VERSION")));
    let mut text = Vec::new();
    // A list of bytes takes everything.
    let _ = man.render(&mut text);
    let text = String::from_utf8_lossy(&text).replace(".SH EXTRA", ".SH NOTES");
    let text = IN_PAGES.iter().fold(text, |text, words| text.replace(words, &described(words)));
    ManPage { file: man.get_filename(), text }
}
