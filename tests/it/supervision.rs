//! Applications that the cluster supervises: retried, expired, submitted again, with sparkctl gone or killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use http::Method;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::{Namespace, cluster, text};

/// A job whose driver is a shell of a small image: `policy` is put into its specification.
pub fn job(ns: &Namespace, name: &str, policy: &str, script: &str) -> PathBuf {
    let image = cluster().variable("BUSYBOX_IMAGE");
    let file = format!(
        r#"
apiVersion: sparkoperator.k8s.io/v1beta2
kind: SparkApplication
metadata: {{name: {name}}}
spec:
  type: Python
  mode: cluster
  image: {image}
  sparkVersion: "4.1.4"
  mainApplicationFile: local:///nothing.py
{policy}
  driver:
    coreRequest: 10m
    memory: 16m
    memoryOverhead: 16m
    serviceAccount: yippee-spark
    template:
      spec:
        terminationGracePeriodSeconds: 2
        containers:
          - name: spark-kubernetes-driver
            command: [/bin/sh, -c, {script:?}]
"#
    );
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}.yaml", ns.name));
    std::fs::write(&path, file).expect("a job file");
    path
}

fn retries(count: u32) -> String {
    format!("  restartPolicy: {{type: OnFailure, onFailureRetries: {count}}}")
}

fn drivers(ns: &Namespace) -> Vec<Value> {
    let mut pods = cluster().api.items(&format!("{}?labelSelector=spark-role%3Ddriver", ns.core("pods")));
    pods.sort_by_key(|pod| text(&pod["metadata"]["creationTimestamp"]));
    pods
}

fn job_object(ns: &Namespace, name: &str) -> Option<Value> {
    cluster().api.get(&format!("{}/{name}", ns.group("batch/v1", "jobs"))).ok()
}

#[test]
fn a_driver_that_fails_twice_succeeds_at_its_third_attempt_with_the_client_gone() {
    let ns = Namespace::new("retried");
    // Attempts share nothing but the cluster: the hand of this test tells the third by a ConfigMap.
    let script = "test -f /turn/third && echo done at last && exit 0; echo not yet; exit 3";
    let policy = "  restartPolicy: {type: OnFailure, onFailureRetries: 3}\n  timeToLiveSeconds: 20\n  \
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

    // Who comes back sees the end of it all, and all attempts.
    let attached = ns.sparkctl().args(["attach", "third", "--output", "json", "--logs"]).assert().code(0);
    let lines = String::from_utf8(attached.get_output().stdout.clone()).expect("text");
    let result: Value = serde_json::from_str(lines.lines().last().expect("a result")).expect("JSON");
    assert_eq!(result["outcome"], "Succeeded", "{lines}");
    assert_eq!(result["attempt"]["number"], 3, "{lines}");
    let earlier = result["attempt"]["earlier"].as_array().expect("attempts");
    assert!(earlier.iter().all(|attempt| attempt["reason"] == "the driver exited with code 3"), "{lines}");
    assert_eq!(earlier.len(), 2);
    assert!(lines.contains("done at last"), "{lines}");

    // Its time to live takes all of it.
    ns.wait_for("nothing", || (ns.left() == ["configmaps/turn"]).then_some(()));
}

#[test]
fn a_driver_that_was_deleted_is_replaced_and_not_counted() {
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
    let told = running.wait_with_output().expect("its end");
    let stderr = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(5), "{stderr}");
    assert!(stderr.contains("attempt 1 of 2 was lost"), "{stderr}");
}

