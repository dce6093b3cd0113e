//! An application's state, and why it is waiting or how it ended, derived from its latest objects.
//!
//! [`State::of`] is a total function of its arguments, so that a missed, repeated or reordered event does no harm, and a
//! second `sparkctl` shows the same as the first.

mod admission;
mod attempts;
mod container;
mod evidence;
mod exception;
mod executors;
mod exit_code_meaning;
mod hint;
mod lingering;
mod log_excerpt;
mod missing;
mod observed;
mod outcome;
mod reachability;
mod scheduling;
mod waiting;

use std::time::Duration;

pub use admission::changed_by_admission;
pub use attempts::{Attempt, Count, PastAttempt, driver_of_attempt, latest_driver};
pub use evidence::{Claims, Evidence, Lookup, LookupResult, Nodes, lookups};
pub use exception::last_exception;
pub use executors::{ExecutorFailure, Executors, executor_called, executor_has_ended, executor_has_log, executor_id};
pub use exit_code_meaning::exit_code_meaning;
pub use hint::refusal::refusal_hint;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
pub use lingering::{LINGERS, LINGERS_HINT, Stopped, has_stopped};
pub use log_excerpt::excerpt;
pub use missing::{Alternatives, Missing};
pub use observed::{Gone, Observed};
pub use outcome::{Ending, Outcome};
pub use reachability::{DriverService, Reachability, service_of};
#[cfg(test)]
pub use waiting::Reason;
pub use waiting::{Waiting, event_time};

use crate::manifests::HOLD;

/// How long to tolerate a problem that rarely resolves itself (image, config map, volume).
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The time and the limits by which objects are judged.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The current time of the cluster, whose clock the times of objects are from.
    pub now: Timestamp,
    /// How long to tolerate a missing image, config map or volume.
    pub patience: Duration,
    /// How long after its creation the driver's container must run; without it there is no limit.
    pub start_timeout: Option<Duration>,
}

/// The state of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub status: Status,
    pub executors: Executors,
    pub durations: Durations,
    /// Of an application that the cluster may try several times.
    pub attempt: Option<Attempt>,
    /// Node of the driver, once it has one.
    pub node: Option<String>,
    /// Since when Spark has stopped, of a driver that runs on all the same.
    pub lingers: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Not seen yet: the watch has not answered, or there is no driver pod so far.
    Unseen,
    /// Created, and held by sparkctl's own gate until all else exists.
    Held,
    /// Something must change before the driver's container can start.
    Waiting(Waiting),
    /// It is starting: the current step.
    Starting(String),
    Running,
    /// It is being stopped, and has not ended: the reason.
    Stopping(String),
    Ended(Outcome),
}

/// How long each phase lasted, by the cluster's own times, which are whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Durations {
    /// From the creation of the driver pod until it has a node.
    pub queued: Option<SignedDuration>,
    /// From then until its container runs.
    pub starting: Option<SignedDuration>,
    /// From then until its container ends.
    pub ran: Option<SignedDuration>,
}

impl Limits {
    /// The usual limits at a time of the cluster: the default patience, and no limit on the start.
    pub fn at(now: Timestamp) -> Self {
        Self { now, patience: PATIENCE, start_timeout: None }
    }
}

impl State {
    pub fn of(observed: &Observed, limits: &Limits) -> State {
        let (status, executors) = (status(observed, limits), Executors::of(observed, limits));
        let driver = latest_driver(observed);
        State {
            lingers: lingering::since(observed, &executors, limits).filter(|_| status == Status::Running),
            status,
            executors,
            durations: driver.map(|driver| Durations::of(driver, limits)).unwrap_or_default(),
            attempt: Attempt::of(observed),
            node: driver.and_then(|pod| pod.spec.as_ref()?.node_name.clone()),
        }
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.status {
            Status::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether the driver's container has been started, so that there is a log to read.
    pub fn driver_has_log(&self) -> bool {
        match &self.status {
            Status::Running | Status::Stopping(_) => self.durations.starting.is_some(),
            Status::Ended(outcome) => outcome.driver_exit_code.is_some(),
            Status::Waiting(_) => self.is_between_attempts() && self.durations.starting.is_some(),
            _ => false,
        }
    }

    /// Whether an attempt has ended, and another follows.
    pub fn is_between_attempts(&self) -> bool {
        matches!(&self.status, Status::Waiting(waiting) if waiting.reason == waiting::Reason::Retry)
    }
}

impl Status {
    /// One word for lists and JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Status::Unseen => "Unseen",
            Status::Held => "Held",
            Status::Waiting(_) => "Waiting",
            Status::Starting(_) => "Starting",
            Status::Running => "Running",
            Status::Stopping(_) => "Stopping",
            Status::Ended(outcome) => outcome.ending.word(),
        }
    }
}

