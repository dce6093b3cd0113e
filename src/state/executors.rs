use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::executor_failure::{ExecutorFailure, failure};
use super::hint::scheduling::ports_hint;
use super::limits::has_passed;
use super::{Limits, Observed, evidence, executor_shortage, reachability, scheduling};
use crate::scheduler::{self, Rules};
use crate::spark::labels;

/// What the executors are doing, counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Executors {
    /// How many the driver asks for, if it is known: with dynamic allocation, at its start or at least.
    pub wanted: Option<usize>,
    /// Whether any has been seen.
    pub seen: bool,
    pub pending: usize,
    pub running: usize,
    pub failed: usize,
    /// Why one of the pending executors does not start.
    pub blocked: Option<String>,
    /// Since when fewer exist than the driver asks for, if it has had time to create them.
    pub short_since: Option<Timestamp>,
    /// Why the API server refuses those that do not exist, if that was found.
    pub refused: Option<String>,
    /// What to do about executors that do not start, or fail.
    pub hint: Option<String>,
    /// Why they cannot reach their driver, if that was looked up.
    pub cut_off: Option<String>,
    /// Whether none is running, and one has been waiting for a node for a while.
    pub starved: bool,
    /// The most recent failure.
    pub last_failure: Option<ExecutorFailure>,
    /// The failure that explains most.
    pub main_failure: Option<ExecutorFailure>,
}

/// How long executors may wait for a node, while none is running, before the wait is reported.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// This many failures are hardly a coincidence.
const MANY: usize = 5;

impl Executors {
    /// How many of those that the driver asks for do not exist.
    pub fn missing(&self) -> usize {
        self.wanted.unwrap_or_default().saturating_sub(self.pending + self.running)
    }

    pub(super) fn of(observed: &Observed, limits: &Limits) -> Executors {
        let settings = observed.evidence.settings.as_ref();
        let is_own = |pod: &&Pod| is_of(observed.driver.as_ref(), pod);
        let pods = || observed.executors.values().filter(is_own);
        let pending = || pods().filter(|pod| is_pending(pod));
        let is_gone = |name: &&String| !observed.executors.contains_key(*name);
        let removed =
            observed.failed_executors.iter().filter(|(name, _)| is_gone(name)).map(|(_, pod)| pod).filter(is_own);
        let failures: Vec<ExecutorFailure> = pods().chain(removed).filter_map(|pod| failure(pod, settings)).collect();
        let running = pods().filter(|pod| container::is_running(pod, Role::Executor)).count();
        let has_waited =
            |pod: &Pod| pod.metadata.creation_timestamp.as_ref().is_some_and(|at| has_passed(at.0, PATIENCE, limits));
        let starved = running == 0 && pending().any(|pod| scheduling::unschedulable(pod).is_some() && has_waited(pod));
        let unplaced = pending().find(|pod| scheduling::unschedulable(pod).is_some());
        let last_failure = failures.iter().max_by_key(|failure| (failure.at, &failure.name)).cloned();
        let main_failure = main_failure(&failures).cloned();
        let cut_off = last_failure.as_ref().and_then(|last| cut_off(last, observed));
        let seen = pods().next().is_some() || !failures.is_empty() || observed.last_executor_end.is_some();
        let wanted = executor_shortage::allocation(observed)
            .map(|allocation| if seen { allocation.minimum } else { allocation.initial } as usize);
        let existing = pending().count() + running;
        let short_since = executor_shortage::since(observed, existing, wanted.unwrap_or_default(), limits);
        let refused = observed.evidence.executors_refused.clone().filter(|_| short_since.is_some());
        let refused_hint =
            refused.as_ref().map(|refusal| executor_shortage::hint(refusal, observed.namespace().unwrap_or_default()));
        Executors {
            wanted,
            seen,
            short_since,
            refused,
            pending: pending().count(),
            running,
            failed: failures.len(),
            blocked: pending().find_map(|pod| scheduling::unschedulable(pod).or_else(|| not_starting(pod))),
            starved,
            hint: unplaced
                .and_then(|pod| ports_hint(&scheduling::unschedulable(pod)?))
                .map(str::to_owned)
                .or_else(|| starvation(unplaced.filter(|_| starved), observed))
                .or(refused_hint)
                .or_else(|| cut_off.clone())
                .or_else(|| main_failure.as_ref()?.hint.clone())
                .or_else(|| repeated(&failures, main_failure.as_ref()?, running)),
            cut_off,
            last_failure,
            main_failure,
        }
    }
}

