//! A node that goes, with a driver on it.

use serde_json::{Value, json};

use crate::support::{Namespace, cluster, text};

const OF: &str = "sparkctl.test/of";

/// A node of the test's own, with no kubelet: what its pods do, the test says. It goes with the test.
struct Node {
    name: String,
}

impl Node {
    fn new(ns: &Namespace) -> Self {
        let name = &ns.name;
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {OF: name}},
            "spec": {"taints": [{"key": OF, "effect": "NoSchedule"}]},
        });
        cluster().api.create("/api/v1/nodes", &node).expect("creating a node");
        let room = json!({"cpu": "1", "memory": "1Gi", "pods": "10"});
        let ready = json!([{"type": "Ready", "status": "True", "reason": "Test"}]);
        let status = json!({"status": {"allocatable": room, "capacity": room, "conditions": ready}});
        cluster().api.patch(&format!("/api/v1/nodes/{name}/status"), &status).expect("the node's status");
        Node { name: name.clone() }
    }

    fn remove(&self) {
        let _ = cluster().api.delete(&format!("/api/v1/nodes/{}", self.name));
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A driver that is as asked.
fn driver(ns: &Namespace, is: impl Fn(&Value) -> bool) -> Option<Value> {
    let drivers = cluster().api.items(&format!("{}?labelSelector=spark-role%3Ddriver", ns.core("pods")));
    drivers.into_iter().find(is)
}

#[test]
fn a_driver_that_went_with_its_node_is_replaced_and_not_counted() {
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
                "nodeSelector": {OF: ns.name},
                "tolerations": [{"key": OF, "operator": "Exists"}],
            },
        },
    });
    command.args(["submit", "-", "--detach"]).write_stdin(job.to_string()).assert().code(0);

    let first = ns.wait_for("a driver on the node", || driver(&ns, |pod| pod["spec"]["nodeName"] == ns.name.as_str()));
    let name = text(&first["metadata"]["name"]);
    let running = json!({"status": {"phase": "Running"}});
    cluster().api.patch(&format!("{}/{name}/status", ns.core("pods")), &running).expect("the pod's status");
    node.remove();

    // The garbage collector of pods gives a node 40 s to come back, and looks each 20 s.
    ns.wait_for("its successor", || driver(&ns, |pod| pod["metadata"]["name"] != name.as_str()));
    let job = cluster().api.get(&format!("{}/survivor", ns.group("batch/v1", "jobs"))).expect("the Job");
    assert!(matches!(job["status"]["failed"].as_u64(), None | Some(0)), "{:#}", job["status"]);
}
