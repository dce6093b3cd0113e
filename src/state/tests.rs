use std::time::Duration;

use k8s_openapi::api::core::v1::{Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::*;
use crate::manifests::{FAILURES, HOLD, IGNORED_FAILURES};

mod any_order;
mod executor_shortage;
mod lingering;
mod missing;
mod problems;
mod reachability;
mod recorded;

/// When the pods of these tests were created.
const CREATED: &str = "2026-11-24T04:00:00Z";

fn pod(role: &str, spec: Value, status: Value) -> Pod {
    let container = json!({
        "name": format!("spark-kubernetes-{role}"),
        "resources": {"limits": {"memory": "896Mi"}, "requests": {"cpu": "1", "memory": "896Mi"}},
    });
    let mut pod = json!({
        "metadata": {
            "name": format!("pi-{role}"),
            "uid": role,
            "labels": {"spark-role": role},
            "creationTimestamp": CREATED,
        },
        "spec": {"containers": [{"name": "istio-proxy"}, container]},
        "status": status,
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][key] = value.clone();
    }
    serde_json::from_value(pod).unwrap()
}

fn driver(spec: Value, status: Value) -> Pod {
    pod("driver", spec, status)
}

/// A driver on a node, with this state of its container.
fn placed(state: Value) -> Pod {
    let status = json!({
        "phase": "Running",
        "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-11-24T04:00:02Z"}],
        "containerStatuses": [
            {"name": "istio-proxy", "image": "p", "imageID": "", "ready": true, "restartCount": 0,
             "state": {"running": {}}},
            {"name": "spark-kubernetes-driver", "image": "spark:4.1", "imageID": "", "ready": true,
             "restartCount": 0, "state": state},
        ],
    });
    driver(json!({"nodeName": "n1"}), status)
}

fn ended(code: i32, reason: &str) -> Pod {
    placed(json!({"terminated": {
        "exitCode": code, "reason": reason,
        "startedAt": "2026-11-24T04:00:05Z", "finishedAt": "2026-11-24T04:00:46Z",
    }}))
}

fn seen(pod: Pod) -> Observed {
    let mut observed = Observed::default();
    observed.apply_pod(pod);
    observed
}

fn after(seconds: i64) -> Limits {
    let created: Timestamp = CREATED.parse().unwrap();
    Limits::at(created + SignedDuration::from_secs(seconds))
}

fn outcome(observed: &Observed) -> Outcome {
    State::of(observed, &after(60)).outcome().unwrap().clone()
}

fn waiting(observed: &Observed, seconds: i64) -> Waiting {
    match State::of(observed, &after(seconds)).status {
        Status::Waiting(waiting) => waiting,
        other => panic!("not waiting: {other:?}"),
    }
}

fn unscheduled(message: &str) -> Pod {
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
    driver(json!({}), json!({"phase": "Pending", "conditions": [condition]}))
}

fn event(reason: &str, message: &str, second: u32) -> Event {
    let time = format!("2026-11-24T04:00:{second:02}Z");
    let object = json!({"uid": "driver", "name": "pi-driver"});
    let event = json!({
        "metadata": {"name": reason}, "involvedObject": object, "reason": reason, "message": message,
        "firstTimestamp": time, "lastTimestamp": time,
    });
    serde_json::from_value(event).unwrap()
}

#[test]
fn a_driver_that_exits_with_zero_has_succeeded_even_if_its_sidecar_keeps_running() {
    let outcome = outcome(&seen(ended(0, "Completed")));
    assert_eq!((outcome.ending, outcome.driver_exit_code), (Ending::Succeeded, Some(0)));
    assert!(outcome.hint.unwrap().contains("istio-proxy"));
}

#[test]
fn durations_follow_from_the_clusters_timestamps() {
    let durations = State::of(&seen(ended(0, "Completed")), &after(60)).durations;
    let seconds = |span: Option<SignedDuration>| span.unwrap().as_secs();
    assert_eq!((seconds(durations.queued), seconds(durations.starting), seconds(durations.ran)), (2, 3, 41));
}

#[test]
fn a_driver_that_exits_with_another_code_has_failed() {
    let outcome = outcome(&seen(ended(101, "Error")));
    assert_eq!(outcome.ending, Ending::Failed);
    assert!(outcome.message.contains("main class was not found"), "{}", outcome.message);
}

