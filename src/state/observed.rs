use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::container::{self, Role};
use super::{Evidence, executor_failure};

/// The latest objects of one application.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The driver's pod as last seen: kept when it is deleted, because its last conditions say why.
    pub driver: Option<Pod>,
    /// That there is no driver pod any more (or, with no `driver`, that there was none to see).
    pub gone: Option<Gone>,
    /// Drivers of earlier attempts, by name.
    pub earlier: BTreeMap<String, Pod>,
    /// Whether a Job makes the driver's pod: its end is the application's.
    pub of_job: bool,
    /// The Job as last seen.
    pub job: Option<Job>,
    /// That there is no Job any more.
    pub job_is_gone: bool,
    /// The executors' pods that exist, by name.
    pub executors: BTreeMap<String, Pod>,
    /// Executors that failed and whose pods are gone, as last seen, by name: Spark deletes them at once.
    pub failed_executors: BTreeMap<String, Pod>,
    /// When the last of the executors ended whose pods are gone, so far as it was seen.
    pub departed: Option<Timestamp>,
    /// Events about the driver's pod, about its Job, and about its PodGroup, by name.
    pub events: BTreeMap<String, Event>,
    /// The PodGroup as it is in the cluster.
    pub pod_group: Option<Value>,
    /// What was looked at to explain a wait or a failure.
    pub evidence: Evidence,
    /// The PodGroup's queue, where it was worth asking for and may be read.
    pub queue: Option<Value>,
}

/// How the driver's pod went out of sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    /// Its deletion was seen: the last object is its last state.
    Seen,
    /// It was missing when a broken watch was resumed: what happened in between is not known.
    Missed,
}

impl Observed {
    /// Takes in a driver's or an executor's pod.
    pub fn apply_pod(&mut self, pod: Pod) {
        match role(&pod) {
            "driver" => self.take_driver(pod, None),
            "executor" => {
                let name = name(&pod);
                let before = self.executors.remove(&name);
                self.executors.insert(name, later(before, pod));
            }
            _ => {}
        }
    }

    /// Takes in the deletion of a pod, with its last state.
    pub fn delete_pod(&mut self, pod: Pod) {
        match role(&pod) {
            "driver" => self.take_driver(pod, Some(Gone::Seen)),
            "executor" => {
                let before = self.executors.remove(&name(&pod));
                self.take_departed(later(before, pod));
            }
            _ => {}
        }
    }

    fn take_driver(&mut self, pod: Pod, gone: Option<Gone>) {
        if self.is_another_of_its_name(&pod) {
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

    /// Takes in a whole new list: what is not in it is gone, and when is not known.
    pub fn relist_pods(&mut self, pods: Vec<Pod>) {
        if !pods.iter().any(|pod| role(pod) == "driver") {
            self.gone.get_or_insert(Gone::Missed);
        }
        let listed: BTreeSet<String> = pods.iter().map(name).collect();
        pods.into_iter().for_each(|pod| self.apply_pod(pod));
        let all = std::mem::take(&mut self.executors).into_iter();
        let (there, departed): (BTreeMap<_, _>, BTreeMap<_, _>) = all.partition(|(name, _)| listed.contains(name));
        self.executors = there;
        departed.into_values().for_each(|pod| self.take_departed(pod));
    }

    fn take_departed(&mut self, executor: Pod) {
        let told_to_stop = executor.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        self.departed = self.departed.max(container::finished_at(&executor, Role::Executor).or(told_to_stop));
        if executor_failure::failure(&executor, None).is_some() {
            self.failed_executors.insert(name(&executor), executor);
        }
    }

    /// Where the application is.
    pub fn namespace(&self) -> Option<&str> {
        let job = self.job.as_ref().and_then(|job| job.metadata.namespace.as_deref());
        job.or_else(|| self.driver.as_ref()?.metadata.namespace.as_deref())
    }

    /// When the application was created: its Job, or its driver's pod.
    pub fn created(&self) -> Option<Timestamp> {
        let job = self.job.as_ref().and_then(|job| job.metadata.creation_timestamp.as_ref());
        let pod = self.driver.as_ref().and_then(|pod| pod.metadata.creation_timestamp.as_ref());
        job.or(pod).map(|time| time.0)
    }

    /// The drivers of all attempts that are there, the first one first.
    pub fn drivers(&self) -> Vec<&Pod> {
        let mut drivers: Vec<&Pod> = self.earlier.values().chain(&self.driver).collect();
        drivers.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        drivers
    }

    /// Events about this very driver: another pod may have had its name.
    pub(super) fn driver_events(&self) -> impl Iterator<Item = &Event> {
        let uid = self.driver.as_ref().and_then(|pod| pod.metadata.uid.as_deref());
        self.events.values().filter(move |event| uid.is_none() || event.involved_object.uid.as_deref() == uid)
    }

    /// Events about the PodGroup: Volcano says there what its conditions leave out.
    pub(super) fn pod_group_events(&self) -> impl Iterator<Item = &Event> {
        self.events.values().filter(|event| event.involved_object.kind.as_deref() == Some("PodGroup"))
    }

    /// Whether the driver was deleted and somebody has since made another under its name: that one's end is
    /// not this application's. Each retry of a Job has a name of its own.
    fn is_another_of_its_name(&self, pod: &Pod) -> bool {
        let is_other = |known: &Pod| name(known) == name(pod) && known.metadata.uid != pod.metadata.uid;
        self.driver.as_ref().is_some_and(is_other) && self.is_current_driver(pod)
    }

    /// A retried driver is newer than the one it replaces; the older one's end is then of no account. Of two of
    /// the same second the name decides, so that it does not matter which is seen first.
    fn is_current_driver(&self, pod: &Pod) -> bool {
        let age = |pod: &Pod| (pod.metadata.creation_timestamp.as_ref().map(|time| time.0), name(pod));
        self.driver.as_ref().is_none_or(|known| known.metadata.uid == pod.metadata.uid || age(known) <= age(pod))
    }
}

/// An executor as it is now, or as it was when it failed: Spark deletes what has failed, too, and that it is told to
/// stop then excuses nothing.
fn later(before: Option<Pod>, pod: Pod) -> Pod {
    let has_failed = |pod: &Pod| executor_failure::failure(pod, None).is_some();
    before.filter(|before| has_failed(before) && !has_failed(&pod)).unwrap_or(pod)
}

fn role(pod: &Pod) -> &str {
    let labels = pod.metadata.labels.as_ref();
    labels.and_then(|labels| labels.get("spark-role")).map_or("", String::as_str)
}

fn name(pod: &Pod) -> String {
    pod.metadata.name.clone().unwrap_or_default()
}
