//! Changes that the cluster's admission made to a driver's pod.

use super::{Observed, latest_driver};
use crate::kubernetes::difference;

/// The differences between the latest driver's pod and the template of its Job. A carrier that is a pod is compared when
/// it is submitted, with what was sent.
pub fn changed_by_admission(observed: &Observed) -> Vec<String> {
    let template = observed.job.as_ref().and_then(|job| serde_json::to_value(&job.spec.as_ref()?.template).ok());
    let driver = latest_driver(observed).and_then(|driver| serde_json::to_value(driver).ok());
    match (driver, template) {
        (Some(driver), Some(template)) => difference::between(&driver, &template, "and in its Job"),
        _ => Vec::new(),
    }
}
