//! The NetworkPolicy that Spark 4.2 and later make: executors hear only their own application.

use serde_json::json;

use super::plan::Plan;
use crate::kubernetes::Object;
use crate::spark::Version;

/// Source: `NetworkPolicyFeatureStep` of Spark.
pub fn executors(plan: &Plan) -> Option<Object> {
    let excluded = plan.conf.list("spark.kubernetes.driver.pod.excludedFeatureSteps");
    if plan.version < Version(4, 2) || excluded.iter().any(|step| step.ends_with(".NetworkPolicyFeatureStep")) {
        return None;
    }
    let (label, application) = plan.common_label();
    Some(Object(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": plan.names.policy,
            "namespace": plan.names.namespace,
            "labels": plan.object_labels(),
        },
        "spec": {
            "podSelector": {"matchLabels": {"spark-role": "executor", label: application}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {label: application}}}]}],
        },
    })))
}
