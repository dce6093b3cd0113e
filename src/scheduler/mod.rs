//! The schedulers that run an application's pods as a gang: one file holds all that is known of one.
//!
//! Who adds a scheduler writes its file, with [`Rules`] for it, and names it in [`ALL`]. The rules know nothing of a job
//! file or a cluster: they are asked by `job` (checks), `manifests` (objects, settings, labels), `state` (why a wait
//! lasts), `doctor` (what must be there) and `cluster` (what is watched).

mod coscheduling;
mod kueue;
mod rules;
pub mod volcano;
mod yunikorn;

use std::collections::BTreeMap;

pub use rules::{Gang, Mark, Member, Queues, Rules};
use serde_json::Value;

/// All schedulers with rules of their own. The last has no name, and is meant by every other.
const ALL: [&dyn Rules; 4] = [&volcano::Volcano, &yunikorn::YuniKorn, &kueue::Kueue, &coscheduling::Coscheduling];

/// The name of Kubernetes' own scheduler.
const CLUSTERS_OWN: &str = "default-scheduler";

/// The scheduler of a job's pods.
#[derive(Clone, Debug)]
pub struct Scheduler {
    /// Nothing for Kubernetes' own, without gangs.
    rules: Option<&'static dyn Rules>,
    /// `schedulerName` of the pods; nothing where the roles choose it.
    pub pods_name: Option<String>,
}

impl Scheduler {
    /// The scheduler that a job file's `batchScheduler` names, else the one that knows its queue by one of the file's
    /// labels.
    pub fn of(name: Option<&str>, labels: &BTreeMap<String, String>) -> Self {
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            let rules = admitting().find(|(_, label)| labels.contains_key(*label)).map(|(rules, _)| rules);
            return Self { rules, pods_name: None };
        };
        let rules = named(name).or(ALL.iter().find(|rules| rules.name().is_none()).copied());
        let pods_name = rules.and_then(|rules| rules.pods_scheduler_name(name)).map(str::to_owned);
        Self { rules, pods_name }
    }

    /// What is known of it; nothing of Kubernetes' own scheduler.
    pub fn rules(&self) -> Option<&'static dyn Rules> {
        self.rules
    }

    /// Whether it schedules gangs by PodGroups.
    pub fn has_pod_groups(&self) -> bool {
        self.rules.is_some_and(|rules| rules.group_mark().is_some())
    }

    /// Whether it is the one of that name.
    pub fn is(&self, name: &str) -> bool {
        self.rules.is_some_and(|rules| rules.name() == Some(name))
    }
}

/// The scheduler of that name, if it has rules of its own.
fn named(name: &str) -> Option<&'static dyn Rules> {
    ALL.iter().find(|rules| rules.name() == Some(name)).copied()
}

/// All schedulers with rules of their own.
pub fn all() -> impl Iterator<Item = &'static dyn Rules> {
    ALL.into_iter()
}

/// The schedulers that admit pods by a label, and that label.
fn admitting() -> impl Iterator<Item = (&'static dyn Rules, &'static str)> {
    all().filter(|rules| rules.admits_by_label()).filter_map(|rules| Some((rules, rules.queue_label()?)))
}

/// The queue that a job file's labels name.
pub fn labelled_queue(labels: &BTreeMap<String, String>) -> Option<&String> {
    admitting().find_map(|(_, label)| labels.get(label))
}

/// The names that `batchScheduler` is known to have.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().filter_map(Rules::name)
}

/// The names that pods' `schedulerName` usually has.
pub fn pods_names() -> impl Iterator<Item = &'static str> {
    all().filter_map(|rules| rules.pods_scheduler_name(rules.name()?)).chain([CLUSTERS_OWN])
}

/// Whether this is the name of Kubernetes' own scheduler.
pub fn is_clusters_own(name: &str) -> bool {
    name == CLUSTERS_OWN
}

/// The rules of the scheduler whose PodGroup this is.
pub fn of_group(group: &Value) -> Option<&'static dyn Rules> {
    let version = group["apiVersion"].as_str();
    all().filter(|rules| rules.explains_waits()).find(|rules| version.is_none() || rules.api() == version)
}

