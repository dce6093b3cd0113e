//! Each cause of a wait is told in one line, within seconds.

use serde_json::json;

use crate::support::Namespace;
use crate::support::scheduling::{Queue, Submit, job};

/// Long enough for a scheduler on a busy machine to speak; the line must have come by then.
const SOON: &str = "40s";

fn in_queue(ns: &Namespace, name: &str, queue: &str) -> Submit {
    Submit::begin(ns, &job(name, "true"), &["--scheduler", "volcano", "--queue", queue, "--timeout", SOON])
}

#[test]
fn a_closed_or_missing_queue_is_refused_at_once() {
    let ns = Namespace::new("closed");
    let queue = Queue::new(&ns, "closed", &json!({"cpu": "4"}));
    queue.close(&ns);
    for (name, queue, why) in [
        ("closed", queue.name.as_str(), "can only submit PodGroup to queue with state `Open`"),
        ("missing", "no-such-queue", "queue.scheduling.volcano.sh \"no-such-queue\" not found"),
    ] {
        let (code, said) = in_queue(&ns, name, queue).end();
        assert_eq!(code, 3, "{said}");
        assert!(said.contains(why) && said.contains("kubectl get queues"), "{said}");
    }
    ns.wait_for("nothing left", || ns.left().is_empty().then_some(()));
}

#[test]
fn more_than_a_queue_or_the_cluster_has_is_said() {
    let ns = Namespace::new("above");
    let small = Queue::new(&ns, "small", &json!({"cpu": "1"}));
    let mut large = job("above", "true");
    large["spec"]["executor"]["coreRequest"] = "2".into();
    let by_queue = Submit::begin(&ns, &large, &["--scheduler", "volcano", "--queue", &small.name, "--timeout", SOON]);
    large["metadata"]["name"] = "huge".into();
    large["spec"]["executor"]["coreRequest"] = "2000".into();
    let by_cluster = Submit::begin(&ns, &large, &["--scheduler", "volcano", "--timeout", SOON]);
    let never =
        format!("queue {} has cpu 1 in total, and the application needs 2010m: it will never be admitted", small.name);
    for (run, why) in
        [(by_queue, never.as_str()), (by_cluster, "the cluster has no room for the whole application (too little cpu)")]
    {
        let (code, said) = run.end();
        assert_eq!(code, 124, "{said}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_misspelt_scheduler_is_suspected() {
    let ns = Namespace::new("misspelt");
    let mut misspelt = job("misspelt", "true");
    misspelt["spec"]["driver"]["schedulerName"] = "volcan".into();
    let run = Submit::begin(&ns, &misspelt, &["--timeout", SOON]);
    // As the name of a gang's scheduler it does not even come to a submission.
    let (code, said) = Submit::begin(&ns, &job("gang", "true"), &["--scheduler", "volcan"]).end();
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("did you mean `volcano`?"), "{said}");
    // A name that is no slip is taken for a kube-scheduler with the coscheduling plugin, which is not here.
    let (code, said) = Submit::begin(&ns, &job("gang", "true"), &["--scheduler", "ours"]).end();
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("the coscheduling plugin"), "{said}");

    let (code, said) = run.end();
    assert_eq!(code, 124, "{said}");
    assert!(said.contains("no response from scheduler `volcan`") && said.contains("did you mean `volcano`?"), "{said}");
}
