//! Executors that the API server refuses, to real drivers: why they do not come is said everywhere.

use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::{Namespace, cluster};

/// A namespace in which there may be so many pods.
fn with_room_for(test: &str, pods: u32) -> Namespace {
    let ns = Namespace::new(test);
    let api = &cluster().api;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"pods": pods.to_string()}},
    });
    api.create(&ns.core("resourcequotas"), &quota).expect("a quota");
    // The controller counts a new quota in a while.
    let path = format!("{}/few", ns.core("resourcequotas"));
    ns.wait_for("the quota's count", || api.get(&path).ok().filter(|quota| quota["status"]["used"].is_object()));
    ns
}

#[test]
fn executors_without_room_in_a_quota_are_explained_in_every_view() {
    const REASON: &str = "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
    const HINT: &str = "quota few has no room for the executors";
    let ns = with_room_for("few-pods", 1);
    let run = ns.sparkctl().args(["submit", "examples/python-pi.yaml", "--timeout", "90s"]).assert();
    run.code(124).stderr(
        contains("executors  0 of 2 running\n")
            .and(contains(format!("executors  0 of 2 running, 2 refused ({REASON})")))
            .and(contains(format!("hint: {HINT}"))),
    );
    let shown = |arguments: &[&str]| {
        let output = ns.sparkctl().args(arguments).assert().code(0).get_output().stdout.clone();
        String::from_utf8(output).expect("text")
    };
    let status = shown(&["status", "python-pi"]);
    assert!(status.contains(&format!("executors  0 of 2 running, 2 refused ({REASON})")), "{status}");
    assert!(status.contains(&format!("hint: {HINT}")), "{status}");
    let described = shown(&["describe", "python-pi"]);
    assert!(described.contains("executors:  0 of 2 running, 0 pending, 0 failed\n"), "{described}");
    assert!(described.contains(&format!("refused:    {REASON}\nhint:       {HINT}")), "{described}");
    let listed = shown(&["list"]);
    assert!(listed.contains(&format!("0 of 2 executors: {REASON}")), "{listed}");
    let json: Value = serde_json::from_str(&shown(&["status", "python-pi", "-o", "json"])).expect("JSON");
    let executors = &json["executors"];
    assert_eq!(
        (&executors["wanted"], &executors["running"], &executors["blocked"]),
        (&json!(2), &json!(0), &json!(REASON))
    );
    let json: Value = serde_json::from_str(&shown(&["list", "-o", "json"])).expect("JSON");
    assert_eq!(
        (&json["executors"]["wanted"], &json["reason"]),
        (&json!(2), &json!(format!("0 of 2 executors: {REASON}")))
    );
    ns.sparkctl().args(["delete", "python-pi"]).assert().code(0);
}
