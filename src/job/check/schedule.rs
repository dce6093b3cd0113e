//! Checks of when and how often a job runs: its schedule and its retries.

use super::phrases;
use crate::diagnostic::Problem;
use crate::job::Job;
use crate::job::restart::{CarrierKind, Restart};
use crate::job::schedule::Concurrency;

/// Checks the schedule. Paths are the schedule's, not its template's.
pub(super) fn problems(job: &Job) -> Vec<Problem> {
    let Some(schedule) = &job.schedule else {
        return Vec::new();
    };
    let gang = job.scheduler().has_pod_groups();
    let overlap = gang && matches!(schedule.concurrency_policy, Some(Concurrency::Allow) | None);
    let shared = phrases::warning((
        overlap,
        "spec.concurrencyPolicy",
        "overlapping runs share one PodGroup, which has room for one of them: use Forbid or Replace",
    ));
    shared.into_iter().chain(schedule.when().err()).collect()
}

/// Checks for fields that a Kubernetes Job cannot honour, or that have no effect with this restart policy.
pub(super) fn retries(job: &Job) -> impl Iterator<Item = Problem> {
    let restart = &job.spec.restart_policy;
    let retried = restart.on_failure_retries.is_some_and(|retries| *retries > 0);
    let word = restart.kind.map_or("Never", |kind| kind.word());
    let uncounted = format!("no effect with `type: {word}`: the operator does not count then either");
    let always = restart.kind == Some(Restart::Always);
    [
        (
            retried && restart.kind != Some(Restart::OnFailure),
            "spec.restartPolicy.onFailureRetries",
            uncounted.as_str(),
        ),
        (
            restart.kind == Some(Restart::OnFailure) && restart.on_failure_retries.is_none(),
            "spec.restartPolicy.type",
            "no effect without `onFailureRetries`: the operator does not run it again then either",
        ),
        (
            restart.on_failure_retry_interval.is_some() && job.carrier() != CarrierKind::Pod,
            "spec.restartPolicy.onFailureRetryInterval",
            "the cluster's Job controller has its own: 10 s after the first failure, twice as long after each one more, 10 min at most",
        ),
        (
            always,
            "spec.restartPolicy.type",
            "each run's driver pod is kept until it is deleted, or until the cluster clears away ended pods",
        ),
        (
            always && job.schedule.is_some(),
            "spec.restartPolicy.type",
            "the first run never ends: without `concurrencyPolicy: Allow` or `Replace` no other follows",
        ),
    ]
    .into_iter()
    .filter_map(phrases::warning)
    .collect::<Vec<_>>()
    .into_iter()
    .chain(own_names(job))
}

/// Names of pods that each attempt replaces by its own.
fn own_names(job: &Job) -> Vec<Problem> {
    if job.carrier() == CarrierKind::Pod {
        return Vec::new();
    }
    let own = "no effect: each attempt's driver has a name of its own, and its executors are named after it";
    let field = job.spec.driver.pod_name.is_some().then(|| Problem::warning(own).at_field("spec.driver.podName"));
    let settings = ["spark.kubernetes.driver.pod.name", "spark.kubernetes.executor.podNamePrefix"]
        .into_iter()
        .filter(|key| job.sets(key))
        .map(|key| job.setting_problem(key, Problem::warning(own)));
    field.into_iter().chain(settings).collect()
}
