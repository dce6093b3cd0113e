//! Names and labels of objects: what Kubernetes accepts, and how a longer one is cut to its limit.

use sha2::{Digest, Sha256};

/// Longest label value, and longest name of a Service.
///
/// Source: `k8s.io/apimachinery/pkg/util/validation` (DNS-1123 and DNS-1035 labels).
pub const LABEL: usize = 63;
/// Longest name of a pod and of most other objects (DNS-1123 subdomain).
pub const SUBDOMAIN: usize = 253;

/// `stem` and `suffix`, the stem cut so that the whole has at most `limit` characters. What is
/// cut is replaced by a hash of the whole stem, so that different names stay different.
pub fn cut(stem: &str, suffix: &str, limit: usize) -> String {
    if stem.len() + suffix.len() <= limit {
        return format!("{stem}{suffix}");
    }
    let hash = hash(stem, 8);
    let keep = limit.saturating_sub(suffix.len() + hash.len() + 1);
    let mut end = keep.min(stem.len());
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let kept = stem[..end].trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    format!("{kept}-{hash}{suffix}")
}

/// The first `digits` hexadecimal digits of a SHA-256.
pub fn hash(text: impl AsRef<[u8]>, digits: usize) -> String {
    let digest = Sha256::digest(text);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex[..digits.min(hex.len())].to_owned()
}

/// Checks an application's name, which becomes the name of pods.
///
/// Source: DNS-1123 subdomain, `k8s.io/apimachinery/pkg/util/validation`.
pub fn check(name: &str) -> Result<(), String> {
    let part = |part: &str| {
        let alphanumeric = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        part.starts_with(alphanumeric)
            && part.ends_with(alphanumeric)
            && part.chars().all(|c| alphanumeric(c) || c == '-')
    };
    match name {
        "" => Err("a name has at least one character".into()),
        name if name.len() > SUBDOMAIN => {
            Err(format!("a name has at most {SUBDOMAIN} characters, this one has {}", name.len()))
        }
        name if !name.split('.').all(part) => Err(format!(
            "`{name}` is not a name for Kubernetes: lower-case letters, digits and `-`, beginning and ending with a letter or digit"
        )),
        _ => Ok(()),
    }
}

/// Checks the key of a label.
///
/// Source: qualified names, `k8s.io/apimachinery/pkg/util/validation`.
pub fn check_label_key(text: &str) -> Result<(), String> {
    let (prefix, name) = text.split_once('/').map_or((None, text), |(prefix, name)| (Some(prefix), name));
    match !name.is_empty() && check_label_value(name).is_ok() && prefix.is_none_or(|prefix| check(prefix).is_ok()) {
        true => Ok(()),
        false => Err(format!(
            "`{text}` is not a label's key: at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit, perhaps behind a domain and `/`"
        )),
    }
}

/// Checks the value of a label.
pub fn check_label_value(text: &str) -> Result<(), String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let good = text.len() <= LABEL
        && text.chars().all(inner)
        && text.chars().next().is_none_or(|c| c.is_ascii_alphanumeric())
        && text.chars().last().is_none_or(|c| c.is_ascii_alphanumeric());
    match good {
        true => Ok(()),
        false => Err(format!(
            "`{text}` is not a label's value: at most 63 letters, digits, `-`, `_` and `.`, beginning and ending with a letter or digit"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_with_a_hash() {
        assert_eq!(cut("pi", "-driver", 63), "pi-driver");
        let long = "orders-daily-rollup-".repeat(5);
        let name = cut(&long, "-driver-svc", 63);
        assert_eq!(name.len(), 63);
        assert!(name.starts_with("orders-daily-rollup-orders") && name.ends_with("-driver-svc"), "{name}");
        assert_ne!(name, cut(&format!("{long}x"), "-driver-svc", 63));
    }
}
