//! Paths of the API's collections, and the names of objects in messages.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::kubernetes::Object;

/// The path of the collection that an object belongs to.
///
/// # Errors
/// The object's kind is not one that sparkctl creates.
pub(super) fn collection(object: &Object, namespace: &str) -> Result<String, String> {
    let (version, plural) = object.place().ok_or_else(|| {
        let version = object.0["apiVersion"].as_str().unwrap_or_default();
        format!("sparkctl does not create objects of kind {version} {}", object.kind())
    })?;
    Ok(in_namespace(version, plural, namespace))
}

/// `/api/v1/namespaces/NS/pods`, or `/apis/GROUP/VERSION/namespaces/NS/…` for all but the core group; for all
/// namespaces if none is given.
pub(super) fn in_namespace(version: &str, plural: &str, namespace: &str) -> String {
    let root = if version.contains('/') { "apis" } else { "api" };
    match namespace {
        "" => format!("/{root}/{version}/{plural}"),
        namespace => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
    }
}

/// The object's name in messages: `driver pod pi-driver`, `ConfigMap pi-conf`.
pub(super) fn describe(object: &Object) -> String {
    match object.kind() {
        "Pod" => format!("driver pod {}", object.name()),
        kind => format!("{kind} {}", object.name()),
    }
}

/// What stays as it is in a query.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Encodes text for a query: all but the plainest characters as `%XX`.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Object, collection, encoded};

    #[test]
    fn builds_paths_of_the_core_group_and_of_others() {
        let object = |version: &str, kind: &str| Object(json!({"apiVersion": version, "kind": kind}));
        let path = |version, kind| collection(&object(version, kind), "jobs");
        assert_eq!(path("v1", "Pod"), Ok("/api/v1/namespaces/jobs/pods".into()));
        assert_eq!(
            path("scheduling.volcano.sh/v1beta1", "PodGroup"),
            Ok("/apis/scheduling.volcano.sh/v1beta1/namespaces/jobs/podgroups".into())
        );
        assert!(path("v1", "Node").is_err());
    }

    #[test]
    fn encodes_selectors_for_a_query() {
        assert_eq!(encoded("spec.nodeName!=,a-b_c=ü"), "spec.nodeName%21%3D%2Ca-b_c%3D%C3%BC");
    }
}
