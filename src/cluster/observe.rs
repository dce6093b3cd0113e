use std::time::{Duration, Instant};

use futures_util::stream::{BoxStream, SelectAll};
use futures_util::{Stream, StreamExt};
use k8s_openapi::api::core::v1::{Event as Notice, Pod};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::watcher::{self, Error, Event};
use kube::runtime::{WatchStreamExt, watcher as watch};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;

use super::connect::told;
use super::{Cluster, Failure};
use crate::manifests::Application;
use crate::state::Observed;

/// The server ends a watch after this, and a silent connection is taken for dead 5 s later, in seconds.
const WATCH: u32 = 120;
/// How long the pods may be out of sight before that is the outcome.
const OUT_OF_SIGHT: Duration = Duration::from_secs(600);
/// Longer than the longest pause between two attempts: no stumble for so long means that it goes on.
const CALM: Duration = Duration::from_secs(60);
/// Refusals of credentials in a row that are borne: a token may be renewed meanwhile.
const UNAUTHORIZED: usize = 3;

/// What can be seen of one application, kept up to date by watches alone.
pub struct Sight {
    observed: Observed,
    watches: SelectAll<BoxStream<'static, Seen>>,
    /// Pods of a list that is still coming in.
    relist: Vec<Pod>,
    stumbles: Stumbles,
}

/// What a step of the watches brought.
#[derive(Debug)]
pub enum Change {
    /// The objects may have changed.
    Objects,
    /// A watch stumbled and goes on, or does without: in words.
    Stumble(String),
}

#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
enum Seen {
    Pod(Result<Event<Pod>, Error>),
    Notice(Result<Event<Notice>, Error>),
    PodGroup(Result<Event<DynamicObject>, Error>),
}

/// Begins to watch an application: its pods, the events about its driver, and its PodGroup.
pub fn observe(cluster: &Cluster, application: &Application) -> Sight {
    let namespace = &application.namespace;
    let client = || cluster.client.clone();
    let mut watches = SelectAll::new();
    let pods = watcher::Config::default().labels(&format!("spark-app-selector={}", application.id));
    watches.push(watched(Api::namespaced(client(), namespace), pods).map(Seen::Pod).boxed());
    let notices = watcher::Config::default().fields(&format!("involvedObject.name={}", application.driver));
    watches.push(until_refused(watched(Api::namespaced(client(), namespace), notices)).map(Seen::Notice).boxed());
    if let Some(group) = &application.pod_group {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("scheduling.volcano.sh", "v1beta1", "PodGroup"));
        let groups = Api::namespaced_with(client(), namespace, &kind);
        let named = watcher::Config::default().fields(&format!("metadata.name={group}"));
        watches.push(until_refused(watched(groups, named)).map(Seen::PodGroup).boxed());
    }
    Sight { observed: Observed::default(), watches, relist: Vec::new(), stumbles: Stumbles::default() }
}

impl Sight {
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// Waits for the next change. May be dropped and called again: nothing is lost.
    ///
    /// # Errors
    /// The pods cannot be watched: refused, or out of reach for ten minutes.
    pub async fn changed(&mut self) -> Result<Change, Failure> {
        while let Some(seen) = self.watches.next().await {
            let change = match seen {
                Seen::Pod(Ok(event)) => {
                    self.stumbles.over();
                    self.take_pod(event).then_some(Change::Objects)
                }
                Seen::Pod(Err(error)) => self.stumbles.take(&error)?.map(Change::Stumble),
                Seen::Notice(Ok(event)) => self.take_notice(event).then_some(Change::Objects),
                Seen::PodGroup(Ok(event)) => self.take_pod_group(event).then_some(Change::Objects),
                Seen::Notice(Err(error)) => refused(&error)
                    .map(|why| Change::Stumble(format!("events cannot be read, so reasons may be missing: {why}"))),
                Seen::PodGroup(Err(error)) => {
                    refused(&error).map(|why| Change::Stumble(format!("the PodGroup cannot be read: {why}")))
                }
            };
            if let Some(change) = change {
                return Ok(change);
            }
        }
        Err(Failure::NoAnswer("all watches ended".into()))
    }

