//! Whether compiled Python is what its source compiles to. Python looks only at the head of such a file before it takes
//! it for good: one that was cut short by a crash or a full disk stops every import of its module, and one in which
//! somebody has put other code runs that instead.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aitk_system::{Command, System};

use crate::text;

/// What Python writes before the code: its own version, and the time and size of the source.
const HEAD: usize = 16;
/// How deep code may be nested; more than any compiler makes.
const DEPTH: usize = 1000;

/// What compares, for the environment's own Python.
const COMPARES: &str = include_str!("bytecode.py");
/// How long that may take: some ten thousand sources are compiled in half a minute.
const PATIENCE: Duration = Duration::from_secs(900);

/// A compiled file, and what it is compiled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Compiled {
    pub file: PathBuf,
    pub source: PathBuf,
    /// `0`, `1` or `2`.
    pub optimize: u8,
}

impl Compiled {
    /// The file of this name beside a folder of sources; `None` where Python imports no module from it.
    pub fn named(folder: &Path, name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".pyc")?.split('.');
        let module = parts.next()?;
        parts.next().filter(|tag| tag.starts_with("cpython-") && !tag[8..].contains('-'))?;
        let optimize = match parts.next() {
            None => 0,
            Some("opt-1") => 1,
            Some("opt-2") => 2,
            Some(_) => return None,
        };
        let source = folder.join(format!("{module}.py"));
        let file = folder.join("__pycache__").join(name);
        parts.next().is_none().then_some(Self { file, source, optimize })
    }
}

/// Those that Python would take and that are not what their sources compile to, by their places in the list. The
/// environment's own Python compiles: without anything of the environment that could be run at its start, and without
/// any compiled file. One that ends it is none that a source compiles to. Where it cannot be started nothing is known.
pub(crate) fn other_than_source(
    system: &dyn System,
    python: &Path,
    files: &[Compiled],
) -> Vec<usize> {
    let line = |one: &Compiled| {
        let (file, source) = (text(&one.file), text(&one.source));
        format!("{}\t{file}\t{source}\n", one.optimize)
    };
    let input: String = files.iter().map(line).collect();
    let command = Command::reads([&text(python), "-I", "-S", "-B", "-W", "ignore"])
        .args(["-X", "pycache_prefix=/nonexistent", "-c", COMPARES])
        .input(input)
        .timeout(PATIENCE);
    let Ok(output) = system.run(&command) else { return Vec::new() };
    let answers: Vec<_> = output.stdout.lines().filter_map(|line| line.split_once(' ')).collect();
    let other = answers.iter().filter(|(_, answer)| *answer == "other");
    let mut found: Vec<usize> = other.filter_map(|(index, _)| index.parse().ok()).collect();
    // A signal ended it at the next one.
    if output.status.is_none() && answers.len() < files.len() {
        found.push(answers.len());
    }
    found
}

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
    fn other_code_under_a_fresh_head_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let python = (&Real as &dyn System).which("python3").unwrap();
        let put = |name: &str, text: &str| {
            Real.write(&folder.path().join(name), text.as_bytes(), 0o644).unwrap();
        };
        put(
            "good.py",
            "X = (1.0, {'a', 'b'}, b'c')\ndef f(a, *, b=2):\n    return lambda: a in {1, 2}\n",
        );
        for name in ["swapped", "unchecked", "stale"] {
            put(&format!("{name}.py"), "print('good')\n");
        }
        // The head of each file with the code of another one, of the same length.
        let make = "import py_compile, os, sys, pathlib\n\
            os.chdir(sys.argv[1])\n\
            U = py_compile.PycInvalidationMode.UNCHECKED_HASH\n\
            def cached(name, **more): return pathlib.Path(py_compile.compile(name + '.py', **more))\n\
            cached('good'); cached('good', optimize=1)\n\
            for name in ['swapped', 'unchecked', 'stale']:\n    \
                mode = dict(invalidation_mode=U) if name == 'unchecked' else {}\n    \
                path = cached(name, **mode)\n    \
                data = path.read_bytes()\n    \
                path.write_bytes(data.replace(b'good', b'evil'))\n\
            os.utime('stale.py', (1, 1))\n";
        let make = Command::changes([&text(&python), "-I", "-c", make]).arg(text(folder.path()));
        assert!((&Real as &dyn System).run(&make).unwrap().success());
        let mut names = Real.list(&folder.path().join("__pycache__")).unwrap();
        names.sort();
        assert_eq!(names.len(), 5);
        let files: Vec<_> =
            names.iter().map(|name| Compiled::named(folder.path(), name).unwrap()).collect();
        let found = other_than_source(&Real, &python, &files);
        let found: Vec<_> = found.iter().map(|at| text(&files[*at].source)).collect();
        let all = ["swapped.py", "unchecked.py"].map(|name| text(&folder.path().join(name)));
        assert_eq!(found, all);
        assert!(other_than_source(&Real, Path::new("/nonexistent/python"), &files).is_empty());
    }

    #[test]
    fn only_what_is_imported_counts() {
        let named = |name: &str| Compiled::named(Path::new("/s"), name).map(|one| one.optimize);
        assert_eq!(named("a.cpython-312.pyc"), Some(0));
        assert_eq!(named("a.cpython-312.opt-2.pyc"), Some(2));
        for other in ["a.pyc", "a.cpython-312-pytest-8.4.pyc", "a.cpython-312.pyc.1", "a.b.c.d.pyc"]
        {
            assert_eq!(named(other), None, "{other}");
        }
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
