//! The Secret with the credentials that a driver uses for the API server instead of its service account's.

use serde_json::{Map, json};

use super::plan::Plan;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;
use crate::spark::credentials::{DIRECTORY, FILES, PREFIX};

/// The Secret, if the settings give any credentials.
pub fn secret(plan: &Plan) -> Option<Object> {
    use base64::Engine;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let settings = plan.job.settings(&plan.names.namespace);
    let mut data = Map::new();
    if let Some(token) = settings.get(&format!("{PREFIX}oauthToken")) {
        data.insert("oauth-token".into(), encode(token.as_bytes()).into());
    }
    for (setting, key) in FILES {
        if let Some(bytes) = settings.get(&format!("{PREFIX}{setting}")).and_then(|path| plan.files().by_path.get(path))
        {
            data.insert(key.into(), encode(bytes).into());
        }
    }
    (!data.is_empty()).then(|| {
        Object(json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": plan.names.credentials,
                "namespace": plan.names.namespace,
                "labels": plan.labels.objects,
            },
            "immutable": true,
            "data": data,
        }))
    })
}

pub fn mount(plan: &Plan, pod: &mut Pod) {
    if secret(plan).is_some() {
        let name = "kubernetes-credentials";
        pod.mount(
            json!({"name": name, "secret": {"secretName": plan.names.credentials}}),
            json!({"name": name, "mountPath": DIRECTORY}),
        );
    }
}
