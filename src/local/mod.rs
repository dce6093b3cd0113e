//! A job on this machine: Spark's own local master, no cluster.
//!
//! The machine's Spark, Java and Python are used where they suit the job's Spark version; else a
//! container of the job's image, where there is an engine for it; else what is missing is fetched from PyPI
//! into a cache, once. What it says on the way, and the driver's output, are
//! events: how they are told is the caller's.

mod cache;
mod child;
mod conf_dirs;
mod container;
mod download;
mod files;
mod index;
mod job;
mod machine;
mod place;
mod progress;
mod r;
mod runtime;
mod submission;
mod unpack;
mod versions;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant as Moment, sleep_until};

pub use child::{Ended, Output};
pub use job::{Language, LocalJob, has_effect};
pub use machine::Environment;
#[cfg(feature = "upload")]
pub use machine::cache;
pub use place::Place;

use machine::Python;
use progress::{Progress, Say, Stop};
use r::R;
use runtime::Runtime;
use submission::Submission;

use crate::terminal::Signals;

/// How a local run ended.
#[derive(Debug)]
pub struct Outcome {
    pub ended: Ended,
    /// How long it took to find and fetch what it runs on.
    pub prepared: Duration,
    /// How long the driver ran; none when it ended before it started.
    pub ran: Option<Duration>,
}

/// What happens on the way.
#[derive(Debug)]
pub enum Event {
    /// Something that the user should know.
    Note(String),
    /// The driver starts, on this: `Spark 3.5.7, Java 17, Python 3.11, local[*]`.
    Running(String),
    /// What the driver wrote.
    Output(Output, Vec<u8>),
}

/// How long fetching may take to notice that it should stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs a job to its end, or until this process is told to end (Ctrl-C, `SIGTERM`, `SIGHUP`), or for
/// as long as it may. What happens on the way is sent to `events`.
///
/// # Errors
/// When the driver cannot be started: a file that is not here, no Python, nothing that suits, a
/// download that failed.
pub async fn run(
    job: LocalJob,
    environment: Environment,
    timeout: Option<Duration>,
    events: mpsc::Sender<Event>,
) -> Result<Outcome> {
    let begin = Instant::now();
    let deadline = timeout.map(|timeout| Moment::now() + timeout);
    let mut signals = Signals::listen()?;
    let stop = Stop::default();
    let notes = events.clone();
    // It is called on the thread that prepares, which may wait for the reader.
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
            stop.wish();
            // A silent server is not waited for.
            if tokio::time::timeout(PATIENCE, prepared).await.is_err() {
                stop.clean_up();
            }
            return Ok(Outcome { ended, prepared: begin.elapsed(), ran: None });
        }
    };
    let (submission, ran_on) = prepared.context("preparing the local run")??;
    let start = Instant::now();
    // The receiver lives as long as this call is waited for.
    let _ = events.send(Event::Running(ran_on)).await;
    let ended = child::run(&submission, &mut signals, deadline, &events).await?;
    if let (Some(container), Ended::Exited(code @ 1..)) = (&submission.container, ended) {
        container.refuse_unstarted(code)?;
    }
    Ok(Outcome { ended, prepared: start - begin, ran: Some(start.elapsed()) })
}

/// Waits for a moment; for ever, if there is none.
async fn until(deadline: Option<Moment>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Finds and fetches on a thread of its own: it may be left behind, which the runtime's may not.
fn prepare(
    job: LocalJob,
    environment: Environment,
    progress: Progress,
) -> oneshot::Receiver<Result<(Submission, String)>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let prepared = submission(&job, &environment, &progress);
        // Nobody waits any more after an interrupt.
        let _ = sender.send(prepared);
    });
    receiver
}

fn submission(job: &LocalJob, environment: &Environment, progress: &Progress) -> Result<(Submission, String)> {
    if let Some((engine, image)) = place::container(job, environment, progress)? {
        let submission = Submission::in_container(job, &engine, &image, environment, progress)?;
        return Ok((submission, format!("{image} in {engine}, {}", job.master())));
    }
    refuse_hopeless(job, environment)?;
    let python = (job.language == Language::Python).then(|| Python::of(environment, job.interpreter())).transpose()?;
    let r = (job.language == Language::R).then(|| R::of(environment, job.interpreter())).transpose()?;
    let runtime = Runtime { r, ..Runtime::of(environment, job.spark_version.as_deref(), python, progress)? };
    let submission = Submission::of(job, &runtime, environment, &progress.say)?;
    Ok((submission, format!("{runtime}, {}", job.master())))
}

/// Refuses what no fetching could make run, before anything is fetched.
fn refuse_hopeless(job: &LocalJob, environment: &Environment) -> Result<()> {
    let lists = [&job.jars, &job.py_files, &job.files, &job.archives];
    let files = lists.into_iter().flatten().chain([&job.main_file]);
    files.into_iter().try_for_each(|file| files::refuse_missing(file, &environment.directory))
}
