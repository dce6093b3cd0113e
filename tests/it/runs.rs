//! Whole runs, from the job file to the exit code.

use std::process::Stdio;

use predicates::prelude::*;
use predicates::str::{contains, is_match};
use serde_json::{Value, json};

use crate::support::{Namespace, cluster, text};

#[test]
fn runs_pi_on_volcano_with_the_rights_of_a_submitter() {
    let ns = Namespace::new("seed");
    // On a busy machine, both executors must register before the work begins.
    let whole =
        ["spark.scheduler.minRegisteredResourcesRatio=1.0", "spark.scheduler.maxRegisteredResourcesWaitingTime=300s"];
    cluster().image("seed");
    let mut submit = ns.submitter();
    submit.args(["submit", "examples/pyspark-pi.yaml", "--logs", "--conf", whole[0], "--conf", whole[1]]);
    let run = submit.assert();
    run.code(0).stdout(contains("Pi is roughly 3.1")).stderr(contains("pyspark-pi succeeded"));

    let driver = ns.driver();
    assert_eq!(driver["spec"]["priorityClassName"], "routine");
    let placed = ns.placed();
    let (drivers, executors): (Vec<_>, Vec<_>) =
        placed.iter().partition(|(pod, _)| **pod == text(&driver["metadata"]["name"]));
    assert_eq!(drivers.iter().map(|(_, kind)| kind.as_str()).collect::<Vec<_>>(), ["driver"]);
    assert_eq!(executors.iter().map(|(_, kind)| kind.as_str()).collect::<Vec<_>>(), ["compute", "compute"]);

    let groups = cluster().api.items(&ns.group("scheduling.volcano.sh/v1beta1", "podgroups"));
    let names: Vec<&Value> = groups.iter().map(|group| &group["metadata"]["name"]).collect();
    let [group] = names[..] else { panic!("one PodGroup, not {names:?}") };
    let pods = created(&ns, "pods");
    assert_eq!(pods.len(), 3, "a driver and two executors");
    for pod in &pods {
        assert_eq!(&pod["metadata"]["annotations"]["scheduling.k8s.io/group-name"], group);
        assert_eq!(pod["spec"]["schedulerName"], "volcano");
    }
    assert_eq!(groups[0]["spec"]["minResources"], requested(&pods));
    // What the cluster does without a client.
    let jobs = cluster().api.items(&ns.group("batch/v1", "jobs"));
    assert_eq!(jobs[0]["spec"]["ttlSecondsAfterFinished"], 86400);
    assert_eq!(jobs[0]["spec"]["backoffLimit"], 3);
}

/// The total requests of pods with whole cores, in the notation of a PodGroup.
fn requested(pods: &[Value]) -> Value {
    let all = pods.iter().flat_map(|pod| pod["spec"]["containers"].as_array().into_iter().flatten());
    let requests: Vec<&Value> = all.map(|container| &container["resources"]["requests"]).collect();
    let sum = |name: &str, unit: &str| {
        let amounts = requests.iter().map(|requests| text(&requests[name]));
        amounts.map(|amount| amount.trim_end_matches(unit).parse::<u64>().expect("an amount")).sum::<u64>()
    };
    json!({"cpu": sum("cpu", "").to_string(), "memory": format!("{}Mi", sum("memory", "Mi"))})
}

/// Includes memory overhead, Python workers and off-heap memory: the PodGroup requests what Spark itself computes.
#[test]
fn the_gang_requests_what_its_pods_request() {
    let ns = Namespace::new("gang");
    let settings = [
        "spark.memory.offHeap.enabled=true",
        "spark.memory.offHeap.size=64m",
        "spark.executor.pyspark.memory=512m",
        "spark.driver.memoryOverheadFactor=0.9",
        "spark.executor.memoryOverhead=111m",
    ];
    let mut command = ns.sparkctl();
    command.args(["submit", "examples/python-pi.yaml", "--scheduler", "volcano", "--executors", "1"]);
    command.args(settings.iter().flat_map(|setting| ["--conf", setting]));
    command.assert().code(0);
    let groups = cluster().api.items(&ns.group("scheduling.volcano.sh/v1beta1", "podgroups"));
    let pods = created(&ns, "pods");
    assert_eq!(pods.len(), 2, "a driver and an executor");
    assert_eq!(groups[0]["spec"]["minResources"], requested(&pods));
    assert_eq!(requested(&pods)["memory"], format!("{}Mi", 512 + 460 + 512 + 111 + 64 + 512));
}

/// The objects of a kind whose creation was requested, from the audit log.
fn created(ns: &Namespace, resource: &str) -> Vec<Value> {
    let of_kind = |event: &Value| event["verb"] == "create" && event["objectRef"]["resource"] == resource;
    let is_dry_run = |event: &Value| text(&event["requestURI"]).contains("dryRun=All");
    let made = |event: &Value| {
        event["responseStatus"]["code"] == 201 && event["objectRef"]["subresource"].is_null() && !is_dry_run(event)
    };
    let events = cluster().audit(&ns.name).into_iter();
    events.filter(|event| of_kind(event) && made(event)).map(|mut event| event["requestObject"].take()).collect()
}

