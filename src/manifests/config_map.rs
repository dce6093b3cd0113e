//! The ConfigMap with Spark's properties and the files of its configuration directory.

use serde_json::{Map, json};

use super::executor_template::KEY;
use super::plan::Plan;
use crate::kubernetes::Object;
use crate::spark::{Change, properties};

/// Name of the properties file.
const PROPERTIES: &str = "spark.properties";

/// The files that are mounted, sorted.
pub fn file_names<'a>(plan: &'a Plan) -> impl Iterator<Item = &'a str> {
    let mut names: Vec<&str> = plan.files().spark_conf.keys().map(String::as_str).chain([PROPERTIES]).collect();
    names.sort_unstable();
    names.into_iter()
}

/// Source: `KubernetesClientUtils.buildConfigMap` of Spark. The namespace's key is not mounted:
/// Spark 3.3 and later look for it in executors' maps and write it into all.
pub fn driver(plan: &Plan) -> Object {
    let heading = format!("Spark's properties of {}, written by sparkctl", plan.name);
    let mut data: Map<String, serde_json::Value> =
        plan.files().spark_conf.iter().map(|(name, text)| (name.clone(), text.as_str().into())).collect();
    data.insert(PROPERTIES.into(), properties::file(&plan.properties, &heading).into());
    if plan.version.has(Change::NamespaceInConfigMap) {
        data.insert("spark.kubernetes.namespace".into(), plan.names.namespace.as_str().into());
    }
    Object(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": plan.names.conf,
            "namespace": plan.names.namespace,
            "labels": plan.labels.objects,
        },
        "immutable": true,
        "data": data,
    }))
}

/// The configuration of the JMX exporter.
pub fn monitoring(plan: &Plan) -> Option<Object> {
    let files = plan.job.spec.monitoring.as_ref()?.files()?;
    Some(Object(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": crate::job::monitoring::config_map_name(&plan.name),
            "namespace": plan.names.namespace,
            "labels": plan.labels.objects,
        },
        "data": files,
    })))
}

/// The ConfigMap that takes the template of executors' pods to the driver, if there is one.
pub fn executor_template(plan: &Plan) -> Option<Object> {
    plan.template.is_needed().then(|| {
        Object(json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": plan.names.template,
                "namespace": plan.names.namespace,
                "labels": plan.labels.objects,
            },
            "immutable": true,
            "data": {KEY: plan.template.text()},
        }))
    })
}
