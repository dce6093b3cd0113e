//! Checks that the outcome is right, or reported as unknown, whatever breaks between sparkctl and the API server.
//!
//! The seed of a run determines the fault, when it begins, how long it lasts, and how the application ends.
//! `SPARKCTL_FAULT_RUNS` is the number of runs (24 by default), `SPARKCTL_FAULT_SEED` the first seed. To repeat a single
//! run: `SPARKCTL_FAULT_RUNS=1 SPARKCTL_FAULT_SEED=417`.

#[path = "../support/mod.rs"]
mod support;

mod interruptions;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use tokio::runtime::Runtime;

use support::faulty_proxy::{Deed, FAULTS, Fault, MOMENTS, Moment, Proxy, Script};
use support::jobs::short_job;
use support::{Namespace, cluster};

/// How many runs to make at the same time.
const PARALLEL: usize = 8;
/// More requests than these for an application of a few seconds mean polling.
const MANY_REQUESTS: u64 = 100;
/// Watches of two seconds are renewed as long as the application runs, which takes longer on a busy machine: more requests
/// per second than these, after the first seconds, mean polling.
const REQUESTS_A_SECOND: u64 = 3;
const FEW_SECONDS: u64 = 20;
/// The log of a driver that is left alone.
const LINES: [&str; 4] = ["line 1", "line 2", "line 3", "line 4"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Success,
    Failure,
    NoImage,
    Deleted,
    Replaced,
}

const ENDINGS: [Ending; 5] = [Ending::Success, Ending::Failure, Ending::NoImage, Ending::Deleted, Ending::Replaced];

#[derive(Clone, Copy, Debug)]
struct Case {
    seed: u64,
    ending: Ending,
    /// Whether a Job creates the driver pod.
    of_job: bool,
    script: Script,
}

impl Case {
    fn of(seed: u64) -> Case {
        // Consecutive seeds combine each fault with each moment; the rest is random.
        let number = usize::try_from(seed).unwrap_or_default();
        let mut rng = Rng::with_seed(seed);
        let ending = ENDINGS[rng.usize(..ENDINGS.len())];
        let deed = match ending {
            Ending::Deleted => Deed::Delete,
            Ending::Replaced => Deed::Replace,
            Ending::Success | Ending::Failure | Ending::NoImage => Deed::Nothing,
        };
        let script = Script {
            fault: FAULTS[number % FAULTS.len()],
            moment: MOMENTS[number / FAULTS.len() % MOMENTS.len()],
            lasts: Duration::from_millis(rng.u64(100..4000)),
            deed,
        };
        // A Job would replace a deleted driver.
        let of_job = deed == Deed::Nothing && rng.bool();
        Case { seed, ending, of_job, script }
    }

    /// The exit codes that are right.
    fn expected(&self, is_deed_done: bool) -> Vec<i32> {
        let Script { fault, moment, .. } = self.script;
        let mut codes = match self.ending {
            Ending::Failure => vec![1],
            Ending::NoImage => vec![4],
            // A driver whose end was not seen may not be lost.
            Ending::Deleted | Ending::Replaced if is_deed_done => vec![5, 6],
            Ending::Success | Ending::Deleted | Ending::Replaced => vec![0],
        };
        if moment <= Moment::Release && fault == Fault::Unauthorized {
            codes.push(3);
        }
        codes
    }

