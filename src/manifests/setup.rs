//! What an administrator needs once, so that applications can be submitted into a namespace: the objects of `k8s/`,
//! with names of one's own.

use serde_json::{Value, json};

use crate::kubernetes::Object;

/// Each file of `k8s/`.
const FILES: [&str; 4] = [
    include_str!("../../k8s/driver-rbac.yaml"),
    include_str!("../../k8s/submitter-rbac.yaml"),
    include_str!("../../k8s/priority-classes.yaml"),
    include_str!("../../k8s/queue.yaml"),
];

/// Names of one's own.
#[derive(Clone, Debug)]
pub struct Setup {
    pub namespace: String,
    /// The drivers' service account.
    pub account: String,
    /// Who may submit; by default the group `spark-submitters`.
    pub submitters: Vec<Submitter>,
    /// The queue, and how much of each resource it has.
    pub queue: Option<String>,
    pub capability: Vec<(String, String)>,
}

/// Somebody who may submit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitter {
    User(String),
    Group(String),
    /// A service account of this namespace, by its name.
    Account(String, String),
}

impl Submitter {
    fn subject(&self) -> Value {
        let group = "rbac.authorization.k8s.io";
        match self {
            Submitter::User(name) => json!({"kind": "User", "apiGroup": group, "name": name}),
            Submitter::Group(name) => json!({"kind": "Group", "apiGroup": group, "name": name}),
            Submitter::Account(namespace, name) => {
                json!({"kind": "ServiceAccount", "name": name, "namespace": namespace})
            }
        }
    }
}

impl Setup {
    /// All objects, the namespace first.
    ///
    /// # Errors
    /// A file of `k8s/` is not YAML.
    pub fn objects(&self) -> Result<Vec<Object>, String> {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        let mut objects = vec![Object(namespace)];
        for text in FILES {
            let documents: Vec<Value> = serde_yaml::from_multiple(text).map_err(|error| error.to_string())?;
            objects.extend(documents.into_iter().map(Object).filter_map(|object| self.named(object)));
        }
        Ok(objects)
    }

    /// An object of `k8s/` with the names of this set-up; nothing for a queue that is not wanted.
    fn named(&self, mut object: Object) -> Option<Object> {
        let kind = object.kind().to_owned();
        let json = &mut object.0;
        match kind.as_str() {
            "PriorityClass" => {}
            "Queue" => {
                json["metadata"]["name"] = self.queue.as_deref()?.into();
                if !self.capability.is_empty() {
                    let capability =
                        self.capability.iter().map(|(name, amount)| (name.clone(), amount.as_str().into()));
                    json["spec"]["capability"] = Value::Object(capability.collect());
                }
            }
            _ => {
                json["metadata"]["namespace"] = self.namespace.as_str().into();
            }
        }
        if kind == "ServiceAccount" {
            json["metadata"]["name"] = self.account.as_str().into();
        }
        if kind == "RoleBinding" {
            json["subjects"] = match json["metadata"]["name"].as_str() {
                Some("spark-driver") => {
                    vec![Submitter::Account(self.namespace.clone(), self.account.clone()).subject()]
                }
                _ => self.submitters.iter().map(Submitter::subject).collect(),
            }
            .into();
        }
        Some(object)
    }
}

/// Volcano's configuration with `preempt` among its actions; nothing if it is, or if there are no actions.
pub fn with_preempt(configuration: &str) -> Option<String> {
    let is_actions = |line: &&str| line.trim_start().starts_with("actions:");
    let line = configuration.lines().find(is_actions)?;
    let (key, actions) = line.split_once(':')?;
    let mut actions: Vec<&str> = actions.trim().trim_matches('"').split(',').map(str::trim).collect();
    if actions.contains(&"preempt") {
        return None;
    }
    // Room is given away before any is taken away.
    let behind = actions.iter().position(|action| *action == "allocate").map_or(actions.len(), |index| index + 1);
    actions.insert(behind, "preempt");
    Some(configuration.replacen(line, &format!("{key}: \"{}\"", actions.join(", ")), 1))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn setup() -> Setup {
        Setup {
            namespace: "jobs".into(),
            account: "yippee-spark".into(),
            submitters: vec![Submitter::Group("spark-submitters".into())],
            queue: Some("spark-jobs".into()),
            capability: Vec::new(),
        }
    }

    /// What is applied by hand from `k8s/` and what is set up by command are the same.
    #[test]
    fn is_what_the_files_of_k8s_hold() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("k8s");
        let mut by_hand = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            by_hand.extend(serde_yaml::from_multiple::<Value>(&text).unwrap());
        }
        let by_command = setup().objects().unwrap();
        assert_eq!(by_command[0].kind(), "Namespace");
        let mut by_command: Vec<Value> = by_command.into_iter().skip(1).map(|object| object.0).collect();
        for object in &mut by_command {
            // The files leave the namespace to kubectl's -n.
            object["metadata"].as_object_mut().unwrap().shift_remove("namespace");
            for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
                subject.as_object_mut().unwrap().shift_remove("namespace");
            }
        }
        let sorted = |mut objects: Vec<Value>| {
            objects.sort_by_key(|object| format!("{} {}", object["kind"], object["metadata"]["name"]));
            objects
        };
        assert_eq!(sorted(by_command), sorted(by_hand));
    }

    #[test]
    fn has_the_names_that_were_given() {
        let submitters = vec![Submitter::User("jo".into()), Submitter::Account("ci".into(), "runner".into())];
        let capability = vec![("cpu".to_owned(), "40".to_owned())];
        let setup = Setup { account: "driver".into(), submitters, capability, ..setup() };
        let objects = setup.objects().unwrap();
        let find = |kind: &str, name: &str| {
            let found = objects.iter().find(|object| object.kind() == kind && object.name() == name);
            found.unwrap_or_else(|| panic!("no {kind} {name}")).0.clone()
        };
        assert_eq!(find("ServiceAccount", "driver")["metadata"]["namespace"], "jobs");
        assert_eq!(find("RoleBinding", "spark-driver")["subjects"][0]["name"], "driver");
        assert_eq!(find("RoleBinding", "spark-submitter")["subjects"][1]["namespace"], "ci");
        assert_eq!(find("Queue", "spark-jobs")["spec"]["capability"]["cpu"], "40");
        assert!(objects.iter().all(|object| object.place().is_some()));
    }

    #[test]
    fn adds_preempt_behind_allocate_once() {
        let plain = "actions: \"enqueue, allocate, backfill\"\ntiers:\n- plugins:\n";
        let with = with_preempt(plain).unwrap();
        assert_eq!(with, "actions: \"enqueue, allocate, preempt, backfill\"\ntiers:\n- plugins:\n");
        assert_eq!(with_preempt(&with), None);
        assert_eq!(with_preempt("tiers: []\n"), None);
    }
}
