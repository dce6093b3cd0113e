use anyhow::Result;

use super::cluster_args::ClusterArgs;
use crate::cluster::{connect, find};
use crate::exit_code::{self, ExitCode};
use crate::follow::follow;
use crate::follow::options::FollowOptions;
use crate::terminal::Interrupt;

/// Follow an application that was submitted before, and exit with its outcome
#[derive(Clone, Debug, clap::Args)]
#[command(after_long_help = exit_code::help())]
pub struct Attach {
    /// Name of the application or its driver pod
    name: String,
    #[command(flatten)]
    cluster_args: ClusterArgs,
    #[command(flatten)]
    follow: FollowOptions,
}

impl Attach {
    pub async fn run(self) -> Result<ExitCode> {
        self.follow.result_files.prepare()?;
        self.follow.record_error(self.join().await)
    }

    async fn join(&self) -> Result<ExitCode> {
        let interrupt = Interrupt::listen()?;
        let cluster = connect(self.cluster_args.options()).await?;
        let found = find(&cluster, &self.name).await?;
        follow(&cluster, &found.application, &self.follow, &interrupt).await
    }
}
