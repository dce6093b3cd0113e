//! A Python package index, by its simple API: JSON (PEP 691) if the index supports it, else HTML (PEP 503).

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::download::{Http, Link};

/// A file that an index offers.
#[derive(Clone, Debug, PartialEq)]
pub struct Package {
    pub file: String,
    pub link: Link,
    pub sha256: Option<String>,
}

/// pip's default index.
pub const PYPI: &str = "https://pypi.org/simple";

const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, text/html;q=0.5";

/// Lists the files of a project.
///
/// # Errors
/// The index cannot be reached, does not know the project, or its answer cannot be parsed.
pub fn packages(http: &Http, index: &str, project: &str) -> Result<Vec<Package>> {
    let page = Link::new(&format!("{}/{project}/", index.trim_end_matches('/')));
    let listed = || -> Result<Vec<Package>> {
        let answer = http.page(&page, ACCEPT)?;
        let packages = match answer.content_type.contains("json") {
            true => from_json(&page, &answer.text)?,
            false => from_html(&page, &answer.text),
        };
        ensure!(!packages.is_empty(), "the index has no files of {project}");
        Ok(packages)
    };
    listed()
        .with_context(|| format!("looking for {project} in the package index {page} (set PIP_INDEX_URL for another)"))
}

#[derive(Deserialize)]
struct Listing {
    files: Vec<Listed>,
}

#[derive(Deserialize)]
struct Listed {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: std::collections::BTreeMap<String, String>,
    /// `false`, or the reason why the file was yanked.
    #[serde(default)]
    yanked: Value,
}

fn from_json(page: &Link, text: &str) -> Result<Vec<Package>> {
    let listing: Listing = serde_json::from_str(text).context("reading the index's JSON (PEP 691)")?;
    let offered = listing.files.into_iter().filter(|file| matches!(file.yanked, Value::Null | Value::Bool(false)));
    let package = |file: Listed| Package {
        link: page.join(&file.url),
        sha256: file.hashes.get("sha256").cloned(),
        file: file.filename,
    };
    Ok(offered.map(package).collect())
}

/// Parses the anchors, which are all that PEP 503 specifies: the text is the file's name, the fragment its hash.
fn from_html(page: &Link, text: &str) -> Vec<Package> {
    let anchors = text.split("<a ").skip(1);
    anchors.filter_map(|anchor| package_of_anchor(page, anchor)).collect()
}

fn package_of_anchor(page: &Link, anchor: &str) -> Option<Package> {
    let (attributes, rest) = anchor.split_once('>')?;
    let (name, _) = rest.split_once("</a>")?;
    if attributes.contains("data-yanked") {
        return None;
    }
    let href = attribute(attributes, "href")?.replace("&amp;", "&");
    let (url, fragment) = href.split_once('#').unwrap_or((&href, ""));
    let sha256 = fragment.strip_prefix("sha256=").map(str::to_owned);
    Some(Package { file: name.trim().to_owned(), link: page.join(url), sha256 })
}

fn attribute<'a>(attributes: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = attributes.split_once(&format!("{name}="))?;
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    rest[1..].split(quote).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Link {
        Link::new("https://example.org/root/pypi/+simple/pyspark/")
    }

    #[test]
    fn parses_a_json_listing_without_yanked_files() {
        let text = r#"{"meta": {"api-version": "1.1"}, "files": [
            {"filename": "pyspark-3.5.7.tar.gz", "url": "https://files.example.org/a/pyspark-3.5.7.tar.gz",
             "hashes": {"sha256": "ab"}, "yanked": false, "size": 1},
            {"filename": "pyspark-3.5.6.tar.gz", "url": "../../f/pyspark-3.5.6.tar.gz", "hashes": {}},
            {"filename": "pyspark-3.5.5.tar.gz", "url": "x", "hashes": {}, "yanked": "broken"}]}"#;
        let packages = from_json(&page(), text).unwrap();
        assert_eq!(packages.len(), 2);
        assert_eq!(packages[0].file, "pyspark-3.5.7.tar.gz");
        assert_eq!(packages[0].sha256.as_deref(), Some("ab"));
        assert_eq!(packages[1].link, Link::new("https://example.org/root/pypi/f/pyspark-3.5.6.tar.gz"));
        assert_eq!(packages[1].sha256, None);
    }

    #[test]
    fn parses_an_html_listing() {
        let text = r#"<html><body>
            <a href="/f/pyspark-3.5.7.tar.gz#sha256=ab" data-requires-python="&gt;=3.8">pyspark-3.5.7.tar.gz</a><br/>
            <a data-yanked="" href="/f/pyspark-3.5.6.tar.gz#sha256=cd">pyspark-3.5.6.tar.gz</a>
            <a href='https://h/pyspark-3.5.5.tar.gz?a=1&amp;b=2'>pyspark-3.5.5.tar.gz</a></body></html>"#;
        let packages = from_html(&page(), text);
        let expected = [
            ("pyspark-3.5.7.tar.gz", "https://example.org/f/pyspark-3.5.7.tar.gz", Some("ab")),
            ("pyspark-3.5.5.tar.gz", "https://h/pyspark-3.5.5.tar.gz?a=1&b=2", None),
        ];
        let expected = expected.map(|(file, url, sha256)| Package {
            file: file.into(),
            link: Link::new(url),
            sha256: sha256.map(str::to_owned),
        });
        assert_eq!(packages, expected);
    }

    #[test]
    fn refuses_other_pages() {
        assert!(from_json(&page(), "<html>").is_err());
        assert!(from_html(&page(), "welcome to the proxy").is_empty());
    }
}
