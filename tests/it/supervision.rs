//! Applications that the cluster supervises: retries, timeouts, schedules and repeated submissions, with or without sparkctl.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use predicates::prelude::*;
use predicates::str::{contains, is_match};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::jobs::{drivers, file, job_object, policy_job as job, retries, schedule};
use crate::support::proxy::{Fate, Proxy};
use crate::support::slot::Slot;
use crate::support::{Namespace, PATIENCE, cluster, signal, text, with_default_signals};

#[test]
fn retries_without_a_client_and_reports_all_attempts() {
    let ns = Namespace::new("retried");
    // Attempts share nothing but the cluster: a ConfigMap that this test creates lets the third one succeed.
    let script = "test -f /turn/third && echo done at last && exit 0; echo not yet; exit 3";
    let policy = "  restartPolicy: {type: OnFailure, onFailureRetries: 3}\n  timeToLiveSeconds: 45\n  \
                  volumes: [{name: turn, configMap: {name: turn, optional: true}}]";
    let path = job(&ns, "third", policy, script);
    let with_mount = std::fs::read_to_string(&path)
        .expect("the job file")
        .replace("    serviceAccount:", "    volumeMounts: [{name: turn, mountPath: /turn}]\n    serviceAccount:");
    std::fs::write(&path, with_mount).expect("the job file");
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0).stdout("third\n");

    ns.wait_for("two failed attempts", || {
        let failed = drivers(&ns).iter().filter(|pod| pod["status"]["phase"] == "Failed").count();
        (failed == 2).then_some(())
    });
    ns.sparkctl()
        .args(["status", "third"])
        .assert()
        .code(0)
        .stdout(contains("attempt 2 of 4 failed: the driver exited with code 3"));
    let turn = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "turn"}, "data": {"third": ""}});
    cluster().api.create(&ns.core("configmaps"), &turn).expect("creating the turn");

    // A later `attach` reports the result and all attempts; so does `status`.
    let [junit, summary] = ["junit.xml", "summary.md"].map(|name| file(&ns, name));
    let mut attach = ns.sparkctl();
    attach.args(["attach", "third", "--output", "json", "--logs", "--ci", "github", "--junit"]).arg(&junit);
    let attached = attach.env("GITHUB_STEP_SUMMARY", &summary).assert().code(0);
    let lines = String::from_utf8(attached.get_output().stdout.clone()).expect("text");
    let result: Value = serde_json::from_str(lines.lines().last().expect("a result")).expect("JSON");
    assert_eq!(result["outcome"], "Succeeded", "{lines}");
    assert_eq!(result["attempt"]["number"], 3, "{lines}");
    let earlier = result["attempt"]["earlier"].as_array().expect("attempts");
    assert!(earlier.iter().all(|attempt| attempt["reason"] == "the driver exited with code 3"), "{lines}");
    assert!(earlier.iter().all(|attempt| attempt["exitCode"] == 3 && attempt["ended"].is_string()), "{lines}");
    assert_eq!(earlier.iter().map(|attempt| attempt["number"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert!(lines.contains("done at last") && !lines.contains("rule of the cluster changed"), "{lines}");
    let report = std::fs::read_to_string(junit).expect("a report");
    assert!(report.contains("tests=\"4\" failures=\"0\""), "{report}");
    for (number, attempt) in [(1, &earlier[0]), (2, &earlier[1])] {
        let message = format!("attempt {number}: the driver exited with code 3");
        let (pod, ended) = (text(&attempt["pod"]), text(&attempt["ended"]));
        let trace = format!("<stackTrace>{message}\npod {pod}\nexit code 3\nended {ended}</stackTrace>");
        let rerun = format!("<flakyFailure type=\"Failed\" message=\"{message}\">{trace}</flakyFailure>");
        assert!(report.contains(&rerun), "{report}");
    }
    let summary = std::fs::read_to_string(summary).expect("a summary");
    assert!(summary.contains("| attempt | 3 of 4 |\n"), "{summary}");
    assert!(summary.contains("\n| 2 | Failed | the driver exited with code 3 | 3 | 20"), "{summary}");

    let status = ns.sparkctl().args(["status", "third"]).assert().code(0);
    status.stdout(contains("third succeeded at attempt 3 of 4").and(contains(
        "attempt 1  Failed: the driver exited with code 3\n  attempt 2  Failed: the driver exited with code 3\n",
    )));

    // The time to live deletes everything.
    ns.wait_for("nothing", || (ns.left() == ["configmaps/turn"]).then_some(()));
}

#[test]
fn replaces_a_deleted_driver_without_counting_it() {
    let ns = Namespace::new("replaced");
    let script = "trap 'exit 143' TERM; echo up; sleep 600 & wait";
    let path = job(&ns, "lost", &retries(1), script);
    let running = ns.command().arg("submit").arg(&path).stderr(Stdio::piped()).spawn().expect("sparkctl");
    let first =
        ns.wait_for("a running driver", || drivers(&ns).into_iter().find(|pod| pod["status"]["phase"] == "Running"));
    let first = text(&first["metadata"]["name"]);
    cluster().api.delete(&format!("{}/{first}", ns.core("pods"))).expect("deleting the driver");
    ns.wait_for("its successor", || {
        drivers(&ns)
            .into_iter()
            .find(|pod| pod["metadata"]["name"] != first.as_str() && pod["status"]["phase"] == "Running")
    });
    let job = job_object(&ns, "lost").expect("the Job");
    assert_eq!(job["status"]["failed"].as_i64().unwrap_or(0), 0, "{}", job["status"]);
    ns.sparkctl().args(["status", "lost"]).assert().code(0).stdout(contains("attempt 1 of 2"));

    ns.sparkctl().args(["delete", "lost"]).assert().code(0).stderr(contains("deleted Job lost"));
    let output = running.wait_with_output().expect("its end");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("attempt 1 of 2 was lost"), "{stderr}");
}

#[test]
fn limits_how_often_a_driver_that_looks_deleted_is_replaced() {
    const LOSSES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
    let ns = Namespace::new("self-ended");
    let slot = Slot::new(&ns);
    let path = job(&ns, "moth", &retries(3), "exit 143");
    slot.add_to_job(&path);
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
    ns.wait_for("its status", || {
        let status = ns.sparkctl().args(["status", "moth"]).assert().code(0);
        let status = String::from_utf8_lossy(&status.get_output().stdout).into_owned();
        status.contains("not counted: it looks like a driver that was deleted").then_some(())
    });
    // Twenty losses would take hours: the annotation of a waiting successor is changed to the last one.
    slot.set(&Value::Null);
    let waiting = ns.wait_for("a successor that waits", || {
        let is_next = |pod: &Value| pod["status"]["phase"] == "Pending" && pod["spec"]["nodeName"].is_null();
        drivers(&ns).into_iter().find(|pod| is_next(pod) && pod["metadata"]["annotations"][LOSSES].is_string())
    });
    let waiting = format!("{}/{}", ns.core("pods"), text(&waiting["metadata"]["name"]));
    let twenty = json!({"metadata": {"annotations": {LOSSES: "20"}}});
    cluster().api.patch(&waiting, &twenty).expect("the count");
    slot.set(&json!("1"));
    let attached = ns.sparkctl().args(["attach", "moth"]).assert().code(1);
    attached.stderr(contains("its driver was lost 20 times, the last time: the driver exited with code 143"));
}

#[test]
fn restarts_after_a_success_with_restart_policy_always() {
    let ns = Namespace::new("always");
    let path = job(&ns, "again", "  restartPolicy: {type: Always}", "echo done");
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
    ns.wait_for("a second success", || {
        let succeeded = drivers(&ns).iter().filter(|pod| pod["status"]["phase"] == "Succeeded").count();
        (succeeded >= 2).then_some(())
    });
    ns.sparkctl().args(["delete", "again"]).assert().code(0);
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

#[test]
fn exits_1_with_the_last_attempts_reason_when_all_failed() {
    let ns = Namespace::new("exhausted");
    let path = job(&ns, "hopeless", &retries(1), "echo trying; exit 7");
    let junit = file(&ns, "junit.xml");
    let run = ns.submitter().arg("submit").arg(&path).arg("--logs").arg("--junit").arg(&junit).assert().code(1);
    run.stdout("trying\ntrying\n").stderr(contains("hopeless failed: the driver exited with code 7 (attempt 2 of 2)"));
    ns.sparkctl().args(["logs", "hopeless", "--attempt", "1"]).assert().code(0).stdout("trying\n");
    let report = std::fs::read_to_string(junit).expect("a report");
    let last = "<failure type=\"Failed\" message=\"the driver exited with code 7 (attempt 2 of 2)\">";
    let first = "<rerunFailure type=\"Failed\" message=\"attempt 1: the driver exited with code 7\">";
    assert!([last, first].iter().all(|run| report.matches(run).count() == 1), "{report}");
}

#[test]
fn reports_the_attempts_so_far_on_a_timeout() {
    let ns = Namespace::new("left");
    let path = job(&ns, "slow", &retries(6), "exit 7");
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
    ns.wait_for("a failed attempt", || {
        job_object(&ns, "slow").filter(|job| job["status"]["failed"].as_u64().is_some_and(|failed| failed >= 1))
    });
    // The pauses between attempts grow from ten seconds to some minutes: the Job does not end within this time.
    let [result, junit] = ["result.json", "junit.xml"].map(|name| file(&ns, name));
    let mut attach = ns.sparkctl();
    attach.args(["attach", "slow", "--timeout", "15s", "--on-timeout", "delete", "--result-file"]).arg(&result);
    let run = attach.arg("--junit").arg(&junit).assert().code(124);
    let first = "attempt 1  Failed: the driver exited with code 7\n";
    run.stderr(
        is_match(r"timed out: slow was deleted(: Retry: attempt \d of 7 failed: [^\n]*)?\n")
            .expect("a pattern")
            .and(contains(first)),
    );
    let result = std::fs::read_to_string(result).expect("a result");
    let result: Value = serde_json::from_str(&result).expect("JSON");
    assert_eq!((&result["outcome"], &result["attempt"]["earlier"][0]["exitCode"]), (&json!("Deleted"), &json!(7)));
    assert!(result["durations"].is_object(), "{result}");
    let report = std::fs::read_to_string(junit).expect("a report");
    let runs = ["<failure type=\"Deleted\"", "<rerunFailure type=\"Failed\" message=\"attempt 1: "];
    assert!(runs.iter().all(|part| report.contains(part)), "{report}");
}

#[test]
fn reports_an_attempt_whose_pod_is_gone_from_the_jobs_counts() {
    let ns = Namespace::new("gone");
    let [first, last] = ["first", "last"].map(|name| {
        let path = job(&ns, name, &retries(1), "echo trying; exit 7");
        ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
        name
    });
    let failed = |name: &str| -> Vec<String> {
        let is_failed = |pod: &Value| {
            pod["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] == name && pod["status"]["phase"] == "Failed"
        };
        drivers(&ns).iter().filter(|pod| is_failed(pod)).map(|pod| text(&pod["metadata"]["name"])).collect()
    };
    let delete = |pod: &str| cluster().api.delete(&format!("{}/{pod}", ns.core("pods"))).expect("deleting a driver");
    let gone = "attempt 1: its pod is gone; the Job counted 1 failure";
    let earlier = ns.wait_for("a failed attempt", || failed(first).pop());
    delete(&earlier);
    ns.wait_for("its status", || {
        let status = ns.sparkctl().args(["status", first]).assert().code(0);
        String::from_utf8_lossy(&status.get_output().stdout).contains(gone).then_some(())
    });
    let latest = ns.wait_for("the last attempt's end", || {
        let pods = failed(last);
        let is_over =
            job_object(&ns, last)?["status"]["conditions"].as_array()?.iter().any(|at| at["type"] == "Failed");
        pods.get(1).filter(|_| is_over).cloned()
    });
    delete(&latest);

    let junit = file(&ns, "junit.xml");
    let attached = ns.sparkctl().args(["attach", first, "--output", "json", "--junit"]).arg(&junit).assert().code(1);
    let lines = String::from_utf8_lossy(&attached.get_output().stdout).into_owned();
    let result: Value = serde_json::from_str(lines.lines().last().expect("a result")).expect("JSON");
    let attempt = json!({"number": 2, "of": 2, "earlier": [], "gone": {"failed": 1, "succeeded": 0, "lost": 0}});
    assert_eq!(result["attempt"], attempt, "{lines}");
    let report = std::fs::read_to_string(junit).expect("a report");
    assert!(report.contains(&format!("<rerunFailure type=\"Gone\" message=\"{gone}\">")), "{report}");
    ns.sparkctl().args(["describe", first]).assert().code(0).stdout(contains(gone).and(contains("2 of 2")));
    ns.sparkctl().args(["logs", first, "--attempt", "2"]).assert().code(0).stdout("trying\n");
    let missing = ns.sparkctl().args(["logs", first, "--attempt", "1"]).assert();
    missing.failure().stderr(contains("attempt 1 of first: it has no driver pod, or the pod is gone"));

    // The remaining pod of the other application is an earlier attempt's, and not mistaken for the last.
    ns.wait_for("the last driver gone", || (failed(last).len() == 1).then_some(()));
    let status = ns.sparkctl().args(["status", last]).assert().code(0);
    status.stdout(contains("last failed: its Job failed: ").and(contains(
        "(attempt 2 of 2)\n  attempt 1  Failed: the driver exited with code 7\nlast failed at attempt 2 of 2\n",
    )));
}

#[test]
fn the_same_run_key_joins_the_run() {
    let ns = Namespace::new("keyed");
    let path = job(&ns, "nightly", "", "echo once; exit 4");
    let submit = |more: &[&str]| {
        let mut command = ns.sparkctl();
        command.arg("submit").arg(&path).args(["--run-key", "2026-11-24"]).args(more);
        command.assert()
    };
    submit(&["--logs"]).code(1).stdout("once\n");
    // The result is reported again, and nothing runs again.
    submit(&[]).code(1).stderr(contains("joining run").and(contains("the driver exited with code 4")));
    assert_eq!(drivers(&ns).len(), 1);
    submit(&["--conf", "spark.x=2"]).code(3).stderr(contains("another specification: `spark.x=2` is asked for now"));
    assert_eq!(drivers(&ns).len(), 1);
    // Another key is another run.
    ns.sparkctl().arg("submit").arg(&path).args(["--run-key", "2026-11-25"]).assert().code(1);
    assert_eq!(drivers(&ns).len(), 2);
}

#[test]
fn retries_a_submission_refused_by_a_quota() {
    let ns = Namespace::new("refused");
    let quota = ns.add_quota("q", &json!({"services": "0"}));
    let policy =
        "  restartPolicy: {type: OnFailure, onSubmissionFailureRetries: 20, onSubmissionFailureRetryInterval: 2}";
    let path = job(&ns, "patient", policy, "exit 0");
    let mut waiting = ns.command();
    waiting.arg("submit").arg(&path).args(["--overlap", "forbid"]).stderr(Stdio::piped());
    let mut waiting = waiting.spawn().expect("sparkctl");
    let stderr = waiting.stderr.take().expect("stderr");
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("exceeded quota")).expect("a message about the refusal");
    assert!(line.contains("retrying in 2 s (1 of 20)"), "{line}");
    // Between the retries, another run of the name may hold the Lease.
    let leases = cluster().api.items(&ns.group("coordination.k8s.io/v1", "leases"));
    assert!(leases.is_empty(), "{leases:?}");
    cluster().api.delete(&quota).expect("deleting the quota");
    let rest: Vec<String> = lines.collect();
    assert!(waiting.wait().expect("its end").success(), "{rest:?}");
}

#[test]
fn signals_leave_or_delete_the_application() {
    let ns = Namespace::new("signals");
    let path = job(&ns, "lasting", &retries(1), "trap 'exit 143' TERM; sleep 600 & wait");
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
    let attached = |which: Signal, more: &[&str]| {
        let mut command = ns.command();
        command.args(["attach", "lasting"]).args(more);
        let mut command = with_default_signals(&command);
        let mut attached = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("sparkctl");
        let mut stderr = BufReader::new(attached.stderr.take().expect("stderr"));
        let mut text = String::new();
        stderr.read_line(&mut text).expect("a line about the driver");
        signal(&attached, which);
        stderr.read_to_string(&mut text).expect("the rest");
        (attached.wait().expect("its end").code(), text)
    };
    for (which, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (code_of_attach, stderr) = attached(which, &[]);
        assert_eq!(code_of_attach, Some(code), "{stderr}");
        assert!(stderr.contains("lasting is still running in the cluster"), "{stderr}");
    }
    ns.wait_for("the driver still running", || {
        drivers(&ns).iter().any(|pod| pod["status"]["phase"] == "Running").then_some(())
    });
    let (code_of_attach, stderr) = attached(Signal::TERM, &["--on-interrupt", "delete"]);
    assert_eq!(code_of_attach, Some(143), "{stderr}");
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

#[test]
fn the_cluster_enforces_the_timeout_without_a_client() {
    let ns = Namespace::new("deadline");
    let retried = retries(2);
    let carriers = [("pod", ""), ("job", retried.as_str())];
    // The cluster ends them a minute after sparkctl would have done so.
    let limits = ["--timeout", "1s", "--on-timeout", "delete", "--detach"];
    for (name, policy) in carriers {
        let path = job(&ns, name, policy, "trap 'exit 143' TERM; sleep 600 & wait");
        ns.sparkctl().arg("submit").arg(&path).args(limits).assert().code(0);
    }
    ns.wait_for("the ends of both", || {
        let pod = cluster().api.get(&format!("{}/pod-driver", ns.core("pods"))).ok()?;
        let job = job_object(&ns, "job")?;
        let conditions = job["status"]["conditions"].as_array()?;
        let over = conditions.iter().any(|condition| condition["type"] == "Failed");
        (pod["status"]["phase"] == "Failed" && over).then_some(())
    });
    ns.sparkctl().args(["attach", "pod"]).assert().code(1).stderr(contains("deadline exceeded"));
    ns.sparkctl().args(["attach", "job"]).assert().code(1).stderr(contains("deadline exceeded"));
}

#[test]
fn keep_decides_what_remains_of_an_ended_application() {
    let ns = Namespace::new("kept");
    let run = |keep: &str, code: i32| {
        let name = format!("{keep}-{code}");
        let path = job(&ns, &name, "", &format!("exit {code}"));
        let run = ns.sparkctl().arg("submit").arg(&path).args(["--keep", keep]).assert().code(code);
        let stderr = String::from_utf8_lossy(&run.get_output().stderr).into_owned();
        (name, stderr.contains("(--keep)"))
    };
    for (keep, after_success, after_failure) in
        [("always", false, false), ("on-failure", true, false), ("never", true, true)]
    {
        for (code, deleted) in [(0, after_success), (1, after_failure)] {
            let (name, was_deleted) = run(keep, code);
            assert_eq!(was_deleted, deleted, "{name}");
        }
    }
    let kept = ["always-0-driver", "always-1-driver", "on-failure-1-driver"];
    ns.wait_for("only what is kept", || {
        let names: std::collections::BTreeSet<String> =
            drivers(&ns).iter().map(|pod| text(&pod["metadata"]["name"])).collect();
        (names == kept.map(str::to_owned).into()).then_some(())
    });
}

#[test]
fn runs_suspends_and_resumes_a_schedule() {
    let ns = Namespace::new("yearly");
    let path = schedule(&ns, "yearly", "  schedule: 0 0 1 1 *\n  timeZone: Europe/Berlin", "", "echo a year; exit 0");
    ns.submitter().arg("submit").arg(&path).assert().code(0).stderr(contains("created CronJob yearly"));
    ns.sparkctl().args(["run", "yearly", "--from-schedule", "--logs"]).assert().code(0).stdout("a year\n");
    let result = file(&ns, "r.json");
    let detached = ["run", "yearly", "--from-schedule", "--detach", "--progress", "json", "--result-file"];
    let run = ns.sparkctl().args(detached).arg(&result).assert().code(0);
    run.stdout(
        contains("\"outcome\":\"Submitted\"").and(contains(std::fs::read_to_string(&result).expect("a result"))),
    );
    let status = ns.sparkctl().args(["status", "yearly"]).assert().code(0);
    status.stdout(contains("yearly Scheduled: 0 0 1 1 * Europe/Berlin, Allow").and(contains("Succeeded")));
    ns.submitter().args(["suspend", "yearly"]).assert().code(0);
    ns.submitter().args(["suspend", "daily"]).assert().code(6).stderr(contains("schedule daily: not found"));
    ns.sparkctl().arg("schedules").assert().code(0).stdout(contains("Suspended"));
    ns.sparkctl().args(["resume", "yearly"]).assert().code(0);
    ns.sparkctl().arg("schedules").assert().code(0).stdout(contains("Scheduled"));
    let list = |form: &[&str]| ns.submitter().arg("list").args(form).assert().code(0);
    list(&[]).stdout(contains("\n\nNAME    STATE      ACTIVE").and(contains("0 0 1 1 * Europe/Berlin")));
    for form in [&["--output", "json"][..], &["--output", "name"], &["--state", "ended"]] {
        list(form).stdout(contains("Europe/Berlin").not());
    }
    ns.submitter().args(["delete", "yearly"]).assert().code(0).stderr(contains("and all its runs"));
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

fn jobs_of(ns: &Namespace, name: &str) -> Vec<Value> {
    let selector = format!("labelSelector=sparkoperator.k8s.io%2Fapp-name%3D{name}");
    cluster().api.items(&format!("{}?{selector}", ns.group("batch/v1", "jobs")))
}

/// Slow: each run takes a minute.
#[test]
fn schedules_respect_concurrency_policy_and_history_limit() {
    let ns = Namespace::new("minutely");
    let each = |policy: &str| {
        format!("  schedule: '* * * * *'\n  concurrencyPolicy: {policy}\n  successfulRunHistoryLimit: 1")
    };
    let volcano = "  batchScheduler: volcano";
    let forbid = schedule(&ns, "forbid", &each("Forbid"), volcano, "sleep 65");
    let replace = schedule(&ns, "replace", &each("Replace"), volcano, "trap 'exit 143' TERM; sleep 600 & wait");
    for path in [forbid, replace] {
        ns.sparkctl().arg("submit").arg(&path).assert().code(0);
    }
    let mut seen = [std::collections::BTreeSet::new(), std::collections::BTreeSet::new()];
    let start = std::time::Instant::now();
    while seen.iter().any(|runs| runs.len() < 3) {
        assert!(start.elapsed() < 3 * PATIENCE, "runs seen: {seen:?}");
        for (name, seen) in ["forbid", "replace"].into_iter().zip(&mut seen) {
            let jobs = jobs_of(&ns, name);
            let active = jobs.iter().filter(|job| {
                job["status"]["active"].as_i64().unwrap_or(0) > 0 && job["metadata"]["deletionTimestamp"].is_null()
            });
            assert!(active.count() <= 1, "{name}: two runs at once");
            seen.extend(jobs.iter().map(|job| text(&job["metadata"]["name"])));
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    ns.wait_for("its history cut to one", || {
        let succeeded = jobs_of(&ns, "forbid").iter().filter(|job| job["status"]["succeeded"] == 1).count();
        (succeeded == 1).then_some(())
    });
    ns.wait_for("the replaced runs gone", || (jobs_of(&ns, "replace").len() == 1).then_some(()));
    ns.sparkctl().args(["delete", "forbid", "replace"]).assert().code(0);
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

#[test]
fn gc_deletes_orphans_and_nothing_else() {
    let ns = Namespace::new("litter");
    let path = job(&ns, "alive", &retries(1), "sleep 300");
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
    let alive = ns.left();
    // A submission killed before its release (after carrier, Service and ConfigMap), and the leftover of a deleted application.
    let proxy = Proxy::start(|request| if request.change == Some(3) { Fate::Killed } else { Fate::Passed });
    let dead = job(&ns, "dead", "", "exit 0");
    let mut command = ns.command();
    command.env("KUBECONFIG", proxy.kubeconfig(&ns)).arg("submit").arg(&dead).arg("--detach");
    assert!(proxy.run(command.stdout(Stdio::null()).stderr(Stdio::null())).status.code().is_none());
    let mut config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost"}});
    config_map["metadata"]["labels"] = json!({"spark-app-selector": "spark-gone", "spark-role": "executor"});
    cluster().api.create(&ns.core("configmaps"), &config_map).expect("a config map");

    let all =
        |ns: &Namespace| ns.left().into_iter().filter(|name| !name.starts_with("pods/alive-")).collect::<Vec<_>>();
    let before = all(&ns);
    let dry = ns.sparkctl().args(["gc", "--dry-run", "--older-than", "0s"]).assert().code(0);
    dry.stdout(contains("would delete ConfigMap").and(contains("/lost: its application spark-gone is gone")));
    assert_eq!(all(&ns), before);
    ns.sparkctl().args(["gc"]).assert().code(0).stderr(contains("nothing to clean up\n"));
    let half = ns.submitter().args(["gc"]).assert().code(0);
    half.stderr(contains("listing secrets").and(contains("nothing to clean up in the resources you can list")));
    ns.sparkctl().args(["gc", "--older-than", "0s"]).assert().code(0).stdout(contains("deleted Pod"));
    let alive: Vec<String> = alive.into_iter().filter(|name| !name.starts_with("pods/")).collect();
    ns.wait_for("only the live application", || (all(&ns) == alive).then_some(()));

    ns.sparkctl().arg("submit").arg(job(&ns, "done", "", "exit 0")).assert().code(0);
    ns.wait_for_phase("done-driver", "Succeeded");
    let gc = |ended: &str| ns.sparkctl().args(["gc", "--older-than", "0s", "--ended", ended]).assert().code(0);
    gc("7d").stderr(contains("nothing to clean up"));
    gc("0s").stdout(contains("done-driver: it ended"));
    ns.wait_for("only the live application", || (all(&ns) == alive).then_some(()));
}
