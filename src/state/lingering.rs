//! A driver whose process keeps running after Spark has stopped: the program itself keeps it alive.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::limits::has_passed;
use super::{Executors, Limits, Observed};

/// A process may have something left to do when Spark has stopped.
const GRACE: Duration = Duration::from_secs(30);
/// When the log of a driver without executors is looked at that nobody reads: so long after its start, or after the
/// last executor's end.
const LOOKS: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1800)];

/// What goes on.
pub const LINGERS: &str = "Spark has stopped, but the driver's process is still running";
/// What to try.
pub const LINGERS_HINT: &str = "a thread that is no daemon keeps it (a pool, a timer, a server), or the program does more after spark.stop(): \
     end it with System.exit, in Python with os._exit, or delete the application";

/// Since when Spark has stopped in a driver that runs on.
pub(super) fn since(observed: &Observed, executors: &Executors, limits: &Limits) -> Option<Timestamp> {
    let driver = observed.driver.as_ref()?;
    let stopped = observed.evidence.stopped.as_ref()?;
    let is_its = driver.metadata.uid.as_ref() == Some(&stopped.driver);
    let runs = executors.pending + executors.running > 0;
    (is_its && !runs && has_passed(stopped.at, GRACE, limits)).then_some(stopped.at)
}

/// When the log was to be looked at last of a driver that runs without executors, as it does when Spark has stopped.
pub(super) fn look(observed: &Observed, executors: &Executors, limits: &Limits) -> Option<Timestamp> {
    if executors.pending + executors.running > 0 {
        return None;
    }
    let ended = observed.executors.values().filter_map(|pod| container::finished_at(pod, Role::Executor)).max();
    let started = container::started_at(observed.driver.as_ref()?, Role::Driver)?;
    let alone = ended.max(observed.departed).map_or(started, |ended| ended.max(started));
    let due = LOOKS.iter().rev().find(|after| has_passed(alone, **after, limits))?;
    alone.checked_add(*due).ok()
}
