//! Hints on objects that the API server refuses.

use crate::program::program;
use crate::scheduler;

/// What to try, by the words that the API server's parts use. Each is quoted from Kubernetes' source.
pub fn refusal_hint(message: &str, namespace: &str) -> Option<String> {
    let says = |part: &str| message.contains(part);
    Some(if says("error looking up service account") {
        format!(
            "the driver's service account is missing: kubectl get serviceaccounts -n {namespace}; an administrator makes one with its rights: {} setup",
            program()
        )
    } else if says("exceeded quota") {
        format!(
            "ask for less, wait for other work to end, or have the quota raised: kubectl describe quota -n {namespace}"
        )
    } else if says("failed quota") || says("must specify") {
        format!("a quota of namespace {namespace} wants requests and limits stated: set cores, coreLimit and memory")
    } else if says("violates PodSecurity") {
        format!(
            "namespace {namespace} enforces that PodSecurity level: set the driver's and executors' securityContext accordingly"
        )
    } else if says("no PriorityClass with name") {
        format!("see what there is with: kubectl get priorityclasses; {} setup makes those of the examples", program())
    } else if let Some(hint) = scheduler::all().find_map(|rules| rules.refusal_hint(message)) {
        hint.into()
    } else if says("failed calling webhook") {
        "a webhook of the cluster does not answer: ask its administrator".into()
    } else if says("denied the request") {
        "this is a rule of the cluster's administrators: the webhook's name shows which".into()
    } else if says("because it is being terminated") {
        format!("namespace {namespace} is being deleted: choose another with -n")
    } else if says("is forbidden: User") && namespace.is_empty() {
        "the right is missing for all namespaces together: choose one with -n".into()
    } else if says("is forbidden: User") {
        format!(
            "the right is missing in namespace {namespace}: an administrator grants it: {} setup prints the Role",
            program()
        )
    } else if says("namespaces \"") && says("not found") {
        format!("choose another namespace with -n, or create it: kubectl create namespace {namespace}")
    } else if says("could not find the requested resource") || says("404 page not found") {
        unknown_kind()
    } else {
        return None;
    })
}

/// Only a scheduler's kinds can be missing: all others belong to Kubernetes itself.
fn unknown_kind() -> String {
    let with_pod_groups = scheduler::all().filter(|rules| rules.group_mark().is_some());
    let choices = with_pod_groups.map(|rules| match rules.name() {
        Some(name) => format!("{} (for batchScheduler: {name})", rules.title()),
        None => format!("{} (for any other name)", rules.title()),
    });
    format!("the cluster does not know this kind: is {} installed?", choices.collect::<Vec<_>>().join(" or "))
}

#[cfg(test)]
mod tests {
    use super::refusal_hint;

    #[test]
    fn a_right_for_all_namespaces_is_not_called_one_of_a_namespace_without_a_name() {
        let hint = |namespace| refusal_hint("pods is forbidden: User \"jo\" cannot list resource", namespace).unwrap();
        assert!(hint("jobs").starts_with("the right is missing in namespace jobs: "));
        assert!(hint("").ends_with("choose one with -n"));
    }
}
