use serde_json::{Value, json};

use super::request::Call;
use super::{Cluster, Failure, Refusal, kinds};
use crate::kubernetes::Object;
use crate::manifests::with_preempt;

/// Makes an object be as it is written, and returns how it is spoken of. Fields that another has set otherwise are
/// left to him: the server refuses.
///
/// # Errors
/// It is refused.
pub async fn apply(cluster: &Cluster, object: &Object) -> Result<String, Refusal> {
    let called = kinds::describe(object);
    let doing = format!("applying {called}");
    let refusal = |failure| Refusal::new(doing.as_str(), failure, object.namespace());
    let path = kinds::collection(object, object.namespace()).map_err(Failure::NotSent).map_err(refusal)?;
    let uri = format!("{path}/{}?fieldManager=sparkctl-setup", object.name());
    let call = Call::patch(uri, "application/apply-patch+yaml", &object.0);
    cluster.send_until_answered(&doing, &call).await.result.map_err(refusal)?;
    Ok(called)
}

/// Where Volcano's installation keeps the scheduler's configuration.
const CONFIGURATION: (&str, &str) = ("volcano-system", "volcano-scheduler-configmap");

/// Adds `preempt` to the actions of Volcano's scheduler. Returns whether it was missing.
///
/// # Errors
/// The configuration is not where an installation puts it, or may not be changed.
pub async fn preempt(cluster: &Cluster) -> Result<bool, Refusal> {
    let (namespace, name) = CONFIGURATION;
    let doing = format!("adding preempt to config map {name} of {namespace}");
    let refusal = |failure| Refusal::new(doing.as_str(), failure, namespace);
    let path = format!("{}/{name}", kinds::in_namespace("v1", "configmaps", namespace));
    let map = cluster.send_until_answered(&doing, &Call::get(path.clone())).await.result.map_err(refusal)?;
    let texts = map["data"].as_object().into_iter().flatten();
    let changed: serde_json::Map<String, Value> =
        texts.filter_map(|(key, text)| Some((key.clone(), with_preempt(text.as_str()?)?.into()))).collect();
    if changed.is_empty() {
        return Ok(false);
    }
    // Changed meanwhile, it is refused.
    let version = map.pointer("/metadata/resourceVersion").cloned();
    let patch = json!({"metadata": {"resourceVersion": version}, "data": changed});
    let call = Call::patch(path, "application/merge-patch+json", &patch);
    cluster.send_until_answered(&doing, &call).await.result.map_err(refusal)?;
    Ok(true)
}
