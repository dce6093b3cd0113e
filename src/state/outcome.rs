use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::container::{self, Role};
use super::exit_code_meaning::exit_code_meaning;
use super::hint::log::{executors_hint, log_hint};
use super::hint::memory;
use super::limits::has_passed;
use super::pod_status::{disruption, phase, pod_reason};
use super::{Executors, Gone, Limits, Observed, Waiting, waiting};
use crate::exit_code::ExitCode;
use crate::spark::Conf;

/// How an application ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub ending: Ending,
    /// One sentence: what happened.
    pub message: String,
    pub hint: Option<String>,
    /// The exit code of the driver's container, if it has one.
    pub driver_exit_code: Option<i32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Succeeded,
    Failed,
    /// Its container never ran and cannot be started.
    CouldNotStart,
    /// Evicted, preempted, deleted, or gone with its node: not the application's own failure.
    Lost,
    /// Nothing that can be read shows how it ended, or whether it did.
    Unknown,
}

impl Ending {
    pub fn exit_code(self) -> ExitCode {
        match self {
            Ending::Succeeded => ExitCode::Succeeded,
            Ending::Failed => ExitCode::Failed,
            Ending::CouldNotStart => ExitCode::CouldNotStart,
            Ending::Lost => ExitCode::Lost,
            Ending::Unknown => ExitCode::Unknown,
        }
    }

    pub fn word(self) -> &'static str {
        self.exit_code().word()
    }
}

impl Outcome {
    /// The outcome of a driver that has ended. Its container's end counts, not the pod's: a sidecar may outlive it, and a
    /// pod may end without its container ever having had a status.
    pub(super) fn of(driver: &Pod, observed: &Observed) -> Option<Outcome> {
        Outcome::of_pod(driver, observed.evidence.settings.as_ref())
            .or_else(|| observed.gone.map(|gone| Outcome::of_gone(driver, gone, observed)))
    }

    /// The outcome according to the pod alone.
    pub(super) fn of_pod(driver: &Pod, settings: Option<&Conf>) -> Option<Outcome> {
        if let Some(end) = container::terminated(driver, Role::Driver) {
            return Some(Outcome::of_container(driver, end, settings));
        }
        match phase(driver) {
            Some("Succeeded") => Some(Outcome::plain(Ending::Succeeded, "the driver's pod succeeded")),
            Some("Failed") => Some(Outcome::of_failed_pod(driver)),
            _ => None,
        }
    }

    /// Adds a hint to a failure that has none, by the first of: what kept executors from reaching the driver, the
    /// driver's log, the log of the last failed executor, how executors failed.
    pub fn with_hint_of(self, log: Option<&str>, executors: &Executors, executor_log: Option<&str>) -> Outcome {
        let is_failure = self.ending == Ending::Failed;
        let cause = || executors.cut_off.clone().or_else(|| log.and_then(log_hint));
        let by_executors = || executor_log.and_then(log_hint).or_else(|| executors.hint.clone());
        let hint = || {
            let hint = cause().or_else(by_executors).or_else(|| log.and_then(executors_hint));
            hint.filter(|_| is_failure)
        };
        Outcome { hint: self.hint.clone().or_else(hint), ..self }
    }

    /// The outcome if there is no driver, and none was ever seen.
    pub(super) fn never_seen() -> Outcome {
        Outcome::plain(Ending::Unknown, "there is no driver pod, and no record of how it ended")
    }

    /// The outcome if there is no Job, and none was ever seen.
    pub(super) fn no_job() -> Outcome {
        Outcome::plain(Ending::Unknown, "its Job is gone, and there is no record of how it ended")
    }

    /// The outcome if the watch ended for good while the application may still have been running.
    pub fn lost_track(why: &str) -> Outcome {
        Outcome {
            hint: Some("the application may still be running: check before submitting it again".into()),
            ..Outcome::plain(Ending::Unknown, &format!("it can no longer be followed: {why}"))
        }
    }

    /// The outcome of a wait that exceeds a limit.
    pub(super) fn given_up(driver: &Pod, waiting: &Waiting, limits: &Limits) -> Option<Outcome> {
        let patience = match waiting.reason {
            waiting::Reason::InvalidImage => std::time::Duration::ZERO,
            _ => limits.patience,
        };
        let is_overdue = waiting.since.is_some_and(|since| has_passed(since, patience, limits));
        if waiting.reason.rarely_resolves() && is_overdue {
            return Some(Outcome {
                hint: waiting.hint.clone(),
                ..Outcome::plain(Ending::CouldNotStart, &waiting.message)
            });
        }
        let outcome = Outcome::too_late(driver, &waiting.message, limits)?;
        Some(Outcome { hint: waiting.hint.clone(), ..outcome })
    }

    /// The outcome of a driver whose container is not running after the start timeout.
    pub(super) fn too_late(driver: &Pod, still: &str, limits: &Limits) -> Option<Outcome> {
        let created = driver.metadata.creation_timestamp.as_ref()?.0;
        let allowed = limits.start_timeout.filter(|timeout| has_passed(created, *timeout, limits))?;
        let message = format!("not started within {} s: {still}", allowed.as_secs());
        Some(Outcome::plain(Ending::CouldNotStart, &message))
    }

    pub(super) fn plain(ending: Ending, message: &str) -> Outcome {
        Outcome { ending, message: message.to_owned(), hint: None, driver_exit_code: None }
    }

