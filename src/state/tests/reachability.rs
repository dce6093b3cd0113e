//! Failed executors, and what kept them from reaching their driver.

use super::recorded::{objects, recorded};
use super::*;
use crate::spark::Conf;
use crate::state::{DriverService, LookupResult, Reachability, service_of};

fn of_kind(kind: &str) -> Vec<Value> {
    objects("way").0.into_iter().filter(|object| object["kind"] == kind).collect()
}

/// A service that leads to the driver.
fn working_service() -> DriverService {
    let driver = recorded("door").0.driver.unwrap();
    let service = of_kind("Service").remove(0);
    DriverService {
        name: service["metadata"]["name"].as_str().unwrap().to_owned(),
        service: Some(service),
        endpoints: Some((of_kind("EndpointSlice"), Box::new(driver))),
    }
}

fn policies(names: &[&str]) -> Vec<Value> {
    of_kind("NetworkPolicy")
        .into_iter()
        .filter(|one| names.iter().any(|name| one["metadata"]["name"] == *name))
        .collect()
}

/// The hint on the failed executor, given this service and these policies.
fn hint(service: Option<DriverService>, policies: Vec<Value>) -> Option<String> {
    let (mut observed, now) = recorded("door");
    observed.evidence.take(LookupResult::Reachability(Reachability { service, policies: Some(policies) }));
    let executors = State::of(&observed, &Limits::at(now)).executors;
    assert_eq!(executors.cut_off, executors.hint);
    executors.hint
}

#[test]
fn a_service_that_does_not_lead_to_the_driver_is_reported() {
    assert_eq!(hint(Some(working_service()), Vec::new()), None);
    let hint_on = |service: DriverService| hint(Some(service), Vec::new()).unwrap_or_default();
    let gone = DriverService { service: None, endpoints: None, ..working_service() };
    assert_eq!(
        hint_on(gone),
        "executors cannot find their driver: its Service door-b7750c4d-driver-svc does not exist: if it was deleted, submit the application again"
    );
    let mut other = working_service();
    other.service.as_mut().unwrap()["spec"]["selector"]["spark-role"] = "drivers".into();
    assert!(
        hint_on(other).ends_with("selects pods with spark-role=drivers, and the driver's pod has spark-role=driver")
    );
    let mut other = working_service();
    other.service.as_mut().unwrap()["spec"]["selector"]["team"] = "a".into();
    assert!(hint_on(other).ends_with("selects pods with team=a, and the driver's pod has no such label"));
    let none = DriverService {
        endpoints: working_service().endpoints.map(|(_, driver)| (Vec::new(), driver)),
        ..working_service()
    };
    assert!(hint_on(none).contains("has no endpoint at the driver's address 198.18.130.138"));
    let (mut seen, _) = objects("unready");
    let driver = serde_json::from_value(seen.pop().unwrap()).unwrap();
    let unready = DriverService { endpoints: Some((seen, Box::new(driver))), ..working_service() };
    assert!(hint_on(unready).contains("the driver's pod is not ready (container spark-kubernetes-driver)"));
}

#[test]
fn an_ended_driver_and_an_unread_service_are_not_reported() {
    let mut driver = ended(1, "Error");
    driver.metadata = recorded("door").0.driver.unwrap().metadata;
    driver.status.as_mut().unwrap().pod_ip = Some("198.18.130.138".into());
    let over = DriverService { endpoints: Some((Vec::new(), Box::new(driver))), ..working_service() };
    assert_eq!(hint(Some(over), Vec::new()), None);
    assert_eq!(hint(Some(DriverService { endpoints: None, ..working_service() }), Vec::new()), None);
    assert_eq!(hint(None, Vec::new()), None);
}

#[test]
fn policies_that_block_executors_are_named() {
    let hint_on = |names: &[&str]| hint(Some(working_service()), policies(names));
    assert_eq!(
        hint_on(&["drivers-closed"]).unwrap(),
        "executors cannot reach their driver: NetworkPolicy drivers-closed allows no ingress from executors to its port 7078, 7079"
    );
    assert_eq!(hint_on(&["drivers-closed", "drivers-open"]), None);
    assert_eq!(
        hint_on(&["executors-fenced"]).unwrap(),
        "executors cannot find their driver: NetworkPolicy executors-fenced allows executors no egress to the cluster's DNS (UDP port 53)"
    );
    assert_eq!(hint_on(&["executors-fenced", "dns"]), None);
    assert_eq!(
        hint_on(&["dns"]).unwrap(),
        "executors cannot reach their driver: NetworkPolicy dns allows executors no egress to its port 7078, 7079"
    );
    // An address needs no name resolution.
    assert_eq!(hint(None, policies(&["executors-fenced"])), None);
}

#[test]
fn a_policy_is_not_blamed_for_what_is_unknown() {
    let allowing = |peer: Value| {
        let mut policy = policies(&["drivers-open"]).remove(0);
        policy["spec"]["ingress"] = json!([{"from": [peer]}]);
        hint(None, vec![policy]).is_none()
    };
    let by_name = |name: &str| json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}});
    assert!(allowing(by_name("rec-door")) && !allowing(by_name("other")));
    assert!(allowing(json!({"namespaceSelector": {"matchLabels": {"team": "a"}}})));
    assert!(!allowing(json!({"namespaceSelector": {}, "podSelector": {"matchLabels": {"spark-role": "driver"}}})));
    let block = |cidr: &str, except: &str| json!({"ipBlock": {"cidr": cidr, "except": [except]}});
    assert!(allowing(block("198.18.0.0/15", "198.18.0.0/17")) && !allowing(block("198.18.0.0/15", "198.18.192.0/18")));
    assert!(!allowing(block("10.0.0.0/8", "10.1.0.0/16")) && allowing(block("0.0.0.0/0", "fd00::/8")));
    let expression = |operator: &str, values: Value| json!({"podSelector": {"matchExpressions": [{"key": "spark-role", "operator": operator, "values": values}]}});
    assert!(allowing(expression("NotIn", json!(["driver"]))) && !allowing(expression("DoesNotExist", json!([]))));
}

#[test]
fn a_service_is_found_by_the_drivers_host() {
    let mut driver = recorded("door").0.driver.unwrap();
    let conf = |host: &str| Conf::from_iter([("spark.driver.host".to_owned(), host.to_owned())]);
    let service = |driver: &Pod, host: &str| service_of(driver, Some(&conf(host)));
    assert_eq!(service(&driver, "pi-svc.rec-door.svc").as_deref(), Some("pi-svc"));
    assert_eq!(service(&driver, "pi-svc.rec-door.svc.cluster.local").as_deref(), Some("pi-svc"));
    assert_eq!(service(&driver, "pi.example.org"), None);
    assert_eq!(service_of(&driver, None), None);
    let arguments = driver.spec.as_mut().unwrap().containers[0].args.as_mut().unwrap();
    arguments.extend(["--conf".to_owned(), "spark.driver.host=$(SPARK_DRIVER_BIND_ADDRESS)".to_owned()]);
    assert_eq!(service(&driver, "pi-svc.rec-door.svc"), None);
}
