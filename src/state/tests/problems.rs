//! The most common problems of Spark on Kubernetes, each as the API server and the logs show it.

use super::recorded::{self, nodes, recorded, state};
use super::*;
use crate::kubernetes::requests::Amounts;
use crate::spark::Conf;
use crate::state::hint::log::log_hint;
use crate::state::{Claims, LookupResult, Nodes};

/// Each problem, with the tests that show how it is reported: here from recorded objects, elsewhere before anything is
/// created, or on a real cluster.
const PROBLEMS: [(&str, &[&str]); 30] = [
    (
        "a failed driver looks like a success",
        &["a_failed_driver_is_never_a_success", "a_failed_driver_exits_1_with_its_exception"],
    ),
    (
        "a driver waits and no reason is shown",
        &[
            "a_pending_driver_has_the_reasons_that_rule_nodes_out",
            "a_driver_that_fits_nowhere_is_compared_with_the_largest_free_node",
        ],
    ),
    (
        "an image cannot be pulled",
        &["an_image_that_cannot_be_pulled_has_a_reason", "explains_a_missing_image_and_exits"],
    ),
    (
        "drivers hold the resources that their executors need",
        &[
            "a_driver_whose_executors_have_no_room_has_a_hint_on_gangs",
            "volcano_runs_ten_applications_without_deadlock",
        ],
    ),
    (
        "a pod is killed for memory",
        &["a_pod_out_of_memory_has_the_parts_of_its_limit", "explains_a_driver_killed_for_memory"],
    ),
    (
        "a driver may not create its executors",
        &["a_driver_that_may_not_create_pods_has_a_hint_on_the_right", "explains_a_driver_without_rights"],
    ),
    (
        "the service account is missing",
        &[
            "a_service_account_that_is_missing_is_named_with_its_remedy",
            "a_missing_service_account_exits_3",
            "a_missing_service_account_has_a_hint_with_the_existing_ones",
            "lists_the_available_service_accounts_when_one_is_missing",
        ],
    ),
    (
        "a quota is full, or requires requests and limits",
        &[
            "a_full_quota_is_reported_with_its_remedy",
            "executors_over_quota_are_found_in_the_drivers_log",
            "reports_all_problems_at_once_and_submit_check_refuses",
        ],
    ),
    (
        "a queue is full, closed, missing, or too small",
        &[
            "a_queue_that_will_always_be_too_small_is_reported",
            "explains_a_gang_that_is_larger_than_its_queue_or_the_cluster",
            "refuses_a_queue_that_is_closed_or_missing",
        ],
    ),
    (
        "no scheduler of that name, or another controller's gate",
        &["a_missing_scheduler_is_named", "a_gate_of_kueue_is_named", "suggests_a_scheduler_for_a_misspelt_one"],
    ),
    (
        "a name is too long, or not a valid Service name",
        &["cuts_with_a_hash", "truncates_a_long_name_for_the_service_and_keeps_it_elsewhere"],
    ),
    (
        "executors cannot find their driver",
        &[
            "a_service_that_does_not_lead_to_the_driver_is_reported",
            "policies_that_block_executors_are_named",
            "explains_what_keeps_executors_from_their_driver",
            "explains_executors_without_the_drivers_service",
            "a_driver_that_cannot_be_found_is_blamed_on_dns",
        ],
    ),
    ("a storage's classes are missing, or are for another Hadoop", &["storage_without_its_classes_is_named"]),
    (
        "logs are lost",
        &["repeats_no_line", "loses_no_line_that_is_out_of_order", "executors_are_counted_and_failed_ones_are_kept"],
    ),
    ("a Python module is missing", &["a_missing_python_module_is_named"]),
    ("executors and volumes outlive their application", &["gc_deletes_orphans_and_nothing_else"]),
    ("executors keep failing", &["executors_that_fail_one_after_another_are_counted"]),
    (
        "taints and labels of nodes do not match",
        &[
            "taints_and_labels_have_their_hints",
            "labels_that_no_node_has_are_shown_beside_similar_ones",
            "explains_labels_that_no_node_has",
        ],
    ),
    (
        "a pod is evicted, preempted, or gone with its node",
        &[
            "each_kind_of_disruption_is_named",
            "an_eviction_is_reported_while_it_is_in_progress",
            "rush_preempts_routine_and_exceptional_waits",
        ],
    ),
    ("Spark's spill files fill a node's disk", &["a_pod_that_fills_the_disk_is_reported"]),
    (
        "a secret, a config map or a volume is missing",
        &[
            "a_missing_secret_or_config_map_is_named_and_given_up",
            "a_volume_that_fails_to_mount_is_reported_after_a_while",
            "explains_a_missing_secret_and_exits",
            "a_missing_object_has_hints_on_similar_names_and_other_namespaces",
            "suggests_similar_names_and_other_namespaces_to_users_who_may_list_them",
        ],
    ),
    ("a claim is not bound", &["an_unbound_claim_is_named"]),
    (
        "settings are silently not applied",
        &["every_field_does_something_or_is_spoken_of", "tells_what_is_otherwise_and_not_what_the_server_added"],
    ),
    ("an autoscaler adds no node", &["an_autoscaler_is_quoted"]),
    (
        "the same job runs twice at a time",
        &["the_same_run_key_joins_the_run", "overlap_policies_let_one_run_at_a_time"],
    ),
    (
        "it hangs for days without a deadline",
        &["a_start_that_takes_too_long_is_an_outcome", "a_deadline_of_the_pod_is_named"],
    ),
    (
        "a driver's pod keeps running after the work is done",
        &[
            "a_sidecar_that_keeps_running_is_named_and_the_drivers_own_end_counts",
            "a_driver_that_keeps_running_after_spark_stopped_is_reported_after_a_while",
            "reports_a_driver_process_that_outlives_spark",
        ],
    ),
    (
        "a class, jar or script is missing, or for another architecture",
        &["a_file_missing_from_the_image_is_explained", "a_command_that_is_not_in_the_image_could_not_start"],
    ),
    ("the folder for event logs is missing", &["a_missing_folder_for_event_logs_is_explained"]),
    (
        "admission refuses, or credentials have expired",
        &["a_user_that_may_not_be_root_is_explained", "reports_all_problems_at_once_and_submit_check_refuses"],
    ),
];

