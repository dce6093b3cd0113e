use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateWaiting, ContainerStatus, Event, Pod};
use k8s_openapi::jiff::Timestamp;

use super::limits::{clamp_time, has_passed};
use super::pull_secrets::pull_secrets;
use super::{Limits, Missing, Observed, container, evidence, hint, scheduling};
use crate::diagnostic::nearest;
use crate::scheduler::{self, Rules};

/// An installed scheduler responds within a second or so.
const NO_ANSWER: Duration = Duration::from_secs(10);
/// A PodGroup created with a pod on hold is "unschedulable" until the pod is released.
const POD_GROUP_SETTLES: Duration = Duration::from_secs(3);
/// A mount that fails once usually succeeds on the next try.
const MOUNT_SETTLES: Duration = Duration::from_secs(10);

/// Why the driver's container has not started yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Waiting {
    pub reason: Reason,
    /// The cluster's own message, shortened.
    pub message: String,
    pub hint: Option<String>,
    /// When the wait began, if the cluster records it.
    pub since: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A scheduling gate that is not sparkctl's, for example a queue's.
    Gated,
    /// The gang is not admitted to its queue, or cannot be placed as a whole.
    PodGroup,
    Unschedulable,
    /// No scheduler has considered the pod at all.
    NoScheduler,
    Image,
    /// The image's name is invalid: waiting does not help.
    InvalidImage,
    /// A config map, a secret or a setting that the container needs is missing or wrong.
    Config,
    Volume,
    /// The node cannot create the pod's sandbox, usually because of its network.
    Sandbox,
    /// The Job controller may not create the driver's pod: quota, admission, service account.
    Creation,
    /// An attempt has ended, and the cluster will start another one.
    Retry,
    /// The Job is suspended, and not by a submission in progress.
    Suspended,
}

impl Reason {
    pub fn word(self) -> &'static str {
        match self {
            Reason::Gated => "Gated",
            Reason::PodGroup => "PodGroup",
            Reason::Unschedulable => "Unschedulable",
            Reason::NoScheduler => "NoScheduler",
            Reason::Image => "Image",
            Reason::InvalidImage => "InvalidImage",
            Reason::Config => "Config",
            Reason::Volume => "Volume",
            Reason::Sandbox => "Sandbox",
            Reason::Creation => "Creation",
            Reason::Retry => "Retry",
            Reason::Suspended => "Suspended",
        }
    }

    /// Whether it rarely resolves itself, so that it is tolerated no longer than [`Limits::patience`].
    pub(super) fn rarely_resolves(self) -> bool {
        matches!(self, Reason::Image | Reason::InvalidImage | Reason::Config | Reason::Volume)
    }
}

impl Waiting {
    /// The wait of a driver whose container is neither running nor has ended; `None` if it is starting normally.
    pub(super) fn of(driver: &Pod, observed: &Observed, limits: &Limits) -> Option<Waiting> {
        if scheduling::is_scheduled(driver) {
            let waiting = container_problem(driver, observed).or_else(|| node_problem(driver, observed, limits))?;
            return Some(Waiting { since: waiting.since.map(|since| since_placed(since, driver, limits)), ..waiting });
        }
        let gates: Vec<&str> = scheduling::gates(driver).collect();
        if !gates.is_empty() {
            return Some(gated(&gates));
        }
        match scheduling::unschedulable(driver) {
            // The PodGroup has the reason.
            Some(message) if is_about_gang(&message, observed) => pod_group_problem(driver, observed, limits),
            Some(message) => Some(with_autoscaler(unschedulable(driver, message, observed), observed)),
            None => pod_group_problem(driver, observed, limits).or_else(|| no_scheduler(driver, observed, limits)),
        }
    }
}

/// Whether a scheduler only reports that the pod's gang is not scheduled, so that its PodGroup has the reason.
fn is_about_gang(message: &str, observed: &Observed) -> bool {
    let rules = observed.pod_group.as_ref().and_then(scheduler::of_group);
    rules.is_some_and(|rules| rules.is_about_gang(message))
}

/// The current step of a driver that is starting normally.
pub(super) fn step(driver: &Pod, observed: &Observed) -> String {
    if !scheduling::is_scheduled(driver) {
        return "it is being scheduled".into();
    }
    let latest = observed.driver_events().max_by_key(|event| event_time(event));
    match latest.and_then(|event| event.reason.as_deref()) {
        Some("Pulling") => "its image is being pulled".into(),
        _ => "its container is being created".into(),
    }
}

