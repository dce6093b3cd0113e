//! `ScheduledSparkApplication`: an application and when it is run.

use super::schema::{Count, section, word};
use super::spec::Spec;
use crate::diagnostic::Problem;

section! {
    /// The specification of a schedule.
    pub struct Schedule {
        /// Five fields of cron, `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`, or `@every` with a time that
        /// divides the hour or the day.
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

/// When runs are due, as a CronJob says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct When {
    pub schedule: String,
    pub time_zone: Option<String>,
}

const MACROS: [&str; 7] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

impl Schedule {
    /// The schedule in a CronJob's words. A zone that stands before it wins over `timeZone`, as with the operator.
    ///
    /// # Errors
    /// A CronJob cannot have it.
    pub fn when(&self) -> Result<When, Problem> {
        let error = |text: String| Problem::error(text).at_field("spec.schedule");
        let written = self.schedule.trim();
        let prefixed = ["CRON_TZ=", "TZ="].into_iter().find_map(|prefix| written.strip_prefix(prefix));
        let (time_zone, schedule) = match prefixed.and_then(|rest| rest.split_once(char::is_whitespace)) {
            Some((zone, schedule)) => (Some(zone.to_owned()), schedule.trim()),
            None => (self.time_zone.clone().filter(|zone| !zone.is_empty() && zone != "Local"), written),
        };
        let schedule = match schedule.strip_prefix("@every ") {
            Some(span) => every(span.trim()).ok_or_else(|| {
                error(format!("a CronJob cannot run every {}", span.trim()))
                    .help("it knows the clock, not the time since the last run: @every works with whole minutes that divide an hour, and whole hours that divide a day")
            })?,
            None if MACROS.contains(&schedule) => schedule.to_owned(),
            None if schedule.starts_with('@') => {
                return Err(error(format!("`{schedule}` is not a schedule")).help(format!("expected one of {}", MACROS.join(", "))));
            }
            None => match schedule.split_whitespace().count() {
                5 => schedule.to_owned(),
                count => {
                    return Err(error(format!("`{schedule}` has {count} fields, and a schedule has five"))
                        .help("minute, hour, day of the month, month, day of the week: `30 3 * * *` is each day at 3:30"));
                }
            },
        };
        Ok(When { schedule, time_zone })
    }
}

/// `10m`, `2h`, `1h30m` as fields of cron, if it comes around with the hour or the day.
fn every(span: &str) -> Option<String> {
    let span: k8s_openapi::jiff::SignedDuration = span.parse().ok()?;
    let seconds = span.as_secs();
    match (seconds / 60, seconds % 60) {
        (minutes @ 1..=59, 0) if 60 % minutes == 0 => Some(format!("*/{minutes} * * * *")),
        (60, 0) => Some("0 * * * *".to_owned()),
        (minutes, 0) if minutes > 60 && minutes % 60 == 0 && 1440 % minutes == 0 => match minutes / 60 {
            24 => Some("0 0 * * *".to_owned()),
            hours => Some(format!("0 */{hours} * * *")),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn when(schedule: &str) -> Result<(String, Option<String>), String> {
        let schedule = Schedule { schedule: schedule.into(), time_zone: Some("Etc/UTC".into()), ..Default::default() };
        schedule.when().map(|when| (when.schedule, when.time_zone)).map_err(|problem| problem.message)
    }

    #[test]
    fn says_it_as_a_cron_job_does() {
        for (written, expected) in [
            ("30 3 * * 1-5", "30 3 * * 1-5"),
            ("@daily", "@daily"),
            ("@every 10m", "*/10 * * * *"),
            ("@every 1h", "0 * * * *"),
            ("@every 6h", "0 */6 * * *"),
            ("@every 24h", "0 0 * * *"),
        ] {
            assert_eq!(when(written).unwrap().0, expected);
        }
    }

    #[test]
    fn a_zone_before_the_schedule_wins() {
        assert_eq!(when("CRON_TZ=Asia/Tokyo 0 5 * * *").unwrap(), ("0 5 * * *".into(), Some("Asia/Tokyo".into())));
        assert_eq!(when("0 5 * * *").unwrap().1.as_deref(), Some("Etc/UTC"));
    }

    #[test]
    fn refuses_by_name_what_a_cron_job_cannot_do() {
        assert_eq!(when("@every 7m").unwrap_err(), "a CronJob cannot run every 7m");
        assert_eq!(when("@every 30s").unwrap_err(), "a CronJob cannot run every 30s");
        assert_eq!(when("@often").unwrap_err(), "`@often` is not a schedule");
        assert_eq!(when("0 5 * *").unwrap_err(), "`0 5 * *` has 4 fields, and a schedule has five");
    }
}
