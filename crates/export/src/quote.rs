//! The quotes of YAML and TOML, which both have those of JSON.

/// A text in quotes.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
