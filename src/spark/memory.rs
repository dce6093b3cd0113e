//! Amounts of memory as Spark writes and adds them.

use super::{Change, Conf, Role, SettingError, Version};
use crate::diagnostic::Problem;

/// An amount of memory in Spark's notation: `512m`, `4g`; without a unit, MiB.
///
/// Source: `JavaUtils.byteStringAs` of Spark: digits, then a unit in any case, no fractions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory(pub String);

/// The form of an amount, in words.
pub const FORM: &str = "an amount of memory as Spark writes it (`512m`, `4g`)";

/// Checks that `text` is an amount of memory.
///
/// # Errors
/// It is not; the help says what was probably meant.
pub fn check(text: &str) -> Result<(), Problem> {
    match mebibytes(text) {
        Some(_) => Ok(()),
        None => {
            let problem = Problem::error(format!("`{text}` is not {FORM}"));
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let unit = text[digits.len()..].to_ascii_lowercase();
            Err(match (digits.contains('.'), unit.as_str()) {
                (true, _) => problem.help("Spark takes no fractions here: write `1536m` for 1.5 GiB"),
                (false, "ki" | "mi" | "gi" | "ti" | "pi") => problem.help(format!(
                    "this is Kubernetes' unit; Spark's `g` is already GiB: write `{digits}{}`",
                    &unit[..1]
                )),
                _ => problem,
            })
        }
    }
}

/// MiB of an amount in Spark's notation.
pub fn mebibytes(text: &str) -> Option<u64> {
    bytes(text, 1 << 20).map(|bytes| bytes >> 20)
}

/// Bytes of an amount, a bare number counting `unit`s.
pub fn bytes(text: &str, unit: u64) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" => unit,
        "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        "p" | "pb" | "pib" => 1 << 50,
        _ => return None,
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit).filter(|bytes| *bytes <= i64::MAX as u64)
}

/// What Spark adds to a JVM's memory for all that is outside of its heap, when nothing is said:
/// MiB, at least.
pub const LEAST_OVERHEAD: u64 = 384;

/// The factor by which memory outside of the heap is reckoned for both roles alike: 0.4 where
/// another language runs beside the JVM, 0.1 otherwise.
pub fn overhead_factor(conf: &Conf, foreign: bool) -> Result<f64, SettingError> {
    match conf.get("spark.kubernetes.memoryOverheadFactor") {
        Some(text) => factor("spark.kubernetes.memoryOverheadFactor", text),
        None if foreign => Ok(0.4),
        None => Ok(0.1),
    }
}

fn factor(key: &str, text: &str) -> Result<f64, SettingError> {
    match text.trim().parse::<f64>() {
        Ok(factor) if factor >= 0.0 && factor.is_finite() => Ok(factor),
        _ => Err(SettingError::new(key, format!("expected a factor such as 0.1, found `{text}`"))),
    }
}

/// MiB that a pod of this role asks for: the heap and what Spark keeps outside of it.
///
/// Source: `BasicDriverFeatureStep` and `ResourceProfile` of Spark 3.0 to 4.3. An overhead that
/// is given is taken as it is, without the floor; the product with the factor is cut to an
/// integer; off-heap and Python memory count for executors alone.
pub fn request(conf: &Conf, role: Role, version: Version, foreign: bool, python: bool) -> Result<u64, SettingError> {
    let role_word = role.word();
    let heap_key = format!("spark.{role_word}.memory");
    let heap = amount(conf, &heap_key, 1024)?;
    if heap == 0 {
        return Err(SettingError::new(heap_key, "must be a positive number of MiB"));
    }
    let role_factor = format!("spark.{role_word}.memoryOverheadFactor");
    let factor = match conf.get(&role_factor).filter(|_| version.has(Change::OverheadFactorOfRole)) {
        Some(text) => factor(&role_factor, text)?,
        None => overhead_factor(conf, foreign)?,
    };
    let floor = match version.has(Change::MinimumOverhead) {
        true => amount(conf, &format!("spark.{role_word}.minMemoryOverhead"), LEAST_OVERHEAD)?,
        false => LEAST_OVERHEAD,
    };
    let reckoned = ((factor * heap as f64).min(f64::from(i32::MAX)) as u64).max(floor);
    let mut total = heap + amount(conf, &format!("spark.{role_word}.memoryOverhead"), reckoned)?;
    if role == Role::Executor {
        if conf.is_true("spark.memory.offHeap.enabled") {
            total += conf.get("spark.memory.offHeap.size").and_then(|text| bytes(text, 1)).unwrap_or(0) >> 20;
        }
        if python {
            total += amount(conf, "spark.executor.pyspark.memory", 0)?;
        }
    }
    Ok(total)
}

fn amount(conf: &Conf, key: &str, otherwise: u64) -> Result<u64, SettingError> {
    let Some(text) = conf.get(key) else { return Ok(otherwise) };
    check(text).map_err(|problem| SettingError::of_value(key, problem))?;
    Ok(mebibytes(text).unwrap_or(otherwise))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request_of(settings: &[(&str, &str)], foreign: bool) -> u64 {
        let conf = Conf::from_iter(settings.iter().map(|(key, value)| (key.to_string(), value.to_string())));
        request(&conf, Role::Driver, Version(4, 1), foreign, foreign).unwrap()
    }

    #[test]
    fn reads_sparks_units() {
        for (text, expected) in
            [("512m", 512), ("1g", 1024), ("1500000k", 1464), ("2T", 2 << 20), ("7", 7), (" 1GB ", 1024), ("100b", 0)]
        {
            assert_eq!(mebibytes(text), Some(expected), "{text}");
        }
        for text in ["0.5g", "lots", "", "1Gi", "-1g", "1 g", "99999999999999999999g"] {
            assert_eq!(mebibytes(text), None, "{text}");
        }
    }

    #[test]
    fn adds_what_is_outside_of_the_heap() {
        assert_eq!(request_of(&[], false), 1408);
        assert_eq!(request_of(&[("spark.driver.memory", "5001m")], false), 5501);
        assert_eq!(request_of(&[("spark.driver.memory", "4g")], true), 4096 + 1638);
        assert_eq!(request_of(&[("spark.driver.memoryOverhead", "0")], false), 1024);
        assert_eq!(request_of(&[("spark.driver.memoryOverhead", "100m")], true), 1124);
        assert_eq!(
            request_of(&[("spark.driver.memory", "8g"), ("spark.kubernetes.memoryOverheadFactor", "0.5")], false),
            12288
        );
        // The product is an `Int` of Scala.
        let vast = [("spark.driver.memory", "1g"), ("spark.driver.memoryOverheadFactor", "1e300")];
        assert_eq!(request_of(&vast, false), 1024 + 2_147_483_647);
    }

    #[test]
    fn says_what_was_meant() {
        assert_eq!(
            check("512Mi").unwrap_err().help.unwrap(),
            "this is Kubernetes' unit; Spark's `g` is already GiB: write `512m`"
        );
        assert!(check("1.5g").unwrap_err().help.unwrap().contains("1536m"));
    }
}
