//! Whether the objects exist that a job names but does not create: secrets, config maps, claims, classes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::check::Check;
use super::query::{Query, Responses};
use crate::manifests::{KINDS, Requirements};
use crate::program::program;

/// An object that a pod needs and the submission does not create.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Reference {
    kind: &'static str,
    name: String,
    key: Option<String>,
}

impl Reference {
    fn question(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    fn is_of_cluster(&self) -> bool {
        matches!(self.kind, "PriorityClass" | "StorageClass")
    }
}

/// All references of driver and executors that are not objects of the submission itself.
fn references(needs: &Requirements) -> BTreeSet<Reference> {
    let mut all = BTreeSet::new();
    for pod in [&needs.driver, &needs.executor] {
        of_spec(&pod["spec"], &mut all);
    }
    all.extend(needs.storage_classes.iter().map(|name| reference("StorageClass", name, None)));
    if let Some(class) = group(needs).and_then(|group| group.pointer("/spec/priorityClassName")?.as_str()) {
        all.insert(reference("PriorityClass", class, None));
    }
    let own: BTreeSet<String> =
        needs.manifests.owned.iter().map(|object| format!("{} {}", object.kind(), object.name())).collect();
    all.retain(|reference| !reference.name.is_empty() && !own.contains(&reference.question()));
    all
}

/// The application's PodGroup, if it has one.
pub(super) fn group(needs: &Requirements) -> Option<&Value> {
    needs.manifests.owned.iter().find(|object| object.kind() == "PodGroup").map(|object| &object.0)
}

fn reference(kind: &'static str, name: &str, key: Option<&str>) -> Reference {
    Reference { kind, name: name.to_owned(), key: key.map(str::to_owned) }
}

fn of_spec(spec: &Value, all: &mut BTreeSet<Reference>) {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut take = |kind: &'static str, name: &Value, key: &Value, optional: &Value| {
        if let Some(name) = name.as_str().filter(|_| optional != true) {
            all.insert(reference(kind, name, key.as_str()));
        }
    };
    take("PriorityClass", &spec["priorityClassName"], &Value::Null, &Value::Null);
    for secret in list(&spec["imagePullSecrets"]) {
        take("Secret", &secret["name"], &Value::Null, &Value::Null);
    }
    for volume in list(&spec["volumes"]) {
        let mut sources = vec![volume.clone()];
        sources.extend(list(&volume["projected"]["sources"]));
        for source in sources {
            let secret = &source["secret"];
            let name = if secret["secretName"].is_string() { &secret["secretName"] } else { &secret["name"] };
            take("Secret", name, &Value::Null, &secret["optional"]);
            let map = &source["configMap"];
            take("ConfigMap", &map["name"], &Value::Null, &map["optional"]);
            let claim = &source["persistentVolumeClaim"];
            take("PersistentVolumeClaim", &claim["claimName"], &Value::Null, &Value::Null);
        }
    }
    for container in list(&spec["containers"]).into_iter().chain(list(&spec["initContainers"])) {
        for source in list(&container["envFrom"]) {
            for (kind, field) in [("Secret", "secretRef"), ("ConfigMap", "configMapRef")] {
                take(kind, &source[field]["name"], &Value::Null, &source[field]["optional"]);
            }
        }
        for variable in list(&container["env"]) {
            for (kind, field) in [("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")] {
                let source = &variable["valueFrom"][field];
                take(kind, &source["name"], &source["key"], &source["optional"]);
            }
        }
    }
}

pub(super) fn asks(needs: &Requirements) -> Vec<Query> {
    let mut asks: Vec<Query> = Vec::new();
    for reference in references(needs) {
        let Some((version, plural)) =
            KINDS.iter().find(|known| known.1 == reference.kind).map(|known| (known.0, known.2))
        else {
            continue;
        };
        let namespace = if reference.is_of_cluster() { "" } else { &needs.namespace };
        let ask = Query::get(reference.question(), version, namespace, plural, &reference.name);
        if !asks.contains(&ask) {
            asks.push(ask);
        }
    }
    asks
}

pub(super) fn checks(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    references(needs).iter().map(|reference| check(reference, needs, facts)).collect()
}

fn check(reference: &Reference, needs: &Requirements, facts: &Responses) -> Check {
    let what = reference.question();
    let place = if reference.is_of_cluster() { "the cluster" } else { &needs.namespace };
    let remedy = match reference.kind {
        "PriorityClass" => {
            let setup = format!("{} setup makes routine, urgent, exceptional and rush", program());
            &format!("see what there is with: kubectl get priorityclasses; {setup}")
        }
        "StorageClass" => "see what there is with: kubectl get storageclasses",
        _ => "create it in the application's own namespace, or correct the name",
    };
    let missing = || Check::failed(&what, format!("there is none of that name in {place}"), remedy);
    let judge = |object: &Value| match (&reference.key, reference.kind) {
        _ if object.pointer("/metadata/deletionTimestamp").is_some() => {
            Check::failed(&what, "it is being deleted", "wait for its end, and create it anew")
        }
        (Some(key), _) if !["data", "binaryData"].iter().any(|part| object[*part].get(key).is_some()) => {
            Check::failed(&what, format!("it has no key `{key}`"), "add the key, or correct its name in the job file")
        }
        (_, "PersistentVolumeClaim") => match object.pointer("/status/phase").and_then(Value::as_str) {
            Some("Lost") => Check::failed(&what, "its volume is lost", "restore the volume, or name another claim"),
            phase => Check::passed(&what, phase.unwrap_or("there")),
        },
        _ => Check::passed(&what, "there"),
    };
    Check::of(&what, facts.get(&what), judge, missing)
}
