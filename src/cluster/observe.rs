//! Observes one application by watches, and gathers evidence about its state.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::connect::Cluster;
use super::diagnose;
use super::error::Failure;
use super::watch::{Update, Watch};
use crate::manifests::{Application, Carrier, SUBMISSION};
use crate::state::{Limits, Lookup, LookupResult, Observed, State, lookups};

/// An API server that cannot be reached for this long ends the observation: a longer restart is hardly ever waited for.
const GIVE_UP: Duration = Duration::from_secs(600);
/// The first reminder that the API server still cannot be reached; each further one takes twice as long.
const REMINDER: Duration = Duration::from_secs(60);
/// How long a refusal is tolerated once the pods have been listed: an API server that has just been started does not
/// know all credentials and rights yet, and a token may be renewed.
const REFUSED: Duration = Duration::from_secs(60);

/// Failures that follow one another within this are reported once: a server that is starting comes and goes.
const SAME_OUTAGE: Duration = Duration::from_secs(30);

/// One application's objects, kept up to date by watches.
pub struct Observer {
    observed: Observed,
    /// Whether the pods have been listed.
    has_pods: bool,
    /// Updates of the Job that arrived before the first list of the pods.
    early_job: Vec<Update<Job>>,
    updates: mpsc::Receiver<Incoming>,
    outage: Outage,
    /// Aborted when the observer is dropped.
    watches: JoinSet<()>,
    /// Names of the objects whose events are watched.
    with_events: HashSet<String>,
    /// Lookups that were started: each is made once.
    looked_up: BTreeSet<Lookup>,
    cluster: Cluster,
    events: Api<Event>,
    /// Queues of the scheduler, if it has PodGroups.
    queues: Option<Api<DynamicObject>>,
    /// Whether the queue is watched: only from when it keeps the PodGroup waiting.
    watches_queue: bool,
    timeout: Duration,
    sender: mpsc::Sender<Incoming>,
}

/// What one update of the watches means.
#[derive(Debug)]
pub enum Change {
    /// The objects may have changed.
    Objects,
    /// A watch was lost and reconnects, or is not permitted: the message to show.
    Trouble(String),
}

#[allow(clippy::large_enum_variant, reason = "there are few at a time")]
enum Incoming {
    Pod(Update<Pod>),
    Event(Update<Event>),
    PodGroup(Update<DynamicObject>),
    Job(Update<Job>),
    Queue(Update<DynamicObject>),
    Evidence(LookupResult),
}

/// Starts to watch an application: its pods, the events about its carrier, its PodGroup, and its Job.
pub fn observe(cluster: &Cluster, application: &Application) -> Observer {
    let namespace = &application.namespace;
    let client = || cluster.client.clone();
    let (sender, updates) = mpsc::channel(64);
    let timeout = cluster.watch_timeout;
    let mut watches = JoinSet::new();
    let labels = application.selector().into_iter().map(|(key, value)| format!("{key}={value}"));
    watches.spawn(
        Watch {
            api: Api::namespaced(client(), namespace),
            labels: Some(labels.collect::<Vec<_>>().join(",")),
            fields: None,
            timeout,
            wrap: Incoming::Pod,
            sender: sender.clone(),
        }
        .run(),
    );
    let mut observed = Observed::default();
    if let Carrier::Job { name, submission } = &application.carrier {
        observed.of_job = true;
        watches.spawn(
            Watch {
                api: Api::namespaced(client(), namespace),
                labels: Some(format!("{SUBMISSION}={submission}")),
                fields: Some(format!("metadata.name={name}")),
                timeout,
                wrap: Incoming::Job,
                sender: sender.clone(),
            }
            .run(),
        );
    }
    if let Some(group) = &application.pod_group {
        watches.spawn(
            Watch {
                api: Api::namespaced_with(client(), namespace, &kind_of(group.api, "PodGroup")),
                labels: None,
                fields: Some(format!("metadata.name={}", group.name)),
                timeout,
                wrap: Incoming::PodGroup,
                sender: sender.clone(),
            }
            .run(),
        );
    }
    let queues = application.pod_group.as_ref().map(|group| kind_of(group.api, "Queue"));
    let mut observer = Observer {
        observed,
        has_pods: false,
        early_job: Vec::new(),
        updates,
        outage: Outage::default(),
        watches,
        with_events: HashSet::new(),
        looked_up: BTreeSet::new(),
        cluster: cluster.clone(),
        events: Api::namespaced(client(), namespace),
        queues: queues.map(|queues| Api::all_with(client(), &queues)),
        watches_queue: false,
        timeout,
        sender,
    };
    observer.watch_events(application.carrier.name());
    observer
}

