//! What a job file can say: every field, what it means, and what it becomes.

use serde_json::{Value, json};

use super::schedule::Schedule;
use super::schema::{Field, Kind, Section};
use super::spec::Spec;
use super::{API_VERSION, KINDS, Metadata};
use crate::diagnostic::nearest;

/// A field with its whole path: `spec.driver.memory`, lists marked by `[]`, mappings by `.KEY`.
#[derive(Clone, Debug)]
pub struct Entry {
    pub path: String,
    pub field: Field,
}

/// All fields of a `SparkApplication` in the order of the sections, inner ones behind outer ones.
pub fn fields() -> Vec<Entry> {
    let mut entries = Vec::new();
    collect("metadata", Metadata::fields(), &mut entries);
    collect("spec", Spec::fields(), &mut entries);
    entries
}

/// The fields that a `ScheduledSparkApplication` has beside those of its template.
pub fn schedule_fields() -> Vec<Entry> {
    let mut entries = Vec::new();
    let own = Schedule::fields().into_iter().filter(|field| field.key != "template");
    collect("spec", own.collect(), &mut entries);
    entries
}

/// The fields of both kinds, those of a schedule last.
pub fn all_fields() -> Vec<Entry> {
    fields().into_iter().chain(schedule_fields()).collect()
}

fn collect(path: &str, fields: Vec<Field>, entries: &mut Vec<Entry>) {
    for field in fields {
        let path = format!("{path}.{}", field.key);
        let inner = inner(&field.kind, &path);
        entries.push(Entry { path, field });
        if let Some((path, fields)) = inner {
            collect(&path, fields, entries);
        }
    }
}

/// The fields of a section, of a list of sections, or of a mapping of them.
fn inner(kind: &Kind, path: &str) -> Option<(String, Vec<Field>)> {
    match kind {
        Kind::Section(fields) => Some((path.to_owned(), fields())),
        Kind::List(kind) => inner(kind, &format!("{path}[]")),
        Kind::Map(kind) => inner(kind, &format!("{path}.KEY")),
        _ => None,
    }
}

impl Entry {
    /// What the field becomes, in this place.
    pub fn becomes(&self) -> String {
        let role = if self.path.starts_with("spec.driver.") { "driver" } else { "executor" };
        self.field
            .becomes
            .split("; ")
            .filter_map(|part| match part.split_once(": ") {
                Some((word @ ("driver" | "executor"), rest)) => {
                    (word == role || !self.path.starts_with("spec.")).then(|| rest.to_owned())
                }
                _ => Some(part.to_owned()),
            })
            .collect::<Vec<_>>()
            .join("; ")
            .replace(".X.", &format!(".{role}."))
    }
}

/// The fields at `path` and below, or the nearest path when there is none.
pub fn find(path: &str) -> Result<Vec<Entry>, Option<String>> {
    let path = path.trim_end_matches('.');
    let plain: String = path
        .replace("[]", "")
        .split('.')
        .map(|part| part.split('[').next().unwrap_or(part))
        .collect::<Vec<_>>()
        .join(".");
    let all = all_fields();
    let normal = |entry: &Entry| entry.path.replace("[]", "");
    let found: Vec<Entry> = all
        .iter()
        .filter(|entry| {
            let entry = normal(entry);
            [plain.clone(), format!("spec.{plain}")].iter().any(|wanted| {
                entry == *wanted || entry.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'))
            })
        })
        .cloned()
        .collect();
    if !found.is_empty() {
        return Ok(found);
    }
    let paths: Vec<String> = all.iter().map(normal).collect();
    let wanted =
        if plain.starts_with("spec") || plain.starts_with("metadata") { plain } else { format!("spec.{plain}") };
    Err(nearest(&wanted, paths.iter().map(String::as_str)).map(str::to_owned))
}

/// A JSON Schema of job files, for editors.
pub fn schema() -> Value {
    let one = |kind: &str, spec: Value| {
        json!({
            "type": "object",
            "required": ["apiVersion", "kind", "metadata", "spec"],
            "additionalProperties": false,
            "properties": {
                "apiVersion": {"const": API_VERSION},
                "kind": {"const": kind},
                "metadata": section_schema(Metadata::fields()),
                "spec": spec,
                "status": {"type": "object"},
            },
        })
    };
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Job file of sparkctl",
        "oneOf": [one(KINDS[0], section_schema(Spec::fields())), one(KINDS[1], section_schema(Schedule::fields()))],
    })
}

