//! An application whose carrier is a Job: its attempts, one after another, and the Job's own end.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::limits::{clamp_time, has_passed};
use super::pod_status::phase;
use super::status::of_driver;
use super::waiting::{self, Reason, Waiting};
use super::{Ending, Limits, Observed, Outcome, Status, evidence, refusal_hint, scheduling};
use crate::manifests::{FAILURES, HOLD, IGNORED_FAILURES, LOSS_LIMIT, LOSSES, TERMINATED};
use crate::scheduler::{self, Rules};

/// The finalizer that the Job controller removes from a pod once it has counted it.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// The numbers of more attempts whose pods are gone would make a line too long.
const MOST_NUMBERS: usize = 5;

/// A Job's end may be seen before that of its pod, because separate watches report them.
const PODS_SETTLE: std::time::Duration = std::time::Duration::from_secs(3);

/// The current attempt, and how the earlier ones ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Counted as the Job controller counts: a lost driver is not a failed attempt.
    pub number: usize,
    /// The most attempts allowed; unlimited if absent.
    pub of: Option<usize>,
    /// The earlier drivers that exist or were seen, the oldest first.
    pub earlier: Vec<PastAttempt>,
    /// Earlier drivers that the Job has counted, but whose pods were deleted before they were seen.
    pub gone: Count,
}

/// Numbers of ended drivers, as the Job controller counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub failed: usize,
    pub succeeded: usize,
    pub lost: usize,
}

/// A driver that has ended and was followed by another one.
#[derive(Clone, Debug, PartialEq)]
pub struct PastAttempt {
    /// The number of its attempt, which is also its successor's if the driver was lost. Unknown if pods of other attempts
    /// are gone and its own pod does not record how many came before it.
    pub number: Option<usize>,
    pub pod: String,
    pub ending: Ending,
    pub reason: String,
    /// The exit code of the driver's container, if it has one.
    pub exit_code: Option<i32>,
    pub ended: Option<Timestamp>,
}

impl Attempt {
    /// The current attempt; `None` if the carrier is not a Job.
    pub(super) fn of(observed: &Observed) -> Option<Attempt> {
        let job = observed.job.as_ref()?;
        let retries = job.spec.as_ref().and_then(|spec| spec.backoff_limit).unwrap_or_default();
        let latest = latest_driver(observed);
        let mut pods = observed.drivers();
        pods.retain(|pod| !latest.is_some_and(|latest| std::ptr::eq(latest, *pod)));
        let mut seen = Count::default();
        let mut places = Vec::new();
        for pod in &pods {
            places.push(seen.attempts() + 1);
            seen.add(pod, job);
        }
        let before = Count::before(latest, job, seen);
        let gone = before.without(seen);
        let number = |pod: &Pod, place: usize| match Count::before_pod(pod) {
            Some(before) => Some(before.attempts() + 1),
            None => (gone == Count::default()).then_some(place),
        };
        Some(Attempt {
            number: before.attempts() + 1,
            of: (retries < i32::MAX).then(|| usize::try_from(retries).unwrap_or_default() + 1),
            earlier: pods
                .iter()
                .zip(places)
                .map(|(pod, place)| PastAttempt::of(pod, job, number(pod, place)))
                .collect(),
            gone,
        })
    }

    /// Whether there were drivers before the latest.
    pub fn has_earlier(&self) -> bool {
        !self.earlier.is_empty() || self.gone != Count::default()
    }