#[test]
fn a_driver_killed_for_memory_has_a_hint_with_its_limit() {
    let outcome = outcome(&seen(ended(137, "OOMKilled")));
    assert_eq!(outcome.ending, Ending::Failed);
    assert!(outcome.hint.unwrap().contains("896Mi"));
}

#[test]
fn a_driver_without_a_command_could_not_start() {
    assert_eq!(outcome(&seen(ended(128, "StartError"))).ending, Ending::CouldNotStart);
}

#[test]
fn a_preempted_driver_is_lost_and_the_message_has_the_cause() {
    let mut pod = ended(143, "Error");
    let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler",
        "message": "volcano: preempting to accommodate a higher priority pod"});
    let conditions = pod.status.as_mut().unwrap().conditions.as_mut().unwrap();
    conditions.push(serde_json::from_value(condition).unwrap());
    let outcome = outcome(&seen(pod));
    assert_eq!((outcome.ending, outcome.driver_exit_code), (Ending::Lost, Some(143)));
    assert!(outcome.message.starts_with("preempted by higher-priority work: volcano"));
}

#[test]
fn a_running_driver_whose_deletion_was_seen_is_lost() {
    let mut observed = seen(placed(json!({"running": {}})));
    observed.delete_pod(placed(json!({"running": {}})));
    assert_eq!(outcome(&observed).ending, Ending::Lost);
}

#[test]
fn a_driver_that_disappeared_unseen_has_an_unknown_outcome() {
    let mut observed = seen(placed(json!({"running": {}})));
    observed.relist_pods(Vec::new());
    assert_eq!(outcome(&observed).ending, Ending::Unknown);
}

#[test]
fn an_end_that_was_seen_counts_after_the_pod_is_gone() {
    let mut observed = seen(ended(0, "Completed"));
    observed.relist_pods(Vec::new());
    assert_eq!(outcome(&observed).ending, Ending::Succeeded);
}

#[test]
fn an_evicted_pod_without_container_statuses_is_lost() {
    let status = json!({"phase": "Failed", "reason": "Evicted", "message": "low on resource: ephemeral-storage."});
    let outcome = outcome(&seen(driver(json!({"nodeName": "n"}), status)));
    assert_eq!(outcome.ending, Ending::Lost);
    assert!(outcome.hint.unwrap().contains("spark-local-dir"));
}

#[test]
fn the_end_of_an_earlier_driver_does_not_count() {
    let mut observed = seen(placed(json!({"running": {}})));
    let mut earlier = ended(1, "Error");
    earlier.metadata.uid = Some("earlier".into());
    earlier.metadata.creation_timestamp.as_mut().unwrap().0 -= SignedDuration::from_secs(60);
    observed.apply_pod(earlier.clone());
    observed.delete_pod(earlier);
    assert_eq!(State::of(&observed, &after(60)).status, Status::Running);
}

#[test]
fn a_gated_pod_is_on_hold_or_waits_for_another_gate() {
    let gated = |gates: Value| seen(driver(json!({ "schedulingGates": gates }), json!({"phase": "Pending"})));
    let ours = gated(json!([{"name": HOLD}]));
    assert_eq!(State::of(&ours, &after(60)).status, Status::Held);
    let kueue = gated(json!([{"name": "kueue.x-k8s.io/admission"}]));
    assert_eq!(waiting(&kueue, 60).reason, Reason::Gated);
}

#[test]
fn an_unschedulable_driver_waits_with_the_most_common_reason_first() {
    let pod = unscheduled("0/4 nodes are available: 1 node(s) had untolerated taint {a: b}, 3 Insufficient cpu.");
    let waiting = waiting(&seen(pod), 3);
    assert_eq!(waiting.message, "no node of 4 fits: 3 Insufficient cpu; 1 had untolerated taint {a: b}");
    assert!(waiting.hint.unwrap().contains("cpu 1, memory 896Mi"));
}

#[test]
fn a_wait_longer_than_the_start_timeout_is_an_outcome() {
    let observed = seen(unscheduled("0/1 nodes are available: 1 Insufficient cpu."));
    let limits = Limits { start_timeout: Some(Duration::from_secs(30)), ..after(31) };
    assert_eq!(State::of(&observed, &limits).outcome().unwrap().ending, Ending::CouldNotStart);
}

