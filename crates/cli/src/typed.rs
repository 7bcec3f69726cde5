//! How this program is typed here: `aitk` where the shell finds it, else where it is.

use aitk_detect::folders;
use aitk_system::{Real, System, is_this_program, quote, this_program};

/// The word that starts this program in the shell that it was started from.
pub fn typed() -> String {
    let on_path = Real.which("aitk").is_some_and(|path| is_this_program(&path));
    let linked = || is_this_program(&folders(&Real).home.join(".local/bin/aitk"));
    match this_program() {
        _ if on_path => "aitk".to_owned(),
        Some(_) if linked() => "~/.local/bin/aitk".to_owned(),
        Some(path) => quote(&path.to_string_lossy()),
        None => "aitk".to_owned(),
    }
}

/// A command of aitk's, as it works when it is copied from a line of its own.
pub fn command_as_typed(command: &str) -> String {
    match command.strip_prefix("aitk ") {
        Some(rest) => format!("{} {rest}", typed()),
        None => command.to_owned(),
    }
}

/// A text whose commands of aitk's work as they stand there.
pub fn as_typed(text: impl Into<String>) -> String {
    let text = text.into();
    if !text.contains("`aitk ") {
        return text;
    }
    match typed() {
        word if word == "aitk" => text,
        word => text.replace("`aitk ", &format!("`{word} ")),
    }
}
