//! The status of an application, and how it follows from its driver's pod.

use k8s_openapi::api::core::v1::Pod;

use super::{Limits, Observed, Outcome, Waiting, container, pod_status, scheduling, waiting};
use crate::manifests::HOLD;

#[derive(Clone, Debug, PartialEq)]
pub enum Status {
    /// Not seen yet: the watch has not answered, or there is no driver pod so far.
    Unseen,
    /// Created on hold, by sparkctl's own gate, until all other objects exist.
    Held,
    /// Something must change before the driver's container can start.
    Waiting(Waiting),
    /// The driver is starting: the current step.
    Starting(String),
    Running,
    /// The driver is being stopped, but has not ended: the reason.
    Stopping(String),
    Ended(Outcome),
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

/// The status of an application, from its driver alone.
pub(super) fn of_driver(driver: &Pod, observed: &Observed, limits: &Limits) -> Status {
    if let Some(outcome) = Outcome::of(driver, observed) {
        return Status::Ended(outcome);
    }
    if driver.metadata.deletion_timestamp.is_some() {
        return Status::Stopping(pod_status::disruption(driver).unwrap_or_else(|| "its pod is being deleted".into()));
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
