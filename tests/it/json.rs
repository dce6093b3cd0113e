//! The envelope of JSON lines about what a cluster holds. `tests/pages/json.rs` checks commands that need no cluster.

use serde_json::Value;

use crate::support::Namespace;
use crate::support::jobs::{job, schedule};

#[test]
fn every_json_line_has_version_time_and_kind() {
    let ns = Namespace::new("json");
    ns.sparkctl().arg("submit").arg(job(&ns, "ended", "exit 3")).assert().code(1);
    let yearly = schedule(&ns, "yearly", "  schedule: 0 0 1 1 *", "", "true");
    ns.sparkctl().arg("submit").arg(yearly).assert().code(0);
    for (arguments, kinds) in [
        (&["list"][..], &["application"][..]),
        (&["schedules"], &["schedule"]),
        (&["events", "ended"], &["Event"]),
        (&["status", "ended"], &["state"]),
        (&["doctor", "examples/jvm-pi.yaml"], &["check", "result"]),
    ] {
        let run = ns.sparkctl().args(arguments).args(["--output", "json"]).assert().code(0);
        let out = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
        assert!(!out.is_empty(), "{arguments:?} printed nothing");
        for line in out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
            assert_eq!(line["v"], 1, "{arguments:?}: {line}");
            assert!(line["ts"].is_string() && kinds.iter().any(|kind| line["kind"] == *kind), "{arguments:?}: {line}");
        }
    }
}
