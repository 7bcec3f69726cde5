//! aitk's lines in a shell's own file, between two marks. The file is somebody's: it is bytes and not text, nothing but
//! what aitk has written is ever taken out of it, and where the marks do not fit each other nothing is changed at all.

use std::io;
use std::path::{Path, PathBuf};

use aitk_system::{FileKind, Message, System, ToMessage, message, paths};

/// What stands around the lines that are aitk's.
pub(super) const BEGIN: &str = "# >>> aitk >>>";
pub(super) const END: &str = "# <<< aitk <<<";

/// The marks are not one pair in lines of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unclear;

/// A file's lines, each with its end; those of the block without its marks.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    before: Vec<&'a [u8]>,
    block: Option<Vec<&'a [u8]>>,
    after: Vec<&'a [u8]>,
}

/// A file as it shall be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Changed {
    pub bytes: Vec<u8>,
    /// Lines of the user's that stood between the marks, and stay.
    pub kept: Vec<String>,
}

/// The file itself: the links to it, as dotfile managers make them, stay.
pub(super) fn behind_links(file: &Path, system: &dyn System) -> io::Result<PathBuf> {
    let mut place = file.to_owned();
    for _ in 0..paths::MAX_LINKS {
        match system.stat(&place) {
            Ok(stat) if stat.kind == FileKind::Link => {
                place = place.with_file_name(system.read_link(&place)?);
            }
            // What is missing or cannot be looked at is found when it is read or written.
            _ => return Ok(place),
        }
    }
    Err(io::Error::other(message!("it is a link that leads to itself")))
}

/// Why a file must stay as it is; `None` where it may be written.
pub(super) fn closed(place: &Path, system: &dyn System) -> Option<Message> {
    let stat = match system.stat(place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => return Some(error.to_message()),
        Ok(stat) => stat,
    };
    if stat.kind != FileKind::File {
        return Some(message!("it is no plain file"));
    }
    if stat.uid != system.host().uid {
        return Some(message!("it belongs to somebody else"));
    }
    match system.access(place) {
        // Root may write everything, and does not here.
        Ok(()) if stat.mode & 0o222 != 0 => None,
        _ => Some(message!("it can only be read")),
    }
}

/// Takes a file apart.
fn parts(bytes: &[u8]) -> Result<Parts<'_>, Unclear> {
    let lines: Vec<_> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mentions = |mark: &str| -> usize {
        lines
            .iter()
            .map(|line| line.windows(mark.len()).filter(|w| *w == mark.as_bytes()).count())
            .sum()
    };
    let places = |mark: &str| -> Option<usize> {
        lines.iter().position(|line| line.trim_ascii_end() == mark.as_bytes())
    };
    match (mentions(BEGIN), mentions(END), places(BEGIN), places(END)) {
        (0, 0, ..) => Ok(Parts { before: lines, block: None, after: Vec::new() }),
        (1, 1, Some(begin), Some(end)) if begin < end => Ok(Parts {
            before: lines[..begin].to_vec(),
            block: Some(lines[begin + 1..end].to_vec()),
            after: lines[end + 1..].to_vec(),
        }),
        _ => Err(Unclear),
    }
}

/// Whether a line is one of those that aitk writes, for whichever conda: it loads a script of conda's or mamba's.
fn is_ours(line: &[u8]) -> bool {
    let Ok(line) = std::str::from_utf8(line.trim_ascii_end()) else { return false };
    let posix = line.strip_prefix("[ -r ").and_then(|rest| rest.split_once(" ] && . "));
    let fish = line.strip_prefix("test -r ").and_then(|rest| rest.split_once("; and source "));
    let scripts =
        ["/etc/profile.d/conda.sh", "/etc/profile.d/mamba.sh", "/etc/fish/conf.d/conda.fish"];
    posix.or(fish).is_some_and(|(tested, loaded)| {
        tested == loaded
            && scripts.iter().any(|script| tested.trim_end_matches('\'').ends_with(script))
    })
}