/// The PodGroup that a pod is in, and the API version that the group has, where the group tells why the pod waits.
pub fn explaining_group<'a>(
    labels: Option<&'a BTreeMap<String, String>>,
    annotations: Option<&'a BTreeMap<String, String>>,
) -> Option<(&'a String, &'static str)> {
    let explaining = all().filter(|rules| rules.explains_waits());
    explaining.filter_map(|rules| Some((rules.group_mark()?.of(labels, annotations)?, rules.api()?))).next()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Map, json};

    use super::*;

    #[test]
    fn a_job_names_its_scheduler_or_has_its_label() {
        let none = BTreeMap::new();
        let of = |name: Option<&str>, labels: &BTreeMap<String, String>| {
            let scheduler = Scheduler::of(name, labels);
            (scheduler.rules().map(Rules::title), scheduler.pods_name)
        };
        assert_eq!(of(None, &none), (None, None));
        assert_eq!(of(Some(""), &none), (None, None));
        assert_eq!(of(Some("volcano"), &none), (Some("Volcano"), Some("volcano".into())));
        assert_eq!(of(Some("kueue"), &none), (Some("Kueue"), None));
        assert_eq!(of(Some("mine"), &none), (Some("the coscheduling plugin"), Some("mine".into())));
        let queued = BTreeMap::from([("kueue.x-k8s.io/queue-name".to_owned(), "team".to_owned())]);
        assert_eq!(of(None, &queued), (Some("Kueue"), None));
        assert_eq!(of(Some("yunikorn"), &queued), (Some("YuniKorn"), Some("yunikorn".into())));
    }

    /// Every scheduler answers every question, and what it says of one thing agrees with what it says of another.
    #[test]
    fn the_rules_of_each_scheduler_agree() {
        let gang = || Gang {
            queue: Some("team"),
            priority_class: Some("rush"),
            resources: Map::from_iter([("cpu".to_owned(), json!("2"))]),
            members: Vec::new(),
        };
        assert_eq!(ALL.iter().filter(|rules| rules.name().is_none()).count(), 1);
        for rules in all() {
            let title = rules.title();
            assert!(!title.is_empty());
            let group = rules.pod_group(&gang());
            assert_eq!(group.is_some(), rules.group_mark().is_some(), "{title}: a group and what puts pods into it");
            if let Some(group) = group {
                assert_eq!(group["apiVersion"].as_str(), rules.api(), "{title}: its group is of its API");
                assert_eq!((&group["kind"], &group["spec"]["minResources"]["cpu"]), (&json!("PodGroup"), &json!("2")));
                assert!(rules.needs_gang());
            }
            assert!(rules.needs_gang() || rules.driver_marks(&gang()).is_empty(), "{title}");
            if rules.explains_waits() {
                assert!(rules.group_mark().is_some() && rules.api().is_some(), "{title}: what is watched");
                let group = json!({"apiVersion": rules.api(), "status": {"phase": "Pending"}});
                assert!(of_group(&group).is_some_and(|of| of.title() == title));
                assert!(rules.wait(&group, None, None).is_some(), "{title}: how a wait reads");
            }
            if let Some(queues) = rules.queues() {
                assert!(rules.has_queues() && rules.api().is_some(), "{title}: {queues:?}");
            }
            if let Some(label) = rules.queue_label().filter(|_| rules.admits_by_label()) {
                assert!(rules.own_labels().is_some_and(|beginning| label.starts_with(beginning)), "{title}");
            }
            assert_eq!(rules.missing_option(true), None, "{title}");
            assert!(!rules.admits_by_label() || rules.queue_label().is_some(), "{title}");
        }
    }

    /// Files that name a scheduler for another reason than that they hold its rules.
    const ELSEWHERE: [(&str, &str); 10] = [
        ("cli/setup.rs", "`setup` makes queues of Volcano, and changes its configuration"),
        ("cluster/apply.rs", "the same"),
        ("cluster/executor_check.rs", "older versions of Volcano judge a pod only when its PodGroup exists"),
        ("cluster/submit.rs", "the same"),
        ("job/every_field.rs", "a test"),
        ("job/flags_win.rs", "a test"),
        ("job/from_spark_submit.rs", "translates what Spark itself has for Volcano"),
        ("job/scheduling.rs", "the schema of a field names schedulers"),
        ("job/spec.rs", "the same"),
        ("spark/catalog/rows.rs", "a row of Spark's own setting for Volcano, and the key that a flag sets"),
    ];

    #[test]
    fn no_other_file_names_a_scheduler() {
        let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut found = BTreeMap::<String, String>::new();
        for file in glob::glob(&format!("{}/**/*.rs", src.display())).unwrap() {
            let file = file.unwrap();
            let path = file.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
            if path.starts_with("scheduler/") || path.contains("tests") || path.starts_with("fuzz/") {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap().to_lowercase();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let mut code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let names = ["volcano", "yunikorn", "kueue", "coscheduling"];
            if let Some(line) = code.find(|line| names.iter().any(|name| line.contains(name))) {
                found.insert(path, line.trim().to_owned());
            }
        }
        let expected: Vec<&str> = ELSEWHERE.iter().map(|(path, _)| *path).collect();
        assert_eq!(found.keys().map(String::as_str).collect::<Vec<_>>(), expected, "{found:#?}");
    }
}
