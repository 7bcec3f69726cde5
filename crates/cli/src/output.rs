//! How things look: plain words for people, one JSON object for scripts.

use std::process::ExitCode;

use aitk_detect::Note;
use aitk_plan::Warning;
use aitk_system::{Explain, stdout_width};
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::args::Common;
use crate::words::said;

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const CARE: Style = AnsiColor::Yellow.on_default();
pub const HEAD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();

/// A text in a style.
pub fn styled(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// One entry of `diagnostics`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    pub code: String,
    pub severity: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl From<&Note> for Diagnostic {
    fn from(note: &Note) -> Self {
        Self {
            code: note.code.clone(),
            severity: "info",
            message: note.message.clone(),
            hint: note.hint.clone(),
        }
    }
}

impl From<&Warning> for Diagnostic {
    fn from(warning: &Warning) -> Self {
        Self {
            code: warning.code.clone(),
            severity: "warning",
            message: warning.message.clone(),
            hint: warning.hint.clone(),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
pub struct Envelope<'a, T> {
    pub schema: u32,
    pub kind: &'a str,
    pub data: T,
    pub diagnostics: Vec<Diagnostic>,
}

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    pub json: bool,
    pub verbose: u8,
    pub quiet: bool,
}

impl Output {
    pub fn new(common: &Common) -> Self {
        Self { json: common.json, verbose: common.verbose, quiet: common.quiet }
    }

    /// Prints a result: as JSON where that is asked for, else as the text, in the person's language.
    pub fn result<T: Serialize>(
        &self,
        kind: &str,
        data: &T,
        diagnostics: Vec<Diagnostic>,
        text: impl FnOnce() -> String,
    ) {
        if self.json {
            let envelope = Envelope { schema: 1, kind, data, diagnostics };
            anstream::println!("{}", serde_json::to_string_pretty(&envelope).unwrap_or_default());
        } else if !self.quiet {
            anstream::println!("{}", said(text()).trim_end());
        }
    }

    /// Says something that is no result, in the person's language, on standard error.
    pub fn say(&self, text: impl AsRef<str>) {
        if !self.quiet {
            anstream::eprintln!("{}", said(text));
        }
    }

    /// Warnings, for people: in JSON they stand among the diagnostics.
    pub fn warn(&self, warnings: &[Warning]) {
        if self.json {
            return;
        }
        for warning in warnings {
            self.say(format!("{} {}", styled(CARE, "!"), said(&warning.message)));
            if let Some(hint) = &warning.hint {
                self.say(indented(&said(hint), "  "));
            }
        }
    }

    /// Prints what went wrong, and gives the exit code.
    pub fn fail(&self, error: &dyn Explain) -> ExitCode {
        if self.json {
            let diagnostic = Diagnostic {
                code: error.code().to_owned(),
                severity: "error",
                message: error.to_string(),
                hint: error.hint(),
            };
            let envelope =
                Envelope { schema: 1, kind: "error", data: (), diagnostics: vec![diagnostic] };
            anstream::println!("{}", serde_json::to_string_pretty(&envelope).unwrap_or_default());
        } else {
            print_error(error);
        }
        ExitCode::from(error.exit() as u8)
    }
}

/// An error: its code, what happened, what to do.
pub fn print_error(error: &dyn Explain) {
    // The code stands in front: what is behind it is often a command to be copied.
    let code = styled(BAD, said(format!("error[{}]:", error.code())));
    anstream::eprintln!("{code} {}", said(error.to_string()));
    if let Some(hint) = error.hint() {
        let hint = format!("{} {}", styled(HEAD, said("what to do:")), said(hint));
        anstream::eprintln!("{}", indented(&hint, "  "));
    }
}

/// Every line of a text, indented.
pub fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{by}{line}")).collect::<Vec<_>>().join("\n")
}

/// A page is no wider than this, however wide the terminal is: longer lines are hard to read.
const WIDEST_PAGE: usize = 100;
/// Nor is it narrower than this, however narrow the terminal.
const NARROWEST_PAGE: usize = 30;

/// How many columns a page for people has.
pub fn page_width() -> usize {
    stdout_width().unwrap_or(WIDEST_PAGE).clamp(NARROWEST_PAGE, WIDEST_PAGE)
}

/// Lines of this width, broken at spaces only: a path or an option that is cut at its hyphens cannot be copied.
pub fn wrapping<'a>(width: usize, first: &'a str, rest: &'a str) -> textwrap::Options<'a> {
    textwrap::Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
}
