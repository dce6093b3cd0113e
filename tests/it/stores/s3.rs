//! Uploads to S3. Spark reads them through hadoop-aws from Maven Central.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use predicates::prelude::*;
use predicates::str::contains;

use crate::support::jars::{LOUD, application, of_application};
use crate::support::needs::once;
use crate::support::stores::Objects;
use crate::support::{Namespace, cluster};

/// The jars of the file system `s3a:` for the Spark of the test image, which has Hadoop 3.4.2. hadoop-aws depends on the
/// whole AWS SDK; the parts that it uses are a sixtieth of that. What they share with Spark is in the image.
fn s3a() -> &'static Path {
    const HADOOP_AWS: &str = "org/apache/hadoop/hadoop-aws/3.4.2/hadoop-aws-3.4.2.jar";
    const OTHERS: [&str; 2] = [
        "org/reactivestreams/reactive-streams/1.0.4/reactive-streams-1.0.4.jar",
        "software/amazon/eventstream/eventstream/1.0.1/eventstream-1.0.1.jar",
    ];
    const SDK: &str = "annotations apache-client arns auth aws-core aws-query-protocol aws-xml-protocol checksums checksums-spi \
         crt-core endpoints-spi http-auth http-auth-aws http-auth-aws-eventstream http-auth-spi http-client-spi identity-spi \
         json-utils metrics-spi netty-nio-client profiles protocol-core regions retries retries-spi s3 s3-transfer-manager \
         sdk-core third-party-jackson-core utils";
    static JARS: OnceLock<PathBuf> = OnceLock::new();
    JARS.get_or_init(|| {
        once("hadoop-aws-3.4.2", |folder| {
            let https = https();
            let of_sdk =
                SDK.split_whitespace().map(|part| format!("software/amazon/awssdk/{part}/2.29.52/{part}-2.29.52.jar"));
            for path in [HADOOP_AWS].into_iter().chain(OTHERS).map(str::to_owned).chain(of_sdk) {
                let url = format!("https://repo1.maven.org/maven2/{path}");
                let jar = https.get(&url).call().unwrap_or_else(|error| panic!("fetching {url}: {error}"));
                let jar = jar.into_body().read_to_vec().unwrap_or_else(|error| panic!("fetching {url}: {error}"));
                let name = path.rsplit('/').next().expect("a name");
                std::fs::write(folder.join(name), jar).expect("writing a jar");
            }
        })
    })
}

fn https() -> ureq::Agent {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let tls = ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier);
    let tls = tls.unversioned_rustls_crypto_provider(provider).build();
    ureq::Agent::config_builder().tls_config(tls).build().into()
}

/// Settings for a driver that reads `s3a:`. Executors get files from the driver. The nodes run on this machine.
fn settings(store: &Objects) -> impl Iterator<Item = String> {
    let volume = "spark.kubernetes.driver.volumes.hostPath.s3a";
    let settings = [
        format!("spark.hadoop.fs.s3a.endpoint={}", store.endpoint),
        "spark.hadoop.fs.s3a.path.style.access=true".to_owned(),
        "spark.hadoop.fs.s3a.access.key=key".to_owned(),
        "spark.hadoop.fs.s3a.secret.key=secret".to_owned(),
        format!("{volume}.mount.path=/opt/s3a"),
        format!("{volume}.options.path={}", s3a().display()),
        "spark.driver.extraClassPath=/opt/s3a/*".to_owned(),
    ];
    settings.into_iter().flat_map(|setting| ["--conf".to_owned(), setting])
}

/// An application whose files are all large: the main file, a folder of modules, a jar, and data of more than one part.
/// The program prints what driver and executors have of the other three.
struct Large {
    folder: tempfile::TempDir,
    jar: PathBuf,
}

