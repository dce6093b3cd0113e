//! Alternatives to an object that is missing: the names of others of its kind. Nothing but names is requested.

use std::time::Duration;

use serde_json::Value;

use super::connect::Cluster;
use super::error::Refusal;
use super::list::{Effort, list, name};
use super::paths::{self, encoded};
use super::request::Call;
use crate::state::{Alternatives, Missing};

/// How long to wait for an explanation of a failure or a wait.
pub(super) const LOOKUP_TIMEOUT: Duration = Duration::from_secs(5);

/// The others of the kind in the namespace, and the other namespaces with an object of that name.
pub(super) async fn alternatives(cluster: &Cluster, namespace: &str, missing: &Missing) -> Alternatives {
    let Missing { kind, name: wanted } = missing;
    let (mut names, mut namespaces) = (Vec::new(), Vec::new());
    let own = if kind.is_namespaced() { namespace } else { "" };
    let here = Call::get(format!("{}?", paths::in_namespace(kind.version(), kind.plural(), own))).metadata_only();
    let everywhere = paths::in_namespace(kind.version(), kind.plural(), "");
    let named = encoded(&format!("metadata.name={wanted}"));
    let elsewhere = Call::get(format!("{everywhere}?fieldSelector={named}")).metadata_only();
    let list_elsewhere = async {
        if kind.may_be_elsewhere() {
            let namespace = |object: &Value| object["metadata"]["namespace"].as_str().map(str::to_owned);
            let each = |object: Value| namespaces.extend(namespace(&object));
            // Few users may list all namespaces, and a list that fails has nothing to suggest.
            let _ = list(cluster, &elsewhere, Effort::BestEffort, each).await;
        }
    };
    let list_here = list(cluster, &here, Effort::BestEffort, |object| names.extend(name(&object)));
    let (listed, ()) = tokio::join!(list_here, list_elsewhere);
    namespaces.retain(|other| other != namespace);
    Alternatives { names, are_all: listed.is_ok(), namespaces }
}

/// Adds the alternatives to a refusal for a missing object.
pub(super) async fn explained(cluster: &Cluster, namespace: &str, refusal: Refusal) -> Refusal {
    let Some(missing) = Missing::of(&refusal.failure.to_string()) else { return refusal };
    let others = tokio::time::timeout(LOOKUP_TIMEOUT, alternatives(cluster, namespace, &missing)).await;
    let suggestion = others.ok().and_then(|others| others.describe(&missing));
    let hints: Vec<String> = refusal.hint.iter().cloned().chain(suggestion).collect();
    Refusal { hint: (!hints.is_empty()).then(|| hints.join("; ")), ..refusal }
}
