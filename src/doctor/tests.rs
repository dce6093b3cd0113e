//! A healthy set-up has no failed check, and each fault is found.

use serde_json::{Value, json};

use super::{Answer, Check, Responses, Target, Unread, Verdict};
use crate::job::{self, Overrides, Variables};
use crate::manifests::{RUN_KEY, Requirements, Submission};

const JOB: &str = "
apiVersion: sparkoperator.k8s.io/v1beta2
kind: SparkApplication
metadata: {name: pi}
spec:
  type: Scala
  sparkVersion: 4.1.4
  image: spark:4.1.4
  imagePullSecrets: [registry]
  mainClass: Pi
  mainApplicationFile: local:///pi.jar
  batchScheduler: volcano
  batchSchedulerOptions: {queue: etl, priorityClassName: rush}
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
  sparkConf:
    spark.kubernetes.executor.volumes.persistentVolumeClaim.spark-local-dir-1.options.claimName: OnDemand
    spark.kubernetes.executor.volumes.persistentVolumeClaim.spark-local-dir-1.options.storageClass: fast
    spark.kubernetes.executor.volumes.persistentVolumeClaim.spark-local-dir-1.options.sizeLimit: 1Gi
    spark.kubernetes.executor.volumes.persistentVolumeClaim.spark-local-dir-1.mount.path: /scratch
  driver:
    memory: 512m
    serviceAccount: spark
    nodeSelector: {type: driver}
    configMaps: [{name: site, path: /etc/site}]
    envSecretKeyRefs: {PASSWORD: {name: database, key: password}}
    volumeMounts: [{name: data, mountPath: /data}]
  executor:
    instances: 2
    memory: 512m
    affinity:
      nodeAffinity:
        requiredDuringSchedulingIgnoredDuringExecution:
          nodeSelectorTerms: [{matchExpressions: [{key: type, operator: In, values: [compute, large]}]}]
";

fn needs(text: &str) -> Requirements {
    let (jobs, problems) = job::read(text, &Variables::default());
    assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
    let job = jobs.into_iter().next().expect("a job").with(Overrides::default());
    Requirements::of(&job, "jobs", &Submission { id: "0".repeat(32), user: "jo".into(), key: None }).expect("its needs")
}

