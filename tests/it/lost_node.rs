//! A node that goes, with a driver on it.

use serde_json::{Value, json};

use crate::support::{Namespace, cluster, text};

const OF: &str = "sparkctl.test/of";

/// Two nodes of the test's own, with no kubelet: what their pods do, the test says. They go with it.
struct Nodes<'a> {
    ns: &'a Namespace,
}

impl<'a> Nodes<'a> {
    fn new(ns: &'a Namespace) -> Self {
        let nodes = Nodes { ns };
        for name in nodes.names() {
            let node = json!({
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": {OF: ns.name}},
                "spec": {"taints": [{"key": OF, "effect": "NoSchedule"}]},
            });
            cluster().api.create("/api/v1/nodes", &node).expect("creating a node");
            let room = json!({"cpu": "1", "memory": "1Gi", "pods": "10"});
            let ready = json!([{"type": "Ready", "status": "True", "reason": "Test"}]);
            let status = json!({"status": {"allocatable": room, "capacity": room, "conditions": ready}});
            cluster().api.patch(&format!("/api/v1/nodes/{name}/status"), &status).expect("the node's status");
        }
        nodes
    }

    fn names(&self) -> [String; 2] {
        ["a", "b"].map(|which| format!("{}-{which}", self.ns.name))
    }
}

impl Drop for Nodes<'_> {
    fn drop(&mut self) {
        for name in self.names() {
            let _ = cluster().api.delete(&format!("/api/v1/nodes/{name}"));
        }
    }
}

/// A driver that has a node, and another name than this.
fn placed_driver(ns: &Namespace, but: &str) -> Option<Value> {
    let drivers = cluster().api.items(&format!("{}?labelSelector=spark-role%3Ddriver", ns.core("pods")));
    drivers.into_iter().find(|pod| pod["metadata"]["name"] != but && pod["spec"]["nodeName"].is_string())
}

#[test]
fn a_driver_that_went_with_its_node_is_replaced_and_not_counted() {
    let ns = Namespace::new("lost-node");
    let _nodes = Nodes::new(&ns);
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
                "nodeSelector": {OF: ns.name},
                "tolerations": [{"key": OF, "operator": "Exists"}],
            },
        },
    });
    command.args(["submit", "-", "--detach"]).write_stdin(job.to_string()).assert().code(0);

    let first = ns.wait_for("a driver on a node", || placed_driver(&ns, ""));
    let (name, node) = (text(&first["metadata"]["name"]), text(&first["spec"]["nodeName"]));
    let running = json!({"status": {"phase": "Running"}});
    cluster().api.patch(&format!("{}/{name}/status", ns.core("pods")), &running).expect("the pod's status");
    cluster().api.delete(&format!("/api/v1/nodes/{node}")).expect("removing the node");

    // The garbage collector of pods gives a node 40 s to come back.
    let second = ns.wait_for("its successor", || placed_driver(&ns, &name));
    assert_ne!(text(&second["spec"]["nodeName"]), node);
    let job = cluster().api.get(&format!("{}/survivor", ns.group("batch/v1", "jobs"))).expect("the Job");
    assert!(matches!(job["status"]["failed"].as_u64(), None | Some(0)), "{:#}", job["status"]);
}
