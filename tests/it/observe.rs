//! What sparkctl reports about an application while it runs and after it has ended, in every format.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use predicates::prelude::*;
use predicates::str::contains;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::jobs::{file, job, job_of_image, job_with};
use crate::support::proxy::{Fate, Proxy};
use crate::support::running::Running;
use crate::support::{Namespace, cluster, signal, with_default_signals};

#[test]
fn fails_when_stdout_cannot_be_written() {
    let ns = Namespace::new("full");
    let detached = ["submit", "examples/jvm-pi.yaml", "--driver-node", "type=quantum", "--detach"];
    ns.sparkctl().args(detached).assert().code(0);
    for arguments in [
        &["list"][..],
        &["list", "-o", "json"],
        &["list", "-o", "name"],
        &["status", "jvm-pi"],
        &["status", "jvm-pi", "-o", "json"],
        &["describe", "jvm-pi"],
        &["doctor"],
    ] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a full disk");
        let output = ns.command().args(arguments).stdout(full).output().expect("sparkctl");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains("writing to stdout: No space left on device"), "{arguments:?}: {stderr}");
    }
}

#[test]
fn writes_a_failure_to_every_report() {
    let ns = Namespace::new("reports");
    let [result, junit, log, summary, outputs] =
        ["r.json", "j.xml", "d.log", "s.md", "o.txt"].map(|name| file(&ns, name));
    let job = job(&ns, "reports", "echo one; echo '::error::two'; echo 'java.lang.Error: no'; exit 3");
    let run = ns
        .sparkctl()
        .args(["submit", "--logs", "--ci", "github"])
        .arg(&job)
        .arg("--result-file")
        .arg(&result)
        .arg("--junit")
        .arg(&junit)
        .arg("--log-file")
        .arg(&log)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &outputs)
        .assert();
    run.code(1).stdout(contains("one\n| ::error::two\n")).stderr(
        contains("::group::Spark's log\n::endgroup::\n")
            .and(contains("::error title=Spark application reports%3A Failed::the driver exited with code 3%0A")),
    );
    let read = |path| std::fs::read_to_string(path).expect("a report");
    let record: Value = serde_json::from_str(&read(&result)).expect("one object");
    assert_eq!((&record["outcome"], &record["driverExitCode"]), (&"Failed".into(), &3.into()));
    assert!(read(&junit).contains("<failure type=\"Failed\" message=\"the driver exited with code 3\">"));
    assert!(read(&log).starts_with("one\n::error::two\n"));
    assert!(read(&summary).contains("| exception | java.lang.Error: no |"));
    assert!(read(&outputs).contains("outcome=Failed\n"));
}

#[test]
fn writes_a_refusal_to_the_result_file() {
    let ns = Namespace::new("refused");
    let result = file(&ns, "r.json");
    let run = ns.sparkctl().args(["submit", "docs/mistakes.yaml", "--result-file"]).arg(&result).assert();
    run.code(2);
    let record: Value = serde_json::from_slice(&std::fs::read(&result).expect("a result")).expect("one object");
    assert_eq!((&record["outcome"], &record["exitCode"]), (&"Invalid".into(), &2.into()));
}

#[test]
fn attach_replaces_an_earlier_result_file_when_it_finds_nothing() {
    let ns = Namespace::new("found-nothing");
    let result = file(&ns, "r.json");
    std::fs::write(&result, "{\"outcome\":\"Succeeded\"}\n").expect("an earlier result");
    let run = ns.sparkctl().args(["attach", "nothing", "--progress", "json", "--result-file"]).arg(&result).assert();
    let run = run.code(6);
    let written = std::fs::read(&result).expect("a result");
    assert_eq!(run.get_output().stdout, written);
    let record: Value = serde_json::from_slice(&written).expect("one object");
    assert_eq!((&record["outcome"], &record["exitCode"]), (&"Unknown".into(), &6.into()));
    let run =
        ns.sparkctl().args(["submit", "--result-file", "/no/such/folder/r.json"]).arg(job(&ns, "x", "true")).assert();
    run.code(2).stderr(contains("writing /no/such/folder/r.json"));
    assert!(cluster().api.items(&ns.core("pods")).is_empty(), "it was submitted");
}

