//! What is left in files for those who come later: the result, a test report, a pipeline's pages.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::failure;
use crate::manifests::Application;
use crate::report::{self, Ci, End};

#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Results")]
pub struct PapersOptions {
    /// Write the result to a file, whatever it is: a line of JSON for each application, written whole or not at all
    #[arg(long, value_name = "FILE")]
    pub result_file: Option<PathBuf>,
    /// Write what happened as a JUnit test report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Copy the driver's log to a file; with --logs=all the executors' too
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// Whose dialect to speak beside: folded logs, annotations, summaries
    #[arg(long, value_enum, default_value = "auto", env = "SPARKCTL_CI", value_name = "SYSTEM")]
    pub ci: Ci,
}

impl PapersOptions {
    pub fn ci(&self) -> Ci {
        self.ci.detected(|name| std::env::var(name).ok())
    }

    /// Takes away what an earlier run has left: nobody is to read it for this one's.
    ///
    /// # Errors
    /// A file of that name cannot be taken away.
    pub fn clear(&self) -> Result<()> {
        for path in [&self.result_file, &self.junit].into_iter().flatten() {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(error).with_context(|| format!("writing {}", path.display()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Notes an application that nobody follows.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn submitted(&self, application: &Application, message: &str, record: &Value) -> Result<()> {
        let end = End {
            app: application.name.clone(),
            namespace: application.namespace.clone(),
            outcome: "Submitted".into(),
            message: message.into(),
            ..End::default()
        };
        Papers::of(self).hand_in(record, &end)
    }

    /// Notes an error that ended a command before there was an application to follow.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn refused(&self, error: &anyhow::Error) -> Result<()> {
        let code = failure::exit_code(error);
        let (outcome, message) = (failure::outcome(error), format!("{error:#}"));
        let record = json!({
            "v": 1, "ts": Timestamp::now().to_string(), "kind": "result", "app": null, "namespace": null, "id": null,
            "outcome": outcome, "exitCode": code, "driverExitCode": null, "retryable": false,
            "message": report::clean(&message),
        });
        let end = End { app: "sparkctl".into(), outcome: outcome.into(), exit_code: code, message, ..End::default() };
        let papers = Papers::of(self);
        if papers.ci == Ci::Github {
            report::annotation(&end).iter().for_each(|line| report::talk::line(line));
        }
        papers.hand_in(&record, &end)
    }
}

/// The files to hand in at the end.
pub struct Papers {
    result_file: Option<PathBuf>,
    junit: Option<PathBuf>,
    ci: Ci,
}

impl Papers {
    pub fn of(options: &PapersOptions) -> Papers {
        Papers { result_file: options.result_file.clone(), junit: options.junit.clone(), ci: options.ci() }
    }

    /// Adds an end to each file.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn hand_in(&self, record: &Value, end: &End) -> Result<()> {
        if let Some(path) = &self.result_file {
            let before = std::fs::read_to_string(path).unwrap_or_default();
            replace(path, &format!("{before}{record}\n"))?;
        }
        if let Some(path) = &self.junit {
            let before = std::fs::read_to_string(path).unwrap_or_default();
            replace(path, &with_suite(&before, &report::junit_suite(end)))?;
        }
        if self.ci == Ci::Github {
            append("GITHUB_STEP_SUMMARY", &report::step_summary(end))?;
            append("GITHUB_OUTPUT", &report::step_outputs(end))?;
        }
        Ok(())
    }
}

const JUNIT_HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n";
const JUNIT_TAIL: &str = "</testsuites>\n";

/// A report with one more suite.
fn with_suite(report: &str, suite: &str) -> String {
    let before = report.strip_suffix(JUNIT_TAIL).unwrap_or(JUNIT_HEAD);
    format!("{before}{suite}{JUNIT_TAIL}")
}

/// Writes a file whole or not at all: whoever reads it sees the old one or the new one.
fn replace(path: &Path, text: &str) -> Result<()> {
    let doing = || format!("writing {}", path.display());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .with_context(doing)?;
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).with_context(doing)?;
    file.persist(path).with_context(doing)?;
    Ok(())
}

/// Appends to the file that an environment variable names.
fn append(variable: &str, text: &str) -> Result<()> {
    let Some(path) = std::env::var_os(variable).filter(|path| !path.is_empty()) else { return Ok(()) };
    let file = std::fs::OpenOptions::new().append(true).create(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("writing {variable}"))
}

#[cfg(test)]
mod tests {
    use super::{replace, with_suite};

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
    fn replaces_a_file_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.json");
        replace(&path, "old").unwrap();
        replace(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
