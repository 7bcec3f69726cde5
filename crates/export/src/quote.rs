//! Every value in the form of the file that it stands in. Names, titles, addresses and versions may come from a stranger's
//! machine, profile or lock: nothing of them is ever read as more than a value, and nothing is quoted anywhere else.

use aitk_plan::Package;
use aitk_plan::names::{self, Unfit};
use aitk_system::{acts, plain};

/// A text in the quotes of JSON, which YAML, TOML and Python have as well.
pub(crate) fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    // As it is, JSON lets characters stand that YAML takes for line ends or for none at all.
    let escaped = |c: char| match u32::from(c) {
        code @ 0x7f..=0xffff if acts(c) => format!("\\u{code:04x}"),
        _ => c.to_string(),
    };
    json.chars().map(escaped).collect()
}

/// A text in YAML: as it is where nobody can take it for something else.
pub(crate) fn yaml(text: &str) -> String {
    const READ_OTHERWISE: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "._+-/=:*~%!".contains(c))
        && !text.ends_with(':')
        && !READ_OTHERWISE.contains(&text.to_ascii_lowercase().as_str());
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// A text in YAML for Ansible, which would carry out what stands in its braces.
pub(crate) fn ansible(text: &str) -> String {
    let is_template = ["{{", "{%", "{#"].iter().any(|begin| text.contains(begin));
    let tag = if is_template { "!unsafe " } else { "" };
    format!("{tag}{}", quoted(text))
}

/// A key of TOML's.
pub(crate) fn toml_key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-".contains(c);
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { quoted(name) }
}

/// A word of the shell's.
pub(crate) fn shell(text: &str) -> String {
    // No word of a program's can have it, and bash leaves it out, also between the signs of a word of its own.
    aitk_system::quote(&text.replace('\0', ""))
}

/// A word of the shell's in a Dockerfile, whose instructions end with their line.
pub(crate) fn docker_shell(text: &str) -> String {
    shell(&plain(text))
}

/// A value of `ARG`, `ENV` or `LABEL` in a Dockerfile, where `$` stands for a variable.
pub(crate) fn docker(text: &str) -> String {
    let text = plain(text);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-/:@,=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.into_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('$', "\\$"))
}

/// A value in the quotes that labels have.
pub(crate) fn label(text: &str) -> String {
    let value = docker(text);
    if value.starts_with('"') { value } else { format!("\"{value}\"") }
}

/// A text of PowerShell's, which takes the typographic quotes for its own.
pub(crate) fn powershell(text: &str) -> String {
    let quote = |c: char| matches!(c, '\'' | '\u{2018}'..='\u{201b}');
    let doubled = text.chars().flat_map(|c| [Some(c), quote(c).then_some(c)]).flatten();
    format!("'{}'", doubled.collect::<String>())
}

/// A text of Ruby's.
pub(crate) fn ruby(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// What stands in a comment: it ends with its line in every form that has such.
pub(crate) fn comment(text: &str) -> String {
    plain(text).into_owned()
}

/// Words in a text of Markdown's.
pub(crate) fn markdown(text: &str) -> String {
    let escaped = |c: char| ["", "\\"][usize::from("\\`*_[]<>&|".contains(c))].chars().chain([c]);
    plain(text).chars().flat_map(escaped).collect()
}

/// Code in a text of Markdown's, which has no sign that would stand for its own.
pub(crate) fn markdown_code(text: &str) -> String {
    plain(text).replace('`', "'")
}

/// A part of a file's name.
pub(crate) fn file_part(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.chars().map(|c| if is_plain(c) { c } else { '-' }).collect()
}

/// A text in a script of the shell's, as what `command` reads: up to a line that the text does not have.
pub(crate) fn here_document(command: &str, text: &str) -> String {
    const END: &str = "END_OF_TEXT";
    let text = text.trim_end().replace('\0', "");
    let mut end = END.to_owned();
    while text.lines().any(|line| line == end) {
        end.push('_');
    }
    format!("{command} <<'{end}'\n{text}\n{end}\n")
}

/// A package as pip, uv and conda name it in their lists, which have no quotes: what is no such package is refused.
pub(crate) fn listed(package: &Package) -> Result<&Package, Unfit> {
    names::package_name::check(&package.name)?;
    names::version::check(&package.version)?;
    package.build.as_deref().map(names::build_string::check).transpose()?;
    package.sha256.as_deref().map(names::sha256::check).transpose()?;
    package.url.as_deref().map(names::address::check).transpose()?;
    Ok(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_quotes_has_none() {
        assert_eq!(yaml("numpy=2.4.6=py312_0"), "numpy=2.4.6=py312_0");
        assert_eq!(yaml("https://c.example/conda-forge"), "https://c.example/conda-forge");
        assert_eq!(docker("debian:13-slim"), "debian:13-slim");
        assert_eq!(toml_key("scikit-learn"), "scikit-learn");
        assert_eq!(ansible("--env=ai"), "\"--env=ai\"");
    }

    #[test]
    fn what_means_something_is_quoted() {
        for word in ["yes", "No", "a:", "- a", "1.5", "a #b", "a: b", "{a}", "", "é", "*a"] {
            assert!(yaml(word).starts_with('"'), "{word}");
        }
        assert_eq!(quoted("\u{85}\u{2028}\u{7f}\n"), r#""\u0085\u2028\u007f\n""#);
        assert_eq!(ansible("{{ lookup('pipe', 'id') }}"), "!unsafe \"{{ lookup('pipe', 'id') }}\"");
        assert_eq!(toml_key("ruamel.yaml"), "\"ruamel.yaml\"");
        assert_eq!(docker("a $(id) \"b\" \\\nRUN c"), r#""a \$(id) \"b\" \\�RUN c""#);
        assert_eq!(powershell("a'; b ’ c"), "'a''; b ’’ c'");
        assert_eq!(ruby("#{`id`}' \\"), r"'#{`id`}\' \\'");
        assert_eq!(markdown("[x](y) `z`"), r"\[x\](y) \`z\`");
        assert_eq!(file_part("../a.b c"), "---a-b-c");
        assert_eq!(shell("a\0b"), "ab");
    }

    #[test]
    fn a_text_in_a_script_ends_behind_its_own_lines() {
        let text = "a\nEND_OF_TEXT\n}\nEND_OF_\0TEXT_\n";
        let script = here_document("cat", text);
        assert_eq!(
            script,
            "cat <<'END_OF_TEXT__'\na\nEND_OF_TEXT\n}\nEND_OF_TEXT_\nEND_OF_TEXT__\n"
        );
    }
}
