//! Which Spark runs on which Java and Python, and which one to use instead of one that does not.

use std::fmt;
use std::ops::RangeInclusive;

use crate::spark::Version;

/// A release of Spark: `3.5.7`, or `3.5` for any patch release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SparkVersion {
    pub line: Version,
    pub patch: Option<u32>,
}

/// Major and minor version of Python.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PythonVersion(pub u32, pub u32);

/// What a version of Spark runs on.
#[derive(Debug)]
pub struct Rule {
    pub line: Version,
    /// Java's feature release: 8, 11, 17, …
    pub java: RangeInclusive<u32>,
    pub python: RangeInclusive<PythonVersion>,
}

/// The newest Spark is tried with every later Python: there is nothing better to offer.
const ANY_LATER: PythonVersion = PythonVersion(u32::MAX, 0);

/// Source: for Java, the sentence "Spark runs on Java …" of each version's documentation
/// (`https://spark.apache.org/docs/VERSION/`); 17 came with 3.3 (SPARK-33772), 21 with 4.0
/// (SPARK-43831), 25 with 4.2 (SPARK-56815). For Python, `python_requires` and the classifiers in
/// `setup.py` of the newest `pyspark` of each version; for 2.4, cloudpickle fails on 3.8 (SPARK-29536).
#[rustfmt::skip]
const RULES: &[Rule] = &[
    rule((2, 4), 8..=8,   (3, 4),  PythonVersion(3, 7)),
    rule((3, 0), 8..=11,  (3, 4),  PythonVersion(3, 8)),
    rule((3, 1), 8..=11,  (3, 6),  PythonVersion(3, 9)),
    rule((3, 2), 8..=11,  (3, 6),  PythonVersion(3, 9)),
    rule((3, 3), 8..=17,  (3, 7),  PythonVersion(3, 10)),
    rule((3, 4), 8..=17,  (3, 7),  PythonVersion(3, 11)),
    rule((3, 5), 8..=17,  (3, 8),  PythonVersion(3, 11)),
    rule((4, 0), 17..=21, (3, 9),  PythonVersion(3, 13)),
    rule((4, 1), 17..=21, (3, 10), PythonVersion(3, 14)),
    rule((4, 2), 17..=25, (3, 10), PythonVersion(3, 14)),
    rule((4, 3), 17..=25, (3, 11), ANY_LATER),
];

const fn rule(line: (u32, u32), java: RangeInclusive<u32>, first: (u32, u32), last: PythonVersion) -> Rule {
    Rule { line: Version(line.0, line.1), java, python: PythonVersion(first.0, first.1)..=last }
}

impl Rule {
    /// The rule of a version; a version later than the newest known one is treated like it.
    pub fn of(line: Version) -> Option<&'static Rule> {
        let newest = RULES.last().filter(|newest| line > newest.line);
        RULES.iter().find(|rule| rule.line == line).or(newest)
    }

    /// Whether the version runs on this Python.
    pub fn suits_python(&self, python: PythonVersion) -> bool {
        self.python.contains(&python)
    }
}

/// The version nearest to the wanted one among those that run here, the newer of two that are equally near; the newest if
/// none is wanted.
pub fn nearest_line(wanted: Option<Version>, runs_here: impl Fn(&Rule) -> bool) -> Option<Version> {
    let unknown = wanted.filter(|line| RULES.last().is_some_and(|newest| *line > newest.line));
    let lines: Vec<Version> = RULES.iter().map(|rule| rule.line).chain(unknown).collect();
    let Some(wanted) = wanted else {
        return lines.into_iter().rev().find(|line| Rule::of(*line).is_some_and(&runs_here));
    };
    let place = lines.iter().position(|line| *line >= wanted).unwrap_or(0);
    let near_first = |(index, _): &(usize, Version)| (index.abs_diff(place), std::cmp::Reverse(*index));
    let mut ordered: Vec<(usize, Version)> = lines.into_iter().enumerate().collect();
    ordered.sort_by_key(near_first);
    ordered.into_iter().map(|(_, line)| line).find(|line| Rule::of(*line).is_some_and(&runs_here))
}

/// The wanted release if it is offered, else the newest of the version.
pub fn release(line: Version, wanted: Option<SparkVersion>, offered: &[SparkVersion]) -> Option<SparkVersion> {
    let of_line = || offered.iter().copied().filter(|version| version.line == line);
    of_line().find(|version| Some(*version) == wanted).or_else(|| of_line().max())
}

