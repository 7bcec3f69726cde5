//! What is known of a project that was written: `.aitk/made.toml`, and beside it the files as they were written.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use aitk_plan::{ProfileError, Project, names, parse_toml};
use aitk_system::{Message, System, is_plain, message};
use serde::{Deserialize, Serialize};

use super::OWN;
use super::begun::Begun;
use crate::error::ExecError;
use crate::steps::hash_of;

/// No project comes near it: the most files, and the most bytes of all of them.
const MOST_FILES: usize = 5000;
const MOST_BYTES: u64 = 64 << 20;
/// The longest `made.toml` that is read, in bytes.
const LONGEST: usize = 4 << 20;

/// What was written into the folder of a project. The folder may come from somebody else, so nothing of it is believed
/// that is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectRecord {
    schema: u32,
    /// The target that it was written for.
    pub platform: String,
    /// The version of aitk that has written it.
    pub aitk: String,
    /// The day on which it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
    /// The archive of the files as they were written, in the same folder.
    base: String,
    /// The parts that were chosen.
    pub parts: Vec<String>,
    /// The parameters that are not as the target has them.
    pub parameters: BTreeMap<String, String>,
    /// Every file that was written.
    pub file: Vec<RecordedFile>,
}

/// A file as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordedFile {
    /// Where it lies in the folder.
    pub path: String,
    /// The SHA-256 of what was written, by which it is told what the user changed.
    pub sha256: String,
    /// Whether it is a program.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Whether it is the user's alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub yours: bool,
    /// The SHA-256 of what was written earlier and stays, where it is the user's alone and there is a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<String>,
}

impl RecordedFile {
    /// Whether nobody has changed what aitk has written.
    pub(crate) fn is_untouched(&self, bytes: &[u8]) -> bool {
        let hash = hash_of(bytes);
        hash == self.sha256 || self.earlier.as_ref() == Some(&hash)
    }
}

impl ProjectRecord {
    /// Of a project with these files.
    pub(crate) fn of(project: &Project, files: &[aitk_export::File]) -> Self {
        let file = |file: &aitk_export::File| RecordedFile {
            path: file.path.clone(),
            sha256: hash_of(file.content.as_bytes()),
            executable: file.executable,
            yours: file.yours,
            earlier: None,
        };
        let file: Vec<_> = files.iter().map(file).collect();
        let all: String = file.iter().map(|file| file.sha256.as_str()).collect();
        Self {
            schema: 1,
            platform: project.platform.clone(),
            aitk: env!("CARGO_PKG_VERSION").to_owned(),
            written: None,
            base: format!("base-{}.tar.zst", &hash_of(all.as_bytes())[..16]),
            parts: project.parts.clone(),
            parameters: project.parameters.clone(),
            file,
        }
    }

    fn place(folder: &Path) -> PathBuf {
        folder.join(OWN).join("made.toml")
    }

    /// What is known of a folder; `None` where no project was written there.
    ///
    /// # Errors
    /// [`ExecError::BadProject`] where it is damaged, or of a newer aitk.
    pub fn read(folder: &Path, system: &dyn System) -> Result<Option<Self>, ExecError> {
        let path = Self::place(folder);
        let bad = |reason: Message| ExecError::BadProject { path: path.clone(), reason };
        if !system.exists(&path) {
            return Ok(None);
        }
        let text = system.foreign_text(&path, LONGEST).map_err(ExecError::io(&path))?;
        #[derive(Deserialize)]
        struct SchemaOnly {
            schema: u32,
        }
        let file = path.to_string_lossy();
        let told = |error: ProfileError| match error {
            // The path stands before it already.
            ProfileError::Invalid { line, column, message, .. } => {
                bad(message!("line {line}, column {column}: {message}"))
            }
            error => bad(aitk_system::Explain::message(&error)),
        };
        let form: SchemaOnly = parse_toml(&file, &text).map_err(told)?;
        if form.schema > 1 {
            return Err(bad(message!("it was written by a newer version of aitk")));
        }
        let made: Self = parse_toml(&file, &text).map_err(told)?;
        made.fits().map(|()| Some(made)).map_err(bad)
    }

    /// Whether every name in it is one, and every path leads into the folder.
    fn fits(&self) -> Result<(), Message> {
        let told = |unfit: names::Unfit| aitk_system::ToMessage::to_message(&unfit);
        names::step_id::check(&self.platform).map_err(told)?;
        self.parts.iter().try_for_each(|part| names::step_id::check(part)).map_err(told)?;
        let lines = self.written.iter().chain([&self.aitk]);
        lines.into_iter().try_for_each(|line| names::line::check(line)).map_err(told)?;
        for (key, value) in &self.parameters {
            names::step_id::check(key).and_then(|()| names::line::check(value)).map_err(told)?;
        }
        let digits = |text: &str| text.bytes().all(|c| c.is_ascii_hexdigit());
        let base = self.base.strip_prefix("base-").and_then(|it| it.strip_suffix(".tar.zst"));
        if base.is_none_or(|name| name.len() != 16 || !digits(name)) {
            return Err(message!("its archive is called otherwise than aitk calls it"));
        }
        if self.file.len() > MOST_FILES {
            return Err(message!("it names more than {MOST_FILES} files"));
        }
        for file in &self.file {
            names::line::check(&file.path).map_err(told)?;
            let path = Path::new(&file.path);
            let own = [OWN, ".git"].iter().any(|own| path.starts_with(own));
            let hashes = file.earlier.iter().chain([&file.sha256]);
            let hashed = hashes.into_iter().all(|hash| hash.len() == 64 && digits(hash));
            if !is_plain(path) || own || !hashed {
                return Err(message!("`{}` is no file of a project", file.path));
            }
        }
        Ok(())
    }

