//! Spark's own container among those of a pod.

use k8s_openapi::api::core::v1::{Container, ContainerStateTerminated, ContainerStatus, Pod};
use k8s_openapi::jiff::Timestamp;

pub(super) use crate::spark::Role;
use crate::spark::containers;

/// Spark's container: by name, because webhooks put sidecars before it; else, if a pod template renamed it, by its
/// first argument, the role that Spark's entrypoint takes; else the first.
pub(super) fn spark_container(pod: &Pod, role: Role) -> Option<&Container> {
    let containers = &pod.spec.as_ref()?.containers;
    let first_argument = |container: &Container| container.args.as_ref()?.first().cloned();
    containers
        .iter()
        .find(|container| container.name == containers::default_name(role))
        .or_else(|| containers.iter().find(|container| first_argument(container).as_deref() == Some(role.word())))
        .or_else(|| containers.first())
}

pub(super) fn spark_name(pod: &Pod, role: Role) -> &str {
    spark_container(pod, role).map_or(containers::default_name(role), |container| &container.name)
}

pub(super) fn spark_status(pod: &Pod, role: Role) -> Option<&ContainerStatus> {
    let name = spark_name(pod, role);
    pod.status.as_ref()?.container_statuses.as_ref()?.iter().find(|status| status.name == name)
}

pub(super) fn is_running(pod: &Pod, role: Role) -> bool {
    spark_status(pod, role).and_then(|status| status.state.as_ref()).is_some_and(|state| state.running.is_some())
}

pub(super) fn terminated(pod: &Pod, role: Role) -> Option<&ContainerStateTerminated> {
    spark_status(pod, role)?.state.as_ref()?.terminated.as_ref()
}

pub(super) fn started_at(pod: &Pod, role: Role) -> Option<Timestamp> {
    let state = spark_status(pod, role)?.state.as_ref()?;
    let running = state.running.as_ref().and_then(|running| running.started_at.as_ref());
    let terminated = state.terminated.as_ref().and_then(|end| end.started_at.as_ref());
    running.or(terminated).map(|time| time.0)
}

pub(super) fn finished_at(pod: &Pod, role: Role) -> Option<Timestamp> {
    terminated(pod, role)?.finished_at.as_ref().map(|time| time.0)
}

/// Statuses of the init containers, then of the others.
pub(super) fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|status| status.init_container_statuses.as_ref());
    let main = status.and_then(|status| status.container_statuses.as_ref());
    init.into_iter().chain(main).flatten()
}

/// The init container that failed, and its exit code: Spark's container is then never started.
pub fn failed_init(pod: &Pod) -> Option<(&str, i32)> {
    let init = pod.status.as_ref()?.init_container_statuses.as_ref()?;
    init.iter().find_map(|status| {
        let end = status.state.as_ref()?.terminated.as_ref().filter(|end| end.exit_code != 0)?;
        Some((status.name.as_str(), end.exit_code))
    })
}

/// Containers that keep running after Spark's has ended: sidecars that nothing stops.
pub(super) fn still_running(pod: &Pod, role: Role) -> Vec<&str> {
    let own = spark_status(pod, role).map(|status| &status.name);
    let main = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    main.into_iter()
        .flatten()
        .filter(|status| Some(&status.name) != own)
        .filter(|status| status.state.as_ref().is_some_and(|state| state.running.is_some()))
        .map(|status| status.name.as_str())
        .collect()
}

/// Whether Spark's container ran out of memory: killed at its limit, or out of heap.
///
/// If its first process is tini, as in Spark's images, a node with cgroup v1 does not record `OOMKilled`.
pub(super) fn lacks_memory(pod: &Pod, role: Role) -> bool {
    let is_deleted = pod.metadata.deletion_timestamp.is_some();
    terminated(pod, role).is_some_and(|end| {
        end.reason.as_deref() == Some("OOMKilled") || end.exit_code == 52 || (end.exit_code == 137 && !is_deleted)
    })
}

/// Memory limit of Spark's container as the pod states it, such as `1408Mi`.
pub(super) fn memory_limit(pod: &Pod, role: Role) -> Option<&str> {
    let limits = spark_container(pod, role)?.resources.as_ref()?.limits.as_ref()?;
    limits.get("memory").map(|quantity| quantity.0.as_str())
}
