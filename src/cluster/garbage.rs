//! What lies about in a namespace and belongs to nobody: of killed submissions, and of applications that are gone.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::find::items;
use super::{Cluster, Refusal, kinds};
use crate::manifests::HOLD;
use crate::report::span;

/// Kinds in which there may be some, and the labels by which they are known to be of Spark.
const WHERE: [(&str, &str, &str, &str); 8] = [
    ("v1", "Pod", "pods", "spark-app-selector"),
    ("batch/v1", "Job", "jobs", "spark-app-selector"),
    ("batch/v1", "CronJob", "cronjobs", "spark-app-selector"),
    ("v1", "ConfigMap", "configmaps", "spark-app-selector"),
    ("v1", "Service", "services", "spark-app-selector"),
    ("v1", "Secret", "secrets", "spark-app-selector"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", "spark-app-selector"),
    ("scheduling.volcano.sh/v1beta1", "PodGroup", "podgroups", "spark-app-selector"),
];

/// An object that nobody needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Garbage {
    pub called: String,
    pub why: String,
    path: String,
    object: Value,
}

/// What was found, and where one may not look.
#[derive(Debug, Default)]
pub struct Found {
    pub litter: Vec<Garbage>,
    pub unseen: Vec<String>,
}

/// How long things are left alone.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Since their creation: what is younger may belong to a submission under way.
    pub young: SignedDuration,
    /// Applications since their end; for ever when absent.
    pub ended: Option<SignedDuration>,
}

/// Looks for it.
///
/// # Errors
/// The API server cannot be reached.
pub async fn litter(cluster: &Cluster, respite: Retention) -> Result<Found, Refusal> {
    let mut found = Found::default();
    let mut all = Vec::new();
    let kinds = WHERE.into_iter().map(async |(version, kind, plural, label)| {
        let doing = format!("looking at {plural}");
        let query = format!("labelSelector={label}");
        let seen = items::<Value>(cluster, &doing, (version, plural), &cluster.namespace, &query).await;
        (version, kind, plural, seen)
    });
    for (version, kind, plural, seen) in join_all(kinds).await {
        match seen {
            Ok(objects) => all.extend(objects.into_iter().map(|object| (version, kind, plural, object))),
            // No Volcano: nothing of it.
            Err(refusal) if refusal.failure.code() == 404 => {}
            // Without pods nothing could be told from what is in use.
            Err(refusal) if refusal.failure.code() == 403 && plural != "pods" => found.unseen.push(refusal.to_string()),
            Err(refusal) => return Err(refusal),
        }
    }
    let alive: BTreeSet<String> = all.iter().flat_map(|(_, kind, _, object)| carried(kind, object)).collect();
    for (version, kind, plural, object) in all {
        let Some(why) = why(kind, &object, &alive, cluster.now(), respite) else { continue };
        let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let path = format!("{}/{name}", kinds::in_namespace(version, plural, namespace));
        found.litter.push(Garbage { called: format!("{kind} {namespace}/{name}"), why, path, object });
    }
    Ok(found)
}

impl Garbage {
    /// Takes it away. Returns whether it was still there.
    ///
    /// # Errors
    /// It is refused, or the API server cannot be reached.
    pub async fn take_away(&self, cluster: &Cluster) -> Result<bool, Refusal> {
        let doing = format!("deleting {}", self.called);
        let deleted = cluster.delete_object(&doing, &self.path, &self.object).await;
        deleted.map_err(|failure| Refusal::new(doing, failure, &cluster.namespace))
    }
}