#[test]
fn each_problem_has_its_tests() {
    let root = env!("CARGO_MANIFEST_DIR");
    let files = ["src", "tests"].map(|folder| glob::glob(&format!("{root}/{folder}/**/*.rs")).unwrap());
    let text: String =
        files.into_iter().flatten().map(|file| std::fs::read_to_string(file.unwrap()).unwrap()).collect();
    for (problem, tests) in PROBLEMS {
        assert!(!tests.is_empty(), "{problem}");
        for test in tests {
            let is_test = text.split("#[test]").skip(1).any(|rest| {
                let head = rest.lines().take(4).find(|line| line.trim_start().starts_with("fn "));
                head.is_some_and(|head| head.trim_start().starts_with(&format!("fn {test}(")))
            });
            assert!(is_test, "{problem}: there is no test {test}");
        }
    }
}

/// The result of looking up the nodes, with this many CPUs of each requested by pods.
fn seen_nodes(taken: &str) -> LookupResult {
    let all = nodes();
    let used = Amounts::of_list(&json!({"cpu": taken}));
    let name = |node: &Value| node["metadata"]["name"].as_str().unwrap().to_owned();
    LookupResult::Nodes(Nodes { taken: Some(all.iter().map(|node| (name(node), used.clone())).collect()), all })
}

fn wait_of(observed: &Observed, now: Timestamp) -> Waiting {
    let limits = Limits::at(now);
    match State::of(observed, &limits).status {
        Status::Waiting(waiting) => waiting,
        other => panic!("not waiting: {other:?}"),
    }
}

fn end_of(name: &str) -> Outcome {
    state(name).outcome().unwrap_or_else(|| panic!("{name} has not ended")).clone()
}

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

#[test]
fn a_failed_driver_is_never_a_success() {
    let outcome = end_of("exit1");
    assert_eq!((outcome.ending, outcome.driver_exit_code), (Ending::Failed, Some(1)));
}

