//! How a run shows that it is alive: bars on a terminal, else lines, or JSON.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use aitk_exec::{Consent, Event, News, Outcome, Reporter};
use aitk_plan::Bytes;
use aitk_system::{Message, ToMessage, is_terminal, message, read_line};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::ProgressChoice;
use crate::output::{self, BAD, CARE, Console, DIM, GOOD, ask, on_stderr, one_line, say, styled};
use crate::words::said;

/// How often a plain line says how far a long download is.
const PLAIN_INTERVAL: Duration = Duration::from_secs(10);
/// Amounts up to this are hundredths, not bytes.
const HUNDREDTHS: u64 = 100;

/// Shows the events of a run in the way that was asked for.
pub struct Progress {
    how: How,
    verbose: bool,
    bars: MultiProgress,
    state: Mutex<BTreeMap<String, BarState>>,
    /// Whether something is being done: looking alone is quick, and its beginnings are not worth a line.
    in_run: AtomicBool,
    /// Who is asked about news.
    asked: PriorConsent,
}

/// What was said beforehand to what only a run makes known.
#[derive(Debug, Clone, Copy, Default)]
struct PriorConsent {
    /// Nobody is to be asked.
    yes: bool,
    /// It may cost much more than the plan says.
    larger: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Bars,
    Lines,
    Json,
    Nothing,
}

struct BarState {
    title: String,
    bar: ProgressBar,
    said: Instant,
}

impl Progress {
    pub fn new(choice: ProgressChoice, output: &Console) -> Self {
        let how = match choice {
            ProgressChoice::Json => How::Json,
            ProgressChoice::None => How::Nothing,
            _ if output.quiet => How::Nothing,
            ProgressChoice::Auto if aitk_system::stderr_is_terminal() => How::Bars,
            ProgressChoice::Auto | ProgressChoice::Plain => How::Lines,
        };
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        Self {
            how,
            verbose: output.verbose > 0,
            bars,
            state: Mutex::default(),
            in_run: false.into(),
            asked: PriorConsent::default(),
        }
    }

    /// Says beforehand who is asked about what only the run makes known.
    pub fn asking(mut self, yes: bool, larger: bool) -> Self {
        self.asked = PriorConsent { yes, larger };
        self
    }

    /// Asks on the terminal, with No as the answer of whoever says nothing.
    fn ask(&self, news: &News<'_>) -> Consent {
        self.bars.suspend(|| {
            if let Some(agreed) = news.agreed {
                let question = said(message!("This is much more than was agreed to:"));
                let [before, now] = [agreed, news.now].map(|totals| said(totals.to_string()));
                say(&format!("{} {before} → {now}", styled(CARE, question)));
            }
            if !news.removes.is_empty() {
                let question = said(message!("This was not in the plan, and apt would remove it:"));
                say(&format!("{} {}", styled(CARE, question), news.removes.join(", ")));
            }
            ask(&said(message!("Go ahead with it? [y/N] ")));
            let answer = read_line().ok().flatten().unwrap_or_default().to_lowercase();
            match ["y", "yes", "j", "ja", "o", "oui"].contains(&answer.as_str()) {
                true => Consent::Yes,
                false => Consent::No,
            }
        })
    }

    /// A spinner for work before the run; dropping it removes it.
    pub fn spinner(&self, text: impl ToMessage) -> Spinner {
        let bar = match self.how {
            How::Bars => {
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_message(in_a_bar(&said(text)));
                bar.enable_steady_tick(Duration::from_millis(100));
                bar
            }
            _ => ProgressBar::hidden(),
        };
        Spinner(bar)
    }

