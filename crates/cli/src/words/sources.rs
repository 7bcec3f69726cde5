//! What the sources have that a person can read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::Lit;

/// Macros and methods whose texts are for developers.
const FOR_DEVELOPERS: [&str; 12] = [
    "assert", "assert_eq", "assert_ne", "concat", "debug", "debug_assert", "env", "expect",
    "include_str", "panic", "trace", "unreachable",
];

/// Every string of a source file, but those of its tests, of its attributes (`#[error]` excepted) and for developers.
pub fn strings(tokens: TokenStream, found: &mut Vec<String>) {
    let tokens: Vec<_> = tokens.into_iter().collect();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        at += 1;
        match token {
            TokenTree::Punct(sign) if sign.as_char() == '#' => {
                if let Some(TokenTree::Punct(inner)) = tokens.get(at) {
                    at += usize::from(inner.as_char() == '!');
                }
                let Some(TokenTree::Group(attribute)) = tokens.get(at) else { continue };
                at += 1;
                let text = attribute.stream().to_string();
                if text.starts_with("error") {
                    strings(attribute.stream(), found);
                }
                if text.replace(' ', "") == "cfg(test)" {
                    // What it stands before ends with a body or a semicolon.
                    while let Some(token) = tokens.get(at) {
                        at += 1;
                        match token {
                            TokenTree::Group(body) if body.delimiter() == Delimiter::Brace => break,
                            TokenTree::Punct(sign) if sign.as_char() == ';' => break,
                            _ => {}
                        }
                    }
                }
            }
            TokenTree::Ident(name) if FOR_DEVELOPERS.contains(&name.to_string().as_str()) => {
                at += usize::from(matches!(tokens.get(at), Some(TokenTree::Punct(sign)) if sign.as_char() == '!'));
                at += usize::from(matches!(tokens.get(at), Some(TokenTree::Group(_))));
            }
            TokenTree::Group(group) => strings(group.stream(), found),
            TokenTree::Literal(literal) => {
                if let Lit::Str(text) = Lit::new(literal.clone()) {
                    found.push(text.value());
                }
            }
            _ => {}
        }
    }
}

pub fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
}
