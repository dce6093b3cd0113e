//! The Job: attempts at an application, made one after another by the cluster's own controller.

use serde_json::{Value, json};

use super::plan::{NAME_ANNOTATION, Plan};
use super::{HOLD, Object, driver};
use crate::job::problem::Problem;
use crate::job::restart::{Again, CarrierKind, Supervision};

/// The label by which a Job's pods, and the executors of its drivers, are known.
pub const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// What a JVM ends with that was told to stop: its pod was deleted.
const TERMINATED: i32 = 143;

/// The Job, held until its companions exist.
pub fn job(plan: &Plan, supervision: Supervision) -> Result<Object, Problem> {
    let mut spec = spec(plan, supervision)?;
    spec["suspend"] = true.into();
    Ok(Object(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": plan.names.carrier,
            "namespace": plan.names.namespace,
            "labels": plan.object_labels(),
            "annotations": {NAME_ANNOTATION: plan.name(), HOLD: "true"},
        },
        "spec": spec,
    })))
}

/// A driver that was preempted, evicted, lost with its node or deleted has not failed, and is replaced
/// without being counted, but for an application that is to run once: that one ends. Its successor
/// waits until it has ended, so that two drivers never overlap.
pub fn spec(plan: &Plan, supervision: Supervision) -> Result<Value, Problem> {
    // There is no Job without an end: two thousand million attempts are as good.
    let (completions, retries) = match supervision.again {
        Again::Always => (i32::MAX, i32::MAX),
        Again::AfterFailures(retries) => (1, retries),
    };
    let mut spec = json!({
        "completions": completions,
        "parallelism": 1,
        "backoffLimit": retries,
        "podReplacementPolicy": "Failed",
        "template": driver::template(plan)?.into_template(),
    });
    if retries > 0 {
        spec["podFailurePolicy"] = json!({"rules": [
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"action": "Ignore", "onExitCodes": {
                "containerName": plan.driver_container(), "operator": "In", "values": [TERMINATED],
            }},
        ]});
    }
    if let Some(seconds) = supervision.time_to_live {
        spec["ttlSecondsAfterFinished"] = seconds.into();
    }
    Ok(spec)
}

const POD_NAME: &str = "SPARKCTL_POD_NAME";
const POD_UID: &str = "SPARKCTL_POD_UID";
const JOB: &str = "SPARKCTL_JOB";

/// Settings that each attempt has for itself: Kubernetes puts the names in where they are arguments,
/// which it would not do in a file.
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

/// Spark's id of the application: an attempt's own where there may be several.
pub fn application_id(plan: &Plan) -> String {
    match plan.carrier {
        CarrierKind::Pod => plan.submission.application(),
        CarrierKind::Job(_) | CarrierKind::CronJob(_) => format!("spark-$({POD_UID})"),
    }
}

/// What the settings of an attempt are made of.
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
