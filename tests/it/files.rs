//! Files that are on the submitter's machine alone.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    command.args(["submit", "--name", "own-jar", "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.arg("--main-file").arg(&script).arg("--jars").arg(&jar_path);
    command.args(["--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m", "--logs"]);
    let run = command.args(["--service-account", "yippee-spark"]).assert();
    run.code(0).stdout(contains("driver True").and(contains("executor ['my marker.jar']")));
    let maps = cluster().api.items(&ns.core("configmaps"));
    let files = maps.iter().find(|map| !map["binaryData"].is_null()).expect("the files' ConfigMap");
    assert!(files["binaryData"]["my-marker.jar"].is_string(), "{files}");
}

/// An application in a jar of the given size at least. Its map function is in the jar alone, so executors need it too.
fn application(folder: &Path, padding: usize) -> PathBuf {
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
fn of_application(ns: &Namespace, name: &str, jar: &Path) -> assert_cmd::Command {
    let mut command = ns.sparkctl();
    command.args(["submit", "--name", name, "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.args(["--class", "Loud", "--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m"]);
    command.args(["--service-account", "yippee-spark", "--main-file"]).arg(jar);
    command
}

const LOUD: [&str; 3] = ["--", "own", "jar"];

#[test]
fn runs_a_jar_that_is_here_alone() {
    let ns = Namespace::new("own-main-jar");
    let folder = tempfile::tempdir().expect("a folder");
    let jar = application(folder.path(), 0);
    let run = of_application(&ns, "loud", &jar).arg("--logs").args(LOUD).assert();
    run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(contains("carries loud.jar ("));
}

#[cfg(feature = "upload")]
mod store {
    use std::process::{Child, Stdio};
    use std::sync::OnceLock;

    use super::*;

    /// The test cluster's host, as its pods see it.
    const HOST: &str = "198.18.0.1";

    /// The servers of stores, installed once: moto is an S3, wsgidav a WebDAV.
    fn packages() -> &'static Path {
        static PACKAGES: OnceLock<PathBuf> = OnceLock::new();
        PACKAGES.get_or_init(|| {
            let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stores");
            let whole = packages.join("whole");
            if !whole.exists() {
                let mut install = Command::new("python3");
                install.args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"]).arg(&packages);
                let status = install.args(["moto[server,s3]", "wsgidav", "cheroot"]).status();
                assert!(status.expect("python3 with pip").success(), "the servers of stores could not be installed");
                std::fs::write(&whole, "").expect("noting that they are there");
            }
            packages
        })
    }

    /// An S3 server (moto, of PyPI) with one bucket.
    struct S3 {
        server: Child,
        endpoint: String,
        /// Where it notes the parts that it took, and looks whether it is to take more.
        folder: tempfile::TempDir,
    }

    impl S3 {
        fn start() -> Self {
            let packages = packages();
            let folder = tempfile::tempdir().expect("a folder");
            let port =
                std::net::TcpListener::bind((HOST, 0)).and_then(|free| free.local_addr()).expect("a port").port();
            let mut server = Command::new("python3");
            server.arg("tests/it/s3.py").args([HOST, &port.to_string()]).arg(folder.path());
            server.env("PYTHONPATH", packages).stdout(Stdio::null()).stderr(Stdio::null());
            let server = S3 {
                server: server.spawn().expect("starting moto"),
                endpoint: format!("http://{HOST}:{port}"),
                folder,
            };
            let bucket = format!("{}/jobs", server.endpoint);
            let start = std::time::Instant::now();
            while ureq::put(&bucket).send_empty().is_err() {
                assert!(start.elapsed() < std::time::Duration::from_secs(60), "moto does not answer");
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            server
        }
    }

    impl S3 {
        /// The parts that it took, in their order.
        fn parts(&self) -> Vec<String> {
            let noted = std::fs::read_to_string(self.folder.path().join("parts")).unwrap_or_default();
            noted.lines().map(str::to_owned).collect()
        }

        /// The environment of a program that uploads there.
        fn environment(&self) -> [(&str, &str); 5] {
            [
                ("AWS_ENDPOINT_URL", &self.endpoint),
                ("AWS_ALLOW_HTTP", "true"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "key"),
                ("AWS_SECRET_ACCESS_KEY", "secret"),
            ]
        }
    }

    impl Drop for S3 {
        fn drop(&mut self) {
            let _ = self.server.kill();
            let _ = self.server.wait();
        }
    }

    #[test]
    fn uploads_what_is_too_large_once_and_the_driver_reads_it() {
        let (s3, ns) = (S3::start(), Namespace::new("own-store"));
        let folder = tempfile::tempdir().expect("a folder");
        let (script, data) = (folder.path().join("job.py"), folder.path().join("data.bin"));
        // More than one part, and nothing that a ConfigMap would take.
        std::fs::write(&data, vec![7_u8; 20 << 20]).expect("writing the data");
        let text = "\
import os
from pyspark import SparkFiles
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
size = lambda _: os.path.getsize(SparkFiles.get('data.bin'))
print('sizes', size(0), spark.sparkContext.parallelize([0], 1).map(size).first())
spark.stop()
";
        std::fs::write(&script, text).expect("writing the script");
        let submit = |more: &[&str]| {
            let mut command = ns.sparkctl();
            command.envs(s3.environment());
            command.args(["submit", "--image", &cluster().spark_image()]);
            command.args(["--spark-version", "4.1.4", "--service-account", "yippee-spark", "--executors", "1"]);
            command.args(["--driver-memory", "512m", "--executor-memory", "512m"]);
            command.arg("--main-file").arg(&script).arg("--files").arg(&data).args(more);
            command.assert()
        };
        submit(&["--name", "own-store", "--dry-run"]).code(2).stderr(contains("give --upload s3://"));
        let store = ["--name", "own-store", "--upload", "s3://jobs/team", "--upload-signed", "--logs"];
        let sizes = contains(format!("sizes {size} {size}", size = 20 << 20));
        submit(&store)
            .code(0)
            .stdout(sizes)
            .stderr(contains("uploaded data.bin (20.00 MiB) to s3://jobs/team/").and(contains("carries job.py (")));
        let again = ["--name", "again", "--detach", "--upload", "s3://jobs/team"];
        submit(&again).code(0).stderr(contains("data.bin (20.00 MiB) is at s3://jobs/team/"));
    }

    #[test]
    fn goes_on_with_an_upload_that_was_killed() {
        let (s3, ns) = (S3::start(), Namespace::new("own-torn"));
        let folder = tempfile::tempdir().expect("a folder");
        let (data, cache) = (folder.path().join("data.bin"), folder.path().join("cache"));
        let content: Vec<u8> = (0..(36_u32 << 20)).map(|n| (n % 251 + (n >> 23)) as u8).collect();
        std::fs::write(&data, &content).expect("writing the data");
        let submit = || {
            let mut command = ns.command();
            command.args(["submit", "--detach", "--name", "own-torn", "--image", &cluster().spark_image()]);
            command.args([
                "--spark-version",
                "4.1.4",
                "--main-file",
                "local:///nowhere.py",
                "--upload",
                "s3://jobs/torn",
            ]);
            command.arg("--files").arg(&data).envs(s3.environment()).env("SPARKCTL_CACHE_DIR", &cache);
            command
        };
        let hold = s3.folder.path().join("hold");
        std::fs::write(&hold, "").expect("holding the server");
        let mut first = submit().spawn().expect("uploading");
        let noted = || {
            let journal = std::fs::read_dir(cache.join("uploads")).into_iter().flatten().flatten().next();
            journal.and_then(|journal| std::fs::read_to_string(journal.path()).ok()).unwrap_or_default()
        };
        ns.wait_for("two parts", || (noted().lines().count() == 3).then_some(()));
        first.kill().expect("killing");
        first.wait().expect("its end");
        assert_eq!(s3.parts().len(), 2, "{:?}", s3.parts());
        std::fs::remove_file(&hold).expect("letting the server go on");
        assert_cmd::Command::from_std(submit())
            .assert()
            .code(0)
            .stderr(contains("2 of 5 parts were there").and(contains("uploaded data.bin (36.00 MiB)")));
        let mut parts = s3.parts();
        parts.sort();
        parts.dedup();
        assert_eq!((s3.parts().len(), parts.len()), (5, 5), "{:?}", s3.parts());
        let listed = ureq::get(format!("{}/jobs?list-type=2", s3.endpoint)).call().expect("a list");
        let listed = listed.into_body().read_to_string().expect("a list");
        let key = listed.split("<Key>").nth(1).and_then(|rest| rest.split("</Key>").next()).expect("a key");
        let stored = ureq::get(format!("{}/jobs/{key}", s3.endpoint)).call().expect("the object");
        let stored = stored.into_body().with_config().limit(64 << 20).read_to_vec().expect("the object");
        assert!(stored == content, "another content is stored");
    }

    /// A WebDAV server (wsgidav, of PyPI) of a folder.
    struct WebDav(Child);

    impl WebDav {
        fn start(folder: &Path) -> (Self, String) {
            let free = std::net::TcpListener::bind((HOST, 0)).and_then(|free| free.local_addr());
            let port = free.expect("a port").port().to_string();
            let mut server = Command::new("python3");
            server.args(["-m", "wsgidav.server.server_cli", "--host", HOST, "--port", &port, "--auth", "anonymous"]);
            server.arg("--root").arg(folder).env("PYTHONPATH", packages()).stdout(Stdio::null()).stderr(Stdio::null());
            let server = Self(server.spawn().expect("starting wsgidav"));
            let address = format!("http://{HOST}:{port}");
            let start = std::time::Instant::now();
            while ureq::get(&address).call().is_err() {
                assert!(start.elapsed() < std::time::Duration::from_secs(60), "wsgidav does not answer");
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            (server, address)
        }
    }

    impl Drop for WebDav {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn runs_a_large_jar_by_a_web_server() {
        let ns = Namespace::new("own-web");
        let (folder, root) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let jar = application(folder.path(), 3 << 20);
        let (_server, address) = WebDav::start(root.path());
        let store = format!("{address}/team/jars");
        let run = of_application(&ns, "loud", &jar).args(["--logs", "--upload", &store]).args(LOUD).assert();
        let said = contains(format!("uploaded loud.jar (3.00 MiB) to {store}/"));
        run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(said);
        let run = of_application(&ns, "again", &jar).args(["--upload", &store, "--detach"]).args(LOUD).assert();
        run.code(0).stderr(contains(format!("loud.jar (3.00 MiB) is at {store}/")));
    }

    #[test]
    fn runs_a_large_jar_by_a_folder_that_the_pods_mount() {
        let ns = Namespace::new("own-folder");
        let (folder, store) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let jar = application(folder.path(), 3 << 20);
        // The nodes are this machine.
        std::fs::set_permissions(store.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .expect("opening it");
        let path = store.path().display().to_string();
        let mut command = of_application(&ns, "loud", &jar);
        for role in ["driver", "executor"] {
            let volume = format!("spark.kubernetes.{role}.volumes.hostPath.store");
            command.args(["--conf", &format!("{volume}.mount.path={path}")]);
            command.args(["--conf", &format!("{volume}.options.path={path}")]);
        }
        let run = command.args(["--logs", "--upload", &format!("file://{path}")]).args(LOUD).assert();
        let said = contains(format!("uploaded loud.jar (3.00 MiB) to file://{path}/"));
        run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(said);
    }
}
