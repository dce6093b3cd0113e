//! Files that are on the submitter's machine alone.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::{Namespace, cluster};

/// A jar with one resource in it, deflated: bytes that are no text.
pub fn jar(path: &Path) {
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
fn takes_a_jar_and_folders_of_modules_along_to_driver_and_executors() {
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
fn keeps_nothing_of_a_packed_folder_while_it_follows() {
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

/// An application in a jar of the given size at least. Its map function is in the jar alone, so executors need it too.
pub fn application(folder: &Path, padding: usize) -> PathBuf {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of sources");
        std::fs::write(&path, text).expect("writing a source");
        path
    };
    // What the compiler has to know of Spark; the jar is without it.
    let api = "org/apache/spark/api/java";
    let sources = [
        write("org/apache/spark/SparkConf.java", "package org.apache.spark; public class SparkConf { }"),
        write(
            &format!("{api}/function/Function.java"),
            "package org.apache.spark.api.java.function;
             public interface Function<T, R> extends java.io.Serializable { R call(T t) throws Exception; }",
        ),
        write(
            &format!("{api}/JavaRDD.java"),
            "package org.apache.spark.api.java; import org.apache.spark.api.java.function.Function;
             public class JavaRDD<T> {
               public <R> JavaRDD<R> map(Function<T, R> f) { return null; }
               public java.util.List<T> collect() { return null; } }",
        ),
        write(
            &format!("{api}/JavaSparkContext.java"),
            "package org.apache.spark.api.java;
             public class JavaSparkContext {
               public JavaSparkContext(org.apache.spark.SparkConf conf) { }
               public <T> JavaRDD<T> parallelize(java.util.List<T> list) { return null; }
               public void stop() { } }",
        ),
        write(
            "Loud.java",
            "import java.util.Arrays; import org.apache.spark.SparkConf; import org.apache.spark.api.java.*;
             public class Loud implements org.apache.spark.api.java.function.Function<String, String> {
               public String call(String word) { return word.toUpperCase(); }
               public static void main(String[] words) {
                 JavaSparkContext spark = new JavaSparkContext(new SparkConf());
                 System.out.println(\"loud: \" + spark.parallelize(Arrays.asList(words)).map(new Loud()).collect());
                 spark.stop(); } }",
        ),
    ];
    let compiled = Command::new("javac").args(["--release", "8", "-nowarn", "-d"]).arg(folder).args(sources).output();
    let compiled = compiled.expect("javac, which the test cluster installs");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let path = folder.join("loud.jar");
    let mut jar = zip::ZipWriter::new(std::fs::File::create(&path).expect("creating a jar"));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in
        [("Loud.class", std::fs::read(folder.join("Loud.class")).expect("a class")), ("padding", vec![0; padding])]
    {
        jar.start_file(name, stored).expect("an entry of a jar");
        jar.write_all(&content).expect("an entry of a jar");
    }
    jar.finish().expect("a jar");
    path
}

/// The submission of such a jar.
pub fn of_application(ns: &Namespace, name: &str, jar: &Path) -> assert_cmd::Command {
    let mut command = ns.sparkctl();
    command.args(["submit", "--name", name, "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.args(["--class", "Loud", "--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m"]);
    command.args(["--service-account", "yippee-spark", "--main-file"]).arg(jar);
    command
}

pub const LOUD: [&str; 3] = ["--", "own", "jar"];

#[test]
fn runs_a_jar_that_is_here_alone() {
    let ns = Namespace::new("own-main-jar");
    let folder = tempfile::tempdir().expect("a folder");
    let jar = application(folder.path(), 0);
    let run = of_application(&ns, "loud", &jar).arg("--logs").args(LOUD).assert();
    run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(contains("carries loud.jar ("));
}
