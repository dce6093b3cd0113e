//! The plan of one submission: all that its objects have in common.

use super::executor_template::ExecutorTemplate;
use super::labels::Labels;
use super::names::Names;
use super::scratch::LocalDir;
use crate::job::restart::CarrierKind;
use crate::job::{Files, Job, Submission};
use crate::scheduler::Scheduler;
use crate::spark::{Allocation, Conf, Version};

/// A job, ready to become objects. It is data; `planning` makes it.
pub struct Plan<'a> {
    pub job: &'a Job,
    pub submission: &'a Submission,
    pub version: Version,
    pub scheduler: Scheduler,
    pub carrier: CarrierKind,
    /// The application's name, which those of objects may shorten.
    pub name: String,
    pub names: Names,
    pub template: ExecutorTemplate,
    /// All settings as they are written into `spark.properties`, with those that Spark adds.
    pub properties: Conf,
    /// The same settings as Spark reads them: references to variables are replaced.
    pub conf: Conf,
    pub labels: Labels,
    /// The name of Spark's container in the driver's pod.
    pub driver_container: String,
    /// The driver's scratch directories.
    pub local_dirs: Vec<LocalDir>,
    /// How many executors the driver asks for.
    pub allocation: Allocation,
}

/// Where Spark's images have the configuration directory.
///
/// Source: `Constants.SPARK_CONF_DIR_INTERNAL` of Spark.
pub const CONF_DIR: &str = "/opt/spark/conf";

impl Plan<'_> {
    pub fn files(&self) -> &Files {
        &self.job.files
    }
}
