//! Reports a run on this machine like a run on a cluster: with the same lines, JSON and exit codes.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::jiff::SignedDuration;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::failure::LOG_TAIL;
use super::options::FollowOptions;
use super::reporter::Reporter;
use crate::cluster::Line;
use crate::exit_code::ExitCode;
use crate::job::Job;
use crate::local::{self, Ended, Environment, Event, LocalJob, RunIn};
use crate::manifests::{Application, Carrier};
use crate::report::{FailureLogs, FailureReport, Output};
use crate::state::{self, Durations, Ending, Executors, Outcome, State, Status};

/// Flags for a run on this machine.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "On this machine")]
pub struct Local {
    /// Run on this machine with Spark's local master, on N cores or all of them; no cluster is needed
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "0", value_parser = clap::value_parser!(u32), conflicts_with_all = ["detach", "dry_run"])]
    local: Option<u32>,

    /// Where to run on this machine [default: its own Spark, else a container, else a downloaded Spark]
    #[arg(long, value_name = "WHERE", requires = "local")]
    local_in: Option<RunIn>,
}

/// How many events may be queued; a driver that writes faster than they are reported is slowed down.
const QUEUED: usize = 64;

impl Local {
    /// The number of cores to run on, `Some(None)` for all of them; `None` for a run on the cluster.
    pub fn cores(&self) -> Option<Option<u32>> {
        self.local.map(|cores| (cores > 0).then_some(cores))
    }

    /// Runs the job to its end. Returns sparkctl's exit code.
    ///
    /// # Errors
    /// There is more than one job.
    pub async fn run(&self, jobs: &[Job], cores: Option<u32>, options: &FollowOptions) -> Result<ExitCode> {
        let [job] = jobs else { bail!("--local runs one job, not {}", jobs.len()) };
        let draws = std::io::stderr().is_terminal() && options.output() == Output::Text;
        let environment = Environment::of_this_process(draws)?;
        let job = LocalJob::of(job, cores, self.local_in);
        let mut reporter = LocalReporter::of(&job, options)?;
        if !job.without_effect.is_empty() {
            reporter.reporter.note(&format!("no effect on this machine: {}", job.without_effect.join(", ")));
        }
        reporter.state(Status::Starting("finding Spark and Java".into()), Durations::default());
        let (events, mut received) = mpsc::channel(QUEUED);
        let mut run = std::pin::pin!(local::run(job, environment, options.timeout, events));
        let outcome = loop {
            tokio::select! {
                Some(event) = received.recv() => reporter.event(event),
                outcome = &mut run => break outcome,
            }
        };
        while let Ok(event) = received.try_recv() {
            reporter.event(event);
        }
        Ok(reporter.end(outcome))
    }
}

/// Reports the events of a local run.
struct LocalReporter<'a> {
    application: Application,
    options: &'a FollowOptions,
    reporter: Reporter,
    log: DriverLog,
}

impl<'a> LocalReporter<'a> {
    fn of(job: &LocalJob, options: &'a FollowOptions) -> Result<Self> {
        let application = Application {
            name: job.name.clone(),
            namespace: String::new(),
            id: format!("local-{}", Uuid::now_v7().simple()),
            carrier: Carrier::Pod { name: String::new() },
            pod_group: None,
        };
        let reporter = Reporter::new(options, &application, false)?;
        Ok(Self { application, options, reporter, log: DriverLog::default() })
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Note(text) => self.reporter.note(&text),
            Event::Running(on) => {
                self.reporter.note(&format!("with {on}"));
                self.state(Status::Running, Durations::default());
            }
            Event::Output(which, piece) => self.output(which, &piece),
        }
    }

    /// Copies the driver's output to that of this process, except with JSON, which has stdout for itself.
    fn output(&mut self, which: local::Output, piece: &[u8]) {
        let lines = self.log.lines(which, piece);
        match (self.options.output(), which) {
            (Output::Json, _) if self.options.logs.is_some() => {
                lines.into_iter().for_each(|text| self.reporter.log(&Line { at: None, text }, None));
            }
            (Output::Text | Output::Quiet, local::Output::Stdout) => self.reporter.data(piece),
            _ => {
                // There is nowhere to report that stderr is closed.
                let _ = std::io::stderr().write_all(piece);
            }
        }
    }

    fn state(&mut self, status: Status, durations: Durations) {
        self.reporter.state(&State {
            status,
            executors: Executors::default(),
            durations,
            attempt: None,
            node: None,
            lingers: None,
        });
    }

    /// Reports how the run ended. Returns the exit code.
    fn end(mut self, run: Result<local::Outcome>) -> ExitCode {
        if self.options.output() == Output::Json && self.options.logs.is_some() {
            for text in self.log.rest() {
                self.reporter.log(&Line { at: None, text }, None);
            }
        }
        let name = self.application.name.clone();
        let leave = |this: &mut Self, why: &str, code: ExitCode| {
            let message = format!("{why}: {name} was stopped");
            this.reporter.leave("Deleted", &message, std::slice::from_ref(&message), code, None);
            code
        };
        let (outcome, durations) = match run {
            Err(error) => (could_not_start(&format!("{error:#}")), Durations::default()),
            Ok(local::Outcome { ended, prepared, ran }) => {
                let durations = Durations { queued: None, starting: signed(prepared), ran: ran.and_then(signed) };
                match ended {
                    Ended::Interrupted(signal) => return leave(&mut self, "interrupted", signal.exit_code()),
                    Ended::TimedOut => return leave(&mut self, "timed out", ExitCode::TimedOut),
                    Ended::Exited(code) => (exited(i32::from(code)), durations),
                    Ended::Killed(signal) => (exited(128 + signal), durations),
                }
            }
        };
        let (executors, what) = (Executors::default(), Status::Ended(outcome));
        let state = State { status: what, executors, durations, attempt: None, node: None, lingers: None };
        let logs = FailureLogs { driver: Some(self.log.tail()), driver_is_shown: true, ..FailureLogs::default() };
        let report = FailureReport::of(&self.application, &state, logs);
        let code = self.options.exit_code(&report.outcome);
        self.reporter.state(&State { status: Status::Ended(report.outcome.clone()), ..state.clone() });
        self.reporter.result(&state, &report, code);
        code
    }
}

