//! The decision tree of `aitk advise`: from a person's answers to a budget, what it brings and what there is for it.
//!
//! Tree, offers and words are data; what is here walks and compares them.

mod dialogue;
mod offers;
mod tree;

use aitk_detect::Machine;
use aitk_system::Message;
use schemars::JsonSchema;
use serde::Serialize;

use crate::basics::basics;
use crate::size::Bytes;
use crate::texts::Texts;

pub use dialogue::{Dialogue, DialogueInput};
pub use offers::{
    HOURS, Need, Offer, OfferInfo, OfferKind, OfferMismatch, OfferStatus, Per, compare, price,
};
pub use tree::{AdviceError, Answer, Answers, Place, Question, Tree};

use tree::{Leaf, gpu_of};

/// What somebody is advised.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Advice {
    /// The leaf of the tree: `B1`, …
    pub leaf: String,
    /// The budget that it means here.
    pub budget: String,
    /// The answers that led to it.
    pub answers: Answers,
    /// The name of the leaf, for people.
    pub title: Message,
    /// What belongs to it.
    pub what: Vec<Message>,
    /// Why it fits these answers, each reason a sentence.
    pub why: Vec<Message>,
    /// What it costs, by the order of magnitude.
    pub cost: CostEstimate,
    /// What was asked for besides.
    pub need: Need,
    /// What there is for it, and what of that does not fit.
    pub offers: Vec<OfferInfo>,
    /// What was considered and set aside.
    pub set_aside: Vec<SetAside>,
    /// The next step up; `None` on the last one.
    pub next_up: Option<NextUp>,
    /// What aitk does for it today.
    pub today: Message,
    /// The command to go on with, to be pasted.
    pub command: String,
}

/// The order of a cost.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CostEstimate {
    /// The amount in words, as people are told.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SetAside {
    /// The question's id in the tree; it is its flag as well.
    pub question: String,
    /// The answer's id in the tree.
    pub answer: String,
    /// Why that answer sets it aside.
    pub why: Message,
}

/// The next step up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NextUp {
    /// The leaf's id in the tree: `B2`.
    pub leaf: String,
    /// What that leaf is called, for people.
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
    let asked = need;
    let need = &asked.at(leaf);
    let say = |what: &str| texts.get(&format!("leaf.{}.{what}", leaf.id));
    let mut why = vec![say("why")];
    // The machine counts where the tree looks at it.
    if passed.iter().any(|question| question.machine.is_some()) {
        why.push(describe(machine, texts));
    }
    let budget = match &leaf.gpu_budget {
        Some(budget) if gpu_of(machine).is_some() => budget,
        _ => &leaf.budget,
    };
    let what = texts.text(&format!("leaf.{}.what", leaf.id));
    Ok(Advice {
        leaf: leaf.id.clone(),
        budget: budget.clone(),
        answers: answers.clone(),
        title: say("title"),
        what: what.split(" · ").map(|part| Message::said(part.to_owned(), Vec::new())).collect(),
        why,
        cost: CostEstimate {
            text: say("cost"),
            source: say("source"),
            as_of: leaf.as_of.clone(),
            sure: leaf.sure,
            stale: basics().age.is_old(&leaf.as_of, &machine.date),
        },
        need: *need,
        offers: compare(offers, Some(leaf), need, texts, &machine.date),
        set_aside: set_aside(&passed, answers, texts),
        next_up: leaf.next.as_ref().map(|next| NextUp {
            leaf: next.clone(),
            title: texts.get(&format!("leaf.{next}.title")),
            when: say("next"),
        }),
        today: say("today"),
        command: command(leaf, budget, &passed, answers, asked),
    })
}

/// What was not answered to the questions that were passed, the last question first.
fn set_aside(passed: &[&Question], answers: &Answers, texts: &Texts) -> Vec<SetAside> {
    let others = |question: &&Question| {
        let taken = answers[&question.id].clone();
        let others = question.choices().into_iter().filter(move |answer| *answer != taken);
        let id = question.id.clone();
        others.map(move |answer| (id.clone(), answer)).collect::<Vec<_>>()
    };
    let told = |(question, answer): (String, String)| SetAside {
        why: texts.get(&format!("aside.{question}.{answer}")),
        question,
        answer,
    };
    passed.iter().rev().flat_map(others).map(told).collect()
}

/// The next command: the plan of the budget, or what there is for it where aitk has no steps for that yet.
fn command(
    leaf: &Leaf,
    budget: &str,
    passed: &[&Question],
    answers: &Answers,
    need: &Need,
) -> String {
    if leaf.apply {
        let platform = leaf.platform.as_ref().map(|platform| format!(" --platform {platform}"));
        return format!("aitk plan --budget {budget}{}", platform.unwrap_or_default());
    }
    let flag = |question: &&Question| format!("--{} {} ", question.id, answers[&question.id]);
    let flags: String = passed.iter().map(flag).collect();
    ["aitk advise ", &flags, "--compare", &need.flags()].concat()
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
