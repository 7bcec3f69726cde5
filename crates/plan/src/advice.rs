//! The decision tree of `aitk advise`: from a person's answers to a budget, what it brings and what there is for it.
//!
//! Tree, offers and words are data; what is here walks and compares them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aitk_detect::Machine;
use aitk_system::{Explain, Message, message};
use serde::{Deserialize, Serialize};

use crate::basics::basics;
use crate::messages::Messages;
use crate::profile::{ProfileError, parse};
use crate::size::Bytes;
use crate::texts::Texts;

/// Months over which a purchase is counted.
const PURCHASE_MONTHS: f64 = 24.0;
/// Hours a month that are counted where nobody says how many.
pub const HOURS: u32 = 40;

/// The answers of a person: question and answer, by their ids.
pub type Answers = BTreeMap<String, String>;

/// The decision tree.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// The first question.
    pub start: String,
    /// The questions.
    #[serde(rename = "question")]
    pub questions: Vec<Question>,
    /// What they lead to.
    #[serde(rename = "leaf")]
    pub leaves: Vec<Leaf>,
}

/// A question. Its id is its flag as well.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// `goal`, …
    pub id: String,
    /// The answer that stands where the machine says nothing.
    pub default: String,
    /// The default on a machine that has enough.
    pub machine: Option<FromMachine>,
    /// What can be answered.
    #[serde(rename = "answer")]
    pub answers: Vec<Answer>,
}

/// The default answer on a machine with so much memory, or with a GPU that can be used.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FromMachine {
    /// The answer.
    pub answer: String,
    /// How much memory it takes.
    pub memory: Bytes,
}

/// An answer and where it leads.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// `learn`, …
    pub id: String,
    /// A question or a leaf.
    pub to: String,
}

/// What answers lead to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// `B1`, …
    pub id: String,
    /// The budget that it belongs to.
    pub budget: String,
    /// The budget where this machine has a GPU that can be used.
    pub gpu_budget: Option<String>,
    /// Whether aitk has steps for the budget today.
    pub apply: bool,
    /// The platform to begin with, where the budget is one of hosted notebooks.
    pub platform: Option<String>,
    /// The leaf that is the next step up.
    pub next: Option<String>,
    /// What there is for it, the best first.
    pub offers: Vec<String>,
    /// When the order of its cost was true.
    pub as_of: String,
    /// Whether that was checked.
    #[serde(default = "yes")]
    pub sure: bool,
}

fn yes() -> bool {
    true
}

/// Where in the tree some answers lead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place<'t> {
    /// To a question that is still open.
    Question(&'t Question),
    /// To a leaf.
    Leaf(&'t Leaf),
}

/// Answers that lead nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Explain)]
pub enum AdviceError {
    /// `advise` misses an answer, and nobody can be asked: this is no terminal.
    #[explain(
        code = "AITK-T01",
        exit = Usage,
        say("--{flag} is missing, and nobody can be asked: this is no terminal"),
        hint("add --{flag} {answers}", answers = answers.join("|"))
    )]
    Missing {
        /// The flag.
        flag: String,
        /// What can be answered.
        answers: Vec<String>,
    },
    /// A flag of `advise` answers a question that the other answers do not lead to.
    #[explain(
        code = "AITK-T02",
        exit = Usage,
        say("--{flag} does not go with {with}"),
        hint_if(Some(match instead.as_slice() {
            [] => message!("leave out --{flag}"),
            instead => message!("leave out --{flag}; what goes here is {instead}"),
        }))
    )]
    Contradiction {
        /// The flag that leads nowhere.
        flag: String,
        /// The answers that it does not go with.
        with: String,
        /// Flags that go with them.
        instead: Vec<String>,
    },
}

impl Tree {
    /// The tree that comes with the program.
    ///
    /// # Errors
    /// Where it is damaged, which a test rules out.
    pub fn builtin() -> Result<Self, ProfileError> {
        parse("decision-tree.toml", aitk_system::builtin("decision-tree.toml"))
    }

