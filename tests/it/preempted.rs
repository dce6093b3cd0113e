//! A Job's driver that is preempted.

use std::process::Stdio;

use crate::support::Namespace;
use crate::support::jobs::{drivers, job_object, policy_job as job, retries};
use crate::support::slot::Slot;

fn preempted(test: &str, scheduler: &[&str]) {
    let ns = Namespace::new(test);
    let slot = Slot::new(&ns);
    let script = "trap 'exit 143' TERM; sleep 600 & wait";
    let submit = |name: &str, class: &str, policy: &str| {
        let path = job(&ns, name, policy, script);
        slot.add_to_job(&path);
        let mut command = ns.command();
        command.arg("submit").arg(&path).args(["--priority-class", class]).args(scheduler);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let of = |name: &str, phase: &str| {
        drivers(&ns).into_iter().find(|pod| {
            pod["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] == name && pod["status"]["phase"] == phase
        })
    };
    let victim = submit("victim", "routine", &retries(1)).spawn().expect("sparkctl");
    let first = ns.wait_for("the first driver", || of("victim", "Running"));
    assert!(submit("rush", "rush", "").arg("--detach").status().expect("sparkctl").success());
    ns.wait_for("the preemptor", || of("rush", "Running"));
    let second = ns.wait_for("a successor, which waits", || of("victim", "Pending"));
    assert_ne!(second["metadata"]["uid"], first["metadata"]["uid"]);
    ns.sparkctl().args(["delete", "rush"]).assert().code(0);
    ns.wait_for("the successor, which runs", || of("victim", "Running"));
    let job = job_object(&ns, "victim").expect("the Job");
    assert_eq!(job["status"]["failed"].as_i64().unwrap_or(0), 0, "{}", job["status"]);

    let status = ns.sparkctl().args(["status", "victim"]).assert().code(0);
    status.stdout(predicates::str::contains("attempt 1 of 2"));
    ns.sparkctl().args(["delete", "victim"]).assert().code(0);
    let messages = victim.wait_with_output().expect("its end").stderr;
    let messages = String::from_utf8_lossy(&messages);
    assert!(messages.contains("attempt 1 of 2 was lost: preempted by higher-priority work: "), "{messages}");
    assert!(messages.contains(": preempting to accommodate a higher priority pod"), "{messages}");
}

#[test]
fn replaces_a_driver_preempted_by_kube_scheduler_without_counting_it() {
    preempted("preempted", &[]);
}

#[test]
fn replaces_a_driver_preempted_by_volcano_without_counting_it() {
    preempted("preempted-volcano", &["--scheduler", "volcano"]);
}
