//! `submit`.

mod overlap;

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use k8s_openapi::jiff::Timestamp;

use self::overlap::{Entry, Overlap, Policy, called};
use super::cluster_args::ClusterArgs;
use super::render::{Identity, manifests_of, namespace_of};
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
use crate::kubernetes::Object;
use crate::manifests::{self, Application, Carrier, Manifests, Requirements};
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

/// How much later than this sparkctl the cluster itself ends what `--timeout` and `--on-timeout delete` limit: it
/// counts from the driver's start, and sparkctl may be gone by then.
const DEADLINE: Duration = Duration::from_secs(60);

/// Which ended applications are kept.
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
    /// Whether an application that sparkctl left with this exit code is deleted: only what has ended.
    fn deletes(self, code: ExitCode) -> bool {
        match self {
            Keep::Always => false,
            Keep::OnFailure => code == ExitCode::Succeeded,
            Keep::Never => !code.may_still_run(),
        }
    }
}

/// What became of a submission.
enum Submission {
    Runs(Application),
    /// An earlier run goes on.
    Skipped,
}

impl Submit {
    pub async fn run(mut self) -> Result<ExitCode> {
        self.sources.stay = self.local.cores().is_some();
        self.follow.result_files.prepare()?;
        if let Some(ping) = &self.ping {
            ping.start().await;
        }
        let run = self.attempt().await;
        if let Some(ping) = &self.ping {
            ping.end(run.as_ref().is_ok_and(|code| *code == ExitCode::Succeeded)).await;
        }
        self.follow.record_error(run)
    }

    async fn attempt(&self) -> Result<ExitCode> {
        let mut sources = self.sources.read(self.cluster_args.namespace.as_deref())?;
        if self.local.cores().is_some() {
            sources.iter_mut().for_each(Source::retain_local_problems);
        }
        let mut jobs = sources::jobs(sources)?;
        if let Some(cores) = self.local.cores() {
            return self.local.run(&jobs, cores, &self.follow).await;
        }
        let interrupt = Interrupt::listen()?;
        let cluster = cluster::connect(self.cluster_args.options()).await?;
        let mut skipped = ExitCode::Succeeded;
        if self.check {
            match doctor::check(&jobs, &self.cluster_args, &self.identity, &cluster).await? {
                ExitCode::Succeeded => {}
                code => return Ok(code),
            }
        }
        if !self.dry_run {
            let draws = std::io::stderr().is_terminal() && self.follow.output() == Output::Text;
            let say = |text: &str| {
                if self.follow.output() == Output::Text {
                    messages::line(text);
                }
            };
            if self.overlap.overlap == Policy::Forbid {
                let mut all = Vec::new();
                for job in jobs {
                    match self.is_in_vain(&job, &cluster).await? {
                        true => skipped = self.overlap.skipped(),
                        false => all.push(job),
                    }
                }
                jobs = all;
            }
            for job in &mut jobs {
                if self.sources.upload_signed && job.schedule.is_some() {
                    bail!("--upload-signed: signed addresses expire after a day, which is too soon for a schedule");
                }
                let uploads = upload::upload(&mut job.files.local, self.sources.upload_signed, draws, say);
                tokio::select! {
                    uploaded = uploads => uploaded?,
                    signal = interrupt.received() => return Err(left_an_upload(signal).into()),
                }
            }
        }
        let mut applications = Vec::new();
        // Each goes once it is submitted, and with it what was packed for it: the following may take hours.
        for job in jobs {
            match self.submit(&job, &cluster, &interrupt).await {
                Ok(Submission::Runs(application)) => applications.push(application),
                Ok(Submission::Skipped) => skipped = self.overlap.skipped(),
                Err(error) if applications.is_empty() => return Err(error),
                // What was submitted before it goes on, and is spoken of.
                Err(error) => {
                    self.follow.record_refusal(&error);
                    let code = super::report_error(&error);
                    for application in &applications {
                        report::next_steps(application, program()).iter().for_each(|step| messages::line(step));
                    }
                    return Ok(code);
                }
            }
        }
        let mut worst = skipped;
        let followed = |application: &&Application| !matches!(application.carrier, Carrier::CronJob { .. });
        for application in applications.iter().filter(followed).filter(|_| !self.detach && !self.dry_run) {
            let code = follow(&cluster, application, &self.follow, &interrupt).await?;
            if self.keep.deletes(code) && cluster::delete(&cluster, application).await? {
                messages::line(&format!("deleted {} (--keep)", application.carrier.describe()));
            }
            worst = if worst == ExitCode::Succeeded { code } else { worst };
        }
        Ok(worst)
    }

