//! A talk through the tree.

use aitk_detect::Machine;

use super::tree::{AdviceError, Answer, Answers, Place, Question, Tree};
use crate::messages::Messages;
use crate::texts::Texts;

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
pub enum DialogueInput {
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
    pub fn hear(&mut self, question: &Question, line: &str) -> DialogueInput {
        let line = line.trim().to_lowercase();
        if line == "?" {
            return DialogueInput::Explain;
        }
        if line == self.word("word.back") || ["back", "retour"].contains(&line.as_str()) {
            let Some(last) = self.asked.pop() else { return DialogueInput::First };
            self.answers.remove(&last);
            return DialogueInput::Back;
        }
        let Some(answer) = self.meant(question, &line) else { return DialogueInput::Unknown };
        self.answers.insert(question.id.clone(), answer);
        self.asked.push(question.id.clone());
        DialogueInput::Answer
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
