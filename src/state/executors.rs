use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::meaning::exit_code_meaning;
use super::{Observed, outcome, scheduling};

/// What the executors are doing, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executors {
    pub pending: usize,
    pub running: usize,
    pub failed: usize,
    /// Why one of the pending ones has no node.
    pub blocked: Option<String>,
    /// The failure that was last.
    pub last_failure: Option<Fallen>,
}

/// An executor that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct Fallen {
    pub name: String,
    pub exit_code: Option<i32>,
    /// What happened, and what it means.
    pub reason: String,
    pub at: Option<Timestamp>,
}

impl Executors {
    pub(super) fn of(observed: &Observed) -> Executors {
        let pods = || observed.executors.values().filter(|pod| is_of(observed.driver.as_ref(), pod));
        let failures = pods().filter_map(failure).chain(observed.fallen.iter().cloned());
        Executors {
            pending: pods().filter(|pod| is_pending(pod)).count(),
            running: pods().filter(|pod| container::is_running(pod, Role::Executor)).count(),
            failed: pods().filter(|pod| failure(pod).is_some()).count() + observed.fallen.len(),
            blocked: pods().filter(|pod| is_pending(pod)).find_map(scheduling::unschedulable),
            last_failure: failures.max_by_key(|fallen| fallen.at),
        }
    }
}

/// Whether an executor was made by this driver, and not by that of an earlier attempt: Spark makes the
/// driver's pod its owner.
fn is_of(driver: Option<&Pod>, executor: &Pod) -> bool {
    let owners = executor.metadata.owner_references.iter().flatten();
    let mut pods = owners.filter(|owner| owner.kind == "Pod").peekable();
    let driver = driver.and_then(|driver| driver.metadata.uid.as_deref());
    pods.peek().is_none() || driver.is_none() || pods.any(|owner| Some(owner.uid.as_str()) == driver)
}

/// What an executor is called where several speak: `exec-1`.
pub fn executor_called(pod: &Pod) -> String {
    executor_id(pod).map_or_else(|| pod.metadata.name.clone().unwrap_or_default(), |id| format!("exec-{id}"))
}

/// Whether an executor's container has been started, so that there is a log to read.
pub fn executor_has_log(pod: &Pod) -> bool {
    executor_has_ended(pod) || container::is_running(pod, Role::Executor)
}

pub fn executor_has_ended(pod: &Pod) -> bool {
    container::terminated(pod, Role::Executor).is_some()
}

/// The number by which Spark calls an executor.
pub fn executor_id(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get("spark-exec-id").map(String::as_str)
}

fn is_pending(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none()
        && !container::is_running(pod, Role::Executor)
        && matches!(phase, Some("Pending") | None)
}

/// How an executor failed, if it did. One that the driver told to stop did not: it ends by SIGTERM
/// (143) or SIGKILL (137) after its pod was marked for deletion.
pub(super) fn failure(pod: &Pod) -> Option<Fallen> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let told_to_stop = pod.metadata.deletion_timestamp.is_some();
    let disruption = outcome::disruption(pod);
    let Some(end) = container::terminated(pod, Role::Executor) else {
        let status = pod.status.as_ref()?;
        let failed = status.phase.as_deref() == Some("Failed");
        let reason = disruption.or_else(|| failed.then(|| outcome::pod_reason(pod)).flatten())?;
        return Some(Fallen { name, exit_code: None, reason, at: None });
    };
    let at = end.finished_at.as_ref().map(|time| time.0);
    let killed = matches!(end.exit_code, 137 | 143);
    let oom = end.reason.as_deref() == Some("OOMKilled");
    if end.exit_code == 0 || (told_to_stop && killed && !oom && disruption.is_none()) {
        return None;
    }
    let reason = disruption.unwrap_or_else(|| match container::memory_limit(pod, Role::Executor) {
        Some(limit) if oom => format!("OOMKilled: out of memory at its limit of {limit}"),
        _ if oom => "OOMKilled: out of memory".into(),
        _ => exit_code_meaning(end.exit_code).unwrap_or("its process failed").into(),
    });
    Some(Fallen { name, exit_code: Some(end.exit_code), reason, at })
}
