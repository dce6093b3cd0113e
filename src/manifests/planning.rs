//! Making the plan of one submission, in one phase.

use super::executor_template::ExecutorTemplate;
use super::labels::Labels;
use super::names::Names;
use super::plan::Plan;
use super::{properties, scratch};
use crate::job::{Job, Submission};
use crate::spark::{Allocation, Role, containers};

/// The plan of one submission of `job` into `namespace`.
pub fn plan<'a>(job: &'a Job, namespace: &str, submission: &'a Submission) -> Plan<'a> {
    let name = job.name(submission);
    let names = Names::of(job, namespace, submission);
    let template = ExecutorTemplate::of(job, &name);
    let properties = properties::of(job, submission, &names, &template);
    let conf = properties.all_resolved(&job.files.environment);
    let allocation = Allocation::of(&conf);
    let driver_container = containers::name(&conf, Role::Driver).to_owned();
    Plan {
        job,
        submission,
        version: job.version(),
        scheduler: job.scheduler(),
        carrier: job.carrier(),
        labels: Labels::of(job, submission, &conf, allocation),
        local_dirs: scratch::directories(job, submission, &conf, &driver_container),
        allocation,
        name,
        names,
        template,
        properties,
        conf,
        driver_container,
    }
}
