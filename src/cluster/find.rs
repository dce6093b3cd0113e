//! Finds applications in the cluster, and reads their objects.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::list::{self, Effort, items};
use super::paths::{self, encoded};
use super::request::Call;
use crate::kubernetes::names;
use crate::manifests::{Application, Carrier, JOB_NAME, NAME_ANNOTATION, PodGroup, SUBMISSION};
use crate::program::program;
use crate::scheduler;
use crate::state::{Observed, event_time};
use crate::terminal::messages;

/// Labels with an application's name: the Spark operator's, which sparkctl sets too, and Spark's own.
const NAME_LABELS: [&str; 2] = ["sparkoperator.k8s.io/app-name", "spark-app-name"];

/// An application in the cluster, found by its driver pod or its Job.
#[derive(Clone, Debug)]
pub struct Found {
    pub application: Application,
    /// The latest driver pod, if there is one.
    pub driver: Option<Pod>,
    created: Option<Timestamp>,
}

/// Finds an application by name, whoever submitted it: by the operator's label, by Spark's, or by the name of its driver
/// pod. If several runs have the name, the latest one is returned.
///
/// # Errors
/// There is none, or pods cannot be listed.
pub async fn find(cluster: &Cluster, name: &str) -> Result<Found, Refusal> {
    // Labels hold a shortened form of a long name.
    let label = names::cut(name, "", names::LABEL);
    let named = encoded(&label);
    let by_label =
        NAME_LABELS.iter().map(|label| format!("labelSelector=spark-role%3Ddriver,{}%3D{named}", encoded(label)));
    let by_pod = format!("labelSelector=spark-role%3Ddriver&fieldSelector=metadata.name%3D{}", encoded(name));
    let jobs = match is_label_value(&label) {
        true => {
            jobs_where(cluster, &cluster.namespace, &format!("{},{}%3D{named}", JOBS, encoded(NAME_LABELS[0]))).await?
        }
        false => None,
    };
    let of_jobs: Vec<Found> = jobs.into_iter().flatten().filter_map(|job| Found::of_job(&job)).collect();
    for query in by_label.filter(|_| is_label_value(&label)).chain([by_pod]) {
        let drivers = pods_where(cluster, &cluster.namespace, &query).await?.into_iter().filter_map(Found::of_driver);
        // A Job is older than its pods, so that it is the latest only while it has none.
        if let Some(latest) = of_jobs.iter().cloned().chain(drivers).max_by_key(|found| found.created) {
            return Ok(latest);
        }
    }
    Err(not_found(cluster, "application", name))
}

/// The refusal for a name that nothing in the namespace has.
pub(super) fn not_found(cluster: &Cluster, kind: &str, name: &str) -> Refusal {
    let Cluster { namespace, context, .. } = cluster;
    let failure = Failure::Missing(format!("not found in namespace {namespace} of {context}"));
    let hint = format!("list what there is with: {} list -n {namespace}, or -A for all namespaces", program());
    Refusal { hint: Some(hint), ..Refusal::of(format!("looking for {kind} {name}"), failure) }
}

/// Lists the applications of the namespace (of all namespaces if it is empty), with their objects, the latest first. With
/// a label selector, only those whose drivers match it.
///
/// # Errors
/// Pods cannot be listed.
pub async fn list(cluster: &Cluster, labels: Option<&str>) -> Result<Vec<(Application, Observed)>, Refusal> {
    let query = "labelSelector=spark-role%20in%20(driver,executor),spark-app-selector";
    let pods = pods_where(cluster, &cluster.namespace, query);
    let jobs = jobs_where(cluster, &cluster.namespace, JOBS);
    let (pods, jobs) = tokio::join!(pods, jobs);
    let (pods, jobs) = (pods?, jobs?);
    let of_job = jobs.is_some();
    let mut all: BTreeMap<String, (Vec<Pod>, Option<Job>)> = BTreeMap::new();
    for job in jobs.into_iter().flatten() {
        let key = key(&job.metadata);
        all.entry(key).or_default().1 = Some(job);
    }
    for pod in pods {
        let key = key(&pod.metadata);
        all.entry(key).or_default().0.push(pod);
    }
    if let Some(labels) = labels {
        // Executors need not have the labels, so that the selected drivers are listed separately.
        let query = format!("labelSelector=spark-role%3Ddriver,{}", encoded(labels));
        let chosen = pods_where(cluster, &cluster.namespace, &query).await?;
        let chosen: BTreeSet<String> = chosen.iter().map(|pod| key(&pod.metadata)).collect();
        all.retain(|key, _| chosen.contains(key));
    }
    let mut all: Vec<(Application, Observed)> =
        all.into_values().filter_map(|(pods, job)| assemble(pods, job, of_job)).collect();
    all.sort_by_key(|(_, observed)| std::cmp::Reverse(observed.created()));
    Ok(all)
}

