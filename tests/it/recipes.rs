//! Runs the recipes of the docs as they are there, each with the program that it is for, or in a shell as that program
//! would.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::jobs::policy_job as job;
use crate::support::{Namespace, copy_environment, root};

/// The fenced block in this language below a heading of the page.
fn block(heading: &str, language: &str) -> String {
    let page = std::fs::read_to_string(root().join("docs/recipes.md")).expect("the page");
    let (_, section) = page.split_once(&format!("## {heading}\n")).expect(heading);
    let (_, block) = section.split_once(&format!("```{language}\n")).expect(heading);
    block.split_once("```").expect("the block's end").0.to_owned()
}

/// A folder with a job under the file names that the recipes use.
fn folder(ns: &Namespace) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&ns.name);
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = job(ns, "nightly", "", "echo done");
    for name in ["job.yaml", "nightly.yaml"] {
        std::fs::copy(&file, folder.join(name)).expect("the job file");
    }
    folder
}

/// Runs a command with `sparkctl` on the path. Returns its exit code and everything it prints.
fn run(ns: &Namespace, folder: &Path, program: &[&str]) -> (Option<i32>, String) {
    let sparkctl = ns.command();
    let own = Path::new(sparkctl.get_program()).parent().expect("a folder");
    let path = format!("{}:{}", own.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).current_dir(folder).env("PATH", path);
    copy_environment(&sparkctl, &mut command);
    for name in ["GITHUB_RUN_ID", "CI_PIPELINE_ID"] {
        command.env(name, "4711");
    }
    let output = command.output().unwrap_or_else(|error| panic!("{}: {error}", program[0]));
    let printed = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&printed).into_owned())
}

#[test]
fn the_crontab_line_runs() {
    let ns = Namespace::new("crontab");
    let line = block("A line of a crontab", "crontab");
    let fields: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(fields[..5], ["30", "3", "*", "*", "*"]);
    let command =
        fields[5..].join(" ").replace("/etc/spark/", "").replace("https://hc-ping.com/UUID", "http://127.0.0.1:9/");
    let (code, output) = run(&ns, &folder(&ns), &["sh", "-c", &command]);
    assert_eq!(code, Some(0), "{output}");
    assert!(!output.contains("succeeded"), "cron would mail this: {output}");
}

#[test]
fn the_github_step_runs_and_joins_when_repeated() {
    let ns = Namespace::new("github");
    let steps: Value = serde_yaml::from_str(&block("A step of a GitHub workflow", "yaml")).expect("YAML");
    let script = steps[0]["run"].as_str().expect("a script").to_owned();
    let folder = folder(&ns);
    for time in ["first", "second"] {
        let (code, output) = run(&ns, &folder, &["bash", "-e", "-c", &script]);
        assert_eq!(code, Some(0), "{time}: {output}");
    }
    assert_eq!(ns.left().iter().filter(|object| object.starts_with("pods/")).count(), 1);
}

#[test]
fn the_gitlab_job_runs() {
    let ns = Namespace::new("gitlab");
    let jobs: Value = serde_yaml::from_str(&block("A job of a GitLab pipeline", "yaml")).expect("YAML");
    let script = jobs["run-application"]["script"][0].as_str().expect("a script").to_owned();
    let (code, output) = run(&ns, &folder(&ns), &["bash", "-e", "-o", "pipefail", "-c", &script]);
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn the_airflow_operators_command_runs() {
    let ns = Namespace::new("airflow");
    let operator = block("An Airflow BashOperator", "python");
    let (_, command) = operator.split_once("bash_command=\"").expect("a command");
    let (command, _) = command.split_once("\",\n").expect("its end");
    let command = command.replace("{{ run_id }}", "scheduled__2026-11-24T00:00:00+00:00").replace("/jobs/", "");
    let (code, output) = run(&ns, &folder(&ns), &["bash", "-c", &command]);
    assert_eq!(code, Some(0), "{output}");
}

#[test]
fn the_makefile_runs() {
    let ns = Namespace::new("makefile");
    let folder = folder(&ns);
    std::fs::write(folder.join("Makefile"), block("A Makefile", "make")).expect("the Makefile");
    let (code, output) = run(&ns, &folder, &["make", "--always-make", "nightly"]);
    assert_eq!(code, Some(0), "{output}");
}
