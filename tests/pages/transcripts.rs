//! Checks that a test writes or compares every output that the README and the pages show.

use std::collections::BTreeSet;
use std::path::PathBuf;

use regex::Regex;

/// Languages of blocks that show what somebody writes, not what a program prints. `console` is run by trycmd.
const WRITTEN: &[&str] = &["console", "sh", "yaml", "python", "make", "crontab", "toml", "rust", "diagram"];

/// The README, the pages of `docs/`, and the documents for contributors.
pub fn pages() -> Vec<PathBuf> {
    let docs = std::fs::read_dir("docs").expect("the pages").map(|entry| entry.expect("a page").path());
    let root = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "STYLE.md"].map(PathBuf::from);
    let pages = docs.chain(root).filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages.filter(|path| path.exists()).collect()
}

/// The first lines of the fenced blocks of a page, each with the lines before it and its content.
fn blocks(page: &str) -> Vec<(String, String, String)> {
    let fence = Regex::new(r"(?ms)^([^\n]*)\n(?:\n)?```([a-z]*)\n(.*?)^```$").expect("a pattern");
    let all = fence.captures_iter(page);
    all.map(|found| (found[1].to_owned(), found[2].to_owned(), found[3].to_owned())).collect()
}

fn markers(text: &str) -> Vec<String> {
    let marker = Regex::new(r"<!-- transcript: ([a-z0-9-]+) -->").expect("a pattern");
    marker.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_output_block_is_checked_by_a_test() {
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("a page");
        for (before, language, content) in blocks(&page) {
            let at =
                format!("{}: the block that begins {:?}", path.display(), content.lines().next().unwrap_or_default());
            let is_transcript = !markers(&before).is_empty();
            match language.as_str() {
                "text" => assert!(is_transcript, "{at} has no `<!-- transcript: NAME -->` before it"),
                language => assert!(WRITTEN.contains(&language), "{at}: is `{language}` output? Make it a transcript"),
            }
            if language == "sh" {
                assert!(!content.lines().any(|line| line.starts_with("$ ")), "{at} shows output: make it `console`");
            }
        }
    }
}

#[test]
fn every_transcript_has_its_test_and_every_test_its_transcript() {
    let shown: Vec<String> =
        pages().iter().flat_map(|page| markers(&std::fs::read_to_string(page).expect("a page"))).collect();
    let names: BTreeSet<String> = shown.iter().cloned().collect();
    assert_eq!(shown.len(), names.len(), "two transcripts have one name: {shown:?}");
    let tests = std::fs::read_to_string("tests/it/transcripts.rs").expect("the tests");
    let tested = Regex::new(r#"Transcript::new\("([a-z0-9-]+)""#).expect("a pattern");
    let tested: BTreeSet<String> = tested.captures_iter(&tests).map(|found| found[1].to_owned()).collect();
    assert_eq!(names, tested, "in the pages, and in tests/it/transcripts.rs");
}
