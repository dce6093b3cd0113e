//! Where a job runs on this machine: on a Spark of the machine, or in a container of the job's image.

use anyhow::{Context, Result};

use super::Language;
use super::container::Engine;
use super::job::{LocalJob, RunIn};
use super::machine::{Environment, Python, Spark};
use super::progress::Progress;
use super::r::R;
use super::versions::SparkVersion;

/// A container engine, and the name under which it has the job's image.
pub type EngineAndImage = (Engine, String);

/// The engine to run the job with, and the job's image; `None` to run it without a container.
///
/// By default a Spark of the machine is preferred to a container, and a container to a download.
///
/// # Errors
/// A container is required and not available.
pub fn engine(job: &LocalJob, environment: &Environment, progress: &Progress) -> Result<Option<EngineAndImage>> {
    match job.run_in {
        Some(RunIn::Machine) => Ok(None),
        None if has_spark(job, environment) => Ok(None),
        None => match find(job, environment, progress) {
            Ok(found) => Ok(found),
            Err(error) => {
                progress.stop.check()?;
                progress.say(&format!("not running in a container of the job's image: {error:#}"));
                Ok(None)
            }
        },
        Some(_) => {
            let found = find(job, environment, progress)
                .context("running in a container (`--local-in machine` runs without one)")?;
            found.context("no container engine is on PATH: install podman or docker").map(Some)
        }
    }
}

fn find(job: &LocalJob, environment: &Environment, progress: &Progress) -> Result<Option<EngineAndImage>> {
    let Some(engine) = Engine::find(environment, job.run_in, progress)? else { return Ok(None) };
    let image = job.image.as_deref().context("the job names no image")?;
    let image = engine.image(image, job.pull.as_deref(), progress)?;
    Ok(Some((engine, image)))
}

/// Whether the machine has a Spark for the job.
fn has_spark(job: &LocalJob, environment: &Environment) -> bool {
    let suits = |spark: &Spark| {
        let wanted = job.spark_version.as_deref().and_then(SparkVersion::parse);
        wanted.is_none_or(|wanted| wanted.line == spark.version.line)
    };
    let installed = || {
        let python = Python::of(environment, job.interpreter()).ok()?;
        Spark::at(python.pyspark.as_ref()?).ok()
    };
    let has_interpreter = || job.language != Language::R || R::of(environment, job.interpreter()).is_ok();
    (environment.spark_home.is_some() && has_interpreter())
        || (job.language == Language::Python && installed().as_ref().is_some_and(suits))
}
