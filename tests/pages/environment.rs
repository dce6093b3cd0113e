//! Compares `docs/environment.md` with the environment variables that the source code names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Names that look like environment variables but are not read from the environment, with the reason.
const NOT_READ: &[(&str, &str)] = &[
    ("CARGO_PKG_VERSION", "read when sparkctl is built"),
    ("GOOGLE_APPLICATION_CREDENTIALS", "set in pods"),
    ("HADOOP_TOKEN_FILE_LOCATION", "set in pods"),
    ("LD_LIBRARY_PATH", "set for the driver of `--local`"),
    ("PYSPARK_SUBMIT_ARGS", "removed from the environment of `--local`"),
    ("PYTHON_VERSION_MISMATCH", "an error class of Spark"),
];

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let paths = entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] });
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The source code without unit tests, and without the manifests, which set variables of pods.
fn code() -> String {
    let is_left_out = |path: &str| ["/tests/", "src/manifests/", "src/fuzz/"].iter().any(|part| path.contains(part));
    let files = files(Path::new("src")).into_iter().filter(|path| !is_left_out(&path.to_string_lossy()));
    let texts = files.map(|path| {
        let text = std::fs::read_to_string(path).expect("a source file");
        text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned()
    });
    texts.collect()
}

/// The string literals that read as names of variables: those with an underscore, and those that are passed to a function that
/// reads a variable. A prefix such as `SPARKCTL_VAR_` stands for `SPARKCTL_VAR_NAME`.
fn named_in(code: &str) -> BTreeSet<String> {
    let literal =
        Regex::new(r#"(env = |var\(|var_os\(|variable\(|set\()?"([A-Z][A-Z0-9]*(_[A-Z0-9]+)*_?)""#).expect("a pattern");
    let found = literal.captures_iter(code).filter(|found| found.get(1).is_some() || found[2].contains('_'));
    found
        .map(|found| if found[2].ends_with('_') { format!("{}NAME", &found[2]) } else { found[2].to_owned() })
        .collect()
}

/// The names in the first column of the page's tables.
fn on_page() -> BTreeSet<String> {
    let page = std::fs::read_to_string("docs/environment.md").expect("the page");
    let row = Regex::new(r"(?m)^\| `([A-Z0-9_]+)` \|").expect("a pattern");
    row.captures_iter(&page).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_page_lists_every_variable_that_the_code_reads() {
    let mut named = named_in(&code());
    for (name, reason) in NOT_READ {
        assert!(named.remove(*name), "take {name} ({reason}) out of NOT_READ: the code does not name it");
    }
    let missing: Vec<_> = named.difference(&on_page()).cloned().collect();
    assert!(missing.is_empty(), "add to docs/environment.md, or to NOT_READ in this test: {missing:?}");
}

#[test]
fn the_page_lists_no_variable_that_the_code_does_not_read() {
    let code = code();
    let is_named = |name: &str| code.contains(&format!("\"{}\"", name.replace("_VAR_NAME", "_VAR_")));
    let stale: Vec<_> = on_page().into_iter().filter(|name| !is_named(name)).collect();
    assert!(stale.is_empty(), "take out of docs/environment.md: {stale:?}");
}
