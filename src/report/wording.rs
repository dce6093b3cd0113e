//! Wording that several commands share.

use k8s_openapi::jiff::SignedDuration;

/// A sentence on what admission changed in an object.
pub fn changed(what: &str, changes: &[String]) -> String {
    format!("a webhook or admission policy changed {what}: {}", changes.join("; "))
}

/// A duration as `41s`, `7m 12s` or `2h 3m`.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}