    /// A question by its id.
    pub fn question(&self, id: &str) -> Option<&Question> {
        self.questions.iter().find(|question| question.id == id)
    }

    /// A leaf by its id.
    pub fn leaf(&self, id: &str) -> Option<&Leaf> {
        self.leaves.iter().find(|leaf| leaf.id == id)
    }

    /// Where answers lead, and the questions that they pass on the way.
    ///
    /// # Errors
    /// Where one of the answers is to a question that the others do not lead to.
    pub fn place<'t>(
        &'t self,
        answers: &Answers,
    ) -> Result<(Place<'t>, Vec<&'t Question>), AdviceError> {
        let mut at = self.start.as_str();
        let mut passed = Vec::new();
        while let Some(question) = self.question(at) {
            let answer = answers.get(at).and_then(|id| question.answer(id));
            let Some(answer) = answer.filter(|_| passed.len() < self.questions.len()) else {
                break;
            };
            passed.push(question);
            at = &answer.to;
        }
        let ahead = self.reachable(at);
        let fits =
            |id: &str| ahead.contains(&id) || passed.iter().any(|question| question.id == id);
        if let Some(flag) = answers.keys().find(|id| !fits(id)) {
            let given = passed
                .iter()
                .map(|question| format!("--{} {}", question.id, answers[&question.id]));
            let instead = passed.iter().map(|question| question.id.as_str()).skip(1);
            let instead =
                instead.chain(ahead.iter().copied().filter(|id| self.question(id).is_some()));
            return Err(AdviceError::Contradiction {
                flag: flag.clone(),
                with: given.collect::<Vec<_>>().join(" "),
                instead: instead.map(|id| format!("--{id}")).collect(),
            });
        }
        let place = match (self.question(at), self.leaf(at)) {
            (Some(question), _) => Place::Question(question),
            (None, Some(leaf)) => Place::Leaf(leaf),
            // A test rules out that the tree leads nowhere.
            (None, None) => Place::Leaf(&self.leaves[0]),
        };
        Ok((place, passed))
    }

    /// Everything that can be come to from here, with here itself.
    pub fn reachable<'t>(&'t self, from: &'t str) -> Vec<&'t str> {
        let mut found = vec![from];
        let mut next = 0;
        while let Some(id) = found.get(next).copied() {
            next += 1;
            for answer in self.question(id).iter().flat_map(|question| &question.answers) {
                if !found.contains(&answer.to.as_str()) {
                    found.push(&answer.to);
                }
            }
        }
        found
    }

    /// The tree as a picture in Mermaid's language.
    pub fn mermaid(&self, texts: &Texts, language: Messages) -> String {
        let get = |key: &str| language.tell(&texts.get(key));
        let mut picture = "flowchart TB\n".to_owned();
        for question in &self.questions {
            let ask = get(&format!("question.{}.short", question.id));
            _ = writeln!(picture, "  {}[\"{ask}\"]", question.id);
        }
        for leaf in &self.leaves {
            let what = get(&format!("leaf.{}.what", leaf.id));
            _ = writeln!(picture, "  {}[\"{what}\"]", leaf.id);
        }
        for question in &self.questions {
            for answer in &question.answers {
                let says = get(&format!("question.{}.{}", question.id, answer.id));
                _ = writeln!(picture, "  {} -->|\"{says}\"| {}", question.id, answer.to);
            }
        }
        picture
    }
}

impl Question {
    /// An answer by its id.
    pub fn answer(&self, id: &str) -> Option<&Answer> {
        self.answers.iter().find(|answer| answer.id == id)
    }

    /// The answer that a machine suggests.
    pub fn default_on(&self, machine: &Machine) -> &str {
        let enough = |from: &&FromMachine| {
            gpu_of(machine).is_some() || machine.memory.usable() >= Some(from.memory.0)
        };
        self.machine.as_ref().filter(enough).map_or(&self.default, |from| &from.answer)
    }

