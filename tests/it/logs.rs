//! Interleaved logs of driver and executors: each line once and in order, while executors come and go.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::Stdio;

use predicates::str::contains;

use crate::support::Namespace;
use crate::support::jobs::{file, job};
use crate::support::running::Running;

/// The lines of each source, in order.
fn by_source(log: &str) -> BTreeMap<&str, Vec<&str>> {
    let mut sources = BTreeMap::<_, Vec<_>>::new();
    for line in log.lines() {
        let (source, text) = line.split_once(" | ").unwrap_or_else(|| panic!("no source: {line}"));
        sources.entry(source).or_default().push(text);
    }
    sources
}

/// Checks that lines count from 1, with none missing or repeated.
fn assert_counted(lines: &[&str]) {
    for (line, number) in lines.iter().zip(1..) {
        assert_eq!(*line, number.to_string(), "{lines:?}");
    }
}

#[test]
fn follows_logs_of_executors_that_come_and_go() {
    let ns = Namespace::new("come-and-go");
    let log = file(&ns, "all.log");
    let driver = job(&ns, "come-and-go", "echo 1; nc -l -p 9999 >/dev/null; echo 2");
    let mut submit = ns.command();
    submit.arg("submit").arg(driver).args(["--logs=all", "--log-file"]).arg(&log);
    let mut submit = submit.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("sparkctl");
    let kept = || std::fs::read_to_string(&log).unwrap_or_default();
    let until = |line: &str| ns.wait_for(line, || kept().lines().any(|kept| kept == line).then_some(()));
    until("driver | 1");
    // One executor ends within a line, one starts later and is deleted, one is still running at the end.
    ns.add_executor(1, "for i in $(seq 199); do echo $i; sleep 0.02; done; printf 200");
    until("exec-1 | 1");
    ns.add_executor(2, "for i in $(seq 50); do echo $i; done; sleep 1000");
    until("exec-2 | 50");
    crate::support::cluster().api.delete(&format!("{}/come-and-go-exec-2", ns.core("pods"))).expect("a pod to delete");
    ns.add_executor(3, "i=0; while true; do i=$((i + 1)); echo $i; sleep 0.2; done");
    until("exec-1 | 200");
    until("exec-3 | 1");
    ns.call("come-and-go-driver");
    let (mut out, mut messages) = (String::new(), String::new());
    submit.stdout.take().expect("stdout").read_to_string(&mut out).expect("its log");
    submit.stderr.take().expect("stderr").read_to_string(&mut messages).expect("its messages");
    assert_eq!(submit.wait().expect("its end").code(), Some(0), "{messages}");
    assert_eq!(out, kept());
    let sources = by_source(&out);
    for (source, lines) in &sources {
        eprintln!("{source}: {} lines", lines.len());
        assert_counted(lines);
    }
    assert_eq!(["driver", "exec-1", "exec-2"].map(|source| sources[source].len()), [2, 200, 50]);
    assert!(messages.contains("executors are still running without their driver"), "{messages}");
}

#[test]
fn followed_logs_equal_the_logs_read_afterwards() {
    let ns = Namespace::new("all-logs");
    let log = file(&ns, "all.log");
    let run = ns
        .sparkctl()
        .args(["submit", "examples/python-pi.yaml", "--logs=all", "--log-file"])
        .arg(&log)
        .args(["--conf", "spark.executor.instances=2"])
        // On a busy machine, too, neither is late for the work.
        .args(["--conf", "spark.scheduler.minRegisteredResourcesRatio=1.0"])
        .args(["--conf", "spark.scheduler.maxRegisteredResourcesWaitingTime=300s"])
        .args(["--conf", "spark.kubernetes.executor.deleteOnTermination=false"])
        .assert();
    run.code(0).stdout(contains("driver | Pi is roughly"));
    let kept = std::fs::read_to_string(&log).expect("a log");
    let sources = by_source(&kept);
    assert_eq!(sources.keys().copied().collect::<Vec<_>>(), ["driver", "exec-1", "exec-2"]);
    for (source, lines) in &sources {
        let mut logs = ns.command();
        logs.args(["logs", "python-pi"]);
        if let Some(id) = source.strip_prefix("exec-") {
            logs.args(["--executor", id]);
        }
        let whole = logs.output().expect("sparkctl");
        let whole = String::from_utf8_lossy(&whole.stdout).into_owned();
        assert_eq!(*lines, whole.lines().collect::<Vec<_>>(), "{source}");
    }
}

/// The kubelet rotates a log of more than 10 MiB, for which it looks every ten seconds, and answers with the newest part:
/// <https://kubernetes.io/docs/concepts/cluster-administration/logging/#log-rotation>.
#[test]
fn follows_a_log_without_a_gap_while_the_kubelet_rotates_it() {
    let ns = Namespace::new("rotated");
    let log = file(&ns, "rotated.log");
    let long = "seq 80000 | awk '{printf \"%d %0100d\\n\", $1, 0}'";
    let called = "(nc -l -p 9999 >/dev/null; touch /dev/shm/called) &";
    let later = "i=80000; while [ ! -e /dev/shm/called ]; do i=$((i + 1)); echo $i; sleep 0.1; done";
    let driver = job(&ns, "rotated", &format!("{called} {long}; {later}"));
    let mut submit = ns.command();
    submit.arg("submit").arg(driver).args(["--logs", "--log-file"]).arg(&log);
    let submit = Running::start(&submit);
    let numbers = |log: &str| log.lines().filter_map(|line| line.split(' ').next()?.parse().ok()).collect::<Vec<u32>>();
    let kept = || {
        let kept = ns.command().args(["logs", "rotated"]).output().expect("sparkctl");
        numbers(&String::from_utf8_lossy(&kept.stdout))
    };
    ns.wait_for("a rotated log", || {
        let kept = kept();
        (kept.first()? > &1 && kept.last()? > &80_000).then_some(())
    });
    ns.call("rotated-driver");
    let ended = submit.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let followed = numbers(&std::fs::read_to_string(&log).expect("a log"));
    let first_wrong = followed.iter().zip(1..).find(|(followed, number)| *followed != number);
    assert_eq!((followed.last(), first_wrong), (kept().last(), None));
}
