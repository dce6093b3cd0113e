//! Follows one application from its first change to the exit code.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::executors_timeout::ExecutorsTimeout;
use super::failure::{self, LOG_TAIL};
use super::options::{FollowOptions, Leave, Whose};
use super::reporter::Reporter;
use crate::cluster::{self, Change, Cluster, LogEvent, Logs, Observer, Source, Stage};
use crate::exit_code::ExitCode;
use crate::manifests::Application;
use crate::program::program;
use crate::report::{self, FailureLogs, FailureReport};
use crate::state::{self, Ending, Limits, LookupResult, Observed, Outcome, State, Status, Stopped};
use crate::terminal::Interrupt;
use crate::time::until;

/// How often to evaluate the state although nothing has changed: time alone may turn a wait into a failure.
pub const JUDGE: Duration = Duration::from_secs(1);
/// How long to wait for the rest of the log of a deleted pod.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long to follow the log of an executor that does not end with its driver.
const LEFT_ALONE: Duration = Duration::from_secs(20);
/// How long to wait for the event that explains a deleted pod, which may arrive after the deletion.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// How often to ask Spark for its stages.
const STAGES: Duration = Duration::from_secs(2);
/// The source name of the driver's log.
const DRIVER: &str = "driver";
/// How many logs to follow at once: each takes a connection.
const MANY_LOGS: usize = 50;

/// Follows an application to its end and reports on the way. Returns sparkctl's exit code.
///
/// # Errors
/// The log file cannot be opened.
pub async fn follow(
    cluster: &Cluster,
    application: &Application,
    options: &FollowOptions,
    interrupt: &Interrupt,
) -> Result<ExitCode> {
    let mut following = Following::begin(cluster, application, options)?;
    let over = following.until_over(interrupt).await;
    Ok(following.finish(over, interrupt).await)
}

/// Why following stopped.
enum Reason {
    Ended(Box<State>),
    /// The watches ended for good.
    OutOfSight(String),
    Interrupted(ExitCode),
    TimedOut,
    /// Too few executors started in time: the message to report.
    TooFewExecutors(String),
}

struct Following<'a> {
    cluster: &'a Cluster,
    application: &'a Application,
    options: &'a FollowOptions,
    observer: Observer,
    reporter: Reporter,
    logs: Logs,
    /// The last lines received of the driver's log, in case the pod is deleted with its log.
    log_tail: VecDeque<String>,
    /// The pod name of the executor that failed last, and the end of its log.
    executor_log: Option<(String, String)>,
    /// Requests for the ends of failed executors' logs, which must be read before Spark deletes the pods.
    executor_log_reads: JoinSet<(String, Option<String>)>,
    /// Executors whose logs have been requested.
    executor_logs_requested: BTreeSet<String>,
    /// Updates on Spark's stages.
    stages: Option<mpsc::Receiver<Vec<Stage>>>,
    /// Whether the note on the limit of followed logs was printed.
    has_noted_log_limit: bool,
    executors_timeout: ExecutorsTimeout,
    /// Whether ages are counted from the application's creation.
    has_clock: bool,
    /// UID of the driver pod that was last compared with its Job's template.
    compared_driver: Option<String>,
    /// The differences that were last noted.
    noted_changes: Vec<String>,
}

impl<'a> Following<'a> {
    fn begin(cluster: &'a Cluster, application: &'a Application, options: &'a FollowOptions) -> Result<Self> {
        Ok(Following {
            cluster,
            application,
            options,
            observer: cluster::observe(cluster, application),
            reporter: Reporter::new(options, application, options.is_live())?,
            logs: Logs::of(cluster),
            log_tail: VecDeque::new(),
            executor_log: None,
            executor_log_reads: JoinSet::new(),
            executor_logs_requested: BTreeSet::new(),
            stages: None,
            has_noted_log_limit: false,
            executors_timeout: ExecutorsTimeout::of(options),
            has_clock: false,
            compared_driver: None,
            noted_changes: Vec::new(),
        })
    }

    fn limits(&self) -> Limits {
        Limits {
            now: self.cluster.now(),
            patience: self.options.image_pull_timeout,
            start_timeout: self.options.start_timeout,
        }
    }

    fn state(&self) -> State {
        State::of(self.observer.observed(), &self.limits())
    }

