//! Exports, as a person asks for them.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "tests look from outside")]

use aitk_export::TARGETS;
use aitk_plan::{Language, Texts};

#[test]
fn every_target_says_in_every_language_when_to_use_it() {
    for language in Language::ALL {
        let texts = Texts::of(language).unwrap();
        for target in TARGETS {
            assert_ne!(texts.get(&format!("target.{}", target.name)), "", "{}", target.name);
        }
        let known: Vec<_> =
            texts.all().keys().filter_map(|key| key.strip_prefix("target.")).collect();
        assert_eq!(known.len(), TARGETS.len(), "{known:?}");
    }
}
