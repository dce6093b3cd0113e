//! Files that are on the submitter's machine alone.

use std::io::Write;
use std::path::Path;

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::{Namespace, cluster};

/// A jar with one resource in it, deflated: bytes that are no text.
fn jar(path: &Path) {
    let mut jar = zip::ZipWriter::new(std::fs::File::create(path).expect("creating a jar"));
    jar.start_file("marker.txt", zip::write::SimpleFileOptions::default()).expect("an entry of a jar");
    jar.write_all("found in the jar. ".repeat(20).as_bytes()).expect("an entry of a jar");
    jar.finish().expect("a jar");
}

#[test]
fn runs_an_application_whose_files_are_here_alone() {
    let ns = Namespace::new("own-files");
    let run = ns.sparkctl().args(["submit", "examples/own-files.yaml", "--logs"]).assert();
    run.code(0).stdout(contains("words: 17, on the driver: 17")).stderr(contains("carries count.py ("));
}

#[test]
fn takes_a_jar_along_to_driver_and_executors() {
    let ns = Namespace::new("own-jar");
    let folder = tempfile::tempdir().expect("a folder");
    let (jar_path, script) = (folder.path().join("my marker.jar"), folder.path().join("job.py"));
    jar(&jar_path);
    let text = "\
import os
from pyspark import SparkFiles
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
loader = spark._jvm.java.lang.Thread.currentThread().getContextClassLoader()
print('driver', loader.getResource('marker.txt') is not None)
names = spark.sparkContext.parallelize([0], 1).map(lambda _: os.listdir(SparkFiles.getRootDirectory())).first()
print('executor', [name for name in names if 'marker' in name])
spark.stop()
";
    std::fs::write(&script, text).expect("writing the script");
    let mut command = ns.sparkctl();
    command.args(["submit", "--name", "own-jar", "--image", &cluster().spark_image(), "--spark-version", "3.5.7"]);
    command.arg("--main-file").arg(&script).arg("--jars").arg(&jar_path);
    command.args(["--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m", "--logs"]);
    let run = command.args(["--service-account", "yippee-spark"]).assert();
    run.code(0).stdout(contains("driver True").and(contains("executor ['my marker.jar']")));
    let maps = cluster().api.items(&ns.core("configmaps"));
    let files = maps.iter().find(|map| !map["binaryData"].is_null()).expect("the files' ConfigMap");
    assert!(files["binaryData"]["my-marker.jar"].is_string(), "{files}");
}
