//! Names and ports of the containers in an application's pods, for reading logs and reaching the Spark UI.

use k8s_openapi::api::core::v1::Pod;

use super::container::{self, Role};
use super::pod_status;
use crate::spark::labels;

/// Name of Spark's container in a driver's or an executor's pod.
pub fn spark_container(pod: &Pod) -> &str {
    let role = pod.metadata.labels.as_ref().and_then(|labels| labels.get(labels::ROLE));
    let is_executor = role.is_some_and(|role| role == Role::Executor.word());
    container::spark_name(pod, if is_executor { Role::Executor } else { Role::Driver })
}

/// The init container that failed, so that the pod's own containers were never started: its log has the cause.
pub fn failed_init(pod: &Pod) -> Option<&str> {
    let has_failed = pod_status::phase(pod) == Some("Failed");
    container::failed_init(pod).filter(|_| has_failed).map(|(name, _)| name)
}

/// The port of a driver's Spark UI.
pub fn ui_port(driver: &Pod) -> u16 {
    let container = container::spark_container(driver, container::Role::Driver);
    let ports = container.and_then(|container| container.ports.as_ref());
    let named = ports.into_iter().flatten().find(|port| port.name.as_deref() == Some("spark-ui"));
    named.and_then(|port| u16::try_from(port.container_port).ok()).unwrap_or(4040)
}