#[test]
fn a_hint_names_both_missing_labels_and_taints() {
    let message = "0/5 nodes are available: 3 node(s) had untolerated taint(s), 2 node(s) didn't match Pod's node affinity/selector.";
    let hint = waiting(&seen(unscheduled(message)), 20).hint.unwrap();
    assert!(hint.contains("requested labels") && hint.contains("toleration"), "{hint}");
}

#[test]
fn a_silent_scheduler_is_reported_only_after_a_while() {
    let spec = json!({"schedulerName": "vulcano"});
    let observed = seen(driver(spec, json!({"phase": "Pending"})));
    assert!(matches!(State::of(&observed, &after(9)).status, Status::Starting(_)));
    let waiting = waiting(&observed, 16);
    assert_eq!(waiting.reason, Reason::NoScheduler);
    assert!(waiting.message.contains("`vulcano`"));
}

#[test]
fn a_pod_group_that_is_not_admitted_is_explained_with_its_queue() {
    let mut observed = seen(driver(json!({}), json!({"phase": "Pending"})));
    observed.pod_group = Some(json!({"spec": {"queue": "etl"}, "status": {"phase": "Pending"}}));
    assert!(waiting(&observed, 6).message.contains("queue etl"));
}

#[test]
fn a_new_pod_group_is_given_time() {
    let mut observed = seen(driver(json!({}), json!({"phase": "Pending"})));
    observed.pod_group = Some(json!({"status": {"phase": "Pending"}}));
    assert!(matches!(State::of(&observed, &after(2)).status, Status::Starting(_)));
}

#[test]
fn a_missing_image_is_tolerated_and_then_given_up() {
    let pod = placed(json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}));
    let mut observed = seen(pod);
    let message = "Failed to pull image \"spark:4.1\": rpc error: code = NotFound: spark:4.1: not found";
    let failed = event("Failed", message, 4);
    observed.events.insert("failed".into(), failed);
    let waiting = waiting(&observed, 60);
    assert_eq!(waiting.message, "image spark:4.1 cannot be pulled: there is no such image");
    let given_up = State::of(&observed, &after(125));
    assert_eq!(given_up.outcome().unwrap().ending, Ending::CouldNotStart);
}

#[test]
fn an_invalid_image_name_is_an_outcome_at_once() {
    let observed = seen(placed(json!({"waiting": {"reason": "InvalidImageName"}})));
    assert_eq!(outcome(&observed).ending, Ending::CouldNotStart);
}

#[test]
fn a_missing_secret_is_named() {
    let state = json!({"waiting": {"reason": "CreateContainerConfigError", "message": "secret \"db\" not found"}});
    let waiting = waiting(&seen(placed(state)), 10);
    assert_eq!((waiting.reason, waiting.message.as_str()), (Reason::Config, "secret \"db\" not found"));
}

#[test]
fn a_mount_that_fails_once_is_not_reported() {
    let mut observed = seen(placed(json!({"waiting": {"reason": "ContainerCreating"}})));
    let failed = event("FailedMount", "configmap \"conf\" not found", 3);
    observed.events.insert("mount".into(), failed);
    assert!(matches!(State::of(&observed, &after(8)).status, Status::Starting(_)));
    assert_eq!(waiting(&observed, 20).reason, Reason::Volume);
}

#[test]
fn events_of_another_pod_of_the_same_name_do_not_count() {
    let mut observed = seen(placed(json!({"waiting": {"reason": "ContainerCreating"}})));
    let mut failed = event("FailedMount", "configmap \"conf\" not found", 3);
    failed.involved_object.uid = Some("earlier".into());
    observed.events.insert("mount".into(), failed);
    assert!(matches!(State::of(&observed, &after(60)).status, Status::Starting(_)));
}

fn executor(name: &str, deleted: bool, state: Value) -> Pod {
    let status = json!({"phase": "Running", "containerStatuses": [
        {"name": "spark-kubernetes-executor", "image": "s", "imageID": "", "ready": true, "restartCount": 0, "state": state},
    ]});
    let mut pod = pod("executor", json!({}), status);
    pod.metadata.name = Some(name.into());
    pod.metadata.deletion_timestamp = deleted.then(|| pod.metadata.creation_timestamp.clone().unwrap());
    pod
}

