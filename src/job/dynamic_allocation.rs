//! `dynamicAllocation`.

use super::schema::{Count, Integer, section};
use crate::spark::Conf;

section! {
    /// Executors that come and go with the work. Without `enabled` the other fields say nothing.
    pub struct DynamicAllocation {
        /// Whether allocation is dynamic.
        enabled: Option<bool> => "spark.dynamicAllocation.enabled",
        /// Executors at the start.
        initial_executors: Option<Count> => "spark.dynamicAllocation.initialExecutors",
        /// Executors at least.
        min_executors: Option<Count> => "spark.dynamicAllocation.minExecutors",
        /// Executors at most.
        max_executors: Option<Count> => "spark.dynamicAllocation.maxExecutors",
        /// Whether executors with shuffle data are kept, for want of an external shuffle service.
        /// By default they are.
        shuffle_tracking_enabled: Option<bool> => "spark.dynamicAllocation.shuffleTracking.enabled",
        /// Milliseconds after which an executor with shuffle data may go.
        shuffle_tracking_timeout: Option<Integer> => "spark.dynamicAllocation.shuffleTracking.timeout",
    }
}

impl DynamicAllocation {
    pub fn settings(&self, conf: &mut Conf) {
        if self.enabled != Some(true) {
            return;
        }
        conf.set("spark.dynamicAllocation.enabled", "true");
        conf.set_some("spark.dynamicAllocation.initialExecutors", self.initial_executors.map(|n| *n));
        conf.set_some("spark.dynamicAllocation.minExecutors", self.min_executors.map(|n| *n));
        conf.set_some("spark.dynamicAllocation.maxExecutors", self.max_executors.map(|n| *n));
        conf.set(
            "spark.dynamicAllocation.shuffleTracking.enabled",
            self.shuffle_tracking_enabled.unwrap_or(true).to_string(),
        );
        conf.set_some("spark.dynamicAllocation.shuffleTracking.timeout", self.shuffle_tracking_timeout.map(|ms| *ms));
    }
}
