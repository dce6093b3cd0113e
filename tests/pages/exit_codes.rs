//! Checks the exit codes in the prose of the pages against the meanings that `--help` lists.

use std::collections::BTreeMap;

use regex::Regex;

use crate::transcripts::pages;

/// Words that any sentence about an application may have.
const COMMON: &[&str] = &["application", "message", "running", "sparkctl", "whether"];

/// The beginnings of the long words of a text: `refuses` and `refused` share one.
fn stems(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphabetic()).map(str::to_lowercase);
    let long = words.filter(|word| word.len() > 3 && !COMMON.contains(&word.as_str()));
    long.map(|word| word.chars().take(5).collect()).collect()
}

/// The meaning of each exit code in `sparkctl --help`.
fn meanings() -> BTreeMap<String, String> {
    let run = assert_cmd::Command::new(env!("CARGO_BIN_EXE_sparkctl")).arg("--help").assert().code(0);
    let help = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    let (_, table) = help.split_once("Exit codes:\n").expect("a table of exit codes");
    let row = Regex::new(r"(?m)^  (\d+) +(.+(?:\n {7,}.+)*)").expect("a pattern");
    row.captures_iter(table).map(|found| (found[1].to_owned(), found[2].to_owned())).collect()
}

/// The paragraphs of a page without its blocks of output.
fn paragraphs(page: &str) -> Vec<String> {
    let block = Regex::new(r"(?ms)^```.*?^```$").expect("a pattern");
    let prose = block.replace_all(page, "").into_owned();
    prose.split("\n\n").map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn every_exit_code_in_prose_has_its_meaning_beside_it() {
    let meanings = meanings();
    let code = Regex::new(r"(?i)\bexit codes? (\d+)|\bexits? with (?:code )?(\d+)").expect("a pattern");
    let mut checked = 0;
    for path in pages() {
        let page = std::fs::read_to_string(&path).expect("a page");
        let paragraphs = paragraphs(&page);
        let sentences = paragraphs.iter().flat_map(|paragraph| paragraph.split(". "));
        for sentence in sentences {
            for found in code.captures_iter(sentence) {
                let number = found.get(1).or(found.get(2)).expect("a number").as_str();
                let at = format!("{}: {sentence:?}", path.display());
                let meaning = meanings.get(number).unwrap_or_else(|| panic!("{at}: there is no exit code {number}"));
                let expected = stems(meaning);
                let is_meant = stems(sentence).iter().any(|stem| expected.contains(stem));
                assert!(is_meant, "{at}: exit code {number} means {meaning:?}");
                checked += 1;
            }
        }
    }
    assert!(checked > 10, "{checked} exit codes were found");
}
