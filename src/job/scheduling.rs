//! `batchScheduler` and its options: the gang.

use std::collections::BTreeMap;

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
