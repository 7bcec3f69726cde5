//! What a wheel's own table of contents tells: how much it takes on disk, without downloading it.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use futures_util::stream::{self, StreamExt};

use crate::error::EnvError;
use crate::fetch::{Client, block_on, total_of};
use crate::lock::Locked;

/// How much of a wheel's end is asked for first; most tables of contents fit.
const TAIL: u64 = 64 * 1024;
/// How many are asked for at a time.
const PARALLEL: usize = 8;
/// The block of common file systems.
const BLOCK: u64 = 4096;

/// Asks the sources for the sizes that the lock does not know yet. What cannot be had stays unknown.
pub(crate) fn measure(client: &Client, packages: &mut [Locked]) -> Result<(), EnvError> {
    block_on(async {
        stream::iter(packages.iter_mut().filter(|locked| locked.unpacked.is_none()))
            .for_each_concurrent(PARALLEL, |locked| async move {
                match contents(client, locked.package.url.as_deref().unwrap_or_default()).await {
                    Ok(contents) => {
                        locked.package.size = Some(contents.archive);
                        locked.unpacked = Some(contents.unpacked);
                        locked.files = Some(contents.files);
                    }
                    Err(error) => {
                        tracing::debug!(file = locked.filename(), %error, "size unknown");
                    }
                }
            })
            .await;
    })
}

struct Contents {
    /// Bytes of the archive.
    archive: u64,
    /// Bytes of all files in it.
    unpacked: u64,
    /// How many files.
    files: u64,
}

async fn contents(client: &Client, url: &str) -> Result<Contents, EnvError> {
    let mut wanted = TAIL;
    loop {
        let range = format!("bytes=-{wanted}");
        let answer = client.get(url, &[("range", &range)]).await?;
        let total = total_of(&answer).or(answer.content_length()).unwrap_or(0);
        let end = answer.bytes().await.map_err(|error| EnvError::Unreachable {
            source_name: "the source".to_owned(),
            reason: error.to_string(),
        })?;
        let start = total.saturating_sub(end.len() as u64);
        match zip::ZipArchive::new(Tail::new(&end, start)) {
            Ok(archive) => {
                let files = archive.len() as u64;
                let sizes =
                    (0..archive.len()).filter_map(|index| archive.by_index_data(index).ok());
                let bytes: u64 = sizes.map(|entry| entry.size()).sum();
                // File systems give out whole blocks: half of one is lost a file, on average.
                let unpacked = bytes + files * BLOCK / 2;
                return Ok(Contents { archive: total, unpacked, files });
            }
            Err(_) if start > 0 && wanted < 32 << 20 => wanted *= 16,
            Err(error) => {
                return Err(EnvError::Unreachable {
                    source_name: "the source".to_owned(),
                    reason: error.to_string(),
                });
            }
        }
    }
}

/// The end of an archive, posing as the whole of it.
struct Tail<'a> {
    bytes: Cursor<&'a [u8]>,
    start: u64,
}

impl<'a> Tail<'a> {
    fn new(bytes: &'a [u8], start: u64) -> Self {
        Self { bytes: Cursor::new(bytes), start }
    }
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Seek for Tail<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let before =
            || io::Error::new(io::ErrorKind::UnexpectedEof, "before the part that is known");
        let to = match to {
            SeekFrom::Start(at) => SeekFrom::Start(at.checked_sub(self.start).ok_or_else(before)?),
            other => other,
        };
        Ok(self.bytes.seek(to)? + self.start)
    }
}
