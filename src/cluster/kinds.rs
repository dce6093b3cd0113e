//! Paths of collections, and how objects are spoken of.

use crate::kubernetes::Object;

/// Path of the collection that an object belongs to.
///
/// # Errors
/// Its kind is not in the table.
pub(super) fn collection(object: &Object, namespace: &str) -> Result<String, String> {
    let (version, plural) = object.place().ok_or_else(|| {
        let version = object.0["apiVersion"].as_str().unwrap_or_default();
        format!("sparkctl does not create objects of kind {version} {}", object.kind())
    })?;
    Ok(in_namespace(version, plural, namespace))
}

/// `/api/v1/namespaces/NS/pods`, or `/apis/GROUP/VERSION/namespaces/NS/…` for all but the core group.
pub(super) fn in_namespace(version: &str, plural: &str, namespace: &str) -> String {
    let root = if version.contains('/') { "apis" } else { "api" };
    match namespace {
        "" => format!("/{root}/{version}/{plural}"),
        namespace => format!("/{root}/{version}/namespaces/{namespace}/{plural}"),
    }
}

/// `driver pod pi-driver`, `ConfigMap pi-conf`: an object as it is spoken of.
pub(super) fn describe(object: &Object) -> String {
    match object.kind() {
        "Pod" => format!("driver pod {}", object.name()),
        kind => format!("{kind} {}", object.name()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Object, collection};

    #[test]
    fn finds_the_core_group_and_the_others() {
        let object = |version: &str, kind: &str| Object(json!({"apiVersion": version, "kind": kind}));
        let path = |version, kind| collection(&object(version, kind), "jobs");
        assert_eq!(path("v1", "Pod"), Ok("/api/v1/namespaces/jobs/pods".into()));
        assert_eq!(
            path("scheduling.volcano.sh/v1beta1", "PodGroup"),
            Ok("/apis/scheduling.volcano.sh/v1beta1/namespaces/jobs/podgroups".into())
        );
        assert!(path("v1", "Node").is_err());
    }
}
