//! What is typed for what: an example or two for each command.

/// The examples of a command; none for one that there is not.
pub(super) fn of(command: &str) -> &'static [&'static str] {
    ALL.iter().find(|(name, _)| *name == command).map_or(&[], |(_, examples)| examples)
}

/// All of them. Each is read by a test as it would be typed.
pub(super) const ALL: &[(&str, &[&str])] = &[
    ("detect", &["aitk detect", "aitk detect --json"]),
    ("doctor", &["aitk doctor", "aitk doctor --env ~/venv"]),
    ("advise", &["aitk advise", "aitk advise --goal learn --local yes", "aitk advise --model 8b"]),
    ("plan", &["aitk plan --budget low", "aitk plan --budget low --framework jax -o plan.json"]),
    ("apply", &["aitk apply --budget low", "aitk apply plan.json --yes"]),
    ("init", &["aitk init --budget low", "aitk init --budget low --package polars --no-resolve"]),
    ("trust", &["aitk trust", "aitk trust --revoke"]),
    ("verify", &["aitk verify", "aitk verify --deep"]),
    ("status", &["aitk status"]),
    ("run", &["aitk run -- python train.py"]),
    ("shell", &["aitk shell"]),
    ("lab", &["aitk lab", "aitk lab --dir ~/courses --no-browser"]),
    ("add", &["aitk add polars", "aitk add \"polars>=1.9,<2\" duckdb"]),
    ("drop", &["aitk drop polars"]),
    ("lock", &["aitk lock --budget low -o pylock.toml"]),
    ("upgrade", &["aitk upgrade --dry-run", "aitk upgrade"]),
    ("rollback", &["aitk rollback"]),
    ("clean", &["aitk clean"]),
    ("remove", &["aitk remove --dry-run", "aitk remove"]),
    ("bundle", &["aitk bundle --budget low -o bundle.tar"]),
    ("export", &["aitk export --list", "aitk export dockerfile --budget low -o image"]),
    ("profiles", &["aitk profiles", "aitk profiles low"]),
    ("completions", &["aitk completions bash > ~/.local/share/bash-completion/completions/aitk"]),
    ("man", &["aitk man plan | man -l -", "aitk man -o ~/.local/share/man/man1"]),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[test]
    fn every_command_has_an_example_that_can_be_typed() {
        for command in args::command().get_subcommands() {
            assert!(!of(command.get_name()).is_empty(), "{}", command.get_name());
        }
        for example in ALL.iter().flat_map(|(_, examples)| *examples) {
            let ends = [" > ", " | "].iter().filter_map(|end| example.find(end)).min();
            let typed = example[..ends.unwrap_or(example.len())].replace('"', "");
            let read = args::command().try_get_matches_from(typed.split(' '));
            assert!(read.is_ok(), "{example}: {}", read.unwrap_err());
        }
    }
}
