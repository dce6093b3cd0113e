//! The state of an application, derived from all of its objects.

use k8s_openapi::jiff::Timestamp;

use super::status::of_driver;
use super::{
    Attempt, Durations, Executors, Limits, Observed, Outcome, Status, attempts, latest_driver, lingering, waiting,
};

/// The state of an application.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub status: Status,
    pub executors: Executors,
    pub durations: Durations,
    /// The current attempt, if the cluster may retry the application.
    pub attempt: Option<Attempt>,
    /// Node of the driver, once it has one.
    pub node: Option<String>,
    /// When Spark stopped, if the driver is still running.
    pub lingers: Option<Timestamp>,
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

    /// Whether the driver's container has been started, so that it has a log.
    pub fn driver_has_log(&self) -> bool {
        match &self.status {
            Status::Running | Status::Stopping(_) => self.durations.starting.is_some(),
            Status::Ended(outcome) => outcome.driver_exit_code.is_some(),
            Status::Waiting(_) => self.is_between_attempts() && self.durations.starting.is_some(),
            _ => false,
        }
    }

    /// Whether an attempt has ended and another one follows.
    pub fn is_between_attempts(&self) -> bool {
        matches!(&self.status, Status::Waiting(waiting) if waiting.reason == waiting::Reason::Retry)
    }
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