    /// Describes the drivers whose pods are gone, if any: `attempt 1: its pod is gone; the Job counted 1 failure`.
    pub fn describe_gone(&self) -> Option<String> {
        if self.gone == Count::default() {
            return None;
        }
        let Count { failed, succeeded, lost } = self.gone;
        let counted = self.earlier.iter().filter(|earlier| earlier.ending != Ending::Lost);
        let counted: Option<Vec<usize>> = counted.map(|earlier| earlier.number).collect();
        let missing = counted.map(|counted| (1..self.number).filter(move |number| !counted.contains(number)));
        let missing: Vec<String> = missing.into_iter().flatten().map(|number| number.to_string()).collect();
        let whose = match (missing.as_slice(), failed + succeeded + lost) {
            ([number], 1) if lost == 0 => format!("attempt {number}: its pod is"),
            (numbers, all) if lost == 0 && numbers.len() == all && all <= MOST_NUMBERS => {
                format!("attempts {}: their pods are", numbers.join(", "))
            }
            (_, 1) => "1 more driver: its pod is".into(),
            (_, all) => format!("{all} more drivers: their pods are"),
        };
        let part = |count: usize, one: &str, more: &str| match count {
            0 => None,
            1 => Some(format!("1 {one}")),
            count => Some(format!("{count} {more}")),
        };
        let parts = [
            part(failed, "failure", "failures"),
            part(succeeded, "success", "successes"),
            part(lost, "loss", "losses"),
        ];
        let counts = parts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        Some(format!("{whose} gone; the Job counted {counts}"))
    }

    /// `attempt 2 of 4`; `None` if only one attempt is allowed.
    pub fn words(&self) -> Option<String> {
        (self.of != Some(1)).then(|| format!("attempt {}", self.place()))
    }

    /// `2 of 4`, or `2` if the number of attempts is not limited.
    pub fn place(&self) -> String {
        let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
        format!("{}{of}", self.number)
    }
}

impl Count {
    /// The number of attempts: losses do not count.
    fn attempts(self) -> usize {
        self.failed + self.succeeded
    }

    fn add(&mut self, driver: &Pod, job: &Job) {
        let count = match phase(driver) {
            Some("Succeeded") => &mut self.succeeded,
            _ if is_ignored(driver, job) => &mut self.lost,
            _ => &mut self.failed,
        };
        *count += 1;
    }

    /// The drivers before this one, as the Job controller records them in the pods of an indexed Job.
    fn before_pod(driver: &Pod) -> Option<Count> {
        let annotations = driver.metadata.annotations.as_ref()?;
        let count = |key: &str| annotations.get(key).and_then(|count| count.parse().ok());
        let lost = count(IGNORED_FAILURES).unwrap_or_default();
        Some(Count { failed: count(FAILURES)?, succeeded: 0, lost })
    }

    /// The drivers before the latest one: from the annotations of its pod, or else from the Job's status, which does not
    /// record losses.
    fn before(latest: Option<&Pod>, job: &Job, seen: Count) -> Count {
        if let Some(recorded) = latest.and_then(Count::before_pod) {
            return recorded;
        }
        let Count { mut failed, mut succeeded, .. } = Count::of_status(job);
        match latest {
            Some(driver) if is_counted(driver, job) => match phase(driver) {
                Some("Succeeded") => succeeded = succeeded.saturating_sub(1),
                _ => failed = failed.saturating_sub(1),
            },
            Some(_) => {}
            // The Job's end is that of its latest driver.
            None => match end(job) {
                Some((_, true)) => succeeded = succeeded.saturating_sub(1),
                Some((_, false)) => failed = failed.saturating_sub(1),
                None => {}
            },
        }
        Count { failed: failed.max(seen.failed), succeeded: succeeded.max(seen.succeeded), lost: seen.lost }
    }

    fn of_status(job: &Job) -> Count {
        let Some(status) = &job.status else { return Count::default() };
        let uncounted = status.uncounted_terminated_pods.clone().unwrap_or_default();
        let sum = |counted: Option<i32>, uncounted: Option<Vec<String>>| {
            usize::try_from(counted.unwrap_or_default()).unwrap_or_default() + uncounted.unwrap_or_default().len()
        };
        let failed = sum(status.failed, uncounted.failed);
        Count { failed, succeeded: sum(status.succeeded, uncounted.succeeded), lost: 0 }
    }

