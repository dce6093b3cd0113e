use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::container::{self, Role};
use super::{Evidence, executor_failure};
use crate::spark::labels;

/// The latest objects of one application.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The driver's pod as last seen. It is kept after its deletion, because its last conditions show the reason.
    pub driver: Option<Pod>,
    /// How the driver's pod disappeared, if it did (without a `driver`: that none was found).
    pub gone: Option<Gone>,
    /// Drivers of earlier attempts, by name.
    pub earlier: BTreeMap<String, Pod>,
    /// Whether a Job creates the driver's pod: its end is then the application's.
    pub of_job: bool,
    /// The Job as last seen.
    pub job: Option<Job>,
    /// Whether the Job has been deleted.
    pub job_is_gone: bool,
    /// The existing executors' pods, by name.
    pub executors: BTreeMap<String, Pod>,
    /// Failed executors whose pods are gone, as last seen, by name: Spark deletes them at once.
    pub failed_executors: BTreeMap<String, Pod>,
    /// The latest end of an executor whose pod is gone, as far as it was seen.
    pub last_executor_end: Option<Timestamp>,
    /// Events about the driver's pod, about its Job, and about its PodGroup, by name.
    pub events: BTreeMap<String, Event>,
    /// The PodGroup as last seen.
    pub pod_group: Option<Value>,
    /// The results of lookups that explain a wait or a failure.
    pub evidence: Evidence,
    /// The PodGroup's queue, if it was needed and may be read.
    pub queue: Option<Value>,
}

/// How the driver's pod disappeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its deletion was seen: the last object is its last state.
    Seen,
    /// It was missing after a watch was reconnected: what happened in between is unknown.
    Missed,
}

impl Observed {
    /// Records a driver's or an executor's pod.
    pub fn apply_pod(&mut self, pod: Pod) {
        match role(&pod) {
            Some(Role::Driver) => self.record_driver(pod, None),
            Some(Role::Executor) => {
                let name = name(&pod);
                let before = self.executors.remove(&name);
                self.executors.insert(name, later(before, pod));
            }
            None => {}
        }
    }

    /// Records the deletion of a pod, with its last state.
    pub fn delete_pod(&mut self, pod: Pod) {
        match role(&pod) {
            Some(Role::Driver) => self.record_driver(pod, Some(Gone::Seen)),
            Some(Role::Executor) => {
                let before = self.executors.remove(&name(&pod));
                self.record_end(later(before, pod));
            }
            None => {}
        }
    }

    fn record_driver(&mut self, pod: Pod, gone: Option<Gone>) {
        if self.reuses_driver_name(&pod) {
            self.gone.get_or_insert(Gone::Missed);
            return;
        }
        if !self.is_current_driver(&pod) {
            self.earlier.insert(name(&pod), pod);
            return;
        }
        let before = self.driver.take().filter(|before| before.metadata.uid != pod.metadata.uid);
        self.earlier.extend(before.map(|before| (name(&before), before)));
        (self.driver, self.gone) = (Some(pod), gone);
    }

    /// Records a complete list: pods that are not in it are gone, since an unknown time.
    pub fn relist_pods(&mut self, pods: Vec<Pod>) {
        if !pods.iter().any(|pod| role(pod) == Some(Role::Driver)) {
            self.gone.get_or_insert(Gone::Missed);
        }
        let listed: BTreeSet<String> = pods.iter().map(name).collect();
        pods.into_iter().for_each(|pod| self.apply_pod(pod));
        let all = std::mem::take(&mut self.executors).into_iter();
        let (existing, gone): (BTreeMap<_, _>, BTreeMap<_, _>) = all.partition(|(name, _)| listed.contains(name));
        self.executors = existing;
        gone.into_values().for_each(|pod| self.record_end(pod));
    }

    /// Records the end of an executor whose pod is gone.
    fn record_end(&mut self, executor: Pod) {
        let deleted_at = executor.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        let ended_at = container::finished_at(&executor, Role::Executor).or(deleted_at);
        self.last_executor_end = self.last_executor_end.max(ended_at);
        if executor_failure::failure(&executor, None).is_some() {
            self.failed_executors.insert(name(&executor), executor);
        }
    }

    /// The application's namespace.
    pub fn namespace(&self) -> Option<&str> {
        let job = self.job.as_ref().and_then(|job| job.metadata.namespace.as_deref());
        job.or_else(|| self.driver.as_ref()?.metadata.namespace.as_deref())
    }

    /// When the application was created: the time of its Job, or else of its driver's pod.
    pub fn created(&self) -> Option<Timestamp> {
        let job = self.job.as_ref().and_then(|job| job.metadata.creation_timestamp.as_ref());
        let pod = self.driver.as_ref().and_then(|pod| pod.metadata.creation_timestamp.as_ref());
        job.or(pod).map(|time| time.0)
    }

    /// The drivers of all attempts that were seen, the oldest first.
    pub fn drivers(&self) -> Vec<&Pod> {
        let mut drivers: Vec<&Pod> = self.earlier.values().chain(&self.driver).collect();
        drivers.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        drivers
    }

    /// Events about this driver, by its UID: another pod may have had its name.
    pub(super) fn driver_events(&self) -> impl Iterator<Item = &Event> {
        let uid = self.driver.as_ref().and_then(|pod| pod.metadata.uid.as_deref());
        self.events.values().filter(move |event| uid.is_none() || event.involved_object.uid.as_deref() == uid)
    }

    /// Events about the PodGroup: Volcano reports in them what the conditions leave out.
    pub(super) fn pod_group_events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().filter(|event| event.involved_object.kind.as_deref() == Some("PodGroup"))
    }

    /// Whether the driver was deleted and somebody has since created another pod with its name: that pod's end is not
    /// this application's. Each retry of a Job has a name of its own.
    fn reuses_driver_name(&self, pod: &Pod) -> bool {
        let is_other = |known: &Pod| name(known) == name(pod) && known.metadata.uid != pod.metadata.uid;
        self.driver.as_ref().is_some_and(is_other) && self.is_current_driver(pod)
    }

    /// Whether this pod is the latest driver: the end of a driver that was replaced does not count. For two of the same
    /// second the name decides, so that the order in which they are seen does not matter.
    fn is_current_driver(&self, pod: &Pod) -> bool {
        let age = |pod: &Pod| (pod.metadata.creation_timestamp.as_ref().map(|time| time.0), name(pod));
        self.driver.as_ref().is_none_or(|known| known.metadata.uid == pod.metadata.uid || age(known) <= age(pod))
    }
}

/// An executor as it is now, or as it was when it failed. Spark also deletes failed executors, and the deletion must not
/// turn the failure into a normal end.
fn later(before: Option<Pod>, pod: Pod) -> Pod {
    let has_failed = |pod: &Pod| executor_failure::failure(pod, None).is_some();
    before.filter(|before| has_failed(before) && !has_failed(&pod)).unwrap_or(pod)
}

fn role(pod: &Pod) -> Option<Role> {
    let word = pod.metadata.labels.as_ref()?.get(labels::ROLE)?;
    [Role::Driver, Role::Executor].into_iter().find(|role| role.word() == word)
}

fn name(pod: &Pod) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}