#[test]
fn keeps_the_exit_code_of_the_application_when_the_disk_is_full() {
    let ns = Namespace::new("no-room");
    let result = file(&ns, "r.json");
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("a full disk");
    let mut submit = ns.command();
    submit.args(["submit", "--logs", "--log-file", "/dev/full", "--junit", "/dev/full", "--result-file"]);
    let output =
        submit.arg(&result).arg(job(&ns, "no-room", "echo x; exit 3")).stdout(full()).output().expect("sparkctl");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    for what in ["to stdout", "the log file", "/dev/full"] {
        assert!(stderr.contains(&format!("warning: writing {what}: No space left on device")), "{what}: {stderr}");
    }
    let record: Value = serde_json::from_slice(&std::fs::read(&result).expect("a result")).expect("one object");
    assert_eq!((&record["outcome"], &record["driverExitCode"]), (&"Failed".into(), &3.into()));
    let detached = job(&ns, "detached", "true");
    let output =
        ns.command().args(["submit", "--detach"]).arg(detached).stdout(full()).output().expect("sparkctl").status;
    assert_eq!(output.code(), Some(0));
}

#[test]
fn ends_the_last_line_of_a_log() {
    let ns = Namespace::new("within");
    let run = ns.sparkctl().args(["submit", "--logs", "--ci", "github"]).arg(job(&ns, "within", "printf x")).assert();
    run.code(0).stdout("x\n").stderr(contains("\n::endgroup::\n"));
    // On a stdout of its own, the log is copied unchanged.
    ns.sparkctl().args(["attach", "within", "--logs", "--ci", "none"]).assert().code(0).stdout("x");
}

#[test]
fn shows_a_log_of_any_bytes_with_its_indentation() {
    let ns = Namespace::new("bytes");
    let trace = "Traceback (most recent call last):\\n  File \\\"a.py\\\", line 1, in f\\nValueError: no\\n";
    let long = "head -c 5000 /dev/zero | tr '\\0' x; echo";
    let job = job(&ns, "bytes", &format!("{long}; printf '\\374ber\\n\\n'; printf \"{trace}\"; exit 1"));
    let run = ns.sparkctl().arg("submit").arg(&job).assert().code(1);
    let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
    assert!(stderr.contains("  exception  ValueError: no\n"), "{stderr}");
    assert!(stderr.contains("  | \u{fffd}ber\n  |\n"), "{stderr}");
    assert!(stderr.contains("  |   File \"a.py\", line 1, in f\n"), "{stderr}");
    assert!(stderr.lines().all(|line| line.chars().count() < 500), "{stderr}");
}

