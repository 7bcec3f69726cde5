//! How an error speaks to a person and to a script.

use crate::message::Message;

/// The exit codes that a script may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something failed; what was done is journaled and a re-run continues.
    Failed = 1,
    /// Changes are left that nobody has agreed to.
    Pending = 2,
    /// The command line, or a file that it names, cannot be used as it is (`EX_USAGE`).
    Usage = 64,
    /// A source does not answer.
    Unavailable = 69,
    /// Another run or dpkg holds a lock; try again later.
    TryAgain = 75,
    /// The user may not do that, or did not agree to it (`EX_NOPERM`).
    NotPermitted = 77,
    /// Bad configuration or profile.
    Config = 78,
    /// A pause and no failure: the person has something to do, and the same command then continues.
    Resume = 100,
}

/// An error that has a stable code and says what to do next. It is derived: see `aitk_macros`.
pub trait Explain: std::error::Error + Send + Sync + 'static {
    /// A code that never changes its meaning, `AITK-…`; `docs/diagnostics.md` lists them.
    fn code(&self) -> &'static str;
    /// What happened, in one sentence that names the file, the package or the source.
    fn message(&self) -> Message {
        Message::plain(self.to_string())
    }
    /// What the user can do about it.
    fn hint(&self) -> Option<Message>;
    /// The exit code of a program that ends with this error.
    fn exit(&self) -> Exit;
}

/// What there is to say of one kind of error.
#[derive(Debug, Clone, Copy)]
pub struct Diagnosed {
    /// Its code, `AITK-E01`: it stays the same in all versions, and `docs/diagnostics.md` explains it.
    pub code: &'static str,
    /// The exit code; `None` where the reason decides that the error carries.
    pub exit: Option<Exit>,
    /// What it is: the variant's own words.
    pub about: &'static str,
    /// What it says, with holes.
    pub says: &'static str,
    /// What can be done: one of these, with holes. None where there is nothing, or the error brings it along.
    pub hints: &'static [&'static str],
}

/// Gives codes of what is no error their names; `ALL` lists them with what each means.
#[macro_export]
macro_rules! codes {
    ($($(#[doc = $means:literal])+ $name:ident = $code:literal;)+) => {
        $($(#[doc = $means])+ pub const $name: &str = $code;)+

        /// Every code, and what it means.
        pub const ALL: &[(&str, &str)] = &[$(($code, concat!($($means),+).trim_ascii())),+];
    };
}

#[cfg(test)]
mod tests {
    use std::error::Error;
    use std::io;
    use std::path::PathBuf;

    use super::{Exit, Explain};
    use crate::{Fault, Message, ToMessage, message};

    /// One of every kind that the derive knows.
    #[derive(Debug, crate::Explain)]
    enum Wrong {
        /// Something stands
        /// in the way.
        #[explain(code = "TEST-1", exit = Usage, say("{path} is there"), hint("move {path}, or {}", all.len()))]
        There { path: PathBuf, all: Vec<String> },
        /// Not known.
        #[explain(
            code = "TEST-2",
            say("no `{name}`"),
            hint_if(Some(match nearest {
                Some(nearest) => message!("did you mean `{nearest}`?"),
                None => message!("choose another"),
            }))
        )]
        Unknown { name: String, nearest: Option<String> },
        /// A file.
        #[explain(
            code = "TEST-3",
            exit(Fault::of(source).map_or(Exit::Failed, Fault::exit)),
            say("{path}: {source}"),
            hint_if(Some(Fault::of(source)?.hint(path)))
        )]
        Io { path: PathBuf, source: io::Error },
        /// A sentence.
        #[explain(code = "TEST-4", say("{0} of {1}"))]
        Pair(Message, #[source] io::Error),
        /// Nothing more.
        #[explain(code = "TEST-5", exit = Pending, say("stopped"))]
        Stopped,
    }

    #[derive(Debug, crate::Explain)]
    enum Outer {
        #[explain(transparent)]
        Wrong(#[from] Wrong),
        #[explain(code = "TEST-6", exit = Config, say("outside: {0}"), hint("look inside"))]
        Number(#[from] std::num::ParseIntError),
    }

    fn denied() -> io::Error {
        io::ErrorKind::PermissionDenied.into()
    }

    #[test]
    fn an_error_explains_itself_by_its_attributes() {
        let there = Wrong::There { path: "/a".into(), all: vec!["x".to_owned()] };
        assert_eq!((there.code(), there.exit()), ("TEST-1", Exit::Usage));
        assert_eq!(there.to_string(), "/a is there");
        assert_eq!(there.hint().unwrap(), "move /a, or 1");
        let unknown = |nearest| Wrong::Unknown { name: "lwo".to_owned(), nearest };
        assert_eq!(unknown(None).hint().unwrap(), "choose another");
        let low = unknown(Some("low".to_owned()));
        assert_eq!(low.hint().unwrap(), "did you mean `low`?");
        let french = |text: &str| (text == "no `{name}`").then_some("pas de «{name}»");
        assert_eq!(low.to_message().translated(&french), "pas de «lwo»");
        assert!(Wrong::Stopped.hint().is_none() && Wrong::Stopped.source().is_none());
        assert_eq!(Wrong::Stopped.exit(), Exit::Pending);
    }

    #[test]
    fn the_reason_decides_where_an_error_carries_one() {
        let io = Wrong::Io { path: "/a".into(), source: denied() };
        assert_eq!(
            (io.exit(), io.to_string()),
            (Exit::NotPermitted, "/a: permission denied".to_owned())
        );
        assert!(io.hint().is_some() && io.source().is_some());
        let io = Wrong::Io { path: "/a".into(), source: io::Error::other("x") };
        assert_eq!((io.exit(), io.hint()), (Exit::Failed, None));
        let pair = Wrong::Pair(message!("half"), io::Error::other("x"));
        assert_eq!(pair.to_string(), "half of x");
        assert!(pair.source().is_some());
    }

    #[test]
    fn what_is_passed_on_speaks_as_it_did_before() {
        let inner = || Wrong::Io { path: "/a".into(), source: denied() };
        let outer = Outer::from(inner());
        assert_eq!(
            (outer.code(), outer.exit(), outer.hint()),
            (inner().code(), inner().exit(), inner().hint())
        );
        assert_eq!(outer.to_string(), inner().to_string());
        let number = Outer::from("x".parse::<i32>().unwrap_err());
        assert_eq!(number.to_string(), "outside: invalid digit found in string");
        assert!(number.source().is_some());
    }

    #[test]
    fn there_is_a_row_of_each_kind() {
        let rows: Vec<_> =
            Wrong::DIAGNOSTICS.iter().map(|row| (row.code, row.exit, row.hints)).collect();
        let expected: [(_, _, &[&str]); 5] = [
            ("TEST-1", Some(Exit::Usage), &["move {path}, or {}"]),
            ("TEST-2", Some(Exit::Failed), &["did you mean `{nearest}`?", "choose another"]),
            ("TEST-3", None, &[]),
            ("TEST-4", Some(Exit::Failed), &[]),
            ("TEST-5", Some(Exit::Pending), &[]),
        ];
        assert_eq!(rows, expected);
        let first = Wrong::DIAGNOSTICS[0];
        assert_eq!((first.about, first.says), ("Something stands in the way.", "{path} is there"));
        assert_eq!(Outer::DIAGNOSTICS.len(), 1);
    }
}