    /// All answers, by their ids.
    pub fn choices(&self) -> Vec<String> {
        self.answers.iter().map(|answer| answer.id.clone()).collect()
    }
}

/// What computes on a machine besides the processor, by its name.
fn gpu_of(machine: &Machine) -> Option<&str> {
    let usable = machine.gpus.iter().find(|gpu| gpu.usable);
    let name = usable.map(|gpu| gpu.name.as_deref().unwrap_or(&gpu.vendor));
    name.or(machine.jetson.as_ref().map(|board| board.model.as_str()))
}

/// A talk through the tree, without the terminal: what is open, and what a line that was typed does.
#[derive(Debug)]
pub struct Dialogue<'t> {
    tree: &'t Tree,
    machine: &'t Machine,
    texts: &'t Texts,
    language: Messages,
    answers: Answers,
    asked: Vec<String>,
}

/// What a line that was typed meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An answer.
    Answer,
    /// The question is to be explained.
    Explain,
    /// The question before is open again.
    Back,
    /// There is no question before.
    First,
    /// None of these.
    Unknown,
}

impl<'t> Dialogue<'t> {
    /// A talk that begins with what was answered already; that is not asked, nor gone back to.
    pub fn new(
        tree: &'t Tree,
        machine: &'t Machine,
        (texts, language): (&'t Texts, Messages),
        given: Answers,
    ) -> Self {
        Self { tree, machine, texts, language, answers: given, asked: Vec::new() }
    }

    /// What is to be asked now; `None` once a leaf is reached.
    ///
    /// # Errors
    /// Where what was answered before does not go with an answer.
    pub fn question(&self) -> Result<Option<&'t Question>, AdviceError> {
        Ok(match self.tree.place(&self.answers)?.0 {
            Place::Question(question) => Some(question),
            Place::Leaf(_) => None,
        })
    }

    /// Takes a line to heart: a number, an answer or its beginning, nothing for the default, `?`, or the word for back.
    pub fn hear(&mut self, question: &Question, line: &str) -> Heard {
        let line = line.trim().to_lowercase();
        if line == "?" {
            return Heard::Explain;
        }
        if line == self.word("word.back") || ["back", "retour"].contains(&line.as_str()) {
            let Some(last) = self.asked.pop() else { return Heard::First };
            self.answers.remove(&last);
            return Heard::Back;
        }
        let Some(answer) = self.meant(question, &line) else { return Heard::Unknown };
        self.answers.insert(question.id.clone(), answer);
        self.asked.push(question.id.clone());
        Heard::Answer
    }

    fn meant(&self, question: &Question, line: &str) -> Option<String> {
        if line.is_empty() {
            return Some(question.default_on(self.machine).to_owned());
        }
        if let Ok(number) = line.parse::<usize>() {
            return Some(question.answers.get(number.checked_sub(1)?)?.id.clone());
        }
        let begins = |answer: &&Answer| {
            let words = self.word(&format!("question.{}.{}", question.id, answer.id));
            answer.id.starts_with(line) || words.to_lowercase().starts_with(line)
        };
        let mut all = question.answers.iter().filter(begins);
        all.next().filter(|_| all.next().is_none()).map(|answer| answer.id.clone())
    }

    /// A text as the person reads it.
    fn word(&self, key: &str) -> String {
        self.language.tell(&self.texts.get(key))
    }

    /// All that was answered.
    pub fn answers(self) -> Answers {
        self.answers
    }
}