#[test]
fn a_pending_driver_has_the_reasons_that_rule_nodes_out() {
    let (observed, now) = recorded("unschedulable");
    let wait = wait_of(&observed, now);
    assert_eq!(wait.message, "no node of 2 fits: 2 Insufficient cpu");
    assert!(wait.hint.unwrap().contains("it requests cpu 100, memory 32Mi"));
    let (mut observed, now) = recorded("unschedulable");
    let container = &mut observed.driver.as_mut().unwrap().spec.as_mut().unwrap().containers[0];
    container.resources.as_mut().unwrap().requests.as_mut().unwrap().get_mut("cpu").unwrap().0 = "1k".into();
    assert!(wait_of(&observed, now).hint.unwrap().contains("it requests cpu 1000, memory 32Mi"));
    let wait = waiting(&seen(unscheduled("0/14 nodes are available: 2 Insufficient cpu, 12 Insufficient memory.")), 5);
    assert_eq!(wait.message, "no node of 14 fits: 12 Insufficient memory; 2 Insufficient cpu");
}

#[test]
fn a_driver_that_fits_nowhere_is_compared_with_the_largest_free_node() {
    let (mut observed, now) = recorded("unschedulable");
    observed.evidence.take(seen_nodes("0"));
    let hint = wait_of(&observed, now).hint.unwrap();
    assert!(hint.contains("node-2, has cpu 4, and the driver requests cpu 100, memory 32Mi"), "{hint}");
    let container = &mut observed.driver.as_mut().unwrap().spec.as_mut().unwrap().containers[0];
    let requests = container.resources.as_mut().unwrap().requests.as_mut().unwrap();
    requests.get_mut("cpu").unwrap().0 = "4".into();
    observed.evidence.take(seen_nodes("0.8"));
    let hint = wait_of(&observed, now).hint.unwrap();
    assert!(
        hint.starts_with("the node with most room, node-2, has cpu 3.2 free, and the driver requests cpu 4"),
        "{hint}"
    );
}

#[test]
fn an_image_that_cannot_be_pulled_has_a_reason() {
    let (mut observed, now) = recorded("noimage");
    assert_eq!(wait_of(&observed, now).message, "image no.such/image:1 cannot be pulled: there is no such image");
    for event in observed.events.values_mut() {
        event.message = event.message.take().map(|message| message.replace("not found", "unauthorized"));
    }
    assert!(wait_of(&observed, now).hint.unwrap().ends_with("; the pod refers to no registry secret"));
    let given = json!([{"name": "hub"}, {"name": "own"}]);
    observed.driver.as_mut().unwrap().spec.as_mut().unwrap().image_pull_secrets =
        serde_json::from_value(given).unwrap();
    observed.evidence.take(LookupResult::PullSecrets(vec!["own".into(), "mirror".into()]));
    let hint = wait_of(&observed, now).hint.unwrap();
    assert!(hint.ends_with("; the pod refers to hub, own, but hub does not exist; also available: mirror"), "{hint}");
    let classes = [
        ("image-unauthorized", "the registry refuses these credentials"),
        ("image-denied", "the registry refuses these credentials"),
        ("image-untrusted", "the registry's certificate is not trusted"),
        ("image-limited", "the registry limits the rate of pulls"),
        ("image-nohost", "the registry cannot be reached from the node"),
        ("image-platform", "it has no variant for the node's architecture"),
    ];
    for (name, class) in classes {
        let (observed, now) = recorded(name);
        let message = wait_of(&observed, now).message;
        assert!(message.ends_with(&format!(" cannot be pulled: {class}")), "{name}: {message}");
    }
    // Docker Hub's own wording.
    let limited = "429 Too Many Requests - toomanyrequests: You have reached your pull rate limit";
    let wait = waiting(&waiting_container("ErrImagePull", limited), 5);
    assert_eq!(wait.message, "image spark:4.1 cannot be pulled: the registry limits the rate of pulls");
    let outcome = end_of("image-name");
    assert_eq!(outcome.ending, Ending::CouldNotStart);
    assert_eq!(outcome.message, "`Spark:4.1:1` is not an image name");
}

