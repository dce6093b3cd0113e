//! What a store's client says when it fails: once, and with what to try.
//!
//! The client repeats itself at each of its levels, and keeps for itself the one that knows the answer's status: that
//! is read from its words.

use http::StatusCode;
use object_store::Error;
use reqwest::Url;

use crate::cluster::{Failure, Refusal};
use crate::spark::stores;

/// The failure of `doing` at a store's place, in words; what is not the store's stays as it is.
pub fn told(doing: String, place: &str, error: anyhow::Error) -> anyhow::Error {
    if error.downcast_ref::<Error>().is_none() {
        return error.context(doing);
    }
    let words = error.to_string();
    let last = error.root_cause().to_string();
    let answer = Answer::of(&last);
    let failure = match &answer {
        Some(answer) if may_pass(answer.status) => Failure::Unreached(answer.words.clone()),
        Some(answer) => Failure::NotSent(answer.words.clone()),
        None => match asked(&words).or_else(|| asked(place)) {
            Some(address) => Failure::Unreached(format!("no answer from {address}: {last}")),
            None => Failure::NotSent(last),
        },
    };
    let hint = hint(place, &words, answer.as_ref());
    Refusal { hint, ..Refusal::of(doing, failure) }.into()
}

/// What the client says before the status, and the text, of an answer that is no success.
pub const ANSWERED: &str = "Server returned non-2xx status code: ";

/// A store's answer.
#[derive(Debug, PartialEq)]
struct Answer {
    status: StatusCode,
    words: String,
}

impl Answer {
    /// `Server returned non-2xx status code: 404 Not Found: <?xml …><Error><Code>…`.
    fn of(last: &str) -> Option<Answer> {
        let rest = last.strip_prefix(ANSWERED)?;
        let (line, body) = rest.split_once(": ").unwrap_or((rest, ""));
        let status = line.get(..3)?.parse().ok()?;
        let words = match (element(body, "Code"), element(body, "Message")) {
            (Some(code), Some(message)) => format!("{message} ({status}, {code})"),
            // A page for browsers says no more than its status.
            _ if body.trim().is_empty() || body.trim_start().starts_with('<') => line.to_owned(),
            _ => format!("{line}: {}", body.trim().chars().take(300).collect::<String>()),
        };
        Some(Answer { status, words })
    }
}

/// Whether the same request may be answered otherwise later.
pub fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED || status == StatusCode::TOO_MANY_REQUESTS
}

/// The first line of an element's text. Azure adds a request's number and the time in further ones.
fn element<'a>(body: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>"))?.0.lines().next()
}

/// Which server was asked: its address without the path, whose query may be a signature.
fn asked(words: &str) -> Option<String> {
    let url = words.split_whitespace().find(|word| word.starts_with("http://") || word.starts_with("https://"))?;
    Some(Url::parse(url).ok()?.origin().ascii_serialization())
}

/// What to try, at a place in a store.
fn hint(place: &str, words: &str, answer: Option<&Answer>) -> Option<String> {
    let store = stores::store(place)?.upload.as_ref()?;
    let credentials = store.credentials?;
    let is_moved = words.contains("AuthorizationHeaderMalformed") || words.contains("PermanentRedirect");
    if is_moved || words.contains("Received redirect without LOCATION") {
        return Some("the bucket is in another region: set AWS_REGION to it".into());
    }
    // Where the clients of stores look for the credentials of a machine that is the cloud's.
    if words.contains("169.254.169.254") || words.contains("metadata.google.internal") {
        return Some(format!("there are no credentials: give {credentials}"));
    }
    match answer.map(|answer| answer.status.as_u16()) {
        Some(401 | 403) => Some(format!("who uploads must be allowed to read and write there: {credentials}")),
        Some(404) => Some("make the bucket first, or correct the URL of --upload".into()),
        Some(405 | 501) => Some("this server takes no files: --upload wants a WebDAV server, or one like it".into()),
        Some(_) => None,
        None => asked(words).map(|_| match store.endpoint {
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
        let told = told("uploading".into(), &format!("{scheme}://jobs/a"), error.into());
        let refusal = told.downcast_ref::<Refusal>().unwrap();
        (refusal.to_string(), refusal.exit_code(), refusal.hint.clone().unwrap_or_default())
    }

    #[test]
    fn says_a_store_s_answer_once() {
        let body = "<?xml version=\"1.0\"?><Error><Code>ContainerNotFound</Code><Message>The specified container does not exist.\n\
                    RequestId:1</Message></Error>";
        let (said, code, hint) =
            failed("abfss", &format!("Server returned non-2xx status code: 404 Not Found: {body}"));
        assert_eq!(said, "uploading: The specified container does not exist. (404 Not Found, ContainerNotFound)");
        assert_eq!((code, hint.as_str()), (ExitCode::Refused, "make the bucket first, or correct the URL of --upload"));
    }

    #[test]
    fn tells_a_refusal_from_a_store_that_is_out_of_order() {
        let (said, code, hint) = failed("gs", "Server returned non-2xx status code: 403 Forbidden: ");
        assert_eq!((said.as_str(), code), ("uploading: 403 Forbidden", ExitCode::Refused));
        assert!(hint.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{hint}");
        let (said, code, _) = failed("s3", "Server returned non-2xx status code: 503 Service Unavailable: busy");
        assert_eq!((said.as_str(), code), ("uploading: 503 Service Unavailable: busy", ExitCode::Unknown));
    }

    #[test]
    fn names_the_server_that_does_not_answer_and_no_signature() {
        let words = "Generic S3 error: Error performing PUT https://jobs.s3.amazonaws.com/a?sig=secret in 3s - refused";
        assert_eq!(asked(words).as_deref(), Some("https://jobs.s3.amazonaws.com"));
        assert_eq!(asked("nothing of an address"), None);
    }

    #[test]
    fn leaves_what_is_no_store_s_failure() {
        let error = told("uploading a".into(), "s3://jobs/a", anyhow::anyhow!("reading a: no such file"));
        assert_eq!(format!("{error:#}"), "uploading a: reading a: no such file");
    }
}
