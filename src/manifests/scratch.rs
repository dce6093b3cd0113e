//! The driver's directories for scratch files.

use crate::job::{Job, Submission};
use crate::kubernetes::pod::Pod;
use crate::spark::Conf;
use crate::spark::volumes::{self, SCRATCH_PREFIX};

/// A directory for Spark's scratch files.
pub struct LocalDir {
    pub path: String,
    /// Name of the volume to make for it, where it is not on a volume of the user's.
    pub volume: Option<String>,
}

/// The directories for scratch files: the mounts of volumes for it, else `spark.local.dir`, else one with a name of its
/// own.
///
/// Source: `LocalDirsFeatureStep` of Spark. Its order of several is random; here it is as given.
pub fn directories(job: &Job, submission: &Submission, conf: &Conf, container: &str) -> Vec<LocalDir> {
    let on_volumes = mounted(job, conf, container);
    if !on_volumes.is_empty() {
        return on_volumes.into_iter().map(|path| LocalDir { path, volume: None }).collect();
    }
    let paths = match conf.list("spark.local.dir") {
        paths if paths.is_empty() => vec![format!("/var/data/spark-{}", submission.uuid())],
        paths => paths.into_iter().map(str::to_owned).collect(),
    };
    let volume = |index: usize| Some(format!("{SCRATCH_PREFIX}{}", index + 1));
    paths.into_iter().enumerate().map(|(index, path)| LocalDir { path, volume: volume(index) }).collect()
}

/// Where settings or the driver's template mount volumes for scratch files.
fn mounted(job: &Job, conf: &Conf, container: &str) -> Vec<String> {
    let by_settings = volumes::of_driver(conf).filter(|volume| volume.is_scratch()).map(|volume| volume.path);
    let template = job.driver_template().map(|template| Pod::of_template(Some(&template), container));
    let mounts = template.iter().flat_map(Pod::mounts);
    let scratch = mounts.filter(|mount| mount["name"].as_str().is_some_and(|name| name.starts_with(SCRATCH_PREFIX)));
    let by_template = scratch.map(|mount| mount["mountPath"].as_str().unwrap_or_default().to_owned());
    by_settings.chain(by_template).collect()
}
