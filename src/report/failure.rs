use k8s_openapi::jiff::SignedDuration;

use super::{clean, clean_line, span};
use crate::manifests::Application;
use crate::state::{Attempt, Durations, Ending, ExecutorFailure, Outcome, PastAttempt, State, Status, excerpt};
use crate::terminal::messages::{BAD, FAINT, GOOD};

/// How many lines of a failed driver's log are shown.
const LOG_LINES: usize = 15;

/// How many of the earlier attempts' drivers.
const ATTEMPTS: usize = 10;

/// All that is known of an end that was not a success.
#[derive(Debug)]
pub struct FailureReport<'a> {
    pub application: &'a Application,
    pub outcome: &'a Outcome,
    pub last_failure: Option<&'a ExecutorFailure>,
    /// The last exception of the driver's log.
    pub exception: Option<&'a str>,
    /// The end of the driver's log, if it was not shown already.
    pub log: Option<&'a str>,
    /// The init container that the log is of, where that failed, instead of the driver's own.
    pub failed_init: Option<&'a str>,
    /// The end of the log of the executor that failed last.
    pub executor_log: Option<&'a str>,
}

impl<'a> FailureReport<'a> {
    /// What the outcome alone tells.
    pub fn of(application: &'a Application, outcome: &'a Outcome) -> FailureReport<'a> {
        FailureReport {
            application,
            outcome,
            last_failure: None,
            exception: None,
            log: None,
            failed_init: None,
            executor_log: None,
        }
    }

    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{BAD}{} {}{BAD:#}: {}",
            self.application.name,
            heading(self.outcome.ending),
            clean(&self.outcome.message)
        )];
        let mut row = |name: &str, text: &str| lines.push(format!("  {FAINT}{name:<10}{FAINT:#} {}", clean(text)));
        if let Some(exception) = self.exception {
            row("exception", exception);
        }
        if let Some(last) = self.last_failure {
            row("executor", &format!("{}: {}", last.name, last.reason));
        }
        if let Some(hint) = &self.outcome.hint {
            row("hint", hint);
        }
        if let (Some(log), Some(last)) = (self.executor_log, self.last_failure) {
            lines.extend(end_of_log(&format!("the log of executor {}", last.name), log));
        }
        if let Some(log) = self.log {
            let whose = self.failed_init.map(|name| format!("the log of init container {name}"));
            lines.extend(end_of_log(whose.as_deref().unwrap_or("the driver's log"), log));
        }
        lines
    }
}

fn end_of_log(whose: &str, log: &str) -> Vec<String> {
    let tail = excerpt(log, LOG_LINES);
    if tail.is_empty() {
        return Vec::new();
    }
    let head = format!("  {FAINT}end of {whose}{FAINT:#}");
    std::iter::once(head).chain(tail.iter().map(|line| log_line(line))).collect()
}

fn log_line(line: &str) -> String {
    format!("  {FAINT}|{FAINT:#} {}", clean_line(line)).trim_end().to_owned()
}

fn heading(ending: Ending) -> &'static str {
    match ending {
        Ending::Succeeded => "succeeded",
        Ending::Failed => "failed",
        Ending::CouldNotStart => "could not start",
        Ending::Lost => "was lost",
        Ending::Unknown => "ended in an unknown way",
    }
}

/// `pi succeeded: queued 2s, starting 3s, ran 41s`.
pub fn summary(application: &Application, state: &State) -> String {
    let ending = match &state.what {
        Status::Ended(outcome) => heading(outcome.ending),
        Status::Running => "is running",
        _ => "goes on",
    };
    let again = state.attempt.as_ref().filter(|attempt| attempt.has_earlier());
    let attempt = again.and_then(|attempt| attempt.words()).map(|words| format!(" at {words}")).unwrap_or_default();
    let durations = durations(&state.durations);
    let style = match state.outcome().map(|outcome| outcome.ending) {
        Some(Ending::Succeeded) | None => GOOD,
        Some(_) => BAD,
    };
    match durations.as_str() {
        "" => format!("{style}{} {ending}{style:#}{attempt}", application.name),
        durations => format!("{style}{} {ending}{style:#}{attempt}: {durations}", application.name),
    }
}

/// How the drivers before the last one ended, each a line.
pub fn earlier_attempts(state: &State) -> Vec<String> {
    let row = |(name, text): (String, String)| format!("  {FAINT}{name:<10}{FAINT:#} {}", clean(&text));
    earlier_drivers(state).into_iter().map(row).collect()
}

/// The same, each as the name of its attempt and how it ended.
pub fn earlier_drivers(state: &State) -> Vec<(String, String)> {
    let Some(attempt) = &state.attempt else { return Vec::new() };
    let (untold, latest) = latest(attempt);
    let untold = untold.into_iter().map(|text| ("earlier".to_owned(), text));
    let told = |earlier: &PastAttempt| (earlier.describe(), format!("{}: {}", earlier.ending.word(), earlier.reason));
    untold.chain(latest.iter().map(told)).collect()
}

/// As many of them as are shown, the last ones, and before these in words what is not shown one by one.
pub(super) fn latest(attempt: &Attempt) -> (Vec<String>, &[PastAttempt]) {
    let left_out = attempt.earlier.len().saturating_sub(ATTEMPTS);
    let more = (left_out > 0).then(|| format!("{left_out} more"));
    (attempt.gone_words().into_iter().chain(more).collect(), &attempt.earlier[left_out..])
}

/// `queued 2s, starting 3s, ran 41s`.
pub fn durations(durations: &Durations) -> String {
    let part = |name: &str, duration: Option<SignedDuration>| duration.map(|lasted| format!("{name} {}", span(lasted)));
    let parts = [part("queued", durations.queued), part("starting", durations.starting), part("ran", durations.ran)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// What one may want to do with an application that goes on without this sparkctl, by the name that it was called by.
pub fn next_steps(application: &Application, program: &str) -> Vec<String> {
    let Application { name, namespace, .. } = application;
    vec![
        format!("  {FAINT}attach{FAINT:#}  {program} attach {name} -n {namespace}"),
        format!("  {FAINT}logs{FAINT:#}    {program} logs {name} -n {namespace}"),
        format!("  {FAINT}kill{FAINT:#}    {program} delete {name} -n {namespace}"),
    ]
}
