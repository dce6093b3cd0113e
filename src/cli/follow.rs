//! From an application that is in the cluster to an exit code: watches, says what changes, and leaves
//! at its end, at a signal, or when its time is over.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use k8s_openapi::jiff::tz::TimeZone;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::interrupt::Interrupt;
use crate::cluster::{self, Change, Cluster, Heard, Line, LogStream, Sight};
use crate::manifests::Application;
use crate::report::{self, Card, Json, Output, Plain, talk};
use crate::state::{self, Ending, Outcome, State, Terms, What};

/// How often a state is judged anew though nothing changed: time alone may turn a wait into an end.
const JUDGE: Duration = Duration::from_secs(1);
/// How long the rest of the log of a pod that is gone is waited for.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long to wait for the event that says why a pod was taken away: it may come after the deletion.
const LAST_EVENTS: Duration = Duration::from_secs(1);
/// How many of a log's last lines are read to explain a failure.
pub(super) const LOG_TAIL: usize = 200;

/// What becomes of an application that sparkctl leaves before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Leave {
    /// It goes on; `sparkctl attach` joins it again.
    Detach,
    /// It is deleted, with all its objects.
    Delete,
}

/// How to follow.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Following")]
pub struct FollowOptions {
    /// Copy the driver's log to stdout
    #[arg(long)]
    pub logs: bool,
    /// How to say what happens
    #[arg(long, value_enum, default_value = "text", env = "SPARKCTL_OUTPUT")]
    pub output: Output,
    /// How long a missing image, config map, secret or volume is borne
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2m")]
    pub image_pull_timeout: Duration,
    /// How long the driver may take to start, from its creation: else exit code 4 [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub start_timeout: Option<Duration>,
    /// How long to follow at most: else exit code 124 [default: for ever]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// What becomes of the application at Ctrl-C, SIGTERM or SIGHUP
    #[arg(long, value_enum, default_value = "detach")]
    pub on_interrupt: Leave,
    /// What becomes of the application when --timeout is over
    #[arg(long, value_enum, default_value = "detach")]
    pub on_timeout: Leave,
    /// Whose exit code a failed application ends with
    #[arg(long, value_name = "WHOSE")]
    pub exit_code_from: Option<ExitCodeFrom>,
}

impl FollowOptions {
    /// The driver's log, and nothing said beside it unless it fails.
    pub fn log_only() -> FollowOptions {
        FollowOptions {
            logs: true,
            output: Output::Quiet,
            image_pull_timeout: state::PATIENCE,
            start_timeout: None,
            timeout: None,
            on_interrupt: Leave::Detach,
            on_timeout: Leave::Detach,
            exit_code_from: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ExitCodeFrom {
    Driver,
}

/// `90s`, `5m`, `1h 30m`; `none` and `0` would be for ever, which is said by leaving it out.
///
/// # Errors
/// It is not a length of time, or is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let parsed: SignedDuration = text.parse().map_err(|_| "expected a time such as 90s, 5m or 1h 30m".to_owned())?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative".into())
}

/// Follows an application to its end, and says on the way what there is to say.
/// Returns sparkctl's exit code.
///
/// # Errors
/// Stdout cannot be written to, other than that its reader has gone.
pub async fn follow(
    cluster: &Cluster,
    application: &Application,
    options: &FollowOptions,
    interrupt: &Interrupt,
) -> Result<u8> {
    let mut following = Following::begin(cluster, application, options);
    let leaving = following.until_it_ends(interrupt).await?;
    following.conclude(leaving, interrupt).await
}

/// Why following is over.
enum Over {
    Ended(Box<State>),
    /// It cannot be watched any more.
    OutOfSight(String),
    Interrupted(u8),
    TimedOut,
}

struct Following<'a> {
    cluster: &'a Cluster,
    application: &'a Application,
    options: &'a FollowOptions,
    sight: Sight,
    voice: Voice,
    log: Option<LogStream>,
    /// The pod whose log it is.
    logged: Option<String>,
    /// The last lines that came, for a pod whose log is gone with it.
    tail: VecDeque<String>,
}

impl<'a> Following<'a> {
    fn begin(cluster: &'a Cluster, application: &'a Application, options: &'a FollowOptions) -> Self {
        Following {
            cluster,
            application,
            options,
            sight: cluster::observe(cluster, application),
            voice: Voice::new(options.output, application),
            log: None,
            logged: None,
            tail: VecDeque::new(),
        }
    }

    fn state(&self) -> State {
        let terms = Terms {
            now: self.cluster.now(),
            patience: self.options.image_pull_timeout,
            start_timeout: self.options.start_timeout,
        };
        State::of(self.sight.observed(), &terms)
    }