    async fn until_over(&mut self, interrupt: &Interrupt) -> Reason {
        let deadline = self.options.timeout.map(|timeout| Instant::now() + timeout);
        let mut judge = tokio::time::interval(JUDGE);
        loop {
            let state = self.state();
            self.set_clock();
            self.reporter.state(&state);
            self.note_admission_changes();
            if state.outcome().is_some() {
                return Reason::Ended(Box::new(state));
            }
            self.observer.gather_evidence(&state, &self.limits());
            let now = self.cluster.now();
            if let Some(message) = self.executors_timeout.expired(&state, self.observer.observed(), now) {
                return Reason::TooFewExecutors(message);
            }
            self.begin_logs(&state, interrupt).await;
            if state.is_between_attempts() {
                self.logs.all_ended();
            }
            tokio::select! {
                change = self.observer.changed() => match change {
                    Ok(Change::Objects) => {}
                    Ok(Change::Trouble(why)) => self.reporter.note(&why),
                    Err(failure) => return Reason::OutOfSight(failure.to_string()),
                },
                (source, heard) = self.logs.next() => self.handle_log(&source, heard),
                Some(Ok((executor, Some(log)))) = self.executor_log_reads.join_next() => self.executor_log = Some((executor, log)),
                signal = interrupt.received() => return Reason::Interrupted(signal.exit_code()),
                () = until(deadline) => return Reason::TimedOut,
                stages = next_stages(&mut self.stages) => self.reporter.stages(&stages),
                _ = judge.tick() => self.watch_stages(&state),
            }
        }
    }

    /// Counts ages from the application's creation once that is known, in the time of this machine, whose clock may differ
    /// from the cluster's.
    fn set_clock(&mut self) {
        if !self.has_clock
            && let Some(created) = self.observer.observed().created()
        {
            self.reporter.count_from(Timestamp::now() - self.cluster.now().duration_since(created));
            self.has_clock = true;
        }
    }

    /// Notes what admission changed in a driver pod that a Job created; the same change in later attempts is not repeated.
    fn note_admission_changes(&mut self) {
        let observed = self.observer.observed();
        let Some(driver) = observed.driver.as_ref().filter(|_| observed.job.is_some()) else { return };
        if driver.metadata.uid == self.compared_driver {
            return;
        }
        let changes = state::changed_by_admission(observed);
        self.compared_driver = driver.metadata.uid.clone();
        if changes.is_empty() || changes == self.noted_changes {
            return;
        }
        let what = format!("driver pod {}", driver.metadata.name.as_deref().unwrap_or_default());
        self.reporter.note(&report::changed(&what, &changes));
        self.noted_changes = changes;
    }

    /// Starts asking Spark for its stages, if the driver is running and the live view shows them.
    fn watch_stages(&mut self, state: &State) {
        let driver = self.observer.observed().driver.as_ref().filter(|_| state.status == Status::Running);
        let Some(driver) = driver.filter(|_| self.reporter.is_live() && self.stages.is_none()).cloned() else { return };
        let (sender, progress) = mpsc::channel(1);
        let cluster = self.cluster.clone();
        tokio::spawn(async move {
            loop {
                match cluster::stages(&cluster, &driver).await {
                    Ok(stages) => {
                        if sender.send(stages).await.is_err() {
                            return;
                        }
                        tokio::time::sleep(STAGES).await;
                    }
                    // The right to do so is missing: asking again is no use.
                    Err(failure) if failure.code() == 403 => return sender.closed().await,
                    // The UI is not up yet, or no longer; another driver may have one later.
                    Err(_) => return tokio::time::sleep(STAGES * 5).await,
                }
            }
        });
        self.stages = Some(progress);
    }

    /// Starts following the requested logs of containers that have started.
    async fn begin_logs(&mut self, state: &State, interrupt: &Interrupt) {
        self.read_executor_log(state);
        if !self.options.reads_logs() && !self.reporter.is_live() {
            return;
        }
        let is_new = |pod: &&Pod| !self.logs.has(pod.metadata.name.as_deref().unwrap_or_default());
        let driver = self.observer.observed().driver.as_ref().filter(|_| state.driver_has_log());
        if let Some(driver) = driver.filter(is_new).cloned() {
            // The log of one attempt is finished before the next one's starts.
            self.drain_logs(interrupt).await;
            self.log_tail.clear();
            self.logs.follow(DRIVER, &driver);
            self.observer.log_is_followed();
        }
        if self.options.logs == Some(Whose::All) {
            self.begin_logs_of_executors();
        }
    }

