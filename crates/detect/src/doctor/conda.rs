//! Installations of conda that somebody else has made, and what shells are told of them.

use aitk_system::{Message, message};
use std::path::PathBuf;

use super::ProbeContext;
use super::prefix::minor;

/// Names of the channels that Anaconda asks agreement to its terms for.
const DEFAULTS: [&str; 5] = ["defaults", "anaconda", "main", "pkgs/main", "pkgs/r"];
/// The first conda whose usual solver is the fast one.
const LIBMAMBA: (u32, u32) = (23, 10);
/// Files that shells read when they start.
const SHELLS: [&str; 6] =
    [".bashrc", ".bash_profile", ".profile", ".zshrc", ".zprofile", ".config/fish/config.fish"];

/// What the `condarc` files of the user, the system and one installation say together.
#[derive(Debug, Default, PartialEq, Eq)]
struct Condarc {
    channels: Vec<String>,
    solver: Option<String>,
    strict: bool,
    leaves_base: bool,
}

impl Condarc {
    fn read(case: &ProbeContext<'_>, base: Option<&PathBuf>) -> Self {
        let mut files = vec![
            "/etc/conda/condarc".into(),
            "/etc/conda/.condarc".into(),
            case.home(".config/conda/condarc"),
            case.home(".condarc"),
        ];
        files.extend(
            base.into_iter().flat_map(|base| [base.join("condarc"), base.join(".condarc")]),
        );
        let mut all = Self::default();
        for text in files.iter().filter_map(|path| case.system.text(path).ok()) {
            all.add(&text);
        }
        all
    }

    /// Adds what a file says: of YAML only the plain keys, and lists in both of their forms.
    fn add(&mut self, text: &str) {
        let mut list = "";
        for line in text.lines() {
            let line = line.split(" #").next().unwrap_or_default().trim_end();
            let plain = |text: &str| text.trim().trim_matches(['\'', '"']).to_owned();
            if let Some(item) = line.trim_start().strip_prefix("- ") {
                if ["channels", "default_channels"].contains(&list) {
                    self.channels.push(plain(item));
                }
            } else if let Some((key, value)) = line.split_once(':') {
                let value = plain(value);
                list = key.trim();
                match list {
                    "channels" => {
                        let items = value.trim_matches(['[', ']']).split(',').map(plain);
                        self.channels.extend(items.filter(|item| !item.is_empty()));
                    }
                    "solver" | "experimental_solver" => self.solver = Some(value),
                    "channel_priority" => self.strict = value == "strict",
                    "auto_activate_base" | "auto_activate" => self.leaves_base = value == "false",
                    _ => {}
                }
            }
        }
    }

    fn has_defaults(&self) -> bool {
        let named = |channel: &String| {
            DEFAULTS.iter().any(|name| channel == name || channel.ends_with(&format!("/{name}")))
        };
        self.channels.iter().any(named)
    }
}

/// Channels whose terms have to be agreed to, without which every command fails.
pub(super) fn default_channels(case: &ProbeContext<'_>) -> Vec<Message> {
    if case.system.env("CONDA_PLUGINS_AUTO_ACCEPT_TOS").is_some() {
        return Vec::new();
    }
    let installations = case.machine.conda.iter();
    installations
        .filter_map(|conda| {
            let condarc = Condarc::read(case, Some(&conda.path));
            let path = conda.path.display();
            match condarc.channels.is_empty() {
                true => {
                    Some(message!("conda in {path} is told no channels, so it takes `defaults`"))
                }
                false if condarc.has_defaults() => Some(message!(
                    "the channels of conda in {path}: {}",
                    condarc.channels.join(", ")
                )),
                false => None,
            }
        })
        .collect()
}

/// What makes conda search for minutes, or find nothing.
pub(super) fn slow_solver(case: &ProbeContext<'_>) -> Vec<Message> {
    let mut seen = Vec::new();
    for conda in &case.machine.conda {
        let (path, condarc) = (conda.path.display(), Condarc::read(case, Some(&conda.path)));
        match condarc.solver.as_deref() {
            Some("classic") => {
                seen.push(message!("conda in {path} is told to use the classic solver"))
            }
            None if minor(&conda.version).is_some_and(|version| version < LIBMAMBA) => {
                seen.push(message!("conda {} in {path} uses the classic solver", conda.version));
            }
            _ => {}
        }
        let mixed = condarc.has_defaults()
            && condarc.channels.iter().any(|channel| channel.ends_with("conda-forge"));
        if mixed && !condarc.strict {
            seen.push(message!(
                "conda in {path} mixes conda-forge with `defaults`, without strict priority"
            ));
        }
    }
    seen
}

/// Shells that are told of conda more than once, or that it takes over whether asked for or not.
pub(super) fn shell_fights(case: &ProbeContext<'_>) -> Vec<Message> {
    let mut seen = Vec::new();
    let mut all = 0;
    for name in SHELLS {
        let Ok(text) = case.system.text(case.home(name)) else { continue };
        let blocks = blocks(&text);
        if blocks > 1 {
            seen.push(message!("~/{name} has {blocks} blocks of conda's"));
        }
        all += blocks;
    }
    if all > 0
        && !Condarc::read(case, case.machine.conda.first().map(|conda| &conda.path)).leaves_base
    {
        seen.push(message!("every new shell activates conda's own environment `base`"));
    }
    seen
}

/// How many blocks `conda init` and `mamba init` have left.
fn blocks(text: &str) -> usize {
    let begins = |line: &&str| {
        let line = line.trim_start_matches(['#', ' ']);
        line.starts_with(">>> conda initialize >>>") || line.starts_with(">>> mamba initialize >>>")
    };
    text.lines().filter(begins).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Condarc {
        let mut condarc = Condarc::default();
        condarc.add(text);
        condarc
    }

    #[test]
    fn both_forms_of_lists_are_read() {
        let condarc = of(
            "channels:\n  - conda-forge   # first\n- 'defaults'\nsolver: classic\nchannel_priority: strict\n",
        );
        assert_eq!(condarc.channels, ["conda-forge", "defaults"]);
        assert!(condarc.has_defaults() && condarc.strict);
        assert_eq!(condarc.solver.as_deref(), Some("classic"));
        let condarc = of(
            "channels: [conda-forge, nodefaults]\nauto_activate_base: false\ncreate_default_packages:\n  - main\n",
        );
        assert_eq!(condarc.channels, ["conda-forge", "nodefaults"]);
        assert!(!condarc.has_defaults() && condarc.leaves_base);
        assert!(of("channels: ['http://127.0.0.1/pkgs/main']").has_defaults());
    }

    #[test]
    fn damaged_files_say_nothing() {
        assert_eq!(of("\0\u{fffd}:::\n- - -\n[[[\nchannels"), Condarc::default());
    }

    #[test]
    fn only_what_init_has_left_is_a_block() {
        assert_eq!(blocks("# >>> conda initialize >>>\nx\n# <<< conda initialize <<<\n"), 1);
        assert_eq!(blocks("echo conda initialize\n"), 0);
    }
}