#[test]
fn executors_are_counted_and_failed_ones_are_kept() {
    let mut observed = seen(placed(json!({"running": {}})));
    observed.apply_pod(executor("e1", false, json!({"running": {}})));
    let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    observed.delete_pod(executor("e2", true, killed));
    let executors = State::of(&observed, &after(60)).executors;
    assert_eq!((executors.running, executors.failed), (1, 1));
    let last = executors.last_failure.unwrap();
    assert_eq!((last.name.as_str(), last.exit_code), ("e2", Some(137)));
    assert!(last.reason.contains("896Mi"));
}

#[test]
fn another_pod_with_the_drivers_name_does_not_count() {
    let mut another = ended(0, "Completed");
    another.metadata.uid = Some("another".into());
    let mut observed = seen(placed(json!({"running": {}})));
    observed.relist_pods(vec![another.clone()]);
    assert_eq!(outcome(&observed).ending, Ending::Unknown);
    let mut observed = seen(placed(json!({"running": {}})));
    observed.delete_pod(placed(json!({"running": {}})));
    observed.apply_pod(another);
    assert_eq!(outcome(&observed).ending, Ending::Lost);
}

#[test]
fn an_executor_that_the_driver_deleted_has_not_failed() {
    let mut observed = seen(placed(json!({"running": {}})));
    observed.delete_pod(executor("e1", true, json!({"terminated": {"exitCode": 143, "reason": "Error"}})));
    assert_eq!(State::of(&observed, &after(60)).executors.failed, 0);
}

#[test]
fn an_executor_that_failed_before_spark_deleted_it_has_failed() {
    let killed = |deleted: bool| executor("e1", deleted, json!({"terminated": {"exitCode": 137, "reason": "Error"}}));
    let mut observed = seen(placed(json!({"running": {}})));
    let failed = |observed: &Observed| State::of(observed, &after(60)).executors.failed;
    observed.apply_pod(killed(false));
    observed.apply_pod(killed(true));
    assert_eq!(failed(&observed), 1);
    observed.relist_pods(vec![placed(json!({"running": {}})), killed(true)]);
    assert_eq!(failed(&observed), 1);
    observed.delete_pod(killed(true));
    assert_eq!(failed(&observed), 1);
}

#[test]
fn the_main_failure_is_not_the_last_executor_that_found_no_driver() {
    let mut observed = seen(placed(json!({"running": {}})));
    let code = |code: i32| json!({"terminated": {"exitCode": code, "reason": "Error"}});
    let end = |observed: &mut Observed, name: &str, state: Value| {
        observed.apply_pod(executor(name, false, state));
        State::of(observed, &after(60)).executors
    };
    end(&mut observed, "e1", code(137));
    let executors = end(&mut observed, "e2", code(1));
    assert_eq!(executors.last_failure.unwrap().name, "e2");
    assert_eq!(executors.main_failure.unwrap().name, "e1");
    assert!(executors.hint.unwrap().contains("memory"));
    let executors = end(&mut observed, "e3", code(1));
    assert_eq!(executors.main_failure.unwrap().name, "e3");
    let log = "SparkException: Max number of executor failures (3) reached";
    let executors = end(&mut observed, "e4", code(137));
    let outcome = Outcome::plain(Ending::Failed, "").with_hint_of(Some(log), &executors, None);
    assert!(outcome.hint.unwrap().contains("raise executor.memoryOverhead"));
    let outcome = Outcome::plain(Ending::Failed, "").with_hint_of(Some(log), &Executors::default(), None);
    assert!(outcome.hint.unwrap().starts_with("executors kept failing"));
}

#[test]
fn the_last_exception_is_pythons_last_line_or_javas_own() {
    let python = "a\nTraceback (most recent call last):\n  File \"pi.py\", line 3\n    1/0\nZeroDivisionError: division by zero\nlater\n";
    assert_eq!(last_exception(python).unwrap(), "ZeroDivisionError: division by zero");
    let java = "x\nException in thread \"main\" java.lang.IllegalStateException: no\n\tat A.b(A.java:1)\n";
    assert!(last_exception(java).unwrap().ends_with("java.lang.IllegalStateException: no"));
    assert_eq!(last_exception("INFO all is well\n"), None);
}

