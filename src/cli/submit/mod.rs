//! `submit`: from job files and flags to applications that are submitted, followed and, with `--keep`, deleted.

mod overlap;

use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use k8s_openapi::jiff::Timestamp;

use self::overlap::{Entry, Overlap, Policy, describe};
use super::cluster_args::ClusterArgs;
use super::output::report_error;
use super::render::{Identity, manifests_of};
use super::{doctor, schedules};
use crate::cluster::{self, Cluster, Failure, Lease, Refusal, Submitted};
use crate::exit_code::{self, ExitCode};
use crate::follow::follow;
use crate::follow::heartbeat::{Ping, ping};
use crate::follow::local_run::Local;
use crate::follow::options::{FollowOptions, Leave};
use crate::input::local_files;
use crate::input::sources::{self, Source, Sources};
use crate::job::Job;
use crate::manifests::{Application, Carrier, Manifests};
use crate::program::program;
use crate::report::{self, Output};
use crate::terminal::{Interrupt, Signal, messages, stdout};
use crate::upload;

/// Submit an application, follow it to its end, and exit with its outcome
///
/// The driver pod is created on hold; everything else is owned by it; then it is released. If interrupted, nothing
/// half-submitted keeps running.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = exit_code::help())]
pub struct Submit {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    identity: Identity,
    /// Return as soon as the application is submitted
    #[arg(long, conflicts_with = "logs")]
    detach: bool,
    /// Have the API server validate all objects, without creating any
    #[arg(long)]
    dry_run: bool,
    /// Check first whether the job can run, as `doctor` does, and submit it only if no check fails
    #[arg(long)]
    check: bool,
    /// Which ended applications to keep in the cluster, with their logs
    #[arg(long, value_enum, default_value = "always", value_name = "WHICH", conflicts_with = "detach")]
    keep: Keep,
    /// Report the run to a monitoring service: request URL/start at the start, URL on success, URL/fail on failure
    #[arg(long, value_name = "URL", value_parser = ping, conflicts_with = "detach", env = "SPARKCTL_PING", hide_env_values = true)]
    ping: Option<Ping>,
    #[command(flatten)]
    overlap: Overlap,
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    follow: FollowOptions,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

/// How much later than sparkctl the cluster itself ends an application with `--timeout` and `--on-timeout delete`: the
/// cluster counts from the driver's start, and sparkctl may have exited by then.
const DEADLINE: Duration = Duration::from_secs(60);

/// Which ended applications to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Keep {
    /// All of them
    Always,
    /// Only those that did not succeed
    OnFailure,
    /// None of them
    Never,
}

impl Keep {
    /// Whether to delete an application that sparkctl followed to this exit code. Only ended ones are deleted.
    fn deletes(self, code: ExitCode) -> bool {
        match self {
            Keep::Always => false,
            Keep::OnFailure => code == ExitCode::Succeeded,
            Keep::Never => !code.may_still_run(),
        }
    }
}

impl Submit {
    pub async fn run(mut self) -> Result<ExitCode> {
        self.sources.stay = self.local.cores().is_some();
        self.follow.result_files.prepare()?;
        if let Some(ping) = &self.ping {
            ping.start().await;
        }
        let run = self.submit_and_follow().await;
        if let Some(ping) = &self.ping {
            ping.end(run.as_ref().is_ok_and(|code| *code == ExitCode::Succeeded)).await;
        }
        self.follow.record_error(run)
    }

    async fn submit_and_follow(&self) -> Result<ExitCode> {
        let mut jobs = self.jobs()?;
        if let Some(cores) = self.local.cores() {
            return self.local.run(&jobs, cores, &self.follow).await;
        }
        let interrupt = Interrupt::listen()?;
        let cluster = cluster::connect(self.cluster_args.options()).await?;
        if self.check {
            match doctor::check(&jobs, &self.cluster_args, &self.identity, &cluster).await? {
                ExitCode::Succeeded => {}
                code => return Ok(code),
            }
        }
        let wanted = jobs.len();
        if !self.dry_run {
            jobs = self.without_skipped(jobs, &cluster).await?;
            self.upload(&mut jobs, &interrupt).await?;
        }
        let applications = match self.submit_all(jobs, &cluster, &interrupt).await? {
            ControlFlow::Continue(applications) => applications,
            ControlFlow::Break(code) => return Ok(code),
        };
        let code = self.follow_all(&applications, &cluster, &interrupt).await?;
        let is_skipped = applications.len() < wanted && self.overlap.skipped() != ExitCode::Succeeded;
        Ok(if is_skipped { self.overlap.skipped() } else { code })
    }

    /// The jobs of the files and flags.
    fn jobs(&self) -> Result<Vec<Job>> {
        let mut sources = self.sources.read(self.cluster_args.namespace.as_deref())?;
        if self.local.cores().is_some() {
            sources.iter_mut().for_each(Source::retain_local_problems);
        }
        sources::jobs(sources)
    }