    fn begin_logs_of_executors(&mut self) {
        let Observed { driver, executors, .. } = self.observer.observed();
        let mut is_crowded = false;
        for (name, pod) in executors {
            if state::executor_has_log(pod) && !self.logs.has(name) {
                if self.logs.open() >= MANY_LOGS {
                    is_crowded = true;
                    continue;
                }
                self.logs.follow(&state::executor_short_name(pod), pod);
            }
            if state::executor_has_ended(pod) {
                self.logs.container_ended(name);
            }
        }
        // A pod that Spark deleted is never observed to end. The driver's end is read from its state.
        let is_driver = |pod: &str| driver.as_ref().is_some_and(|driver| driver.metadata.name.as_deref() == Some(pod));
        self.logs.end_missing(|pod| executors.contains_key(pod) || is_driver(pod));
        if is_crowded && !std::mem::replace(&mut self.has_noted_log_limit, true) {
            let note = format!("following {MANY_LOGS} logs at once: those of more executors follow as these end");
            self.reporter.note(&note);
        }
    }

    /// Requests the end of the log of an executor that has just failed.
    fn read_executor_log(&mut self, state: &State) {
        let Some(last) = &state.executors.main_failure else { return };
        let pod = self.observer.observed().executors.get(&last.name).filter(|pod| state::executor_has_log(pod));
        let Some(pod) = pod.filter(|_| self.executor_logs_requested.insert(last.name.clone())).cloned() else { return };
        let (cluster, name) = (self.cluster.clone(), last.name.clone());
        self.executor_log_reads.spawn(async move {
            let tail = cluster::log_tail(&cluster, &pod, LOG_TAIL).await;
            (name, tail.ok().filter(|tail| !tail.is_empty()))
        });
    }

    fn handle_log(&mut self, source: &Source, heard: LogEvent) {
        let line = match heard {
            LogEvent::Line(line) => line,
            LogEvent::Trouble(what) => return self.reporter.note(&what),
            LogEvent::End => return,
        };
        let shown = (self.options.logs == Some(Whose::All)).then_some(&**source);
        if &**source != DRIVER {
            return self.reporter.log(&line, shown);
        }
        let text = String::from_utf8_lossy(&line.text).into_owned();
        if let Some(has_stopped) = state::has_stopped(&text) {
            let (now, driver) = (self.cluster.now(), self.observer.observed().driver.as_ref());
            let stopped = driver.and_then(|driver| driver.metadata.uid.clone()).filter(|_| has_stopped);
            let at = line.at.map_or(now, |at| at.min(now));
            self.observer.add_evidence(LookupResult::Stopped(stopped.map(|driver| Stopped { driver, at })));
        }
        self.log_tail.push_back(text);
        if self.log_tail.len() > LOG_TAIL {
            self.log_tail.pop_front();
        }
        self.reporter.log(&line, shown);
    }

    async fn finish(mut self, over: Reason, interrupt: &Interrupt) -> ExitCode {
        match over {
            Reason::Ended(state) => self.finish_ended(*state, interrupt).await,
            Reason::OutOfSight(why) => {
                let state = State { status: Status::Ended(Outcome::lost_track(&why)), ..self.state() };
                self.report_result(&state, None)
            }
            Reason::Interrupted(code) => self.leave("interrupted", self.options.on_interrupt, code).await,
            Reason::TooFewExecutors(why) => {
                // Whoever attaches to a driver that has been running for longer has not looked for the reason yet.
                self.observer.gather_evidence_now(&self.state(), &self.limits()).await;
                self.leave(&why, self.options.on_timeout, ExitCode::CouldNotStart).await
            }
            Reason::TimedOut => self.leave("timed out", self.options.on_timeout, ExitCode::TimedOut).await,
        }
    }

    async fn finish_ended(&mut self, state: State, interrupt: &Interrupt) -> ExitCode {
        self.read_driver_again(&state).await;
        self.begin_logs(&self.state(), interrupt).await;
        self.drain_logs(interrupt).await;
        self.wait_for_last_events().await;
        self.observer.gather_evidence_now(&state, &self.limits()).await;
        // The Job's end may have arrived before its last pod.
        self.note_admission_changes();
        // A later state without an outcome does not undo a known outcome.
        let latest = self.state();
        let state = if latest.outcome().is_some() { latest } else { state };
        let log = match failure::is_explained_by_log(&state, self.observer.observed()) {
            true => self.driver_log_end().await,
            false => None,
        };
        self.report_result(&state, log)
    }

