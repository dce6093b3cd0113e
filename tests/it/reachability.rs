//! Executors that cannot reach their driver, and a driver that does not exit.

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::jobs::{file, job};
use crate::support::running::Running;
use crate::support::{Namespace, cluster, text};

fn policy(ns: &Namespace, name: &str, spec: &Value) -> String {
    let policy = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name}, "spec": spec,
    });
    let collection = ns.group("networking.k8s.io/v1", "networkpolicies");
    cluster().api.create(&collection, &policy).expect("a policy");
    format!("{collection}/{name}")
}

#[test]
fn explains_what_keeps_executors_from_their_driver() {
    let ns = Namespace::new("way");
    let (api, run) =
        (&cluster().api, ns.submitter().args(["submit", "--detach"]).arg(job(&ns, "way", "sleep 600")).assert());
    run.code(0);
    ns.wait_for_phase("way-driver", "Running");
    ns.add_executor(1, "exit 1");
    ns.wait_for_phase("way-exec-1", "Failed");
    // With the rights of a submitter.
    let describes = |what: &str| ns.submitter().args(["describe", "way"]).assert().code(0).stdout(contains(what));
    let describes_no_cause =
        || ns.submitter().args(["describe", "way"]).assert().code(0).stdout(contains("their driver").not());
    let services = api.items(&ns.core("services"));
    let service = format!("{}/{}", ns.core("services"), text(&services[0]["metadata"]["name"]));
    let slices = format!(
        "{}?labelSelector=kubernetes.io/service-name%3D{}",
        ns.group("discovery.k8s.io/v1", "endpointslices"),
        text(&services[0]["metadata"]["name"]),
    );
    ns.wait_for("the driver's endpoint", || {
        api.items(&slices).iter().any(|slice| slice["endpoints"][0]["conditions"]["ready"] == true).then_some(())
    });
    describes_no_cause();

    let closed = policy(&ns, "closed", &json!({"podSelector": {"matchLabels": {"spark-role": "driver"}}}));
    describes("NetworkPolicy closed allows no ingress from executors to its port 7078, 7079");
    let open = json!({"podSelector": {}, "ingress": [{"from": [{"podSelector": {"matchLabels": {"spark-role": "executor"}}}]}]});
    policy(&ns, "open", &open);
    describes_no_cause();
    api.delete(&closed).expect("deleting a policy");
    let executors = json!({"matchLabels": {"spark-role": "executor"}});
    let inside =
        json!({"podSelector": executors, "policyTypes": ["Egress"], "egress": [{"to": [{"podSelector": {}}]}]});
    let inside = policy(&ns, "inside", &inside);
    describes_no_cause();
    let ports = json!({"spec": {"egress": [{"ports": [{"port": 7078, "endPort": 7079}]}]}});
    api.patch(&inside, &ports).expect("changing a policy");
    describes("NetworkPolicy inside allows executors no egress to the cluster's DNS");
    api.delete(&inside).expect("deleting a policy");

    api.patch(&service, &json!({"spec": {"selector": {"spark-role": "drivers"}}})).expect("changing the Service");
    describes("selects pods with spark-role=drivers, and the driver's pod has spark-role=driver");
    api.delete(&service).expect("deleting the Service");
    describes("does not exist: if it was deleted,");
}

/// Real executors of a real driver.
#[test]
fn explains_executors_without_the_drivers_service() {
    let ns = Namespace::new("no-service");
    let path = file(&ns, "no-service.yaml");
    let example = std::fs::read_to_string("examples/python-pi.yaml").expect("an example");
    let lines = "  sparkConf: {spark.executor.maxNumFailures: \"1\"}\n  arguments:\n";
    let once = example.replace("  arguments:\n", lines).replace("instances: 2", "instances: 1");
    std::fs::write(&path, once).expect("a job file");
    ns.sparkctl().args(["submit", "--detach"]).arg(&path).assert().code(0);
    // The driver takes seconds until it requests executors.
    let services = cluster().api.items(&ns.core("services"));
    let service = format!("{}/{}", ns.core("services"), text(&services[0]["metadata"]["name"]));
    cluster().api.delete(&service).expect("deleting the Service");
    let run = ns.sparkctl().args(["attach", "python-pi"]).assert();
    run.code(1).stderr(
        contains("hint       executors cannot find their driver: its Service python-pi-")
            .and(contains("UnknownHostException")),
    );
}

/// A real driver, followed with and without its log.
#[test]
fn reports_a_driver_process_that_outlives_spark() {
    const STOPPED: &str = "Spark has stopped, but the driver's process is still running";
    let ns = Namespace::new("lingers");
    let program = file(&ns, "linger.py");
    let lines = [
        "import threading, time",
        "from pyspark.sql import SparkSession",
        "spark = SparkSession.builder.getOrCreate()",
        "threading.Thread(target=time.sleep, args=(600,)).start()",
        "spark.stop()",
    ];
    std::fs::write(&program, lines.join("\n")).expect("a program");
    let example = std::fs::read_to_string("examples/python-pi.yaml").expect("an example");
    let main = program.to_str().expect("a path");
    let path = file(&ns, "linger.yaml");
    let lingering = example.replace("local:///opt/spark/examples/src/main/python/pi.py", main);
    std::fs::write(&path, lingering.replace("instances: 2", "instances: 1")).expect("a job file");
    ns.sparkctl().args(["submit", "--detach"]).arg(&path).assert().code(0);
    std::thread::scope(|scope| {
        for logs in [&["--logs"][..], &[]] {
            let ns = &ns;
            scope.spawn(move || {
                let mut attach = ns.command();
                attach.args(["attach", "python-pi"]).args(logs);
                let mut attach = Running::start(&attach);
                attach.wait_for_message(STOPPED);
                attach.interrupt();
            });
        }
    });
    ns.sparkctl().args(["describe", "python-pi"]).assert().code(0).stdout(contains(STOPPED));
}
