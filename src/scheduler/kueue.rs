//! Kueue: it does not schedule itself, but holds each pod with a gate until its queue admits it.

use super::rules::{Queues, Rules};

/// The label that names a pod's queue. The operator's users set it on a SparkApplication.
const QUEUE: &str = "kueue.x-k8s.io/queue-name";
const API: &str = "kueue.x-k8s.io/v1beta1";

/// Source: "Run Plain Pods" in Kueue's documentation.
#[derive(Debug)]
pub(super) struct Kueue;

impl Rules for Kueue {
    fn name(&self) -> Option<&'static str> {
        Some("kueue")
    }

    fn title(&self) -> &'static str {
        "Kueue"
    }

    fn api(&self) -> Option<&'static str> {
        Some(API)
    }

    /// The pods are the cluster's own scheduler's.
    fn pods_scheduler_name<'a>(&self, _name: &'a str) -> Option<&'a str> {
        None
    }

    fn missing_option(&self, has_queue: bool) -> Option<(&'static str, &'static str)> {
        (!has_queue).then_some(("Kueue needs the name of a LocalQueue", "set batchSchedulerOptions.queue, or --queue"))
    }

    fn queue_label(&self) -> Option<&'static str> {
        Some(QUEUE)
    }

    fn admits_by_label(&self) -> bool {
        true
    }

    fn own_labels(&self) -> Option<&'static str> {
        Some("kueue.x-k8s.io/")
    }

    fn gate(&self) -> Option<(&'static str, &'static str)> {
        Some(("kueue", "Kueue admits it when its queue has room: kubectl get workloads"))
    }

    fn suspended_hint(&self) -> Option<&'static str> {
        Some("a queue such as Kueue's resumes it when there is room: kubectl get workloads")
    }

    fn queues(&self) -> Option<Queues> {
        Some(Queues { version: API, plural: "localqueues", noun: "LocalQueue", is_namespaced: true, setup: None })
    }
}
