//! How long each phase of an application lasted.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::{Limits, container, scheduling};

/// How long each phase lasted, by the cluster's timestamps, which are whole seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Durations {
    /// From the creation of the driver pod until it has a node.
    pub queued: Option<SignedDuration>,
    /// From then until its container runs.
    pub starting: Option<SignedDuration>,
    /// From then until its container ends.
    pub ran: Option<SignedDuration>,
}

impl Durations {
    /// The API server, the scheduler and the node stamp times with their own clocks: durations are clamped, so that none
    /// is negative or longer than the pod has existed.
    pub(super) fn of(driver: &Pod, limits: &Limits) -> Durations {
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
