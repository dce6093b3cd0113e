//! An executor's pod as the driver's Spark will make it: for validation, as nobody else creates one.

use serde_json::{Value, json};

use super::driver::mount_secrets;
use super::gang::spark_requests;
use super::plan::Plan;
use crate::diagnostic::Problem;
use crate::kubernetes::Object;
use crate::kubernetes::pod::Pod;
use crate::spark::{Change, Conf, Role, app_name_label, containers, labels, resources};

/// The number of the executor.
const ID: &str = "1";

/// An executor's pod, unless the driver asks for none.
///
/// # Errors
/// Settings that Spark would refuse.
pub fn wanted(plan: &Plan) -> Result<Option<Object>, Problem> {
    let is_wanted = plan.allocation.initial > 0 || plan.conf.is_true("spark.dynamicAllocation.enabled");
    is_wanted.then(|| pod(plan)).transpose()
}

/// An executor's pod, with what matters for whether and where it may run.
///
/// Source: `BasicExecutorFeatureStep`, `MountSecretsFeatureStep` and `EnvSecretsFeatureStep` of Spark.
///
/// # Errors
/// Settings that Spark would refuse.
pub fn pod(plan: &Plan) -> Result<Object, Problem> {
    let conf = &plan.conf;
    let mut pod = plan.template.pod.clone();
    pod.metadata.set("name", format!("{}-exec-{ID}", plan.names.executors));
    pod.metadata.set("namespace", plan.names.namespace.as_str());
    let replaced = |(key, value): (&str, &str)| {
        let value = value.replace("{{APP_ID}}", &plan.submission.application()).replace("{{EXECUTOR_ID}}", ID);
        (key.to_owned(), value)
    };
    pod.metadata.merge("labels", conf.with_prefix("spark.kubernetes.executor.label.").map(replaced));
    pod.metadata.merge("labels", own_labels(plan));
    pod.metadata.merge("annotations", conf.with_prefix("spark.kubernetes.executor.annotation.").map(replaced));
    pod.spec.merge("nodeSelector", resources::node_selector(conf, Role::Executor, plan.version));
    pod.set("restartPolicy", "Never");
    pod.set_some("schedulerName", conf.given("spark.kubernetes.executor.scheduler.name"));
    pod.set_some("serviceAccountName", conf.given("spark.kubernetes.authenticate.executor.serviceAccountName"));
    let secrets = conf.list("spark.kubernetes.container.image.pullSecrets");
    pod.append("imagePullSecrets", secrets.into_iter().map(|name| json!({"name": name})));
    mount_secrets(conf, Role::Executor, &mut pod);
    container(plan, &mut pod)?;
    let mut pod = pod.into_template();
    let (metadata, spec) = (pod["metadata"].take(), pod["spec"].take());
    Ok(Object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})))
}

/// Source: `KubernetesExecutorConf.labels` of Spark.
fn own_labels(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut own = vec![
        (labels::APPLICATION, plan.submission.application()),
        (labels::ROLE, Role::Executor.word().to_owned()),
        (labels::EXECUTOR, ID.to_owned()),
        (labels::RESOURCE_PROFILE, "0".to_owned()),
    ];
    if plan.version.has(Change::NameAndVersionLabels) {
        own.push((labels::NAME, app_name_label(plan.conf.get("spark.app.name").unwrap_or_default())));
    }
    own
}

/// Adds what Spark writes into its own container.
fn container(plan: &Plan, pod: &mut Pod) -> Result<(), Problem> {
    let conf = &plan.conf;
    let requests = spark_requests(plan, plan.job.spec.role(Role::Executor), Role::Executor)?;
    let container = pod.spark_container();
    container.set("image", containers::image_setting(conf, Role::Executor).unwrap_or_default());
    container.append("env", secret_keys(conf));
    for (name, amount) in requests {
        if name != "cpu" {
            container.set_at(&["resources", "limits", &name], amount.clone());
        }
        container.set_at(&["resources", "requests", &name], amount);
    }
    if let Some(limit) = conf.given("spark.kubernetes.executor.limit.cores") {
        container.set_at(&["resources", "limits", "cpu"], limit);
    }
    Ok(())
}

fn secret_keys(conf: &Conf) -> impl Iterator<Item = Value> {
    conf.with_prefix("spark.kubernetes.executor.secretKeyRef.").map(|(name, reference)| {
        let (secret, key) = reference.split_once(':').unwrap_or((reference, ""));
        json!({"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}})
    })
}
