//! A public SSH key, looked at before a server is made that nobody else can get into.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::ExportError;

/// The kinds of key that today's servers take.
const KINDS: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// A public SSH key: the line of a `.pub` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(String);

impl PublicKey {
    /// The key in a text; blank lines and comments aside there is nothing else in it.
    ///
    /// # Errors
    /// [`ExportError::PrivateKey`] and [`ExportError::NotAKey`].
    pub fn parse(text: &str) -> Result<Self, ExportError> {
        if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
            return Err(ExportError::PrivateKey);
        }
        let lines = text.lines().map(str::trim);
        let mut lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(ExportError::NotAKey);
        };
        let mut words = line.split_ascii_whitespace();
        let (kind, body) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let key = STANDARD.decode(body).unwrap_or_default();
        // Its first field is its kind once more.
        let is_whole =
            fields(&key).is_some_and(|fields| fields.len() > 1 && fields[0] == kind.as_bytes());
        if is_whole && KINDS.contains(&kind) && !line.chars().any(char::is_control) {
            Ok(Self(line.to_owned()))
        } else {
            Err(ExportError::NotAKey)
        }
    }

    /// The line.
    pub fn line(&self) -> &str {
        &self.0
    }
}

/// What a key is made of, each field behind its length; nothing where it ends in the midst of one.
fn fields(mut key: &[u8]) -> Option<Vec<&[u8]>> {
    let mut fields = Vec::new();
    while !key.is_empty() {
        let (length, rest) = key.split_first_chunk()?;
        let (field, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        fields.push(field);
        key = rest;
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDFgbpi4rhqHmQ2zQF8B3oC6mW0lZ5dEG1FRtQSNGfCJ o'brien: @ home";

    #[test]
    fn the_line_of_a_pub_file_is_a_key() {
        let key = PublicKey::parse(&format!("# mine\n{KEY}\r\n\n")).unwrap();
        assert_eq!(key.line(), KEY);
    }

    #[test]
    fn a_private_key_is_refused_and_not_repeated() {
        let text =
            "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----";
        let error = PublicKey::parse(text).unwrap_err();
        assert!(matches!(error, ExportError::PrivateKey));
        assert!(!error.to_string().contains("c2VjcmV0"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let twice = format!("{KEY}\n{KEY}");
        let cut = &KEY[..40];
        let options = format!("command=\"true\" {KEY}");
        let other = KEY.replacen("ssh-ed25519", "ssh-rsa", 1);
        let control = format!("{KEY}\u{7}");
        for text in ["", "ssh-ed25519", "hello", &twice, cut, &options, &other, &control] {
            let error = PublicKey::parse(text);
            assert!(matches!(error, Err(ExportError::NotAKey)), "{text:?}: {error:?}");
        }
    }
}
