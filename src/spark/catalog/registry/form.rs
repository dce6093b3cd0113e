//! What the value of a setting must look like.

use std::fmt;

use crate::spark::Version;

/// The form of a setting's value, as Spark declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Not declared.
    Any,
    Text,
    Boolean,
    /// 32 bits wide.
    Integer {
        minimum: Option<i64>,
    },
    /// 64 bits wide.
    Long {
        minimum: Option<i64>,
    },
    Number {
        minimum: Option<i64>,
    },
    /// The minimum is in the unit that a plain number has.
    Duration {
        unit: TimeUnit,
        minimum: Option<i64>,
    },
    /// The minimum is in the unit that a plain number has.
    Size {
        unit: ByteUnit,
        minimum: Option<i64>,
    },
    Choice {
        choices: Choices,
        any_case: bool,
    },
    List(Element),
}

/// The form of a list's elements, which are separated by commas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    Text,
    Long,
}

/// The values to choose from, separated by `|`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choices(&'static str);

impl Choices {
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split('|')
    }
}

/// A unit of time: its name, its suffix in Spark, and how many nanoseconds it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeUnit {
    name: &'static str,
    suffixes: &'static [&'static str],
    nanoseconds: i128,
}

/// Nanoseconds have no suffix.
///
/// Source: `org.apache.spark.network.util.JavaUtils.timeSuffixes`
const TIME_UNITS: [TimeUnit; 7] = [
    TimeUnit { name: "nanoseconds", suffixes: &[], nanoseconds: 1 },
    TimeUnit { name: "microseconds", suffixes: &["us"], nanoseconds: 1_000 },
    TimeUnit { name: "milliseconds", suffixes: &["ms"], nanoseconds: 1_000_000 },
    TimeUnit { name: "seconds", suffixes: &["s"], nanoseconds: 1_000_000_000 },
    TimeUnit { name: "minutes", suffixes: &["m", "min"], nanoseconds: 60_000_000_000 },
    TimeUnit { name: "hours", suffixes: &["h"], nanoseconds: 3_600_000_000_000 },
    TimeUnit { name: "days", suffixes: &["d"], nanoseconds: 86_400_000_000_000 },
];

/// A unit of size: its name, its letter in Spark, and how many bytes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteUnit {
    name: &'static str,
    letter: &'static str,
    bytes: i128,
}

/// Source: `org.apache.spark.network.util.ByteUnit`
const BYTE_UNITS: [ByteUnit; 6] = [
    ByteUnit { name: "bytes", letter: "b", bytes: 1 },
    ByteUnit { name: "KiB", letter: "k", bytes: 1 << 10 },
    ByteUnit { name: "MiB", letter: "m", bytes: 1 << 20 },
    ByteUnit { name: "GiB", letter: "g", bytes: 1 << 30 },
    ByteUnit { name: "TiB", letter: "t", bytes: 1 << 40 },
    ByteUnit { name: "PiB", letter: "p", bytes: 1 << 50 },
];

/// The first version that takes the suffixes of Kubernetes, such as `Gi` and `GiB`.
///
/// Source: `org.apache.spark.network.util.JavaUtils.byteSuffixes`
const BINARY_SUFFIXES: Version = Version(4, 2);

impl Form {
    /// Reads what `update.py` writes: `boolean`, `int>=1`, `long`, `double`, `time:ms>=0`, `bytes:m`, `text`, `regex`,
    /// `choice:A|B` (`choice/i:` in any case), `list:text`, and `?` for what is not declared.
    pub(super) fn parse(text: &'static str) -> Option<Self> {
        if let Some(element) = text.strip_prefix("list:") {
            return Some(Self::List(if element == "long" { Element::Long } else { Element::Text }));
        }
        if let Some(choices) = text.strip_prefix("choice/i:") {
            return Some(Self::Choice { choices: Choices(choices), any_case: true });
        }
        if let Some(choices) = text.strip_prefix("choice:") {
            return Some(Self::Choice { choices: Choices(choices), any_case: false });
        }
        let (form, minimum) = text.split_once(">=").map_or((text, None), |(form, least)| (form, least.parse().ok()));
        let (base, unit) = form.split_once(':').unwrap_or((form, ""));
        Some(match base {
            "?" => Self::Any,
            "text" | "regex" => Self::Text,
            "boolean" => Self::Boolean,
            "int" => Self::Integer { minimum },
            "long" => Self::Long { minimum },
            "double" => Self::Number { minimum },
            "time" => Self::Duration { unit: time_unit(unit).or((unit == "ns").then_some(TIME_UNITS[0]))?, minimum },
            "bytes" => Self::Size { unit: byte_unit(unit, Version::OLDEST)?, minimum },
            _ => return None,
        })
    }

    /// Checks a value as Spark does when it reads the setting. Spark has further conditions for some settings; a value
    /// that passes may still be refused.
    ///
    /// A value that refers to others (`${spark.x}`, `${env:X}`) must be checked after these are replaced. Spark does
    /// not refuse an empty value of a setting that it never reads; whether to check one is left to the caller.
    ///
    /// # Errors
    ///
    /// Says what is expected: "expected an integer".
    ///
    /// Source: `org.apache.spark.internal.config.ConfigBuilder`, `ConfigHelpers`, `JavaUtils`
    pub fn check(&self, value: &str, version: Version) -> Result<(), String> {
        if self.accepts(value, version) { Ok(()) } else { Err(format!("expected {self}")) }
    }

