//! `batchScheduler` and its options: the gang.

use std::collections::BTreeMap;

use super::Job;
use super::quantities::Quantity;
use super::schema::section;

section! {
    /// How the gang is scheduled.
    pub struct BatchSchedulerOptions {
        /// Queue of the gang.
        queue: Option<String> => "PodGroup spec.queue; a label for yunikorn and kueue",
        /// Name of an existing PriorityClass: the gang's place in its queue. The pods have it too,
        /// unless their role names one.
        priority_class_name: Option<String> => "PodGroup spec.priorityClassName, pods' priorityClassName",
        /// What the whole gang needs, instead of what is reckoned from driver and executors.
        resources: BTreeMap<String, Quantity> => "PodGroup spec.minResources",
    }
}

/// Who schedules the application's pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheduler {
    /// The cluster's own.
    Default,
    /// Volcano, with a PodGroup.
    Volcano,
    /// Apache YuniKorn, with task groups in annotations.
    YuniKorn,
    /// The cluster's own, behind Kueue: a label names the queue, and Kueue's gate holds each pod until it is let in.
    Kueue,
    /// A kube-scheduler of that name, whose coscheduling plugin has PodGroups of its own.
    Coscheduling(String),
}

/// The label by which Kueue knows a pod's queue. On a SparkApplication it is what the operator's users have.
pub const KUEUE_QUEUE: &str = "kueue.x-k8s.io/queue-name";

impl Scheduler {
    /// By `batchScheduler`, else by Kueue's label among the document's own.
    pub fn of(job: &Job) -> Self {
        match job.spec.batch_scheduler.as_deref() {
            None | Some("") if job.labels.contains_key(KUEUE_QUEUE) => Self::Kueue,
            None | Some("") => Self::Default,
            Some("volcano") => Self::Volcano,
            Some("yunikorn") => Self::YuniKorn,
            Some("kueue") => Self::Kueue,
            Some(name) => Self::Coscheduling(name.to_owned()),
        }
    }

    /// `schedulerName` of the pods.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Default | Self::Kueue => None,
            Self::Volcano => Some("volcano"),
            Self::YuniKorn => Some("yunikorn"),
            Self::Coscheduling(name) => Some(name),
        }
    }

    /// The label of pods that names their queue.
    pub fn queue_label(&self) -> Option<&'static str> {
        match self {
            Self::YuniKorn => Some("queue"),
            Self::Kueue => Some(KUEUE_QUEUE),
            Self::Default | Self::Volcano | Self::Coscheduling(_) => None,
        }
    }
}
