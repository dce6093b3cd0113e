//! Which nodes could take a pod, and what keeps it from the others: labels, taints, size, and what is taken.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diagnostic::nearest;
use crate::kubernetes::quantity;

/// Amounts by the name of their resource.
pub type Amounts = BTreeMap<String, f64>;

/// How far a pod gets on the way to a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Fit {
    NoNode,
    /// What it asks for, and what there is instead.
    NoLabels {
        wanted: String,
        instead: String,
    },
    /// So many nodes have its labels, and none takes pods.
    NotReady(usize),
    /// So many nodes would do, but for a taint.
    Tainted(usize, String),
    /// Not even an empty node has all of it: what the largest has.
    TooLarge(String),
    /// There is not enough left on any node: what the roomiest has.
    Full(String),
    /// So many nodes can take it.
    Fits(usize),
}

impl Fit {
    /// Of a pod that asks for `asks`, among these nodes. `taken`: what others ask for, by node; without it
    /// the nodes count as empty.
    pub fn of(spec: &Value, asks: &Amounts, nodes: &[Value], taken: Option<&BTreeMap<String, Amounts>>) -> Fit {
        if nodes.is_empty() {
            return Fit::NoNode;
        }
        let labelled: Vec<&Value> = nodes.iter().filter(|node| is_selected(spec, node)).collect();
        if labelled.is_empty() {
            return Fit::NoLabels { wanted: wanted(spec), instead: instead(spec, nodes) };
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
        let room: Vec<(&str, Amounts)> = tolerated.iter().map(|node| (name(node), allocatable(node))).collect();
        if let Some(largest) = nearest_miss(asks, &room) {
            return Fit::TooLarge(largest);
        }
        let Some(taken) = taken else { return Fit::Fits(count(asks, &room)) };
        let free: Vec<(&str, Amounts)> =
            room.into_iter().map(|(name, room)| (name, left(room, taken.get(name)))).collect();
        match nearest_miss(asks, &free) {
            Some(roomiest) => Fit::Full(roomiest),
            None => Fit::Fits(count(asks, &free)),
        }
    }
}

/// What a pod's containers ask for together.
///
/// Source: `k8s.io/component-helpers/resource` (`PodRequests`): init containers run one after another before the
/// others, but for those that stay as sidecars.
pub fn requests(spec: &Value) -> Amounts {
    let mut sum = Amounts::new();
    let add = |sum: &mut Amounts, amounts: &Amounts| {
        amounts.iter().for_each(|(resource, amount)| *sum.entry(resource.clone()).or_default() += amount);
    };
    items(&spec["containers"]).for_each(|container| add(&mut sum, &amounts(&container["resources"]["requests"])));
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in items(&spec["initContainers"]) {
        let mut own = amounts(&container["resources"]["requests"]);
        add(&mut own, &sidecars);
        if container["restartPolicy"] == "Always" {
            sidecars.clone_from(&own);
        }
        most = at_least(most, own);
    }
    add(&mut sum, &sidecars);
    let mut sum = at_least(sum, most);
    add(&mut sum, &amounts(&spec["overhead"]));
    sum.insert("pods".into(), 1.0);
    sum
}

fn at_least(mut one: Amounts, other: Amounts) -> Amounts {
    for (resource, amount) in other {
        let known = one.entry(resource).or_default();
        *known = known.max(amount);
    }
    one
}

pub fn amounts(map: &Value) -> Amounts {
    let pairs = map.as_object().into_iter().flatten();
    pairs.map(|(name, amount)| (name.clone(), quantity::value(&text(amount)).unwrap_or_default())).collect()
}

/// `cpu 3.2, memory 7.1Gi`.
pub fn words(amounts: &Amounts) -> String {
    let parts = amounts.iter().map(|(resource, amount)| format!("{resource} {}", said(resource, *amount)));
    parts.collect::<Vec<_>>().join(", ")
}

fn said(resource: &str, amount: f64) -> String {
    const UNITS: [(&str, f64); 3] = [("Ti", 1099511627776.0), ("Gi", 1073741824.0), ("Mi", 1048576.0)];
    let is_bytes = resource == "memory" || resource.contains("storage") || resource.starts_with("hugepages-");
    // Cut, not rounded: what is said to be free must be.
    let cut = |number: f64, to: f64| ((number * to).floor() / to).to_string();
    match UNITS.iter().find(|(_, size)| amount >= *size).filter(|_| is_bytes) {
        Some((unit @ "Mi", size)) => format!("{}{unit}", cut(amount / size, 1.0)),
        Some((unit, size)) => format!("{}{unit}", cut(amount / size, 10.0)),
        None if is_bytes => cut(amount, 1.0),
        None => cut(amount, 100.0),
    }
}

fn name(node: &Value) -> &str {
    node["metadata"]["name"].as_str().unwrap_or_default()
}

fn allocatable(node: &Value) -> Amounts {
    amounts(&node["status"]["allocatable"])
}

fn left(mut room: Amounts, taken: Option<&Amounts>) -> Amounts {
    for (resource, amount) in taken.into_iter().flatten() {
        if let Some(room) = room.get_mut(resource) {
            *room = (*room - amount).max(0.0);
        }
    }
    room
}

fn lacks<'a>(asks: &'a Amounts, room: &'a Amounts) -> impl Iterator<Item = (&'a String, f64)> {
    let has = |resource: &String| room.get(resource).copied().unwrap_or_default();
    // Sums of fractions are not exact.
    asks.iter()
        .map(move |(resource, amount)| (resource, *amount, has(resource)))
        .filter(|(_, asked, has)| *asked > has + 1e-6)
        .map(|(resource, _, has)| (resource, has))
}

