//! Hints on pods that no node fits.

use k8s_openapi::api::core::v1::Pod;

use crate::state::container::{Role, spark_container};

/// Words of schedulers for ports of the node that another pod has.
///
/// Source: `NodePorts` of kube-scheduler, which Volcano uses too.
const NO_PORTS: &str = "free ports";

/// What to do about a pod whose ports no node has free.
pub fn ports_hint(message: &str) -> Option<&'static str> {
    message.contains(NO_PORTS).then_some(
        "pods with hostNetwork take their ports on the node, so that a node has room for one of them: leave out hostNetwork, or run fewer of these pods than there are nodes",
    )
}

/// What to do about a scheduler's reason for not placing `pod`.
pub fn hint(message: &str, pod: &Pod) -> Option<String> {
    let requests = || requests(pod).map(|requests| format!("; it requests {requests}")).unwrap_or_default();
    let has = |part: &str| message.contains(part);
    let is_tainted = has("untolerated taint") || has("had taint");
    let lacks_labels = has("node affinity") || has("node selector");
    Some(if has("persistentvolumeclaim") || has("PersistentVolumeClaim") {
        "see the reason with: kubectl get pvc,storageclass; a claim that does not exist must be created first".into()
    } else if let Some(hint) = ports_hint(message) {
        hint.into()
    } else if has("Insufficient") || has("Too many pods") {
        format!("there is not enough room: request less, or wait for other work to end or for more nodes{}", requests())
    } else if is_tainted && lacks_labels {
        "no node without that taint has the requested labels: compare with kubectl get nodes --show-labels, or add a toleration".into()
    } else if is_tainted {
        "add a toleration for that taint to the driver, or use other nodes".into()
    } else if lacks_labels {
        "no node has the requested labels: compare with kubectl get nodes --show-labels".into()
    } else if has("no node") {
        "an autoscaler may add nodes, or nodes are missing from the cluster".into()
    } else {
        return None;
    })
}

/// What Spark's container of this pod requests: `cpu 1, memory 896Mi`.
fn requests(pod: &Pod) -> Option<String> {
    let requests = spark_container(pod, Role::Driver)?.resources.as_ref()?.requests.as_ref()?;
    // The API server writes 1000 as 1k.
    let plain =
        |amount: &str| amount.strip_suffix('k').map_or(amount.to_owned(), |thousands| format!("{thousands}000"));
    let parts: Vec<String> = requests.iter().map(|(name, amount)| format!("{name} {}", plain(&amount.0))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
