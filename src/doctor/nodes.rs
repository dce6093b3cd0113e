//! Whether there is a node for the driver, and one for its executors.

use serde_json::{Map, Value};

use super::{Ask, Check, Facts};
use crate::manifests::Needs;
use crate::spark::quantity;

const NODES: &str = "nodes";

pub(super) fn asks() -> Vec<Ask> {
    vec![Ask::get(NODES, "v1", "", "nodes", "")]
}

pub(super) fn checks(needs: &Needs, facts: &Facts) -> Vec<Check> {
    let list = match facts.get(NODES) {
        Ok(list) => list,
        Err(unread) => return vec![unread.check(NODES)],
    };
    let nodes: Vec<&Value> = list["items"].as_array().into_iter().flatten().collect();
    let mut checks = vec![check("driver's node", "driver", &needs.driver, &needs.of_driver, &nodes)];
    if needs.executors > 0 {
        checks.push(check("executors' nodes", "executors", &needs.executor, &needs.of_executor, &nodes));
    }
    checks
}

fn check(what: &str, role: &str, pod: &Value, request: &Map<String, Value>, nodes: &[&Value]) -> Check {
    let spec = &pod["spec"];
    if nodes.is_empty() {
        return Check::failed(what, "the cluster has no node", "nodes may come with an autoscaler");
    }
    let labelled = keep(nodes, &|node| is_selected(spec, node));
    if labelled.is_empty() {
        let message = format!("none of {} nodes has {}", nodes.len(), wanted(spec));
        return Check::failed(what, message, "compare with kubectl get nodes --show-labels, or have nodes labelled");
    }
    let ready = keep(&labelled, &is_ready);
    if ready.is_empty() {
        let message = format!("none of the {} nodes with its labels is ready and takes pods", labelled.len());
        return Check::failed(what, message, "see why with: kubectl get nodes; a node that is cordoned takes none");
    }
    let tolerated = keep(&ready, &|node| untolerated(spec, node).is_none());
    if tolerated.is_empty() {
        let taint = ready.iter().find_map(|node| untolerated(spec, node)).unwrap_or_default();
        let message =
            format!("all {} nodes with its labels have taints that it does not tolerate: {taint}", ready.len());
        return Check::failed(what, message, format!("add a toleration: --toleration {taint}, or {role}.tolerations"));
    }
    let fitting = keep(&tolerated, &|node| lack(request, node).is_none());
    let asks: Vec<String> = request.iter().map(|(name, amount)| format!("{name} {}", text(amount))).collect();
    if fitting.is_empty() {
        // The node that comes nearest says it best: the one with the most CPU.
        let cpu = |node: &&&Value| (number(&node["status"]["allocatable"]["cpu"]) * 1000.0) as u64;
        let largest = tolerated.iter().max_by_key(cpu).and_then(|node| lack(request, node)).unwrap_or_default();
        let message = format!("it asks for {}, and no empty node has that: {largest}", asks.join(", "));
        return Check::failed(what, message, format!("make the {role} smaller, or aim at larger nodes"));
    }
    Check::passed(what, format!("{} of {} nodes can take {}", fitting.len(), nodes.len(), asks.join(", ")))
}

fn keep<'a>(nodes: &[&'a Value], rule: &dyn Fn(&Value) -> bool) -> Vec<&'a Value> {
    nodes.iter().copied().filter(|node| rule(node)).collect()
}

