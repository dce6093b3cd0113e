//! Errors of a store's client, as a refusal with a hint.
//!
//! The client repeats itself at each level of its errors, and the level with the HTTP status is private: the status is
//! parsed from the text.

use http::StatusCode;
use object_store::Error;
use reqwest::Url;

use crate::cluster::{Failure, Refusal};
use crate::spark::stores;

/// Converts an error of `doing` at a store's URL to a refusal. An error that is not the store's only gets the context.
pub fn explain(doing: String, place: &str, error: anyhow::Error) -> anyhow::Error {
    if error.downcast_ref::<Error>().is_none() {
        return error.context(doing);
    }
    let text = error.to_string();
    let last = error.root_cause().to_string();
    let answer = Answer::of(&last);
    let failure = match &answer {
        Some(answer) if may_pass(answer.status) => Failure::Unreached(answer.message.clone()),
        Some(answer) => Failure::NotSent(answer.message.clone()),
        None => match server(&text).or_else(|| server(place)) {
            Some(address) => Failure::Unreached(format!("no answer from {address}: {last}")),
            None => Failure::NotSent(last),
        },
    };
    let hint = hint(place, &text, answer.as_ref());
    Refusal { hint, ..Refusal::of(doing, failure) }.into()
}

/// What precedes the status and the body of a failed response in the client's errors.
pub const ANSWERED: &str = "Server returned non-2xx status code: ";

/// A store's answer.
#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    message: String,
}

impl Answer {
    /// Parses `Server returned non-2xx status code: 404 Not Found: <?xml …><Error><Code>…`.
    fn of(last: &str) -> Option<Answer> {
        let rest = last.strip_prefix(ANSWERED)?;
        let (line, body) = rest.split_once(": ").unwrap_or((rest, ""));
        let status = line.get(..3)?.parse().ok()?;
        let message = match (element(body, "Code"), element(body, "Message")) {
            (Some(code), Some(message)) => format!("{message} ({status}, {code})"),
            // An HTML page says no more than its status.
            _ if body.trim().is_empty() || body.trim_start().starts_with('<') => line.to_owned(),
            _ => format!("{line}: {}", body.trim().chars().take(300).collect::<String>()),
        };
        Some(Answer { status, message })
    }
}

/// Whether a retry of the request may succeed.
pub fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED || status == StatusCode::TOO_MANY_REQUESTS
}

/// The first line of an element's text. Azure adds a request id and the time in further lines.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))?.0.lines().next()
}

/// The server that an error names, without the path and the query, which may be a signature.
fn server(text: &str) -> Option<String> {
    let url = text.split_whitespace().find(|word| word.starts_with("http://") || word.starts_with("https://"))?;
    Some(Url::parse(url).ok()?.origin().ascii_serialization())
}

/// What to try.
fn hint(place: &str, text: &str, answer: Option<&Answer>) -> Option<String> {
    let store = stores::store(place)?.upload.as_ref()?;
    let credentials = store.credentials?;
    let is_elsewhere = text.contains("AuthorizationHeaderMalformed") || text.contains("PermanentRedirect");
    if is_elsewhere || text.contains("Received redirect without LOCATION") {
        return Some("the bucket is in another region: set AWS_REGION to that region".into());
    }
    // The metadata services, which the clients ask for credentials if they have no others.
    if text.contains("169.254.169.254") || text.contains("metadata.google.internal") {
        return Some(format!("there are no credentials: set {credentials}"));
    }
    match answer.map(|answer| answer.status.as_u16()) {
        Some(401 | 403) => Some(format!("the upload needs the right to read and write there: {credentials}")),
        Some(404) => Some("create the bucket, or correct the URL of --upload".into()),
        Some(405 | 501) => {
            Some("this server accepts no files: --upload needs a WebDAV server, or one that accepts PUT".into())
        }
        Some(_) => None,
        None => server(text).map(|_| match store.endpoint {
            Some(endpoint) => format!("can it be reached from here? {endpoint}"),
            None => "can it be reached from here?".into(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit_code::ExitCode;

    fn failed(scheme: &str, source: &str) -> (String, ExitCode, String) {
        let error = Error::Generic { store: "S3", source: source.to_owned().into() };
        let error = explain("uploading".into(), &format!("{scheme}://jobs/a"), error.into());
        let refusal = error.downcast_ref::<Refusal>().unwrap();
        (refusal.to_string(), refusal.exit_code(), refusal.hint.clone().unwrap_or_default())
    }

    #[test]
    fn shows_the_stores_answer_once() {
        let body = "<?xml version=\"1.0\"?><Error><Code>ContainerNotFound</Code><Message>The specified container does not exist.\n\
                    RequestId:1</Message></Error>";
        let (message, code, hint) =
            failed("abfss", &format!("Server returned non-2xx status code: 404 Not Found: {body}"));
        assert_eq!(message, "uploading: The specified container does not exist. (404 Not Found, ContainerNotFound)");
        assert_eq!((code, hint.as_str()), (ExitCode::Refused, "create the bucket, or correct the URL of --upload"));
    }

    #[test]
    fn a_refusal_and_a_server_error_have_different_exit_codes() {
        let (message, code, hint) = failed("gs", "Server returned non-2xx status code: 403 Forbidden: ");
        assert_eq!((message.as_str(), code), ("uploading: 403 Forbidden", ExitCode::Refused));
        assert!(hint.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{hint}");
        let (message, code, _) = failed("s3", "Server returned non-2xx status code: 503 Service Unavailable: busy");
        assert_eq!((message.as_str(), code), ("uploading: 503 Service Unavailable: busy", ExitCode::Unknown));
    }

    #[test]
    fn names_the_server_without_a_signature() {
        let text = "Generic S3 error: Error performing PUT https://jobs.s3.amazonaws.com/a?sig=secret in 3s - refused";
        assert_eq!(server(text).as_deref(), Some("https://jobs.s3.amazonaws.com"));
        assert_eq!(server("no URL"), None);
    }

    #[test]
    fn keeps_an_error_that_is_not_the_stores() {
        let error = explain("uploading a".into(), "s3://jobs/a", anyhow::anyhow!("reading a: no such file"));
        assert_eq!(format!("{error:#}"), "uploading a: reading a: no such file");
    }
}