#[test]
fn an_application_that_always_runs_again_runs_after_a_success() {
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
fn all_attempts_failed_is_exit_code_1_with_the_last_ones_reason() {
    let ns = Namespace::new("exhausted");
    let path = job(&ns, "hopeless", &retries(1), "echo trying; exit 7");
    let run = ns.submitter().arg("submit").arg(&path).arg("--logs").assert().code(1);
    run.stdout("trying\ntrying\n").stderr(contains("hopeless failed: the driver exited with code 7 (attempt 2 of 2)"));
    ns.sparkctl().args(["logs", "hopeless", "--attempt", "1"]).assert().code(0).stdout("trying\n");
}

#[test]
fn the_same_key_is_the_same_run() {
    let ns = Namespace::new("keyed");
    let path = job(&ns, "nightly", "", "echo once; exit 4");
    let submit = |more: &[&str]| {
        let mut command = ns.sparkctl();
        command.arg("submit").arg(&path).args(["--run-key", "2026-11-24"]).args(more);
        command.assert()
    };
    submit(&["--logs"]).code(1).stdout("once\n");
    // Its end is told again, and it does not run again.
    submit(&[]).code(1).stderr(contains("is joined").and(contains("the driver exited with code 4")));
    assert_eq!(drivers(&ns).len(), 1);
    submit(&["--conf", "spark.x=2"]).code(3).stderr(contains("another specification: `spark.x=2` is asked for now"));
    assert_eq!(drivers(&ns).len(), 1);
    // Another key is another run, beside it.
    ns.sparkctl().arg("submit").arg(&path).args(["--run-key", "2026-11-25"]).assert().code(1);
    assert_eq!(drivers(&ns).len(), 2);
}

#[test]
fn a_submission_that_was_refused_for_want_of_room_is_tried_again() {
    let ns = Namespace::new("refused");
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {"services": "0"}}});
    let quotas = ns.core("resourcequotas");
    cluster().api.create(&quotas, &quota).expect("a quota");
    ns.wait_for("the quota in force", || {
        cluster().api.get(&format!("{quotas}/q")).ok().filter(|quota| quota["status"]["hard"]["services"] == "0")
    });
    let policy =
        "  restartPolicy: {type: OnFailure, onSubmissionFailureRetries: 20, onSubmissionFailureRetryInterval: 2}";
    let path = job(&ns, "patient", policy, "exit 0");
    let mut waiting = ns.command();
    waiting.arg("submit").arg(&path).args(["--overlap", "forbid"]).stderr(Stdio::piped());
    let mut waiting = waiting.spawn().expect("sparkctl");
    let told = waiting.stderr.take().expect("stderr");
    let mut lines = BufReader::new(told).lines().map_while(Result::ok);
    let line = lines.find(|line| line.contains("exceeded quota")).expect("a word of the refusal");
    assert!(line.contains("submitting again in 2 s (1 of 20)"), "{line}");
    // Meanwhile another run of the name may have its turn.
    let leases = cluster().api.items(&ns.group("coordination.k8s.io/v1", "leases"));
    assert!(leases.is_empty(), "{leases:?}");
    cluster().api.delete(&format!("{quotas}/q")).expect("deleting the quota");
    let rest: Vec<String> = lines.collect();
    assert!(waiting.wait().expect("its end").success(), "{rest:?}");
}

#[test]
fn of_two_wrappers_at_the_same_second_one_runs() {
    let ns = Namespace::new("overlap");
    let path = job(&ns, "hourly", "", "trap 'exit 143' TERM; sleep 12 & wait");
    let submit = |more: &[&str]| {
        let mut command = ns.command();
        command.arg("submit").arg(&path).args(more).stderr(Stdio::piped()).stdout(Stdio::null());
        command.spawn().expect("sparkctl")
    };
    let hosts = [submit(&["--overlap", "forbid"]), submit(&["--overlap", "forbid"])];
    let mut codes = hosts.map(|host| host.wait_with_output().expect("its end").status.code());
    codes.sort_unstable();
    assert_eq!(codes, [Some(0), Some(9)]);

    // What has ended is not in the way, and what runs is.
    let mut submitter = ns.submitter();
    submitter.arg("submit").arg(&path).args(["--overlap", "forbid", "--detach"]).assert().code(0);
    let skipped = ns.sparkctl().arg("submit").arg(&path).args(["--overlap", "forbid", "--skip-ok"]).assert().code(0);
    skipped.stderr(contains("hourly is skipped: an earlier run goes on (driver pod hourly-"));
    ns.sparkctl().arg("submit").arg(&path).args(["--overlap", "queue", "--queue-timeout", "1s"]).assert().code(9);
    let replace = ["--overlap", "replace", "--keep", "on-failure"];
    let replaced = ns.sparkctl().arg("submit").arg(&path).args(replace).assert().code(0);
    replaced.stderr(contains("hourly replaces an earlier run").and(contains("--keep says so")));
    // The first was to be kept, the second was replaced, the third was not to be kept.
    ns.wait_for("the first one alone", || (drivers(&ns).len() == 1).then_some(()));
}

