//! From an application that is in the cluster to an exit code: watches, says what changes, and leaves
//! at its end, at a signal, or when its time is over.

pub mod failure;
pub mod heartbeat;
mod live;
pub mod local_run;
pub mod options;
pub mod reporter;
pub mod result_files;

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use self::options::{FollowOptions, Leave, Whose};
use self::reporter::Reporter;
use crate::cluster::{self, Change, Cluster, LogEvent, Logs, Observer, Source, Stage};
use crate::exit_code::ExitCode;
use crate::manifests::Application;
use crate::program::program;
use crate::report::{self, FailureLogs, FailureReport};
use crate::state::{self, Ending, Limits, LookupResult, Observed, Outcome, State, Status, Stopped};
use crate::terminal::Interrupt;
use crate::time::until;

/// How often a state is judged anew though nothing changed: time alone may turn a wait into an end.
pub const JUDGE: Duration = Duration::from_secs(1);
/// How long the rest of the log of a pod that is gone is waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long an executor that does not end with its driver is listened to.
const LEFT_ALONE: Duration = Duration::from_secs(20);
/// How long to wait for the event that says why a pod was taken away: it may come after the deletion.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// How often Spark is asked for its stages.
const STAGES: Duration = Duration::from_secs(2);
/// How the driver's log is called.
const DRIVER: &str = "driver";
/// No more logs than these are followed at once: each is a connection.
const MANY_LOGS: usize = 50;
/// How many of a log's last lines are read to explain a failure.
pub const LOG_TAIL: usize = 500;

/// Follows an application to its end, and says on the way what there is to say.
/// Returns sparkctl's exit code.
///
/// # Errors
/// The file for the log cannot be opened.
pub async fn follow(
    cluster: &Cluster,
    application: &Application,
    options: &FollowOptions,
    interrupt: &Interrupt,
) -> Result<ExitCode> {
    let mut following = Following::begin(cluster, application, options)?;
    let over = following.until_it_ends(interrupt).await;
    Ok(following.conclude(over, interrupt).await)
}

/// Why following is over.
enum Over {
    Ended(Box<State>),
    /// It cannot be watched any more.
    OutOfSight(String),
    Interrupted(ExitCode),
    TimedOut,
}

struct Following<'a> {
    cluster: &'a Cluster,
    application: &'a Application,
    options: &'a FollowOptions,
    sight: Observer,
    voice: Reporter,
    logs: Logs,
    /// The driver's last lines that came, for a pod whose log is gone with it.
    tail: VecDeque<String>,
    /// The end of the log of the executor that failed last, with its name.
    fallen: Option<(String, String)>,
    /// Asks for the ends of executors' logs: their pods are deleted soon.
    asking: JoinSet<(String, Option<String>)>,
    /// Executors whose logs have been asked for.
    asked: BTreeSet<String>,
    /// What Spark says of its stages.
    progress: Option<mpsc::Receiver<Vec<Stage>>>,
    /// Whether it was told that there are more logs than are followed.
    crowd_is_told: bool,
    /// Uid of the driver whose pod was compared with its Job's template.
    compared: Option<String>,
    /// In what it differed, as it was told.
    changes: Vec<String>,
}

impl<'a> Following<'a> {
    fn begin(cluster: &'a Cluster, application: &'a Application, options: &'a FollowOptions) -> Result<Self> {
        Ok(Following {
            cluster,
            application,
            options,
            sight: cluster::observe(cluster, application),
            voice: Reporter::new(options, application, options.is_live())?,
            logs: Logs::of(cluster),
            tail: VecDeque::new(),
            fallen: None,
            asking: JoinSet::new(),
            asked: BTreeSet::new(),
            progress: None,
            crowd_is_told: false,
            compared: None,
            changes: Vec::new(),
        })
    }

    fn terms(&self) -> Limits {
        Limits {
            now: self.cluster.now(),
            patience: self.options.image_pull_timeout,
            start_timeout: self.options.start_timeout,
        }
    }

