//! The data that come with the program: every file below `profiles/`, by its path there.

/// Sorted by their paths.
static FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/builtin.rs"));

/// A file by its path, `catalog/apt.toml`; empty where there is none, which the tests of whoever reads it rule out.
pub fn builtin(path: &str) -> &'static str {
    let found = FILES.binary_search_by(|(name, _)| (*name).cmp(path));
    found.map_or("", |at| FILES[at].1)
}

/// The files below a folder, each by its path in it, in order.
pub fn builtin_below(folder: &str) -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().filter_map(move |(path, text)| {
        Some((path.strip_prefix(folder)?.strip_prefix('/')?, *text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_paths_and_below_their_folders() {
        assert!(FILES.is_sorted());
        assert!(builtin("low.toml").contains("[[step]]"));
        assert_eq!(builtin("nothing.toml"), "");
        assert!(builtin_below("catalog").any(|(path, _)| path == "apt.toml"));
    }
}
