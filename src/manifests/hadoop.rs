//! Hadoop's and Kerberos' configuration of the driver.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::plan::Plan;
use super::properties::shipped_keytab;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;
use crate::spark::credentials::KEYTAB_DIR;

/// Where the driver finds Hadoop's configuration.
///
/// Source: `Constants.HADOOP_CONF_DIR_PATH` of Spark.
pub const HADOOP_DIR: &str = "/opt/hadoop/conf";
const TOKEN_DIR: &str = "/mnt/secrets/hadoop-credentials";

/// Source: `HadoopConfDriverFeatureStep` and `KerberosConfDriverFeatureStep` of Spark.
pub fn mount(plan: &Plan, pod: &mut Pod) {
    let conf = &plan.conf;
    let given = conf.given("spark.kubernetes.hadoop.configMapName");
    if given.is_some() || plan.files().hadoop.is_some() {
        let mut source = json!({"name": given.unwrap_or(&plan.names.hadoop)});
        let files = plan.files().hadoop.iter().flatten().filter(|_| given.is_none());
        let items: Vec<Value> = files.map(|(name, _)| json!({"key": name, "path": name})).collect();
        if !items.is_empty() {
            source["items"] = items.into();
        }
        let volume = json!({"name": "hadoop-properties", "configMap": source});
        pod.mount(volume, json!({"name": "hadoop-properties", "mountPath": HADOOP_DIR}));
        pod.env("HADOOP_CONF_DIR", HADOOP_DIR);
    }
    let krb5 = conf.given("spark.kubernetes.kerberos.krb5.configMapName");
    if krb5.is_some() || plan.files().krb5.is_some() {
        let mut source = json!({"name": krb5.unwrap_or(&plan.names.krb5)});
        if let Some((name, _)) = plan.files().krb5.as_ref().filter(|_| krb5.is_none()) {
            source["items"] = json!([{"key": name, "path": "krb5.conf"}]);
        }
        let volume = json!({"name": "krb5-file", "configMap": source});
        pod.mount(volume, json!({"name": "krb5-file", "mountPath": "/etc/krb5.conf", "subPath": "krb5.conf"}));
    }
    if shipped_keytab(plan.files(), &plan.job.resolved(&plan.names.namespace)).is_some() {
        let volume = json!({"name": "kerberos-keytab", "secret": {"secretName": plan.names.keytab}});
        pod.mount(volume, json!({"name": "kerberos-keytab", "mountPath": KEYTAB_DIR}));
    }
    let token = (
        conf.given("spark.kubernetes.kerberos.tokenSecret.name"),
        conf.given("spark.kubernetes.kerberos.tokenSecret.itemKey"),
    );
    if let (Some(secret), Some(key)) = token {
        let volume = json!({"name": "hadoop-secret", "secret": {"secretName": secret}});
        pod.mount(volume, json!({"name": "hadoop-secret", "mountPath": TOKEN_DIR}));
        pod.env("HADOOP_TOKEN_FILE_LOCATION", &format!("{TOKEN_DIR}/{key}"));
    }
}

/// The Secret with the submitter's keytab.
pub fn keytab(plan: &Plan) -> Option<Object> {
    let settings = plan.job.resolved(&plan.names.namespace);
    let (name, content) = shipped_keytab(plan.files(), &settings)?;
    Some(Object(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": plan.names.keytab,
            "namespace": plan.names.namespace,
            "labels": plan.labels.objects,
        },
        "immutable": true,
        "data": {name: STANDARD.encode(content)},
    })))
}

/// The ConfigMaps of what was read from the submitter's files.
pub fn config_maps(plan: &Plan) -> Vec<Object> {
    let given = |key: &str| plan.conf.given(key).is_some();
    let hadoop = plan.files().hadoop.as_ref().filter(|_| !given("spark.kubernetes.hadoop.configMapName"));
    let hadoop = hadoop.map(|files| {
        let data: Map<String, Value> = files.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
        config_map(plan, &plan.names.hadoop, data)
    });
    let krb5 = plan.files().krb5.as_ref().filter(|_| !given("spark.kubernetes.kerberos.krb5.configMapName"));
    let krb5 = krb5
        .map(|(name, text)| config_map(plan, &plan.names.krb5, Map::from_iter([(name.clone(), text.as_str().into())])));
    hadoop.into_iter().chain(krb5).collect()
}

fn config_map(plan: &Plan, name: &str, data: Map<String, Value>) -> Object {
    Object(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": plan.names.namespace, "labels": plan.labels.objects},
        "immutable": true,
        "data": data,
    }))
}
