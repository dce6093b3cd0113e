//! All objects of one submission.

use super::application::{Application, Carrier, Manifests, PodGroup};
use super::labels::{RUN_KEY, SPECIFICATION};
use super::{
    batch_job, claims, config_map, credentials, cron_job, driver, executor, files, gang, hadoop, network_policy,
    planning, service, ui,
};
use crate::diagnostic::Problem;
use crate::job::restart::CarrierKind;
use crate::job::schedule::Schedule;
use crate::job::{Job, Submission};
use crate::kubernetes::names;

/// Makes the objects of one submission of `job` into `namespace`, and what identifies them afterwards.
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
        annotations[SPECIFICATION] = names::hash(all.concat(), 64).into();
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
    Ok((Manifests { carrier, owned, executor: executor::wanted(&plan)? }, application))
}
