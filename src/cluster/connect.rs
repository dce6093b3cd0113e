//! The connection to a cluster, which every request goes through.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::Api;

use super::clock::Clock;
use super::credentials;
use super::kubeconfig::Options;

/// The server ends a watch after this. A minute, because many load balancers silently cut connections that last longer.
const WATCH_TIMEOUT: Duration = Duration::from_secs(60);

/// A cluster and a namespace in it, with one user's credentials.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: kube::Client,
    /// Name of the kubeconfig's context; `in-cluster` for a pod's own service account.
    pub context: String,
    /// Empty for all namespaces.
    pub namespace: String,
    /// How long a watch may be silent before it is reopened.
    pub(super) watch_timeout: Duration,
    pub(super) clock: Arc<Clock>,
}

/// Prepares the connection to the cluster that the options name. Nothing is sent yet.
///
/// # Errors
/// The kubeconfig or its credentials cannot be read.
pub async fn connect(options: Options) -> Result<Cluster> {
    // An error only means that a provider is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (client, context) = credentials::client(&options).await?;
    let namespace = client.default_namespace().to_owned();
    let watch_timeout = options.watch_timeout.unwrap_or(WATCH_TIMEOUT);
    let client = credentials::renewing(client, options);
    Ok(Cluster { client, context, namespace, watch_timeout, clock: Arc::new(Clock::new()) })
}

impl Cluster {
    /// The namespace for messages: `namespace jobs`, or `any namespace` for all of them.
    pub fn place(&self) -> String {
        match self.namespace.as_str() {
            "" => "any namespace".into(),
            namespace => format!("namespace {namespace}"),
        }
    }

    /// The cluster's current time, by the `Date` of its latest answer.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The API of the namespace that a pod is in, and the pod's name.
    pub(super) fn api_of(&self, pod: &Pod) -> (Api<Pod>, String) {
        let namespace = pod.metadata.namespace.as_deref().unwrap_or(&self.namespace);
        (Api::namespaced(self.client.clone(), namespace), pod.metadata.name.clone().unwrap_or_default())
    }
}
