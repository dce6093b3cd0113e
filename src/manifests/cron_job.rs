//! The CronJob: runs of an application by the clock, each of them a Job.

use serde_json::{Value, json};

use super::batch_job;
use super::labels::{HOLD, NAME_ANNOTATION};
use super::plan::Plan;
use crate::diagnostic::Problem;
use crate::job::restart::Supervision;
use crate::job::schedule::Schedule;
use crate::kubernetes::Object;

/// What the hold's annotation says of a schedule that stays suspended when it is released.
pub const STAYS_SUSPENDED: &str = "suspended";

/// The CronJob, held until its runs' companions exist, which all of them share: one after another, as a
/// rule. Defaults are the operator's.
pub fn cron_job(plan: &Plan, schedule: &Schedule, supervision: Supervision) -> Result<Object, Problem> {
    let when = schedule.when()?;
    let kept = |limit: &Option<crate::job::schema::Count>| limit.map_or(1, |limit| *limit);
    let hold = if schedule.suspend == Some(true) { STAYS_SUSPENDED } else { "true" };
    let mut spec = json!({
        "schedule": when.schedule,
        "concurrencyPolicy": schedule.concurrency_policy.map_or("Allow", |policy| policy.word()),
        "suspend": true,
        "successfulJobsHistoryLimit": kept(&schedule.successful_run_history_limit),
        "failedJobsHistoryLimit": kept(&schedule.failed_run_history_limit),
        "jobTemplate": run(plan, supervision)?,
    });
    if let Some(zone) = when.time_zone {
        spec["timeZone"] = zone.into();
    }
    Ok(Object(json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": plan.names.carrier,
            "namespace": plan.names.namespace,
            "labels": plan.labels.objects,
            "annotations": {NAME_ANNOTATION: plan.name, HOLD: hold},
        },
        "spec": spec,
    })))
}

/// The Job of one run.
fn run(plan: &Plan, supervision: Supervision) -> Result<Value, Problem> {
    Ok(json!({
        "metadata": {"labels": plan.labels.objects, "annotations": {NAME_ANNOTATION: plan.name}},
        "spec": batch_job::spec(plan, supervision)?,
    }))
}
