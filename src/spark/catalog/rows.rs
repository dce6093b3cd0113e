//! The rows of the catalogue: what a setting comes from and what sparkctl does with it.

/// A setting, or a family of settings that share a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// `spark.executor.memory`; a family ends in `.*`.
    pub key: &'static str,
    /// The flag of sparkctl that sets it.
    pub flag: Option<&'static str>,
}

impl Row {
    const fn of(key: &'static str) -> Self {
        Self { key, flag: None }
    }

    const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }
}

/// The settings that a flag of sparkctl sets.
pub fn set_by(flag: &str) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.flag == Some(flag))
}

/// The flags of sparkctl that set a setting, each once.
#[cfg(test)]
pub fn flags() -> impl Iterator<Item = &'static str> {
    let flags: std::collections::BTreeSet<_> = ROWS.iter().filter_map(|row| row.flag).collect();
    flags.into_iter()
}

pub const ROWS: &[Row] = &[
    Row::of("spark.archives").flag("--archives"),
    Row::of("spark.driver.cores").flag("--driver-cores"),
    Row::of("spark.driver.memory").flag("--driver-memory"),
    Row::of("spark.driver.memoryOverhead").flag("--driver-memory-overhead"),
    Row::of("spark.executor.cores").flag("--executor-cores"),
    Row::of("spark.executor.instances").flag("--executors"),
    Row::of("spark.executor.memory").flag("--executor-memory"),
    Row::of("spark.executor.memoryOverhead").flag("--executor-memory-overhead"),
    Row::of("spark.executorEnv.*").flag("--env"),
    Row::of("spark.files").flag("--files"),
    Row::of("spark.jars").flag("--jars"),
    Row::of("spark.jars.packages").flag("--packages"),
    Row::of("spark.kubernetes.authenticate.driver.serviceAccountName").flag("--service-account"),
    Row::of("spark.kubernetes.container.image").flag("--image"),
    Row::of("spark.kubernetes.container.image.pullPolicy").flag("--image-pull-policy"),
    Row::of("spark.kubernetes.driver.annotation.volcano.sh/preemptable").flag("--protect-driver"),
    Row::of("spark.kubernetes.driver.container.image").flag("--image"),
    Row::of("spark.kubernetes.driver.label.*").flag("--label"),
    Row::of("spark.kubernetes.driver.limit.cores").flag("--driver-core-limit"),
    Row::of("spark.kubernetes.driver.scheduler.name").flag("--scheduler"),
    Row::of("spark.kubernetes.driver.secretKeyRef.*").flag("--env"),
    Row::of("spark.kubernetes.driverEnv.*").flag("--env"),
    Row::of("spark.kubernetes.executor.container.image").flag("--image"),
    Row::of("spark.kubernetes.executor.label.*").flag("--label"),
    Row::of("spark.kubernetes.executor.limit.cores").flag("--executor-core-limit"),
    Row::of("spark.kubernetes.executor.scheduler.name").flag("--scheduler"),
    Row::of("spark.kubernetes.executor.secretKeyRef.*").flag("--env"),
    Row::of("spark.kubernetes.scheduler.name").flag("--scheduler"),
    Row::of("spark.submit.pyFiles").flag("--py-files"),
];
