//! The template of executors' pods: what their driver cannot be told by settings.

use serde_json::{Value, json};

use super::plan::{EXECUTOR_CONTAINER, Plan};
use super::{pod_priority, shared_overlay};
use crate::job::Job;
use crate::job::scheduling::Scheduler;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;
use crate::spark::Role;
use crate::spark::Version;

/// The key of the template in its ConfigMap.
///
/// Source: `Constants.POD_TEMPLATE_KEY` of Spark.
pub const KEY: &str = "podspec-configmap-key";

/// The template: the user's, and over it the fields of `executor`. The driver's Spark writes
/// its own part into each pod that it makes of it.
pub fn template(job: &Job, version: Version, scheduler: &Scheduler, name: &str) -> Pod {
    let given = given(job);
    let mut pod = given.clone();
    let spec = &job.spec;
    pod_priority(job, &mut pod);
    if version < Version(3, 3) {
        let scheduler = scheduler.name().or(spec.executor.role.scheduler_name.as_deref());
        pod.set_some("schedulerName", scheduler);
    }
    shared_overlay(job, &mut pod);
    spec.executor.role.overlay(Role::Executor, &spec.volumes, version, &mut pod);
    if let Some(monitoring) = &spec.monitoring {
        monitoring.overlay(Role::Executor, name, &mut pod);
    }
    pod.append("topologySpreadConstraints", job.spread.iter().map(|key| spread(key)));
    // A file's template that nothing was added to is the user's, word for word.
    let is_own = pod != given || spec.executor.role.template.is_some();
    if is_own && !pod.is_blank() && !pod.spec.0.contains_key("enableServiceLinks") {
        pod.set("enableServiceLinks", false);
    }
    pod
}

/// Executors of one application, evenly over the values of a node label, as far as there is room.
fn spread(key: &str) -> Value {
    json!({
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"spark-role": "executor"}},
        "matchLabelKeys": ["spark-app-selector"],
    })
}

/// The user's template.
fn given(job: &Job) -> Pod {
    let container = job.spec.spark_conf.get("spark.kubernetes.executor.podTemplateContainerName");
    Pod::of_template(job.executor_template().as_ref(), container.map_or(EXECUTOR_CONTAINER, String::as_str))
}

/// The name of Spark's container in the template, where Spark would not find it by itself: it takes the first.
pub fn container(plan: &Plan) -> Option<String> {
    let pod = template(plan.job, plan.version, &plan.scheduler, &plan.name());
    (pod != given(plan.job)).then(|| pod.container_name().to_owned())
}

/// The ConfigMap that takes the template to the driver, if there is one.
pub fn config_map(plan: &Plan) -> Option<Object> {
    let pod = template(plan.job, plan.version, &plan.scheduler, &plan.name());
    let text = match (&plan.files().executor_template, pod) {
        (None, pod) if pod.is_blank() => return None,
        (Some(text), pod) if pod == given(plan.job) => text.clone(),
        (_, pod) => text_of(pod.into_template()),
    };
    Some(Object(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": plan.names.template,
            "namespace": plan.names.namespace,
            "labels": plan.object_labels(),
        },
        "immutable": true,
        "data": {KEY: text},
    })))
}

/// The template as a pod. JSON is YAML to the reader in Spark's driver, whatever its version.
fn text_of(mut template: Value) -> String {
    let mut pod = json!({"apiVersion": "v1", "kind": "Pod"});
    if template.get("metadata").is_some() {
        pod["metadata"] = template["metadata"].take();
    }
    pod["spec"] = template["spec"].take();
    format!("{pod:#}")
}
