use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::watch::{Update, Watch};
use super::{Cluster, Failure, diagnose};
use crate::manifests::{Application, Carrier, SUBMISSION};
use crate::state::{Limits, Lookup, LookupResult, Observed, State, worth_a_look};

/// How long the pods may be out of sight before that is the outcome.
const OUT_OF_SIGHT: Duration = Duration::from_secs(600);
/// When it is told first that they still are.
const REMINDER: Duration = Duration::from_secs(60);
/// How long a refusal is borne after the pods were seen: an API server that has just been started does
/// not know all credentials and rights yet, and a token may be renewed.
const REFUSED: Duration = Duration::from_secs(60);

/// Stumbles with no more time than this between them are told as one: a server that starts is there and gone again.
const SAME_TROUBLE: Duration = Duration::from_secs(30);

/// What can be seen of one application, kept up to date by watches alone.
pub struct Observer {
    observed: Observed,
    heard: mpsc::Receiver<Seen>,
    stumbles: Stumbles,
    /// Ended with this.
    watches: JoinSet<()>,
    /// Names of the objects of which events are watched.
    told: HashSet<String>,
    /// Where was looked to explain something: once.
    looked: BTreeSet<Lookup>,
    cluster: Cluster,
    events: Api<Event>,
    queues: Api<DynamicObject>,
    /// Whether the queue is watched: only while it keeps the PodGroup waiting.
    sees_queue: bool,
    timeout: Duration,
    sender: mpsc::Sender<Seen>,
}

/// What a step of the watches brought.
#[derive(Debug)]
pub enum Change {
    /// The objects may have changed.
    Objects,
    /// A watch stumbled and goes on, or does without: in words.
    Stumble(String),
}

#[allow(clippy::large_enum_variant, reason = "there are few at a time")]
enum Seen {
    Pod(Update<Pod>),
    Event(Update<Event>),
    PodGroup(Update<DynamicObject>),
    Job(Update<Job>),
    Queue(Update<DynamicObject>),
    Evidence(LookupResult),
}

/// Begins to watch an application: its pods, the events about its driver, its PodGroup, and its Job.
pub fn observe(cluster: &Cluster, application: &Application) -> Observer {
    let namespace = &application.namespace;
    let client = || cluster.client.clone();
    let (sender, heard) = mpsc::channel(64);
    let timeout = cluster.watch_timeout;
    let mut watches = JoinSet::new();
    let labels = application.selector().into_iter().map(|(key, value)| format!("{key}={value}"));
    watches.spawn(
        Watch {
            api: Api::namespaced(client(), namespace),
            labels: Some(labels.collect::<Vec<_>>().join(",")),
            fields: None,
            timeout,
            hear: Seen::Pod,
            sender: sender.clone(),
        }
        .go_on(),
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
                hear: Seen::Job,
                sender: sender.clone(),
            }
            .go_on(),
        );
    }
    if let Some(group) = &application.pod_group {
        watches.spawn(
            Watch {
                api: Api::namespaced_with(client(), namespace, &volcanos("PodGroup")),
                labels: None,
                fields: Some(format!("metadata.name={group}")),
                timeout,
                hear: Seen::PodGroup,
                sender: sender.clone(),
            }
            .go_on(),
        );
    }
    let mut sight = Observer {
        observed,
        heard,
        stumbles: Stumbles::default(),
        watches,
        told: HashSet::new(),
        looked: BTreeSet::new(),
        cluster: cluster.clone(),
        events: Api::namespaced(client(), namespace),
        queues: Api::all_with(client(), &volcanos("Queue")),
        sees_queue: false,
        timeout,
        sender,
    };
    sight.hear_of(application.carrier.name());
    sight
}

/// A kind of Volcano's.
fn volcanos(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("scheduling.volcano.sh", "v1beta1", kind))
}

impl Observer {
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Begins to watch the events about an object, unless they are watched.
    fn hear_of(&mut self, name: &str) {
        if self.told.insert(name.to_owned()) {
            self.watches.spawn(
                Watch {
                    api: self.events.clone(),
                    labels: None,
                    fields: Some(format!("involvedObject.name={name}")),
                    timeout: self.timeout,
                    hear: Seen::Event,
                    sender: self.sender.clone(),
                }
                .go_on(),
            );
        }
    }

    /// Has looked at what explains a state, in the background; nothing is asked for twice.
    pub fn look_around(&mut self, state: &State, terms: &Limits) {
        let Some(namespace) = self.observed.namespace() else { return };
        for at in worth_a_look(state, &self.observed, terms) {
            if self.looked.insert(at.clone()) {
                let (cluster, namespace) = (self.cluster.clone(), namespace.to_owned());
                let (driver, sender) = (self.observed.driver.clone(), self.sender.clone());
                self.watches.spawn(async move {
                    let looks = BTreeSet::from([at]);
                    for finding in diagnose::around(&cluster, &namespace, driver.as_ref(), &looks).await {
                        // Nobody listens any more: then nobody wants to know.
                        let _ = sender.send(Seen::Evidence(finding)).await;
                    }
                });
            }
        }
    }