#[test]
fn an_exception_raised_from_another_includes_its_cause() {
    let raised_from = "\nThe above exception was the direct cause of the following exception:\n\n";
    let raised = |error: &str| format!("Traceback (most recent call last):\n  File \"a.py\", line 1, in f\n{error}\n");
    let log = [raised("KeyError: 'x'"), raised("ValueError: y"), raised("RuntimeError: z")].join(raised_from);
    assert_eq!(last_exception(&log).unwrap(), "RuntimeError: z, caused by KeyError: 'x'");
    let javas = raised("py4j.protocol.Py4JJavaError: An error occurred while calling o1.f.\n: java.io.IOException: no");
    let log = [javas, raised("RuntimeError: z")].join(raised_from);
    assert_eq!(last_exception(&log).unwrap(), "RuntimeError: z, caused by java.io.IOException: no");
    let log = [raised("KeyError: 'x'"), raised("ValueError: y")]
        .join("\nDuring handling of the above exception, another exception occurred:\n\n");
    assert_eq!(last_exception(&log).unwrap(), "ValueError: y");
}

#[test]
fn the_last_exception_of_r_is_its_last_error() {
    let long = "Error in writeBin(value, con) : \n  can only write to a binary connection\nCalls: word -> writeBin\nExecution halted\n";
    assert_eq!(last_exception(long).unwrap(), "Error in writeBin(value, con) : can only write to a binary connection");
    let short = "Error in f() : no\nExecution halted\n26/11/25 01:08:30 INFO ShutdownHookManager: called\n";
    assert_eq!(last_exception(short).unwrap(), "Error in f() : no");
}

#[test]
fn a_java_exception_includes_its_cause() {
    let java =
        "java.lang.Outer: no\n\tat A.b(A.java:1)\nCaused by: java.io.InnerException: pods is forbidden\n\t... 1 more\n";
    let uncaught = format!("Exception in thread \"main\" {java}later\nCaused by: another.Exception: x\n");
    assert_eq!(
        last_exception(&uncaught).unwrap(),
        "Exception in thread \"main\" java.lang.Outer: no, caused by java.io.InnerException: pods is forbidden"
    );
    let py4j =
        "Traceback (most recent call last):\n  File \"a.py\", line 1\npy4j.protocol.Py4JJavaError: An error occurred";
    assert_eq!(last_exception(&format!("{py4j}\n: {java}")).unwrap(), "java.io.InnerException: pods is forbidden");
    let (_, end) = java.split_once('\n').unwrap();
    assert_eq!(last_exception(end).unwrap(), "java.io.InnerException: pods is forbidden");
}

/// The observed objects of a Job with at most three attempts.
fn of_job(status: Value, pods: Vec<Pod>) -> Observed {
    let job = json!({
        "metadata": {"name": "pi", "uid": "job"},
        "spec": {"backoffLimit": 2, "completions": 1, "template": {}, "podFailurePolicy": {"rules": []}},
        "status": status,
    });
    let mut observed =
        Observed { of_job: true, job: Some(serde_json::from_value(job).unwrap()), ..Observed::default() };
    observed.relist_pods(pods);
    observed
}

/// The driver of an attempt.
fn attempt(number: u32, mut pod: Pod) -> Pod {
    pod.metadata.name = Some(format!("pi-{number}"));
    pod.metadata.uid = Some(format!("driver-{number}"));
    pod.metadata.creation_timestamp = serde_json::from_value(json!(format!("2026-11-24T04:0{number}:00Z"))).unwrap();
    pod
}

fn finished(kind: &str) -> Value {
    let reason = "BackoffLimitExceeded";
    json!({"conditions": [{"type": kind, "status": "True", "reason": reason, "message": "Job has reached it"}]})
}

#[test]
fn a_failed_attempt_is_not_the_end() {
    let waiting = waiting(&of_job(json!({}), vec![attempt(1, ended(3, "Error"))]), 60);
    assert_eq!(waiting.reason, Reason::Retry);
    assert_eq!(waiting.message, "attempt 1 of 3 failed: the driver exited with code 3");
    assert!(waiting.hint.unwrap().contains("creates the next driver"));
}