#[test]
fn logs_can_be_read_in_part_and_reports_when_there_is_none() {
    let ns = Namespace::new("in-part");
    let run = ns.sparkctl().args(["submit", "--progress", "quiet"]).arg(job(&ns, "in-part", "seq 100000")).assert();
    run.code(0);
    let mut logs = ns.command();
    let mut logs = logs.args(["logs", "in-part"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("logs");
    let mut first = String::new();
    BufReader::new(logs.stdout.take().expect("stdout")).read_line(&mut first).expect("a line");
    let output = logs.wait_with_output().expect("its end");
    assert_eq!((first.as_str(), output.status.code(), output.stderr.as_slice()), ("1\n", Some(0), &b""[..]));
    let unplaced = job_with(&ns, "unplaced", "true", &json!({"nodeSelector": {"pool": "nowhere"}}));
    ns.sparkctl().args(["submit", "--detach"]).arg(unplaced).assert().code(0);
    ns.sparkctl().args(["logs", "unplaced"]).assert().code(2).stderr(contains("is not on a node yet, and has no log"));
}

#[test]
fn shows_the_log_of_a_failed_init_container() {
    let ns = Namespace::new("init");
    let prepare = json!([{
        "name": "prepare", "image": cluster().variable("BUSYBOX_IMAGE"),
        "command": ["/bin/sh", "-c", "echo no data of yesterday; exit 5"],
    }]);
    let job = job_with(&ns, "init", "true", &json!({"initContainers": prepare}));
    let run = ns.sparkctl().args(["submit", "--logs"]).arg(job).assert();
    let end_of_log = "  end of the log of init container prepare\n  | no data of yesterday\n";
    run.code(4).stderr(contains(format!("init container prepare exited with code 5\n{end_of_log}")));
    ns.sparkctl().args(["describe", "init"]).assert().code(0).stdout(contains(end_of_log));
    ns.sparkctl().args(["logs", "init"]).assert().code(0).stdout("no data of yesterday\n").stderr(contains("its log"));
}

#[test]
fn wait_reports_the_state_when_it_times_out_or_is_interrupted() {
    let ns = Namespace::new("wait-left");
    let unplaced = job_with(&ns, "unplaced", "true", &json!({"nodeSelector": {"pool": "nowhere"}}));
    ns.sparkctl().args(["submit", "--detach"]).arg(unplaced).assert().code(0);
    ns.wait_until_unschedulable("unplaced-driver");
    let run = ns.sparkctl().args(["wait", "unplaced", "--timeout", "20s"]).assert();
    run.code(124).stderr(contains("timed out: unplaced: waiting  Unschedulable"));
    // Each kind of object is watched once it has been listed.
    let watches = || {
        cluster()
            .audit(&ns.name)
            .iter()
            .filter(|event| event["verb"] == "watch" && event["stage"] == "ResponseStarted")
            .count()
    };
    let before = watches();
    let mut wait = ns.command();
    let wait = with_default_signals(wait.args(["wait", "unplaced"])).stderr(Stdio::piped()).spawn().expect("wait");
    ns.wait_for("its watches", || (watches() >= before + 2).then_some(()));
    signal(&wait, Signal::INT);
    let output = wait.wait_with_output().expect("its end");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("interrupted: unplaced: waiting  Unschedulable"), "{stderr}");
}

#[test]
fn wait_explains_a_failure() {
    let ns = Namespace::new("wait-failed");
    ns.sparkctl().args(["submit", "--detach"]).arg(job(&ns, "wait-failed", "exit 3")).assert().code(0);
    let run = ns.sparkctl().args(["wait", "wait-failed", "--for", "succeeded"]).assert();
    run.code(1).stderr(contains("wait-failed failed: the driver exited with code 3\n"));
    let list = ns.sparkctl().args(["list", "-o", "json"]).assert().code(0);
    let row: Value = serde_json::from_slice(&list.get_output().stdout).expect("one object");
    assert_eq!((&row["reason"], &row["exitCode"]), (&"the driver exited with code 3".into(), &1.into()));
}

#[test]
fn follows_pods_that_may_be_listed_but_not_watched() {
    let ns = Namespace::new("unwatched");
    let script = "nc -l -p 9999 >/dev/null; exit 3";
    ns.sparkctl().args(["submit", "--detach"]).arg(job(&ns, "unwatched", script)).assert().code(0);
    ns.wait_for_phase("unwatched-driver", "Running");
    let refused = Arc::new(AtomicBool::new(false));
    let proxy = Proxy::start({
        let refused = refused.clone();
        move |request| match request.path.contains("watch=true") {
            true => {
                refused.store(true, Ordering::SeqCst);
                Fate::Refused("pods is forbidden: User \"jo\" cannot watch resource \"pods\"")
            }
            false => Fate::Passed,
        }
    });
    let mut attach = ns.command();
    attach.env("KUBECONFIG", proxy.kubeconfig(&ns)).args(["attach", "unwatched"]);
    let status = std::thread::spawn(move || proxy.run(&mut attach).status);
    ns.wait_for("a refused watch", || refused.load(Ordering::SeqCst).then_some(()));
    ns.call("unwatched-driver");
    assert_eq!(status.join().expect("its end").code(), Some(1));
}

#[test]
fn quiet_prints_nothing_for_a_success() {
    let ns = Namespace::new("quiet");
    let run = ns.sparkctl().args(["submit", "--progress", "quiet"]).arg(job(&ns, "quiet", "echo x")).assert();
    run.code(0).stdout("").stderr("");
}

#[test]
fn explains_a_missing_image_and_exits() {
    let ns = Namespace::new("no-image");
    let job = job_of_image(&ns, "no-image", &format!("{}/no/such:1", cluster().variable("REGISTRY")), "true");
    let run = ns.sparkctl().arg("submit").arg(job).args(["--image-pull-timeout", "5s"]).assert();
    run.code(4).stderr(contains("cannot be pulled: ").and(contains("hint:")));
}

#[test]
fn explains_a_missing_secret_and_exits() {
    let ns = Namespace::new("no-secret");
    let secret = json!({"envSecretKeyRefs": {"PASSWORD": {"name": "db-creds", "key": "password"}}});
    let job = job_with(&ns, "no-secret", "true", &secret);
    let run = ns.sparkctl().arg("submit").arg(job).args(["--image-pull-timeout", "3s"]).assert();
    run.code(4).stderr(contains("secret \"db-creds\" not found").and(contains("in the application's own namespace")));
}

/// Submits a job whose driver cannot be scheduled, and waits for the message that explains why. Returns all messages.
fn explain_unschedulable(ns: &Namespace, name: &str, job: &Path, message: &str) -> String {
    let mut submit = Running::start(ns.command().arg("submit").arg(job));
    submit.wait_for_message(message);
    let messages = submit.interrupt().stderr;
    ns.sparkctl().args(["attach", name, "--start-timeout", "1s"]).assert().code(4);
    messages
}

#[test]
fn explains_labels_that_no_node_has() {
    let ns = Namespace::new("no-node");
    let job = job_with(&ns, "no-node", "true", &json!({"nodeSelector": {"pool": "nowhere"}}));
    let messages = explain_unschedulable(&ns, "no-node", &job, "no node has a label pool");
    assert!(messages.contains("waiting  Unschedulable: no node of"), "{messages}");
}

#[test]
fn explains_a_driver_killed_for_memory() {
    let ns = Namespace::new("oom");
    // Grows until it exceeds its small limit.
    let job = job_with(&ns, "oom", "a=0123456789; while true; do a=$a$a; done", &json!({}));
    let run = ns.sparkctl().arg("submit").arg(job).assert();
    run.code(1).stderr(
        contains("the driver ran out of memory (OOMKilled")
            .and(contains("16m heap + 16m overhead = 32Mi"))
            .and(contains("raise driver.memoryOverhead from 16m to 32m")),
    );
}

#[test]
fn explains_a_driver_that_fits_no_node_and_an_unbound_claim() {
    let ns = Namespace::new("fits-nowhere");
    let large = job_with(&ns, "large", "true", &json!({"coreRequest": "1000"}));
    let messages = explain_unschedulable(&ns, "large", &large, "no node is large enough");
    assert!(messages.contains("and the driver requests cpu 1000"), "{messages}");
    let volumes = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "orders"}}]);
    let claim = job_with(&ns, "claim", "true", &json!({"template": {"spec": {"volumes": volumes}}}));
    explain_unschedulable(&ns, "claim", &claim, "there is no PersistentVolumeClaim orders");
}