    /// The same, waited for: at an end there is no later.
    pub async fn look_around_now(&mut self, state: &State, terms: &Limits) {
        let Some(namespace) = self.observed.namespace() else { return };
        let looks = worth_a_look(state, &self.observed, terms);
        for finding in diagnose::around(&self.cluster, namespace, self.observed.driver.as_ref(), &looks).await {
            self.observed.around.take(finding);
        }
    }

    /// Takes in what was found out by other ways than a look.
    pub fn take_finding(&mut self, finding: LookupResult) {
        self.observed.around.take(finding);
    }

    /// The driver's log is read as it is written: nobody needs to look into it.
    pub fn hears_log(&mut self) {
        self.observed.around.hears_log = true;
    }

    /// Takes in a driver's pod that was asked for, not watched.
    pub fn take_driver(&mut self, driver: Pod) {
        self.observed.apply_pod(driver);
    }

    /// Waits for the next change. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// The pods cannot be watched: refused, or out of reach for ten minutes.
    pub async fn changed(&mut self) -> Result<Change, Failure> {
        while let Some(seen) = self.heard.recv().await {
            let change = match seen {
                Seen::Pod(heard) => self.take_pod(heard)?,
                Seen::Event(heard) => self.take_event(heard),
                Seen::PodGroup(heard) => self.take_pod_group(heard),
                Seen::Job(heard) => self.take_job(heard)?,
                Seen::Queue(heard) => self.take_queue(heard),
                Seen::Evidence(finding) => {
                    self.observed.around.take(finding);
                    Some(Change::Objects)
                }
            };
            if let Some(change) = change {
                return Ok(change);
            }
        }
        Err(Failure::NoAnswer("all watches ended".into()))
    }

    fn take_pod(&mut self, heard: Update<Pod>) -> Result<Option<Change>, Failure> {
        match heard {
            Update::All(pods) => self.observed.relist_pods(pods),
            Update::Changed(pod) => self.observed.apply_pod(pod),
            Update::Deleted(pod) => self.observed.delete_pod(pod),
            Update::Stumbled(failure) => return Ok(self.stumbles.take(failure, Instant::now())?.map(Change::Stumble)),
            Update::Refused(failure) => return Err(failure),
        }
        self.stumbles.are_over();
        if let Some(driver) = self.observed.driver.as_ref().and_then(|driver| driver.metadata.name.clone()) {
            self.hear_of(&driver);
        }
        Ok(Some(Change::Objects))
    }

    /// Without the Job nothing says when the application has ended.
    fn take_job(&mut self, heard: Update<Job>) -> Result<Option<Change>, Failure> {
        let (job, is_gone) = match heard {
            Update::All(jobs) => {
                let job = jobs.into_iter().next();
                let is_gone = job.is_none();
                (job.or(self.observed.job.take()), is_gone)
            }
            Update::Changed(job) => (Some(job), false),
            Update::Deleted(job) => (Some(job), true),
            // That a watch stumbles, the one on pods tells.
            Update::Stumbled(_) => return Ok(None),
            Update::Refused(failure) => return Err(failure),
        };
        (self.observed.job, self.observed.job_is_gone) = (job, is_gone);
        Ok(Some(Change::Objects))
    }

    fn take_event(&mut self, heard: Update<Event>) -> Option<Change> {
        let events = match heard {
            Update::All(events) => events,
            Update::Changed(event) => vec![event],
            Update::Refused(why) => {
                return Some(Change::Stumble(format!("events cannot be read, so reasons may be missing: {why}")));
            }
            // Events expire: what has been said remains so. That a watch stumbles, the one on pods tells.
            Update::Deleted(_) | Update::Stumbled(_) => return None,
        };
        for event in events {
            self.observed.events.insert(event.metadata.name.clone().unwrap_or_default(), event);
        }
        Some(Change::Objects)
    }

    fn take_pod_group(&mut self, heard: Update<DynamicObject>) -> Option<Change> {
        let group = match heard {
            Update::All(groups) => groups.into_iter().next(),
            Update::Changed(group) => Some(group),
            Update::Deleted(_) => None,
            Update::Refused(why) => return Some(Change::Stumble(format!("the PodGroup cannot be read: {why}"))),
            Update::Stumbled(_) => return None,
        };
        self.observed.pod_group = group.and_then(|group| serde_json::to_value(group).ok());
        self.look_at_queue();
        Some(Change::Objects)
    }

    /// Begins to watch what says why a PodGroup is not let in, once Volcano has refused it: the events
    /// about it, and its queue.
    fn look_at_queue(&mut self) {
        let Some(group) = &self.observed.pod_group else { return };
        let text = |pointer: &str| group.pointer(pointer).and_then(Value::as_str);
        let is_refused = text("/status/phase") == Some("Pending") && group.pointer("/status/conditions").is_some();
        if self.sees_queue || !is_refused {
            return;
        }
        self.sees_queue = true;
        let queue = text("/spec/queue").unwrap_or("default").to_owned();
        let name = text("/metadata/name").unwrap_or_default().to_owned();
        self.hear_of(&name);
        self.watches.spawn(
            Watch {
                api: self.queues.clone(),
                labels: None,
                fields: Some(format!("metadata.name={queue}")),
                timeout: self.timeout,
                hear: Seen::Queue,
                sender: self.sender.clone(),
            }
            .go_on(),
        );
    }

