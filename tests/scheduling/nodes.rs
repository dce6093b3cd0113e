//! Where pods go.

use crate::support::Namespace;
use crate::support::scheduling::{Submit, job};

#[test]
fn drivers_and_executors_land_on_the_nodes_of_their_labels() {
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
fn with_no_such_node_the_wait_is_explained() {
    let ns = Namespace::new("no-node");
    let submit = |name: &str, scheduler: &str| {
        let flags = ["--scheduler", scheduler, "--driver-node", "type=quantum", "--start-timeout", "30s"];
        Submit::begin(&ns, &job(name, "true"), &flags)
    };
    for run in [submit("by-volcano", "volcano"), submit("by-default", "default")] {
        let (code, said) = run.end();
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("didn't match Pod's node affinity/selector"), "{said}");
        assert!(said.contains("no node has the requested labels (type=quantum): nodes have type="), "{said}");
    }
}
