//! Ten applications at once, where there is room for one at a time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::scheduling::{Queue, Submit, drivers, job, submit};
use crate::support::{Namespace, PATIENCE, cluster};

/// What a driver does that cannot do without its executor: it makes one as Spark would, by its settings,
/// waits until that has run, and ends.
const DRIVER: &str = include_str!("driver.py");

/// A resource of which a real node has a few, so that there is as little room as a test wants.
struct Slots {
    name: String,
}

const NODE: &str = "/api/v1/nodes/node-2/status";

impl Slots {
    /// Known, but with no room yet.
    fn new(ns: &Namespace) -> Slots {
        Slots { name: format!("sparkctl.test/{}", ns.name) }
    }

    fn offer(&self, count: u32) {
        let room = json!({self.name.as_str(): count.to_string()});
        let patch = json!({"status": {"capacity": room, "allocatable": room}});
        cluster().api.patch(NODE, &patch).expect("offering slots");
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        let none = json!({self.name.as_str(): null});
        let _ = cluster().api.patch(NODE, &json!({"status": {"capacity": none, "allocatable": none}}));
    }
}

/// A job of a driver and an executor, each of which takes a slot.
fn in_slots(name: &str, slots: &Slots) -> Value {
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

const COUNT: usize = 10;

#[test]
fn with_volcano_all_ten_end_and_no_driver_runs_in_anothers_room() {
    let ns = Namespace::new("ten");
    let slots = Slots::new(&ns);
    let queue = Queue::new(&ns, "one", &json!({slots.name.as_str(): "2"}));
    let flags = ["--scheduler", "volcano", "--queue", &queue.name];
    let mut runs: Vec<Submit> =
        (0..COUNT).map(|n| Submit::begin(&ns, &in_slots(&format!("app-{n}"), &slots), &flags)).collect();
    ns.wait_for("all ten", || (drivers(&ns, "Pending").len() == COUNT).then_some(()));
    // More than one has room on the node: it is the queue that lets in one at a time.
    slots.offer(4);
    let start = Instant::now();
    while runs.iter_mut().any(Submit::is_running) {
        let running = drivers(&ns, "Running");
        assert!(running.len() <= 1, "{running:?} at once");
        assert!(start.elapsed() < 3 * PATIENCE, "not done: {:?}", drivers(&ns, "Pending"));
        std::thread::sleep(Duration::from_millis(250));
    }
    for run in runs {
        let (code, said) = run.end();
        assert_eq!(code, 0, "{said}");
    }
}

/// The control: the same ten with the cluster's own scheduler, in the same room, wait for each other for ever.
#[test]
fn without_volcano_drivers_take_the_room_of_executors() {
    let ns = Namespace::new("stuck");
    let slots = Slots::new(&ns);
    for n in 0..COUNT {
        submit(&ns, &in_slots(&format!("app-{n}"), &slots), &[]);
    }
    slots.offer(2);
    ns.wait_for("two drivers", || (drivers(&ns, "Running").len() == 2).then_some(()));
    let executors = format!("{}?labelSelector=spark-role%3Dexecutor", ns.core("pods"));
    ns.wait_for("their executors", || (cluster().api.items(&executors).len() == 2).then_some(()));
    std::thread::sleep(Duration::from_secs(5));
    let pending = cluster().api.items(&executors).iter().filter(|pod| pod["status"]["phase"] == "Pending").count();
    assert_eq!((pending, drivers(&ns, "Running").len(), drivers(&ns, "Succeeded").len()), (2, 2, 0));
}
