//! Claims of volumes that the settings ask to be made on demand.

use serde_json::{Map, Value, json};

use super::plan::Plan;
use crate::kubernetes::{Object, names};
use crate::spark::volumes::{self, ConfVolume};
use crate::spark::{Change, labels as spark_labels, resource_name_prefix};

/// What in a claim's name stands for a claim made for this driver.
const ON_DEMAND: &str = "OnDemand";

/// The name of a volume's claim.
///
/// Source: `MountVolumesFeatureStep` of Spark, which numbers all volumes of the driver.
pub fn name(plan: &Plan, volume: &ConfVolume) -> String {
    let given = volume.option("claimName").unwrap_or_default();
    if !given.contains(ON_DEMAND) {
        return given.to_owned();
    }
    let index = volumes::of_driver(&plan.conf).position(|other| other.name == volume.name).unwrap_or_default();
    let suffix = format!("-{}-driver-pvc-{index}", plan.submission.short());
    given.replace(ON_DEMAND, &names::cut(&resource_name_prefix(&plan.name), &suffix, names::LABEL))
}

/// The claims that have to be made: those of which class and size are known.
pub fn on_demand(plan: &Plan) -> Vec<Object> {
    let version = plan.version;
    let legacy = plan.conf.get("spark.kubernetes.legacy.useReadWriteOnceAccessMode");
    let once = legacy.map_or(!version.has(Change::ReadWriteOncePod), |text| text == "true");
    let mode = if once { "ReadWriteOnce" } else { "ReadWriteOncePod" };
    volumes::of_driver(&plan.conf)
        .filter(|volume| volume.option("claimName").is_some_and(|name| name.contains(ON_DEMAND)))
        .filter_map(|volume| {
            let (class, size) = (volume.option("storageClass")?, volume.option("sizeLimit")?);
            let mut labels = plan.labels.own.clone();
            if version.has(Change::ClaimLabels) {
                labels.extend(volume.with_prefix("label.").map(|(key, value)| (key.to_owned(), value.to_owned())));
            }
            labels.insert(spark_labels::APPLICATION.into(), plan.submission.application());
            let mut metadata =
                json!({"name": name(plan, &volume), "namespace": plan.names.namespace, "labels": labels});
            let annotations: Map<String, Value> =
                volume.with_prefix("annotation.").map(|(key, value)| (key.to_owned(), value.into())).collect();
            if version.has(Change::ClaimLabels) && !annotations.is_empty() {
                metadata["annotations"] = annotations.into();
            }
            Some(Object(json!({
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": metadata,
                "spec": {
                    "storageClassName": class,
                    "accessModes": [mode],
                    "resources": {"requests": {"storage": size}},
                },
            })))
        })
        .collect()
}
