//! The forms of text that may come in from outside. A profile, a plan, a lock, a bundle, a channel, a catalog of the
//! user's own and a state file are a stranger's until proven: what they say is read into these forms, once, at the
//! door, so that no name of theirs is a path, an option of a program, a second line or a control sequence behind it.
//!
//! Each form has a module with a check for code and three functions for `serde`: `one` for a `String`, `maybe` for an
//! `Option<String>` (with `#[serde(default)]`), `all` for a `Vec<String>`:
//!
//! ```ignore
//! #[serde(deserialize_with = "names::package_name::one")]
//! name: String,
//! ```

use aitk_system::forms::{LINE, NAME, calm, word};
pub use aitk_system::forms::{
    Unfit, date, file_name, line, name, numbers, python_version, relative_path, step_id,
};
pub(crate) use aitk_system::forms::{refuse, refused};
use aitk_system::{Message, forms};
use serde::Deserializer;
use serde_json::Value;

/// `3.12` and `3.12.4` as numbers.
pub(crate) fn version_pair(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}

/// Reads a sentence of a profile: one line.
///
/// # Errors
/// Where it is none.
pub fn sentence<'de, D: Deserializer<'de>>(from: D) -> Result<Message, D::Error> {
    line::one(from).map(|text| Message::said(text, Vec::new()))
}

/// The same where there may be none.
///
/// # Errors
/// Where it is something else.
pub fn maybe_sentence<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Message>, D::Error> {
    Ok(line::maybe(from)?.map(|text| Message::said(text, Vec::new())))
}

forms! {
    /// The name of a package of Python's or conda's: `scikit-learn`, `_libgcc_mutex`.
    package_name, "name of a package", |text| {
        word(text, NAME, "_", "._-") && !text.ends_with(['.', '-'])
    };
    /// A version of such a package, as PEP 440 or conda writes it: `2.14.0+cu126`, `1!2.0rc1`.
    version, "version", |text| word(text, NAME, "_", "._+!-");
    /// Which build of a version a conda package is: `py312h1de0ef8_0`.
    build_string, "build of a package", |text| word(text, NAME, "_", "._+-");
    /// The name of an environment: letters, digits, `-` and `_`, 40 at most. `base` is conda's own.
    environment_name, "name of an environment", |text| {
        word(text, 40, "_", "_-") && text != "base"
    };
    /// A group of the system's users: `render`.
    group, "group", |text| {
        word(text, 32, "_", "_-") && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
    };
    /// A package of the system's own, as Debian writes their names, with an architecture or without: `libc6:amd64`.
    apt_package, "package of the system", |text| {
        let (name, architecture) = text.split_once(':').unwrap_or((text, "all"));
        apt_word(name, "") && apt_word(architecture, "")
    };
    /// Packages of the system's own, with `*` for what may stand there, as apt's preferences write them.
    apt_pattern, "pattern of packages of the system", |text| apt_word(text, "*");
    /// A distribution in a repository of packages; one that is flat is a folder and ends with a slash.
    apt_suite, "distribution of a repository", |text| {
        let name = text.trim_start_matches("./").trim_end_matches('/');
        text.ends_with('/') && name.is_empty() || relative_path::fits(name) && word(name, NAME, "", "._-/")
    };
    /// The same where the machine's kernel is a part of it: `linux-headers-{release}`.
    package_of_kernel, "package of the system", |text| {
        apt_package::fits(&text.replace("{kernel}", "x").replace("{release}", "x"))
    };
    /// A path of the system's, absolute and without detours.
    system_path, "path of the system", |text| {
        text.strip_prefix('/').is_some_and(relative_path::fits)
    };
    /// Where something is fetched from: `https:`, `http:` or `file:`.
    address, "address (https, http or file)", |text| {
        let web = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let strange = |c: char| c.is_whitespace() || "\"'<>\\^`{|}".contains(c);
        text.len() <= LINE && calm(text) && match web {
            Some(rest) => !rest.starts_with(['/', '?', '#', ':', '-']) && !rest.is_empty() && !rest.contains(strange),
            None => text.starts_with("file:///"),
        }
    };
    /// The same in which the machine's architecture and its distribution's version may stand: `{arch}`, `{version}`.
    repository, "address (https, http or file)", |text| {
        address::fits(&text.replace("{arch}", "x").replace("{version}", "1"))
    };
    /// A conda channel by its name, address or folder: `conda-forge`.
    channel, "channel", |text| {
        source::fits(text) || relative_path::fits(text) && word(text, NAME, "_", "._-/")
    };
    /// An index by its address or folder.
    source, "address (https, http or file) or folder", |text| {
        address::fits(text) || system_path::fits(text.trim_end_matches('/'))
    };
    /// The same for an index with a folder for each build, whose name stands for `{build}`.
    torch_index, "address of an index, in which {build} may stand", |text| {
        source::fits(&text.replace("{build}", "cpu"))
    };
    /// A variable of the environment: `NVIDIA_VISIBLE_DEVICES`.
    variable, "name of a variable", |text| {
        word(text, NAME, "_", "_") && !text.starts_with(|c: char| c.is_ascii_digit())
    };
    /// The image of a container, with its registry and tag: `debian:13-slim`.
    image, "image of a container", |text| word(text, 255, "", "._-/:@");
    /// A box of Vagrant's: `bento/debian-13`.
    box_name, "box of Vagrant's", |text| word(text, NAME, "", "._-/");
    /// Options of a command line, and nothing that a shell does anything else with: `--gpus all`.
    options, "list of options", |text| {
        text.len() <= LINE && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_=/.,: ".contains(c))
    };
    /// Lines for people.
    text, "text", |text| text.len() <= 1 << 20 && text.split(['\n', '\t']).all(calm);
    /// A SHA-256 hash: 64 hexadecimal digits.
    sha256, "SHA-256 hash", |text| text.len() == 64 && text.bytes().all(|c| c.is_ascii_hexdigit());
    /// The fingerprint of a key: 40 hexadecimal digits.
    fingerprint, "fingerprint of a key", |text| {
        text.len() == 40 && text.bytes().all(|c| c.is_ascii_hexdigit())
    };
    /// Up to when what is published counts: days, a day, or `none`.
    cutoff, "number of days (14d), date (2026-11-01) or none", crate::cutoff::Cutoff::fits;
    /// What is asked of an index, as PEP 508 writes it: a package with its extras, versions and markers. Never an address,
    /// a path or an option of pip's.
    requirement, "requirement of PEP 508 without an address", |text| {
        // Markers may stand in brackets, and a parser goes down into each.
        let plain = text.len() <= 1024 && text.is_ascii() && calm(text) && !text.contains('@');
        plain && text.matches('(').count() <= 16
            && text.parse::<pep508_rs::Requirement>().is_ok_and(|read| {
                !matches!(read.version_or_url, Some(pep508_rs::VersionOrUrl::Url(_)))
            })
    };
    /// What is asked of a conda channel: a package, its version and build: `python 3.12.*`, `pytorch>=2.8 cuda*`. Never
    /// another channel or an address.
    match_spec, "plain match specification", |text| {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)));
        let (name, rest) = text.split_at(end.unwrap_or(text.len()));
        text.len() <= 1024 && package_name::fits(name)
            && rest.chars().all(|c| c.is_ascii_alphanumeric() || "._-+!*=<>~,| ".contains(c))
    };
}

