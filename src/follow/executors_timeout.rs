//! `--executors-timeout`: whether enough executors start in time.

use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};

use super::options::FollowOptions;
use crate::report::span;
use crate::state::{Observed, State, driver_runs_since};

/// Judges whether enough executors have started, for each driver anew.
pub(super) struct ExecutorsTimeout {
    limit: Option<Duration>,
    /// How many must run; without it, as many as the driver asks for.
    minimum: Option<usize>,
    /// UID of the driver that had enough executors. What becomes of them later is not judged.
    satisfied: Option<String>,
}

impl ExecutorsTimeout {
    pub fn of(options: &FollowOptions) -> Self {
        let minimum = options.min_executors.and_then(|minimum| usize::try_from(minimum).ok());
        Self { limit: options.executors_timeout, minimum, satisfied: None }
    }

    /// What to report once time is over and too few executors run.
    pub fn expired(&mut self, state: &State, observed: &Observed, now: Timestamp) -> Option<String> {
        let limit = SignedDuration::try_from(self.limit?).ok()?;
        let driver = observed.driver.as_ref()?;
        let since = driver_runs_since(driver)?;
        let minimum = self.minimum.or(state.executors.wanted)?;
        if state.executors.running >= minimum {
            self.satisfied = driver.metadata.uid.clone();
        }
        let is_satisfied = self.satisfied.is_some() && self.satisfied == driver.metadata.uid;
        (!is_satisfied && now.duration_since(since) >= limit)
            .then(|| format!("too few executors after {}", span(limit)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::state::Limits;

    /// A driver that runs since the epoch, with that many executors of the two that it asks for.
    fn observed(uid: &str, executors: usize) -> Observed {
        let pod = |name: &str, role: &str| {
            let container = format!("spark-kubernetes-{role}");
            let status = json!({"name": container, "image": "i", "imageID": "", "ready": true, "restartCount": 0,
                                "state": {"running": {"startedAt": "1970-01-01T00:00:00Z"}}});
            let metadata = json!({"name": name, "uid": uid, "labels": {"spark-role": role},
                                  "annotations": {"sparkctl.dev/executors": "2"}});
            let pod = json!({"metadata": metadata, "spec": {"containers": [{"name": container}]},
                             "status": {"phase": "Running", "containerStatuses": [status]}});
            serde_json::from_value(pod).unwrap()
        };
        let mut observed = Observed::default();
        observed.apply_pod(pod("pi-driver", "driver"));
        (0..executors).for_each(|id| observed.apply_pod(pod(&format!("pi-exec-{id}"), "executor")));
        observed
    }

    fn expired(timeout: &mut ExecutorsTimeout, observed: &Observed, second: i64) -> bool {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second);
        timeout.expired(&State::of(observed, &Limits::at(now)), observed, now).is_some()
    }

    fn timeout(minimum: Option<usize>) -> ExecutorsTimeout {
        ExecutorsTimeout { limit: Some(Duration::from_secs(30)), minimum, satisfied: None }
    }

    #[test]
    fn expires_when_fewer_than_asked_have_started_in_time() {
        let one = observed("first", 1);
        assert!(!expired(&mut timeout(None), &one, 29));
        assert!(expired(&mut timeout(None), &one, 30));
        assert!(!expired(&mut timeout(Some(1)), &one, 30));
        assert!(!expired(&mut ExecutorsTimeout { limit: None, ..timeout(None) }, &one, 30));
    }

    #[test]
    fn does_not_expire_once_there_were_enough_for_the_same_driver() {
        let mut timeout = timeout(None);
        assert!(!expired(&mut timeout, &observed("first", 2), 40));
        assert!(!expired(&mut timeout, &observed("first", 0), 50));
        assert!(expired(&mut timeout, &observed("second", 0), 60));
    }
}
