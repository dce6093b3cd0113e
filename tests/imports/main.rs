//! Checks the imports in `src`: dependencies between folders go one way, pure code stays pure, and files do not import
//! each other in a circle.

mod sources;

use std::collections::BTreeSet;

use sources::{Module, Sources};

/// Each folder or top-level file with what it may import: only rows above it.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("redaction", &[]),
    ("program", &[]),
    ("exit_code", &[]),
    ("time", &[]),
    ("diagnostic", &["redaction"]),
    ("spark", &["diagnostic", "program", "redaction"]),
    ("kubernetes", &["diagnostic", "redaction"]),
    ("scheduler", &["kubernetes", "program", "spark"]),
    ("job", &["diagnostic", "kubernetes", "program", "scheduler", "spark"]),
    ("manifests", &["diagnostic", "job", "kubernetes", "scheduler", "spark"]),
    ("state", &["diagnostic", "exit_code", "kubernetes", "manifests", "program", "scheduler", "spark"]),
    ("doctor", &["diagnostic", "kubernetes", "manifests", "program", "scheduler", "spark"]),
    ("report", &["exit_code", "manifests", "state"]),
    ("terminal", &["exit_code", "report"]),
    ("local", &["job", "manifests", "spark", "terminal", "time"]),
    ("input", &["diagnostic", "job", "local", "program", "report", "spark", "terminal"]),
    (
        "cluster",
        &[
            "doctor",
            "exit_code",
            "kubernetes",
            "manifests",
            "program",
            "report",
            "scheduler",
            "spark",
            "state",
            "terminal",
            "time",
        ],
    ),
    ("upload", &["cluster", "job", "kubernetes", "local", "spark", "time"]),
    (
        "follow",
        &["cluster", "exit_code", "job", "local", "manifests", "program", "report", "state", "terminal", "time"],
    ),
    (
        "cli",
        &[
            "cluster",
            "doctor",
            "exit_code",
            "follow",
            "input",
            "job",
            "kubernetes",
            "manifests",
            "program",
            "report",
            "scheduler",
            "spark",
            "state",
            "terminal",
            "time",
            "upload",
        ],
    ),
];

/// Folders with pure code: values of the process, the machine and the cluster are passed to it.
const PURE: [&str; 12] = [
    "redaction",
    "program",
    "exit_code",
    "diagnostic",
    "spark",
    "kubernetes",
    "scheduler",
    "job",
    "manifests",
    "state",
    "doctor",
    "report",
];

/// What pure code must not use.
const IMPURE: [&str; 9] =
    ["tokio", "kube", "reqwest", "std::env", "std::fs", "std::io", "std::net", "std::process", "std::thread"];

/// Exceptions, which are only types.
const ONLY_TYPES: [&str; 2] = ["std::net::IpAddr", "std::process::ExitCode"];

fn name(module: &Module) -> String {
    module.join("/")
}

#[test]
fn folders_import_only_what_their_row_of_the_table_allows() {
    let sources = Sources::read();
    let row = |folder: &str| MAY_IMPORT.iter().position(|(row, _)| *row == folder);
    let mut wrong = BTreeSet::new();
    for module in sources.files.keys().filter(|module| !module.is_empty()) {
        let (_, allowed) = MAY_IMPORT[row(&module[0]).unwrap_or_else(|| panic!("{} is not in the table", module[0]))];
        let uses = sources.uses(module);
        let foreign = uses.iter().filter(|used| used.first() != module.first());
        for used in foreign.filter(|used| used.first().is_none_or(|folder| !allowed.contains(&folder.as_str()))) {
            wrong.insert(format!(
                "{} imports {}",
                name(module),
                if used.is_empty() { "lib".into() } else { name(used) }
            ));
        }
    }
    assert!(wrong.is_empty(), "not in the table MAY_IMPORT: {wrong:#?}");
}

#[test]
fn every_import_that_the_table_allows_is_used() {
    let sources = Sources::read();
    let unused = MAY_IMPORT.iter().flat_map(|(folder, allowed)| {
        let modules = sources.files.keys().filter(|module| module.first().is_some_and(|first| first == folder));
        let used: BTreeSet<String> =
            modules.flat_map(|module| sources.uses(module)).filter_map(|used| used.first().cloned()).collect();
        let unused = allowed.iter().filter(move |other| !used.contains(**other));
        unused.map(move |other| format!("{folder} does not import {other}"))
    });
    let unused: Vec<_> = unused.collect();
    assert!(unused.is_empty(), "remove from the table MAY_IMPORT: {unused:#?}");
}

#[test]
fn the_table_goes_one_way() {
    for (index, (folder, allowed)) in MAY_IMPORT.iter().enumerate() {
        let above: Vec<&str> = MAY_IMPORT[..index].iter().map(|(folder, _)| *folder).collect();
        let below: Vec<_> = allowed.iter().filter(|folder| !above.contains(folder)).collect();
        assert!(below.is_empty(), "{folder} may import {below:?}, which do not stand above it");
    }
}

#[test]
fn pure_code_touches_neither_process_nor_machine_nor_cluster() {
    let sources = Sources::read();
    let mut wrong = Vec::new();
    for module in
        sources.files.keys().filter(|module| module.first().is_some_and(|folder| PURE.contains(&folder.as_str())))
    {
        let is_impure = |path: &String| {
            IMPURE.iter().any(|impure| path == impure || path.starts_with(&format!("{impure}::")))
                && !ONLY_TYPES.contains(&path.as_str())
        };
        wrong.extend(
            sources.foreign(module).into_iter().filter(is_impure).map(|path| format!("{}: {path}", name(module))),
        );
        let code = &sources.files[module].code;
        let prints =
            ["println!", "eprintln!", "print!", "dbg!"].into_iter().filter(|macro_name| code.contains(macro_name));
        wrong.extend(prints.map(|macro_name| format!("{}: {macro_name}", name(module))));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn versions_of_spark_are_compared_in_one_file() {
    let sources = Sources::read();
    // The catalogue's rows have their own first versions; a local run has a table of what Java and Python they run on.
    let files = ["spark/version", "local/versions", "job/settings"];
    let may_name_versions = |module: &Module| {
        files.contains(&name(module).as_str()) || module.starts_with(&["spark".into(), "catalog".into()])
    };
    let others = sources.files.iter().filter(|(module, _)| !may_name_versions(module));
    let wrong: Vec<_> = others
        .filter(|(_, file)| {
            file.code.match_indices("Version(").any(|(at, _)| !file.code[..at].ends_with(char::is_alphanumeric))
        })
        .map(|(_, file)| &file.path)
        .collect();
    assert!(wrong.is_empty(), "a `Change` in spark/version.rs is the place for what versions change: {wrong:#?}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let sources = Sources::read();
    let edges = |circle: &BTreeSet<Module>| -> Vec<String> {
        let within =
            |module: &Module| sources.uses(module).intersection(circle).map(name).collect::<Vec<_>>().join(", ");
        circle.iter().map(|module| format!("{} imports {}", name(module), within(module))).collect()
    };
    let circles: Vec<_> = sources.circles().iter().map(edges).collect();
    assert!(circles.is_empty(), "{circles:#?}");
}
