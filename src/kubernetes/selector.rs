//! Selectors: which labels an object needs for a label selector, and a node for a pod's node selector and affinity.

use serde_json::Value;

use super::{items, text};

/// Whether a label selector may match, by what is known of each label: `None` for a label that is not known.
///
/// Source: `LabelSelectorAsSelector` of `k8s.io/apimachinery/pkg/apis/meta/v1`.
pub fn matches<'a>(selector: &Value, known: impl Fn(&str) -> Option<Option<&'a str>>) -> bool {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    let has_labels = labels.into_iter().all(|(key, wanted)| known(key).is_none_or(|value| value == wanted.as_str()));
    has_labels
        && items(&selector["matchExpressions"])
            .all(|expression| known(key(expression)).is_none_or(|value| is_met(expression, value)))
}

/// Whether a node has the labels that a pod's node selector and required node affinity ask for.
///
/// Source: `RequiredNodeAffinity` of `k8s.io/component-helpers/scheduling/corev1/nodeaffinity`: one of the terms must
/// match, and a term without expressions matches no node.
pub fn matches_node(spec: &Value, node: &Value) -> bool {
    let label = |key: &str| node["metadata"]["labels"][key].as_str();
    let selector = spec["nodeSelector"].as_object();
    let by_selector = selector.into_iter().flatten().all(|(key, value)| label(key) == value.as_str());
    let name = node["metadata"]["name"].as_str();
    let by_term = |term: &Value| {
        expressions(term).next().is_some()
            && items(&term["matchExpressions"]).all(|expression| is_met(expression, label(key(expression))))
            && items(&term["matchFields"]).all(|field| is_met(field, name))
    };
    by_selector && node_terms(spec).is_none_or(|mut terms| terms.any(by_term))
}

/// The labels that a pod's node selector and required node affinity ask for, for people to read.
pub fn describe_node_labels(spec: &Value) -> String {
    let selector = spec["nodeSelector"].as_object().into_iter().flatten();
    let mut parts: Vec<String> = selector.map(|(key, value)| format!("{key}={}", text(value))).collect();
    let alternatives = node_terms(spec).into_iter().flatten();
    let alternatives: Vec<String> =
        alternatives.map(|term| expressions(term).map(describe).collect::<Vec<_>>().join(" and ")).collect();
    if !alternatives.is_empty() {
        parts.push(alternatives.join(", or "));
    }
    parts.join(" and ")
}

/// Keys of the labels that a pod asks of its node, each with the values of which one must be there.
pub fn node_labels(spec: &Value) -> Vec<(String, Vec<String>)> {
    let selector = spec["nodeSelector"].as_object().into_iter().flatten();
    let by_selector = selector.map(|(key, value)| (key.clone(), vec![text(value)]));
    let expressions = node_terms(spec).into_iter().flatten().flat_map(|term| items(&term["matchExpressions"]));
    let by_terms = expressions
        .filter(|expression| expression["operator"] == "In")
        .map(|expression| (key(expression).to_owned(), items(&expression["values"]).map(text).collect()));
    by_selector.chain(by_terms).collect()
}

/// Whether a value is what an expression of a selector asks for; `None` for a label that is not there.
fn is_met(expression: &Value, found: Option<&str>) -> bool {
    let mut values = items(&expression["values"]).filter_map(Value::as_str);
    let mut numbers = || Some((found?.parse::<i64>().ok()?, values.next()?.parse::<i64>().ok()?));
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => found.is_some_and(|found| values.any(|value| value == found)),
        "NotIn" => found.is_none_or(|found| values.all(|value| value != found)),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => numbers().is_some_and(|(found, value)| found > value),
        "Lt" => numbers().is_some_and(|(found, value)| found < value),
        _ => false,
    }
}

/// The terms of the required node affinity, if there is one.
fn node_terms(spec: &Value) -> Option<impl Iterator<Item = &Value>> {
    let pointer = "/affinity/nodeAffinity/requiredDuringSchedulingIgnoredDuringExecution/nodeSelectorTerms";
    Some(spec.pointer(pointer)?.as_array()?.iter())
}

fn expressions(term: &Value) -> impl Iterator<Item = &Value> {
    items(&term["matchExpressions"]).chain(items(&term["matchFields"]))
}

fn describe(expression: &Value) -> String {
    let values: Vec<&str> = items(&expression["values"]).filter_map(Value::as_str).collect();
    match expression["operator"].as_str().unwrap_or_default() {
        "In" => format!("{}={}", key(expression), values.join("|")),
        operator => format!("{} {operator} {}", key(expression), values.join("|")).trim_end().to_owned(),
    }
}

fn key(expression: &Value) -> &str {
    expression["key"].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_operator_matches_as_kubernetes_has_it() {
        for (operator, values, found, expected) in [
            ("In", json!(["a", "b"]), Some("b"), true),
            ("In", json!(["a"]), None, false),
            ("NotIn", json!(["a"]), Some("a"), false),
            ("NotIn", json!(["a"]), None, true),
            ("Exists", json!(null), Some(""), true),
            ("DoesNotExist", json!(null), Some(""), false),
            ("Gt", json!(["4"]), Some("5"), true),
            ("Gt", json!(["4"]), Some("many"), false),
            ("Lt", json!(["4"]), None, false),
        ] {
            let expression = json!({"key": "a", "operator": operator, "values": values});
            assert_eq!(is_met(&expression, found), expected, "{expression} {found:?}");
        }
    }

    #[test]
    fn a_label_that_is_not_known_may_match() {
        let selector = json!({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "b", "operator": "Exists"}]});
        assert!(matches(&selector, |_| None));
        assert!(!matches(&selector, |key| (key == "b").then_some(None)));
        assert!(matches(&json!({}), |_| Some(None)));
    }

    #[test]
    fn one_term_of_a_node_affinity_must_match_and_an_empty_one_does_not() {
        let node = json!({"metadata": {"name": "n1", "labels": {"type": "compute"}}});
        let spec = |terms: Value| {
            let required = json!({"nodeSelectorTerms": terms});
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}})
        };
        let named = |name: &str| json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]});
        let typed = json!({"matchExpressions": [{"key": "type", "operator": "In", "values": ["compute", "large"]}]});
        assert!(matches_node(&json!({}), &node));
        assert!(matches_node(&spec(json!([named("n2"), typed])), &node));
        assert!(!matches_node(&spec(json!([named("n2")])), &node));
        assert!(!matches_node(&spec(json!([{}])), &node));
        let mut both = spec(json!([typed, named("n2")]));
        both["nodeSelector"] = json!({"disk": "ssd"});
        assert!(!matches_node(&both, &node));
        assert_eq!(describe_node_labels(&both), "disk=ssd and type=compute|large, or metadata.name=n2");
    }
}
