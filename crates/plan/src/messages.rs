//! Finished messages in another language. English stands in the sources and is the name of a message; what it is
//! elsewhere is data, and is found by the form that a message fits.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::profile::{ProfileError, parse};
use crate::size::in_french;
use crate::texts::Language;

/// A form with fewer letters of its own fits too much that is no message.
const FEWEST_LETTERS: usize = 2;
/// What stands between messages that are told in one line, in English and elsewhere.
const BETWEEN: [(&str, &str); 3] = [("; or ", "\u{a0}; ou "), ("; ", "\u{a0}; "), (", ", ", ")];
/// No message has as many of these in itself.
const MOST_JOINTS: usize = 8;

/// Messages of a language by their English.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Messages {
    all: BTreeMap<String, String>,
    /// Those with holes, the one with the most letters first.
    forms: Vec<Form>,
}

/// An English message with holes such as `{0}` or `{path}`, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Form {
    english: String,
    /// What stands in front of the first hole, between the holes, and behind the last.
    between: Vec<String>,
    holes: Vec<String>,
}

impl Messages {
    /// The messages of a language; for English there are none, and every message stays as it is.
    ///
    /// # Errors
    /// Where their file is damaged, which a test rules out.
    pub fn of(language: Language) -> Result<Self, ProfileError> {
        match language {
            Language::English => Ok(Self::default()),
            Language::French => Self::read(
                "texts/messages.fr.toml",
                include_str!("../../../profiles/texts/messages.fr.toml"),
            ),
        }
    }

    fn read(file: &str, text: &str) -> Result<Self, ProfileError> {
        let mut all: BTreeMap<String, String> = parse(file, text)?;
        all.values_mut().for_each(|text| *text = unbroken(text));
        let mut forms: Vec<_> = all.keys().filter_map(|english| Form::of(english)).collect();
        forms.retain(|form| form.letters() >= FEWEST_LETTERS);
        forms.sort_by_key(|form| std::cmp::Reverse(form.letters()));
        Ok(Self { all, forms })
    }

    /// All messages: English, and what it is in this language.
    pub fn all(&self) -> &BTreeMap<String, String> {
        &self.all
    }

    /// A finished text in this language, line by line; what is no message stays.
    pub fn say<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.all.is_empty() {
            return Cow::Borrowed(text);
        }
        let lines = text.split('\n').map(|line| {
            let begin = line.trim_start_matches([' ', '\t', '→']);
            let (indent, rest) = line.split_at(line.len() - begin.len());
            let (rest, end) = rest.split_at(rest.trim_end().len());
            let said = self.line(rest).unwrap_or_else(|| rest.to_owned());
            format!("{indent}{said}{end}")
        });
        Cow::Owned(lines.collect::<Vec<_>>().join("\n"))
    }

    /// A line without the spaces around it; nothing where it is no message.
    fn line(&self, text: &str) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        self.exact(text)
            .or_else(|| self.list(text))
            .or_else(|| self.one(text))
            .or_else(|| self.several(text))
            .or_else(|| {
                let (what, message) = text.split_once(": ")?;
                Some(told_of(&self.held(what), message, &self.line(message.trim_start())?))
            })
    }

    /// A list that has nothing but messages. As a whole it may fit the form of its first one.
    fn list(&self, text: &str) -> Option<String> {
        let (english, other) = BETWEEN[1];
        let parts = text.contains(english).then(|| text.split(english))?;
        let said: Option<Vec<_>> = parts.map(|part| self.sentence(part)).collect();
        Some(said?.join(other))
    }

    /// One message, alone or behind what it is about.
    fn one(&self, text: &str) -> Option<String> {
        if let Some(said) = self.exact(text) {
            return Some(said);
        }
        let whole = self.fitting(text);
        if let Some((what, message)) = text.split_once(": ") {
            let own = message.trim_start();
            if let Some(form) = self.forms.iter().find(|form| form.announces(what)) {
                return Some(self.filled(form, &[message]));
            }
            let about = |said: String| told_of(&self.held(what), message, &said);
            if let Some(said) = self.exact(own) {
                return Some(about(said));
            }
            // What it is about is no part of it where it fits the same without.
            let fits = |(form, _): &(&Form, _)| whole.as_ref().is_none_or(|(own, _)| own == form);
            if let Some((form, held)) = self.fitting(own).filter(fits) {
                return Some(about(self.filled(form, &held)));
            }
        }
        whole.map(|(form, held)| self.filled(form, &held))
    }

    /// A message without holes, or an amount.
    fn exact(&self, text: &str) -> Option<String> {
        self.all.get(text).cloned().or_else(|| in_french(text))
    }

    /// The form of a message, and what stands in its holes.
    fn fitting<'a>(&self, text: &'a str) -> Option<(&Form, Vec<&'a str>)> {
        self.forms.iter().find_map(|form| Some((form, form.holes_of(text)?)))
    }

    /// What stands within a message: a message in turn, or what is in no language.
    fn held<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if is_name(text) { Cow::Borrowed(text) } else { self.say(text) }
    }

    /// One message beside others.
    fn sentence(&self, text: &str) -> Option<String> {
        if is_name(text) { None } else { self.one(text) }
    }

    /// A form in this language; what stands in a hole may be a message in turn.
    fn filled(&self, form: &Form, held: &[&str]) -> String {
        let fill = |part| match part {
            Part::Text(text) => Cow::Borrowed(text),
            Part::Hole(name) => {
                let at = form.holes.iter().position(|hole| hole == name);
                at.map_or(Cow::Borrowed(""), |at| self.held(held[at]))
            }
        };
        let text = self.all.get(&form.english).map_or("", String::as_str);
        parts(text).into_iter().map(fill).collect()
    }

    /// Messages that are told one after another, or with something added to them.
    fn several(&self, text: &str) -> Option<String> {
        let mut said = String::new();
        let mut known = false;
        let mut rest = text;
        let mut joint = ("", "");
        loop {
            // The longest beginning that is a message; else what stands before the first joint is none.
            let joints = joints(rest);
            let ends = joints.iter().rev().map(|(at, ..)| *at);
            let message = std::iter::once(rest.len()).chain(ends).find_map(|end| {
                let part = Some(&rest[..end]).filter(|part| !is_name(part));
                let added = part.and_then(|part| self.one(&format!("{}{part}", joint.0)));
                let other = || Some(format!("{}{}", joint.1, self.sentence(&rest[..end])?));
                Some((end, added.or_else(other)?))
            });
            known |= message.is_some();
            let first = joints.first().map_or(rest.len(), |(at, ..)| *at);
            let (end, told) =
                message.unwrap_or_else(|| (first, format!("{}{}", joint.1, &rest[..first])));
            said += &told;
            let Some((_, english, other)) = joints.into_iter().find(|(at, ..)| *at == end) else {
                return known.then_some(said);
            };
            joint = (english, other);
            rest = &rest[end + english.len()..];
        }
    }
}

