//! The decision tree: its questions, and where answers lead.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use aitk_detect::Machine;
use aitk_system::{Explain, message};
use serde::Deserialize;

use crate::messages::Messages;
use crate::profile::{ProfileError, parse};
use crate::size::Bytes;
use crate::texts::Texts;

/// The answers of a person: question and answer, by their ids.
pub type Answers = BTreeMap<String, String>;

/// The decision tree, `profiles/decision-tree.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tree {
    /// Id of the question that is asked first.
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
    /// By this the answers and texts name it: `goal`.
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
    /// Id of the answer that counts then.
    pub answer: String,
    /// How much memory it takes.
    pub memory: Bytes,
}

/// An answer and where it leads.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// What is typed behind the question's flag: `learn`.
    pub id: String,
    /// A question or a leaf.
    pub to: String,
}

/// What answers lead to.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaf {
    /// By this the answers and texts name it: `B1`.
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
    /// Hours a month that are counted where nobody says how many: all of them where something must always answer.
    pub hours: Option<u32>,
    /// When the order of its cost was true.
    pub as_of: String,
    /// Whether that was checked.
    #[serde(default = "yes")]
    pub sure: bool,
}

pub(super) fn yes() -> bool {
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
pub(super) fn gpu_of(machine: &Machine) -> Option<&str> {
    let usable = machine.gpus.iter().find(|gpu| gpu.usable);
    let name = usable.map(|gpu| gpu.name.as_deref().unwrap_or(&gpu.vendor));
    name.or(machine.jetson.as_ref().map(|board| board.model.as_str()))
}