    /// The jobs without those that `--overlap forbid` would skip after an upload.
    async fn without_skipped(&self, jobs: Vec<Job>, cluster: &Cluster) -> Result<Vec<Job>> {
        if self.overlap.overlap != Policy::Forbid {
            return Ok(jobs);
        }
        let mut kept = Vec::new();
        for job in jobs {
            if !self.is_skipped_before_upload(&job, cluster).await? {
                kept.push(job);
            }
        }
        Ok(kept)
    }

    /// Uploads the local files that are too large for a ConfigMap.
    async fn upload(&self, jobs: &mut [Job], interrupt: &Interrupt) -> Result<()> {
        let is_text = self.follow.output() == Output::Text;
        let has_progress_bar = std::io::stderr().is_terminal() && is_text;
        let print = |text: &str| {
            if is_text {
                messages::line(text);
            }
        };
        for job in jobs {
            if self.sources.upload_signed && job.schedule.is_some() {
                bail!("--upload-signed: signed addresses expire after a day, which is too soon for a schedule");
            }
            let files = &mut job.files.local;
            tokio::select! {
                uploaded = upload::upload(files, self.sources.upload_signed, has_progress_bar, print) => uploaded?,
                signal = interrupt.received() => return Err(interrupted_upload(signal).into()),
            }
        }
        Ok(())
    }

    /// Submits the jobs, one after another. If one fails after another was submitted, reports the error and breaks off
    /// with its exit code.
    async fn submit_all(
        &self,
        jobs: Vec<Job>,
        cluster: &Cluster,
        interrupt: &Interrupt,
    ) -> Result<ControlFlow<ExitCode, Vec<Application>>> {
        let mut applications: Vec<Application> = Vec::new();
        // Each job is dropped once it is submitted, and with it the files packed for it: following may take hours.
        for job in jobs {
            match self.submit(&job, cluster, interrupt).await {
                Ok(application) => applications.extend(application),
                Err(error) if applications.is_empty() => return Err(error),
                Err(error) => {
                    self.follow.record_refusal(&error);
                    let code = report_error(&error);
                    let steps = applications.iter().flat_map(|application| report::next_steps(application, program()));
                    steps.for_each(|step| messages::line(&step));
                    return Ok(ControlFlow::Break(code));
                }
            }
        }
        Ok(ControlFlow::Continue(applications))
    }

    /// Follows the applications, one after another. Returns the first exit code that is not a success.
    async fn follow_all(
        &self,
        applications: &[Application],
        cluster: &Cluster,
        interrupt: &Interrupt,
    ) -> Result<ExitCode> {
        let mut first = ExitCode::Succeeded;
        let is_followed = |application: &&Application| !matches!(application.carrier, Carrier::CronJob { .. });
        for application in applications.iter().filter(is_followed).filter(|_| !self.detach && !self.dry_run) {
            let code = follow(cluster, application, &self.follow, interrupt).await?;
            if self.keep.deletes(code) && cluster::delete(cluster, application).await? {
                messages::line(&format!("deleted {} (--keep)", application.carrier.describe()));
            }
            first = if first == ExitCode::Succeeded { code } else { first };
        }
        Ok(first)
    }

    /// Submits a job; returns nothing if the run is skipped.
    async fn submit(&self, job: &Job, cluster: &Cluster, interrupt: &Interrupt) -> Result<Option<Application>> {
        let mut submission = self.identity.submission(job);
        if self.overlap.is_asked_for() {
            submission.key.get_or_insert_with(|| submission.id.clone());
        }
        let (mut manifests, application) = manifests_of(job, &self.cluster_args, &submission)?;
        if let (Some(timeout), Leave::Delete) = (self.follow.timeout, self.follow.on_timeout) {
            manifests.limit(timeout + DEADLINE);
        }
        if self.dry_run {
            cluster::dry_run(cluster, &manifests).await?;
            let count = manifests.owned.len() + 1;
            let executor = if manifests.executor.is_some() { " and an executor pod" } else { "" };
            messages::line(&format!(
                "{}: the API server accepts all {count} objects{executor} (nothing was created)",
                application.name
            ));
            return Ok(Some(application));
        }
        let start = Instant::now();
        let submitted = self.submit_with_retries(job, cluster, &manifests, &application, interrupt).await?;
        let Some(submitted) = submitted else { return Ok(None) };
        if !submitted.changed.is_empty() {
            let what = application.carrier.describe();
            messages::warn(&report::changed(&what, &submitted.changed));
        }
        if self.follow.output() == Output::Text {
            self.print_submitted(job, cluster, &application, &submitted, start.elapsed());
        }
        if self.detach {
            self.follow.report_submitted(&application, &application.name);
        }
        Ok(Some(application))
    }

