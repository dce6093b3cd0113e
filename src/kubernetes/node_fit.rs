//! Which nodes can take a pod, and what rules out the others: labels, readiness, taints, size, and what is taken.

use std::collections::BTreeMap;

use serde_json::Value;

use super::requests::{self, Amounts, display};
use super::{items, selector};
use crate::diagnostic::nearest;

/// How many values of a label are listed at most.
const VALUES: usize = 5;

/// How far a pod gets on its way to a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Fit {
    NoNode,
    /// The labels it asks for, and what nodes have instead.
    NoLabels {
        wanted: String,
        instead: String,
    },
    /// So many nodes have its labels, and none of them takes pods.
    NotReady(usize),
    /// So many nodes would do, but for a taint such as this.
    Tainted(usize, String),
    /// Not even an empty node is large enough: the largest, and what it has.
    TooLarge(String),
    /// No node has enough left: the one with most room, and what it has.
    Full(String),
    /// So many nodes can take it.
    Fits(usize),
}

/// What a pod takes of a node: what it requests, and one of the pods that a node can hold.
pub fn taken_by(spec: &Value) -> Amounts {
    with_pod(requests::of_pod(spec))
}

fn with_pod(mut amounts: Amounts) -> Amounts {
    amounts.set("pods", 1000);
    amounts
}

impl Fit {
    /// How a pod that requests `amounts` fits these nodes. `taken` is what other pods take, by node; without it, the
    /// nodes count as empty.
    pub fn of(spec: &Value, amounts: &Amounts, nodes: &[Value], taken: Option<&BTreeMap<String, Amounts>>) -> Fit {
        if nodes.is_empty() {
            return Fit::NoNode;
        }
        let labelled: Vec<&Value> = nodes.iter().filter(|node| selector::matches_node(spec, node)).collect();
        if labelled.is_empty() {
            return Fit::NoLabels { wanted: selector::describe_node_labels(spec), instead: instead(spec, nodes) };
        }
        let ready: Vec<&Value> = labelled.iter().copied().filter(|node| is_ready(node)).collect();
        if ready.is_empty() {
            return Fit::NotReady(labelled.len());
        }
        let tolerated: Vec<&Value> = ready.iter().copied().filter(|node| untolerated(spec, node).is_none()).collect();
        if tolerated.is_empty() {
            let taint = ready.iter().find_map(|node| untolerated(spec, node)).unwrap_or_default();
            return Fit::Tainted(ready.len(), taint);
        }
        let needed = with_pod(amounts.clone());
        let empty: Vec<(&str, Amounts)> = tolerated.iter().map(|node| (name(node), allocatable(node))).collect();
        if let Some(largest) = nearest_miss(&needed, &empty) {
            return Fit::TooLarge(largest);
        }
        let Some(taken) = taken else { return Fit::Fits(count(&needed, &empty)) };
        let free = empty.into_iter().map(|(name, room)| match taken.get(name) {
            Some(taken) => (name, room.minus(taken)),
            None => (name, room),
        });
        let free: Vec<(&str, Amounts)> = free.collect();
        match nearest_miss(&needed, &free) {
            Some(roomiest) => Fit::Full(roomiest),
            None => Fit::Fits(count(&needed, &free)),
        }
    }

    /// Why no node takes the pod of a `role` that requests this, and what to do; nothing if one does.
    pub fn problem(&self, role: &str, requested: &str) -> Option<(String, String)> {
        Some(match self {
            Fit::NoNode => ("the cluster has no nodes".into(), "wait for an autoscaler to add one".into()),
            Fit::NoLabels { wanted, instead } => (
                format!("no node has the requested labels ({wanted}): {instead}"),
                "compare with kubectl get nodes --show-labels, or have nodes labelled".into(),
            ),
            Fit::NotReady(count) => (
                format!("none of the {count} nodes with its labels is ready and takes pods"),
                "see why with: kubectl get nodes (a cordoned node takes none)".into(),
            ),
            Fit::Tainted(count, taint) => (
                format!("all {count} nodes with its labels have taints that it does not tolerate: {taint}"),
                format!("add a toleration (--toleration {taint}, or {role}.tolerations), or use other nodes"),
            ),
            Fit::TooLarge(largest) => (
                format!("no node is large enough: the largest, {largest}, and the {role} requests {requested}"),
                format!("make the {role} smaller, or use larger nodes"),
            ),
            Fit::Full(roomiest) => (
                format!("the node with most room, {roomiest} free, and the {role} requests {requested}"),
                "request less, or wait for other work to end or for more nodes".into(),
            ),
            Fit::Fits(_) => return None,
        })
    }
}

fn name(node: &Value) -> &str {
    node["metadata"]["name"].as_str().unwrap_or_default()
}

fn allocatable(node: &Value) -> Amounts {
    Amounts::of_list(&node["status"]["allocatable"])
}

/// Resources of which there is too little, and how much there is.
fn lacks<'a>(needed: &'a Amounts, room: &'a Amounts) -> impl Iterator<Item = (&'a str, u128)> {
    let short = needed.iter().filter(|(resource, millis)| *millis > room.get(resource));
    short.map(|(resource, _)| (resource, room.get(resource)))
}