    fn state(&self) -> MutexGuard<'_, BTreeMap<String, BarState>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, text: impl ToMessage) {
        let text = said(text);
        match self.how {
            How::Bars => self.bars.suspend(|| say(&text)),
            How::Lines => say(&text),
            How::Json | How::Nothing => {}
        }
    }

    fn started(&self, step: &str, title: &Message) {
        let title = one_line(said(title));
        let bar = if self.how == How::Bars {
            let bar = self.bars.add(ProgressBar::new_spinner());
            bar.set_style(spinner_style());
            bar.set_message(in_a_bar(&title));
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        } else {
            ProgressBar::hidden()
        };
        if self.how == How::Lines && self.in_run.load(Ordering::Relaxed) {
            self.line(format!("  {title} …"));
        }
        let state = BarState { title, bar, said: Instant::now() };
        self.state().insert(step.to_owned(), state);
    }

    /// What a step has to say. Where nothing is being done, its title would read as if it had been: what was found is told in
    /// its place.
    fn message(&self, step: &str, text: &Message) {
        match self.state().get_mut(step) {
            Some(state) if !self.in_run.load(Ordering::Relaxed) => {
                state.title = said(text).trim_end().replace('\n', "\n    ");
                return;
            }
            _ => {}
        }
        self.line(spoken(text));
    }

    fn progress(&self, step: &str, done: u64, total: u64) {
        let mut states = self.state();
        let Some(state) = states.get_mut(step) else { return };
        match self.how {
            How::Bars => {
                if total > HUNDREDTHS && done >= total {
                    // What is downloaded is now installed, which takes a moment and tells no amounts.
                    state.bar.set_style(spinner_style());
                    state.bar.unset_length();
                    return;
                }
                if state.bar.length() != Some(total) {
                    state.bar.set_style(bar_style(total));
                    state.bar.set_length(total);
                    state.bar.set_position(done);
                    // What came in ahead of the step says nothing of the rate.
                    state.bar.reset_eta();
                }
                state.bar.set_position(done);
            }
            How::Lines if state.said.elapsed() > PLAIN_INTERVAL && done < total => {
                state.said = Instant::now();
                let far = if total > HUNDREDTHS {
                    let [done, total] = [done, total].map(|bytes| said(Bytes(bytes).to_string()));
                    format!("{done}{}{total}", said(message!(" of ")))
                } else {
                    format!("{done} %")
                };
                let text = format!("  {}{}{far}", state.title, said(message!(": ")));
                drop(states);
                self.line(&text);
            }
            _ => {}
        }
    }

    fn finished(&self, step: &str, outcome: Outcome, seconds: f64) {
        let Some(state) = self.state().remove(step) else { return };
        state.bar.finish_and_clear();
        self.line(end_of(&state.title, outcome, seconds));
    }
}

/// A text as it stands in a bar, which indicatif prints as it is.
fn in_a_bar(text: &str) -> String {
    on_stderr(&one_line(text))
}

/// What a step has to say. Another program may have said it, so its lines go on further in than anything of ours stands.
fn spoken(text: &Message) -> String {
    format!("  {}", styled(DIM, said(text).trim_end().replace('\n', "\n    ")))
}

/// How a step has ended.
fn end_of(title: &str, outcome: Outcome, seconds: f64) -> String {
    let (mark, note) = match outcome {
        Outcome::Done | Outcome::AlreadyDone => (styled(GOOD, "✓"), String::new()),
        Outcome::Reported => (styled(DIM, "·"), said(message!(" (dry run)"))),
        Outcome::Paused => (styled(CARE, "·"), said(message!(" waits for you"))),
        Outcome::Failed => (styled(BAD, "✗"), said(message!(" failed"))),
        Outcome::Interrupted => (styled(CARE, "✗"), said(message!(" interrupted"))),
    };
    let time = match seconds {
        ..0.05 => String::new(),
        _ => styled(DIM, said(format!("  {seconds:.1} s"))),
    };
    format!("{mark} {title}{note}{time}")
}

fn spinner_style() -> ProgressStyle {
    style("{spinner} {wide_msg} {elapsed:.dim}")
}

fn bar_style(total: u64) -> ProgressStyle {
    if total > HUNDREDTHS {
        let left = said(message!("{{eta}} left"));
        style(&format!(
            "{{spinner}} {{msg}} {{wide_bar:.dim}} {{decimal_bytes}}/{{decimal_total_bytes}}  \
             {{decimal_bytes_per_sec}}  {left}",
        ))
    } else {
        style("{spinner} {msg} {wide_bar:.dim} {percent} %  {elapsed:.dim}")
    }
    .progress_chars("━━╌")
}

