//! A driver whose process keeps running after Spark has stopped: the program itself keeps it alive.

use std::time::Duration;

use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::limits::has_passed;
use super::{Executors, Limits, Observed};

/// A program may legitimately have something left to do after Spark has stopped.
const GRACE: Duration = Duration::from_secs(30);
/// When to look into the log of a driver without executors if nobody follows it: this long after the driver's start or
/// its last executor's end.
const LOOKS: [Duration; 3] = [Duration::from_secs(60), Duration::from_secs(300), Duration::from_secs(1800)];

/// Description of such a driver.
pub const LINGERS: &str = "Spark has stopped, but the driver's process is still running";
/// What to do about it.
pub const LINGERS_HINT: &str = "a non-daemon thread keeps it alive (a pool, a timer, a server), or the program continues after spark.stop(): \
     end it with System.exit, in Python with os._exit, or delete the application";

/// When Spark stopped in a driver that is still running.
pub(super) fn since(observed: &Observed, executors: &Executors, limits: &Limits) -> Option<Timestamp> {
    let driver = observed.driver.as_ref()?;
    let stopped = observed.evidence.stopped.as_ref()?;
    let is_same_driver = driver.metadata.uid.as_ref() == Some(&stopped.driver);
    let has_executors = executors.pending + executors.running > 0;
    (is_same_driver && !has_executors && has_passed(stopped.at, GRACE, limits)).then_some(stopped.at)
}

/// The latest time at which a look into the driver's log was due; `None` while it has executors, because Spark is then
/// still running.
pub(super) fn look(observed: &Observed, executors: &Executors, limits: &Limits) -> Option<Timestamp> {
    if executors.pending + executors.running > 0 {
        return None;
    }
    let ended = observed.executors.values().filter_map(|pod| container::finished_at(pod, Role::Executor)).max();
    let started = container::started_at(observed.driver.as_ref()?, Role::Driver)?;
    let alone = ended.max(observed.last_executor_end).map_or(started, |ended| ended.max(started));
    let due = LOOKS.iter().rev().find(|after| has_passed(alone, **after, limits))?;
    alone.checked_add(*due).ok()
}
