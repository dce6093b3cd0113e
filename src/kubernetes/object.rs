//! One object as the API server takes it.

use serde_json::Value;

use super::kinds::{KINDS, SCHEDULERS_KINDS};

/// One Kubernetes object as it is sent.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(transparent)]
pub struct Object(pub Value);

impl Object {
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    pub fn namespace(&self) -> &str {
        self.text("/metadata/namespace")
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// API version and plural of its kind, if that is known.
    pub fn place(&self) -> Option<(&str, &'static str)> {
        let version = self.0["apiVersion"].as_str()?;
        let plural = match KINDS.iter().find(|known| known.0 == version && known.1 == self.kind()) {
            Some((_, _, plural)) => plural,
            None => SCHEDULERS_KINDS.iter().find(|(kind, _)| *kind == self.kind() && version.contains('/'))?.1,
        };
        Some((version, plural))
    }
}
