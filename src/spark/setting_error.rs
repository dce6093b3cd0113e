//! The error of a setting that Spark would refuse.

use crate::diagnostic::Problem;

/// A setting that Spark would refuse: which, and what is wrong with it.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingError {
    pub key: String,
    /// Names neither the key nor a place: those who know the job file add them.
    pub problem: Problem,
}

impl SettingError {
    pub fn new(key: impl Into<String>, problem: Problem) -> Self {
        Self { key: key.into(), problem }
    }
}
