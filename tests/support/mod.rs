//! Shared by the tests: the cluster, a namespace for each test, the binary.
//!
//! The cluster is that of `tests/cluster`, which is started unless it is running, or another one that
//! `SPARKCTL_TEST_KUBECONFIG` selects. `SPARKCTL_TEST_IMAGE` is then a Spark image that it can pull.

#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod api;
pub mod container;
pub mod faulty_proxy;
pub mod jars;
pub mod jobs;
pub mod local;
pub mod needs;
pub mod node;
pub mod proxy;
pub mod running;
pub mod scheduling;
pub mod slot;
pub mod stores;
pub mod terminal;
pub mod transcript;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use api::Api;
use needs::{announce, cluster_program, variables};

/// Longer than any command of a test takes on a busy machine; one that hangs is ended.
const RUN: Duration = Duration::from_secs(600);
/// Longer than any condition that a test waits for takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(300);

/// The cluster that the tests run on.
pub struct Cluster {
    /// What `tests/cluster` printed; empty where the cluster is another.
    variables: BTreeMap<String, String>,
    pub kubeconfig: PathBuf,
    pub api: Api,
}

/// The cluster, started by the first test that needs it.
///
/// # Panics
/// It cannot be started: tests that need it are not skipped.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let variables = match std::env::var("SPARKCTL_TEST_KUBECONFIG") {
            Ok(path) => BTreeMap::from([("KUBECONFIG".to_owned(), path)]),
            Err(_) => {
                announce("starting the test cluster unless it is up; the first time it is built, which takes a while");
                variables(&cluster_program(&["up"]))
            }
        };
        let kubeconfig = PathBuf::from(&variables["KUBECONFIG"]);
        let api = Api::connect(&kubeconfig);
        api.apply_file("k8s/priority-classes.yaml", None);
        Cluster { variables, kubeconfig, api }
    })
}

/// The checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Cluster {
    /// A variable that `tests/cluster up` prints.
    ///
    /// # Panics
    /// The cluster is another one, which does not have it.
    pub fn variable(&self, name: &str) -> &str {
        self.variables.get(name).unwrap_or_else(|| panic!("{name}: this test needs the cluster of tests/cluster"))
    }

    /// An image of the current Spark.
    pub fn spark_image(&self) -> String {
        std::env::var("SPARKCTL_TEST_IMAGE").unwrap_or_else(|_| self.variable("SPARK_IMAGE").to_owned())
    }

    /// The name of an image that few tests need, built now unless it exists: of a Spark version (`3.5`), of one with R
    /// (`4.1-r`), or the `seed`.
    pub fn image(&self, which: &'static str) -> String {
        static MADE: Mutex<BTreeMap<&str, String>> = Mutex::new(BTreeMap::new());
        self.variable("API_SERVER");
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(which).or_insert_with(|| cluster_program(&["image", which]).trim().to_owned()).clone()
    }

    /// Runs a command of the cluster program: `restart kube-apiserver`, `pause volcano-scheduler`, …
    pub fn control(&self, arguments: &[&str]) {
        self.variable("API_SERVER");
        cluster_program(arguments);
    }

    /// The events of the audit log for a namespace, in order.
    pub fn audit(&self, namespace: &str) -> Vec<Value> {
        let log = std::fs::read_to_string(self.variable("AUDIT_LOG")).expect("the audit log");
        let of_namespace = |event: &Value| event["objectRef"]["namespace"] == namespace;
        log.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(of_namespace).collect()
    }
}

/// A namespace of a test's own, with the driver's service account. It is deleted when the test ends.
pub struct Namespace {
    pub name: String,
}

