//! Every intended difference between what `spark-submit` creates and what `sparkctl` does, with its reason.

/// Cases that are not compared, by name or by the letter of a group, with the reason.
const CASES: [(&str, &str); 4] = [
    ("x", "what a running driver sends: Spark itself does that, in both ways of submission"),
    ("r", "`--status` and `--kill` submit nothing: `sparkctl status` and `sparkctl delete` are commands of their own"),
    (
        "3.1.3/g01-templates",
        "Spark until 3.3 refuses a template of another namespace, later ones overwrite it: so do we",
    ),
    (
        "3.0.3/g01-templates",
        "Spark until 3.3 refuses a template of another namespace, later ones overwrite it: so do we",
    ),
];

/// Why a case is not compared, if it is not.
pub fn of_case(name: &str, title: &str) -> Option<&'static str> {
    let matches = |pattern: &str| match pattern.len() {
        1 => name.starts_with(pattern),
        _ => name == pattern || title == pattern,
    };
    CASES.iter().find(|(pattern, _)| matches(pattern)).map(|(_, reason)| *reason)
}

/// What `spark-submit` refuses and sparkctl accepts, by a part of the message.
const ACCEPTED: [(&str, &str); 4] = [
    ("spark.kubernetes.file.upload.path", "files of this machine travel in a ConfigMap: no shared storage is needed"),
    ("S3AFileSystem not found", "an installation without classes for s3a cannot look for globs there: we do not look"),
    (
        "unresolved dependency",
        "the driver resolves packages: the result of spark-submit's own resolution is thrown away",
    ),
    ("ClassNotFoundException", "steps of one's own run in the JVM of spark-submit, and there is none: a warning"),
];

/// Why sparkctl accepts what `spark-submit` refuses, if that is intended.
pub fn of_acceptance(message: &str) -> Option<&'static str> {
    ACCEPTED.iter().find(|(refusal, _)| message.contains(refusal)).map(|(_, reason)| *reason)
}

/// What sparkctl refuses and `spark-submit` sends, by a part of the message.
const REFUSALS: [(&str, &str); 5] = [
    ("this label is Spark's own", "the driver refuses it, when it has started"),
    ("is not a prefix for executors", "the driver refuses it, when it has started"),
    ("no image is given for the executor", "the driver refuses it, when it has started"),
    ("is not a label's value", "the API server refuses it"),
    ("is not a name for Kubernetes", "the API server refuses it"),
];

/// Why sparkctl refuses what `spark-submit` accepts, if that is intended.
pub fn of_refusal(message: &str) -> Option<&'static str> {
    let mut errors =
        message.lines().filter(|line| line.starts_with("error:") && !line.contains("nothing was submitted"));
    let reason = |error: &str| REFUSALS.iter().find(|(message, _)| error.contains(message)).map(|(_, reason)| *reason);
    let first = errors.next().and_then(reason)?;
    errors.all(|error| reason(error).is_some()).then_some(first)
}

/// A part of an object that differs intentionally.
pub struct Difference {
    /// What the object is for, empty for all objects.
    pub role: &'static str,
    /// Path in the object and what is below it; `*` ends a part of which only the beginning matters. Empty for an object
    /// that only one of the two creates.
    pub path: &'static str,
    pub what: What,
    #[expect(dead_code, reason = "for the reader of the table")]
    pub reason: &'static str,
}

#[derive(PartialEq)]
pub enum What {
    /// Only ours has it.
    Ours,
    /// Only Spark's has it.
    Theirs,
    /// Both have it, but not the same.
    Both,
}

use What::{Both, Ours, Theirs};

const fn differ(role: &'static str, path: &'static str, what: What, reason: &'static str) -> Difference {
    Difference { role, path, what, reason }
}

