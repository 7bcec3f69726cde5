//! What a person reads: an English sentence, which is its own id, and what stands in its holes. What it is in another
//! language is one look into a table.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text for a person. It shows, compares and serializes as its English; see [`Message::translated`].
#[derive(Clone)]
pub struct Message(Box<MessageShape>);

#[derive(Clone)]
enum MessageShape {
    /// A sentence with holes such as `{path}`.
    Said { id: Cow<'static, str>, held: Vec<(Cow<'static, str>, Message)> },
    /// The same in every language: a name, a command, what others say.
    Plain(String),
    /// A number, and its unit where it has one.
    Amount { number: String, unit: &'static str },
    /// Several, with this sign between them.
    Joined { between: &'static str, all: Vec<Message> },
}

/// What a text is in another language; nothing where it is the same.
pub type Translate<'a> = &'a dyn Fn(&str) -> Option<&'a str>;

impl Message {
    /// Errors hold several, and stay small enough to be handed on at no cost.
    fn of(kind: MessageShape) -> Self {
        Self(Box::new(kind))
    }

    /// A sentence and what stands in its holes; `message!` checks the one against the other.
    pub fn said(id: impl Into<Cow<'static, str>>, held: Vec<(Cow<'static, str>, Self)>) -> Self {
        Self::of(MessageShape::Said { id: id.into(), held })
    }

    /// What is the same in every language.
    pub fn plain(text: impl Display) -> Self {
        Self::of(MessageShape::Plain(text.to_string()))
    }

    /// A number as it was formatted; anything else stays as it is.
    pub fn number(text: impl Into<String>) -> Self {
        let text = text.into();
        match text.parse::<f64>() {
            Ok(_) => Self::amount(text, ""),
            Err(_) => Self::of(MessageShape::Plain(text)),
        }
    }

    /// A number and its unit: `7.7`, `GiB`.
    pub fn amount(number: impl Into<String>, unit: &'static str) -> Self {
        Self::of(MessageShape::Amount { number: number.into(), unit })
    }

    /// The same sentence with this in its holes; for one that is read from a table.
    #[must_use]
    pub fn with(mut self, values: Vec<(Cow<'static, str>, Self)>) -> Self {
        if let MessageShape::Said { held, .. } = &mut *self.0 {
            *held = values;
        }
        self
    }

    /// What comes from outside in it is made to act on nothing; see [`crate::plain`].
    pub fn make_plain(&mut self) {
        match &mut *self.0 {
            MessageShape::Plain(text) => {
                if let Cow::Owned(plain) = crate::plain(text) {
                    *text = plain;
                }
            }
            MessageShape::Said { held, .. } => {
                held.iter_mut().for_each(|(_, held)| held.make_plain())
            }
            MessageShape::Joined { all, .. } => all.iter_mut().for_each(Self::make_plain),
            MessageShape::Amount { .. } => {}
        }
    }

    /// Several in one line, each a sentence of its own.
    pub fn list<M: Into<Self>>(all: impl IntoIterator<Item = M>) -> Self {
        Self::joined("; ", all)
    }

    /// Each once, with how often it was there: eight devices of a kind are one sentence.
    pub fn counted(all: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut counted: Vec<(usize, Self)> = Vec::new();
        for one in all {
            match counted.iter_mut().find(|(_, other)| *other == one) {
                Some((count, _)) => *count += 1,
                None => counted.push((1, one)),
            }
        }
        let told = counted.into_iter().map(|(count, one)| match count {
            1 => one,
            _ => Self::joined(" × ", [Self::plain(count), one]),
        });
        told.collect()
    }

    /// Several in one line, as things are counted up.
    pub fn commas<M: Into<Self>>(all: impl IntoIterator<Item = M>) -> Self {
        Self::joined(", ", all)
    }

    /// Several, each on a line of its own.
    pub fn lines<M: Into<Self>>(all: impl IntoIterator<Item = M>) -> Self {
        Self::joined("\n", all)
    }

    /// What it is about, and what there is to say.
    pub fn about(what: impl Into<Self>, said: impl Into<Self>) -> Self {
        Self::joined(": ", [what.into(), said.into()])
    }

    /// Several of which one will do.
    pub fn or<M: Into<Self>>(all: impl IntoIterator<Item = M>) -> Self {
        Self::joined("; or ", all)
    }

    /// Several, one right behind the other.
    pub fn parts<M: Into<Self>>(all: impl IntoIterator<Item = M>) -> Self {
        Self::joined("", all)
    }

    fn joined<M: Into<Self>>(between: &'static str, all: impl IntoIterator<Item = M>) -> Self {
        Self::of(MessageShape::Joined { between, all: all.into_iter().map(Into::into).collect() })
    }

    /// The message in English.
    fn english(&self) -> Cow<'_, str> {
        match &*self.0 {
            MessageShape::Plain(text) => Cow::Borrowed(text),
            _ => Cow::Owned(self.translated(&|_| None)),
        }
    }

    /// The message in another language.
    pub fn translated(&self, translate: Translate<'_>) -> String {
        let mut text = String::new();
        self.tell(translate, &mut text);
        text
    }

    fn tell(&self, translate: Translate<'_>, text: &mut String) {
        match &*self.0 {
            MessageShape::Plain(own) => *text += own,
            MessageShape::Amount { number, unit } => {
                match translate(".") {
                    Some(point) => *text += &number.replace('.', point),
                    None => *text += number,
                }
                if !unit.is_empty() {
                    text.push(' ');
                    *text += translate(unit).unwrap_or(unit);
                }
            }
            MessageShape::Joined { between, all } => {
                for (place, message) in all.iter().enumerate() {
                    if place > 0 {
                        *text += translate(between).unwrap_or(between);
                    }
                    message.tell(translate, text);
                }
            }
            MessageShape::Said { id, held } => {
                for (place, line) in id.split('\n').enumerate() {
                    if place > 0 {
                        text.push('\n');
                    }
                    // The table has a text of several lines line by line, without the spaces around each.
                    let own = line.trim();
                    let behind = line.len() - line.trim_start().len();
                    *text += &line[..behind];
                    filled(translate(own).unwrap_or(own), held, translate, text);
                    *text += &line[behind + own.len()..];
                }
            }
        }
    }
}

