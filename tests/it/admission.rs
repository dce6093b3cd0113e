//! Notes on what an admission policy changes in the pods of a Job.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::jobs::{drivers, policy_job as job, retries};
use crate::support::proxy::{Fate, Proxy};
use crate::support::{Namespace, cluster};

const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicies";
const BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1beta1/mutatingadmissionpolicybindings";

/// A policy for the pods of one namespace. It is deleted when the test ends.
struct Policy(String);

impl Policy {
    /// Gives every pod a termination grace period of a minute, and waits until the policy is in force.
    fn new(ns: &Namespace) -> Policy {
        let api = &cluster().api;
        let own = Policy(format!("minute-{}", ns.name));
        let minute = "Object{spec: Object.spec{terminationGracePeriodSeconds: 60}}";
        let policy = json!({
            "apiVersion": "admissionregistration.k8s.io/v1beta1", "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": own.0},
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
            "metadata": {"name": own.0}, "spec": {"policyName": own.0},
        });
        api.create(POLICIES, &policy).expect("a policy: this test needs a cluster that knows MutatingAdmissionPolicy");
        api.create(BINDINGS, &binding).expect("its binding");
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any"},
            "spec": {"containers": [{"name": "any", "image": "any"}], "terminationGracePeriodSeconds": 2},
        });
        ns.wait_for("the policy in force", || {
            let judged = api.create(&format!("{}?dryRun=All", ns.core("pods")), &pod).ok()?;
            (judged["spec"]["terminationGracePeriodSeconds"] == 60).then_some(())
        });
        own
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        for path in [BINDINGS, POLICIES] {
            let _ = cluster().api.delete(&format!("{path}/{}", self.0));
        }
    }
}

/// What the policy changes, as a note reports it.
const CHANGE: &str = "spec.terminationGracePeriodSeconds is 60, and in its Job 2";

/// A job whose driver fails in both of its attempts.
fn failing(ns: &Namespace) -> PathBuf {
    job(ns, "changed", &retries(1), "echo trying; exit 7")
}

/// Whether a JSON line is a note about the change.
fn is_note(line: &Value) -> bool {
    line["kind"] == "note" && line["message"].as_str().is_some_and(|message| message.ends_with(CHANGE))
}

#[test]
fn reports_admission_changes_once() {
    let ns = Namespace::new("changed");
    let _policy = Policy::new(&ns);
    // Both attempts are changed in the same way.
    let note = contains("a webhook or admission policy changed driver pod changed-0-").count(1);
    let once = note.and(contains(CHANGE).count(1)).and(contains("(attempt 2 of 2)"));
    ns.submitter().arg("submit").arg(failing(&ns)).assert().code(1).stderr(once);
    let attached = ns.sparkctl().args(["attach", "changed", "--output", "json"]).assert().code(1);
    let lines = String::from_utf8_lossy(&attached.get_output().stdout).into_owned();
    let notes = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).filter(is_note);
    assert_eq!(notes.count(), 1, "{lines}");
    ns.sparkctl().args(["describe", "changed"]).assert().code(0).stdout(contains(CHANGE));
}

/// Attaches to the application while the first list of one kind is held until the watch of another has been requested.
/// Returns the JSON lines without their times.
fn attach_in_order(ns: &Namespace, held: &'static str, until: &'static str) -> Vec<Value> {
    let (lists, watches, order) = (AtomicUsize::new(0), AtomicUsize::new(0), Barrier::new(2));
    let proxy = Proxy::start(move |request| {
        let is_watch = request.path.contains("watch=true");
        let is_first = |requests: &AtomicUsize| requests.fetch_add(1, Ordering::SeqCst) == 0;
        // Only the lists of watches begin with `&`.
        let is_held = request.path.contains(&format!("/{held}?&")) && !is_watch && is_first(&lists);
        if is_held || request.path.contains(&format!("/{until}?&")) && is_watch && is_first(&watches) {
            order.wait();
        }
        Fate::Passed
    });
    let (mut reader, stdout) = std::io::pipe().expect("a pipe");
    let mut attach = ns.command();
    attach.env("KUBECONFIG", proxy.kubeconfig(ns)).args(["attach", "changed", "--output", "json"]).stdout(stdout);
    assert_eq!(proxy.run(&mut attach).status.code(), Some(1));
    drop(attach);
    let mut lines = String::new();
    reader.read_to_string(&mut lines).expect("its output");
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines
        .map(|mut line| {
            line.as_object_mut().and_then(|fields| fields.shift_remove("ts")).map(|_| line).expect("a time")
        })
        .collect()
}

/// Attached to an application that has ended, sparkctl may see the end of the Job before any of its pods.
#[test]
fn attaching_prints_the_same_whether_the_job_or_its_pods_are_listed_first() {
    let ns = Namespace::new("changed-late");
    let _policy = Policy::new(&ns);
    ns.sparkctl().arg("submit").arg(failing(&ns)).assert().code(1);
    ns.wait_for("the failed attempts", || {
        (drivers(&ns).iter().filter(|pod| pod["status"]["phase"] == "Failed").count() == 2).then_some(())
    });
    let job_first = attach_in_order(&ns, "pods", "jobs");
    assert_eq!(job_first.iter().filter(|line| is_note(line)).count(), 1, "{job_first:#?}");
    let result = job_first.last().expect("a result");
    assert_eq!(result["attempt"]["earlier"][0]["exitCode"], 7, "{result:#}");
    assert_eq!(job_first, attach_in_order(&ns, "jobs", "pods"));
}
