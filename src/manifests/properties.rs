//! The settings of one submission: those of the user, and what submitting adds to them.

use std::collections::BTreeMap;

use super::executor_template::{ExecutorTemplate, TEMPLATE_PATH};
use super::labels;
use super::names::Names;
use crate::job::local_files::LocalFiles;
use crate::job::restart::CarrierKind;
use crate::job::spec::Spec;
use crate::job::{Files, Job, Submission};
use crate::scheduler::{Mark, Rules};
use crate::spark::credentials::{self, KEYTAB, KEYTAB_DIR};
use crate::spark::{Change, Conf, Ports, Role, catalog, memory};

const ROLES: [Role; 2] = [Role::Driver, Role::Executor];

/// All settings as they are written into `spark.properties`.
///
/// Source: `KubernetesClientApplication`, `BasicDriverFeatureStep`, `DriverServiceFeatureStep`,
/// `PodTemplateConfigMapStep` and `SparkSubmit` of Spark.
pub fn of(job: &Job, submission: &Submission, names: &Names, template: &ExecutorTemplate) -> Conf {
    let mut conf = job.settings(&names.namespace);
    scheduling(job, submission, names, &mut conf);
    pod_labels(job, submission, &mut conf);
    identity(job, submission, names, &mut conf);
    // From there on Spark writes this into executors' pods whatever their template says.
    if job.version().has(Change::ExecutorGracePeriod)
        && let Some(seconds) = &job.spec.executor.role.termination_grace_period_seconds
    {
        conf.set("spark.kubernetes.executor.terminationGracePeriodSeconds", format!("{}s", **seconds));
    }
    defaults(job, &mut conf);
    main_jar(job, &mut conf);
    locate_files(&job.files.local, &mut conf);
    if template.is_needed() {
        conf.set("spark.kubernetes.executor.podTemplateFile", TEMPLATE_PATH);
        conf.set_some("spark.kubernetes.executor.podTemplateContainerName", template.container());
    }
    if job.version().has(Change::HadoopConfOfExecutors) {
        let given = conf.get("spark.kubernetes.hadoop.configMapName").map(str::to_owned);
        let config_map = given.or_else(|| job.files.hadoop.is_some().then(|| names.hadoop.clone()));
        conf.set_some("spark.kubernetes.executor.hadoopConfigMapName", config_map);
    }
    if let Some((name, _)) = shipped_keytab(&job.files, &conf) {
        conf.set(KEYTAB, format!("{KEYTAB_DIR}/{name}"));
    }
    credentials::redact(&mut conf);
    conf
}

/// The scheduler of the pods, and what connects them to their gang.
fn scheduling(job: &Job, submission: &Submission, names: &Names, conf: &mut Conf) {
    let scheduler = job.scheduler();
    if let Some(name) = &scheduler.pods_name {
        ROLES
            .iter()
            .for_each(|role| conf.set(format!("spark.kubernetes.{}.scheduler.name", role.word()), name.as_str()));
    }
    let Some(rules) = scheduler.rules() else { return };
    // A PodGroup that the user named is the user's; otherwise both roles are in ours.
    if let Some(mark) = rules.group_mark().filter(|_| !has_own_group(job)) {
        ROLES.iter().for_each(|role| conf.set(mark.setting(*role), names.pod_group.as_str()));
    }
    for (mark, value) in rules.executor_marks(job.spec.batch_scheduler_options.queue.as_deref()) {
        let key = mark.setting(Role::Executor);
        if !job.conf.contains_key(&key) {
            conf.set(key, value);
        }
    }
    // Attempts have ids of their own in Spark's label, by which the executors would be another application's.
    if let Some(key) = rules.application_annotation().filter(|_| job.carrier() != CarrierKind::Pod) {
        let mark = Mark::Annotation(key);
        ROLES.iter().for_each(|role| conf.set_default(&mark.setting(*role), submission.application()));
    }
}

/// Labels of both roles' pods beside those that their role has in the job file.
fn pod_labels(job: &Job, submission: &Submission, conf: &mut Conf) {
    let mut all: BTreeMap<String, String> = Spec::propagated(&job.labels);
    all.extend(queue_label(job));
    all.extend(labels::own(job, submission));
    for role in ["driver", "executor"] {
        for (key, value) in &all {
            conf.set_default(&format!("spark.kubernetes.{role}.label.{key}"), value.as_str());
        }
    }
}