fn section_schema(fields: Vec<Field>) -> Value {
    let required: Vec<&str> = fields.iter().filter(|field| field.required).map(|field| field.key.as_str()).collect();
    let mut schema = json!({"type": "object", "additionalProperties": false});
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema["properties"] = fields
        .into_iter()
        .map(|field| {
            let mut property = kind_schema(&field.kind);
            property["description"] = field.doc.replace("\n ", " ").into();
            (field.key, property)
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    schema
}

fn kind_schema(kind: &Kind) -> Value {
    match kind {
        Kind::Text => json!({"type": "string"}),
        Kind::Form(form) => json!({"type": ["string", "number"], "title": form}),
        Kind::Boolean => json!({"type": "boolean"}),
        Kind::Integer(i64::MIN, _) => json!({"type": "integer"}),
        Kind::Integer(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
        Kind::Word(words) => json!({"enum": words}),
        Kind::List(kind) => json!({"type": "array", "items": kind_schema(kind)}),
        Kind::Map(kind) => json!({"type": "object", "additionalProperties": kind_schema(kind)}),
        Kind::Section(fields) => section_schema(fields()),
        Kind::Kubernetes("resource.Quantity") => json!({"type": ["string", "number"]}),
        Kind::Kubernetes(name) => json!({"type": "object", "title": name}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every leaf of the operator's v1beta2 definition, Kubernetes' own types as one leaf each.
    const LEAVES: &str = include_str!("v1beta2.txt");

    #[test]
    fn answers_for_every_field_of_v1beta2() {
        let known: Vec<String> = all_fields().iter().map(|entry| entry.path.clone()).collect();
        let missing: Vec<&str> =
            LEAVES.lines().filter(|leaf| !leaf.is_empty() && !known.iter().any(|path| path == leaf)).collect();
        assert_eq!(missing, [""; 0]);
    }

    #[test]
    fn knows_no_field_that_v1beta2_has_not() {
        let leaves: Vec<&str> = LEAVES.lines().collect();
        let own = fields()
            .into_iter()
            .filter(|entry| entry.path.starts_with("spec.") && inner(&entry.field.kind, "").is_none());
        let strange: Vec<String> =
            own.map(|entry| entry.path).filter(|path| !leaves.contains(&path.as_str())).collect();
        assert_eq!(strange, [""; 0]);
    }

    #[test]
    fn says_of_every_field_what_it_is_and_becomes() {
        for entry in all_fields() {
            assert!(!entry.field.doc.is_empty() && !entry.becomes().is_empty(), "{}", entry.path);
        }
    }

    /// The catalogue and the sections say the same about which field becomes which setting.
    #[test]
    fn fields_and_the_catalogue_agree() {
        use crate::spark::catalog;
        let entries = all_fields();
        for row in catalog::rows().filter(|row| row.field.is_some()) {
            let entry = entries.iter().find(|entry| Some(entry.path.as_str()) == row.field);
            let entry = entry.unwrap_or_else(|| panic!("{}: there is no field {:?}", row.key, row.field));
            let named = ["KEY", "NAME"].map(|tail| row.key.replace('*', tail));
            let says = row.is_whole_field && !named.contains(&entry.becomes());
            assert!(!says, "{} becomes {}, and the catalogue has {}", entry.path, entry.becomes(), row.key);
        }
        for entry in entries {
            let key = entry.becomes();
            let is_setting = key.starts_with("spark.") && !key.contains([' ', ',', '*']) && key != "spark.properties";
            let field =
                catalog::field_of(&key).map(|path| path.trim_end_matches(".KEY").trim_end_matches(".NAME").to_owned());
            assert!(!is_setting || field.as_deref() == Some(&entry.path), "{key}: {field:?}, {}", entry.path);
        }
    }

    #[test]
    fn finds_fields_by_their_paths() {
        let paths = |path: &str| find(path).unwrap().into_iter().map(|entry| entry.path).collect::<Vec<_>>();
        assert_eq!(paths("spec.driver.memoryLimit"), ["spec.driver.memoryLimit"]);
        assert_eq!(
            paths("executor.gpu"),
            ["spec.executor.gpu", "spec.executor.gpu.name", "spec.executor.gpu.quantity"]
        );
        assert_eq!(paths("spec.driverIngressOptions[0].servicePort"), ["spec.driverIngressOptions[].servicePort"]);
        assert_eq!(find("spec.driver.memmory").unwrap_err().as_deref(), Some("spec.driver.memory"));
    }

    #[test]
    fn says_what_a_field_becomes_in_its_place() {
        let becomes = |path: &str| find(path).unwrap()[0].becomes();
        assert_eq!(becomes("spec.executor.memory"), "spark.executor.memory");
        assert_eq!(becomes("spec.driver.envVars"), "spark.kubernetes.driverEnv.NAME");
        assert_eq!(becomes("spec.executor.memoryLimit"), "a warning");
    }
}