    fn accepts(&self, value: &str, version: Version) -> bool {
        let trimmed = trim(value);
        let least = |minimum: Option<i64>, number: i128| minimum.is_none_or(|minimum| i128::from(minimum) <= number);
        match *self {
            Self::Any | Self::Text | Self::List(Element::Text) => true,
            Self::Boolean => trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false"),
            Self::Integer { minimum } => trimmed.parse::<i32>().is_ok_and(|number| least(minimum, number.into())),
            Self::Long { minimum } => trimmed.parse::<i64>().is_ok_and(|number| least(minimum, number.into())),
            Self::Number { minimum } => {
                double(trimmed).is_some_and(|number| minimum.is_none_or(|minimum| number >= minimum as f64))
            }
            Self::Duration { unit, minimum } => duration(trimmed, unit).is_some_and(|number| least(minimum, number)),
            Self::Size { unit, minimum } => size(value, unit, version).is_some_and(|number| least(minimum, number)),
            Self::Choice { choices, any_case } => choices
                .iter()
                .any(|choice| if any_case { choice.eq_ignore_ascii_case(trimmed) } else { choice == trimmed }),
            Self::List(Element::Long) => {
                value.split(',').map(trim).filter(|element| !element.is_empty()).all(|it| it.parse::<i64>().is_ok())
            }
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Any | Self::Text => f.write_str("text"),
            Self::Boolean => f.write_str("`true` or `false`"),
            Self::Integer { minimum: None } => f.write_str("a 32-bit integer"),
            Self::Long { minimum: None } => f.write_str("an integer"),
            Self::Integer { minimum } | Self::Long { minimum } => write!(f, "a {}integer", sign(minimum)),
            Self::Number { minimum } => write!(f, "a {}number", sign(minimum)),
            Self::Duration { unit, minimum } => {
                let sign = sign(minimum);
                write!(f, "a {sign}duration such as `30s` or `5min` ({} without a unit)", unit.name)
            }
            Self::Size { unit, minimum } => {
                write!(f, "a {}size such as `512m` or `1g` ({} without a unit)", sign(minimum), unit.name)
            }
            Self::Choice { choices, .. } => {
                let choices: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
                write!(f, "one of {}", choices.join(", "))
            }
            Self::List(Element::Text) => f.write_str("a list separated by commas"),
            Self::List(Element::Long) => f.write_str("a list of integers separated by commas"),
        }
    }
}

fn sign(minimum: Option<i64>) -> &'static str {
    match minimum {
        Some(0) => "non-negative ",
        Some(_) => "positive ",
        None => "",
    }
}

/// Removes what Java's `String.trim` removes.
fn trim(value: &str) -> &str {
    value.trim_matches(|letter| letter <= ' ')
}

/// Reads a number as Java's `Double.parseDouble` does, except in hexadecimal.
fn double(value: &str) -> Option<f64> {
    let unsigned = value.strip_prefix(['+', '-']).unwrap_or(value);
    let is_number =
        unsigned == "NaN" || unsigned == "Infinity" || unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let digits = if unsigned == "NaN" { "NaN" } else { value.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(value) };
    if is_number { digits.parse().ok() } else { None }
}

/// Reads a duration as Spark's `timeStringAs` does, in the unit given.
fn duration(value: &str, unit: TimeUnit) -> Option<i128> {
    let (number, suffix) = number_and_suffix(value)?;
    let from = if suffix.is_empty() { unit } else { time_unit(suffix)? };
    Some(i128::from(number) * from.nanoseconds / unit.nanoseconds)
}

/// Reads a size as Spark's `byteFromString` does, in the unit given. A sign must come first, before any blank.
fn size(value: &str, unit: ByteUnit, version: Version) -> Option<i128> {
    let (sign, unsigned) = value.strip_prefix('-').map_or((1, value), |unsigned| (-1, unsigned));
    let (number, suffix) = number_and_suffix(trim(unsigned)).filter(|(number, _)| *number >= 0)?;
    let from = if suffix.is_empty() { unit } else { byte_unit(suffix, version)? };
    let size = i128::from(number) * from.bytes / unit.bytes;
    (size <= i128::from(i64::MAX)).then_some(sign * size)
}

fn number_and_suffix(value: &str) -> Option<(i64, &str)> {
    let end = value.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(value.len());
    let (number, suffix) = value.split_at(end);
    if number.starts_with('+') {
        return None;
    }
    Some((number.parse().ok()?, suffix))
}

fn time_unit(suffix: &str) -> Option<TimeUnit> {
    let suffix = suffix.to_ascii_lowercase();
    TIME_UNITS.into_iter().find(|unit| unit.suffixes.contains(&suffix.as_str()))
}

fn byte_unit(suffix: &str, version: Version) -> Option<ByteUnit> {
    let suffix = suffix.to_ascii_lowercase();
    BYTE_UNITS.into_iter().find(|unit| {
        let rest = suffix.strip_prefix(unit.letter);
        match rest {
            Some("") => true,
            Some("b") => unit.letter != "b",
            Some("i" | "ib") => unit.letter != "b" && version >= BINARY_SUFFIXES,
            _ => false,
        }
    })
}
