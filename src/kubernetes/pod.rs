//! Assembly of a pod: the user's template first, Spark's part next, typed fields last.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::kubernetes::names;

/// A pod as JSON, so that what this program does not know of a template survives.
#[derive(Clone, Debug, PartialEq)]
pub struct Pod {
    pub metadata: Part,
    pub spec: Part,
    /// Spark's container, taken out of the template's and put back at the end.
    container: Part,
    /// Containers in front of Spark's, from the template.
    before: Vec<Value>,
    /// Containers behind Spark's: sidecars.
    after: Vec<Value>,
}

/// A JSON object with the ways in which parts of a pod are merged.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part(pub Map<String, Value>);

impl Pod {
    /// The pod of a template (`{metadata, spec}`), with Spark's container: the one called
    /// `container`, else the first, else a new one of that name.
    ///
    /// Source: `KubernetesUtils.selectSparkContainer` of Spark.
    pub fn of_template(template: Option<&Value>, container: &str) -> Self {
        let part =
            |key: &str| Part(template.and_then(|template| template[key].as_object()).cloned().unwrap_or_default());
        let mut spec = part("spec");
        let mut before = match spec.0.remove("containers") {
            Some(Value::Array(containers)) => containers,
            _ => Vec::new(),
        };
        let spark = match before.iter().position(|candidate| candidate["name"] == container) {
            Some(index) => before.remove(index),
            None if before.is_empty() => Value::Null,
            None => before.remove(0),
        };
        let mut spark = Part(spark.as_object().cloned().unwrap_or_default());
        let mut metadata = part("metadata");
        // Spark's library writes as text what the API has as text, however the template did.
        for kind in ["requests", "limits"] {
            write_as_text(spark.0.get_mut("resources").and_then(|resources| resources.get_mut(kind)));
        }
        for key in ["labels", "annotations"] {
            write_as_text(metadata.0.get_mut(key));
        }
        write_as_text(spec.0.get_mut("nodeSelector"));
        for variable in spark.0.get_mut("env").and_then(Value::as_array_mut).into_iter().flatten() {
            write_as_text(Some(variable));
        }
        if !spark.0.contains_key("name") {
            spark.set("name", container);
        }
        Self { metadata, spec, container: spark, before, after: Vec::new() }
    }

    /// The name of Spark's container.
    pub fn container_name(&self) -> &str {
        self.container.0.get("name").and_then(Value::as_str).unwrap_or_default()
    }

