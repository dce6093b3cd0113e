//! The failure of an executor.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;

use super::container::{self, Role};
use super::exit_code_meaning::exit_code_meaning;
use super::hint::memory;
use super::pod_status;
use crate::spark::Conf;

/// An executor that failed.
#[derive(Clone, Debug, PartialEq)]
pub struct ExecutorFailure {
    pub name: String,
    pub exit_code: Option<i32>,
    /// What happened, and what it means.
    pub reason: String,
    pub hint: Option<String>,
    pub at: Option<Timestamp>,
    /// Whether it ran out of memory.
    pub lacks_memory: bool,
}

/// How an executor failed, if it did. One that the driver deleted has not failed: after its pod is marked for deletion
/// it ends by SIGTERM (143) or SIGKILL (137).
pub(super) fn failure(pod: &Pod, settings: Option<&Conf>) -> Option<ExecutorFailure> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let is_deleted = pod.metadata.deletion_timestamp.is_some();
    let disruption = pod_status::disruption(pod);
    let Some(end) = container::terminated(pod, Role::Executor) else {
        let status = pod.status.as_ref()?;
        let failed = status.phase.as_deref() == Some("Failed");
        let reason = disruption.or_else(|| failed.then(|| pod_status::pod_reason(pod)).flatten())?;
        return Some(ExecutorFailure { name, exit_code: None, reason, hint: None, at: None, lacks_memory: false });
    };
    let at = end.finished_at.as_ref().map(|time| time.0);
    let killed = matches!(end.exit_code, 137 | 143);
    let oom = end.reason.as_deref() == Some("OOMKilled");
    if end.exit_code == 0 || (is_deleted && killed && !oom && disruption.is_none()) {
        return None;
    }
    let reason = disruption.unwrap_or_else(|| match memory::limit(pod, Role::Executor, settings) {
        Some(limit) if oom => format!("OOMKilled: out of memory at {limit}"),
        _ if oom => "OOMKilled: out of memory".into(),
        _ => exit_code_meaning(end.exit_code).unwrap_or("its process failed").into(),
    });
    let hint = match end.exit_code {
        52 => Some(memory::heap_full(pod, Role::Executor, settings)),
        56 => Some(
            "its heartbeats were lost: long garbage collections (raise executor.memory), or an overloaded driver"
                .into(),
        ),
        _ if container::lacks_memory(pod, Role::Executor) => Some(memory::killed(pod, Role::Executor, settings)),
        _ => None,
    };
    let lacks_memory = container::lacks_memory(pod, Role::Executor);
    Some(ExecutorFailure { name, exit_code: Some(end.exit_code), reason, hint, at, lacks_memory })
}
