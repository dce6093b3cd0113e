//! The requests to the API server, and its answers.

use std::collections::BTreeMap;

use serde_json::Value;

/// The key of the server's version.
pub(super) const VERSION: &str = "version";

/// A request to the API server.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// The key of its answer.
    pub key: String,
    /// `v1`, `apps/v1`; empty for a path of the server itself, which is then in `plural`.
    pub version: String,
    pub plural: String,
    pub namespace: String,
    pub name: String,
    /// The body of a POST: a review, or an object for a dry run.
    pub body: Option<Value>,
}

impl Query {
    pub(super) fn get(key: impl Into<String>, version: &str, namespace: &str, plural: &str, name: &str) -> Query {
        Query {
            key: key.into(),
            version: version.into(),
            plural: plural.into(),
            namespace: namespace.into(),
            name: name.into(),
            body: None,
        }
    }

    pub(super) fn post(key: impl Into<String>, version: &str, namespace: &str, plural: &str, body: Value) -> Query {
        Query { body: Some(body), ..Query::get(key, version, namespace, plural, "") }
    }
}

/// An object, or why it could not be read.
pub type Answer = Result<Value, Unread>;

#[derive(Clone, Debug, PartialEq)]
pub enum Unread {
    Missing,
    /// The caller lacks the permission.
    Forbidden(String),
    /// The server refused the request: its message, and what to do about it.
    Refused {
        message: String,
        remedy: Option<String>,
    },
    /// No answer came.
    Unreached(String),
    NotAsked,
}

/// The answers by the keys of their requests.
#[derive(Clone, Debug, Default)]
pub struct Responses(pub BTreeMap<String, Answer>);

impl Responses {
    /// Whether the API server answered.
    pub fn is_answered(&self) -> bool {
        !matches!(self.get(VERSION), Err(Unread::Unreached(_) | Unread::Missing | Unread::NotAsked))
    }

    pub(super) fn get(&self, key: &str) -> &Answer {
        self.0.get(key).unwrap_or(&Err(Unread::NotAsked))
    }
}
