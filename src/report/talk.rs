//! What is said on stderr beside the reports: warnings, hints, errors. Colours follow `NO_COLOR`,
//! `CLICOLOR_FORCE`, the terminal, and `--color` once `anstream::ColorChoice::write_global` was told.

use std::sync::Mutex;

use anstyle::{AnsiColor, Style};
use indicatif::MultiProgress;

use super::clean;

pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
pub const FAINT: Style = Style::new().dimmed();

/// A view that is drawn on the terminal meanwhile.
static VIEW: Mutex<Option<MultiProgress>> = Mutex::new(None);

/// Has all that is written from now on written above a view, or none.
pub fn beside(view: Option<MultiProgress>) {
    if let Ok(mut current) = VIEW.lock() {
        *current = view;
    }
}

/// Writes to the terminal with the view out of the way.
pub fn aside<T>(write: impl FnOnce() -> T) -> T {
    let view = VIEW.lock().ok().and_then(|view| view.clone());
    match view {
        Some(view) => view.suspend(write),
        None => write(),
    }
}

/// A line as it is.
pub fn line(text: &str) {
    aside(|| anstream::eprintln!("{text}"));
}

/// Something odd that stops nothing.
pub fn warn(text: &str) {
    line(&format!("{DOUBTFUL}warning:{DOUBTFUL:#} {}", clean(text)));
}

/// What to try.
pub fn hint(text: &str) {
    line(&format!("{FAINT}hint:{FAINT:#} {}", clean(text)));
}

/// What ended the command, in one line of causes.
pub fn error(text: &str) {
    line(&format!("{BAD}error:{BAD:#} {}", clean(text)));
}