#[test]
fn a_driver_whose_executors_have_no_room_has_a_hint_on_gangs() {
    let (mut observed, now) = recorded("starved");
    let hint = |observed: &Observed, now| State::of(observed, &Limits::at(now)).executors.hint;
    let at_once = observed.executors.values().next().unwrap().metadata.creation_timestamp.clone().unwrap().0;
    assert_eq!(hint(&observed, at_once), None);
    let later = now + SignedDuration::from_secs(60);
    assert!(hint(&observed, later).unwrap().contains("batchScheduler: volcano"));
    observed.evidence.take(seen_nodes("1"));
    let hint = hint(&observed, later).unwrap();
    assert!(hint.contains("has cpu 4, and the executor requests cpu 100, memory 32Mi"), "{hint}");
}

#[test]
fn a_pod_out_of_memory_has_the_parts_of_its_limit() {
    let (mut observed, now) = recorded("oom");
    let state = |observed: &Observed| State::of(observed, &Limits::at(now));
    let last = state(&observed).executors.last_failure.unwrap();
    assert_eq!(last.reason, "OOMKilled: out of memory at its limit of 32Mi (16m heap + 16m overhead = 32Mi)");
    assert!(last.hint.unwrap().ends_with("raise executor.memoryOverhead from 16m to 32m"));
    let hint = state(&observed).outcome().unwrap().hint.clone().unwrap();
    assert!(hint.starts_with("its limit is 32Mi, heap and overhead combined"), "{hint}");
    let conf = [("spark.driver.memory", "20m"), ("spark.executor.pyspark.memory", "4m")];
    let conf = Conf::from_iter(conf.map(|(key, value)| (key.to_owned(), value.to_owned())));
    observed.evidence.take(LookupResult::Settings(conf));
    let hint = state(&observed).outcome().unwrap().hint.clone().unwrap();
    assert!(hint.starts_with("20m heap + 12m overhead = 32Mi: "), "{hint}");
    assert!(hint.ends_with("raise driver.memoryOverhead from 12m to 24m"), "{hint}");
    let last = state(&observed).executors.last_failure.unwrap();
    assert!(last.reason.ends_with("(16m heap + 4m for PySpark + 12m overhead = 32Mi)"), "{}", last.reason);
}

#[test]
fn a_service_account_that_is_missing_is_named_with_its_remedy() {
    let (observed, now) = recorded("account");
    let wait = wait_of(&observed, now);
    assert_eq!(wait.reason, Reason::Creation);
    assert!(wait.message.ends_with("serviceaccount \"nobody\" not found"), "{}", wait.message);
    assert!(wait.hint.unwrap().contains("sparkctl setup"));
}

#[test]
fn a_full_quota_is_reported_with_its_remedy() {
    let (observed, now) = recorded("quota");
    let wait = wait_of(&observed, now);
    assert!(wait.message.contains("exceeded quota: team, requested: pods=1, used: pods=0"), "{}", wait.message);
    assert!(wait.hint.unwrap().contains("kubectl describe quota"));
    let given_up = recorded::state_at("quota", now + SignedDuration::from_secs(200));
    assert_eq!(given_up.outcome().unwrap().ending, Ending::CouldNotStart);
}

#[test]
fn a_queue_that_will_always_be_too_small_is_reported() {
    let (observed, now) = recorded("queue");
    let wait = wait_of(&observed, now);
    assert_eq!(wait.reason, Reason::PodGroup);
    assert_eq!(
        wait.message,
        "queue rec-small has cpu 1 in total, and the application needs 2010m: it will never be admitted"
    );
}

