use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use http::{Request, Response, StatusCode};
use kube::Client;
use kube::client::Body;
use tokio::sync::Mutex;

use super::connect::{self, Options};

/// Credentials are not read more often than this: a plugin may ask somebody.
const PAUSE: Duration = Duration::from_secs(5);

/// A client whose credentials are read anew when they are not accepted any more.
///
/// kube keeps for ever what a plugin gives without a time, and the token of a file for most of a minute.
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
    /// When credentials were last read.
    last: Mutex<Option<Instant>>,
}

impl Renewal {
    async fn send(&self, request: Request<Body>) -> kube::Result<Response<Body>> {
        let (head, body) = request.into_parts();
        let again = body.try_clone().map(|body| Request::from_parts(head.clone(), body));
        let begun = Instant::now();
        let response = self.current().send(Request::from_parts(head, body)).await?;
        let Some(again) = again.filter(|_| response.status() == StatusCode::UNAUTHORIZED) else {
            return Ok(response);
        };
        if !self.renew(begun).await {
            return Ok(response);
        }
        self.current().send(again).await
    }

    fn current(&self) -> Client {
        self.client.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Reads the credentials anew. Whether there are others since a request was sent.
    async fn renew(&self, sent: Instant) -> bool {
        let mut last = self.last.lock().await;
        match *last {
            Some(last) if last > sent => return true,
            Some(last) if last.elapsed() < PAUSE => return false,
            _ => *last = Some(Instant::now()),
        }
        // What cannot be read now may be the next time.
        let Ok((client, _)) = connect::client(&self.options).await else { return false };
        *self.client.write().unwrap_or_else(std::sync::PoisonError::into_inner) = client;
        true
    }
}
