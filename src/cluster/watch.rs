//! Lists and watches a collection until nobody needs it any more. Every interruption is reported to the receiver, and
//! each retry comes later than the one before.
//!
//! kube's own watcher has no timeout for a list, retries at once when a watch ends without an event, and resumes a
//! watch that was refused as too old from the same version.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use k8s_openapi::jiff::Timestamp;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::error::Failure;
use super::request::{ANSWER_TIMEOUT, in_time};
use crate::time::Backoff;

/// The server should end a watch after its timeout. A watch that is silent for this much longer is a dead connection.
const SILENCE: Duration = Duration::from_secs(5);
/// A watch that ends sooner than this without an event is not restarted at once.
const SHORT: Duration = Duration::from_secs(1);
/// Pauses before the next list or watch. They grow to 20 seconds, which is often enough for a server that is down.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(8),
    Duration::from_secs(20),
];

/// What a watch reports.
#[derive(Debug)]
pub(super) enum Update<K> {
    /// All objects of the collection.
    All(Vec<K>),
    Changed(K),
    Deleted(K),
    /// A request failed; the watch reconnects.
    Disconnected(Failure),
    /// The first request was refused; the watch has ended.
    Refused(Failure),
}

/// A watch, and where its updates go.
pub(super) struct Watch<K, T> {
    pub api: Api<K>,
    pub labels: Option<String>,
    pub fields: Option<String>,
    /// The server ends a watch after this.
    pub timeout: Duration,
    pub wrap: fn(Update<K>) -> T,
    pub sender: mpsc::Sender<T>,
}

/// The receiver is gone, or there will be no further update.
struct Closed;

impl<K, T> Watch<K, T>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    T: Send,
{
    /// Runs until the receiver is dropped, or the first request is refused.
    pub(super) async fn run(self) {
        let mut connection = Connection { backoff: Backoff::new(&PAUSES), was_established: false };
        while let Ok(version) = self.list(&mut connection).await {
            if self.watch(version, &mut connection).await.is_err() {
                return;
            }
        }
    }

    /// Lists all objects, with as many retries as it takes. Returns the version of the list.
    async fn list(&self, connection: &mut Connection) -> Result<String, Closed> {
        let params = ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            ..Default::default()
        };
        loop {
            match in_time(ANSWER_TIMEOUT, self.api.list(&params)).await {
                Ok(list) => {
                    // Only a watch resets the backoff: the version of a new list may already be too old to watch from.
                    connection.was_established = true;
                    let version = list.metadata.resource_version.unwrap_or_default();
                    self.send(Update::All(list.items.into_iter().map(without_managed_fields).collect())).await?;
                    return Ok(version);
                }
                Err(failure) => self.retry(failure, connection).await?,
            }
        }
    }

    /// Watches from a version on, until that version is too old.
    async fn watch(&self, mut version: String, connection: &mut Connection) -> Result<(), Closed> {
        let seconds = u32::try_from(self.timeout.as_secs()).unwrap_or(u32::MAX).max(1);
        let params = WatchParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            timeout: Some(seconds),
            ..Default::default()
        };
        loop {
            let started = Instant::now();
            let stream = match in_time(ANSWER_TIMEOUT, self.api.watch(&params, &version)).await {
                Ok(stream) => stream,
                Err(failure) if failure.code() == 410 => return self.pause(connection).await,
                // A user who may list but not watch gets repeated lists.
                Err(failure) if failure.code() == 403 => return self.retry(failure, connection).await,
                Err(failure) => {
                    self.retry(failure, connection).await?;
                    continue;
                }
            };
            let mut stream = stream.boxed();
            let mut is_empty = true;
            loop {
                let event = match tokio::time::timeout(self.timeout + SILENCE, stream.next()).await {
                    Ok(Some(Ok(event))) => event,
                    Ok(Some(Err(error))) => {
                        connection.reset_if_stable(started);
                        self.retry(Failure::of(error), connection).await?;
                        break;
                    }
                    Ok(None) | Err(_) => break,
                };
                let update = match event {
                    WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                        Update::Changed(without_managed_fields(object))
                    }
                    WatchEvent::Deleted(object) => Update::Deleted(without_managed_fields(object)),
                    WatchEvent::Bookmark(mark) => {
                        version = mark.metadata.resource_version;
                        is_empty = false;
                        continue;
                    }
                    WatchEvent::Error(status) if status.code == 410 => {
                        connection.reset_if_stable(started);
                        return self.pause(connection).await;
                    }
                    WatchEvent::Error(status) => {
                        connection.reset_if_stable(started);
                        self.retry(Failure::Refused(status.boxed()), connection).await?;
                        break;
                    }
                };
                if let Update::Changed(object) | Update::Deleted(object) = &update
                    && let Some(newer) = object.resource_version()
                {
                    version = newer;
                }
                is_empty = false;
                connection.reset();
                self.send(update).await?;
            }
            connection.reset_if_stable(started);
            if is_empty && started.elapsed() < SHORT {
                self.pause(connection).await?;
            }
        }
    }

    /// Reports a failure and waits before the next attempt, in addition for as long as the server asks.
    async fn retry(&self, failure: Failure, connection: &mut Connection) -> Result<(), Closed> {
        if !connection.was_established && matches!(failure.code(), 403 | 404) {
            self.send(Update::Refused(failure)).await?;
            return Err(Closed);
        }
        let retry_after = failure.retry_after();
        self.send(Update::Disconnected(failure)).await?;
        if let Some(retry_after) = retry_after {
            tokio::time::sleep(retry_after.min(connection.backoff.longest())).await;
        }
        self.pause(connection).await
    }

    /// Waits for the next pause of the backoff, with jitter: all watches lose a server at the same moment, and should
    /// not return at the same moment.
    async fn pause(&self, connection: &mut Connection) -> Result<(), Closed> {
        let pause = connection.backoff.next_pause_or_last();
        let jitter = f64::from(Timestamp::now().subsec_nanosecond()) / 1e9;
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.75 + jitter / 2.0)) => Ok(()),
            () = self.sender.closed() => Err(Closed),
        }
    }

    async fn send(&self, update: Update<K>) -> Result<(), Closed> {
        self.sender.send((self.wrap)(update)).await.map_err(|_| Closed)
    }
}

/// How a watch has gone so far.
struct Connection {
    backoff: Backoff,
    /// Whether a list or a watch has ever been answered.
    was_established: bool,
}

impl Connection {
    fn reset(&mut self) {
        self.backoff.reset();
        self.was_established = true;
    }

    /// Forgets earlier failures once a watch has lasted for a while.
    fn reset_if_stable(&mut self, started: Instant) {
        if started.elapsed() >= SHORT {
            self.reset();
        }
    }
}

/// Managed fields are never read, and are often larger than the rest of the object.
fn without_managed_fields<K: Resource>(mut object: K) -> K {
    object.meta_mut().managed_fields = None;
    object
}
