//! An application carried by a Job: attempts at it, one after another, and the Job's own end.

use k8s_openapi::api::batch::v1::{Job, JobCondition};
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::outcome::phase;
use super::waiting::{self, Reason, Waiting};
use super::{Ending, Observed, Outcome, Terms, What, has_passed, missing, noted, of_driver, refusal_hint};
use crate::manifests::{HOLD, LOSS_LIMIT, LOSSES, TERMINATED};

/// A Job's end may be seen before that of its pod: they are watched apart.
const PODS_SETTLE: std::time::Duration = std::time::Duration::from_secs(3);

/// Which attempt this is, and how those before it ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// Counted as the Job controller counts: a driver that was lost has not failed.
    pub number: usize,
    /// How many there may be; without an end when absent.
    pub of: Option<usize>,
    /// The earlier drivers, the first one first.
    pub earlier: Vec<Earlier>,
}

/// A driver that is over, and that another has followed.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// Its attempt's: the same as its successor's where it was lost.
    pub number: usize,
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
        let mut pods: Vec<&Pod> = observed.earlier.values().collect();
        pods.sort_by_key(|pod| pod.metadata.creation_timestamp.as_ref().map(|time| time.0));
        let mut number = 1;
        let mut earlier = Vec::new();
        for pod in pods {
            let driver = Earlier::of(pod, job, number);
            number += usize::from(driver.ending != Ending::Lost);
            earlier.push(driver);
        }
        let of = (retries < i32::MAX).then(|| usize::try_from(retries).unwrap_or_default() + 1);
        Some(Attempt { number, of, earlier })
    }

    /// `attempt 2 of 4`; nothing where there is but one.
    pub fn words(&self) -> Option<String> {
        match self.of {
            Some(1) => None,
            Some(of) => Some(format!("attempt {} of {of}", self.number)),
            None => Some(format!("attempt {}", self.number)),
        }
    }
}

