//! The transcripts of the README and the pages, see `tests/support/transcript.rs`. Each marker in a page has a test here.

use serde_json::json;

use crate::support::jobs::short_job;
use crate::support::transcript::Transcript;
use crate::support::{Namespace, cluster};

/// A job file whose driver is a command of Spark's image, which starts no JVM.
fn job(name: &str, command: &str) -> String {
    short_job(name, &cluster().spark_image(), command)
}

/// The same with more fields in `spec`.
fn job_with(name: &str, command: &str, more: serde_json::Value) -> String {
    let mut job: serde_json::Value = serde_json::from_str(&job(name, command)).expect("a job file");
    let spec = job["spec"].as_object_mut().expect("a specification");
    spec.extend(more.as_object().expect("fields").clone());
    job.to_string()
}

/// A driver that fails, after enough time to be seen running.
const PYTHON_FAILURE: &str = "sleep 15; python3 -c 'int(\"ten\")'";

#[test]
fn submitting() {
    let ns = Namespace::new("submitting");
    Transcript::new("submit", &ns).with_submission().check(&ns);
}

#[test]
fn waiting_for_a_node() {
    let ns = Namespace::new("no-node");
    Transcript::new("no-node", &ns).check(&ns);
}

#[test]
fn a_quota_without_room_for_executors() {
    let ns = Namespace::new("few-executors");
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}},
    });
    cluster().api.create(&ns.core("resourcequotas"), &quota).expect("a quota");
    Transcript::new("few-executors", &ns).check(&ns);
}

#[test]
fn an_image_that_cannot_be_pulled() {
    let ns = Namespace::new("no-image");
    Transcript::new("no-image", &ns).check(&ns);
}

#[test]
fn a_failed_driver() {
    let ns = Namespace::new("failed");
    Transcript::new("failed", &ns).check(&ns);
}

#[test]
fn a_driver_without_enough_memory() {
    let ns = Namespace::new("memory");
    let job = job("greedy", "sleep 15; python3 -c 'data = bytearray(1 << 30)'");
    Transcript::new("out-of-memory", &ns).with_file("greedy.yaml", &job).check(&ns);
}

#[test]
fn a_queue_that_is_too_small() {
    let ns = Namespace::new("small-queue");
    let queue = json!({
        "apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "metadata": {"name": format!("{}-q", ns.name)},
        "spec": {"weight": 1, "capability": {"cpu": "2"}},
    });
    cluster().api.apply(&queue, None);
    Transcript::new("small-queue", &ns).with_name("etl", &format!("{}-q", ns.name)).check(&ns);
    // Volcano refuses to delete a queue that has PodGroups.
    ns.sparkctl().args(["delete", "python-pi"]).assert().code(0);
    ns.wait_for("the end of the queue", || {
        cluster().api.delete(&format!("/apis/scheduling.volcano.sh/v1beta1/queues/{}-q", ns.name)).ok()
    });
}

#[test]
fn a_queue_that_does_not_exist() {
    let ns = Namespace::new("no-queue");
    Transcript::new("no-queue", &ns).check(&ns);
}

#[test]
fn a_doctor_that_finds_mistakes() {
    let ns = Namespace::new("doctor");
    Transcript::new("doctor", &ns).check(&ns);
}

#[test]
fn local_files() {
    let ns = Namespace::new("files");
    Transcript::new("local-files", &ns).check(&ns);
}

#[test]
fn retries() {
    let ns = Namespace::new("retries");
    let policy = json!({"restartPolicy": {"type": "OnFailure", "onFailureRetries": 1}});
    let job = job_with("flaky", "sleep 15; exit 3", policy);
    Transcript::new("retries", &ns).with_file("flaky.yaml", &job).check(&ns);
}

#[test]
fn a_schedule() {
    let ns = Namespace::new("schedule");
    let template: serde_json::Value = serde_json::from_str(&job("nightly", "sleep 15")).expect("a job file");
    let scheduled = json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "ScheduledSparkApplication", "metadata": {"name": "nightly"},
        "spec": {"schedule": "30 3 1 1 *", "timeZone": "Europe/Berlin", "template": template["spec"]},
    });
    Transcript::new("schedule", &ns).with_submission().with_file("nightly.yaml", &scheduled.to_string()).check(&ns);
}

#[test]
fn an_interrupt() {
    let ns = Namespace::new("interrupt");
    Transcript::new("interrupt", &ns).with_submission().with_file("long.yaml", &job("long", "sleep 300")).check(&ns);
}

#[test]
fn commands() {
    let ns = Namespace::new("commands");
    Transcript::new("commands", &ns).with_file("long.yaml", &job("long", "sleep 300")).check(&ns);
}

#[test]
fn a_result_file() {
    let ns = Namespace::new("result");
    Transcript::new("result-file", &ns).with_file("job.yaml", &job("report", PYTHON_FAILURE)).check(&ns);
}

#[test]
fn a_junit_report() {
    let ns = Namespace::new("junit");
    Transcript::new("junit", &ns).with_file("job.yaml", &job("report", PYTHON_FAILURE)).check(&ns);
}

#[test]
fn a_github_step() {
    let ns = Namespace::new("github");
    Transcript::new("github", &ns).with_file("job.yaml", &job("report", PYTHON_FAILURE)).check(&ns);
}

#[test]
fn a_run_key_that_was_used() {
    let ns = Namespace::new("run-key");
    Transcript::new("run-key", &ns).with_file("job.yaml", &job("report", "true")).check(&ns);
}