#[test]
fn a_driver_that_may_not_create_pods_has_a_hint_on_the_right() {
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
fn executors_over_quota_are_found_in_the_drivers_log() {
    let log =
        "Message: pods \"pi-exec-1\" is forbidden: exceeded quota: team-a, requested: limits.cpu=1, used: limits.cpu=4";
    assert!(hint_of(log).starts_with("quota team-a has no room for the executors"));
    assert!(hint_of("pods \"x\" is forbidden: failed quota: q: must specify limits.cpu").contains("coreLimit"));
}

#[test]
fn a_missing_scheduler_is_named() {
    let (observed, now) = recorded("noscheduler");
    let wait = wait_of(&observed, now);
    assert_eq!((wait.reason, wait.message.as_str()), (Reason::NoScheduler, "no response from scheduler `volcan`"));
    assert!(wait.hint.unwrap().contains("did you mean `volcano`?"));
}

#[test]
fn a_gate_of_kueue_is_named() {
    let (observed, now) = recorded("gated");
    let wait = wait_of(&observed, now);
    assert_eq!(wait.reason, Reason::Gated);
    assert!(wait.message.contains("kueue.x-k8s.io/admission"));
}

#[test]
fn a_driver_that_cannot_be_found_is_blamed_on_dns() {
    assert!(hint_of("java.net.UnknownHostException: pi-driver-svc.jobs.svc").contains("DNS"));
}

#[test]
fn storage_without_its_classes_is_named() {
    assert!(hint_of(include_str!("recorded/java.log")).starts_with("the image has no file system for s3a"));
    let log = "java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found";
    assert!(hint_of(log).starts_with("the image has no file system for s3a"));
    assert!(hint_of("UnsupportedFileSystemException: No FileSystem for scheme \"gs\"").contains("for gs"));
    let mixed = "java.lang.NoSuchMethodError: 'void org.apache.hadoop.util.SemaphoredDelegatingExecutor.<init>'";
    assert!(hint_of(mixed).contains("in the version of the image's Hadoop"));
}

#[test]
fn a_missing_python_module_is_named() {
    assert!(hint_of("ModuleNotFoundError: No module named 'geopy'\n").starts_with("Python module geopy is missing"));
    assert!(hint_of("[PYTHON_VERSION_MISMATCH] Python in worker has different version").contains("PYSPARK_PYTHON"));
}

#[test]
fn an_image_without_the_programs_interpreter_is_reported() {
    let of_java_17 = "java.io.IOException: Cannot run program \"Rscript\": error=2, No such file or directory";
    assert!(hint_of(of_java_17).starts_with("program Rscript is missing: use an image"));
    let of_java_25 = "Cannot run program \"python3.9\": Exec failed, error: 2 (No such file or directory) ";
    assert!(hint_of(of_java_25).ends_with("or set PYSPARK_PYTHON to another one"));
    let log = "Error in library(SparkR) : there is no package called \u{2018}SparkR\u{2019}\nExecution halted";
    assert!(hint_of(log).starts_with("R package SparkR is missing"));
}

#[test]
fn executors_that_fail_one_after_another_are_counted() {
    let (mut observed, now) = recorded("crashes");
    let limits = Limits::at(now);
    let hint = |observed: &Observed| State::of(observed, &limits).executors.hint.unwrap();
    assert!(hint(&observed).starts_with("6 of 6 executors failed with exit code 1"), "{}", hint(&observed));
    // Spark deletes them; their deletion is reported twice.
    for executor in observed.executors.clone().into_values() {
        observed.delete_pod(executor.clone());
        observed.delete_pod(executor);
    }
    assert!(hint(&observed).starts_with("6 of 6 executors failed with exit code 1"), "{}", hint(&observed));
}

#[test]
fn taints_and_labels_have_their_hints() {
    let (mut observed, now) = recorded("affinity");
    observed.evidence.take(seen_nodes("0"));
    assert_eq!(
        wait_of(&observed, now).hint.unwrap(),
        "no node has the requested labels (type=compote): nodes have type=compute (1), type=driver (1); did you mean compute?"
    );
    let (observed, now) = recorded("tainted");
    assert!(wait_of(&observed, now).hint.unwrap().ends_with("or add a toleration"));
    let hint = |message: &str| waiting(&seen(unscheduled(message)), 5).hint.unwrap();
    let taint = "0/2 nodes are available: 2 node(s) had untolerated taint {dedicated: spark}.";
    assert!(hint(taint).contains("toleration"));
    let affinity = "0/2 nodes are available: 2 node(s) didn't match Pod's node affinity/selector.";
    assert!(hint(affinity).contains("--show-labels"));
}

#[test]
fn each_kind_of_disruption_is_named() {
    let ways = [
        ("preempted", "preempted by higher-priority work: default-scheduler: preempting to accommodate"),
        ("evicted", "evicted (node drained, or moved by an autoscaler): Eviction API: evicting"),
        ("taint", "evicted by a taint on its node: Taint manager: deleting due to NoExecute taint"),
        ("gone", "its node is gone: PodGC: node no longer exists"),
        ("critical", "ended by its node (pressure, or shutdown): Pod was preempted by Kubelet to accommodate"),
    ];
    for (name, words) in ways {
        let (mut observed, now) = recorded(name);
        let pod = observed.driver.clone().unwrap();
        observed.delete_pod(pod);
        let state = State::of(&observed, &Limits::at(now));
        let outcome = state.outcome().unwrap_or_else(|| panic!("{name} has not ended"));
        assert_eq!(outcome.ending, Ending::Lost, "{name}");
        assert!(outcome.message.starts_with(words), "{name}: {}", outcome.message);
    }
}

#[test]
fn an_eviction_is_reported_while_it_is_in_progress() {
    let State { status, .. } = state("evicted");
    let (Status::Running | Status::Stopping(_)) = &status else { panic!("{status:?}") };
    let (mut observed, now) = recorded("evicted");
    let pod = observed.driver.clone().unwrap();
    observed.delete_pod(pod);
    let outcome = State::of(&observed, &Limits::at(now)).outcome().unwrap().clone();
    assert_eq!(outcome.ending, Ending::Lost);
    assert!(outcome.message.starts_with("evicted (node drained, or moved by an autoscaler)"), "{}", outcome.message);
}

#[test]
fn a_pod_that_fills_the_disk_is_reported() {
    let outcome = end_of("disk");
    assert_eq!(outcome.ending, Ending::Lost);
    assert!(outcome.message.starts_with("Evicted: Pod ephemeral local storage usage exceeds"), "{}", outcome.message);
    assert!(outcome.hint.unwrap().contains("spark-local-dir-"));
}

#[test]
fn a_sidecar_that_keeps_running_is_named_and_the_drivers_own_end_counts() {
    let outcome = end_of("sidecar");
    assert_eq!((outcome.ending, outcome.driver_exit_code), (Ending::Succeeded, Some(0)));
    assert!(outcome.hint.unwrap().contains("istio-proxy"));
}

#[test]
fn a_command_that_is_not_in_the_image_could_not_start() {
    let outcome = end_of("nocommand");
    assert_eq!(outcome.ending, Ending::CouldNotStart);
    assert!(outcome.hint.unwrap().contains("Spark image"));
}

#[test]
fn a_missing_secret_or_config_map_is_named_and_given_up() {
    let (observed, now) = recorded("nosecret");
    assert_eq!(wait_of(&observed, now).message, "secret \"db-creds\" not found");
    let given_up = recorded::state_at("nosecret", now + SignedDuration::from_secs(200)).outcome().unwrap().clone();
    assert_eq!(given_up.ending, Ending::CouldNotStart);
    assert!(given_up.hint.unwrap().contains("namespace"));
}

#[test]
fn a_volume_that_fails_to_mount_is_reported_after_a_while() {
    let (observed, now) = recorded("novolume");
    let wait = wait_of(&observed, now);
    assert_eq!(wait.reason, Reason::Volume);
    assert!(wait.message.contains("configmap \"not-there\" not found"), "{}", wait.message);
    let placed = observed.driver.as_ref().and_then(scheduling::scheduled_at).unwrap();
    let early = recorded::state_at("novolume", placed + SignedDuration::from_secs(5));
    assert!(matches!(early.status, Status::Starting(_)), "{:?}", early.status);
}

#[test]
fn an_unbound_claim_is_named() {
    let (mut observed, now) = recorded("noclaim");
    assert!(wait_of(&observed, now).message.contains("persistentvolumeclaim \"data\" not found"));
    let claims =
        |claim: Option<Value>| Claims { all: [("data".to_owned(), claim)].into(), classes: Some(vec!["gp3".into()]) };
    observed.evidence.take(LookupResult::Claims(claims(None)));
    assert!(wait_of(&observed, now).hint.unwrap().starts_with("there is no PersistentVolumeClaim data"));
    let claim = json!({"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}});
    observed.evidence.take(LookupResult::Claims(claims(Some(claim))));
    assert_eq!(
        wait_of(&observed, now).hint.unwrap(),
        "PersistentVolumeClaim data waits for StorageClass fast, which does not exist; available: gp3"
    );
    let (mut observed, now) = recorded("unbound");
    let wait = wait_of(&observed, now);
    assert_eq!(wait.message, "pod has unbound immediate PersistentVolumeClaims");
    assert!(wait.hint.unwrap().contains("kubectl get pvc"));
    let claim = json!({"spec": {"storageClassName": "fast"}, "status": {"phase": "Pending"}});
    observed
        .evidence
        .take(LookupResult::Claims(Claims { all: [("data".into(), Some(claim))].into(), classes: Some(vec![]) }));
    assert!(wait_of(&observed, now).hint.unwrap().ends_with("which does not exist; there are none"));
    let pod = placed(json!({"waiting": {"reason": "ContainerCreating"}}));
    let attached = event("FailedAttachVolume", "Multi-Attach error for volume \"v\"", 5);
    assert!(waiting(&with_event(seen(pod), attached), 30).hint.unwrap().contains("ReadWriteMany"));
}

#[test]
fn an_autoscaler_is_quoted() {
    let unplaced = || seen(unscheduled("0/2 nodes are available: 2 Insufficient cpu."));
    let coming = with_event(unplaced(), event("TriggeredScaleUp", "pod triggered scale-up: [{pool 3->5 (max: 9)}]", 5));
    assert!(waiting(&coming, 9).hint.unwrap().starts_with("a node is being added: pod triggered scale-up"));
    let refused = with_event(unplaced(), event("NotTriggerScaleUp", "max node group size reached", 5));
    assert!(waiting(&refused, 9).hint.unwrap().contains("max node group size reached"));
}

#[test]
fn a_start_that_takes_too_long_is_an_outcome() {
    let limits = Limits { start_timeout: Some(Duration::from_secs(60)), ..after(61) };
    let state = State::of(&seen(unscheduled("0/1 nodes are available: 1 Insufficient cpu.")), &limits);
    assert_eq!(state.outcome().unwrap().ending, Ending::CouldNotStart);
}

#[test]
fn a_deadline_of_the_pod_is_named() {
    let outcome = end_of("deadline");
    assert_eq!((outcome.ending, outcome.driver_exit_code), (Ending::Failed, Some(137)));
    assert_eq!(
        outcome.message,
        "deadline exceeded: DeadlineExceeded: Pod was active on the node longer than the specified deadline"
    );
    assert_eq!(outcome.hint, None);
}

#[test]
fn a_file_missing_from_the_image_is_explained() {
    assert!(hint_of("python3: can't open file '/app.py': [Errno 2]").contains("a path inside the image"));
    assert!(hint_of("Error: Failed to load class org.example.Main.").contains("mainClass"));
    assert!(end_of("exit126").hint.unwrap().contains("Spark image"));
    assert!(hint_of(include_str!("recorded/format.log")).contains("architecture"));
    let arch = placed(json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec format error"}}));
    assert!(outcome(&seen(arch)).hint.unwrap().contains("architecture"));
}

#[test]
fn a_missing_folder_for_event_logs_is_explained() {
    let log = include_str!("recorded/events.log");
    assert!(hint_of(log).contains("spark.eventLog.dir"));
    assert_eq!(
        last_exception(log).unwrap(),
        "java.io.FileNotFoundException: File file:/tmp/spark-events does not exist"
    );
    let log = "java.io.FileNotFoundException: File file:/tmp/spark-events does not exist";
    assert!(hint_of(log).contains("spark.eventLog.dir"));
}

#[test]
fn a_user_that_may_not_be_root_is_explained() {
    let (observed, now) = recorded("root");
    assert!(wait_of(&observed, now).hint.unwrap().contains("runAsUser"));
    let observed =
        waiting_container("CreateContainerConfigError", "container has runAsNonRoot and image will run as root");
    assert!(waiting(&observed, 5).hint.unwrap().contains("runAsUser"));
}

#[test]
fn a_full_heap_is_distinguished_from_a_killed_container() {
    assert!(hint_of("java.lang.OutOfMemoryError: Java heap space").contains("heap"));
    assert!(end_of("exit52").hint.unwrap().contains("raise driver.memory"));
}

#[test]
fn an_unknown_log_has_no_hint() {
    assert_eq!(log_hint("INFO all is well"), None);
}
