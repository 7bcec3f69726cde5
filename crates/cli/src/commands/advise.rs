//! `aitk advise`

use std::process::ExitCode;

use aitk_detect::Machine;
use aitk_plan::{
    Advice, Answers, Dialogue, DialogueInput, HOURS, Need, OfferInfo, OfferStatus, Per, Place,
    Question, Texts, Tree, compare, describe, price,
};
use aitk_system::{Failure, Message, ToMessage, is_terminal, message, quote, read_line};
use schemars::JsonSchema;
use serde::Serialize;

use crate::args::{Advise, Common};
use crate::commands::model::Model;
use crate::error::CliError;
use crate::output::{
    self, CARE, Console, DIM, Diagnostic, GOOD, HEAD, Page, indented, page_width, styled, whole,
    wrapping,
};
use crate::session::{Local, Session};
use crate::typed::command_as_typed;
use crate::words::{said, spoken};

/// What there is for a need.
#[derive(Serialize, JsonSchema)]
pub struct OffersReport<'a> {
    /// The leaf of the tree that the answers lead to; null where they lead to none.
    leaf: Option<&'a str>,
    /// What was asked for.
    need: Need,
    /// What there is, and what of that does not fit.
    offers: &'a [OfferInfo],
}

pub fn run(
    local: &Local,
    common: &Common,
    args: &Advise,
    output: &Console,
) -> Result<ExitCode, CliError> {
    let session = Session::open(local, common)?;
    let texts = Texts::english()?;
    let tree = Tree::builtin()?;
    let machine = &session.machine;
    let diagnostics = session.notes.iter().map(Diagnostic::from).collect();
    if let Some(billions) = args.model {
        let fits = Model::on(machine, &session.catalog.fit.weights, billions);
        output.result(&fits, diagnostics, || fits.page());
        return Ok(ExitCode::SUCCESS);
    }
    let need = Need { vram: args.vram, hours: args.hours, spend: args.spend };
    let given = given(args);
    if args.compare {
        let leaf = match tree.place(&given)?.0 {
            Place::Leaf(leaf) => Some(leaf),
            Place::Question(_) => None,
        };
        let need = leaf.map_or(need, |leaf| need.at(leaf));
        let offers = compare(&session.catalog.offers, leaf, &need, &texts, &machine.date);
        let leaf = leaf.map(|leaf| leaf.id.as_str());
        let data = OffersReport { leaf, need, offers: &offers };
        output.result(&data, diagnostics, || table(&offers, &need, &texts));
        return Ok(ExitCode::SUCCESS);
    }
    // What does not go together is said before anything is asked.
    tree.place(&given)?;
    let answers = if is_terminal() { ask(&tree, machine, &texts, given)? } else { given };
    let offers = &session.catalog.offers;
    let mut advice = aitk_plan::advise(&tree, offers, &texts, machine, &answers, &need)?;
    if let Some(path) = &common.machine {
        advice.command += &format!(" --machine {}", quote(&path.to_string_lossy()));
    }
    output.result(&advice, diagnostics, || page(&advice, &texts, output.verbose > 0));
    Ok(ExitCode::SUCCESS)
}

/// The answers that flags give.
fn given(args: &Advise) -> Answers {
    let flags =
        [("goal", &args.goal), ("local", &args.local), ("team", &args.team), ("data", &args.data)];
    let given = |(question, answer): (&str, &Option<String>)| {
        answer.as_ref().map(|answer| (question.to_owned(), answer.clone()))
    };
    flags.into_iter().filter_map(given).collect()
}

/// Asks a person what the flags leave open.
fn ask(tree: &Tree, machine: &Machine, texts: &Texts, given: Answers) -> Result<Answers, CliError> {
    let mut dialogue = Dialogue::new(tree, machine, (texts, spoken()), given);
    while let Some(question) = dialogue.question()? {
        output::ask(&put(question, machine, texts));
        loop {
            output::ask("> ");
            let line = read_line().map_err(CliError::io_of(message!("the terminal")))?;
            match dialogue.hear(question, &line.ok_or(Failure::Interrupted)?) {
                DialogueInput::Answer | DialogueInput::Back => break,
                DialogueInput::Explain => {
                    say(texts.get(&format!("question.{}.explain", question.id)));
                }
                DialogueInput::First => say(texts.get("word.first")),
                DialogueInput::Unknown => say(texts.get("word.unknown")),
            }
        }
        output::say("");
    }
    Ok(dialogue.answers())
}

fn say(text: Message) {
    output::say(&textwrap::fill(&said(text), wrapping(page_width(), "  ", "  ")));
}

