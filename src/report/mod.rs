//! States and failures in words: lines for people, JSON lines for programs, reports for CI systems. Nothing here prints.

mod ci;
mod ci_reports;
mod clean;
mod failure;
mod json;
mod plain;
pub mod style;

pub use ci::Ci;
pub use ci_reports::{End, annotation, junit_suite, step_outputs, step_summary};
pub use clean::clean;
use clean::clean_line;
pub use failure::{
    FailureLogs, FailureReport, durations, earlier_attempts, earlier_drivers, next_steps, reason, summary,
};
pub use json::{Json, JsonLine};
use k8s_openapi::jiff::SignedDuration;
pub use plain::{Plain, executor_words, words};

/// Output format of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Lines for people
    #[default]
    Text,
    /// One JSON object per line
    Json,
    /// Only warnings and failures
    Quiet,
}

/// How a command that follows an application shows progress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Progress {
    /// `live` if stderr is a terminal, `plain` otherwise
    #[default]
    #[value(alias = "text")]
    Auto,
    /// A view that is redrawn on the terminal
    Live,
    /// One line on stderr per change
    Plain,
    /// One JSON object on stdout per change; the last one is the result
    Json,
    /// Only warnings and failures
    Quiet,
}

/// A sentence on what admission changed in an object.
pub fn changed(what: &str, changes: &[String]) -> String {
    format!("a webhook or admission policy changed {what}: {}", changes.join("; "))
}

/// A duration as `41s`, `7m 12s` or `2h 3m`.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}