fn count(needed: &Amounts, room: &[(&str, Amounts)]) -> usize {
    room.iter().filter(|(_, room)| lacks(needed, room).next().is_none()).count()
}

/// The node that comes nearest to having enough, and what it has of what it lacks; nothing if one has enough.
fn nearest_miss(needed: &Amounts, room: &[(&str, Amounts)]) -> Option<String> {
    if count(needed, room) > 0 {
        return None;
    }
    let share = |room: &Amounts| {
        let shares = needed.iter().map(|(resource, millis)| room.get(resource) as f64 / millis as f64);
        shares.fold(f64::MAX, f64::min)
    };
    let (name, room) = room.iter().max_by(|(_, one), (_, other)| share(one).total_cmp(&share(other)))?;
    let has = lacks(needed, room).map(|(resource, has)| match room.names(resource) {
        true => format!("{resource} {}", display(resource, has)),
        false => format!("no {resource}"),
    });
    let has: Vec<String> = has.collect();
    Some(format!("{name}, has {}", has.join(", ")))
}

fn is_ready(node: &Value) -> bool {
    let is_ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
    node["spec"]["unschedulable"] != true && items(&node["status"]["conditions"]).any(is_ready)
}

/// A taint that the pod does not tolerate, as kubectl writes it.
///
/// Source: `Toleration.ToleratesTaint` of `k8s.io/api/core/v1`.
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

/// What nodes have in place of the labels that no node has together.
fn instead(spec: &Value, nodes: &[Value]) -> String {
    let parts: Vec<String> =
        selector::node_labels(spec).iter().filter_map(|(key, values)| instead_of(key, values, nodes)).collect();
    match parts.is_empty() {
        true => "each label exists, but no node has all of them".into(),
        false => parts.join("; "),
    }
}

/// What nodes have in place of these values of a label; nothing if one has one of them.
fn instead_of(key: &str, values: &[String], nodes: &[Value]) -> Option<String> {
    let suggestion = |near: Option<&str>| near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in nodes.iter().filter_map(|node| node["metadata"]["labels"][key].as_str()) {
        *counts.entry(value).or_default() += 1;
    }
    if values.iter().any(|value| counts.contains_key(value.as_str())) {
        return None;
    }
    if counts.is_empty() {
        let labels = nodes.iter().filter_map(|node| node["metadata"]["labels"].as_object());
        let near = nearest(key, labels.flat_map(|labels| labels.keys()).map(String::as_str));
        return Some(format!("no node has a label {key}{}", suggestion(near)));
    }
    let near = suggestion(values.iter().find_map(|value| nearest(value, counts.keys().copied())));
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let listed: Vec<String> =
        counts.iter().take(VALUES).map(|(value, count)| format!("{key}={value} ({count})")).collect();
    let more = if counts.len() > VALUES { ", …" } else { "" };
    Some(format!("nodes have {}{more}{near}", listed.join(", ")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(name: &str, kind: &str, cpu: &str) -> Value {
        json!({
            "metadata": {"name": name, "labels": {"type": kind}},
            "spec": {},
            "status": {
                "allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        })
    }

    fn amounts(cpu: &str) -> Amounts {
        Amounts::of_list(&json!({"cpu": cpu, "memory": "1Gi"}))
    }

    #[test]
    fn the_nearest_node_is_shown_with_what_it_has_left() {
        let nodes = [node("a", "compute", "4"), node("b", "compute", "8")];
        let used = |cpu: &str| Amounts::of_list(&json!({"cpu": cpu}));
        let taken = BTreeMap::from([("a".to_owned(), used("0.8")), ("b".to_owned(), used("7.5"))]);
        let fit = |cpu: &str| Fit::of(&json!({}), &amounts(cpu), &nodes, Some(&taken));
        assert_eq!(fit("4"), Fit::Full("a, has cpu 3.2".into()));
        assert_eq!(fit("9"), Fit::TooLarge("b, has cpu 8".into()));
        assert_eq!(fit("3"), Fit::Fits(1));
        assert_eq!(Fit::of(&json!({}), &amounts("4"), &nodes, None), Fit::Fits(2));
    }

    #[test]
    fn labels_that_no_node_has_are_shown_beside_similar_ones() {
        let nodes = [node("a", "compute", "4"), node("b", "compute", "4"), node("c", "driver", "4")];
        let instead = |selector: Value| match Fit::of(&json!({"nodeSelector": selector}), &amounts("1"), &nodes, None) {
            Fit::NoLabels { wanted, instead } => format!("{wanted}: {instead}"),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            instead(json!({"type": "compote"})),
            "type=compote: nodes have type=compute (2), type=driver (1); did you mean compute?"
        );
        assert_eq!(instead(json!({"tpye": "driver"})), "tpye=driver: no node has a label tpye; did you mean type?");
        let both = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "type", "operator": "In", "values": ["driver"]}]},
        ]}}});
        let spec = json!({"nodeSelector": {"type": "compute"}, "affinity": both});
        let Fit::NoLabels { instead, .. } = Fit::of(&spec, &amounts("1"), &nodes, None) else {
            panic!("a node is selected")
        };
        assert_eq!(instead, "each label exists, but no node has all of them");
    }
}