#[test]
fn explains_why_the_pods_of_a_job_are_refused() {
    let ns = Namespace::new("refused-pods");
    ns.add_quota("team", &json!({"pods": "0"}));
    let path = job(&ns, "refused-pods", "true");
    let mut text: Value = serde_json::from_slice(&std::fs::read(&path).expect("a job file")).expect("a job");
    text["spec"]["restartPolicy"] = json!({"type": "OnFailure", "onFailureRetries": 1});
    std::fs::write(&path, text.to_string()).expect("a job file");
    let run = ns.sparkctl().arg("submit").arg(path).args(["--image-pull-timeout", "3s"]).assert();
    run.code(4).stderr(contains("exceeded quota: team").and(contains("kubectl describe quota")));
}

#[test]
fn tells_an_eviction_and_a_deadline_from_a_lack_of_memory() {
    let ns = Namespace::new("full-disk");
    let container = |command: &str, more: Value| {
        let mut container = json!({"name": "spark-kubernetes-driver", "command": ["/bin/sh", "-c", command]});
        container["resources"] = more;
        json!([container])
    };
    let filling = container(
        "dd if=/dev/zero of=/tmp/x bs=1M count=60; sleep 600",
        json!({"limits": {"ephemeral-storage": "10Mi"}}),
    );
    let template = json!({"spec": {"terminationGracePeriodSeconds": 0, "containers": filling}});
    let disk = job_with(&ns, "disk", "true", &json!({"template": template}));
    let run = ns.sparkctl().arg("submit").arg(disk).assert();
    run.code(5).stderr(contains("Evicted: Pod ephemeral local storage usage").and(contains("spark-local-dir-")));
    let template = json!({"spec": {
        "terminationGracePeriodSeconds": 0, "activeDeadlineSeconds": 3, "containers": container("sleep 600", json!({})),
    }});
    let late = job_with(&ns, "late", "true", &json!({"template": template}));
    let run = ns.sparkctl().arg("submit").arg(late).assert();
    run.code(1).stderr(contains("DeadlineExceeded: ").and(contains("memoryOverhead").not()));
}

