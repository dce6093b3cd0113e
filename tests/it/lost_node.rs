//! A node that is lost with a driver on it.

use serde_json::{Value, json};

use crate::support::jobs::drivers;
use crate::support::node::{KEY, Node};
use crate::support::{Namespace, cluster, text};

/// The first driver that `is_wanted` accepts.
fn driver(ns: &Namespace, is_wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    drivers(ns).into_iter().find(is_wanted)
}

#[test]
fn replaces_a_driver_lost_with_its_node_without_counting_it() {
    let ns = Namespace::new("lost-node");
    let node = Node::new(&ns);
    let mut command = ns.sparkctl();
    let job = json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": "survivor"},
        "spec": {
            "type": "Python",
            "sparkVersion": "4.1.4",
            "image": cluster().spark_image(),
            "mainApplicationFile": "local:///opt/spark/examples/src/main/python/pi.py",
            "restartPolicy": {"type": "OnFailure", "onFailureRetries": 1},
            "driver": {
                "coreRequest": "10m",
                "memory": "64m",
                "memoryOverhead": "64m",
                "serviceAccount": "yippee-spark",
                "nodeSelector": {KEY: ns.name},
                "tolerations": [{"key": KEY, "operator": "Exists"}],
            },
        },
    });
    command.args(["submit", "-", "--detach"]).write_stdin(job.to_string()).assert().code(0);

    let first = ns.wait_for("a driver on the node", || driver(&ns, |pod| pod["spec"]["nodeName"] == ns.name.as_str()));
    let name = text(&first["metadata"]["name"]);
    let running = json!({"status": {"phase": "Running"}});
    cluster().api.patch(&format!("{}/{name}/status", ns.core("pods")), &running).expect("the pod's status");
    node.remove();

    // The pod garbage collector waits 40 s for a node to come back, and checks every 20 s.
    ns.wait_for("its successor", || driver(&ns, |pod| pod["metadata"]["name"] != name.as_str()));
    let job = cluster().api.get(&format!("{}/survivor", ns.group("batch/v1", "jobs"))).expect("the Job");
    assert!(matches!(job["status"]["failed"].as_u64(), None | Some(0)), "{:#}", job["status"]);
}
