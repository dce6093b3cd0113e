//! Checks that links between the pages lead somewhere.

use std::path::Path;

use regex::Regex;

use crate::transcripts::pages;

/// The anchors that GitHub makes of the headings of a page.
fn anchors(page: &str) -> Vec<String> {
    let headings =
        page.lines().filter_map(|line| line.strip_prefix('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |c: char| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c.to_ascii_lowercase()),
        _ => None,
    };
    headings.map(|heading| heading.chars().filter_map(kept).collect()).collect()
}

#[test]
fn every_relative_link_leads_to_a_file_and_a_heading() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("a page");
        for found in link.captures_iter(&page).filter(|found| !found[1].contains("://")) {
            let (file, anchor) = found[1].split_once('#').unwrap_or((&found[1], ""));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap_or(Path::new("")).join(file) };
            assert!(target.exists(), "{}: {} does not exist", path.display(), &found[1]);
            let text = || std::fs::read_to_string(&target).expect("a page");
            assert!(
                anchor.is_empty() || anchors(&text()).iter().any(|known| known == anchor),
                "{}: {} has no heading for #{anchor}",
                path.display(),
                target.display()
            );
        }
    }
}
