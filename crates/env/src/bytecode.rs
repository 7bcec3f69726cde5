//! Whether compiled Python can be read to its end. A file that was cut short by a crash or a full disk stops every
//! import of its module, for Python looks only at its head before it takes it for good.

use std::path::Path;

use aitk_system::System;

/// What Python writes before the code: its own version, and the time and size of the source.
const HEAD: usize = 16;
/// How deep code may be nested; more than any compiler makes.
const DEPTH: usize = 1000;

/// Whether this compiled file stands in the way of its source: it counts as fresh, and cannot be read to its end.
pub(crate) fn is_cut(system: &dyn System, bytecode: &Path, source: &Path) -> bool {
    let (Ok(bytes), Ok(source)) = (system.read(bytecode), system.stat(source)) else {
        return false;
    };
    let Some((head, code)) = bytes.split_at_checked(HEAD) else { return false };
    let number = |at: usize| {
        head.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
    };
    let Some(layout) = Layout::of(number(0)) else { return false };
    // What is not fresh is not read, and made again. What is checked by a hash instead of the time has another flag.
    let seconds = source.mtime.div_euclid(1_000_000_000);
    let fresh = number(8) == seconds as u32 && number(12) == source.size as u32;
    if number(4) & 1 == 0 && !fresh {
        return false;
    }
    Reader { bytes: code, layout }.object(0).is_none()
}

/// How a version of Python writes code.
#[derive(Debug, Clone, Copy)]
enum Layout {
    /// 3.8 to 3.10.
    Old,
    /// 3.11 to 3.14.
    New,
}

impl Layout {
    /// That of a magic number; `None` where it is of a version that is not known.
    fn of(magic: u32) -> Option<Self> {
        match (magic & 0xffff, magic >> 16) {
            (3400..3450, 0x0a0d) => Some(Self::Old),
            (3450..3650, 0x0a0d) => Some(Self::New),
            _ => None,
        }
    }
}

/// Walks over what `marshal` wrote; `None` stands for an end that comes too early, or what is nothing of its own.
struct Reader<'a> {
    bytes: &'a [u8],
    layout: Layout,
}

impl Reader<'_> {
    fn skip(&mut self, count: usize) -> Option<()> {
        self.bytes = self.bytes.get(count..)?;
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.first()?;
        self.skip(1)?;
        Some(byte)
    }

    fn number(&mut self) -> Option<i32> {
        let four = self.bytes.first_chunk()?;
        let number = i32::from_le_bytes(*four);
        self.skip(4)?;
        Some(number)
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok()
    }

    fn objects(&mut self, count: usize, depth: usize) -> Option<()> {
        (0..count).try_for_each(|_| self.object(depth))
    }

    fn object(&mut self, depth: usize) -> Option<()> {
        if depth > DEPTH {
            return None;
        }
        let depth = depth + 1;
        // The highest bit says that it may be referred to later.
        match self.byte()? & 0x7f {
            b'0' | b'N' | b'F' | b'T' | b'S' | b'.' => Some(()),
            b'i' | b'r' => self.skip(4),
            b'I' | b'g' => self.skip(8),
            b'y' => self.skip(16),
            b'f' => self.short(),
            b'x' => self.short().and_then(|()| self.short()),
            b'l' => {
                let digits = self.number()?.unsigned_abs() as usize;
                self.skip(digits.checked_mul(2)?)
            }
            b's' | b't' | b'u' | b'a' | b'A' => {
                let length = self.count()?;
                self.skip(length)
            }
            b'z' | b'Z' => self.short(),
            b')' => {
                let count = self.byte()?;
                self.objects(count.into(), depth)
            }
            b'(' | b'[' | b'<' | b'>' => {
                let count = self.count()?;
                self.objects(count, depth)
            }
            b'{' => self.pairs(depth),
            b':' => self.objects(3, depth),
            b'c' => self.code(depth),
            _ => None,
        }
    }

    /// A text of at most 255 bytes.
    fn short(&mut self) -> Option<()> {
        let length = self.byte()?;
        self.skip(length.into())
    }

    /// Keys and values until the end of them.
    fn pairs(&mut self, depth: usize) -> Option<()> {
        while self.bytes.first()? & 0x7f != b'0' {
            self.objects(2, depth)?;
        }
        self.skip(1)
    }

    fn code(&mut self, depth: usize) -> Option<()> {
        // Numbers, objects, the number of the first line, the table of lines, and what follows it.
        let (numbers, objects, rest) = match self.layout {
            Layout::Old => (6, 8, 1),
            Layout::New => (5, 8, 2),
        };
        self.skip(numbers * 4)?;
        self.objects(objects, depth)?;
        self.skip(4)?;
        self.objects(rest, depth)
    }
}

#[cfg(test)]
mod tests {
    use aitk_system::Real;

    use super::*;

    /// `py_compile` of Python 3.11 on `X = ("a", 1 << 70, 1.5)\ndef f(a, b=2):\n    return {a: b}\n`.
    const CODE: &str = include_str!("../tests/bytecode.hex");

    fn bytes() -> Vec<u8> {
        let digits = CODE.trim();
        (0..digits.len() / 2)
            .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn bytecode_is_read_to_its_end_and_any_cut_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let (source, compiled) = (folder.path().join("a.py"), folder.path().join("a.pyc"));
        Real.write(&source, b"pass", 0o644).unwrap();
        let whole = bytes();
        let put = |bytes: &[u8]| Real.write(&compiled, bytes, 0o644).unwrap();
        // Fresh by its flag, whatever the time of the source.
        assert_eq!(whole[4], 1);
        put(&whole);
        assert!(!is_cut(&Real, &compiled, &source));
        for length in 16..whole.len() {
            put(&whole[..length]);
            assert!(is_cut(&Real, &compiled, &source), "{length} of {}", whole.len());
        }
        put(&whole[..8]);
        assert!(
            !is_cut(&Real, &compiled, &source),
            "without its head it is not taken for bytecode"
        );
        let mut stale = whole[..40].to_vec();
        stale[4] = 0;
        put(&stale);
        assert!(!is_cut(&Real, &compiled, &source), "what is not fresh is not read");
    }

    #[test]
    fn nonsense_ends() {
        for bytes in [&b"((((((((("[..], b"(\xff\xff\xff\x7f", b"{N", b"c", b"l\x00\x00\x00\x80"] {
            assert!(Reader { bytes, layout: Layout::New }.object(0).is_none());
        }
        let deep = [b')', 1].repeat(5000);
        assert!(Reader { bytes: &deep, layout: Layout::New }.object(0).is_none());
    }
}
