//! Kubernetes' quantities: `500m`, `2`, `1.5Gi`, `1e3`.
//!
//! Grammar: `k8s.io/apimachinery/pkg/api/resource` (suffix of powers of two, of ten, or exponent).

const SUFFIXES: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1048576.0),
    ("Gi", 1073741824.0),
    ("Ti", 1099511627776.0),
    ("Pi", 1125899906842624.0),
    ("Ei", 1152921504606846976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// The number that a quantity stands for, if it is one.
pub fn value(text: &str) -> Option<f64> {
    let (number, factor) =
        SUFFIXES.iter().find_map(|(suffix, factor)| Some((text.strip_suffix(suffix)?, *factor))).unwrap_or((text, 1.0));
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.ends_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'));
    // An exponent takes the place of a suffix.
    if !plain || (factor != 1.0 && digits.contains(['e', 'E'])) {
        return None;
    }
    number.parse::<f64>().ok().map(|number| number * factor)
}

/// Thousandths of the number that a quantity stands for, exactly; what is left over is rounded up, and a negative
/// quantity is none at all.
///
/// Source: `Quantity.MilliValue` of `k8s.io/apimachinery/pkg/api/resource`.
pub fn milli(text: &str) -> Option<u128> {
    value(text)?;
    let (number, factor, power) = split_suffix(text);
    let (number, exponent) = match number.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
        None => (number, 0),
    };
    let digits = number.strip_prefix('+').unwrap_or(number);
    if digits.starts_with('-') {
        return Some(0);
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_start_matches('0');
    // Of more digits than the type holds there is more than any cluster has.
    let mantissa = if significant.is_empty() { 0 } else { significant.parse::<u128>().unwrap_or(u128::MAX) };
    let power = power.saturating_add(exponent).saturating_add(3).saturating_sub(i32::try_from(fraction.len()).ok()?);
    let scaled = mantissa.saturating_mul(factor);
    let ten = 10_u128.saturating_pow(power.unsigned_abs());
    Some(if power < 0 { scaled.div_ceil(ten) } else { scaled.saturating_mul(ten) })
}

/// The number in front of a suffix, and the binary factor and decimal power that the suffix stands for.
fn split_suffix(text: &str) -> (&str, u128, i32) {
    const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    const DECIMAL: [(&str, i32); 9] =
        [("n", -9), ("u", -6), ("m", -3), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
    let binary = BINARY.iter().zip(1_u32..).find_map(|(suffix, step)| Some((text.strip_suffix(suffix)?, step)));
    if let Some((number, step)) = binary {
        return (number, 1 << (10 * step), 0);
    }
    let decimal = DECIMAL.iter().find_map(|(suffix, power)| Some((text.strip_suffix(suffix)?, 1, *power)));
    decimal.unwrap_or((text, 1, 0))
}

/// Checks that `text` is a quantity; the error explains why not, and what was probably meant.
pub fn check(text: &str) -> Result<(), String> {
    if value(text).is_some() {
        return Ok(());
    }
    let meant = text.find(|c: char| c.is_ascii_alphabetic()).and_then(|unit| {
        let (number, unit) = text.split_at(unit);
        let unit = match unit.to_ascii_lowercase().as_str() {
            "k" | "kb" => "Ki",
            "mb" => "Mi",
            "g" | "gb" => "Gi",
            "t" | "tb" => "Ti",
            _ => return None,
        };
        value(number).map(|_| format!("{number}{unit}"))
    });
    Err(match meant {
        Some(meant) => format!(
            "`{text}` is not a quantity of Kubernetes: Spark's unit stands where Kubernetes' belongs; write `{meant}`"
        ),
        None => format!("`{text}` is not a quantity of Kubernetes, such as `500m`, `2` or `1.5Gi`"),
    })
}

/// Mebibytes that a memory quantity stands for.
pub fn mebibytes(text: &str) -> Option<f64> {
    value(text).map(|bytes| bytes / 1048576.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_reads() {
        for (text, expected) in [
            ("2", 2.0),
            ("500m", 0.5),
            ("1.5Gi", 1610612736.0),
            ("1e3", 1000.0),
            (".5", 0.5),
            ("1E", 1e18),
            ("100M", 1e8),
        ] {
            assert_eq!(value(text), Some(expected), "{text}");
        }
        for text in ["", "abc", "1g", "512mb", "1e3Mi", "1 Gi", "0x10", "NaN", "inf", "-"] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn milli_is_exact_and_rounds_up() {
        for (text, expected) in [
            ("2", 2000),
            ("500m", 500),
            ("0.1", 100),
            ("1.5Gi", 1_610_612_736_000),
            ("1e3", 1_000_000),
            ("1.5e-1", 150),
            ("1n", 1),
            ("100u", 1),
            (".0005", 1),
            ("0", 0),
            ("-1", 0),
            ("9Ei", 9 * (1 << 60) * 1000),
            ("1e99", u128::MAX),
            ("1e-99", 1),
        ] {
            assert_eq!(milli(text), Some(expected), "{text}");
        }
        assert_eq!(milli("1g"), None);
    }

    #[test]
    fn says_what_was_meant() {
        assert!(check("512mb").unwrap_err().contains("`512Mi`"));
        assert!(check("2g").unwrap_err().contains("`2Gi`"));
        assert!(check("lots").unwrap_err().contains("such as"));
    }
}