fn signed(duration: Duration) -> Option<SignedDuration> {
    SignedDuration::try_from(duration).ok()
}

fn exited(code: i32) -> Outcome {
    match code {
        0 => Outcome { ending: Ending::Succeeded, message: "the driver ended".into(), ..of_code(code) },
        _ => of_code(code),
    }
}

fn of_code(code: i32) -> Outcome {
    let meaning = state::exit_code_meaning(code).map(|meaning| format!(": {meaning}")).unwrap_or_default();
    Outcome {
        ending: Ending::Failed,
        message: format!("the driver exited with code {code}{meaning}"),
        hint: None,
        driver_exit_code: Some(code),
    }
}

fn could_not_start(why: &str) -> Outcome {
    Outcome { ending: Ending::CouldNotStart, message: why.to_owned(), hint: None, driver_exit_code: None }
}

/// Longer lines are split here.
const LONGEST: usize = 1 << 20;

/// The driver's output in lines. The last ones are kept to explain a failure.
#[derive(Default)]
struct DriverLog {
    tail: std::collections::VecDeque<Vec<u8>>,
    /// Incomplete lines of stdout and stderr.
    begun: [Vec<u8>; 2],
}

impl DriverLog {
    /// The lines that a piece of output completes.
    fn lines(&mut self, which: local::Output, piece: &[u8]) -> Vec<Vec<u8>> {
        let begun = &mut self.begun[usize::from(which == local::Output::Stderr)];
        begun.extend_from_slice(piece);
        let end = begun.iter().rposition(|byte| *byte == b'\n');
        let Some(end) = end.or((begun.len() > LONGEST).then_some(begun.len() - 1)) else { return Vec::new() };
        let rest = begun.split_off(end + 1);
        let ended = std::mem::replace(begun, rest);
        let lines: Vec<Vec<u8>> = ended.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        self.keep(&lines);
        lines
    }

    /// The incomplete lines.
    fn rest(&mut self) -> Vec<Vec<u8>> {
        let rest: Vec<Vec<u8>> = self.begun.iter_mut().map(std::mem::take).filter(|line| !line.is_empty()).collect();
        self.keep(&rest);
        rest
    }

    fn keep(&mut self, lines: &[Vec<u8>]) {
        self.tail.extend(lines.iter().cloned());
        self.tail.drain(..self.tail.len().saturating_sub(LOG_TAIL));
    }

    fn tail(&mut self) -> String {
        self.rest();
        self.tail.iter().map(|line| String::from_utf8_lossy(line)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_the_pieces_of_a_line() {
        let mut log = DriverLog::default();
        assert_eq!(log.lines(local::Output::Stdout, b"one\ntw"), [b"one\n"]);
        assert_eq!(log.lines(local::Output::Stderr, b"other\n"), [b"other\n"]);
        assert_eq!(log.lines(local::Output::Stdout, b"o\nend"), [b"two\n"]);
        assert_eq!(log.tail(), "one\nother\ntwo\nend");
    }

    #[test]
    fn keeps_the_end_of_a_long_log() {
        let mut log = DriverLog::default();
        (0..1000).for_each(|n| drop(log.lines(local::Output::Stdout, format!("{n}\n").as_bytes())));
        assert_eq!(log.tail().lines().count(), LOG_TAIL);
        assert!(log.tail().ends_with("999\n"));
    }
}
