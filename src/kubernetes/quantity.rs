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

/// Says why `text` is not a quantity, and what was probably meant.
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
    fn says_what_was_meant() {
        assert!(check("512mb").unwrap_err().contains("`512Mi`"));
        assert!(check("2g").unwrap_err().contains("`2Gi`"));
        assert!(check("lots").unwrap_err().contains("such as"));
    }
}
