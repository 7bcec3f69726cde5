//! What is set for uv: the sources that its users have chosen count here as well, and nothing else that is set for it.
//! uv itself is started without any configuration, so what is read here is all that it is told.

use aitk_detect::Folders;
use aitk_detect::installers::uv_files;
use aitk_plan::names;
use aitk_system::System;
use toml::{Table, Value};
use url::Url;

/// Variables by which uv's users say how a source is reached; uv is given them as they are.
pub(super) const WAYS_OF_UV: [&str; 3] =
    ["UV_HTTP_TIMEOUT", "UV_KEYRING_PROVIDER", "UV_CREDENTIALS_DIR"];
/// The same for pip, where it is pip that looks for uv: options that it is given from its variables and files, of which
/// nothing else counts. Certificates are always looked at, so `trusted-host` is none of them.
pub(super) const WAYS_OF_PIP: [&str; 6] =
    ["index-url", "extra-index-url", "find-links", "no-index", "proxy", "keyring-provider"];

/// The indexes that are set for uv, with the credentials that they are set with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UvSources {
    /// The one that everything comes from.
    pub index: Option<String>,
    /// Those that come before it.
    pub more: Vec<String>,
    /// How it is chosen between them; uv's own way where `None`.
    pub strategy: Option<String>,
}

impl UvSources {
    /// Reads uv's variables, then its file of the user's, then the machine's.
    pub fn read(system: &dyn System, folders: &Folders) -> Self {
        let mut found = Self::of_variables(system);
        for file in uv_files(system, folders) {
            let Ok(text) = system.text(&file) else { continue };
            match text.parse::<Table>() {
                Ok(table) => found.fill(Self::of_file(system, &table)),
                Err(error) => {
                    let (path, reason) = (file.display(), error.message());
                    tracing::warn!(
                        "{path} is not read, since uv could not read it either: {reason}"
                    );
                }
            }
        }
        found
    }

    fn of_variables(system: &dyn System) -> Self {
        let all = |name: &str| {
            let value = system.env(name).unwrap_or_default();
            let indexes = value.split_whitespace().filter_map(|index| named(system, index));
            indexes.collect::<Vec<_>>()
        };
        let one = |name: &str| all(name).into_iter().next();
        Self {
            index: one("UV_DEFAULT_INDEX").or_else(|| one("UV_INDEX_URL")),
            more: [all("UV_INDEX"), all("UV_EXTRA_INDEX_URL")].concat(),
            strategy: system.env("UV_INDEX_STRATEGY").filter(|name| is_strategy(name)),
        }
    }

    fn of_file(system: &dyn System, file: &Table) -> Self {
        let mut found = Self::default();
        let tables = file.get("index").and_then(Value::as_array);
        for index in tables.into_iter().flatten().filter_map(Value::as_table) {
            let is = |key: &str| index.get(key).and_then(Value::as_bool).unwrap_or(false);
            let text = |key: &str| index.get(key).and_then(Value::as_str);
            let url = text("url").and_then(|url| opened(system, text("name"), url));
            match url {
                // It is for packages that name it, and ours name none.
                Some(_) if is("explicit") => {}
                Some(url) if is("default") => found.index = found.index.or(Some(url)),
                Some(url) => found.more.push(url),
                None => {}
            }
        }
        // What stands under `pip` is meant for exactly what is done here.
        let pip = file.get("pip").and_then(Value::as_table);
        for table in pip.into_iter().chain([file]) {
            let text = |key: &str| table.get(key).and_then(Value::as_str);
            let extra = table.get("extra-index-url").and_then(Value::as_array);
            let extra = extra.into_iter().flatten().filter_map(Value::as_str);
            found.fill(Self {
                index: text("index-url").and_then(|url| opened(system, None, url)),
                more: extra.filter_map(|url| opened(system, None, url)).collect(),
                strategy: text("index-strategy").filter(|name| is_strategy(name)).map(Into::into),
            });
        }
        found
    }

    /// Takes what is not set yet.
    fn fill(&mut self, other: Self) {
        self.index = self.index.take().or(other.index);
        self.strategy = self.strategy.take().or(other.strategy);
        self.more.extend(other.more);
    }
}

/// An index as uv's variables name it: an address, or `name=address`.
fn named(system: &dyn System, index: &str) -> Option<String> {
    match index.split_once('=') {
        Some((name, url)) if !name.contains(['/', ':']) => opened(system, Some(name), url),
        _ => opened(system, None, index),
    }
}

