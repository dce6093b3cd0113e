//! A walk through every leaf of the operator's definition: each changes the objects, or is refused or warned about by
//! its name. A field that was forgotten, or lost on its way, fails it.

use serde_json::{Map, Value, json};

use super::explain::{self, Entry};
use super::schedule::Schedule;
use super::schema::{Kind, Section};
use super::{Job, Variables};
use crate::manifests::{self, Submission};

const LEAVES: &str = include_str!("v1beta2.txt");

/// Fields that are no matter of objects: `submit` itself tries again.
const OF_SUBMISSION: [&str; 2] =
    ["spec.restartPolicy.onSubmissionFailureRetries", "spec.restartPolicy.onSubmissionFailureRetryInterval"];

#[test]
fn every_field_does_something_or_is_spoken_of() {
    let entries = explain::all_fields();
    let silent: Vec<&str> = LEAVES
        .lines()
        .filter(|leaf| !OF_SUBMISSION.contains(leaf))
        .filter(|leaf| {
            let without = base(leaf);
            let mut with = without.clone();
            let parts: Vec<&str> = leaf.trim_start_matches("spec.").split('.').collect();
            set(&mut with, &parts, "spec", leaf, &entries);
            assert_ne!(with, without, "{leaf}: its sample is what was there");
            let (with, without) = (Seen::of(&with), Seen::of(&without));
            with.objects == without.objects && !with.speaks_of(leaf)
        })
        .collect();
    assert_eq!(silent, [""; 0]);
}

/// Beside the template, whose fields are an application's.
#[test]
fn every_field_of_a_schedule_does_something() {
    let spec = json!({"schedule": "@daily", "template": base("")});
    let without = Seen::of(&spec).objects;
    let samples = [
        ("concurrencyPolicy", json!("Forbid")),
        ("failedRunHistoryLimit", json!(7)),
        ("schedule", json!("@hourly")),
        ("successfulRunHistoryLimit", json!(7)),
        ("suspend", json!(true)),
        ("timeZone", json!("Europe/Berlin")),
    ];
    for (field, sample) in &samples {
        let mut spec = spec.clone();
        spec[*field] = sample.clone();
        let seen = Seen::of(&spec);
        assert!(seen.problems.is_empty(), "{field}: {:?}", seen.problems);
        assert_ne!(seen.objects, without, "{field}");
    }
    let mut fields: Vec<String> = Schedule::fields().into_iter().map(|field| field.key).collect();
    fields.retain(|field| field != "template");
    fields.sort_unstable();
    assert_eq!(fields, samples.map(|(field, _)| field));
}

/// Fields of which this program says that they are not, or not wholly, honoured.
#[test]
fn what_is_not_honoured_is_warned_about_where_it_is_written() {
    let head = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {name: a}\nspec:\n  \
                sparkVersion: 3.5.1\n  image: i\n  mainApplicationFile: local:///a.py\n";
    for (fields, place, word) in [
        ("  failureRetries: 3\n", (8, 3), "no effect"),
        ("  retryInterval: 3\n", (8, 3), "no effect"),
        ("  suspend: true\n", (8, 3), "suspended"),
        ("  mode: client\n", (8, 3), "client mode"),
        ("  pythonVersion: \"2\"\n", (8, 3), "Python 3 alone"),
        ("  monitoring: {exposeDriverMetrics: true, exposeExecutorMetrics: true}\n", (8, 3), "no effect"),
        ("  dynamicAllocation: {minExecutors: 1}\n", (8, 3), "no effect"),
        ("  executor:\n    memoryLimit: 8g\n", (9, 5), "no effect"),
        ("  executor:\n    gpu: {name: a/b, quantity: 0}\n", (9, 5), "no effect"),
        ("  volumes:\n  - {name: v, emptyDir: {}}\n", (9, 5), "no effect"),
        ("  batchSchedulerOptions: {queue: q}\n", (8, 3), "no effect"),
        ("  sparkUIOptions:\n    ingressTLS: [{hosts: [x]}]\n", (8, 3), "no Ingress"),
        ("  sparkConf:\n    spark.kubernetes.context: x\n", (9, 5), "no effect"),
        ("  sparkConf:\n    spark.kubernetes.driver.pod.featureSteps: x\n", (9, 5), "no effect"),
        ("  sparkConf:\n    spark.kubernetes.executorEnv.X: x\n", (9, 5), "unknown Spark setting"),
    ] {
        let (mut jobs, mut problems) = super::read(&format!("{head}{fields}"), &Variables::default());
        problems.extend(jobs.remove(0).check("default"));
        let [problem] = &problems[..] else { panic!("{fields}: {problems:?}") };
        let found = problem.place.map(|place| (place.line, place.column));
        assert_eq!(found, Some(place), "{problem:?}");
        assert!(problem.message.contains(word), "{problem:?}");
    }
}

