//! What programs read: every `--json` against the schema in the documents, and every line of `--progress json`.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests look from outside"
)]

mod common;

use std::collections::BTreeMap;

use common::{Home, Served, machine, repository, small_channel, text};
use serde_json::{Value, json};

/// A schema of the documents: what stands in it is all that may be there.
struct Schema(Value);

impl Schema {
    fn of(kind: &str) -> Self {
        let path = repository().join(format!("docs/json/{kind}.schema.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("no schema: {kind}"));
        Self(serde_json::from_str(&text).unwrap())
    }

    /// What of a value is not as the schema says.
    fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        let known = self.check(&self.0, value, "", &mut faults);
        self.unknown(&known, value, "", &mut faults);
        faults
    }

    /// Checks a value against a part of the schema, and gives the names that this part knows of an object.
    fn check(
        &self,
        part: &Value,
        value: &Value,
        at: &str,
        faults: &mut Vec<String>,
    ) -> Vec<String> {
        let Value::Object(part) = part else {
            assert_eq!(part, &Value::Bool(true), "{at}");
            return names(value);
        };
        let mut known = Vec::new();
        let mut fault = |what: String| faults.push(format!("{at}: {what}"));
        for (key, says) in part {
            match key.as_str() {
                "$schema"
                | "$defs"
                | "title"
                | "description"
                | "default"
                | "format"
                | "minimum"
                | "maximum"
                | "properties"
                | "additionalProperties"
                | "items"
                | "prefixItems"
                | "minItems"
                | "maxItems"
                | "oneOf"
                | "anyOf"
                | "$ref" => {}
                "type" if fits(says, value) => {}
                "const" if says == value => {}
                "enum" if says.as_array().unwrap().contains(value) => {}
                "required" => {
                    for name in says.as_array().unwrap() {
                        if value.get(name.as_str().unwrap()).is_none() {
                            fault(format!("{name} is missing"));
                        }
                    }
                }
                "type" | "const" | "enum" => fault(format!("{value} is not {says}")),
                other => panic!("{at}: nothing here checks {other}"),
            }
        }
        if let Some(name) = part.get("$ref") {
            let name = name.as_str().unwrap().strip_prefix("#/$defs/").unwrap();
            known.extend(self.check(&self.0["$defs"][name], value, at, faults));
        }
        for choice in ["oneOf", "anyOf"].iter().filter_map(|key| part.get(*key)) {
            let tried = choice.as_array().unwrap().iter().map(|one| {
                let mut faults = Vec::new();
                let known = self.check(one, value, at, &mut faults);
                if part.get("properties").is_none() {
                    self.unknown(&known, value, at, &mut faults);
                }
                (known, faults)
            });
            let tried: Vec<_> = tried.collect();
            match tried.iter().find(|(_, faults)| faults.is_empty()) {
                Some((names, _)) => known.extend(names.iter().cloned()),
                None => faults.extend(tried.into_iter().flat_map(|(_, faults)| faults)),
            }
        }
        self.check_inside(part, value, at, &mut known, faults);
        known
    }

    /// Checks what is in an object or a list.
    fn check_inside(
        &self,
        part: &serde_json::Map<String, Value>,
        value: &Value,
        at: &str,
        known: &mut Vec<String>,
        faults: &mut Vec<String>,
    ) {
        let whole = |part: &Value, value: &Value, at: String, faults: &mut Vec<String>| {
            let known = self.check(part, value, &at, faults);
            self.unknown(&known, value, &at, faults);
        };
        for (name, says) in part.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            known.push(name.clone());
            if let Some(value) = value.get(name) {
                whole(says, value, format!("{at}/{name}"), faults);
            }
        }
        let first = part.get("prefixItems").and_then(Value::as_array).cloned().unwrap_or_default();
        for (number, value) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(says) = first.get(number).or(part.get("items")) {
                whole(says, value, format!("{at}/{number}"), faults);
            }
        }
        let more = part.get("additionalProperties").filter(|says| **says != Value::Bool(false));
        if let (Some(says), Value::Object(of)) = (more, value) {
            for (name, value) in of.iter().filter(|(name, _)| !known.contains(name)) {
                whole(says, value, format!("{at}/{name}"), faults);
            }
            known.extend(of.keys().cloned());
        } else if part.get("type") == Some(&json!("object"))
            && part.len() <= 2
            && !part.contains_key("properties")
        {
            // Of such an object the schema says nothing but that it is one.
            known.extend(names(value));
        }
    }

    /// What nothing in the schema knows.
    fn unknown(&self, known: &[String], value: &Value, at: &str, faults: &mut Vec<String>) {
        for name in names(value).iter().filter(|name| !known.contains(name)) {
            faults.push(format!("{at}: nothing says what {name} is"));
        }
    }
}

