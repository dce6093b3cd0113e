use k8s_openapi::jiff::SignedDuration;

use super::clean::{clean, clean_line};
use super::plain::of_wanted;
use super::style::{BAD, FAINT, GOOD};
use super::wording::span;
use crate::manifests::Application;
use crate::state::{self, Attempt, Durations, Ending, ExecutorFailure, Outcome, PastAttempt, State, Status, excerpt};

/// How many lines of a log to show.
const LOG_LINES: usize = 15;

/// How many earlier attempts to show.
const ATTEMPTS: usize = 10;

/// How an application ended, and why: everything that explains an end other than a success.
///
/// `submit`, `attach`, `status`, `describe` and `wait` show the same report, as text or JSON, or in the format of a CI system.
#[derive(Debug)]
pub struct FailureReport {
    pub app: String,
    /// With the best hint that state and logs give.
    pub outcome: Outcome,
    /// The last exception in the driver's log.
    pub exception: Option<String>,
    /// The executor failure that explains most.
    pub executor: Option<ExecutorFailure>,
    pub logs: FailureLogs,
}

/// The ends of the logs that explain a failure, as far as they are known.
#[derive(Clone, Debug, Default)]
pub struct FailureLogs {
    /// The driver's log, or that of the init container that failed instead of it.
    pub driver: Option<String>,
    /// Whether the user has seen the driver's log already.
    pub driver_is_shown: bool,
    pub failed_init: Option<String>,
    /// The name of an executor pod and its log.
    pub executor: Option<(String, String)>,
}

impl FailureReport {
    /// The report on an application in a state that has an outcome.
    ///
    /// Exceptions and executors explain only a driver that failed by itself: one that was lost, or that could not
    /// start, was not ended by them.
    pub fn of(application: &Application, state: &State, logs: FailureLogs) -> FailureReport {
        let outcome = state.outcome().cloned().unwrap_or_else(|| Outcome::lost_track("no outcome"));
        let has_failed = outcome.ending == Ending::Failed;
        let executor = state.executors.main_failure.clone().filter(|_| has_failed);
        let is_its = |pod: &str| executor.as_ref().is_some_and(|executor| executor.name == pod);
        let executor_log = logs.executor.filter(|(pod, _)| is_its(pod));
        let exception = logs.driver.as_deref().filter(|_| has_failed).and_then(state::last_exception);
        let executor_text = executor_log.as_ref().map(|(_, log)| log.as_str());
        FailureReport {
            app: application.name.clone(),
            outcome: outcome.with_hint_of(logs.driver.as_deref(), &state.executors, executor_text),
            exception,
            executor,
            logs: FailureLogs { executor: executor_log, ..logs },
        }
    }

    pub fn succeeded(&self) -> bool {
        self.outcome.ending == Ending::Succeeded
    }

    /// The report as lines; none for a success.
    pub fn lines(&self) -> Vec<String> {
        if self.succeeded() {
            return Vec::new();
        }
        let (heading, message) = (heading(self.outcome.ending), clean(&self.outcome.message));
        let executor = self.executor.as_ref().map(|executor| format!("{}: {}", executor.name, executor.reason));
        let rows = [("exception", &self.exception), ("executor", &executor), ("hint", &self.outcome.hint)];
        let rows = rows.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
        let mut lines = vec![format!("{BAD}{} {heading}{BAD:#}: {message}", self.app)];
        lines.extend(rows.map(|(name, text)| format!("  {FAINT}{name:<10}{FAINT:#} {}", clean(text))));
        lines.extend(self.log_lines());
        lines
    }

    /// The ends of the logs that the user has not seen.
    fn log_lines(&self) -> Vec<String> {
        let FailureLogs { driver, driver_is_shown, failed_init, executor } = &self.logs;
        let executor = executor.iter().flat_map(|(pod, log)| end_of_log(&format!("the log of executor {pod}"), log));
        let whose = failed_init.as_ref().map(|name| format!("the log of init container {name}"));
        let whose = whose.as_deref().unwrap_or("the driver's log");
        let driver = driver.iter().filter(|_| !driver_is_shown || failed_init.is_some());
        executor.chain(driver.flat_map(|log| end_of_log(whose, log))).collect()
    }
}

/// Why an application or its executors wait, or how it failed, in one line for a table.
pub fn reason(state: &State) -> Option<String> {
    match &state.status {
        Status::Waiting(waiting) => Some(clean(&format!("{}: {}", waiting.reason.word(), waiting.message))),
        Status::Ended(outcome) if outcome.ending != Ending::Succeeded => Some(clean(&outcome.message)),
        Status::Running => {
            let executors = &state.executors;
            let why = executors.refused.as_ref().or(executors.blocked.as_ref())?;
            Some(clean(&format!("{} executors: {why}", of_wanted(state))))
        }
        _ => None,
    }
}

/// What to do about an application or its executors that wait, as a line of a summary.
pub fn wait_hint(state: &State) -> Option<String> {
    let hint = match &state.status {
        Status::Waiting(waiting) => waiting.hint.as_ref(),
        Status::Running => state.executors.hint.as_ref(),
        _ => None,
    };
    hint.map(|hint| format!("  {FAINT}hint{FAINT:#}    {}", clean(hint)))
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
        Ending::Unknown => "has an unknown outcome",
    }
}