    fn run(&self, runtime: &Runtime, client: &Client, ns: &Namespace) -> Result<Duration, String> {
        let start = Instant::now();
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let proxy = runtime.block_on(Proxy::start(client.clone(), self.script));
        let name = format!("run-{}", self.seed);
        let file = folder.join(format!("{name}-{}.yaml", ns.name));
        std::fs::write(&file, self.job(&name)).expect("a job file");
        let kubeconfig = proxy.kubeconfig(folder);
        let output = ns
            .sparkctl()
            .env("KUBECONFIG", &kubeconfig)
            .arg("submit")
            .arg(&file)
            .args(["--output", "json", "--logs", "--watch-timeout", "2s"])
            // A node under load may take long to mount volumes.
            .args(["--image-pull-timeout", if self.ending == Ending::NoImage { "1s" } else { "9m" }])
            .timeout(Duration::from_secs(600))
            .output()
            .expect("sparkctl");
        let report = || {
            format!(
                "{self:?}\n{}\n--- stdout\n{}\n--- stderr\n{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        };
        let code = output.status.code().ok_or_else(|| format!("it hung: {}", report()))?;
        let expected = self.expected(proxy.is_deed_done());
        if !expected.contains(&code) {
            return Err(format!("exit code {code}, expected {expected:?}: {}", report()));
        }
        let later = start.elapsed().as_secs().saturating_sub(FEW_SECONDS);
        if proxy.requests() > MANY_REQUESTS + REQUESTS_A_SECOND * later {
            return Err(format!("{} requests: {}", proxy.requests(), report()));
        }
        self.judge(code, &String::from_utf8_lossy(&output.stdout)).map_err(|why| format!("{why}: {}", report()))?;
        self.clean_up(ns, &name, code)?;
        let _ = (std::fs::remove_file(file), std::fs::remove_file(kubeconfig));
        Ok(start.elapsed())
    }

    /// Checks that the last line is the result, and that no line of the log is lost or repeated.
    fn judge(&self, code: i32, stdout: &str) -> Result<(), String> {
        let lines: Vec<Value> =
            stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>().map_err(|e| format!("not JSON: {e}"))?;
        if code == 3 {
            return Ok(());
        }
        let last = lines.last().ok_or("no output")?;
        if last["kind"] != "result" || last["exitCode"] != code {
            return Err("the last line is not the result".into());
        }
        let log: Vec<&str> =
            lines.iter().filter(|line| line["kind"] == "log").filter_map(|l| l["line"].as_str()).collect();
        if matches!(self.ending, Ending::Success | Ending::Failure) && log != LINES {
            return Err(format!("its log is {log:?}"));
        }
        Ok(())
    }

    /// Checks that a refused submission leaves nothing running, and deletes the application.
    fn clean_up(&self, ns: &Namespace, name: &str, code: i32) -> Result<(), String> {
        if self.of_job {
            let jobs = cluster().api.items(&ns.group("batch/v1", "jobs"));
            let of_name = |job: &&Value| job["metadata"]["labels"]["sparkoperator.k8s.io/app-name"] == name;
            let job = jobs.iter().find(of_name);
            if code == 3 && job.is_some_and(|job| job["spec"]["suspend"] != true) {
                return Err(format!("{self:?}: refused, and its Job runs"));
            }
            if let Some(job) = job.and_then(|job| job["metadata"]["name"].as_str()) {
                let path = format!("{}/{job}?propagationPolicy=Background", ns.group("batch/v1", "jobs"));
                let _ = cluster().api.delete(&path);
            }
            return Ok(());
        }
        let path = format!("{}/{name}-driver", ns.core("pods"));
        let pod = cluster().api.get(&path).ok();
        let gated = |pod: &Value| pod["spec"]["schedulingGates"].as_array().is_some_and(|gates| !gates.is_empty());
        if code == 3 && pod.as_ref().is_some_and(|pod| !gated(pod)) {
            return Err(format!("{self:?}: refused, and its driver runs"));
        }
        let _ = cluster().api.delete(&format!("{path}?gracePeriodSeconds=0"));
        Ok(())
    }

    fn job(&self, name: &str) -> String {
        let image = match self.ending {
            Ending::NoImage => "sparkctl.test/no-such-image:1",
            _ => cluster().variable("BUSYBOX_IMAGE"),
        };
        let wait = if self.script.deed == Deed::Nothing { 0 } else { 15 };
        let code = i32::from(self.ending == Ending::Failure) * 3;
        let lines = LINES.map(|line| format!("echo {line}; sleep 0.3;")).concat();
        let job = short_job(name, image, &format!("{lines} sleep {wait}; exit {code}"));
        let mut job: Value = serde_json::from_str(&job).expect("a job");
        if self.of_job {
            job["spec"]["timeToLiveSeconds"] = 600.into();
        }
        job.to_string()
    }
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |value| value.parse().expect(variable))
}

/// Makes the tests of this program run one after another: a restart of the API server affects all of them.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A client with the rights of an administrator that never retries, for a proxy.
fn client(runtime: &Runtime) -> Client {
    runtime.block_on(async {
        let kubeconfig = Kubeconfig::read_from(&cluster().kubeconfig).expect("the tests' kubeconfig");
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
        let mut config = config.expect("the tests' kubeconfig");
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    })
}

#[test]
fn reports_the_right_outcome_or_unknown_whatever_breaks() {
    let _alone = alone();
    let (runs, first) = (number("SPARKCTL_FAULT_RUNS", 24), number("SPARKCTL_FAULT_SEED", 0));
    let ns = Namespace::new("faults");
    let runtime = Runtime::new().expect("a runtime");
    let client = client(&runtime);
    let next = AtomicU64::new(first);
    let failures = Mutex::new(BTreeMap::new());
    let took = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..PARALLEL {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs {
                        return;
                    }
                    match Case::of(seed).run(&runtime, &client, &ns) {
                        Ok(time) => took.lock().expect("a lock").push(time),
                        Err(why) => drop(failures.lock().expect("a lock").insert(seed, why)),
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("a lock");
    let mut took = took.into_inner().expect("a lock");
    took.sort();
    let middle = took.get(took.len() / 2).copied().unwrap_or_default();
    eprintln!("{} of {runs} runs right, median {:.1} s", took.len(), middle.as_secs_f64());
    let report: Vec<String> = failures.iter().map(|(seed, why)| format!("== seed {seed}: {why}")).collect();
    assert!(report.is_empty(), "{} of {runs} runs went wrong:\n{}", report.len(), report.join("\n"));
}
