//! Labels and annotations of the objects of one submission.

use std::collections::BTreeMap;

use crate::job::restart::CarrierKind;
use crate::job::{Job, Submission};
use crate::kubernetes::names;
use crate::spark::{Allocation, Change, Conf, Role, app_name_label, labels};

/// The label with the submission's id.
pub const SUBMISSION: &str = "sparkoperator.k8s.io/submission-id";
/// The label with the name of a Job, on its pods and on the executors of its drivers.
pub const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// The annotation with the whole name of an application, which labels and names of objects may shorten.
pub const NAME_ANNOTATION: &str = "sparkctl.dev/name";
/// The annotation with the number of executors that the driver asks for at its start.
pub const EXECUTORS: &str = "sparkctl.dev/executors";
/// The annotation with the number of executors that it asks for at any later time, where that is another.
pub const MIN_EXECUTORS: &str = "sparkctl.dev/min-executors";
/// The annotation with the user's name for a run.
pub const RUN_KEY: &str = "sparkctl.dev/run-key";
/// The annotation with a hash of all that a run with a key consists of.
pub const SPECIFICATION: &str = "sparkctl.dev/specification";

/// The scheduling gate that holds a driver's pod until the objects that it owns exist, and the annotation of a Job or
/// CronJob that is suspended until then.
pub const HOLD: &str = "sparkctl.dev/companions";

/// Labels and annotations.
pub struct Labels {
    /// Labels by which the application is found, on all of its pods and objects.
    pub own: BTreeMap<String, String>,
    /// Labels of the objects that are not pods.
    pub objects: BTreeMap<String, String>,
    /// Labels of the driver's pod.
    pub driver: BTreeMap<String, String>,
    /// Annotations of the driver's pod.
    pub driver_annotations: BTreeMap<String, String>,
    /// The label that driver and executors share, with its value. Attempts have application ids of their own.
    pub common: (&'static str, String),
}

impl Labels {
    pub fn of(job: &Job, submission: &Submission, conf: &Conf, allocation: Allocation) -> Self {
        let mut objects = own(job, submission);
        objects.insert(labels::APPLICATION.into(), submission.application());
        Self {
            own: own(job, submission),
            objects,
            driver: driver(job, submission, conf),
            driver_annotations: driver_annotations(job, submission, conf, allocation),
            common: match job.carrier() {
                CarrierKind::Pod => (labels::APPLICATION, submission.application()),
                CarrierKind::Job(_) | CarrierKind::CronJob(_) => (SUBMISSION, submission.uuid()),
            },
        }
    }
}

/// Labels by which the application is found, on all of its pods and objects.
pub fn own(job: &Job, submission: &Submission) -> BTreeMap<String, String> {
    [
        ("app.kubernetes.io/managed-by", "sparkctl".to_owned()),
        ("sparkoperator.k8s.io/app-name", names::cut(&job.name(submission), "", names::LABEL)),
        (SUBMISSION, submission.uuid()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// Source: `KubernetesDriverConf.labels` of Spark.
fn driver(job: &Job, submission: &Submission, conf: &Conf) -> BTreeMap<String, String> {
    let version = job.version();
    let given = conf.with_prefix("spark.kubernetes.driver.label.");
    let replaced = |value: &str| replaced(value, submission, version.has(Change::IdInLabels));
    let mut all: BTreeMap<String, String> = given.map(|(key, value)| (key.to_owned(), replaced(value))).collect();
    all.insert(labels::APPLICATION.into(), submission.application());
    all.insert(labels::ROLE.into(), Role::Driver.word().into());
    if version.has(Change::NameAndVersionLabels) {
        all.insert(labels::NAME.into(), app_name_label(conf.get("spark.app.name").unwrap_or_default()));
        if names::check_label_value(job.spark_version()).is_ok() {
            all.insert(labels::VERSION.into(), job.spark_version().to_owned());
        }
    }
    all
}

/// Source: `KubernetesDriverConf.annotations` of Spark.
fn driver_annotations(
    job: &Job,
    submission: &Submission,
    conf: &Conf,
    allocation: Allocation,
) -> BTreeMap<String, String> {
    let given = conf.with_prefix("spark.kubernetes.driver.annotation.");
    let replaced = |value: &str| replaced(value, submission, job.version().has(Change::IdInAnnotations));
    let given = given.map(|(key, value)| (key.to_owned(), replaced(value)));
    let Allocation { initial, minimum } = allocation;
    let later = (minimum != initial).then(|| (MIN_EXECUTORS.to_owned(), minimum.to_string()));
    let own = [(NAME_ANNOTATION.to_owned(), job.name(submission)), (EXECUTORS.to_owned(), initial.to_string())];
    given.chain(own).chain(later).collect()
}

/// The value of a label or an annotation, with Spark's variables replaced where its version does so. A driver has no
/// executor id.
fn replaced(value: &str, submission: &Submission, is_replaced: bool) -> String {
    match is_replaced {
        true => value.replace("{{APP_ID}}", &submission.application()).replace("{{EXECUTOR_ID}}", ""),
        false => value.to_owned(),
    }
}
