//! Brings two sets of objects to the same names, and compares them leaf by leaf.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::case::{Case, ID};
use crate::differences::{DIFFERENCES, Difference, What};

/// The leaves of an object, by path.
type Leaves = BTreeMap<Vec<String>, Value>;

/// The unintended differences.
pub fn objects(case: &Case, ours: &[Value]) -> Vec<String> {
    let uuid = [&ID[..8], &ID[8..12], &ID[12..16], &ID[16..20], &ID[20..]].join("-");
    let theirs = named(&case.objects, &[("<<APP_ID>>", "<app>"), ("<<LOCAL_DIR_UUID>>", "<uuid>")]);
    let ours = named(ours, &[(&format!("spark-{ID}"), "<app>"), (&uuid, "<uuid>")]);
    let mut complaints = Vec::new();
    for (role, theirs) in &theirs {
        match ours.get(role) {
            Some(ours) => complaints.extend(leaves_differ(role, &leaves(theirs), &leaves(ours))),
            None if is_meant(role, &[], &What::Theirs) => {}
            None => complaints.push(format!("{role} is missing")),
        }
    }
    if case.was_cut_short() {
        // What was not sent any more cannot be compared, nor can names in it.
        complaints.retain(|complaint| !complaint.contains("<<DRV_CM_ID>>"));
        return complaints;
    }
    for role in ours.keys().filter(|role| !theirs.contains_key(*role)) {
        if !is_meant(role, &[], &What::Ours) {
            complaints.push(format!("{role} is not Spark's"));
        }
    }
    complaints
}

fn leaves_differ(role: &str, theirs: &Leaves, ours: &Leaves) -> Vec<String> {
    let mut complaints = Vec::new();
    let mut complain = |path: &[String], what: What, message: String| {
        if !is_meant(role, path, &what) {
            complaints.push(format!("{role} {}: {message}", path.join(" › ")));
        }
    };
    for (path, value) in theirs {
        match ours.get(path) {
            Some(own) if own == value || has_travelled(value, own) => {}
            Some(own) => complain(path, What::Both, format!("Spark has {value}, sparkctl {own}")),
            None => complain(path, What::Theirs, format!("Spark has {value}, sparkctl nothing")),
        }
    }
    for (path, own) in ours.iter().filter(|(path, _)| !theirs.contains_key(*path)) {
        complain(path, What::Ours, format!("Spark has nothing, sparkctl {own}"));
    }
    complaints
}

/// Whether the two name the same files of this machine: Spark copies them to shared storage, to a directory each, and
/// names those before all others (until 3.1, those alone); we put them into a ConfigMap.
fn has_travelled(theirs: &Value, ours: &Value) -> bool {
    const OURS: &str = "file:///mnt/sparkctl/files/";
    let (theirs, ours) = (theirs.as_str().unwrap_or_default(), ours.as_str().unwrap_or_default());
    if !ours.contains(OURS) {
        return false;
    }
    // A jar that was copied is only among the jars; a script of R is not copied at all, and never found.
    if theirs == "spark-internal" || (theirs.ends_with(".R") && theirs.contains("<<CASE_DIR>>")) {
        return true;
    }
    let copied = |part: &str| {
        part.split_once("/spark-upload-")
            .and_then(|(_, rest)| rest.split_once('/'))
            .map_or_else(|| part.to_owned(), |(_, name)| format!("{OURS}{name}"))
    };
    let ours: Vec<&str> = ours.split(',').collect();
    theirs.contains("/spark-upload-") && theirs.split(',').map(copied).all(|part| ours.contains(&part.as_str()))
}

fn is_meant(role: &str, path: &[String], what: &What) -> bool {
    let part = |(pattern, part): (&str, &String)| match pattern.strip_suffix('*') {
        Some(beginning) => part.starts_with(beginning),
        None => pattern == part,
    };
    DIFFERENCES.iter().any(|Difference { role: of, path: pattern, what: meant, .. }| {
        let parts: Vec<&str> = pattern.split(" › ").filter(|part| !part.is_empty()).collect();
        (of.is_empty() || *of == role)
            && meant == what
            && match path.is_empty() {
                true => parts.is_empty(),
                false => !parts.is_empty() && parts.len() <= path.len() && parts.iter().copied().zip(path).all(part),
            }
    })
}

