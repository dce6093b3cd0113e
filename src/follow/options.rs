//! The flags of commands that follow an application.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::jiff::Timestamp;

use super::result_files::ResultFileOptions;
use crate::exit_code::ExitCode;
use crate::manifests::Application;
use crate::report::{Ci, Json, Output, Progress};
use crate::state::{self, Ending, Outcome};
use crate::terminal::{messages, stdout};
use crate::time::duration;

/// What to do with an application that sparkctl stops following before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Leave {
    /// Keep it running; `attach` follows it again
    Detach,
    /// Delete it with all its objects
    Delete,
}

/// How to follow an application.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Following")]
pub struct FollowOptions {
    /// Copy the driver's log to stdout, or the executors' as well with `all`
    #[arg(long, value_enum, value_name = "WHOSE", num_args = 0..=1, require_equals = true, default_missing_value = "driver")]
    pub logs: Option<Whose>,
    /// How to show progress
    #[arg(long, alias = "output", value_enum, default_value = "auto", env = "SPARKCTL_PROGRESS", value_name = "HOW")]
    pub progress: Progress,
    /// How long to tolerate a missing image, config map, secret or volume
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m")]
    pub image_pull_timeout: Duration,
    /// How long the driver may take to start after its creation, before exit code 4 [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub start_timeout: Option<Duration>,
    /// How long the executors may take to start after their driver, before exit code 4 [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub executors_timeout: Option<Duration>,
    /// How many executors must start within --executors-timeout [default: as many as the driver asks for]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), requires = "executors_timeout")]
    pub min_executors: Option<u32>,
    /// How long to follow the application before exit code 124 [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// What to do with the application on Ctrl-C, SIGTERM or SIGHUP
    #[arg(long, value_enum, default_value = "detach", value_name = "ACTION")]
    pub on_interrupt: Leave,
    /// What to do with the application when --timeout or --executors-timeout expires
    #[arg(long, value_enum, default_value = "detach", value_name = "ACTION")]
    pub on_timeout: Leave,
    /// Exit with the driver's own exit code if the application fails
    #[arg(long, value_name = "WHOSE")]
    pub exit_code_from: Option<ExitCodeFrom>,
    #[command(flatten)]
    pub result_files: ResultFileOptions,
}

/// Whose logs to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Whose {
    /// Only the driver
    Driver,
    /// Driver and executors, each line prefixed with its source
    All,
}

impl FollowOptions {
    /// Copy the driver's log, and report nothing but a failure.
    pub fn log_only() -> FollowOptions {
        FollowOptions {
            logs: Some(Whose::Driver),
            progress: Progress::Quiet,
            image_pull_timeout: state::PATIENCE,
            start_timeout: None,
            executors_timeout: None,
            min_executors: None,
            timeout: None,
            on_interrupt: Leave::Detach,
            on_timeout: Leave::Detach,
            exit_code_from: None,
            result_files: ResultFileOptions::default(),
        }
    }

    /// Passes on the outcome of a command, and records an error wherever a result would be.
    ///
    /// # Errors
    /// The error of the command.
    pub fn record_error(&self, run: Result<ExitCode>) -> Result<ExitCode> {
        run.inspect_err(|error| self.record_refusal(error))
    }

    /// Records an error that ended a command before there was an application to follow.
    pub fn record_refusal(&self, error: &anyhow::Error) {
        let record = self.result_files.record_refusal(error);
        if self.output() == Output::Json {
            print(&record.to_string());
        }
    }

    /// Reports, for scripts, an application that is submitted and not followed: prints its name or a JSON result.
    pub fn report_submitted(&self, application: &Application, name: &str) {
        let message = format!("{} keeps running", application.carrier.describe());
        let record =
            Json::new(application).early_result("Submitted", &message, ExitCode::Succeeded, None, Timestamp::now());
        self.result_files.record_submitted(application, &message, &record);
        match self.output() {
            Output::Json => print(&record.to_string()),
            Output::Text | Output::Quiet => print(name),
        }
    }

    pub fn output(&self) -> Output {
        match self.progress {
            Progress::Auto | Progress::Live | Progress::Plain => Output::Text,
            Progress::Json => Output::Json,
            Progress::Quiet => Output::Quiet,
        }
    }

    /// The exit code for an outcome.
    pub fn exit_code(&self, outcome: &Outcome) -> ExitCode {
        match (self.exit_code_from, outcome.ending, outcome.driver_exit_code) {
            (Some(ExitCodeFrom::Driver), Ending::Failed, Some(code)) => ExitCode::of_driver(code),
            (_, ending, _) => ending.exit_code(),
        }
    }

    /// Whether to draw the live view.
    pub fn is_live(&self) -> bool {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        match self.progress {
            Progress::Live => terminal,
            Progress::Auto => terminal && self.result_files.ci() == Ci::None,
            Progress::Plain | Progress::Json | Progress::Quiet => false,
        }
    }

    /// Whether to follow logs, for stdout or for a file.
    pub fn reads_logs(&self) -> bool {
        self.logs.is_some() || self.result_files.log_file.is_some()
    }
}

/// Prints a line after everything else is done, so that a failure is only a warning.
fn print(line: &str) {
    if let Err(error) = stdout::print([line]) {
        messages::warn(&format!("{error:#}"));
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExitCodeFrom {
    Driver,
}
