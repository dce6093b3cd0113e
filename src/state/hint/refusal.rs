//! Hints on objects that the API server refuses.

use crate::program::program;
use crate::scheduler;

/// What to try after a refusal, recognized by its wording. Each phrase is quoted from Kubernetes' source.
pub fn refusal_hint(message: &str, namespace: &str) -> Option<String> {
    let has = |part: &str| message.contains(part);
    Some(if has("error looking up service account") {
        format!(
            "the driver's service account is missing: kubectl get serviceaccounts -n {namespace}; an administrator can create it, with its rights: {} setup",
            program()
        )
    } else if has("exceeded quota") {
        format!(
            "request less, wait for other work to end, or have the quota raised: kubectl describe quota -n {namespace}"
        )
    } else if has("failed quota") || has("must specify") {
        format!("a quota in namespace {namespace} requires requests and limits: set cores, coreLimit and memory")
    } else if has("violates PodSecurity") {
        format!(
            "namespace {namespace} enforces that PodSecurity level: set the driver's and executors' securityContext accordingly"
        )
    } else if has("no PriorityClass with name") {
        format!(
            "list the existing ones with: kubectl get priorityclasses; {} setup creates those of the examples",
            program()
        )
    } else if let Some(hint) = scheduler::all().find_map(|rules| rules.refusal_hint(message)) {
        hint.into()
    } else if has("failed calling webhook") {
        "a webhook of the cluster does not respond: ask the cluster's administrator".into()
    } else if has("\" is invalid: ") {
        "correct the field that the API server names, in the job file or by a flag".into()
    } else if has("denied the request") {
        "a policy of the cluster forbids it: the webhook's name shows which one".into()
    } else if has("because it is being terminated") {
        format!("namespace {namespace} is being deleted: choose another with -n")
    } else if has("is forbidden: User") && namespace.is_empty() {
        "the right is missing for all namespaces: choose one with -n".into()
    } else if has("is forbidden: User") {
        format!(
            "the right is missing in namespace {namespace}: an administrator can grant it: {} setup prints the Role",
            program()
        )
    } else if has("namespaces \"") && has("not found") {
        format!("choose another namespace with -n, or create it: kubectl create namespace {namespace}")
    } else if has("could not find the requested resource") || has("404 page not found") {
        unknown_kind()
    } else {
        return None;
    })
}

/// Names the schedulers whose kinds may be missing: all other kinds are part of Kubernetes itself.
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
    fn a_right_for_all_namespaces_is_not_reported_for_an_unnamed_namespace() {
        let hint = |namespace| refusal_hint("pods is forbidden: User \"jo\" cannot list resource", namespace).unwrap();
        assert!(hint("jobs").starts_with("the right is missing in namespace jobs: "));
        assert!(hint("").ends_with("choose one with -n"));
    }
}
