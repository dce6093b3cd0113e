//! What is said of an application while it runs and when it has ended, in all its forms.

use std::path::PathBuf;

use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

use crate::support::{Namespace, cluster, short_job};

/// A file of this test's own.
fn file(ns: &Namespace, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}", ns.name))
}

/// A job file whose driver is a command.
fn job(ns: &Namespace, name: &str, command: &str) -> PathBuf {
    job_of_image(ns, name, cluster().variable("BUSYBOX_IMAGE"), command)
}

fn job_of_image(ns: &Namespace, name: &str, image: &str, command: &str) -> PathBuf {
    let path = file(ns, &format!("{name}.yaml"));
    std::fs::write(&path, short_job(name, image, command)).expect("a job file");
    path
}

#[test]
fn a_failure_is_in_every_paper() {
    let ns = Namespace::new("papers");
    let [result, junit, log, summary, outputs] =
        ["r.json", "j.xml", "d.log", "s.md", "o.txt"].map(|name| file(&ns, name));
    let job = job(&ns, "papers", "echo one; echo '::error::two'; echo 'java.lang.Error: no'; exit 3");
    let run = ns
        .sparkctl()
        .args(["submit", "--logs", "--ci", "github"])
        .arg(&job)
        .arg("--result-file")
        .arg(&result)
        .arg("--junit")
        .arg(&junit)
        .arg("--log-file")
        .arg(&log)
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("GITHUB_OUTPUT", &outputs)
        .assert();
    run.code(1).stdout(contains("one\n| ::error::two\n")).stderr(
        contains("::group::Spark's log\n::endgroup::\n")
            .and(contains("::error title=Spark application papers%3A Failed::the driver exited with code 3%0A")),
    );
    let read = |path| std::fs::read_to_string(path).expect("a paper");
    let record: Value = serde_json::from_str(&read(&result)).expect("one object");
    assert_eq!((&record["outcome"], &record["driverExitCode"]), (&"Failed".into(), &3.into()));
    assert!(read(&junit).contains("<failure type=\"Failed\" message=\"the driver exited with code 3\">"));
    assert!(read(&log).starts_with("one\n::error::two\n"));
    assert!(read(&summary).contains("| exception | java.lang.Error: no |"));
    assert!(read(&outputs).contains("outcome=Failed\n"));
}

#[test]
fn a_refusal_is_in_the_result_file_too() {
    let ns = Namespace::new("refused");
    let result = file(&ns, "r.json");
    let run = ns.sparkctl().args(["submit", "tests/pages/mistakes.yaml", "--result-file"]).arg(&result).assert();
    run.code(2);
    let record: Value = serde_json::from_slice(&std::fs::read(&result).expect("a result")).expect("one object");
    assert_eq!((&record["outcome"], &record["exitCode"]), (&"Invalid".into(), &2.into()));
}

#[test]
fn quiet_says_nothing_of_a_success() {
    let ns = Namespace::new("quiet");
    let run = ns.sparkctl().args(["submit", "--progress", "quiet"]).arg(job(&ns, "quiet", "echo x")).assert();
    run.code(0).stdout("").stderr("");
}

#[test]
fn an_image_that_is_not_there_is_told_with_its_class_and_ends_it() {
    let ns = Namespace::new("no-image");
    let job = job_of_image(&ns, "no-image", &format!("{}/no/such:1", cluster().variable("REGISTRY")), "true");
    let run = ns.sparkctl().arg("submit").arg(job).args(["--image-pull-timeout", "5s"]).assert();
    run.code(4).stderr(contains("cannot be pulled: ").and(contains("hint:")));
}
