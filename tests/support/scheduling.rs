//! Queues, simulated nodes, and jobs whose drivers are not a JVM, for tests of scheduling.

use std::sync::Once;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::jobs::drivers;
use super::running::Running;
use super::{Namespace, cluster, text};

const QUEUES: &str = "/apis/scheduling.volcano.sh/v1beta1/queues";

/// A queue of a test's own. It is deleted when the test ends.
pub struct Queue {
    pub name: String,
}

impl Queue {
    /// Creates a queue with this capability, and waits until it is open.
    pub fn new(ns: &Namespace, suffix: &str, capability: &Value) -> Queue {
        let name = format!("{}-{suffix}", ns.name);
        let spec = json!({"weight": 1, "capability": capability});
        let queue = json!({
            "apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "metadata": {"name": name}, "spec": spec,
        });
        cluster().api.create(QUEUES, &queue).expect("creating a queue");
        let queue = Queue { name };
        queue.wait_for_state(ns, "Open");
        queue
    }

    pub fn close(&self, ns: &Namespace) {
        let command = json!({
            "apiVersion": "bus.volcano.sh/v1alpha1",
            "kind": "Command",
            "metadata": {"name": "close"},
            "action": "CloseQueue",
            "target": {"apiVersion": "scheduling.volcano.sh/v1beta1", "kind": "Queue", "name": self.name, "uid": ""},
        });
        cluster().api.create(&ns.group("bus.volcano.sh/v1alpha1", "commands"), &command).expect("closing a queue");
        self.wait_for_state(ns, "Closed");
    }

    fn wait_for_state(&self, ns: &Namespace, state: &str) {
        let path = format!("{QUEUES}/{}", self.name);
        ns.wait_for(&format!("queue {} being {state}", self.name), || {
            cluster().api.get(&path).ok().filter(|queue| queue["status"]["state"] == state)
        });
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Volcano refuses to delete a queue that has PodGroups. They are deleted with the test's namespace, after a while.
        let start = Instant::now();
        while cluster().api.delete(&format!("{QUEUES}/{}", self.name)).is_err()
            && start.elapsed() < Duration::from_secs(10)
        {
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

/// Makes sure that there are three simulated nodes with 64 cores. Their taint keeps other pods off; pods on them only
/// report that they run.
///
/// The nodes stay: Volcano miscounts the room of a node that is deleted and created again while pods of an earlier test
/// are still on it.
pub fn simulate_nodes() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        cluster().control(&["nodes", "3"]);
        // Leftovers of failed tests take room.
        for node in ["simulated-1", "simulated-2", "simulated-3"] {
            for pod in cluster().api.items(&format!("/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")) {
                let part = |key: &str| pod["metadata"][key].as_str().unwrap_or_default().to_owned();
                let _ =
                    cluster().api.delete(&format!("/api/v1/namespaces/{}/pods/{}", part("namespace"), part("name")));
            }
        }
    });
}

/// A job whose driver runs a shell command in the small image.
pub fn job(name: &str, command: &str) -> Value {
    json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {"name": name},
        "spec": {
            "type": "Scala",
            "mode": "cluster",
            "sparkVersion": "4.1.4",
            "image": cluster().variable("BUSYBOX_IMAGE"),
            "mainClass": "Main",
            "mainApplicationFile": "local:///main.jar",
            "driver": {
                "coreRequest": "10m",
                "memory": "32m",
                "memoryOverhead": "16m",
                "serviceAccount": "yippee-spark",
                "terminationGracePeriodSeconds": 0,
                "template": {
                    "spec": {"containers": [{"name": "spark-kubernetes-driver", "command": ["sh", "-c", command]}]},
                },
            },
            "executor": {"instances": 1, "coreRequest": "10m", "memory": "32m", "memoryOverhead": "16m"},
        },
    })
}

/// A job whose driver takes 40 of the 64 cores of a simulated node, and never ends.
pub fn large(name: &str, node: &str) -> Value {
    let mut job = job(name, "none: the node is simulated");
    let driver = &mut job["spec"]["driver"];
    driver["coreRequest"] = "40".into();
    driver["nodeSelector"] = json!({"kubernetes.io/hostname": node});
    driver["tolerations"] = json!([{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]);
    job
}

/// Starts `sparkctl submit -` with a job.
pub fn start_submit(ns: &Namespace, job: &Value, arguments: &[&str]) -> Running {
    let mut command = ns.command();
    command.args(["submit", "-"]).args(arguments);
    Running::start_with_input(&command, &job.to_string())
}

/// Submits a job with `--detach`.
pub fn submit(ns: &Namespace, job: &Value, arguments: &[&str]) {
    let ended = start_submit(ns, job, &[&["--detach"], arguments].concat()).end();
    assert_eq!(ended.code, Some(0), "{ended:#?}");
}

/// The names of the namespace's drivers that are in this phase.
pub fn drivers_in_phase(ns: &Namespace, phase: &str) -> Vec<String> {
    let drivers = drivers(ns).into_iter().filter(|pod| pod["status"]["phase"] == phase);
    drivers.map(|pod| text(&pod["metadata"]["name"])).collect()
}
