//! Lists, then watches, for ever: each interruption told, each repetition later than the one before it.
//!
//! kube's own watcher waits for ever for the answer to a list, asks again at once when a watch ends with
//! nothing in it, and takes up a watch that is refused as too old from the same place.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::Failure;
use super::request::{ANSWER_TIMEOUT, in_time};

/// How much later than the server should end a watch its silence is taken for a dead connection.
const SILENCE: Duration = Duration::from_secs(5);
/// A watch that ends sooner, with nothing in it, is not worth asking for at once again.
const SHORT: Duration = Duration::from_secs(1);
/// Pauses before the next request, the last one repeated.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
    Duration::from_secs(20),
];

/// What a watch brings.
#[derive(Debug)]
pub(super) enum Update<K> {
    /// Everything that there is, as a whole.
    All(Vec<K>),
    Changed(K),
    Deleted(K),
    /// Something went wrong; the watch goes on.
    Stumbled(Failure),
    /// It was refused before anything was seen, and is over.
    Refused(Failure),
}

/// What is watched, and where to.
pub(super) struct Watch<K, T> {
    pub api: Api<K>,
    pub labels: Option<String>,
    pub fields: Option<String>,
    /// After this the server ends a watch.
    pub timeout: Duration,
    pub hear: fn(Update<K>) -> T,
    pub sender: mpsc::Sender<T>,
}

/// Nobody listens any more, or there will never be anything to hear.
struct Over;

impl<K, T> Watch<K, T>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send,
{
    /// Goes on until nobody listens, or until it is refused at its very beginning.
    pub(super) async fn go_on(self) {
        let mut course = Backoff { failures: 0, has_seen: false };
        while let Ok(version) = self.list(&mut course).await {
            if self.watch(version, &mut course).await.is_err() {
                return;
            }
        }
    }

    /// All objects, as often as it takes. Returns their version.
    async fn list(&self, course: &mut Backoff) -> Result<String, Over> {
        let params = ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            ..Default::default()
        };
        loop {
            match in_time(ANSWER_TIMEOUT, self.api.list(&params)).await {
                Ok(list) => {
                    // Whether it goes well the watch will tell: one may be too old for ever, however new the list.
                    course.has_seen = true;
                    let version = list.metadata.resource_version.unwrap_or_default();
                    self.tell(Update::All(list.items.into_iter().map(bare).collect())).await?;
                    return Ok(version);
                }
                Err(failure) => self.stumble(failure, course).await?,
            }
        }
    }

    /// Watches from a version on, until it is too old to be watched from.
    async fn watch(&self, mut version: String, course: &mut Backoff) -> Result<(), Over> {
        let seconds = u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX).max(1);
        let params = WatchParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            timeout: Some(seconds),
            ..Default::default()
        };
        loop {
            let begun = Instant::now();
            let stream = match in_time(ANSWER_TIMEOUT, self.api.watch(&params, &version)).await {
                Ok(stream) => stream,
                Err(failure) if failure.code() == 410 => return self.pause(course).await,
                // Who may list, and not watch, lists now and then.
                Err(failure) if failure.code() == 403 => return self.stumble(failure, course).await,
                Err(failure) => {
                    self.stumble(failure, course).await?;
                    continue;
                }
            };
            let mut stream = stream.boxed();
            let mut is_empty = true;
            loop {
                let event = match tokio::time::timeout(self.timeout + SILENCE, stream.next()).await {
                    Ok(Some(Ok(event))) => event,
                    Ok(Some(Err(error))) => {
                        course.lasted(begun);
                        self.stumble(Failure::of(error), course).await?;
                        break;
                    }
                    Ok(None) | Err(_) => break,
                };
                let heard = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => Update::Changed(bare(object)),
                    WatchEvent::Deleted(object) => Update::Deleted(bare(object)),
                    WatchEvent::Bookmark(mark) => {
                        version = mark.metadata.resource_version;
                        is_empty = false;
                        continue;
                    }
                    WatchEvent::Error(status) if status.code == 410 => {
                        course.lasted(begun);
                        return self.pause(course).await;
                    }
                    WatchEvent::Error(status) => {
                        course.lasted(begun);
                        self.stumble(Failure::Refused(status.boxed()), course).await?;
                        break;
                    }
                };
                if let Update::Changed(object) | Update::Deleted(object) = &heard
                    && let Some(newer) = object.resource_version()
                {
                    version = newer;
                }
                is_empty = false;
                course.goes_well();
                self.tell(heard).await?;
            }
            course.lasted(begun);
            if is_empty && begun.elapsed() < SHORT {
                self.pause(course).await?;
            }
        }
    }

    /// Tells of a failure, and waits before the next attempt; longer if the server asks for it.
    async fn stumble(&self, failure: Failure, course: &mut Backoff) -> Result<(), Over> {
        if !course.has_seen && matches!(failure.code(), 403 | 404) {
            self.tell(Update::Refused(failure)).await?;
            return Err(Over);
        }
        let asked = failure.retry_after();
        self.tell(Update::Stumbled(failure)).await?;
        if let Some(asked) = asked {
            tokio::time::sleep(asked.min(PAUSES[PAUSES.len() - 1])).await;
        }
        self.pause(course).await
    }

    async fn pause(&self, course: &mut Backoff) -> Result<(), Over> {
        let pause = PAUSES[course.failures.min(PAUSES.len() - 1)];
        course.failures += 1;
        // All who follow something lose the server at once: they should not come back at once.
        let share = f64::from(Timestamp::now().subsec_nanosecond()) / 1e9;
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.75 + share / 2.0)) => Ok(()),
            () = self.sender.closed() => Err(Over),
        }
    }

    async fn tell(&self, heard: Update<K>) -> Result<(), Over> {
        self.sender.send((self.hear)(heard)).await.map_err(|_| Over)
    }
}

/// How a watch has gone so far.
struct Backoff {
    /// Since the last event, or the last watch that lasted.
    failures: usize,
    has_seen: bool,
}

impl Backoff {
    fn goes_well(&mut self) {
        *self = Backoff { failures: 0, has_seen: true };
    }

    /// What went wrong before a watch is over when it was one for a while.
    fn lasted(&mut self, begun: Instant) {
        if begun.elapsed() >= SHORT {
            self.goes_well();
        }
    }
}

/// Without what nobody reads, which is often more than the rest.
fn bare<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}
