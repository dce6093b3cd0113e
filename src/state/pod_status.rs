//! The phase of a pod, and why it was deleted or failed, according to its status.

use k8s_openapi::api::core::v1::Pod;

use super::scheduling;

pub(super) fn phase(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.phase.as_deref()
}

/// Why the cluster removed the pod, if it did: from the condition `DisruptionTarget`, or from the pod's reason.
pub(super) fn disruption(pod: &Pod) -> Option<String> {
    let condition = scheduling::condition(pod, "DisruptionTarget").filter(|condition| condition.status == "True");
    if let Some(condition) = condition {
        let what = match condition.reason.as_deref() {
            Some("PreemptionByScheduler") => "preempted by higher-priority work",
            Some("DeletionByTaintManager") => "evicted by a taint on its node",
            Some("EvictionByEvictionAPI") => "evicted (node drained, or moved by an autoscaler)",
            Some("DeletionByPodGC") => "its node is gone",
            Some("TerminationByKubelet") => "ended by its node (pressure, or shutdown)",
            _ => "disrupted by the cluster",
        };
        return Some(match condition.message.as_deref() {
            Some(message) if !message.is_empty() => format!("{what}: {message}"),
            _ => what.to_owned(),
        });
    }
    let reasons = ["Evicted", "Preempting", "NodeLost", "Shutdown", "NodeShutdown", "Terminated"];
    pod_reason(pod).filter(|reason| reasons.contains(&reason.split(':').next().unwrap_or_default()))
}

/// Reason and message of the pod's status: `Evicted: The node was low on resource: …`.
pub(super) fn pod_reason(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let reason = status.reason.as_deref()?;
    Some(match status.message.as_deref() {
        Some(message) if !message.is_empty() => format!("{reason}: {message}"),
        _ => reason.to_owned(),
    })
}
