//! What following costs, and how soon a change is seen: figures for `tests/pages/observation.md`.
//!
//!     cargo test --test following -- --ignored --nocapture --test-threads 1
//!
//! The pods are objects that a scheduling gate keeps from ever running.

#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::{Namespace, cluster};

/// Changes that are timed.
const CHANGES: usize = 50;
/// Executors of the large application.
const EXECUTORS: usize = 1000;
/// How long requests are counted.
const COUNTED: Duration = Duration::from_secs(185);

/// A pod of an application as Spark makes it, kept from every scheduler.
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

/// `attach` in JSON, and its lines with the moments when they came.
fn attach(ns: &Namespace) -> (Child, mpsc::Receiver<(Instant, Value)>) {
    let mut command: Command = ns.command();
    let attach = command.args(["attach", "measured", "--progress", "json"]).stdout(Stdio::piped()).spawn();
    let mut attach = attach.expect("sparkctl");
    let lines = BufReader::new(attach.stdout.take().expect("stdout")).lines();
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in lines.map_while(Result::ok) {
            let line = serde_json::from_str(&line).expect("JSON");
            if sender.send((Instant::now(), line)).is_err() {
                return;
            }
        }
    });
    (attach, receiver)
}

/// Waits for a state with so many executors; returns when it came.
fn until_pending(lines: &mpsc::Receiver<(Instant, Value)>, executors: usize) -> Instant {
    loop {
        let (at, line) = lines.recv_timeout(Duration::from_secs(120)).expect("a state");
        if line["executors"]["pending"] == executors {
            return at;
        }
    }
}

/// A figure of `/proc/PID/status`, in KiB.
fn status(process: &Child, figure: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).expect("its status");
    let line = status.lines().find(|line| line.starts_with(figure)).expect(figure);
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect(figure)
}

fn end(mut process: Child) {
    process.kill().expect("ending it");
    process.wait().expect("its end");
}

#[test]
#[ignore = "a measurement"]
fn how_soon_a_change_is_said() {
    let ns = Namespace::new("measured-change");
    create(&ns, "driver", "measured-driver");
    let (attached, lines) = attach(&ns);
    until_pending(&lines, 0);
    let mut took: Vec<Duration> = (1..=CHANGES)
        .map(|number| {
            let sent = Instant::now();
            create(&ns, "executor", &format!("measured-exec-{number}"));
            until_pending(&lines, number).duration_since(sent)
        })
        .collect();
    end(attached);
    took.sort();
    let at = |part: usize| took[(took.len() - 1) * part / 100].as_secs_f64() * 1000.0;
    println!("{CHANGES} changes: request sent to line read: median {:.1} ms, 95 % {:.1} ms", at(50), at(95));
}

#[test]
#[ignore = "a measurement"]
fn how_many_requests_following_takes() {
    let ns = Namespace::new("measured-requests");
    create(&ns, "driver", "measured-driver");
    let (attached, lines) = attach(&ns);
    until_pending(&lines, 0);
    std::thread::sleep(COUNTED);
    end(attached);
    // A watch is in the log when it begins and when it ends: the id makes it one.
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
fn how_much_memory_a_thousand_executors_take() {
    let ns = Namespace::new("measured-memory");
    create(&ns, "driver", "measured-driver");
    let (small, lines) = attach(&ns);
    until_pending(&lines, 0);
    println!("no executors: {} KiB at most", status(&small, "VmHWM"));
    end(small);
    for number in 1..=EXECUTORS {
        create(&ns, "executor", &format!("measured-exec-{number}"));
    }
    let (large, lines) = attach(&ns);
    let start = Instant::now();
    let seen = until_pending(&lines, EXECUTORS).duration_since(start);
    std::thread::sleep(Duration::from_secs(10));
    println!(
        "{EXECUTORS} executors: seen after {:.2} s, {} KiB at most, {} KiB after 10 s",
        seen.as_secs_f64(),
        status(&large, "VmHWM"),
        status(&large, "VmRSS")
    );
    end(large);
}
