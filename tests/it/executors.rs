//! Executors that the API server refuses: every view explains why they are missing.

use predicates::prelude::PredicateBooleanExt as _;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::jobs::file;
use crate::support::{Namespace, cluster};

/// A namespace with a quota for so many pods.
fn with_room_for(test: &str, pods: u32) -> Namespace {
    let ns = Namespace::new(test);
    let api = &cluster().api;
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"},
        "spec": {"hard": {"pods": pods.to_string()}},
    });
    api.create(&ns.core("resourcequotas"), &quota).expect("a quota");
    // The controller counts a new quota in a while.
    let path = format!("{}/few", ns.core("resourcequotas"));
    ns.wait_for("the quota's count", || api.get(&path).ok().filter(|quota| quota["status"]["used"].is_object()));
    ns
}

#[test]
fn explains_executors_refused_by_a_quota_in_every_view() {
    const REASON: &str = "exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1";
    const HINT: &str = "quota few has no room for the executors";
    let ns = with_room_for("few-pods", 1);
    let shown = |arguments: &[&str]| {
        let output = ns.sparkctl().args(arguments).assert().code(0).get_output().stdout.clone();
        String::from_utf8(output).expect("text")
    };
    ns.sparkctl().args(["submit", "examples/python-pi.yaml", "--detach"]).assert().code(0);
    // The driver's JVM takes a while to start.
    ns.wait_for("the refusal", || shown(&["status", "python-pi"]).contains(REASON).then_some(()));
    ns.sparkctl().args(["attach", "python-pi", "--timeout", "10s"]).assert().code(124).stderr(
        contains("executors  0 of 2 running\n")
            .and(contains(format!("executors  0 of 2 running, 2 refused ({REASON})")))
            .and(contains(format!("hint: {HINT}")))
            .and(contains(format!("timed out: python-pi is still running in the cluster: 0 of 2 executors: {REASON}"))),
    );
    // Ages count from the creation, however late somebody attaches.
    let attached = ns.sparkctl().args(["attach", "python-pi", "--timeout", "3s"]).assert().code(124);
    let attached = String::from_utf8_lossy(&attached.get_output().stderr).into_owned();
    let age = |line: &str| line.split_once(" +").and_then(|(_, rest)| Some(rest.split_once("  ")?.0.to_owned()));
    assert_ne!(attached.lines().find_map(age).as_deref(), Some("0s"), "{attached}");
    // One is too few executors, too.
    let timeout = ["attach", "python-pi", "--executors-timeout", "1s", "--min-executors", "1", "--output", "json"];
    let ended = ns.sparkctl().args(timeout).assert().code(4).get_output().stdout.clone();
    let result: Value =
        serde_json::from_slice(ended.trim_ascii_end().rsplit(|byte| *byte == b'\n').next().unwrap_or_default())
            .expect("a result");
    assert_eq!(
        (&result["outcome"], &result["exitCode"], &result["retryable"]),
        (&json!("Detached"), &json!(4), &json!(false))
    );
    assert_eq!(
        result["message"],
        format!("too few executors after 1s: python-pi is still running in the cluster: 0 of 2 executors: {REASON}")
    );
    let status = shown(&["status", "python-pi"]);
    assert!(status.contains(&format!("executors  0 of 2 running, 2 refused ({REASON})")), "{status}");
    assert!(status.contains(&format!("hint: {HINT}")), "{status}");
    let described = shown(&["describe", "python-pi"]);
    assert!(described.contains("executors:  0 of 2 running, 0 pending, 0 failed\n"), "{described}");
    assert!(described.contains(&format!("refused:    {REASON}\nhint:       {HINT}")), "{described}");
    let listed = shown(&["list"]);
    assert!(listed.contains(&format!("0 of 2 executors: {REASON}")), "{listed}");
    let json: Value = serde_json::from_str(&shown(&["status", "python-pi", "-o", "json"])).expect("JSON");
    let executors = &json["executors"];
    assert_eq!(
        (&executors["wanted"], &executors["running"], &executors["blocked"]),
        (&json!(2), &json!(0), &json!(REASON))
    );
    let json: Value = serde_json::from_str(&shown(&["list", "-o", "json"])).expect("JSON");
    assert_eq!(
        (&json["executors"]["wanted"], &json["reason"]),
        (&json!(2), &json!(format!("0 of 2 executors: {REASON}")))
    );
    ns.sparkctl().args(["delete", "python-pi"]).assert().code(0);
}

/// An admission policy that allows no executors in one namespace. It is deleted when the test ends.
struct NoExecutors(String);

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";

impl NoExecutors {
    fn new(ns: &Namespace) -> Self {
        let api = &cluster().api;
        let rule = Self(format!("no-executors-{}", ns.name));
        let is_none = "!has(object.metadata.labels) || !('spark-role' in object.metadata.labels) \
                       || object.metadata.labels['spark-role'] != 'executor'";
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": rule.0},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns.name}},
                    "resourceRules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                    ],
                },
                "validations": [{"expression": is_none, "message": "no executors here"}],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": rule.0}, "spec": {"policyName": rule.0, "validationActions": ["Deny"]},
        });
        api.create(POLICIES, &policy).expect("a policy");
        api.create(BINDINGS, &binding).expect("its binding");
        let executor = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any", "labels": {"spark-role": "executor"}},
            "spec": {"containers": [{"name": "any", "image": "any"}]},
        });
        ns.wait_for("the rule in force", || {
            api.create(&format!("{}?dryRun=All", ns.core("pods")), &executor).err().map(|_| ())
        });
        rule
    }
}

impl Drop for NoExecutors {
    fn drop(&mut self) {
        for path in [BINDINGS, POLICIES] {
            let _ = cluster().api.delete(&format!("{path}/{}", self.0));
        }
    }
}

#[test]
fn refuses_a_job_whose_executors_would_be_refused() {
    let ns = Namespace::new("refused");
    let job = file(&ns, "two-at-one-path.yaml");
    let example = std::fs::read_to_string("examples/python-pi.yaml").expect("an example");
    let mut two: Value = serde_yaml::from_str(&example).expect("YAML");
    two["spec"]["volumes"] = json!([{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}]);
    two["spec"]["executor"]["volumeMounts"] =
        json!([{"name": "a", "mountPath": "/data"}, {"name": "b", "mountPath": "/data"}]);
    // As a pod, and as a Job: the API server accepts a Job whose pods it would refuse.
    for fields in [json!({}), json!({"timeToLiveSeconds": 60})] {
        two["spec"].as_object_mut().expect("a specification").extend(fields.as_object().expect("fields").clone());
        std::fs::write(&job, two.to_string()).expect("a job file");
        ns.sparkctl().arg("submit").arg(&job).assert().code(3).stdout("").stderr(
            contains("error: checking executor pod python-pi-")
                .and(contains("mountPath: Invalid value: \"/data\": must be unique"))
                .and(contains("and everything it owned")),
        );
        ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
    }
    let _rule = NoExecutors::new(&ns);
    let run = ns.sparkctl().args(["submit", "examples/python-pi.yaml"]).assert();
    run.code(3).stderr(contains("error: checking executor pod python-pi-").and(contains("no executors here")));
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}
