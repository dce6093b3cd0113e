//! What a pod requests, by Kubernetes' own arithmetic, and sums of it.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::{items, quantity, text};

/// Resources whose amounts are numbers of bytes are written with a binary unit.
const UNITS: [(&str, u128); 3] = [("Ti", 1 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20)];

/// Amounts of resources by name, in thousandths of a core, byte or device: sums are exact, and saturate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amounts(BTreeMap<String, u128>);

impl Amounts {
    /// The amounts of a resource list such as `{"cpu": "500m", "memory": "1Gi"}`. What is not a quantity counts as zero.
    pub fn of_list(list: &Value) -> Self {
        let pairs = list.as_object().into_iter().flatten();
        Self(pairs.map(|(name, amount)| (name.clone(), millis(amount))).collect())
    }

    /// Thousandths of a resource; zero for one that is not named.
    pub fn get(&self, resource: &str) -> u128 {
        self.0.get(resource).copied().unwrap_or_default()
    }

    /// Whether the resource is named, if only with zero.
    pub fn names(&self, resource: &str) -> bool {
        self.0.contains_key(resource)
    }

    /// Sets a resource to that many thousandths.
    pub fn set(&mut self, resource: &str, millis: u128) {
        self.0.insert(resource.to_owned(), millis);
    }

    /// Resources and their thousandths, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u128)> {
        self.0.iter().map(|(resource, millis)| (resource.as_str(), *millis))
    }

    /// The sum of both.
    pub fn plus(self, other: &Self) -> Self {
        self.with(other, u128::saturating_add)
    }

    /// The greater amount of each resource.
    pub fn most(self, other: &Self) -> Self {
        self.with(other, u128::max)
    }

    /// What is left of each of these resources once `taken` is gone.
    pub fn minus(mut self, taken: &Self) -> Self {
        for (resource, millis) in &mut self.0 {
            *millis = millis.saturating_sub(taken.get(resource));
        }
        self
    }

    /// `count` times as much.
    pub fn times(mut self, count: u32) -> Self {
        self.0.values_mut().for_each(|millis| *millis = millis.saturating_mul(u128::from(count)));
        self
    }

    fn with(mut self, other: &Self, combine: fn(u128, u128) -> u128) -> Self {
        for (resource, millis) in &other.0 {
            let own = self.0.entry(resource.clone()).or_default();
            *own = combine(*own, *millis);
        }
        self
    }
}

/// `cpu 3.2, memory 7.1Gi`.
impl fmt::Display for Amounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<String> =
            self.iter().map(|(name, millis)| format!("{name} {}", display(name, millis))).collect();
        f.write_str(&parts.join(", "))
    }
}

/// A resource's amount for people to read: cut, not rounded, so that no more is shown as free than is.
pub fn display(resource: &str, millis: u128) -> String {
    let is_bytes = resource == "memory" || resource.contains("storage") || resource.starts_with("hugepages-");
    if !is_bytes {
        return decimal(millis / 10, 2);
    }
    let bytes = millis / 1000;
    match UNITS.iter().find(|(_, size)| bytes >= *size) {
        Some((unit @ "Mi", size)) => format!("{}{unit}", bytes / size),
        Some((unit, size)) => format!("{}{unit}", decimal(bytes.saturating_mul(10) / size, 1)),
        None => bytes.to_string(),
    }
}

/// A number of which the last `digits` digits are its fraction, without zeros at its end.
fn decimal(scaled: u128, digits: usize) -> String {
    let text = format!("{scaled:0>width$}", width = digits + 1);
    let (whole, fraction) = text.split_at(text.len() - digits);
    match fraction.trim_end_matches('0') {
        "" => whole.to_owned(),
        fraction => format!("{whole}.{fraction}"),
    }
}