    fn state(&self) -> State {
        State::of(self.sight.observed(), &self.terms())
    }

    async fn until_it_ends(&mut self, interrupt: &Interrupt) -> Over {
        let deadline = self.options.timeout.map(|timeout| Instant::now() + timeout);
        let mut judge = tokio::time::interval(JUDGE);
        loop {
            let state = self.state();
            self.voice.state(&state);
            self.tell_changes();
            if state.outcome().is_some() {
                return Over::Ended(Box::new(state));
            }
            self.sight.gather_evidence(&state, &self.terms());
            self.begin_logs(&state, interrupt).await;
            if state.is_between_attempts() {
                self.logs.all_ended();
            }
            tokio::select! {
                change = self.sight.changed() => match change {
                    Ok(Change::Objects) => {}
                    Ok(Change::Trouble(why)) => self.voice.note(&why),
                    Err(failure) => return Over::OutOfSight(failure.to_string()),
                },
                (source, heard) = self.logs.next() => self.show(&source, heard),
                Some(Ok((executor, Some(log)))) = self.asking.join_next() => self.fallen = Some((executor, log)),
                signal = interrupt.received() => return Over::Interrupted(signal.exit_code()),
                () = until(deadline) => return Over::TimedOut,
                stages = next_stages(&mut self.progress) => self.voice.stages(&stages),
                _ = judge.tick() => self.ask_for_stages(&state),
            }
        }
    }

    /// Says what the cluster changed in the pod that a Job's controller made: once for all attempts that it did the same to.
    fn tell_changes(&mut self) {
        let observed = self.sight.observed();
        let Some(driver) = observed.driver.as_ref().filter(|_| observed.job.is_some()) else { return };
        if driver.metadata.uid == self.compared {
            return;
        }
        let changes = state::changed_by_admission(observed);
        self.compared = driver.metadata.uid.clone();
        if changes.is_empty() || changes == self.changes {
            return;
        }
        let what = format!("driver pod {}", driver.metadata.name.as_deref().unwrap_or_default());
        self.voice.note(&report::changed(&what, &changes));
        self.changes = changes;
    }

