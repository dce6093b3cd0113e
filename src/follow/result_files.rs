//! The files that results are written to: the result itself, a test report, and the files of CI systems.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::jiff::Timestamp;
use serde_json::json;

use crate::cluster;
use crate::manifests::Application;
use crate::report::{self, Ci, End, JsonLine};
use crate::terminal::messages;

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Results")]
pub struct ResultFileOptions {
    /// Write the result to a file, one line of JSON per application; the file is written atomically
    #[arg(long, value_name = "FILE")]
    pub result_file: Option<PathBuf>,
    /// Write a JUnit test report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Copy the driver's log to a file, and the executors' as well with --logs=all
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Which CI system to write folded logs, annotations and summaries for
    #[arg(long, value_enum, default_value = "auto", env = "SPARKCTL_CI", value_name = "SYSTEM")]
    pub ci: Ci,
}

impl ResultFileOptions {
    pub fn ci(&self) -> Ci {
        self.ci.detected(|name| std::env::var(name).ok())
    }

    /// Removes the files of an earlier run, so that they cannot be mistaken for this run's, and fails early if a file
    /// could not be written at the end.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn prepare(&self) -> Result<()> {
        for path in [&self.result_file, &self.junit].into_iter().flatten().filter(|path| !leads_elsewhere(path)) {
            prepare(path).with_context(|| format!("writing {}", path.display()))?;
        }
        if let Some(path) = self.log_file.as_ref().filter(|path| !leads_elsewhere(path)) {
            File::create(path).with_context(|| format!("creating the log file {}", path.display()))?;
        }
        Ok(())
    }

    /// Records an application that is submitted and not followed.
    pub fn record_submitted(&self, application: &Application, message: &str, record: &JsonLine) {
        let end = End {
            app: application.name.clone(),
            namespace: application.namespace.clone(),
            outcome: "Submitted".into(),
            message: message.into(),
            ..End::default()
        };
        ResultFiles::of(self).record(record, &end);
    }

    /// Records an error that ended a command before there was an application to follow. Returns it as a result.
    pub fn record_refusal(&self, error: &anyhow::Error) -> JsonLine {
        let code = cluster::exit_code(error);
        let (outcome, message) = (code.word(), format!("{error:#}"));
        let record = json!({
            "app": null, "namespace": null, "id": null, "outcome": outcome, "exitCode": code.number(),
            "driverExitCode": null, "retryable": code.is_retryable(), "message": report::clean(&message),
        });
        let record = JsonLine::new("result", record, Timestamp::now());
        let end = End { app: "sparkctl".into(), outcome: outcome.into(), exit_code: code, message, ..End::default() };
        let result_files = ResultFiles::of(self);
        if result_files.ci == Ci::Github {
            report::annotation(&end).iter().for_each(|line| messages::line(line));
        }
        result_files.record(&record, &end);
        record
    }
}

/// The files to write at the end.
pub struct ResultFiles {
    result_file: Option<PathBuf>,
    junit: Option<PathBuf>,
    ci: Ci,
}

impl ResultFiles {
    pub fn of(options: &ResultFileOptions) -> ResultFiles {
        ResultFiles { result_file: options.result_file.clone(), junit: options.junit.clone(), ci: options.ci() }
    }

    /// Adds a result to each file. Failing to write one is a warning, and does not change the exit code.
    pub fn record(&self, record: &JsonLine, end: &End) {
        let result = self.result_file.as_ref().map(|path| add(path, |before| format!("{before}{record}\n")));
        let junit = self.junit.as_ref().map(|path| add(path, |before| with_suite(before, &report::junit_suite(end))));
        let github = (self.ci == Ci::Github).then(|| {
            append("GITHUB_STEP_SUMMARY", &report::step_summary(end))?;
            append("GITHUB_OUTPUT", &report::step_outputs(end))
        });
        for error in [result, junit, github].into_iter().flatten().filter_map(Result::err) {
            messages::warn(&format!("{error:#}"));
        }
    }
}

const JUNIT_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
const JUNIT_TAIL: &str = "</testsuites>\n";

/// Adds a suite to a report.
fn with_suite(report: &str, suite: &str) -> String {
    let before = report.strip_suffix(JUNIT_TAIL).unwrap_or(JUNIT_HEAD);
    format!("{before}{suite}{JUNIT_TAIL}")
}

/// Whether a path is a pipe, a device or an open file of this process: it can be written to, but not read, removed or
/// replaced.
fn leads_elsewhere(path: &Path) -> bool {
    let open = ["/dev/stdout", "/dev/stderr", "/dev/fd", "/proc"];
    let is_special = |metadata: std::fs::Metadata| !metadata.is_file() && !metadata.is_dir();
    open.iter().any(|open| path.starts_with(open)) || path.metadata().is_ok_and(is_special)
}

/// Removes a file. A mounted one, such as a pod's /dev/termination-log, can only be emptied.
fn prepare(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::ResourceBusy => File::create(path).map(|_| ()),
        Err(error) if error.kind() == ErrorKind::NotFound => tempfile::tempfile_in(folder(path)).map(|_| ()),
        taken => taken,
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Replaces the text of a file by what `change` makes of it.
fn add(path: &Path, change: impl Fn(&str) -> String) -> Result<()> {
    let written = match leads_elsewhere(path) {
        true => OpenOptions::new().append(true).open(path).and_then(|mut out| out.write_all(change("").as_bytes())),
        false => replace(path, &change(&std::fs::read_to_string(path).unwrap_or_default())),
    };
    written.with_context(|| format!("writing {}", path.display()))
}

/// Writes a file atomically: readers see the old content or the new.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder(path))?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all())?;
    match file.persist(path) {
        Err(kept) if kept.error.kind() == ErrorKind::ResourceBusy => std::fs::write(path, text),
        persisted => Ok(persisted.map(|_| ())?),
    }
}

/// Appends to the file that an environment variable names.
fn append(variable: &str, text: &str) -> Result<()> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("writing {variable}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{ResultFileOptions, add, leads_elsewhere, replace, with_suite};

    #[test]
    fn adds_suites_to_one_report() {
        let one = with_suite("", "<testsuite/>\n");
        let two = with_suite(&one, "<testsuite/>\n");
        assert_eq!(
            two,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite/>\n<testsuite/>\n</testsuites>\n"
        );
    }

    #[test]
    fn replaces_a_file_without_leaving_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        replace(&path, "old").unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn devices_are_written_to_and_neither_read_nor_replaced() {
        // Reading this one would never end.
        assert!(add(Path::new("/dev/full"), |before| format!("{before}x")).is_err());
        assert!(add(Path::new("/dev/null"), |before| format!("{before}x")).is_ok());
        assert!(leads_elsewhere(Path::new("/dev/stdout")) && leads_elsewhere(Path::new("/dev/fd/3")));
        let options = ResultFileOptions { result_file: Some("/dev/null".into()), ..ResultFileOptions::default() };
        options.prepare().unwrap();
        assert!(!Path::new("/dev/null").metadata().unwrap().is_file());
    }

    #[test]
    fn files_that_cannot_be_written_are_refused_at_the_start() {
        let refused = |path: &str| {
            let options = ResultFileOptions { result_file: Some(path.into()), ..ResultFileOptions::default() };
            options.prepare().unwrap_err().to_string()
        };
        assert_eq!(refused("/no/such/folder/r.json"), "writing /no/such/folder/r.json");
        assert_eq!(refused("src"), "writing src");
    }
}
