//! What an unpacked package would put into an environment, as it says itself: rattler follows these lists when it
//! links, so they are looked through first, each for itself and all that come together.
#![expect(
    clippy::disallowed_methods,
    reason = "packages lie in the cache, where rattler reads them as well"
)]

use aitk_system::{Message, message};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use aitk_plan::names;
use rattler_conda_types::PrefixRecord;
use rattler_conda_types::package::{LinkJson, NoArchLinks, PackageFile, PathType, PathsJson};
use rattler_conda_types::prefix_record;

/// Looks through the lists of a package that was just unpacked.
///
/// # Errors
/// What in them would not stay in an environment, in words.
pub(super) fn check(folder: &Path) -> Result<(), Message> {
    let paths = PathsJson::from_package_directory_with_deprecated_fallback(folder)
        .map_err(|error| message!("its list of files cannot be read: {error}"))?;
    paths.paths.iter().try_for_each(|entry| place(&entry.relative_path))?;
    let link = match LinkJson::from_package_directory(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        link => link.map_err(|error| message!("its list of programs cannot be read: {error}"))?,
    };
    if let NoArchLinks::Python(programs) = link.noarch {
        let bad =
            programs.entry_points.iter().find(|entry| !names::file_name::fits(&entry.command));
        if let Some(entry) = bad {
            return Err(message!("its program {:?} has no file's name", entry.command));
        }
    }
    Ok(())
}

/// Shows that a package may have a file there: what conda notes in an environment is its own.
fn place(path: &Path) -> Result<(), Message> {
    let fits = path.to_str().is_some_and(|text| {
        // A folder may end so.
        let text = text.strip_suffix('/').unwrap_or(text);
        let note = text.strip_prefix("conda-meta/");
        names::relative_path::fits(text)
            && !note.is_some_and(|note| note == "history" || note.ends_with(".json"))
    });
    match fits {
        true => Ok(()),
        false => Err(message!("its list of files has {path:?}, which is no place for a file")),
    }
}

/// Where the files and links of packages that come together would stand in an environment.
#[derive(Default)]
pub(super) struct Together {
    /// Each place with the package that has it.
    places: Vec<(PathBuf, String)>,
    links: BTreeMap<PathBuf, String>,
}

impl Together {
    /// Adds a package that is unpacked in a folder; `site_packages` is where Python looks.
    pub fn add(&mut self, name: &str, folder: &Path, site_packages: &Path) -> Result<(), Message> {
        let paths = PathsJson::from_package_directory_with_deprecated_fallback(folder)
            .map_err(|error| message!("its list of files cannot be read: {error}"))?;
        for entry in paths.paths {
            // What an older version has unpacked was not looked through.
            place(&entry.relative_path)?;
            // A link is one whatever the list calls it.
            let there = std::fs::symlink_metadata(folder.join(&entry.relative_path));
            let is_link = entry.path_type == PathType::SoftLink
                || there.is_ok_and(|there| there.is_symlink());
            if let Some(moved) = in_environment(&entry.relative_path, site_packages) {
                self.put(name, moved, is_link);
            }
            self.put(name, entry.relative_path, is_link);
        }
        Ok(())
    }

    /// Adds what stands there already.
    pub fn add_installed(&mut self, record: &PrefixRecord) {
        let name = record.repodata_record.package_record.name.as_normalized();
        for entry in &record.paths_data.paths {
            let is_link = entry.path_type == prefix_record::PathType::SoftLink;
            self.put(name, entry.relative_path.clone(), is_link);
        }
    }

    fn put(&mut self, name: &str, place: PathBuf, is_link: bool) {
        if is_link {
            self.links.insert(place.clone(), name.to_owned());
        }
        self.places.push((place, name.to_owned()));
    }

    /// Shows that no file is written through a link of another package.
    ///
    /// # Errors
    /// The package whose file would be, and why.
    pub fn check(&self) -> Result<(), (String, Message)> {
        let mut looked_at = BTreeSet::new();
        for (place, name) in &self.places {
            let Some(folder) = place.parent().filter(|folder| looked_at.insert(*folder)) else {
                continue;
            };
            for part in folder.ancestors() {
                if let Some(other) = self.links.get(part) {
                    let reason = message!(
                        "{place:?} would be written through {part:?}, which is a link of {other}"
                    );
                    return Err((name.clone(), reason));
                }
            }
        }
        Ok(())
    }
}

/// Where conda moves a file of a package that is for every Python.
fn in_environment(path: &Path, site_packages: &Path) -> Option<PathBuf> {
    let moved = path.strip_prefix("site-packages").map(|rest| site_packages.join(rest));
    moved
        .or_else(|_| path.strip_prefix("python-scripts").map(|rest| Path::new("bin").join(rest)))
        .ok()
}