    pub fn spark_container(&mut self) -> &mut Part {
        &mut self.container
    }

    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.spec.set(key, value);
    }

    pub fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        self.spec.set_some(key, value);
    }

    pub fn remove(&mut self, key: &str) {
        self.spec.0.remove(key);
    }

    pub fn append(&mut self, key: &str, items: impl IntoIterator<Item = Value>) {
        self.spec.append(key, items);
    }

    pub fn merge(&mut self, key: &str, values: &BTreeMap<String, String>) {
        self.spec.merge(key, values);
    }

    /// Appends containers, except those whose name and image are already there.
    pub fn append_containers<'a>(&mut self, key: &str, containers: impl IntoIterator<Item = &'a Value>) {
        for container in containers {
            let same = |other: &Value| other["name"] == container["name"] && other["image"] == container["image"];
            match key {
                "containers" => {
                    if !self.before.iter().chain(&self.after).any(same) {
                        self.after.push(container.clone());
                    }
                }
                key => {
                    let there =
                        self.spec.0.get(key).and_then(Value::as_array).is_some_and(|others| others.iter().any(same));
                    if !there {
                        self.append(key, [container.clone()]);
                    }
                }
            }
        }
    }

    pub fn has_volume(&self, name: &str) -> bool {
        let volumes = self.spec.0.get("volumes").and_then(Value::as_array);
        volumes.is_some_and(|volumes| volumes.iter().any(|volume| volume["name"] == name))
    }

    /// Adds a volume and its mount in Spark's container.
    pub fn mount(&mut self, volume: Value, mount: Value) {
        self.append("volumes", [volume]);
        self.container.append("volumeMounts", [mount]);
    }

    /// Mounts a whole ConfigMap, read-only, as the operator names it.
    pub fn mount_config_map(&mut self, name: &str, path: &str) {
        let volume = names::cut(&name.replace('.', "-"), "-vol", names::LABEL);
        self.mount_named(&volume, name, path);
    }

    /// Mounts a whole ConfigMap, read-only, by a volume of that name. A map that two roles or
    /// two paths name is one volume.
    pub fn mount_named(&mut self, volume: &str, config_map: &str, path: &str) {
        if !self.has_volume(volume) {
            self.append("volumes", [json!({"name": volume, "configMap": {"name": config_map}})]);
        }
        self.container.append("volumeMounts", [json!({"name": volume, "mountPath": path, "readOnly": true})]);
    }

    /// The mounts of Spark's container.
    pub fn mounts(&self) -> impl Iterator<Item = &Value> {
        self.container.0.get("volumeMounts").and_then(Value::as_array).into_iter().flatten()
    }

    /// Adds an environment variable to Spark's container.
    pub fn env(&mut self, name: &str, value: &str) {
        self.container.append("env", [json!({"name": name, "value": value})]);
    }

    /// `{metadata, spec}`, Spark's container behind the template's others and before sidecars.
    pub fn into_template(self) -> Value {
        let Self { metadata, mut spec, container, before, after } = self;
        let containers: Vec<Value> = before.into_iter().chain([Value::Object(container.0)]).chain(after).collect();
        spec.set("containers", containers);
        let mut template = Map::new();
        if !metadata.0.is_empty() {
            template.insert("metadata".into(), Value::Object(metadata.0));
        }
        template.insert("spec".into(), Value::Object(spec.0));
        Value::Object(template)
    }

    /// Whether nothing but the container's name is set.
    pub fn is_blank(&self) -> bool {
        self.metadata.0.is_empty()
            && self.spec.0.is_empty()
            && self.container.0.len() == 1
            && self.before.is_empty()
            && self.after.is_empty()
    }
}

/// Makes texts of the numbers and booleans in a mapping.
fn write_as_text(mapping: Option<&mut Value>) {
    for value in mapping.and_then(Value::as_object_mut).into_iter().flat_map(|mapping| mapping.values_mut()) {
        if value.is_number() || value.is_boolean() {
            *value = value.to_string().into();
        }
    }
}

impl Part {
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    pub fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.set(key, value);
        }
    }

    /// Sets a value below objects that are made where they are missing.
    pub fn set_at(&mut self, path: &[&str], value: impl Into<Value>) {
        let Some((last, parents)) = path.split_last() else { return };
        let mut object = &mut self.0;
        for key in parents {
            let next = object.entry(*key).or_insert_with(|| json!({}));
            if !next.is_object() {
                *next = json!({});
            }
            match next {
                Value::Object(next) => object = next,
                _ => return,
            }
        }
        object.insert((*last).to_owned(), value.into());
    }

    /// Appends to a list that is made if it is missing.
    pub fn append(&mut self, key: &str, items: impl IntoIterator<Item = Value>) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_none() {
            return;
        }
        match self.0.get_mut(key) {
            Some(Value::Array(list)) => list.extend(items),
            _ => self.set(key, items.collect::<Vec<_>>()),
        }
    }

    /// Sets keys of a mapping that is made if it is missing.
    pub fn merge<K: AsRef<str>, V: AsRef<str>>(&mut self, key: &str, values: impl IntoIterator<Item = (K, V)>) {
        for (name, value) in values {
            self.set_at(&[key, name.as_ref()], value.as_ref());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_templates_numbers_are_texts_where_the_api_has_texts() {
        let template = json!({
            "metadata": {"labels": {"tier": 1}, "annotations": {"note": true}},
            "spec": {
                "nodeSelector": {"zone": 3},
                "priority": 5,
                "containers": [{"name": "a", "env": [{"name": "N", "value": 4}], "resources": {"limits": {"cpu": 2}}}],
            },
        });
        let expected = json!({
            "metadata": {"labels": {"tier": "1"}, "annotations": {"note": "true"}},
            "spec": {
                "nodeSelector": {"zone": "3"},
                "priority": 5,
                "containers": [{"name": "a", "env": [{"name": "N", "value": "4"}], "resources": {"limits": {"cpu": "2"}}}],
            },
        });
        assert_eq!(Pod::of_template(Some(&template), "a").into_template(), expected);
    }
}
