//! Making the plan of one submission, in one phase.

use super::executor_template::ExecutorTemplate;
use super::labels::Labels;
use super::names::Names;
use super::plan::Plan;
use super::{properties, scratch};
use crate::job::{Job, Submission};
use crate::spark::{Conf, Role, containers};

/// The plan of one submission of `job` into `namespace`.
pub fn plan<'a>(job: &'a Job, namespace: &str, submission: &'a Submission) -> Plan<'a> {
    let name = job.name(submission);
    let names = Names::of(job, namespace, submission);
    let template = ExecutorTemplate::of(job, &name);
    let properties = properties::of(job, submission, &names, &template);
    let conf = properties.all_resolved(&job.files.environment);
    let driver_container = containers::name(&conf, Role::Driver).to_owned();
    Plan {
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
