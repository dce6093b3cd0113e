//! What there is instead of something that is missing: of its kind the names, and nothing else is asked for.

use super::diagnose::{PATIENCE, pages};
use super::find::encoded;
use super::request::Call;
use super::{Cluster, Refusal, kinds};
use crate::state::{Alternatives, Missing};

/// The others in its namespace, and where else one has its name.
pub(super) async fn others(cluster: &Cluster, namespace: &str, missing: &Missing) -> Alternatives {
    let Missing { kind, name } = missing;
    let (mut names, mut namespaces) = (Vec::new(), Vec::new());
    let text = |object: &serde_json::Value, of: &str| object["metadata"][of].as_str().map(str::to_owned);
    let near = Call::get(format!("{}?", kinds::in_namespace("v1", kind.plural(), namespace))).names_only();
    let everywhere = kinds::in_namespace("v1", kind.plural(), "");
    let named = encoded(&format!("metadata.name={name}"));
    let elsewhere = Call::get(format!("{everywhere}?fieldSelector={named}")).names_only();
    let ask_elsewhere = async {
        if kind.is_told_elsewhere() {
            pages(cluster, &elsewhere, |object| namespaces.extend(text(&object, "namespace"))).await;
        }
    };
    tokio::join!(pages(cluster, &near, |object| names.extend(text(&object, "name"))), ask_elsewhere);
    namespaces.retain(|other| other != namespace);
    Alternatives { names, namespaces }
}

/// A refusal for something that is missing, with what there is instead.
pub(super) async fn explained(cluster: &Cluster, namespace: &str, refusal: Refusal) -> Refusal {
    let Some(missing) = Missing::of(&refusal.failure.to_string()) else { return refusal };
    let others = tokio::time::timeout(PATIENCE, others(cluster, namespace, &missing)).await;
    let instead = others.ok().and_then(|others| others.told(&missing));
    let told: Vec<String> = refusal.hint.iter().cloned().chain(instead).collect();
    Refusal { hint: (!told.is_empty()).then(|| told.join("; ")), ..refusal }
}
