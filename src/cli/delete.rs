use anyhow::Result;

use super::cluster_args::ClusterArgs;
use crate::cluster::{connect, delete, find, schedule};
use crate::exit_code::ExitCode;
use crate::terminal::messages;

/// The label on pods that the Spark operator creates.
pub(super) const OPERATOR: &str = "sparkoperator.k8s.io/launched-by-spark-operator";

/// Delete applications or schedules with all their objects, even if they are running
#[derive(Clone, Debug, clap::Args)]
#[command(visible_alias = "kill")]
pub struct Delete {
    /// Names of applications, schedules or driver pods
    #[arg(required = true)]
    names: Vec<String>,
    #[command(flatten)]
    cluster_args: ClusterArgs,
}

impl Delete {
    pub async fn run(self) -> Result<ExitCode> {
        let cluster = connect(self.cluster_args.options()).await?;
        for name in &self.names {
            if let Some(schedule) = schedule(&cluster, name).await? {
                delete(&cluster, &schedule.application).await?;
                messages::line(&format!("deleted {} and all its runs", schedule.application.carrier.describe()));
                continue;
            }
            let found = find(&cluster, name).await?;
            let labels = found.driver.as_ref().and_then(|driver| driver.metadata.labels.as_ref());
            if labels.is_some_and(|labels| labels.contains_key(OPERATOR)) {
                messages::warn(&format!(
                    "{name} is run by the Spark operator, which may start it again: delete its SparkApplication"
                ));
            }
            let existed = delete(&cluster, &found.application).await?;
            let what = if existed { "deleted" } else { "already gone:" };
            messages::line(&format!("{what} {} and everything it owned", found.application.carrier.describe()));
        }
        Ok(ExitCode::Succeeded)
    }
}
