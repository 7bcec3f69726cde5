//! What the forms of conda's world have in common.

use crate::Source;

/// As conda names the machine's platform: `linux-64`, `linux-aarch64`.
pub(crate) fn subdir(source: &Source<'_>) -> String {
    match source.machine.arch.as_str() {
        "x86_64" => "linux-64".to_owned(),
        other => format!("linux-{other}"),
    }
}

/// A text in the quotes of YAML and TOML, which both have those of JSON.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
