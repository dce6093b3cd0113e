//! Parts of the job file that are Kubernetes' own types: kept as they were written, so that a
//! field newer than this program survives, and checked against the types that it knows.

use std::cell::RefCell;
use std::marker::PhantomData;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::schema::{Kind, Read, Reader};
use super::yaml::{Entry, Node, Value};
use crate::diagnostic::{Place, Problem, nearest};

/// A `T` of the Kubernetes API, as JSON.
#[derive(Debug)]
pub struct Embedded<T> {
    pub json: serde_json::Value,
    kind: PhantomData<fn() -> T>,
}

/// The name of a type in the API's documentation.
pub trait Named {
    const NAME: &'static str;
}

macro_rules! named {
    ($($type:ty = $name:literal),+ $(,)?) => { $( impl Named for $type { const NAME: &'static str = $name; } )+ };
}

mod api {
    pub(super) use k8s_openapi::api::core::v1::*;
    pub(super) use k8s_openapi::api::networking::v1::IngressTLS;
}

named! {
    api::Affinity = "core/v1 Affinity",
    api::Container = "core/v1 Container",
    api::EnvFromSource = "core/v1 EnvFromSource",
    api::EnvVar = "core/v1 EnvVar",
    api::HostAlias = "core/v1 HostAlias",
    api::IngressTLS = "networking.k8s.io/v1 IngressTLS",
    api::Lifecycle = "core/v1 Lifecycle",
    api::PodDNSConfig = "core/v1 PodDNSConfig",
    api::PodSecurityContext = "core/v1 PodSecurityContext",
    api::PodTemplateSpec = "core/v1 PodTemplateSpec",
    api::SecurityContext = "core/v1 SecurityContext",
    api::Toleration = "core/v1 Toleration",
    api::Volume = "core/v1 Volume",
    api::VolumeMount = "core/v1 VolumeMount",
    k8s_openapi::apimachinery::pkg::api::resource::Quantity = "resource.Quantity",
}

impl<T> Embedded<T> {
    pub fn new(json: serde_json::Value) -> Self {
        Self { json, kind: PhantomData }
    }

    /// The text at a key of the object.
    pub fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }
}

impl<T> Clone for Embedded<T> {
    fn clone(&self) -> Self {
        Self::new(self.json.clone())
    }
}

impl<T> Default for Embedded<T> {
    fn default() -> Self {
        Self::new(serde_json::Value::Null)
    }
}

impl<T> PartialEq for Embedded<T> {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl<T: DeserializeOwned + Named> Read for Embedded<T> {
    fn kind() -> Kind {
        Kind::Kubernetes(T::NAME)
    }

    fn read(node: &Node, reader: &mut Reader) -> Self {
        for problem in check::<T>(node) {
            reader.push(problem);
        }
        Self::new(node.json())
    }
}

/// What is wrong with `node` as a `T`.
pub fn check<T: DeserializeOwned>(node: &Node) -> Vec<Problem> {
    let unknown = RefCell::new(Vec::new());
    let result = T::deserialize(Checked { node, unknown: &unknown });
    let mut problems = unknown.into_inner();
    if let Err(Mistake { message, place }) = result {
        problems.push(Problem::error(message).at(place.unwrap_or(node.place)));
    }
    problems
}

/// Deserializes a node, and tells the keys that the type does not have.
#[derive(Clone, Copy)]
struct Checked<'a> {
    node: &'a Node,
    unknown: &'a RefCell<Vec<Problem>>,
}

/// The first thing that does not fit, and where: serde stops there.
#[derive(Debug)]
struct Mistake {
    message: String,
    place: Option<Place>,
}

impl std::fmt::Display for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<M: std::fmt::Display>(message: M) -> Self {
        Self { message: message.to_string(), place: None }
    }
}

impl Mistake {
    fn at(mut self, place: Place) -> Self {
        self.place = self.place.or(Some(place));
        self
    }
}

impl<'de> Checked<'_> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        let result = match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::Scalar(_) => match self.node.json() {
                serde_json::Value::Bool(boolean) => visitor.visit_bool(boolean),
                serde_json::Value::Number(number) => match number.as_i64() {
                    Some(integer) => visitor.visit_i64(integer),
                    None => visitor.visit_f64(number.as_f64().unwrap_or_default()),
                },
                serde_json::Value::String(text) => visitor.visit_string(text),
                _ => visitor.visit_unit(),
            },
            Value::List(nodes) => visitor.visit_seq(Items { nodes: nodes.iter(), unknown: self.unknown }),
            Value::Map(entries) => {
                visitor.visit_map(Entries { entries: entries.iter(), value: None, unknown: self.unknown })
            }
        };
        result.map_err(|mistake| mistake.at(self.node.place))
    }
}