    async fn until_it_ends(&mut self, interrupt: &Interrupt) -> Result<Over> {
        let deadline = self.options.timeout.map(|timeout| Instant::now() + timeout);
        let mut judge = tokio::time::interval(JUDGE);
        loop {
            let state = self.state();
            self.voice.state(&state)?;
            if state.outcome().is_some() {
                return Ok(Over::Ended(Box::new(state)));
            }
            if self.options.logs && state.driver_has_log() && self.is_unlogged() {
                // The log of an earlier attempt is shown to its end before that of the next.
                self.take_rest_of_log(interrupt).await?;
                self.begin_log();
            }
            if state.is_between_attempts() {
                self.log.iter().for_each(LogStream::container_ended);
            }
            tokio::select! {
                change = self.sight.changed() => match change {
                    Ok(Change::Objects) => {}
                    Ok(Change::Stumble(why)) => self.voice.note(&why)?,
                    Err(failure) => return Ok(Over::OutOfSight(failure.to_string())),
                },
                heard = next_line(&mut self.log) => self.show(heard)?,
                signal = interrupt.heard() => return Ok(Over::Interrupted(signal.exit_code())),
                () = until(deadline) => return Ok(Over::TimedOut),
                _ = judge.tick() => {}
            }
        }
    }

    fn begin_log(&mut self) {
        let driver = self.sight.observed().driver.as_ref();
        self.logged = driver.and_then(|driver| driver.metadata.name.clone());
        self.log = driver.map(|driver| LogStream::begin(self.cluster, driver));
        self.tail.clear();
    }

    /// Whether the present driver's log has not been begun.
    fn is_unlogged(&self) -> bool {
        let driver = self.sight.observed().driver.as_ref();
        self.logged.is_none() || self.logged != driver.and_then(|driver| driver.metadata.name.clone())
    }

    fn show(&mut self, heard: Heard) -> Result<()> {
        let line = match heard {
            Heard::Line(line) => line,
            Heard::Trouble(what) => return self.voice.note(&what),
        };
        self.tail.push_back(String::from_utf8_lossy(&line.text).into_owned());
        if self.tail.len() > LOG_TAIL {
            self.tail.pop_front();
        }
        self.voice.log(&line)
    }

    async fn conclude(mut self, over: Over, interrupt: &Interrupt) -> Result<u8> {
        match over {
            Over::Ended(state) => self.ended(*state, interrupt).await,
            Over::OutOfSight(why) => {
                let state = State { what: What::Ended(Outcome::out_of_sight(&why)), ..self.state() };
                self.told(&state, None, None)
            }
            Over::Interrupted(code) => self.left("interrupted", self.options.on_interrupt, code).await,
            Over::TimedOut => self.left("--timeout is over", self.options.on_timeout, 124).await,
        }
    }

    async fn ended(&mut self, state: State, interrupt: &Interrupt) -> Result<u8> {
        self.take_rest_of_log(interrupt).await?;
        if self.options.logs && self.is_unlogged() && self.state().driver_has_log() {
            self.begin_log();
            self.take_rest_of_log(interrupt).await?;
        }
        self.take_last_events().await;
        // What is known of an end does not become less by what comes after it.
        let latest = self.state();
        let state = if latest.outcome().is_some() { latest } else { state };
        let Some(outcome) = state.outcome() else {
            return self.told(&state, None, None);
        };
        let log = match outcome.ending {
            Ending::Failed | Ending::Lost | Ending::Unknown => self.end_of_log().await,
            Ending::Succeeded | Ending::CouldNotStart => None,
        };
        let exception = log.as_deref().filter(|_| outcome.ending == Ending::Failed).and_then(state::last_exception);
        let unshown = log.as_deref().filter(|_| !self.options.logs);
        self.told(&state, exception.as_deref(), unshown)
    }