impl Namespace {
    pub fn new(test: &str) -> Namespace {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{test}-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let api = &cluster().api;
        api.create("/api/v1/namespaces", &json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
            .expect("creating a namespace");
        api.apply_file("k8s/driver-rbac.yaml", Some(&name));
        Namespace { name }
    }

    /// Path of a collection of the core group in it.
    pub fn core(&self, plural: &str) -> String {
        format!("/api/v1/namespaces/{}/{plural}", self.name)
    }

    /// Path of a collection of another group.
    pub fn group(&self, version: &str, plural: &str) -> String {
        format!("/apis/{version}/namespaces/{}/{plural}", self.name)
    }

    pub fn pod(&self, name: &str) -> Value {
        cluster().api.get(&format!("{}/{name}", self.core("pods"))).expect("the pod")
    }

    /// The binary, on this cluster and in this namespace. It is stopped when it takes too long.
    pub fn sparkctl(&self) -> assert_cmd::Command {
        let mut command = assert_cmd::Command::from_std(self.command());
        command.timeout(RUN);
        command
    }

    /// The same as a plain command, to spawn and signal.
    pub fn command(&self) -> Command {
        let mut command = sparkctl();
        command.env("KUBECONFIG", &cluster().kubeconfig).env("SPARKCTL_NAMESPACE", &self.name);
        command
    }

    /// The same with the rights of a user who has only the submitter Role of `k8s/`.
    pub fn submitter(&self) -> assert_cmd::Command {
        let cluster = cluster();
        cluster.api.apply_file("k8s/submitter-rbac.yaml", Some(&self.name));
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "submitter"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "spark-submitter"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "submitter"}],
        });
        cluster.api.apply(&binding, Some(&self.name));
        let mut command = self.sparkctl();
        command.env("KUBECONFIG", cluster.variable("SUBMITTER_KUBECONFIG"));
        command
    }

    /// The only driver's pod.
    pub fn driver(&self) -> Value {
        let mut drivers = cluster().api.items(&format!("{}?labelSelector=spark-role%3Ddriver", self.core("pods")));
        assert_eq!(drivers.len(), 1, "one driver in {}", self.name);
        drivers.remove(0)
    }

    /// Creates a pod like those that Spark makes for a driver, whose container is a shell's command.
    pub fn add_executor(&self, id: u32, command: &str) {
        let driver = self.driver();
        let mut labels = driver["metadata"]["labels"].clone();
        labels["spark-role"] = "executor".into();
        labels["spark-exec-id"] = id.to_string().into();
        let name = text(&driver["metadata"]["name"]).replace("-driver", &format!("-exec-{id}"));
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels},
            "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 0, "containers": [{
                "name": "spark-kubernetes-executor", "image": cluster().variable("BUSYBOX_IMAGE"),
                "command": ["/bin/sh", "-c", command],
            }]},
        });
        cluster().api.create(&self.core("pods"), &pod).expect("an executor");
    }

    /// Adds a quota, and waits until it is in force. Returns its path.
    pub fn add_quota(&self, name: &str, hard: &Value) -> String {
        let quota =
            json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": name}, "spec": {"hard": hard}});
        cluster().api.apply(&quota, Some(&self.name));
        let path = format!("{}/{name}", self.core("resourcequotas"));
        self.wait_for("the quota in force", || {
            let status = cluster().api.get(&path).ok()?["status"].take();
            (status["hard"] == *hard && status["used"].is_object()).then_some(())
        });
        path
    }

    /// Waits until a scheduler has refused a pod for want of a node.
    pub fn wait_until_unschedulable(&self, pod: &str) {
        self.wait_for(&format!("pod {pod} to be unschedulable"), || {
            let pod = cluster().api.get(&format!("{}/{pod}", self.core("pods"))).ok()?;
            let conditions = pod["status"]["conditions"].as_array()?;
            conditions.iter().any(|condition| condition["reason"] == "Unschedulable").then_some(())
        });
    }

    /// Calls a pod, whose program waits for a connection with `nc -l -p 9999 >/dev/null`. Does not wait for an answer, since
    /// there is none. Calls again while the program is not listening yet.
    pub fn call(&self, pod: &str) {
        let path = format!("{}/{pod}:9999/proxy/", self.core("pods"));
        let start = Instant::now();
        let is_listening = move || {
            let answer = cluster().api.get(&path);
            !answer.is_err_and(|status| status.message.contains("connection refused"))
        };
        std::thread::spawn(move || {
            while !is_listening() && start.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(200));
            }
        });
    }

    /// The node label `type` of each scheduled pod, by pod name.
    pub fn placed(&self) -> BTreeMap<String, String> {
        let kinds: BTreeMap<String, String> = cluster()
            .api
            .items("/api/v1/nodes")
            .iter()
            .map(|node| (text(&node["metadata"]["name"]), text(&node["metadata"]["labels"]["type"])))
            .collect();
        let events = cluster().api.items(&format!("{}?fieldSelector=reason%3DScheduled", self.core("events")));
        let of_pods = events.iter().filter(|event| event["involvedObject"]["kind"] == "Pod");
        let placed = of_pods.filter_map(|event| {
            let (_, node) = event["message"].as_str()?.rsplit_once(' ')?;
            Some((text(&event["involvedObject"]["name"]), kinds.get(node)?.clone()))
        });
        placed.collect()
    }

    /// Waits until `seen` returns something.
    ///
    /// # Panics
    /// It takes more than [`PATIENCE`].
    pub fn wait_for<T>(&self, what: &str, seen: impl FnMut() -> Option<T>) -> T {
        eventually(&format!("{what} in {}", self.name), seen)
    }

    /// Waits for a pod to be in that phase.
    pub fn wait_for_phase(&self, pod: &str, phase: &str) -> Value {
        let path = format!("{}/{pod}", self.core("pods"));
        self.wait_for(&format!("pod {pod} in phase {phase}"), || {
            cluster().api.get(&path).ok().filter(|pod| pod["status"]["phase"] == phase)
        })
    }

    /// The objects of submissions in it, as sorted `kind/name`, without the namespace's own.
    pub fn left(&self) -> Vec<String> {
        let owned = ["pods", "services", "configmaps", "secrets", "persistentvolumeclaims"].map(|kind| self.core(kind));
        let others = [
            ("batch/v1", "jobs"),
            ("batch/v1", "cronjobs"),
            ("networking.k8s.io/v1", "networkpolicies"),
            ("scheduling.volcano.sh/v1beta1", "podgroups"),
        ]
        .map(|(version, plural)| self.group(version, plural));
        let mut left = Vec::new();
        for path in owned.iter().chain(&others) {
            let kind = path.rsplit('/').next().unwrap_or_default();
            let items = cluster().api.items(path);
            let names = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap_or_default());
            left.extend(names.filter(|name| *name != "kube-root-ca.crt").map(|name| format!("{kind}/{name}")));
        }
        left.sort();
        left
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The namespace of a failed test is kept for inspection.
        if !std::thread::panicking() {
            let _ = cluster().api.delete(&format!("/api/v1/namespaces/{}", self.name));
        }
    }
}

