//! Job files whose drivers are shell commands in a small image, and their objects in the cluster.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Namespace, cluster, text};

/// The path of a file of the test's own.
pub fn file(ns: &Namespace, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", ns.name))
}

/// A job file whose driver is a command.
pub fn job(ns: &Namespace, name: &str, command: &str) -> PathBuf {
    job_of_image(ns, name, cluster().variable("BUSYBOX_IMAGE"), command)
}

/// The same in another image.
pub fn job_of_image(ns: &Namespace, name: &str, image: &str, command: &str) -> PathBuf {
    let path = file(ns, &format!("{name}.yaml"));
    std::fs::write(&path, short_job(name, image, command)).expect("a job file");
    path
}

/// The same with more fields of the driver.
pub fn job_with(ns: &Namespace, name: &str, command: &str, driver: &Value) -> PathBuf {
    let text = short_job(name, cluster().variable("BUSYBOX_IMAGE"), command);
    let mut job: Value = serde_json::from_str(&text).expect("a job");
    for (key, value) in driver.as_object().expect("fields") {
        job["spec"]["driver"][key] = value.clone();
    }
    let path = file(ns, &format!("{name}.yaml"));
    std::fs::write(&path, job.to_string()).expect("a job file");
    path
}

/// The text of a job file whose driver is a shell command instead of Spark.
pub fn short_job(name: &str, image: &str, command: &str) -> String {
    let template = json!({"spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "spark-kubernetes-driver", "command": ["/bin/sh", "-c", command]}],
    }});
    let job = json!({
        "apiVersion": "sparkoperator.k8s.io/v1beta2", "kind": "SparkApplication", "metadata": {"name": name},
        "spec": {
            "type": "Python", "mode": "cluster", "image": image, "sparkVersion": "4.1.4",
            "mainApplicationFile": "local:///nothing.py",
            "driver": {
                "cores": 1, "coreRequest": "10m", "memory": "16m", "memoryOverhead": "16m",
                "serviceAccount": "yippee-spark", "template": template,
            },
            "executor": {"instances": 1, "memory": "512m"},
        },
    });
    job.to_string()
}

/// A job file whose driver is a shell command in a small image, with `policy` in its `spec`. The driver has two seconds to
/// end when it is terminated.
pub fn policy_job(ns: &Namespace, name: &str, policy: &str, script: &str) -> PathBuf {
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
    let path = self::file(ns, &format!("{name}.yaml"));
    std::fs::write(&path, file).expect("a job file");
    path
}

/// A restart policy that retries a driver that failed.
pub fn retries(count: u32) -> String {
    format!("  restartPolicy: {{type: OnFailure, onFailureRetries: {count}}}")
}

/// The driver pods, the oldest first.
pub fn drivers(ns: &Namespace) -> Vec<Value> {
    let mut pods = cluster().api.items(&format!("{}?labelSelector=spark-role%3Ddriver", ns.core("pods")));
    pods.sort_by_key(|pod| text(&pod["metadata"]["creationTimestamp"]));
    pods
}

/// The Job of an application, if it exists.
pub fn job_object(ns: &Namespace, name: &str) -> Option<Value> {
    cluster().api.get(&format!("{}/{name}", ns.group("batch/v1", "jobs"))).ok()
}

/// The same job file with a schedule.
pub fn schedule(ns: &Namespace, name: &str, schedule: &str, policy: &str, script: &str) -> PathBuf {
    let path = policy_job(ns, name, policy, script);
    let job = std::fs::read_to_string(&path).expect("the job file");
    let (head, spec) = job.split_once("spec:\n").expect("a specification");
    let head = head.replace("kind: SparkApplication", "kind: ScheduledSparkApplication");
    let spec = spec.replace('\n', "\n  ");
    std::fs::write(&path, format!("{head}spec:\n{schedule}\n  template:\n  {spec}\n")).expect("a job file");
    path
}
