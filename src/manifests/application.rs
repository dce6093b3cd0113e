//! The manifests of an application, and what identifies it once it is submitted.

use std::time::Duration;

use super::labels::{JOB_NAME, SUBMISSION};
use crate::kubernetes::Object;
use crate::scheduler;
use crate::spark::labels;

/// Everything that a submission creates, and what its driver will. Nothing half-submitted runs: the carrier is created on hold, everything else
/// with the carrier as its owner, and then the hold is released.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifests {
    /// The driver's pod, held by a scheduling gate, or the Job or CronJob that makes it, suspended. It owns all the others.
    pub carrier: Object,
    /// The objects that the carrier owns, created after it and before its release.
    pub owned: Vec<Object>,
    /// An executor's pod as the driver's Spark will make it, for validation; none where the driver asks for no executors.
    pub executor: Option<Object>,
}

/// A submitted application: what identifies it in the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// `metadata.name` of the job file; label `sparkoperator.k8s.io/app-name` of its pods.
    pub name: String,
    pub namespace: String,
    /// Spark's application id; label `spark-app-selector` of its pods. Attempts have ids of their own.
    pub id: String,
    pub carrier: Carrier,
    /// The PodGroup, where it tells why the application waits.
    pub pod_group: Option<PodGroup>,
}

/// A PodGroup by its name and API version, which is its scheduler's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodGroup {
    pub name: String,
    pub api: &'static str,
}

impl PodGroup {
    pub fn of(group: &Object) -> Option<Self> {
        Some(Self { name: group.name().to_owned(), api: scheduler::of_group(&group.0)?.api()? })
    }
}

/// The object that owns all others of an application: they are deleted with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The driver's pod.
    Pod { name: String },
    /// A Job, whose pods are attempts at the application.
    Job { name: String, submission: String },
    /// A CronJob, whose Jobs are runs of the application.
    CronJob { name: String, submission: String },
}

impl Carrier {
    pub fn name(&self) -> &str {
        match self {
            Carrier::Pod { name } | Carrier::Job { name, .. } | Carrier::CronJob { name, .. } => name,
        }
    }

    /// Kind and name, for messages.
    pub fn describe(&self) -> String {
        match self {
            Carrier::Pod { name } => format!("driver pod {name}"),
            Carrier::Job { name, .. } => format!("Job {name}"),
            Carrier::CronJob { name, .. } => format!("CronJob {name}"),
        }
    }
}

impl Application {
    /// The labels that all of its pods have, and no others.
    pub fn selector(&self) -> Vec<(&'static str, &str)> {
        match &self.carrier {
            Carrier::Pod { .. } => vec![(labels::APPLICATION, &self.id)],
            Carrier::Job { name, submission } => vec![(SUBMISSION, submission), (JOB_NAME, name)],
            Carrier::CronJob { submission, .. } => vec![(SUBMISSION, submission)],
        }
    }
}

impl Manifests {
    /// Limits the application's time in the cluster, whether anybody watches or not. It counts from the driver's start,
    /// over all attempts.
    pub fn limit(&mut self, time: Duration) {
        let spec = match self.carrier.kind() {
            "CronJob" => &mut self.carrier.0["spec"]["jobTemplate"]["spec"],
            _ => &mut self.carrier.0["spec"],
        };
        spec["activeDeadlineSeconds"] = time.as_secs().max(1).into();
    }
}