/// A summary such as `pi succeeded: queued 2s, starting 3s, ran 41s`.
pub fn summary(application: &Application, state: &State) -> String {
    let ending = match &state.status {
        Status::Ended(outcome) => heading(outcome.ending),
        Status::Running => "is running",
        _ => "is not running",
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

/// How the drivers of earlier attempts ended, one per line.
pub fn earlier_attempts(state: &State) -> Vec<String> {
    let row = |(name, text): (String, String)| format!("  {FAINT}{name:<10}{FAINT:#} {}", clean(&text));
    earlier_drivers(state).into_iter().map(row).collect()
}

/// The names of earlier attempts and how their drivers ended.
pub fn earlier_drivers(state: &State) -> Vec<(String, String)> {
    let Some(attempt) = &state.attempt else { return Vec::new() };
    let (omitted, latest) = latest(attempt);
    let omitted = omitted.into_iter().map(|text| ("earlier".to_owned(), text));
    let described =
        |earlier: &PastAttempt| (earlier.describe(), format!("{}: {}", earlier.ending.word(), earlier.reason));
    omitted.chain(latest.iter().map(described)).collect()
}

/// The last attempts, as many as are shown, after words for those that are not.
pub(super) fn latest(attempt: &Attempt) -> (Vec<String>, &[PastAttempt]) {
    let left_out = attempt.earlier.len().saturating_sub(ATTEMPTS);
    let more = (left_out > 0).then(|| format!("{left_out} more"));
    (attempt.describe_gone().into_iter().chain(more).collect(), &attempt.earlier[left_out..])
}

/// Durations as `queued 2s, starting 3s, ran 41s`.
pub fn durations(durations: &Durations) -> String {
    let part = |name: &str, duration: Option<SignedDuration>| duration.map(|lasted| format!("{name} {}", span(lasted)));
    let parts = [part("queued", durations.queued), part("starting", durations.starting), part("ran", durations.ran)];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Commands for an application that keeps running without this sparkctl; `program` is the name of sparkctl.
pub fn next_steps(application: &Application, program: &str) -> Vec<String> {
    let Application { name, namespace, .. } = application;
    vec![
        format!("  {FAINT}attach{FAINT:#}  {program} attach {name} -n {namespace}"),
        format!("  {FAINT}logs{FAINT:#}    {program} logs {name} -n {namespace}"),
        format!("  {FAINT}kill{FAINT:#}    {program} delete {name} -n {namespace}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Carrier;
    use crate::state::{Durations, Executors};

    fn application() -> Application {
        Application {
            name: "pi".into(),
            namespace: "jobs".into(),
            id: String::new(),
            carrier: Carrier::Pod { name: "pi-driver".into() },
            pod_group: None,
        }
    }

    /// An application that ended so, after one of its executors had failed.
    fn ended(ending: Ending) -> State {
        let outcome = Outcome { ending, message: "it ended".into(), hint: None, driver_exit_code: None };
        let failure = ExecutorFailure {
            name: "pi-exec-1".into(),
            exit_code: Some(52),
            reason: "out of memory".into(),
            hint: None,
            at: None,
            lacks_memory: false,
        };
        State {
            status: Status::Ended(outcome),
            executors: Executors { main_failure: Some(failure), ..Executors::default() },
            durations: Durations::default(),
            attempt: None,
            node: None,
            lingers: None,
        }
    }

    fn logs() -> FailureLogs {
        FailureLogs {
            driver: Some("Traceback (most recent call last):\nValueError: no\n".into()),
            executor: Some(("pi-exec-1".into(), "the executor's words\n".into())),
            ..FailureLogs::default()
        }
    }

    fn lines(state: &State, logs: FailureLogs) -> Vec<String> {
        let lines = FailureReport::of(&application(), state, logs).lines();
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_failure_has_exception_executor_and_logs() {
        assert_eq!(
            lines(&ended(Ending::Failed), logs()),
            [
                "pi failed: it ended",
                "  exception  ValueError: no",
                "  executor   pi-exec-1: out of memory",
                "  end of the log of executor pi-exec-1",
                "  | the executor's words",
                "  end of the driver's log",
                "  | Traceback (most recent call last):",
                "  | ValueError: no",
            ]
        );
    }

    #[test]
    fn executors_and_exceptions_do_not_explain_a_lost_driver() {
        let lines = lines(&ended(Ending::Lost), FailureLogs { driver_is_shown: true, ..logs() });
        assert_eq!(lines, ["pi was lost: it ended"]);
    }

    #[test]
    fn the_log_of_a_failed_init_container_is_never_left_out() {
        let shown = FailureLogs { driver_is_shown: true, failed_init: Some("fetch".into()), ..logs() };
        let lines = lines(&ended(Ending::CouldNotStart), shown);
        assert_eq!(lines[1], "  end of the log of init container fetch");
    }

    #[test]
    fn the_log_of_another_executor_is_left_out() {
        let other = FailureLogs { executor: Some(("pi-exec-2".into(), "other".into())), ..FailureLogs::default() };
        assert_eq!(lines(&ended(Ending::Failed), other).len(), 2);
    }

    #[test]
    fn a_success_has_no_lines() {
        assert_eq!(lines(&ended(Ending::Succeeded), logs()), [""; 0]);
    }
}