const WANTED: &str = "the number of executors, for those who watch how many of them there are";
const FOUND: &str = "labels by which `sparkctl` finds an application and all that belongs to it";
const TRAVEL: &str = "files of this machine, which Spark copies to shared storage";
const LOCAL_DIRS: &str = "SPARK_LOCAL_DIRS of the submitter wins over the setting: the job file says so by it";
const NAMED: &str = "Spark's is only in the path of the request";

pub const DIFFERENCES: [Difference; 30] = [
    differ("", "metadata › labels › app.kubernetes.io/managed-by", Ours, FOUND),
    differ("", "metadata › labels › sparkoperator.k8s.io/*", Ours, FOUND),
    differ("", "metadata › labels › spark-app-selector", Ours, FOUND),
    differ(
        "Service",
        "spec › selector › app.kubernetes.io/managed-by",
        Ours,
        "the selector is all of the driver's labels",
    ),
    differ("Service", "spec › selector › sparkoperator.k8s.io/*", Ours, "the selector is all of the driver's labels"),
    differ(
        "",
        "metadata › annotations › sparkctl.dev/name",
        Ours,
        "the application's whole name, where its label is cut",
    ),
    differ("", "metadata › annotations › sparkctl.dev/executors", Ours, WANTED),
    differ("", "metadata › annotations › sparkctl.dev/min-executors", Ours, WANTED),
    differ("", "metadata › namespace", Ours, NAMED),
    differ("", "metadata › ownerReferences", Theirs, "added at the submission: only then the driver's uid is known"),
    differ("", "immutable", Ours, "before Spark 3.2 too: nobody changes them, and nodes need not watch them"),
    differ("PodGroup", "spec", Theirs, "Spark's is empty"),
    differ("PodGroup", "spec › minMember", Ours, "the gang: the driver at least"),
    differ("PodGroup", "spec › minResources", Ours, "the gang: it starts when driver and executors have room"),
    differ("ConfigMap properties", "data › spark.properties › spark.local.dir", Ours, LOCAL_DIRS),
    differ("ConfigMap properties", "data › spark.properties › spark.local.dir", Both, LOCAL_DIRS),
    differ("ConfigMap files", "", Ours, TRAVEL),
    differ("Pod", "spec › volumes › sparkctl-files", Ours, TRAVEL),
    differ("Pod", "spec › containers › 0 › volumeMounts › sparkctl-files", Ours, TRAVEL),
    differ("Pod", "spec › schedulingGates", Ours, "holds the driver until all its objects exist"),
    differ(
        "Pod",
        "spec › enableServiceLinks",
        Ours,
        "the variables of a namespace's thousand Services are no use to Spark",
    ),
    differ("ConfigMap properties", "data › spark.properties › spark.app.submitTime", Both, "the time"),
    differ(
        "ConfigMap properties",
        "data › spark.properties › spark.kubernetes.executor.podNamePrefix",
        Ours,
        "so that the executors of an application are known by their names",
    ),
    differ(
        "ConfigMap properties",
        "data › spark.properties › spark.kubernetes.namespace",
        Ours,
        "the default of `sparkctl` is the kubeconfig's",
    ),
    differ("ConfigMap properties", "data › spark.properties › spark.kubernetes.driver.label.*", Ours, FOUND),
    differ("ConfigMap properties", "data › spark.properties › spark.kubernetes.executor.label.*", Ours, FOUND),
    differ(
        "ConfigMap properties",
        "data › spark.properties › spark.kubernetes.namespace",
        Both,
        "what it refers to is put in: the driver has another environment",
    ),
    differ(
        "ConfigMap properties",
        "data › spark.properties › spark.executor.instances",
        Ours,
        "Spark's default, for the operator's is another",
    ),
    differ(
        "ConfigMap properties",
        "data › spark.properties › spark.kubernetes.driver.container.image",
        Ours,
        "the operator writes the image for each role",
    ),
    differ(
        "ConfigMap properties",
        "data › spark.properties › spark.kubernetes.executor.container.image",
        Ours,
        "the operator writes the image for each role",
    ),
];
