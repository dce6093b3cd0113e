use futures_util::future::join_all;

use super::request::Call;
use super::{Cluster, Failure, Refusal, kinds};
use crate::doctor::{Answer, Query, Responses, Unread};

/// Asks all questions at once, each one time.
pub async fn survey(cluster: &Cluster, asks: &[Query]) -> Responses {
    let answers = asks.iter().map(|ask| async move { (ask.key.clone(), answer(cluster, ask).await) });
    Responses(join_all(answers).await.into_iter().collect())
}

async fn answer(cluster: &Cluster, ask: &Query) -> Answer {
    let collection = match ask.version.as_str() {
        "" => format!("/{}", ask.plural),
        version => kinds::in_namespace(version, &ask.plural, &ask.namespace),
    };
    let path = match ask.name.as_str() {
        "" => collection.trim_end_matches('/').to_owned(),
        name => format!("{collection}/{name}"),
    };
    let call = match &ask.body {
        Some(body) => Call::post(path, body),
        None => Call::get(path),
    };
    cluster.send(&call).await.map_err(|(failure, _)| unread(failure, &ask.namespace))
}

fn unread(failure: Failure, namespace: &str) -> Unread {
    match failure.code() {
        404 => Unread::Missing,
        403 if failure.says("is forbidden: User") => Unread::Forbidden(failure.to_string()),
        0 => Unread::Unreached(failure.to_string()),
        _ => {
            let message = failure.to_string();
            Unread::Refused { message, remedy: Refusal::new("", failure, namespace).hint }
        }
    }
}
