//! Has the API server validate an executor while its application is submitted: the driver would ask for it in vain.

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::paths;
use super::request::Call;
use crate::kubernetes::Object;
use crate::scheduler::volcano::NO_POD_GROUP;

/// What the API server says where the driver may create the executor all the same, or may later.
const NO_OBSTACLES: [&str; 6] = [
    // Who submits Jobs need not be permitted to create pods.
    "is forbidden: User",
    // A quota may have room later, and the driver tries again and again.
    "exceeded quota",
    // The account of a new namespace comes in a moment.
    "serviceaccount \"default\" not found",
    // Some webhooks refuse every dry run.
    "does not support dry run",
    // The carrier's own refusal says more.
    "because it is being terminated",
    // An older Volcano refuses pods until their PodGroup exists.
    NO_POD_GROUP,
];

/// Sends an executor as its driver would create it to the API server, as a dry run, once and without the server's warnings.
///
/// # Errors
/// The API server refuses such an executor: the driver would run without any.
pub(super) async fn validate(cluster: &Cluster, executor: Option<&Object>, namespace: &str) -> Result<(), Refusal> {
    let Some(executor) = executor else { return Ok(()) };
    let pods = paths::in_namespace("v1", "pods", namespace);
    let call = Call::post(format!("{pods}?dryRun=All&fieldManager=sparkctl"), &executor.0).quiet();
    match cluster.send(&call).await {
        Err((failure, _)) if is_obstacle(&failure) => {
            let doing = format!("checking executor pod {} in a dry run", executor.name());
            Err(Refusal::new(doing, failure, namespace))
        }
        _ => Ok(()),
    }
}

/// Whether the driver would get the same answer, today and later. Not so if the server itself fails, or if the executor of
/// another attempt has the name.
fn is_obstacle(failure: &Failure) -> bool {
    matches!(failure.code(), 400 | 403 | 406 | 422) && !NO_OBSTACLES.iter().any(|words| failure.contains(words))
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{Failure, is_obstacle};

    fn refused(code: u16, message: &str) -> Failure {
        Failure::Refused(Box::new(Status { code, message: message.into(), ..Status::default() }))
    }

    #[test]
    fn only_what_the_driver_would_meet_too_is_an_obstacle() {
        assert!(is_obstacle(&refused(422, "Pod \"pi-exec-1\" is invalid: metadata.labels: Invalid value: \"a b\"")));
        assert!(is_obstacle(&refused(403, "admission webhook \"x\" denied the request: no executors here")));
        assert!(!is_obstacle(&refused(403, "pods is forbidden: User \"jo\" cannot create resource \"pods\"")));
        assert!(!is_obstacle(&refused(403, "pods \"pi-exec-1\" is forbidden: exceeded quota: few")));
        assert!(!is_obstacle(&refused(400, "admission webhook \"x\" does not support dry run")));
        assert!(!is_obstacle(&refused(500, "failed calling webhook \"x\"")));
        assert!(!is_obstacle(&refused(404, "namespaces \"jobs\" not found")));
        assert!(!is_obstacle(&Failure::NoAnswer("connection refused".into())));
    }
}