fn gated(gates: &[&str]) -> Waiting {
    let is_there = |beginning: &str| gates.iter().any(|gate| gate.starts_with(beginning));
    let known = scheduler::all().filter_map(Rules::gate).find(|(beginning, _)| is_there(beginning));
    Waiting {
        reason: Reason::Gated,
        message: format!("held by scheduling gate {}", gates.join(", ")),
        hint: known.map(|(_, hint)| hint.into()),
        since: None,
    }
}

fn unschedulable(driver: &Pod, message: String, observed: &Observed) -> Waiting {
    let since = scheduling::condition(driver, "PodScheduled")
        .and_then(|condition| condition.last_transition_time.as_ref())
        .map(|time| time.0);
    let seen = match evidence::is_about_claims(&message) {
        true => evidence::claims(&observed.evidence),
        false => evidence::no_node(driver, container::Role::Driver, &observed.evidence),
    };
    let hint = seen.or_else(|| hint::scheduling::hint(&message, driver));
    let hint = evidence::hint_with_alternatives(hint.as_deref(), &message, &observed.evidence);
    Waiting { reason: Reason::Unschedulable, message, hint, since }
}

/// Adds an autoscaler's message about a pod without a node as the hint.
fn with_autoscaler(waiting: Waiting, observed: &Observed) -> Waiting {
    let reasons = ["TriggeredScaleUp", "NotTriggerScaleUp", "Nominated"];
    let is_about_it = |event: &&Event| reasons.contains(&event.reason.as_deref().unwrap_or_default());
    let Some(event) = observed.driver_events().filter(is_about_it).max_by_key(|event| event_time(event)) else {
        return waiting;
    };
    let message = event.message.as_deref().unwrap_or_default();
    let hint = match event.reason.as_deref() {
        Some("NotTriggerScaleUp") => format!("the autoscaler is not adding a node: {message}"),
        _ => format!("a node is being added: {message}"),
    };
    Waiting { hint: Some(hint), ..waiting }
}

fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

/// Clamps a time that a node recorded for a pod to no earlier than when the pod was assigned to it.
fn since_placed(at: Timestamp, driver: &Pod, limits: &Limits) -> Timestamp {
    let placed = scheduling::scheduled_at(driver).filter(|placed| *placed <= limits.now);
    clamp_time(at, placed.max(created(driver)).unwrap_or(at), limits)
}

fn pod_group_problem(driver: &Pod, observed: &Observed, limits: &Limits) -> Option<Waiting> {
    let group = observed.pod_group.as_ref()?;
    if !has_passed(created(driver)?, POD_GROUP_SETTLES, limits) {
        return None;
    }
    let events = observed.pod_group_events().filter(|event| event.type_.as_deref() == Some("Normal"));
    let latest = events.max_by_key(|event| event_time(event)).and_then(|event| event.message.as_deref());
    let (message, hint) = scheduler::of_group(group)?.wait(group, observed.queue.as_ref(), latest)?;
    Some(Waiting { reason: Reason::PodGroup, message, hint: Some(hint), since: created(driver) })
}

fn no_scheduler(driver: &Pod, observed: &Observed, limits: &Limits) -> Option<Waiting> {
    let created = created(driver)?;
    let has_events = observed.driver_events().next().is_some();
    if has_events || !has_passed(created, NO_ANSWER, limits) {
        return None;
    }
    let name = driver.spec.as_ref().and_then(|spec| spec.scheduler_name.as_deref()).unwrap_or("default-scheduler");
    Some(Waiting {
        reason: Reason::NoScheduler,
        message: format!("no response from scheduler `{name}`"),
        hint: Some(match nearest(name, scheduler::pods_names()).filter(|word| *word != name) {
            Some(word) => format!("did you mean `{word}`? It is the job file's batchScheduler or schedulerName"),
            None => format!(
                "check that `{name}` is installed and spelled correctly: it is the job file's batchScheduler or schedulerName"
            ),
        }),
        since: Some(created),
    })
}

/// A problem that a container's own status reports.
fn container_problem(driver: &Pod, observed: &Observed) -> Option<Waiting> {
    container::statuses(driver).find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        match waiting.reason.as_deref()? {
            "ErrImagePull"
            | "ImagePullBackOff"
            | "ImageInspectError"
            | "RegistryUnavailable"
            | "SignatureValidationFailed" => Some(image_problem(driver, status, waiting, observed)),
            "InvalidImageName" | "ErrImageNeverPull" => Some(Waiting {
                reason: Reason::InvalidImage,
                message: invalid_image(status, waiting),
                hint: None,
                since: scheduling::scheduled_at(driver),
            }),
            "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => {
                Some(config_problem(driver, waiting, observed))
            }
            _ => None,
        }
    })
}

