//! Measures what following costs and how soon a change is reported, for `docs/observation.md`.
//!
//!     cargo test --test following -- --ignored --nocapture --test-threads 1
//!
//! A scheduling gate keeps the pods from ever running.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::{Namespace, cluster};

/// How many changes to time.
const CHANGES: usize = 50;
/// How many executors the large application has.
const EXECUTORS: usize = 1000;
/// How long to count requests.
const COUNTED: Duration = Duration::from_secs(185);

/// A pod as Spark creates it, with a scheduling gate.
fn pod(role: &str, name: &str) -> Value {
    let variables =
        (0..12).map(|n| json!({"name": format!("SPARK_JAVA_OPT_{n}"), "value": "-Dspark.driver.port=7078"}));
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": {
            "spark-role": role, "spark-app-selector": "spark-measured", "spark-app-name": "measured",
            "sparkoperator.k8s.io/app-name": "measured",
        }},
        "spec": {
            "schedulingGates": [{"name": "sparkctl.test/never"}],
            "containers": [{
                "name": format!("spark-kubernetes-{role}"), "image": "spark", "args": [role],
                "env": variables.collect::<Vec<_>>(),
                "resources": {"requests": {"cpu": "1", "memory": "896Mi"}, "limits": {"memory": "896Mi"}},
            }],
        },
    })
}

fn create(ns: &Namespace, role: &str, name: &str) {
    cluster().api.create(&ns.core("pods"), &pod(role, name)).expect("a pod");
}

/// A running `attach` with JSON output, and its lines with the times at which they arrived.
struct Follower {
    process: Child,
    lines: mpsc::Receiver<(Instant, Value)>,
}

impl Follower {
    /// Attaches to the application, and waits until so many pending executors are reported. Returns the time of that, too.
    fn attach(ns: &Namespace, executors: usize) -> (Follower, Instant) {
        let mut command: Command = ns.command();
        let attach = command.args(["attach", "measured", "--progress", "json"]).stdout(Stdio::piped()).spawn();
        let mut process = attach.expect("sparkctl");
        let out = BufReader::new(process.stdout.take().expect("stdout")).lines();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.map_while(Result::ok) {
                let line = serde_json::from_str(&line).expect("JSON");
                if sender.send((Instant::now(), line)).is_err() {
                    return;
                }
            }
        });
        let follower = Follower { process, lines };
        let seen = follower.until_pending(executors);
        (follower, seen)
    }

    /// Waits for a state with so many pending executors. Returns when it arrived.
    fn until_pending(&self, executors: usize) -> Instant {
        loop {
            let (at, line) = self.lines.recv_timeout(Duration::from_secs(120)).expect("a state");
            if line["executors"]["pending"] == executors {
                return at;
            }
        }
    }

    /// A figure of `/proc/PID/status`, in KiB.
    fn status(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let line = status.lines().find(|line| line.starts_with(figure)).expect(figure);
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect(figure)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// An application with only a driver, and an `attach` that follows it.
fn followed(test: &str) -> (Namespace, Follower) {
    let ns = Namespace::new(test);
    create(&ns, "driver", "measured-driver");
    let (follower, _) = Follower::attach(&ns, 0);
    (ns, follower)
}

#[test]
#[ignore = "a measurement"]
fn latency_of_a_change() {
    let (ns, follower) = followed("measured-change");
    let mut took: Vec<Duration> = (1..=CHANGES)
        .map(|number| {
            let sent = Instant::now();
            create(&ns, "executor", &format!("measured-exec-{number}"));
            follower.until_pending(number).duration_since(sent)
        })
        .collect();
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    println!("{CHANGES} changes: request sent to line read: median {:.1} ms, 95 % {:.1} ms", at(50), at(95));
}

#[test]
#[ignore = "a measurement"]
fn requests_while_following() {
    let (ns, follower) = followed("measured-requests");
    std::thread::sleep(COUNTED);
    drop(follower);
    // A watch is logged when it begins and when it ends, with the same ID.
    let requests: BTreeMap<String, String> = cluster()
        .audit(&ns.name)
        .iter()
        .filter(|event| event["userAgent"].as_str().is_some_and(|agent| agent.starts_with("sparkctl/")))
        .map(|event| {
            let what = format!("{} {}", event["verb"], event["objectRef"]["resource"]).replace('"', "");
            (event["auditID"].to_string(), what)
        })
        .collect();
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    requests.values().for_each(|what| *counts.entry(what).or_default() += 1);
    println!("{} requests in {} s: {counts:?}", requests.len(), COUNTED.as_secs());
}

#[test]
#[ignore = "a measurement"]
fn memory_for_a_thousand_executors() {
    let (ns, small) = followed("measured-memory");
    println!("no executors: {} KiB at most", small.status("VmHWM"));
    drop(small);
    for number in 1..=EXECUTORS {
        create(&ns, "executor", &format!("measured-exec-{number}"));
    }
    let start = Instant::now();
    let (large, seen) = Follower::attach(&ns, EXECUTORS);
    std::thread::sleep(Duration::from_secs(10));
    println!(
        "{EXECUTORS} executors: seen after {:.2} s, {} KiB at most, {} KiB after 10 s",
        seen.duration_since(start).as_secs_f64(),
        large.status("VmHWM"),
        large.status("VmRSS")
    );
}
