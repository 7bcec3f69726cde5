//! How an error speaks to a person and to a script.

/// The exit codes that a script may rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something failed; what was done is journaled and a re-run continues.
    Failed = 1,
    /// Changes are left that nobody has agreed to.
    Pending = 2,
    /// Wrong usage.
    Usage = 64,
    /// A source does not answer.
    Unavailable = 69,
    /// Another run or dpkg holds a lock; try again later.
    TryAgain = 75,
    /// Not permitted.
    NotPermitted = 77,
    /// Bad configuration or profile.
    Config = 78,
    /// A pause and no failure: the person has something to do, and the same command then continues.
    Resume = 100,
}

/// An error that has a stable code and says what to do next.
pub trait Explain: std::error::Error + Send + Sync + 'static {
    /// A code that never changes its meaning, `AITK-…`; `docs/diagnostics.md` lists them.
    fn code(&self) -> &'static str;
    /// What the user can do about it.
    fn hint(&self) -> Option<String>;
    /// The exit code of a program that ends with this error.
    fn exit(&self) -> Exit;
}
