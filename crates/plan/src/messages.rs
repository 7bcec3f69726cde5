//! What messages are in another language: English stands in the sources and is the name of a message; what it is
//! elsewhere is data.

use aitk_system::Message;

use crate::language::{LANGUAGES, Language, Translations};

/// Sentences, units and signs of a language by their English.
#[derive(Debug, Clone, Copy, Default)]
pub struct Messages {
    all: Translations,
}

impl Messages {
    /// The messages of a language; for English there are none, and every message stays as it is.
    pub fn of(language: Language) -> Self {
        let row = LANGUAGES.iter().find(|(code, _)| *code == language.code());
        row.map(|(_, all)| Self { all }).unwrap_or_default()
    }

    /// All messages: English, and what it is in this language.
    pub fn all(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        self.all.iter().copied()
    }

    /// What a sentence, a unit or a sign is in this language; nothing where it is the same.
    pub fn get(self, english: &str) -> Option<&'static str> {
        let place = self.all.binary_search_by_key(&english, |(known, _)| known).ok()?;
        Some(self.all[place].1)
    }

    /// A message in this language.
    pub fn tell(self, message: &Message) -> String {
        if self.all.is_empty() {
            message.to_string()
        } else {
            message.translated(&|text| self.get(text))
        }
    }
}

/// The holes of a message, sorted.
pub fn holes(template: &str) -> Vec<&str> {
    let word = |name: &&str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let behind = template.split('{').skip(1);
    let mut holes: Vec<_> =
        behind.filter_map(|rest| Some(rest.split_once('}')?.0).filter(word)).collect();
    holes.sort_unstable();
    holes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::size::Bytes;

    #[test]
    fn a_message_is_told_in_french_with_its_amounts_and_signs() {
        let french = Messages::of(Language::named("fr").unwrap());
        let message = Bytes(7_700_000).about(true);
        assert_eq!(french.tell(&message), "environ 7,7 Mo");
        let binary = Bytes((8 << 30) - (300 << 20)).binary();
        assert_eq!(french.tell(&Message::list([binary, message])), "7,7 Gio\u{a0}; environ 7,7 Mo");
        assert_eq!(french.tell(&Message::plain("about {self}")), "about {self}");
    }

    #[test]
    fn english_stays_as_it_is() {
        let english = Messages::of(Language::ENGLISH);
        assert_eq!(english.tell(&Bytes(7_700_000).about(true)), "about 7.7 MB");
    }

    #[test]
    fn the_holes_of_a_message_are_its_names() {
        assert_eq!(holes("{b} of {0}: {not a hole} {} {a"), ["0", "b"]);
    }
}
