//! Each cause of a wait is reported in one line.

use serde_json::{Value, json};

use crate::support::Namespace;
use crate::support::scheduling::{Queue, job, start_submit};

/// Submits a job, waits until a line with the reason for its wait is printed, and interrupts sparkctl.
fn assert_waits(ns: &Namespace, job: &Value, arguments: &[&str], reason: &str) {
    let mut run = start_submit(ns, job, arguments);
    run.wait_for_message(reason);
    run.interrupt();
}

#[test]
fn refuses_a_queue_that_is_closed_or_missing() {
    let ns = Namespace::new("closed");
    let queue = Queue::new(&ns, "closed", &json!({"cpu": "4"}));
    queue.close(&ns);
    for (name, queue, why) in [
        ("closed", queue.name.as_str(), "can only submit PodGroup to queue with state `Open`"),
        ("missing", "no-such-queue", "queue.scheduling.volcano.sh \"no-such-queue\" not found"),
    ] {
        let ended = start_submit(&ns, &job(name, "true"), &["--scheduler", "volcano", "--queue", queue]).end();
        assert_eq!(ended.code, Some(3), "{ended:#?}");
        assert!(ended.stderr.contains(why) && ended.stderr.contains("kubectl get queues"), "{ended:#?}");
    }
    ns.wait_for("nothing left", || ns.left().is_empty().then_some(()));
}

#[test]
fn explains_a_gang_that_is_larger_than_its_queue_or_the_cluster() {
    let ns = Namespace::new("above");
    let small = Queue::new(&ns, "small", &json!({"cpu": "1"}));
    let mut large = job("above", "true");
    large["spec"]["executor"]["coreRequest"] = "2".into();
    let never =
        format!("queue {} has cpu 1 in total, and the application needs 2010m: it will never be admitted", small.name);
    assert_waits(&ns, &large, &["--scheduler", "volcano", "--queue", &small.name], &never);
    large["metadata"]["name"] = "huge".into();
    large["spec"]["executor"]["coreRequest"] = "2000".into();
    let no_room = "the cluster has no room for the whole application (too little cpu)";
    assert_waits(&ns, &large, &["--scheduler", "volcano"], no_room);
}

#[test]
fn suggests_a_scheduler_for_a_misspelt_one() {
    let ns = Namespace::new("misspelt");
    let mut misspelt = job("misspelt", "true");
    misspelt["spec"]["driver"]["schedulerName"] = "volcan".into();
    let mut run = start_submit(&ns, &misspelt, &[]);
    // As the scheduler of the gang, it is refused before anything is created.
    let ended = start_submit(&ns, &job("gang", "true"), &["--scheduler", "volcan"]).end();
    assert_eq!(ended.code, Some(2), "{ended:#?}");
    assert!(ended.stderr.contains("did you mean `volcano`?"), "{ended:#?}");
    // A name that resembles none is taken for a kube-scheduler with the coscheduling plugin, which this cluster lacks.
    let ended = start_submit(&ns, &job("gang", "true"), &["--scheduler", "ours"]).end();
    assert_eq!(ended.code, Some(3), "{ended:#?}");
    assert!(ended.stderr.contains("the coscheduling plugin"), "{ended:#?}");

    run.wait_for_message("no response from scheduler `volcan`");
    let ended = run.interrupt();
    assert!(ended.stderr.contains("did you mean `volcano`?"), "{ended:#?}");
}