#[test]
fn only_a_lost_driver_is_replaced_after_the_last_attempt() {
    let hint =
        |code: i32| waiting(&of_job(json!({}), vec![annotated(attempt(3, ended(code, "Error")), 2, 0)]), 60).hint;
    assert_eq!(hint(3), None);
    assert!(hint(143).is_some());
}

#[test]
fn the_jobs_end_is_the_applications() {
    let pods = vec![attempt(2, ended(4, "Error")), attempt(1, ended(3, "Error"))];
    let failed = outcome(&of_job(finished("Failed"), pods));
    assert_eq!((failed.ending, failed.driver_exit_code), (Ending::Failed, Some(4)));
    assert_eq!(failed.message, "the driver exited with code 4 (attempt 2 of 3)");
    let complete = outcome(&of_job(finished("Complete"), Vec::new()));
    assert_eq!(complete.ending, Ending::Succeeded);
}

#[test]
fn a_lost_driver_is_not_counted_as_an_attempt() {
    let mut lost = attempt(1, ended(143, "Error"));
    lost.metadata.deletion_timestamp = lost.metadata.creation_timestamp.clone();
    let state = State::of(&of_job(json!({}), vec![lost, attempt(2, placed(json!({"running": {}})))]), &after(60));
    let attempt = state.attempt.unwrap();
    assert_eq!((state.status, attempt.number, attempt.of), (Status::Running, 1, Some(3)));
    assert_eq!(attempt.earlier[0].ending, Ending::Lost);
}

/// A driver with the Job controller's annotations on those before it.
fn annotated(pod: Pod, failed: usize, lost: usize) -> Pod {
    let counts = [(FAILURES, failed), (IGNORED_FAILURES, lost)];
    let annotations = counts.map(|(key, count)| (key.to_owned(), count.to_string()));
    Pod { metadata: ObjectMeta { annotations: Some(annotations.into()), ..pod.metadata }, ..pod }
}

#[test]
fn drivers_whose_pods_are_gone_are_counted_from_later_pods_annotations() {
    let running = || placed(json!({"running": {}}));
    let seen = |pods: Vec<Pod>| State::of(&of_job(json!({"failed": 1}), pods), &after(60)).attempt.unwrap();
    let failed = seen(vec![annotated(attempt(2, running()), 1, 0)]);
    assert_eq!((failed.number, failed.gone), (2, Count { failed: 1, ..Count::default() }));
    assert_eq!(failed.describe_gone().as_deref(), Some("attempt 1: its pod is gone; the Job counted 1 failure"));
    // The second of three is gone: the others keep their numbers.
    let between = seen(vec![annotated(attempt(1, ended(3, "Error")), 0, 0), annotated(attempt(3, running()), 2, 1)]);
    assert_eq!((between.number, between.earlier[0].number), (3, Some(1)));
    assert_eq!(between.gone, Count { failed: 1, succeeded: 0, lost: 1 });
    let words = "2 more drivers: their pods are gone; the Job counted 1 failure and 1 loss";
    assert_eq!(between.describe_gone().as_deref(), Some(words));
    let lost = seen(vec![annotated(attempt(2, running()), 0, 1)]);
    let words = "1 more driver: its pod is gone; the Job counted 1 loss";
    assert_eq!((lost.number, lost.describe_gone().as_deref()), (1, Some(words)));
    let none = seen(vec![annotated(attempt(1, ended(3, "Error")), 0, 0), annotated(attempt(2, running()), 1, 0)]);
    assert_eq!((none.number, none.describe_gone()), (2, None));
}