/// Reads an application's objects once: its pods and its Job, and its events and PodGroup if they may be read.
///
/// # Errors
/// Pods cannot be listed, or the Job cannot be read.
pub async fn read(cluster: &Cluster, application: &Application) -> Result<Observed, Refusal> {
    let events = async |name: &str| events_of(cluster, &application.namespace, name).await;
    let (observed, of_carrier) = tokio::join!(objects(cluster, application), events(application.carrier.name()));
    let mut observed = Observed { events: of_carrier, ..observed? };
    let driver = observed.driver.as_ref().and_then(|driver| driver.metadata.name.clone());
    if let Some(driver) = driver.filter(|driver| driver != application.carrier.name()) {
        observed.events.extend(events(&driver).await);
    }
    let group_waits = observed.pod_group.as_ref().is_some_and(is_pending);
    if let Some(group) = application.pod_group.as_ref().filter(|_| group_waits) {
        observed.events.extend(events(&group.name).await);
    }
    Ok(observed)
}

/// Reads an application's objects and all events about it, including those about deleted executors, the latest last.
/// The events come from one list of the namespace's.
///
/// # Errors
/// Pods cannot be listed, or the Job cannot be read. Events that cannot be listed are the inner error.
pub async fn read_with_events(
    cluster: &Cluster,
    application: &Application,
) -> Result<(Observed, Result<Vec<Event>, Refusal>), Refusal> {
    let all = items::<Event>(cluster, "reading events", ("v1", "events"), &application.namespace, "");
    let (observed, all) = tokio::join!(objects(cluster, application), all);
    let mut observed = observed?;
    let own = all.map(|all| about(all, application, &observed));
    let named = own.iter().flatten().map(|event| (event.metadata.name.clone().unwrap_or_default(), event.clone()));
    observed.events = named.collect();
    Ok((observed, own))
}

/// The events about an application's pods, its Job and its PodGroup, the latest last.
fn about(mut all: Vec<Event>, application: &Application, observed: &Observed) -> Vec<Event> {
    let driver = observed.driver.as_ref();
    let drivers: Vec<&str> = observed.drivers().into_iter().filter_map(|pod| pod.metadata.name.as_deref()).collect();
    let volumes = driver.and_then(|pod| pod.spec.as_ref()?.volumes.as_ref()).into_iter().flatten();
    let maps = volumes.filter_map(|volume| Some(volume.config_map.as_ref()?.name.as_str()));
    // Deleted executors are recognized by the prefix of their names, which comes from the remaining executors, the
    // driver of a Job, or the submission's ConfigMap.
    let mut prefixes: Vec<&str> =
        observed.executors.keys().filter_map(|name| Some(name.rsplit_once("-exec-")?.0)).collect();
    prefixes.extend(maps.filter_map(|name| name.strip_suffix("-driver-conf")));
    prefixes.extend(drivers.iter().map(|name| name.strip_suffix("-driver").unwrap_or(name)));
    prefixes.extend(&drivers);
    let uids: BTreeSet<&str> = observed.drivers().into_iter().filter_map(|pod| pod.metadata.uid.as_deref()).collect();
    // An earlier run may have had the same names.
    let from = observed.created();
    all.retain(|event| {
        let object = &event.involved_object;
        let name = object.name.as_deref().unwrap_or_default();
        if drivers.contains(&name) {
            return object.uid.as_deref().is_none_or(|uid| uids.contains(uid));
        }
        let is_executor =
            || prefixes.iter().any(|prefix| name.strip_prefix(prefix).is_some_and(|rest| rest.starts_with("-exec-")));
        let is_own = name == application.carrier.name()
            || application.pod_group.as_ref().is_some_and(|group| group.name == name)
            || is_executor();
        is_own && event_time(event).is_none_or(|at| from.is_none_or(|from| at >= from - CLOCK_SKEW))
    });
    all.sort_by_key(order);
    all
}

/// The sort key of an event. Nodes record whole seconds and the scheduler microseconds, so that within a second the end
/// of the name decides, which is the nanosecond of its creation.
fn order(event: &Event) -> (Option<i64>, Option<u64>) {
    let end = event.metadata.name.as_deref().and_then(|name| Some(name.rsplit_once('.')?.1));
    (event_time(event).map(|at| at.as_second()), end.and_then(|end| u64::from_str_radix(end, 16).ok()))
}

