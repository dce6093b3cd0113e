//! Sends the queries of `doctor`.

use futures_util::future::join_all;

use super::connect::Cluster;
use super::error::{Failure, Refusal};
use super::paths;
use super::request::Call;
use crate::doctor::{Answer, Query, Responses, Unread};

/// Sends all queries at the same time, each once.
pub async fn query(cluster: &Cluster, queries: &[Query]) -> Responses {
    let answers = queries.iter().map(|query| async move { (query.key.clone(), answer(cluster, query).await) });
    Responses(join_all(answers).await.into_iter().collect())
}

async fn answer(cluster: &Cluster, query: &Query) -> Answer {
    let collection = match query.version.as_str() {
        "" => format!("/{}", query.plural),
        version => paths::in_namespace(version, &query.plural, &query.namespace),
    };
    let path = match query.name.as_str() {
        "" => collection.trim_end_matches('/').to_owned(),
        name => format!("{collection}/{name}"),
    };
    let call = match &query.body {
        Some(body) => Call::post(path, body),
        None => Call::get(path),
    };
    cluster.send(&call).await.map_err(|(failure, _)| unread(failure, &query.namespace))
}

fn unread(failure: Failure, namespace: &str) -> Unread {
    match failure.code() {
        404 => Unread::Missing,
        403 if failure.contains("is forbidden: User") => Unread::Forbidden(failure.to_string()),
        0 => Unread::Unreached(failure.to_string()),
        _ => {
            let message = failure.to_string();
            Unread::Refused { message, remedy: Refusal::new("", failure, namespace).hint }
        }
    }
}