fn node(kind: &str, taints: Value) -> Value {
    json!({
        "metadata": {"name": kind, "labels": {"type": kind}},
        "spec": {"taints": taints},
        "status": {
            "allocatable": {"cpu": "4", "memory": "16Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    })
}

/// Answers as a cluster gives them in which nothing is wrong.
fn healthy(needs: &Requirements) -> Responses {
    let mut facts = Responses::default();
    for ask in (Target { namespace: "jobs", needs: Some(needs) }).asks() {
        let answer = match ask.key.as_str() {
            "version" => json!({"major": "1", "minor": "34", "gitVersion": "v1.34.4"}),
            "own rights" => json!({"status": {"resourceRules": [
                {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
            ]}}),
            key if key.starts_with("account may") => json!({"status": {"allowed": true}}),
            "queue" => json!({
                "spec": {"capability": {"cpu": "8"}}, "status": {"state": "Open", "allocated": {"cpu": "1"}},
            }),
            "configuration of Volcano" => json!({"data": {
                "volcano-scheduler.conf": "actions: \"enqueue, allocate, preempt, backfill\"\ntiers: []\n",
            }}),
            "nodes" => json!({"items": [node("driver", json!([])), node("compute", json!([]))]}),
            "quotas" => json!({"items": [{
                "metadata": {"name": "team"},
                "status": {"hard": {"requests.cpu": "10", "pods": "20"}, "used": {"requests.cpu": "2", "pods": "3"}},
            }]}),
            "Secret database" => json!({"data": {"password": "eA=="}}),
            "PriorityClass rush" => json!({"value": 100, "preemptionPolicy": "PreemptLowerPriority"}),
            "PersistentVolumeClaim data" => json!({"status": {"phase": "Bound"}}),
            // Who admits an object answers with it.
            key if key.starts_with("admission of") => ask.body.unwrap_or_default(),
            _ => json!({}),
        };
        facts.0.insert(ask.key, Ok(answer));
    }
    facts
}

fn checks(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    Target { namespace: "jobs", needs: Some(needs) }.checks(facts)
}

fn failed(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|check| check.verdict == Verdict::Failed).collect()
}

#[test]
fn finds_nothing_in_a_healthy_set_up() {
    let needs = needs(JOB);
    let checks = checks(&needs, &healthy(&needs));
    assert!(checks.iter().all(|check| check.verdict == Verdict::Passed), "{checks:#?}");
    assert!(checks.len() >= 18, "{checks:#?}");
    assert!(checks.iter().all(|check| !check.message.contains("changes it")), "{checks:#?}");
}

#[test]
fn tells_what_a_webhook_changes_in_a_pod() {
    let needs = needs(JOB);
    let mut facts = healthy(&needs);
    let mut pod = needs.driver.clone();
    pod["spec"]["serviceAccountName"] = "default".into();
    pod["spec"]["containers"][0]["resources"]["limits"]["cpu"] = "2".into();
    facts.0.insert("admission of Pod pi-driver".into(), Ok(pod));
    let checks = checks(&needs, &facts);
    let check = checks.iter().find(|check| check.what == "driver's admission").expect("a check");
    assert_eq!(check.verdict, Verdict::Passed);
    assert!(
        check.message.contains(r#"but changes it: spec.serviceAccountName is "default", and would be sent as "#),
        "{check:?}"
    );
}

#[test]
fn what_may_not_be_read_is_no_fault() {
    let needs = needs(JOB);
    let mut facts = healthy(&needs);
    for answer in facts.0.iter_mut().filter(|(key, _)| *key != "version").map(|(_, answer)| answer) {
        *answer = Err(Unread::Forbidden("is forbidden".into()));
    }
    let checks = checks(&needs, &facts);
    assert!(failed(&checks).is_empty(), "{checks:#?}");
    assert!(checks.iter().filter(|check| check.verdict == Verdict::NotReadable).count() >= 15, "{checks:#?}");
}

fn refused(message: &str) -> Answer {
    Err(Unread::Refused { message: message.into(), remedy: None })
}

/// A fault in the cluster: which answer it changes, to what, and which check fails with which words.
fn faults() -> Vec<(&'static str, Answer, &'static str, &'static str)> {
    let denied = || Ok(json!({"status": {"allowed": false}}));
    let missing = || Err(Unread::Missing);
    let old = json!({"major": "1", "minor": "26+", "gitVersion": "v1.26.3"});
    let rules = |verb: &str, group: &str, resource: &str| {
        Ok(json!({"status": {"resourceRules": [{"verbs": [verb], "apiGroups": [group], "resources": [resource]}]}}))
    };
    let queue = |state: &str, cpu: &str| Ok(json!({"spec": {"capability": {"cpu": cpu}}, "status": {"state": state}}));
    let nodes = |driver: Value| Ok(json!({"items": [driver, node("compute", json!([]))]}));
    let with = |pointer: &str, value: Value| {
        let mut driver = node("driver", json!([]));
        *driver.pointer_mut(pointer).expect(pointer) = value;
        driver
    };
    let cordoned = json!({"unschedulable": true});
    let quota = |hard: Value, used: Value| {
        Ok(json!({"items": [{"metadata": {"name": "team"}, "status": {"hard": hard, "used": used}}]}))
    };
    let taint = json!([{"key": "gpu", "value": "yes", "effect": "NoSchedule"}]);
    let driver = "admission of Pod pi-driver";
    let executor = "admission of Pod pi-00000000-exec-1";
    let group = "admission of PodGroup pi-00000000-pg";
    vec![
        ("version", Err(Unread::Unreached("connection refused".into())), "API server", "connection refused"),
        ("version", refused("Unauthorized"), "API server", "Unauthorized"),
        ("version", Ok(old), "API server", "no scheduling gates"),
        ("namespace", missing(), "namespace", "no namespace jobs"),
        ("namespace", Ok(json!({"status": {"phase": "Terminating"}})), "namespace", "being deleted"),
        ("own rights", rules("*", "", "*"), "own rights", "create podgroups"),
        ("own rights", rules("get", "*", "*"), "own rights", "create pods"),
        ("service account", missing(), "service account", "no service account spark"),
        ("account may create pods", denied(), "driver's rights", "may not create pods"),
        (
            "account may create persistentvolumeclaims",
            denied(),
            "driver's rights",
            "may not create persistentvolumeclaims",
        ),
        ("scheduler", missing(), "scheduler", "Volcano is not installed"),
        ("queue", missing(), "queue", "there is no queue etl"),
        ("queue", queue("Closed", "8"), "queue", "is closed"),
        ("queue", queue("", "8"), "queue", "has no state"),
        ("queue", queue("Open", "2"), "queue", "has cpu 2 in total, and the application needs 3"),
        (
            "configuration of Volcano",
            Ok(json!({"data": {"c": "actions: \"enqueue, allocate\""}})),
            "preemption",
            "is off",
        ),
        ("PriorityClass rush", missing(), "PriorityClass rush", "none of that name"),
        ("StorageClass fast", missing(), "StorageClass fast", "none of that name"),
        ("ConfigMap site", missing(), "ConfigMap site", "none of that name in jobs"),
        ("Secret registry", missing(), "Secret registry", "none of that name in jobs"),
        ("Secret database", missing(), "Secret database", "none of that name in jobs"),
        ("Secret database", Ok(json!({"data": {"user": ""}})), "Secret database", "no key `password`"),
        ("PersistentVolumeClaim data", missing(), "PersistentVolumeClaim data", "none of that name in jobs"),
        ("PersistentVolumeClaim data", Ok(json!({"status": {"phase": "Lost"}})), "PersistentVolumeClaim data", "lost"),
        (
            "nodes",
            nodes(with("/metadata/labels/type", "other".into())),
            "driver's node",
            "no node has the requested labels (type=driver)",
        ),
        ("nodes", nodes(with("/spec", cordoned)), "driver's node", "is ready and takes pods"),
        (
            "nodes",
            nodes(with("/status/conditions/0/status", "Unknown".into())),
            "driver's node",
            "is ready and takes pods",
        ),
        ("nodes", nodes(with("/spec/taints", taint)), "driver's node", "does not tolerate: gpu=yes:NoSchedule"),
        ("nodes", nodes(with("/status/allocatable/cpu", "500m".into())), "driver's node", "has cpu 0.5"),
        ("nodes", Ok(json!({"items": [node("driver", json!([]))]})), "executors' nodes", "(type=compute|large)"),
        ("quotas", quota(json!({"requests.cpu": "2"}), json!({})), "quotas", "allows requests.cpu 2"),
        ("quotas", quota(json!({"limits.memory": "4Gi"}), json!({"limits.memory": "3Gi"})), "quotas", "3Gi is used"),
        ("quotas", quota(json!({"pods": "4"}), json!({"pods": "2"})), "quotas", "the application needs 3"),
        (driver, refused("violates PodSecurity \"restricted:latest\""), "driver's admission", "violates PodSecurity"),
        (driver, refused("pods \"pi-driver\" already exists"), "driver's admission", "already exists"),
        (executor, refused("maximum cpu usage per Container is 500m"), "executors' admission", "maximum cpu usage"),
        (group, refused("denied the request"), "companions' admission", "denied the request"),
    ]
}

#[test]
fn finds_each_fault_and_says_what_to_do() {
    let needs = needs(JOB);
    let faults = faults();
    assert!(faults.len() >= 20);
    for (key, answer, what, words) in faults {
        let mut facts = healthy(&needs);
        assert!(facts.0.insert(key.to_owned(), answer).is_some(), "nobody asks for {key}");
        let checks = checks(&needs, &facts);
        match failed(&checks).as_slice() {
            [check] => {
                assert_eq!(check.what, what, "{check:?}");
                assert!(check.message.contains(words) && check.remedy.is_some(), "{words}: {check:?}");
            }
            others => panic!("{key} {words}: not one failure, but {others:#?}"),
        }
    }
}

/// A run with a key is the same run wherever it is submitted.
#[test]
fn a_run_that_is_there_under_its_key_is_no_fault() {
    let mut needs = needs(JOB);
    needs.manifests.carrier.0["metadata"]["annotations"][RUN_KEY] = "nightly".into();
    let mut facts = healthy(&needs);
    facts.0.insert("admission of Pod pi-driver".into(), refused("pods \"pi-driver\" already exists"));
    assert!(failed(&checks(&needs, &facts)).is_empty());
}

/// A Job and a CronJob are taken whatever their pods are like, so the pod is judged by itself.
#[test]
fn sees_the_drivers_pod_in_whatever_makes_it() {
    let retried =
        JOB.replacen("  driver:\n", "  restartPolicy: {type: OnFailure, onFailureRetries: 1}\n  driver:\n", 1);
    let (head, spec) = JOB.split_once("spec:\n").expect("a spec");
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    let head = head.replacen("SparkApplication", "ScheduledSparkApplication", 1);
    let scheduled = format!("{head}spec:\n  schedule: '0 3 * * *'\n  concurrencyPolicy: Forbid\n  template:\n{spec}");
    for (text, kind) in [(retried, "Job"), (scheduled, "CronJob")] {
        let needs = needs(&text);
        assert_eq!(needs.manifests.carrier.kind(), kind);
        let all_well = checks(&needs, &healthy(&needs));
        assert!(failed(&all_well).is_empty(), "{all_well:#?}");
        let mut facts = healthy(&needs);
        facts.0.insert("service account".into(), Err(Unread::Missing));
        facts.0.insert("admission of Pod pi-driver".into(), refused("violates PodSecurity"));
        facts.0.insert("nodes".into(), Ok(json!({"items": [node("compute", json!([]))]})));
        let found = checks(&needs, &facts);
        let whats: Vec<&str> = failed(&found).iter().map(|check| check.what.as_str()).collect();
        assert_eq!(whats, ["service account", "driver's node", "driver's admission"]);
    }
}

/// Faults of the job itself, in a cluster in which all is well.
#[test]
fn finds_what_the_job_asks_too_much_of_or_misspells() {
    let gpu = "executor:\n    gpu: {name: nvidia.com/gpu, quantity: 1}";
    let volcano = "  batchScheduler: volcano\n  batchSchedulerOptions: {queue: etl, priorityClassName: rush}\n";
    for (before, after, what, words) in [
        ("executor:", "executor:\n    cores: 40", "executors' nodes", "has cpu 4"),
        ("executor:", gpu, "executors' nodes", "has no nvidia.com/gpu"),
        ("  driver:\n    memory: 512m", "  driver:\n    memory: 64g", "driver's node", "has memory 16Gi"),
    ] {
        let text = JOB.replacen(before, after, 1);
        assert_ne!(text, JOB);
        let needs = needs(&text);
        let checks = checks(&needs, &healthy(&needs));
        let found = failed(&checks).into_iter().any(|check| check.what == what && check.message.contains(words));
        assert!(found, "{words}: {checks:#?}");
    }
    let misspelt = JOB.replacen(volcano, "", 1).replacen("  driver:\n", "  driver:\n    schedulerName: volcan\n", 1);
    let needs = needs(&misspelt);
    let checks = checks(&needs, &healthy(&needs));
    let check = failed(&checks).into_iter().find(|check| check.what == "scheduler").expect("a suspicion");
    assert_eq!(check.remedy.as_deref(), Some("did you mean `volcano`?"));
}