    /// The drivers that were not seen: never more than are missing in total, because a driver that looks lost may have
    /// been counted as failed.
    fn without(self, seen: Count) -> Count {
        let mut missing = (self.attempts() + self.lost).saturating_sub(seen.attempts() + seen.lost);
        let mut part = |all: usize, seen: usize| {
            let part = all.saturating_sub(seen).min(missing);
            missing -= part;
            part
        };
        Count {
            failed: part(self.failed, seen.failed),
            succeeded: part(self.succeeded, seen.succeeded),
            lost: part(self.lost, seen.lost),
        }
    }
}

/// Whether the Job's pod failure policy counts a driver's end as a loss.
fn is_ignored(driver: &Pod, job: &Job) -> bool {
    let has_policy = job.spec.as_ref().is_some_and(|spec| spec.pod_failure_policy.is_some());
    let is_disrupted = || scheduling::condition(driver, "DisruptionTarget").is_some_and(|is| is.status == "True");
    let exit_code = || container::terminated(driver, Role::Driver).map(|end| end.exit_code);
    has_policy && (is_disrupted() || exit_code() == Some(TERMINATED))
}

/// Whether the Job's status already includes a driver's end: the controller then removes its finalizer from the pod.
fn is_counted(driver: &Pod, job: &Job) -> bool {
    let finalizers = driver.metadata.finalizers.as_ref();
    let is_held = finalizers.is_some_and(|all| all.iter().any(|finalizer| finalizer == TRACKING));
    let uncounted = job.status.as_ref().and_then(|status| status.uncounted_terminated_pods.as_ref());
    let mut uncounted = uncounted.into_iter().flat_map(|pods| [&pods.failed, &pods.succeeded]).flatten().flatten();
    let is_over = matches!(phase(driver), Some("Failed" | "Succeeded")) && !is_ignored(driver, job);
    is_over && (!is_held || uncounted.any(|uid| driver.metadata.uid.as_ref() == Some(uid)))
}

/// The driver of the latest attempt, if its pod exists. The latest existing pod may be older: the Job may have counted a
/// later driver whose pod is gone.
pub fn latest_driver(observed: &Observed) -> Option<&Pod> {
    let driver = observed.driver.as_ref()?;
    let job = observed.job.as_ref().filter(|_| phase(driver) == Some("Failed"));
    let is_earlier = job.is_some_and(|job| {
        let is_complete = matches!(end(job), Some((_, true)));
        is_complete || Count::before_pod(driver).is_some_and(|before| Count::of_status(job).failed > before.failed + 1)
    });
    (!is_earlier).then_some(driver)
}

/// The driver of an attempt: the last one if earlier ones were lost.
pub fn driver_of_attempt(observed: &Observed, number: usize) -> Option<&Pod> {
    let Some(attempt) = Attempt::of(observed) else {
        return observed.driver.as_ref().filter(|_| number == 1);
    };
    let latest = latest_driver(observed).filter(|_| number == attempt.number);
    let earlier = || attempt.earlier.iter().rev().find(|earlier| earlier.number == Some(number));
    latest.or_else(|| {
        let pod = &earlier()?.pod;
        observed.drivers().into_iter().find(|driver| driver.metadata.name.as_ref() == Some(pod))
    })
}

impl PastAttempt {
    /// `attempt 2`, or `earlier` if the number is unknown.
    pub fn describe(&self) -> String {
        self.number.map_or_else(|| "earlier".into(), |number| format!("attempt {number}"))
    }

    fn of(pod: &Pod, job: &Job, number: Option<usize>) -> PastAttempt {
        // An earlier driver that has not ended was deleted.
        let outcome = Outcome::of_pod(pod, None).unwrap_or_else(|| Outcome::plain(Ending::Lost, "its pod was deleted"));
        let outcome = as_counted(outcome, job);
        let deleted_at = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        PastAttempt {
            number,
            pod: pod.metadata.name.clone().unwrap_or_default(),
            ending: outcome.ending,
            reason: outcome.message,
            exit_code: outcome.driver_exit_code,
            ended: container::finished_at(pod, Role::Driver).or(deleted_at),
        }
    }
}