    async fn submit(&self, job: &Job, cluster: &Cluster, interrupt: &Interrupt) -> Result<Submission> {
        let mut submission = self.identity.submission(job);
        if self.overlap.is_asked_for() {
            submission.key.get_or_insert_with(|| submission.id.clone());
        }
        let (mut manifests, application) = manifests_of(job, &self.cluster_args, &submission)?;
        if let (Some(timeout), Leave::Delete) = (self.follow.timeout, self.follow.on_timeout) {
            manifests.limit(timeout + DEADLINE);
        }
        if self.dry_run {
            cluster::dry_run(cluster, &manifests, &executor_of(job, &self.cluster_args, &submission)?).await?;
            let count = manifests.owned.len() + 1;
            messages::line(&format!(
                "{}: the API server accepts all {count} objects and an executor pod (nothing was created)",
                application.name
            ));
            return Ok(Submission::Runs(application));
        }
        let start = Instant::now();
        let Some(submitted) = self.persist(job, cluster, &manifests, &application, interrupt).await? else {
            return Ok(Submission::Skipped);
        };
        if !submitted.changed.is_empty() {
            let what = application.carrier.describe();
            messages::warn(&report::changed(&what, &submitted.changed));
        }
        if let Some(since) = submitted.since {
            let key = self.identity.run_key.as_deref().unwrap_or_default();
            if self.follow.output() == Output::Text {
                messages::line(&format!("joining run {key} of {}, which was submitted at {since}", application.name));
            }
        } else if self.follow.output() == Output::Text {
            let seconds = start.elapsed().as_secs_f64();
            messages::line(&format!(
                "submitted {} to {} ({seconds:.2}s)",
                application.id,
                target(cluster, &application)
            ));
            messages::line(&format!("  created {}", submitted.created.join(", ")));
            if let Some(files) = local_files::carried(&job.files.local) {
                messages::line(&format!("  carries {files}, in a ConfigMap"));
            }
            self.next_steps(&application).iter().for_each(|step| messages::line(step));
        }
        if self.detach {
            self.follow.report_submitted(&application, &application.name);
        }
        Ok(Submission::Runs(application))
    }

    /// Whether a run that needs an upload would be skipped after it: it is skipped before, and that is said.
    async fn is_in_vain(&self, job: &Job, cluster: &Cluster) -> Result<bool> {
        if job.schedule.is_some() || job.files.local.uploaded().next().is_none() {
            return Ok(false);
        }
        let (_, application) = manifests_of(job, &self.cluster_args, &self.identity.submission(job))?;
        let earlier = cluster::active(cluster, &application).await?;
        if !earlier.is_empty() {
            self.skip(&application, &called(&earlier))?;
        }
        Ok(!earlier.is_empty())
    }

    /// Says that the run does not begin, because of earlier ones.
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

    /// Submits, and submits again as often as the job file says, where that may be of use; nothing when the run is
    /// skipped. Each try has its own turn among runs of the name: the wait for the next may be longer than one lasts.
    async fn persist(
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
            let turn = match entry {
                Entry::Granted(turn) => turn,
                Entry::Skipped(earlier) => {
                    self.skip(application, &earlier)?;
                    return Ok(None);
                }
            };
            let stopped = async {
                tokio::select! {
                    signal = interrupt.received() => cluster::interrupted(signal.exit_code()),
                    why = lost(turn.as_deref()) => why,
                }
            };
            let submitted = cluster::submit(cluster, manifests, tried > 0, stopped).await;
            if let Some(turn) = turn
                && let Some(failure) = turn.release().await
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

/// An executor's pod, as the driver's Spark will make it.
fn executor_of(job: &Job, cluster_args: &ClusterArgs, submission: &manifests::Submission) -> Result<Object> {
    let needs = Requirements::of(job, &namespace_of(job, cluster_args), submission);
    needs.map(|needs| Object(needs.executor)).map_err(|problem| anyhow!(problem.message))
}

/// What of an upload stays where it was sent, and is no harm.
fn left_an_upload(signal: Signal) -> Refusal {
    let undone = vec!["nothing was submitted; run the same command again to resume the upload".to_owned()];
    Refusal { undone, ..Refusal::of("uploading", Failure::Interrupted(signal.exit_code())) }
}

/// Ends when the turn is lost; never where there is none.
async fn lost(turn: Option<&Lease>) -> Refusal {
    match turn {
        Some(turn) => turn.keep_alive().await,
        None => std::future::pending().await,
    }
}

fn target(cluster: &Cluster, application: &Application) -> String {
    format!("namespace {} of {}", application.namespace, cluster.context)
}
