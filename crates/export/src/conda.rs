//! What the forms of conda's world have in common.

use std::collections::BTreeSet;

use crate::Source;

/// The channels that the packages come from, by their addresses, in the order in which the lock has them.
pub(crate) fn channels(source: &Source<'_>) -> Vec<String> {
    let records = source.packages().filter_map(|package| package.record.as_ref());
    let channels: BTreeSet<_> = records.filter_map(|record| record["channel"].as_str()).collect();
    channels.into_iter().map(|channel| channel.trim_end_matches('/').to_owned()).collect()
}

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
