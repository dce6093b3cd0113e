//! The order of waiting applications, and preemption.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::Namespace;
use crate::support::scheduling::{Queue, drivers_in_phase, large, simulate_nodes, start_submit, submit};

/// Several of Volcano's sessions, which come every second.
const SESSIONS: Duration = Duration::from_secs(6);

/// The scheduling flags of a test's applications.
fn flags<'a>(queue: &'a Queue, class: &'a str) -> [&'a str; 6] {
    ["--scheduler", "volcano", "--queue", &queue.name, "--priority-class", class]
}

/// Checks that a driver keeps running while another one waits, for some sessions after Volcano has refused the other.
fn assert_stays(ns: &Namespace, driver: &str, waiting: &str) {
    ns.wait_until_unschedulable(waiting);
    let start = Instant::now();
    while start.elapsed() < SESSIONS {
        assert_eq!(drivers_in_phase(ns, "Running"), [driver], "{:#}", ns.pod(driver)["status"]);
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(drivers_in_phase(ns, "Pending"), [waiting]);
}

#[test]
fn rush_preempts_routine_and_exceptional_waits() {
    let ns = Namespace::new("rush");
    simulate_nodes();
    let queue = Queue::new(&ns, "q", &json!({"cpu": "200"}));
    let routine = start_submit(&ns, &large("everyday", "simulated-1"), &flags(&queue, "routine"));
    ns.wait_for_phase("everyday-driver", "Running");

    submit(&ns, &large("first", "simulated-1"), &flags(&queue, "exceptional"));
    assert_stays(&ns, "everyday-driver", "first-driver");

    submit(&ns, &large("now", "simulated-1"), &flags(&queue, "rush"));
    let ended = routine.end();
    assert_eq!(ended.code, Some(5), "{ended:#?}");
    assert!(ended.stderr.contains("everyday was lost: preempted by higher-priority work"), "{ended:#?}");
    ns.wait_for_phase("now-driver", "Running");
}

#[test]
fn a_protected_driver_is_not_preempted() {
    let ns = Namespace::new("protected");
    simulate_nodes();
    let queue = Queue::new(&ns, "q", &json!({"cpu": "200"}));
    let protected = [&flags(&queue, "routine")[..], &["--protect-driver"]].concat();
    submit(&ns, &large("precious", "simulated-2"), &protected);
    ns.wait_for_phase("precious-driver", "Running");
    submit(&ns, &large("now", "simulated-2"), &flags(&queue, "rush"));
    assert_stays(&ns, "precious-driver", "now-driver");
}

#[test]
fn starts_waiting_applications_by_priority() {
    let ns = Namespace::new("order");
    simulate_nodes();
    let queue = Queue::new(&ns, "q", &json!({"cpu": "41"}));
    submit(&ns, &large("running", "simulated-3"), &flags(&queue, "routine"));
    ns.wait_for_phase("running-driver", "Running");
    for class in ["routine", "urgent", "exceptional"] {
        submit(&ns, &large(class, "simulated-3"), &flags(&queue, class));
    }
    let mut before = "running";
    for next in ["exceptional", "urgent", "routine"] {
        ns.sparkctl().args(["delete", before]).assert().success();
        let running = ns.wait_for("the next of the queue", || {
            let running = drivers_in_phase(&ns, "Running");
            (!running.is_empty() && !running.contains(&format!("{before}-driver"))).then_some(running)
        });
        assert_eq!(running, [format!("{next}-driver")]);
        before = next;
    }
}