#[test]
fn reports_each_step_of_a_run_and_starts_the_driver_without_failed_mounts() {
    let ns = Namespace::new("python-pi");
    let mut submit = ns.sparkctl();
    submit.args(["submit", "examples/python-pi.yaml", "--logs"]);
    // On a busy machine, the driver would not wait for its second executor.
    submit.args(["--conf", "spark.scheduler.minRegisteredResourcesRatio=1.0"]);
    submit.args(["--conf", "spark.scheduler.maxRegisteredResourcesWaitingTime=10m"]);
    submit.assert().code(0).stdout(contains("Pi is roughly 3.1")).stderr(
        is_match(r"submitted spark-[0-9a-f]{32} to namespace python-pi-")
            .unwrap()
            .and(contains("driver     running  on node node-"))
            .and(contains("executors  2 of 2 running"))
            .and(is_match(r"python-pi succeeded: queued \d+[sm].*, starting \d+[sm].*, ran \d+[sm]").unwrap()),
    );
    let driver = text(&ns.driver()["metadata"]["name"]);
    let about = format!("{}?fieldSelector=involvedObject.name%3D{driver}", ns.core("events"));
    let describe = |event: &Value| format!("{}: {}", text(&event["reason"]), text(&event["message"]));
    let events: Vec<String> = cluster().api.items(&about).iter().map(describe).collect();
    assert!(events.iter().any(|event| event.starts_with("Started: ")), "{events:?}");
    // The namespace's own `kube-root-ca.crt` may be late; what the submission creates must be there in time.
    let missed = |event: &&String| event.starts_with("FailedMount: ") && event.contains("configmap \"python-pi-");
    assert_eq!(events.iter().find(missed), None, "{events:?}");
}

#[test]
fn runs_a_jar() {
    let ns = Namespace::new("jvm-pi");
    let run = ns.sparkctl().args(["submit", "examples/jvm-pi.yaml", "--logs"]).assert();
    run.code(0).stdout(contains("Pi is roughly 3.1")).stderr(contains("jvm-pi succeeded"));
}

#[test]
fn runs_a_query_from_scala() {
    let ns = Namespace::new("sql");
    let run = ns.sparkctl().args(["submit", "examples/sql.yaml", "--logs"]).assert();
    run.code(0).stdout(contains("the sum is 499500")).stderr(contains("executors  1 of 1 running"));
}

#[test]
fn runs_an_older_spark() {
    let ns = Namespace::new("older");
    let image = cluster().image("3.5");
    let mut command = ns.sparkctl();
    command.args(["submit", "examples/jvm-pi.yaml", "--image", &image, "--spark-version", "3.5.9", "--logs"]);
    command.assert().code(0).stdout(contains("Pi is roughly 3.1")).stderr(contains("jvm-pi succeeded"));
    assert_eq!(ns.driver()["metadata"]["labels"]["spark-version"], "3.5.9");
}

#[test]
fn a_failed_driver_exits_1_with_its_exception() {
    let ns = Namespace::new("failing");
    let run = ns.sparkctl().args(["submit", "examples/failing.yaml"]).assert();
    run.code(1).stdout("").stderr(
        contains("failing failed: the driver exited with code 1")
            .and(contains("ValueError: invalid literal for int() with base 10: 'ten'")),
    );
    // A later `attach` reports the same.
    let again = ns.sparkctl().args(["attach", "failing", "--exit-code-from", "driver"]).assert();
    again.code(1).stderr(contains("ValueError: invalid literal"));
}

#[test]
fn a_missing_image_exits_4() {
    let ns = Namespace::new("no-image");
    let image = "docker.io/apache/spark:0.0.0";
    let mut command = ns.sparkctl();
    command.args(["submit", "examples/python-pi.yaml", "--image", image, "--image-pull-timeout", "5s"]);
    command.assert().code(4).stderr(contains(format!("image {image} cannot be pulled: there is no such image")));
}

#[test]
fn names_the_right_that_a_driver_lacks() {
    let ns = Namespace::new("powerless");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "powerless"}});
    cluster().api.apply(&account, Some(&ns.name));
    let mut command = ns.sparkctl();
    command.args(["submit", "examples/python-pi.yaml", "--service-account", "powerless"]);
    command.assert().code(1).stderr(contains(format!("\"system:serviceaccount:{}:powerless\" cannot get", ns.name)));
}

#[test]
fn a_deleted_driver_exits_5() {
    let ns = Namespace::new("deleted");
    let mut command = ns.command();
    command.args(["submit", "examples/python-pi.yaml", "--", "100000"]);
    let run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    ns.wait_for_phase("python-pi-driver", "Running");
    cluster().api.delete(&format!("{}/python-pi-driver", ns.core("pods"))).unwrap();
    let output = run.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("the driver's pod was deleted before it ended"), "{stderr}");
}

#[test]
fn runs_a_program_in_r() {
    let ns = Namespace::new("r");
    let mut command = ns.sparkctl();
    command.args(["submit", "--name", "sum", "--image", &cluster().image("4.1-r")]);
    command.args(["--spark-version", "4.1.4", "--main-file", "tests/it/sum.R", "--service-account", "yippee-spark"]);
    command.args(["--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m", "--logs", "--", "1000"]);
    command.assert().code(0).stdout(contains("the sum in R is 499500")).stderr(contains("executors  1 of 1 running"));
}
