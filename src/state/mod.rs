//! What an application is doing, why it waits, and how it ended: read from its latest objects.
//!
//! [`State::of`] is total and looks at nothing but its arguments, so that a missed, repeated or
//! reordered event does no harm, and a second `sparkctl` says the same as the first.

mod admission;
mod attempts;
mod container;
mod evidence;
mod executors;
mod lingering;
mod log_excerpt;
mod log_hint;
mod meaning;
mod memory;
mod missing;
mod observed;
mod outcome;
mod reachability;
mod refused;
mod scheduling;
mod waiting;

use std::time::Duration;

pub use admission::changed_by_admission;
pub use attempts::{Attempt, Count, PastAttempt, driver_of_attempt, latest_driver};
pub use evidence::{Claims, Evidence, Lookup, LookupResult, Nodes, worth_a_look};
pub use executors::{ExecutorFailure, Executors, executor_called, executor_has_ended, executor_has_log, executor_id};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
pub use lingering::{LINGERS, LINGERS_HINT, Stopped, has_stopped};
pub use log_excerpt::excerpt;
pub use meaning::{exit_code_meaning, last_exception};
pub use missing::{Alternatives, Missing};
pub use observed::{Gone, Observed};
pub use outcome::{Ending, Outcome};
pub use reachability::{DriverService, Reachability, service_of};
pub use refused::refusal_hint;
#[cfg(test)]
pub use waiting::Reason;
pub use waiting::{Waiting, event_time};

use crate::manifests::HOLD;

/// How long a trouble that rarely heals (image, config map, volume) is borne before it is fatal.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// What a judgement needs beside the objects.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The cluster's present time: objects carry the cluster's times, so its clock counts.
    pub now: Timestamp,
    /// How long an image, config map or volume may be missing before the application could not start.
    pub patience: Duration,
    /// How long after its creation the driver's container must run; for ever when absent.
    pub start_timeout: Option<Duration>,
}

/// What an application is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub what: Status,
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
    /// On its way with nothing in it: what is being done.
    Starting(String),
    Running,
    /// Told to stop, and not yet ended: by what.
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

impl State {
    pub fn of(observed: &Observed, terms: &Limits) -> State {
        let (what, executors) = (what(observed, terms), Executors::of(observed, terms));
        let driver = latest_driver(observed);
        State {
            lingers: lingering::since(observed, &executors, terms).filter(|_| what == Status::Running),
            what,
            executors,
            durations: driver.map(|driver| Durations::of(driver, terms)).unwrap_or_default(),
            attempt: Attempt::of(observed),
            node: driver.and_then(|pod| pod.spec.as_ref()?.node_name.clone()),
        }
    }

    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.what {
            Status::Ended(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// Whether the driver's container has been started, so that there is a log to read.
    pub fn driver_has_log(&self) -> bool {
        match &self.what {
            Status::Running | Status::Stopping(_) => self.durations.starting.is_some(),
            Status::Ended(outcome) => outcome.driver_exit_code.is_some(),
            Status::Waiting(_) => self.is_between_attempts() && self.durations.starting.is_some(),
            _ => false,
        }
    }

    /// Whether an attempt has ended, and another follows.
    pub fn is_between_attempts(&self) -> bool {
        matches!(&self.what, Status::Waiting(waiting) if waiting.reason == waiting::Reason::Retry)
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

fn what(observed: &Observed, terms: &Limits) -> Status {
    if let Some(job) = &observed.job {
        return attempts::what(job, observed, terms);
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
    of_driver(driver, observed, terms)
}

fn of_driver(driver: &Pod, observed: &Observed, terms: &Limits) -> Status {
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
    match Waiting::of(driver, observed, terms) {
        Some(waiting) => match Outcome::given_up(driver, &waiting, terms) {
            Some(outcome) => Status::Ended(outcome),
            None => Status::Waiting(waiting),
        },
        None => match Outcome::too_late(driver, "its container is being started", terms) {
            Some(outcome) => Status::Ended(outcome),
            None => Status::Starting(waiting::step(driver, observed)),
        },
    }
}

impl Durations {
    /// The API server, the scheduler and the node each note times by a clock of their own: what they make of it
    /// is never negative, nor longer than the pod has been there.
    fn of(driver: &Pod, terms: &Limits) -> Durations {
        let created = driver.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let scheduled = scheduling::scheduled_at(driver);
        let started = container::started_at(driver, container::Role::Driver);
        let finished = container::finished_at(driver, container::Role::Driver);
        let longest = created.map(|created| terms.now.duration_since(created).max(SignedDuration::ZERO));
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
fn has_passed(since: Timestamp, span: Duration, terms: &Limits) -> bool {
    terms.now.duration_since(since).unsigned_abs() >= span && terms.now > since
}

/// When something began that a node or a controller noted by its own clock, brought between the latest time
/// before it that the control plane noted (`after`) and the present: a clock that is wrong must neither end a
/// wait at once nor keep it for ever.
fn clamp_time(at: Timestamp, after: Timestamp, terms: &Limits) -> Timestamp {
    if at > terms.now { after } else { at.max(after) }
}

#[cfg(test)]
mod tests;
