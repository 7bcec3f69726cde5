//! How things look: plain words for people, one JSON object for scripts. Everything that the program says is printed here.
//!
//! What is said holds texts from outside: names, titles, paths, what other programs printed. None of them acts on a terminal:
//! of all that is printed only line ends and the looks of [`styled`] are let through, which nobody else can make.

use std::fmt::Display;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, OnceLock};

use aitk_detect::Note;
use aitk_plan::Warning;
use aitk_system::{Explain, Message, ToMessage, acts, message, stderr_width, stdout_width};
use anstream::{AutoStream, ColorChoice};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::Common;
use crate::error::CliError;
use crate::typed::as_typed;
use crate::words::said;

/// A look, as the numbers by which a terminal knows it.
#[derive(Debug, Clone, Copy)]
pub struct Style(&'static str);

pub const GOOD: Style = Style("32");
pub const BAD: Style = Style("1;31");
pub const CARE: Style = Style("33");
pub const HEAD: Style = Style("1");
pub const DIM: Style = Style("2");

/// What begins a look, here alone. Its number is drawn anew for each run, so that no text from outside can have it.
static MARK: LazyLock<String> =
    LazyLock::new(|| format!("\u{1b}[{};", RandomState::new().hash_one("mark")));

/// What is to be copied, and so stays on one line however wide it is: a command, a line of a file.
const WHOLE: Style = Style("whole");

/// A text that stays on one line on a terminal as well.
pub fn whole(text: impl Display) -> String {
    styled(WHOLE, text)
}

/// The lines of a file as they are, each behind what tells it from ours.
pub fn quoted(text: &str, by: &str) -> String {
    text.lines().map(|line| whole(format!("{by}{line}")) + "\n").collect()
}

/// Whether a line stays as it is.
fn is_whole(line: &str) -> bool {
    let mark = styled(WHOLE, "");
    mark.split_once('m').is_some_and(|(mark, _)| line.contains(mark))
}

/// What a person reads: in their language, and with commands of aitk's as they work here. What is shown of a file stays.
fn rendered(text: impl ToMessage) -> String {
    let line = |line: &str| if is_whole(line) { line.to_owned() } else { as_typed(line) };
    said(text).split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// A text in a look.
pub fn styled(style: Style, text: impl Display) -> String {
    let (mark, Style(look)) = (&*MARK, style);
    format!("{mark}{look}m{text}{mark}0m")
}

/// A text as it may be printed: with our own looks where there are colours, and by their names the characters that act.
fn printable(text: &str, colours: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let look = rest.strip_prefix(MARK.as_str()).and_then(|behind| behind.split_once('m'));
        if let Some((look, behind)) = look {
            if colours && look != WHOLE.0 {
                shown += &format!("\u{1b}[{look}m");
            }
            rest = behind;
            continue;
        }
        match c {
            '\t' => shown.push(' '),
            '\r' if rest.starts_with("\r\n") => {}
            c if c != '\n' && acts(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    shown
}

/// A text from outside on one line, where more lines would look like ours.
pub fn one_line(text: impl Display) -> String {
    text.to_string().replace('\n', "\\n")
}

/// JSON in which nothing acts on a terminal either. Outside of its texts it has no such characters.
pub fn json(value: &impl Serialize) -> String {
    in_json(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// The same on one line.
pub fn json_line(value: &impl Serialize) -> String {
    in_json(&serde_json::to_string(value).unwrap_or_default())
}

fn in_json(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && acts(c) {
            c.encode_utf16(&mut [0; 2]).iter().for_each(|unit| shown += &format!("\\u{unit:04x}"));
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Why something that belongs on standard output is lost.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// Prints to standard output. A reader who goes away has read enough, and the command goes on to its end.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => _ = LOST.set(error),
        _ => {}
    }
}

/// Prints to standard error. Where that cannot be written there is nobody to tell.
fn eprint(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// The end of a command: it has failed where what it was to print is lost.
pub fn ended(code: ExitCode) -> ExitCode {
    let Some(error) = LOST.get() else { return code };
    let error = CliError::Lost { reason: error.to_string() };
    print_error(&error);
    ExitCode::from(error.exit() as u8)
}

/// Prints text for a person to standard output.
pub fn show(text: &str) {
    let colours = AutoStream::choice(&io::stdout()) != ColorChoice::Never;
    print(&printable(&fitting(text, stdout_width()), colours));
}

/// Prints what another program will read, byte for byte; only on a terminal is it made harmless for one.
pub fn data(text: &str) {
    if io::stdout().is_terminal() { print(&printable(text, false)) } else { print(text) }
}

/// A text whose lines fit a terminal, where there is one. What goes on in the next line begins where the line's text does: behind
/// its indentation, or in its second column. What is to be copied stays whole.
fn fitting(text: &str, width: Option<usize>) -> String {
    let Some(width) = width.map(|width| width.max(NARROWEST_PAGE)) else { return text.to_owned() };
    let fit = |line: &str| {
        if is_whole(line) || textwrap::core::display_width(line) <= width {
            return line.to_owned();
        }
        let rest = " ".repeat(column(&without_looks(line), width));
        textwrap::fill(line, wrapping(width, "", &rest).break_words(false))
    };
    text.split('\n').map(fit).collect::<Vec<_>>().join("\n")
}

/// Where the text of a line begins: behind a label and the blanks that part it from its text, where that leaves enough of the
/// line; else a little further in than the line itself.
fn column(line: &str, width: usize) -> usize {
    let indent = line.chars().take_while(|c| *c == ' ').count();
    let label = line.trim_start_matches(' ').split_once("  ");
    let behind = label.map(|(label, text)| {
        let blanks = text.chars().take_while(|c| *c == ' ').count();
        indent + label.chars().count() + 2 + blanks
    });
    let further = if indent > DEEP { 0 } else { 2 };
    behind.filter(|column| *column <= width * 2 / 5).unwrap_or(indent.min(width / 2) + further)
}

/// Whether every line of standard error is an object of JSON.
static LINES_ARE_JSON: AtomicBool = AtomicBool::new(false);

/// From now on every line of standard error is an object of JSON.
pub fn lines_are_json() {
    LINES_ARE_JSON.store(true, Ordering::Relaxed);
}

/// An event on a line of its own.
pub fn event(event: &impl Serialize) {
    eprint(&(json_line(event) + "\n"));
}

/// A text as standard error takes it.
pub fn on_stderr(text: &str) -> String {
    printable(text, AutoStream::choice(&io::stderr()) != ColorChoice::Never)
}

/// Says something on standard error, without an end of its line.
pub fn ask(text: &str) {
    if !LINES_ARE_JSON.load(Ordering::Relaxed) {
        eprint(&on_stderr(&fitting(text, stderr_width())));
        return;
    }
    let text = printable(text, false);
    if !text.trim().is_empty() {
        event(&Notice::Message { text: text.trim().to_owned() });
    }
}

/// Says something on standard error.
pub fn say(text: &str) {
    ask(&format!("{text}\n"));
}

/// Where the log goes: to standard error, and like everything else.
#[derive(Debug, Clone, Copy)]
pub struct LogWriter;

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        ask(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One entry of `diagnostics`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnostic {
    /// A stable code: `docs/diagnostics.md` explains it.
    pub code: String,
    /// `error`, `warning` or `info`.
    pub severity: &'static str,
    /// What is the matter.
    pub message: Message,
    /// What can be done.
    pub hint: Option<Message>,
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

/// What a command prints by `--json`.
pub trait Document: Serialize + JsonSchema {
    /// Its name: `docs/json/KIND.schema.json` says what it holds.
    const KIND: &'static str;
}

/// What `--json` prints, as one object.
#[derive(Serialize, JsonSchema)]
pub struct Envelope<T> {
    /// The form of this object: 1.
    pub schema: u32,
    /// What it is.
    pub kind: &'static str,
    /// What the command has to say.
    pub data: T,
    /// What one should know besides; where the command has failed, why.
    pub diagnostics: Vec<Diagnostic>,
}

/// A line of standard error by `--progress json`, beside what a run tells of its steps.
#[derive(Serialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Notice {
    /// Something is said.
    Message {
        /// In words.
        text: String,
    },
    /// Something that a person should know.
    Warning {
        /// A stable code.
        code: String,
        /// What is the matter.
        message: Message,
        /// What can be done.
        hint: Option<Message>,
    },
    /// The command has failed.
    Error {
        /// A stable code.
        code: String,
        /// What happened.
        message: Message,
        /// What to do.
        hint: Option<Message>,
    },
}

/// Where a command's results go.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    pub json: bool,
    pub verbose: u8,
    pub quiet: bool,
}

impl Console {
    pub fn new(common: &Common) -> Self {
        Self { json: common.json, verbose: common.verbose, quiet: common.quiet }
    }

    /// Prints a result: as JSON where that is asked for, else as the text, in the person's language.
    pub fn result<T: Document, M: ToMessage>(
        &self,
        data: &T,
        diagnostics: Vec<Diagnostic>,
        text: impl FnOnce() -> M,
    ) {
        if self.json {
            let envelope = Envelope { schema: 1, kind: T::KIND, data, diagnostics };
            print(&(json(&envelope) + "\n"));
        } else {
            self.page(text());
        }
    }

    /// The same, which tells of what failed although it is quiet.
    pub fn aloud(&self, failed: bool) -> Self {
        Self { quiet: self.quiet && !failed, ..*self }
    }

    /// Prints a result for people.
    pub fn page(&self, text: impl ToMessage) {
        if !self.quiet {
            show(&(rendered(text).trim_end().to_owned() + "\n"));
        }
    }

    /// Says something that is no result, in the person's language, on standard error.
    pub fn say(&self, text: impl ToMessage) {
        if !self.quiet {
            say(&rendered(text));
        }
    }

    /// Warnings, for people: in JSON they stand among the diagnostics.
    pub fn warn(&self, warnings: &[Warning]) {
        if self.json {
            return;
        }
        for warning in warnings {
            if LINES_ARE_JSON.load(Ordering::Relaxed) {
                let Warning { code, message, hint } = warning.clone();
                event(&Notice::Warning { code, message, hint });
                continue;
            }
            if !self.quiet {
                let head = message!("warning[{}]:", warning.code);
                say_with_hint(CARE, head, &warning.message, warning.hint.clone());
            }
        }
    }

    /// Something that one should know, by its code.
    pub fn note(&self, note: &Note) {
        if !self.quiet {
            say_with_hint(CARE, message!("note[{}]:", note.code), &note.message, None);
        }
    }

    /// Prints what went wrong, and gives the exit code.
    pub fn fail(&self, error: &dyn Explain) -> ExitCode {
        if self.json {
            let diagnostic = Diagnostic {
                code: error.code().to_owned(),
                severity: "error",
                message: error.message(),
                hint: error.hint(),
            };
            let envelope =
                Envelope { schema: 1, kind: "error", data: (), diagnostics: vec![diagnostic] };
            print(&(json(&envelope) + "\n"));
        } else {
            print_error(error);
        }
        ExitCode::from(error.exit() as u8)
    }
}

/// An error: its code, what happened, what to do.
pub fn print_error(error: &dyn Explain) {
    if LINES_ARE_JSON.load(Ordering::Relaxed) {
        let (message, hint) = (error.message(), error.hint());
        event(&Notice::Error { code: error.code().to_owned(), message, hint });
        return;
    }
    let head = message!("error[{}]:", error.code());
    say_with_hint(BAD, head, &error.message(), error.hint());
}

/// What an error, a warning or a note says, and what to do. Its code stands in front: what is behind it is often a command to
/// be copied.
fn say_with_hint(style: Style, head: Message, text: &Message, hint: Option<Message>) {
    say(&beside(&styled(style, said(head)), &rendered(text), "    "));
    if let Some(hint) = hint {
        let head = format!("  {}", styled(HEAD, said(message!("what to do:"))));
        say(&beside(&head, &rendered(hint), "  "));
    }
}

/// A text beside what stands in front of it, as wide as the terminal of standard error. Its lines go on further in than
/// anything of ours stands; one that stands further in itself is a command, and stays whole: it is to be copied.
fn beside(head: &str, text: &str, rest: &str) -> String {
    let text = text.trim_end();
    let Some(width) = stderr_width() else {
        return format!("{head} {}", text.replace('\n', &format!("\n{rest}")));
    };
    let width = width.clamp(NARROWEST_PAGE, WIDEST_PAGE);
    // What is wrapped has no looks in it, which would count as letters.
    let room = " ".repeat(without_looks(head).chars().count() + 1);
    let wrapped = text.lines().enumerate().map(|(number, line)| match number {
        _ if line.starts_with("  ") => format!("{rest}{}", whole(line)),
        0 => textwrap::fill(line, wrapping(width, &room, rest)),
        _ => textwrap::fill(line, wrapping(width, rest, rest)),
    });
    let wrapped = wrapped.collect::<Vec<_>>().join("\n");
    format!("{head} {}", wrapped.get(room.len()..).unwrap_or_default())
}

/// A text of ours without its looks.
fn without_looks(text: &str) -> String {
    printable(text, false)
}

/// Every line of a text, indented.
pub fn indented(text: &str, by: &str) -> String {
    text.lines().map(|line| format!("{by}{line}")).collect::<Vec<_>>().join("\n")
}

/// A page is no wider than this, however wide the terminal is: longer lines are hard to read.
const WIDEST_PAGE: usize = 100;
/// Nor is it narrower than this, however narrow the terminal.
const NARROWEST_PAGE: usize = 30;

/// What stands further in than this stands below a column of its own.
const DEEP: usize = 8;

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

/// A page of text for people, as wide as the terminal.
pub struct Page {
    pub width: usize,
    pub text: String,
}

impl Page {
    pub fn new() -> Self {
        Self { width: page_width(), text: String::new() }
    }

    /// Lines that begin so.
    pub fn wrapped(&mut self, text: impl ToMessage, first: &str, rest: &str) {
        self.text += &(textwrap::fill(&said(text), wrapping(self.width, first, rest)) + "\n");
    }

    /// What is less important.
    pub fn dim(&mut self, text: impl ToMessage, indent: &str) {
        for line in textwrap::wrap(&said(text), wrapping(self.width, indent, indent)) {
            self.text += &format!("{}\n", styled(DIM, line));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// What a stranger may write into any text.
    pub(crate) const HOSTILE: &str =
        "\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}8m\u{202e}\u{2066}\u{200b}\u{feff}\r\u{8}\u{7f}\u{0}x";

    /// What is left of a text without line ends and our own looks.
    fn lookless(text: &str) -> String {
        let looks = ["32", "1;31", "33", "1", "2", "0"].map(|look| format!("\u{1b}[{look}m"));
        looks.iter().fold(text.replace('\n', ""), |text, look| text.replace(look, ""))
    }

    /// A text as it is printed where there are no colours, once it is shown that with them nothing acts but our own looks.
    pub(crate) fn harmless(text: &str) -> String {
        let shown = printable(text, true);
        assert!(!lookless(&shown).chars().any(acts), "{shown:?}");
        printable(text, false)
    }

    #[test]
    fn of_all_that_is_printed_only_our_own_looks_act() {
        let text =
            format!("a {} {HOSTILE}\n{}", styled(GOOD, HOSTILE), styled(DIM, styled(BAD, "b")));
        let shown = printable(&text, true);
        assert!(
            shown.contains("\u{1b}[32m") && shown.contains("\u{1b}[0m\n")
                || shown.contains("\u{1b}[0m")
        );
        assert!(!lookless(&shown).chars().any(acts), "{shown:?}");
        let plain = printable(&text, false);
        assert!(!plain.replace('\n', "").chars().any(acts), "{plain:?}");
        assert!(plain.contains("\\u{1b}[2J"), "{plain:?}");
    }

    #[test]
    fn lines_fit_a_terminal_and_what_is_to_be_copied_stays_whole() {
        let command = "      pip install a-long-name another-long-name a-third-long-name";
        let text = format!(
            "  {} Install the framework  about 261 MB to download, about 1.3 GB on disk\n{}\n\n{:12} {}\nshort\n",
            styled(CARE, "+"),
            whole(command),
            "Packages",
            styled(HEAD, "two hundred and forty, and as many of the system as it came with"),
        );
        assert_eq!(fitting(&text, None), text);
        for width in [20, 40, 60] {
            let shown = printable(&fitting(&text, Some(width)), false);
            for line in shown.lines().filter(|line| *line != command) {
                assert!(line.chars().count() <= width.max(NARROWEST_PAGE), "{width}: {line:?}");
            }
            assert!(shown.contains(command) && shown.ends_with("\nshort\n"), "{shown}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&shown), words(&printable(&text, false)));
        }
        let shown = printable(&fitting(&text, Some(60)), false);
        assert!(shown.contains("\nPackages     two hundred"), "{shown}");
        assert!(shown.contains("\n             system"), "{shown}");
        assert!(shown.starts_with("  + Install the framework"), "{shown}");
        assert!(printable(&whole("x"), true) == "x\u{1b}[0m", "it has no look of its own");
    }

    #[test]
    fn nobody_else_can_make_a_look() {
        for forged in [
            "\u{1b}[32mx\u{1b}[0m",
            "\u{1b}[1;32mx",
            "\u{1b}[;m",
            "\u{1b}[18446744073709551615;2mx",
        ] {
            assert!(!printable(forged, true).contains('\u{1b}'), "{forged:?}");
        }
        assert_eq!(one_line("a\nb"), "a\\nb");
    }

    #[test]
    fn json_says_the_same_without_characters_that_act() {
        let line = json_line(&HOSTILE);
        assert!(!line.chars().any(acts), "{line:?}");
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), HOSTILE);
        assert_eq!(json(&["é", "日"]), "[\n  \"é\",\n  \"日\"\n]");
    }
}
