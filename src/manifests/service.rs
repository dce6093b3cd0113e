//! The headless Service by which executors find their driver.

use serde_json::{Value, json};

use super::plan::{Plan, Ports};
use crate::kubernetes::Object;
use crate::spark::Version;

/// Source: `DriverServiceFeatureStep` of Spark.
pub fn driver(plan: &Plan) -> Object {
    let conf = &plan.conf;
    let mut labels = plan.own_labels();
    if plan.version >= Version(3, 4) {
        labels.extend(
            conf.with_prefix("spark.kubernetes.driver.service.label.").map(|(key, value)| (key.into(), value.into())),
        );
    }
    labels.insert("spark-app-selector".into(), plan.submission.application());
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
    if plan.version >= Version(4, 1) {
        let mut connect = port("spark-connect", ports.connect);
        if plan.version >= Version(4, 2) {
            connect["appProtocol"] = "grpc".into();
        }
        list.push(connect);
    }
    let mut spec = json!({
        "clusterIP": "None",
        "ports": list,
        "selector": plan.driver_labels(),
    });
    if plan.version >= Version(3, 4) {
        spec["ipFamilyPolicy"] =
            conf.given("spark.kubernetes.driver.service.ipFamilyPolicy").unwrap_or("SingleStack").into();
        let families = match conf.list("spark.kubernetes.driver.service.ipFamilies") {
            families if families.is_empty() => vec!["IPv4"],
            families => families,
        };
        spec["ipFamilies"] = families.into();
    }
    if plan.version >= Version(4, 3) {
        spec["publishNotReadyAddresses"] =
            conf.is_true("spark.kubernetes.driver.service.publishNotReadyAddresses").into();
    }
    let mut metadata = json!({"name": plan.names.service, "namespace": plan.names.namespace, "labels": labels});
    if annotations.as_object().is_some_and(|annotations| !annotations.is_empty()) {
        metadata["annotations"] = annotations;
    }
    Object(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}))
}