fn names(value: &Value) -> Vec<String> {
    value.as_object().into_iter().flat_map(|of| of.keys().cloned()).collect()
}

/// Whether a value is of a type, or one of several.
fn fits(types: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no such type: {other}"),
    };
    match types {
        Value::String(name) => is(name),
        Value::Array(all) => all.iter().filter_map(Value::as_str).any(is),
        other => panic!("no type: {other}"),
    }
}

/// Checks what a command has printed; its kind.
fn checked(said: &[u8], what: &str) -> String {
    let said: Value =
        serde_json::from_slice(said).unwrap_or_else(|e| panic!("{what}: {e}: {}", text(said)));
    let kind = said["kind"].as_str().unwrap().to_owned();
    let faults = Schema::of(&kind).faults(&said);
    assert!(faults.is_empty(), "{what}: {kind}: {faults:#?}");
    kind
}

/// Every command that can be carried out without changing the machine that runs the tests, with the kind that it prints.
/// What needs an environment is checked by `tests/fresh-machine`.
fn commands(folder: &str) -> Vec<(String, &'static str)> {
    let laptop = machine("ubuntu-24.04-laptop");
    let lock = machine("ubuntu-24.04-laptop/pylock.toml");
    let of_lock = format!(
        "--budget low --framework none --manager venv --offline --machine {laptop} --locked {lock} --accept-sources"
    );
    let planned = of_lock.replace(" --accept-sources", "");
    let all = [
        ("detect", "machine"),
        ("detect --root /", "machine"),
        ("detect --root /nowhere", "error"),
        ("doctor", "doctor"),
        ("advise --goal learn --local yes", "advice"),
        ("advise --goal scale --data large --vram 24", "advice"),
        ("advise --goal learn", "error"),
        ("advise --compare --vram 24", "offers"),
        ("advise --model 8b", "model"),
        (&*format!("plan --budget low --no-resolve --offline --machine {laptop}"), "plan"),
        (
            &*format!(
                "plan --budget workstation --no-resolve --with llm --offline --machine {laptop}"
            ),
            "plan",
        ),
        ("plan --budget sme --platform databricks --no-resolve --offline", "plan"),
        ("plan --budget sme --platform containers --no-resolve --offline", "plan"),
        ("plan --budget none", "error"),
        (&*format!("plan {planned}"), "plan"),
        (&*format!("lock {planned}"), "lock"),
        (&*format!("lock {planned} -o {folder}/pylock.toml"), "lock"),
        (&*format!("export requirements.txt {of_lock}"), "export"),
        (&*format!("export script {of_lock} -o {folder}/script.sh"), "export"),
        ("export --list", "targets"),
        ("export nothing", "error"),
        ("bundle --budget low --framework none", "error"),
        ("profiles", "profiles"),
        ("profiles sme", "profiles"),
        ("status", "status"),
        ("status --history", "status"),
        ("verify", "error"),
        ("add polars", "error"),
        ("drop polars", "error"),
        ("upgrade", "error"),
        ("rollback", "error"),
        ("clean --dry-run", "cleaning"),
        ("remove --dry-run", "removal"),
        ("run -- true", "error"),
        ("shell", "error"),
        ("lab", "error"),
        ("trust /nowhere", "error"),
        ("plan --nonsense", "error"),
        ("nonsense", "error"),
        ("", "error"),
    ];
    all.map(|(command, kind)| (command.to_owned(), kind)).to_vec()
}

fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().collect()
}

#[test]
fn what_is_printed_is_as_its_schema_says_and_english() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    for (command, kind) in commands(folder.path().to_str().unwrap()) {
        // What stands behind a program's name is its own.
        let words = [&["--json"], &words(&command)[..]].concat();
        let of = |language: &str| {
            let variables = [("AITK_LANG", language), ("AITK_FORCE", "1")];
            home.aitk_with(&variables, &words).stdout
        };
        let (english, french) = (of("en"), of("fr"));
        assert_eq!(checked(&english, &command), kind, "{command}");
        checked(&french, &command);
        // A project's own files are in the language of whoever asks for them.
        if !command.contains("--platform") {
            assert_eq!(steady(&english), steady(&french), "{command}");
        }
    }
}

