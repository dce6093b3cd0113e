//! What schedulers report in a pod's conditions.

use k8s_openapi::api::core::v1::{Pod, PodCondition};
use k8s_openapi::jiff::Timestamp;

/// Names of the scheduling gates that keep schedulers from considering a pod.
pub(super) fn gates(pod: &Pod) -> impl Iterator<Item = &str> {
    let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
    gates.into_iter().flatten().map(|gate| gate.name.as_str())
}

pub(super) fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == type_)
}

pub(super) fn is_scheduled(pod: &Pod) -> bool {
    pod.spec.as_ref().is_some_and(|spec| spec.node_name.is_some())
}

pub(super) fn scheduled_at(pod: &Pod) -> Option<Timestamp> {
    let condition = condition(pod, "PodScheduled").filter(|condition| condition.status == "True")?;
    condition.last_transition_time.as_ref().map(|time| time.0)
}

/// Why a scheduler found no node, shortened; `None` if it has not tried, or has found one.
///
/// A pod whose gates have been removed keeps the reason `SchedulingGated` until a scheduler considers it.
pub(super) fn unschedulable(pod: &Pod) -> Option<String> {
    let condition = condition(pod, "PodScheduled")?;
    let tried = condition.status == "False" && condition.reason.as_deref() != Some("SchedulingGated");
    let message = condition.message.as_deref().unwrap_or("the scheduler gives no reason");
    (tried && !is_scheduled(pod)).then(|| shortened(message))
}

/// Shortens `0/4 nodes are available: 1 Insufficient cpu, 3 node(s) had untolerated taint {a: b}. preemption: …`
/// to `no node of 4 fits: 3 had untolerated taint {a: b}; 1 Insufficient cpu`, the most common reason first.
/// Any other message is cut after its first sentence.
fn shortened(message: &str) -> String {
    match blockers(message) {
        Some((nodes, blockers)) if !blockers.is_empty() => {
            let parts: Vec<String> = blockers.iter().map(|(count, why)| format!("{count} {why}")).collect();
            format!("no node of {nodes} fits: {}", parts.join("; "))
        }
        Some((0, _)) => "the cluster has no node".into(),
        _ => {
            let reason = message.split_once("nodes are available: ").map_or(message, |(_, reason)| reason);
            reason.split(". ").next().unwrap_or_default().trim().trim_end_matches('.').to_owned()
        }
    }
}

/// The number of nodes, and for each reason the number of nodes that it rules out.
fn blockers(message: &str) -> Option<(usize, Vec<(usize, String)>)> {
    // Volcano's wording, then kube-scheduler's.
    let (count, rest) =
        message.split_once(" nodes are unavailable").or_else(|| message.split_once(" nodes are available"))?;
    let nodes = count.rsplit_once('/')?.1.trim().parse().ok()?;
    // What else the scheduler tried follows: since Kubernetes 1.34, first the claims of devices.
    let rest = ["preemption:", "no new claims to deallocate"]
        .iter()
        .fold(rest.trim_start_matches(':'), |rest, other| rest.split(other).next().unwrap_or_default());
    let mut blockers: Vec<(usize, String)> = Vec::new();
    for part in rest.trim().trim_end_matches('.').split(", ") {
        let (count, why) = part.trim().split_once(' ').unwrap_or((part, ""));
        match (count.parse::<usize>(), blockers.last_mut()) {
            (Ok(count), _) => {
                blockers.push((count, why.strip_prefix("node(s) ").unwrap_or(why).to_owned()));
            }
            // A comma inside a reason.
            (Err(_), Some(last)) => last.1.push_str(&format!(", {}", part.trim())),
            (Err(_), None) => {}
        }
    }
    blockers.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
    Some((nodes, blockers))
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn lists_the_most_common_reason_first() {
        let message = "0/14 nodes are available: 2 Insufficient cpu, 12 node(s) had untolerated taint {a: b}. \
                       preemption: 0/14 nodes are available: 14 Preemption is not helpful for scheduling.";
        assert_eq!(shortened(message), "no node of 14 fits: 12 had untolerated taint {a: b}; 2 Insufficient cpu");
    }

    #[test]
    fn leaves_out_what_else_the_scheduler_tried() {
        let message = "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, \
                       preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.";
        assert_eq!(shortened(message), "no node of 2 fits: 2 Insufficient cpu");
    }

    #[test]
    fn understands_volcanos_wording() {
        let message = "0/2 nodes are unavailable: 2 node(s) didn't match Pod's node affinity/selector.";
        assert_eq!(shortened(message), "no node of 2 fits: 2 didn't match Pod's node affinity/selector");
    }

    #[test]
    fn keeps_a_comma_inside_a_reason() {
        let message = "0/2 nodes are available: 2 node(s) didn't match pod affinity, really.";
        assert_eq!(shortened(message), "no node of 2 fits: 2 didn't match pod affinity, really");
    }

    #[test]
    fn keeps_other_sentences() {
        assert_eq!(shortened("pod group is not ready, 1 Pending."), "pod group is not ready, 1 Pending");
    }
}
