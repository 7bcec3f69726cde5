//! What a person reads, in a language: data that a translator can work on.

use std::collections::BTreeMap;

use crate::profile::{ProfileError, parse};
use crate::size::{Bytes, in_french};

/// Languages that there are texts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// French.
    French,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::English, Self::French];

    /// The language of a locale such as `fr_FR.UTF-8`; English where there are no texts in it.
    pub fn of_locale(locale: &str) -> Self {
        match locale.split(['_', '.', '@']).next() {
            Some("fr") => Self::French,
            _ => Self::English,
        }
    }
}

/// The texts of a language, by their keys (`question.goal.ask`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    language: Language,
    all: BTreeMap<String, String>,
}

impl Texts {
    /// The texts of a language.
    ///
    /// # Errors
    /// Where their file is damaged, which a test rules out.
    pub fn of(language: Language) -> Result<Self, ProfileError> {
        let (file, text) = match language {
            Language::English => ("texts/en.toml", include_str!("../../../profiles/texts/en.toml")),
            Language::French => ("texts/fr.toml", include_str!("../../../profiles/texts/fr.toml")),
        };
        let mut all = BTreeMap::new();
        flatten("", toml::Value::Table(parse(file, text)?), &mut all);
        Ok(Self { language, all })
    }

    /// A text; nothing where there is none, which a test rules out.
    pub fn get(&self, key: &str) -> &str {
        self.all.get(key).map_or("", String::as_str)
    }

    /// A text with words filled in.
    pub fn fill(&self, key: &str, words: &[(&str, &str)]) -> String {
        let mut text = self.get(key).to_owned();
        for (name, word) in words {
            text = text.replace(&format!("{{{name}}}"), word);
        }
        text
    }

    /// All keys and texts.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.all
    }

    /// A number, with two digits behind the point where it is not whole.
    pub fn number(&self, number: f64) -> String {
        let text =
            if number.fract() == 0.0 { format!("{number:.0}") } else { format!("{number:.2}") };
        match self.language {
            Language::English => text,
            Language::French => text.replace('.', ","),
        }
    }

    /// An amount of memory.
    pub fn size(&self, bytes: Bytes) -> String {
        match self.language {
            Language::English => bytes.binary(),
            Language::French => in_french(&bytes.binary()).unwrap_or_default(),
        }
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