impl Earlier {
    fn of(pod: &Pod, job: &Job, number: usize) -> Earlier {
        // An earlier driver that has not ended was taken away.
        let outcome = Outcome::of_pod(pod, None).unwrap_or_else(|| Outcome::plain(Ending::Lost, "its pod was deleted"));
        let outcome = as_counted(outcome, job);
        let told_to_stop = pod.metadata.deletion_timestamp.as_ref().map(|time| time.0);
        Earlier {
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
pub(super) fn what(job: &Job, observed: &Observed, terms: &Terms) -> What {
    if let Some((condition, succeeded)) = end(job) {
        return ended(condition, succeeded, observed, terms);
    }
    if observed.job_is_gone {
        return What::Ended(Outcome::plain(Ending::Lost, "its Job was deleted before it ended"));
    }
    if job.spec.as_ref().is_some_and(|spec| spec.suspend == Some(true)) {
        let held = job.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(HOLD));
        return if held { What::Held } else { What::Waiting(suspended()) };
    }
    let Some(driver) = &observed.driver else {
        return without_pod(job, observed, terms);
    };
    let forever = job.spec.as_ref().is_some_and(|spec| spec.completions != Some(1));
    match of_driver(driver, observed, terms) {
        What::Ended(outcome) if !is_over(driver, observed) => What::Ended(outcome),
        // The Job's own end comes a moment later; a sidecar may put it off for ever.
        What::Ended(outcome) if outcome.ending == Ending::Succeeded && !forever && phase(driver) != Some("Failed") => {
            What::Ended(with_attempt(outcome, observed))
        }
        What::Ended(outcome) => What::Waiting(between(&as_counted(outcome, job), observed)),
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

fn ended(condition: &JobCondition, succeeded: bool, observed: &Observed, terms: &Terms) -> What {
    let message = || condition.message.clone().filter(|message| !message.is_empty());
    let of_driver = observed.driver.as_ref().and_then(|driver| Outcome::of(driver, observed));
    if succeeded {
        let outcome = of_driver.filter(|outcome| outcome.ending == Ending::Succeeded);
        let outcome = outcome.unwrap_or_else(|| Outcome::plain(Ending::Succeeded, "its Job is complete"));
        return What::Ended(with_attempt(outcome, observed));
    }
    if condition.reason.as_deref() == Some("DeadlineExceeded") {
        let why = message().unwrap_or_default();
        return What::Ended(Outcome::plain(Ending::Failed, &format!("its time is over: {why}")));
    }
    let why = message().unwrap_or_else(|| "nothing says why".into());
    if condition.reason.as_deref() == Some("PodFailurePolicy") && why.contains(LOSS_LIMIT) {
        let last = Attempt::of(observed).and_then(|attempt| attempt.earlier.last().map(|last| last.reason.clone()));
        let last = last.map(|last| format!(", the last time: {last}")).unwrap_or_default();
        let hint = format!("exit code {TERMINATED} is taken for a loss: does the application itself end with it?");
        let outcome = Outcome::plain(Ending::Failed, &format!("its driver was lost {LOSSES} times{last}"));
        return What::Ended(Outcome { hint: Some(hint), ..outcome });
    }
    let said = of_driver.filter(|outcome| outcome.ending != Ending::Succeeded);
    // By the controller's clock, which may be ahead.
    let since = condition.last_transition_time.as_ref().map(|time| time.0);
    let has_settled = since.is_some_and(|at| terms.now.duration_since(at).unsigned_abs() >= PODS_SETTLE);
    if said.is_none() && observed.driver.is_some() && !has_settled {
        return What::Stopping("its Job has failed".into());
    }
    let outcome = said.unwrap_or_else(|| Outcome::plain(Ending::Failed, &format!("its Job failed: {why}")));
    What::Ended(with_attempt(outcome, observed))
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
        hint: Some("a queue such as Kueue's lets it go when there is room: kubectl get workloads".into()),
        since: None,
    }
}

/// An attempt has ended, and the next is not there yet.
fn between(outcome: &Outcome, observed: &Observed) -> Waiting {
    let words = Attempt::of(observed).and_then(|attempt| attempt.words()).unwrap_or_else(|| "the attempt".into());
    let ended = match outcome.ending {
        Ending::Succeeded => "succeeded",
        Ending::Lost => "was lost",
        _ => "failed",
    };
    Waiting {
        reason: Reason::Retry,
        message: format!("{words} {ended}: {}", outcome.message),
        hint: Some("the Job controller makes the next driver after 10 s, then twice as long each time".into()),
        since: None,
    }
}

/// There is no driver's pod: on its way, or refused by what judges pods.
fn without_pod(job: &Job, observed: &Observed, terms: &Terms) -> What {
    let uid = job.metadata.uid.as_deref();
    let of_job = observed.events.values().filter(|event| event.involved_object.uid.as_deref() == uid);
    let refused = of_job.filter(|event| event.reason.as_deref() == Some("FailedCreate"));
    let Some(event) = refused.max_by_key(|event| waiting::event_time(event)) else {
        return What::Starting("the Job controller makes its pod".into());
    };
    let said = event.message.as_deref().unwrap_or_default();
    // Kubernetes' recorder says so of events that differ in a pod's name alone.
    let said = said.strip_prefix("(combined from similar events): ").unwrap_or(said);
    let hint = refusal_hint(said, job.metadata.namespace.as_deref().unwrap_or_default());
    let waiting = Waiting {
        reason: Reason::Creation,
        message: format!("the driver's pod is refused: {said}"),
        hint: missing::hint(hint.as_deref(), said, &observed.around),
        since: first_time(event).map(|at| match &job.metadata.creation_timestamp {
            Some(created) => noted(at, created.0, terms),
            None => at,
        }),
    };
    match waiting.since.is_some_and(|since| has_passed(since, terms.patience, terms)) {
        true => What::Ended(Outcome {
            hint: waiting.hint.clone(),
            ..Outcome::plain(Ending::CouldNotStart, &waiting.message)
        }),
        false => What::Waiting(waiting),
    }
}

fn first_time(event: &Event) -> Option<Timestamp> {
    event.first_timestamp.as_ref().map(|time| time.0).or_else(|| waiting::event_time(event))
}
