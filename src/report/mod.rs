//! A state in words: plain lines for people, JSON lines for programs.

mod card;
mod clean;
mod json;
mod plain;
pub mod talk;

use k8s_openapi::jiff::SignedDuration;

pub use card::{Card, next_steps, summary};
pub use clean::clean;
pub use json::Json;
pub use plain::Plain;

/// In which form a command says what happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Output {
    /// Lines for people, on stderr.
    #[default]
    Text,
    /// One JSON object per line on stdout, the last one the result.
    Json,
    /// Nothing but warnings and failures.
    Quiet,
}

/// `41s`, `7m 12s`, `2h 3m`.
pub fn span(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}