fn image_problem(
    driver: &Pod,
    status: &ContainerStatus,
    waiting: &ContainerStateWaiting,
    observed: &Observed,
) -> Waiting {
    let failures = || {
        observed.driver_events().filter(|event| {
            event.reason.as_deref() == Some("Failed")
                && event.message.as_deref().is_some_and(|message| message.contains("pull"))
        })
    };
    // The back-off's message has the cause only since Kubernetes 1.31; the event always has it.
    let detail = failures()
        .filter_map(|event| event.message.as_deref())
        .find(|message| message.contains(&status.image))
        .or(waiting.message.as_deref())
        .unwrap_or_default();
    let (class, hint) = hint::image::class(detail);
    Waiting {
        reason: Reason::Image,
        message: format!("image {} cannot be pulled: {class}", status.image),
        hint: Some(match class.contains("credentials") || class.contains("rate of pulls") {
            true => format!("{hint}; {}", pull_secrets(driver, observed)),
            false => hint.into(),
        }),
        since: failures()
            .filter_map(|event| event.first_timestamp.as_ref().map(|time| time.0))
            .min()
            .or_else(|| scheduling::scheduled_at(driver)),
    }
}

fn invalid_image(status: &ContainerStatus, waiting: &ContainerStateWaiting) -> String {
    match waiting.reason.as_deref() {
        Some("ErrImageNeverPull") => {
            format!("image {} is not on the node, and imagePullPolicy is Never", status.image)
        }
        _ => format!("`{}` is not an image name", status.image),
    }
}

fn config_problem(driver: &Pod, waiting: &ContainerStateWaiting, observed: &Observed) -> Waiting {
    let message = waiting.message.clone().unwrap_or_else(|| waiting.reason.clone().unwrap_or_default());
    let hint = if message.contains("not found") || message.contains("couldn't find key") {
        Some("it must exist in the application's own namespace, with that key: create it, or correct the name")
    } else if message.contains("runAsNonRoot")
        || message.contains("non-root policy")
        || message.contains("non-numeric user")
    {
        Some("the image's user violates the pod's security context: set runAsUser to a number that is not 0")
    } else {
        None
    };
    let hint = evidence::hint_with_alternatives(hint, &message, &observed.evidence);
    Waiting { reason: Reason::Config, message, hint, since: scheduling::scheduled_at(driver) }
}

/// What the nodes last reported on the driver's volumes or sandbox.
fn node_event(observed: &Observed) -> Option<&Event> {
    let reasons = ["FailedMount", "FailedAttachVolume", "FailedCreatePodSandBox"];
    observed
        .driver_events()
        .filter(|event| reasons.contains(&event.reason.as_deref().unwrap_or_default()))
        .max_by_key(|event| event_time(event))
}

/// What a node lacks for a volume of the driver, if it says so. Kubernetes itself makes the root certificates of a new
/// namespace in a moment.
pub(super) fn missing_for_volume(observed: &Observed) -> Option<Missing> {
    let missing = Missing::of(node_event(observed)?.message.as_deref()?)?;
    (missing.name != "kube-root-ca.crt").then_some(missing)
}

/// A problem that only events report: volumes and the sandbox.
fn node_problem(driver: &Pod, observed: &Observed, limits: &Limits) -> Option<Waiting> {
    let event = node_event(observed)?;
    let since = event.first_timestamp.as_ref().map(|time| time.0).or_else(|| event_time(event));
    let is_confirmed = missing_for_volume(observed).is_some_and(|missing| observed.evidence.confirms(&missing));
    if !is_confirmed && !has_passed(since_placed(since?, driver, limits), MOUNT_SETTLES, limits) {
        return None;
    }
    let message = event.message.clone().unwrap_or_default();
    let (reason, hint) = match event.reason.as_deref() {
        Some("FailedCreatePodSandBox") => {
            (Reason::Sandbox, Some("the node's network or container runtime fails: ask the cluster's administrator"))
        }
        _ if message.contains("not found") => {
            (Reason::Volume, Some("what the volume refers to must exist in the application's own namespace"))
        }
        _ if message.contains("Multi-Attach") => {
            (Reason::Volume, Some("a pod on another node uses the volume: wait until it ends, or use ReadWriteMany"))
        }
        _ => (Reason::Volume, None),
    };
    let hint = evidence::hint_with_alternatives(hint, &message, &observed.evidence);
    Some(Waiting { reason, message, hint, since })
}

/// The latest occurrence of an event.
pub fn event_time(event: &Event) -> Option<Timestamp> {
    let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
    let micro = series.or(event.event_time.as_ref()).map(|time| time.0);
    let whole = event.last_timestamp.as_ref().or(event.first_timestamp.as_ref()).map(|time| time.0);
    whole.max(micro)
}