fn style(template: &str) -> ProgressStyle {
    // The templates above are fixed, and a test reads each.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Reporter for Progress {
    fn agree(&self, news: &News<'_>) -> Consent {
        let PriorConsent { yes, larger } = self.asked;
        match news.removes.is_empty() && larger {
            true => Consent::Yes,
            false if yes || !is_terminal() => Consent::Nobody,
            false => self.ask(news),
        }
    }

    fn event(&self, event: &Event<'_>) {
        if self.how == How::Json {
            output::event(event);
            return;
        }
        match event {
            Event::StepStarted { step, title, .. } => self.started(step, title),
            Event::Progress { step, done, total } => self.progress(step, *done, *total),
            Event::Message { step, text } => self.message(step, text),
            Event::Exact { detail, packages, download, disk, .. } => {
                self.line(&message!(
                    "  {}: {packages} packages, {} to download, {} on disk",
                    detail.title,
                    Bytes(*download),
                    Bytes(*disk)
                ));
                if !detail.removes.is_empty() {
                    self.line(&message!("    apt removes for it: {}", detail.removes.join(", ")));
                }
                // What root does is never shortened.
                let shown =
                    if self.verbose || detail.root { detail.packages.as_slice() } else { &[] };
                for package in shown {
                    self.line(format!("    {} {}", package.name, package.version));
                }
                for command in detail.commands.iter().filter(|_| detail.root) {
                    self.line(format!("    $ {command}"));
                }
            }
            Event::StepFinished { step, outcome, seconds } => {
                self.finished(step, *outcome, *seconds)
            }
            Event::RunStarted { .. } => self.in_run.store(true, Ordering::Relaxed),
            Event::RunFinished { .. } => {}
        }
    }
}

/// Shows that something is going on until it is dropped.
pub struct Spinner(ProgressBar);

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;

    use indicatif::TermLike;

    use super::*;
    use crate::output::tests::{HOSTILE, harmless};

    /// A terminal that keeps what is written to it.
    #[derive(Debug, Clone, Default)]
    struct Drawn(Arc<Mutex<String>>);

    impl TermLike for Drawn {
        fn width(&self) -> u16 {
            1000
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.write_str(&format!("{text}\n"))
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            *self.0.lock().unwrap() += text;
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What would stand as an error of ours at the beginning of a line.
    const FORGED: &str = "\nerror[AITK-E01]: ";

    #[test]
    fn no_bar_and_no_spinner_acts_on_a_terminal() {
        let text = Message::plain(format!("text{HOSTILE}{FORGED}{HOSTILE}"));
        let drawn = Drawn::default();
        let console = Console { json: false, verbose: 0, quiet: true };
        let mut progress = Progress::new(ProgressChoice::None, &console);
        progress.how = How::Bars;
        let target = ProgressDrawTarget::term_like(Box::new(drawn.clone()));
        progress.bars = MultiProgress::with_draw_target(target);
        let spinner = progress.spinner(&text);
        progress.started("a", &text);
        for (done, total) in [(0, 5000), (1000, 5000), (5000, 5000), (10, 50)] {
            progress.progress("a", done, total);
        }
        drop(spinner);
        let shown = drawn.0.lock().unwrap().clone();
        assert!(shown.matches("text\\u{1b}[2J").count() > 1, "{shown:?}");
        assert!(!shown.contains(FORGED), "{shown:?}");
        assert!(!shown.replace('\n', "").chars().any(aitk_system::acts), "{shown:?}");
    }

    #[test]
    fn no_line_of_a_run_acts_on_a_terminal_or_looks_like_another() {
        let said = spoken(&Message::plain(format!("text{HOSTILE}{FORGED}{HOSTILE}")));
        let ended = end_of(&one_line(format!("text{HOSTILE}{FORGED}")), Outcome::Failed, 1.0);
        for line in [said, ended] {
            let shown = harmless(&line);
            assert!(shown.contains("text\\u{1b}[2J") && shown.contains("AITK-E01"), "{shown}");
            assert!(!shown.contains(FORGED), "{shown}");
        }
    }

    #[test]
    fn the_templates_are_valid() {
        for total in [50, 5000] {
            let _ = bar_style(total);
        }
        assert!(ProgressStyle::with_template("{spinner} {wide_msg} {elapsed:.dim}").is_ok());
    }
}
