//! Long texts by their keys: data that a translator can work on.

use std::collections::BTreeMap;

use aitk_system::{Message, builtin};

use crate::profile::{ProfileError, parse};

/// Texts by their keys (`question.goal.ask`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    all: BTreeMap<String, String>,
}

impl Texts {
    /// What the program says to people, in English: as messages they are told in any language.
    ///
    /// # Errors
    /// Where their file is damaged, which a test rules out.
    pub fn english() -> Result<Self, ProfileError> {
        Self::read("texts/en.toml", builtin("texts/en.toml"))
    }

    fn read(file: &str, text: &str) -> Result<Self, ProfileError> {
        let mut all = BTreeMap::new();
        flatten("", toml::Value::Table(parse(file, text)?), &mut all);
        Ok(Self { all })
    }

    /// A text as it is; nothing where there is none, which a test rules out.
    pub fn text(&self, key: &str) -> &str {
        self.all.get(key).map_or("", String::as_str)
    }

    /// A text as a message.
    pub fn get(&self, key: &str) -> Message {
        self.fill(key, Vec::new())
    }

    /// A text as a message, with something in its holes.
    pub fn fill(&self, key: &str, held: Vec<(&'static str, Message)>) -> Message {
        let held = held.into_iter().map(|(name, message)| (name.into(), message));
        Message::said(self.text(key).to_owned(), held.collect())
    }

    /// All keys and texts.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.all
    }
}

fn flatten(path: &str, value: toml::Value, all: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let path = if path.is_empty() { key } else { format!("{path}.{key}") };
                flatten(&path, value, all);
            }
        }
        toml::Value::String(text) => _ = all.insert(path.to_owned(), text),
        // A number or a list is no text; the test of completeness misses it.
        _ => {}
    }
}