/// A name as Debian has them. One that ends with `-` would take the package away.
fn apt_word(text: &str, more: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let first = |c: char| letter(c) || more.contains(c);
    text.len() <= NAME
        && text.starts_with(first)
        && text.chars().all(|c| first(c) || "+.-".contains(c))
        && !text.ends_with('-')
}

/// Looks whether every text in a piece of JSON, names of fields included, is a line.
///
/// # Errors
/// With the first that is none.
pub fn lines_only(value: &Value) -> Result<(), Unfit> {
    match value {
        Value::String(text) => line::check(text),
        Value::Array(all) => all.iter().try_for_each(lines_only),
        Value::Object(all) => all.iter().try_for_each(|(name, value)| {
            line::check(name)?;
            lines_only(value)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

/// Looks whether no number in a piece of JSON is so large that sums of such numbers would not be numbers any more.
///
/// # Errors
/// With the first that is.
pub fn numbers_within(value: &Value, most: f64) -> Result<(), Unfit> {
    match value {
        Value::Number(number) => match number.as_f64().is_some_and(|number| number.abs() <= most) {
            true => Ok(()),
            false => Err(Unfit::new("number of a machine", &number.to_string())),
        },
        Value::Array(all) => all.iter().try_for_each(|value| numbers_within(value, most)),
        Value::Object(all) => all.values().try_for_each(|value| numbers_within(value, most)),
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);

    #[test]
    fn forms_take_what_is_meant_and_nothing_else() {
        let cases: &[Case] = &[
            (
                package_name::fits,
                &["six", "scikit-learn", "_libgcc_mutex", "__glibc", "ruamel.yaml", "A"],
                &[
                    "",
                    "..",
                    "../x",
                    "-r",
                    "a/b",
                    "a b",
                    "a\n",
                    "é",
                    ".x",
                    "x-",
                    "a@b",
                    "--index-url",
                ],
            ),
            (
                version::fits,
                &["1", "2.14.0+cu126", "1!2.0rc1", "2024a", "1.0.post1", "1.0-1"],
                &["", "..", "1/2", "-1", "1 2", "1\n", "é"],
            ),
            (
                build_string::fits,
                &["0", "py312h1de0ef8_0", "cuda126_generic_py312"],
                &["", "..", ".", "../../work", "0/..", "-0", "a b", "a\u{1b}"],
            ),
            (
                file_name::fits,
                &["six-1.17-py3.whl", "a b", ".x"],
                &["", ".", "..", "a/b", "a\0", "a\n"],
            ),
            (
                relative_path::fits,
                &["bin/python", "x"],
                &["", "/x", "a//b", "a/../b", "..", "./a", "a/"],
            ),
            (
                environment_name::fits,
                &["ai", "a_b-1", "_x"],
                &["", "base", "-rf", "a b", "../x", "a\nb", "é", "a.b", "x\u{1b}[31m", "."],
            ),
            (
                step_id::fits,
                &["system.python", "s0", "a_b-c"],
                &["", ".", "..", "a b", "a/b", "\u{1b}"],
            ),
            (
                group::fits,
                &["render", "_apt", "lxd-x"],
                &["", "-G", "a b", "a,b", "a:b", "root\n", "0"],
            ),
            (
                apt_package::fits,
                &["g++", "python3.11", "libc6:amd64", "xz-utils", "libstdc++6"],
                &[
                    "",
                    "-y",
                    "/home/x.deb",
                    "./x",
                    "curl-",
                    "a=1",
                    "a/sid",
                    "a*",
                    "a b",
                    "A",
                    "x^",
                    "?x",
                    "a:",
                    "~x",
                ],
            ),
            (
                apt_pattern::fits,
                &["nvidia-*", "*", "libgl*nvidia*"],
                &["", "a/b", "a\nPin: x", "a b", "-x"],
            ),
            (
                system_path::fits,
                &["/etc/x", "/swapfile-aitk"],
                &["", "/", "etc", "/etc/../x", "/etc//x", "/etc/./x", "/a\n", "/etc/", "/\u{202e}"],
            ),
            (
                address::fits,
                &[
                    "https://x/simple",
                    "http://127.0.0.1:9/a%20b",
                    "file:///home/a b",
                    "https://[::1]:8/x",
                ],
                &[
                    "",
                    "ftp://x",
                    "https://",
                    "https:///x",
                    "file://host/x",
                    "https://a b",
                    "https://a\n",
                    "https://a\"b",
                    "https://-x",
                    "git+https://x",
                    "javascript:x",
                    "https://a\u{85}b",
                ],
            ),
            (
                channel::fits,
                &["conda-forge", "pytorch/label/nightly", "https://x/y", "/srv/channel/"],
                &["", "..", "../x", "-c", "a b", "a/../b", "ftp://x", "/x/../y"],
            ),
            (
                line::fits,
                &["", "é – 你好", "a: b"],
                &["a\nb", "\u{1b}[8m", "a\u{9b}m", "\u{202e}", "\u{2066}", "\0", "\t"],
            ),
            (text::fits, &["a\n\tb"], &["\r", "\u{1b}", "\u{200f}"]),
            (
                sha256::fits,
                &["0123456789abcdefABCDEF0123456789abcdef0123456789abcdef0123456789"],
                &["", "a", "é"],
            ),
            (
                python_version::fits,
                &["3.12"],
                &["", "3.", "3", "3.+1", "3.1234", "2.7", "3.1.2", "3.é"],
            ),
            (
                requirement::fits,
                &[
                    "six",
                    "torch>=2.11,<2.12",
                    "jax[cuda13]",
                    "torch[device-gfx1100]",
                    "a==1.*; python_version < '3.12'",
                    "a (>=1)",
                ],
                &[
                    "",
                    "-e .",
                    "-r /etc/shadow",
                    "--index-url http://x",
                    "six\n-r /etc/passwd",
                    "a @ file:///x",
                    "a @ git+https://x",
                    "./x",
                    "/x",
                    "x.whl@",
                    "https://x/y.whl",
                    "a==",
                    "six --no-binary :all:",
                    "é",
                    "a[",
                    "a;",
                    "six # x",
                    "$HOME",
                    "a\u{0}",
                ],
            ),
            (
                match_spec::fits,
                &[
                    "python 3.12.*",
                    "arm-variant * tegra",
                    "pytorch>=2.8,<3|1.*",
                    "a =1.2=py*_0",
                    "numpy",
                ],
                &[
                    "",
                    "x::y",
                    "https://x/y.conda",
                    "a[url=x]",
                    "*",
                    "a\n",
                    "/x",
                    "-c x",
                    "a 1 [channel=x]",
                    "a{",
                    "é",
                ],
            ),
        ];
        for (fits, good, bad) in cases {
            for text in *good {
                assert!(fits(text), "{text:?}");
            }
            for text in *bad {
                assert!(!fits(text), "{text:?}");
            }
            for text in ["9".repeat(3000), "(".repeat(900), "a;(".to_owned() + &"(".repeat(900)] {
                let _ = fits(&text);
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_told_in_one_short_line() {
        let unfit = step_id::check(&"é\n".repeat(200)).unwrap_err().to_string();
        assert!(
            unfit.len() < 400 && calm(&unfit) && unfit.ends_with("is no name of a step"),
            "{unfit}"
        );
    }

    #[test]
    fn json_is_looked_at_to_the_last_name() {
        assert!(lines_only(&serde_json::json!({ "a": [{ "b": "c" }, 1, null] })).is_ok());
        assert!(lines_only(&serde_json::json!({ "a": [{ "b\n": "c" }] })).is_err());
        assert!(lines_only(&serde_json::json!(["\u{1b}[31m"])).is_err());
        assert!(numbers_within(&serde_json::json!([{ "a": 1e15 }, -3]), 1e18).is_ok());
        assert!(numbers_within(&serde_json::json!([{ "a": u64::MAX }]), 1e18).is_err());
    }
}
