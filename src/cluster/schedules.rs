//! Schedules: applications whose carrier is a CronJob, and their runs.

use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::connect::Cluster;
use super::error::Refusal;
use super::find::{self, Found, JOBS, list, not_found};
use super::list::items;
use super::paths::{self, encoded};
use super::request::Call;
use crate::manifests::{Application, Carrier, HOLD, SUBMISSION};
use crate::state::Observed;

/// An application that runs on a schedule.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub application: Application,
    pub cron_job: CronJob,
}

/// Lists the schedules of the namespace, or of all namespaces if it is empty.
///
/// # Errors
/// CronJobs cannot be listed.
pub async fn schedules(cluster: &Cluster) -> Result<Vec<Schedule>, Refusal> {
    let found: Vec<CronJob> =
        items(cluster, "listing schedules", ("batch/v1", "cronjobs"), &cluster.namespace, JOBS).await?;
    Ok(found.into_iter().filter_map(Schedule::of).collect())
}

/// The schedule of that name; `None` if there is none, or if CronJobs may not be listed.
///
/// # Errors
/// The API server cannot be reached.
pub async fn schedule(cluster: &Cluster, name: &str) -> Result<Option<Schedule>, Refusal> {
    match schedules(cluster).await {
        Err(refusal) if refusal.failure.code() == 403 => Ok(None),
        all => Ok(all?
            .into_iter()
            .find(|schedule| schedule.application.name == name || schedule.application.carrier.name() == name)),
    }
}

/// Finds the schedule of that name.
///
/// # Errors
/// There is none, or the API server cannot be reached.
pub async fn find_schedule(cluster: &Cluster, name: &str) -> Result<Schedule, Refusal> {
    schedule(cluster, name).await?.ok_or_else(|| not_found(cluster, "schedule", name))
}

/// Suspends a schedule, or resumes it. Returns whether that changed anything.
///
/// # Errors
/// The request is refused, or the API server cannot be reached.
pub async fn suspend(cluster: &Cluster, schedule: &Schedule, suspend: bool) -> Result<bool, Refusal> {
    if schedule.is_suspended() == suspend {
        return Ok(false);
    }
    let Application { namespace, carrier, .. } = &schedule.application;
    let doing = format!("{} {}", if suspend { "suspending" } else { "resuming" }, carrier.describe());
    let path = format!("{}/{}", paths::in_namespace("batch/v1", "cronjobs", namespace), carrier.name());
    let body = json!({"metadata": {"uid": schedule.cron_job.metadata.uid}, "spec": {"suspend": suspend}});
    let call = Call::patch(format!("{path}?fieldManager=sparkctl"), "application/merge-patch+json", &body);
    let answer = cluster.send_until_answered(&doing, &call).await;
    answer.result.map_err(|failure| Refusal::new(doing, failure, namespace))?;
    Ok(true)
}

/// Starts a run of a schedule now. `run` makes its name unique.
///
/// # Errors
/// The request is refused, or the API server cannot be reached.
pub async fn run_now(cluster: &Cluster, schedule: &Schedule, run: &str) -> Result<Application, Refusal> {
    let Application { namespace, carrier, .. } = &schedule.application;
    let name = format!("{}-{run}", carrier.name());
    let doing = format!("creating Job {name}");
    let refusal = |failure| Refusal::new(doing.as_str(), failure, namespace);
    // Read again as raw JSON: the template may have fields that the typed CronJob does not know.
    let cron_job = format!("{}/{}", paths::in_namespace("batch/v1", "cronjobs", namespace), carrier.name());
    let cron_job = cluster.send_until_answered(&doing, &Call::get(cron_job)).await.result.map_err(refusal)?;
    let mut job = cron_job["spec"]["jobTemplate"].clone();
    job["apiVersion"] = "batch/v1".into();
    job["kind"] = "Job".into();
    job["metadata"]["name"] = name.as_str().into();
    job["metadata"]["namespace"] = namespace.as_str().into();
    // As `kubectl create job --from` marks it.
    job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] = "manual".into();
    job["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "batch/v1", "kind": "CronJob", "name": carrier.name(),
        "uid": cron_job["metadata"]["uid"], "controller": true,
    }]);
    let path = paths::in_namespace("batch/v1", "jobs", namespace);
    let call = Call::post(format!("{path}?fieldManager=sparkctl&fieldValidation=Strict"), &job);
    let answer = cluster.send_until_answered(&doing, &call).await;
    let created: Value = match answer.result {
        // Only this run has the name: a request whose answer was lost created it.
        Err(failure) if failure.already_exists() && answer.repeated => {
            let there = cluster.send_until_answered(&doing, &Call::get(format!("{path}/{}", encoded(&name)))).await;
            there.result.map_err(refusal)?
        }
        created => created.map_err(refusal)?,
    };
    let job: Job = serde_json::from_value(created).unwrap_or_default();
    Ok(Found::of_job(&job).map_or_else(|| schedule.application.clone(), |found| found.application))
}

/// The runs of a schedule that still exist, the latest first.
///
/// # Errors
/// Pods cannot be listed.
pub async fn runs(cluster: &Cluster, schedule: &Schedule) -> Result<Vec<(Application, Observed)>, Refusal> {
    let submission = schedule.submission();
    let all = list(cluster, None).await?;
    let is_its_run = |application: &Application| match &application.carrier {
        Carrier::Job { submission: own, .. } => Some(own.as_str()) == submission,
        Carrier::Pod { .. } | Carrier::CronJob { .. } => false,
    };
    Ok(all.into_iter().filter(|(application, _)| is_its_run(application)).collect())
}

impl Schedule {
    fn of(cron_job: CronJob) -> Option<Schedule> {
        let submission = cron_job.metadata.labels.as_ref()?.get(SUBMISSION)?.clone();
        let carrier = Carrier::CronJob { name: cron_job.metadata.name.clone()?, submission };
        let job = cron_job.spec.job_template.spec.as_ref()?;
        let pod = job.template.metadata.clone().unwrap_or_default();
        let application = find::application(&cron_job.metadata, &pod, carrier)?;
        Some(Schedule { application, cron_job })
    }

    fn submission(&self) -> Option<&str> {
        match &self.application.carrier {
            Carrier::CronJob { submission, .. } => Some(submission),
            Carrier::Pod { .. } | Carrier::Job { .. } => None,
        }
    }

    pub fn is_suspended(&self) -> bool {
        self.cron_job.spec.suspend == Some(true)
    }

    /// Whether its submission is still under way, or was killed.
    pub fn is_held(&self) -> bool {
        self.cron_job.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(HOLD))
    }

    /// When the latest run started.
    pub fn last_run(&self) -> Option<Timestamp> {
        self.cron_job.status.as_ref()?.last_schedule_time.as_ref().map(|time| time.0)
    }

    /// How many runs have not ended.
    pub fn active(&self) -> usize {
        self.cron_job.status.as_ref().and_then(|status| status.active.as_ref()).map_or(0, Vec::len)
    }

    /// Describes when it runs: `30 3 * * * Europe/Berlin, Forbid`.
    pub fn describe(&self) -> String {
        let spec = &self.cron_job.spec;
        let zone = spec.time_zone.as_ref().map(|zone| format!(" {zone}")).unwrap_or_default();
        let policy = spec.concurrency_policy.as_deref().unwrap_or("Allow");
        format!("{}{zone}, {policy}", spec.schedule)
    }
}
