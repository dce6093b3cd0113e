//! The settings of real Spark, from the oldest to the newest supported version: name, versions, form and default.
//!
//! The data is `registry/settings.tsv`, which `registry/update.py` takes from Spark itself. It also has keys that Spark
//! reads as plain text, without a declared form: those take any value.

mod form;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

pub use form::Form;

use super::super::Version;

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::parse(include_str!("registry/settings.tsv")));

/// A setting of Spark.
#[derive(Debug)]
pub struct Setting {
    pub key: &'static str,
    /// The first version that has it. One from before the oldest supported version may be given as that one.
    pub since: Version,
    /// The last version that has it; none if the newest has it.
    pub until: Option<Version>,
    pub form: Form,
    /// As Spark prints it: `<value of KEY>` where another setting's value is taken, cut with `…` if long. None if it
    /// has no default, or one that depends on the machine.
    pub default: Option<&'static str>,
    /// The setting to use instead. The version at hand may not have that one yet.
    pub replaced_by: Option<&'static str>,
    /// The first version that discourages it.
    pub deprecated: Option<Version>,
    /// What Spark says about it where it is deprecated or removed.
    pub advice: Option<&'static str>,
}

impl Setting {
    pub fn exists_in(&self, version: Version) -> bool {
        self.since <= version && self.until.is_none_or(|until| version <= until)
    }

    pub fn is_deprecated_in(&self, version: Version) -> bool {
        self.deprecated.is_some_and(|deprecated| deprecated <= version)
    }
}

/// Settings whose names end in one that users choose, as in `spark.kubernetes.driver.label.team`.
#[derive(Debug)]
pub struct Family {
    /// Ends in a dot.
    pub prefix: &'static str,
    /// The first version that has it.
    pub since: Version,
}

/// The setting of this name. Members of families are not listed, but for some that Spark itself reads.
pub fn setting(key: &str) -> Option<&'static Setting> {
    let settings = &REGISTRY.settings;
    settings.binary_search_by_key(&key, |setting| setting.key).ok().map(|at| &settings[at])
}

/// The family that the key belongs to.
pub fn family_of(key: &str) -> Option<&'static Family> {
    REGISTRY.families.iter().find(|family| key.len() > family.prefix.len() && key.starts_with(family.prefix))
}

/// All settings, sorted by key, without the families.
pub fn all() -> impl Iterator<Item = &'static Setting> {
    REGISTRY.settings.iter()
}

/// The setting that a key which Spark does not know was probably meant to be, among those of a version. A shared prefix
/// alone is not enough: whatever differs must look like a typing error.
pub fn nearest(key: &str, version: Version) -> Option<String> {
    // What is longer than any key was not meant to be one.
    if key.len() > 200 {
        return None;
    }
    let settings = all().filter(|setting| setting.exists_in(version)).filter_map(|setting| {
        let distance = distance(key, setting.key)?;
        Some(((distance, setting.is_deprecated_in(version), setting.form == Form::Any), setting.key.to_owned()))
    });
    let members = REGISTRY.families.iter().filter_map(|family| {
        let segments = family.prefix.matches('.').count();
        let (end, _) = key.match_indices('.').nth(segments - 1)?;
        let (prefix, name) = key.split_at(end + 1);
        let distance = distance(prefix, family.prefix)?;
        (!name.is_empty() && family.since <= version)
            .then(|| ((distance, false, true), format!("{}{name}", family.prefix)))
    });
    settings.chain(members).filter(|(_, meant)| meant != key).min().map(|(_, meant)| meant)
}

/// How many typing errors turn one key into the other; none if they differ in more than those.
fn distance(key: &str, known: &str) -> Option<usize> {
    if letters(key).eq(letters(known)) {
        return Some(0);
    }
    if key.matches('.').count() != known.matches('.').count() {
        return None;
    }
    let segments = key.split('.').zip(known.split('.'));
    segments.map(|(segment, known)| segment_distance(segment, known)).sum::<Option<usize>>().filter(|sum| *sum <= 3)
}

/// A key's letters without what people mix up: case, and what separates words.
fn letters(key: &str) -> impl Iterator<Item = char> {
    key.chars().filter(|letter| !['.', '-', '_'].contains(letter)).map(|letter| letter.to_ascii_lowercase())
}

/// Compares word by word where both have as many: `minExecutors` is not `maxExecutors` mistyped.
fn segment_distance(segment: &str, known: &str) -> Option<usize> {
    if segment.eq_ignore_ascii_case(known) {
        return Some(0);
    }
    let (words, known_words) = (words(segment), words(known));
    if words.len() != known_words.len() {
        return word_distance(segment, known);
    }
    words.into_iter().zip(known_words).map(|(word, known)| word_distance(word, known)).sum()
}

/// The words of `camelCase` or `kebab-case`.
fn words(segment: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    for (at, letter) in segment.char_indices().skip(1) {
        let follows_lower = segment[..at].ends_with(|before: char| !before.is_ascii_uppercase());
        if letter.is_ascii_uppercase() && follows_lower || letter == '-' || letter == '_' {
            words.push(&segment[start..at]);
            start = at;
        }
    }
    words.push(&segment[start..]);
    words
}

fn word_distance(word: &str, known: &str) -> Option<usize> {
    let (word, known) = (word.to_ascii_lowercase(), known.to_ascii_lowercase());
    let distance = strsim::damerau_levenshtein(&word, &known);
    let longer = word.len().max(known.len());
    // A letter for another makes too many other words of short ones: `mode` and `node`.
    let is_replaced = longer <= 4 && word.len() == known.len() && sorted(&word) != sorted(&known);
    (distance <= 2.min(longer / 3) && !is_replaced).then_some(distance)
}

fn sorted(word: &str) -> Vec<char> {
    let mut letters: Vec<char> = word.chars().collect();
    letters.sort_unstable();
    letters
}

struct Registry {
    /// Sorted by key, as in the file.
    settings: Vec<Setting>,
    families: Vec<Family>,
}

impl Registry {
    /// Reads the data. A line that cannot be read is left out; a test sees to it that there is none.
    fn parse(data: &'static str) -> Self {
        let (families, settings): (Vec<&str>, Vec<&str>) =
            data.lines().partition(|line| line.split('\t').next().is_some_and(|key| key.ends_with('.')));
        Self {
            settings: settings.into_iter().filter_map(parse_setting).collect(),
            families: families.into_iter().filter_map(parse_family).collect(),
        }
    }
}

fn parse_family(line: &'static str) -> Option<Family> {
    let mut fields = line.split('\t');
    Some(Family { prefix: fields.next()?, since: Version::parse(fields.next()?)? })
}

fn parse_setting(line: &'static str) -> Option<Setting> {
    let mut fields = line.split('\t');
    let mut next = || fields.next().filter(|field| !field.is_empty());
    Some(Setting {
        key: next()?,
        since: Version::parse(next()?)?,
        until: next().and_then(Version::parse),
        form: Form::parse(next()?)?,
        default: next(),
        replaced_by: next(),
        deprecated: next().and_then(Version::parse),
        advice: next(),
    })
}
