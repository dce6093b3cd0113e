use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use kube::core::Status;

use super::connect::told;
use crate::exit_code::ExitCode;
use crate::state::refusal_hint;

/// Why a request did not do what it was sent for.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The server's answer.
    Refused(Box<Status>),
    /// No answer came: the request may have been carried out or not.
    NoAnswer(String),
    /// It was not sent: no credential, or no such kind.
    NotSent(String),
    /// What was looked for is not there.
    Missing(String),
    /// What is there is not what would be created.
    Differs(String),
    /// A store of files, beside the cluster, does not answer or is out of order.
    #[cfg_attr(not(feature = "upload"), expect(dead_code))]
    Unreached(String),
    /// A signal stopped it; sparkctl exits with this code.
    Interrupted(ExitCode),
}

impl Failure {
    /// A client's error, in words that show no credential.
    pub(super) fn of(error: kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) => Failure::Refused(status),
            error @ kube::Error::Auth(_) => Failure::NotSent(told(&error)),
            error => Failure::NoAnswer(told(&error)),
        }
    }

    /// How long the server asks to wait.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Refused(status) => {
                let seconds = status.details.as_ref()?.retry_after_seconds;
                (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
            }
            _ => None,
        }
    }

    /// Whether the same request may be answered otherwise in a moment.
    ///
    /// A `Conflict` at a creation is the quota's bookkeeping, which the server asks to be tried again.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Failure::Refused(status) => matches!(status.code, 429 | 500..=599) || status.reason == "Conflict",
            Failure::NoAnswer(_) => true,
            Failure::NotSent(_)
            | Failure::Missing(_)
            | Failure::Differs(_)
            | Failure::Unreached(_)
            | Failure::Interrupted(_) => false,
        }
    }

    pub fn code(&self) -> u16 {
        match self {
            Failure::Refused(status) => status.code,
            _ => 0,
        }
    }

    /// Whether it is certain that the request changed nothing.
    pub(super) fn is_final(&self) -> bool {
        match self {
            Failure::Refused(status) => status.code < 500,
            Failure::NotSent(_) | Failure::Unreached(_) => true,
            Failure::NoAnswer(_) | Failure::Missing(_) | Failure::Differs(_) | Failure::Interrupted(_) => false,
        }
    }

    pub(super) fn already_exists(&self) -> bool {
        matches!(self, Failure::Refused(status) if status.reason == "AlreadyExists")
    }

    fn message(&self) -> &str {
        match self {
            Failure::Refused(status) => &status.message,
            Failure::NoAnswer(why)
            | Failure::NotSent(why)
            | Failure::Missing(why)
            | Failure::Differs(why)
            | Failure::Unreached(why) => why,
            Failure::Interrupted(_) => "interrupted",
        }
    }

    pub(super) fn says(&self, part: &str) -> bool {
        self.message().contains(part)
    }
}

/// In the server's own sentence.
impl Display for Failure {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(status) if status.message.is_empty() => {
                write!(f, "HTTP {}", status.code)
            }
            Failure::NoAnswer(why) => write!(f, "no answer from the API server: {why}"),
            other => f.write_str(other.message()),
        }
    }
}

/// What was being attempted, why it was not done, what to try, and what was undone.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// `creating driver pod pi-driver`.
    pub doing: String,
    pub failure: Failure,
    pub hint: Option<String>,
    /// What was taken back, and what could not be.
    pub undone: Vec<String>,
}

impl Refusal {
    pub(super) fn new(doing: impl Into<String>, failure: Failure, namespace: &str) -> Refusal {
        let hint = hint(&failure, namespace);
        Refusal { doing: doing.into(), failure, hint, undone: Vec::new() }
    }

    /// A failure where there is nothing to try but what it says itself.
    pub fn of(doing: impl Into<String>, failure: Failure) -> Refusal {
        Refusal { doing: doing.into(), failure, hint: None, undone: Vec::new() }
    }

    /// Whether the same submission may be taken later, with nothing changed in it: there was no room, or what
    /// judges it was out of order.
    pub fn may_pass(&self) -> bool {
        let passing = ["exceeded quota", "failed calling webhook", "can only submit PodGroup to queue"];
        self.failure.may_pass() || passing.iter().any(|words| self.failure.says(words))
    }

    pub fn exit_code(&self) -> ExitCode {
        match &self.failure {
            Failure::Refused(status) if status.code < 500 && status.code != 429 => ExitCode::Refused,
            Failure::NotSent(_) | Failure::Differs(_) => ExitCode::Refused,
            Failure::Refused(_) | Failure::NoAnswer(_) | Failure::Missing(_) | Failure::Unreached(_) => {
                ExitCode::Unknown
            }
            Failure::Interrupted(code) => *code,
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.failure)
    }
}

impl Error for Refusal {}

/// The exit code of a command that an error ended: what is no refusal of the cluster's is wrong input.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    error.downcast_ref::<Refusal>().map_or(ExitCode::Invalid, Refusal::exit_code)
}

/// What to try.
fn hint(failure: &Failure, namespace: &str) -> Option<String> {
    if let Failure::NoAnswer(_) = failure {
        return Some(
            "is this the right cluster, and can it be reached from here? kubectl version asks the same server".into(),
        );
    }
    if failure.code() == 401 {
        return Some(
            "the credentials were not accepted, and may have expired: log in again, or choose another --context".into(),
        );
    }
    let taken = || "another application has the name: choose another, or metadata.generateName".to_owned();
    refusal_hint(failure.message(), namespace).or_else(|| failure.already_exists().then(taken))
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{ExitCode, Failure, Refusal};

    fn refusal(code: u16, message: &str) -> Refusal {
        let status = Status { code, message: message.into(), ..Status::default() };
        Refusal::new("creating driver pod pi-driver", Failure::Refused(Box::new(status)), "jobs")
    }

    #[test]
    fn quotes_the_server_and_hints() {
        let refusal = refusal(403, "pods \"pi-driver\" is forbidden: exceeded quota: q, requested: pods=1");
        assert_eq!(
            refusal.to_string(),
            "creating driver pod pi-driver: pods \"pi-driver\" is forbidden: exceeded quota: q, requested: pods=1"
        );
        assert!(refusal.hint.is_some_and(|hint| hint.contains("kubectl describe quota -n jobs")));
    }

    #[test]
    fn only_what_may_pass_is_worth_another_try() {
        assert!(refusal(403, "pods \"x\" is forbidden: exceeded quota: q").may_pass());
        assert!(refusal(503, "").may_pass());
        assert!(!refusal(403, "pods is forbidden: User \"jo\" cannot create resource").may_pass());
        assert!(!refusal(422, "Pod \"x\" is invalid").may_pass());
    }

    #[test]
    fn tells_a_refusal_from_a_server_in_trouble() {
        assert_eq!(refusal(422, "x").exit_code(), ExitCode::Refused);
        assert_eq!(refusal(503, "x").exit_code(), ExitCode::Unknown);
    }
}
