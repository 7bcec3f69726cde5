//! What judges the files of a project (`profiles/catalog/judges.toml`): the tools of those who read such files.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A tool that says whether files are right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JudgeTool {
    /// What targets call it.
    pub name: String,
    /// What it takes of Python's packages, as in PEP 508; they get an environment of their own.
    #[serde(default)]
    pub packages: Vec<String>,
    /// Else, the package of the system that has it.
    #[serde(default)]
    pub apt: Vec<String>,
    /// How it is run in the project's folder: `{files}` stands for all files, `{file}` for one at a time.
    pub command: Vec<String>,
    /// How long it takes, in seconds.
    pub seconds: u64,
    /// What its environment takes on disk, in MB.
    pub megabytes: u64,
    /// What it must not let pass, below the folder of the target that uses it.
    pub refuses: String,
    /// Where the row comes from.
    pub source: String,
    /// When that was the newest, `YYYY-MM-DD`.
    pub as_of: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JudgeTable {
    judge: Vec<JudgeTool>,
}

static JUDGES: LazyLock<Vec<JudgeTool>> = LazyLock::new(|| {
    let table = toml::from_str(aitk_system::builtin("catalog/judges.toml"));
    let table: JudgeTable = table.unwrap_or_else(|error| unreachable!("{error}"));
    table.judge
});

/// Every judge that is known, in the order of its table.
pub fn judges() -> &'static [JudgeTool] {
    &JUDGES
}

impl JudgeTool {
    /// The tool that a target names.
    pub fn named(name: &str) -> Option<&'static Self> {
        judges().iter().find(|tool| tool.name == name)
    }

    /// The program that has to be there where the system brings it.
    pub fn program(&self) -> &str {
        match self.command.first().map(String::as_str) {
            Some("sh") | None => &self.name,
            Some(program) => program,
        }
    }

    /// The commands by which it judges these files.
    pub fn commands(&self, files: &[String]) -> Vec<Vec<String>> {
        let with = |files: &[String]| {
            let words = self.command.iter().flat_map(|word| match word.as_str() {
                "{files}" | "{file}" => files.to_vec(),
                word => vec![word.to_owned()],
            });
            words.collect::<Vec<_>>()
        };
        match self.command.iter().any(|word| word == "{file}") {
            true => files.iter().map(|file| with(std::slice::from_ref(file))).collect(),
            false => vec![with(files)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_judged_all_at_once_or_one_by_one() {
        let tool = |command: &[&str]| JudgeTool {
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            ..judges()[0].clone()
        };
        let files = ["a", "b"].map(str::to_owned);
        assert_eq!(tool(&["x", "{files}"]).commands(&files), [["x", "a", "b"]]);
        assert_eq!(
            tool(&["x", "{file}", "y"]).commands(&files),
            [["x", "a", "y"], ["x", "b", "y"]]
        );
    }

    #[test]
    fn every_tool_comes_from_somewhere_and_is_pinned() {
        for tool in judges() {
            assert!(tool.packages.is_empty() != tool.apt.is_empty(), "{}", tool.name);
            assert!(tool.packages.iter().all(|package| package.contains("==")), "{}", tool.name);
        }
    }
}
