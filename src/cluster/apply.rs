//! Changes to a cluster's set-up: server-side apply of objects, and the actions of Volcano's scheduler.

use serde_json::{Value, json};

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::paths;
use super::request::Call;
use crate::kubernetes::Object;
use crate::manifests::with_preempt;
use crate::scheduler::volcano::CONFIGURATION;

/// Applies an object server-side, and returns its name for messages. Fields that another manager has set differently
/// are a conflict, which the server refuses.
///
/// # Errors
/// The request is refused.
pub async fn apply(cluster: &Cluster, object: &Object) -> Result<String, Refusal> {
    let name = paths::describe(object);
    let doing = format!("applying {name}");
    let refusal = |failure| Refusal::new(doing.as_str(), failure, object.namespace());
    let path = paths::collection(object, object.namespace()).map_err(Failure::NotSent).map_err(refusal)?;
    let uri = format!("{path}/{}?fieldManager=sparkctl-setup", object.name());
    let call = Call::patch(uri, "application/apply-patch+yaml", &object.0);
    cluster.send_until_answered(&doing, &call).await.result.map_err(refusal)?;
    Ok(name)
}

/// Adds `preempt` to the actions of Volcano's scheduler. Returns whether it was missing.
///
/// # Errors
/// The configuration is not found, or changing it is refused.
pub async fn add_preempt_action(cluster: &Cluster) -> Result<bool, Refusal> {
    let (namespace, name) = CONFIGURATION;
    let doing = format!("adding preempt to config map {name} of {namespace}");
    let refusal = |failure| Refusal::new(doing.as_str(), failure, namespace);
    let path = format!("{}/{name}", paths::in_namespace("v1", "configmaps", namespace));
    let map = cluster.send_until_answered(&doing, &Call::get(path.clone())).await.result.map_err(refusal)?;
    let texts = map["data"].as_object().into_iter().flatten();
    let changed: serde_json::Map<String, Value> =
        texts.filter_map(|(key, text)| Some((key.clone(), with_preempt(text.as_str()?)?.into()))).collect();
    if changed.is_empty() {
        return Ok(false);
    }
    // The server refuses the patch if the configuration has changed since.
    let version = map.pointer("/metadata/resourceVersion").cloned();
    let patch = json!({"metadata": {"resourceVersion": version}, "data": changed});
    let call = Call::patch(path, "application/merge-patch+json", &patch);
    cluster.send_until_answered(&doing, &call).await.result.map_err(refusal)?;
    Ok(true)
}
