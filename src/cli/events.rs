use anyhow::Result;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;

use super::Form;
use super::list::table;
use super::place::Place;
use crate::cluster::{Cluster, Refusal, connect, events, find, glance};
use crate::manifests::Application;
use crate::report::{clean, span, talk};
use crate::state::{self, Observed};

/// List what the cluster has noted of an application's driver, executors and gang, the latest last
#[derive(Clone, Debug, clap::Args)]
pub struct Events {
    /// Name of the application, or of its driver's pod
    name: String,
    /// Text is a table, json one event per line as the API server has it
    #[arg(long, short, value_enum, default_value = "text")]
    output: Form,
    #[command(flatten)]
    place: Place,
}

impl Events {
    pub async fn run(self) -> Result<u8> {
        let cluster = connect(self.place.options()).await?;
        let application = find(&cluster, &self.name).await?.application;
        let observed = glance(&cluster, &application).await?;
        let events = events_of(&cluster, &application, &observed).await?;
        match self.output {
            Form::Json => {
                for event in &events {
                    anstream::println!("{}", serde_json::to_string(event)?);
                }
            }
            Form::Text if events.is_empty() => {
                talk::line(&format!(
                    "no events of {}: the API server keeps them for an hour, mostly",
                    application.name
                ));
            }
            Form::Text => lines(&events, cluster.now()).iter().for_each(|line| anstream::println!("{line}")),
        }
        Ok(0)
    }
}

/// Events about an application's pods and its PodGroup, the latest last.
///
/// # Errors
/// Events cannot be read.
pub async fn events_of(
    cluster: &Cluster,
    application: &Application,
    observed: &Observed,
) -> Result<Vec<Event>, Refusal> {
    let mut all = events(cluster, &application.namespace).await?;
    // Executors that are gone are known by the names of those that are left.
    let prefixes: Vec<&str> =
        observed.executors.keys().filter_map(|name| Some(name.rsplit_once("-exec-")?.0)).collect();
    let is_own = |event: &Event| {
        let name = event.involved_object.name.as_deref().unwrap_or_default();
        let is_driver = observed.driver.as_ref().is_some_and(|pod| pod.metadata.name.as_deref() == Some(name));
        is_driver
            || name == application.carrier.name()
            || observed.earlier.contains_key(name)
            || Some(name) == application.pod_group.as_deref()
            || prefixes.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("-exec-")))
    };
    all.retain(is_own);
    all.sort_by_key(state::event_time);
    Ok(all)
}

/// A table of events.
pub fn lines(events: &[Event], now: Timestamp) -> Vec<String> {
    let head = ["AGE", "TYPE", "REASON", "OBJECT", "MESSAGE"].map(str::to_owned).to_vec();
    let row = |event: &Event| {
        let count = event.count.filter(|count| *count > 1).map(|count| format!(" (x{count})")).unwrap_or_default();
        let object = &event.involved_object;
        vec![
            state::event_time(event).map(|time| span(now.duration_since(time))).unwrap_or_default(),
            event.type_.clone().unwrap_or_default(),
            format!("{}{count}", event.reason.clone().unwrap_or_default()),
            format!(
                "{}/{}",
                object.kind.as_deref().unwrap_or_default().to_lowercase(),
                object.name.as_deref().unwrap_or_default()
            ),
            clean(event.message.as_deref().unwrap_or_default()),
        ]
    };
    table(&std::iter::once(head).chain(events.iter().map(row)).collect::<Vec<_>>())
}
