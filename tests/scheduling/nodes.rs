//! Placement of pods on nodes.

use crate::support::Namespace;
use crate::support::scheduling::{job, start_submit};

#[test]
fn places_drivers_and_executors_by_their_node_labels() {
    let ns = Namespace::new("nodes");
    let flags = [
        "--scheduler",
        "volcano",
        "--driver-node",
        "type=driver",
        "--executor-node",
        "type=compute",
        "--executors",
        "1",
    ];
    ns.sparkctl().args(["submit", "examples/jvm-pi.yaml"]).args(flags).assert().code(0);
    for (pod, kind) in ns.placed() {
        let expected = if pod.contains("-exec-") { "compute" } else { "driver" };
        assert_eq!(kind, expected, "{pod}");
    }
    assert_eq!(ns.placed().len(), 2);
}

#[test]
fn explains_a_wait_for_labels_that_no_node_has() {
    let ns = Namespace::new("no-node");
    let submit = |name: &str, scheduler: &str| {
        start_submit(&ns, &job(name, "true"), &["--scheduler", scheduler, "--driver-node", "type=quantum"])
    };
    for mut run in [submit("by-volcano", "volcano"), submit("by-default", "default")] {
        run.wait_for_message("no node has the requested labels (type=quantum): nodes have type=");
        let ended = run.interrupt();
        assert!(ended.stderr.contains("didn't match Pod's node affinity/selector"), "{ended:#?}");
    }
    for name in ["by-volcano", "by-default"] {
        ns.sparkctl().args(["attach", name, "--start-timeout", "1s"]).assert().code(4);
    }
}
