//! The current time and the limits that turn waits into outcomes.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

/// How long to tolerate a problem that rarely resolves itself (image, config map, volume).
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The current time and the limits that turn waits into outcomes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The current time of the cluster, whose clock the times of objects are from.
    pub now: Timestamp,
    /// How long to tolerate a missing image, config map or volume.
    pub patience: Duration,
    /// How long after its creation the driver's container must be running; no limit if absent.
    pub start_timeout: Option<Duration>,
}

impl Limits {
    /// The usual limits at a time of the cluster: the default patience, and no limit on the start.
    pub fn at(now: Timestamp) -> Self {
        Self { now, patience: PATIENCE, start_timeout: None }
    }
}

/// Whether `span` has passed since `since`, by the cluster's clock.
pub(super) fn has_passed(since: Timestamp, span: Duration, limits: &Limits) -> bool {
    limits.now.duration_since(since).unsigned_abs() >= span && limits.now > since
}

/// Clamps `at` into `after..=now`: nodes stamp times with their own clock, and a skewed one must neither end a wait at
/// once nor prolong it forever.
pub(super) fn clamp_time(at: Timestamp, after: Timestamp, limits: &Limits) -> Timestamp {
    if at > limits.now { after } else { at.max(after) }
}
