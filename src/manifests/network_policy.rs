//! The NetworkPolicy that Spark 4.2 and later make: executors hear only their own application.

use serde_json::json;

use super::plan::Plan;
use crate::kubernetes::Object;
use crate::spark::{Change, Role, labels};

/// Source: `NetworkPolicyFeatureStep` of Spark.
pub fn executors(plan: &Plan) -> Option<Object> {
    let excluded = plan.conf.list("spark.kubernetes.driver.pod.excludedFeatureSteps");
    if !plan.version.has(Change::NetworkPolicy)
        || excluded.iter().any(|step| step.ends_with(".NetworkPolicyFeatureStep"))
    {
        return None;
    }
    let (label, application) = &plan.labels.common;
    Some(Object(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": plan.names.policy,
            "namespace": plan.names.namespace,
            "labels": plan.labels.objects,
        },
        "spec": {
            "podSelector": {"matchLabels": {labels::ROLE: Role::Executor.word(), *label: application}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {*label: application}}}]}],
        },
    })))
}
