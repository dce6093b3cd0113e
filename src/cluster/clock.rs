//! The cluster's time, as far as it can be told from here.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// Set by the `Date` of the API server's answers, and carried on by a clock that nobody sets: this machine's
/// own may be wrong, and may be set right while an application is followed.
pub(super) struct Clock {
    began: Instant,
    /// The cluster's time at `began`, in milliseconds.
    at_begin: AtomicI64,
}

impl Clock {
    /// This machine's time, for want of a better one.
    pub(super) fn new() -> Clock {
        Clock { began: Instant::now(), at_begin: AtomicI64::new(Timestamp::now().as_millisecond()) }
    }

    pub(super) fn now(&self) -> Timestamp {
        let at_begin = Timestamp::from_millisecond(self.at_begin.load(Ordering::Relaxed));
        let since = SignedDuration::try_from(self.began.elapsed()).unwrap_or_default();
        at_begin.and_then(|at_begin| at_begin.checked_add(since)).unwrap_or(Timestamp::MAX)
    }

    /// Takes an answer's `Date`, which is cut to the second: what is within that second is more exact already.
    pub(super) fn set(&self, date: Timestamp) {
        // Half a second makes up for the cut on average.
        let now = date.as_millisecond().saturating_add(500);
        let elapsed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or_default();
        let at_begin = now.saturating_sub(elapsed);
        if at_begin.abs_diff(self.at_begin.load(Ordering::Relaxed)) >= 1000 {
            self.at_begin.store(at_begin, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_by_the_clusters_date_and_on_from_there() {
        let clock = Clock::new();
        let hour = SignedDuration::from_hours(1);
        for date in [Timestamp::now() + hour, Timestamp::now() - hour] {
            clock.set(date);
            // Minutes, because a busy machine may take its time between two lines.
            let since = clock.now().duration_since(date);
            assert!(since.as_secs() >= 0 && since < SignedDuration::from_mins(10), "{since}");
        }
    }
}