impl SparkVersion {
    /// Parses `3.5.7`, `v3.5` or `3.5.1-amzn-0`; other text such as `nightly` is not a version.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let text = text.split(['-', '+', ' ']).next().unwrap_or_default();
        let mut numbers = text.split('.').map(|part| part.parse::<u32>().ok());
        let line = Version(numbers.next()??, numbers.next()??);
        Some(Self { line, patch: numbers.next().flatten() })
    }

    /// Parses the version of a final release only, which `4.1.0.dev2` and `2.2.0.post0` are not.
    pub fn parse_release(text: &str) -> Option<Self> {
        let version = Self::parse(text)?;
        (version.patch.is_some() && version.to_string() == text).then_some(version)
    }
}

impl PythonVersion {
    /// Parses `3.11`.
    pub fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once('.')?;
        Some(Self(major.parse().ok()?, minor.parse().ok()?))
    }
}

impl fmt::Display for SparkVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.line)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

impl fmt::Display for PythonVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_python(minor: u32) -> impl Fn(&Rule) -> bool {
        move |rule| rule.suits_python(PythonVersion(3, minor))
    }

    fn version(text: &str) -> SparkVersion {
        SparkVersion::parse(text).unwrap()
    }

    #[test]
    fn knows_what_each_supported_version_runs_on() {
        for version in Version::ALL {
            assert!(RULES.iter().any(|rule| rule.line == version), "{version}");
        }
    }

    #[test]
    fn chooses_the_wanted_version_if_it_runs_here() {
        assert_eq!(nearest_line(Some(Version(3, 5)), on_python(11)), Some(Version(3, 5)));
        assert_eq!(nearest_line(Some(Version(3, 0)), on_python(8)), Some(Version(3, 0)));
    }

    #[test]
    fn chooses_the_nearest_version_that_runs_on_the_python() {
        assert_eq!(nearest_line(Some(Version(3, 0)), on_python(11)), Some(Version(3, 4)));
        assert_eq!(nearest_line(Some(Version(3, 0)), on_python(12)), Some(Version(4, 0)));
        assert_eq!(nearest_line(Some(Version(4, 3)), on_python(10)), Some(Version(4, 2)));
        assert_eq!(nearest_line(Some(Version(1, 6)), on_python(6)), Some(Version(2, 4)));
    }

    #[test]
    fn prefers_the_newer_of_two_equally_near_versions() {
        let neighbours = |rule: &Rule| [Version(3, 2), Version(3, 4)].contains(&rule.line);
        assert_eq!(nearest_line(Some(Version(3, 3)), neighbours), Some(Version(3, 4)));
    }

    #[test]
    fn chooses_the_newest_version_if_none_is_wanted() {
        assert_eq!(nearest_line(None, on_python(14)), Some(Version(4, 3)));
        assert_eq!(nearest_line(None, on_python(9)), Some(Version(4, 0)));
    }

    #[test]
    fn treats_an_unknown_later_version_like_the_newest() {
        assert_eq!(nearest_line(Some(Version(5, 0)), on_python(14)), Some(Version(5, 0)));
        assert_eq!(nearest_line(Some(Version(5, 0)), on_python(10)), Some(Version(4, 2)));
    }

    #[test]
    fn chooses_no_version_if_none_runs_here() {
        assert_eq!(nearest_line(Some(Version(3, 5)), |_| false), None);
        assert_eq!(nearest_line(Some(Version(3, 5)), on_python(3)), None);
    }

    #[test]
    fn chooses_the_wanted_release_else_the_newest_of_the_version() {
        let offered = ["3.4.0", "3.4.4", "3.5.0"].map(version);
        assert_eq!(release(Version(3, 4), Some(version("3.4.0")), &offered), Some(version("3.4.0")));
        assert_eq!(release(Version(3, 4), Some(version("3.4")), &offered), Some(version("3.4.4")));
        assert_eq!(release(Version(3, 4), Some(version("3.0.0")), &offered), Some(version("3.4.4")));
        assert_eq!(release(Version(4, 0), None, &offered), None);
    }

    #[test]
    fn parses_versions_as_people_write_them() {
        assert_eq!(version("3.5.7").to_string(), "3.5.7");
        assert_eq!(version("v3.5").to_string(), "3.5");
        assert_eq!(version("3.5.1-amzn-0").to_string(), "3.5.1");
        assert_eq!(SparkVersion::parse("nightly"), None);
        assert_eq!(SparkVersion::parse_release("4.1.0.dev2"), None);
        assert_eq!(SparkVersion::parse_release("2.2.0.post0"), None);
    }
}