/// An attempt's outcome as the Job controller counts it: by its policy, a driver with the exit code of a termination was
/// deleted.
fn as_counted(outcome: Outcome, job: &Job) -> Outcome {
    let has_policy = job.spec.as_ref().is_some_and(|spec| spec.pod_failure_policy.is_some());
    match outcome.ending == Ending::Failed && outcome.driver_exit_code == Some(TERMINATED) && has_policy {
        true => Outcome {
            ending: Ending::Lost,
            message: format!("{} (not counted: it looks like a driver that was deleted)", outcome.message),
            ..outcome
        },
        false => outcome,
    }
}

/// The status of an application whose carrier is this Job.
pub(super) fn status(job: &Job, observed: &Observed, limits: &Limits) -> Status {
    if let Some((condition, succeeded)) = end(job) {
        return ended(condition, succeeded, observed, limits);
    }
    if observed.job_is_gone {
        return Status::Ended(Outcome::plain(Ending::Lost, "its Job was deleted before it ended"));
    }
    if job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)) {
        let held = job.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(HOLD));
        return if held { Status::Held } else { Status::Waiting(suspended()) };
    }
    let Some(driver) = &observed.driver else {
        return without_pod(job, observed, limits);
    };
    let forever = job.spec.as_ref().is_some_and(|spec| spec.completions != Some(1));
    match of_driver(driver, observed, limits) {
        Status::Ended(outcome) if !is_over(driver, observed) => Status::Ended(outcome),
        // The Job's own end comes a moment later, or never, if a sidecar keeps running.
        Status::Ended(outcome)
            if outcome.ending == Ending::Succeeded && !forever && phase(driver) != Some("Failed") =>
        {
            Status::Ended(with_attempt(outcome, observed))
        }
        Status::Ended(outcome) => Status::Waiting(between(&as_counted(outcome, job), driver, job, observed)),
        other => other,
    }
}

/// Whether the pod itself has ended, as opposed to sparkctl having given up on it.
fn is_over(driver: &Pod, observed: &Observed) -> bool {
    observed.gone.is_some()
        || container::terminated(driver, Role::Driver).is_some()
        || matches!(phase(driver), Some("Failed" | "Succeeded"))
}

/// The Job's final condition, and whether it is a success.
fn end(job: &Job) -> Option<(&JobCondition, bool)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let find = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    find("Complete").map(|condition| (condition, true)).or_else(|| Some((find("Failed")?, false)))
}

fn ended(condition: &JobCondition, succeeded: bool, observed: &Observed, limits: &Limits) -> Status {
    let message = || condition.message.clone().filter(|message| !message.is_empty());
    let latest = latest_driver(observed);
    let of_driver = latest.and_then(|driver| Outcome::of(driver, observed));
    if succeeded {
        let outcome = of_driver.filter(|outcome| outcome.ending == Ending::Succeeded);
        let outcome = outcome.unwrap_or_else(|| Outcome::plain(Ending::Succeeded, "its Job is complete"));
        return Status::Ended(with_attempt(outcome, observed));
    }
    if condition.reason.as_deref() == Some("DeadlineExceeded") {
        let why = message().unwrap_or_default();
        return Status::Ended(Outcome::plain(Ending::Failed, &format!("deadline exceeded: {why}")));
    }
    let why = message().unwrap_or_else(|| "no reason given".into());
    if condition.reason.as_deref() == Some("PodFailurePolicy") && why.contains(LOSS_LIMIT) {
        let last = Attempt::of(observed).and_then(|attempt| attempt.earlier.last().map(|last| last.reason.clone()));
        let last = last.map(|last| format!(", the last time: {last}")).unwrap_or_default();
        let hint = format!("exit code {TERMINATED} counts as a loss: does the application itself exit with it?");
        let outcome = Outcome::plain(Ending::Failed, &format!("its driver was lost {LOSSES} times{last}"));
        return Status::Ended(Outcome { hint: Some(hint), ..outcome });
    }
    let of_driver = of_driver.filter(|outcome| outcome.ending != Ending::Succeeded);
    // The controller's clock may be ahead.
    let since = condition.last_transition_time.as_ref().map(|time| time.0);
    let has_settled = since.is_some_and(|at| limits.now.duration_since(at).unsigned_abs() >= PODS_SETTLE);
    if of_driver.is_none() && latest.is_some() && !has_settled {
        return Status::Stopping("its Job has failed".into());
    }
    let outcome = of_driver.unwrap_or_else(|| Outcome::plain(Ending::Failed, &format!("its Job failed: {why}")));
    Status::Ended(with_attempt(outcome, observed))
}

