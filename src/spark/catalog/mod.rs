//! What sparkctl knows about Spark's settings: one row per setting.

#[cfg_attr(not(test), expect(dead_code, reason = "`validate` and `explain` are to ask it"))]
pub mod registry;
mod rows;

use rows::ROWS;
pub use rows::{Accepts, Effect, Row};

/// The row of a setting: its own, or that of the longest family that it belongs to.
pub fn row(key: &str) -> Option<&'static Row> {
    ROWS.iter().filter(|row| row.tail(key).is_some()).max_by_key(|row| (row.prefix().is_none(), row.key.len()))
}

/// All rows, the single settings before the families.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    ROWS.iter()
}

/// The flags of sparkctl that set a setting, each once.
#[cfg(test)]
pub fn flags() -> std::collections::BTreeSet<&'static str> {
    ROWS.iter().filter_map(|row| row.flag).collect()
}

/// The settings that a flag of sparkctl sets.
pub fn set_by(flag: &str) -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(move |row| row.flag == Some(flag))
}

/// The setting that a flag of spark-submit sets.
pub fn set_by_spark_submit(flag: &str) -> Option<&'static str> {
    ROWS.iter().find(|row| row.submit_flag == Some(flag)).map(|row| row.key)
}

/// The flags of spark-submit that set a setting.
pub fn spark_submit_flags() -> impl Iterator<Item = &'static str> {
    ROWS.iter().filter_map(|row| row.submit_flag)
}

/// The environment variables that stand for a setting where nothing else gives it, with its key.
pub fn variables() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROWS.iter().filter_map(|row| Some((row.variable?, row.key)))
}

/// Why a setting that spark-submit would heed has no effect in a submission by sparkctl.
pub fn without_effect(key: &str) -> Option<&'static str> {
    match row(key)?.effect {
        Effect::Nothing(reason) => Some(reason),
        Effect::Applied | Effect::Set(_) => None,
    }
}

/// The field of the job file that becomes the setting.
pub fn field_of(key: &str) -> Option<String> {
    row(key)?.path(key)
}

/// The settings that are lists of files that are shipped with the application.
pub fn file_lists() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| row.is_file_list)
}

/// Whether Spark takes the value as it is written, without replacing `${…}` in it.
pub fn is_literal(key: &str) -> bool {
    row(key).is_some_and(|row| row.is_literal)
}

/// Settings that mean something on a cluster only, or that would point a local driver at one. A prefix ends in a dot.
const CLUSTER_ONLY: [&str; 14] = [
    "spark.kubernetes.",
    "spark.master",
    "spark.submit.deployMode",
    "spark.app.name",
    "spark.app.id",
    "spark.driver.host",
    "spark.driver.bindAddress",
    "spark.driver.port",
    "spark.driver.blockManager.port",
    "spark.blockManager.port",
    "spark.executor.",
    "spark.dynamicAllocation.",
    "spark.shuffle.service.",
    "spark.decommission.",
];

/// Whether the setting is left out of a run on this machine.
pub fn is_cluster_only(key: &str) -> bool {
    CLUSTER_ONLY.iter().any(|setting| if setting.ends_with('.') { key.starts_with(setting) } else { key == *setting })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_key_flag_or_variable_has_two_rows() {
        let twice = |all: Vec<&str>| {
            let mut seen = BTreeSet::new();
            all.into_iter().filter(|one| !seen.insert(*one)).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(twice(rows().map(|row| row.key).collect()), [""; 0]);
        assert_eq!(twice(spark_submit_flags().collect()), [""; 0]);
        assert_eq!(twice(variables().map(|(name, _)| name).collect()), [""; 0]);
        assert_eq!(twice(rows().flat_map(|row| row.mistakes).copied().collect()), [""; 0]);
    }

    #[test]
    fn a_setting_has_the_row_of_its_narrowest_family() {
        let key = |key: &str| row(key).map(|row| row.key);
        assert_eq!(key("spark.kubernetes.driver.annotation.a.b/c"), Some("spark.kubernetes.driver.annotation.*"));
        let own = "spark.kubernetes.driver.annotation.volcano.sh/preemptable";
        assert_eq!(key(own), Some(own));
        assert_eq!(key("spark.executor.memory"), Some("spark.executor.memory"));
        assert_eq!(key("spark.hadoop."), None);
        assert_eq!(field_of("spark.kubernetes.driver.label.team").as_deref(), Some("spec.driver.labels.team"));
    }
}
