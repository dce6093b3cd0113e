//! What distinguishes the attempts of a Job from each other: settings and variables of their drivers.

use serde_json::{Value, json};

use super::labels::JOB_NAME;
use super::plan::Plan;
use crate::job::restart::CarrierKind;

const POD_NAME: &str = "SPARKCTL_POD_NAME";
const POD_UID: &str = "SPARKCTL_POD_UID";
const JOB: &str = "SPARKCTL_JOB";

/// Settings that differ between attempts. They are arguments of the driver, where Kubernetes replaces the variables; in
/// a file it would not.
pub fn settings(plan: &Plan) -> Vec<(String, String)> {
    if plan.carrier == CarrierKind::Pod {
        return Vec::new();
    }
    let families = plan.conf.list("spark.kubernetes.driver.service.ipFamilies");
    // The Service's name may still stand for an earlier driver in some executor's cache. An address of
    // IPv6 would need brackets.
    let host = match families.iter().any(|family| family.eq_ignore_ascii_case("IPv6")) {
        true => format!("{}.{}.svc", plan.names.service, plan.names.namespace),
        false => "$(SPARK_DRIVER_BIND_ADDRESS)".to_owned(),
    };
    vec![
        ("spark.app.id".into(), application_id(plan)),
        ("spark.driver.host".into(), host),
        ("spark.kubernetes.driver.pod.name".into(), format!("$({POD_NAME})")),
        ("spark.kubernetes.executor.podNamePrefix".into(), format!("$({POD_NAME})")),
        (format!("spark.kubernetes.executor.label.{JOB_NAME}"), format!("$({JOB})")),
    ]
}

/// Spark's application id. Where there may be several attempts, each has its own.
pub fn application_id(plan: &Plan) -> String {
    match plan.carrier {
        CarrierKind::Pod => plan.submission.application(),
        CarrierKind::Job(_) | CarrierKind::CronJob(_) => format!("spark-$({POD_UID})"),
    }
}

/// The variables of the driver that the settings of an attempt refer to.
pub fn environment(plan: &Plan) -> Vec<Value> {
    if plan.carrier == CarrierKind::Pod {
        return Vec::new();
    }
    let of_pod = |name: &str, path: &str| json!({"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}});
    vec![
        of_pod(POD_NAME, "metadata.name"),
        of_pod(POD_UID, "metadata.uid"),
        of_pod(JOB, &format!("metadata.labels['{JOB_NAME}']")),
    ]
}
