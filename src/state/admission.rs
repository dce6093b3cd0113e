//! What the cluster's admission made of a driver's pod.

use super::{Observed, latest_driver};
use crate::kubernetes::difference;

/// In what the latest driver's pod is not as the template of its Job. A pod that carries an application by itself is
/// compared with what was sent when it is submitted.
pub fn changed_by_admission(observed: &Observed) -> Vec<String> {
    let template = observed.job.as_ref().and_then(|job| serde_json::to_value(&job.spec.as_ref()?.template).ok());
    let driver = latest_driver(observed).and_then(|driver| serde_json::to_value(driver).ok());
    match (driver, template) {
        (Some(driver), Some(template)) => difference::between(&driver, &template, "and in its Job"),
        _ => Vec::new(),
    }
}