impl<'de> de::Deserializer<'de> for Checked<'_> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    /// A quantity may be written as a number: the API server takes `cpu: 1` for `cpu: "1"`.
    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Mistake> {
        match self.node.text() {
            Some(text) if name == "Quantity" => {
                if let Err(message) = crate::kubernetes::quantity::check(text) {
                    return Err(Mistake { message, place: Some(self.node.place) });
                }
                visitor.visit_newtype_struct(text.into_deserializer())
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        for Entry { key, place, .. } in self.node.entries() {
            if !fields.contains(&key.as_str()) {
                let help = match nearest(key, fields.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("known here: {}", fields.join(", ")),
                };
                let unknown = Problem::error(format!("unknown field `{key}`")).at(*place).help(help);
                self.unknown.borrow_mut().push(unknown);
            }
        }
        self.visit(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct Items<'a> {
    nodes: std::slice::Iter<'a, Node>,
    unknown: &'a RefCell<Vec<Problem>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Mistake> {
        let next = self.nodes.next();
        next.map(|node| seed.deserialize(Checked { node, unknown: self.unknown })).transpose()
    }
}

struct Entries<'a> {
    entries: std::slice::Iter<'a, Entry>,
    value: Option<&'a Entry>,
    unknown: &'a RefCell<Vec<Problem>>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Mistake> {
        self.value = self.entries.next();
        let key = |entry: &Entry| seed.deserialize(entry.key.clone().into_deserializer());
        self.value.map(key).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        match self.value.take() {
            Some(entry) => seed
                .deserialize(Checked { node: &entry.node, unknown: self.unknown })
                .map_err(|mistake| mistake.named(&entry.key)),
            None => Err(de::Error::custom("a value without a key")),
        }
    }
}

impl Mistake {
    /// Says which field it was, once: the innermost.
    fn named(mut self, key: &str) -> Self {
        if !self.message.contains('`') || !self.message.starts_with('`') {
            self.message = format!("`{key}`: {}", self.message);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Affinity, Container, EnvVar};

    use super::*;
    use crate::job::yaml::documents;

    fn problems<T: DeserializeOwned>(source: &str) -> Vec<String> {
        let nodes = documents(source, &mut Vec::new()).unwrap();
        check::<T>(&nodes[0]).iter().map(|problem| problem.text("f", "")).collect()
    }

    #[test]
    fn takes_what_the_api_takes() {
        assert_eq!(
            problems::<Container>(
                "{name: a, resources: {limits: {cpu: 1, memory: 512Mi}}, ports: [{containerPort: 80}], livenessProbe: {httpGet: {port: http}}}"
            ),
            [""; 0]
        );
    }

    #[test]
    fn tells_misspelt_keys_where_they_are() {
        assert_eq!(
            problems::<Affinity>("nodeAfinity:\n  x: 1\npodAffinity: {}\n"),
            ["error: f:1:1: unknown field `nodeAfinity`\n   = did you mean `nodeAffinity`?"]
        );
    }

    #[test]
    fn tells_wrong_types_where_they_are() {
        assert_eq!(
            problems::<EnvVar>("name: A\nvalue: 5\n"),
            ["error: f:2:8: `value`: invalid type: integer `5`, expected a string"]
        );
    }
}
