//! Where on this machine a job runs: on a Spark of the machine, or in a container of the job's image.

use anyhow::{Context, Result};

use super::container::Engine;
use super::machine::{Environment, Python, Spark};
use super::progress::Progress;
use super::r::R;
use super::versions::SparkVersion;
use super::{Language, LocalJob};

/// Where the user wants it to run.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// `SPARK_HOME`, an installed pyspark, or a downloaded Spark
    Machine,
    /// A container of the job's image, with podman or docker, whichever is installed
    Container,
    Podman,
    Docker,
}

/// An engine and the name by which it has the job's image.
pub type Found = (Engine, String);

/// The engine to run the job by, and its image; none to run it without.
///
/// Unless it is said, a Spark that the machine has comes first, then a container, and then a Spark that is
/// fetched.
///
/// # Errors
/// A container is asked for and cannot be had.
pub fn container(job: &LocalJob, environment: &Environment, progress: &Progress) -> Result<Option<Found>> {
    match job.place {
        Some(Place::Machine) => Ok(None),
        None if has_spark(job, environment) => Ok(None),
        None => match found(job, environment, progress) {
            Ok(found) => Ok(found),
            Err(error) => {
                progress.stop.check()?;
                progress.say(&format!("not in a container of the job's image: {error:#}"));
                Ok(None)
            }
        },
        Some(_) => {
            let found = found(job, environment, progress)
                .context("running in a container (`--local-in machine` does without)")?;
            found.context("no container engine is on PATH: install podman or docker").map(Some)
        }
    }
}

fn found(job: &LocalJob, environment: &Environment, progress: &Progress) -> Result<Option<Found>> {
    let Some(engine) = Engine::of(environment, job.place, progress)? else { return Ok(None) };
    let image = job.image.as_deref().context("the job names no image")?;
    let image = engine.image(image, job.pull.as_deref(), progress)?;
    Ok(Some((engine, image)))
}

/// Whether the machine has a Spark of its own for the job.
fn has_spark(job: &LocalJob, environment: &Environment) -> bool {
    let suits = |spark: &Spark| {
        let wanted = job.spark_version.as_deref().and_then(SparkVersion::parse);
        wanted.is_none_or(|wanted| wanted.line == spark.version.line)
    };
    let installed = || {
        let python = Python::of(environment, job.interpreter()).ok()?;
        Spark::at(python.pyspark.as_ref()?).ok()
    };
    let runs_it = || job.language != Language::R || R::of(environment, job.interpreter()).is_ok();
    (environment.spark_home.is_some() && runs_it())
        || (job.language == Language::Python && installed().as_ref().is_some_and(suits))
}
