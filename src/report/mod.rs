//! States and failures in words: lines for people, JSON lines for programs, reports for CI systems. Nothing here prints.

mod ci;
mod ci_reports;
mod clean;
mod failure;
mod json;
mod output;
mod plain;
pub mod style;
mod wording;

pub use ci::Ci;
pub use ci_reports::{End, annotation, junit_suite, step_outputs, step_summary};
pub use clean::clean;
pub use failure::{
    FailureLogs, FailureReport, durations, earlier_attempts, earlier_drivers, next_steps, reason, summary, wait_hint,
};
pub use json::{Json, JsonLine};
pub use output::{Output, Progress};
pub use plain::{Plain, executor_words, of_wanted, words};
pub use wording::{changed, span};