/// Whether a text within a message is no message: the name of a file, a package or an environment, a command, a flag or a
/// value is one word, whatever word it is. Messages of one word stand alone.
fn is_name(text: &str) -> bool {
    !text.trim().contains(' ')
}

/// `PATH: a message`, with the spaces that stand between the two.
fn told_of(what: &str, message: &str, said: &str) -> String {
    let indent = &message[..message.len() - message.trim_start().len()];
    format!("{what}\u{a0}: {indent}{said}")
}

/// Where messages may be joined, the first places of a text, with the joint in English and elsewhere.
fn joints(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let signs = text.match_indices([';', ',']).filter_map(|(at, _)| {
        let (english, other) =
            BETWEEN.iter().find(|(english, _)| text[at..].starts_with(english))?;
        Some((at, *english, *other))
    });
    signs.take(MOST_JOINTS).collect()
}

impl Form {
    /// Nothing for a message without holes.
    fn of(english: &str) -> Option<Self> {
        let mut between = vec![String::new()];
        let mut holes = Vec::new();
        for part in parts(english) {
            match part {
                Part::Text(text) => between.last_mut()?.push_str(text),
                Part::Hole(name) => {
                    holes.push(name.to_owned());
                    between.push(String::new());
                }
            }
        }
        (!holes.is_empty()).then(|| Self { english: english.to_owned(), between, holes })
    }

    fn letters(&self) -> usize {
        self.between.iter().flat_map(|text| text.chars()).filter(|c| c.is_alphabetic()).count()
    }

    /// Whether it is `WHAT: {0}`, which anything can follow.
    fn announces(&self, what: &str) -> bool {
        let [first, last] = self.between.as_slice() else { return false };
        last.is_empty() && first.strip_suffix(": ") == Some(what)
    }

    /// What stands in the holes of a text that fits.
    fn holes_of<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let (first, rest) = self.between.split_first()?;
        let (last, middle) = rest.split_last()?;
        let mut text = text.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
        let mut held = Vec::with_capacity(self.holes.len());
        for between in middle {
            let (hole, after) = text.split_once(between.as_str())?;
            held.push(hole);
            text = after;
        }
        held.push(text);
        Some(held)
    }
}

/// A French text whose signs stay on the line of the word that they belong to.
fn unbroken(text: &str) -> String {
    let signs = [" :", " ;", " ?", " !", " »", "« "];
    signs
        .iter()
        .fold(text.to_owned(), |text, sign| text.replace(sign, &sign.replace(' ', "\u{a0}")))
}