/// A sentence with its holes filled; a brace that is no hole's stays.
fn filled(
    sentence: &str,
    held: &[(Cow<'static, str>, Message)],
    translate: Translate<'_>,
    text: &mut String,
) {
    let mut rest = sentence;
    while let Some((before, behind)) = rest.split_once('{') {
        *text += before;
        let hole = behind.split_once('}').and_then(|(name, after)| {
            held.iter().find(|(own, _)| own == name).map(|(_, message)| (message, after))
        });
        rest = match hole {
            Some((message, after)) => {
                message.tell(translate, text);
                after
            }
            None => {
                text.push('{');
                behind
            }
        };
    }
    *text += rest;
}

/// Nothing at all, for a hole that may stay empty.
impl Default for Message {
    fn default() -> Self {
        Self::plain("")
    }
}

impl Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.english())
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.english(), f)
    }
}

/// A name, or what others say: the same in every language. A test sees to it that no sentence of ours comes this way.
impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::plain(text)
    }
}

/// The same.
impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::plain(text)
    }
}

/// Two messages are the same where they say the same.
impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.english() == other.english()
    }
}

impl Eq for Message {}

impl PartialEq<str> for Message {
    fn eq(&self, other: &str) -> bool {
        self.english() == other
    }
}

impl PartialEq<&str> for Message {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq<Message> for &str {
    fn eq(&self, other: &Message) -> bool {
        other == *self
    }
}

impl PartialEq<String> for Message {
    fn eq(&self, other: &String) -> bool {
        self == other.as_str()
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl JsonSchema for Message {
    fn schema_name() -> Cow<'static, str> {
        String::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

/// What was written down is told as it was written: nobody knows what stood in which hole.
impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::plain)
    }
}

/// Reads a sentence of a profile or a table; for `serde(deserialize_with)`.
///
/// # Errors
/// Where it is no text.
pub fn sentence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Message, D::Error> {
    String::deserialize(deserializer).map(|text| Message::said(text, Vec::new()))
}

/// The same for a list of sentences.
///
/// # Errors
/// Where it is no list of texts.
pub fn sentences<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Message>, D::Error> {
    let all = Vec::<String>::deserialize(deserializer)?;
    Ok(all.into_iter().map(|text| Message::said(text, Vec::new())).collect())
}

/// The same where there may be none.
///
/// # Errors
/// Where it is no text.
pub fn maybe_sentence<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Message>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(|text| Message::said(text, Vec::new())))
}

/// What can stand in the hole of a message, and is itself told in the language of whoever reads it.
pub trait ToMessage {
    /// As a message.
    fn to_message(&self) -> Message;
}

