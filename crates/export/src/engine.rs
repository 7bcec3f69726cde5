//! The one template engine: minijinja with «name» for a hole and «% … %» for what is done with it, strict.
//!
//! Every hole is written as the format of its file writes a value, whether a filter is named or not: what a stranger wrote
//! stays a value also where somebody has forgotten that.

use std::collections::BTreeMap;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::{Compression, GzBuilder};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior};

use crate::quote;

/// What a template may take at most, in steps of the engine: a bill of materials of 2,000 packages takes a tenth. A folder
/// of the user's own may come from anybody, and must come to an end.
const FUEL: u64 = 10_000_000;
/// Bytes of a compressed file in a line of base64. Nobody reads it, and short lines cost a tenth in indentation.
const BASE64_LINE: usize = 1200;
/// How deep such a line stands in the block of YAML that holds it.
const BASE64_INDENT: &str = "      ";

/// The engine with templates by their names, `TARGET/PATH`.
pub(crate) fn engine(files: BTreeMap<String, String>) -> Result<Environment<'static>, Error> {
    let mut engine = Environment::new();
    engine.set_syntax(syntax()?);
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine.set_auto_escape_callback(|name| AutoEscape::Custom(format_of(name).into()));
    engine.set_formatter(write);
    engine.set_loader(move |name| Ok(files.get(name).cloned()));
    // Whatever is written goes through a writer.
    for filter in ["safe", "escape", "e"] {
        engine.remove_filter(filter);
    }
    filters(&mut engine);
    Ok(engine)
}

fn syntax() -> Result<SyntaxConfig, Error> {
    let mut syntax = SyntaxConfig::builder();
    syntax
        .variable_delimiters("«", "»")
        .block_delimiters("«%", "%»")
        .comment_delimiters("«#", "#»");
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    syntax.build()
}

/// The format of a file by its name: the one whose values are written in it.
fn format_of(name: &str) -> &'static str {
    let file = name.rsplit('/').next().unwrap_or(name);
    match file.rsplit('.').next().unwrap_or(file) {
        "sh" => "shell",
        "yml" | "yaml" => "yaml",
        "json" | "ipynb" => "json",
        "toml" => "toml",
        "py" => "python",
        "md" => "markdown",
        "ps1" => "powershell",
        "rb" | "Vagrantfile" => "ruby",
        "Dockerfile" => "dockerfile",
        "path" => "path",
        "said" => "said",
        // Lists and settings have no quotes: a value is one word, or none.
        _ => "word",
    }
}

/// Writes the value of a hole.
fn write(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let AutoEscape::Custom(format) = state.auto_escape() else {
        return Err(refused("a hole has to be written in a format"));
    };
    let text = match value.as_str() {
        Some(text) if value.is_safe() => text.to_owned(),
        _ if format == "json" => json(value)?,
        Some(text) => written(format, text)?,
        // As YAML, TOML and Ruby have it; the shell and Python have none.
        None if value.kind() == ValueKind::Bool => value.is_true().to_string(),
        None if value.is_number() => value.to_string(),
        None => return Err(refused(&format!("a hole has no text but {value}"))),
    };
    out.write_str(&text).map_err(|_| refused("it cannot be written"))
}

/// A text as a format has it.
fn written(format: &str, text: &str) -> Result<String, Error> {
    Ok(match format {
        // On one line also where it stands in a comment by mistake.
        "shell" | "dockerfile-run" => quote::docker_shell(text),
        "dockerfile" => quote::docker(text),
        "yaml" => quote::yaml(text),
        "json" | "toml" | "python" => quote::quoted(text),
        "markdown" => quote::markdown(text),
        "powershell" => quote::powershell(&aitk_system::plain(text)),
        "ruby" => quote::ruby(&aitk_system::plain(text)),
        // Whoever shows it looks after what acts in it.
        "said" => text.to_owned(),
        "path" => one(text, is_file_name(text))?,
        _ => one(text, text.chars().all(is_of_word))?,
    })
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_graphic() && !"\"'`\\".contains(c)
}

fn is_file_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    text.chars().all(is_plain) && !text.starts_with(['.', '-'])
}

fn one(text: &str, fits: bool) -> Result<String, Error> {
    match fits && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err(refused(&format!("{text:?} cannot stand there"))),
    }
}

pub(crate) fn refused(why: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, why.to_owned())
}

fn json(value: &Value) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|error| refused(&error.to_string()))
}