/// A row of what can be rented, bought or used for nothing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// Stable name.
    pub id: String,
    /// What it is.
    pub kind: Kind,
    /// What its maker calls it.
    pub name: String,
    /// Whether it is still there.
    pub status: State,
    /// The least that it costs, in US dollars.
    pub usd: Option<f64>,
    /// What that is for.
    pub per: Option<Per>,
    /// Whether it can have a GPU.
    #[serde(default)]
    pub gpu: bool,
    /// Memory of the GPU in GB; `None` where that depends.
    pub vram: Option<u32>,
    /// Hours of a GPU that it gives in a month at most.
    pub hours: Option<u32>,
    /// Its page.
    pub link: String,
    /// Where the row comes from.
    pub source: String,
    /// When it was true.
    pub as_of: String,
    /// Whether it was checked.
    #[serde(default = "yes")]
    pub sure: bool,
    /// What it gives, in a row of the user's own.
    pub gives: Option<String>,
    /// Its limits, in a row of the user's own.
    pub limits: Option<String>,
    /// Its prices in words, in a row of the user's own.
    pub price: Option<String>,
}

/// Kinds of offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the words are in the texts, under `kind`")]
pub enum Kind {
    Notebook,
    Trial,
    Vps,
    Gpu,
    Managed,
    Stack,
    Lakehouse,
    Hardware,
}

/// Whether an offer is still there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it ever was.
    Alive,
    /// Under another name than the one that people know.
    Renamed,
    /// Alive, but nobody should count on it.
    Uncertain,
    /// Gone.
    Retired,
}

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Per {
    /// A month.
    Month,
    /// An hour.
    Hour,
    /// For ever.
    Once,
}

/// What somebody needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Need {
    /// Memory of a GPU, in GB.
    pub vram: Option<u32>,
    /// Hours a month.
    pub hours: Option<u32>,
    /// US dollars a month.
    pub spend: Option<f64>,
}

impl Need {
    /// As it is typed.
    fn flags(&self) -> String {
        let vram = self.vram.map(|vram| format!(" --vram {vram}"));
        let hours = self.hours.map(|hours| format!(" --hours {hours}"));
        let spend = self.spend.map(|spend| format!(" --spend {spend}"));
        [vram, hours, spend].into_iter().flatten().collect()
    }
}

/// Why an offer does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unfit {
    /// It is gone.
    Retired,
    /// Too little memory of a GPU.
    Vram,
    /// Too few hours.
    Hours,
    /// Too dear.
    Spend,
}

impl Offer {
    /// What it costs in a month, in US dollars; `None` where use decides.
    pub fn month_usd(&self, need: &Need) -> Option<f64> {
        let usd = self.usd?;
        let month = match self.per? {
            Per::Month => usd,
            Per::Hour => usd * f64::from(need.hours.unwrap_or(HOURS)),
            Per::Once => usd / PURCHASE_MONTHS,
        };
        Some((month * 100.0).round() / 100.0)
    }

    /// Why it does not fit a need; `None` where it does, as far as that is known.
    pub fn unfit(&self, need: &Need) -> Option<Unfit> {
        let gpu = |wanted: u32| !self.gpu || self.vram.is_some_and(|has| has < wanted);
        // What use decides costs something.
        let dear = |spend: f64| self.month_usd(need).map_or(spend == 0.0, |usd| usd > spend);
        if self.status == State::Retired {
            Some(Unfit::Retired)
        } else if need.vram.is_some_and(gpu) {
            Some(Unfit::Vram)
        } else if self.hours.is_some_and(|has| need.hours.is_some_and(|wanted| has < wanted)) {
            Some(Unfit::Hours)
        } else if need.spend.is_some_and(dear) {
            Some(Unfit::Spend)
        } else {
            None
        }
    }
}

/// An offer as it is told.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfferTold {
    /// Stable name.
    pub id: String,
    /// What its maker calls it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Whether it is still there.
    pub status: State,
    /// What it gives.
    pub gives: Message,
    /// What it does not give.
    pub limits: Message,
    /// Its prices in words.
    pub price: Message,
    /// The least that it costs, in US dollars.
    pub usd: Option<f64>,
    /// What that is for.
    pub per: Option<Per>,
    /// What that makes in a month.
    pub month_usd: Option<f64>,
    /// Memory of its GPU in GB.
    pub vram: Option<u32>,
    /// Its page.
    pub link: String,
    /// Where this comes from.
    pub source: String,
    /// When it was true.
    pub as_of: String,
    /// Whether it was checked.
    pub sure: bool,
    /// Whether that is long ago.
    pub stale: bool,
    /// Why it does not fit, in one word.
    pub unfit: Option<Unfit>,
    /// Why it does not fit.
    pub why: Option<Message>,
}

