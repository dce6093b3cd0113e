//! Whether there is a node for the driver, and one for its executors.

use serde_json::{Map, Value};

use super::{Check, Query, Responses};
use crate::manifests::Requirements;
use crate::state::{self, Fit};

const NODES: &str = "nodes";

pub(super) fn asks() -> Vec<Query> {
    vec![Query::get(NODES, "v1", "", "nodes", "")]
}

pub(super) fn checks(needs: &Requirements, facts: &Responses) -> Vec<Check> {
    let list = match facts.get(NODES) {
        Ok(list) => list,
        Err(unread) => return vec![unread.check(NODES)],
    };
    let nodes = list["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut checks = vec![check("driver's node", "driver", &needs.driver, &needs.of_driver, nodes)];
    if needs.executors > 0 {
        checks.push(check("executors' nodes", "executors", &needs.executor, &needs.of_executor, nodes));
    }
    checks
}

fn check(what: &str, role: &str, pod: &Value, request: &Map<String, Value>, nodes: &[Value]) -> Check {
    let asks = state::nodes::amounts(&Value::Object(request.clone()));
    let asked: Vec<String> = request.iter().map(|(name, amount)| format!("{name} {}", text(amount))).collect();
    match Fit::of(&pod["spec"], &asks, nodes, None) {
        Fit::NoNode => Check::failed(what, "the cluster has no node", "nodes may come with an autoscaler"),
        Fit::NoLabels { wanted, instead } => {
            let message = format!("none of {} nodes has {wanted}: {instead}", nodes.len());
            Check::failed(what, message, "compare with kubectl get nodes --show-labels, or have nodes labelled")
        }
        Fit::NotReady(count) => {
            let message = format!("none of the {count} nodes with its labels is ready and takes pods");
            Check::failed(what, message, "see why with: kubectl get nodes; a node that is cordoned takes none")
        }
        Fit::Tainted(count, taint) => {
            let message = format!("all {count} nodes with its labels have taints that it does not tolerate: {taint}");
            Check::failed(what, message, format!("add a toleration: --toleration {taint}, or {role}.tolerations"))
        }
        Fit::TooLarge(largest) | Fit::Full(largest) => {
            let message =
                format!("it asks for {}, and no empty node has that: the largest, {largest}", asked.join(", "));
            Check::failed(what, message, format!("make the {role} smaller, or aim at larger nodes"))
        }
        Fit::Fits(count) => {
            Check::passed(what, format!("{count} of {} nodes can take {}", nodes.len(), asked.join(", ")))
        }
    }
}

fn text(amount: &Value) -> String {
    amount.as_str().map_or_else(|| amount.to_string(), str::to_owned)
}