/// The lines of a block that are somebody's own.
fn own<'a>(block: &[&'a [u8]]) -> Vec<&'a [u8]> {
    block.iter().copied().filter(|line| !is_ours(line)).collect()
}

fn words(lines: &[&[u8]]) -> Vec<String> {
    let text = |line: &&[u8]| String::from_utf8_lossy(line.trim_ascii()).into_owned();
    lines.iter().map(text).filter(|line| !line.is_empty()).collect()
}

/// Whether a file has aitk's marks.
pub(super) fn is_marked(bytes: &[u8]) -> Result<bool, Unclear> {
    Ok(parts(bytes)?.block.is_some())
}

/// Whether a file has just these lines of aitk's, or the user has put them there by hand.
pub(super) fn has(bytes: &[u8], wanted: &str) -> Result<bool, Unclear> {
    let parts = parts(bytes)?;
    let plain = |line: &&[u8]| line.trim_ascii_end().to_vec();
    let wanted: Vec<_> = wanted.lines().map(|line| line.as_bytes().to_vec()).collect();
    let by_hand: Vec<_> = parts.before.iter().chain(&parts.after).map(plain).collect();
    let block = parts.block.unwrap_or_default();
    let ours: Vec<_> = block.iter().filter(|line| is_ours(line)).map(plain).collect();
    Ok(ours == wanted || wanted.iter().all(|line| by_hand.contains(line)))
}

/// A file with these lines in place of the earlier ones; at its end where there were none. What the user has written
/// between the marks comes behind them.
pub(super) fn with(bytes: &[u8], wanted: &str) -> Result<Changed, Unclear> {
    let Parts { before, block, after } = parts(bytes)?;
    let own = own(&block.unwrap_or_default());
    let mut bytes = before.concat();
    if !bytes.is_empty() && !bytes.ends_with(b"\n") {
        bytes.push(b'\n');
    }
    bytes.extend(format!("{BEGIN}\n{wanted}{END}\n").bytes());
    bytes.extend([own.concat(), after.concat()].concat());
    Ok(Changed { bytes, kept: words(&own) })
}