#[test]
fn what_is_wrong_with_a_schedule_is_told_at_the_schedule() {
    let text = "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: ScheduledSparkApplication\nmetadata: {name: a}\nspec:\n  \
                schedule: '@every 7m'\n  concurrencyPolicy: Allow\n  template:\n    sparkVersion: 3.5.1\n    image: i\n    \
                mainApplicationFile: local:///a.py\n    batchScheduler: volcano\n    restartPolicy:\n      type: Always\n";
    let (jobs, problems) = super::read(text, &Variables::default());
    assert!(problems.is_empty(), "{problems:?}");
    let told = jobs[0].check("default");
    let mut told: Vec<_> =
        told.iter().map(|problem| (problem.place.map(|place| place.line), problem.path.as_str())).collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(
        told,
        [
            (Some(5), "spec.schedule"),
            (Some(6), "spec.concurrencyPolicy"),
            (Some(13), "spec.template.restartPolicy.type")
        ]
    );
}

/// What comes of a specification.
struct Seen {
    objects: Option<Value>,
    problems: Vec<super::Problem>,
}

impl Seen {
    fn of(spec: &Value) -> Self {
        let document = json!({
            "apiVersion": super::API_VERSION,
            "kind": if spec["schedule"].is_null() { super::KINDS[0] } else { super::KINDS[1] },
            "metadata": {"name": "a"},
            "spec": spec,
        });
        let (jobs, mut problems) = super::read(&document.to_string(), &Variables::default());
        problems.extend(jobs.iter().flat_map(|job: &Job| job.check("default")));
        let submission = Submission { id: "0123456789ab7def8123456789abcdef".into(), user: "u".into(), key: None };
        let objects = jobs.first().and_then(|job| manifests::of(job, "default", &submission).ok());
        let objects = objects.map(|(manifests, _)| json!([manifests.carrier, manifests.owned]));
        Self { objects, problems }
    }

    /// Whether a problem names the leaf, or the section that it is in.
    fn speaks_of(&self, leaf: &str) -> bool {
        let plain = leaf.replace("[]", "").replace(".KEY", "");
        self.problems.iter().any(|problem| {
            let path: String = problem.path.replace("spec.template.", "spec.").split('[').next().unwrap_or("").into();
            !path.is_empty() && path != "spec" && plain.starts_with(&path)
        })
    }
}

/// The specification beside which the leaf has a meaning.
fn base(leaf: &str) -> Value {
    let mut spec = json!({
        "type": "Python",
        "sparkVersion": "3.5.1",
        "mode": "cluster",
        "image": "i:1",
        "mainApplicationFile": "local:///a.py",
    });
    let beside = |name: &str| leaf.strip_prefix("spec.").is_some_and(|rest| rest.starts_with(name));
    if beside("mainClass") {
        spec =
            json!({"sparkVersion": "3.5.1", "image": "i:1", "mainApplicationFile": "local:///a.jar", "mainClass": "A"});
    }
    if beside("batchSchedulerOptions") {
        spec["batchScheduler"] = "volcano".into();
    }
    if beside("dynamicAllocation") && leaf != "spec.dynamicAllocation.enabled" {
        spec["dynamicAllocation"] = json!({"enabled": true});
    }
    if beside("monitoring") {
        spec["monitoring"] = json!({
            "exposeDriverMetrics": false, "exposeExecutorMetrics": false, "prometheus": {"jmxExporterJar": "/x.jar"},
        });
        if leaf.ends_with("Jar") || leaf.contains("ort") || leaf.contains("onfig") {
            spec["monitoring"]["exposeDriverMetrics"] = true.into();
        }
    }
    if beside("restartPolicy.on") && leaf != "spec.restartPolicy.onFailureRetries" {
        spec["restartPolicy"] = json!({"type": "OnFailure", "onFailureRetries": 3});
    }
    if leaf == "spec.volumes" {
        spec["driver"] = json!({"volumeMounts": [{"name": "sample", "mountPath": "/x"}]});
    }
    if leaf.ends_with(".volumeMounts") {
        spec["volumes"] = json!([{"name": "sample", "emptyDir": {}}]);
    }
    spec
}

