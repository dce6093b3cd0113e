//! Names that Spark derives from an application's name.

/// Longest prefix of executors' names that Spark 3.3 and later take.
///
/// Source: `spark.kubernetes.executor.podNamePrefix` in Spark's `Config.scala`.
pub const EXECUTOR_PREFIX: usize = 47;

/// The name of an application as a DNS label: Spark's rule for the prefix of its objects.
///
/// Source: `KubernetesConf.getResourceNamePrefix` of Spark: lower case, what is foreign to a
/// label becomes `-`, runs of it one; a leading digit becomes `x`, for a Service's name must
/// begin with a letter.
pub fn resource_name_prefix(name: &str) -> String {
    let mut prefix = String::with_capacity(name.len());
    for c in name.trim().to_lowercase().chars() {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        if c != '-' || !prefix.ends_with('-') {
            prefix.push(c);
        }
    }
    let prefix = prefix.trim_matches('-');
    match prefix.chars().next() {
        Some(c) if c.is_ascii_digit() => format!("x{}", &prefix[1..]),
        Some(_) => prefix.to_owned(),
        None => "spark".to_owned(),
    }
}

/// The value of the label `spark-app-name`.
///
/// Source: `KubernetesConf.getAppNameLabel` of Spark 3.3 and later.
pub fn app_name_label(name: &str) -> String {
    let mut label = String::new();
    for c in name.trim().to_lowercase().chars() {
        let c = if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' };
        if c != '-' || !label.ends_with('-') {
            label.push(c);
        }
    }
    label.truncate(63);
    let label = label.strip_prefix('-').unwrap_or(&label);
    label.strip_suffix('-').unwrap_or(label).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn makes_prefixes_as_spark_does() {
        for (name, expected) in [
            ("My App!", "my-app"),
            ("123-app", "x23-app"),
            ("a..b", "a-b"),
            ("-x", "x"),
            ("Ünder", "nder"),
            ("!!", "spark"),
        ] {
            assert_eq!(resource_name_prefix(name), expected);
        }
    }

    #[test]
    fn labels_the_app_name_as_spark_does() {
        assert_eq!(app_name_label("7 days"), "7-days");
        assert_eq!(app_name_label("--"), "");
        assert_eq!(app_name_label(&"a".repeat(70)).len(), 63);
    }
}