#[test]
fn without_annotations_the_jobs_status_counts_pods_that_are_gone() {
    let observed = |status: Value, pods: Vec<Pod>| {
        let mut observed = of_job(status, pods);
        let spec = observed.job.as_mut().and_then(|job| job.spec.as_mut()).unwrap();
        (spec.completions, spec.backoff_limit) = (Some(i32::MAX), Some(i32::MAX));
        observed
    };
    let seen = |status: Value, pods: Vec<Pod>| State::of(&observed(status, pods), &after(60)).attempt.unwrap();
    let running = attempt(9, placed(json!({"running": {}})));
    let counted = json!({"failed": 3, "succeeded": 1, "uncountedTerminatedPods": {"failed": ["x"]}});
    let one_left = seen(counted, vec![attempt(1, ended(3, "Error")), running]);
    assert_eq!((one_left.number, one_left.earlier[0].number), (6, None));
    assert_eq!(one_left.gone, Count { failed: 3, succeeded: 1, lost: 0 });
    let words = "4 more drivers: their pods are gone; the Job counted 3 failures and 1 success";
    assert_eq!(one_left.describe_gone().as_deref(), Some(words));
    // The end of the latest driver is not an earlier one, whether the Job has counted it or not.
    let mut failed = attempt(1, ended(3, "Error"));
    failed.status.as_mut().unwrap().phase = Some("Failed".into());
    failed.metadata.finalizers = Some(vec!["batch.kubernetes.io/job-tracking".into()]);
    let uncounted = json!({"uncountedTerminatedPods": {"failed": ["driver-1"]}});
    let let_go = Pod { metadata: ObjectMeta { finalizers: None, ..failed.metadata.clone() }, ..failed.clone() };
    for (status, pod) in [(json!({}), &failed), (uncounted, &failed), (json!({"failed": 1}), &let_go)] {
        let attempt = seen(status, vec![pod.clone()]);
        assert_eq!((attempt.number, attempt.has_earlier()), (1, false));
    }
}

#[test]
fn the_latest_existing_driver_is_not_mistaken_for_a_later_one_that_is_gone() {
    let mut left = annotated(attempt(1, ended(3, "Error")), 0, 0);
    left.status.as_mut().unwrap().phase = Some("Failed".into());
    let seen = |kind: &str, failed: i32| {
        of_job(json!({"failed": failed, "conditions": finished(kind)["conditions"]}), vec![left.clone()])
    };
    let observed = seen("Failed", 2);
    let state = State::of(&observed, &after(200));
    let outcome = state.outcome().unwrap();
    assert_eq!(outcome.message, "its Job failed: Job has reached it (attempt 2 of 3)");
    assert_eq!((outcome.driver_exit_code, state.node), (None, None));
    let earlier = &state.attempt.unwrap().earlier;
    assert_eq!((earlier.len(), earlier[0].number, earlier[0].exit_code), (1, Some(1), Some(3)));
    assert!(driver_of_attempt(&observed, 1).is_some() && driver_of_attempt(&observed, 2).is_none());
    let succeeded = State::of(&seen("Complete", 1), &after(200));
    assert_eq!(succeeded.outcome().unwrap().message, "its Job is complete (attempt 2 of 3)");
}

#[test]
fn a_driver_is_compared_with_the_template_of_its_job() {
    let changed = |service_account: &str| {
        let made = json!({"serviceAccountName": service_account, "nodeName": "n1", "hostname": "pi-0"});
        let mut observed = of_job(json!({}), vec![attempt(1, driver(made, json!({})))]);
        let template = json!({"spec": {
            "serviceAccountName": "spark",
            "containers": [{"name": "spark-kubernetes-driver", "resources": {"limits": {"memory": "896Mi"}}}],
        }});
        observed.job.as_mut().unwrap().spec.as_mut().unwrap().template = serde_json::from_value(template).unwrap();
        changed_by_admission(&observed)
    };
    assert_eq!(changed("spark"), [""; 0]);
    assert_eq!(changed("default"), [r#"spec.serviceAccountName is "default", and in its Job "spark""#]);
    assert_eq!(changed_by_admission(&seen(driver(json!({}), json!({})))), [""; 0]);
}

#[test]
fn a_deleted_job_is_lost() {
    let observed =
        Observed { job_is_gone: true, ..of_job(json!({}), vec![attempt(1, placed(json!({"running": {}})))]) };
    assert_eq!(outcome(&observed).ending, Ending::Lost);
}

#[test]
fn a_pod_that_the_job_controller_may_not_create_is_reported_and_given_up() {
    let mut refused = event("FailedCreate", "Error creating: pods is forbidden: exceeded quota: q", 5);
    refused.involved_object.uid = Some("job".into());
    let mut observed = of_job(json!({}), Vec::new());
    observed.events.insert("refused".into(), refused);
    let waiting = waiting(&observed, 60);
    assert_eq!(waiting.reason, Reason::Creation);
    assert!(waiting.message.contains("exceeded quota: q"), "{}", waiting.message);
    let given_up = State::of(&observed, &after(200)).outcome().unwrap().ending;
    assert_eq!(given_up, Ending::CouldNotStart);
}
