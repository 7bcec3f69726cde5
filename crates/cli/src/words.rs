//! The language that a person is spoken to in. As with the colours there is one for the whole program. Scripts are
//! spoken to in English: JSON, saved files and logs never pass through here.

use std::fmt::Display;
use std::sync::OnceLock;

use aitk_plan::{Language, Messages, Wording};
use aitk_system::{Message, System, ToMessage};

#[cfg(test)]
mod tests;

static SPOKEN: OnceLock<(Language, Messages)> = OnceLock::new();

/// Speaks this language from now on.
pub fn speak(language: Language) {
    // Whoever came first stays: there is one choice in a run.
    let _ = SPOKEN.set((language, Messages::of(language)));
}

/// The language that is spoken.
pub fn language() -> Language {
    SPOKEN.get().map_or(Language::ENGLISH, |(language, _)| *language)
}

/// A text of data's own in the language that is spoken.
pub fn worded(wording: &Wording) -> &str {
    wording.in_language(language())
}

/// The messages of the language that is spoken.
pub fn spoken() -> Messages {
    SPOKEN.get().map_or_else(Messages::default, |(_, messages)| *messages)
}

/// A message for a person, in their language.
pub fn said(message: impl ToMessage) -> String {
    spoken().tell(&message.to_message())
}

/// A text of the command line's own description, which clap holds as text.
pub fn described(text: impl Display) -> String {
    said(Message::said(text.to_string(), Vec::new()))
}

/// The language that is asked for, else that of the locale, in the order of POSIX.
pub fn chosen(asked: Option<Language>, system: &dyn System) -> Language {
    let variables = ["LC_ALL", "LC_MESSAGES", "LANG"];
    let set = |name: &&str| system.env(name).filter(|value| !value.is_empty());
    let locale = || variables.iter().find_map(set).unwrap_or_default();
    asked.unwrap_or_else(|| Language::of_locale(&locale()))
}

/// The language of somebody whose arguments cannot be read, or who wants help.
pub fn chosen_by(words: &[String], system: &dyn System) -> Language {
    let words: Vec<_> = words.iter().take_while(|word| *word != "--").collect();
    let apart = words.windows(2).find(|pair| pair[0] == "--lang").map(|pair| pair[1].as_str());
    let joined = || words.iter().find_map(|word| word.strip_prefix("--lang="));
    let variable = system.env("AITK_LANG");
    let asked = apart.or_else(joined).or(variable.as_deref());
    chosen(asked.and_then(Language::named), system)
}
