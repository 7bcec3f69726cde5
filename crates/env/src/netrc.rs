//! `.netrc`: names and passwords by host, as curl, pip and uv read it. Nothing of what stands in it is ever told.

use std::fmt;
use std::iter::Peekable;
use std::path::Path;
use std::str::Chars;

use aitk_system::{Real, System};
use rattler_networking::Authentication;
use rattler_networking::authentication_storage::{AuthenticationStorageError, StorageBackend};

/// What opens a host; `None` for all that are not named.
struct Entry {
    host: Option<String>,
    login: String,
    password: String,
}

/// The entries of one file.
#[derive(Default)]
pub(crate) struct Netrc(Vec<Entry>);

impl fmt::Debug for Netrc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Netrc {
    /// What stands in a file; one that is not there, or cannot be read, opens nothing.
    pub fn read(file: &Path) -> Self {
        let system: &dyn System = &Real;
        system.text(file).map(|text| Self::parse(&text)).unwrap_or_default()
    }

    fn parse(text: &str) -> Self {
        let mut words = Words(text.chars().peekable());
        let mut found = Vec::<Entry>::new();
        while let Some(word) = words.next_key() {
            let mut begin = |host| {
                found.push(Entry { host, login: String::new(), password: String::new() });
            };
            match word.as_str() {
                "machine" => begin(Some(words.value())),
                "default" => begin(None),
                "macdef" => words.skip_macro(),
                "login" | "user" | "account" | "password" => {
                    let value = words.value();
                    match (found.last_mut(), word.as_str()) {
                        (Some(entry), "login" | "user") => entry.login = value,
                        (Some(entry), "password") => entry.password = value,
                        _ => {}
                    }
                }
                // pip does not read such a file at all; what is understood of it is taken here, as curl does.
                _ => {}
            }
        }
        Self(found)
    }

    /// What opens a host: what stands for it, else what stands for all others.
    fn of(&self, host: &str) -> Option<&Entry> {
        let named = self.0.iter().find(|entry| entry.host.as_deref() == Some(host));
        named.or_else(|| self.0.iter().find(|entry| entry.host.is_none()))
    }
}

/// The words of such a file.
struct Words<'a>(Peekable<Chars<'a>>);

impl Words<'_> {
    fn skip_space(&mut self) {
        while self.0.next_if(|letter| letter.is_whitespace()).is_some() {}
    }

    /// The next word that is no comment.
    fn next_key(&mut self) -> Option<String> {
        loop {
            self.skip_space();
            if *self.0.peek()? != '#' {
                return Some(self.value());
            }
            while self.0.next_if(|letter| *letter != '\n').is_some() {}
        }
    }

    /// The next word, whatever it begins with; in quotes it may hold spaces.
    fn value(&mut self) -> String {
        self.skip_space();
        let quoted = self.0.next_if_eq(&'"').is_some();
        let mut word = String::new();
        while let Some(letter) =
            self.0.next_if(|letter| if quoted { *letter != '"' } else { !letter.is_whitespace() })
        {
            match letter {
                '\\' => word.extend(self.0.next()),
                letter => word.push(letter),
            }
        }
        if quoted {
            self.0.next();
        }
        word
    }

    /// A macro goes on up to an empty line.
    fn skip_macro(&mut self) {
        let mut ends = false;
        for letter in self.0.by_ref() {
            if letter == '\n' && ends {
                return;
            }
            ends = letter == '\n' || ends && letter.is_whitespace();
        }
    }
}

impl StorageBackend for Netrc {
    fn name(&self) -> String {
        "netrc".to_owned()
    }

    fn get(&self, host: &str) -> Result<Option<Authentication>, AuthenticationStorageError> {
        Ok(self.of(host).map(|entry| Authentication::BasicHTTP {
            username: entry.login.clone(),
            password: entry.password.clone(),
        }))
    }

    fn store(&self, host: &str, _: &Authentication) -> Result<(), AuthenticationStorageError> {
        let (host, backends) = (host.to_owned(), self.name());
        Err(AuthenticationStorageError::StoreFailed { host, backends })
    }

    fn delete(&self, host: &str) -> Result<(), AuthenticationStorageError> {
        Err(AuthenticationStorageError::DeleteFailed { host: host.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, host: &str) -> Option<(String, String)> {
        let netrc = Netrc::parse(text);
        assert_eq!(format!("{netrc:?}"), "…");
        netrc.of(host).map(|entry| (entry.login.clone(), entry.password.clone()))
    }

    fn pair(login: &str, password: &str) -> Option<(String, String)> {
        Some((login.to_owned(), password.to_owned()))
    }

    #[test]
    fn a_file_is_read_as_curl_reads_it() {
        let text = "# the firm's\nmachine a.example login me password #s3cret # not a part\n\
                    macdef init\nmachine x login no password no\n\nmachine b.example\n  login \"me too\"\n\
                    \tpassword \"a \\\"b\\\" c\"\naccount x\nmachine c.example password only\nport 1\n";
        assert_eq!(of(text, "a.example"), pair("me", "#s3cret"));
        assert_eq!(of(text, "b.example"), pair("me too", "a \"b\" c"));
        assert_eq!(of(text, "c.example"), pair("", "only"));
        assert_eq!(of(text, "x"), None);
        assert_eq!(of(text, "example"), None);
    }

    #[test]
    fn what_stands_for_all_others_comes_last() {
        let text = "default login any password one\nmachine a.example login me password two";
        assert_eq!(of(text, "a.example"), pair("me", "two"));
        assert_eq!(of(text, "b.example"), pair("any", "one"));
    }

    #[test]
    fn what_is_cut_or_none_opens_nothing() {
        for text in ["", "machine", "login me password x", "\"", "machine \"a", "macdef", "\\"] {
            assert_eq!(of(text, "a.example"), None, "{text}");
        }
        assert!(Netrc::read(Path::new("/nonexistent")).of("a").is_none());
    }
}
