//! In what an object that is there differs from one that would be sent.

use serde_json::Value;

use crate::kubernetes::quantity;
use crate::redaction::is_secret_like;

/// Longer values are cut.
const VALUE: usize = 80;
/// How many differences are listed at most.
const MOST: usize = 8;

/// What of `sent` is otherwise in `there`, each with `before_sent` before the value that was sent. What the server added is
/// no difference, nor is what tells one submission from another. Secrets are not shown.
pub fn between(there: &Value, sent: &Value, before_sent: &str) -> Vec<String> {
    if sent["kind"] == "Secret" {
        let is_same = there["data"] == sent["data"];
        return if is_same { Vec::new() } else { vec![format!("Secret {} has other data", sent["metadata"]["name"])] };
    }
    let mut differences = Vec::new();
    for part in ["/spec", "/data"] {
        if let Some(sent) = sent.pointer(part) {
            let there = there.pointer(part).unwrap_or(&Value::Null);
            differences.extend(compare(there, sent, &part[1..], before_sent));
        }
    }
    differences.truncate(MOST);
    differences
}

fn compare(there: &Value, sent: &Value, path: &str, before_sent: &str) -> Vec<String> {
    let inside = |there: &Value, sent: &Value, path: String| compare(there, sent, &path, before_sent);
    match (there, sent) {
        (_, sent) if is_nothing(sent) && is_nothing(there) => Vec::new(),
        (there, Value::Object(sent)) if sent.get("name").and_then(Value::as_str).is_some_and(is_secret_like) => {
            let is_same = there["value"] == sent.get("value").cloned().unwrap_or_default();
            if is_same { Vec::new() } else { vec![format!("{path}: the value of {} is another", sent["name"])] }
        }
        (Value::Object(there), Value::Object(sent)) => sent
            .iter()
            .filter(|(key, _)| !is_the_hold(key))
            .flat_map(|(key, sent)| inside(there.get(key).unwrap_or(&Value::Null), sent, format!("{path}.{key}")))
            .collect(),
        (Value::Array(there), Value::Array(sent)) if sent.iter().all(Value::is_object) => sent
            .iter()
            .enumerate()
            .flat_map(|(at, sent)| {
                let path = match sent.get("name") {
                    Some(name) => format!("{path}[{name}]"),
                    None => format!("{path}[{at}]"),
                };
                item(there, at, sent, |there| inside(there, sent, path.clone()))
            })
            .collect(),
        (Value::Array(there), Value::Array(sent)) if there.len() == sent.len() => {
            let pairs = there.iter().zip(sent).enumerate();
            pairs.flat_map(|(at, (there, sent))| inside(there, sent, format!("{path}[{at}]"))).collect()
        }
        (Value::String(there), Value::String(sent)) if there.contains('\n') || sent.contains('\n') => {
            lines(there, sent)
        }
        (there, sent) if there == sent || is_same_amount(path, there, sent) => Vec::new(),
        (there, sent) => vec![format!("{path} is {}, {before_sent} {}", short(there), short(sent))],
    }
}

/// The server and its webhooks add volumes, containers and tolerations, wherever they like. So an item is looked for among all
/// of its name, or all, and what is said of it if none is the same is said of the first of its name, or of that place.
fn item(there: &[Value], at: usize, sent: &Value, differences: impl Fn(&Value) -> Vec<String>) -> Vec<String> {
    let name = sent.get("name");
    let of_name = || there.iter().filter(|there| name.is_none() || there.get("name") == name);
    if of_name().any(|there| differences(there).is_empty()) {
        return Vec::new();
    }
    let nearest = if name.is_some() { of_name().next() } else { there.get(at) };
    differences(nearest.unwrap_or(&Value::Null))
}

/// The server writes amounts its own way: `2048Mi` becomes `2Gi`.
fn is_same_amount(path: &str, there: &Value, sent: &Value) -> bool {
    let is_amount = path.contains(".resources.") || path.contains(".minResources.") || path.ends_with(".sizeLimit");
    let amount = |value: &Value| match value {
        Value::String(text) => quantity::value(text),
        value => value.as_f64(),
    };
    is_amount && amount(there).is_some() && amount(there) == amount(sent)
}