#[test]
fn lists_events_of_deleted_executors() {
    let ns = Namespace::new("gone");
    foreign_driver(&ns, "gone", &json!({}), "sleep 600");
    let executor = |name: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "labels": {"spark-role": "executor", "spark-app-selector": "spark-gone", "spark-exec-id": "1"}},
            "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [{
                "name": "spark-kubernetes-executor", "image": cluster().variable("BUSYBOX_IMAGE"), "command": ["/bin/sh", "-c", "exit 7"],
            }]},
        })
    };
    for name in ["gone-0123-exec-1", "another-0123-exec-1"] {
        cluster().api.create(&ns.core("pods"), &executor(name)).expect("an executor");
        ns.wait_for_phase(name, "Failed");
        cluster().api.delete(&format!("{}/{name}", ns.core("pods"))).expect("deleting it, as Spark does");
    }
    let stdout_of = |command: &str| {
        let output = ns.sparkctl().args([command, "gone"]).output().expect("sparkctl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let events = stdout_of("events");
    let scheduled = |events: &str| events.find("Scheduled").expect("it was") < events.find("Started").expect("it was");
    assert!(scheduled(&events), "{events}");
    assert!(events.contains("pod/gone-0123-exec-1") && events.contains("pod/gone-0123-driver"), "{events}");
    assert!(!events.contains("another-0123-exec-1"), "{events}");
    assert!(stdout_of("describe").contains("pod/gone-0123-exec-1"));
}

#[test]
fn truncates_a_long_name_for_the_service_and_keeps_it_elsewhere() {
    let ns = Namespace::new("long");
    let name = "orders-daily-rollup-".repeat(4) + "of-everything";
    ns.sparkctl().args(["submit", "--detach"]).arg(job(&ns, &name, "true")).assert().code(0);
    let services = cluster().api.items(&ns.core("services"));
    let service = services[0]["metadata"]["name"].as_str().expect("a name");
    assert!(service.len() <= 63 && service.starts_with("orders-daily-rollup-"), "{service}");
    let run = ns.sparkctl().args(["attach", &name]).assert();
    run.code(0).stderr(contains(format!("{name} succeeded")));
}

#[test]
fn explains_a_driver_without_rights() {
    let ns = Namespace::new("no-right");
    let job = file(&ns, "no-right.yaml");
    let text = std::fs::read_to_string("examples/python-pi.yaml").expect("an example");
    std::fs::write(&job, text.replace("yippee-spark", "default")).expect("a job file");
    let run = ns.sparkctl().arg("submit").arg(job).assert();
    run.code(1).stderr(contains("may not").and(contains("k8s/driver-rbac.yaml")));
}

/// The response of the Spark UI at an address.
fn page(address: &str) -> String {
    let mut socket = TcpStream::connect(address).expect("a connection");
    let request = b"GET /api/v1/applications HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    socket.write_all(request).expect("sending a request");
    let mut page = String::new();
    socket.read_to_string(&mut page).expect("an answer");
    page
}

#[test]
fn every_command_works_on_a_running_application() {
    let ns = Namespace::new("sides");
    let detached = ["submit", "examples/python-pi.yaml", "--detach", "--", "60"];
    ns.sparkctl().args(detached).assert().code(0).stdout("python-pi\n");
    let run = |arguments: &[&str]| {
        let output = ns.sparkctl().args(arguments).output().expect("sparkctl");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        eprintln!("$ sparkctl {}\n{text}", arguments.join(" "));
        assert!(output.status.success(), "{}", output.status);
        text
    };
    run(&["wait", "python-pi", "--for", "running", "--timeout", "9m"]);
    assert_eq!(run(&["list", "-o", "name", "--state", "running"]), "python-pi\n");
    assert!(run(&["list", "-o", "wide"]).contains("sparkctl"));
    run(&["list", "-A", "-l", "app.kubernetes.io/managed-by=sparkctl"]);
    ns.wait_for("an executor's log", || {
        let output = ns.sparkctl().args(["logs", "python-pi", "--executor", "1", "--tail", "2"]).output().ok()?;
        (output.status.success() && !output.stdout.is_empty()).then_some(())
    });
    let mut ui = ns.command();
    let mut ui = ui.args(["ui", "python-pi", "--port", "0"]).stdout(Stdio::piped()).spawn().expect("ui");
    let mut address = String::new();
    let stdout = ui.stdout.take().expect("stdout");
    BufReader::new(stdout).read_line(&mut address).expect("an address");
    let address = address.trim().strip_prefix("http://").expect("an address").to_owned();
    // For a while, Spark responds that it is not ready.
    ns.wait_for("the Spark UI", || page(&address).contains("\"attempts\"").then_some(()));
    ui.kill().expect("ending the forwarding");
    ui.wait().expect("its end");
    assert!(run(&["describe", "python-pi"]).contains("state:      Running"));
    run(&["wait", "python-pi", "--for", "succeeded", "--timeout", "9m"]);
    assert!(run(&["events", "python-pi"]).contains("Scheduled"));
    assert!(run(&["describe", "python-pi"]).contains("state:      Succeeded"));
    assert!(run(&["status", "python-pi"]).contains("python-pi succeeded"));
}

/// Creates a driver pod with the labels of another submitter.
fn foreign_driver(ns: &Namespace, name: &str, labels: &Value, command: &str) {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("{name}-0123-driver"), "labels": {
            "spark-role": "driver", "spark-app-selector": format!("spark-{name}"), "spark-app-name": name,
        }},
        "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [{
            "name": "spark-kubernetes-driver", "image": cluster().variable("BUSYBOX_IMAGE"),
            "command": ["/bin/sh", "-c", command],
        }]},
    });
    for (key, value) in labels.as_object().expect("labels") {
        pod["metadata"]["labels"][key] = value.clone();
    }
    cluster().api.create(&ns.core("pods"), &pod).expect("a driver");
}

#[test]
fn follows_applications_of_other_submitters() {
    let ns = Namespace::new("others");
    foreign_driver(&ns, "theirs", &json!({}), "echo hello; sleep 2; exit 3");
    let operator = json!({
        "sparkoperator.k8s.io/app-name": "operated", "sparkoperator.k8s.io/launched-by-spark-operator": "true",
    });
    foreign_driver(&ns, "of-the-operator", &operator, "sleep 2");
    let run = ns.sparkctl().args(["attach", "theirs", "--logs"]).assert();
    run.code(1).stdout("hello\n").stderr(contains("theirs failed: the driver exited with code 3"));
    ns.sparkctl().args(["wait", "operated", "--for", "succeeded"]).assert().code(0);
    let list = ns.sparkctl().args(["list", "-o", "wide"]).assert().code(0);
    list.stdout(contains("operator").and(contains("spark-submit")));
    ns.sparkctl()
        .args(["describe", "theirs-0123-driver"])
        .assert()
        .code(0)
        .stdout(contains("by:         spark-submit"));
}
