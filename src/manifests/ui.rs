//! Services and Ingresses by which people reach the driver.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::plan::Plan;
use crate::job::ui::DriverIngress;
use crate::kubernetes::{Object, names};
use crate::spark::{Ports, Role, labels};

/// The Service of Spark's web interface, if the job file speaks of it.
pub fn service(plan: &Plan) -> Option<Object> {
    let ui = plan.job.spec.spark_ui_options.as_ref()?;
    let port = json!({
        "name": ui.service_port_name.as_deref().unwrap_or("spark-driver-ui-port"),
        "port": ui.service_port.map_or(4040, |port| *port),
        "targetPort": Ports::of(&plan.conf).ui,
        "protocol": "TCP",
    });
    let name = names::cut(&plan.name, "-ui-svc", names::LABEL);
    Some(driver_service(
        plan,
        &name,
        port,
        ui.service_type.map(|kind| kind.word()),
        &ui.service_labels,
        &ui.service_annotations,
    ))
}

/// The Services and Ingresses of `driverIngressOptions`.
pub fn driver_ports(plan: &Plan) -> Vec<Object> {
    plan.job
        .spec
        .driver_ingress_options
        .iter()
        .flat_map(|options| [port_service(plan, options), ingress(plan, options)])
        .collect()
}

fn port_service(plan: &Plan, options: &DriverIngress) -> Object {
    let number = *options.service_port;
    let port = json!({"name": options.service_port_name, "port": number, "targetPort": number, "protocol": "TCP"});
    let kind = options.service_type.map(|kind| kind.word());
    driver_service(
        plan,
        &port_service_name(plan, number),
        port,
        kind,
        &options.service_labels,
        &options.service_annotations,
    )
}

fn port_service_name(plan: &Plan, port: i64) -> String {
    names::cut(&plan.name, &format!("-driver-{port}"), names::LABEL)
}

fn driver_service(
    plan: &Plan,
    name: &str,
    port: Value,
    kind: Option<&str>,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Object {
    let mut all = plan.labels.objects.clone();
    all.extend(labels.clone());
    Object(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(plan, name, &all, annotations),
        "spec": {
            "type": kind.unwrap_or("ClusterIP"),
            "ports": [port],
            "selector": driver_selector(plan),
        },
    }))
}

fn ingress(plan: &Plan, options: &DriverIngress) -> Object {
    let Url { host, path } = Url::of(plan, &options.ingress_url_format);
    let service = json!({"service": {"name": port_service_name(plan, *options.service_port), "port": {"number": *options.service_port}}});
    let mut annotations = options.ingress_annotations.clone();
    let path = match path.as_str() {
        "" => json!({"path": "/", "pathType": "Prefix", "backend": service}),
        path => {
            annotations.entry("nginx.ingress.kubernetes.io/rewrite-target".into()).or_insert_with(|| "/$2".into());
            json!({"path": format!("{path}(/|$)(.*)"), "pathType": "ImplementationSpecific", "backend": service})
        }
    };
    let mut spec = json!({"rules": [{"host": host, "http": {"paths": [path]}}]});
    if !options.ingress_tls.is_empty() {
        spec["tls"] = options.ingress_tls.iter().map(|tls| tls.json.clone()).collect();
    }
    let name = names::cut(&plan.name, &format!("-ing-{}", *options.service_port), names::LABEL);
    Object(json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(plan, &name, &plan.labels.objects, &annotations),
        "spec": spec,
    }))
}

fn metadata(
    plan: &Plan,
    name: &str,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> Value {
    let mut metadata = json!({"name": name, "namespace": plan.names.namespace, "labels": labels});
    if !annotations.is_empty() {
        metadata["annotations"] = json!(annotations);
    }
    metadata
}

/// The labels of the driver's pod alone.
fn driver_selector(plan: &Plan) -> Value {
    json!({labels::APPLICATION: plan.submission.application(), labels::ROLE: Role::Driver.word()})
}

/// `[scheme://]host[/path]`, the operator's variables replaced.
struct Url {
    host: String,
    path: String,
}

impl Url {
    fn of(plan: &Plan, format: &str) -> Self {
        let url = format
            .replace("{{$appName}}", &plan.name)
            .replace("{{$appNamespace}}", &plan.names.namespace)
            .replace("{{$appId}}", &plan.submission.application());
        let rest = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        Self { host: host.to_owned(), path: if path.is_empty() { String::new() } else { format!("/{path}") } }
    }
}

/// The PodDisruptionBudget that keeps the driver from voluntary evictions.
pub fn disruption_budget(plan: &Plan) -> Option<Object> {
    (plan.job.spec.driver_pod_disruption_budget == Some(true)).then(|| {
        Object(json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {
                "name": plan.names.carrier,
                "namespace": plan.names.namespace,
                "labels": plan.labels.objects,
            },
            "spec": {
                "minAvailable": 1,
                "selector": {"matchLabels": driver_selector(plan)},
            },
        }))
    })
}
