//! What uv's own cache holds: for each wheel a link to where it is unpacked, in a folder of the package's name, called
//! as the rest of the wheel's file; where the tags in it are long, a hash stands for them.

use std::path::{Path, PathBuf};

use aitk_system::{FileKind, System};

/// How long the hash is that stands for long tags, in hexadecimal digits.
const HASH: usize = 16;

/// A wheel as uv's cache calls it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CachedWheel {
    /// The name of the folder.
    pub folder: String,
    /// The version, and the tags behind it.
    version: String,
    rest: String,
}

impl CachedWheel {
    /// The wheel with this name of a file; `None` where it is none.
    pub fn of(file: &str) -> Option<Self> {
        let (name, rest) = file.strip_suffix(".whl")?.split_once('-')?;
        let (version, _) = rest.split_once('-')?;
        Some(Self { folder: normalized(name), version: version.to_owned(), rest: rest.to_owned() })
    }

    /// Whether a link of this name is its own. A hash may stand for other tags of the same version.
    pub fn is_called(&self, link: &str) -> bool {
        let hash = link.strip_prefix(&self.version).and_then(|rest| rest.strip_prefix('-'));
        let is_hash =
            |hash: &str| hash.len() == HASH && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
        link == self.rest || hash.is_some_and(is_hash)
    }
}

/// The name of a package as uv writes it.
pub(crate) fn normalized(name: &str) -> String {
    name.to_lowercase().replace(['_', '.'], "-")
}

/// The folders that hold one folder for each package which came from a folder of wheels, as all of an environment do.
pub(crate) fn indexes(system: &dyn System, cache: &Path) -> Vec<PathBuf> {
    let below = |folder: PathBuf| {
        let names = system.list(&folder).unwrap_or_default();
        names.into_iter().map(move |name| folder.join(name))
    };
    let wheels = below(cache.to_owned()).filter(|path| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"wheels-"))
    });
    wheels.flat_map(|wheels| below(wheels.join("index"))).collect()
}

/// Whether a wheel of this name is unpacked there, so that the next environment shares its files.
pub(crate) fn is_unpacked(system: &dyn System, indexes: &[PathBuf], file: &str) -> bool {
    let Some(wheel) = CachedWheel::of(file) else { return false };
    indexes.iter().map(|index| index.join(&wheel.folder)).any(|folder| {
        let names = system.list(&folder).unwrap_or_default();
        names.iter().filter(|name| wheel.is_called(name)).any(|name| {
            let target = system.read_link(&folder.join(name));
            let kind = target.and_then(|target| system.stat(&folder.join(target)));
            kind.is_ok_and(|stat| stat.kind == FileKind::Dir)
        })
    })
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    #[test]
    fn a_wheel_is_unpacked_where_a_link_of_its_own_leads_to_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let index = folder.path().join("wheels-v8/index/f85b04224b3e78f5");
        let unpack = |link: &str, archive: &str| {
            Real.symlink(&folder.path().join("archive-v0").join(archive), &index.join(link))
                .unwrap();
        };
        Real.write(&folder.path().join("archive-v0/one/six.py"), b"x", 0o644).unwrap();
        Real.create_dir(&index.join("six")).unwrap();
        Real.create_dir(&index.join("zope-interface")).unwrap();
        unpack("six/1.17.0-py2.py3-none-any", "one");
        unpack("six/1.16.0-py2.py3-none-any", "lost");
        unpack("zope-interface/8.7-69d6add0738eddbd", "one");
        let indexes = indexes(&Real, folder.path());
        for (file, expected) in [
            ("six-1.17.0-py2.py3-none-any.whl", true),
            ("six-1.17.0-py3-none-any.whl", false),
            ("six-1.16.0-py2.py3-none-any.whl", false),
            ("zope_interface-8.7-cp311-cp311-manylinux1_x86_64.manylinux2014_x86_64.whl", true),
            ("zope_interface-8.8-cp311-cp311-manylinux1_x86_64.manylinux2014_x86_64.whl", false),
            ("six-1.17.0.tar.gz", false),
        ] {
            assert_eq!(is_unpacked(&Real, &indexes, file), expected, "{file}");
        }
    }
}
