//! Runs in a container of the job's image.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::container::{engine, run_of, settings, submit};
use crate::support::local::{failure_of, text};
use crate::support::{cluster, eventually, signal, sparkctl, with_default_signals};
use rustix::process::Signal;

#[test]
fn gives_the_application_what_a_cluster_gives_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (modules, data) = (folder.path().join("lib"), folder.path().join("my data.txt"));
    std::fs::create_dir(&modules).expect("a folder of modules");
    std::fs::write(modules.join("colours.py"), "def loud(text):\n    return text.upper()\n").expect("writing a module");
    std::fs::write(&data, "seven").expect("writing a file");
    let script = "\
import os, sys
from pyspark import SparkFiles
from pyspark.sql import SparkSession
import colours
spark = SparkSession.builder.getOrCreate()
def seen(_):
    return [colours.loud(os.environ['COLOUR']), open(SparkFiles.get('my data.txt')).read()]
print(sys.argv[1:], spark.conf.get('spark.sql.shuffle.partitions'), spark.sparkContext.master)
print(spark.sparkContext.parallelize([1]).map(seen).first())
print(os.environ['SPARK_HOME'], os.environ['TOKEN'].split('\\n'), __file__)
limits = ['/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max']
print([int(open(limit).read()) >> 20 for limit in limits if os.path.exists(limit)])
try:
    open(__file__, 'a')
except OSError as error:
    print(error.strerror)
";
    let mut command =
        run_of(folder.path(), script, &["--conf", "spark.sql.shuffle.partitions=7", "--env", "COLOUR=blue"]);
    command.args(["--env", "TOKEN=two\nlines"]).arg("--py-files").arg(&modules).arg("--files").arg(&data);
    let run = assert_cmd::Command::from_std(command).args(["--", "a b", "*"]).assert().success();
    let output = run.get_output();
    let expected = "\
['a b', '*'] 7 local[1]
['BLUE', 'seven']
/opt/spark ['two', 'lines'] /mnt/sparkctl/files/job.py
[896]
Read-only file system
";
    assert_eq!(text(&output.stdout), expected);
    let stderr = text(&output.stderr);
    let ran = format!("with docker.io/apache/spark:4.1.4 in {} ", engine());
    for message in [&ran, ", local[1]", "boxed succeeded: starting "] {
        assert_eq!(stderr.matches(message).count(), 1, "{message}\n{stderr}");
    }
}

#[test]
fn runs_a_jar_of_the_image() {
    // Without a Spark on the machine, a container is preferred to fetching one.
    let mut command = sparkctl();
    command.envs(settings().iter().map(|(name, value)| (name, value))).env_remove("SPARK_HOME");
    command.args(["submit", "examples/jvm-pi.yaml", "--local=1", "--image", &cluster().spark_image()]);
    let run = command.output().expect("running");
    assert_eq!(run.status.code(), Some(0), "{}", text(&run.stderr));
    assert!(text(&run.stdout).contains("Pi is roughly 3.1"), "{}", text(&run.stdout));
}

#[test]
fn reports_a_failure_in_a_container_as_in_the_cluster() {
    let folder = tempfile::tempdir().expect("a folder");
    let result = failure_of(|script| run_of(folder.path(), script, &["--output", "json", "--logs"]));
    assert_eq!(result["exception"], "ValueError: no such thing");
}

#[test]
fn explains_an_image_that_cannot_be_pulled() {
    let run = submit(&["examples/jvm-pi.yaml", "--image", "apache/no-such-image:1"]).output().expect("running");
    assert_eq!(run.status.code(), Some(4), "{}", text(&run.stderr));
    let stderr = text(&run.stderr);
    assert!(stderr.contains(&format!("{} pull: ", engine())) && stderr.contains("no-such-image"), "{stderr}");
}

#[test]
fn leaves_no_container_after_ctrl_c() {
    let folder = tempfile::tempdir().expect("a folder");
    let mark = folder.path().display().to_string();
    let script = "import time\nprint('at work', flush=True)\ntime.sleep(1000)\n";
    let mut command = with_default_signals(&run_of(folder.path(), script, &["--", &mark]));
    let mut run = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("running");
    let mut line = String::new();
    BufReader::new(run.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    assert_eq!(line, "at work\n");
    let there = || {
        let mut list = Command::new(engine());
        list.envs(settings().iter().map(|(name, value)| (name, value)));
        let list = list.args(["ps", "--all", "--no-trunc", "--format", "{{.Command}}"]).output().expect("a list");
        text(&list.stdout).contains(&mark)
    };
    assert!(there(), "the engine does not list the container");
    signal(&run, Signal::INT);
    assert_eq!(run.wait().expect("its end").code(), Some(130));
    eventually("the end of the container", || (!there()).then_some(()));
}

#[test]
fn reports_that_docker_could_not_start_the_container() {
    // A stand-in: the real Docker fails only where the machine lacks what a container needs.
    let folder = tempfile::tempdir().expect("a folder");
    let script = "#!/bin/sh\n\
                  case $1 in\n\
                  cp) [ -e \"$2\" ] || : >\"$3\" ;;\n\
                  start) echo 'Error response from daemon: no network' >&2; exit 1 ;;\n\
                  inspect) echo created ;;\n\
                  esac\n";
    let docker = folder.path().join("docker");
    std::fs::write(&docker, script).expect("writing a script");
    std::fs::set_permissions(&docker, std::fs::Permissions::from_mode(0o755)).expect("making it a program");
    let mut command = sparkctl();
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("PATH"));
    command.env("PATH", path).args(["submit", "examples/jvm-pi.yaml", "--local", "--local-in=docker"]);
    let run = command.output().expect("running");
    assert_eq!(run.status.code(), Some(4), "{}", text(&run.stderr));
    let stderr = text(&run.stderr);
    assert!(stderr.contains("daemon: no network\n") && stderr.contains("could not start the container"), "{stderr}");
}