/// What is printed without what differs from one moment to the next.
fn steady(said: &[u8]) -> Value {
    let mut said: Value = serde_json::from_slice(said).unwrap();
    for fact in ["available", "free", "free_inodes"] {
        erase(&mut said, fact);
    }
    said
}

fn erase(value: &mut Value, key: &str) {
    match value {
        Value::Object(of) => {
            of.retain(|name, value| name != key || !value.is_number());
            of.values_mut().for_each(|one| erase(one, key));
        }
        Value::Array(all) => all.iter_mut().for_each(|one| erase(one, key)),
        _ => {}
    }
}

#[test]
fn a_folder_and_a_bundle_print_what_their_schemas_say() {
    let (home, folder) = (Home::new(), tempfile::tempdir().unwrap());
    let init = ["init", "--budget", "low", "--no-resolve", "--json"];
    assert_eq!(checked(&home.aitk_in(folder.path(), &init).stdout, "init"), "init");
    let trust = home.aitk_in(folder.path(), &["trust", "--json"]);
    assert_eq!(checked(&trust.stdout, "trust"), "trust");
    let revoked = home.aitk_in(folder.path(), &["trust", "--revoke", "--json"]);
    assert_eq!(checked(&revoked.stdout, "trust --revoke"), "trust");

    let channel = tempfile::tempdir().unwrap();
    small_channel(channel.path(), &[]);
    let served = Served::new(channel.path(), &[]);
    let address = format!("http://{}/", served.place);
    let bundle = folder.path().join("bundle.tar");
    let given = ["--budget", "low", "--framework", "none", "--manager", "conda"];
    let more =
        ["--machine", &machine("ubuntu-24.04-laptop"), "--json", "-o", bundle.to_str().unwrap()];
    let variables = [("AITK_CHANNEL", address.as_str())];
    let dry = home.aitk_with(&variables, &[&["bundle", "--dry-run"], &given[..], &more].concat());
    assert_eq!(checked(&dry.stdout, "bundle"), "bundle", "{}", text(&dry.stderr));
    assert!(!bundle.exists(), "a dry run has written");
    let ran = home.aitk_with(&variables, &[&["bundle"], &given[..], &more].concat());
    assert_eq!(checked(&ran.stdout, "bundle"), "bundle", "{}", text(&ran.stderr));
    let reported =
        home.dry_apply(&["--json", "--offline", "--user-only", bundle.to_str().unwrap()]);
    let kind = checked(&reported.stdout, "apply --dry-run");
    assert!(["run", "error"].contains(&kind.as_str()), "{kind}");
}

/// Each line of standard error is an event, whatever language is spoken and whatever goes wrong; the events that were seen.
fn events(said: &[u8], what: &str, line: &Schema, seen: &mut BTreeMap<String, usize>) {
    for one in text(said).lines() {
        let event: Value =
            serde_json::from_str(one).unwrap_or_else(|e| panic!("{what}: {e}: {one}"));
        assert!(line.faults(&event).is_empty(), "{what}: {one}");
        *seen.entry(event["event"].as_str().unwrap().to_owned()).or_default() += 1;
    }
}

#[test]
fn every_line_of_progress_is_json() {
    let home = Home::new();
    let folder = tempfile::tempdir().unwrap();
    let line = Schema::of("event");
    let mut seen = BTreeMap::new();
    for (command, _) in commands(folder.path().to_str().unwrap()) {
        let variables = [("AITK_LANG", "fr"), ("AITK_FORCE", "1"), ("AITK_LOG", "debug")];
        let words = [&["--progress", "json"], &words(&command)[..]].concat();
        events(&home.aitk_with(&variables, &words).stderr, &command, &line, &mut seen);
    }
    for wanted in ["message", "warning", "error"] {
        assert!(seen.contains_key(wanted), "{wanted}: {seen:?}");
    }
    // A schema that takes anything would prove nothing.
    assert!(!line.faults(&json!({ "event": "nonsense" })).is_empty());
    assert!(!line.faults(&json!({ "event": "error", "code": 1 })).is_empty());
}