/// A piece of a message.
enum Part<'a> {
    Text(&'a str),
    Hole(&'a str),
}

/// The pieces of a message.
fn parts(template: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        parts.push(Part::Text(before));
        let word = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        match behind.split_once('}') {
            Some((name, after)) if !name.is_empty() && word(name) => {
                parts.push(Part::Hole(name));
                rest = after;
            }
            _ => {
                parts.push(Part::Text("{"));
                rest = behind;
            }
        }
    }
    parts.push(Part::Text(rest));
    parts
}

/// The holes of a message, sorted.
pub fn holes(template: &str) -> Vec<&str> {
    let name = |part| match part {
        Part::Hole(name) => Some(name),
        Part::Text(_) => None,
    };
    let mut holes: Vec<_> = parts(template).into_iter().filter_map(name).collect();
    holes.sort_unstable();
    holes
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGES: &str = r#"
"nothing was changed" = "rien n'a été modifié"
"no driver is bound to it" = "aucun pilote ne lui est associé"
"{path} was made for another machine" = "{path} a été fait pour une autre machine"
"{0} needs {need}, and it has {1}" = "il faut {need} à {0}, qui a {1}"
"{0} of memory are too little" = "{0} de mémoire, c'est trop peu"
"{0} @ {1}" = "{0} à {1}"
", on request" = ", sur demande"
"To do: {0}" = "À faire : {0}"
"#;

    fn french(text: &str) -> String {
        Messages::read("test", MESSAGES).unwrap().say(text).into_owned()
    }

    #[test]
    fn a_message_is_found_by_what_it_says_and_its_holes_are_kept() {
        assert_eq!(french("nothing was changed"), "rien n'a été modifié");
        assert_eq!(
            french("p.json was made for another machine"),
            "p.json a été fait pour une autre machine"
        );
        assert_eq!(french("torch needs 2, and it has 1"), "il faut 2 à torch, qui a 1");
        assert_eq!(
            french("1.5 GiB of memory are too little"),
            "1,5 Gio de mémoire, c'est trop peu"
        );
    }

    #[test]
    fn a_message_in_a_hole_or_beside_another_is_translated_in_turn() {
        assert_eq!(
            french("GPU needs x, and it has no driver is bound to it"),
            "il faut x à GPU, qui a aucun pilote ne lui est associé"
        );
        assert_eq!(
            french("nothing was changed; no driver is bound to it"),
            "rien n'a été modifié\u{a0}; aucun pilote ne lui est associé"
        );
        assert_eq!(
            french("a, b: nothing was changed, on request, as you asked; x"),
            "a, b\u{a0}: rien n'a été modifié, sur demande, as you asked\u{a0}; x"
        );
        assert_eq!(
            french("GPU: torch needs 2, and it has 1; CPU: torch needs 3, and it has 4"),
            "GPU\u{a0}: il faut 2 à torch, qui a 1\u{a0}; CPU\u{a0}: il faut 3 à torch, qui a 4"
        );
        assert_eq!(
            french("To do: torch needs 2, and it has 1"),
            "À faire\u{a0}: il faut 2 à torch, qui a 1"
        );
        assert_eq!(french("p.json: nothing was changed"), "p.json\u{a0}: rien n'a été modifié");
        assert_eq!(
            french("  nothing was changed\n\n  x: y\n"),
            "  rien n'a été modifié\n\n  x: y\n"
        );
    }

    #[test]
    fn a_name_stays_whatever_word_it_is() {
        let all = format!("{MESSAGES}\n\"Check\" = \"Vérification\"\n\"none\" = \"aucun\"\n");
        let messages = Messages::read("test", &all).unwrap();
        for (english, french) in [
            ("Check", "Vérification"),
            ("Check was made for another machine", "Check a été fait pour une autre machine"),
            ("Check: nothing was changed", "Check\u{a0}: rien n'a été modifié"),
            ("none needs Check, and it has none", "il faut Check à none, qui a none"),
            ("auto, none, Check", "auto, none, Check"),
            ("Check; nothing was changed", "Check\u{a0}; rien n'a été modifié"),
        ] {
            assert_eq!(messages.say(english), french);
        }
    }

    #[test]
    fn what_is_no_message_stays() {
        for text in ["", " ", "conda @ /opt/conda", "E: Unable to locate package", "a; b, c"] {
            assert_eq!(french(text), text);
        }
        let many = "package, ".repeat(500);
        assert_eq!(french(&many), many);
        let english = Messages::of(Language::English).unwrap();
        assert_eq!(english.say("nothing was changed"), "nothing was changed");
    }
}
