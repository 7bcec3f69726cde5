//! `pylock.toml`: the lock of PEP 751, which pip and uv install from.

use crate::{Export, ExportError, File, Source};

pub(crate) fn render(source: &Source<'_>) -> Result<Export, ExportError> {
    Ok(Export { files: vec![File::new("pylock.toml", source.lock)], without: vec!["system"] })
}