/// A kind of a scheduler's API.
fn kind_of(api: &str, kind: &str) -> ApiResource {
    let (group, version) = api.split_once('/').unwrap_or(("", api));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

impl Observer {
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Starts to watch the events about an object, unless they are watched.
    fn watch_events(&mut self, name: &str) {
        if self.with_events.insert(name.to_owned()) {
            self.watches.spawn(
                Watch {
                    api: self.events.clone(),
                    labels: None,
                    fields: Some(format!("involvedObject.name={name}")),
                    timeout: self.timeout,
                    wrap: Incoming::Event,
                    sender: self.sender.clone(),
                }
                .run(),
            );
        }
    }

    /// Starts the lookups that may explain a state, in the background. Each is made once.
    pub fn gather_evidence(&mut self, state: &State, limits: &Limits) {
        let Some(namespace) = self.observed.namespace() else { return };
        for lookup in lookups(state, &self.observed, limits) {
            if self.looked_up.insert(lookup.clone()) {
                let (cluster, namespace) = (self.cluster.clone(), namespace.to_owned());
                let (driver, sender) = (self.observed.driver.clone(), self.sender.clone());
                self.watches.spawn(async move {
                    let lookups = BTreeSet::from([lookup]);
                    for result in diagnose::evidence(&cluster, &namespace, driver.as_ref(), &lookups).await {
                        // An error means that the observer was dropped.
                        let _ = sender.send(Incoming::Evidence(result)).await;
                    }
                });
            }
        }
    }

    /// Makes the lookups that may explain a state, and waits for them: for a final state.
    pub async fn gather_evidence_now(&mut self, state: &State, limits: &Limits) {
        let Some(namespace) = self.observed.namespace() else { return };
        let lookups = lookups(state, &self.observed, limits);
        for result in diagnose::evidence(&self.cluster, namespace, self.observed.driver.as_ref(), &lookups).await {
            self.observed.evidence.take(result);
        }
    }

    /// Adds evidence that was found in another way than by a lookup.
    pub fn add_evidence(&mut self, result: LookupResult) {
        self.observed.evidence.take(result);
    }

    /// Notes that the driver's log is followed, so that no lookup needs to read it.
    pub fn log_is_followed(&mut self) {
        self.observed.evidence.follows_log = true;
    }

    /// Applies a driver pod that was read with a request of its own.
    pub fn apply_driver(&mut self, driver: Pod) {
        self.observed.apply_pod(driver);
    }

    /// Waits for the next change. Cancel safe.
    ///
    /// # Errors
    /// The pods cannot be watched: the request is refused, or the API server cannot be reached for ten minutes.
    pub async fn changed(&mut self) -> Result<Change, Failure> {
        while let Some(incoming) = self.updates.recv().await {
            let change = match incoming {
                Incoming::Pod(update) => self.apply_pod(update)?,
                Incoming::Event(update) => self.apply_event(update),
                Incoming::PodGroup(update) => self.apply_pod_group(update),
                Incoming::Job(update) => self.apply_job(update)?,
                Incoming::Queue(update) => self.apply_queue(update),
                Incoming::Evidence(result) => {
                    self.observed.evidence.take(result);
                    Some(Change::Objects)
                }
            };
            if let Some(change) = change {
                return Ok(change);
            }
        }
        Err(Failure::NoAnswer("all watches ended".into()))
    }

    fn apply_pod(&mut self, update: Update<Pod>) -> Result<Option<Change>, Failure> {
        match update {
            Update::All(pods) => {
                self.observed.relist_pods(pods);
                self.has_pods = true;
                for update in std::mem::take(&mut self.early_job) {
                    self.apply_job(update)?;
                }
            }
            Update::Changed(pod) => self.observed.apply_pod(pod),
            Update::Deleted(pod) => self.observed.delete_pod(pod),
            Update::Disconnected(failure) => {
                return Ok(self.outage.report(failure, Instant::now())?.map(Change::Trouble));
            }
            Update::Refused(failure) => return Err(failure),
        }
        self.outage.end();
        if let Some(driver) = self.observed.driver.as_ref().and_then(|driver| driver.metadata.name.clone()) {
            self.watch_events(&driver);
        }
        Ok(Some(Change::Objects))
    }

    /// Applies an update of the Job once the pods have been listed: before that, a Job that has ended looks like one whose
    /// pods are gone. A Job that may not be watched is an error: only the Job says when the application has ended.
    fn apply_job(&mut self, update: Update<Job>) -> Result<Option<Change>, Failure> {
        if !self.has_pods && matches!(update, Update::All(_) | Update::Changed(_) | Update::Deleted(_)) {
            self.early_job.push(update);
            return Ok(None);
        }
        let (job, is_gone) = match update {
            Update::All(jobs) => {
                let job = jobs.into_iter().next();
                let is_gone = job.is_none();
                (job.or(self.observed.job.take()), is_gone)
            }
            Update::Changed(job) => (Some(job), false),
            Update::Deleted(job) => (Some(job), true),
            // The watch on the pods reports the outage.
            Update::Disconnected(_) => return Ok(None),
            Update::Refused(failure) => return Err(failure),
        };
        (self.observed.job, self.observed.job_is_gone) = (job, is_gone);
        Ok(Some(Change::Objects))
    }

    fn apply_event(&mut self, update: Update<Event>) -> Option<Change> {
        let events = match update {
            Update::All(events) => events,
            Update::Changed(event) => vec![event],
            Update::Refused(why) => {
                return Some(Change::Trouble(format!("cannot read events, so reasons may be missing: {why}")));
            }
            // Events expire, and remain true. The watch on the pods reports an outage.
            Update::Deleted(_) | Update::Disconnected(_) => return None,
        };
        for event in events {
            self.observed.events.insert(event.metadata.name.clone().unwrap_or_default(), event);
        }
        Some(Change::Objects)
    }

    fn apply_pod_group(&mut self, update: Update<DynamicObject>) -> Option<Change> {
        let group = match update {
            Update::All(groups) => groups.into_iter().next(),
            Update::Changed(group) => Some(group),
            Update::Deleted(_) => None,
            Update::Refused(why) => return Some(Change::Trouble(format!("cannot read the PodGroup: {why}"))),
            Update::Disconnected(_) => return None,
        };
        self.observed.pod_group = group.and_then(|group| serde_json::to_value(group).ok());
        self.watch_queue();
        Some(Change::Objects)
    }

    /// Starts to watch the events about a PodGroup and its queue, once it is not admitted: they say why.
    fn watch_queue(&mut self) {
        let (Some(group), Some(queues)) = (&self.observed.pod_group, self.queues.clone()) else { return };
        let text = |pointer: &str| group.pointer(pointer).and_then(Value::as_str);
        let is_refused = text("/status/phase") == Some("Pending") && group.pointer("/status/conditions").is_some();
        if self.watches_queue || !is_refused {
            return;
        }
        self.watches_queue = true;
        let queue = text("/spec/queue").unwrap_or("default").to_owned();
        let name = text("/metadata/name").unwrap_or_default().to_owned();
        self.watch_events(&name);
        self.watches.spawn(
            Watch {
                api: queues,
                labels: None,
                fields: Some(format!("metadata.name={queue}")),
                timeout: self.timeout,
                wrap: Incoming::Queue,
                sender: self.sender.clone(),
            }
            .run(),
        );
    }

    fn apply_queue(&mut self, update: Update<DynamicObject>) -> Option<Change> {
        let queue = match update {
            Update::All(queues) => queues.into_iter().next(),
            Update::Changed(queue) => Some(queue),
            Update::Deleted(_) => None,
            // Queues are cluster-scoped, and few users may read them.
            Update::Refused(_) | Update::Disconnected(_) => return None,
        };
        self.observed.queue = queue.and_then(|queue| serde_json::to_value(queue).ok());
        Some(Change::Objects)
    }
}

/// An outage of the API server, as the watch on the pods sees it: reported when it begins, then ever more rarely, and
/// an error in the end.
#[derive(Default)]
struct Outage {
    /// The first failure since the pods were last seen.
    since: Option<Instant>,
    /// How many reminders have been reported.
    reminders: u32,
    /// The latest failure. The next one belongs to the same outage if it follows soon, even if pods were seen between.
    latest: Option<Instant>,
}

impl Outage {
    fn end(&mut self) {
        (self.since, self.reminders) = (None, 0);
    }

    /// The message to show for one more failure; `None` if it is not worth one.
    fn report(&mut self, failure: Failure, now: Instant) -> Result<Option<String>, Failure> {
        let latest = self.latest.replace(now);
        let is_new = latest.is_none_or(|latest| now.duration_since(latest) > SAME_OUTAGE);
        let is_first = self.since.is_none() && is_new;
        let lasted = now.duration_since(*self.since.get_or_insert(now));
        match failure {
            Failure::Refused(status) if matches!(status.code, 401 | 403 | 404) && lasted > REFUSED => {
                Err(Failure::Refused(status))
            }
            failure if lasted > GIVE_UP => {
                let why = match failure {
                    Failure::NoAnswer(why) => why,
                    other => other.to_string(),
                };
                Err(Failure::NoAnswer(format!("{why}, for {} min", lasted.as_secs() / 60)))
            }
            failure if is_first => Ok(Some(format!("lost the pod watch, reconnecting: {failure}"))),
            failure if lasted >= REMINDER * 2_u32.pow(self.reminders) => {
                self.reminders += 1;
                let minutes = lasted.as_secs() / 60;
                Ok(Some(format!("still cannot reach the API server after {minutes} min, retrying: {failure}")))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use kube::core::Status;

    use super::{Failure, Outage};

    fn refused(code: u16) -> Failure {
        Failure::Refused(Box::new(Status { code, message: "no".into(), ..Status::default() }))
    }

    #[test]
    fn reports_a_refusal_once_and_tolerates_it_for_a_minute() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert!(outage.report(refused(401), start).is_ok_and(|message| message.is_some()));
        assert!(outage.report(refused(401), start + Duration::from_secs(30)).is_ok_and(|message| message.is_none()));
        assert!(outage.report(refused(401), start + Duration::from_secs(61)).is_err());
    }

    #[test]
    fn reminds_ever_more_rarely_of_a_server_that_cannot_be_reached() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        let lost = || Failure::NoAnswer("Connection refused".into());
        let mut report = |second: u64| outage.report(lost(), start + Duration::from_secs(second));
        let reported: Vec<u64> =
            (0..=600).filter(|second| report(*second).is_ok_and(|message| message.is_some())).collect();
        assert_eq!(reported, [0, 60, 120, 240, 480]);
        let end = report(601).expect_err("an end");
        assert_eq!(end.to_string(), "no answer from the API server: Connection refused, for 10 min");
    }

    #[test]
    fn a_failure_soon_after_the_last_one_belongs_to_the_same_outage() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert!(outage.report(refused(503), start).is_ok_and(|message| message.is_some()));
        outage.end();
        assert!(outage.report(refused(503), start + Duration::from_secs(5)).is_ok_and(|message| message.is_none()));
        outage.end();
        assert!(outage.report(refused(503), start + Duration::from_secs(60)).is_ok_and(|message| message.is_some()));
    }

    #[test]
    fn tolerates_a_failing_server_for_ten_minutes() {
        let (mut outage, start) = (Outage::default(), Instant::now());
        assert!(outage.report(refused(503), start).is_ok());
        assert!(outage.report(refused(503), start + Duration::from_secs(599)).is_ok());
        assert!(outage.report(refused(503), start + Duration::from_secs(601)).is_err());
    }
}