/// The application's name, id and place. Attempts of a Job have their own ids and hosts, which the driver's arguments set.
fn identity(job: &Job, submission: &Submission, names: &Names, conf: &mut Conf) {
    conf.set_default("spark.app.name", job.name(submission));
    let time = submission.milliseconds().filter(|_| job.version().has(Change::SubmitTime));
    conf.set_some("spark.app.submitTime", time);
    conf.set_default("spark.master", "k8s://https://kubernetes.default.svc");
    conf.set("spark.submit.deployMode", "cluster");
    conf.set("spark.kubernetes.namespace", names.namespace.as_str());
    if job.carrier() == CarrierKind::Pod {
        conf.set("spark.app.id", submission.application());
        conf.set("spark.driver.host", format!("{}.{}.svc", names.service, names.namespace));
        conf.set("spark.kubernetes.driver.pod.name", names.carrier.as_str());
        conf.set("spark.kubernetes.executor.podNamePrefix", names.executors.as_str());
    }
}

/// What the driver would decide otherwise than the submitter: ports, the factor of memory outside of the heap.
fn defaults(job: &Job, conf: &mut Conf) {
    conf.set("spark.kubernetes.submitInDriver", "true");
    conf.set("spark.kubernetes.resource.type", job.language().resource_type());
    let read = conf.all_resolved(&job.files.environment);
    let ports = Ports::of(&read);
    conf.set("spark.driver.port", ports.rpc.to_string());
    conf.set("spark.driver.blockManager.port", ports.service_block_manager.to_string());
    if let Ok(factor) = memory::overhead_factor(&read, job.language().is_foreign()) {
        conf.set("spark.kubernetes.memoryOverheadFactor", java_double(factor));
    }
    conf.set_default("spark.submit.pyFiles", "");
}

/// The main file of a JVM's application, which is one of its jars.
fn main_jar(job: &Job, conf: &mut Conf) {
    let main = job.spec.main_application_file.as_deref().filter(|main| !main.is_empty());
    if let Some(main) = main.filter(|_| !job.language().is_foreign()) {
        let jars = conf.given("spark.jars").map_or_else(|| main.to_owned(), |jars| format!("{jars},{main}"));
        conf.set("spark.jars", jars);
    }
}

/// The label that names the queue on each pod, for a scheduler that admits pods one by one.
fn queue_label(job: &Job) -> Option<(String, String)> {
    let label = job.scheduler().rules().filter(|rules| rules.admits_by_label())?.queue_label()?;
    Some((label.to_owned(), job.queue()?.clone()))
}

/// Replaces the addresses of the submitter's files by those where the driver finds them.
fn locate_files(files: &LocalFiles, conf: &mut Conf) {
    for key in catalog::file_lists().map(|row| row.key) {
        let meant = conf.list(key).into_iter().flat_map(|uri| files.meant_by(uri));
        let found = meant.map(|uri| files.uri_in_driver(uri)).collect::<Vec<_>>();
        if !found.is_empty() {
            conf.set(key, found.join(","));
        }
    }
}

/// Name and content of the submitter's keytab, if the settings name one.
pub fn shipped_keytab<'a>(files: &'a Files, settings: &Conf) -> Option<(String, &'a [u8])> {
    let path = settings.given(KEYTAB).filter(|path| !path.starts_with("local:"))?;
    let name = path.rsplit('/').next().unwrap_or(path);
    Some((name.to_owned(), files.by_path.get(path)?))
}

/// Whether the user put the driver into an existing PodGroup.
pub fn has_own_group(job: &Job) -> bool {
    let Some(mark) = job.scheduler().rules().and_then(Rules::group_mark) else { return false };
    let (driver, setting) = (&job.spec.driver.role, mark.setting(Role::Driver));
    job.spec.spark_conf.contains_key(&setting)
        || job.conf.contains_key(&setting)
        || mark.of(Some(&driver.labels), Some(&driver.annotations)).is_some()
}

/// A number as Java prints a double: `0.1`, `1.0`, and below a thousandth or from ten million on `1.0E-4`.
///
/// Source: `Double.toString` of Java 19 and later.
fn java_double(number: f64) -> String {
    let (text, exponent) = match number {
        0.0 | 1e-3..1e7 => (number.to_string(), String::new()),
        _ => match format!("{number:E}").split_once('E') {
            Some((digits, exponent)) => (digits.to_owned(), format!("E{exponent}")),
            None => (number.to_string(), String::new()),
        },
    };
    let point = if text.contains('.') { "" } else { ".0" };
    format!("{text}{point}{exponent}")
}

#[cfg(test)]
mod tests {
    #[test]
    fn doubles_are_written_as_java_writes_them() {
        for (number, text) in [
            (0.0, "0.0"),
            (0.1, "0.1"),
            (2.0, "2.0"),
            (0.0001, "1.0E-4"),
            (0.00025, "2.5E-4"),
            (1e7, "1.0E7"),
            (1234567.5, "1234567.5"),
        ] {
            assert_eq!(super::java_double(number), text);
        }
    }
}
