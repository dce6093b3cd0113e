//! Single requests: sent raw, for the sake of query parameters and response headers, and retried with a message.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, DATE, RETRY_AFTER, WARNING};
use http::{HeaderMap, Method, Request};
use k8s_openapi::jiff::fmt::rfc2822;
use kube::client::Body;
use kube::core::Status;
use serde_json::Value;

use super::connect::Cluster;
use super::error::{Failure, describe};
use crate::terminal::messages;
use crate::time::Backoff;

/// An answer that has not come within this is lost.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pauses before the retries of a request; after the last one it fails. They add up to a quarter of a minute, which is
/// how long an API server takes to restart.
const PAUSES: [Duration; 6] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// A longer `Retry-After` is cut to this: somebody is waiting for the answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A request that can be sent again.
#[derive(Clone)]
pub(super) struct Call {
    pub method: Method,
    /// Path and query.
    pub uri: String,
    pub content_type: &'static str,
    pub accept: &'static str,
    pub body: Vec<u8>,
    /// Whether to show the server's warnings about it.
    pub warns: bool,
}

const JSON: &str = "application/json";

impl Call {
    pub(super) fn get(uri: String) -> Call {
        Call { method: Method::GET, uri, content_type: JSON, accept: JSON, body: Vec::new(), warns: true }
    }

    /// Leaves out the server's warnings.
    pub(super) fn quiet(self) -> Call {
        Call { warns: false, ..self }
    }

    /// Requests only the metadata of a list's objects.
    pub(super) fn metadata_only(self) -> Call {
        Call { accept: "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", ..self }
    }

    pub(super) fn post(uri: String, body: &Value) -> Call {
        Call { method: Method::POST, body: body.to_string().into_bytes(), ..Call::get(uri) }
    }

    pub(super) fn patch(uri: String, content_type: &'static str, body: &Value) -> Call {
        Call { method: Method::PATCH, content_type, body: body.to_string().into_bytes(), ..Call::get(uri) }
    }

    pub(super) fn delete(uri: String, body: &Value) -> Call {
        Call { method: Method::DELETE, body: body.to_string().into_bytes(), ..Call::get(uri) }
    }
}

/// An answer, and whether the request was sent before without one: that attempt may have been carried out.
pub(super) struct Answer {
    pub result: Result<Value, Failure>,
    pub repeated: bool,
}

impl Cluster {
    /// Sends a request, with retries while they may help. Warns before each retry.
    pub(super) async fn send_until_answered(&self, doing: &str, call: &Call) -> Answer {
        let mut repeated = false;
        let mut backoff = Backoff::new(&PAUSES);
        while let Some(pause) = backoff.next_pause() {
            match self.send(call).await {
                Err((failure, retry_after)) if failure.may_pass() => {
                    let pause = retry_after.unwrap_or(pause).min(LONGEST_PAUSE);
                    messages::warn(&format!("{doing}: {failure}; retrying in {} s", pause.as_secs_f32()));
                    repeated = true;
                    tokio::time::sleep(pause).await;
                }
                result => {
                    return Answer { result: result.map_err(|(failure, _)| failure), repeated };
                }
            }
        }
        Answer { result: self.send(call).await.map_err(|(failure, _)| failure), repeated }
    }

    /// Sends a request once. A failure comes with how long the server asks to wait.
    pub(super) async fn send(&self, call: &Call) -> Result<Value, (Failure, Option<Duration>)> {
        let request = Request::builder()
            .method(call.method.clone())
            .uri(&call.uri)
            .header(CONTENT_TYPE, call.content_type)
            .header(ACCEPT, call.accept)
            .body(Body::from(call.body.clone()))
            .map_err(|error| (Failure::NoAnswer(error.to_string()), None))?;
        let exchange = async {
            let response = self.client.send(request).await?;
            let (head, body) = response.into_parts();
            Ok::<_, kube::Error>((head, body.collect_bytes().await?))
        };
        let (head, body) = match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error @ kube::Error::Auth(_))) => {
                return Err((Failure::NotSent(describe(&error)), None));
            }
            Ok(Err(error)) => return Err((Failure::NoAnswer(describe(&error)), None)),
            Err(_) => {
                return Err((Failure::NoAnswer(format!("no answer in {} s", ANSWER_TIMEOUT.as_secs())), None));
            }
        };
        self.set_clock(&head.headers);
        for warning in warnings(&head.headers).into_iter().filter(|_| call.warns) {
            messages::warn(&format!("the API server: {warning}"));
        }
        let json = serde_json::from_slice::<Value>(&body);
        if head.status.is_success() {
            return json.map_err(|error| (Failure::NoAnswer(format!("the answer is not JSON: {error}")), None));
        }
        let status = json.ok().and_then(|json| serde_json::from_value::<Status>(json).ok()).unwrap_or_default();
        let message = match status.message.as_str() {
            "" if body.trim_ascii_start().starts_with(b"<") => {
                format!("HTTP {} with a web page: this is not an API server, or a proxy answered", head.status.as_u16())
            }
            "" => String::from_utf8_lossy(&body).chars().take(200).collect::<String>().trim().to_owned(),
            message => message.to_owned(),
        };
        let code = head.status.as_u16();
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let refused = Failure::Refused(Box::new(Status { code, message, ..status }));
        Err((refused, retry_after.map(Duration::from_secs)))
    }

    fn set_clock(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok()).and_then(|date| rfc2822::parse(date).ok());
        date.iter().for_each(|date| self.clock.set(date.timestamp()));
    }
}

/// Waits for the beginning of an answer, with a timeout: the client has none.
pub(super) async fn in_time<T>(limit: Duration, answer: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer.map_err(Failure::of),
        Err(_) => Err(Failure::NoAnswer(format!("no answer in {} s", limit.as_secs()))),
    }
}

/// The texts of `Warning: 299 - "…"` headers: deprecated fields, PodSecurity, unknown fields.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(WARNING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(|value| match value.split_once('"') {
            Some((_, text)) => text.strip_suffix('"').unwrap_or(text).replace("\\\"", "\""),
            None => value.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::header::WARNING;

    #[test]
    fn parses_the_text_of_a_warning_header() {
        let mut headers = HeaderMap::new();
        let value = http::HeaderValue::from_static(r#"299 - "unknown field \"spec.x\"""#);
        headers.append(WARNING, value);
        assert_eq!(super::warnings(&headers), [r#"unknown field "spec.x""#]);
    }
}
