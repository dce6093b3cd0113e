//! What there is to say about a setting, for people.

use super::registry::{self, Setting};
use super::{Accepts, Effect, Row, row};
use crate::spark::{Version, memory};

/// The description of a setting, line by line, each with its heading. None for a setting that neither Spark nor this
/// program knows.
pub fn of(key: &str) -> Option<Vec<(&'static str, String)>> {
    let (row, setting, family) = (row(key), registry::setting(key), registry::family_of(key));
    if row.is_none() && setting.is_none() && family.is_none() {
        return None;
    }
    let mut lines = vec![("expects", expected(row, setting))];
    lines.extend(setting.and_then(|setting| setting.default).map(|default| ("default", default.to_owned())));
    if let Some(since) = setting.map(|setting| setting.since).or(family.map(|family| family.since)) {
        lines.push(("since", version(since)));
    }
    lines.extend(setting.into_iter().flat_map(outdated));
    lines.extend(row.and_then(|row| row.path(key)).map(|path| ("field", path)));
    lines.extend(row.and_then(flags).map(|flags| ("flag", flags)));
    lines.extend(row.and_then(|row| row.variable).map(|name| ("variable", format!("{name} (of spark-submit)"))));
    lines.push(("sparkctl", effect(row.map_or(Effect::Applied, |row| row.effect))));
    Some(lines)
}

fn expected(row: Option<&Row>, setting: Option<&Setting>) -> String {
    match (row.and_then(|row| row.accepts), setting) {
        (Some(accepts), _) => accepts.to_string(),
        (None, Some(setting)) => setting.form.to_string(),
        (None, None) => "text".to_owned(),
    }
}

/// The oldest supported version stands for those before it, too.
fn version(since: Version) -> String {
    if since == Version::OLDEST { format!("Spark {since} or earlier") } else { format!("Spark {since}") }
}

fn outdated(setting: &Setting) -> Vec<(&'static str, String)> {
    let deprecated = setting.deprecated.map(|since| ("deprecated", format!("since Spark {since}")));
    let until = setting.until.map(|last| ("until", format!("Spark {last}")));
    let instead = setting.replaced_by.map(|other| ("instead", other.to_owned()));
    let advice = setting.advice.map(|advice| ("advice", advice.to_owned()));
    [deprecated, until, instead, advice].into_iter().flatten().collect()
}

fn flags(row: &Row) -> Option<String> {
    match (row.flag, row.submit_flag) {
        (Some(flag), Some(other)) if flag != other => Some(format!("{flag} ({other} of spark-submit)")),
        (Some(flag), _) => Some(flag.to_owned()),
        (None, Some(other)) => Some(format!("--conf ({other} of spark-submit)")),
        (None, None) => None,
    }
}

fn effect(effect: Effect) -> String {
    match effect {
        Effect::Applied => "passes it on to Spark, as spark-submit does".to_owned(),
        Effect::Set(what) => format!("sets it: {what}"),
        Effect::Nothing(reason) => format!("no effect: {reason}"),
    }
}

impl std::fmt::Display for Accepts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Boolean => f.write_str("`true` or `false`"),
            Self::Words(words) => write!(f, "one of {}", words.join(", ")),
            Self::Port => f.write_str("a port number"),
            Self::Memory => f.write_str(memory::FORM),
            Self::Count => f.write_str("an integer"),
            Self::Cpu => f.write_str("a quantity of CPU as Kubernetes writes it (`500m`, `2`)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(key: &str, heading: &str) -> Option<String> {
        of(key)?.into_iter().find(|(other, _)| *other == heading).map(|(_, text)| text)
    }

    #[test]
    fn describes_settings_that_only_spark_knows() {
        let key = "spark.sql.shuffle.partitions";
        assert_eq!(line(key, "default").as_deref(), Some("200"));
        assert_eq!(line(key, "since").as_deref(), Some("Spark 1.1"));
        assert!(line(key, "sparkctl").is_some_and(|text| text.starts_with("passes it on")));
    }

    #[test]
    fn names_the_field_and_the_flags_that_set_it() {
        let key = "spark.executor.instances";
        assert_eq!(line(key, "field").as_deref(), Some("spec.executor.instances"));
        assert_eq!(line(key, "flag").as_deref(), Some("--executors (--num-executors of spark-submit)"));
        assert_eq!(line("spark.kubernetes.driver.label.team", "field").as_deref(), Some("spec.driver.labels.team"));
    }

    #[test]
    fn knows_nothing_about_settings_of_others() {
        assert_eq!(of("spark.acme.colour"), None);
    }
}