    /// Whether the same was written.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        let said = |made: &Self| {
            let mut said = Self { aitk: String::new(), written: None, ..made.clone() };
            said.file.iter_mut().for_each(|file| file.earlier = None);
            said
        };
        said(self) == said(other)
    }

    /// The same, with what stays of what was written before, in these files of which there is a newer one now.
    pub(crate) fn after(mut self, before: Option<&Self>, newer: &[&str]) -> Self {
        for file in self.file.iter_mut().filter(|file| file.yours) {
            let old = before.and_then(|old| old.file.iter().find(|old| old.path == file.path));
            let now = newer.contains(&file.path.as_str());
            file.earlier =
                old.and_then(|old| old.earlier.clone().or_else(|| now.then(|| old.sha256.clone())));
        }
        self
    }

    /// The files as they were written, each only where it is what was noted.
    ///
    /// # Errors
    /// Where the archive is not there or is none.
    pub(crate) fn base(
        &self,
        folder: &Path,
        system: &dyn System,
    ) -> Result<BTreeMap<String, Vec<u8>>, ExecError> {
        let path = folder.join(OWN).join(&self.base);
        let bad = |error: std::io::Error| ExecError::BadProject {
            path: path.clone(),
            reason: Message::plain(error),
        };
        let file = system.open(&path).map_err(bad)?;
        let unpacked = zstd::stream::read::Decoder::new(file).map_err(bad)?.take(MOST_BYTES);
        let mut archive = tar::Archive::new(unpacked);
        let noted: BTreeMap<_, _> =
            self.file.iter().map(|file| (file.path.as_str(), file.sha256.as_str())).collect();
        let mut files = BTreeMap::new();
        for entry in archive.entries().map_err(bad)? {
            let mut entry = entry.map_err(bad)?;
            // A sparse one would say of itself how much it is in memory.
            if entry.header().entry_type() != tar::EntryType::Regular {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).map_err(bad)?;
            if noted.get(name.as_str()).is_some_and(|sha256| *sha256 == hash_of(&bytes)) {
                files.insert(name, bytes);
            }
        }
        Ok(files)
    }

    /// Notes what was written: first the files, then the list that names them, in one rename; then what was there before
    /// goes.
    pub(crate) fn save(
        &self,
        folder: &Path,
        files: &[aitk_export::File],
        system: &dyn System,
    ) -> Result<(), ExecError> {
        let own = folder.join(OWN);
        let base = own.join(&self.base);
        let packed = archive(files).map_err(ExecError::io(&base))?;
        system.write(&base, &packed, 0o644).map_err(ExecError::io(&base))?;
        let path = Self::place(folder);
        let now = system.now().to_string();
        let day = now.split('T').next().map(str::to_owned);
        let text = toml::to_string(&Self { written: day, ..self.clone() })
            .map_err(|error| ExecError::io(&path)(std::io::Error::other(error)))?;
        system.write(&path, text.as_bytes(), 0o644).map_err(ExecError::io(&path))?;
        let old = system.list(&own).unwrap_or_default().into_iter();
        let old = old.filter(|name| name.starts_with("base-") && *name != self.base);
        for path in old.map(|name| own.join(name)).chain([Begun::place(folder)]) {
            system.remove(&path).map_err(ExecError::io(path))?;
        }
        Ok(())
    }
}

/// The files in an archive; the same files give the same bytes.
fn archive(files: &[aitk_export::File]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.content.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, &file.path, file.content.as_bytes())?;
    }
    zstd::stream::encode_all(&builder.into_inner()?[..], 0)
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    #[test]
    fn a_member_that_is_larger_in_memory_than_in_the_archive_is_none() {
        const LARGE: usize = 8 << 20;
        let folder = tempfile::tempdir().unwrap();
        let mut sparse = tar::Header::new_gnu();
        sparse.set_path("data.bin").unwrap();
        sparse.set_entry_type(tar::EntryType::GNUSparse);
        sparse.set_size(0);
        let gnu = sparse.as_gnu_mut().unwrap();
        gnu.set_real_size(LARGE as u64);
        gnu.sparse[0].set_offset(LARGE as u64);
        gnu.sparse[0].set_length(0);
        sparse.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&sparse, std::io::empty()).unwrap();
        let mut plain = tar::Header::new_gnu();
        plain.set_size(1);
        builder.append_data(&mut plain, "a", &b"a"[..]).unwrap();
        let packed = zstd::stream::encode_all(&builder.into_inner().unwrap()[..], 0).unwrap();
        let file = |path: &str, bytes: &[u8]| RecordedFile {
            path: path.to_owned(),
            sha256: hash_of(bytes),
            executable: false,
            yours: false,
            earlier: None,
        };
        let mut made = ProjectRecord::of(&Project::default(), &[]);
        made.file = vec![file("data.bin", &vec![0; LARGE]), file("a", b"a")];
        Real.write(&folder.path().join(OWN).join(&made.base), &packed, 0o644).unwrap();
        let files = made.base(folder.path(), &Real).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["a"]);
    }
}
