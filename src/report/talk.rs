//! What is said on stderr beside the reports: warnings, hints, errors. Colours follow `NO_COLOR`,
//! `CLICOLOR_FORCE`, the terminal, and `--color` once `anstream::ColorChoice::write_global` was told.

use anstyle::{AnsiColor, Style};

use super::clean;

pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
pub const FAINT: Style = Style::new().dimmed();

/// A line as it is.
pub fn line(text: &str) {
    anstream::eprintln!("{text}");
}

/// Something odd that stops nothing.
pub fn warn(text: &str) {
    anstream::eprintln!("{DOUBTFUL}warning:{DOUBTFUL:#} {}", clean(text));
}

/// What to try.
pub fn hint(text: &str) {
    anstream::eprintln!("{FAINT}hint:{FAINT:#} {}", clean(text));
}

/// What ended the command, in one line of causes.
pub fn error(text: &str) {
    anstream::eprintln!("{BAD}error:{BAD:#} {}", clean(text));
}
