//! Executors that have failed, and what was seen between them and their driver.

use super::recorded::{objects, recorded};
use super::*;
use crate::spark::Conf;
use crate::state::{DriverService, LookupResult, Reachability, service_of};

fn of_kind(kind: &str) -> Vec<Value> {
    objects("way").0.into_iter().filter(|object| object["kind"] == kind).collect()
}

/// A door that leads to the driver.
fn door() -> DriverService {
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

/// What is hinted of the executor that failed when the way was so.
fn told(door: Option<DriverService>, policies: Vec<Value>) -> Option<String> {
    let (mut observed, now) = recorded("door");
    observed.evidence.take(LookupResult::Reachability(Reachability { service: door, policies: Some(policies) }));
    let executors = State::of(&observed, &Limits::at(now)).executors;
    assert_eq!(executors.cut_off, executors.hint);
    executors.hint
}

#[test]
fn a_service_that_does_not_lead_to_the_driver_is_told() {
    assert_eq!(told(Some(door()), Vec::new()), None);
    let says = |door: DriverService| told(Some(door), Vec::new()).unwrap_or_default();
    let gone = DriverService { service: None, endpoints: None, ..door() };
    assert_eq!(
        says(gone),
        "executors do not find their driver: its Service door-b7750c4d-driver-svc is not there: was it deleted? Submit the application again"
    );
    let mut other = door();
    other.service.as_mut().unwrap()["spec"]["selector"]["spark-role"] = "drivers".into();
    assert!(says(other).ends_with("selects pods with spark-role=drivers, and the driver's pod has spark-role=driver"));
    let mut other = door();
    other.service.as_mut().unwrap()["spec"]["selector"]["team"] = "a".into();
    assert!(says(other).ends_with("selects pods with team=a, and the driver's pod has no such label"));
    let none = DriverService { endpoints: door().endpoints.map(|(_, driver)| (Vec::new(), driver)), ..door() };
    assert!(says(none).contains("has no endpoint at the driver's address 198.18.130.138"));
    let (mut seen, _) = objects("unready");
    let driver = serde_json::from_value(seen.pop().unwrap()).unwrap();
    let unready = DriverService { endpoints: Some((seen, Box::new(driver))), ..door() };
    assert!(says(unready).contains("the driver's is not (container spark-kubernetes-driver)"));
}

#[test]
fn an_ended_driver_has_no_endpoint_and_a_service_unread_is_not_spoken_of() {
    let mut driver = ended(1, "Error");
    driver.metadata = recorded("door").0.driver.unwrap().metadata;
    driver.status.as_mut().unwrap().pod_ip = Some("198.18.130.138".into());
    let over = DriverService { endpoints: Some((Vec::new(), Box::new(driver))), ..door() };
    assert_eq!(told(Some(over), Vec::new()), None);
    assert_eq!(told(Some(DriverService { endpoints: None, ..door() }), Vec::new()), None);
    assert_eq!(told(None, Vec::new()), None);
}

#[test]
fn policies_that_keep_executors_from_the_driver_are_named() {
    let says = |names: &[&str]| told(Some(door()), policies(names));
    assert_eq!(
        says(&["drivers-closed"]).unwrap(),
        "executors do not reach their driver: NetworkPolicy drivers-closed lets no executor in to its port 7078, 7079"
    );
    assert_eq!(says(&["drivers-closed", "drivers-open"]), None);
    assert_eq!(
        says(&["executors-fenced"]).unwrap(),
        "executors do not find their driver: NetworkPolicy executors-fenced lets no executor out to the cluster's DNS (port 53 of UDP)"
    );
    assert_eq!(says(&["executors-fenced", "dns"]), None);
    assert_eq!(
        says(&["dns"]).unwrap(),
        "executors do not reach their driver: NetworkPolicy dns lets no executor out to its port 7078, 7079"
    );
    // By an address there is no name to find.
    assert_eq!(told(None, policies(&["executors-fenced"])), None);
}

#[test]
fn a_policy_is_not_suspected_for_what_is_not_known() {
    let allowing = |peer: Value| {
        let mut policy = policies(&["drivers-open"]).remove(0);
        policy["spec"]["ingress"] = json!([{"from": [peer]}]);
        told(None, vec![policy]).is_none()
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
fn a_driver_is_found_by_the_host_that_it_gives() {
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