/// Hint on a driver that holds its resources while no executor can be scheduled: several such drivers can block each
/// other forever.
fn starvation(starved: Option<&Pod>, observed: &Observed) -> Option<String> {
    let executor = starved?;
    let gang = scheduler::all().filter(|rules| rules.explains_waits()).find_map(Rules::name);
    let remedy = match gang.filter(|_| observed.pod_group.is_none()) {
        None => "wait for other work to end".to_owned(),
        Some(name) => format!(
            "have a gang scheduler start the application only when there is room for all of it (batchScheduler: {name})"
        ),
    };
    let why = evidence::no_node(executor, Role::Executor, &observed.evidence)
        .map(|why| format!("; {why}"))
        .unwrap_or_default();
    Some(format!(
        "the driver holds its resources, and no executor can be scheduled: request fewer or smaller executors, or {remedy}{why}"
    ))
}

/// What keeps the executor that failed last from reaching its driver, as far as that was looked up.
fn cut_off(last: &ExecutorFailure, observed: &Observed) -> Option<String> {
    let executor = observed.executors.get(&last.name).or_else(|| observed.failed_executors.get(&last.name))?;
    reachability::cut_off(observed.driver.as_ref()?, executor, observed.evidence.reachability.as_ref()?)
}

/// The latest failure with the most frequent exit code. Among equally frequent ones, exit code 1 comes last: executors
/// that start after the driver has given up exit with it, too.
fn main_failure(failures: &[ExecutorFailure]) -> Option<&ExecutorFailure> {
    let mut alike = BTreeMap::<Option<i32>, usize>::new();
    failures.iter().for_each(|failure| *alike.entry(failure.exit_code).or_default() += 1);
    failures
        .iter()
        .max_by_key(|failure| (alike[&failure.exit_code], failure.exit_code != Some(1), failure.at, &failure.name))
}

/// Hint on executors that keep failing in the same way: Spark replaces them, so the application never ends.
fn repeated(failures: &[ExecutorFailure], main: &ExecutorFailure, running: usize) -> Option<String> {
    if failures.len() < MANY || running > 0 {
        return None;
    }
    let alike = failures.iter().filter(|failure| failure.exit_code == main.exit_code).count();
    let code = main.exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
    Some(format!(
        "{alike} of {} executors failed{code}: the cause is in their logs, or in the driver's service and DNS if they end within seconds; spark.executor.maxNumFailures limits the number of failures",
        failures.len()
    ))
}

/// Why a container of an executor is not started although the pod has a node.
fn not_starting(pod: &Pod) -> Option<String> {
    container::statuses(pod).find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        match waiting.reason.as_deref()? {
            "ContainerCreating" | "PodInitializing" => None,
            reason @ ("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName") => {
                Some(format!("{reason}: {}", status.image))
            }
            reason => Some(waiting.message.clone().map_or_else(|| reason.to_owned(), |why| format!("{reason}: {why}"))),
        }
    })
}

/// Whether this driver created an executor, and not the driver of an earlier attempt: Spark makes the driver's pod the
/// owner of its executors.
fn is_of(driver: Option<&Pod>, executor: &Pod) -> bool {
    let owners = executor.metadata.owner_references.iter().flatten();
    let mut pods = owners.filter(|owner| owner.kind == "Pod").peekable();
    let driver = driver.and_then(|driver| driver.metadata.uid.as_deref());
    pods.peek().is_none() || driver.is_none() || pods.any(|owner| Some(owner.uid.as_str()) == driver)
}

/// Short name of an executor, as in the prefix of its log lines: `exec-1`.
pub fn executor_short_name(pod: &Pod) -> String {
    executor_id(pod).map_or_else(|| pod.metadata.name.clone().unwrap_or_default(), |id| format!("exec-{id}"))
}

/// Whether an executor's container has been started, so that there is a log to read.
pub fn executor_has_log(pod: &Pod) -> bool {
    executor_has_ended(pod) || container::is_running(pod, Role::Executor)
}

pub fn executor_has_ended(pod: &Pod) -> bool {
    container::terminated(pod, Role::Executor).is_some()
}

/// Spark's number of an executor.
pub fn executor_id(pod: &Pod) -> Option<&str> {
    pod.metadata.labels.as_ref()?.get(labels::EXECUTOR).map(String::as_str)
}

fn is_pending(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    pod.metadata.deletion_timestamp.is_none()
        && !container::is_running(pod, Role::Executor)
        && matches!(phase, Some("Pending") | None)
}
