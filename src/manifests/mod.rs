//! The objects of an application, before they are sent: one literal for each.

use serde_json::Value;

/// Everything that a submission creates. It runs whole or not at all: the carrier is created
/// *held*, all else with the carrier as its owner, and then the hold is released.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifests {
    /// The driver pod, held by a scheduling gate: it owns all the others.
    pub carrier: Object,
    /// What the carrier owns, created after it and before its release.
    pub owned: Vec<Object>,
}

/// One Kubernetes object as it is sent.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Object(pub Value);

/// What identifies a submitted application in the cluster, and what to expect of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// `metadata.name` of the job file; label `sparkoperator.k8s.io/app-name` of its pods.
    pub name: String,
    pub namespace: String,
    /// Spark's application id; label `spark-app-selector` of its pods.
    pub id: String,
    /// Name of the driver's pod.
    pub driver: String,
    /// Name of the PodGroup, when Volcano schedules the gang.
    pub pod_group: Option<String>,
    /// How many executors are asked for at the start, when it is known.
    pub executors: Option<u32>,
}

/// The scheduling gate that holds a driver pod until its companions exist.
pub const HOLD: &str = "sparkctl.dev/companions";

impl Object {
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}
