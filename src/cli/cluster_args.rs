use std::path::PathBuf;
use std::time::Duration;

use crate::cluster::Options;
use crate::time::duration;

/// The cluster and namespace to work on.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Namespace to use instead of the context's
    #[arg(long, short, env = "SPARKCTL_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,
    /// Kubeconfig context to use instead of the current one
    #[arg(long, env = "SPARKCTL_CONTEXT", value_name = "NAME")]
    pub context: Option<String>,
    /// Kubeconfig file to use instead of $KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Reconnect a watch or log stream that has been silent for this long [default: 1m]
    #[arg(long, value_name = "TIME", value_parser = duration, env = "SPARKCTL_WATCH_TIMEOUT")]
    pub watch_timeout: Option<Duration>,
}

impl ClusterArgs {
    pub fn options(&self) -> Options {
        Options {
            context: self.context.clone(),
            kubeconfig: self.kubeconfig.clone(),
            namespace: self.namespace.clone(),
            watch_timeout: self.watch_timeout,
        }
    }
}
