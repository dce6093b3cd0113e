//! Ten applications submitted at once, with room for one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::running::Running;
use crate::support::scheduling::{Queue, drivers_in_phase, job, start_submit, submit};
use crate::support::slot::Slot;
use crate::support::{Namespace, PATIENCE, cluster, text};

/// The program of a driver that needs its executor: it creates one as Spark does, from its settings, waits until it has
/// run, and exits.
const DRIVER: &str = include_str!("driver.py");

/// A job of a driver and an executor, each of which takes a slot.
fn in_slots(name: &str, slots: &Slot) -> Value {
    let mut job = job(name, "");
    let gpu = json!({"name": slots.name, "quantity": 1});
    let spec = &mut job["spec"];
    spec["image"] = cluster().spark_image().into();
    spec["driver"]["template"]["spec"]["containers"][0]["command"] = json!(["python3", "-c", DRIVER]);
    spec["driver"]["env"] = json!([
        {"name": "EXECUTOR_IMAGE", "value": cluster().variable("BUSYBOX_IMAGE")},
        {"name": "SLOT", "value": slots.name},
    ]);
    spec["driver"]["memory"] = "64m".into();
    spec["driver"]["gpu"] = gpu.clone();
    spec["executor"]["gpu"] = gpu;
    job
}

/// The node with the room.
const NODE: &str = "node-2";

const COUNT: usize = 10;

#[test]
fn volcano_runs_ten_applications_without_deadlock() {
    let ns = Namespace::new("ten");
    let slots = Slot::of_node(&ns, NODE);
    let queue = Queue::new(&ns, "one", &json!({slots.name.as_str(): "2"}));
    let flags = ["--scheduler", "volcano", "--queue", &queue.name];
    let mut runs: Vec<Running> =
        (0..COUNT).map(|n| start_submit(&ns, &in_slots(&format!("app-{n}"), &slots), &flags)).collect();
    ns.wait_for("all ten", || (drivers_in_phase(&ns, "Pending").len() == COUNT).then_some(()));
    // The node has room for two applications; the queue admits one at a time.
    slots.set(&json!("4"));
    let start = Instant::now();
    while runs.iter_mut().any(Running::is_running) {
        let running = drivers_in_phase(&ns, "Running");
        assert!(running.len() <= 1, "{running:?} at once");
        assert!(start.elapsed() < 3 * PATIENCE, "not done: {:?}", drivers_in_phase(&ns, "Pending"));
        std::thread::sleep(Duration::from_millis(250));
    }
    for run in runs {
        let ended = run.end();
        assert_eq!(ended.code, Some(0), "{ended:#?}");
    }
}

/// The control: with the cluster's default scheduler and the same room, the same ten deadlock.
#[test]
fn the_default_scheduler_deadlocks_drivers_and_executors() {
    let ns = Namespace::new("stuck");
    let slots = Slot::of_node(&ns, NODE);
    for n in 0..COUNT {
        submit(&ns, &in_slots(&format!("app-{n}"), &slots), &[]);
    }
    slots.set(&json!("2"));
    ns.wait_for("two drivers", || (drivers_in_phase(&ns, "Running").len() == 2).then_some(()));
    let executors = format!("{}?labelSelector=spark-role%3Dexecutor", ns.core("pods"));
    let executors_of_both =
        ns.wait_for("their executors", || Some(cluster().api.items(&executors)).filter(|pods| pods.len() == 2));
    for executor in executors_of_both {
        ns.wait_until_unschedulable(&text(&executor["metadata"]["name"]));
    }
    let pending = cluster().api.items(&executors).iter().filter(|pod| pod["status"]["phase"] == "Pending").count();
    assert_eq!((pending, drivers_in_phase(&ns, "Running").len(), drivers_in_phase(&ns, "Succeeded").len()), (2, 2, 0));
}
