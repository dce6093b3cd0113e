//! The credentials with which a driver talks to the API server, when they are not its service
//! account's.

use serde_json::{Map, json};

use super::plan::Plan;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;
use crate::spark::Conf;

const DIRECTORY: &str = "/mnt/secrets/spark-kubernetes-credentials";
const PREFIX: &str = "spark.kubernetes.authenticate.driver.";

/// Keys of the Secret by the settings that name local files.
const FILES: [(&str, &str); 3] =
    [("caCertFile", "ca-cert"), ("clientKeyFile", "client-key"), ("clientCertFile", "client-cert")];

/// What stands in the properties for a token that was given by value.
const REDACTED: &str = "<present_but_redacted>";

/// Takes tokens out of the settings and says where the driver finds what is mounted for it.
///
/// Source: `DriverKubernetesCredentialsFeatureStep` of Spark.
pub fn redact(conf: &mut Conf) {
    if conf.get(&format!("{PREFIX}oauthToken")).is_some() {
        conf.set(format!("{PREFIX}oauthToken"), REDACTED);
        conf.set(format!("{PREFIX}mounted.oauthTokenFile"), format!("{DIRECTORY}/oauth-token"));
    }
    if conf.get("spark.kubernetes.authenticate.submission.oauthToken").is_some() {
        conf.set("spark.kubernetes.authenticate.submission.oauthToken", REDACTED);
    }
    for (setting, key) in FILES {
        if conf.get(&format!("{PREFIX}{setting}")).is_some() {
            conf.set(format!("{PREFIX}mounted.{setting}"), format!("{DIRECTORY}/{key}"));
        }
    }
}

/// The settings that name files to be read before translation.
pub fn file_settings() -> impl Iterator<Item = String> {
    FILES.iter().map(|(setting, _)| format!("{PREFIX}{setting}"))
}

/// The Secret, if anything is to be in it.
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
