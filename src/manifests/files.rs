//! The ConfigMap with the submitter's files, and its mount in the driver.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::plan::Plan;
use crate::job::local_files::MOUNT;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;

const VOLUME: &str = "sparkctl-files";

/// Mounts the files in the driver.
pub fn mount(plan: &Plan, pod: &mut Pod) {
    let carried = plan.files().local.carried();
    if carried.is_empty() {
        return;
    }
    let items: Vec<Value> = carried.iter().map(|file| json!({"key": file.key, "path": file.path})).collect();
    let volume = json!({"name": VOLUME, "configMap": {"name": plan.names.files, "items": items}});
    pod.mount(volume, json!({"name": VOLUME, "mountPath": MOUNT, "readOnly": true}));
}

/// The ConfigMap that takes the files to the driver. What is text can be read in it.
pub fn config_map(plan: &Plan) -> Option<Object> {
    let carried = plan.files().local.carried();
    if carried.is_empty() {
        return None;
    }
    let (mut data, mut binary) = (Map::new(), Map::new());
    for carried in carried {
        match std::str::from_utf8(&carried.file.content) {
            Ok(text) => data.insert(carried.key, text.into()),
            Err(_) => binary.insert(carried.key, STANDARD.encode(&carried.file.content).into()),
        };
    }
    let mut map = json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": plan.names.files, "namespace": plan.names.namespace, "labels": plan.labels.objects},
        "immutable": true,
    });
    for (field, entries) in [("data", data), ("binaryData", binary)] {
        if !entries.is_empty() {
            map[field] = entries.into();
        }
    }
    Some(Object(map))
}
