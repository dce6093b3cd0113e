//! Jars with applications, made on the submitter's machine.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Namespace, cluster, needs};

/// Writes a jar with one compressed resource, so that its bytes are not text.
pub fn jar(path: &Path) {
    let mut jar = zip::ZipWriter::new(std::fs::File::create(path).expect("creating a jar"));
    jar.start_file("marker.txt", zip::write::SimpleFileOptions::default()).expect("an entry of a jar");
    jar.write_all("found in the jar. ".repeat(20).as_bytes()).expect("an entry of a jar");
    jar.finish().expect("a jar");
}

/// Compiles an application into a jar of at least the given size. Only the jar has its map function, so executors need it.
pub fn application(folder: &Path, padding: usize) -> PathBuf {
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of sources");
        std::fs::write(&path, text).expect("writing a source");
        path
    };
    // The API of Spark that the compiler needs; the jar does not contain it.
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
    needs::package("javac");
    let compiled = Command::new("javac").args(["--release", "8", "-nowarn", "-d"]).arg(folder).args(sources).output();
    let compiled = compiled.expect("javac");
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

/// Submits such a jar.
pub fn of_application(ns: &Namespace, name: &str, jar: &Path) -> assert_cmd::Command {
    let mut command = ns.sparkctl();
    command.args(["submit", "--name", name, "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.args(["--class", "Loud", "--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m"]);
    command.args(["--service-account", "yippee-spark", "--main-file"]).arg(jar);
    command
}

/// Its arguments, for which it prints `loud: [OWN, JAR]`.
pub const LOUD: [&str; 3] = ["--", "own", "jar"];
