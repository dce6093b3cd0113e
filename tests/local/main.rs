//! Runs on this machine, without a cluster: Spark comes from PyPI, into a cache that is empty at first.

#[path = "../support/mod.rs"]
mod support;

mod conf_dirs;
mod container;
mod r;

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::Signal;
use support::local::{MACHINE, failure_of, first_run, index_that_falls_silent, is_running, lines, run_of, text};
use support::{eventually, signal, sparkctl, with_default_signals};

#[test]
fn runs_the_operators_pi_with_nothing_installed_but_python() {
    let (_, stdout, stderr) = first_run();
    assert!(stdout.starts_with("Pi is roughly 3.1"), "{stdout}");
    for message in [
        "no effect on this machine: batchScheduler, affinity, restartPolicy, timeToLiveSeconds",
        "Spark 3.0.0 does not run on Python",
        "fetching Spark ",
        "with Spark ",
        "pyspark-pi succeeded: starting ",
    ] {
        assert_eq!(stderr.matches(message).count(), 1, "{message}\n{stderr}");
    }
    // Warnings about the cluster's retries do not apply here.
    assert!(!stderr.contains("warning:"), "{stderr}");
}

#[test]
fn gives_the_application_its_settings_variables_and_arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let package = folder.path().join("colours");
    std::fs::create_dir(&package).expect("a package");
    std::fs::write(package.join("__init__.py"), "import os\nof = lambda _: os.environ['COLOUR']\n").expect("a package");
    let script = "\
import sys, colours
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
seen = spark.sparkContext.parallelize([1]).map(lambda n: colours.of(n)).first()
print([sys.argv[1:], spark.conf.get('spark.sql.shuffle.partitions'), seen, spark.sparkContext.master])
";
    let package = package.display().to_string();
    let flags = ["--conf", "spark.sql.shuffle.partitions=7", "--env", "COLOUR=blue", "--py-files", &package];
    let arguments = [&flags[..], &["--", "a b", "*"]].concat();
    let run = assert_cmd::Command::from_std(run_of(folder.path(), script, &arguments)).assert().success();
    let stdout = text(&run.get_output().stdout);
    assert_eq!(stdout, "[['a b', '*'], '7', 'blue', 'local[2]']\n");
}

#[test]
fn runs_an_application_with_files_beside_its_job_file() {
    let (cache, ..) = first_run();
    let mut command = sparkctl();
    command.env("SPARKCTL_CACHE_DIR", cache).args(["submit", "examples/own-files.yaml", "--local=2", MACHINE]);
    command.args(["--spark-version", "3.4.4"]);
    let run = assert_cmd::Command::from_std(command).assert().success();
    assert_eq!(text(&run.get_output().stdout), "words: 17, on the driver: 17\n");
}

#[test]
fn reports_a_failure_as_in_the_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let result = failure_of(|script| run_of(folder.path(), script, &["--output", "json", "--logs"]));
    assert_eq!(result["exception"], "ValueError: no such thing");
}

#[test]
fn explains_a_file_that_only_the_image_has() {
    let (cache, ..) = first_run();
    let mut command = sparkctl();
    command.env("SPARKCTL_CACHE_DIR", cache).args(["submit", "examples/jvm-pi.yaml", "--local", MACHINE]);
    command.args(["--main-file", "local:///nowhere/job.jar", "--output", "json"]);
    let run = command.output().expect("running");
    assert_eq!(run.status.code(), Some(4));
    let result = lines(&run.stdout).pop().expect("a result");
    assert_eq!(result["outcome"], "CouldNotStart");
    let message = result["message"].as_str().expect("a message");
    assert!(message.contains("this machine has no /nowhere/job.jar"), "{message}");
}

#[test]
fn stops_all_processes_at_ctrl_c() {
    let folder = tempfile::tempdir().expect("a folder");
    let pids = folder.path().join("pids");
    let script = "\
import os, subprocess, sys, time
child = subprocess.Popen(['sleep', '1000'])
with open(sys.argv[1] + '.new', 'w') as file:
    file.write('%d %d %d' % (os.getpid(), os.getppid(), child.pid))
os.rename(sys.argv[1] + '.new', sys.argv[1])
time.sleep(1000)
";
    let mut command = with_default_signals(&run_of(folder.path(), script, &["--", &pids.display().to_string()]));
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("running");
    eventually("the script's processes", || pids.exists().then_some(()));
    let pids: Vec<i32> = std::fs::read_to_string(&pids)
        .expect("the script's processes")
        .split(' ')
        .map(|pid| pid.parse().expect("a process id"))
        .collect();
    assert_eq!(pids.len(), 3);
    signal(&run, Signal::INT);
    let status = run.wait().expect("its end");
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    for pid in pids {
        eventually("the end of all processes", || (!is_running(pid)).then_some(()));
    }
}

#[test]
fn leaves_no_partial_download_after_ctrl_c() {
    let cache = tempfile::tempdir().expect("a cache");
    let mut command = sparkctl();
    command.env("SPARKCTL_CACHE_DIR", cache.path()).env("PIP_INDEX_URL", index_that_falls_silent());
    command.args(["submit", "examples/pyspark-pi.yaml", "--local", MACHINE]);
    let mut run = with_default_signals(&command).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("running");
    let left = || -> Vec<String> {
        let entries = std::fs::read_dir(cache.path()).expect("the cache");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| !name.starts_with('.')).collect()
    };
    eventually("the fetch", || (!left().is_empty()).then_some(()));
    signal(&run, Signal::INT);
    assert_eq!(run.wait().expect("its end").code(), Some(130));
    assert_eq!(left(), [""; 0]);
}

#[test]
fn stops_at_its_timeout() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = run_of(folder.path(), "import time\ntime.sleep(1000)\n", &["--timeout", "4s"]).output().expect("running");
    assert_eq!(run.status.code(), Some(124));
    assert!(text(&run.stderr).contains("timed out: here was stopped"), "{}", text(&run.stderr));
}
