//! The troubles that Spark's users on Kubernetes meet most, each as the API server and the logs show it.

use super::*;
use crate::state::log_hint::log_hint;

fn hint_of(log: &str) -> String {
    log_hint(log).unwrap_or_else(|| panic!("no hint for {log}"))
}

fn waiting_container(reason: &str, message: &str) -> Observed {
    seen(placed(json!({"waiting": {"reason": reason, "message": message}})))
}

fn with_event(mut observed: Observed, event: Event) -> Observed {
    observed.events.insert("event".into(), event);
    observed
}

fn running_driver() -> Observed {
    seen(placed(json!({"running": {"startedAt": CREATED}})))
}

fn unplaced_executor() -> Pod {
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu."});
    pod("executor", json!({}), json!({"phase": "Pending", "conditions": [condition]}))
}

#[test]
fn a_failed_driver_is_never_a_success() {
    assert_eq!(outcome(&seen(ended(1, "Error"))).ending, Ending::Failed);
}

#[test]
fn a_pending_driver_says_what_rules_the_nodes_out() {
    let wait = waiting(&seen(unscheduled("0/14 nodes are available: 2 Insufficient cpu, 12 Insufficient memory.")), 5);
    assert_eq!(wait.message, "no node of 14 fits: 12 Insufficient memory; 2 Insufficient cpu");
    assert!(wait.hint.unwrap().contains("it asks for cpu 1, memory 896Mi"));
}

#[test]
fn an_image_says_why_it_cannot_be_pulled() {
    let classes = [
        ("rpc error: code = NotFound desc = failed to pull: spark:4.1: not found", "there is no such image"),
        ("unauthorized: authentication required", "the registry refuses these credentials"),
        ("x509: certificate signed by unknown authority", "the registry's certificate is not trusted"),
        ("429 Too Many Requests - toomanyrequests: rate limit", "the registry limits the rate of pulls"),
        ("dial tcp: lookup registry.invalid: no such host", "the registry cannot be reached from the node"),
        ("no match for platform in manifest: not found", "it has no variant for the node's architecture"),
    ];
    for (said, class) in classes {
        let wait = waiting(&waiting_container("ErrImagePull", said), 5);
        assert_eq!(wait.message, format!("image spark:4.1 cannot be pulled: {class}"));
    }
    let outcome = outcome(&waiting_container("InvalidImageName", "couldn't parse image name"));
    assert_eq!(outcome.ending, Ending::CouldNotStart);
}

#[test]
fn a_driver_whose_executors_find_no_room_is_told_of_gangs() {
    let mut observed = running_driver();
    observed.apply_pod(unplaced_executor());
    assert_eq!(State::of(&observed, &after(10)).executors.hint, None);
    let hint = State::of(&observed, &after(60)).executors.hint.unwrap();
    assert!(hint.contains("batchScheduler: volcano"), "{hint}");
}

#[test]
fn an_executor_out_of_memory_is_told_its_limit_and_heap() {
    let mut executor = executor("e1", false, json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}));
    for container in &mut executor.spec.as_mut().unwrap().containers {
        container.env = serde_json::from_value(json!([{"name": "SPARK_EXECUTOR_MEMORY", "value": "512m"}])).unwrap();
    }
    let mut observed = running_driver();
    observed.apply_pod(executor);
    let executors = State::of(&observed, &after(60)).executors;
    let reason = executors.last_failure.unwrap().reason;
    assert_eq!(reason, "OOMKilled: out of memory at its limit of 896Mi, of which 512m is heap and the rest overhead");
    assert!(executors.hint.unwrap().contains("memoryOverhead"));
}

#[test]
fn a_driver_that_may_not_make_pods_is_told_which_right() {
    let log = "io.fabric8.kubernetes.client.KubernetesClientException: Failure executing: POST at: https://kubernetes.default.svc/api/v1/namespaces/jobs/pods. \
        Message: pods is forbidden: User \"system:serviceaccount:jobs:default\" cannot create resource \"pods\" in API group \"\" in the namespace \"jobs\".";
    assert!(hint_of(log).starts_with("the driver's service account jobs:default may not create pods"));
    let log = "Message: pods \"pi-driver\" is forbidden: User \"system:serviceaccount:jobs:default\" cannot get resource \"pods\". \
        Received status: Status(apiVersion=v1, code=403";
    assert!(hint_of(log).contains("may not get pods"));
    let exception = last_exception(&format!("a.b.KubernetesClientException: {log}")).unwrap();
    assert!(exception.ends_with("cannot get resource \"pods\"."), "{exception}");
}

