//! Durations as people write them, deadlines, and the pauses between retries.

use std::time::{Duration, Instant};

use k8s_openapi::jiff::{Span, SpanRelativeTo};

/// Parses a duration such as `90s`, `5m`, `1h 30m` or `7d`.
///
/// # Errors
/// The text is not a duration, or it is negative.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = |_| "expected a duration such as 90s, 5m, 1h 30m or 7d".to_owned();
    let span: Span = text.parse().map_err(wrong)?;
    let parsed = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(wrong)?;
    Duration::try_from(parsed).map_err(|_| "a duration cannot be negative".into())
}

/// Waits until the deadline; for ever if there is none.
pub async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// The pauses between the retries of something that keeps failing.
///
/// Each user has a table of its own, because what it waits for differs: a table says how long a restart takes, or how
/// rarely a server that is down should be asked.
#[derive(Clone, Debug)]
pub struct Backoff {
    pauses: &'static [Duration],
    failures: usize,
}

impl Backoff {
    pub const fn new(pauses: &'static [Duration]) -> Self {
        Self { pauses, failures: 0 }
    }

    /// The pause before the next retry; `None` after the last one of the table, to give up.
    pub fn next_pause(&mut self) -> Option<Duration> {
        let pause = self.pauses.get(self.failures).copied();
        self.failures += 1;
        pause
    }

    /// The pause before the next retry. The last one of the table is repeated, to retry for ever.
    pub fn next_pause_or_last(&mut self) -> Duration {
        self.next_pause().unwrap_or_else(|| self.longest())
    }

    /// The last pause of the table.
    pub fn longest(&self) -> Duration {
        self.pauses.last().copied().unwrap_or_default()
    }

    /// Begins with the first pause again, after a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Backoff, duration};

    #[test]
    fn parses_durations_as_people_write_them() {
        for (text, seconds) in [("90s", 90), ("5m", 300), ("1h 30m", 5400), ("7d", 7 * 86400), ("0s", 0)] {
            assert_eq!(duration(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "soon", "5", "-5m", "1 month", "99999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn pauses_follow_the_table_and_then_end_or_repeat_the_last_one() {
        const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
        let mut backoff = Backoff::new(&PAUSES);
        assert_eq!([(); 3].map(|()| backoff.next_pause()), [Some(PAUSES[0]), Some(PAUSES[1]), None]);
        assert_eq!(backoff.next_pause_or_last(), PAUSES[1]);
        backoff.reset();
        assert_eq!([(); 3].map(|()| backoff.next_pause_or_last()), [PAUSES[0], PAUSES[1], PAUSES[1]]);
    }
}
