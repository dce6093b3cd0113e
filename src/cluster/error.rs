//! Failures of requests: what they mean for a retry and an exit code, in words that show no credential.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use kube::client::AuthError;
use kube::core::Status;

use crate::exit_code::ExitCode;
use crate::scheduler;
use crate::state::refusal_hint;

/// Why a request failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// The server answered with an error.
    Refused(Box<Status>),
    /// No answer came: the request may or may not have been carried out.
    NoAnswer(String),
    /// It was not sent: there is no credential, or the kind is unknown.
    NotSent(String),
    /// The object does not exist.
    Missing(String),
    /// The existing object differs from the one to create.
    Differs(String),
    /// A file store does not answer, or fails with a server error.
    #[cfg_attr(not(feature = "upload"), expect(dead_code))]
    Unreached(String),
    /// A signal ended it; sparkctl exits with this code.
    Interrupted(ExitCode),
}

impl Failure {
    /// Converts the client's error, without any credential in its text.
    pub(super) fn of(error: kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) => Failure::Refused(status),
            error @ kube::Error::Auth(_) => Failure::NotSent(describe(&error)),
            error => Failure::NoAnswer(describe(&error)),
        }
    }

    /// How long the server asks to wait before a retry.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Refused(status) => {
                let seconds = status.details.as_ref()?.retry_after_seconds;
                (seconds > 0).then(|| Duration::from_secs(u64::from(seconds)))
            }
            _ => None,
        }
    }

    /// Whether a retry of the same request may succeed.
    ///
    /// A `Conflict` on a creation comes from the quota's bookkeeping, and the server asks for a retry.
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

    /// The HTTP status of the server's answer; 0 if there is none.
    pub fn code(&self) -> u16 {
        match self {
            Failure::Refused(status) => status.code,
            _ => 0,
        }
    }

    /// Whether the request certainly changed nothing.
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

    /// Whether the message contains a text.
    pub(super) fn contains(&self, part: &str) -> bool {
        self.message().contains(part)
    }
}

/// The server's own message.
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

/// A step that failed: why, what to try, and what was undone.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The step, such as `creating driver pod pi-driver`.
    pub doing: String,
    pub failure: Failure,
    pub hint: Option<String>,
    /// What was deleted again, and what could not be.
    pub undone: Vec<String>,
}

impl Refusal {
    pub(super) fn new(doing: impl Into<String>, failure: Failure, namespace: &str) -> Refusal {
        let hint = hint(&failure, namespace);
        Refusal { doing: doing.into(), failure, hint, undone: Vec::new() }
    }

    /// A failure without a hint.
    pub fn of(doing: impl Into<String>, failure: Failure) -> Refusal {
        Refusal { doing: doing.into(), failure, hint: None, undone: Vec::new() }
    }

    /// Whether the same submission may be accepted later: the quota or queue was full, or a webhook was down.
    pub fn may_pass(&self) -> bool {
        let passing = ["exceeded quota", "failed calling webhook"];
        let of_scheduler = || scheduler::all().any(|rules| rules.may_pass(self.failure.message()));
        self.failure.may_pass() || passing.iter().any(|words| self.failure.contains(words)) || of_scheduler()
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

/// The exit code of a command that failed: an error that is not the cluster's refusal is invalid input.
pub fn exit_code(error: &anyhow::Error) -> ExitCode {
    error.downcast_ref::<Refusal>().map_or(ExitCode::Invalid, Refusal::exit_code)
}

/// What to try.
fn hint(failure: &Failure, namespace: &str) -> Option<String> {
    if let Failure::NoAnswer(_) = failure {
        return Some(
            "is this the right cluster, and can it be reached from here? `kubectl version` uses the same server".into(),
        );
    }
    if failure.code() == 401 {
        return Some(
            "the credentials were not accepted, and may have expired: log in again, or choose another --context".into(),
        );
    }
    let taken = || "the name is taken by another application: choose another, or use metadata.generateName".to_owned();
    refusal_hint(failure.message(), namespace).or_else(|| failure.already_exists().then(taken))
}

/// Describes a client's error without the output of credential plugins, which may contain a token.
pub(super) fn describe(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Auth(error) => match error {
            AuthError::AuthExecStart(error) => {
                format!("the kubeconfig's credential plugin cannot be run: {error}")
            }
            AuthError::AuthExecRun { out, .. } => format!(
                "the kubeconfig's credential plugin failed ({}): {}",
                out.status,
                String::from_utf8_lossy(&out.stderr).trim()
            ),
            AuthError::AuthExecParse(_) => "the kubeconfig's credential plugin did not print a credential".into(),
            other => other.to_string(),
        },
        other => innermost(other),
    }
}

/// The last error of a chain: the outer ones only repeat that a request failed.
fn innermost(error: &dyn Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
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
    fn quotes_the_server_and_gives_a_hint() {
        let refusal = refusal(403, "pods \"pi-driver\" is forbidden: exceeded quota: q, requested: pods=1");
        assert_eq!(
            refusal.to_string(),
            "creating driver pod pi-driver: pods \"pi-driver\" is forbidden: exceeded quota: q, requested: pods=1"
        );
        assert!(refusal.hint.is_some_and(|hint| hint.contains("kubectl describe quota -n jobs")));
    }

    #[test]
    fn a_full_quota_and_a_server_error_are_worth_a_retry() {
        assert!(refusal(403, "pods \"x\" is forbidden: exceeded quota: q").may_pass());
        assert!(refusal(503, "").may_pass());
        assert!(!refusal(403, "pods is forbidden: User \"jo\" cannot create resource").may_pass());
        assert!(!refusal(422, "Pod \"x\" is invalid").may_pass());
    }

    #[test]
    fn a_refusal_and_a_server_error_have_different_exit_codes() {
        assert_eq!(refusal(422, "x").exit_code(), ExitCode::Refused);
        assert_eq!(refusal(503, "x").exit_code(), ExitCode::Unknown);
    }
}