/// A file's lines, wherever they are in it: settings are sorted.
fn lines(there: &str, sent: &str) -> Vec<String> {
    let is_in = |text: &str, line: &str| text.lines().any(|other| other == line);
    let gone =
        there.lines().filter(|line| !is_in(sent, line)).map(|line| format!("`{}` is not asked for now", shown(line)));
    let new = sent.lines().filter(|line| !is_in(there, line)).map(|line| format!("`{}` is asked for now", shown(line)));
    gone.chain(new).collect()
}

/// A line without the value of what is a secret by its name.
fn shown(line: &str) -> String {
    match line.split_once('=') {
        Some((key, _)) if is_secret_like(key) => format!("{key}=…"),
        _ => cut(line),
    }
}

fn is_the_hold(key: &str) -> bool {
    matches!(key, "schedulingGates" | "suspend")
}

/// The server leaves out what is empty.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(is_set) => !is_set,
        Value::Number(number) => number.as_f64() == Some(0.0),
    }
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "absent".to_owned(),
        value => cut(&value.to_string()),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::between;

    fn differences(there: &Value, sent: &Value) -> Vec<String> {
        between(there, sent, "and would be")
    }

    #[test]
    fn tells_what_is_otherwise_and_not_what_the_server_added() {
        let there = json!({"spec": {"image": "a:1", "dns": "ClusterFirst", "args": ["x", "1"], "tty": false}});
        let sent = json!({"spec": {"image": "a:2", "schedulingGates": [{"name": "x"}], "args": ["x", "2"], "more": {}, "stdin": false}});
        assert_eq!(
            differences(&there, &sent),
            [r#"spec.image is "a:1", and would be "a:2""#, r#"spec.args[1] is "1", and would be "2""#]
        );
    }

    #[test]
    fn what_was_added_to_a_list_is_no_difference_wherever_it_stands() {
        let sent = json!({"spec": {
            "tolerations": [{"key": "spark", "operator": "Exists"}],
            "volumeMounts": [{"name": "data", "mountPath": "/a"}, {"name": "data", "mountPath": "/b"}],
        }});
        let there = json!({"spec": {
            "tolerations": [{"key": "not-ready", "operator": "Exists"}, {"key": "spark", "operator": "Exists"}],
            "volumeMounts": [{"name": "data", "mountPath": "/b", "readOnly": true}, {"name": "data", "mountPath": "/a"}],
        }});
        assert!(differences(&there, &sent).is_empty(), "{:?}", differences(&there, &sent));
        let gone = json!({"spec": {"tolerations": [], "volumeMounts": [{"name": "data", "mountPath": "/a"}]}});
        assert_eq!(differences(&gone, &sent).len(), 2);
    }

    #[test]
    fn amounts_are_the_same_however_they_are_written() {
        let of = |memory: &str, cpu: Value| json!({"spec": {"resources": {"limits": {"memory": memory, "cpu": cpu}}}});
        assert!(differences(&of("2Gi", json!("1")), &of("2048Mi", json!(1))).is_empty());
        assert_eq!(
            differences(&of("2Gi", json!("1")), &of("2049Mi", json!("1"))),
            [r#"spec.resources.limits.memory is "2Gi", and would be "2049Mi""#]
        );
    }

    #[test]
    fn shows_no_secret() {
        let env = |value: &str| json!({"spec": {"env": [{"name": "DB_PASSWORD", "value": value}]}});
        let conf = |value: &str| json!({"data": {"x": format!("spark.hadoop.fs.s3a.secret.key={value}\n")}});
        let all =
            [differences(&env("hunter1"), &env("hunter2")), differences(&conf("hunter1"), &conf("hunter2"))].concat();
        assert_eq!(all.len(), 3);
        assert!(!all.concat().contains("hunter"), "{all:?}");
    }

    #[test]
    fn compares_files_by_their_lines() {
        let file = |text: &str| json!({"data": {"spark.properties": text}});
        assert_eq!(
            differences(&file("a=1\nb=2\n"), &file("a=1\nb=3\n")),
            ["`b=2` is not asked for now", "`b=3` is asked for now"]
        );
    }
}