#[test]
fn signals_leave_the_application_or_delete_it_as_asked() {
    use rustix::process::{Pid, Signal, kill_process};
    let ns = Namespace::new("signals");
    let path = job(&ns, "lasting", &retries(1), "trap 'exit 143' TERM; sleep 600 & wait");
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
    let attached = |signal: Signal, more: &[&str]| {
        let mut command = ns.command();
        command.args(["attach", "lasting"]).args(more).stderr(Stdio::piped()).stdout(Stdio::null());
        let mut attached = command.spawn().expect("sparkctl");
        let mut told = BufReader::new(attached.stderr.take().expect("stderr"));
        let mut text = String::new();
        told.read_line(&mut text).expect("a word of the driver");
        kill_process(Pid::from_child(&attached), signal).expect("a signal");
        told.read_to_string(&mut text).expect("the rest");
        (attached.wait().expect("its end").code(), text)
    };
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (left_with, told) = attached(signal, &[]);
        assert_eq!(left_with, Some(code), "{told}");
        assert!(told.contains("lasting runs on in the cluster"), "{told}");
    }
    ns.wait_for("the driver still running", || {
        drivers(&ns).iter().any(|pod| pod["status"]["phase"] == "Running").then_some(())
    });
    let (left_with, told) = attached(Signal::TERM, &["--on-interrupt", "delete"]);
    assert_eq!(left_with, Some(143), "{told}");
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

/// The same job by the clock.
fn schedule(ns: &Namespace, name: &str, schedule: &str, policy: &str, script: &str) -> PathBuf {
    let path = job(ns, name, policy, script);
    let job = std::fs::read_to_string(&path).expect("the job file");
    let (head, spec) = job.split_once("spec:\n").expect("a specification");
    let head = head.replace("kind: SparkApplication", "kind: ScheduledSparkApplication");
    let spec = spec.replace('\n', "\n  ");
    std::fs::write(&path, format!("{head}spec:\n{schedule}\n  template:\n  {spec}\n")).expect("a job file");
    path
}

