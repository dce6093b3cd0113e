//! `${NAME}` and `${NAME:-default}` in the values of a job file.

use std::collections::BTreeMap;

use super::yaml::{Node, Value};
use crate::diagnostic::{Place, Problem};

/// Values of variables by name.
#[derive(Clone, Debug, Default)]
pub struct Variables(pub BTreeMap<String, String>);

impl Variables {
    /// Replaces the variables in all values, never in keys, and tells those without a value.
    /// What is put in is text: it is not read as YAML again.
    pub fn replace(&self, node: &mut Node) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.walk(node, "", &mut problems);
        problems
    }

    fn walk(&self, node: &mut Node, path: &str, problems: &mut Vec<Problem>) {
        let place = node.place;
        match &mut node.value {
            Value::Null => {}
            Value::Scalar(scalar) => {
                if scalar.text.contains("${") {
                    scalar.text = self.expand(&scalar.text, path, place, problems);
                }
            }
            Value::List(nodes) => {
                for (index, node) in nodes.iter_mut().enumerate() {
                    self.walk(node, &format!("{path}[{index}]"), problems);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.walk(&mut entry.node, &format!("{path}{dot}{}", entry.key), problems);
                }
            }
        }
    }

    fn expand(&self, text: &str, path: &str, place: Place, problems: &mut Vec<Problem>) -> String {
        let mut expanded = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let (before, variable) = rest.split_at(at);
            if let Some(before) = before.strip_suffix('$') {
                expanded.push_str(before);
                expanded.push_str("${");
                rest = &variable[2..];
                continue;
            }
            expanded.push_str(before);
            let Some((inner, after)) = variable[2..].split_once('}') else {
                expanded.push_str(variable);
                return expanded;
            };
            let (name, default) = match inner.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inner, None),
            };
            // Spark's own variables, `${spark.key}` and `${env:NAME}`, are not names.
            if !is_name(name) {
                expanded.push_str(&variable[..inner.len() + 3]);
            } else if let Some(value) = self.0.get(name).map(String::as_str).or(default) {
                expanded.push_str(value);
            } else {
                problems.push(
                    Problem::error(format!("the variable `{name}` has no value"))
                        .at_field(path)
                        .at(place)
                        .help(format!("give it by `--set {name}=…`, or a default by `${{{name}:-…}}`; `$${{{name}}}` is kept as `${{{name}}}`")),
                );
            }
            rest = after;
        }
        expanded + rest
    }
}

/// The text that is `text` once its variables are replaced.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, variable) = rest.split_at(at);
        escaped.push_str(before);
        // Spark's own, which nothing replaces, look better as they are.
        let inner = variable[2..].split_once('}').map_or("", |(inner, _)| inner);
        let sparks = ["spark.", "env:", "system:"].iter().any(|prefix| inner.starts_with(prefix));
        if before.ends_with('$') || !sparks || inner.contains("${") {
            escaped.push('$');
        }
        escaped.push_str("${");
        rest = &variable[2..];
    }
    escaped + rest
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::yaml::documents;

    fn replaced(source: &str) -> (serde_json::Value, Vec<String>) {
        let variables = Variables([("DAY".to_owned(), "2026: 1".to_owned())].into());
        let mut nodes = documents(source, &mut Vec::new()).unwrap();
        let problems = variables.replace(&mut nodes[0]);
        (nodes[0].json(), problems.iter().map(|problem| problem.text("f", "")).collect())
    }

    #[test]
    fn replaces_values_alone() {
        let (json, problems) =
            replaced("${DAY}: x-${DAY}-${N:-7}\nkeep: ['$${DAY}', '${spark.x}', '${env:HOME}', $(POD), '${']");
        assert_eq!(problems, [""; 0]);
        assert_eq!(
            json,
            serde_json::json!({"${DAY}": "x-2026: 1-7", "keep": ["${DAY}", "${spark.x}", "${env:HOME}", "$(POD)", "${"]})
        );
    }

    #[test]
    fn escapes_what_would_be_replaced() {
        for text in
            ["${DAY}", "$${DAY}", "$$${DAY:-x}", "${spark.x}-${DAY", "a ${${DAY}} b", "$", "${env:A}", "${spark.${X}}"]
        {
            let (json, problems) = replaced(&serde_json::json!([escaped(text)]).to_string());
            assert_eq!((json, problems), (serde_json::json!([text]), Vec::new()));
        }
        assert_eq!(escaped("${spark.x}"), "${spark.x}");
    }

    #[test]
    fn tells_what_has_no_value() {
        let (_, problems) = replaced("a:\n- ${NO}\n");
        assert_eq!(problems.len(), 1);
        assert!(problems[0].starts_with("error: f:2:3: a[0]: the variable `NO` has no value"), "{}", problems[0]);
    }
}
