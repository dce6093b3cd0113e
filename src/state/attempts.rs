//! An application carried by a Job: attempts at it, one after another, and the Job's own end.

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

/// The finalizer by which the Job controller keeps a pod until it has counted it.
const TRACKING: &str = "batch.kubernetes.io/job-tracking";

/// No more attempts whose pods are gone are told by their numbers.
const FEW: usize = 5;

/// A Job's end may be seen before that of its pod: they are watched apart.
const PODS_SETTLE: std::time::Duration = std::time::Duration::from_secs(3);

/// Which attempt this is, and how those before it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Counted as the Job controller counts: a driver that was lost has not failed.
    pub number: usize,
    /// How many there may be; without an end when absent.
    pub of: Option<usize>,
    /// The earlier drivers that are there or were seen, the first one first.
    pub earlier: Vec<PastAttempt>,
    /// The others: their pods were taken away before they were seen, and the Job has counted them.
    pub gone: Count,
}

/// Drivers that are over, as the Job controller counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub failed: usize,
    pub succeeded: usize,
    pub lost: usize,
}

/// A driver that is over, and that another has followed.
#[derive(Clone, Debug, PartialEq)]
pub struct PastAttempt {
    /// Its attempt's: the same as its successor's where it was lost. Not known where the pods of others are gone
    /// and nothing in its own says how many were before it.
    pub number: Option<usize>,
    pub pod: String,
    pub ending: Ending,
    pub reason: String,
    /// That of the driver's container, if it came to one.
    pub exit_code: Option<i32>,
    pub ended: Option<Timestamp>,
}

