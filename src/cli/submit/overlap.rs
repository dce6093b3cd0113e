//! `--overlap`: what to do if an earlier run of the same name is still active.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::cluster::{self, Cluster, Lease, Refusal};
use crate::exit_code::ExitCode;
use crate::job::{Job, Name};
use crate::manifests::Application;
use crate::terminal::messages;
use crate::time::duration;

/// How often a waiting run checks whether it may start.
const INTERVAL: Duration = Duration::from_secs(2);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// Run beside it, if the names differ
    #[default]
    Allow,
    /// Skip the new run, with exit code 9
    Forbid,
    /// Delete the earlier run first
    Replace,
    /// Wait until the earlier run has ended
    Queue,
}

/// Whether runs may overlap, for wrappers that a timer starts.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Overlap")]
pub struct Overlap {
    /// What to do if an earlier run of the same name is still active, whatever host submitted it. With any policy but
    /// `allow`, each run gets object names of its own, so that an ended run is not in the way
    #[arg(long, value_enum, default_value = "allow", value_name = "POLICY", env = "SPARKCTL_OVERLAP")]
    pub overlap: Policy,
    /// Exit with code 0 instead of 9 if the run is skipped
    #[arg(long)]
    pub skip_ok: bool,
    /// How long to wait for the earlier run with `--overlap queue` before skipping this one [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub queue_timeout: Option<Duration>,
}

/// Whether a run may start.
pub enum Entry {
    /// It may, and no other run may until the lease is released.
    Granted(Option<Box<Lease>>),
    /// It may not, because these earlier runs are active.
    Skipped(String),
}

impl Overlap {
    pub fn is_asked_for(&self) -> bool {
        self.overlap != Policy::Allow
    }

    /// The exit code of a run that is skipped.
    pub fn skipped(&self) -> ExitCode {
        if self.skip_ok { ExitCode::Succeeded } else { ExitCode::Skipped }
    }

    /// Waits until the run may start, or is to be skipped.
    ///
    /// # Errors
    /// The cluster refuses a request, or the job has no name of its own.
    pub async fn entry(&self, job: &Job, cluster: &Cluster, application: &Application) -> Result<Entry> {
        if !self.is_asked_for() {
            return Ok(Entry::Granted(None));
        }
        if job.schedule.is_some() {
            bail!("--overlap does not apply to a schedule: set concurrencyPolicy instead");
        }
        if let Name::Generated(_) = job.name {
            bail!("--overlap needs the name of the application: set metadata.name or --name");
        }
        let start = Instant::now();
        let mut is_announced = false;
        loop {
            let lease = Lease::acquire(cluster, application).await?;
            let earlier = match self.clear(cluster, application).await {
                Ok(earlier) if earlier.is_empty() => return Ok(Entry::Granted(Some(Box::new(lease)))),
                earlier => {
                    lease.release().await;
                    describe(&earlier?)
                }
            };
            let is_over = self.queue_timeout.is_some_and(|timeout| start.elapsed() >= timeout);
            if self.overlap == Policy::Forbid || is_over {
                return Ok(Entry::Skipped(earlier));
            }
            if !std::mem::replace(&mut is_announced, true) {
                let what = if self.overlap == Policy::Replace { "replacing" } else { "waiting for" };
                messages::line(&format!("{}: {what} an earlier run: {earlier}", application.name));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Finds the earlier runs that are active, and deletes them if this run replaces them.
    async fn clear(&self, cluster: &Cluster, application: &Application) -> Result<Vec<Application>, Refusal> {
        let earlier = cluster::active(cluster, application).await?;
        if self.overlap == Policy::Replace {
            for run in &earlier {
                cluster::delete(cluster, run).await?;
            }
        }
        Ok(earlier)
    }
}

/// The runs in words, for a message.
pub fn describe(runs: &[Application]) -> String {
    runs.iter().map(|run| run.carrier.describe()).collect::<Vec<_>>().join(", ")
}
