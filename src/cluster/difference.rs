//! In what an object that is there differs from one that would be sent.

use serde_json::Value;

use crate::spark::secrets::is_secret_like;

/// Longer values are cut.
const VALUE: usize = 80;
/// More differences are not told.
const MOST: usize = 8;

/// Adds what of `sent` is otherwise in `there`. What the server added is no difference, nor is what tells
/// one submission from another. Secrets are not shown.
pub(super) fn between(there: &Value, sent: &Value, differences: &mut Vec<String>) {
    if sent["kind"] == "Secret" {
        if there["data"] != sent["data"] {
            differences.push(format!("Secret {} has other data", sent["metadata"]["name"]));
        }
        return;
    }
    for part in ["/spec", "/data"] {
        if let Some(sent) = sent.pointer(part) {
            compare(there.pointer(part).unwrap_or(&Value::Null), sent, &part[1..], differences);
        }
    }
    differences.truncate(MOST);
}

fn compare(there: &Value, sent: &Value, path: &str, differences: &mut Vec<String>) {
    match (there, sent) {
        (_, sent) if is_nothing(sent) && is_nothing(there) => {}
        (there, Value::Object(sent)) if sent.get("name").and_then(Value::as_str).is_some_and(is_secret_like) => {
            if there["value"] != sent.get("value").cloned().unwrap_or_default() {
                differences.push(format!("{path}: the value of {} is another", sent["name"]));
            }
        }
        (Value::Object(there), Value::Object(sent)) => {
            for (key, sent) in sent.iter().filter(|(key, _)| !is_the_hold(key)) {
                compare(there.get(key).unwrap_or(&Value::Null), sent, &format!("{path}.{key}"), differences);
            }
        }
        // What has names is found by them: the server and its webhooks add volumes and containers.
        (Value::Array(there), Value::Array(sent)) if sent.iter().all(|item| item.get("name").is_some()) => {
            for sent in sent {
                let same = there.iter().find(|there| there.get("name") == sent.get("name"));
                compare(same.unwrap_or(&Value::Null), sent, &format!("{path}[{}]", sent["name"]), differences);
            }
        }
        (Value::Array(there), Value::Array(sent)) if there.len() == sent.len() => {
            let pairs = there.iter().zip(sent).enumerate();
            pairs.for_each(|(at, (there, sent))| compare(there, sent, &format!("{path}[{at}]"), differences));
        }
        (Value::String(there), Value::String(sent)) if there.contains('\n') || sent.contains('\n') => {
            lines(there, sent, differences);
        }
        (there, sent) if there == sent => {}
        (there, sent) => differences.push(format!("{path} is {}, and would be {}", short(there), short(sent))),
    }
}

/// A file's lines, wherever they are in it: settings are sorted.
fn lines(there: &str, sent: &str, differences: &mut Vec<String>) {
    let is_in = |text: &str, line: &str| text.lines().any(|other| other == line);
    let gone =
        there.lines().filter(|line| !is_in(sent, line)).map(|line| format!("`{}` is not asked for now", shown(line)));
    let new = sent.lines().filter(|line| !is_in(there, line)).map(|line| format!("`{}` is asked for now", shown(line)));
    differences.extend(gone.chain(new));
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
        Value::Bool(_) | Value::Number(_) => false,
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
    use serde_json::json;

    use super::between;

    #[test]
    fn tells_what_is_otherwise_and_not_what_the_server_added() {
        let there = json!({"spec": {"image": "a:1", "dns": "ClusterFirst", "args": ["x", "1"]}});
        let sent =
            json!({"spec": {"image": "a:2", "schedulingGates": [{"name": "x"}], "args": ["x", "2"], "more": {}}});
        let mut differences = Vec::new();
        between(&there, &sent, &mut differences);
        assert_eq!(
            differences,
            [r#"spec.image is "a:1", and would be "a:2""#, r#"spec.args[1] is "1", and would be "2""#,]
        );
    }

    #[test]
    fn shows_no_secret() {
        let env = |value: &str| json!({"spec": {"env": [{"name": "DB_PASSWORD", "value": value}]}});
        let conf = |value: &str| json!({"data": {"x": format!("spark.hadoop.fs.s3a.secret.key={value}\n")}});
        let mut differences = Vec::new();
        between(&env("hunter1"), &env("hunter2"), &mut differences);
        between(&conf("hunter1"), &conf("hunter2"), &mut differences);
        assert_eq!(differences.len(), 3);
        assert!(!differences.concat().contains("hunter"), "{differences:?}");
    }

    #[test]
    fn compares_files_by_their_lines() {
        let file = |text: &str| json!({"data": {"spark.properties": text}});
        let mut differences = Vec::new();
        between(&file("a=1\nb=2\n"), &file("a=1\nb=3\n"), &mut differences);
        assert_eq!(differences, ["`b=2` is not asked for now", "`b=3` is asked for now"]);
    }
}