fn count(asks: &Amounts, room: &[(&str, Amounts)]) -> usize {
    room.iter().filter(|(_, room)| lacks(asks, room).next().is_none()).count()
}

/// What the node has of it that comes nearest to having enough; nothing if one has enough.
fn nearest_miss(asks: &Amounts, room: &[(&str, Amounts)]) -> Option<String> {
    if count(asks, room) > 0 {
        return None;
    }
    let share = |room: &Amounts| {
        let shares = asks.iter().map(|(resource, asked)| room.get(resource).copied().unwrap_or_default() / asked);
        shares.fold(f64::MAX, f64::min)
    };
    let (name, room) = room.iter().max_by(|(_, one), (_, other)| share(one).total_cmp(&share(other)))?;
    let lacking: Vec<(&String, f64)> = lacks(asks, room).collect();
    let has = lacking.iter().map(|(resource, has)| match room.contains_key(*resource) {
        true => format!("{resource} {}", said(resource, *has)),
        false => format!("no {resource}"),
    });
    let has: Vec<String> = has.collect();
    Some(format!("{name}, has {}", has.join(", ")))
}

fn text(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}

pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
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

/// What the nodes have in place of the labels that none of them has together.
fn instead(spec: &Value, nodes: &[Value]) -> String {
    let selector = spec["nodeSelector"].as_object().into_iter().flatten();
    let mut asked: Vec<(String, Vec<String>)> = selector.map(|(key, value)| (key.clone(), vec![text(value)])).collect();
    let terms = terms(spec);
    let expressions = items(&terms).flat_map(|term| items(&term["matchExpressions"]));
    asked.extend(
        expressions
            .filter(|expression| expression["operator"] == "In")
            .map(|expression| (text(&expression["key"]), items(&expression["values"]).map(text).collect())),
    );
    let mut told = Vec::new();
    for (key, values) in asked {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for value in nodes.iter().filter_map(|node| node["metadata"]["labels"][&key].as_str()) {
            *counts.entry(value).or_default() += 1;
        }
        if values.iter().any(|value| counts.contains_key(value.as_str())) {
            continue;
        }
        if counts.is_empty() {
            let keys =
                nodes.iter().flat_map(|node| node["metadata"]["labels"].as_object()).flat_map(|labels| labels.keys());
            let near = nearest(&key, keys.map(String::as_str)).map(|near| format!("; did you mean {near}?"));
            told.push(format!("no node has a label {key}{}", near.unwrap_or_default()));
            continue;
        }
        let near = values.iter().find_map(|value| nearest(value, counts.keys().copied()));
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let seen: Vec<String> =
            counts.iter().take(MOST).map(|(value, count)| format!("{key}={value} ({count})")).collect();
        let more = if counts.len() > MOST { ", …" } else { "" };
        told.push(format!("nodes have {}{more}{near}", seen.join(", ")));
    }
    match told.is_empty() {
        true => "each is there, but on no node together".into(),
        false => told.join("; "),
    }
}

/// More values of a label are not told.
const MOST: usize = 5;

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

    fn asks(cpu: f64) -> Amounts {
        Amounts::from([("cpu".to_owned(), cpu), ("memory".to_owned(), 1073741824.0)])
    }

    #[test]
    fn the_node_that_comes_nearest_is_told_with_what_it_has_left() {
        let nodes = [node("a", "compute", "4"), node("b", "compute", "8")];
        let used = |cpu: f64| Amounts::from([("cpu".to_owned(), cpu)]);
        let taken = BTreeMap::from([("a".to_owned(), used(0.8)), ("b".to_owned(), used(7.5))]);
        let fit = |cpu: f64| Fit::of(&json!({}), &asks(cpu), &nodes, Some(&taken));
        assert_eq!(fit(4.0), Fit::Full("a, has cpu 3.2".into()));
        assert_eq!(fit(9.0), Fit::TooLarge("b, has cpu 8".into()));
        assert_eq!(fit(3.0), Fit::Fits(1));
        assert_eq!(Fit::of(&json!({}), &asks(4.0), &nodes, None), Fit::Fits(2));
    }

    #[test]
    fn labels_that_no_node_has_are_told_beside_those_that_are_near() {
        let nodes = [node("a", "compute", "4"), node("b", "compute", "4"), node("c", "driver", "4")];
        let instead = |selector: Value| match Fit::of(&json!({"nodeSelector": selector}), &asks(1.0), &nodes, None) {
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
        let Fit::NoLabels { instead, .. } = Fit::of(&spec, &asks(1.0), &nodes, None) else { panic!("it is selected") };
        assert_eq!(instead, "each is there, but on no node together");
    }

    #[test]
    fn a_pod_asks_for_its_containers_together_and_for_the_largest_of_those_before_them() {
        let container = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let mut sidecar = container("100m");
        sidecar["restartPolicy"] = "Always".into();
        let spec =
            json!({"containers": [container("1"), container("500m")], "initContainers": [sidecar, container("2")]});
        assert_eq!(words(&requests(&spec)), "cpu 2.1, pods 1");
    }
}
