//! Compares the objects that `sparkctl` creates for command lines of `spark-submit` with those that `spark-submit` itself
//! sent to the API server. One table lists every intended difference.
//!
//! A case is a JSON object: the arguments and the environment of `spark-submit`, the files that it read, its exit code, and
//! the objects that it sent. The files below `cases`, one for each version of Spark, have one case per line.
//! `SPARKCTL_PARITY_CASES` names a directory with more cases; `SPARKCTL_PARITY_ONLY` selects cases by a part of their title.

#![allow(clippy::unwrap_used)]

mod case;
mod compare;
mod differences;

use std::path::{Path, PathBuf};

use case::{Case, Outcome};

fn cases() -> Vec<Case> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/cases");
    let further = std::env::var_os("SPARKCTL_PARITY_CASES").map(PathBuf::from);
    let mut files = Vec::new();
    for directory in [Some(own), further].into_iter().flatten() {
        find(&directory, &mut files);
    }
    let only = std::env::var("SPARKCTL_PARITY_ONLY").unwrap_or_default();
    files.sort();
    let cases = files.iter().flat_map(|file| Case::read_all(file));
    cases.filter(|case| case.title().contains(&only)).collect()
}

fn find(directory: &Path, files: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            find(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json" || extension == "jsonl") {
            files.push(path);
        }
    }
}

#[test]
fn creates_the_same_objects_as_spark_submit() {
    let cases = cases();
    assert!(!cases.is_empty());
    let mut failures = Vec::new();
    for case in &cases {
        let complaints = complaints(case);
        if !complaints.is_empty() {
            failures.push(format!("{} ({})\n    {}", case.title(), case.description, complaints.join("\n    ")));
        }
    }
    let count = failures.len();
    assert!(failures.is_empty(), "{count} of {} cases differ:\n\n{}", cases.len(), failures.join("\n"));
}

/// The unintended differences of a case.
fn complaints(case: &Case) -> Vec<String> {
    if differences::of_case(&case.name, &case.title()).is_some() {
        return Vec::new();
    }
    match (case.run(), case.refused()) {
        (Outcome::Objects(_), true) if case.is_of_server() => Vec::new(),
        (Outcome::Objects(_), true) if differences::of_acceptance(case.last_words()).is_some() => Vec::new(),
        (Outcome::Refused(_), true) => Vec::new(),
        (Outcome::Refused(message), false) if differences::of_refusal(&message).is_some() => Vec::new(),
        (Outcome::Refused(message), false) => vec![format!("refused: {message}")],
        (Outcome::Objects(_), true) => vec![format!("spark-submit refuses: {}", case.last_words())],
        (Outcome::Objects(objects), false) => compare::objects(case, &objects),
    }
}
