use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::executor_failure::{ExecutorFailure, failure};
use super::limits::has_passed;
use super::{Limits, Observed, evidence, executor_shortage, reachability, scheduling};
use crate::scheduler::{self, Rules};

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
    /// Why one of the pending ones does not start.
    pub blocked: Option<String>,
    /// Since when fewer exist than the driver asks for, if it has had time to create them.
    pub short_since: Option<Timestamp>,
    /// Why the API server refuses those that do not exist, if that was found.
    pub refused: Option<String>,
    /// What to do about executors that do not come, or do not stay.
    pub hint: Option<String>,
    /// Why they do not reach their driver, where that was looked up.
    pub cut_off: Option<String>,
    /// Whether none runs, and one has waited for a node for a while.
    pub starved: bool,
    /// The failure that was last.
    pub last_failure: Option<ExecutorFailure>,
    /// The failure that explains most.
    pub main_failure: Option<ExecutorFailure>,
}

/// How long executors without a node are nothing to speak of while none runs.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// So many failures are no accident.
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
        let fallen =
            observed.failed_executors.iter().filter(|(name, _)| is_gone(name)).map(|(_, pod)| pod).filter(is_own);
        let failures: Vec<ExecutorFailure> = pods().chain(fallen).filter_map(|pod| failure(pod, settings)).collect();
        let running = pods().filter(|pod| container::is_running(pod, Role::Executor)).count();
        let waits =
            |pod: &Pod| pod.metadata.creation_timestamp.as_ref().is_some_and(|at| has_passed(at.0, PATIENCE, limits));
        let starved = running == 0 && pending().any(|pod| scheduling::unschedulable(pod).is_some() && waits(pod));
        let unplaced = pending().find(|pod| scheduling::unschedulable(pod).is_some());
        let last_failure = failures.iter().max_by_key(|fallen| (fallen.at, &fallen.name)).cloned();
        let main_failure = main_failure(&failures).cloned();
        let cut_off = last_failure.as_ref().and_then(|last| cut_off(last, observed));
        let seen = pods().next().is_some() || !failures.is_empty() || observed.departed.is_some();
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
            hint: starvation(unplaced.filter(|_| starved), observed)
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

/// A driver holds its resources while no executor can be scheduled: several such drivers block each other forever.
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

/// What keeps the executor that failed last from its driver, as far as was looked at.
fn cut_off(last: &ExecutorFailure, observed: &Observed) -> Option<String> {
    let executor = observed.executors.get(&last.name).or_else(|| observed.failed_executors.get(&last.name))?;
    reachability::cut_off(observed.driver.as_ref()?, executor, observed.evidence.reachability.as_ref()?)
}

/// The last of those that most are like. One that ended with 1 tells less than another: so do those, too, that come when
/// the driver has given up.
fn main_failure(failures: &[ExecutorFailure]) -> Option<&ExecutorFailure> {
    let mut alike = BTreeMap::<Option<i32>, usize>::new();
    failures.iter().for_each(|fallen| *alike.entry(fallen.exit_code).or_default() += 1);
    failures
        .iter()
        .max_by_key(|fallen| (alike[&fallen.exit_code], fallen.exit_code != Some(1), fallen.at, &fallen.name))
}

/// Executors that fail one after another, in the same way, never bring an application to its end.
fn repeated(failures: &[ExecutorFailure], main: &ExecutorFailure, running: usize) -> Option<String> {
    if failures.len() < MANY || running > 0 {
        return None;
    }
    let alike = failures.iter().filter(|fallen| fallen.exit_code == main.exit_code).count();
    let code = main.exit_code.map(|code| format!(" with exit code {code}")).unwrap_or_default();
    Some(format!(
        "{alike} of {} executors failed{code}: the cause is in their logs, or in the driver's service and DNS if they end within seconds; spark.executor.maxNumFailures bounds it",
        failures.len()
    ))
}

/// Why a container of an executor that has a node is not started.
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
