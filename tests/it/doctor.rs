//! What `sparkctl doctor` finds, and that it finds nothing in a healthy namespace.

use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::{Namespace, cluster, run_doctor};

/// The checks, and the exit code.
fn doctor(ns: &Namespace, arguments: &[&str]) -> (Vec<Value>, i32) {
    run_doctor(ns.sparkctl(), arguments)
}

fn with(checks: &[Value], verdict: &str) -> Vec<String> {
    let of_verdict = checks.iter().filter(|check| check["verdict"] == verdict);
    of_verdict.filter_map(|check| check["check"].as_str().map(str::to_owned)).collect()
}

#[test]
fn reports_no_problem_and_creates_nothing_for_a_healthy_job() {
    let ns = Namespace::new("healthy");
    let (checks, code) =
        doctor(&ns, &["examples/jvm-pi.yaml", "--scheduler", "volcano", "--priority-class", "routine"]);
    assert_eq!(code, 0, "{checks:#?}");
    assert_eq!(with(&checks, "passed").len(), checks.len() - 1, "{checks:#?}");
    assert_eq!(ns.left(), Vec::<String>::new());
}

#[test]
fn reports_all_problems_at_once_and_submit_check_refuses() {
    let ns = Namespace::new("sick");
    let api = &cluster().api;
    ns.add_quota("few", &json!({"pods": "2"}));
    let range = json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "600Mi"}}]},
    });
    api.create(&ns.core("limitranges"), &range).expect("a limit range");
    let restricted = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    api.patch(&format!("/api/v1/namespaces/{}", ns.name), &restricted).expect("a level of PodSecurity");

    let flags = [
        "examples/jvm-pi.yaml",
        "--scheduler",
        "volcano",
        "--queue",
        "no-such-queue",
        "--priority-class",
        "haste",
        "--driver-node",
        "type=quantum",
        "--executor-cores",
        "900",
        "--service-account",
        "nobody",
        "--conf",
        "spark.kubernetes.driver.secretKeyRef.PASSWORD=database:password",
        "--conf",
        "spark.kubernetes.executor.secrets.keytab=/etc/keytab",
    ];
    let (checks, code) = doctor(&ns, &flags);
    assert_eq!(code, 3, "{checks:#?}");
    let found = with(&checks, "failed");
    for expected in [
        "service account",
        "queue",
        "PriorityClass haste",
        "Secret database",
        "Secret keytab",
        "driver's node",
        "executors' nodes",
        "quotas",
        "driver's admission",
        "executors' admission",
        "companions' admission",
    ] {
        assert!(found.iter().any(|check| check == expected), "{expected} is not among {found:?}");
    }

    let run = ns.sparkctl().args(["submit", "--check"]).args(flags).assert().code(3);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.contains("error: jvm-pi: queue: there is no queue no-such-queue"), "{stderr}");
    assert_eq!(ns.left(), Vec::<String>::new());
}

#[test]
fn checks_the_admission_of_executors() {
    let ns = Namespace::new("level");
    let baseline = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    cluster().api.patch(&format!("/api/v1/namespaces/{}", ns.name), &baseline).expect("a level of PodSecurity");
    let (checks, code) = doctor(&ns, &["examples/jvm-pi.yaml"]);
    assert_eq!((code, with(&checks, "failed")), (3, vec!["driver's admission".into(), "executors' admission".into()]));
    assert!(
        checks
            .iter()
            .any(|check| check["message"].as_str().is_some_and(|text| text.contains("PodSecurity \"restricted")))
    );
}

#[test]
fn passes_for_a_submitter_and_lists_what_is_not_readable() {
    let ns = Namespace::new("submitter");
    // Rights that were just granted reach the API server's authorizer after a moment.
    let checks = ns.wait_for("the submitter's rights", || {
        let (checks, code) = run_doctor(ns.submitter(), &["examples/jvm-pi.yaml", "--scheduler", "volcano"]);
        (code == 0).then_some(checks)
    });
    assert!(with(&checks, "not readable").contains(&"nodes".to_owned()), "{checks:#?}");
    for seen in ["driver's admission", "executors' admission", "companions' admission", "service account", "quotas"] {
        assert!(with(&checks, "passed").contains(&seen.to_owned()), "{checks:#?}");
    }
}

#[test]
fn setup_makes_a_healthy_namespace_and_can_be_repeated() {
    let ns = Namespace::new("setup");
    let name = format!("{}-made", ns.name);
    let queue = format!("{name}-q");
    let setup =
        ["setup", "-n", &name, "--service-account", "drivers", "--queue", &queue, "--capability", "cpu=8", "--apply"];
    ns.sparkctl().args(setup).assert().code(0);
    ns.sparkctl().args(setup).assert().code(0);
    let flags = [
        "-n",
        &name,
        "--service-account",
        "drivers",
        "--scheduler",
        "volcano",
        "--queue",
        &queue,
        "--priority-class",
        "urgent",
    ];
    let checks = ns.wait_for("an open queue", || {
        let (checks, code) = doctor(&ns, &[&["examples/jvm-pi.yaml"][..], &flags].concat());
        (code == 0).then_some(checks)
    });
    assert_eq!(with(&checks, "passed").len(), checks.len() - 1, "{checks:#?}");

    // The test cluster configures Volcano in another way; an installation keeps its configuration here.
    let api = &cluster().api;
    let maps = "/api/v1/namespaces/volcano-system/configmaps";
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "volcano-scheduler-configmap"},
        "data": {"volcano-scheduler.conf": "actions: \"enqueue, allocate, backfill\"\ntiers: []\n"},
    });
    let _ = api.delete(&format!("{maps}/volcano-scheduler-configmap"));
    api.create(maps, &map).expect("a configuration");
    let rush = [&["examples/jvm-pi.yaml"][..], &flags[..6], &["--queue", &queue, "--priority-class", "rush"]].concat();
    assert_eq!(with(&doctor(&ns, &rush).0, "failed"), ["preemption"]);
    ns.sparkctl().args(setup).arg("--preempt").assert().code(0).stderr(contains("added preempt"));
    assert_eq!(with(&doctor(&ns, &rush).0, "failed"), Vec::<String>::new());
    api.delete(&format!("{maps}/volcano-scheduler-configmap")).expect("deleting the configuration");
    api.delete(&format!("/api/v1/namespaces/{name}")).expect("deleting the namespace");
    api.delete(&format!("/apis/scheduling.volcano.sh/v1beta1/queues/{queue}")).expect("deleting the queue");
}
