//! The template of executors' pods: what their driver cannot be told by settings.

use serde_json::{Value, json};

use crate::job::Job;
use crate::kubernetes::pod::Pod;
use crate::spark::{Change, Role, containers, labels};

/// The key of the template in its ConfigMap.
///
/// Source: `Constants.POD_TEMPLATE_KEY` of Spark.
pub const KEY: &str = "podspec-configmap-key";

/// The directory in the driver where the template is mounted, and its file.
///
/// Source: `Constants.EXECUTOR_POD_SPEC_TEMPLATE_MOUNTPATH` and `EXECUTOR_POD_SPEC_TEMPLATE_FILE_NAME` of Spark.
pub const TEMPLATE_DIR: &str = "/opt/spark/pod-template";
pub const TEMPLATE_FILE: &str = "pod-spec-template.yml";
pub const TEMPLATE_PATH: &str = "/opt/spark/pod-template/pod-spec-template.yml";

/// The template of executors' pods.
pub struct ExecutorTemplate {
    /// The user's template with the fields of `executor` over it. The driver's Spark writes its own part into each pod
    /// that it makes of it.
    pub pod: Pod,
    /// The user's template alone.
    given: Pod,
    /// The text of the user's template, if it is a file.
    text: Option<String>,
}

impl ExecutorTemplate {
    pub fn of(job: &Job, name: &str) -> Self {
        Self { pod: pod(job, name), given: given(job), text: job.files.executor_template.clone() }
    }

    /// Whether there is anything that executors can have by their template alone.
    pub fn is_needed(&self) -> bool {
        !self.pod.is_blank() || self.text.is_some()
    }

    /// The name of Spark's container, where Spark would not find it by itself: it takes the first.
    pub fn container(&self) -> Option<&str> {
        (self.pod != self.given).then(|| self.pod.container_name())
    }

    /// The text of the template: the user's own as long as nothing was added to it.
    pub fn text(&self) -> String {
        match &self.text {
            Some(text) if self.pod == self.given => text.clone(),
            _ => text_of(self.pod.clone().into_template()),
        }
    }
}

fn pod(job: &Job, name: &str) -> Pod {
    let version = job.version();
    let given = given(job);
    let mut pod = given.clone();
    let spec = &job.spec;
    if !version.has(Change::SchedulerName) {
        let scheduler = job.scheduler();
        pod.set_some("schedulerName", scheduler.pods_name.as_deref().or(spec.executor.role.scheduler_name.as_deref()));
    }
    spec.overlay(Role::Executor, version, &mut pod);
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
        "labelSelector": {"matchLabels": {labels::ROLE: Role::Executor.word()}},
        "matchLabelKeys": [labels::APPLICATION],
    })
}

/// The user's template.
fn given(job: &Job) -> Pod {
    let container = job.spec.spark_conf.get("spark.kubernetes.executor.podTemplateContainerName");
    Pod::of_template(
        job.executor_template().as_ref(),
        container.map_or(containers::default_name(Role::Executor), String::as_str),
    )
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