/// How much the clocks of a cluster's nodes may differ.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_secs(60);

/// Pods, Job and PodGroup, and the queue if the PodGroup is pending.
async fn objects(cluster: &Cluster, application: &Application) -> Result<Observed, Refusal> {
    let namespace = &application.namespace;
    let selector =
        application.selector().into_iter().map(|(key, value)| format!("{}%3D{}", encoded(key), encoded(value)));
    let query = format!("labelSelector={}", selector.collect::<Vec<_>>().join(","));
    let pods = pods_where(cluster, namespace, &query);
    let group = async {
        let PodGroup { name, api } = application.pod_group.as_ref()?;
        let groups = paths::in_namespace(api, "podgroups", namespace);
        cluster.send(&Call::get(format!("{groups}/{}", encoded(name)))).await.ok()
    };
    let (pods, pod_group, job) = tokio::join!(pods, group, job_of(cluster, application));
    let mut observed = Observed { pod_group, ..Observed::default() };
    if let Carrier::Job { .. } = application.carrier {
        observed.of_job = true;
        observed.job = job?;
        observed.job_is_gone = observed.job.is_none();
    }
    observed.relist_pods(pods?);
    let pending = observed.pod_group.as_ref().filter(|group| is_pending(group));
    if let (Some(group), Some(PodGroup { api, .. })) = (pending, &application.pod_group) {
        let queue = group.pointer("/spec/queue").and_then(Value::as_str).unwrap_or("default");
        let queues = paths::in_namespace(api, "queues", "");
        observed.queue = cluster.send(&Call::get(format!("{queues}/{}", encoded(queue)))).await.ok();
    }
    Ok(observed)
}

fn is_pending(group: &Value) -> bool {
    group.pointer("/status/phase").is_none_or(|phase| phase == "Pending")
}

/// Events about an object, by their names; empty if they may not be read.
async fn events_of(cluster: &Cluster, namespace: &str, name: &str) -> BTreeMap<String, Event> {
    let events = paths::in_namespace("v1", "events", namespace);
    let call = Call::get(format!("{events}?fieldSelector=involvedObject.name%3D{}", encoded(name)));
    let mut found = BTreeMap::new();
    let each = |event: Value| {
        let event = serde_json::from_value::<Event>(event).ok();
        found.extend(event.map(|event| (event.metadata.name.clone().unwrap_or_default(), event)));
    };
    // Events only explain what the pods say: without them, reasons are missing.
    let _ = list::list(cluster, &call, Effort::BestEffort, each).await;
    found
}

/// The Job of an application; `None` if it has none, or if the Job is gone.
async fn job_of(cluster: &Cluster, application: &Application) -> Result<Option<Job>, Refusal> {
    let Carrier::Job { name, submission } = &application.carrier else {
        return Ok(None);
    };
    let query =
        format!("labelSelector={}%3D{submission}&fieldSelector=metadata.name%3D{}", encoded(SUBMISSION), encoded(name));
    let jobs: Vec<Job> =
        items(cluster, "reading its Job", ("batch/v1", "jobs"), &application.namespace, &query).await?;
    Ok(jobs.into_iter().next())
}

/// An application from its pods and its Job; `None` if there is neither a driver nor a Job.
fn assemble(pods: Vec<Pod>, job: Option<Job>, jobs_are_known: bool) -> Option<(Application, Observed)> {
    let mut observed = Observed::default();
    observed.relist_pods(pods);
    let of_job = job.as_ref().and_then(Found::of_job);
    let found = of_job.or_else(|| Found::of_driver(observed.driver.clone()?))?;
    if jobs_are_known && matches!(found.application.carrier, Carrier::Job { .. }) {
        (observed.of_job, observed.job_is_gone) = (true, job.is_none());
        observed.job = job;
    }
    Some((found.application, observed))
}

/// The key that the pods and the Job of one application share.
fn key(metadata: &ObjectMeta) -> String {
    let label = |key: &str| metadata.labels.as_ref().and_then(|labels| labels.get(key)).map_or("", String::as_str);
    let namespace = metadata.namespace.as_deref().unwrap_or_default();
    match (label(SUBMISSION), label(JOB_NAME)) {
        ("", _) | (_, "") if label("spark-role").is_empty() => {
            format!("{namespace}/{}/{}", label(SUBMISSION), metadata.name.as_deref().unwrap_or_default())
        }
        ("", _) | (_, "") => format!("{namespace}/{}", label("spark-app-selector")),
        (submission, job) => format!("{namespace}/{submission}/{job}"),
    }
}