    /// Has Spark asked for its stages while the driver runs and somebody sees them.
    fn ask_for_stages(&mut self, state: &State) {
        let driver = self.sight.observed().driver.as_ref().filter(|_| state.what == Status::Running);
        let Some(driver) = driver.filter(|_| self.voice.is_live() && self.progress.is_none()).cloned() else { return };
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
                    // The right to it is missing: there is no use in asking again.
                    Err(failure) if failure.code() == 403 => return sender.closed().await,
                    // It has no UI yet, or none any more; then another driver may have.
                    Err(_) => return tokio::time::sleep(STAGES * 5).await,
                }
            }
        });
        self.progress = Some(progress);
    }

    /// Begins to read the logs that are wanted of containers that have been started.
    async fn begin_logs(&mut self, state: &State, interrupt: &Interrupt) {
        self.ask_for_last_words(state);
        if !self.options.reads_logs() && !self.voice.is_live() {
            return;
        }
        let is_new = |pod: &&Pod| !self.logs.has(pod.metadata.name.as_deref().unwrap_or_default());
        let driver = self.sight.observed().driver.as_ref().filter(|_| state.driver_has_log());
        if let Some(driver) = driver.filter(is_new).cloned() {
            // The log of an earlier attempt is shown to its end before that of the next.
            self.take_rest_of_logs(interrupt).await;
            self.tail.clear();
            self.logs.follow(DRIVER, &driver);
            self.sight.log_is_followed();
        }
        if self.options.logs == Some(Whose::All) {
            self.begin_logs_of_executors();
        }
    }

    fn begin_logs_of_executors(&mut self) {
        let Observed { driver, executors, .. } = self.sight.observed();
        let mut is_crowded = false;
        for (name, pod) in executors {
            if state::executor_has_log(pod) && !self.logs.has(name) {
                if self.logs.open() >= MANY_LOGS {
                    is_crowded = true;
                    continue;
                }
                self.logs.follow(&state::executor_called(pod), pod);
            }
            if state::executor_has_ended(pod) {
                self.logs.container_ended(name);
            }
        }
        // A pod that Spark has deleted is not seen to end. The driver's own is judged by its state.
        let is_driver = |pod: &str| driver.as_ref().is_some_and(|driver| driver.metadata.name.as_deref() == Some(pod));
        self.logs.end_missing(|pod| executors.contains_key(pod) || is_driver(pod));
        if is_crowded && !std::mem::replace(&mut self.crowd_is_told, true) {
            let note =
                format!("{MANY_LOGS} logs are followed at once: those of further executors come when one has ended");
            self.voice.note(&note);
        }
    }

    /// Asks for the end of the log of an executor that has just failed.
    fn ask_for_last_words(&mut self, state: &State) {
        let Some(last) = &state.executors.telling else { return };
        let pod = self.sight.observed().executors.get(&last.name).filter(|pod| state::executor_has_log(pod));
        let Some(pod) = pod.filter(|_| self.asked.insert(last.name.clone())).cloned() else { return };
        let (cluster, name) = (self.cluster.clone(), last.name.clone());
        self.asking.spawn(async move {
            let tail = cluster::log_tail(&cluster, &pod, LOG_TAIL).await;
            (name, tail.ok().filter(|tail| !tail.is_empty()))
        });
    }

    fn show(&mut self, source: &Source, heard: LogEvent) {
        let line = match heard {
            LogEvent::Line(line) => line,
            LogEvent::Trouble(what) => return self.voice.note(&what),
            LogEvent::End => return,
        };
        let shown = (self.options.logs == Some(Whose::All)).then_some(&**source);
        if &**source != DRIVER {
            return self.voice.log(&line, shown);
        }
        let text = String::from_utf8_lossy(&line.text).into_owned();
        if let Some(has_stopped) = state::has_stopped(&text) {
            let (now, driver) = (self.cluster.now(), self.sight.observed().driver.as_ref());
            let stopped = driver.and_then(|driver| driver.metadata.uid.clone()).filter(|_| has_stopped);
            let at = line.at.map_or(now, |at| at.min(now));
            self.sight.add_evidence(LookupResult::Stopped(stopped.map(|driver| Stopped { driver, at })));
        }
        self.tail.push_back(text);
        if self.tail.len() > LOG_TAIL {
            self.tail.pop_front();
        }
        self.voice.log(&line, shown);
    }

    async fn conclude(mut self, over: Over, interrupt: &Interrupt) -> ExitCode {
        match over {
            Over::Ended(state) => self.ended(*state, interrupt).await,
            Over::OutOfSight(why) => {
                let state = State { what: Status::Ended(Outcome::out_of_sight(&why)), ..self.state() };
                self.told(&state, None)
            }
            Over::Interrupted(code) => self.left("interrupted", self.options.on_interrupt, code).await,
            Over::TimedOut => self.left("--timeout is over", self.options.on_timeout, ExitCode::TimedOut).await,
        }
    }

    async fn ended(&mut self, state: State, interrupt: &Interrupt) -> ExitCode {
        self.look_again(&state).await;
        self.begin_logs(&self.state(), interrupt).await;
        self.take_rest_of_logs(interrupt).await;
        self.take_last_events().await;
        self.sight.gather_evidence_now(&state, &self.terms()).await;
        // What is known of an end does not become less by what comes after it.
        let latest = self.state();
        let state = if latest.outcome().is_some() { latest } else { state };
        let log = match failure::is_explained_by_log(&state, self.sight.observed()) {
            true => self.end_of_log().await,
            false => None,
        };
        self.told(&state, log)
    }

    async fn take_rest_of_logs(&mut self, interrupt: &Interrupt) {
        self.logs.all_ended();
        // A pod that was taken away may have left its last lines in the stream, and none that can be asked for.
        let last_words = self.sight.observed().gone.map(|_| Instant::now() + LAST_WORDS);
        let mut left_alone = self.has_open_executors().then(|| Instant::now() + LEFT_ALONE);
        loop {
            tokio::select! {
                heard = self.logs.next_remaining() => match heard {
                    Some((source, heard)) => self.show(&source, heard),
                    None => return,
                },
                () = until(last_words) => return,
                // It ends soon after its driver, if nothing keeps it.
                Ok(_) = self.sight.changed(), if left_alone.is_some() => {
                    left_alone = left_alone.filter(|_| self.has_open_executors());
                }
                () = until(left_alone) => {
                    return self.voice.note("executors run on without their driver: their logs are followed no longer");
                }
                _ = interrupt.received() => return,
            }
        }
    }

    /// Whether there is a log that may never come to its end, for its container goes on.
    fn has_open_executors(&self) -> bool {
        let has_open_log = |(name, pod): (&String, &Pod)| self.logs.has(name) && !state::executor_has_ended(pod);
        self.sight.observed().executors.iter().any(has_open_log)
    }

    /// A Job's end may be heard of while the watch on its pods is silent: then they are asked for.
    async fn look_again(&mut self, state: &State) {
        let is_untold = state.outcome().is_some_and(|outcome| {
            matches!(outcome.ending, Ending::Succeeded | Ending::Failed) && outcome.driver_exit_code.is_none()
        });
        if is_untold
            && let Ok(observed) = cluster::read(self.cluster, self.application).await
            && let Some(driver) = observed.driver
        {
            self.sight.apply_driver(driver);
        }
    }

    /// A lost driver's events say by whom it was taken.
    async fn take_last_events(&mut self) {
        let is_lost = |state: State| state.outcome().is_some_and(|outcome| outcome.ending == Ending::Lost);
        if is_lost(self.state()) {
            let changes = async { while self.sight.changed().await.is_ok() {} };
            // Only the time that was given to it is of interest.
            let _ = tokio::time::timeout(LAST_EVENTS, changes).await;
        }
    }

    /// The log's last lines: from the cluster, or as they came if the pod is gone.
    async fn end_of_log(&self) -> Option<String> {
        let driver = state::latest_driver(self.sight.observed())?;
        match cluster::log_tail(self.cluster, driver, LOG_TAIL).await {
            Ok(log) => Some(log),
            Err(_) if self.tail.is_empty() => None,
            Err(_) => Some(self.tail.iter().map(String::as_str).collect()),
        }
    }

    /// Says how it ended. Returns the exit code.
    fn told(&mut self, state: &State, log: Option<String>) -> ExitCode {
        let logs = FailureLogs {
            driver: log,
            driver_is_shown: self.options.logs.is_some(),
            failed_init: failure::failed_init(self.sight.observed()),
            executor: self.fallen.clone(),
        };
        let report = FailureReport::of(self.application, state, logs);
        let code = self.options.exit_code(&report.outcome);
        self.voice.result(state, &report, code);
        code
    }

    /// Leaves an application that has not ended. Returns the exit code.
    async fn left(&mut self, why: &str, leave: Leave, code: ExitCode) -> ExitCode {
        let state = self.state();
        let (outcome, mut lines) = match leave {
            Leave::Detach => {
                ("Detached", vec![format!("{why}: application {} runs on in the cluster", self.application.name)])
            }
            Leave::Delete => {
                let (outcome, what) = match cluster::delete(self.cluster, self.application).await {
                    Ok(true) => ("Deleted", "is deleted".to_owned()),
                    Ok(false) => ("Deleted", "was gone already".to_owned()),
                    Err(refusal) => ("Detached", format!("may run on, for it could not be deleted: {refusal}")),
                };
                (outcome, vec![format!("{why}: application {} {what}", self.application.name)])
            }
        };
        let message = lines[0].clone();
        lines.extend(report::earlier_attempts(&state));
        if leave == Leave::Detach {
            lines.extend(report::next_steps(self.application, program()));
        }
        self.voice.left(outcome, &message, &lines, code, Some(&state));
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
