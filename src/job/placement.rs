//! What decides on which nodes pods may run, looked through for what no API server takes. It would refuse the driver at its
//! creation, but executors only when the driver runs, and then again and again.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Job;
use super::role::RoleSpec;
use crate::diagnostic::{Problem, nearest};
use crate::kubernetes::names;

const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
const OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

/// Problems of selectors, affinities and tolerations. Paths begin with `spec`.
pub(super) fn problems(job: &Job) -> Vec<Problem> {
    let spec = &job.spec;
    let mut problems = labels("spec.nodeSelector", &spec.node_selector);
    for (word, role) in [("driver", &spec.driver.role), ("executor", &spec.executor.role)] {
        problems.extend(labels(&format!("spec.{word}.nodeSelector"), &role.node_selector));
        problems.extend(affinity(&format!("spec.{word}.affinity"), role));
        problems.extend(tolerations(&format!("spec.{word}.tolerations"), role));
    }
    problems
}

/// Labels as a pod or a node has them.
pub(super) fn labels(path: &str, labels: &BTreeMap<String, String>) -> Vec<Problem> {
    let wrong = |(key, value): (&String, &String)| {
        // A variable of Spark is replaced before it is a label.
        let value = if value.contains("{{APP_ID}}") { "" } else { value };
        let message = names::check_label_key(key).and(names::check_label_value(value)).err()?;
        Some(Problem::error(message).at_field(format!("{path}.{key}")))
    };
    labels.iter().filter_map(wrong).collect()
}

/// The terms of a node affinity, those that must hold and those that are preferred.
fn affinity(path: &str, role: &RoleSpec) -> Vec<Problem> {
    let Some(affinity) = &role.affinity else { return Vec::new() };
    let nodes = &affinity.json["nodeAffinity"];
    let path = format!("{path}.nodeAffinity");
    let must = "requiredDuringSchedulingIgnoredDuringExecution";
    let may = "preferredDuringSchedulingIgnoredDuringExecution";
    let required = list(&nodes[must]["nodeSelectorTerms"])
        .enumerate()
        .map(|(index, term)| (format!("{path}.{must}.nodeSelectorTerms[{index}]"), term));
    let preferred = list(&nodes[may])
        .enumerate()
        .map(|(index, weighed)| (format!("{path}.{may}[{index}].preference"), &weighed["preference"]));
    let expressions = required.chain(preferred).flat_map(|(path, term)| {
        let numbered = list(&term["matchExpressions"]).enumerate();
        numbered.map(move |(index, expression)| (format!("{path}.matchExpressions[{index}]"), expression))
    });
    expressions.flat_map(|(path, expression)| requirement(&path, expression)).collect()
}

/// One requirement on a node's label.
///
/// Source: `ValidateNodeSelectorRequirement` of Kubernetes.
fn requirement(path: &str, expression: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    let key = expression["key"].as_str().unwrap_or_default();
    problems.extend(names::check_label_key(key).err().map(|why| Problem::error(why).at_field(format!("{path}.key"))));
    let values: Vec<&str> = list(&expression["values"]).filter_map(Value::as_str).collect();
    let operator = expression["operator"].as_str().unwrap_or_default();
    let amount = match operator {
        "In" | "NotIn" if values.is_empty() => Some("at least one value"),
        "Exists" | "DoesNotExist" if !values.is_empty() => Some("no values"),
        "Gt" | "Lt" if values.len() != 1 => Some("a single value, a whole number"),
        _ => None,
    };
    if let Some(amount) = amount {
        problems.push(Problem::error(format!("operator {operator} takes {amount}")).at_field(format!("{path}.values")));
    }
    if !OPERATORS.contains(&operator) {
        problems.push(unknown(operator, &OPERATORS).at_field(format!("{path}.operator")));
    }
    for (index, value) in values.iter().enumerate() {
        let wrong = names::check_label_value(value).err();
        problems.extend(wrong.map(|why| Problem::error(why).at_field(format!("{path}.values[{index}]"))));
    }
    problems
}