#[test]
fn a_schedule_is_run_by_hand_suspended_and_resumed() {
    let ns = Namespace::new("yearly");
    let path = schedule(&ns, "yearly", "  schedule: 0 0 1 1 *\n  timeZone: Europe/Berlin", "", "echo a year; exit 0");
    ns.submitter().arg("submit").arg(&path).assert().code(0).stderr(contains("created CronJob yearly"));
    ns.sparkctl().args(["run", "yearly", "--from-schedule", "--logs"]).assert().code(0).stdout("a year\n");
    let told = ns.sparkctl().args(["status", "yearly"]).assert().code(0);
    told.stdout(contains("yearly Scheduled: 0 0 1 1 * Europe/Berlin, Allow").and(contains("Succeeded")));
    ns.submitter().args(["suspend", "yearly"]).assert().code(0);
    ns.sparkctl().arg("schedules").assert().code(0).stdout(contains("Suspended"));
    ns.sparkctl().args(["resume", "yearly"]).assert().code(0);
    ns.sparkctl().arg("schedules").assert().code(0).stdout(contains("Scheduled"));
    ns.submitter().args(["delete", "yearly"]).assert().code(0).stderr(contains("with it all its runs"));
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

fn jobs_of(ns: &Namespace, name: &str) -> Vec<Value> {
    let selector = format!("labelSelector=sparkoperator.k8s.io%2Fapp-name%3D{name}");
    cluster().api.items(&format!("{}?{selector}", ns.group("batch/v1", "jobs")))
}

/// Slow, for the clock's sake: a minute for each run.
#[test]
fn schedules_fire_by_the_minute_one_at_a_time_and_keep_their_history() {
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
        assert!(start.elapsed().as_secs() < 330, "runs seen: {seen:?}");
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
    assert_eq!(jobs_of(&ns, "replace").len(), 1, "a replaced run is gone");
    ns.sparkctl().args(["delete", "forbid", "replace"]).assert().code(0);
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

#[test]
fn what_nobody_owns_is_found_and_taken_away_and_all_else_is_left() {
    let ns = Namespace::new("litter");
    let path = job(&ns, "alive", &retries(1), "sleep 300");
    ns.sparkctl().arg("submit").arg(&path).arg("--detach").assert().code(0);
    let alive = ns.left();
    // A submission that was killed before its release (carrier, Service, ConfigMap, then that), and what an application left that is gone.
    let proxy = Proxy::start(Kill { request: 3, after: false });
    let dead = job(&ns, "dead", "", "exit 0");
    let mut command = ns.command();
    command.env("KUBECONFIG", proxy.kubeconfig(&ns)).arg("submit").arg(&dead).arg("--detach");
    proxy.run(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sparkctl"));
    let mut config_map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "lost"}});
    config_map["metadata"]["labels"] = json!({"spark-app-selector": "spark-gone", "spark-role": "executor"});
    cluster().api.create(&ns.core("configmaps"), &config_map).expect("a config map");

    let all =
        |ns: &Namespace| ns.left().into_iter().filter(|name| !name.starts_with("pods/alive-")).collect::<Vec<_>>();
    let before = all(&ns);
    let dry = ns.sparkctl().args(["gc", "--dry-run", "--older-than", "0s"]).assert().code(0);
    dry.stdout(contains("would delete ConfigMap").and(contains("/lost: its application spark-gone is gone")));
    assert_eq!(all(&ns), before);
    ns.sparkctl().args(["gc"]).assert().code(0).stderr(contains("nothing lies about"));
    ns.sparkctl().args(["gc", "--older-than", "0s"]).assert().code(0).stdout(contains("deleted Pod"));
    let alive: Vec<String> = alive.into_iter().filter(|name| !name.starts_with("pods/")).collect();
    ns.wait_for("what lives alone", || (all(&ns) == alive).then_some(()));

    ns.sparkctl().arg("submit").arg(job(&ns, "done", "", "exit 0")).assert().code(0);
    ns.wait_for_phase("done-driver", "Succeeded");
    let gc = |ended: &str| ns.sparkctl().args(["gc", "--older-than", "0s", "--ended", ended]).assert().code(0);
    gc("7d").stderr(contains("nothing lies about"));
    gc("0s").stdout(contains("done-driver: it ended"));
    ns.wait_for("what lives alone", || (all(&ns) == alive).then_some(()));
}

/// When a sparkctl is killed.
#[derive(Clone, Copy, Debug)]
struct Kill {
    /// At which request that changes something.
    request: usize,
    /// Whether the API server has answered it by then.
    after: bool,
}

#[test]
fn killed_at_any_request_and_submitted_again_it_runs_exactly_once() {
    let carriers =
        [("pods", ""), ("jobs", "  restartPolicy: {type: OnFailure, onFailureRetries: 2}"), ("cronjobs", "")];
    std::thread::scope(|scope| {
        for (carrier, policy) in carriers {
            scope.spawn(move || killed_at_any_request(carrier, policy));
        }
    });
}

