//! The number of executors that a driver asks for.

use super::Conf;

/// How many executors a driver asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocation {
    /// At its start.
    pub initial: u32,
    /// At any later time. Fewer than at the start only with dynamic allocation.
    pub minimum: u32,
}

impl Allocation {
    /// Source: `SchedulerBackendUtils.getInitialTargetExecutorNumber` and
    /// `Utils.getDynamicAllocationInitialExecutors` of Spark.
    pub fn of(conf: &Conf) -> Self {
        let number = |key: &str| conf.get(key).and_then(|text| text.trim().parse::<u32>().ok());
        let instances = number("spark.executor.instances");
        if !conf.is_true("spark.dynamicAllocation.enabled") {
            let fixed = instances.unwrap_or(1);
            return Self { initial: fixed, minimum: fixed };
        }
        let minimum = number("spark.dynamicAllocation.minExecutors").unwrap_or(0);
        let initial = number("spark.dynamicAllocation.initialExecutors").unwrap_or(minimum);
        Self { initial: minimum.max(initial).max(instances.unwrap_or(0)), minimum }
    }
}

#[cfg(test)]
mod tests {
    use super::{Allocation, Conf};

    fn of(settings: &[(&str, &str)]) -> (u32, u32) {
        let conf = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let Allocation { initial, minimum } = Allocation::of(&Conf::from_iter(conf));
        (initial, minimum)
    }

    #[test]
    fn asks_for_the_instances_or_for_one() {
        assert_eq!(of(&[]), (1, 1));
        assert_eq!(of(&[("spark.executor.instances", "3")]), (3, 3));
    }

    #[test]
    fn dynamic_allocation_starts_with_more_than_it_keeps() {
        let dynamic = ("spark.dynamicAllocation.enabled", "true");
        assert_eq!(of(&[dynamic]), (0, 0));
        assert_eq!(of(&[dynamic, ("spark.dynamicAllocation.minExecutors", "2")]), (2, 2));
        assert_eq!(of(&[dynamic, ("spark.executor.instances", "4")]), (4, 0));
        assert_eq!(of(&[dynamic, ("spark.dynamicAllocation.initialExecutors", "3")]), (3, 0));
    }
}
