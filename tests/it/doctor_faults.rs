//! Prepares one fault at a time in a real cluster, and checks that `sparkctl doctor` finds it with a remedy.

use serde_json::{Value, json};

use crate::support::node::{KEY, Node};
use crate::support::scheduling::Queue;
use crate::support::{Namespace, changed_kubeconfig, cluster, run_doctor};

const JOB: &str = "examples/jvm-pi.yaml";

/// How a fault is reported: the check, and a part of its message.
type Finding<'a> = (&'a str, &'a str);

/// Checks that doctor reports this finding as failed, with a remedy.
fn finds(sparkctl: assert_cmd::Command, arguments: &[&str], (check, part): Finding) {
    let (checks, code) = run_doctor(sparkctl, arguments);
    let context = || format!("{arguments:?}: not `{check}` with `{part}`, but {checks:#?}");
    assert_eq!(code, 3, "{}", context());
    let is_it = |found: &&Value| {
        found["check"] == check
            && found["verdict"] == "failed"
            && found["message"].as_str().is_some_and(|text| text.contains(part))
    };
    let found = checks.iter().find(is_it).unwrap_or_else(|| panic!("{}", context()));
    assert!(found["remedy"].is_string(), "{found}");
}

fn apply(ns: &Namespace, object: &Value) {
    cluster().api.apply(object, Some(&ns.name));
}

/// Settings that mount a volume from a claim, for one role.
fn claim(role: &str, options: &[&str]) -> Vec<String> {
    let of = |rest: &str| format!("--conf=spark.kubernetes.{role}.volumes.persistentVolumeClaim.data.{rest}");
    let mut settings = vec![of("mount.path=/data")];
    settings.extend(options.iter().map(|option| of(&format!("options.{option}"))));
    settings
}

/// Each case is one mistake in the job; everything else in the namespace is fine.
#[test]
fn finds_what_a_job_names_and_the_cluster_lacks() {
    let ns = Namespace::new("slips");
    for object in [
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "powerless"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "database"}, "stringData": {"user": "jo"}}),
    ] {
        apply(&ns, &object);
    }
    let (checks, code) = run_doctor(ns.sparkctl(), &[JOB]);
    assert_eq!(code, 0, "{checks:#?}");

    let missing_claim = claim("driver", &["claimName=data"]);
    let missing_class = claim("executor", &["claimName=OnDemand", "storageClass=fast", "sizeLimit=1Gi"]);
    let missing_claim: Vec<&str> = missing_claim.iter().map(String::as_str).collect();
    let missing_class: Vec<&str> = missing_class.iter().map(String::as_str).collect();
    let faults: &[(&[&str], Finding)] = &[
        (&["--service-account", "nobody"], ("service account", "no service account nobody")),
        (&["--service-account", "powerless"], ("driver's rights", "powerless may not get pods")),
        (&["--priority-class", "haste"], ("PriorityClass haste", "none of that name")),
        (&["--scheduler", "volcano", "--queue", "elt"], ("queue", "no queue elt")),
        (&["--scheduler", "kueue", "--queue", "team"], ("scheduler", "Kueue is not installed")),
        (&["--scheduler", "ours"], ("scheduler", "the coscheduling plugin is not installed")),
        (
            &["--conf", "spark.kubernetes.driver.scheduler.name=volcan"],
            ("scheduler", "schedulerName `volcan` wait forever"),
        ),
        (&["--conf", "spark.kubernetes.driver.secretKeyRef.A=registry:key"], ("Secret registry", "none of that name")),
        (&["--conf", "spark.kubernetes.driver.secretKeyRef.A=database:key"], ("Secret database", "no key `key`")),
        (&["--conf", "spark.kubernetes.executor.secrets.keytab=/etc/keytab"], ("Secret keytab", "none of that name")),
        (&["--conf", "spark.kubernetes.container.image.pullSecrets=pull"], ("Secret pull", "none of that name")),
        (&["--conf", "spark.kubernetes.hadoop.configMapName=hadoop"], ("ConfigMap hadoop", "none of that name")),
        (&missing_claim, ("PersistentVolumeClaim data", "none of that name")),
        (&missing_class, ("StorageClass fast", "none of that name")),
        (
            &["--driver-node", "type=quantum"],
            ("driver's node", "no node has the requested labels (type=quantum): nodes have type="),
        ),
        (
            &["--executor-node", "type=quantum"],
            ("executors' nodes", "no node has the requested labels (type=quantum): nodes have type="),
        ),
        (&["--driver-memory", "9000g"], ("driver's node", "no node is large enough: the largest, ")),
        (&["--executor-cores", "900"], ("executors' nodes", "no node is large enough: the largest, ")),
        (
            &["--conf", "spark.executor.resource.gpu.amount=1", "--conf", "spark.executor.resource.gpu.vendor=amd.com"],
            ("executors' nodes", "has no amd.com/gpu"),
        ),
    ];
    for (arguments, finding) in faults {
        finds(ns.sparkctl(), &[&[JOB], *arguments].concat(), *finding);
    }
}

#[test]
fn finds_a_namespace_that_is_missing_or_terminating() {
    let ns = Namespace::new("goes");
    finds(ns.sparkctl(), &[JOB, "-n", "no-such-namespace"], ("namespace", "no namespace no-such-namespace"));
    let held = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "held", "finalizers": ["sparkctl.dev/test"]},
    });
    cluster().api.create(&ns.core("configmaps"), &held).expect("a map that is held");
    cluster().api.delete(&format!("/api/v1/namespaces/{}", ns.name)).expect("deleting the namespace");
    finds(ns.sparkctl(), &[JOB], ("namespace", "is being deleted"));
    let free = json!({"metadata": {"finalizers": null}});
    cluster().api.patch(&format!("{}/held", ns.core("configmaps")), &free).expect("letting it go");
}