/// An address with the credentials that variables hold for the index of that name.
fn opened(system: &dyn System, name: Option<&str>, url: &str) -> Option<String> {
    if !names::address::fits(url) {
        return None;
    }
    let variable = |what: &str| {
        let upper = name?.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
        system.env(&format!("UV_INDEX_{upper}_{what}"))
    };
    let (user, password) = (variable("USERNAME"), variable("PASSWORD"));
    if user.is_none() && password.is_none() {
        return Some(url.to_owned());
    }
    let mut url = Url::parse(url).ok()?;
    url.set_username(&user.unwrap_or_default()).ok()?;
    url.set_password(password.as_deref()).ok()?;
    Some(url.to_string())
}

fn is_strategy(name: &str) -> bool {
    ["first-index", "unsafe-first-match", "unsafe-best-match"].contains(&name)
}

#[cfg(test)]
mod tests {
    use aitk_system::{Real, Replay};

    use super::*;

    fn read(env: &[(&str, &str)], files: &[(&str, &str)]) -> UvSources {
        let folder = tempfile::tempdir().unwrap();
        let env: std::collections::BTreeMap<_, _> = env.iter().copied().collect();
        let answers = serde_json::json!({ "schema": 1, "env": env }).to_string();
        Real.write(&folder.path().join("answers.json"), answers.as_bytes(), 0o644).unwrap();
        for (path, text) in files {
            Real.write(&folder.path().join("root").join(path), text.as_bytes(), 0o644).unwrap();
        }
        let replay = Replay::open(folder.path()).unwrap();
        let folders = Folders { home: "/home/me".into(), ..Folders::default() };
        UvSources::read(&replay, &folders)
    }

    #[test]
    fn variables_come_before_the_users_file_and_that_before_the_machines() {
        let user = ("home/me/.config/uv/uv.toml", "index-url = \"https://user.example/simple\"\n");
        let machine = (
            "etc/uv/uv.toml",
            "index-url = \"https://machine.example/simple\"\nextra-index-url = [\"https://m.example/x\"]\n",
        );
        let of = |env: &[_], files: &[_]| read(env, files).index.unwrap();
        assert_eq!(of(&[], &[machine]), "https://machine.example/simple");
        assert_eq!(of(&[], &[user, machine]), "https://user.example/simple");
        let env = [("UV_DEFAULT_INDEX", "https://env.example/simple")];
        assert_eq!(of(&env, &[user, machine]), "https://env.example/simple");
        assert_eq!(read(&env, &[machine]).more, ["https://m.example/x"]);
        assert_eq!(read(&[("UV_NO_CONFIG", "1")], &[user, machine]), UvSources::default());
        assert_eq!(read(&[], &[]), UvSources::default());
    }

    #[test]
    fn an_index_of_a_name_has_its_credentials_and_an_explicit_one_is_left_out() {
        let file = (
            "home/me/.config/uv/uv.toml",
            "[[index]]\nname = \"own-one\"\nurl = \"https://own.example/simple\"\n\
             [[index]]\nname = \"x\"\nurl = \"https://x.example\"\nexplicit = true\n\
             [[index]]\nurl = \"https://default.example/simple\"\ndefault = true\n\
             [pip]\nindex-strategy = \"unsafe-best-match\"\nno-annotate = true\nsystem = true\n",
        );
        let env = [("UV_INDEX_OWN_ONE_USERNAME", "me"), ("UV_INDEX_OWN_ONE_PASSWORD", "s3cr@t")];
        let found = read(&env, &[file]);
        assert_eq!(found.index.as_deref(), Some("https://default.example/simple"));
        assert_eq!(found.more, ["https://me:s3cr%40t@own.example/simple"]);
        assert_eq!(found.strategy.as_deref(), Some("unsafe-best-match"));
        let env = [("UV_INDEX", "a=https://a.example/s https://b.example/s?token=x=y -r ./local")];
        assert_eq!(read(&env, &[]).more, ["https://a.example/s", "https://b.example/s?token=x=y"]);
    }

    #[test]
    fn what_uv_could_not_read_is_left_out() {
        let broken = ("home/me/.config/uv/uv.toml", "nonsense = = 1\n");
        let odd = ("etc/uv/uv.toml", "index-url = 1\nindex = \"x\"\nrequired-version = \">=99\"\n");
        assert_eq!(read(&[], &[broken, odd]), UvSources::default());
    }
}
