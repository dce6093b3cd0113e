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
    command.args(["submit", "--name", "own-jar", "--image", &cluster().spark_image(), "--spark-version", "4.1.4"]);
    command.arg("--main-file").arg(&script).arg("--jars").arg(&jar_path);
    command.args(["--executors", "1", "--driver-memory", "512m", "--executor-memory", "512m", "--logs"]);
    let run = command.args(["--service-account", "yippee-spark"]).assert();
    run.code(0).stdout(contains("driver True").and(contains("executor ['my marker.jar']")));
    let maps = cluster().api.items(&ns.core("configmaps"));
    let files = maps.iter().find(|map| !map["binaryData"].is_null()).expect("the files' ConfigMap");
    assert!(files["binaryData"]["my-marker.jar"].is_string(), "{files}");
}

#[cfg(feature = "upload")]
mod store {
    use std::process::{Child, Command, Stdio};

    use super::*;

    /// The test cluster's host, as its pods see it.
    const HOST: &str = "198.18.0.1";

    /// An S3 server (moto, of PyPI) with one bucket.
    struct S3 {
        server: Child,
        endpoint: String,
    }

    impl S3 {
        fn start() -> Self {
            let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto");
            if !packages.join("bin/moto_server").exists() {
                let install = ["-m", "pip", "install", "--quiet", "--target"];
                let status = Command::new("python3").args(install).arg(&packages).arg("moto[server,s3]").status();
                assert!(status.expect("python3 with pip").success(), "moto could not be installed");
            }
            let port =
                std::net::TcpListener::bind((HOST, 0)).and_then(|free| free.local_addr()).expect("a port").port();
            let mut server = Command::new("python3");
            server.arg(packages.join("bin/moto_server")).args(["-H", HOST, "-p", &port.to_string()]);
            server.env("PYTHONPATH", &packages).stdout(Stdio::null()).stderr(Stdio::null());
            let server =
                S3 { server: server.spawn().expect("starting moto"), endpoint: format!("http://{HOST}:{port}") };
            let bucket = format!("{}/jobs", server.endpoint);
            let start = std::time::Instant::now();
            while ureq::put(&bucket).send_empty().is_err() {
                assert!(start.elapsed() < std::time::Duration::from_secs(60), "moto does not answer");
                std::thread::sleep(std::time::Duration::from_millis(200));
            }
            server
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
            command.env("AWS_ENDPOINT_URL", &s3.endpoint).env("AWS_ALLOW_HTTP", "true").env("AWS_REGION", "us-east-1");
            command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
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
}
