//! The error of a setting that Spark would refuse.

use crate::diagnostic::Problem;

/// A setting that Spark would refuse, and what is wrong with it. Where it was set is for those to add who know the
/// job file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingError {
    pub key: String,
    /// Does not repeat the key.
    pub message: String,
    pub help: Option<String>,
}

impl SettingError {
    pub fn new(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { key: key.into(), message: message.into(), help: None }
    }

    /// The error of `key` whose value has this problem.
    pub fn of_value(key: &str, problem: Problem) -> Self {
        Self { key: key.to_owned(), message: problem.message, help: problem.help }
    }

    /// The problem, at no place yet.
    pub fn problem(&self) -> Problem {
        Problem { help: self.help.clone(), ..Problem::error(self.message.as_str()) }
    }
}
