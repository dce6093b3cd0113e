//! `batchScheduler` and its options: the gang.

use std::collections::BTreeMap;

use super::quantities::Quantity;
use super::read::section;

section! {
    /// How the gang is scheduled.
    pub struct BatchSchedulerOptions {
        /// Queue of the gang.
        queue: Option<String> => "PodGroup spec.queue; label queue for yunikorn",
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
    /// Another, by its name.
    Named(String),
}

impl Scheduler {
    pub fn of(batch_scheduler: Option<&str>) -> Self {
        match batch_scheduler {
            None | Some("") => Self::Default,
            Some("volcano") => Self::Volcano,
            Some("yunikorn") => Self::YuniKorn,
            Some(name) => Self::Named(name.to_owned()),
        }
    }

    /// `schedulerName` of the pods.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Default => None,
            Self::Volcano => Some("volcano"),
            Self::YuniKorn => Some("yunikorn"),
            Self::Named(name) => Some(name),
        }
    }
}
