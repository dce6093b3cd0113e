//! Names of the objects of one submission.

use crate::job::restart::{CarrierKind, Supervision};
use crate::job::{Job, Submission};
use crate::kubernetes::names;
use crate::spark::{EXECUTOR_PREFIX, resource_name_prefix};

/// Names of the objects. Those that the carrier owns are unique to the submission, so that what is left of an earlier
/// run is never in the way.
pub struct Names {
    pub namespace: String,
    /// Of the driver's pod, or of the Job or CronJob that makes it.
    pub carrier: String,
    pub service: String,
    pub conf: String,
    pub template: String,
    /// Of the ConfigMap with the submitter's files.
    pub files: String,
    pub hadoop: String,
    pub krb5: String,
    pub keytab: String,
    pub credentials: String,
    pub policy: String,
    pub pod_group: String,
    /// Prefix of executors' pods, where it does not come from the driver's own name.
    pub executors: String,
}

/// Longest name of a Job: its pods' names have six characters more, and begin their executors' names.
const JOB: usize = EXECUTOR_PREFIX - 6;
/// Length of an index in the names of a Job's pods, which has one digit.
const INDEX: usize = "-0".len();
/// Length of the minute that a CronJob's Jobs have behind its name.
const RUN: usize = "-29399999".len();

impl Names {
    pub fn of(job: &Job, namespace: &str, submission: &Submission) -> Self {
        let conf = job.resolved(namespace);
        let name = job.name(submission);
        let prefix = resource_name_prefix(&name);
        let named = |suffix: &str| unique(&prefix, submission.short(), suffix, names::LABEL);
        let stem = format!("{prefix}-{}", submission.short());
        Self {
            namespace: namespace.to_owned(),
            carrier: carrier(&name, job.carrier(), conf.given("spark.kubernetes.driver.pod.name"), submission),
            service: named("-driver-svc"),
            conf: named("-driver-conf"),
            template: named("-executor-template"),
            files: named("-files"),
            hadoop: named("-hadoop-conf"),
            krb5: named("-krb5"),
            keytab: named("-keytab"),
            credentials: named("-credentials"),
            policy: named("-policy"),
            pod_group: named("-pg"),
            executors: match conf.given("spark.kubernetes.executor.podNamePrefix") {
                Some(prefix) => prefix.to_owned(),
                None if stem.len() <= EXECUTOR_PREFIX => stem,
                None => unique(&prefix, submission.short(), "", EXECUTOR_PREFIX),
            },
        }
    }
}

/// The name of the carrier. It is the application's, so that two cannot run under one name at once; only runs with a key
/// can, whose carriers are named after their submissions as well.
fn carrier(name: &str, kind: CarrierKind, given: Option<&str>, submission: &Submission) -> String {
    let own = submission.key.as_ref().map(|_| format!("-{}", submission.short())).unwrap_or_default();
    match (kind, given) {
        (CarrierKind::Pod, Some(given)) => given.to_owned(),
        (CarrierKind::Pod, None) => names::cut(name, &format!("{own}-driver"), names::LABEL),
        (CarrierKind::Job(of), _) => names::cut(&name.replace('.', "-"), &own, JOB - index(of)),
        (CarrierKind::CronJob(of), _) => names::cut(&name.replace('.', "-"), &own, JOB - RUN - index(of)),
    }
}

/// Length of what an index adds to the names of a Job's pods.
fn index(supervision: Supervision) -> usize {
    if supervision.counts_losses() { INDEX } else { 0 }
}

/// `NAME-ID` with a suffix; the name is cut where all of it is too long.
fn unique(name: &str, id: &str, suffix: &str, limit: usize) -> String {
    let suffix = format!("-{id}{suffix}");
    let room = limit.saturating_sub(suffix.len()).min(name.len());
    format!("{}{suffix}", name[..room].trim_end_matches('-'))
}