    /// Returns whether there is something new to judge.
    fn take_pod(&mut self, event: Event<Pod>) -> bool {
        match event {
            Event::Apply(pod) => self.observed.apply_pod(pod),
            Event::Delete(pod) => self.observed.delete_pod(pod),
            Event::Init => self.relist.clear(),
            Event::InitApply(pod) => self.relist.push(pod),
            Event::InitDone => {
                self.observed.relist_pods(std::mem::take(&mut self.relist));
                return true;
            }
        }
        // A list counts as a whole: half of it would make pods seem gone.
        self.relist.is_empty()
    }

    fn take_notice(&mut self, event: Event<Notice>) -> bool {
        if let Event::Apply(notice) | Event::InitApply(notice) = event {
            let name = notice.metadata.name.clone().unwrap_or_default();
            self.observed.events.insert(name, notice);
            return true;
        }
        // Events expire: what has been said remains so.
        false
    }

    fn take_pod_group(&mut self, event: Event<DynamicObject>) -> bool {
        match event {
            Event::Apply(group) | Event::InitApply(group) => {
                self.observed.pod_group = serde_json::to_value(group).ok();
            }
            Event::Delete(_) => self.observed.pod_group = None,
            Event::Init | Event::InitDone => return false,
        }
        true
    }
}

/// A watch that pauses between attempts, longer each time, and leaves out what nobody reads.
fn watched<K>(api: Api<K>, config: watcher::Config) -> impl Stream<Item = Result<Event<K>, Error>> + Send
where
    K: Resource + Clone + DeserializeOwned + std::fmt::Debug + Send + 'static,
{
    watch(api, config.timeout(WATCH))
        .default_backoff()
        .map(|item| item.map(|event| event.modify(|object| object.meta_mut().managed_fields = None)))
}

/// Ends a watch that one can do without when it is refused: kube's own would ask for ever.
fn until_refused<K: Send>(
    watch: impl Stream<Item = Result<Event<K>, Error>> + Send,
) -> impl Stream<Item = Result<Event<K>, Error>> + Send {
    let mut over = false;
    watch.take_while(move |item| {
        let go_on = !over;
        over = matches!(item, Err(error) if refused(error).is_some());
        std::future::ready(go_on)
    })
}

/// The server's sentence, if the error is an answer that will not change.
fn refused(error: &Error) -> Option<String> {
    let status = match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status))
        | Error::WatchError(status) => status,
        _ => return None,
    };
    matches!(status.code, 401 | 403 | 404).then(|| status.message.clone())
}

/// A row of stumbles, told once, and fatal in the end.
#[derive(Default)]
struct Stumbles {
    first: Option<Instant>,
    last: Option<Instant>,
    unauthorized: usize,
}

impl Stumbles {
    fn over(&mut self) {
        *self = Stumbles::default();
    }

    /// What to say of one more stumble: nothing if it goes without saying.
    fn take(&mut self, error: &Error) -> Result<Option<String>, Failure> {
        // A watch that is too old, or that the server ends, is resumed or begun anew by the watcher.
        if matches!(error, Error::WatchError(status) if status.code == 410) {
            return Ok(None);
        }
        let now = Instant::now();
        if self.last.is_some_and(|last| now.duration_since(last) > CALM) {
            self.over();
        }
        let is_first = self.first.is_none();
        let first = *self.first.get_or_insert(now);
        self.last = Some(now);
        if let Some(why) = refused(error) {
            self.unauthorized += 1;
            let code = code(error);
            if code != 401 || self.unauthorized >= UNAUTHORIZED {
                let status = kube::core::Status { code, message: why, ..Default::default() };
                return Err(Failure::Refused(Box::new(status)));
            }
        }
        let why = cause(error);
        if now.duration_since(first) > OUT_OF_SIGHT {
            return Err(Failure::NoAnswer(format!("{why}, for {} min", OUT_OF_SIGHT.as_secs() / 60)));
        }
        Ok(is_first.then(|| format!("the watch on the pods stumbled, and is resumed: {why}")))
    }
}

fn code(error: &Error) -> u16 {
    match error {
        Error::InitialListFailed(kube::Error::Api(status))
        | Error::WatchStartFailed(kube::Error::Api(status))
        | Error::WatchFailed(kube::Error::Api(status))
        | Error::WatchError(status) => status.code,
        _ => 0,
    }
}

fn cause(error: &Error) -> String {
    match error {
        Error::InitialListFailed(error) | Error::WatchStartFailed(error) | Error::WatchFailed(error) => told(error),
        Error::WatchError(status) => status.message.clone(),
        Error::NoResourceVersion => "an answer without a version".into(),
    }
}
