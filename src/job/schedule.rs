//! `ScheduledSparkApplication`: an application and when it is run.

use super::read::{Count, section, word};
use super::spec::Spec;

section! {
    /// The specification of a schedule.
    pub struct Schedule {
        /// Five fields of cron, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
        schedule: String => "a CronJob's schedule",
        /// Time zone, by its IANA name. By default the cluster's, normally UTC.
        time_zone: Option<String> => "a CronJob's timeZone",
        /// Whether no further run is started.
        suspend: Option<bool> => "a CronJob's suspend",
        /// What happens when a run is due and the one before still runs.
        concurrency_policy: Option<Concurrency> => "a CronJob's concurrencyPolicy",
        /// How many succeeded runs are kept. By default 1.
        successful_run_history_limit: Option<Count> => "a CronJob's successfulJobsHistoryLimit",
        /// How many failed runs are kept. By default 1.
        failed_run_history_limit: Option<Count> => "a CronJob's failedJobsHistoryLimit",
        /// The application that each run is.
        template: Spec => "a CronJob's jobTemplate",
    }
}

word! {
    /// What happens when a run is due and the one before still runs.
    pub enum Concurrency { Allow, Forbid, Replace }
}
