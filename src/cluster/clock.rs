//! The cluster's time, as its answers show it.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A clock that is set by the `Date` of the API server's answers and runs on a monotonic clock: this machine's time may
/// be wrong, and may be adjusted while an application is followed.
pub(super) struct Clock {
    started: Instant,
    /// The cluster's time at `started`, in milliseconds.
    at_start: AtomicI64,
}

impl Clock {
    /// Starts with this machine's time, until an answer sets it.
    pub(super) fn new() -> Clock {
        Clock { started: Instant::now(), at_start: AtomicI64::new(Timestamp::now().as_millisecond()) }
    }

    pub(super) fn now(&self) -> Timestamp {
        let at_start = Timestamp::from_millisecond(self.at_start.load(Ordering::Relaxed));
        let since = SignedDuration::try_from(self.started.elapsed()).unwrap_or_default();
        at_start.and_then(|at_start| at_start.checked_add(since)).unwrap_or(Timestamp::MAX)
    }

    /// Sets the clock by an answer's `Date`, which has whole seconds: a clock within that second is more exact already.
    pub(super) fn set(&self, date: Timestamp) {
        // Half a second compensates for the truncation on average.
        let now = date.as_millisecond().saturating_add(500);
        let elapsed = i64::try_from(self.started.elapsed().as_millis()).unwrap_or_default();
        let at_start = now.saturating_sub(elapsed);
        if at_start.abs_diff(self.at_start.load(Ordering::Relaxed)) >= 1000 {
            self.at_start.store(at_start, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_on_from_the_clusters_date() {
        let clock = Clock::new();
        let hour = SignedDuration::from_hours(1);
        for date in [Timestamp::now() + hour, Timestamp::now() - hour] {
            clock.set(date);
            // Minutes, because a busy machine may pause for long between two lines.
            let since = clock.now().duration_since(date);
            assert!(since.as_secs() >= 0 && since < SignedDuration::from_mins(10), "{since}");
        }
    }
}