/// Offers, those that fit first: all of the catalog by their cost, or those of a leaf in its order. What nobody should
/// count on comes behind the others.
pub fn compare(
    offers: &[Offer],
    leaf: Option<&Leaf>,
    need: &Need,
    texts: &Texts,
    today: &str,
) -> Vec<OfferTold> {
    let named = |id: &String| offers.iter().find(|offer| offer.id == *id);
    let mut all: Vec<_> = match leaf {
        Some(leaf) => leaf.offers.iter().filter_map(named).collect(),
        None => offers.iter().collect(),
    };
    if leaf.is_none() {
        let cost = |offer: &Offer| offer.month_usd(need).unwrap_or(f64::MAX);
        all.sort_by(|a, b| cost(a).total_cmp(&cost(b)));
    }
    let mut told: Vec<_> = all.into_iter().map(|offer| tell(offer, need, texts, today)).collect();
    told.sort_by_key(|offer| (offer.unfit.is_some(), offer.status == State::Uncertain));
    told
}

fn tell(offer: &Offer, need: &Need, texts: &Texts, today: &str) -> OfferTold {
    let words = |own: &Option<String>, what: &str| {
        let built_in = || texts.get(&format!("offer.{}.{what}", offer.id));
        own.as_ref().map_or_else(built_in, Message::plain)
    };
    let unfit = offer.unfit(need);
    let count = |number: Option<u32>| Message::plain(number.unwrap_or_default());
    let why = unfit.map(|unfit| match unfit {
        Unfit::Retired => texts.get("reason.retired"),
        Unfit::Vram => texts.fill("reason.vram", vec![("vram", count(need.vram))]),
        Unfit::Hours => texts
            .fill("reason.hours", vec![("has", count(offer.hours)), ("hours", count(need.hours))]),
        Unfit::Spend => {
            texts.fill("reason.spend", vec![("spend", price(need.spend.unwrap_or_default()))])
        }
    });
    OfferTold {
        id: offer.id.clone(),
        name: offer.name.clone(),
        kind: offer.kind,
        status: offer.status,
        gives: words(&offer.gives, "gives"),
        limits: words(&offer.limits, "limits"),
        price: words(&offer.price, "price"),
        usd: offer.usd,
        per: offer.per,
        month_usd: offer.month_usd(need),
        vram: offer.vram,
        link: offer.link.clone(),
        source: offer.source.clone(),
        as_of: offer.as_of.clone(),
        sure: offer.sure,
        stale: basics().age.is_old(&offer.as_of, today),
        unfit,
        why,
    }
}

/// A sum of money, with two digits behind the point where it is not whole.
pub fn price(usd: f64) -> Message {
    Message::number(if usd.fract() == 0.0 { format!("{usd:.0}") } else { format!("{usd:.2}") })
}

/// What somebody is advised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// The leaf of the tree: `B1`, …
    pub leaf: String,
    /// The budget that it means here.
    pub budget: String,
    /// The answers that led to it.
    pub answers: Answers,
    /// Its name.
    pub title: Message,
    /// What belongs to it.
    pub what: Vec<Message>,
    /// Why it fits.
    pub why: Vec<Message>,
    /// What it costs.
    pub cost: Cost,
    /// What was asked for besides.
    pub need: Need,
    /// What there is for it, and what of that does not fit.
    pub offers: Vec<OfferTold>,
    /// What was considered and set aside.
    pub set_aside: Vec<SetAside>,
    /// The next step up; `None` on the last one.
    pub next_up: Option<NextUp>,
    /// What aitk does for it today.
    pub today: Message,
    /// The next command.
    pub command: String,
}

