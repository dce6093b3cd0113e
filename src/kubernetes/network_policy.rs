//! Which connections network policies allow.
//!
//! A policy of which a part is not known, such as the labels of another namespace, may allow a connection: only what is
//! certainly forbidden counts as forbidden.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::{items, selector};

/// From which side of a pod a connection is judged.
#[derive(Clone, Copy)]
pub enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    /// Keys of a policy's rules and of their peers, and its word in `policyTypes`.
    fn keys(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Direction::Ingress => ("ingress", "from", "Ingress"),
            Direction::Egress => ("egress", "to", "Egress"),
        }
    }
}

/// A port that others connect to.
pub struct Port {
    pub name: &'static str,
    pub number: i64,
    /// `TCP` or `UDP`.
    pub protocol: &'static str,
}

/// The policies that judge the connections of a pod in a direction. Without any, all connections are allowed.
///
/// Source: `NetworkPolicySpec` of `networking.k8s.io/v1`.
pub fn selecting<'a>(policies: &'a [Value], pod: &Pod, direction: Direction) -> Vec<&'a Value> {
    let (rules, _, kind) = direction.keys();
    let judges = |spec: &Value| match spec["policyTypes"].as_array() {
        Some(kinds) => kinds.iter().any(|one| one == kind),
        None => kind == "Ingress" || !spec[rules].is_null(),
    };
    let selects = |spec: &Value| selector::matches(&spec["podSelector"], |key| Some(label(pod, key)));
    policies.iter().filter(|policy| judges(&policy["spec"]) && selects(&policy["spec"])).collect()
}

/// Whether a policy may allow a connection with `peer`, or with anybody where there is none.
pub fn allows(policy: &Value, direction: Direction, port: &Port, peer: Option<&Pod>) -> bool {
    let (rules, peers, _) = direction.keys();
    items(&policy["spec"][rules]).any(|rule| {
        let ports = rule["ports"].as_array().filter(|ports| !ports.is_empty());
        let peers = rule[peers].as_array().filter(|peers| !peers.is_empty());
        ports.is_none_or(|ports| ports.iter().any(|allowed| has_port(allowed, port)))
            && peer.is_none_or(|pod| peers.is_none_or(|peers| peers.iter().any(|peer| is_peer(peer, pod))))
    })
}

fn has_port(allowed: &Value, port: &Port) -> bool {
    let is_protocol = allowed["protocol"].as_str().unwrap_or("TCP") == port.protocol;
    let is_port = match &allowed["port"] {
        Value::Null => true,
        Value::String(name) => name == port.name,
        number => number
            .as_i64()
            .is_some_and(|first| (first..=allowed["endPort"].as_i64().unwrap_or(first)).contains(&port.number)),
    };
    is_protocol && is_port
}

/// Whether a pod may be a peer of a rule. A peer is a pod of the policy's own namespace unless a namespace selector is
/// given; only the name of a namespace is known, not its labels.
fn is_peer(peer: &Value, pod: &Pod) -> bool {
    if let Some(cidr) = peer.pointer("/ipBlock/cidr").and_then(Value::as_str) {
        let Some(address) = pod_ip(pod) else { return true };
        return is_within(address, cidr)
            && !items(&peer["ipBlock"]["except"]).filter_map(Value::as_str).any(|cidr| is_within(address, cidr));
    }
    let namespace = pod.metadata.namespace.as_deref();
    let of_namespace = |key: &str| (key == "kubernetes.io/metadata.name").then_some(namespace);
    (peer["namespaceSelector"].is_null() || selector::matches(&peer["namespaceSelector"], of_namespace))
        && (peer["podSelector"].is_null() || selector::matches(&peer["podSelector"], |key| Some(label(pod, key))))
}

/// Whether an address is in a block such as `10.0.0.0/8`. An address or block that cannot be read counts as inside.
fn is_within(address: &str, cidr: &str) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32_u32),
        IpAddr::V6(address) => (u128::from(address), 128),
    };
    let read = || {
        let (block, length) = cidr.split_once('/')?;
        Some((address.parse().ok()?, block.parse().ok()?, length.parse::<u32>().ok()?))
    };
    let Some((address, block, length)) = read() else { return true };
    let ((address, width), (block, block_width)) = (bits(address), bits(block));
    let mask = u128::MAX.checked_shl(128 - length.min(width)).unwrap_or(0);
    width == block_width && address & mask == block & mask
}

/// The value of a pod's label.
pub fn label<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

/// The address of a pod, once it has one.
pub fn pod_ip(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref()
}

#[cfg(test)]
mod tests {
    use super::is_within;

    #[test]
    fn an_address_is_within_a_block_of_its_own_family() {
        assert!(is_within("10.1.2.3", "10.0.0.0/8"));
        assert!(!is_within("11.1.2.3", "10.0.0.0/8"));
        assert!(is_within("11.1.2.3", "0.0.0.0/0"));
        assert!(!is_within("fd00::1", "0.0.0.0/0"));
        assert!(is_within("fd00::1", "fd00::/64"));
        assert!(is_within("what", "10.0.0.0/8"));
    }
}