/// What a pod requests, by its `spec`: its containers together with the sidecars among its init containers, or an
/// init container with the sidecars that were started before it, whichever is more; resources that the pod states as
/// a whole in place of that; and the overhead of its runtime class.
///
/// Source: `PodRequests` of `k8s.io/component-helpers/resource`.
pub fn of_pod(spec: &Value) -> Amounts {
    let containers = items(&spec["containers"]).map(of_container);
    let running = containers.fold(Amounts::default(), |sum, container| sum.plus(&container));
    let (mut sidecars, mut starting) = (Amounts::default(), Amounts::default());
    for container in items(&spec["initContainers"]) {
        let beside = of_container(container).plus(&sidecars);
        if container["restartPolicy"] == "Always" {
            sidecars.clone_from(&beside);
        }
        starting = starting.most(&beside);
    }
    let of_containers = running.plus(&sidecars).most(&starting);
    with_pod_level(of_containers, &spec["resources"]).plus(&Amounts::of_list(&spec["overhead"]))
}

/// What a container requests. A limit is the request too, where no request is stated.
///
/// Source: `SetDefaults_Pod` of `k8s.io/kubernetes/pkg/apis/core/v1`.
fn of_container(container: &Value) -> Amounts {
    let mut amounts = Amounts::of_list(&container["resources"]["limits"]);
    amounts.0.extend(Amounts::of_list(&container["resources"]["requests"]).0);
    amounts
}

/// The requests of the pod as a whole, in place of those of its containers. A limit of the whole counts for a resource
/// that no container requests.
///
/// Source: `PodRequests` as above, and `defaultPodRequests` of `k8s.io/kubernetes/pkg/apis/core/v1`.
fn with_pod_level(mut of_containers: Amounts, resources: &Value) -> Amounts {
    let is_supported = |name: &str| matches!(name, "cpu" | "memory") || name.starts_with("hugepages-");
    let requests = Amounts::of_list(&resources["requests"]);
    for (name, millis) in Amounts::of_list(&resources["limits"]).iter() {
        if is_supported(name) && !of_containers.names(name) {
            of_containers.set(name, millis);
        }
    }
    for (name, millis) in requests.iter().filter(|(name, _)| is_supported(name)) {
        of_containers.set(name, millis);
    }
    of_containers
}

fn millis(amount: &Value) -> u128 {
    quantity::milli(&text(amount)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(cpu: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu}}})
    }

    fn sidecar(cpu: &str) -> Value {
        json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": cpu}}})
    }

    fn requests(spec: Value) -> String {
        of_pod(&spec).to_string()
    }

    #[test]
    fn containers_add_up_and_the_largest_init_container_counts_if_it_needs_more() {
        let containers = [container("1"), container("500m")];
        assert_eq!(requests(json!({"containers": containers, "initContainers": [container("1")]})), "cpu 1.5");
        assert_eq!(requests(json!({"containers": containers, "initContainers": [container("2")]})), "cpu 2");
    }

    #[test]
    fn an_init_container_runs_beside_the_sidecars_before_it() {
        let with = |init: [Value; 2]| requests(json!({"containers": [container("1")], "initContainers": init}));
        assert_eq!(with([sidecar("1"), container("3")]), "cpu 4");
        assert_eq!(with([container("3"), sidecar("1")]), "cpu 3");
        assert_eq!(with([sidecar("1"), sidecar("1")]), "cpu 3");
    }

    #[test]
    fn a_limit_stands_for_a_missing_request() {
        let limits = json!({"cpu": "2", "memory": "1Gi"});
        let spec = json!({"containers": [{"resources": {"limits": limits, "requests": {"cpu": "1"}}}]});
        assert_eq!(requests(spec), "cpu 1, memory 1Gi");
    }

    #[test]
    fn resources_of_the_pod_replace_those_of_its_containers_and_overhead_is_added() {
        let spec = json!({
            "containers": [container("1")],
            "resources": {"requests": {"cpu": "4"}, "limits": {"cpu": "8", "memory": "2Gi"}},
            "overhead": {"cpu": "250m", "memory": "64Mi"},
        });
        assert_eq!(requests(spec), "cpu 4.25, memory 2Gi");
    }

    #[test]
    fn amounts_are_cut_and_not_rounded() {
        assert_eq!(display("cpu", 3_209), "3.2");
        assert_eq!(display("cpu", 5), "0");
        assert_eq!(display("memory", (7_u128 << 30) * 1000 + (200_u128 << 20) * 1000), "7.1Gi");
        assert_eq!(display("memory", (900_u128 << 20) * 1000), "900Mi");
        assert_eq!(display("ephemeral-storage", 12_000), "12");
    }
}
