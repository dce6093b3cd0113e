//! A resource with room for few drivers at a time.

use std::path::Path;

use serde_json::{Value, json};

use super::{Namespace, cluster, text};

/// A resource of real nodes that drivers request. It is removed when the test ends.
pub struct Slot {
    pub name: String,
    /// Names of the nodes.
    pub nodes: Vec<String>,
}

impl Slot {
    /// A resource of one node, which has none of it yet.
    pub fn of_node(ns: &Namespace, node: &str) -> Slot {
        Slot { name: format!("sparkctl.test/{}", ns.name), nodes: vec![node.to_owned()] }
    }

    /// A resource of which each real node has one.
    pub fn new(ns: &Namespace) -> Slot {
        let nodes = cluster().api.items("/api/v1/nodes?labelSelector=type%2Ctype%21%3Dsimulated");
        let nodes = nodes.iter().map(|node| text(&node["metadata"]["name"])).collect();
        let slot = Slot { name: format!("sparkctl.test/{}", ns.name), nodes };
        slot.set(&json!("1"));
        ns.wait_for("the nodes' slots", || {
            let has_it = |name: &String| {
                let node = cluster().api.get(&format!("/api/v1/nodes/{name}")).unwrap_or_default();
                node["status"]["allocatable"][&slot.name] == "1"
            };
            slot.nodes.iter().all(has_it).then_some(())
        });
        slot
    }

    /// Sets how many each node has; null removes the resource.
    pub fn set(&self, amount: &Value) {
        let room = json!({&self.name: amount});
        let status = json!({"status": {"capacity": room, "allocatable": room}});
        for node in &self.nodes {
            cluster().api.patch(&format!("/api/v1/nodes/{node}/status"), &status).expect("the node's status");
        }
    }

    /// Makes the driver of a job file request one, on the first node.
    pub fn add_to_job(&self, path: &Path) {
        let file = std::fs::read_to_string(path).expect("the job file");
        let request = format!(
            "  driver:\n    gpu: {{name: {}, quantity: 1}}\n    nodeSelector: {{kubernetes.io/hostname: {}}}\n",
            self.name, self.nodes[0]
        );
        std::fs::write(path, file.replace("  driver:\n", &request)).expect("the job file");
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.set(&Value::Null);
    }
}
