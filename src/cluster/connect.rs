use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use http::HeaderValue;
use http::header::USER_AGENT;
use kube::client::ClientBuilder;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::credentials::renewing;
use super::{Clock, Cluster};

/// A server that does not even take a connection is given up after this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The server ends a watch after this. A minute: longer ones are cut by many load balancers, unheard.
const WATCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Which cluster, and where in it.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Context of the kubeconfig, instead of its current one.
    pub context: Option<String>,
    /// A kubeconfig file, instead of `$KUBECONFIG` or `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Namespace, instead of the context's.
    pub namespace: Option<String>,
    /// How long a watch or a log stream may be silent before it is taken up anew.
    pub watch_timeout: Option<Duration>,
}

/// A client for the cluster that the options name. Nothing is sent yet.
pub async fn connect(options: Options) -> Result<Cluster> {
    // Err only says that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (client, context) = client(&options).await?;
    let namespace = client.default_namespace().to_owned();
    let watch_timeout = options.watch_timeout.unwrap_or(WATCH_TIMEOUT);
    let client = renewing(client, options);
    Ok(Cluster { client, context, namespace, watch_timeout, clock: Arc::new(Clock::new()) })
}

/// A client with the credentials as they are now, and the name of its context.
pub(super) async fn client(options: &Options) -> Result<(Client, String)> {
    let (mut config, context) = config(options).await?;
    if let Some(namespace) = &options.namespace {
        config.default_namespace = namespace.clone();
    }
    // kube repeats every verb silently for minutes; `request` repeats what may be, and says so.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let agent = HeaderValue::from_static(concat!("sparkctl/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    let server = config.cluster_url.to_string();
    let builder = ClientBuilder::try_from(config)
        .map_err(|error| anyhow!("{}", told(&error)))
        .with_context(|| format!("preparing the connection to {server}"))?;
    Ok((builder.build(), context))
}

/// The kubeconfig's word, or a pod's own service account where there is no kubeconfig.
async fn config(options: &Options) -> Result<(Config, String)> {
    if in_cluster(options) {
        let config = Config::incluster().map_err(|error| anyhow!("reading this pod's service account: {error}"))?;
        return Ok((config, "in-cluster".into()));
    }
    let kubeconfig = match &options.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let called = called(options);
    let kubeconfig = kubeconfig.map_err(|error| without_content(error, &called))?;
    let context = options.context.clone().or_else(|| kubeconfig.current_context.clone()).unwrap_or_default();
    if !kubeconfig.contexts.iter().any(|known| known.name == context) {
        let known: Vec<&str> = kubeconfig.contexts.iter().map(|known| known.name.as_str()).collect();
        match (known.as_slice(), context.as_str()) {
            ([], _) => bail!("{called} names no cluster: there is no context in it"),
            (known, "") => bail!("{called} has no current context: choose one with --context: {}", known.join(", ")),
            (known, context) => bail!("{called} has no context `{context}`; it has: {}", known.join(", ")),
        }
    }
    let choice = KubeConfigOptions { context: Some(context.clone()), ..Default::default() };
    let config = Config::from_custom_kubeconfig(kubeconfig, &choice);
    let config = config.await.map_err(|error| without_content(error, &called))?;
    Ok((config, context))
}

/// The kubeconfig, as it is spoken of.
fn called(options: &Options) -> String {
    let file = options.kubeconfig.as_ref().map(|path| path.display().to_string());
    match file.or_else(|| std::env::var("KUBECONFIG").ok().filter(|files| !files.is_empty())) {
        Some(file) => format!("the kubeconfig {file}"),
        None => "the kubeconfig ~/.kube/config".into(),
    }
}

/// Whether this is a pod that has a service account and nothing else to go by.
pub(super) fn in_cluster(options: &Options) -> bool {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
    options.context.is_none()
        && options.kubeconfig.is_none()
        && std::env::var_os("KUBECONFIG").is_none_or(|files| files.is_empty())
        && !home.is_some_and(|path| path.exists())
        && std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

/// A kubeconfig's error in words that show none of its lines: they may hold a token.
fn without_content(error: KubeconfigError, called: &str) -> anyhow::Error {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => anyhow!("{called} is not valid, at line {} column {}", at.line(), at.column()),
            None => anyhow!("{called} is not valid YAML of its kind"),
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
        other => anyhow!("{called}: {other}"),
    }
}

/// A client's error without the output of credential plugins, which may hold a token.
pub(super) fn told(error: &kube::Error) -> String {
    use kube::client::AuthError;
    match error {
        kube::Error::Api(status) => status.message.clone(),
        kube::Error::Auth(error) => match error {
            AuthError::AuthExecStart(error) => {
                format!("the kubeconfig's credential plugin cannot be run: {error}")
            }
            AuthError::AuthExecRun { out, .. } => format!(
                "the kubeconfig's credential plugin failed ({}): {}",
                out.status,
                String::from_utf8_lossy(&out.stderr).trim()
            ),
            AuthError::AuthExecParse(_) => "the kubeconfig's credential plugin did not print a credential".into(),
            other => other.to_string(),
        },
        other => innermost(other),
    }
}

/// The last of a chain of errors: the outer ones only repeat that a request failed.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
