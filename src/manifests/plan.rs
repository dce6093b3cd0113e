//! The plan of one submission: all that its objects have in common.

use super::executor_template::ExecutorTemplate;
use super::labels::Labels;
use super::names::Names;
use super::{properties, scratch};
use crate::job::restart::CarrierKind;
use crate::job::{Files, Job, Submission};
use crate::scheduler::Scheduler;
use crate::spark::{Conf, Role, Version, containers};

/// A job, ready to become objects. It is data: what is decided about a submission is decided in [`Plan::of`].
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
    pub local_dirs: Vec<scratch::LocalDir>,
    /// The number of executors at the start.
    pub executors: u32,
}

/// Where Spark's images have the configuration directory.
///
/// Source: `Constants.SPARK_CONF_DIR_INTERNAL` of Spark.
pub const CONF_DIR: &str = "/opt/spark/conf";

/// The annotation with the whole name of an application, which labels and names of objects may shorten.
pub const NAME_ANNOTATION: &str = "sparkctl.dev/name";
/// The annotation with the user's name for a run.
pub const RUN_KEY: &str = "sparkctl.dev/run-key";
/// The annotation with a hash of all that a run with a key consists of.
pub const SPECIFICATION: &str = "sparkctl.dev/specification";

impl<'a> Plan<'a> {
    pub fn of(job: &'a Job, namespace: &str, submission: &'a Submission) -> Self {
        let name = job.name(submission);
        let names = Names::of(job, namespace, submission);
        let template = ExecutorTemplate::of(job, &name);
        let properties = properties::of(job, submission, &names, &template);
        let conf = properties.all_resolved(&job.files.environment);
        let driver_container = containers::name(&conf, Role::Driver).to_owned();
        Self {
            job,
            submission,
            version: job.version(),
            scheduler: job.scheduler(),
            carrier: job.carrier(),
            labels: Labels::of(job, submission, &conf),
            local_dirs: scratch::directories(job, submission, &conf, &driver_container),
            executors: executors(&conf),
            name,
            names,
            template,
            properties,
            conf,
            driver_container,
        }
    }

    pub fn files(&self) -> &Files {
        &self.job.files
    }
}

/// The number of executors at the start.
///
/// Source: `SchedulerBackendUtils.getInitialTargetExecutorNumber` and
/// `Utils.getDynamicAllocationInitialExecutors` of Spark.
fn executors(conf: &Conf) -> u32 {
    let number = |key: &str| conf.get(key).and_then(|text| text.trim().parse::<u32>().ok());
    let instances = number("spark.executor.instances");
    match conf.is_true("spark.dynamicAllocation.enabled") {
        true => {
            let least = number("spark.dynamicAllocation.minExecutors").unwrap_or(0);
            let initial = number("spark.dynamicAllocation.initialExecutors").unwrap_or(least);
            least.max(initial).max(instances.unwrap_or(0))
        }
        false => instances.unwrap_or(1),
    }
}
