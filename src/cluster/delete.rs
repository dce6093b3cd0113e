//! Deletes applications, and single objects as they were read.

use serde_json::{Value, json};

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::paths;
use super::request::Call;
use crate::manifests::{Application, Carrier, SUBMISSION};

/// Deletes an application by deleting its carrier, which owns everything else. Returns whether it was still there.
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
        format!("{}/{}", paths::in_namespace(version, plural, &application.namespace), application.carrier.name());
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
    /// Deletes the object that was read, by its uid, and leaves what it owns to the garbage collector. Returns whether it
    /// was still there.
    pub(super) async fn delete_object(&self, doing: &str, path: &str, object: &Value) -> Result<bool, Failure> {
        let options = json!({
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "propagationPolicy": "Background",
            "preconditions": { "uid": object["metadata"]["uid"] },
        });
        match self.send_until_answered(doing, &Call::delete(path.to_owned(), &options)).await.result {
            Ok(_) => Ok(true),
            // It is gone, or the name now belongs to another object.
            Err(failure) if matches!(failure.code(), 404 | 409) => Ok(false),
            Err(failure) => Err(failure),
        }
    }
}