#[test]
fn executors_over_quota_are_told_by_the_drivers_log() {
    let log =
        "Message: pods \"pi-exec-1\" is forbidden: exceeded quota: team-a, requested: limits.cpu=1, used: limits.cpu=4";
    assert!(hint_of(log).starts_with("quota team-a has no room for the executors"));
    assert!(hint_of("pods \"x\" is forbidden: failed quota: q: must specify limits.cpu").contains("coreLimit"));
}

#[test]
fn a_scheduler_that_is_not_there_answers_nothing() {
    let mut pod = driver(json!({"schedulerName": "vulcano"}), json!({"phase": "Pending"}));
    pod.metadata.uid = Some("driver".into());
    let wait = waiting(&seen(pod), 20);
    assert_eq!((wait.reason, wait.message.as_str()), (Reason::NoScheduler, "no scheduler `vulcano` has answered"));
}

#[test]
fn a_gate_of_kueue_is_named() {
    let gates = json!({"schedulingGates": [{"name": "kueue.x-k8s.io/admission"}]});
    let wait = waiting(&seen(driver(gates, json!({"phase": "Pending"}))), 20);
    assert_eq!(wait.reason, Reason::Gated);
    assert!(wait.message.contains("kueue.x-k8s.io/admission"));
}

#[test]
fn a_driver_that_nobody_finds_is_a_matter_of_dns() {
    assert!(hint_of("java.net.UnknownHostException: pi-driver-svc.jobs.svc").contains("DNS"));
}

#[test]
fn storage_without_its_classes_is_named() {
    let log = "java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found";
    assert!(hint_of(log).starts_with("the image has no file system for s3a"));
    assert!(hint_of("UnsupportedFileSystemException: No FileSystem for scheme \"gs\"").contains("for gs"));
    let mixed = "java.lang.NoSuchMethodError: 'void org.apache.hadoop.util.SemaphoredDelegatingExecutor.<init>'";
    assert!(hint_of(mixed).contains("in the version of the image's Hadoop"));
}

#[test]
fn a_missing_python_module_is_named() {
    assert!(hint_of("ModuleNotFoundError: No module named 'geopy'\n").starts_with("Python module geopy is not there"));
    assert!(hint_of("[PYTHON_VERSION_MISMATCH] Python in worker has different version").contains("PYSPARK_PYTHON"));
}

#[test]
fn executors_that_fail_one_after_another_are_counted() {
    let mut observed = running_driver();
    for number in 0..6 {
        let end = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
        observed.delete_pod(executor(&format!("e{number}"), false, end));
    }
    let hint = State::of(&observed, &after(60)).executors.hint.unwrap();
    assert!(hint.starts_with("6 of 6 executors failed with exit code 1"), "{hint}");
}

#[test]
fn taints_and_labels_have_their_hints() {
    let hint = |message: &str| waiting(&seen(unscheduled(message)), 5).hint.unwrap();
    let taint = "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: spark}.";
    assert!(hint(taint).contains("toleration"));
    let affinity = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
    assert!(hint(affinity).contains("--show-labels"));
}

#[test]
fn each_way_of_being_taken_away_is_named() {
    let reasons = [
        ("PreemptionByScheduler", "preempted by work of a higher priority"),
        ("EvictionByEvictionAPI", "evicted (node drained, or moved by an autoscaler)"),
        ("DeletionByTaintManager", "driven off its node by a taint"),
        ("DeletionByPodGC", "its node is gone"),
        ("TerminationByKubelet", "ended by its node (pressure, or shutdown)"),
    ];
    for (reason, words) in reasons {
        let mut pod = ended(143, "Error");
        let condition = json!({"type": "DisruptionTarget", "status": "True", "reason": reason, "message": "m"});
        let conditions = pod.status.as_mut().unwrap().conditions.as_mut().unwrap();
        conditions.push(serde_json::from_value(condition).unwrap());
        let outcome = outcome(&seen(pod));
        assert_eq!((outcome.ending, outcome.message), (Ending::Lost, format!("{words}: m")));
    }
}

