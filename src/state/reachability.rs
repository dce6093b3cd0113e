//! Whether executors can find and reach their driver: its Service, the Service's endpoints, and network policies.
//!
//! Reports only what is certainly wrong. Whether a policy is enforced depends on the cluster's network.

use k8s_openapi::api::core::v1::Pod;
use serde_json::Value;

use super::container::{self, Role};
use crate::kubernetes::items;
use crate::kubernetes::network_policy::{Direction, Port, allows, label, pod_ip, selecting};
use crate::spark::Conf;

/// What was looked up after an executor failed; `None` for what may not be read.
#[derive(Clone, Debug, Default)]
pub struct Reachability {
    pub service: Option<DriverService>,
    /// The network policies of the namespace.
    pub policies: Option<Vec<Value>>,
}

/// The Service by whose name executors find their driver.
#[derive(Clone, Debug)]
pub struct DriverService {
    pub name: String,
    /// The Service; `None` if it does not exist.
    pub service: Option<Value>,
    /// Its EndpointSlices, and the driver's pod as read after them: an ended driver has no endpoint.
    pub endpoints: Option<(Vec<Value>, Box<Pod>)>,
}

/// Name of the Service that the driver gives to its executors as its host; `None` if the host is an address.
pub fn service_of(driver: &Pod, settings: Option<&Conf>) -> Option<String> {
    const KEY: &str = "spark.driver.host";
    let arguments = container::spark_container(driver, Role::Driver)?.args.iter().flatten();
    let by_argument = arguments.filter_map(|argument| argument.strip_prefix(KEY)?.strip_prefix('=')).next_back();
    let host = by_argument.or_else(|| settings?.given(KEY))?;
    let (name, rest) = host.split_once('.')?;
    let namespace = driver.metadata.namespace.as_deref()?;
    let is_service = rest.strip_prefix(namespace).is_some_and(|rest| rest.starts_with(".svc"));
    is_service.then(|| name.to_owned())
}

/// What kept this failed executor from reaching its driver.
pub(super) fn cut_off(driver: &Pod, executor: &Pod, reachability: &Reachability) -> Option<String> {
    let service = reachability.service.as_ref();
    let by_policies = || policies(driver, executor, reachability.policies.as_deref()?, service.is_some());
    service.and_then(|service| service_problem(service, driver)).or_else(by_policies)
}

fn service_problem(of_driver: &DriverService, driver: &Pod) -> Option<String> {
    let name = &of_driver.name;
    let problem = |what: String| Some(format!("executors cannot find their driver: {what}"));
    let Some(service) = &of_driver.service else {
        return problem(format!("its Service {name} does not exist: if it was deleted, submit the application again"));
    };
    let wants = service.pointer("/spec/selector").and_then(Value::as_object);
    for (key, wanted) in wants.into_iter().flatten() {
        let wanted = wanted.as_str().unwrap_or_default();
        let has = label(driver, key);
        if has != Some(wanted) {
            let has = has.map_or_else(|| "has no such label".to_owned(), |has| format!("has {key}={has}"));
            return problem(format!("its Service {name} selects pods with {key}={wanted}, and the driver's pod {has}"));
        }
    }
    let (slices, driver) = of_driver.endpoints.as_ref()?;
    if !container::is_running(driver, Role::Driver) || driver.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let address = pod_ip(driver)?;
    let endpoints = slices.iter().flat_map(|slice| items(&slice["endpoints"]));
    let mut of_driver = endpoints.filter(|endpoint| items(&endpoint["addresses"]).any(|one| one == address)).peekable();
    if of_driver.peek().is_none() {
        return problem(format!(
            "its Service {name} has no endpoint at the driver's address {address}: the cluster should create EndpointSlices for it: ask the cluster's administrator"
        ));
    }
    // By the API's definition an absent condition counts as ready.
    match of_driver.any(|endpoint| endpoint["conditions"]["ready"] != false) {
        true => None,
        false => problem(format!(
            "its Service {name} leaves out pods that are not ready, and the driver's pod is not ready{}: see its readiness probes and gates",
            unready(driver)
        )),
    }
}

/// The containers that keep a pod from being ready.
fn unready(pod: &Pod) -> String {
    let unready: Vec<&str> =
        container::statuses(pod).filter(|status| !status.ready).map(|status| status.name.as_str()).collect();
    if unready.is_empty() { String::new() } else { format!(" (container {})", unready.join(", ")) }
}

fn policies(driver: &Pod, executor: &Pod, all: &[Value], by_name: bool) -> Option<String> {
    let ports = ["driver-rpc-port", "blockmanager"].map(|name| port(driver, name));
    let directions = [(driver, executor, Direction::Ingress), (executor, driver, Direction::Egress)];
    for (pod, peer, direction) in directions {
        let selecting = selecting(all, pod, direction);
        let is_shut = |port: &Port| !selecting.iter().any(|policy| allows(policy, direction, port, Some(peer)));
        let shut: Vec<String> = ports.iter().filter(|port| is_shut(port)).map(|port| port.number.to_string()).collect();
        if !selecting.is_empty() && !shut.is_empty() {
            return Some(format!(
                "executors cannot reach their driver: {} {} port {}",
                allow(&selecting),
                match direction {
                    Direction::Ingress => "no ingress from executors to its",
                    Direction::Egress => "executors no egress to its",
                },
                shut.join(", "),
            ));
        }
    }
    let selecting = selecting(all, executor, Direction::Egress);
    let dns = Port { name: "dns", number: 53, protocol: "UDP" };
    let is_shut = !selecting.iter().any(|policy| allows(policy, Direction::Egress, &dns, None));
    (by_name && !selecting.is_empty() && is_shut).then(|| {
        format!(
            "executors cannot find their driver: {} executors no egress to the cluster's DNS (UDP port 53)",
            allow(&selecting)
        )
    })
}

/// `NetworkPolicy a allows`.
fn allow(policies: &[&Value]) -> String {
    let names: Vec<&str> = policies.iter().filter_map(|policy| policy["metadata"]["name"].as_str()).collect();
    match names.len() {
        1 => format!("NetworkPolicy {} allows", names[0]),
        _ => format!("NetworkPolicies {} allow", names.join(", ")),
    }
}

/// The driver's port with this name, or Spark's default if its container declares none.
fn port(driver: &Pod, name: &'static str) -> Port {
    let ports = container::spark_container(driver, Role::Driver).and_then(|container| container.ports.as_ref());
    let named = ports.into_iter().flatten().find(|port| port.name.as_deref() == Some(name));
    let default = if name == "blockmanager" { 7079 } else { 7078 };
    Port { name, number: named.map_or(default, |port| port.container_port.into()), protocol: "TCP" }
}
