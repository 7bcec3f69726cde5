//! The door of records: what a channel, a lock or a saved plan says of a package is read into what cannot do harm.
//!
//! Records that are never chosen are of no concern; one that is chosen passes here before it gets into a lock, and
//! again whenever it is taken out of one.

use aitk_system::{Message, ToMessage, message};
use rattler_conda_types::{RepoDataRecord, Subdir};
use serde::Deserialize;
use serde_json::Value;

use super::error::LockError;
use super::locked::{LARGEST, Locked, Package};
use crate::names::{self, Unfit};

/// Whether a record can be worked with: every part of it that becomes a path, an address or a size is one, and no text
/// in it has control characters.
///
/// # Errors
/// Which part is none, in words.
fn check(record: &RepoDataRecord, json: &Value) -> Result<(), Message> {
    let package = &record.package_record;
    let told = |unfit: Unfit| unfit.to_message();
    names::package_name::check(package.name.as_normalized()).map_err(told)?;
    names::version::check(&package.version.as_str()).map_err(told)?;
    // An older package may have no build at all.
    if !package.build.as_str().is_empty() {
        names::build_string::check(package.build.as_str()).map_err(told)?;
    }
    let subdir = package.subdir.parse::<Subdir>();
    if !subdir.is_ok_and(|subdir| subdir == Subdir::NoArch || subdir.is_linux()) {
        return Err(message!("it is for {:?}", package.subdir));
    }
    if package.size.is_some_and(|size| size > LARGEST) {
        return Err(message!("its size is {} bytes", package.size.unwrap_or_default()));
    }
    let file = record.identifier.to_string();
    names::file_name::check(&file).map_err(told)?;
    names::address::check(record.url.as_str()).map_err(told)?;
    let last = record.url.path_segments().and_then(|mut parts| parts.next_back());
    for name in [&*file, last.unwrap_or_default()] {
        if !name.ends_with(".conda") && !name.ends_with(".tar.bz2") {
            return Err(message!("{name:?} is no package of conda's"));
        }
    }
    if let Some(path) = &package.python_site_packages_path {
        names::relative_path::check(path).map_err(told)?;
    }
    names::lines_only(json).map_err(told)
}

/// The package of a record, with the record for those who install it.
///
/// # Errors
/// [`LockError::BadPackage`] with the name of a package whose record cannot be worked with; [`LockError::NoHash`].
pub fn locked(record: &RepoDataRecord) -> Result<Locked, LockError> {
    let package = &record.package_record;
    let name = package.name.as_normalized();
    let bad = |reason: Message| LockError::BadPackage { package: name.to_owned(), reason };
    let json = serde_json::to_value(record).map_err(|error| bad(Message::plain(error)))?;
    check(record, &json).map_err(bad)?;
    let Some(sha256) = package.sha256 else {
        return Err(LockError::NoHash { file: record.identifier.to_string() });
    };
    Ok(Locked {
        package: Package {
            name: name.to_owned(),
            version: package.version.to_string(),
            build: Some(package.build.to_string()),
            size: package.size,
            sha256: Some(hex(&sha256)),
            url: Some(record.url.to_string()),
            record: Some(json),
        },
        ..Locked::default()
    })
}

/// The record of a package, which says the same of it as the package itself.
///
/// # Errors
/// [`LockError::BadPackage`] where it is none, or another package's.
pub fn record(locked: &Locked) -> Result<RepoDataRecord, LockError> {
    let package = &locked.package;
    let bad = |reason: Message| LockError::BadPackage { package: package.name.clone(), reason };
    let json = package.record.as_ref().ok_or_else(|| bad(message!("its record is missing")))?;
    let record = RepoDataRecord::deserialize(json).map_err(|error| bad(Message::plain(error)))?;
    check(&record, json).map_err(bad)?;
    let own = &record.package_record;
    let hash = own.sha256.map(|hash| hex(&hash));
    if hash.is_none() || hash != package.sha256 {
        return Err(bad(message!("its record names another sha256")));
    }
    let same = own.name.as_normalized() == package.name
        && own.version.to_string() == package.version
        && Some(own.build.as_str()) == package.build.as_deref()
        && own.size == package.size
        && Some(record.url.as_str()) == package.url.as_deref();
    if same { Ok(record) } else { Err(bad(message!("its record is another package's"))) }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(part: &str, value: Value) -> Option<(RepoDataRecord, Value)> {
        let mut json = json!({
            "name": "six", "version": "1.16", "build": "h1_0", "build_number": 0, "subdir": "noarch",
            "depends": ["python"], "license": "MIT", "size": 10, "sha256": "ab".repeat(32),
            "fn": "six-1.16-h1_0.conda", "url": "https://channel.example/noarch/six-1.16-h1_0.conda",
            "channel": "https://channel.example/",
        });
        json[part] = value;
        let record = serde_json::from_value(json.clone()).ok()?;
        Some((record, json))
    }

    /// What the parser refuses is refused as well.
    fn refused(part: &str, value: Value) -> bool {
        record(part, value).is_none_or(|(record, json)| check(&record, &json).is_err())
    }

    #[test]
    fn a_record_as_channels_have_it_passes() {
        assert!(!refused("license", json!("BSD-3-Clause")));
        assert!(!refused("build", json!("cpu_generic_py312_h1a2b3c_0")));
        assert!(!refused("version", json!("1!2.0.0rc1+local")));
        assert!(!refused("url", json!("http://127.0.0.1:8000/t%20a/noarch/six-1.16-h1_0.tar.bz2")));
        assert!(!refused("python_site_packages_path", json!("lib/python3.13t/site-packages")));
    }

    #[test]
    fn what_would_be_no_name_path_address_or_size_is_refused() {
        for (part, value) in [
            ("build", json!("0/../../../../project/.git")),
            ("build", json!("..")),
            ("build", json!("0\u{1b}[2K")),
            ("build", json!("a b")),
            ("build", json!("é")),
            ("build", json!("x".repeat(300))),
            ("name", json!("../six")),
            ("name", json!("")),
            ("name", json!("six\n")),
            ("version", json!("1/2")),
            ("subdir", json!("../noarch")),
            ("subdir", json!("win-64")),
            ("size", json!(u64::MAX)),
            ("fn", json!("../six-1.16-h1_0.conda")),
            ("fn", json!("six-1.16-py3-none-any.whl")),
            ("url", json!("ftp://channel.example/noarch/six-1.16-h1_0.conda")),
            ("url", json!("https://channel.example/noarch/..")),
            ("url", json!("data:,six-1.16-h1_0.conda")),
            ("license", json!("MIT\u{1b}]0;x\u{7}")),
            ("license", json!("\u{202e}TIM")),
            ("depends", json!(["python\r"])),
            ("python_site_packages_path", json!("../../../home/ann")),
            ("python_site_packages_path", json!("/etc")),
        ] {
            assert!(refused(part, value.clone()), "{part}: {value}");
        }
    }
}
