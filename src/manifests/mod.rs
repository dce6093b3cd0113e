//! The objects of an application, before they are sent: one literal for each.

mod attempt;
mod batch_job;
mod claims;
mod config_map;
mod credentials;
mod cron_job;
mod driver;
mod executor_template;
mod files;
mod gang;
mod hadoop;
mod labels;
mod names;
mod network_policy;
mod plan;
mod planning;
mod properties;
mod requirements;
mod scratch;
mod service;
mod setup;
mod ui;
#[cfg(test)]
mod version_changes;

use std::time::Duration;

pub use batch_job::{FAILURES, IGNORED_FAILURES, LOSS_LIMIT, LOSSES, TERMINATED};
pub use cron_job::STAYS_SUSPENDED;
pub use hadoop::HADOOP_DIR;
pub use labels::{JOB_NAME, NAME_ANNOTATION, RUN_KEY, SPECIFICATION, SUBMISSION};
pub use plan::CONF_DIR;
pub use requirements::Requirements;
pub use setup::{Setup, Submitter, with_preempt};

use crate::diagnostic::Problem;
use crate::job::Job;
pub use crate::job::Submission;
use crate::job::restart::CarrierKind;
use crate::job::schedule::Schedule;
pub use crate::kubernetes::kinds::KINDS;
use crate::kubernetes::{Object, names as kubernetes_names};
use crate::scheduler;
use crate::spark::labels as spark_labels;

/// Everything that a submission creates. It runs whole or not at all: the carrier is created
/// *held*, all else with the carrier as its owner, and then the hold is released.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifests {
    /// The driver's pod, held by a scheduling gate, or what makes it, suspended: it owns all the others.
    pub carrier: Object,
    /// What the carrier owns, created after it and before its release.
    pub owned: Vec<Object>,
}

/// What identifies a submitted application in the cluster, and what to expect of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// `metadata.name` of the job file; label `sparkoperator.k8s.io/app-name` of its pods.
    pub name: String,
    pub namespace: String,
    /// Spark's application id; label `spark-app-selector` of its pods. Attempts have ids of their own.
    pub id: String,
    pub carrier: Carrier,
    /// The PodGroup, where it tells why the application waits.
    pub pod_group: Option<PodGroup>,
    /// How many executors are asked for at the start, when it is known.
    pub executors: Option<u32>,
}

/// A PodGroup by its name and API version, which is its scheduler's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodGroup {
    pub name: String,
    pub api: &'static str,
}

impl PodGroup {
    fn of(group: &Object) -> Option<Self> {
        Some(Self { name: group.name().to_owned(), api: scheduler::of_group(&group.0)?.api()? })
    }
}

/// What an application stands and falls with: deleted, it takes all else with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The driver's pod.
    Pod { name: String },
    /// A Job, whose pods are attempts at the application.
    Job { name: String, submission: String },
    /// A CronJob, whose Jobs are runs of the application.
    CronJob { name: String, submission: String },
}

impl Carrier {
    pub fn name(&self) -> &str {
        match self {
            Carrier::Pod { name } | Carrier::Job { name, .. } | Carrier::CronJob { name, .. } => name,
        }
    }

    /// As it is spoken of.
    pub fn describe(&self) -> String {
        match self {
            Carrier::Pod { name } => format!("driver pod {name}"),
            Carrier::Job { name, .. } => format!("Job {name}"),
            Carrier::CronJob { name, .. } => format!("CronJob {name}"),
        }
    }
}

impl Application {
    /// The labels that all of its pods have, and nobody else's.
    pub fn selector(&self) -> Vec<(&'static str, &str)> {
        match &self.carrier {
            Carrier::Pod { .. } => vec![(spark_labels::APPLICATION, &self.id)],
            Carrier::Job { name, submission } => vec![(SUBMISSION, submission), (JOB_NAME, name)],
            Carrier::CronJob { submission, .. } => vec![(SUBMISSION, submission)],
        }
    }
}

/// The scheduling gate that holds a driver pod until its companions exist; the annotation of a Job that
/// is suspended until then.
pub const HOLD: &str = "sparkctl.dev/companions";

impl Manifests {
    /// Has the cluster end the application after that time, whoever is watching: counted from the driver's start,
    /// and over all attempts.
    pub fn limit(&mut self, time: Duration) {
        let spec = match self.carrier.kind() {
            "CronJob" => &mut self.carrier.0["spec"]["jobTemplate"]["spec"],
            _ => &mut self.carrier.0["spec"],
        };
        spec["activeDeadlineSeconds"] = time.as_secs().max(1).into();
    }
}

/// The objects of one submission of `job` into `namespace`, and how they are found again.
///
/// # Errors
/// Settings that Spark would refuse, at the place where they were written.
pub fn of(job: &Job, namespace: &str, submission: &Submission) -> Result<(Manifests, Application), Problem> {
    let (mut manifests, application) = objects(job, namespace, submission)?;
    if let Some(key) = &submission.key {
        // Who submits it is not a part of it.
        let anybody = Submission { user: String::new(), ..submission.clone() };
        let (anybodys, _) = objects(job, namespace, &anybody)?;
        let all: Vec<String> =
            std::iter::once(&anybodys.carrier).chain(&anybodys.owned).map(|object| object.0.to_string()).collect();
        let annotations = &mut manifests.carrier.0["metadata"]["annotations"];
        annotations[RUN_KEY] = key.as_str().into();
        annotations[SPECIFICATION] = kubernetes_names::hash(all.concat(), 64).into();
    }
    Ok((manifests, application))
}

fn objects(job: &Job, namespace: &str, submission: &Submission) -> Result<(Manifests, Application), Problem> {
    let plan = planning::plan(job, namespace, submission);
    let pod_group = gang::pod_group(&plan)?;
    let application = Application {
        name: plan.name.clone(),
        namespace: namespace.to_owned(),
        id: submission.application(),
        carrier: match plan.carrier {
            CarrierKind::Pod => Carrier::Pod { name: plan.names.carrier.clone() },
            CarrierKind::Job(_) => Carrier::Job { name: plan.names.carrier.clone(), submission: submission.uuid() },
            CarrierKind::CronJob(_) => {
                Carrier::CronJob { name: plan.names.carrier.clone(), submission: submission.uuid() }
            }
        },
        pod_group: pod_group.as_ref().and_then(PodGroup::of),
        executors: Some(plan.executors),
    };
    let carrier = match plan.carrier {
        CarrierKind::Pod => driver::pod(&plan)?,
        CarrierKind::Job(supervision) => batch_job::job(&plan, supervision)?,
        CarrierKind::CronJob(supervision) => {
            cron_job::cron_job(&plan, job.schedule.as_ref().unwrap_or(&Schedule::default()), supervision)?
        }
    };
    let owned = pod_group
        .into_iter()
        .chain([service::driver(&plan), config_map::driver(&plan)])
        .chain(config_map::executor_template(&plan))
        .chain(files::config_map(&plan))
        .chain(credentials::secret(&plan))
        .chain(claims::on_demand(&plan))
        .chain(hadoop::config_maps(&plan))
        .chain(hadoop::keytab(&plan))
        .chain(network_policy::executors(&plan))
        .chain(config_map::monitoring(&plan))
        .chain(ui::service(&plan))
        .chain(ui::driver_ports(&plan))
        .chain(ui::disruption_budget(&plan))
        .collect();
    Ok((Manifests { carrier, owned }, application))
}
