//! What a System that stands before another one hands on to it as it is, written once for all of them.

/// Hands on to another System every look, but for running commands, or every change.
macro_rules! hand_on {
    (looks: $own:ident => $inner:expr) => {
        fn read(&$own, path: &Path) -> io::Result<Vec<u8>> {
            $inner.read(path)
        }
        fn open(&$own, path: &Path) -> io::Result<Box<dyn io::Read>> {
            $inner.open(path)
        }
        fn list(&$own, path: &Path) -> io::Result<Vec<String>> {
            $inner.list(path)
        }
        fn stat(&$own, path: &Path) -> io::Result<Stat> {
            $inner.stat(path)
        }
        fn stat_all(&$own, folder: &Path, below: &[&str]) -> Vec<io::Result<Stat>> {
            $inner.stat_all(folder, below)
        }
        fn read_link(&$own, path: &Path) -> io::Result<PathBuf> {
            $inner.read_link(path)
        }
        fn access(&$own, path: &Path) -> io::Result<()> {
            $inner.access(path)
        }
        fn env(&$own, name: &str) -> Option<String> {
            $inner.env(name)
        }
        fn which(&$own, program: &str) -> Option<PathBuf> {
            $inner.which(program)
        }
        fn memory(&$own) -> io::Result<MemoryInfo> {
            $inner.memory()
        }
        fn space(&$own, path: &Path) -> io::Result<Space> {
            $inner.space(path)
        }
        fn nvml(&$own) -> Result<Nvml, NvmlFailure> {
            $inner.nvml()
        }
        fn host(&$own) -> Host {
            $inner.host()
        }
        fn now(&$own) -> Timestamp {
            $inner.now()
        }
    };
    (changes: $own:ident => $inner:expr) => {
        fn write(&$own, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
            $inner.write(path, bytes, mode)
        }
        fn append(&$own, path: &Path, bytes: &[u8]) -> io::Result<()> {
            $inner.append(path, bytes)
        }
        fn flush(&$own, path: &Path) -> io::Result<()> {
            $inner.flush(path)
        }
        fn create_dir(&$own, path: &Path) -> io::Result<()> {
            $inner.create_dir(path)
        }
        fn remove(&$own, path: &Path) -> io::Result<()> {
            $inner.remove(path)
        }
        fn symlink(&$own, target: &Path, link: &Path) -> io::Result<()> {
            $inner.symlink(target, link)
        }
        fn hold(&$own, path: &Path, note: &str) -> io::Result<Option<Hold>> {
            $inner.hold(path, note)
        }
        fn hold_folder(&$own, folder: &Path) -> io::Result<Option<Hold>> {
            $inner.hold_folder(folder)
        }
        fn permit(&$own, change: &Message) -> io::Result<Permit> {
            $inner.permit(change)
        }
    };
}

pub(crate) use hand_on;
