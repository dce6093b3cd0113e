//! The headless Service by which executors find their driver.

use serde_json::{Value, json};

use super::plan::Plan;
use crate::kubernetes::Object;
use crate::spark::{Change, Ports, labels as spark_labels};

/// Source: `DriverServiceFeatureStep` of Spark.
pub fn driver(plan: &Plan) -> Object {
    let conf = &plan.conf;
    let mut labels = plan.labels.own.clone();
    if plan.version.has(Change::ServiceLabels) {
        labels.extend(
            conf.with_prefix("spark.kubernetes.driver.service.label.").map(|(key, value)| (key.into(), value.into())),
        );
    }
    labels.insert(spark_labels::APPLICATION.into(), plan.submission.application());
    let annotations: Value = conf
        .with_prefix("spark.kubernetes.driver.service.annotation.")
        .map(|(key, value)| (key.to_owned(), Value::from(value)))
        .collect();

    let ports = Ports::of(conf);
    let port = |name: &str, number: i64| json!({"name": name, "port": number, "targetPort": number});
    let mut list = vec![
        port("driver-rpc-port", ports.rpc),
        port("blockmanager", ports.service_block_manager),
        port("spark-ui", ports.ui),
    ];
    if plan.version.has(Change::ConnectPort) {
        let mut connect = port("spark-connect", ports.connect);
        if plan.version.has(Change::ConnectProtocol) {
            connect["appProtocol"] = "grpc".into();
        }
        list.push(connect);
    }
    let mut spec = json!({
        "clusterIP": "None",
        "ports": list,
        "selector": plan.labels.driver,
    });
    if plan.version.has(Change::IpFamilies) {
        spec["ipFamilyPolicy"] =
            conf.given("spark.kubernetes.driver.service.ipFamilyPolicy").unwrap_or("SingleStack").into();
        let families = match conf.list("spark.kubernetes.driver.service.ipFamilies") {
            families if families.is_empty() => vec!["IPv4"],
            families => families,
        };
        spec["ipFamilies"] = families.into();
    }
    if plan.version.has(Change::NotReadyAddresses) {
        spec["publishNotReadyAddresses"] =
            conf.is_true("spark.kubernetes.driver.service.publishNotReadyAddresses").into();
    }
    let mut metadata = json!({"name": plan.names.service, "namespace": plan.names.namespace, "labels": labels});
    if annotations.as_object().is_some_and(|annotations| !annotations.is_empty()) {
        metadata["annotations"] = annotations;
    }
    Object(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}))
}
