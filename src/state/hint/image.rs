//! Hints on images that cannot be pulled.

/// The kind of failure behind a registry's answer, and what to do about it.
pub fn class(detail: &str) -> (&'static str, &'static str) {
    let detail = detail.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| detail.contains(part));
    if has(&["toomanyrequests", "429", "rate limit"]) {
        ("the registry limits the rate of pulls", "pull with an account (imagePullSecrets), or from a mirror")
    } else if has(&["x509", "certificate"]) {
        ("the registry's certificate is not trusted", "the nodes' container runtime must trust the registry's CA")
    } else if has(&["pull access denied", "insufficient_scope"]) {
        (
            "there is no such image, or it needs credentials",
            "check the name; for a private registry name a secret in imagePullSecrets",
        )
    } else if has(&["unauthorized", "authentication required", "403 forbidden", "denied"]) {
        ("the registry refuses these credentials", "name a secret for this registry in imagePullSecrets")
    } else if has(&["no match for platform", "no matching manifest"]) {
        ("it has no variant for the node's architecture", "select nodes of its architecture, or build it for theirs")
    } else if has(&["not found", "manifest unknown", "does not exist"]) {
        ("there is no such image", "check the registry, the name and the tag, or push the image first")
    } else if has(&["no such host", "dial tcp", "timeout", "connection refused", "unreachable"]) {
        ("the registry cannot be reached from the node", "check the registry's name, and the nodes' network")
    } else {
        ("the pull failed", "see the whole message with: kubectl describe pod")
    }
}
