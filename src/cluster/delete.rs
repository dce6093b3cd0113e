use serde_json::{Value, json};

use super::request::Call;
use super::{Cluster, Failure, Refusal, kinds};
use crate::manifests::{Application, Carrier, SUBMISSION};

/// Deletes an application by its carrier: all else is owned by it, and goes with it.
/// Returns whether there was one to delete.
///
/// # Errors
/// The deletion is refused, or the API server cannot be reached.
pub async fn delete(cluster: &Cluster, application: &Application) -> Result<bool, Refusal> {
    let (version, plural, label, value) = match &application.carrier {
        Carrier::Pod { .. } => ("v1", "pods", "spark-app-selector", &application.id),
        Carrier::Job { submission, .. } => ("batch/v1", "jobs", SUBMISSION, submission),
        Carrier::CronJob { submission, .. } => ("batch/v1", "cronjobs", SUBMISSION, submission),
    };
    let doing = format!("deleting {}", application.carrier.describe());
    let refusal = |failure| Refusal::new(doing.as_str(), failure, &application.namespace);
    let path =
        format!("{}/{}", kinds::in_namespace(version, plural, &application.namespace), application.carrier.name());
    let carrier = match cluster.send_until_answered(&doing, &Call::get(path.clone())).await.result {
        Err(failure) if failure.code() == 404 => return Ok(false),
        found => found.map_err(refusal)?,
    };
    if carrier["metadata"]["labels"][label].as_str() != Some(value) {
        return Ok(false);
    }
    cluster.delete_object(&doing, &path, &carrier).await.map_err(refusal)
}

impl Cluster {
    /// Deletes the very object that was read, and lets the garbage collector take what it owns.
    /// Returns whether it was still there.
    pub(super) async fn delete_object(&self, doing: &str, path: &str, object: &Value) -> Result<bool, Failure> {
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": { "uid": object["metadata"]["uid"] },
        });
        match self.send_until_answered(doing, &Call::delete(path.to_owned(), &options)).await.result {
            Ok(_) => Ok(true),
            // Gone, or another of the same name.
            Err(failure) if matches!(failure.code(), 404 | 409) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
