//! Executors that the driver asks for and that do not exist.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::hint::log::log_hint;
use super::hint::refusal::refusal_hint;
use super::limits::has_passed;
use super::{Limits, Observed};
use crate::manifests::{EXECUTORS, MIN_EXECUTORS};
use crate::spark::Allocation;

/// How long the driver may take to create executors: Spark creates a few at a time.
const SETTLES: Duration = Duration::from_secs(10);
/// When to look for the reason, in seconds after the last executor was created or ended, or the driver started. A JVM may
/// take a minute to start where many do.
const LOOKS: [u64; 10] = [10, 15, 20, 30, 45, 60, 90, 120, 600, 1800];

/// How many executors the driver asks for: by its annotations, or else by its settings, if they were looked up.
pub(super) fn allocation(observed: &Observed) -> Option<Allocation> {
    let annotations = observed.driver.as_ref()?.metadata.annotations.as_ref();
    let number = |key: &str| annotations?.get(key)?.parse::<u32>().ok();
    let noted =
        number(EXECUTORS).map(|initial| Allocation { initial, minimum: number(MIN_EXECUTORS).unwrap_or(initial) });
    noted.or_else(|| observed.evidence.settings.as_ref().map(Allocation::of))
}

/// Since when fewer executors exist than the driver asks for, if it has had time to create them and Spark has not stopped.
pub(super) fn since(observed: &Observed, existing: usize, wanted: usize, limits: &Limits) -> Option<Timestamp> {
    let driver = observed.driver.as_ref().filter(|driver| container::is_running(driver, Role::Driver))?;
    let has_stopped =
        observed.evidence.stopped.as_ref().is_some_and(|stopped| driver.metadata.uid.as_ref() == Some(&stopped.driver));
    if existing >= wanted || has_stopped {
        return None;
    }
    let times = observed.executors.values().flat_map(|pod| {
        let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
        [created, container::finished_at(pod, Role::Executor)]
    });
    let changed = times.max().flatten().max(observed.last_executor_end);
    let since = changed.max(container::started_at(driver, Role::Driver))?;
    has_passed(since, SETTLES, limits).then_some(since)
}

/// Since when a driver has been running.
pub fn driver_runs_since(driver: &Pod) -> Option<Timestamp> {
    container::started_at(driver, Role::Driver).filter(|_| container::is_running(driver, Role::Driver))
}

/// When to look for the reason of a shortage last.
pub(super) fn look(since: Timestamp, limits: &Limits) -> Option<Timestamp> {
    let due = LOOKS.map(Duration::from_secs).into_iter().rev().find(|after| has_passed(since, *after, limits))?;
    since.checked_add(due).ok()
}

/// What the API server answered to the driver's request for an executor, by the end of the driver's log: the latest
/// refusal, without the name of the pod.
///
/// Source: `OperationSupport.requestFailure` of the Kubernetes client that Spark uses.
pub fn refusal_in_log(log: &str) -> Option<String> {
    let line = log.lines().rev().find(|line| line.contains("Failure executing: POST at: "))?;
    let (_, message) = line.split_once(" Message: ")?;
    let message = message.split(" Received status: ").next().unwrap_or(message).trim_end_matches('.');
    Some(without_pod_name(message).to_owned())
}

/// `exceeded quota: …` of `pods "pi-exec-1" is forbidden: exceeded quota: …`: each try has a name of its own. That somebody
/// lacks a right is left whole.
fn without_pod_name(message: &str) -> &str {
    let reason = ["\" is forbidden: ", "\" is invalid: "].iter().find_map(|mark| message.split_once(mark));
    match reason {
        Some((_, reason)) if !reason.starts_with("User ") => reason,
        _ => message,
    }
}

/// What to do about such a refusal.
pub(super) fn hint(refusal: &str, namespace: &str) -> String {
    log_hint(refusal).or_else(|| refusal_hint(refusal, namespace)).unwrap_or_else(|| {
        "the API server accepts no executor like this: correct the executors' settings, and submit again".into()
    })
}

#[cfg(test)]
mod tests {
    use super::refusal_in_log;

    #[test]
    fn finds_the_latest_refusal_in_the_drivers_log() {
        let refusal = |id: u32, why: &str| {
            format!(
                "26/12/01 06:01:46 WARN ExecutorPodsSnapshotsStoreImpl: Exception when notifying snapshot subscriber.\n\
                 io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: POST at: \
                 https://kubernetes.default.svc/api/v1/namespaces/jobs/pods. Message: pods \"pi-exec-{id}\" is {why}. \
                 Received status: Status(apiVersion=v1, code=403).\n\tat io.fabric8.kubernetes.client.X(X.java:1)\n"
            )
        };
        let log = refusal(1, "invalid: x: y") + &refusal(2, "forbidden: exceeded quota: few, requested: pods=1");
        assert_eq!(refusal_in_log(&log).as_deref(), Some("exceeded quota: few, requested: pods=1"));
        let rights = refusal(3, "forbidden: User \"system:serviceaccount:jobs:x\" cannot create resource \"pods\"");
        assert!(refusal_in_log(&rights).is_some_and(|refusal| refusal.contains("is forbidden: User")));
        assert_eq!(refusal_in_log("26/12/01 06:01:46 INFO SparkContext: Running Spark"), None);
    }
}
