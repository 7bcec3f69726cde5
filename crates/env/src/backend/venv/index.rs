//! The simple API of a package index (PEP 503 and 691), as far as finding one known file takes.

use aitk_system::message;
use std::collections::BTreeMap;

use aitk_plan::names;
use reqwest::Url;
use serde::Deserialize;

use crate::error::EnvError;
use crate::http::{HttpClient, start_of};

const JSON: &str = "application/vnd.pypi.simple.v1+json";
/// As much as the page of a project may have, in bytes.
const LONGEST: u64 = 64 << 20;
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.1";

/// The address of a file on an index; `None` where that has no such file.
///
/// # Errors
/// [`EnvError::Unreachable`] where the index does not answer.
pub(crate) async fn find_file(
    client: &HttpClient,
    index_url: &str,
    project: &str,
    filename: &str,
) -> Result<Option<String>, EnvError> {
    let mut page = Url::parse(index_url).map_err(|_| EnvError::Unreachable {
        source_name: message!("the index"),
        reason: message!("its address is none"),
    })?;
    if let Ok(mut path) = page.path_segments_mut() {
        path.pop_if_empty().push(project).push("");
    }
    let page = page.to_string();
    let Some(mut answer) = client.find(&page, &[("accept", ACCEPT)]).await? else {
        return Ok(None);
    };
    let base = answer.url().clone();
    let kind = answer.headers().get("content-type").and_then(|kind| kind.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.starts_with(JSON));
    let body = start_of(&mut answer, LONGEST).await?;
    let body = String::from_utf8_lossy(&body);
    let files = if is_json { from_json(&body) } else { from_html(&body) };
    Ok(files.get(filename).and_then(|link| resolved(&base, link)))
}

fn resolved(base: &Url, link: &str) -> Option<String> {
    let mut url = base.join(link).ok()?;
    url.set_fragment(None);
    let link = url.to_string();
    names::address::fits(&link).then_some(link)
}

#[derive(Deserialize)]
struct IndexPage {
    files: Vec<PageFile>,
}

#[derive(Deserialize)]
struct PageFile {
    filename: String,
    url: String,
}

fn from_json(body: &str) -> BTreeMap<String, String> {
    let page: IndexPage = serde_json::from_str(body).unwrap_or(IndexPage { files: Vec::new() });
    page.files.into_iter().map(|file| (file.filename, file.url)).collect()
}

/// Reads `<a href="link">filename</a>`: PEP 503 allows nothing more elaborate around the two.
fn from_html(body: &str) -> BTreeMap<String, String> {
    body.split("<a ")
        .filter_map(|rest| {
            let (_, rest) = rest.split_once("href=")?;
            let quote = rest.chars().next().filter(|c| "\"'".contains(*c))?;
            let (link, rest) = rest.strip_prefix(quote)?.split_once(quote)?;
            let (inside, _) = rest.split_once("</a>")?;
            // Other attributes may hold a `>`, as the versions of Python that a file is for.
            let (_, name) = inside.rsplit_once('>')?;
            Some((name.trim().to_owned(), link.replace("&amp;", "&")))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_in_html_and_json() {
        let html = r#"<html><body><a class="x" href="../../packages/a-1-py3-none-any.whl#sha256=00" data-y=">">a-1-py3-none-any.whl</a><br/>
            <a href='b.whl'>b.whl</a></body></html>"#;
        let files = from_html(html);
        assert_eq!(files["b.whl"], "b.whl");
        let base = Url::parse("https://index.example/simple/uv/").unwrap();
        let link = resolved(&base, &files["a-1-py3-none-any.whl"]).unwrap();
        assert_eq!(link, "https://index.example/packages/a-1-py3-none-any.whl");
        let json = r#"{"files": [{"filename": "a.whl", "url": "/f/a.whl", "hashes": {}}]}"#;
        assert_eq!(from_json(json)["a.whl"], "/f/a.whl");
    }

    #[test]
    fn a_page_of_any_form_gives_links_or_none() {
        // Pieces of pages in every order that a simple generator comes to: no state of the reader's is left out for long.
        let pieces = [
            "<a ",
            "href=",
            "\"",
            "'",
            "b.whl",
            ">",
            "</a>",
            "<",
            "é",
            "\0",
            "{",
            "\"files\":",
            "[",
            "]",
            "}",
            "&amp;",
            ",",
            "\"filename\":",
            "\"url\":",
            ":",
            "#sha256=00",
            "../",
            "//",
            " ",
            "\n",
        ];
        let mut seed = 1_u64;
        let base = Url::parse("https://index.example/simple/uv/").unwrap();
        for _ in 0..20_000 {
            let mut page = String::new();
            for _ in 0..24 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                page += pieces[(seed >> 33) as usize % pieces.len()];
            }
            for (_, link) in from_html(&page).into_iter().chain(from_json(&page)) {
                let link = resolved(&base, &link);
                assert!(link.is_none_or(|link| names::address::fits(&link)), "{page:?}");
            }
        }
    }
}
