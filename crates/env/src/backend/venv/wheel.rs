//! What a wheel's own table of contents tells: how much it takes on disk, without downloading it.

use aitk_plan::Locked;
use aitk_plan::lock::pylock;
use aitk_system::{Message, message};
use std::cell::Cell;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use futures_util::stream::{self, StreamExt};
use zip::ZipArchive;
use zip::result::ZipError;

use crate::error::EnvError;
use crate::http::{HttpClient, start_of, total_of};
use crate::runtime::block_on;

/// How much of a wheel's end is asked for first; most tables of contents fit.
const TAIL: u64 = 64 * 1024;
/// No table of contents is larger.
const MOST: u64 = 32 << 20;
/// How many are asked for at a time.
const PARALLEL: usize = 8;
/// The block of common file systems.
const BLOCK: u64 = 4096;

/// Asks the sources for the sizes that the lock does not know yet. What cannot be had stays unknown.
pub(crate) fn measure(client: &HttpClient, packages: &mut [Locked]) -> Result<(), EnvError> {
    block_on(async {
        stream::iter(packages.iter_mut().filter(|locked| locked.unpacked.is_none()))
            .for_each_concurrent(PARALLEL, |locked| async move {
                match contents(client, locked.package.url.as_deref().unwrap_or_default()).await {
                    Ok(contents) => {
                        locked.package.size = Some(contents.archive.min(pylock::LARGEST));
                        locked.unpacked = Some(contents.unpacked.min(pylock::LARGEST));
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

async fn contents(client: &HttpClient, url: &str) -> Result<Contents, EnvError> {
    let mut wanted = TAIL;
    loop {
        let range = format!("bytes=-{wanted}");
        let mut answer = client.get(url, &[("range", &range)]).await?;
        let total = total_of(&answer).or(answer.content_length()).unwrap_or(0);
        // A source that knows no parts sends the whole.
        let end = start_of(&mut answer, MOST).await?;
        let start = total.saturating_sub(end.len() as u64);
        match read(&end, start) {
            Ok((unpacked, files)) => return Ok(Contents { archive: total, unpacked, files }),
            // Just as much as it looked for: several are in memory at a time. What lacks nothing is no archive.
            Err((_, first)) if first < start && wanted < MOST => {
                wanted = total.saturating_sub(first).max(wanted * 2).min(MOST);
            }
            Err((error, _)) => {
                return Err(EnvError::Unreachable {
                    source_name: message!("the source"),
                    reason: Message::plain(error),
                });
            }
        }
    }
}

/// Reads the table of contents in the end of an archive that begins at byte `start`: how many bytes the files take on
/// disk, and how many files there are. Where that is not enough, tells from which byte on it would be.
fn read(end: &[u8], start: u64) -> Result<(u64, u64), (ZipError, u64)> {
    let first = Cell::new(start);
    let tail = Tail { bytes: Cursor::new(end), start, first: &first };
    let archive = ZipArchive::new(tail).map_err(|error| (error, first.get()))?;
    let files = archive.len() as u64;
    let sizes = (0..archive.len()).filter_map(|index| archive.by_index_data(index).ok());
    let bytes = sizes.map(|entry| entry.size()).fold(0_u64, u64::saturating_add);
    // File systems give out whole blocks: half of one is lost a file, on average.
    Ok((bytes.saturating_add(files.saturating_mul(BLOCK) / 2), files))
}

/// The end of an archive, posing as the whole of it.
struct Tail<'a> {
    bytes: Cursor<&'a [u8]>,
    start: u64,
    /// The first byte of the archive that was looked for, whether it is there or not.
    first: &'a Cell<u64>,
}

impl Read for Tail<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Seek for Tail<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let before = || {
            io::Error::new(io::ErrorKind::UnexpectedEof, message!("before the part that is known"))
        };
        let to = match to {
            SeekFrom::Start(at) => {
                self.first.set(self.first.get().min(at));
                SeekFrom::Start(at.checked_sub(self.start).ok_or_else(before)?)
            }
            other => other,
        };
        Ok(self.bytes.seek(to)? + self.start)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    #[test]
    fn the_end_of_an_archive_tells_its_files_or_how_much_of_it_does() {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for file in 0..2000 {
            let name = format!("some/folder/with/a/long/name/{file}.py");
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(&[0; 100]).unwrap();
        }
        let whole = zip.finish().unwrap().into_inner();
        let table = ZipArchive::new(Cursor::new(&whole)).unwrap().central_directory_start();
        let end = |from: u64| (whole.get(from as usize..).unwrap(), from);
        let (short, start) = end(whole.len() as u64 - TAIL);
        assert!(start > table, "the table fits into the end");
        assert_eq!(read(short, start).map_err(|(_, first)| first), Err(table));
        let nothing = vec![0; 2 * TAIL as usize];
        assert_eq!(read(&nothing, 1 << 20).map_err(|(_, first)| first), Err(1 << 20));
        let (enough, start) = end(table);
        assert_eq!(read(enough, start).unwrap(), (2000 * 100 + 2000 * BLOCK / 2, 2000));
    }
}