fn killed_at_any_request(carrier: &str, policy: &str) {
    let ns = Namespace::new(&format!("killed-{carrier}"));
    let policy = format!("{policy}\n  batchScheduler: volcano");
    let mut request = 0;
    loop {
        let mut reached = false;
        for after in [false, true] {
            let kill = Kill { request, after };
            let name = format!("once-{request}-{}", if after { "after" } else { "before" });
            let path = match carrier {
                "cronjobs" => schedule(&ns, &name, "  schedule: 0 0 1 1 *", &policy, "exit 0"),
                _ => job(&ns, &name, &policy, "exit 0"),
            };
            let key = ["--run-key", "k"];
            let proxy = Proxy::start(kill);
            let mut command = ns.command();
            command.env("KUBECONFIG", proxy.kubeconfig(&ns)).arg("submit").arg(&path).args(key).arg("--detach");
            reached |= proxy.run(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sparkctl"));
            ns.sparkctl().arg("submit").arg(&path).args(key).assert().code(0);

            let path = match carrier {
                "pods" => ns.core("pods"),
                plural => ns.group("batch/v1", plural),
            };
            let its = |item: &Value| item["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] == name.as_str();
            let carriers: Vec<Value> = cluster().api.items(&path).into_iter().filter(its).collect();
            assert_eq!(carriers.len(), 1, "{kill:?}: {carrier}");
            assert_ne!(carriers[0]["spec"]["suspend"], true, "{kill:?}: {carrier}");
            let ran = drivers(&ns).iter().filter(|pod| its(pod)).count();
            assert_eq!(ran, usize::from(carrier != "cronjobs"), "{kill:?}: {carrier}");
            ns.sparkctl().args(["delete", &name]).assert().code(0);
        }
        if !reached {
            break;
        }
        request += 1;
    }
    // A carrier, three companions, a release.
    assert_eq!(request, 5, "requests of a submission");
    ns.wait_for("nothing", || ns.left().is_empty().then_some(()));
}

/// Passes requests on to the API server, and kills their sender at one of them.
struct Proxy {
    listener: TcpListener,
    kill: Kill,
}

impl Proxy {
    fn start(kill: Kill) -> Proxy {
        Proxy { listener: TcpListener::bind("127.0.0.1:0").expect("a port"), kill }
    }

    /// Writes a kubeconfig that leads here.
    fn kubeconfig(&self, ns: &Namespace) -> PathBuf {
        let address = self.listener.local_addr().expect("an address");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "kill",
            "clusters": [{"name": "kill", "cluster": {"server": format!("http://{address}")}}],
            "users": [{"name": "kill", "user": {}}],
            "contexts": [{"name": "kill", "context": {"cluster": "kill", "user": "kill"}}],
        });
        let path =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{}.kubeconfig", ns.name, address.port()));
        std::fs::write(&path, config.to_string()).expect("a kubeconfig");
        path
    }

    /// Serves a sparkctl until its end. Returns whether it was killed.
    fn run(self, child: Child) -> bool {
        self.listener.set_nonblocking(true).expect("a listener");
        let child = Arc::new(Mutex::new(child));
        let changes = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            loop {
                let ended = child.lock().expect("a lock").try_wait().expect("its state");
                if let Some(status) = ended {
                    return status.code().is_none();
                }
                let Ok((socket, _)) = self.listener.accept() else {
                    std::thread::sleep(std::time::Duration::from_millis(2));
                    continue;
                };
                let (child, changes, kill) = (child.clone(), &changes, self.kill);
                scope.spawn(move || serve(socket, &child, changes, kill));
            }
        })
    }
}

/// One request for each connection; a connection of a process that was killed ends as it may.
fn serve(mut socket: TcpStream, child: &Mutex<Child>, changes: &AtomicUsize, kill: Kill) -> Option<()> {
    socket.set_nonblocking(false).ok()?;
    let mut reader = BufReader::new(socket.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let (mut length, mut content_type) = (0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok()?,
            "content-type" => content_type = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (method, path): (Method, _) = (words.next()?.parse().ok()?, words.next()?);
    let is_it = method != Method::GET && changes.fetch_add(1, Ordering::SeqCst) == kill.request;
    let end = || drop(child.lock().expect("a lock").kill());
    if is_it && !kill.after {
        end();
        return None;
    }
    let (code, answer) = cluster().api.pass_on(method, path, &content_type, body);
    if is_it {
        end();
        return None;
    }
    let head = format!(
        "HTTP/1.1 {code} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        answer.len()
    );
    socket.write_all(head.as_bytes()).ok()?;
    socket.write_all(&answer).ok()
}