    /// Says what was created, or that an earlier submission is joined.
    fn print_submitted(
        &self,
        job: &Job,
        cluster: &Cluster,
        application: &Application,
        submitted: &Submitted,
        elapsed: Duration,
    ) {
        if let Some(since) = &submitted.since {
            let key = self.identity.run_key.as_deref().unwrap_or_default();
            messages::line(&format!("joining run {key} of {}, which was submitted at {since}", application.name));
            return;
        }
        let (id, seconds) = (&application.id, elapsed.as_secs_f64());
        messages::line(&format!("submitted {id} to {} ({seconds:.2}s)", target(cluster, application)));
        messages::line(&format!("  created {}", submitted.created.join(", ")));
        if let Some(files) = local_files::carried(&job.files.local) {
            messages::line(&format!("  carries {files}, in a ConfigMap"));
        }
        self.next_steps(application).iter().for_each(|step| messages::line(step));
    }

    /// Skips a run before its upload if it would be skipped after it. Returns whether it did.
    async fn is_skipped_before_upload(&self, job: &Job, cluster: &Cluster) -> Result<bool> {
        if job.schedule.is_some() || job.files.local.uploaded().next().is_none() {
            return Ok(false);
        }
        let (_, application) = manifests_of(job, &self.cluster_args, &self.identity.submission(job))?;
        let earlier = cluster::active(cluster, &application).await?;
        if !earlier.is_empty() {
            self.skip(&application, &describe(&earlier))?;
        }
        Ok(!earlier.is_empty())
    }

    /// Reports that the run is skipped because of earlier ones.
    fn skip(&self, application: &Application, earlier: &str) -> Result<()> {
        let message = format!("{} is skipped: an earlier run is still active ({earlier})", application.name);
        let code = self.overlap.skipped();
        let record = report::Json::new(application).early_result("Skipped", &message, code, None, Timestamp::now());
        self.follow.result_files.record_submitted(application, &message, &record);
        match self.follow.output() {
            Output::Json => stdout::write(&mut std::io::stdout().lock(), &format!("{record}\n")),
            Output::Text | Output::Quiet => {
                messages::line(&message);
                Ok(())
            }
        }
    }

    /// Submits, and retries as often as the job file allows if a retry may help; returns nothing if the run is skipped.
    /// Each try holds a lease of its own, because the wait for the next try may be longer than a lease lasts.
    async fn submit_with_retries(
        &self,
        job: &Job,
        cluster: &Cluster,
        manifests: &Manifests,
        application: &Application,
        interrupt: &Interrupt,
    ) -> Result<Option<Submitted>> {
        let (retries, interval) = job.spec.restart_policy.submission_retries();
        let mut tried = 0;
        loop {
            let entry = tokio::select! {
                entry = self.overlap.entry(job, cluster, application) => entry?,
                signal = interrupt.received() => return Err(cluster::interrupted(signal.exit_code()).into()),
            };
            let lease = match entry {
                Entry::Granted(lease) => lease,
                Entry::Skipped(earlier) => {
                    self.skip(application, &earlier)?;
                    return Ok(None);
                }
            };
            let stopped = async {
                tokio::select! {
                    signal = interrupt.received() => cluster::interrupted(signal.exit_code()),
                    why = lost(lease.as_deref()) => why,
                }
            };
            let submitted = cluster::submit(cluster, manifests, tried > 0, stopped).await;
            if let Some(lease) = lease
                && let Some(failure) = lease.release().await
            {
                messages::warn(&format!("the next run of {} must wait for a minute: {failure}", application.name));
            }
            let refusal = match submitted {
                Err(refusal) if tried < retries && refusal.may_pass() => refusal,
                settled => return Ok(Some(settled?)),
            };
            messages::warn(&format!("{refusal}; retrying in {} s ({} of {retries})", interval.as_secs(), tried + 1));
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                signal = interrupt.received() => return Err(cluster::interrupted(signal.exit_code()).into()),
            }
            tried += 1;
        }
    }

    fn next_steps(&self, application: &Application) -> Vec<String> {
        match application.carrier {
            Carrier::CronJob { .. } => schedules::next_steps(application),
            Carrier::Pod { .. } | Carrier::Job { .. } => report::next_steps(application, program()),
        }
    }
}

/// The error of a signal during an upload. What was uploaded stays in the store, and is reused.
fn interrupted_upload(signal: Signal) -> Refusal {
    let undone = vec!["nothing was submitted; run the same command again to resume the upload".to_owned()];
    Refusal { undone, ..Refusal::of("uploading", Failure::Interrupted(signal.exit_code())) }
}

/// Waits until the lease is lost; forever, if there is none.
async fn lost(lease: Option<&Lease>) -> Refusal {
    match lease {
        Some(lease) => lease.keep_alive().await,
        None => std::future::pending().await,
    }
}

fn target(cluster: &Cluster, application: &Application) -> String {
    format!("namespace {} of {}", application.namespace, cluster.context)
}
