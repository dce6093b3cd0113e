//! Whether Spark has stopped, according to a driver's log.

use k8s_openapi::jiff::Timestamp;

/// The end of Spark in a driver's process, as its log reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    /// The driver's UID.
    pub driver: String,
    pub at: Timestamp,
}

/// Whether a line of a driver's log reports that Spark has stopped (true) or has started, perhaps again (false);
/// `None` for any other line.
///
/// Source: `SparkContext` of Spark 3.0 to 4.3, which logs both at INFO, its default level.
pub fn has_stopped(line: &str) -> Option<bool> {
    if !line.contains("SparkContext") {
        return None;
    }
    if line.contains("Successfully stopped SparkContext") {
        return Some(true);
    }
    line.contains("Running Spark version").then_some(false)
}