/// Selects the Jobs and CronJobs that are carriers of applications.
pub(super) const JOBS: &str =
    "labelSelector=app.kubernetes.io%2Fmanaged-by%3Dsparkctl,sparkoperator.k8s.io%2Fsubmission-id";

/// Jobs; `None` if they may not be read, because many applications have none.
async fn jobs_where(cluster: &Cluster, namespace: &str, query: &str) -> Result<Option<Vec<Job>>, Refusal> {
    match items(cluster, "listing Jobs", ("batch/v1", "jobs"), namespace, query).await {
        Err(refusal) if refusal.failure.code() == 403 => {
            messages::warn(&format!("{refusal}: applications with retries are shown by their pods only"));
            Ok(None)
        }
        jobs => jobs.map(Some),
    }
}

async fn pods_where(cluster: &Cluster, namespace: &str, query: &str) -> Result<Vec<Pod>, Refusal> {
    items(cluster, "listing Spark's pods", ("v1", "pods"), namespace, query).await
}

impl Found {
    /// `None` for a pod without an application id, which is not Spark's.
    fn of_driver(driver: Pod) -> Option<Found> {
        let label = |key: &str| driver.metadata.labels.as_ref()?.get(key).cloned();
        let pod = driver.metadata.name.clone()?;
        let carrier = match (label(SUBMISSION), label(JOB_NAME)) {
            (Some(submission), Some(name)) => Carrier::Job { name, submission },
            _ => Carrier::Pod { name: pod.clone() },
        };
        let application = application(&driver.metadata, &driver.metadata, carrier)?;
        let created = driver.metadata.creation_timestamp.as_ref().map(|time| time.0);
        Some(Found { application, created, driver: Some(driver) })
    }

    pub(super) fn of_job(job: &Job) -> Option<Found> {
        let submission = job.metadata.labels.as_ref()?.get(SUBMISSION)?.clone();
        let carrier = Carrier::Job { name: job.metadata.name.clone()?, submission };
        let template = job.spec.as_ref()?.template.metadata.clone().unwrap_or_default();
        let application = application(&job.metadata, &template, carrier)?;
        let created = job.metadata.creation_timestamp.as_ref().map(|time| time.0);
        Some(Found { application, created, driver: None })
    }
}

pub(super) fn application(metadata: &ObjectMeta, pod: &ObjectMeta, carrier: Carrier) -> Option<Application> {
    let label = |key: &str| metadata.labels.as_ref()?.get(key).cloned();
    let whole = metadata.annotations.as_ref().and_then(|all| all.get(NAME_ANNOTATION).cloned());
    Some(Application {
        name: whole
            .or_else(|| NAME_LABELS.iter().find_map(|key| label(key)))
            .unwrap_or_else(|| carrier.name().to_owned()),
        namespace: metadata.namespace.clone()?,
        id: label("spark-app-selector")?,
        carrier,
        pod_group: scheduler::explaining_group(pod.labels.as_ref(), pod.annotations.as_ref())
            .map(|(name, api)| PodGroup { name: name.clone(), api }),
    })
}

/// Whether a name is valid as the value of a label: the server refuses any other selector.
fn is_label_value(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let outer = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= 63 && name.chars().all(inner) && outer(name.chars().next()) && outer(name.chars().last())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::Event;
    use serde_json::json;

    use super::order;

    #[test]
    fn sorts_events_of_one_second_by_their_creation() {
        let event = |reason: &str, name: &str, times: serde_json::Value| {
            let mut event = json!({"metadata": {"name": name}, "involvedObject": {}, "reason": reason});
            event.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            serde_json::from_value::<Event>(event).unwrap()
        };
        let whole = |at: &str| json!({"lastTimestamp": at});
        let mut events = [
            event("Started", "x.18ece0667eebc3f5", whole("2026-11-30T16:44:42Z")),
            event("FailedMount", "x.18ece0664e4e1705", whole("2026-11-30T16:44:41Z")),
            event("Scheduled", "x.18ece0663fa324ce", json!({"eventTime": "2026-11-30T16:44:41.172912Z"})),
        ];
        events.sort_by_key(order);
        assert_eq!(events.map(|event| event.reason.unwrap()), ["Scheduled", "FailedMount", "Started"]);
    }
}
