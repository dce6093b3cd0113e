//! Finds objects that nobody needs any more: those of killed submissions, and of applications that are gone.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::connect::Cluster;
use super::error::Refusal;
use super::list::items;
use super::paths;
use crate::manifests::HOLD;
use crate::report::span;
use crate::scheduler::{self, Rules};

/// The kinds to look at: version, kind, plural, and the label that marks an object as Spark's.
const KINDS: [(&str, &str, &str, &str); 7] = [
    ("v1", "Pod", "pods", "spark-app-selector"),
    ("batch/v1", "Job", "jobs", "spark-app-selector"),
    ("batch/v1", "CronJob", "cronjobs", "spark-app-selector"),
    ("v1", "ConfigMap", "configmaps", "spark-app-selector"),
    ("v1", "Service", "services", "spark-app-selector"),
    ("v1", "Secret", "secrets", "spark-app-selector"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "spark-app-selector"),
];

/// An object that nobody needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Garbage {
    /// Its name in messages.
    pub name: String,
    pub why: String,
    path: String,
    object: Value,
}

/// The garbage found, and the refusals of kinds that may not be listed.
#[derive(Debug, Default)]
pub struct Found {
    pub garbage: Vec<Garbage>,
    pub refused: Vec<String>,
}

/// How long objects are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Since their creation: a younger object may belong to a submission under way.
    pub young: SignedDuration,
    /// Applications since their end; for ever if absent.
    pub ended: Option<SignedDuration>,
}

/// Finds the garbage of the namespace, or of all namespaces.
///
/// # Errors
/// Pods cannot be listed, or the API server cannot be reached.
pub async fn find_garbage(cluster: &Cluster, retention: Retention) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let mut all = Vec::new();
    let groups = scheduler::all().filter(|rules| rules.explains_waits()).filter_map(Rules::api);
    let groups = groups.map(|api| (api, "PodGroup", "podgroups", "spark-app-selector"));
    let kinds = KINDS.into_iter().chain(groups).map(async |(version, kind, plural, label)| {
        let doing = format!("listing {plural}");
        let query = format!("labelSelector={label}");
        let listed = items::<Value>(cluster, &doing, (version, plural), &cluster.namespace, &query).await;
        (version, kind, plural, listed)
    });
    for (version, kind, plural, listed) in join_all(kinds).await {
        match listed {
            Ok(objects) => all.extend(objects.into_iter().map(|object| (version, kind, plural, object))),
            // The scheduler is not installed.
            Err(refusal) if refusal.failure.code() == 404 => {}
            // Without the pods, garbage cannot be distinguished from what is in use.
            Err(refusal) if refusal.failure.code() == 403 && plural != "pods" => {
                found.refused.push(refusal.to_string())
            }
            Err(refusal) => return Err(refusal),
        }
    }
    let alive: BTreeSet<String> = all.iter().flat_map(|(_, kind, _, object)| alive_by(kind, object)).collect();
    for (version, kind, plural, object) in all {
        let Some(why) = why(kind, &object, &alive, cluster.now(), retention) else { continue };
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{}/{name}", paths::in_namespace(version, plural, namespace));
        found.garbage.push(Garbage { name: format!("{kind} {namespace}/{name}"), why, path, object });
    }
    Ok(found)
}

impl Garbage {
    /// Deletes it. Returns whether it was still there.
    ///
    /// # Errors
    /// It is refused, or the API server cannot be reached.
    pub async fn delete(&self, cluster: &Cluster) -> Result<bool, Refusal> {
        let doing = format!("deleting {}", self.name);
        let deleted = cluster.delete_object(&doing, &self.path, &self.object).await;
        deleted.map_err(|failure| Refusal::new(doing, failure, &cluster.namespace))
    }
}

/// The ids of the applications that are alive because this object exists: its own, and for a Job's driver that of its
/// attempt, which has the pod's uid. A running executor counts, because its driver may run outside of the cluster.
fn alive_by(kind: &str, object: &Value) -> Vec<String> {
    let metadata = &object["metadata"];
    let is_executor = metadata["labels"]["spark-role"] == "executor";
    if !matches!(kind, "Pod" | "Job" | "CronJob") || (is_executor && has_ended(object)) {
        return Vec::new();
    }
    let attempt = metadata["uid"].as_str().map(|uid| format!("spark-{uid}"));
    metadata["labels"]["spark-app-selector"].as_str().map(str::to_owned).into_iter().chain(attempt).collect()
}

fn has_ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// When the application of a carrier ended.
fn ended_at(kind: &str, object: &Value) -> Option<Timestamp> {
    let status = &object["status"];
    let times: Vec<&Value> = match kind {
        "Pod" if object["metadata"]["labels"]["spark-role"] == "driver" && has_ended(object) => {
            let containers = status["containerStatuses"].as_array()?.iter();
            containers.map(|container| &container["state"]["terminated"]["finishedAt"]).collect()
        }
        "Job" => {
            let ends = |condition: &&Value| {
                matches!(condition["type"].as_str(), Some("Complete" | "Failed")) && condition["status"] == "True"
            };
            let conditions = status["conditions"].as_array()?.iter();
            conditions.filter(ends).map(|condition| &condition["lastTransitionTime"]).collect()
        }
        _ => return None,
    };
    times.into_iter().filter_map(|time| time.as_str()?.parse().ok()).max()
}

