use std::time::Duration;

use anyhow::Result;
use k8s_openapi::jiff::SignedDuration;

use super::cluster_args::ClusterArgs;
use crate::cluster::{Retention, connect, find_garbage};
use crate::exit_code::ExitCode;
use crate::terminal::{messages, stdout};
use crate::time::duration;

/// Delete what nobody owns: carriers of killed submissions, and what is left of applications that are gone
///
/// Whoever submitted them: executors that have ended, config maps, services, secrets, volume claims and PodGroups of
/// Spark without an owner and without an application. What has an owner is the cluster's to delete. Most of it may
/// be listed by administrators only; where one may not look, that is said.
#[derive(Clone, Debug, clap::Args)]
pub struct Gc {
    /// Say what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave alone what is younger: it may belong to a submission under way
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "1h")]
    older_than: Duration,
    /// Delete applications too that ended so long ago, with their logs; a schedule's runs are kept by its own limits
    #[arg(long, value_name = "TIME", value_parser = duration)]
    ended: Option<Duration>,
    /// In all namespaces
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