    async fn take_rest_of_log(&mut self, interrupt: &Interrupt) -> Result<()> {
        let Some(mut log) = self.log.take() else {
            return Ok(());
        };
        log.container_ended();
        // A pod that was taken away may have left its last lines in the stream, and none that can be asked for.
        let last_words = self.sight.observed().gone.map(|_| Instant::now() + LAST_WORDS);
        loop {
            tokio::select! {
                heard = log.next() => match heard {
                    Some(heard) => self.show(heard)?,
                    None => return Ok(()),
                },
                () = until(last_words) => return Ok(()),
                _ = interrupt.heard() => return Ok(()),
            }
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
        let driver = self.sight.observed().driver.as_ref()?;
        let lines = i64::try_from(LOG_TAIL).unwrap_or(i64::MAX);
        match cluster::log_tail(self.cluster, driver, lines).await {
            Ok(log) => Some(log),
            Err(_) if self.tail.is_empty() => None,
            Err(_) => Some(self.tail.iter().map(String::as_str).collect()),
        }
    }

    /// Says how it ended. Returns the exit code.
    fn told(&mut self, state: &State, exception: Option<&str>, log: Option<&str>) -> Result<u8> {
        let outcome = state.outcome().cloned().unwrap_or_else(|| Outcome::out_of_sight("no outcome"));
        let code = match (self.options.exit_code_from, outcome.ending, outcome.driver_exit_code) {
            (Some(ExitCodeFrom::Driver), Ending::Failed, Some(code)) => u8::try_from(code).unwrap_or(1),
            (_, ending, _) => ending.exit_code(),
        };
        let failures = state.executors.last_failure.as_ref();
        let card = Card {
            application: self.application,
            outcome: &outcome,
            last_failure: failures.filter(|_| outcome.ending == Ending::Failed),
            exception,
            log,
        };
        self.voice.result(state, &card, code)?;
        Ok(code)
    }

    /// Leaves an application that has not ended. Returns the exit code.
    async fn left(&mut self, why: &str, leave: Leave, code: u8) -> Result<u8> {
        let (outcome, mut lines) = match leave {
            Leave::Detach => {
                ("Detached", vec![format!("{why}: application {} runs on in the cluster", self.application.name)])
            }
            Leave::Delete => {
                let existed = cluster::delete(self.cluster, self.application).await?;
                let word = if existed { "is deleted" } else { "was gone already" };
                ("Deleted", vec![format!("{why}: application {} {word}", self.application.name)])
            }
        };
        let message = lines[0].clone();
        if leave == Leave::Detach {
            lines.extend(report::next_steps(self.application));
        }
        self.voice.left(outcome, &message, &lines, code)?;
        Ok(code)
    }
}

async fn next_line(log: &mut Option<LogStream>) -> Heard {
    if let Some(stream) = log
        && let Some(heard) = stream.next().await
    {
        return heard;
    }
    // Without a log, or at its end, the other things that may happen are waited for.
    std::future::pending().await
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// How it is said: the one place that writes.
pub(super) struct Voice {
    form: Form,
    /// The reader of stdout has gone: nothing more is written to it.
    unheard: bool,
}

enum Form {
    Text(Plain),
    Json(Json),
    Quiet,
}

impl Voice {
    pub(super) fn new(output: Output, application: &Application) -> Voice {
        let form = match output {
            Output::Text => Form::Text(Plain::new(Timestamp::now(), TimeZone::system())),
            Output::Json => Form::Json(Json::new(application)),
            Output::Quiet => Form::Quiet,
        };
        Voice { form, unheard: false }
    }

    pub(super) fn state(&mut self, state: &State) -> Result<()> {
        let now = Timestamp::now();
        match &mut self.form {
            Form::Text(plain) => plain.lines(state, now).iter().for_each(|line| talk::line(line)),
            Form::Json(json) => {
                if let Some(line) = json.state(state, now) {
                    return self.json(&line);
                }
            }
            Form::Quiet => {}
        }
        Ok(())
    }

    pub(super) fn note(&mut self, text: &str) -> Result<()> {
        match &self.form {
            Form::Text(plain) => talk::line(&plain.line("note", &report::clean(text), Timestamp::now())),
            Form::Json(json) => return self.json(&json.note(text, Timestamp::now())),
            Form::Quiet => {}
        }
        Ok(())
    }

    pub(super) fn log(&mut self, line: &Line) -> Result<()> {
        match &self.form {
            Form::Json(json) => self.json(&json.log(&line.text, line.at.unwrap_or_else(Timestamp::now))),
            Form::Text(_) | Form::Quiet => self.data(&line.text),
        }
    }

    pub(super) fn result(&mut self, state: &State, card: &Card, code: u8) -> Result<()> {
        let now = Timestamp::now();
        let succeeded = card.outcome.ending == Ending::Succeeded;
        match &self.form {
            Form::Json(json) => {
                return self.json(&json.result(card.outcome, state, card.exception, code, now));
            }
            Form::Quiet if succeeded => {}
            Form::Text(_) if succeeded => {
                talk::line(&report::summary(card.application, state));
                card.outcome.hint.iter().for_each(|hint| talk::hint(hint));
            }
            Form::Text(_) | Form::Quiet => {
                card.lines().iter().for_each(|line| talk::line(line));
                talk::line(&report::summary(card.application, state));
            }
        }
        Ok(())
    }

    pub(super) fn left(&mut self, outcome: &str, message: &str, lines: &[String], code: u8) -> Result<()> {
        if let Form::Json(json) = &self.form {
            return self.json(&json.left(outcome, message, code, Timestamp::now()));
        }
        lines.iter().for_each(|line| talk::line(line));
        Ok(())
    }

    fn json(&mut self, line: &Value) -> Result<()> {
        self.data(format!("{line}\n").as_bytes())
    }

    /// Data, on stdout. A reader that has seen enough does not end the application's following.
    pub(super) fn data(&mut self, bytes: &[u8]) -> Result<()> {
        if self.unheard {
            return Ok(());
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.unheard = true;
                Ok(())
            }
            written => written.context("writing to stdout"),
        }
    }
}