/// Sets the leaf behind `parts` to a sample, and beside it what its sections need.
fn set(section: &mut Value, parts: &[&str], path: &str, leaf: &str, entries: &[Entry]) {
    let Some((part, rest)) = parts.split_first() else { return };
    let (name, is_list) = part.strip_suffix("[]").map_or((*part, false), |name| (name, true));
    if rest.is_empty() {
        let entry = entries.iter().find(|entry| entry.path == leaf);
        section[name] = sample(leaf, &entry.unwrap_or_else(|| panic!("{leaf} is unknown")).field.kind);
        return;
    }
    let path = format!("{path}.{part}");
    let (path, rest, is_map) = match rest {
        ["KEY", rest @ ..] => (format!("{path}.KEY"), rest, true),
        rest => (path, rest, false),
    };
    let mut inner = match is_list || is_map || section[name].is_null() {
        true => Value::Object(needed(&path, entries)),
        false => section[name].take(),
    };
    set(&mut inner, rest, &path, leaf, entries);
    section[name] = match (is_list, is_map) {
        (true, _) => json!([inner]),
        (_, true) => json!({"KEY": inner}),
        _ => inner,
    };
}

/// The needed fields of a section.
fn needed(path: &str, entries: &[Entry]) -> Map<String, Value> {
    let own = entries.iter().filter(|entry| {
        let name = entry.path.strip_prefix(path).and_then(|rest| rest.strip_prefix('.'));
        entry.field.required && name.is_some_and(|name| !name.contains('.'))
    });
    own.map(|entry| (entry.field.key.clone(), sample(&entry.path, &entry.field.kind))).collect()
}

fn sample(path: &str, kind: &Kind) -> Value {
    let name = path.rsplit('.').next().unwrap_or(path);
    match (kind, name) {
        (_, "memoryLimit") => "9g".into(),
        (_, "memoryOverheadFactor") => "0.7".into(),
        (_, "path") => "/mnt/sample".into(),
        (_, "protocol") => "UDP".into(),
        (_, "secretType") => "GCPServiceAccount".into(),
        (_, "sparkVersion") => "4.1.1".into(),
        (_, "mainApplicationFile") => "local:///b.py".into(),
        (_, "packages") => json!(["a:b:1"]),
        (_, "jars" | "files" | "pyFiles" | "archives") => json!(["local:///x"]),
        (_, "timeZone") => "Europe/Paris".into(),
        (_, "schedule") => "@daily".into(),
        (_, "restartPolicy") => json!({"type": "Never"}),
        (Kind::Text, _) => "sample".into(),
        (Kind::Boolean, "deleteOnTermination" | "shuffleTrackingEnabled") => false.into(),
        (Kind::Boolean, _) => true.into(),
        (Kind::Integer(least, _), _) => (*least).max(1027).into(),
        (Kind::Word(["cluster", ..]), _) => "client".into(),
        (Kind::Word(words), _) => words.last().copied().into(),
        (Kind::Form(form), _) if form.contains("Spark") => "3g".into(),
        (Kind::Form(_), _) => "2".into(),
        (Kind::List(kind), _) => json!([sample(path, kind)]),
        (Kind::Map(kind), _) => json!({"KEY": sample(path, kind)}),
        (Kind::Section(_), _) => json!({}),
        (Kind::Kubernetes(kind), _) => match kind.rsplit(' ').next().unwrap_or_default() {
            "Affinity" => json!({"podAffinity": {}}),
            "Container" => json!({"name": "sample", "image": "sample"}),
            "EnvFromSource" => json!({"configMapRef": {"name": "sample"}}),
            "EnvVar" => json!({"name": "SAMPLE", "value": "sample"}),
            "HostAlias" => json!({"ip": "10.0.0.1", "hostnames": ["sample"]}),
            "IngressTLS" => json!({"hosts": ["sample"]}),
            "Lifecycle" => json!({"preStop": {"exec": {"command": ["true"]}}}),
            "PodDNSConfig" => json!({"nameservers": ["10.0.0.1"]}),
            "PodSecurityContext" => json!({"runAsUser": 185}),
            "PodTemplateSpec" => json!({"spec": {"runtimeClassName": "sample", "containers": []}}),
            "SecurityContext" => json!({"runAsUser": 185}),
            "Toleration" => json!({"key": "sample", "operator": "Exists"}),
            "Volume" => json!({"name": "sample", "emptyDir": {}}),
            "VolumeMount" => json!({"name": "sample", "mountPath": "/sample"}),
            other => panic!("{path}: no sample of {other}"),
        },
    }
}
