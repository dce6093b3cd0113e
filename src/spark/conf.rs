//! Spark's settings.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog;

/// Settings of an application by key, `spark.…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conf(BTreeMap<String, String>);

impl Conf {
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// The value, with an empty one counting as none.
    pub fn given(&self, key: &str) -> Option<&str> {
        self.get(key).filter(|value| !value.is_empty())
    }

    pub fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// Sets `key`, whatever it was.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<String>) {
        self.0.insert(key.into(), value.into());
    }

    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// The value with the variables replaced that it refers to: `${spark.key}` and `${env:NAME}`.
    /// What is unknown stays.
    ///
    /// Source: `ConfigReader.substitute` of Spark.
    pub fn resolved(&self, key: &str, environment: &BTreeMap<String, String>) -> Option<String> {
        self.get(key).map(|value| self.substituted(value, environment, &mut { MOST_PUT_IN }, 0))
    }

    /// All settings with the references in their values replaced, except in those that Spark takes as they are written.
    pub fn all_resolved(&self, environment: &BTreeMap<String, String>) -> Conf {
        let mut room = MOST_PUT_IN;
        let resolved = |(key, value): (&String, &String)| {
            let value = match value.contains("${") && !catalog::is_literal(key) {
                true => self.substituted(value, environment, &mut room, 0),
                false => value.clone(),
            };
            (key.clone(), value)
        };
        self.0.iter().map(resolved).collect()
    }

    fn substituted(
        &self,
        text: &str,
        environment: &BTreeMap<String, String>,
        room: &mut usize,
        depth: usize,
    ) -> String {
        let mut whole = String::new();
        let mut rest = text;
        while let Some((before, inner, after)) = reference(rest).filter(|_| depth < MAX_REFERENCES) {
            whole.push_str(before);
            let value = match inner.split_once(':') {
                Some(("env", name)) => environment.get(name).map(String::as_str),
                Some(_) => None,
                None if inner.starts_with("spark.") => self.get(inner),
                None => None,
            };
            let value = value.and_then(|value| Some((value, room.checked_sub(value.len() + 1)?)));
            match value {
                Some((value, left)) => {
                    *room = left;
                    whole += &self.substituted(value, environment, room, depth + 1);
                }
                None => whole += &format!("${{{inner}}}"),
            }
            rest = after;
        }
        whole + rest
    }

    /// Whether the value of `key` refers to itself in the end.
    ///
    /// Source: `ConfigReader.substitute` of Spark, which requires that no reference is circular.
    pub fn is_circular(&self, key: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut to_see = vec![key];
        while let Some(next) = to_see.pop() {
            let mut rest = self.get(next).unwrap_or_default();
            while let Some((_, inner, after)) = reference(rest) {
                if inner == key {
                    return true;
                }
                if inner.starts_with("spark.") && seen.insert(inner) {
                    to_see.push(inner);
                }
                rest = after;
            }
        }
        false
    }

    /// Sets `key` if there is a value.
    pub fn set_some(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            self.set(key, value.to_string());
        }
    }

    /// Sets `key` unless it is set.
    pub fn set_default(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_owned()).or_insert_with(|| value.into());
    }

    /// Sets `prefix` + key for each of `values`.
    pub fn set_all(&mut self, prefix: &str, values: &BTreeMap<String, String>) {
        for (key, value) in values {
            self.set(format!("{prefix}{key}"), value.as_str());
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &String)> {
        self.0.iter()
    }

    /// The settings whose keys begin with `prefix`, by the rest of their keys.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0
            .range(prefix.to_owned()..)
            .map_while(move |(key, value)| Some((key.strip_prefix(prefix)?, value.as_str())))
    }

    /// The parts of a comma-separated value, blanks and empty ones left out.
    pub fn list(&self, key: &str) -> Vec<&str> {
        self.get(key).unwrap_or_default().split(',').map(str::trim).filter(|part| !part.is_empty()).collect()
    }
}

/// How deep settings may refer to each other. A circle, which is refused before, ends here too.
const MAX_REFERENCES: usize = 16;
/// Bytes that references put in, all together: a few settings that refer to each other several times ask for gigabytes.
const MOST_PUT_IN: usize = 1 << 20;

/// What is before `${…}`, in it, and behind.
fn reference(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("${")?;
    let (inner, after) = rest.split_once('}')?;
    Some((before, inner, after))
}

impl FromIterator<(String, String)> for Conf {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(settings: I) -> Self {
        Self(settings.into_iter().collect())
    }
}

impl Extend<(String, String)> for Conf {
    fn extend<I: IntoIterator<Item = (String, String)>>(&mut self, settings: I) {
        self.0.extend(settings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_refer_to_each_other_and_to_the_environment() {
        let conf = Conf::from_iter(
            [("spark.a", "${spark.b}-${env:X}${system:y}"), ("spark.b", "b${spark.c}"), ("spark.c", "${spark.c}x")]
                .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let environment = [("X".to_owned(), "x".to_owned())].into();
        let resolved = conf.resolved("spark.a", &environment).unwrap();
        assert!(resolved.starts_with("b${spark.c}xx") && resolved.ends_with("-x${system:y}"), "{resolved}");
        assert_eq!(conf.resolved("spark.none", &environment), None);
    }

    #[test]
    fn a_circle_is_known_from_what_leads_into_one() {
        let conf = Conf::from_iter(
            [
                ("spark.a", "${spark.b}"),
                ("spark.b", "x${spark.c}"),
                ("spark.c", "${spark.b}"),
                ("spark.d", "${spark.d}"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let circular = ["spark.a", "spark.b", "spark.c", "spark.d"].map(|key| conf.is_circular(key));
        assert_eq!(circular, [false, true, true, true]);
    }

    #[test]
    fn references_that_multiply_end() {
        let tenfold = |of: &str| format!("${{spark.{of}}}").repeat(10);
        let conf = Conf::from_iter([
            ("spark.a".to_owned(), tenfold("b")),
            ("spark.b".to_owned(), tenfold("a")),
            ("spark.empty".to_owned(), tenfold("none")),
            ("spark.none".to_owned(), String::new()),
        ]);
        let resolved = conf.all_resolved(&BTreeMap::new());
        let size: usize = resolved.iter().map(|(_, value)| value.len()).sum();
        assert!(size < 4 << 20, "{size} bytes");
        assert_eq!(resolved.get("spark.empty"), Some(""));
    }
}