/// A file without aitk's lines. `cut` is whether its last line had no end before there were any.
pub(super) fn without(bytes: &[u8], cut: bool) -> Result<Changed, Unclear> {
    let Parts { before, block, after } = parts(bytes)?;
    let own = own(&block.unwrap_or_default());
    let mut bytes = before.concat();
    if cut && own.is_empty() && after.is_empty() && bytes.ends_with(b"\n") {
        bytes.pop();
    }
    bytes.extend([own.concat(), after.concat()].concat());
    Ok(Changed { bytes, kept: words(&own) })
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    const LINES: &str = "[ -r '/a b/etc/profile.d/conda.sh' ] && . '/a b/etc/profile.d/conda.sh'\n";
    const OTHER: &str = "[ -r /old/etc/profile.d/conda.sh ] && . /old/etc/profile.d/conda.sh\n";

    fn block(lines: &str) -> String {
        format!("{BEGIN}\n{lines}{END}\n")
    }

    #[test]
    fn the_file_comes_back_byte_for_byte() {
        for own in
            [&b"# caf\xe9\nexport X='\xff\xfe'\n"[..], b"a=1\r\nb=2\r\n", b"no end", b"", b"\0\n"]
        {
            let cut = !own.is_empty() && !own.ends_with(b"\n");
            let changed = with(own, LINES).unwrap();
            assert!(
                changed.bytes.starts_with(own) && changed.bytes.ends_with(block(LINES).as_bytes())
            );
            assert!(has(&changed.bytes, LINES).unwrap() && !has(own, LINES).unwrap());
            assert_eq!(with(&changed.bytes, LINES).unwrap(), changed, "once is enough");
            assert_eq!(without(&changed.bytes, cut).unwrap().bytes, own);
        }
    }

    #[test]
    fn earlier_lines_are_replaced_where_they_stand_and_what_follows_stays() {
        let before = format!("a\n{}\u{e9}\n", block(OTHER));
        let changed = with(before.as_bytes(), LINES).unwrap();
        assert_eq!(changed.bytes, format!("a\n{}\u{e9}\n", block(LINES)).as_bytes());
        assert_eq!(without(&changed.bytes, true).unwrap().bytes, "a\n\u{e9}\n".as_bytes());
    }

    #[test]
    fn lines_of_the_users_between_the_marks_stay_and_are_told() {
        let mine = "export MINE=1 # mine\n";
        let text = format!("a\n{}z\n", block(&format!("{LINES}{mine}")));
        assert!(has(text.as_bytes(), LINES).unwrap(), "nothing is to be done");
        let gone = without(text.as_bytes(), false).unwrap();
        assert_eq!(gone.bytes, format!("a\n{mine}z\n").as_bytes());
        assert_eq!(gone.kept, ["export MINE=1 # mine"]);
        let moved = with(text.replace(LINES, OTHER).as_bytes(), LINES).unwrap();
        assert_eq!(moved.bytes, format!("a\n{}{mine}z\n", block(LINES)).as_bytes());
        assert_eq!(moved.kept, gone.kept);
        // A line that does more than load the script is the user's.
        let more = LINES.replace('\n', "; rm x\n");
        assert_eq!(without(block(&more).as_bytes(), false).unwrap().bytes, more.as_bytes());
    }

    #[test]
    fn marks_that_do_not_fit_each_other_change_nothing() {
        let one = block(LINES);
        for text in [
            format!("a\n{BEGIN}\nMINE=1\n# about: {END}\nlast\n"),
            format!("a\n{BEGIN}\nmine\n"),
            format!("{END}\nmine\n"),
            format!("{END}\n{BEGIN}\n"),
            format!("{one}{one}"),
            format!("{one}{BEGIN}\n"),
            format!("echo '{BEGIN}'\n"),
            format!("{BEGIN}\n{LINES}{END} # mine\n"),
        ] {
            let bytes = text.as_bytes();
            assert_eq!(with(bytes, LINES), Err(Unclear), "{text}");
            assert_eq!(without(bytes, false), Err(Unclear), "{text}");
            assert_eq!(has(bytes, LINES), Err(Unclear), "{text}");
        }
        // A file whose lines end as on Windows has them as well.
        let crlf = one.replace('\n', "\r\n");
        assert_eq!(without(crlf.as_bytes(), false).unwrap().bytes, b"");
    }

    #[test]
    fn lines_that_were_put_there_by_hand_will_do() {
        assert!(has(format!("a\n{LINES}b\n").as_bytes(), LINES).unwrap());
    }

    #[test]
    fn any_chain_of_links_is_followed_and_a_circle_is_none() {
        let home = tempfile::tempdir().unwrap();
        let at = |name: &str| home.path().join(name);
        Real.write(&at("real/bashrc"), b"", 0o600).unwrap();
        Real.symlink(Path::new("../real/bashrc"), &at("dot/bashrc")).unwrap();
        Real.symlink(Path::new("dot/bashrc"), &at(".bashrc")).unwrap();
        let place = behind_links(&at(".bashrc"), &Real).unwrap();
        Real.write(&place, b"x", 0o600).unwrap();
        assert_eq!(Real.read(&at("real/bashrc")).unwrap(), b"x");
        assert_eq!(Real.stat(&at("dot/bashrc")).unwrap().kind, FileKind::Link);
        Real.symlink(Path::new("b"), &at("a")).unwrap();
        Real.symlink(Path::new("a"), &at("b")).unwrap();
        behind_links(&at("a"), &Real).unwrap_err();
        assert_eq!(closed(&at("real/bashrc"), &Real), None);
        assert_eq!(closed(&at("none"), &Real), None);
        Real.write(&at("read-only"), b"", 0o400).unwrap();
        assert_eq!(closed(&at("read-only"), &Real).unwrap(), "it can only be read");
        assert!(closed(home.path(), &Real).is_some());
    }
}
