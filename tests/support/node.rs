//! A node of a test's own that is only an API object.

use serde_json::{Value, json};

use super::{Namespace, cluster};

/// The label that selects the node, and the taint that keeps other pods away. The value is the namespace's name.
pub const KEY: &str = "sparkctl.test/node";

/// A node without a kubelet. It is deleted when the test ends.
pub struct Node {
    name: String,
}

impl Node {
    /// Creates a ready node.
    pub fn new(ns: &Namespace) -> Self {
        let node = Node { name: ns.name.clone() };
        let object = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": node.name, "labels": {KEY: node.name}},
            "spec": {"taints": node.taints()},
        });
        cluster().api.create("/api/v1/nodes", &object).expect("creating a node");
        node.set_ready("True");
        node
    }

    pub fn path(&self) -> String {
        format!("/api/v1/nodes/{}", self.name)
    }

    fn taints(&self) -> Value {
        json!([{"key": KEY, "value": self.name, "effect": "NoSchedule"}])
    }

    /// Sets its condition `Ready` to `True` or `False`, and its room.
    pub fn set_ready(&self, ready: &str) {
        let room = json!({"cpu": "4", "memory": "16Gi", "pods": "10"});
        let status = json!({"capacity": room, "allocatable": room, "conditions": [{
            "type": "Ready", "status": ready, "reason": "Test", "message": "set by the test",
            "lastHeartbeatTime": null, "lastTransitionTime": null,
        }]});
        let api = &cluster().api;
        api.patch(&format!("{}/status", self.path()), &json!({"status": status})).expect("the node's status");
        // The controller adds taints of its own until it has seen the status.
        api.patch(&self.path(), &json!({"spec": {"taints": self.taints()}})).expect("the node's taints");
    }

    pub fn remove(&self) {
        let _ = cluster().api.delete(&self.path());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.remove();
    }
}
