//! The registry secrets that a pod refers to.

use k8s_openapi::api::core::v1::Pod;

use super::Observed;

/// Describes the registry secrets that a pod refers to, those of them that are missing, and those that exist.
pub(super) fn pull_secrets(pod: &Pod, observed: &Observed) -> String {
    let given = pod.spec.as_ref().and_then(|spec| spec.image_pull_secrets.as_ref());
    let given: Vec<&str> = given.into_iter().flatten().map(|secret| secret.name.as_str()).collect();
    let there = observed.evidence.pull_secrets.as_ref();
    // Without the right to list secrets, the kubelet's events show which ones are missing.
    let unfound =
        observed.driver_events().filter(|event| event.reason.as_deref() == Some("FailedToRetrieveImagePullSecret"));
    let unfound: Vec<&str> = unfound.filter_map(|event| event.message.as_deref()).collect();
    let is_missing = |name: &&&str| {
        there.is_some_and(|there| !there.iter().any(|known| known == **name))
            || unfound.iter().any(|message| message.split(['(', ')', ',', ' ']).any(|word| word == **name))
    };
    let missing: Vec<&str> = given.iter().filter(is_missing).copied().collect();
    let mut text = match (given.is_empty(), missing.is_empty()) {
        (true, _) => "the pod refers to no registry secret".to_owned(),
        (false, true) => format!("the pod refers to {}", given.join(", ")),
        (false, false) => format!(
            "the pod refers to {}, but {} {}",
            given.join(", "),
            missing.join(", "),
            if missing.len() == 1 { "does not exist" } else { "do not exist" }
        ),
    };
    let others: Vec<&str> =
        there.into_iter().flatten().map(String::as_str).filter(|name| !given.contains(name)).collect();
    if !others.is_empty() {
        text.push_str(&format!("; also available: {}", others.join(", ")));
    }
    text
}
