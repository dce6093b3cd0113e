//! What sparkctl knows about Spark's settings: one row per setting.

pub mod description;
pub mod registry;
mod rows;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::LazyLock;

use rows::ROWS;
pub use rows::{Accepts, Effect, Row};

use super::Version;
use crate::redaction;

/// The row of a setting: its own, or that of the longest family that it belongs to.
pub fn row(key: &str) -> Option<&'static Row> {
    let families = || INDEX.families.iter().find(|row| row.tail(key).is_some());
    INDEX.settings.get(key).or_else(families).copied()
}

/// The rows by key; a file may have many thousands of settings.
struct Index {
    settings: HashMap<&'static str, &'static Row>,
    /// The narrowest first.
    families: Vec<&'static Row>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let (mut families, settings): (Vec<&Row>, Vec<&Row>) = ROWS.iter().partition(|row| row.prefix().is_some());
    families.sort_by_key(|row| Reverse(row.key.len()));
    Index { settings: settings.into_iter().map(|row| (row.key, row)).collect(), families }
});

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

/// Whether Spark or this program knows the setting, in any version.
pub fn is_known(key: &str) -> bool {
    registry::setting(key).is_some() || registry::family_of(key).is_some() || row(key).is_some()
}

/// The setting that was probably meant by a key that Spark does not know.
pub fn meant(key: &str, version: Version) -> Option<String> {
    mistaken(key).or_else(|| registry::nearest(key, version))
}

/// The setting that people mean who write this key by mistake.
fn mistaken(key: &str) -> Option<String> {
    ROWS.iter().find_map(|row| {
        let tail = row.mistakes.iter().find_map(|mistake| rows::tail(mistake, key))?;
        Some(row.key.replace('*', tail))
    })
}

/// Whether the value of the setting is likely to be a secret.
pub fn is_secret(key: &str) -> bool {
    use registry::Form;
    let is_text = registry::setting(key).is_none_or(|setting| matches!(setting.form, Form::Any | Form::Text));
    is_text && row(key).is_none_or(|row| !row.is_reference) && redaction::is_secret_like(key)
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

    /// A key that Spark does not have would be a promise that nobody keeps.
    #[test]
    fn every_row_is_a_setting_of_spark_and_no_mistake_is_one() {
        let is_real = |key: &str| {
            let has_members = |prefix: &str| registry::all().any(|setting| setting.key.starts_with(prefix));
            let known = |key: &str| registry::setting(key).is_some() || registry::family_of(key).is_some();
            key.strip_suffix('*').is_some_and(has_members) || known(&key.replace('*', "KEY"))
        };
        let unreal: Vec<&str> = rows().map(|row| row.key).filter(|key| !is_real(key)).collect();
        assert_eq!(unreal, [""; 0]);
        let real: Vec<&&str> = rows().flat_map(|row| row.mistakes).filter(|key| is_real(key)).collect();
        assert_eq!(real, [&""; 0]);
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