/// The applications that live as long as this object does: its own, and for a Job's driver that of its attempt,
/// which has the pod's uid. An executor that has not ended may have a driver that is no pod.
fn carried(kind: &str, object: &Value) -> Vec<String> {
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

/// When an application ended whose carrier the object is.
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

/// Why nobody needs an object, if so.
fn why(kind: &str, object: &Value, alive: &BTreeSet<String>, now: Timestamp, respite: Retention) -> Option<String> {
    let metadata = &object["metadata"];
    let created = metadata["creationTimestamp"].as_str().and_then(|time| time.parse::<Timestamp>().ok())?;
    let is_owned = metadata["ownerReferences"].as_array().is_some_and(|owners| !owners.is_empty());
    if now.duration_since(created) < respite.young || metadata["deletionTimestamp"].is_string() {
        return None;
    }
    let gates = object["spec"]["schedulingGates"].as_array();
    let gated = gates.is_some_and(|gates| gates.iter().any(|gate| gate["name"] == HOLD));
    if gated || metadata["annotations"][HOLD].is_string() {
        return Some("its submission was killed before it was released".to_owned());
    }
    // What has an owner goes with it: that is the garbage collector's business.
    let application = metadata["labels"]["spark-app-selector"].as_str()?;
    if is_owned {
        return None;
    }
    let since = ended_at(kind, object).map(|end| now.duration_since(end));
    if let Some(since) = since.filter(|since| respite.ended.is_some_and(|kept| *since >= kept)) {
        return Some(format!("it ended {} ago", span(since)));
    }
    if alive.contains(application) {
        return None;
    }
    let is_executor = metadata["labels"]["spark-role"] == "executor";
    match kind {
        // A driver in client mode may be anywhere: what runs may have one.
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

    fn judged(kind: &str, mut object: Value, minutes: i64) -> Option<String> {
        object["metadata"]["creationTimestamp"] = CREATED.into();
        object["metadata"]["labels"]["spark-app-selector"] = object["app"].take();
        let now = CREATED.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes);
        let respite = Retention { young: SignedDuration::from_mins(10), ended: Some(SignedDuration::from_hours(2)) };
        why(kind, &object, &BTreeSet::from(["alive".to_owned()]), now, respite)
    }

    #[test]
    fn a_held_carrier_is_litter_when_its_submission_cannot_be_under_way_any_more() {
        let pod = json!({"app": "alive", "metadata": {}, "spec": {"schedulingGates": [{"name": HOLD}]}});
        assert_eq!(judged("Pod", pod.clone(), 5), None);
        assert!(judged("Pod", pod, 15).is_some());
        let job = json!({"app": "alive", "metadata": {"annotations": {HOLD: "true"}}});
        assert!(judged("Job", job, 15).is_some());
    }

    #[test]
    fn what_has_an_owner_or_an_application_is_none() {
        assert_eq!(judged("ConfigMap", json!({"app": "alive", "metadata": {}}), 15), None);
        let owned = json!({"app": "gone", "metadata": {"ownerReferences": [{"uid": "u"}]}});
        assert_eq!(judged("ConfigMap", owned, 15), None);
        let left = judged("Service", json!({"app": "gone", "metadata": {}}), 15);
        assert_eq!(left.as_deref(), Some("its application gone is gone"));
    }

    #[test]
    fn an_application_is_litter_when_it_ended_long_ago() {
        let end = "2026-11-24T05:00:00Z";
        let driver = json!({
            "app": "alive",
            "metadata": {"labels": {"spark-role": "driver"}},
            "status": {"phase": "Succeeded", "containerStatuses": [{"state": {"terminated": {"finishedAt": end}}}]},
        });
        assert_eq!(judged("Pod", driver.clone(), 170), None);
        assert_eq!(judged("Pod", driver, 190).as_deref(), Some("it ended 2h 10m ago"));
        let condition = json!({"type": "Failed", "status": "True", "lastTransitionTime": end});
        let mut job = json!({"app": "alive", "metadata": {}, "status": {"conditions": [condition]}});
        assert!(judged("Job", job.clone(), 190).is_some());
        job["metadata"]["ownerReferences"] = json!([{"kind": "CronJob"}]);
        assert_eq!(judged("Job", job, 190), None, "a schedule keeps its own history");
    }

    #[test]
    fn attempts_and_executors_of_a_driver_elsewhere_live() {
        let driver = json!({"metadata": {"uid": "u", "labels": {"spark-role": "driver", "spark-app-selector": "a"}}});
        assert_eq!(carried("Pod", &driver), ["a", "spark-u"]);
        let executor = |phase: &str| {
            let labels = json!({"spark-role": "executor", "spark-app-selector": "b"});
            json!({"metadata": {"labels": labels}, "status": {"phase": phase}})
        };
        assert_eq!(carried("Pod", &executor("Running")), ["b"]);
        assert!(carried("Pod", &executor("Failed")).is_empty());
    }

    #[test]
    fn an_executor_that_runs_may_have_a_driver_elsewhere() {
        let executor = |phase: &str| json!({"app": "gone", "metadata": {"labels": {"spark-role": "executor"}}, "status": {"phase": phase}});
        assert_eq!(judged("Pod", executor("Running"), 15), None);
        assert!(judged("Pod", executor("Failed"), 15).is_some());
    }
}