/// The filters: a value as a certain place in a file has it.
fn filters(engine: &mut Environment<'_>) {
    let mut text = |name: &'static str, filter: fn(&str) -> String| {
        engine.add_filter(name, move |text: &str| Value::from_safe_string(filter(text)));
    };
    text("comment", quote::comment);
    text("code", quote::markdown_code);
    text("quoted", quote::quoted);
    text("label", quote::label);
    text("ansible", quote::ansible);
    text("toml_key", quote::toml_key);
    text("gzip_base64", |text| gzip_base64(text.as_bytes()));
    engine.add_filter("without_end", |text: &str, end: &str| text.trim_end_matches(end).to_owned());
    engine.add_filter("line", |text: &str| {
        let fits = text.chars().all(|c| c == ' ' || is_of_word(c));
        one(text, fits).map(Value::from_safe_string)
    });
    engine.add_filter("word", |text: &str| written("word", text).map(Value::from_safe_string));
    engine.add_filter("shell", |state: &State<'_, '_>, text: &str| {
        Value::from_safe_string(shell(state, text))
    });
    engine.add_filter("words", |state: &State<'_, '_>, words: Vec<String>| {
        let words: Vec<_> = words.iter().map(|word| shell(state, word)).collect();
        Value::from_safe_string(words.join(" "))
    });
    engine.add_filter("json", |value: Value| json(&value).map(Value::from_safe_string));
    engine.add_filter("here_document", |text: &str, command: &str| {
        let document = quote::here_document(command, text);
        Value::from_safe_string(document.trim_end().to_owned())
    });
    engine.add_filter("source_lines", |text: &str| {
        let lines = text.trim_end().split_inclusive('\n');
        lines.map(str::to_owned).collect::<Vec<_>>()
    });
}

/// A word of the shell's, in a script or in an instruction of a Dockerfile's, which ends with its line.
fn shell(state: &State<'_, '_>, text: &str) -> String {
    match state.auto_escape() {
        AutoEscape::Custom(format) if format == "shell" => quote::shell(text),
        _ => quote::docker_shell(text),
    }
}

/// Compressed and in base64, as a block of YAML below `content: |`. The bytes depend on the text alone: no time and no name
/// is kept in them.
fn gzip_base64(text: &[u8]) -> String {
    let mut writer = GzBuilder::new().write(Vec::new(), Compression::best());
    // Nothing fails that writes to memory.
    let bytes = writer.write_all(text).and_then(|()| writer.finish()).unwrap_or_default();
    let lines = bytes.chunks(BASE64_LINE);
    lines
        .map(|line| format!("{BASE64_INDENT}{}", STANDARD.encode(line)))
        .collect::<Vec<_>>()
        .join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(name: &str, template: &str, value: &str) -> Result<String, Error> {
        let files = BTreeMap::from([(name.to_owned(), template.to_owned())]);
        let engine = engine(files)?;
        engine.get_template(name)?.render(BTreeMap::from([("x", value.to_owned())]))
    }

    #[test]
    fn a_hole_without_a_filter_is_written_as_its_format_has_it() {
        let hostile = "a\nb'; rm -rf $HOME #";
        for (name, expected) in [
            ("a.sh", r#"'a�b'\''; rm -rf $HOME #'"#),
            ("a.yml", r#""a\nb'; rm -rf $HOME #""#),
            ("a.json", r#""a\nb'; rm -rf $HOME #""#),
            ("a.py", r#""a\nb'; rm -rf $HOME #""#),
            ("a.toml", r#""a\nb'; rm -rf $HOME #""#),
            ("Dockerfile", r#""a�b'; rm -rf \$HOME #""#),
            ("a.ps1", "'a�b''; rm -rf $HOME #'"),
            ("Vagrantfile", r"'a�b\'; rm -rf $HOME #'"),
            ("a.md", "a�b'; rm -rf $HOME #"),
        ] {
            assert_eq!(rendered(name, "«x»", hostile).unwrap(), expected, "{name}");
        }
        for name in ["list.txt", "sshd_config", "x.path"] {
            assert!(rendered(name, "«x»", hostile).is_err(), "{name}");
            assert!(rendered(name, "«x»", "").is_err(), "{name}");
        }
        assert!(rendered("x.path", "«x»", "../up").is_err());
    }

    #[test]
    fn nothing_leads_around_the_writers() {
        for template in ["«x|safe»", "«x|escape»", "«% autoescape false %»«x»«% endautoescape %»"]
        {
            assert!(rendered("a.sh", template, "x").is_err(), "{template}");
        }
    }

    #[test]
    fn a_hole_that_nothing_fills_and_a_loop_without_end_are_errors() {
        assert!(rendered("a.sh", "«y»", "").is_err());
        assert!(rendered("a.sh", "«none»", "").is_err());
        let endless =
            "«% for a in range(9999) %»«% for b in range(9999) %»x«% endfor %»«% endfor %»";
        assert!(rendered("a.sh", endless, "").unwrap_err().to_string().contains("fuel"));
        assert!(rendered("a.sh", "«% include 'a.sh' %»", "").is_err());
    }

    #[test]
    fn a_file_is_compressed_without_time_or_name_and_joined_to_the_same_bytes() {
        let text: String = ('a'..='z')
            .cycle()
            .enumerate()
            .map(|(n, c)| format!("{c}{}", n * n))
            .take(4000)
            .collect();
        let lines = gzip_base64(text.as_bytes());
        assert!(
            lines.lines().count() > 1 && lines.lines().all(|line| line.starts_with(BASE64_INDENT))
        );
        let bytes = STANDARD.decode(lines.replace([' ', '\n'], "")).unwrap();
        assert_eq!(&bytes[..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
        let mut read = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&bytes[..]), &mut read)
            .unwrap();
        assert_eq!(read, text);
    }
}
