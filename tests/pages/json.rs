//! Checks the envelope of every JSON line: `v`, `ts` and `kind`.

use std::collections::BTreeSet;

use serde_json::Value;

/// Commands that print JSON lines without a cluster, each with arguments for which it does.
const WITHOUT_CLUSTER: &[&[&str]] = &[
    &["submit", "tests/pages/no-such-file.yaml", "--progress=json"],
    &["attach", "pi", "--progress=json"],
    &["run", "nightly", "--from-schedule", "--progress=json"],
    &["validate", "docs/mistakes.yaml", "--output=json"],
];

/// Commands that print JSON lines of what a cluster holds. They print `JsonLine`s, which cannot be made without the
/// envelope.
const WITH_CLUSTER: &[&str] = &["doctor", "events", "list", "schedules", "status"];

/// Commands whose JSON is an object of Kubernetes, not a line of sparkctl's.
const OBJECTS: &[&str] = &["render"];

fn sparkctl(arguments: &[&str]) -> String {
    let mut command = assert_cmd::Command::new(env!("CARGO_BIN_EXE_sparkctl"));
    let run = command.env("KUBECONFIG", "/nonexistent").args(arguments).assert();
    String::from_utf8_lossy(&run.get_output().stdout).into_owned()
}

/// The commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = sparkctl(&["--help"]);
    let listed = help.split_once("Commands:\n").expect("a list of commands").1;
    let lines = listed.lines().take_while(|line| !line.is_empty());
    let named = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    named.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Whether a flag of the command takes `json`.
fn has_json(command: &str) -> bool {
    // Help is wrapped anywhere.
    let help = sparkctl(&[command, "-h"]).split_whitespace().collect::<Vec<_>>().join(" ");
    let values = help.split("[possible values: ").skip(1).filter_map(|rest| rest.split(']').next());
    values.into_iter().any(|values| values.split(", ").any(|value| value.trim() == "json"))
}

#[test]
fn every_command_that_prints_json_is_checked() {
    let with_json: BTreeSet<String> = commands().into_iter().filter(|command| has_json(command)).collect();
    let checked = WITHOUT_CLUSTER.iter().map(|arguments| arguments[0]).chain(WITH_CLUSTER.iter().copied());
    let checked: BTreeSet<String> = checked.chain(OBJECTS.iter().copied()).map(str::to_owned).collect();
    assert_eq!(with_json, checked);
}

#[test]
fn every_json_line_has_version_time_and_kind() {
    for arguments in WITHOUT_CLUSTER {
        let out = sparkctl(arguments);
        assert!(!out.is_empty(), "{arguments:?} printed nothing");
        for line in out.lines() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(line["v"], 1, "{arguments:?}: {line}");
            assert!(line["kind"].is_string() && line["ts"].is_string(), "{arguments:?}: {line}");
        }
    }
}
