//! A client that reads its credentials again when the server no longer accepts them.

use std::sync::{Arc, PoisonError, RwLock};
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
    let options = Arc::new(options);
    let read = move || {
        let options = options.clone();
        async move { Ok(self::client(&options).await?.0) }
    };
    let renewal = Arc::new(Renewal::new(client, read));
    let send = move |request| {
        let renewal = renewal.clone();
        async move { renewal.send(request).await }
    };
    Client::new(tower::service_fn(send), namespace)
}

/// Sends requests with the latest client, and replaces it when its credentials are refused.
struct Renewal<R> {
    latest: RwLock<Generation>,
    /// Reads the credentials into a new client.
    read: R,
    /// When the last read of the credentials was over. Locked while they are read.
    last_read: Mutex<Option<Instant>>,
}

/// A client, and how many others it replaced.
#[derive(Clone)]
struct Generation {
    client: Client,
    number: u64,
}

impl<R, F> Renewal<R>
where
    R: Fn() -> F,
    F: Future<Output = Result<Client>>,
{
    fn new(client: Client, read: R) -> Self {
        let latest = RwLock::new(Generation { client, number: 0 });
        Renewal { latest, read, last_read: Mutex::new(None) }
    }

    async fn send(&self, request: Request<Body>) -> kube::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let repeated = body.try_clone().map(|body| Request::from_parts(head.clone(), body));
        let Generation { client, number } = self.latest();
        let response = client.send(Request::from_parts(head, body)).await?;
        let Some(repeated) = repeated.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        match self.newer_than(number).await {
            Some(client) => client.send(repeated).await,
            None => Ok(response),
        }
    }

    fn latest(&self) -> Generation {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A client that replaced the one of this number; reads the credentials if there is none yet.
    ///
    /// Requests may be refused while the credentials are read: all of them wait for the same read.
    async fn newer_than(&self, number: u64) -> Option<Client> {
        let mut last_read = self.last_read.lock().await;
        let latest = self.latest();
        if latest.number > number {
            return Some(latest.client);
        }
        if last_read.is_some_and(|last| last.elapsed() < RENEWAL_INTERVAL) {
            return None;
        }
        let read = (self.read)().await;
        *last_read = Some(Instant::now());
        // After an error, the next refused request reads them again.
        let client = read.ok()?;
        *self.latest.write().unwrap_or_else(PoisonError::into_inner) =
            Generation { client: client.clone(), number: number + 1 };
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http::{Request, Response, StatusCode};
    use kube::Client;
    use kube::client::Body;
    use tokio::sync::Semaphore;

    use super::Renewal;

    /// A client of a server that answers with this status, and counts the requests.
    fn answering(status: StatusCode, requests: &Arc<AtomicUsize>) -> Client {
        let requests = requests.clone();
        let answer = move |_: Request<Body>| {
            requests.fetch_add(1, Ordering::Relaxed);
            async move { Ok::<_, Infallible>(Response::builder().status(status).body(Body::empty()).expect("a response")) }
        };
        Client::new(tower::service_fn(answer), "default")
    }

    #[tokio::test]
    async fn a_request_refused_while_credentials_are_read_is_sent_again_with_the_new_ones() {
        let (refused, accepted, reads) = (Arc::default(), Arc::default(), AtomicUsize::new(0));
        // Blocks the read until both requests have been refused.
        let may_end = Semaphore::new(0);
        let read = || async {
            reads.fetch_add(1, Ordering::Relaxed);
            may_end.acquire().await?.forget();
            Ok(answering(StatusCode::OK, &accepted))
        };
        let renewal = Renewal::new(answering(StatusCode::UNAUTHORIZED, &refused), read);
        let request = || async {
            let request = Request::get("/version").body(Body::empty()).expect("a request");
            renewal.send(request).await.expect("an answer").status()
        };
        let second = async {
            while reads.load(Ordering::Relaxed) == 0 {
                tokio::task::yield_now().await;
            }
            request().await
        };
        let release = async {
            while refused.load(Ordering::Relaxed) < 2 {
                tokio::task::yield_now().await;
            }
            may_end.add_permits(1);
        };
        let (first, second, ()) = tokio::join!(request(), second, release);
        assert_eq!([first, second], [StatusCode::OK; 2]);
        assert_eq!(reads.load(Ordering::Relaxed), 1, "the credentials are read once");
    }
}
