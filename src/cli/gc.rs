use std::time::Duration;

use anyhow::Result;
use k8s_openapi::jiff::SignedDuration;

use super::cluster_args::ClusterArgs;
use crate::cluster::{Retention, connect, find_garbage};
use crate::exit_code::ExitCode;
use crate::terminal::{messages, stdout};
use crate::time::duration;

/// Delete orphaned objects: drivers of interrupted submissions, and leftovers of deleted applications
///
/// Leftovers are Spark's ended executors, config maps, services, secrets, volume claims and pod groups that have neither
/// an owner nor an application, whoever submitted it; objects with an owner are deleted by the cluster. Listing some of
/// these takes an administrator's rights; what you cannot list is reported.
#[derive(Clone, Debug, clap::Args)]
pub struct Gc {
    /// Print what would be deleted, without deleting it
    #[arg(long)]
    dry_run: bool,
    /// Keep younger objects, which may belong to a submission in progress
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h")]
    older_than: Duration,
    /// Also delete applications that ended longer ago than this, with their logs, except the runs of schedules
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ended: Option<Duration>,
    /// Clean up all namespaces
    #[arg(long, short = 'A')]
    all_namespaces: bool,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Gc {
    pub async fn run(self) -> Result<ExitCode> {
        let mut cluster = connect(self.cluster_args.options()).await?;
        if self.all_namespaces {
            cluster.namespace.clear();
        }
        let signed = |time| SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
        let retention = Retention { young: signed(self.older_than), ended: self.ended.map(signed) };
        let found = find_garbage(&cluster, retention).await?;
        for refusal in &found.refused {
            messages::warn(refusal);
        }
        for garbage in &found.garbage {
            let done = match self.dry_run {
                true => "would delete",
                false if garbage.delete(&cluster).await? => "deleted",
                false => "already gone:",
            };
            stdout::print([format!("{done} {}: {}", garbage.name, garbage.why)])?;
        }
        if found.garbage.is_empty() {
            let listed = if found.refused.is_empty() { "" } else { " in the resources you can list" };
            messages::line(&format!("nothing to clean up{listed}"));
        }
        Ok(ExitCode::Succeeded)
    }
}
