//! `restartPolicy`.

use std::time::Duration;

use super::schema::{Count, Whole, section, word};

section! {
    /// What happens after a failure.
    pub struct RestartPolicy {
        /// Never (the default), OnFailure or Always.
        kind("type"): Option<Restart> => "a Job's backoffLimit",
        /// How often a failed application is run again.
        on_failure_retries: Option<Count> => "a Job's backoffLimit",
        /// Seconds between a failure and the next run.
        on_failure_retry_interval: Option<Whole<1, { i64::MAX }>> => "a warning: the Job controller has its own back-off",
        /// How often a refused submission is tried again.
        on_submission_failure_retries: Option<Count> => "the submitter's retries",
        /// Seconds between two tries.
        on_submission_failure_retry_interval: Option<Whole<1, { i64::MAX }>> => "the submitter's retries",
    }
}

word! {
    /// When an application is run again.
    pub enum Restart { Never, OnFailure, Always }
}

/// What the cluster does for an application by itself, with nobody watching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supervision {
    pub again: Again,
    /// Seconds after its end when the application is deleted.
    pub time_to_live: Option<i32>,
}

impl Supervision {
    /// Whether what is lost is made up for, but not for ever.
    pub fn counts_losses(&self) -> bool {
        matches!(self.again, Again::AfterFailures(1..))
    }
}

/// What follows an attempt's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// After this many failures nothing; after a success neither.
    AfterFailures(i32),
    /// Another attempt, whatever the end was.
    Always,
}

/// The carrier of the driver's pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarrierKind {
    /// The pod itself: it runs once at most.
    Pod,
    Job(Supervision),
    /// A CronJob, which makes such a Job for each run.
    CronJob(Supervision),
}

impl CarrierKind {
    /// The lightest object that does what is asked for with nobody watching.
    pub fn of(policy: &RestartPolicy, time_to_live: Option<i64>, scheduled: bool) -> CarrierKind {
        let again = match policy.kind {
            Some(Restart::Always) => Again::Always,
            Some(Restart::OnFailure) => Again::AfterFailures(policy.retries()),
            Some(Restart::Never) | None => Again::AfterFailures(0),
        };
        // The operator deletes at once what has a time of zero or less.
        let time_to_live = time_to_live.map(|seconds| i32::try_from(seconds.max(0)).unwrap_or(i32::MAX));
        let supervision = Supervision { again, time_to_live };
        match (again, time_to_live) {
            _ if scheduled => CarrierKind::CronJob(supervision),
            (Again::AfterFailures(0), None) => CarrierKind::Pod,
            _ => CarrierKind::Job(supervision),
        }
    }
}

impl RestartPolicy {
    /// How often a refused submission is tried again, and how long after the refusal. As with the operator,
    /// none unless retries of that kind are asked for, with 5 s between them.
    pub fn submission_retries(&self) -> (i64, Duration) {
        let retried = matches!(self.kind, Some(Restart::OnFailure | Restart::Always));
        let retries = self.on_submission_failure_retries.filter(|_| retried).map_or(0, |retries| *retries);
        let seconds = self.on_submission_failure_retry_interval.map_or(5, |seconds| *seconds);
        (retries, Duration::from_secs(seconds.unsigned_abs()))
    }

    /// The operator never retries a run when the number of retries is not said.
    fn retries(&self) -> i32 {
        self.on_failure_retries.as_ref().map_or(0, |retries| i32::try_from(**retries).unwrap_or(i32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn carrier(kind: Restart, retries: Option<i64>, time_to_live: Option<i64>) -> CarrierKind {
        let retries = retries.map(Whole);
        CarrierKind::of(
            &RestartPolicy { kind: Some(kind), on_failure_retries: retries, ..Default::default() },
            time_to_live,
            false,
        )
    }

    #[test]
    fn a_pod_carries_what_runs_once_and_stays() {
        assert_eq!(carrier(Restart::Never, Some(3), None), CarrierKind::Pod);
        assert_eq!(carrier(Restart::OnFailure, None, None), CarrierKind::Pod);
    }

    #[test]
    fn a_job_carries_what_is_retried_or_expires() {
        let job = |again, time_to_live| CarrierKind::Job(Supervision { again, time_to_live });
        assert_eq!(carrier(Restart::OnFailure, Some(3), Some(60)), job(Again::AfterFailures(3), Some(60)));
        assert_eq!(carrier(Restart::Never, Some(3), Some(-1)), job(Again::AfterFailures(0), Some(0)));
        assert_eq!(carrier(Restart::Always, None, None), job(Again::Always, None));
    }
}