fn with_attempt(outcome: Outcome, observed: &Observed) -> Outcome {
    match Attempt::of(observed).and_then(|attempt| attempt.words()) {
        Some(words) => Outcome { message: format!("{} ({words})", outcome.message), ..outcome },
        None => outcome,
    }
}

fn suspended() -> Waiting {
    Waiting {
        reason: Reason::Suspended,
        message: "its Job is suspended, by a user or a queue".into(),
        hint: scheduler::all().find_map(Rules::suspended_hint).map(str::to_owned),
        since: None,
    }
}

/// The wait after an attempt, until the next driver exists or the Job ends.
fn between(outcome: &Outcome, driver: &Pod, job: &Job, observed: &Observed) -> Waiting {
    let attempt = Attempt::of(observed);
    let words = attempt.as_ref().and_then(Attempt::words).unwrap_or_else(|| "the attempt".into());
    let is_last = attempt.is_some_and(|attempt| attempt.of == Some(attempt.number)) && !is_ignored(driver, job);
    let ended = match outcome.ending {
        Ending::Succeeded => "succeeded",
        Ending::Lost => "was lost",
        _ => "failed",
    };
    Waiting {
        reason: Reason::Retry,
        message: format!("{words} {ended}: {}", outcome.message),
        hint: (!is_last)
            .then(|| "the Job controller creates the next driver after 10 s, and doubles the delay each time".into()),
        since: None,
    }
}

/// The status of a Job without a driver's pod: it is being created, or its creation is refused.
fn without_pod(job: &Job, observed: &Observed, limits: &Limits) -> Status {
    let uid = job.metadata.uid.as_deref();
    let of_job = observed.events.values().filter(|event| event.involved_object.uid.as_deref() == uid);
    let refused = of_job.filter(|event| event.reason.as_deref() == Some("FailedCreate"));
    let Some(event) = refused.max_by_key(|event| waiting::event_time(event)) else {
        return Status::Starting("the Job controller is creating its pod".into());
    };
    let refusal = event.message.as_deref().unwrap_or_default();
    // Kubernetes' event recorder adds this prefix to events that differ only in a pod's name.
    let refusal = refusal.strip_prefix("(combined from similar events): ").unwrap_or(refusal);
    let hint = refusal_hint(refusal, job.metadata.namespace.as_deref().unwrap_or_default());
    let waiting = Waiting {
        reason: Reason::Creation,
        message: format!("the driver's pod is refused: {refusal}"),
        hint: evidence::hint_with_alternatives(hint.as_deref(), refusal, &observed.evidence),
        since: first_time(event).map(|at| match &job.metadata.creation_timestamp {
            Some(created) => clamp_time(at, created.0, limits),
            None => at,
        }),
    };
    match waiting.since.is_some_and(|since| has_passed(since, limits.patience, limits)) {
        true => Status::Ended(Outcome {
            hint: waiting.hint.clone(),
            ..Outcome::plain(Ending::CouldNotStart, &waiting.message)
        }),
        false => Status::Waiting(waiting),
    }
}

fn first_time(event: &Event) -> Option<Timestamp> {
    event.first_timestamp.as_ref().map(|time| time.0).or_else(|| waiting::event_time(event))
}
