//! What tools and libraries say where a source does not answer, or nothing meets all wishes: in words of ours what it comes
//! to, and behind or below it theirs.

use aitk_system::{Message, message};

/// Why a source does not answer: the frequent reasons in words of ours, with those of the library or the tool behind them.
pub(crate) fn silence(said: &str) -> Message {
    let is = |sign: &str| said.contains(sign);
    if is("failed to lookup address") || is("dns error") {
        message!("its name could not be looked up ({said})")
    } else if is("Connection refused") {
        message!("it refuses the connection ({said})")
    } else if is("timed out") {
        message!("it takes too long ({said})")
    } else if is("certificate") {
        message!("its certificate is not accepted ({said})")
    } else {
        Message::plain(said)
    }
}

/// What the solver of a manager says, below what it comes to.
pub(crate) fn told(solver: &'static str, said: &str) -> Message {
    let said = said.trim().lines().map(|line| Message::plain(format!("  {line}")));
    let said: Vec<_> = said.collect();
    let whole = said.iter().map(|line| line.to_string()).collect::<Vec<_>>().join("\n");
    Message::lines([vec![comes_to(&whole), message!("in the words of {solver}:")], said].concat())
}

/// The frequent reasons, by the sentences of uv and of resolvo.
fn comes_to(said: &str) -> Message {
    let before = |sign: &str| word_before(said, sign);
    if let Some(name) = before(" was not found in the package registry") {
        return message!("no source has a package named {name}");
    }
    if let Some(wish) = said.split("No candidates were found for ").nth(1) {
        return none_of(wish.lines().next().unwrap_or_default().trim_end_matches('.'));
    }
    if let Some(at) = said.find(", for which no candidates were found") {
        let wish = said[..at].rsplit(['\n', '─']).next().unwrap_or_default();
        return none_of(wish.rsplit("would require ").next().unwrap_or_default().trim());
    }
    let of_python = [" has no wheels with a matching Python", " depends on Python"];
    if let Some(package) = of_python.iter().find_map(|sign| before(sign)) {
        return message!("{package} has nothing for the Python that is used here");
    }
    if let Some(package) = before(" has no wheels with a matching platform") {
        return message!("{package} has nothing for this kind of machine");
    }
    let wish = said.split("you require ").nth(1).and_then(|wish| wish.split([',', ' ']).next());
    match wish {
        Some(wish)
            if said.contains("Because only ") || said.contains("there is no version of ") =>
        {
            message!("no version fits {wish}")
        }
        _ => message!("these wishes cannot all be met together"),
    }
}

/// Of a specification of conda's: `name`, or `name >=1`.
fn none_of(wish: &str) -> Message {
    let (name, version) = wish.split_once(' ').unwrap_or((wish, "*"));
    match (version, name.starts_with("__")) {
        (_, true) => message!("this machine does not have what a package asks for: {wish}"),
        ("*", _) => message!("no source has a package named {name}"),
        _ => message!("no version fits {wish}"),
    }
}

/// The word that stands before a sign.
fn word_before<'t>(text: &'t str, sign: &str) -> Option<&'t str> {
    let at = text.find(sign)?;
    text[..at].split_whitespace().next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As uv 0.13.9 and resolvo say it.
    #[test]
    fn the_frequent_reasons_are_said_in_words_of_ours_and_the_resolvers_own_stay_below() {
        for (said, expected) in [
            (
                "error: No solution found when resolving dependencies\n  cause: Because nope was not found in the \
                 package registry and you require nope, we can conclude that your requirements are unsatisfiable.",
                "no source has a package named nope",
            ),
            (
                "  cause: Because only numpy<=2.5.5 is available and you require numpy>=99, we can conclude that your \
                 requirements are unsatisfiable.",
                "no version fits numpy>=99",
            ),
            (
                "  cause: Because tensorflow==2.5.0 has no wheels with a matching Python ABI tag (e.g., `cp311`) and \
                 you require tensorflow==2.5.0, we can conclude that your requirements are unsatisfiable.",
                "tensorflow==2.5.0 has nothing for the Python that is used here",
            ),
            (
                "  cause: Because pandas==2.3.0 depends on numpy>=1.23.2 and you require pandas==2.3.0, we can \
                 conclude that you require numpy>=1.23.2.\n         And because you require numpy<1.20, we can \
                 conclude that your requirements are unsatisfiable.",
                "these wishes cannot all be met together",
            ),
            (
                "Cannot solve the request because of: No candidates were found for nope *.\n",
                "no source has a package named nope",
            ),
            (
                "Cannot solve the request because of: No candidates were found for numpy >=99.\n",
                "no version fits numpy >=99",
            ),
            (
                "The following packages are incompatible\n└─ a * can be installed with any of the following options:\n   \
                 └─ a 1.0 would require\n      └─ __glibc >=9, for which no candidates were found.\n",
                "this machine does not have what a package asks for: __glibc >=9",
            ),
        ] {
            let told = told("uv", said).to_string();
            let mut lines = told.lines();
            assert_eq!(lines.next(), Some(expected), "{told}");
            assert_eq!(lines.next(), Some("in the words of uv:"));
            assert_eq!(lines.count(), said.lines().count(), "{told}");
        }
    }
}
