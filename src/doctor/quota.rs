//! Whether the quotas of the namespace leave enough for the application at its start.

use serde_json::Value;

use super::check::Check;
use super::query::{Query, Responses};
use crate::kubernetes::quantity;
use crate::manifests::Requirements;

const QUOTAS: &str = "quotas";

pub(super) fn asks(needs: &Requirements) -> Vec<Query> {
    vec![Query::get(QUOTAS, "v1", &needs.namespace, "resourcequotas", "")]
}

pub(super) fn checks(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    let list = match facts.get(QUOTAS) {
        Ok(list) => list,
        Err(unread) => return vec![unread.check(QUOTAS)],
    };
    // Quotas with a scope count some pods only; admission knows which.
    let quotas = list["items"].as_array().into_iter().flatten();
    let plain = quotas.filter(|quota| quota["spec"]["scopes"].is_null() && quota["spec"]["scopeSelector"].is_null());
    let failures: Vec<Check> = plain.filter_map(|quota| exceeded(needs, quota)).collect();
    match failures.is_empty() {
        true => vec![Check::passed(QUOTAS, format!("no quota of {} is exceeded", needs.namespace))],
        false => failures,
    }
}

/// A check that fails for the first resource whose quota leaves too little.
fn exceeded(needs: &Requirements, quota: &Value) -> Option<Check> {
    let name = quota["metadata"]["name"].as_str().unwrap_or_default();
    let hard = quota["status"]["hard"].as_object().or_else(|| quota["spec"]["hard"].as_object())?;
    hard.iter().find_map(|(resource, limit)| {
        let asked = asked(needs, resource)?;
        let limit = text(limit);
        let used = text(quota["status"]["used"].get(resource).unwrap_or(&Value::Null));
        let left = number(&limit).saturating_sub(number(&used));
        (number(&asked) > left).then(|| {
            let message =
                format!("quota {name} allows {resource} {limit}, {used} is used, and the application needs {asked}");
            let remedy = match number(&asked) > number(&limit) {
                true => "ask for less, or have the quota raised",
                false => "wait for other work of the namespace to end, or ask for less",
            };
            Check::failed(QUOTAS, message, remedy)
        })
    })
}

/// The amount of a quota's resource that the whole application needs, if it is known.
fn asked(needs: &Requirements, resource: &str) -> Option<String> {
    let pods = u64::from(needs.executors) + 1;
    let of_all = |name: &str| needs.of_all.get(name).map(text);
    let objects = |kind: &str| {
        let own = needs.manifests.owned.iter().filter(|object| object.kind() == kind).count() as u64;
        // The driver's Spark makes one for its executors.
        if kind == "ConfigMap" { own + 1 } else { own }
    };
    match resource {
        "cpu" | "requests.cpu" => of_all("cpu"),
        // Spark's containers have limits of memory, which are their requests.
        "memory" | "requests.memory" | "limits.memory" => of_all("memory"),
        "pods" | "count/pods" => Some(pods.to_string()),
        "configmaps" | "count/configmaps" => Some(objects("ConfigMap").to_string()),
        "services" | "count/services" => Some(objects("Service").to_string()),
        "secrets" | "count/secrets" => Some(objects("Secret").to_string()),
        other => of_all(other.strip_prefix("requests.")?),
    }
}

fn text(amount: &Value) -> String {
    match amount {
        Value::Null => "0".into(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn number(text: &str) -> u128 {
    quantity::milli(text).unwrap_or_default()
}