#[test]
fn finds_missing_rights_and_a_name_that_is_taken() {
    let ns = Namespace::new("rights");
    let mut command = ns.sparkctl();
    command.env("KUBECONFIG", cluster().variable("SUBMITTER_KUBECONFIG"));
    finds(command, &[JOB], ("own rights", "you may not create configmaps, create pods"));

    ns.sparkctl().args(["submit", JOB, "--driver-node", "type=quantum", "--detach"]).assert().code(0);
    finds(ns.sparkctl(), &[JOB], ("driver's admission", "\"jvm-pi-driver\" already exists"));
}

#[test]
fn finds_a_quota_a_limit_and_a_claim_that_is_being_deleted() {
    let ns = Namespace::new("limits");
    let going = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "finalizers": ["sparkctl.dev/test"]},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    let path = format!("{}/data", ns.core("persistentvolumeclaims"));
    cluster().api.create(&ns.core("persistentvolumeclaims"), &going).expect("a claim");
    cluster().api.delete(&path).expect("deleting the claim");
    let settings = claim("driver", &["claimName=data"]);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    finds(ns.sparkctl(), &[&[JOB][..], &settings].concat(), ("PersistentVolumeClaim data", "being deleted"));
    cluster().api.patch(&path, &json!({"metadata": {"finalizers": null}})).expect("letting the claim go");

    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "600Mi"}}]},
    });
    let ranges = ns.core("limitranges");
    cluster().api.create(&ranges, &range).expect("a limit range");
    // The API server may use its cache for a moment.
    ns.wait_for("the limit in force", || (run_doctor(ns.sparkctl(), &[JOB]).1 == 3).then_some(()));
    finds(ns.sparkctl(), &[JOB], ("driver's admission", "maximum memory usage per Container is 600Mi"));
    finds(ns.sparkctl(), &[JOB], ("executors' admission", "maximum memory usage per Container is 600Mi"));
    cluster().api.delete(&format!("{ranges}/small")).expect("deleting the limit range");

    for (name, hard, part) in [
        ("few", json!({"pods": "2"}), "quota few allows pods 2, 0 is used, and the application needs 3"),
        ("cpu", json!({"requests.cpu": "2"}), "quota cpu allows requests.cpu 2"),
        ("limits", json!({"limits.memory": "1Gi"}), "quota limits allows limits.memory 1Gi"),
    ] {
        let path = ns.add_quota(name, &hard);
        finds(ns.sparkctl(), &[JOB], ("quotas", part));
        cluster().api.delete(&path).expect("deleting the quota");
    }
}

#[test]
fn finds_a_queue_that_is_closed_or_too_small() {
    let ns = Namespace::new("queues");
    let queue = Queue::new(&ns, "q", &json!({"cpu": "1"}));
    let arguments = [JOB, "--scheduler", "volcano", "--queue", &queue.name];
    finds(ns.sparkctl(), &arguments, ("queue", "has cpu 1 in total, and the application needs 3"));
    queue.close(&ns);
    finds(ns.sparkctl(), &arguments, ("queue", "is closed: it admits nothing"));
}

#[test]
fn finds_nodes_that_are_tainted_cordoned_or_not_ready() {
    let ns = Namespace::new("nodes-of");
    let node = Node::new(&ns);
    let label = format!("{KEY}={}", ns.name);
    let aimed = [JOB, "--driver-node", &label];
    finds(ns.sparkctl(), &aimed, ("driver's node", &format!("does not tolerate: {label}:NoSchedule")));
    let tolerant = [&aimed[..], &["--toleration", KEY]].concat();
    cluster().api.patch(&node.path(), &json!({"spec": {"unschedulable": true}})).expect("cordoning it");
    finds(ns.sparkctl(), &tolerant, ("driver's node", "none of the 1 nodes with its labels is ready and takes pods"));
    cluster().api.patch(&node.path(), &json!({"spec": {"unschedulable": null}})).expect("uncordoning it");
    node.set_ready("False");
    finds(ns.sparkctl(), &tolerant, ("driver's node", "none of the 1 nodes with its labels is ready and takes pods"));
}

#[test]
fn finds_an_api_server_that_is_unreachable_or_rejects_the_credentials() {
    let ns = Namespace::new("server");
    let strange = changed_kubeconfig(&ns, "strange", |json| json["users"][0]["user"] = json!({"token": "unknown"}));
    let mut command = ns.sparkctl();
    command.env("KUBECONFIG", &strange);
    finds(command, &[JOB], ("API server", "Unauthorized"));

    let nowhere = changed_kubeconfig(&ns, "nowhere", |json| {
        json["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1".into();
    });
    let mut command = ns.sparkctl();
    command.env("KUBECONFIG", &nowhere);
    let (checks, code) = run_doctor(command, &[JOB]);
    assert_eq!(code, 6, "{checks:#?}");
    assert!(checks[0]["message"].as_str().is_some_and(|text| text.contains("no answer")), "{checks:#?}");
    let mut command = ns.sparkctl();
    command.env("KUBECONFIG", &nowhere).args(["submit", "--check", JOB]).assert().code(6);
    for path in [strange, nowhere] {
        std::fs::remove_file(path).expect("removing a kubeconfig");
    }
}