    fn of_container(driver: &Pod, end: &ContainerStateTerminated, settings: Option<&Conf>) -> Outcome {
        let code = end.exit_code;
        let outcome = Outcome { driver_exit_code: Some(code), ..Outcome::plain(Ending::Succeeded, "the driver ended") };
        if code == 0 {
            let sidecars = container::still_running(driver, Role::Driver);
            let pod_ended = observed_end(driver);
            return match sidecars.is_empty() || pod_ended {
                true => outcome,
                false => Outcome {
                    hint: Some(format!(
                        "its pod keeps running because of container {}: make it a native sidecar, or remove it",
                        sidecars.join(", ")
                    )),
                    ..outcome
                },
            };
        }
        if matches!(end.reason.as_deref(), Some("StartError" | "ContainerCannotRun")) {
            let message = end.message.clone().unwrap_or_else(|| "its container could not be started".into());
            return Outcome {
                hint: start_error_hint(&message),
                driver_exit_code: None,
                ..Outcome::plain(Ending::CouldNotStart, &message)
            };
        }
        if let Some(why) = disruption(driver) {
            return Outcome { ending: Ending::Lost, hint: disk_hint(&why), message: why, ..outcome };
        }
        if let Some(reason) = overdue(driver) {
            return Outcome { ending: Ending::Failed, message: reason, ..outcome };
        }
        let oom = end.reason.as_deref() == Some("OOMKilled");
        if driver.metadata.deletion_timestamp.is_some() && matches!(code, 137 | 143) && !oom {
            return Outcome { ending: Ending::Lost, message: deleted().into(), ..outcome };
        }
        Outcome {
            ending: Ending::Failed,
            message: failure(code, oom),
            hint: failure_hint(driver, code, settings),
            ..outcome
        }
    }

    /// The outcome of a pod that failed without a status of its containers: the reason is then the pod's own.
    fn of_failed_pod(driver: &Pod) -> Outcome {
        if let Some(why) = disruption(driver) {
            return Outcome { hint: disk_hint(&why), ..Outcome::plain(Ending::Lost, &why) };
        }
        let failed_init = container::failed_init(driver);
        let failed_init = failed_init.map(|(name, code)| format!("init container {name} exited with code {code}"));
        if let (None, Some(why)) = (&failed_init, overdue(driver)) {
            return Outcome::plain(Ending::Failed, &why);
        }
        match (failed_init, pod_reason(driver)) {
            (Some(init), _) => Outcome::plain(Ending::CouldNotStart, &init),
            // The node refused a pod that a scheduler had placed there (OutOfcpu, NodeAffinity, …).
            (None, Some(reason)) => Outcome::plain(Ending::Lost, &reason),
            (None, None) => Outcome::plain(Ending::Unknown, "the driver's pod failed, and no reason is given"),
        }
    }

    fn of_gone(driver: &Pod, gone: Gone, observed: &Observed) -> Outcome {
        if let Some(why) = disruption(driver).or_else(|| eviction_event(observed)) {
            return Outcome::plain(Ending::Lost, &why);
        }
        match gone {
            Gone::Seen => Outcome::plain(Ending::Lost, deleted()),
            Gone::Missed => Outcome {
                hint: Some("it ended while there was no connection; its output may show whether it finished".into()),
                ..Outcome::plain(Ending::Unknown, "the driver's pod is gone, and its end was not seen")
            },
        }
    }
}

fn deleted() -> &'static str {
    "the driver's pod was deleted before it ended"
}

fn observed_end(driver: &Pod) -> bool {
    matches!(phase(driver), Some("Succeeded" | "Failed"))
}

/// The message for a pod that exceeded its deadline. It is killed with 137, as one without enough memory.
fn overdue(pod: &Pod) -> Option<String> {
    let why = pod_reason(pod).filter(|reason| reason.starts_with("DeadlineExceeded"))?;
    Some(format!("deadline exceeded: {why}"))
}

fn disk_hint(why: &str) -> Option<String> {
    why.contains("ephemeral").then(|| {
        "Spark's spill files filled the node's disk: request ephemeral-storage, or mount a volume named spark-local-dir-…".into()
    })
}

/// An eviction that only an event reports, because the pod was deleted before its condition was seen.
fn eviction_event(observed: &Observed) -> Option<String> {
    let reasons = ["Evict", "Evicted", "Preempted", "TaintManagerEviction", "Preempting"];
    let event =
        observed.driver_events().find(|event| reasons.contains(&event.reason.as_deref().unwrap_or_default()))?;
    Some(format!("{}: {}", event.reason.as_deref()?, event.message.as_deref().unwrap_or_default()))
}

fn failure(code: i32, oom: bool) -> String {
    match (oom, exit_code_meaning(code)) {
        (true, _) => format!("the driver ran out of memory (OOMKilled, exit code {code})"),
        (false, Some(meaning)) => format!("the driver exited with code {code}: {meaning}"),
        (false, None) => format!("the driver exited with code {code}"),
    }
}

fn failure_hint(driver: &Pod, code: i32, settings: Option<&Conf>) -> Option<String> {
    let hint = match code {
        52 => return Some(memory::heap_full(driver, Role::Driver, settings)),
        _ if container::lacks_memory(driver, Role::Driver) => {
            return Some(memory::killed(driver, Role::Driver, settings));
        }
        101 => "local:/// is a path inside the image: is the jar there, and does it contain mainClass?",
        126 | 127 => "is this a Spark image, with Spark's own entrypoint?",
        _ => return None,
    };
    Some(hint.into())
}

fn start_error_hint(message: &str) -> Option<String> {
    let hint = if message.contains("exec format error") {
        "the image is for another architecture than the node's"
    } else if message.contains("no such file") || message.contains("not found") {
        "is this a Spark image, with Spark's own entrypoint?"
    } else {
        return None;
    };
    Some(hint.into())
}
