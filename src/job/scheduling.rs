//! `batchScheduler` and its options: the gang.

use std::collections::BTreeMap;

use super::Job;
use super::quantities::Quantity;
use super::schema::section;
use crate::scheduler::{self, Scheduler};

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

impl Job {
    /// The scheduler of the application's pods: by `batchScheduler`, else by a label of the document.
    pub fn scheduler(&self) -> Scheduler {
        Scheduler::of(self.spec.batch_scheduler.as_deref(), &self.labels)
    }

    /// The name of the queue, by the options or by a label of the document.
    pub fn queue(&self) -> Option<&String> {
        self.spec.batch_scheduler_options.queue.as_ref().or_else(|| scheduler::labelled_queue(&self.labels))
    }
}