/// Why nobody needs an object any more; `None` if somebody may.
fn why(kind: &str, object: &Value, alive: &BTreeSet<String>, now: Timestamp, retention: Retention) -> Option<String> {
    let metadata = &object["metadata"];
    let created = metadata["creationTimestamp"].as_str().and_then(|time| time.parse::<Timestamp>().ok())?;
    let is_owned = metadata["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    if now.duration_since(created) < retention.young || metadata["deletionTimestamp"].is_string() {
        return None;
    }
    let gates = object["spec"]["schedulingGates"].as_array();
    let gated = gates.is_some_and(|gates| gates.iter().any(|gate| gate["name"] == HOLD));
    if gated || metadata["annotations"][HOLD].is_string() {
        return Some("its submission was killed before it was released".to_owned());
    }
    // The cluster's garbage collector deletes an owned object with its owner.
    let application = metadata["labels"]["spark-app-selector"].as_str()?;
    if is_owned {
        return None;
    }
    let since = ended_at(kind, object).map(|end| now.duration_since(end));
    if let Some(since) = since.filter(|since| retention.ended.is_some_and(|kept| *since >= kept)) {
        return Some(format!("it ended {} ago", span(since)));
    }
    if alive.contains(application) {
        return None;
    }
    let is_executor = metadata["labels"]["spark-role"] == "executor";
    match kind {
        // A driver in client mode may run anywhere, and a running executor belongs to one.
        "Pod" if is_executor && !has_ended(object) => None,
        "Pod" if !is_executor => None,
        "Job" | "CronJob" => None,
        _ => Some(format!("its application {application} is gone")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CREATED: &str = "2026-11-24T04:00:00Z";

    fn judge(kind: &str, mut object: Value, minutes: i64) -> Option<String> {
        object["metadata"]["creationTimestamp"] = CREATED.into();
        object["metadata"]["labels"]["spark-app-selector"] = object["app"].take();
        let now = CREATED.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes);
        let retention = Retention { young: SignedDuration::from_mins(10), ended: Some(SignedDuration::from_hours(2)) };
        why(kind, &object, &BTreeSet::from(["alive".to_owned()]), now, retention)
    }

    #[test]
    fn a_held_carrier_is_garbage_once_its_submission_cannot_be_under_way() {
        let pod = json!({"app": "alive", "metadata": {}, "spec": {"schedulingGates": [{"name": HOLD}]}});
        assert_eq!(judge("Pod", pod.clone(), 5), None);
        assert!(judge("Pod", pod, 15).is_some());
        let job = json!({"app": "alive", "metadata": {"annotations": {HOLD: "true"}}});
        assert!(judge("Job", job, 15).is_some());
    }

    #[test]
    fn an_object_with_an_owner_or_an_application_is_not_garbage() {
        assert_eq!(judge("ConfigMap", json!({"app": "alive", "metadata": {}}), 15), None);
        let owned = json!({"app": "gone", "metadata": {"ownerReferences": [{"uid": "u"}]}});
        assert_eq!(judge("ConfigMap", owned, 15), None);
        let left = judge("Service", json!({"app": "gone", "metadata": {}}), 15);
        assert_eq!(left.as_deref(), Some("its application gone is gone"));
    }

    #[test]
    fn an_application_is_garbage_when_it_ended_long_ago() {
        let end = "2026-11-24T05:00:00Z";
        let driver = json!({
            "app": "alive",
            "metadata": {"labels": {"spark-role": "driver"}},
            "status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"finishedAt": end}}}]},
        });
        assert_eq!(judge("Pod", driver.clone(), 170), None);
        assert_eq!(judge("Pod", driver, 190).as_deref(), Some("it ended 2h 10m ago"));
        let condition = json!({"type": "Failed", "status": "True", "lastTransitionTime": end});
        let mut job = json!({"app": "alive", "metadata": {}, "status": {"conditions": [condition]}});
        assert!(judge("Job", job.clone(), 190).is_some());
        job["metadata"]["ownerReferences"] = json!([{"kind": "CronJob"}]);
        assert_eq!(judge("Job", job, 190), None, "a schedule keeps its own history");
    }

    #[test]
    fn attempts_and_running_executors_keep_their_application_alive() {
        let driver = json!({"metadata": {"uid": "u", "labels": {"spark-role": "driver", "spark-app-selector": "a"}}});
        assert_eq!(alive_by("Pod", &driver), ["a", "spark-u"]);
        let executor = |phase: &str| {
            let labels = json!({"spark-role": "executor", "spark-app-selector": "b"});
            json!({"metadata": {"labels": labels}, "status": {"phase": phase}})
        };
        assert_eq!(alive_by("Pod", &executor("Running")), ["b"]);
        assert!(alive_by("Pod", &executor("Failed")).is_empty());
    }

    #[test]
    fn a_running_executor_without_a_driver_pod_is_kept() {
        let executor = |phase: &str| json!({"app": "gone", "metadata": {"labels": {"spark-role": "executor"}}, "status": {"phase": phase}});
        assert_eq!(judge("Pod", executor("Running"), 15), None);
        assert!(judge("Pod", executor("Failed"), 15).is_some());
    }
}
