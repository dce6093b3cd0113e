//! `restartPolicy`.

use super::read::{Count, Whole, section, word};

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