#[test]
fn a_missing_secret_or_config_map_is_quoted_and_given_up() {
    let observed = waiting_container("CreateContainerConfigError", "secret \"db\" not found");
    assert_eq!(waiting(&observed, 5).message, "secret \"db\" not found");
    let given_up = State::of(&observed, &after(200)).outcome().unwrap().clone();
    assert_eq!(given_up.ending, Ending::CouldNotStart);
    assert!(given_up.hint.unwrap().contains("namespace"));
}

#[test]
fn a_volume_that_fails_to_mount_is_told_after_a_while() {
    let pod = placed(json!({"waiting": {"reason": "ContainerCreating"}}));
    let observed = with_event(seen(pod), event("FailedMount", "configmap \"conf\" not found", 5));
    assert!(matches!(State::of(&observed, &after(8)).what, What::Starting(_)));
    assert_eq!(waiting(&observed, 30).reason, Reason::Volume);
}

#[test]
fn an_unbound_claim_is_named() {
    let message = "0/2 nodes are available: pod has unbound immediate PersistentVolumeClaims.";
    assert!(waiting(&seen(unscheduled(message)), 5).hint.unwrap().contains("kubectl get pvc"));
    let pod = placed(json!({"waiting": {"reason": "ContainerCreating"}}));
    let attached = event("FailedAttachVolume", "Multi-Attach error for volume \"v\"", 5);
    assert!(waiting(&with_event(seen(pod), attached), 30).hint.unwrap().contains("ReadWriteMany"));
}

#[test]
fn an_autoscaler_is_quoted() {
    let unplaced = || seen(unscheduled("0/2 nodes are available: 2 Insufficient cpu."));
    let coming = with_event(unplaced(), event("TriggeredScaleUp", "pod triggered scale-up: [{pool 3->5 (max: 9)}]", 5));
    assert!(waiting(&coming, 9).hint.unwrap().starts_with("a node is on its way: pod triggered scale-up"));
    let refused = with_event(unplaced(), event("NotTriggerScaleUp", "max node group size reached", 5));
    assert!(waiting(&refused, 9).hint.unwrap().contains("max node group size reached"));
}

#[test]
fn a_start_that_takes_too_long_is_an_end() {
    let terms = Terms { start_timeout: Some(Duration::from_secs(60)), ..after(61) };
    let state = State::of(&seen(unscheduled("0/1 nodes are available: 1 Insufficient cpu.")), &terms);
    assert_eq!(state.outcome().unwrap().ending, Ending::CouldNotStart);
}

#[test]
fn a_deadline_of_the_pod_is_named() {
    let status = json!({"phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active too long"});
    let outcome = outcome(&seen(driver(json!({"nodeName": "n"}), status)));
    assert_eq!(outcome.message, "DeadlineExceeded: Pod was active too long");
}

#[test]
fn a_file_that_is_not_in_the_image_is_explained() {
    assert!(hint_of("python3: can't open file '/app.py': [Errno 2]").contains("a path inside the image"));
    assert!(hint_of("Error: Failed to load class org.example.Main.").contains("mainClass"));
    let hint = outcome(&seen(ended(126, "Error"))).hint.unwrap();
    assert!(hint.contains("Spark image"));
    let arch = placed(json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec format error"}}));
    assert!(outcome(&seen(arch)).hint.unwrap().contains("architecture"));
}

#[test]
fn a_missing_folder_for_event_logs_is_explained() {
    let log = "java.io.FileNotFoundException: File file:/tmp/spark-events does not exist";
    assert!(hint_of(log).contains("spark.eventLog.dir"));
}

#[test]
fn a_user_that_may_not_be_root_is_explained() {
    let observed =
        waiting_container("CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
    assert!(waiting(&observed, 5).hint.unwrap().contains("runAsUser"));
}

#[test]
fn a_heap_that_is_too_small_is_told_from_a_killed_container() {
    assert!(hint_of("java.lang.OutOfMemoryError: Java heap space").contains("heap"));
    assert!(outcome(&seen(ended(52, "Error"))).hint.unwrap().contains("driver.memory"));
}

#[test]
fn a_log_that_says_nothing_known_has_no_hint() {
    assert_eq!(log_hint("INFO all is well"), None);
}