/// A question with its answers, the default marked.
fn put(question: &Question, machine: &Machine, texts: &Texts) -> String {
    let get = |answer: &str| texts.get(&format!("question.{}.{answer}", question.id));
    let says = |answer: &str| said(get(answer));
    let default = question.default_on(machine);
    let mut text = format!("{}\n", styled(HEAD, says("ask")));
    if question.machine.is_some() {
        text += &format!("  {}\n", styled(DIM, said(describe(machine, texts))));
    }
    for (number, answer) in question.choices().iter().enumerate() {
        let sign = if answer == default { styled(GOOD, "*") } else { " ".to_owned() };
        text += &format!("{sign} {}  {}\n", number + 1, says(answer));
    }
    let help = said(texts.fill("word.ask_help", vec![("default", get(default))]));
    text + &format!("  {}\n", styled(DIM, help))
}

impl Page {
    fn head(&mut self, text: impl ToMessage) {
        self.text += &format!("\n{}\n", styled(HEAD, said(text)));
    }

    /// An offer, with all that is known of it where that is asked for.
    fn offer(&mut self, offer: &OfferInfo, texts: &Texts, verbose: bool) {
        let marks = marks(offer, texts);
        let marks = if marks.is_empty() { marks } else { format!(" ({marks})") };
        self.wrapped(format!("{}{marks} – {}", named(offer), said(&offer.price)), "  • ", "    ");
        if !verbose {
            return;
        }
        self.dim(&offer.gives, "    ");
        self.dim(&offer.limits, "    ");
        self.dim(format!("{}, {}", offer.link, offer.as_of), "    ");
    }
}