impl Attempt {
    /// Nothing for an application that is not a Job's.
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
            seen.take(pod, job);
        }
        let before = Count::before(latest, job, seen);
        let gone = before.without(seen);
        let number = |pod: &Pod, place: usize| match Count::noted(pod) {
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

    /// `attempt 1: its pod is gone; the Job counted 1 failure`; nothing where all drivers are there.
    pub fn gone_words(&self) -> Option<String> {
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
            (numbers, all) if lost == 0 && numbers.len() == all && all <= FEW => {
                format!("attempts {}: their pods are", numbers.join(", "))
            }
            (_, 1) => "a driver more: its pod is".into(),
            (_, all) => format!("{all} drivers more: their pods are"),
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

    /// `attempt 2 of 4`; nothing where there is but one.
    pub fn words(&self) -> Option<String> {
        (self.of != Some(1)).then(|| format!("attempt {}", self.place()))
    }

    /// `2 of 4`, or `2` where there is no last one.
    pub fn place(&self) -> String {
        let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
        format!("{}{of}", self.number)
    }
}

impl Count {
    /// What counts as an attempt: a loss does not.
    fn attempts(self) -> usize {
        self.failed + self.succeeded
    }

    fn take(&mut self, driver: &Pod, job: &Job) {
        let count = match phase(driver) {
            Some("Succeeded") => &mut self.succeeded,
            _ if is_ignored(driver, job) => &mut self.lost,
            _ => &mut self.failed,
        };
        *count += 1;
    }

    /// What was before a driver, as the Job controller notes it in the pods of a Job with an index.
    fn noted(driver: &Pod) -> Option<Count> {
        let annotations = driver.metadata.annotations.as_ref()?;
        let count = |key: &str| annotations.get(key).and_then(|count| count.parse().ok());
        let lost = count(IGNORED_FAILURES).unwrap_or_default();
        Some(Count { failed: count(FAILURES)?, succeeded: 0, lost })
    }

    /// What was before the latest driver: by its own pod's notes, else by the Job's status, which knows no losses.
    fn before(latest: Option<&Pod>, job: &Job, seen: Count) -> Count {
        if let Some(noted) = latest.and_then(Count::noted) {
            return noted;
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

    /// What is left of it, no more than are missing in all: a driver may be taken for lost that was counted as failed.
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

/// Whether the Job's policy takes a driver's end for a loss.
fn is_ignored(driver: &Pod, job: &Job) -> bool {
    let has_policy = job.spec.as_ref().is_some_and(|spec| spec.pod_failure_policy.is_some());
    let is_disrupted = || scheduling::condition(driver, "DisruptionTarget").is_some_and(|is| is.status == "True");
    let exit_code = || container::terminated(driver, Role::Driver).map(|end| end.exit_code);
    has_policy && (is_disrupted() || exit_code() == Some(TERMINATED))
}

/// Whether the Job's status has a driver's end in it already: the controller lets go of a pod once it has.
fn is_counted(driver: &Pod, job: &Job) -> bool {
    let finalizers = driver.metadata.finalizers.as_ref();
    let is_held = finalizers.is_some_and(|all| all.iter().any(|finalizer| finalizer == TRACKING));
    let uncounted = job.status.as_ref().and_then(|status| status.uncounted_terminated_pods.as_ref());
    let mut uncounted = uncounted.into_iter().flat_map(|pods| [&pods.failed, &pods.succeeded]).flatten().flatten();
    let is_over = matches!(phase(driver), Some("Failed" | "Succeeded")) && !is_ignored(driver, job);
    is_over && (!is_held || uncounted.any(|uid| driver.metadata.uid.as_ref() == Some(uid)))
}

/// The latest attempt's driver, if its pod is there: the Job may have counted the end of one that came after the
/// latest that is left.
pub fn latest_driver(observed: &Observed) -> Option<&Pod> {
    let driver = observed.driver.as_ref()?;
    let job = observed.job.as_ref().filter(|_| phase(driver) == Some("Failed"));
    let is_earlier = job.is_some_and(|job| {
        let is_complete = matches!(end(job), Some((_, true)));
        is_complete || Count::noted(driver).is_some_and(|before| Count::of_status(job).failed > before.failed + 1)
    });
    (!is_earlier).then_some(driver)
}

/// The driver of an attempt, the last one if it had several.
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
    /// `attempt 2`, where that is known.
    pub fn describe(&self) -> String {
        self.number.map_or_else(|| "earlier".into(), |number| format!("attempt {number}"))
    }

    fn of(pod: &Pod, job: &Job, number: Option<usize>) -> PastAttempt {
        // An earlier driver that has not ended was taken away.
        let outcome = Outcome::of_pod(pod, None).unwrap_or_else(|| Outcome::plain(Ending::Lost, "its pod was deleted"));
        let outcome = as_counted(outcome, job);
        let told_to_stop = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        PastAttempt {
            number,
            pod: pod.metadata.name.clone().unwrap_or_default(),
            ending: outcome.ending,
            reason: outcome.message,
            exit_code: outcome.driver_exit_code,
            ended: container::finished_at(pod, Role::Driver).or(told_to_stop),
        }
    }
}

/// An attempt's end as the Job controller judges it: its policy takes a driver that ended with this exit code for one
/// that was deleted.
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

/// What an application does that is carried by this Job.
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
        // The Job's own end comes a moment later; a sidecar may put it off for ever.
        Status::Ended(outcome)
            if outcome.ending == Ending::Succeeded && !forever && phase(driver) != Some("Failed") =>
        {
            Status::Ended(with_attempt(outcome, observed))
        }
        Status::Ended(outcome) => Status::Waiting(between(&as_counted(outcome, job), driver, job, observed)),
        other => other,
    }
}

/// Whether the pod itself has come to its end, and not just sparkctl's patience.
fn is_over(driver: &Pod, observed: &Observed) -> bool {
    observed.gone.is_some()
        || container::terminated(driver, Role::Driver).is_some()
        || matches!(phase(driver), Some("Failed" | "Succeeded"))
}

/// The Job's last condition, and whether it is a success.
fn end(job: &Job) -> Option<(&JobCondition, bool)> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let truly = |kind: &str| conditions.iter().find(|condition| condition.type_ == kind && condition.status == "True");
    truly("Complete").map(|condition| (condition, true)).or_else(|| Some((truly("Failed")?, false)))
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
        return Status::Ended(Outcome::plain(Ending::Failed, &format!("its time is over: {why}")));
    }
    let why = message().unwrap_or_else(|| "nothing says why".into());
    if condition.reason.as_deref() == Some("PodFailurePolicy") && why.contains(LOSS_LIMIT) {
        let last = Attempt::of(observed).and_then(|attempt| attempt.earlier.last().map(|last| last.reason.clone()));
        let last = last.map(|last| format!(", the last time: {last}")).unwrap_or_default();
        let hint = format!("exit code {TERMINATED} is taken for a loss: does the application itself end with it?");
        let outcome = Outcome::plain(Ending::Failed, &format!("its driver was lost {LOSSES} times{last}"));
        return Status::Ended(Outcome { hint: Some(hint), ..outcome });
    }
    let said = of_driver.filter(|outcome| outcome.ending != Ending::Succeeded);
    // By the controller's clock, which may be ahead.
    let since = condition.last_transition_time.as_ref().map(|time| time.0);
    let has_settled = since.is_some_and(|at| limits.now.duration_since(at).unsigned_abs() >= PODS_SETTLE);
    if said.is_none() && latest.is_some() && !has_settled {
        return Status::Stopping("its Job has failed".into());
    }
    let outcome = said.unwrap_or_else(|| Outcome::plain(Ending::Failed, &format!("its Job failed: {why}")));
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
        message: "its Job is suspended, by somebody or by a queue".into(),
        hint: scheduler::all().find_map(Rules::suspended_hint).map(str::to_owned),
        since: None,
    }
}

/// An attempt has ended, and the next is not there yet, or the Job's own end.
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
            .then(|| "the Job controller makes the next driver after 10 s, then twice as long each time".into()),
        since: None,
    }
}

/// There is no driver's pod: on its way, or refused by what judges pods.
fn without_pod(job: &Job, observed: &Observed, limits: &Limits) -> Status {
    let uid = job.metadata.uid.as_deref();
    let of_job = observed.events.values().filter(|event| event.involved_object.uid.as_deref() == uid);
    let refused = of_job.filter(|event| event.reason.as_deref() == Some("FailedCreate"));
    let Some(event) = refused.max_by_key(|event| waiting::event_time(event)) else {
        return Status::Starting("the Job controller makes its pod".into());
    };
    let said = event.message.as_deref().unwrap_or_default();
    // Kubernetes' recorder says so of events that differ in a pod's name alone.
    let said = said.strip_prefix("(combined from similar events): ").unwrap_or(said);
    let hint = refusal_hint(said, job.metadata.namespace.as_deref().unwrap_or_default());
    let waiting = Waiting {
        reason: Reason::Creation,
        message: format!("the driver's pod is refused: {said}"),
        hint: evidence::hint_with_alternatives(hint.as_deref(), said, &observed.evidence),
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
