use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::jiff::Timestamp;
use serde_json::Value;

use super::request::Call;
use super::{Cluster, Failure, Refusal, kinds};
use crate::manifests::Application;
use crate::state::Observed;

/// Labels that hold an application's name: the operator's (and sparkctl's), and Spark's own.
const NAME_LABELS: [&str; 2] = ["sparkoperator.k8s.io/app-name", "spark-app-name"];
/// Volcano's annotation for a pod's group.
const POD_GROUP: &str = "scheduling.k8s.io/group-name";

/// An application that is in the cluster, by its driver's pod.
#[derive(Clone, Debug)]
pub struct Found {
    pub application: Application,
    pub driver: Pod,
}

/// The application of that name, whoever submitted it: by the operator's label, by Spark's, or by the
/// name of its driver's pod. Where several runs have the name, the latest one.
///
/// # Errors
/// There is none, or pods cannot be listed.
pub async fn find(cluster: &Cluster, name: &str) -> Result<Found, Refusal> {
    let named = encoded(name);
    let by_label =
        NAME_LABELS.iter().map(|label| format!("labelSelector=spark-role%3Ddriver,{}%3D{named}", encoded(label)));
    let by_pod = format!("labelSelector=spark-role%3Ddriver&fieldSelector=metadata.name%3D{named}");
    for query in by_label.filter(|_| is_label_value(name)).chain([by_pod]) {
        if let Some(latest) = drivers(cluster, &query).await?.into_iter().next() {
            return Ok(latest);
        }
    }
    let place = format!("in namespace {} of {}", cluster.namespace, cluster.context);
    let failure = Failure::Missing(format!("there is no driver of that name {place}"));
    Err(Refusal::new(format!("looking for application {name}"), failure, &cluster.namespace))
}

/// All applications of the namespace (of the whole cluster, where it is empty) with what is to be
/// seen of them, the latest first.
///
/// # Errors
/// Pods cannot be listed.
pub async fn list(cluster: &Cluster) -> Result<Vec<(Application, Observed)>, Refusal> {
    let query = "labelSelector=spark-role%20in%20(driver,executor),spark-app-selector";
    let mut pods: BTreeMap<String, Vec<Pod>> = BTreeMap::new();
    for pod in pods_where(cluster, &cluster.namespace, query).await? {
        let id = pod.metadata.labels.as_ref().and_then(|labels| labels.get("spark-app-selector").cloned());
        pods.entry(id.unwrap_or_default()).or_default().push(pod);
    }
    let mut all: Vec<(Application, Observed)> = pods.into_values().filter_map(seen).collect();
    all.sort_by_key(|(_, observed)| std::cmp::Reverse(observed.driver.as_ref().and_then(created)));
    Ok(all)
}

/// What is to be seen of an application now: pods, and, where they may be read, events and PodGroup.
///
/// # Errors
/// Pods cannot be listed.
pub async fn glance(cluster: &Cluster, application: &Application) -> Result<Observed, Refusal> {
    let namespace = &application.namespace;
    let query = format!("labelSelector=spark-app-selector%3D{}", encoded(&application.id));
    let pods = pods_where(cluster, namespace, &query);
    let events = format!(
        "{}?fieldSelector=involvedObject.name%3D{}",
        kinds::in_namespace("v1", "events", namespace),
        encoded(&application.driver)
    );
    let events = Call::get(events);
    let group = application.pod_group.as_ref().map(|group| {
        let groups = kinds::in_namespace("scheduling.volcano.sh/v1beta1", "podgroups", namespace);
        Call::get(format!("{groups}/{}", encoded(group)))
    });
    let group = async {
        match &group {
            Some(call) => cluster.send(call).await.ok(),
            None => None,
        }
    };
    let (pods, events, pod_group) = tokio::join!(pods, cluster.send(&events), group);
    let mut observed = Observed { pod_group, ..Observed::default() };
    observed.relist_pods(pods?);
    let items = events.ok().and_then(|mut list| serde_json::from_value(list.get_mut("items")?.take()).ok());
    for event in items.unwrap_or_else(Vec::<Event>::new) {
        observed.events.insert(event.metadata.name.clone().unwrap_or_default(), event);
    }
    Ok(observed)
}

/// An application from its pods; nothing if there is no driver among them.
fn seen(pods: Vec<Pod>) -> Option<(Application, Observed)> {
    let mut observed = Observed::default();
    observed.relist_pods(pods);
    let found = Found::of(observed.driver.clone()?)?;
    Some((found.application, observed))
}

fn created(pod: &Pod) -> Option<Timestamp> {
    pod.metadata.creation_timestamp.as_ref().map(|time| time.0)
}

async fn drivers(cluster: &Cluster, query: &str) -> Result<Vec<Found>, Refusal> {
    let pods = pods_where(cluster, &cluster.namespace, query).await?;
    let mut found: Vec<Found> = pods.into_iter().filter_map(Found::of).collect();
    found.sort_by_key(|found| std::cmp::Reverse(created(&found.driver)));
    Ok(found)
}

async fn pods_where(cluster: &Cluster, namespace: &str, query: &str) -> Result<Vec<Pod>, Refusal> {
    let doing = "looking for Spark's pods";
    let call = Call::get(format!("{}?{query}", kinds::in_namespace("v1", "pods", namespace)));
    let answer = cluster.send_until_answered(doing, &call).await.result;
    let parsed = answer.and_then(|mut list| {
        let items = list.get_mut("items").map_or(Value::Null, Value::take);
        serde_json::from_value(items).map_err(|error| Failure::NoAnswer(format!("a list that cannot be read: {error}")))
    });
    parsed.map_err(|failure| Refusal::new(doing, failure, namespace))
}

impl Found {
    /// Nothing for a pod without an application id: it is not Spark's.
    fn of(driver: Pod) -> Option<Found> {
        let label = |key: &str| driver.metadata.labels.as_ref()?.get(key).cloned();
        let annotation = |key: &str| driver.metadata.annotations.as_ref()?.get(key).cloned();
        let pod = driver.metadata.name.clone()?;
        let application = Application {
            name: NAME_LABELS.iter().find_map(|key| label(key)).unwrap_or_else(|| pod.clone()),
            namespace: driver.metadata.namespace.clone()?,
            id: label("spark-app-selector")?,
            driver: pod,
            pod_group: annotation(POD_GROUP),
            executors: None,
        };
        Some(Found { application, driver })
    }
}

/// Whether it can be the value of a label; another selector would be refused.
fn is_label_value(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= 63 && name.chars().all(inner) && outer(name.chars().next()) && outer(name.chars().last())
}

/// For a query: all but the plainest characters as `%XX`.
fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let encoded = |byte: u8| {
        if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encoded).collect()
}
