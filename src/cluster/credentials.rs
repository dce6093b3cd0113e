//! A client that reads its credentials again when the server no longer accepts them.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response, StatusCode};
use kube::Client;
use kube::client::{Body, ClientBuilder};
use tokio::sync::Mutex;

use super::error::describe;
use super::kubeconfig::{self, Options};

/// A server that does not accept a connection within this cannot be reached.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Credentials are not read more often than this: a plugin may prompt the user.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(5);

/// A client with the current credentials, and the name of its context.
///
/// # Errors
/// The kubeconfig or its credentials cannot be read.
pub(super) async fn client(options: &Options) -> Result<(Client, String)> {
    let (mut config, context) = kubeconfig::config(options).await?;
    if let Some(namespace) = &options.namespace {
        config.default_namespace = namespace.clone();
    }
    // kube would silently retry every verb for minutes; `request` retries what is safe to repeat, and says so.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    let agent = HeaderValue::from_static(concat!("sparkctl/", env!("CARGO_PKG_VERSION")));
    config.headers.push((USER_AGENT, agent));
    let server = config.cluster_url.to_string();
    let builder = ClientBuilder::try_from(config)
        .map_err(|error| anyhow!("{}", describe(&error)))
        .with_context(|| format!("preparing the connection to {server}"))?;
    Ok((builder.build(), context))
}

/// A client that reads the credentials again after a 401, and repeats the request.
///
/// kube itself keeps a plugin's credential without an expiry for ever, and the token of a file for most of a minute.
pub(super) fn renewing(client: Client, options: Options) -> Client {
    let namespace = client.default_namespace().to_owned();
    let renewal = Arc::new(Renewal { client: RwLock::new(client), options, last: Mutex::new(None) });
    let send = move |request| {
        let renewal = renewal.clone();
        async move { renewal.send(request).await }
    };
    Client::new(tower::service_fn(send), namespace)
}

struct Renewal {
    client: RwLock<Client>,
    options: Options,
    /// When the credentials were last read again.
    last: Mutex<Option<Instant>>,
}

impl Renewal {
    async fn send(&self, request: Request<Body>) -> kube::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let repeated = body.try_clone().map(|body| Request::from_parts(head.clone(), body));
        let sent = Instant::now();
        let response = self.current().send(Request::from_parts(head, body)).await?;
        let Some(repeated) = repeated.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        if !self.renew(sent).await {
            return Ok(response);
        }
        self.current().send(repeated).await
    }

    fn current(&self) -> Client {
        self.client.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Reads the credentials again. Returns whether they were read since the request was sent.
    async fn renew(&self, sent: Instant) -> bool {
        let mut last = self.last.lock().await;
        match *last {
            Some(last) if last > sent => return true,
            Some(last) if last.elapsed() < RENEWAL_INTERVAL => return false,
            _ => *last = Some(Instant::now()),
        }
        // An error is left to the next 401: the kubeconfig may be readable again by then.
        let Ok((client, _)) = client(&self.options).await else { return false };
        *self.client.write().unwrap_or_else(std::sync::PoisonError::into_inner) = client;
        true
    }
}