impl Large {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let jar = application(folder.path(), 2 << 20);
        let padding = format!("# {}\n", "x".repeat(1 << 20));
        let program = "\
import os
from helper import doubled
from pyspark import SparkFiles
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
loader = spark._jvm.java.lang.Thread.currentThread().getContextClassLoader()
print('jar', loader.getResource('Loud.class') is not None)
size = lambda _: doubled(os.path.getsize(SparkFiles.get('data.bin')))
print('doubled', size(0), spark.sparkContext.parallelize([0], 1).map(size).first())
spark.stop()
";
        let write = |name: &str, content: Vec<u8>| std::fs::write(folder.path().join(name), content).expect("writing");
        write("job.py", format!("{program}{padding}").into());
        std::fs::create_dir(folder.path().join("lib")).expect("a folder");
        write("lib/helper.py", "def doubled(number): return 2 * number\n".into());
        // Random bytes, which do not compress.
        let mut random = fastrand::Rng::with_seed(1);
        write("lib/noise", std::iter::repeat_with(|| random.u8(..)).take(1 << 20).collect());
        write("data.bin", vec![7; 20 << 20]);
        Self { folder, jar }
    }

    /// Matches what its program prints.
    fn printed() -> impl Predicate<str> {
        contains("jar True").and(contains(format!("doubled {size} {size}", size = 40 << 20)))
    }

    fn submit(&self, ns: &Namespace, store: &Objects, more: &[&str]) -> assert_cmd::Command {
        let path = |name: &str| self.folder.path().join(name);
        let mut command = ns.sparkctl();
        command.envs(store.s3());
        command.args(["submit", "--image", &cluster().spark_image(), "--spark-version", "4.1.4", "--executors", "1"]);
        command.args(["--driver-memory", "512m", "--executor-memory", "512m", "--service-account", "yippee-spark"]);
        command.arg("--main-file").arg(path("job.py")).arg("--py-files").arg(path("lib"));
        command.arg("--files").arg(path("data.bin")).arg("--jars").arg(&self.jar).args(more);
        command
    }
}

#[test]
fn uploads_large_files_once_and_the_driver_reads_them_through_s3a() {
    let (store, ns, large) = (Objects::start(), Namespace::new("own-s3a"), Large::new());
    let dry = large.submit(&ns, &store, &["--name", "dry", "--dry-run"]).assert();
    dry.code(2).stderr(contains("give --upload URL (s3://"));
    let upload = ["--upload", "s3://jobs/team", "--logs", "--name", "own-s3a"];
    let run = large.submit(&ns, &store, &upload).args(settings(&store)).assert();
    run.code(0).stdout(Large::printed()).stderr(
        contains("uploaded job.py (1.00 MiB) to s3://jobs/team/")
            .and(contains("uploaded lib.zip (1.00 MiB)"))
            .and(contains("uploaded loud.jar (2.00 MiB)"))
            .and(contains("uploaded data.bin (20.00 MiB)")),
    );
    let again = large.submit(&ns, &store, &["--upload", "s3://jobs/team", "--name", "again", "--detach"]).assert();
    again
        .code(0)
        .stderr(contains("data.bin (20.00 MiB) is already at s3://jobs/team/").and(contains("uploaded").not()));
}

#[test]
fn the_driver_reads_signed_urls_without_an_s3_file_system() {
    let (store, ns, large) = (Objects::start(), Namespace::new("own-signed"), Large::new());
    let upload = ["--upload", "s3://jobs/team", "--upload-signed", "--logs", "--name", "own-signed"];
    large.submit(&ns, &store, &upload).assert().code(0).stdout(Large::printed());
}

#[test]
fn runs_a_large_jar_through_s3a() {
    let (store, ns, folder) = (Objects::start(), Namespace::new("own-s3a-jar"), tempfile::tempdir().expect("a folder"));
    let jar = application(folder.path(), 3 << 20);
    let mut command = of_application(&ns, "loud", &jar);
    command.envs(store.s3()).args(settings(&store));
    let run = command.args(["--logs", "--upload", "s3://jobs/jars"]).args(LOUD).assert();
    let message = contains("uploaded loud.jar (3.00 MiB) to s3://jobs/jars/");
    run.code(0).stdout(contains("loud: [OWN, JAR]")).stderr(message);
}
