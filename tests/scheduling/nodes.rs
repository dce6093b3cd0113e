//! Where pods go.

use serde_json::Value;

use crate::stage::{Submit, job};
use crate::support::{Namespace, cluster};

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
    // Executors are gone with their application; the schedulers' events stay.
    let events = cluster().api.items(&format!("{}?fieldSelector=reason%3DScheduled", ns.core("events")));
    let node = |part: &str| {
        let of_pod = |event: &&Value| event["involvedObject"]["name"].as_str().is_some_and(|name| name.contains(part));
        let event = events.iter().find(of_pod).unwrap_or_else(|| panic!("no {part} was placed: {events:?}"));
        event["message"].as_str().unwrap_or_default().rsplit(' ').next().unwrap_or_default().to_owned()
    };
    let label = |node: String| {
        cluster().api.get(&format!("/api/v1/nodes/{node}")).expect("the node")["metadata"]["labels"]["type"].clone()
    };
    assert_eq!(label(node("-driver")), "driver");
    assert_eq!(label(node("-exec-")), "compute");
}

#[test]
fn with_no_such_node_the_wait_is_explained() {
    let ns = Namespace::new("no-node");
    let submit = |name: &str, scheduler: &str| {
        let flags = ["--scheduler", scheduler, "--driver-node", "type=quantum", "--start-timeout", "8s"];
        Submit::begin(&ns, &job(name, "true"), &flags)
    };
    for run in [submit("by-volcano", "volcano"), submit("by-default", "default")] {
        let (code, said) = run.end();
        assert_eq!(code, 4, "{said}");
        assert!(said.contains("didn't match Pod's node affinity/selector"), "{said}");
        assert!(said.contains("no node has the labels asked for"), "{said}");
    }
}
