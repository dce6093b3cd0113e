//! Spark's settings.

use std::collections::BTreeMap;

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
