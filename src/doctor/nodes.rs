//! Whether the driver and its executors fit a node.

use serde_json::{Map, Value};

use super::check::Check;
use super::query::{Query, Responses};
use crate::kubernetes::node_fit::Fit;
use crate::kubernetes::requests::Amounts;
use crate::kubernetes::text;
use crate::manifests::Requirements;
use crate::spark::Role;

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
    let mut checks = vec![check("driver's node", Role::Driver, &needs.driver, &needs.of_driver, nodes)];
    if needs.executors > 0 {
        checks.push(check("executors' nodes", Role::Executor, &needs.executor, &needs.of_executor, nodes));
    }
    checks
}

fn check(what: &str, role: Role, pod: &Value, request: &Map<String, Value>, nodes: &[Value]) -> Check {
    let requested: Vec<String> = request.iter().map(|(name, amount)| format!("{name} {}", text(amount))).collect();
    let requested = requested.join(", ");
    let fit = Fit::of(&pod["spec"], &Amounts::of_list(&Value::Object(request.clone())), nodes, None);
    match (&fit, fit.problem(role.word(), &requested)) {
        (_, Some((message, remedy))) => Check::failed(what, message, remedy),
        (Fit::Fits(count), None) => {
            Check::passed(what, format!("{count} of {} nodes can take {requested}", nodes.len()))
        }
        (_, None) => Check::passed(what, requested),
    }
}
