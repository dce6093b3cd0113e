//! Job files as the API server accepts them, and as Spark's own pods see them.

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::{Value, json};

use crate::support::{Namespace, cluster, text};

#[test]
fn the_api_server_accepts_every_style_of_job_file() {
    let ns = Namespace::new("shapes");
    let file = "tests/it/translation/shapes.yaml";
    let stderr = ns.sparkctl().args(["submit", "--dry-run", file]).assert().code(0).get_output().stderr.clone();
    let stderr = String::from_utf8(stderr).unwrap();
    let jobs = std::fs::read_to_string(file).unwrap().matches("\nkind: ").count();
    assert_eq!(stderr.matches("the API server accepts all").count(), jobs, "{stderr}");
}

/// Prints what the driver and one executor see, as JSON.
const APPLICATION: &str = r#"
import json, os, sys
from pyspark.sql import SparkSession

def seen(_):
    names = ["GREETING", "PLAIN", "COLOUR", "PASSWORD", "NODE", "SPARK_LOCAL_DIRS"]
    return {
        "env": {name: os.environ.get(name) for name in names},
        "first": open("/shared/first").read().strip(),
        "mounted": sorted(name for name in os.listdir("/mnt/variables") if not name.startswith("..")),
        "secret": open("/mnt/login/password").read(),
        "hosts": "db.example.com" in open("/etc/hosts").read(),
        "uid": os.getuid(),
    }

spark = SparkSession.builder.getOrCreate()
hadoop = spark.sparkContext._jsc.hadoopConfiguration()
java = spark.sparkContext._jvm.java.lang.System
print("SEEN " + json.dumps({
    "arguments": sys.argv[1:],
    "hadoop": hadoop.get("fs.example.value"),
    "site": hadoop.get("example.site"),
    "java": java.getProperty("example.of"),
    "driver": seen(0),
    "executor": spark.sparkContext.parallelize([0], 1).map(seen).collect()[0],
}))
spark.stop()
"#;

#[test]
fn most_fields_together_reach_driver_and_executors() {
    let ns = Namespace::new("most");
    let map = |name: &str, data: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data});
    let site = "<configuration><property><name>example.site</name><value>from-map</value></property></configuration>";
    for object in [
        map("app", json!({"main.py": APPLICATION})),
        map("variables", json!({"COLOUR": "green"})),
        map("spark-conf", json!({"metrics.properties": "# none\n"})),
        map("hadoop-conf", json!({"core-site.xml": site})),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login"}, "stringData": {"password": "s3cret"}}),
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "registry"}, "type": "kubernetes.io/dockerconfigjson", "stringData": {".dockerconfigjson": "{\"auths\": {}}"}}),
    ] {
        cluster().api.apply(&object, Some(&ns.name));
    }
    let image = cluster().spark_image();
    let version = image.rsplit(':').next().unwrap();
    let submit = |arguments: &[&str]| {
        let mut command = ns.sparkctl();
        command.arg("submit").args(arguments);
        for (name, value) in
            [("IMAGE", image.as_str()), ("VERSION", version), ("BUSYBOX", cluster().variable("BUSYBOX_IMAGE"))]
        {
            command.args(["--set", &format!("{name}={value}")]);
        }
        command
    };
    // Defaults and notations of the API server are not reported as changes, neither in a Job's pod nor in a bare one.
    let unchanged = || contains("rule of the cluster changed").not();
    let file = std::fs::read_to_string("tests/it/translation/most.yaml").unwrap();
    let bare = file.replace("{type: OnFailure, onFailureRetries: 1}", "{type: Never}");
    assert_ne!(file, bare);
    submit(&["-", "--name", "bare", "--detach"]).write_stdin(bare).assert().code(0).stderr(unchanged());
    ns.sparkctl().args(["delete", "bare"]).assert().code(0);
    let run = submit(&["tests/it/translation/most.yaml", "--logs"]).assert();
    let run = run.code(0).stdout(contains("SEEN {")).stderr(unchanged());
    let log = String::from_utf8_lossy(&run.get_output().stdout).into_owned();
    let seen: Value = log
        .lines()
        .find_map(|line| line.strip_prefix("SEEN "))
        .map(|json| serde_json::from_str(json).unwrap())
        .unwrap();
    assert_eq!(seen["arguments"], json!(["a b", "", "${HOME}", "hello"]));
    assert_eq!((&seen["hadoop"], &seen["site"], &seen["java"]), (&json!("hello"), &json!("from-map"), &json!("role")));
    for role in ["driver", "executor"] {
        let seen = &seen[role];
        let env = &seen["env"];
        let expected = json!({"GREETING": "hello", "PLAIN": "text", "COLOUR": "green", "PASSWORD": "s3cret"});
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&env[name], value, "{role}: {name}");
        }
        // Spark gives a Python worker a directory below it.
        assert!(text(&env["SPARK_LOCAL_DIRS"]).starts_with("/scratch"), "{role}: {env}");
        assert!(text(&env["NODE"]).starts_with("node-"), "{role}: {env}");
        assert_eq!(seen["first"], "first", "{role}");
        assert_eq!(seen["mounted"], json!(["COLOUR"]), "{role}");
        assert_eq!(
            (&seen["secret"], &seen["hosts"], &seen["uid"]),
            (&json!("s3cret"), &json!(true), &json!(185)),
            "{role}"
        );
    }

    // Executors are kept, so that their pods can be inspected.
    let pods = cluster().api.items(&ns.core("pods"));
    assert_eq!(pods.len(), 2);
    for pod in &pods {
        let (metadata, spec) = (&pod["metadata"], &pod["spec"]);
        assert_eq!(metadata["labels"]["of"], "role");
        assert_eq!(metadata["labels"]["team"], "finance");
        assert_eq!(metadata["annotations"]["example.com/of"], "role");
        assert_eq!(spec["priorityClassName"], "routine");
        assert_eq!(spec["schedulerName"], "volcano");
        assert_eq!(spec["terminationGracePeriodSeconds"], 20);
        assert_eq!(spec["shareProcessNamespace"], true);
        assert_eq!(spec["serviceAccountName"], "yippee-spark");
        let is_spark = |container: &&Value| text(&container["name"]).starts_with("spark-kubernetes-");
        let container = spec["containers"].as_array().unwrap().iter().find(is_spark).unwrap();
        // 512 MiB of heap and 384 MiB beside it: three tenths of the heap are less.
        assert_eq!(container["resources"]["requests"], json!({"cpu": "250m", "memory": "896Mi"}));
        assert_eq!(container["resources"]["limits"], json!({"cpu": "2", "memory": "896Mi"}));
        assert!(container["ports"].as_array().unwrap().iter().any(|port| port["containerPort"] == 5005));
        assert!(!container["lifecycle"].is_null());
    }
}