/// Name of Spark's container in a driver's or an executor's pod.
pub fn spark_container(pod: &Pod) -> &str {
    let role = pod.metadata.labels.as_ref().and_then(|labels| labels.get("spark-role"));
    let is_executor = role.is_some_and(|role| role == "executor");
    container::spark_name(pod, if is_executor { container::Role::Executor } else { container::Role::Driver })
}

/// The init container that failed, for which a pod's own containers were not started: its log tells why.
pub fn failed_init(pod: &Pod) -> Option<&str> {
    let has_failed = outcome::phase(pod) == Some("Failed");
    container::failed_init(pod).filter(|_| has_failed).map(|(name, _)| name)
}

/// The port of a driver's Spark UI.
pub fn ui_port(driver: &Pod) -> u16 {
    let container = container::spark_container(driver, container::Role::Driver);
    let ports = container.and_then(|container| container.ports.as_ref());
    let named = ports.into_iter().flatten().find(|port| port.name.as_deref() == Some("spark-ui"));
    named.and_then(|port| u16::try_from(port.container_port).ok()).unwrap_or(4040)
}

fn status(observed: &Observed, limits: &Limits) -> Status {
    if let Some(job) = &observed.job {
        return attempts::status(job, observed, limits);
    }
    if observed.of_job {
        return if observed.job_is_gone { Status::Ended(Outcome::no_job()) } else { Status::Unseen };
    }
    let Some(driver) = &observed.driver else {
        return match observed.gone {
            None => Status::Unseen,
            Some(_) => Status::Ended(Outcome::never_seen()),
        };
    };
    of_driver(driver, observed, limits)
}

fn of_driver(driver: &Pod, observed: &Observed, limits: &Limits) -> Status {
    if let Some(outcome) = Outcome::of(driver, observed) {
        return Status::Ended(outcome);
    }
    if driver.metadata.deletion_timestamp.is_some() {
        return Status::Stopping(outcome::disruption(driver).unwrap_or_else(|| "its pod is being deleted".into()));
    }
    if container::is_running(driver, container::Role::Driver) {
        return Status::Running;
    }
    if scheduling::gates(driver).any(|gate| gate == HOLD) {
        return Status::Held;
    }
    match Waiting::of(driver, observed, limits) {
        Some(waiting) => match Outcome::given_up(driver, &waiting, limits) {
            Some(outcome) => Status::Ended(outcome),
            None => Status::Waiting(waiting),
        },
        None => match Outcome::too_late(driver, "its container is being started", limits) {
            Some(outcome) => Status::Ended(outcome),
            None => Status::Starting(waiting::step(driver, observed)),
        },
    }
}

impl Durations {
    /// The API server, the scheduler and the node each note times by a clock of their own: what they make of it
    /// is never negative, nor longer than the pod has been there.
    fn of(driver: &Pod, limits: &Limits) -> Durations {
        let created = driver.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let scheduled = scheduling::scheduled_at(driver);
        let started = container::started_at(driver, container::Role::Driver);
        let finished = container::finished_at(driver, container::Role::Driver);
        let longest = created.map(|created| limits.now.duration_since(created).max(SignedDuration::ZERO));
        let between = |start: Option<Timestamp>, end: Option<Timestamp>| {
            let lasted = end?.duration_since(start?).max(SignedDuration::ZERO);
            Some(longest.map_or(lasted, |longest| lasted.min(longest)))
        };
        Durations {
            queued: between(created, scheduled),
            starting: between(scheduled, started),
            ran: between(started, finished),
        }
    }
}

/// Whether `span` has passed between `since` and the cluster's present.
fn has_passed(since: Timestamp, span: Duration, limits: &Limits) -> bool {
    limits.now.duration_since(since).unsigned_abs() >= span && limits.now > since
}

/// Clamps `at` into `after..=now`: nodes stamp times with their own clock, and a skewed one must neither end a wait at
/// once nor prolong it forever.
fn clamp_time(at: Timestamp, after: Timestamp, limits: &Limits) -> Timestamp {
    if at > limits.now { after } else { at.max(after) }
}

#[cfg(test)]
mod tests;
