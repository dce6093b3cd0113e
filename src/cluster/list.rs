//! The one way to list a collection: until it is answered, or as far as it goes.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::paths::{encoded, in_namespace};
use super::request::Call;

/// Objects per page, and the pages that are read before a list is given up as too long.
const PAGE: usize = 500;
const PAGES: usize = 20;

/// How a list is requested.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effort<'a> {
    /// In one request, which is retried: the command needs the list. The text names the step in messages.
    UntilAnswered(&'a str),
    /// In pages, each requested once: the command can do without the list.
    BestEffort,
}

/// Passes each object of a list to `each`. The path of `list` must end with a query, which may be empty.
///
/// # Errors
/// The list is refused, there is no answer, or it is too long to be read in pages.
pub(super) async fn list(
    cluster: &Cluster,
    list: &Call,
    effort: Effort<'_>,
    mut each: impl FnMut(Value),
) -> Result<(), Failure> {
    let (limit, mut continuation) = match effort {
        Effort::UntilAnswered(_) => (String::new(), String::new()),
        Effort::BestEffort => (format!("&limit={PAGE}"), String::new()),
    };
    for _ in 0..PAGES {
        let call = Call { uri: format!("{}{limit}{continuation}", list.uri), ..list.clone() };
        let mut page = match effort {
            Effort::UntilAnswered(doing) => cluster.send_until_answered(doing, &call).await.result?,
            Effort::BestEffort => cluster.send(&call).await.map_err(|(failure, _)| failure)?,
        };
        let is_list = page["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        let items = match page["items"].take() {
            Value::Array(items) => items,
            // The API server writes an empty list of metadata so.
            Value::Null if is_list => Vec::new(),
            _ => return Err(Failure::NoAnswer("the answer is not a list".into())),
        };
        items.into_iter().for_each(&mut each);
        match page["metadata"]["continue"].as_str() {
            None | Some("") => return Ok(()),
            Some(next) => continuation = format!("&continue={}", encoded(next)),
        }
    }
    Err(Failure::NoAnswer(format!("the list has more than {} objects", PAGE * PAGES)))
}

/// The objects of a list that the command needs.
///
/// # Errors
/// The list is refused, there is no answer, or it cannot be parsed.
pub(super) async fn items<T: DeserializeOwned>(
    cluster: &Cluster,
    doing: &str,
    (version, plural): (&str, &str),
    namespace: &str,
    query: &str,
) -> Result<Vec<T>, Refusal> {
    let call = Call::get(format!("{}?{query}", in_namespace(version, plural, namespace)));
    let mut items = Vec::new();
    let listed = list(cluster, &call, Effort::UntilAnswered(doing), |item| items.push(item)).await;
    let parsed = listed.and_then(|()| {
        serde_json::from_value(Value::Array(items))
            .map_err(|error| Failure::NoAnswer(format!("the list cannot be parsed: {error}")))
    });
    parsed.map_err(|failure| Refusal::new(doing, failure, namespace))
}

/// The names of a collection's objects, by its path.
///
/// # Errors
/// The collection cannot be listed.
pub async fn names(cluster: &Cluster, path: &str) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    let call = Call::get(format!("{path}?"));
    list(cluster, &call, Effort::BestEffort, |object| names.extend(name(&object))).await?;
    Ok(names)
}

/// The name of an object.
pub(super) fn name(object: &Value) -> Option<String> {
    object["metadata"]["name"].as_str().map(str::to_owned)
}