/// What one should know of a row before one relies on it.
fn marks(offer: &OfferInfo, texts: &Texts) -> String {
    let status = match offer.status {
        OfferStatus::Alive => None,
        OfferStatus::Renamed => Some("status.renamed"),
        OfferStatus::Uncertain => Some("status.uncertain"),
        OfferStatus::Retired => Some("status.retired"),
    };
    let status = status.map(|key| said(texts.get(key)));
    let doubts = Some(doubts(offer.sure, offer.stale, texts)).filter(|doubts| !doubts.is_empty());
    [status, doubts].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What makes one doubt a price.
fn doubts(sure: bool, stale: bool, texts: &Texts) -> String {
    let unsure = (!sure).then(|| said(texts.get("word.unsure")));
    let stale = stale.then(|| said(texts.get("word.stale")));
    [unsure, stale].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// As many offers are named on the first screen.
const SHORT: usize = 3;

/// The advice on a page: the answer first, and what is typed next. What is behind it, sources and what was set aside are said where
/// more is asked for.
fn page(advice: &Advice, texts: &Texts, verbose: bool) -> String {
    let mut page = Page::new();
    let heading = |name: &str| texts.get(&format!("heading.{name}"));
    let budget = said(texts.fill("word.budget", vec![("budget", Message::plain(&advice.budget))]));
    let (title, budget) = (styled(GOOD, said(&advice.title)), styled(DIM, format!("({budget})")));
    page.wrapped(format!("{title}  {budget}"), "", "  ");
    let what: Vec<_> = advice.what.iter().map(said).collect();
    page.wrapped(what.join(" · "), "  ", "  ");
    page.head(heading("command"));
    page.text += &(whole(indented(&command_as_typed(&advice.command), "  ")) + "\n");
    page.wrapped(&advice.today, "  ", "  ");
    page.head(heading("why"));
    for why in &advice.why {
        page.wrapped(why, "  • ", "    ");
    }
    page.head(heading("cost"));
    page.wrapped(&advice.cost.text, "  ", "  ");
    if verbose {
        page.dim(cost_source(advice, texts), "    ");
    }
    page.head(heading("offers"));
    let fit: Vec<_> = advice.offers.iter().filter(|offer| offer.unfit.is_none()).collect();
    let shown = if verbose { fit.len() } else { SHORT.min(fit.len()) };
    fit[..shown].iter().for_each(|offer| page.offer(offer, texts, verbose));
    if shown < fit.len() {
        page.dim(message!("and {} more, which -v shows", fit.len() - shown), "    ");
    }
    if fit.is_empty() {
        page.wrapped(heading("none"), "  ", "  ");
    }
    if verbose {
        page.set_aside(advice, texts);
    }
    page.head(heading("next"));
    let next = match &advice.next_up {
        Some(next) => {
            let words = vec![("title", next.title.clone()), ("when", next.when.clone())];
            texts.fill("word.when", words)
        }
        None => texts.get(&format!("leaf.{}.next", advice.leaf)),
    };
    page.wrapped(next, "  ", "  ");
    if !verbose {
        page.text += "\n";
        page.dim(
            message!("-v: what each offer gives, what was set aside and why, sources and dates"),
            "",
        );
    }
    page.text
}

/// Where what is said of the cost comes from, and since when it holds.
fn cost_source(advice: &Advice, texts: &Texts) -> String {
    let cost = &advice.cost;
    let words = vec![("source", cost.source.clone()), ("date", Message::plain(&cost.as_of))];
    let from = said(texts.fill("word.as_of", words));
    match doubts(cost.sure, cost.stale, texts) {
        marks if marks.is_empty() => from,
        marks => format!("{from} ({marks})"),
    }
}

impl Page {
    /// What was set aside, each with the reason.
    fn set_aside(&mut self, advice: &Advice, texts: &Texts) {
        self.head(texts.get("heading.aside"));
        for aside in &advice.set_aside {
            self.wrapped(&aside.why, "  • ", "    ");
        }
        for offer in &advice.offers {
            if let Some(why) = &offer.why {
                self.wrapped(format!("{} – {}", offer.name, said(why)), "  • ", "    ");
            }
        }
    }
}

/// The width of a table's columns for memory and date, with the spaces between all.
const COLUMNS: usize = 2 + 5 + 2 + 2 + 10;

/// The offers as a table, those that do not fit below it.
fn table(offers: &[OfferInfo], need: &Need, texts: &Texts) -> String {
    let mut page = Page::new();
    let fit: Vec<_> = offers.iter().filter(|offer| offer.unfit.is_none()).collect();
    if fit.is_empty() {
        page.wrapped(texts.get("heading.none"), "  ", "  ");
    }
    let columns = |text: &str| text.chars().count();
    let name = fit.iter().map(|offer| columns(&named(offer))).max().unwrap_or(0);
    let costs: Vec<_> = fit.iter().map(|offer| cost(offer, need, texts)).collect();
    let wide = costs.iter().map(|cost| columns(cost)).max().unwrap_or(0);
    for (offer, cost) in fit.into_iter().zip(costs) {
        let vram = offer.vram.map(|vram| format!("{vram} GB")).unwrap_or_default();
        let marks = marks(offer, texts);
        // The name has a line of its own where the columns do not fit.
        let between = if name + wide + COLUMNS > page.width { "\n  " } else { "  " };
        let title = styled(HEAD, format!("{:name$}", named(offer)));
        page.text += &format!("{title}{between}{vram:>5}  {cost:wide$}  {}", offer.as_of);
        if !marks.is_empty() {
            page.text += &format!("  {}", styled(CARE, marks));
        }
        page.text += "\n";
        let kind = said(texts.get(&format!("kind.{}", serde_word(offer.kind))));
        page.dim(format!("{kind} – {}", said(&offer.limits)), "    ");
        page.dim(&offer.link, "    ");
    }
    let aside: Vec<_> = offers.iter().filter(|offer| offer.unfit.is_some()).collect();
    if !aside.is_empty() {
        page.head(texts.get("heading.aside"));
    }
    for offer in aside {
        let why = offer.why.as_ref().map(said).unwrap_or_default();
        page.wrapped(format!("{} – {why}", offer.name), "  • ", "    ");
    }
    let hours = Message::plain(need.hours.unwrap_or(HOURS));
    page.text += "\n";
    page.wrapped(texts.fill("word.price_note", vec![("hours", hours)]), "  ", "  ");
    page.text
}

/// An offer's name, with the GPU that is meant where it has several.
fn named(offer: &OfferInfo) -> String {
    let size = offer.size.as_ref().map(|size| format!(" ({size})")).unwrap_or_default();
    format!("{}{size}", offer.name)
}

/// The name of a unit variant as JSON has it.
fn serde_word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// What an offer costs, in few words.
fn cost(offer: &OfferInfo, need: &Need, texts: &Texts) -> String {
    let (Some(usd), Some(per)) = (offer.usd, offer.per) else {
        return said(texts.get("per.usage"));
    };
    if usd == 0.0 {
        return said(texts.get("per.free"));
    }
    let rate = texts.fill(&format!("per.{}", serde_word(per)), vec![("usd", price(usd))]);
    let least = said(texts.fill("per.least", vec![("price", rate)]));
    match (per, offer.month_usd) {
        (Per::Hour, Some(month)) => {
            let hours = Message::plain(need.hours.unwrap_or(HOURS));
            let total = texts.fill("per.total", vec![("usd", price(month)), ("hours", hours)]);
            format!("{least}, {}", said(total))
        }
        _ => least,
    }
}