/// Waits until `seen` returns something.
///
/// # Panics
/// It takes more than [`PATIENCE`].
pub fn eventually<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = seen() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "no sign of {what} for {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Sends a signal to a process that a test has started.
pub fn signal(process: &Child, signal: Signal) {
    kill_process(Pid::from_child(process), signal).expect("a signal");
}

/// The command with the default signal handling of a foreground process. A background job of a shell script, such as
/// `cargo test &`, ignores SIGINT, and its children inherit that.
pub fn with_default_signals(command: &Command) -> Command {
    let mut reset = Command::new("env");
    reset.arg("--default-signal=INT,HUP,TERM").arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        reset.current_dir(folder);
    }
    copy_environment(command, &mut reset);
    reset
}

/// Gives a command the changes of the environment that another one has.
pub fn copy_environment(from: &Command, to: &mut Command) {
    for (name, value) in from.get_envs() {
        match value {
            Some(value) => to.env(name, value),
            None => to.env_remove(name),
        };
    }
}

/// The tests' kubeconfig with a change, in a file of the namespace's own.
pub fn changed_kubeconfig(ns: &Namespace, name: &str, change: impl FnOnce(&mut Value)) -> PathBuf {
    let own = std::fs::read_to_string(&cluster().kubeconfig).expect("the tests' kubeconfig");
    let mut config = serde_yaml::from_str(&own).expect("a kubeconfig");
    change(&mut config);
    let path = jobs::file(ns, &format!("{name}.kubeconfig"));
    std::fs::write(&path, config.to_string()).expect("a kubeconfig");
    path
}

/// A string in an object; empty if there is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Runs `doctor`. Returns its checks and its exit code.
pub fn run_doctor(mut sparkctl: assert_cmd::Command, arguments: &[&str]) -> (Vec<Value>, i32) {
    let output = sparkctl.args(["doctor", "--output", "json"]).args(arguments).output().expect("sparkctl");
    let text = String::from_utf8(output.stdout).expect("JSON");
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")));
    (lines.collect(), output.status.code().unwrap_or(-1))
}

/// The binary without a cluster, and without the developer's own settings.
pub fn sparkctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sparkctl"));
    command.current_dir(root()).env("KUBECONFIG", "/nonexistent").env("HOME", env!("CARGO_TARGET_TMPDIR"));
    let own = std::env::vars().map(|(name, _)| name);
    for name in own.filter(|name| name.starts_with("SPARKCTL_") || name.starts_with("PYSPARK_")) {
        command.env_remove(name);
    }
    for name in [
        "CI",
        "GITHUB_ACTIONS",
        "GITHUB_STEP_SUMMARY",
        "GITHUB_OUTPUT",
        "GITLAB_CI",
        "SPARK_HOME",
        "SPARK_CONF_DIR",
        "HADOOP_CONF_DIR",
    ] {
        command.env_remove(name);
    }
    command
}