    fn take_queue(&mut self, heard: Update<DynamicObject>) -> Option<Change> {
        let queue = match heard {
            Update::All(queues) => queues.into_iter().next(),
            Update::Changed(queue) => Some(queue),
            Update::Deleted(_) => None,
            // Queues are the cluster's own, and few may read them.
            Update::Refused(_) | Update::Stumbled(_) => return None,
        };
        self.observed.queue = queue.and_then(|queue| serde_json::to_value(queue).ok());
        Some(Change::Objects)
    }
}

/// A row of stumbles: told when it begins, then ever more rarely, and fatal in the end.
#[derive(Default)]
struct Stumbles {
    /// The first since the pods were seen.
    first: Option<Instant>,
    /// How many times it was told that they last.
    reminders: u32,
    /// The latest: what follows soon is the same trouble, though the pods were seen between.
    latest: Option<Instant>,
}

impl Stumbles {
    fn are_over(&mut self) {
        (self.first, self.reminders) = (None, 0);
    }

    /// What to say of one more stumble: nothing if it goes without saying.
    fn take(&mut self, failure: Failure, now: Instant) -> Result<Option<String>, Failure> {
        let latest = self.latest.replace(now);
        let is_new = latest.is_none_or(|latest| now.duration_since(latest) > SAME_TROUBLE);
        let is_news = self.first.is_none() && is_new;
        let lasts = now.duration_since(*self.first.get_or_insert(now));
        match failure {
            Failure::Refused(status) if matches!(status.code, 401 | 403 | 404) && lasts > REFUSED => {
                Err(Failure::Refused(status))
            }
            failure if lasts > OUT_OF_SIGHT => {
                let what = match failure {
                    Failure::NoAnswer(what) => what,
                    other => other.to_string(),
                };
                Err(Failure::NoAnswer(format!("{what}, for {} min", lasts.as_secs() / 60)))
            }
            failure if is_news => Ok(Some(format!("the watch on the pods stumbled, and is resumed: {failure}"))),
            failure if lasts >= REMINDER * 2_u32.pow(self.reminders) => {
                self.reminders += 1;
                let minutes = lasts.as_secs() / 60;
                Ok(Some(format!("the pods are out of sight for {minutes} min, and looked for still: {failure}")))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use kube::core::Status;

    use super::{Failure, Stumbles};

    fn refused(code: u16) -> Failure {
        Failure::Refused(Box::new(Status { code, message: "no".into(), ..Status::default() }))
    }

    #[test]
    fn says_once_that_it_stumbles_and_bears_a_refusal_for_a_minute() {
        let (mut stumbles, start) = (Stumbles::default(), Instant::now());
        assert!(stumbles.take(refused(401), start).is_ok_and(|said| said.is_some()));
        assert!(stumbles.take(refused(401), start + Duration::from_secs(30)).is_ok_and(|said| said.is_none()));
        assert!(stumbles.take(refused(401), start + Duration::from_secs(61)).is_err());
    }

    #[test]
    fn reminds_ever_more_rarely_of_a_server_that_is_out_of_sight() {
        let (mut stumbles, start) = (Stumbles::default(), Instant::now());
        let lost = || Failure::NoAnswer("Connection refused".into());
        let mut said = |second: u64| stumbles.take(lost(), start + Duration::from_secs(second));
        let told: Vec<u64> = (0..=600).filter(|second| said(*second).is_ok_and(|said| said.is_some())).collect();
        assert_eq!(told, [0, 60, 120, 240, 480]);
        let end = said(601).expect_err("an end");
        assert_eq!(end.to_string(), "no answer from the API server: Connection refused, for 10 min");
    }

    #[test]
    fn trouble_that_comes_back_at_once_is_the_same() {
        let (mut stumbles, start) = (Stumbles::default(), Instant::now());
        assert!(stumbles.take(refused(503), start).is_ok_and(|said| said.is_some()));
        stumbles.are_over();
        assert!(stumbles.take(refused(503), start + Duration::from_secs(5)).is_ok_and(|said| said.is_none()));
        stumbles.are_over();
        assert!(stumbles.take(refused(503), start + Duration::from_secs(60)).is_ok_and(|said| said.is_some()));
    }

    #[test]
    fn bears_a_server_in_trouble_for_ten_minutes() {
        let (mut stumbles, start) = (Stumbles::default(), Instant::now());
        assert!(stumbles.take(refused(503), start).is_ok());
        assert!(stumbles.take(refused(503), start + Duration::from_secs(599)).is_ok());
        assert!(stumbles.take(refused(503), start + Duration::from_secs(601)).is_err());
    }
}
