//! What a rule of the cluster changes in the pods that a Job makes is told.

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::jobs::{policy_job as job, retries};
use crate::support::{Namespace, cluster};

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicybindings";

/// A rule of the cluster for the pods of a namespace alone. It goes with the test.
struct Rule(String);

impl Rule {
    /// Every pod has a minute to end, whatever it asks for.
    fn new(ns: &Namespace) -> Rule {
        let api = &cluster().api;
        let rule = Rule(format!("minute-{}", ns.name));
        let minute = "Object{spec: Object.spec{terminationGracePeriodSeconds: 60}}";
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": rule.0},
            "spec": {
                "failurePolicy": "Fail", "reinvocationPolicy": "Never",
                "matchConstraints": {
                    "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": ns.name}},
                    "resourceRules": [
                        {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]},
                    ],
                },
                "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": minute}}],
            },
        });
        let binding = json!({
            "apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": rule.0}, "spec": {"policyName": rule.0},
        });
        api.create(POLICIES, &policy).expect("a policy: this test needs a cluster that knows MutatingAdmissionPolicy");
        api.create(BINDINGS, &binding).expect("its binding");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"},
            "spec": {"containers": [{"name": "any", "image": "any"}], "terminationGracePeriodSeconds": 2},
        });
        ns.wait_for("the rule in force", || {
            let judged = api.create(&format!("{}?dryRun=All", ns.core("pods")), &pod).ok()?;
            (judged["spec"]["terminationGracePeriodSeconds"] == 60).then_some(())
        });
        rule
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        for path in [BINDINGS, POLICIES] {
            let _ = cluster().api.delete(&format!("{path}/{}", self.0));
        }
    }
}

#[test]
fn what_a_rule_of_the_cluster_changes_in_a_jobs_pods_is_told_once() {
    let ns = Namespace::new("changed");
    let path = job(&ns, "changed", &retries(1), "echo trying; exit 7");
    let _rule = Rule::new(&ns);
    let change = "spec.terminationGracePeriodSeconds is 60, and in its Job 2";
    let said = "a webhook or admission policy changed driver pod changed-0-";
    let told = contains(said).count(1).and(contains(change).count(1));
    // Twice the same.
    ns.submitter().arg("submit").arg(&path).assert().code(1).stderr(told.and(contains("(attempt 2 of 2)")));
    let attached = ns.sparkctl().args(["attach", "changed", "--output", "json"]).assert().code(1);
    let lines = String::from_utf8_lossy(&attached.get_output().stdout).into_owned();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let is_told =
        |line: &&Value| line["kind"] == "note" && line["message"].as_str().unwrap_or_default().ends_with(change);
    assert_eq!(lines.iter().filter(is_told).count(), 1, "{lines:#?}");
    ns.sparkctl().args(["describe", "changed"]).assert().code(0).stdout(contains(change));
}
