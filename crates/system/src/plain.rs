//! Text from outside, which must not act on what shows it.

use std::borrow::Cow;

/// Whether a character acts on a terminal or on the eye instead of being seen: control characters of either set (line
/// ends and tabs are among them), what breaks lines, what changes the direction of reading, and what has no width.
pub fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text in which nothing acts: on one line, with a sign in the place of each character that would.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(acts) {
        let seen = |c| if acts(c) { char::REPLACEMENT_CHARACTER } else { c };
        Cow::Owned(text.chars().map(seen).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_is_replaced_and_letters_of_all_scripts_stay() {
        for acting in [
            "\u{1b}[2J",
            "a\nb",
            "\r",
            "\u{9b}8m",
            "\u{7f}",
            "\u{202e}",
            "\u{2066}",
            "\u{200b}",
            "\u{feff}",
            "\0",
        ] {
            assert!(!plain(acting).chars().any(acts), "{acting:?}");
            assert!(plain(acting).contains('\u{fffd}'), "{acting:?}");
        }
        for calm in ["", "NVIDIA H100 80GB", "Zoë’s ГПУ", "日本語", "été → ✓"] {
            assert_eq!(plain(calm), calm);
        }
    }
}
