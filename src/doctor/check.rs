//! The results of checks.

use serde_json::Value;

use super::query::{Answer, Unread};

/// The result of one check.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The name of the check.
    pub what: String,
    pub verdict: Verdict,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Passed,
    Failed,
    /// The caller may not read it, so it is unknown.
    NotReadable,
}

impl Verdict {
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::NotReadable => "not readable",
        }
    }
}

impl Check {
    pub(super) fn passed(what: &str, message: impl Into<String>) -> Check {
        Check { what: what.into(), verdict: Verdict::Passed, message: message.into(), remedy: None }
    }

    pub(super) fn failed(what: &str, message: impl Into<String>, remedy: impl Into<String>) -> Check {
        let remedy = Some(remedy.into());
        Check { what: what.into(), verdict: Verdict::Failed, message: message.into(), remedy }
    }

    pub(super) fn not_readable(what: &str, message: impl Into<String>) -> Check {
        Check { what: what.into(), verdict: Verdict::NotReadable, message: message.into(), remedy: None }
    }

    /// Checks an object that must exist.
    pub(super) fn of(
        what: &str,
        answer: &Answer,
        judge: impl FnOnce(&Value) -> Check,
        missing: impl FnOnce() -> Check,
    ) -> Check {
        match answer {
            Ok(object) => judge(object),
            Err(Unread::Missing) => missing(),
            Err(unread) => unread.check(what),
        }
    }
}

impl Unread {
    pub(super) fn check(&self, what: &str) -> Check {
        match self {
            Unread::Missing => Check::not_readable(what, "there is none"),
            Unread::Forbidden(why) | Unread::Unreached(why) => Check::not_readable(what, why),
            Unread::Refused { message, .. } => Check::not_readable(what, message),
            Unread::NotAsked => Check::not_readable(what, "it was not checked"),
        }
    }
}
