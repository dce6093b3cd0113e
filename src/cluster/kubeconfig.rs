//! The kubeconfig: which cluster, context and namespace a command is for. Nothing is sent.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};

/// Which cluster and which namespace to use, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Context of the kubeconfig, instead of its current one.
    pub context: Option<String>,
    /// A kubeconfig file, instead of `$KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Namespace, instead of the context's.
    pub namespace: Option<String>,
    /// How long a watch or a log stream may be silent before it is reopened.
    pub watch_timeout: Option<Duration>,
}

/// The namespace of the kubeconfig's context, or of the pod that this runs in, or `default`. No cluster is asked, and a
/// kubeconfig that cannot be read is ignored: a job is translated without one.
pub fn namespace(options: &Options) -> String {
    if let Some(namespace) = &options.namespace {
        return namespace.clone();
    }
    if in_cluster(options) {
        return Config::incluster().map_or_else(|_| "default".into(), |config| config.default_namespace);
    }
    let of_context = |kubeconfig: Kubeconfig| {
        let name = options.context.clone().or(kubeconfig.current_context)?;
        let context = kubeconfig.contexts.into_iter().find(|context| context.name == name)?;
        context.context?.namespace
    };
    read(options).ok().and_then(of_context).unwrap_or_else(|| "default".into())
}

/// The client configuration and the name of its context: the kubeconfig's, or the pod's own service account where
/// there is no kubeconfig.
///
/// # Errors
/// The kubeconfig is missing, not valid, or has no such context.
pub(super) async fn config(options: &Options) -> Result<(Config, String)> {
    if in_cluster(options) {
        let config = Config::incluster().map_err(|error| anyhow!("reading this pod's service account: {error}"))?;
        return Ok((config, "in-cluster".into()));
    }
    let display_name = display_name(options);
    let kubeconfig = read(options).map_err(|error| without_content(error, &display_name))?;
    let context = options.context.clone().or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
    if !kubeconfig.contexts.iter().any(|known| known.name == context) {
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|known| known.name.as_str()).collect();
        match (known.as_slice(), context.as_str()) {
            ([], _) => bail!("{display_name} has no contexts"),
            (known, "") => {
                bail!("{display_name} has no current context: choose one with --context: {}", known.join(", "))
            }
            (known, context) => bail!("{display_name} has no context `{context}`; it has: {}", known.join(", ")),
        }
    }
    let choice = KubeConfigOptions { context: Some(context.clone()), ..Default::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &choice);
    let config = config.await.map_err(|error| without_content(error, &display_name))?;
    Ok((config, context))
}

fn read(options: &Options) -> Result<Kubeconfig, KubeconfigError> {
    match &options.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    }
}

/// The kubeconfig's name in messages.
fn display_name(options: &Options) -> String {
    let file = options.kubeconfig.as_ref().map(|path| path.display().to_string());
    match file.or_else(|| std::env::var("KUBECONFIG").ok().filter(|files| !files.is_empty())) {
        Some(file) => format!("the kubeconfig {file}"),
        None => "the kubeconfig ~/.kube/config".into(),
    }
}

/// Whether this runs in a pod with a service account, and no kubeconfig is given or found.
fn in_cluster(options: &Options) -> bool {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    options.context.is_none()
        && options.kubeconfig.is_none()
        && std::env::var_os("KUBECONFIG").is_none_or(|files| files.is_empty())
        && !home.is_some_and(|path| path.exists())
        && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// Describes a kubeconfig's error without any of its lines, which may contain a token.
fn without_content(error: KubeconfigError, display_name: &str) -> anyhow::Error {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => anyhow!("{display_name} is not valid, at line {} column {}", at.line(), at.column()),
            None => anyhow!("{display_name} is not valid"),
        },
        KubeconfigError::ReadConfig(error, path) if error.kind() == ErrorKind::NotFound => anyhow!(
            "there is no kubeconfig {}: name yours with --kubeconfig or KUBECONFIG (submit --local needs none)",
            path.display()
        ),
        KubeconfigError::ReadConfig(error, path) => {
            anyhow!(error).context(format!("reading kubeconfig {}", path.display()))
        }
        KubeconfigError::FindPath => {
            anyhow!("there is no kubeconfig: neither KUBECONFIG nor a home directory is set")
        }
        other => anyhow!("{display_name}: {other}"),
    }
}