/// The objects by role, with names and IDs replaced by the role.
fn named(objects: &[Value], identities: &[(&str, &str)]) -> BTreeMap<String, Value> {
    let mut text = Value::from(objects.to_vec()).to_string();
    let volumes = objects.iter().flat_map(|object| object["spec"]["volumes"].as_array()).flatten();
    let claimed: BTreeMap<&str, &str> = volumes
        .filter_map(|volume| Some((volume["persistentVolumeClaim"]["claimName"].as_str()?, volume["name"].as_str()?)))
        .collect();
    let mut names: Vec<(String, String)> = Vec::new();
    for object in objects {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        // Spark numbers claims in the order of a hash map.
        let volume = claimed.get(name).map(|volume| format!("<PersistentVolumeClaim {volume}>"));
        names.push((name.to_owned(), volume.unwrap_or_else(|| format!("<{}>", role(object)))));
    }
    // The longest first: one name may be a prefix of another.
    names.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    for (name, role) in names {
        text = text.replace(&escaped(&name), &role);
    }
    for (identity, word) in identities {
        text = text.replace(identity, word);
    }
    let objects: Vec<Value> = serde_json::from_str(&text).unwrap();
    objects.into_iter().map(|object| (role(&object), object)).collect()
}

fn escaped(name: &str) -> String {
    let quoted = Value::from(name).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// The role of an object.
fn role(object: &Value) -> String {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let data = |key: &str| object["data"].get(key).is_some();
    let part = match kind {
        "ConfigMap" if data("spark.properties") => "properties",
        "ConfigMap" if data("podspec-configmap-key") => "template",
        "ConfigMap" if name.contains("krb5") => "krb5",
        "ConfigMap" if name.contains("hadoop") => "hadoop",
        "ConfigMap" if name.contains("files") => "files",
        "PersistentVolumeClaim" => name.strip_prefix("<PersistentVolumeClaim ").unwrap_or(name).trim_end_matches('>'),
        _ => "",
    };
    if part.is_empty() { kind.to_owned() } else { format!("{kind} {part}") }
}

fn leaves(object: &Value) -> Leaves {
    let mut leaves = Leaves::new();
    walk(object, &mut Vec::new(), &mut leaves);
    leaves
}

fn walk(value: &Value, path: &mut Vec<String>, leaves: &mut Leaves) {
    let last = path.last().map(String::as_str).unwrap_or_default();
    match value {
        Value::String(text) if last == "spark.properties" => {
            for (key, value) in properties(text) {
                path.push(key);
                leaves.insert(path.clone(), value.into());
                path.pop();
            }
        }
        // Libraries before that of Spark 3.4 write these even when they are empty.
        Value::Object(entries)
            if entries.is_empty() && ["labels", "annotations", "nodeSelector", "data"].contains(&last) => {}
        Value::Object(entries) if entries.is_empty() => {
            leaves.insert(path.clone(), value.clone());
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                path.push(key.clone());
                walk(value, path, leaves);
                path.pop();
            }
        }
        Value::Array(items) => {
            let by_name = ["env", "volumes", "volumeMounts", "items", "schedulingGates"].contains(&last);
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for (index, item) in items.iter().map(unshuffled).enumerate() {
                let name = item["name"].as_str().or(item["key"].as_str()).unwrap_or_default();
                path.push(match by_name {
                    true => {
                        let count = seen.entry(name.to_owned()).or_default();
                        *count += 1;
                        if *count == 1 { name.to_owned() } else { format!("{name} {count}") }
                    }
                    false => index.to_string(),
                });
                walk(&item, path, leaves);
                path.pop();
            }
        }
        leaf => {
            leaves.insert(path.clone(), leaf.clone());
        }
    }
}

/// An item of a list without the order of scratch directories, which Spark shuffles.
fn unshuffled(item: &Value) -> Value {
    let mut item = item.clone();
    if item["name"] == "SPARK_LOCAL_DIRS" {
        let mut paths: Vec<&str> = item["value"].as_str().unwrap_or_default().split(',').collect();
        paths.sort_unstable();
        item["value"] = paths.join(",").into();
    }
    if let (Some(name), Some(path)) = (item["name"].as_str(), item["mountPath"].as_str())
        && name.starts_with("spark-local-dir-")
    {
        item["name"] = format!("spark-local-dir-* at {path}").into();
    }
    item
}

/// The settings of a properties file as Java writes it: one per line, without continuation lines.
fn properties(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let (mut key, mut value, mut in_value) = (String::new(), String::new(), false);
            let mut chars = line.chars();
            while let Some(c) = chars.next() {
                let c = match c {
                    '\\' => match chars.next() {
                        Some('t') => '\t',
                        Some('n') => '\n',
                        Some('r') => '\r',
                        Some('f') => '\u{c}',
                        other => other.unwrap_or('\\'),
                    },
                    '=' if !in_value => {
                        in_value = true;
                        continue;
                    }
                    c => c,
                };
                if in_value { &mut value } else { &mut key }.push(c);
            }
            (key, value)
        })
        .collect()
}