/// Source: `ValidateTolerations` of Kubernetes.
fn tolerations(path: &str, role: &RoleSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (index, toleration) in role.tolerations.iter().enumerate() {
        let at = |field: &str| format!("{path}[{index}].{field}");
        let (key, operator) = (toleration.text("key"), toleration.text("operator"));
        let (value, effect) = (toleration.text("value"), toleration.text("effect"));
        match (key, operator) {
            ("", "Exists") => {}
            ("", _) => {
                let all = Problem::error("a toleration without a key is for all taints, and takes `operator: Exists`");
                problems.push(all.at_field(at("operator")));
            }
            _ => problems.extend(names::check_label_key(key).err().map(|why| Problem::error(why).at_field(at("key")))),
        }
        if operator == "Exists" && !value.is_empty() {
            problems.push(Problem::error("operator Exists takes no value").at_field(at("value")));
        }
        if !effect.is_empty() && !EFFECTS.contains(&effect) {
            problems.push(unknown(effect, &EFFECTS).at_field(at("effect")));
        }
    }
    problems
}

fn unknown(found: &str, words: &[&'static str]) -> Problem {
    let problem = Problem::error(format!("expected one of {}, found `{found}`", words.join(", ")));
    match nearest(found, words.iter().copied()) {
        Some(word) => problem.help(format!("did you mean `{word}`?")),
        None => problem,
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use crate::job::{self, Variables};

    /// The errors of a job with these lines in its executors' section, as `path: message`.
    fn errors(executor: &str) -> Vec<String> {
        let text = format!(
            "apiVersion: sparkoperator.k8s.io/v1beta2\nkind: SparkApplication\nmetadata: {{name: pi}}\nspec:\n  \
             {{type: Scala, sparkVersion: 4.1.4, image: a, mainClass: A, mainApplicationFile: local:///a.jar, executor: {{{executor}}}}}\n"
        );
        let (jobs, problems) = job::read(&text, &Variables::default());
        let checked = jobs.iter().flat_map(|job| job.check("default"));
        let all = problems.into_iter().chain(checked).filter(|problem| problem.is_error());
        all.map(|problem| format!("{}: {}", problem.path, problem.message)).collect()
    }

    fn required(expression: &str) -> String {
        format!(
            "affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: \
             [{{matchExpressions: [{expression}]}}]}}}}}}"
        )
    }

    #[test]
    fn what_no_api_server_takes_is_refused_before_a_driver_runs_in_vain() {
        for (executor, path, words) in [
            ("nodeSelector: {'ty pe': a}".to_owned(), "spec.executor.nodeSelector.ty pe", "not a label's key"),
            ("nodeSelector: {type: a b}".to_owned(), "spec.executor.nodeSelector.type", "not a label's value"),
            ("labels: {'a/b/c': d}".to_owned(), "spec.executor.labels.a/b/c", "not a label's key"),
            (required("{key: -a, operator: Exists}"), "matchExpressions[0].key", "not a label's key"),
            (required("{key: a, operator: In, values: [b c]}"), "matchExpressions[0].values[0]", "label's value"),
            (required("{key: a, operator: In}"), "matchExpressions[0].values", "takes at least one value"),
            (required("{key: a, operator: Exists, values: [b]}"), "matchExpressions[0].values", "takes no values"),
            (required("{key: a, operator: in, values: [b]}"), "matchExpressions[0].operator", "found `in`"),
            ("tolerations: [{operator: Equal}]".to_owned(), "tolerations[0].operator", "without a key"),
            ("tolerations: [{key: a, operator: Exists, value: b}]".to_owned(), "tolerations[0].value", "no value"),
            ("tolerations: [{key: a, effect: noschedule}]".to_owned(), "tolerations[0].effect", "found `noschedule`"),
        ] {
            let found = errors(&executor);
            let [error] = found.as_slice() else { panic!("{executor}: not one error, but {found:?}") };
            assert!(error.contains(path) && error.contains(words), "{executor}: {error}");
        }
    }

    #[test]
    fn what_an_api_server_takes_is_taken() {
        for executor in [
            "nodeSelector: {topology.kubernetes.io/zone: a_b.c-d, empty: ''}".to_owned(),
            "tolerations: [{operator: Exists}, {key: a, effect: NoExecute}, {key: example.com/b, value: c}]".to_owned(),
            "labels: {run: '{{APP_ID}}'}".to_owned(),
            required("{key: cores, operator: Gt, values: ['8']}, {key: a, operator: DoesNotExist}"),
        ] {
            assert_eq!(errors(&executor), [""; 0], "{executor}");
        }
    }
}
