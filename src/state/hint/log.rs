//! Hints on known failures, by the end of a log.

use crate::program::program;
use crate::spark::stores;

/// What to try after a failure, by the log of the driver or executor. The most specific phrases come first, because
/// one problem often causes others.
pub fn log_hint(log: &str) -> Option<String> {
    let has = |part: &str| log.contains(part);
    let after = |start: &str| {
        let rest = log.rsplit_once(start)?.1;
        rest.split(['\'', '"', ' ', '\n', ',']).find(|word| !word.is_empty())
    };
    if has("is forbidden: User") {
        let account = after("User \"system:serviceaccount:").unwrap_or_default();
        let right = match (after("\" cannot "), after(" resource \"")) {
            (Some(verb), Some(resource)) => format!("may not {verb} {resource}"),
            _ => "lacks a right".into(),
        };
        return Some(format!(
            "the driver's service account {account} {right}: k8s/driver-rbac.yaml has the rights that a driver needs"
        ));
    }
    if let Some(quota) = after("exceeded quota: ") {
        return Some(format!(
            "quota {quota} has no room for the executors: request fewer or smaller ones, or see kubectl describe quota {quota}"
        ));
    }
    if has("must specify limits.") || has("must specify requests.") {
        return Some("a quota requires requests and limits: set cores, coreLimit and memory of the executors".into());
    }
    if let Some(module) = after("No module named '").or_else(|| after("No module named ")) {
        return Some(format!(
            "Python module {module} is missing: add it to the image, or ship a packed environment (deps.archives: [venv.tar.gz#env], and PYSPARK_PYTHON=./env/bin/python)"
        ));
    }
    if let Some(program) = after("Cannot run program \"").filter(|_| has("error=2,") || has("error: 2 (")) {
        let setting = if program.ends_with("Rscript") { "spark.r.command" } else { "PYSPARK_PYTHON" };
        return Some(format!(
            "program {program} is missing: use an image that has it (Spark's images with R end in -r), or set {setting} to another one"
        ));
    }
    let r_package = after("there is no package called \u{2018}").or_else(|| after("there is no package called "));
    if let Some(package) = r_package.map(|name| name.trim_end_matches('\u{2019}')) {
        return Some(format!("R package {package} is missing: add it to the image"));
    }
    if has("PYTHON_VERSION_MISMATCH") || has("Python in worker has different version") {
        return Some("driver and executors run different versions of Python: use one image, and set PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON to the same one".into());
    }
    if let Some(scheme) = file_system(log) {
        return Some(format!(
            "the image has no file system for {scheme}, or one for another Hadoop: add its jar to the image or to deps.packages, in the version of the image's Hadoop"
        ));
    }
    if has("exec format error") {
        return Some("the image is for another architecture than the node's, or its entrypoint is not a program: select nodes of its architecture, or build it for theirs".into());
    }
    if has("Failed to load class") || has("can't open file") || has("Cannot load main class from JAR") {
        return Some("local:/// is a path inside the image: is the file there, and does it contain mainClass? A path without local:// is a file of this machine".into());
    }
    if has("spark-events") && (has("FileNotFoundException") || has("does not exist")) {
        return Some("spark.eventLog.dir does not exist, and Spark does not create it: create it, or set spark.eventLog.enabled to false".into());
    }
    if has("UnknownHostException") && has("-driver-svc") {
        return Some("the driver's service name cannot be resolved: is the cluster's DNS working, and do NetworkPolicies allow executors to reach it?".into());
    }
    if has("java.lang.OutOfMemoryError: Java heap space") || has("GC overhead limit exceeded") {
        return Some(
            "the heap was too small: raise memory, or keep less in it (collect(), broadcasts, wide rows)".into(),
        );
    }
    None
}

/// What to try when the driver's log reports only that executors failed.
pub fn executors_hint(log: &str) -> Option<String> {
    log.contains("Max number of executor failures").then(|| {
        format!("executors kept failing: the cause is in their logs ({} logs --executor, while they exist)", program())
    })
}

/// The scheme of the storage whose classes are missing from the image.
fn file_system(log: &str) -> Option<&'static str> {
    let mixed = || {
        let is_mixed = log.contains("NoSuchMethodError") && log.contains("org.apache.hadoop");
        is_mixed.then_some("this storage")
    };
    stores::without_client(log).or_else(mixed)
}
