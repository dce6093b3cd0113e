//! Reads from a driver's log whether Spark has stopped.

use k8s_openapi::jiff::Timestamp;

/// That a driver's log says that Spark has stopped.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// The driver's UID.
    pub driver: String,
    pub at: Timestamp,
}

/// What a line of a driver's log says of Spark: whether it has stopped, or has begun (again).
///
/// Source: `SparkContext` of Spark 3.0 to 4.3, where its logger is at INFO, as it is by default.
pub fn has_stopped(line: &str) -> Option<bool> {
    if !line.contains("SparkContext") {
        return None;
    }
    let says = |part: &str| line.contains(part);
    says("Successfully stopped SparkContext").then_some(true).or(says("Running Spark version").then_some(false))
}
