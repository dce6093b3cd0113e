use std::io::IsTerminal;
use std::time::Instant;

use anyhow::Result;
use k8s_openapi::jiff::Timestamp;

use super::doctor;
use super::failure;
use super::follow::{FollowOptions, follow};
use super::interrupt::Interrupt;
use super::local::Local;
use super::local_files;
use super::place::Place;
use super::render::{Identity, manifests_of};
use super::source::{self, Sources};
use crate::cluster::{self, Cluster, Refusal, Submitted};
use crate::job::Job;
use crate::manifests::{Application, Manifests};
use crate::report::{self, Output, talk};
use crate::upload;

/// Run an application: submit it, say what happens until its end, and exit with its outcome
///
/// The driver's pod is created held, everything else as its property, and then it is released: interrupted at any
/// moment, a submission leaves an application that runs, or nothing that does.
#[derive(clap::Args, Clone, Debug)]
pub struct Submit {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    identity: Identity,
    /// Return as soon as the application is submitted
    #[arg(long, conflicts_with = "logs")]
    detach: bool,
    /// Have the API server judge all objects, and create none
    #[arg(long)]
    dry_run: bool,
    /// Look first at what stands between the job and a running application, as `sparkctl doctor` does
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    local: Local,
    #[command(flatten)]
    follow: FollowOptions,
    #[command(flatten)]
    place: Place,
}

impl Submit {
    pub async fn run(mut self) -> Result<u8> {
        self.sources.stay = self.local.cores().is_some();
        self.follow.papers.clear()?;
        let run = self.attempt().await;
        if let Err(error) = &run {
            self.follow.papers.refused(error)?;
        }
        run
    }

    async fn attempt(&self) -> Result<u8> {
        let sources = self.sources.read(self.place.namespace.as_deref())?;
        let mut jobs = source::jobs(sources)?;
        if let Some(cores) = self.local.cores() {
            return self.local.run(&jobs, cores, &self.follow).await;
        }
        let interrupt = Interrupt::listen()?;
        let cluster = cluster::connect(self.place.options()).await?;
        if self.check && !doctor::all_is_well(&jobs, &self.place, &cluster).await? {
            return Ok(doctor::FAILED);
        }
        if !self.dry_run {
            let draws = std::io::stderr().is_terminal() && self.follow.output() == Output::Text;
            let say = |text: &str| {
                if self.follow.output() == Output::Text {
                    talk::line(text);
                }
            };
            for job in &mut jobs {
                upload::upload(&mut job.files.local, self.sources.upload_signed, draws, say).await?;
            }
        }
        let mut applications = Vec::new();
        for job in &jobs {
            match self.submit(job, &cluster, &interrupt).await {
                Ok(application) => applications.push(application),
                Err(error) if applications.is_empty() => return Err(error),
                // What was submitted before it goes on, and is spoken of.
                Err(error) => {
                    self.follow.papers.refused(&error)?;
                    let code = failure::tell(&error);
                    for application in &applications {
                        report::next_steps(application).iter().for_each(|step| talk::line(step));
                    }
                    return Ok(code);
                }
            }
        }
        let mut worst = 0;
        for application in applications.iter().filter(|_| !self.detach && !self.dry_run) {
            let code = follow(&cluster, application, &self.follow, &interrupt).await?;
            worst = if worst == 0 { code } else { worst };
        }
        Ok(worst)
    }

    async fn submit(&self, job: &Job, cluster: &Cluster, interrupt: &Interrupt) -> Result<Application> {
        let (manifests, application) = manifests_of(job, &self.place, &self.identity.submission(job))?;
        if self.dry_run {
            cluster::dry_run(cluster, &manifests).await?;
            let count = manifests.owned.len() + 1;
            talk::line(&format!(
                "{}: the API server takes all {count} objects (nothing was created)",
                application.name
            ));
            return Ok(application);
        }
        let start = Instant::now();
        let submitted = self.persist(job, cluster, &manifests, interrupt).await?;
        if let Some(since) = submitted.since {
            let key = self.identity.run_key.as_deref().unwrap_or_default();
            if self.follow.output() == Output::Text {
                talk::line(&format!("run {key} of {} was submitted at {since}, and is joined", application.name));
            }
        } else if self.follow.output() == Output::Text {
            let seconds = start.elapsed().as_secs_f64();
            talk::line(&format!("submitted {} to {} ({seconds:.2}s)", application.id, place(cluster, &application)));
            talk::line(&format!("  created {}", submitted.created.join(", ")));
            if let Some(files) = local_files::carried(&job.files.local) {
                talk::line(&format!("  carries {files}, in a ConfigMap"));
            }
            report::next_steps(&application).iter().for_each(|step| talk::line(step));
        }
        if self.detach {
            self.receipt(&application)?;
        }
        Ok(application)
    }

    /// Submits, and submits again as often as the job file says, where that may be of use.
    async fn persist(
        &self,
        job: &Job,
        cluster: &Cluster,
        manifests: &Manifests,
        interrupt: &Interrupt,
    ) -> Result<Submitted, Refusal> {
        let (retries, interval) = job.spec.restart_policy.submission_retries();
        let mut tried = 0;
        loop {
            let heard = async {
                interrupt.heard().await;
            };
            let refusal = match cluster::submit(cluster, manifests, tried > 0, heard).await {
                Err(refusal) if tried < retries && refusal.may_pass() => refusal,
                settled => return settled,
            };
            talk::warn(&format!(
                "{refusal}; submitting again in {} s ({} of {retries})",
                interval.as_secs(),
                tried + 1
            ));
            tokio::select! {
                () = tokio::time::sleep(interval) => {}
                _ = interrupt.heard() => return Err(refusal),
            }
            tried += 1;
        }
    }

    /// What a script reads after --detach.
    fn receipt(&self, application: &Application) -> Result<()> {
        let message = format!("{} runs on", application.carrier.called());
        let record = report::Json::new(application).left("Submitted", &message, 0, Timestamp::now());
        self.follow.papers.submitted(application, &message, &record)?;
        let line = match self.follow.output() {
            Output::Json => format!("{record}\n"),
            Output::Text | Output::Quiet => format!("{}\n", application.name),
        };
        super::write(&mut std::io::stdout().lock(), &line)
    }
}

fn place(cluster: &Cluster, application: &Application) -> String {
    format!("namespace {} of {}", application.namespace, cluster.context)
}