fn text(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

fn number(amount: &Value) -> f64 {
    quantity::value(&text(amount)).unwrap_or_default()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Node selector and required node affinity.
fn is_selected(spec: &Value, node: &Value) -> bool {
    let label = |key: &str| node["metadata"]["labels"][key].as_str();
    let selector = spec["nodeSelector"].as_object();
    let by_selector = selector.into_iter().flatten().all(|(key, value)| label(key) == value.as_str());
    let terms = &terms(spec);
    let matches = |expression: &Value, found: Option<&str>| {
        let values = || items(&expression["values"]).filter_map(Value::as_str);
        let order = || Some((found?.parse::<i64>().ok()?, values().next()?.parse::<i64>().ok()?));
        match expression["operator"].as_str().unwrap_or_default() {
            "In" => found.is_some_and(|found| values().any(|value| value == found)),
            "NotIn" => found.is_none_or(|found| values().all(|value| value != found)),
            "Exists" => found.is_some(),
            "DoesNotExist" => found.is_none(),
            "Gt" => order().is_some_and(|(found, value)| found > value),
            "Lt" => order().is_some_and(|(found, value)| found < value),
            _ => false,
        }
    };
    let by_term = |term: &Value| {
        let key = |expression: &'_ Value| expression["key"].as_str().unwrap_or_default().to_owned();
        items(&term["matchExpressions"]).all(|expression| matches(expression, label(&key(expression))))
            && items(&term["matchFields"]).all(|field| matches(field, node["metadata"]["name"].as_str()))
    };
    by_selector && (terms.is_null() || items(terms).any(by_term))
}

fn terms(spec: &Value) -> Value {
    let pointer = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    spec.pointer(pointer).cloned().unwrap_or_default()
}

/// The labels that are asked for, as they are spoken of.
fn wanted(spec: &Value) -> String {
    let selector = spec["nodeSelector"].as_object().into_iter().flatten();
    let mut words: Vec<String> = selector.map(|(key, value)| format!("{key}={}", text(value))).collect();
    let terms = terms(spec);
    let alternatives = items(&terms).map(|term| {
        let expressions = items(&term["matchExpressions"]).chain(items(&term["matchFields"])).map(|expression| {
            let values: Vec<&str> = items(&expression["values"]).filter_map(Value::as_str).collect();
            let key = expression["key"].as_str().unwrap_or_default();
            match expression["operator"].as_str().unwrap_or_default() {
                "In" => format!("{key}={}", values.join("|")),
                operator => format!("{key} {operator} {}", values.join("|")).trim_end().to_owned(),
            }
        });
        expressions.collect::<Vec<_>>().join(" and ")
    });
    let alternatives: Vec<String> = alternatives.collect();
    if !alternatives.is_empty() {
        words.push(alternatives.join(", or "));
    }
    words.join(" and ")
}

fn is_ready(node: &Value) -> bool {
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    node["spec"]["unschedulable"] != true && items(&node["status"]["conditions"]).any(is_ready)
}

/// A taint that keeps the pod away, as kubectl writes it.
fn untolerated(spec: &Value, node: &Value) -> Option<String> {
    let text = |taint: &Value, key: &str| taint[key].as_str().unwrap_or_default().to_owned();
    let tolerates = |toleration: &Value, taint: &Value| {
        let field = |key: &str| text(toleration, key);
        let same = |key: &str| field(key) == text(taint, key);
        let exists = field("operator") == "Exists";
        (field("effect").is_empty() || same("effect"))
            && (same("key") || (field("key").is_empty() && exists))
            && (exists || same("value"))
    };
    let taint = items(&node["spec"]["taints"]).find(|taint| {
        taint["effect"] != "PreferNoSchedule"
            && !items(&spec["tolerations"]).any(|toleration| tolerates(toleration, taint))
    })?;
    let value = Some(text(taint, "value")).filter(|value| !value.is_empty()).map(|value| format!("={value}"));
    Some(format!("{}{}:{}", text(taint, "key"), value.unwrap_or_default(), text(taint, "effect")))
}

/// What an empty node has too little of.
fn lack(request: &Map<String, Value>, node: &Value) -> Option<String> {
    let allocatable = &node["status"]["allocatable"];
    request.iter().find(|(name, amount)| number(amount) > number(&allocatable[name.as_str()])).map(|(name, _)| {
        match &allocatable[name.as_str()] {
            Value::Null => format!("none has {name}"),
            amount => format!("the largest has {name} {}", text(amount)),
        }
    })
}
