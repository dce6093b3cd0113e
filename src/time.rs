//! Lengths of time, as people write them, and waiting for them.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::{Span, SpanRelativeTo};

/// `90s`, `5m`, `1h 30m`, `7d`; `none` and `0` would be for ever, which is said by leaving it out.
///
/// # Errors
/// It is not a length of time, or is none.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_| "expected a time such as 90s, 5m, 1h 30m or 7d".to_owned();
    let span: Span = text.parse().map_err(wrong)?;
    let parsed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(wrong)?;
    Duration::try_from(parsed).map_err(|_| "a time cannot be negative".into())
}

pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::duration;

    #[test]
    fn reads_times_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h 30m", 5400), ("7d", 7 * 86400), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "soon", "5", "-5m", "1 month", "99999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