impl ToMessage for Message {
    fn to_message(&self) -> Message {
        self.clone()
    }
}

impl<T: ToMessage + ?Sized> ToMessage for &T {
    fn to_message(&self) -> Message {
        (**self).to_message()
    }
}

/// A reason of ours may travel in an error of the operating system's.
impl std::error::Error for Message {}

impl ToMessage for std::io::Error {
    fn to_message(&self) -> Message {
        if let Some(own) = self.get_ref().and_then(|inner| inner.downcast_ref::<Message>()) {
            return own.clone();
        }
        let text = self.to_string();
        // The system's own words, with their number.
        match (text.split_once(" (os error "), self.raw_os_error()) {
            (Some((words, _)), Some(number)) => Message::said(
                format!("{words} (os error {{0}})"),
                vec![(Cow::Borrowed("0"), Message::plain(number))],
            ),
            _ => Message::said(text, Vec::new()),
        }
    }
}

impl ToMessage for Path {
    fn to_message(&self) -> Message {
        Message::plain(self.display())
    }
}

impl ToMessage for PathBuf {
    fn to_message(&self) -> Message {
        self.as_path().to_message()
    }
}

impl ToMessage for str {
    fn to_message(&self) -> Message {
        Message::plain(self)
    }
}

impl ToMessage for String {
    fn to_message(&self) -> Message {
        self.as_str().to_message()
    }
}

impl<T: ToMessage> ToMessage for [T] {
    fn to_message(&self) -> Message {
        Message::commas(self.iter().map(ToMessage::to_message))
    }
}

impl<T: ToMessage> ToMessage for Vec<T> {
    fn to_message(&self) -> Message {
        self.as_slice().to_message()
    }
}

/// What `message!` puts into a hole.
#[derive(Debug)]
pub struct Held<'a, T: ?Sized>(pub &'a T);

/// How `message!` takes what can be told.
pub trait HeldMessage {
    /// As a message.
    fn message(&self) -> Message;
}

impl<T: ToMessage + ?Sized> HeldMessage for Held<'_, T> {
    fn message(&self) -> Message {
        self.0.to_message()
    }
}

/// How `message!` takes anything else: it is found only where [`HeldMessage`] does not fit.
pub trait HeldAsItIs {
    /// As a message.
    fn message(&self) -> Message;
}

impl<T: Display + ?Sized> HeldAsItIs for &Held<'_, T> {
    fn message(&self) -> Message {
        Message::plain(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message;

    fn french(text: &str) -> Option<&'static str> {
        Some(match text {
            "{path} was made for {0}" => "{path} a été fait pour {0}",
            "another machine" => "une autre machine",
            "{done} of {total}" => "{done} sur {total}",
            "nothing was changed" => "rien n'a été modifié",
            "first" => "un",
            "." => ",",
            "GiB" => "Gio",
            "; " => "\u{a0}; ",
            _ => return None,
        })
    }

    #[test]
    fn a_message_is_told_in_either_language() {
        let path = Path::new("/a/{0}");
        let message = message!("{path} was made for {}", message!("another machine"));
        assert_eq!(message, "/a/{0} was made for another machine");
        assert_eq!(message.translated(&french), "/a/{0} a été fait pour une autre machine");
        let total = Message::amount("7.7", "GiB");
        let message = message!("{done} of {total}", done = 1);
        assert_eq!(message.translated(&french), "1 sur 7,7 Gio");
        assert_eq!(message!("{:.1}", 1.25).translated(&french), "1,2");
    }

    #[test]
    fn what_is_the_users_stays_whatever_it_says() {
        let name = "another machine".to_owned();
        let message = message!("{path} was made for {}", name, path = "{done}");
        assert_eq!(message.translated(&french), "{done} a été fait pour another machine");
        assert_eq!(
            Message::plain("nothing was changed").translated(&french),
            "nothing was changed"
        );
    }

    #[test]
    fn several_are_told_together_and_line_by_line() {
        let two = [message!("nothing was changed"), message!("another machine")];
        assert_eq!(
            Message::list(two).translated(&french),
            "rien n'a été modifié\u{a0}; une autre machine"
        );
        assert_eq!(message!("first\n  first {{x}}\n").translated(&french), "un\n  first {x}\n");
        let shown = ["a".to_owned(), "b".to_owned()];
        assert_eq!(message!("{}", shown.as_slice()), "a, b");
    }
}
