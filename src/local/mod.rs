//! Runs a job on this machine, with Spark's local master and without a cluster.
//!
//! The Spark, Java and Python of the machine are used if they suit the job's Spark version; otherwise a container of the
//! job's image, if there is a container engine; otherwise what is missing is fetched from PyPI into a cache. Messages and
//! the driver's output are events, which the caller prints.

mod cache;
mod child;
mod conf_dirs;
mod container;
mod download;
mod event;
mod files;
mod index;
mod job;
mod machine;
mod progress;
mod r;
mod run_in;
mod runtime;
mod submission;
mod unpack;
mod versions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};

pub use child::Ended;
pub use event::{Event, Output};
pub use job::{Language, LocalJob, RunIn, has_effect};
pub use machine::Environment;
#[cfg(feature = "upload")]
pub use machine::cache;

use machine::Python;
use progress::{Progress, Say, Stop};
use r::R;
use runtime::Runtime;
use submission::Submission;

use crate::terminal::Signals;
use crate::time::until;

/// How a local run ended.
#[derive(Debug)]
pub struct Outcome {
    pub ended: Ended,
    /// How long it took to find and fetch Spark, Java and the interpreter.
    pub prepared: Duration,
    /// How long the driver ran; `None` if the run ended before the driver started.
    pub ran: Option<Duration>,
}

/// How long to wait for the preparation to notice that it should stop: a server may be silent for longer.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);

/// Runs a job until it ends, this process receives a signal (Ctrl-C, `SIGTERM`, `SIGHUP`), or the timeout is over. Sends
/// events to `events`.
///
/// # Errors
/// The driver cannot be started: a file or Python is missing, no Spark suits, or a download failed.
pub async fn run(
    job: LocalJob,
    environment: Environment,
    timeout: Option<Duration>,
    events: mpsc::Sender<Event>,
) -> Result<Outcome> {
    let started = Instant::now();
    let deadline = timeout.map(|timeout| Instant::now() + timeout);
    let mut signals = Signals::listen()?;
    let stop = Stop::default();
    let notes = events.clone();
    // Called on the preparing thread, which may block.
    let say: Say = Arc::new(move |line| drop(notes.blocking_send(Event::Note(line.to_owned()))));
    let progress = Progress { terminal: environment.terminal, say, stop: stop.clone() };
    let mut prepared = prepare(job, environment, progress);
    let ended = tokio::select! {
        done = &mut prepared => Err(done),
        signal = signals.next() => Ok(Ended::Interrupted(signal)),
        () = until(deadline) => Ok(Ended::TimedOut),
    };
    let prepared = match ended {
        Err(done) => done,
        Ok(ended) => {
            stop.request();
            if tokio::time::timeout(STOP_TIMEOUT, prepared).await.is_err() {
                stop.remove_staging();
            }
            return Ok(Outcome { ended, prepared: started.elapsed(), ran: None });
        }
    };
    let (submission, runtime) = prepared.context("preparing the local run")??;
    let ready = Instant::now();
    // An error means that the receiver is gone, and with it the future of this call.
    let _ = events.send(Event::Running(runtime)).await;
    let ended = child::run(&submission, &mut signals, deadline, &events).await?;
    if let (Some(container), Ended::Exited(code @ 1..)) = (&submission.container, ended) {
        container.refuse_unstarted(code)?;
    }
    Ok(Outcome { ended, prepared: ready - started, ran: Some(ready.elapsed()) })
}

/// Prepares a run on a thread of its own, which may be abandoned: a thread of the async runtime may not.
fn prepare(
    job: LocalJob,
    environment: Environment,
    progress: Progress,
) -> oneshot::Receiver<Result<(Submission, String)>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let prepared = submission(&job, &environment, &progress);
        // An error means that the run was interrupted.
        let _ = sender.send(prepared);
    });
    receiver
}

fn submission(job: &LocalJob, environment: &Environment, progress: &Progress) -> Result<(Submission, String)> {
    if let Some((engine, image)) = run_in::engine(job, environment, progress)? {
        let submission = Submission::in_container(job, &engine, &image, environment, progress)?;
        return Ok((submission, format!("{image} in {engine}, {}", job.master())));
    }
    check_files(job, environment)?;
    let python = (job.language == Language::Python).then(|| Python::of(environment, job.interpreter())).transpose()?;
    let r = (job.language == Language::R).then(|| R::of(environment, job.interpreter())).transpose()?;
    let runtime = Runtime { r, ..Runtime::of(environment, job.spark_version.as_deref(), python, progress)? };
    let submission = Submission::of(job, &runtime, environment, &progress.say)?;
    Ok((submission, format!("{runtime}, {}", job.master())))
}

/// Checks that the job's files exist, before anything is fetched.
///
/// # Errors
/// A file is missing.
fn check_files(job: &LocalJob, environment: &Environment) -> Result<()> {
    let lists = [&job.jars, &job.py_files, &job.files, &job.archives];
    let files = lists.into_iter().flatten().chain([&job.main_file]);
    files.into_iter().try_for_each(|file| files::check(file, &environment.directory))
}
