//! A few lines at the bottom of the terminal that are redrawn.
//!
//! The cursor rests at the beginning of the first line, not below the last: whether a terminal that is resized wraps
//! lines or cuts them off, everything after the cursor is the view and can be erased.

use std::time::Instant;

use console::{Term, measure_text_width, pad_str, truncate_str};
use k8s_openapi::jiff::SignedDuration;
use rustix::process::getpgrp;
use rustix::termios::tcgetpgrp;

use crate::report::span;

const SPINNER: [&str; 8] = ["⠁", "⠂", "⠄", "⡀", "⢀", "⠠", "⠐", "⠈"];
/// Makes the terminal cut off lines that are too long after it became narrower, instead of wrapping them.
const NO_WRAP: &str = "\x1b[?7l";
const WRAP: &str = "\x1b[?7h";

pub struct View {
    term: Term,
    began: Instant,
    head: String,
    rows: Vec<String>,
    frame: usize,
    is_drawn: bool,
}

impl View {
    pub fn begin() -> View {
        let term = Term::buffered_stderr();
        View { term, began: Instant::now(), head: String::new(), rows: Vec::new(), frame: 0, is_drawn: false }
    }

    pub fn set(&mut self, head: String, rows: Vec<String>) {
        (self.head, self.rows) = (head, rows);
        self.draw();
    }

    /// Advances the clock and the spinner.
    pub fn tick(&mut self) {
        self.frame = (self.frame + 1) % SPINNER.len();
        self.draw();
    }

    /// Draws the view at the cursor, or where it was drawn last.
    pub fn draw(&mut self) {
        // In the background, the terminal belongs to other processes.
        if self.head.is_empty() || !is_in_foreground() {
            return;
        }
        let (height, width) = self.term.size();
        let elapsed = SignedDuration::try_from(self.began.elapsed()).unwrap_or_default();
        let lines = lines(
            &format!("{} {}", SPINNER[self.frame], self.head),
            &self.rows,
            &span(elapsed),
            (usize::from(height), usize::from(width)),
        );
        let has_colours = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        let text = lines.join("\r\n");
        let text = if has_colours { text } else { anstream::adapter::strip_str(&text).to_string() };
        // Failing to draw is no reason to fail.
        let _ = self.term.write_str("\r");
        let _ = self.term.clear_to_end_of_screen();
        let _ = self.term.write_str(&format!("{NO_WRAP}{text}{WRAP}\r"));
        let _ = self.term.move_cursor_up(lines.len() - 1);
        let _ = self.term.flush();
        self.is_drawn = true;
    }

    /// Erases the view from the terminal.
    pub fn erase(&mut self) {
        if std::mem::take(&mut self.is_drawn) && is_in_foreground() {
            let _ = self.term.write_str("\r");
            let _ = self.term.clear_to_end_of_screen();
            let _ = self.term.flush();
        }
    }
}

/// The lines that fit on a terminal: one row less than it has, none wider than it is.
fn lines(head: &str, rows: &[String], elapsed: &str, (height, width): (usize, usize)) -> Vec<String> {
    let cut = |text: &str, width: usize| truncate_str(text, width, "…").into_owned();
    let room = width.saturating_sub(measure_text_width(elapsed) + 1);
    let head = pad_str(&cut(head, room), room, console::Alignment::Left, None).into_owned();
    let head = cut(&format!("{head} {elapsed}"), width);
    let rows = rows.iter().map(|row| cut(&format!("  {row}"), width));
    std::iter::once(head).chain(rows).take(height.saturating_sub(1).max(1)).collect()
}

/// Whether this process is in the foreground of the terminal.
fn is_in_foreground() -> bool {
    tcgetpgrp(std::io::stderr()).map_or(true, |group| group == getpgrp())
}

#[cfg(test)]
mod tests {
    use console::measure_text_width;

    use super::lines;

    #[test]
    fn fits_into_any_terminal() {
        let rows = ["executors  \x1b[31m1 failed\x1b[0m".to_owned(), "| 日本語のとても長い行".to_owned()];
        for width in 0..60 {
            for height in 0..5 {
                let lines = lines("x  running  on node node-1", &rows, "1m 2s", (height, width));
                assert!(lines.len() < height.max(2), "{height}");
                let fits = |line: &String| measure_text_width(line) <= width.max(1);
                assert!(lines.iter().all(fits), "{width}: {lines:?}");
            }
        }
    }

    #[test]
    fn has_the_clock_at_the_right() {
        let drawn = lines("x  running", &[], "9s", (24, 20));
        assert_eq!(drawn, ["x  running        9s"]);
    }
}
