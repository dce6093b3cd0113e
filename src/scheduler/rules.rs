//! What can be known of a scheduler.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

use crate::spark::Role;

/// What is known of one scheduler. What a scheduler does not have keeps its default.
pub trait Rules: fmt::Debug + Sync {
    /// Its name in the job file's `batchScheduler`; none where every other name means it.
    fn name(&self) -> Option<&'static str>;

    /// Its name in messages.
    fn title(&self) -> &'static str;

    /// The API version that its installation adds to a cluster, if that can be asked for.
    fn api(&self) -> Option<&'static str> {
        None
    }

    /// `schedulerName` of the pods, by the name in the job file.
    fn pods_scheduler_name<'a>(&self, name: &'a str) -> Option<&'a str> {
        Some(name)
    }

    // The job file.

    /// Whether `batchSchedulerOptions.queue` has an effect.
    fn has_queues(&self) -> bool {
        true
    }

    /// The name and remedy of what a job must give, and this one does not.
    fn missing_option(&self, _has_queue: bool) -> Option<(&'static str, &'static str)> {
        None
    }

    /// The annotation, with its value, that keeps the running driver from being preempted.
    fn driver_protection(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    // The objects.

    /// The PodGroup of a gang without its metadata, for a scheduler that has such objects.
    fn pod_group(&self, _gang: &Gang) -> Option<Value> {
        None
    }

    /// What puts a pod into a PodGroup.
    fn group_mark(&self) -> Option<Mark> {
        None
    }

    /// Annotations and labels by which the driver's pod describes its gang.
    fn driver_marks(&self, _gang: &Gang) -> Vec<(Mark, String)> {
        Vec::new()
    }

    /// Whether it needs a [`Gang`] for its objects or marks.
    fn needs_gang(&self) -> bool {
        self.group_mark().is_some()
    }

    /// What puts executors into their group and queue.
    fn executor_marks(&self, _queue: Option<&str>) -> Vec<(Mark, String)> {
        Vec::new()
    }

    /// The annotation that names the application of a pod, over Spark's own label.
    fn application_annotation(&self) -> Option<&'static str> {
        None
    }

    /// The label that names a pod's queue.
    fn queue_label(&self) -> Option<&'static str> {
        None
    }

    /// Whether it admits pods one by one, by their label: each has it, and on a job file it chooses this scheduler.
    fn admits_by_label(&self) -> bool {
        false
    }

    /// How its labels begin that stay with the object that they are on, and are not for its pods.
    fn own_labels(&self) -> Option<&'static str> {
        None
    }

    // What keeps an application waiting.

    /// Whether the conditions of its PodGroups, and its queues, tell why an application waits, so that they are watched.
    fn explains_waits(&self) -> bool {
        false
    }

    /// Why it has not started a gang, and what to do, by its PodGroup, the group's queue where that may be read, and the
    /// message of its latest event about the group.
    fn wait(&self, _group: &Value, _queue: Option<&Value>, _event: Option<&str>) -> Option<(String, String)> {
        None
    }

    /// Whether this message about a pod only says that its gang is not scheduled, and the PodGroup knows why.
    fn is_about_gang(&self, _message: &str) -> bool {
        false
    }

    /// How the names of its scheduling gates begin, and what to do about a pod that one holds.
    fn gate(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// What to do about a Job that its queue may have suspended.
    fn suspended_hint(&self) -> Option<&'static str> {
        None
    }

    /// What to do about an object that it has the API server refuse, by the server's message.
    fn refusal_hint(&self, _message: &str) -> Option<&'static str> {
        None
    }

    /// Whether a later submission, unchanged, may be taken where this message refused one.
    fn may_pass(&self, _message: &str) -> bool {
        false
    }

    // What `doctor` asks.

    /// Where its queues are, for those that have objects for them.
    fn queues(&self) -> Option<Queues> {
        None
    }

    /// Whether a queue admits a gang: what to show, or what is wrong with it and what to do.
    fn judge_queue(&self, name: &str, _queue: &Value, _group: Option<&Value>) -> Result<String, (String, String)> {
        Ok(name.to_owned())
    }

    /// The config map of its installation: namespace and name.
    fn configuration(&self) -> Option<(&'static str, &'static str)> {
        None
    }

    /// Whether its configuration lets a priority class preempt: what to show, or what is wrong with it and what to do.
    fn judge_preemption(&self, class: &str, _configuration: &Value) -> Result<String, (String, String)> {
        Ok(class.to_owned())
    }
}

/// A label or annotation, by its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    Annotation(&'static str),
    Label(&'static str),
}

impl Mark {
    /// The key of the mark in Spark's settings for pods of that role.
    pub fn setting(self, role: Role) -> String {
        let (kind, key) = match self {
            Mark::Annotation(key) => ("annotation", key),
            Mark::Label(key) => ("label", key),
        };
        format!("spark.kubernetes.{}.{kind}.{key}", role.word())
    }

    /// Its value among a pod's labels and annotations.
    pub fn of<'a>(
        self,
        labels: Option<&'a BTreeMap<String, String>>,
        annotations: Option<&'a BTreeMap<String, String>>,
    ) -> Option<&'a String> {
        match self {
            Mark::Annotation(key) => annotations?.get(key),
            Mark::Label(key) => labels?.get(key),
        }
    }
}

/// The pods of an application that are to be scheduled together.
pub struct Gang<'a> {
    pub queue: Option<&'a str>,
    pub priority_class: Option<&'a str>,
    /// What all of it requests at its start.
    pub resources: Map<String, Value>,
    /// The driver, and executors where there are any at the start.
    pub members: Vec<Member>,
}

/// Pods of a gang that are alike.
pub struct Member {
    pub role: Role,
    pub count: u32,
    /// What one of them requests.
    pub request: Map<String, Value>,
    pub node_selector: BTreeMap<String, String>,
    pub tolerations: Vec<Value>,
    pub affinity: Option<Value>,
}

/// Where a scheduler keeps its queues, and how they are called.
#[derive(Clone, Copy, Debug)]
pub struct Queues {
    pub version: &'static str,
    pub plural: &'static str,
    /// `queue`, as it is in messages.
    pub noun: &'static str,
    pub is_namespaced: bool,
    /// The command of `sparkctl` that makes one.
    pub setup: Option<&'static str>,
}
