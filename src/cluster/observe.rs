use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Event, Pod};
use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::watch::{Heard, Watch};
use super::{Cluster, Failure};
use crate::manifests::Application;
use crate::state::Observed;

/// How long the pods may be out of sight before that is the outcome.
const OUT_OF_SIGHT: Duration = Duration::from_secs(600);
/// How long a refusal is borne after the pods were seen: an API server that has just been started does
/// not know all credentials and rights yet, and a token may be renewed.
const REFUSED: Duration = Duration::from_secs(60);

/// What can be seen of one application, kept up to date by watches alone.
pub struct Sight {
    observed: Observed,
    heard: mpsc::Receiver<Seen>,
    stumbles: Stumbles,
    /// Ended with this.
    _watches: JoinSet<()>,
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
    Pod(Heard<Pod>),
    Event(Heard<Event>),
    PodGroup(Heard<DynamicObject>),
}

/// Begins to watch an application: its pods, the events about its driver, and its PodGroup.
pub fn observe(cluster: &Cluster, application: &Application) -> Sight {
    let namespace = &application.namespace;
    let client = || cluster.client.clone();
    let (sender, heard) = mpsc::channel(64);
    let timeout = cluster.watch_timeout;
    let mut watches = JoinSet::new();
    watches.spawn(
        Watch {
            api: Api::namespaced(client(), namespace),
            labels: Some(format!("spark-app-selector={}", application.id)),
            fields: None,
            timeout,
            hear: Seen::Pod,
            sender: sender.clone(),
        }
        .go_on(),
    );
    watches.spawn(
        Watch {
            api: Api::namespaced(client(), namespace),
            labels: None,
            fields: Some(format!("involvedObject.name={}", application.driver)),
            timeout,
            hear: Seen::Event,
            sender: sender.clone(),
        }
        .go_on(),
    );
    if let Some(group) = &application.pod_group {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("scheduling.volcano.sh", "v1beta1", "PodGroup"));
        watches.spawn(
            Watch {
                api: Api::namespaced_with(client(), namespace, &kind),
                labels: None,
                fields: Some(format!("metadata.name={group}")),
                timeout,
                hear: Seen::PodGroup,
                sender,
            }
            .go_on(),
        );
    }
    Sight { observed: Observed::default(), heard, stumbles: Stumbles::default(), _watches: watches }
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
        while let Some(seen) = self.heard.recv().await {
            let change = match seen {
                Seen::Pod(heard) => self.take_pod(heard)?,
                Seen::Event(heard) => self.take_event(heard),
                Seen::PodGroup(heard) => self.take_pod_group(heard),
            };
            if let Some(change) = change {
                return Ok(change);
            }
        }
        Err(Failure::NoAnswer("all watches ended".into()))
    }

    fn take_pod(&mut self, heard: Heard<Pod>) -> Result<Option<Change>, Failure> {
        match heard {
            Heard::All(pods) => self.observed.relist_pods(pods),
            Heard::Changed(pod) => self.observed.apply_pod(pod),
            Heard::Deleted(pod) => self.observed.delete_pod(pod),
            Heard::Stumbled(failure) => return Ok(self.stumbles.take(failure, Instant::now())?.map(Change::Stumble)),
            Heard::Refused(failure) => return Err(failure),
        }
        self.stumbles = Stumbles::default();
        Ok(Some(Change::Objects))
    }

    fn take_event(&mut self, heard: Heard<Event>) -> Option<Change> {
        let events = match heard {
            Heard::All(events) => events,
            Heard::Changed(event) => vec![event],
            Heard::Refused(why) => {
                return Some(Change::Stumble(format!("events cannot be read, so reasons may be missing: {why}")));
            }
            // Events expire: what has been said remains so. That a watch stumbles, the one on pods tells.
            Heard::Deleted(_) | Heard::Stumbled(_) => return None,
        };
        for event in events {
            self.observed.events.insert(event.metadata.name.clone().unwrap_or_default(), event);
        }
        Some(Change::Objects)
    }

    fn take_pod_group(&mut self, heard: Heard<DynamicObject>) -> Option<Change> {
        let group = match heard {
            Heard::All(groups) => groups.into_iter().next(),
            Heard::Changed(group) => Some(group),
            Heard::Deleted(_) => None,
            Heard::Refused(why) => return Some(Change::Stumble(format!("the PodGroup cannot be read: {why}"))),
            Heard::Stumbled(_) => return None,
        };
        self.observed.pod_group = group.and_then(|group| serde_json::to_value(group).ok());
        Some(Change::Objects)
    }
}

/// A row of stumbles, told once, and fatal in the end.
#[derive(Default)]
struct Stumbles {
    first: Option<Instant>,
}

impl Stumbles {
    /// What to say of one more stumble: nothing if it goes without saying.
    fn take(&mut self, failure: Failure, now: Instant) -> Result<Option<String>, Failure> {
        let is_first = self.first.is_none();
        let lasts = now.duration_since(*self.first.get_or_insert(now));
        match failure {
            Failure::Refused(status) if matches!(status.code, 401 | 403 | 404) && lasts > REFUSED => {
                Err(Failure::Refused(status))
            }
            failure if lasts > OUT_OF_SIGHT => {
                Err(Failure::NoAnswer(format!("{failure}, for {} min", OUT_OF_SIGHT.as_secs() / 60)))
            }
            failure => Ok(is_first.then(|| format!("the watch on the pods stumbled, and is resumed: {failure}"))),
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
    fn bears_a_server_in_trouble_for_ten_minutes() {
        let (mut stumbles, start) = (Stumbles::default(), Instant::now());
        assert!(stumbles.take(refused(503), start).is_ok());
        assert!(stumbles.take(refused(503), start + Duration::from_secs(599)).is_ok());
        assert!(stumbles.take(refused(503), start + Duration::from_secs(601)).is_err());
    }
}
