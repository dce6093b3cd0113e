//! Checks of who schedules the pods: the scheduler of the gang, its options, and names of priority classes and queues.

use super::phrases;
use crate::diagnostic::{Problem, nearest};
use crate::job::Job;
use crate::kubernetes::names;
use crate::scheduler::{self, Rules, Scheduler};
use crate::spark::Role;

pub(super) fn problems(job: &Job) -> Vec<Problem> {
    let scheduler = job.scheduler();
    let mut problems: Vec<Problem> = without_effect(job, &scheduler).collect();
    problems.extend(misspelt(job));
    problems.extend(outvoted(job));
    problems.extend(missing_option(job, &scheduler));
    problems.extend(scheduler::all().filter_map(|rules| protection_without_effect(job, &scheduler, rules)));
    problems.extend(object_names(job));
    problems
}

/// Options that this scheduler does not read.
fn without_effect(job: &Job, scheduler: &Scheduler) -> impl Iterator<Item = Problem> + use<> {
    let options = &job.spec.batch_scheduler_options;
    let any = options.queue.is_some() || !options.resources.is_empty();
    let scheduled = scheduler.rules().is_some();
    let has_queues = scheduler.rules().is_none_or(Rules::has_queues);
    [
        (any && !scheduled, "spec.batchSchedulerOptions", "no effect without `batchScheduler`"),
        (
            options.queue.is_some() && !has_queues,
            "spec.batchSchedulerOptions.queue",
            "no effect: this scheduler has no queues",
        ),
        (
            !options.resources.is_empty() && scheduled && !scheduler.has_pod_groups(),
            "spec.batchSchedulerOptions.resources",
            "no effect: this scheduler sizes the gang from its pods",
        ),
    ]
    .into_iter()
    .filter_map(phrases::warning)
}

fn misspelt(job: &Job) -> Option<Problem> {
    let scheduler = job.spec.batch_scheduler.as_deref()?;
    let word = nearest(scheduler, scheduler::names()).filter(|word| *word != scheduler)?;
    Some(
        Problem::error(format!("unknown scheduler `{scheduler}`: it is used as a custom schedulerName"))
            .at_field("spec.batchScheduler")
            .help(format!("did you mean `{word}`?")),
    )
}

/// Schedulers of single roles, which `batchScheduler` replaces.
fn outvoted(job: &Job) -> Vec<Problem> {
    let Some(scheduler) = job.spec.batch_scheduler.as_deref() else { return Vec::new() };
    let other = |role: &Role| job.spec.role(*role).scheduler_name.as_deref().is_some_and(|name| name != scheduler);
    [Role::Driver, Role::Executor]
        .into_iter()
        .filter(other)
        .map(|role| {
            Problem::warning(format!("no effect: `batchScheduler: {scheduler}` wins"))
                .at_field(format!("spec.{}.schedulerName", role.word()))
        })
        .collect()
}

fn missing_option(job: &Job, scheduler: &Scheduler) -> Option<Problem> {
    let (message, help) = scheduler.rules()?.missing_option(job.queue().is_some())?;
    Some(Problem::error(message).at_field("spec.batchScheduler").help(help))
}

/// The annotation by which a scheduler spares the driver, where the pods have another scheduler.
fn protection_without_effect(job: &Job, scheduler: &Scheduler, rules: &dyn Rules) -> Option<Problem> {
    let ((key, _), name) = (rules.driver_protection()?, rules.name()?);
    let driver = &job.spec.driver.role;
    let is_its = scheduler.is(name) || driver.scheduler_name.as_deref() == Some(name);
    (driver.annotations.contains_key(key) && !is_its).then(|| {
        Problem::warning(format!("no effect: only {} reads it, and the pods have another scheduler", rules.title()))
            .at_field(format!("spec.driver.annotations.{key}"))
            .help(format!("give --scheduler {name}, or leave --protect-driver out"))
    })
}

/// Names of objects that the pods refer to.
fn object_names(job: &Job) -> impl Iterator<Item = Problem> {
    let (spec, options) = (&job.spec, &job.spec.batch_scheduler_options);
    [
        ("spec.batchSchedulerOptions.priorityClassName", &options.priority_class_name),
        ("spec.driver.priorityClassName", &spec.driver.role.priority_class_name),
        ("spec.executor.priorityClassName", &spec.executor.role.priority_class_name),
        ("spec.batchSchedulerOptions.queue", &options.queue),
        ("spec.driver.serviceAccount", &spec.driver.role.service_account),
        ("spec.executor.serviceAccount", &spec.executor.role.service_account),
        ("spec.driver.podName", &spec.driver.pod_name),
    ]
    .into_iter()
    .filter_map(|(path, name)| Some(Problem::error(names::check(name.as_deref()?).err()?).at_field(path)))
}