/// The order of a cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// In words.
    pub text: Message,
    /// Where it comes from.
    pub source: Message,
    /// When it was true.
    pub as_of: String,
    /// Whether it was checked.
    pub sure: bool,
    /// Whether that is long ago.
    pub stale: bool,
}

/// An answer that was not given, and why it does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// Why.
    pub why: Message,
}

/// The next step up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextUp {
    /// Its leaf.
    pub leaf: String,
    /// Its name.
    pub title: Message,
    /// When it is time for it.
    pub when: Message,
}

/// The advice that answers lead to on a machine.
///
/// # Errors
/// Where an answer is missing, or does not go with the others.
pub fn advise(
    tree: &Tree,
    offers: &[Offer],
    texts: &Texts,
    machine: &Machine,
    answers: &Answers,
    need: &Need,
) -> Result<Advice, AdviceError> {
    let (leaf, passed) = match tree.place(answers)? {
        (Place::Leaf(leaf), passed) => (leaf, passed),
        (Place::Question(open), _) => {
            return Err(AdviceError::Missing { flag: open.id.clone(), answers: open.choices() });
        }
    };
    let say = |what: &str| texts.get(&format!("leaf.{}.{what}", leaf.id));
    let mut why = vec![say("why")];
    // The machine counts where the tree looks at it.
    if passed.iter().any(|question| question.machine.is_some()) {
        why.push(describe(machine, texts));
    }
    let others = |question: &&Question| {
        let taken = answers[&question.id].clone();
        let others = question.choices().into_iter().filter(move |answer| *answer != taken);
        let id = question.id.clone();
        others.map(move |answer| (id.clone(), answer)).collect::<Vec<_>>()
    };
    let set_aside = passed.iter().rev().flat_map(others).map(|(question, answer)| SetAside {
        why: texts.get(&format!("aside.{question}.{answer}")),
        question,
        answer,
    });
    let budget = match &leaf.gpu_budget {
        Some(budget) if gpu_of(machine).is_some() => budget,
        _ => &leaf.budget,
    };
    let command = if leaf.apply {
        let platform = leaf.platform.as_ref().map(|platform| format!(" --platform {platform}"));
        format!("aitk plan --budget {budget}{}", platform.unwrap_or_default())
    } else {
        let flags =
            passed.iter().map(|question| format!("--{} {} ", question.id, answers[&question.id]));
        format!("aitk advise {}--compare{}", flags.collect::<String>(), need.flags())
    };
    let what = texts.text(&format!("leaf.{}.what", leaf.id));
    Ok(Advice {
        leaf: leaf.id.clone(),
        budget: budget.clone(),
        answers: answers.clone(),
        title: say("title"),
        what: what.split(" · ").map(|part| Message::said(part.to_owned(), Vec::new())).collect(),
        why,
        cost: Cost {
            text: say("cost"),
            source: say("source"),
            as_of: leaf.as_of.clone(),
            sure: leaf.sure,
            stale: basics().age.is_old(&leaf.as_of, &machine.date),
        },
        need: *need,
        offers: compare(offers, Some(leaf), need, texts, &machine.date),
        set_aside: set_aside.collect(),
        next_up: leaf.next.as_ref().map(|next| NextUp {
            leaf: next.clone(),
            title: texts.get(&format!("leaf.{next}.title")),
            when: say("next"),
        }),
        today: say("today"),
        command,
    })
}

/// One sentence on a machine: its memory and its GPU.
pub fn describe(machine: &Machine, texts: &Texts) -> Message {
    let memory = machine.memory.usable();
    let memory =
        memory.map_or_else(|| texts.get("word.memory_unknown"), |bytes| Bytes(bytes).binary());
    let gpu = match gpu_of(machine) {
        Some(name) => texts.fill("word.gpu_some", vec![("name", Message::plain(name))]),
        None => texts.get("word.gpu_none"),
    };
    texts.fill("word.machine", vec![("memory", memory), ("gpu", gpu)])
}
