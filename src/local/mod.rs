//! A job on this machine: Spark's own local master, no cluster.
//!
//! The machine's Spark, Java and Python are used where they suit the job's Spark version; what is
//! missing is fetched from PyPI into a cache, once. The driver's output is this process's output.

mod cache;
mod child;
mod download;
mod files;
mod index;
mod machine;
mod progress;
mod runtime;
mod submission;
mod unpack;
mod versions;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::sync::oneshot;

pub use child::Ended;
pub use machine::Environment;
pub use progress::Say;
pub use runtime::Runtime;

use child::Signals;
use machine::Python;
use progress::{Progress, Stop};
use submission::Submission;

/// What a local run needs of a job.
#[derive(Clone, Debug, Default)]
pub struct LocalJob {
    pub name: String,
    /// The job file's `sparkVersion`; free text means no version in particular.
    pub spark_version: Option<String>,
    pub language: Language,
    pub main_class: Option<String>,
    /// `local:///…` (a path in the image), a path of this machine, or an address that Spark knows.
    pub main_file: String,
    pub arguments: Vec<String>,
    /// Spark settings; those for a cluster are left out here.
    pub conf: Vec<(String, String)>,
    /// Plain variables; those that describe the image (`PATH`, `JAVA_HOME`, …) are left out here.
    pub env: Vec<(String, String)>,
    pub jars: Vec<String>,
    pub py_files: Vec<String>,
    pub files: Vec<String>,
    pub archives: Vec<String>,
    pub packages: Vec<String>,
    pub exclude_packages: Vec<String>,
    pub repositories: Vec<String>,
    pub driver_memory: Option<String>,
    /// The driver does the executors' work, so it gets the larger of the two memories.
    pub executor_memory: Option<String>,
    /// Cores to use; all of the machine when none is given.
    pub cores: Option<u32>,
}

/// What an application is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    Java,
    Scala,
    #[default]
    Python,
    R,
}

impl LocalJob {
    /// Spark's name for so many cores of this machine.
    pub fn master(&self) -> String {
        self.cores.map_or_else(|| "local[*]".into(), |cores| format!("local[{cores}]"))
    }
}

/// How a local run ended.
#[derive(Debug)]
pub struct Outcome {
    pub ended: Ended,
    /// How long the driver ran.
    pub took: Duration,
    /// What it ran on, for people: `Spark 3.5.7, Java 17, Python 3.11, local[*]`; none when it was
    /// interrupted before it started.
    pub ran_on: Option<String>,
}

/// How long fetching may take to notice that it should stop.
const PATIENCE: Duration = Duration::from_secs(3);

/// Runs a job to its end, or until this process is told to end (Ctrl-C, `SIGTERM`, `SIGHUP`). What
/// the user should know on the way is given to `say`, one line at a time.
///
/// # Errors
/// When the driver cannot be started: a file that is not here, no Python, nothing that suits, a
/// download that failed.
pub async fn run(job: LocalJob, environment: Environment, say: Say) -> Result<Outcome> {
    let mut signals = Signals::listen()?;
    let stop = Stop::default();
    let progress = Progress { terminal: environment.terminal, say, stop: stop.clone() };
    let mut prepared = prepare(job, environment, progress);
    let prepared = tokio::select! {
        prepared = &mut prepared => prepared,
        signal = signals.next() => {
            stop.wish();
            // Long enough for the staging folder to be removed; a silent server is not waited for.
            let _ = tokio::time::timeout(PATIENCE, prepared).await;
            let ended = Ended::Interrupted(signal.as_raw());
            return Ok(Outcome { ended, took: Duration::ZERO, ran_on: None });
        }
    };
    let (submission, ran_on) = prepared.context("preparing the local run")??;
    let start = Instant::now();
    let ended = child::run(&submission, &mut signals).await?;
    Ok(Outcome { ended, took: start.elapsed(), ran_on: Some(ran_on) })
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
    refuse_hopeless(job, environment)?;
    let python = (job.language == Language::Python).then(|| Python::of(environment, job.interpreter())).transpose()?;
    let runtime = Runtime::of(environment, job.spark_version.as_deref(), python, progress)?;
    let submission = Submission::of(job, &runtime, environment, &progress.say)?;
    Ok((submission, format!("{runtime}, {}", job.master())))
}

/// Refuses what no fetching could make run, before anything is fetched.
fn refuse_hopeless(job: &LocalJob, environment: &Environment) -> Result<()> {
    let has_r = |home: &PathBuf| home.join("R/lib/sparkr.zip").is_file();
    ensure!(
        job.language != Language::R || environment.spark_home.as_ref().is_some_and(has_r),
        "{} is an R application, and the Spark of PyPI comes without SparkR: set SPARK_HOME to a whole distribution",
        job.name
    );
    let lists = [&job.jars, &job.py_files, &job.files, &job.archives];
    let files = lists.into_iter().flatten().chain([&job.main_file]);
    files.into_iter().try_for_each(|file| files::refuse_missing(file, &environment.directory))
}

impl LocalJob {
    /// The interpreter that the job names, in the order that Spark looks.
    fn interpreter(&self) -> Option<&str> {
        let named = |list: &[(String, String)], key: &str| list.iter().rposition(|(name, _)| name == key);
        let of_conf = |key| named(&self.conf, key).map(|at| self.conf[at].1.as_str());
        let of_env = |key| named(&self.env, key).map(|at| self.env[at].1.as_str());
        of_conf("spark.pyspark.driver.python")
            .or_else(|| of_conf("spark.pyspark.python"))
            .or_else(|| of_env("PYSPARK_DRIVER_PYTHON"))
            .or_else(|| of_env("PYSPARK_PYTHON"))
    }
}
