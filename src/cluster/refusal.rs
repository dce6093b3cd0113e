use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use kube::core::Status;

use super::connect::told;

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
    /// The user stopped it.
    Interrupted,
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
            Failure::NotSent(_) | Failure::Missing(_) | Failure::Differs(_) | Failure::Interrupted => false,
        }
    }

    pub fn code(&self) -> u16 {
        match self {
            Failure::Refused(status) => status.code,
            _ => 0,
        }
    }

    pub(super) fn already_exists(&self) -> bool {
        matches!(self, Failure::Refused(status) if status.reason == "AlreadyExists")
    }

    fn message(&self) -> &str {
        match self {
            Failure::Refused(status) => &status.message,
            Failure::NoAnswer(why) | Failure::NotSent(why) | Failure::Missing(why) | Failure::Differs(why) => why,
            Failure::Interrupted => "interrupted",
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

    /// sparkctl's exit code: refused, or not reached. An interrupt has its signal's own.
    pub fn exit_code(&self) -> u8 {
        match &self.failure {
            Failure::Refused(status) if status.code < 500 && status.code != 429 => 3,
            Failure::NotSent(_) | Failure::Differs(_) => 3,
            Failure::Refused(_) | Failure::NoAnswer(_) | Failure::Missing(_) => 6,
            Failure::Interrupted => 130,
        }
    }
}

impl Display for Refusal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.failure)
    }
}

impl Error for Refusal {}

/// What to try, by the words that the API server's parts use. Each is quoted from Kubernetes' source.
fn hint(failure: &Failure, namespace: &str) -> Option<String> {
    if let Failure::NoAnswer(_) = failure {
        return Some(
            "is this the right cluster, and can it be reached from here? kubectl version asks the same server".into(),
        );
    }
    let says = |part: &str| failure.says(part);
    Some(if failure.code() == 401 {
        "the credentials were not accepted, and may have expired: log in again, or choose another --context".into()
    } else if says("error looking up service account") {
        format!(
            "the driver's service account is missing: kubectl get serviceaccounts -n {namespace}; an administrator makes one with its rights: sparkctl setup"
        )
    } else if says("exceeded quota") {
        format!(
            "ask for less, wait for other work to end, or have the quota raised: kubectl describe quota -n {namespace}"
        )
    } else if says("failed quota") || says("must specify") {
        format!("a quota of namespace {namespace} wants requests and limits stated: set cores, coreLimit and memory")
    } else if says("violates PodSecurity") {
        format!(
            "namespace {namespace} enforces that PodSecurity level: set the driver's and executors' securityContext accordingly"
        )
    } else if says("no PriorityClass with name") {
        "see what there is with: kubectl get priorityclasses; sparkctl setup makes those of the examples".into()
    } else if says("can only submit PodGroup to queue") || says("unable to find queue") || says("failed to get queue") {
        "see the queues and their state with: kubectl get queues.scheduling.volcano.sh".into()
    } else if says("failed calling webhook") {
        "a webhook of the cluster does not answer: tell its administrator".into()
    } else if says("denied the request") {
        "this is a rule of the cluster's administrators: the webhook's name says whose".into()
    } else if says("because it is being terminated") {
        format!("namespace {namespace} is being deleted: choose another with -n")
    } else if says("is forbidden: User") {
        format!(
            "the right is missing in namespace {namespace}: an administrator grants it: sparkctl setup prints the Role"
        )
    } else if says("namespaces \"") && says("not found") {
        format!("choose another namespace with -n, or create it: kubectl create namespace {namespace}")
    } else if says("could not find the requested resource") || says("404 page not found") {
        "the cluster does not know this kind: is Volcano installed (for batchScheduler: volcano), or the coscheduling plugin (for any other name)?".into()
    } else if failure.already_exists() {
        "another application has the name: choose another, or metadata.generateName".into()
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::{Failure, Refusal};

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
        assert_eq!(refusal(422, "x").exit_code(), 3);
        assert_eq!(refusal(503, "x").exit_code(), 6);
    }
}
