//! Files on the submitter's machine.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::jars::{LOUD, application, jar, of_application};
use crate::support::{Namespace, cluster};

#[test]
fn runs_an_application_from_local_files() {
    let ns = Namespace::new("own-files");
    let run = ns.sparkctl().args(["submit", "examples/own-files.yaml", "--logs"]).assert();
    run.code(0).stdout(contains("words: 17, on the driver: 17")).stderr(contains("carries count.py ("));
}

#[test]
fn carries_a_jar_and_folders_of_modules_to_driver_and_executors() {
    let ns = Namespace::new("own-jar");
    let folder = tempfile::tempdir().expect("a folder");
    let (jar_path, script) = (folder.path().join("my marker.jar"), folder.path().join("job.py"));
    jar(&jar_path);
    let modules = modules(folder.path());
    let text = "\
import os
from pyspark import SparkFiles
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
loader = spark._jvm.java.lang.Thread.currentThread().getContextClassLoader()
print('driver', loader.getResource('marker.txt') is not None)
names = spark.sparkContext.parallelize([0], 1).map(lambda _: os.listdir(SparkFiles.getRootDirectory())).first()
print('executor', [name for name in names if 'marker' in name])
def area(side):
    from shapes.square import area
    from plain.doubled import doubled
    return doubled(area(side))
print('areas', area(2), spark.sparkContext.parallelize([3], 1).map(area).first())
spark.stop()
";
    std::fs::write(&script, text).expect("writing the script");
    let mut command = ns.sparkctl();
    command.args(["submit", "--name", "own-jar", "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.arg("--main-file").arg(&script).arg("--jars").arg(&jar_path).args(["--py-files", &modules]);
    command.args(["--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m", "--logs"]);
    let run = command.args(["--service-account", "yippee-spark"]).assert();
    let run = run.code(0).stdout(contains("driver True").and(contains("executor ['my marker.jar']")));
    run.stdout(contains("areas 8 18")).stderr(contains(", lib.zip (").and(contains(", shapes.zip (")));
    let maps = cluster().api.items(&ns.core("configmaps"));
    let files = maps.iter().find(|map| !map["binaryData"].is_null()).expect("the files' ConfigMap");
    assert!(files["binaryData"]["my-marker.jar"].is_string(), "{files}");
}

#[test]
fn keeps_no_temporary_files_of_a_packed_folder_while_following() {
    let (ns, folder) = (Namespace::new("own-folder"), tempfile::tempdir().expect("a folder"));
    let (modules, temporary) = (modules(folder.path()), folder.path().join("tmp"));
    std::fs::create_dir(&temporary).expect("a folder");
    let mut command = ns.command();
    command.args(["submit", "examples/python-pi.yaml", "--node-affinity", "no=where", "--py-files", &modules]);
    let mut waiting = command.env("TMPDIR", &temporary).stderr(Stdio::null()).spawn().expect("sparkctl");
    let events = || cluster().api.items(&ns.core("events"));
    ns.wait_for("a wait", || events().iter().any(|event| event["reason"] == "FailedScheduling").then_some(()));
    let left = std::fs::read_dir(&temporary).expect("the folder").count();
    waiting.kill().expect("it follows");
    assert_eq!(waiting.wait().expect("its end").signal(), Some(9));
    assert_eq!(left, 0);
}

/// A package, and a folder with a package that has no `__init__.py`, as `--py-files` takes them.
fn modules(folder: &Path) -> String {
    for (path, text) in [
        ("shapes/__init__.py", ""),
        ("shapes/square.py", "def area(side): return side * side"),
        ("lib/plain/doubled.py", "def doubled(number): return 2 * number"),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of modules");
        std::fs::write(path, text).expect("writing a module");
    }
    format!("{},{}", folder.join("shapes").display(), folder.join("lib").display())
}

#[test]
fn runs_a_local_jar() {
    let ns = Namespace::new("own-main-jar");
    let folder = tempfile::tempdir().expect("a folder");
    let jar = application(folder.path(), 0);
    let run = of_application(&ns, "loud", &jar).arg("--logs").args(LOUD).assert();
    run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(contains("carries loud.jar ("));
}