    async fn drain_logs(&mut self, interrupt: &Interrupt) {
        self.logs.all_ended();
        // The last lines of a deleted pod may still arrive in the stream, but cannot be requested again.
        let last_words = self.observer.observed().gone.map(|_| Instant::now() + LAST_WORDS);
        let mut left_alone = self.has_open_executor_logs().then(|| Instant::now() + LEFT_ALONE);
        loop {
            tokio::select! {
                heard = self.logs.next_remaining() => match heard {
                    Some((source, heard)) => self.handle_log(&source, heard),
                    None => return,
                },
                () = until(last_words) => return,
                // An executor ends soon after its driver, unless something keeps it.
                Ok(_) = self.observer.changed(), if left_alone.is_some() => {
                    left_alone = left_alone.filter(|_| self.has_open_executor_logs());
                }
                () = until(left_alone) => {
                    return self.reporter.note("executors are still running without their driver: no longer following their logs");
                }
                _ = interrupt.received() => return,
            }
        }
    }

    /// Whether an executor whose log is followed is still running, so that the log may never end.
    fn has_open_executor_logs(&self) -> bool {
        let has_open_log = |(name, pod): (&String, &Pod)| self.logs.has(name) && !state::executor_has_ended(pod);
        self.observer.observed().executors.iter().any(has_open_log)
    }

    /// Reads the driver pod again if the Job's end arrived before the pod's.
    async fn read_driver_again(&mut self, state: &State) {
        let is_untold = state.outcome().is_some_and(|outcome| {
            matches!(outcome.ending, Ending::Succeeded | Ending::Failed) && outcome.driver_exit_code.is_none()
        });
        if is_untold
            && let Ok(observed) = cluster::read(self.cluster, self.application).await
            && let Some(driver) = observed.driver
        {
            self.observer.apply_driver(driver);
        }
    }

    /// Waits for the events that explain a lost driver.
    async fn wait_for_last_events(&mut self) {
        let is_lost = |state: State| state.outcome().is_some_and(|outcome| outcome.ending == Ending::Lost);
        if is_lost(self.state()) {
            let changes = async { while self.observer.changed().await.is_ok() {} };
            // It ends by its timeout.
            let _ = tokio::time::timeout(LAST_EVENTS, changes).await;
        }
    }

    /// The last lines of the driver's log, from the cluster or, if the pod is gone, as received.
    async fn driver_log_end(&self) -> Option<String> {
        let driver = state::latest_driver(self.observer.observed())?;
        match cluster::log_tail(self.cluster, driver, LOG_TAIL).await {
            Ok(log) => Some(log),
            Err(_) if self.log_tail.is_empty() => None,
            Err(_) => Some(self.log_tail.iter().map(String::as_str).collect()),
        }
    }

    /// Reports how the application ended. Returns the exit code.
    fn report_result(&mut self, state: &State, log: Option<String>) -> ExitCode {
        let logs = FailureLogs {
            driver: log,
            driver_is_shown: self.options.logs.is_some(),
            failed_init: failure::failed_init(self.observer.observed()),
            executor: self.executor_log.clone(),
        };
        let report = FailureReport::of(self.application, state, logs);
        let code = self.options.exit_code(&report.outcome);
        self.reporter.result(state, &report, code);
        code
    }

    /// Stops following an application that has not ended, and deletes it if asked to. Returns the exit code.
    async fn leave(&mut self, why: &str, leave: Leave, code: ExitCode) -> ExitCode {
        let state = self.state();
        let waits = report::reason(&state).map(|reason| format!(": {reason}")).unwrap_or_default();
        let name = &self.application.name;
        let (outcome, what) = match leave {
            Leave::Detach => ("Detached", "is still running in the cluster".to_owned()),
            Leave::Delete => match cluster::delete(self.cluster, self.application).await {
                Ok(true) => ("Deleted", "was deleted".to_owned()),
                Ok(false) => ("Deleted", "was already gone".to_owned()),
                Err(refusal) => ("Detached", format!("may still be running, because deleting it failed: {refusal}")),
            },
        };
        let message = format!("{why}: {name} {what}{waits}");
        let mut lines = vec![message.clone()];
        lines.extend(report::wait_hint(&state));
        lines.extend(report::earlier_attempts(&state));
        if leave == Leave::Detach {
            lines.extend(report::next_steps(self.application, program()));
        }
        self.reporter.leave(outcome, &message, &lines, code, Some(&state));
        code
    }
}

async fn next_stages(progress: &mut Option<mpsc::Receiver<Vec<Stage>>>) -> Vec<Stage> {
    let Some(receiver) = progress else { return std::future::pending().await };
    let stages = receiver.recv().await;
    if stages.is_none() {
        *progress = None;
    }
    stages.unwrap_or_default()
}
