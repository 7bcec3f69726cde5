//! Languages, and a text of data's own in all of them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What English sentences are in a language, sorted by the English.
pub(crate) type Translations = &'static [(&'static str, &'static str)];

/// Every language but English, by its code, with its messages. `build.rs` makes it of
/// `profiles/texts/languages.toml` and `messages.XX.toml` beside it.
pub(crate) static LANGUAGES: &[(&str, Translations)] =
    include!(concat!(env!("OUT_DIR"), "/languages.rs"));

/// A language that there are texts in: English, which the sources are written in, or one of
/// `profiles/texts/languages.toml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Language(&'static str);

impl Language {
    /// The language of the sources, of JSON, and of everybody whose own there are no texts in.
    pub const ENGLISH: Self = Self("en");

    /// All of them, English first.
    pub fn all() -> impl Iterator<Item = Self> {
        let others = LANGUAGES.iter().map(|&(code, _)| Self(code));
        std::iter::once(Self::ENGLISH).chain(others)
    }

    /// The language of a code of two letters, `fr`.
    pub fn named(code: &str) -> Option<Self> {
        Self::all().find(|language| language.0 == code)
    }

    /// The language of a locale such as `fr_FR.UTF-8`; English where there are no texts in it.
    pub fn of_locale(locale: &str) -> Self {
        let code = locale.split(['_', '.', '@']).next();
        code.and_then(Self::named).unwrap_or(Self::ENGLISH)
    }

    /// Its code of two letters, `fr`.
    pub fn code(self) -> &'static str {
        self.0
    }
}

/// A text of data's own in the languages that it is there in. JSON and saved plans hold its English, and what is read
/// from them has no other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Wording {
    english: String,
    others: BTreeMap<Language, String>,
}

impl Wording {
    /// What a text is in every language.
    ///
    /// # Errors
    /// The first that `text` has.
    pub fn read<E>(mut text: impl FnMut(Language) -> Result<String, E>) -> Result<Self, E> {
        let english = text(Language::ENGLISH)?;
        let others = Language::all().skip(1).map(|language| Ok((language, text(language)?)));
        Ok(Self { english, others: others.collect::<Result<_, E>>()? })
    }

    /// The text in English.
    pub fn english(&self) -> &str {
        &self.english
    }

    /// The text in a language; its English where there is no other.
    pub fn in_language(&self, language: Language) -> &str {
        self.others.get(&language).map_or(&self.english, String::as_str)
    }
}

impl From<String> for Wording {
    fn from(english: String) -> Self {
        Self { english, others: BTreeMap::new() }
    }
}

impl From<Wording> for String {
    fn from(wording: Wording) -> Self {
        wording.english
    }
}
